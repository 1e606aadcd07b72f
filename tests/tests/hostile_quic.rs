//! Promise 7 over real QUIC: a device that is in the survey, or not, sends a running node what it should
//! not. It is told why before its connection is closed, the node tells the same, and a second device,
//! linked to that node all the while, goes on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use rukun::connection::Connection;
use rukun::drive::{self, Driven};
use rukun::endpoint::Endpoint;
use rukun::verbs::Request;
use rukun_authority::{Keypair, Role};
use rukun_change::SurveyId;
use rukun_replica::{Deframer, Replica};
use rukun_tests::by_hand::World;
use rukun_wire::limits::FRAME_BYTES_MAX;
use rukun_wire::{Changes, Message};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::timeout;

const LOOPBACK: &str = "127.0.0.1:0";
const WAIT_MAX: Duration = Duration::from_secs(20);
const ANI: u8 = 20;
const MALLORY: u8 = 30;
const STRANGER: u8 = 99;

/// A node that runs: links come and go, requests are answered.
struct Running {
    driven: Driven,
    endpoint: Endpoint,
}

impl Running {
    fn start(replica: Replica, seed: u8) -> Self {
        let keypair = Keypair::from_seed(&[seed; 32]);
        assert_eq!(keypair.key(), replica.device());
        let endpoint = Endpoint::bind(LOOPBACK.parse().unwrap(), &keypair).unwrap();
        let driven = drive::start(replica).unwrap();
        let (accepting, linker) = (endpoint.clone(), driven.linker.clone());
        tokio::spawn(async move {
            while let Some(arriving) = accepting.arriving().await {
                let linker = linker.clone();
                tokio::spawn(async move {
                    if let Ok(peer) = arriving.handshake().await {
                        linker.run(peer).await;
                    }
                });
            }
        });
        Self { driven, endpoint }
    }

    fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().unwrap()
    }

    async fn ask(&self, request: Request) -> Value {
        self.driven.core.ask(request).await.unwrap()
    }

    async fn fingerprints(&self) -> Value {
        self.ask(Request::Fingerprints { region: Some("18110100050003".into()) }).await
    }
}

/// What an attacker does once it is connected.
enum Attack {
    Bytes(Vec<u8>),
    /// Greets as a member of the survey, and when trust is settled says these.
    InSession(Vec<Message>),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_what_it_should_not_is_told_why_and_others_go_on() {
    let mut world = World::new(1);
    let office = rukun_tests::by_hand::Node(0);
    let ani = world.add(ANI, office, Role::Enumerator, &["18110100050003"]);
    world.add(MALLORY, office, Role::Enumerator, &["18110100050003"]);
    world.link(ani, office);
    world.settle(10_000);
    world.cut_all();
    let hello = world.hello_by_hand();
    let elsewhere = rukun_wire::Hello { survey: Some(SurveyId::from_bytes([9; 32])), ..hello.clone() };
    let mut replicas = std::mem::take(&mut world.replicas).into_iter();
    // The office's device is the first after the root.
    let office = Running::start(replicas.next().unwrap(), 2);
    let ani = Running::start(replicas.next().unwrap(), ANI);
    let honest = ani.endpoint.reach(office.address()).await.unwrap();
    let linker = ani.driven.linker.clone();
    let link = tokio::spawn(async move { linker.run(honest).await });

    let settle = |after: Vec<Message>| {
        let begin = [
            Message::Hello(hello.clone()),
            Message::StatementIds(Vec::new()),
            Message::Statements { items: Vec::new(), last: true },
        ];
        Attack::InSession(begin.into_iter().chain(after).collect())
    };
    let none = Changes { frame: 9, upto: None, items: Vec::new() };
    let too_long = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes().to_vec();
    let cases = [
        (MALLORY, Attack::Bytes(vec![0xff; 100_000]), "announced a frame of 4294967295 bytes"),
        (MALLORY, Attack::Bytes(too_long), "announced a frame of"),
        (MALLORY, Attack::Bytes(vec![0, 0, 0, 2, 200, 0]), "message of type 200, which there is not"),
        (MALLORY, Attack::InSession(vec![Message::Summary(Vec::new())]), "before the greeting"),
        (MALLORY, Attack::InSession(vec![Message::Hello(elsewhere)]), "in another survey"),
        (MALLORY, settle(vec![Message::Hello(hello.clone())]), "message hello came after trust was settled"),
        (MALLORY, settle(vec![Message::Changes(none)]), "frame 9 came where frame 1 is due"),
        (
            MALLORY,
            settle(vec![Message::Ack { frame: 3, exceptions: Vec::new() }]),
            "frame 3 was acknowledged",
        ),
        (STRANGER, Attack::InSession(vec![Message::Hello(hello.clone())]), "no grant is known"),
    ];
    for (seed, attack, reason) in cases {
        let told = office.driven.core.subscribe();
        let heard = bounded(do_attack(seed, &office, attack)).await;
        assert!(heard.contains(reason), "the attacker was told {heard:?}, not {reason:?}");
        let down = bounded(peer_down(told, seed)).await;
        assert!(down.contains(reason), "the node told {down:?}, not {reason:?}");

        let patch = Some(json!({"r108": "Siti Aminah"}));
        let region = "1811010005000300".into();
        ani.ask(Request::RecordAdd { region, ink: None, patch, set: Vec::new() }).await;
        let written = ani.fingerprints().await;
        bounded(async {
            while office.fingerprints().await != written {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        assert!(!link.is_finished(), "the honest link was closed");
    }
}

/// Connects and attacks; gives the reason that the node gave in its last message, which is also the
/// one with which the connection was closed.
async fn do_attack(seed: u8, node: &Running, attack: Attack) -> String {
    let endpoint = Endpoint::bind(LOOPBACK.parse().unwrap(), &Keypair::from_seed(&[seed; 32])).unwrap();
    let peer = endpoint.reach(node.address()).await.unwrap();
    assert!(matches!(peer.connection, Connection::Quic(_)));
    let (mut send, mut recv) = peer.connection.stream(true).await.unwrap();
    let bytes = match attack {
        Attack::Bytes(bytes) => bytes,
        Attack::InSession(messages) => messages.iter().flat_map(Message::encode).collect(),
    };
    // The node may close before it has read everything.
    let _ = send.write_all(&bytes).await;
    let mut deframer = Deframer::new();
    let mut last = None;
    while let Ok(Some(bytes)) = recv.chunk().await {
        deframer.push(&bytes);
        while let Some(body) = deframer.next_frame().unwrap() {
            last = Some(Message::of(&body).unwrap());
        }
    }
    let closed = peer.connection.closed().await.to_string();
    let Some(Message::Close(reason)) = last else { panic!("no last words but {last:?}; {closed}") };
    assert!(closed.contains(&reason.text), "closed with {closed:?} after {:?}", reason.text);
    reason.text
}

/// Why the node says that its session with this device ended.
async fn peer_down(mut told: broadcast::Receiver<Value>, seed: u8) -> String {
    let device = Keypair::from_seed(&[seed; 32]).key().to_string();
    loop {
        let event = told.recv().await.unwrap();
        if event["event"] == "peer-down" && event["peer"] == device.as_str() {
            return event["reason"].as_str().unwrap().into();
        }
    }
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(WAIT_MAX, future).await.expect("done in time")
}
