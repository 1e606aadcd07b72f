//! Promises of links, over loopback.

use std::net::SocketAddr;

use rukun_authority::Keypair;

use super::*;
use crate::attempt::ConnectError;
use crate::places::Places;
use crate::quic;
use crate::tcp;

const LOOPBACK: &str = "127.0.0.1:0";

/// What carries a link.
#[derive(Clone, Copy, Debug)]
enum By {
    Quic,
    Tcp,
}

struct Node {
    quic: quic::Endpoint,
    tcp: tcp::Endpoint,
    linker: Linker,
    core: mpsc::Receiver<FromLink>,
    _survey: watch::Sender<Option<SurveyId>>,
}

fn node(seed: u8) -> Node {
    let listen: SocketAddr = LOOPBACK.parse().unwrap();
    let (keypair, places) = (Keypair::from_seed(&[seed; 32]), Places::new());
    let quic = quic::Endpoint::bind(listen, &keypair, places.clone()).unwrap();
    let tcp = tcp::Endpoint::dialing(&keypair, places).unwrap().listening(listen).unwrap();
    let (to_core, core) = mpsc::channel(64);
    let (survey, survey_now) = watch::channel(None);
    Node { quic, tcp, linker: Linker::new(to_core, survey_now, Checks::OnThreads), core, _survey: survey }
}

/// Two connected peers: the one that dialed first.
async fn connect(here: &Node, there: &Node, by: By) -> (Peer, Peer) {
    let (dialed, arrived): (Result<_, ConnectError>, Result<_, ConnectError>) = match by {
        By::Quic => {
            let address = there.quic.local_addr().unwrap();
            let accept = async { there.quic.arriving().await.unwrap().handshake().await };
            bounded(async { tokio::join!(here.quic.dial(address, || ()), accept) }).await
        }
        By::Tcp => {
            let address = there.tcp.local_addr().unwrap();
            let accept = async { there.tcp.arriving().await.handshake().await };
            bounded(async {
                tokio::join!(here.tcp.dial(address, false, || (), std::future::ready(())), accept)
            })
            .await
        }
    };
    (dialed.unwrap(), arrived.unwrap())
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(15), future).await.expect("done within 15 s")
}

async fn next(node: &mut Node) -> FromLink {
    bounded(node.core.recv()).await.unwrap()
}

async fn opened(node: &mut Node) -> LinkHandle {
    match next(node).await {
        FromLink::Opened { handle, .. } => handle,
        other => panic!("not opened but {other:?}"),
    }
}

async fn closed(node: &mut Node) -> String {
    loop {
        if let FromLink::Closed { reason, .. } = next(node).await {
            return reason;
        }
    }
}

fn run(node: &Node, peer: Peer) {
    let linker = node.linker.clone();
    tokio::spawn(async move { linker.run(peer).await });
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

#[tokio::test]
async fn frames_arrive_whole_and_in_order_and_last_words_before_the_close() {
    frames_arrive(By::Quic, "closed by the peer: done for today").await;
    // A connection over TCP ends without a reason.
    frames_arrive(By::Tcp, "closed by the peer").await;
}

async fn frames_arrive(by: By, told: &str) {
    let (mut here, mut there) = (node(1), node(2));
    let (dialed, arrived) = connect(&here, &there, by).await;
    run(&here, dialed);
    run(&there, arrived);
    let sender = opened(&mut here).await;
    for number in 0..40_u8 {
        // An unknown type: the replica would refuse it, and its number tells frames apart.
        sender.send(frame(&vec![100 + number; 5_000]));
    }
    sender.close("done for today");
    let _receiver = opened(&mut there).await;
    for number in 0..40_u8 {
        let FromLink::Received { frame, .. } = next(&mut there).await else { panic!("no frame") };
        assert!(format!("{frame:?}").contains(&format!("{}", 100 + number)), "{frame:?}");
    }
    assert_eq!(closed(&mut there).await, told);
    assert_eq!(closed(&mut here).await, "done for today");
    assert!(here.linker.linked().borrow().is_empty());
    assert!(sender.traffic().sent_bytes > 40 * 5_000);
    for node in [&here, &there] {
        assert!(node.linker.network().now().bytes_today > 40 * 5_000, "{by:?}: all of it is counted");
    }
}

#[tokio::test]
async fn garbage_closes_its_own_link_and_no_other() {
    garbage_closes(By::Quic, "peer announced a frame that is too long").await;
    garbage_closes(By::Tcp, "closed by the peer").await;
}

async fn garbage_closes(by: By, told: &str) {
    let (mut here, mut there) = (node(1), node(2));
    let (good, arrived) = connect(&here, &there, by).await;
    run(&here, good);
    run(&there, arrived);
    let good = opened(&mut here).await;
    // The stream, and with it the link, is there for the other side once something came.
    good.send(frame(b"\xffhello"));
    let _unharmed = opened(&mut there).await;
    let FromLink::Received { .. } = next(&mut there).await else { panic!("no frame") };

    let vandal = node(3);
    let (bad, arrived) = connect(&vandal, &there, by).await;
    run(&there, arrived);
    let (mut send, mut recv) = bad.connection.stream(true).await.unwrap();
    send.write_all(&[0xff; 64]).await.unwrap();
    let handle = opened(&mut there).await;
    let FromLink::Received { frame: broken, .. } = next(&mut there).await else { panic!("no frame") };
    assert!(format!("{broken:?}").contains("FrameTooLong"));
    handle.close("peer announced a frame that is too long");
    assert_eq!(closed(&mut there).await, "peer announced a frame that is too long");
    if bounded(recv.chunk()).await == Ok(None) {
        bad.connection.finished_by_peer();
    }
    let heard = bounded(bad.connection.closed()).await.to_string();
    assert!(heard.contains(told), "{heard}");

    good.send(frame(b"\xffhello"));
    assert!(matches!(next(&mut there).await, FromLink::Received { .. }));
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_closed_and_does_not_hold_up_the_core() {
    let (mut here, there) = (node(1), node(2));
    let (dialed, arrived) = connect(&here, &there, By::Quic).await;
    run(&here, dialed);
    let sender = opened(&mut here).await;
    let began = std::time::Instant::now();
    for _ in 0..OUTGOING_BYTES_MAX / 1_000_000 + 4 {
        sender.send(vec![0; 1_000_000]);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "sending never blocks");
    assert_eq!(closed(&mut here).await, "the peer does not read what it is sent");
    let told = bounded(arrived.connection.closed()).await.to_string();
    assert!(told.contains("does not read"), "{told}");
}

#[tokio::test]
async fn who_connects_and_says_nothing_opens_no_link() {
    for by in [By::Quic, By::Tcp] {
        let (here, mut there) = (node(1), node(2));
        let (dialed, arrived) = connect(&here, &there, by).await;
        let linker = there.linker.clone();
        let running = tokio::spawn(async move { linker.run(arrived).await });
        dialed.connection.close(CloseCode::Forgotten, "another attempt came first");
        drop(dialed);
        bounded(running).await.unwrap();
        assert!(there.core.try_recv().is_err(), "{by:?}: the core was told of it");
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_closed_over_tcp_too() {
    let (mut here, there) = (node(1), node(2));
    let (dialed, _arrived) = connect(&here, &there, By::Tcp).await;
    run(&here, dialed);
    let sender = opened(&mut here).await;
    for _ in 0..OUTGOING_BYTES_MAX / 1_000_000 + 16 {
        sender.send(vec![0; 1_000_000]);
    }
    assert_eq!(closed(&mut here).await, "the peer does not read what it is sent");
}
