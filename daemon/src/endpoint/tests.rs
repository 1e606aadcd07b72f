//! Which carrier is taken, on loopback: a port whose UDP nobody answers is one where UDP does not pass.

use std::net::{Ipv4Addr, UdpSocket};

use tokio::time::timeout;

use super::race::RACE_AFTER;
use super::*;
use crate::connection::Connection;
use crate::places::{HANDSHAKES_MAX, Places};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn keypair(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

fn is_over_tcp(peer: &Peer) -> bool {
    matches!(peer.connection, Connection::Tcp(_))
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_mins(1), future).await.expect("done within a minute")
}

#[tokio::test]
async fn where_udp_passes_it_is_taken() {
    let (here, there) =
        (Endpoint::dialing(LOOPBACK, &keypair(1)).unwrap(), Endpoint::bind(LOOPBACK, &keypair(2)));
    let there = there.unwrap();
    let address = there.local_addr().unwrap();
    let accept = async { there.arriving().await.unwrap().handshake().await };
    let (reached, arrived) = bounded(async { tokio::join!(here.reach(address), accept) }).await;
    let (reached, arrived) = (reached.unwrap(), arrived.unwrap());
    assert_eq!((reached.key, arrived.key), (there.key(), here.key()));
    assert!(!is_over_tcp(&reached) && !is_over_tcp(&arrived));
}

#[tokio::test]
async fn where_udp_does_not_pass_tcp_is_taken_and_soon_the_next_time() {
    let here = Endpoint::dialing(LOOPBACK, &keypair(1)).unwrap();
    let silent = UdpSocket::bind(LOOPBACK).unwrap();
    let address = silent.local_addr().unwrap();
    let there = tcp::Endpoint::dialing(&keypair(2), Places::new()).unwrap().listening(address).unwrap();
    tokio::spawn(async move {
        let mut taken = Vec::new();
        loop {
            taken.push(there.arriving().await.handshake().await.unwrap());
        }
    });
    let first = bounded(here.reach(address)).await.unwrap();
    assert!(is_over_tcp(&first) && first.key == keypair(2).key());
    assert!(here.remembered().contains(&address));
    // Before it would be tried at all, had it not been remembered.
    let second = timeout(RACE_AFTER / 2, here.reach(address)).await.expect("at once").unwrap();
    assert!(is_over_tcp(&second));
    let to_enrol = bounded(here.reach_to_enrol(address)).await.unwrap();
    assert!(is_over_tcp(&to_enrol) && to_enrol.enrols);
}

#[tokio::test]
async fn where_udp_is_answered_tcp_only_knocks() {
    let (here, there) = (Endpoint::dialing(LOOPBACK, &keypair(1)), Endpoint::bind(LOOPBACK, &keypair(2)));
    let (here, there) = (here.unwrap(), there.unwrap());
    let address = there.local_addr().unwrap();
    // UDP is answered once TCP has knocked, as on a link that comes back just then.
    let accept = async {
        let Some(Arriving(By::Quic(slow))) = there.arriving().await else { panic!("udp comes first") };
        let Some(Arriving(By::Tcp(knock))) = there.arriving().await else { panic!("then tcp knocks") };
        (slow.handshake().await.unwrap(), knock.handshake().await.map(|peer| peer.key))
    };
    let (reached, (_arrived, knock)) = bounded(async { tokio::join!(here.reach(address), accept) }).await;
    assert!(!is_over_tcp(&reached.unwrap()));
    assert!(matches!(knock, Err(ConnectError::Tcp(_))), "nothing but the connection was made: {knock:?}");
    assert!(!here.remembered().contains(&address));
}

#[tokio::test]
async fn a_place_that_udp_reaches_again_is_no_longer_one_of_tcp() {
    let (here, there) = (Endpoint::dialing(LOOPBACK, &keypair(1)), Endpoint::bind(LOOPBACK, &keypair(2)));
    let (here, there) = (here.unwrap(), there.unwrap());
    let address = there.local_addr().unwrap();
    // Nobody takes in who comes over TCP here, so that UDP is first.
    here.remembered().insert(address);
    let accept = async {
        loop {
            if let Arriving(By::Quic(arriving)) = there.arriving().await.unwrap() {
                return arriving.handshake().await;
            }
        }
    };
    let (reached, _arrived) = bounded(async { tokio::join!(here.reach(address), accept) }).await;
    assert!(!is_over_tcp(&reached.unwrap()));
    assert!(!here.remembered().contains(&address));
}

#[tokio::test]
async fn who_connects_over_tcp_and_says_nothing_keeps_nobody_out_over_udp() {
    let (here, there) = (Endpoint::dialing(LOOPBACK, &keypair(1)), Endpoint::bind(LOOPBACK, &keypair(2)));
    let (here, there) = (here.unwrap(), there.unwrap());
    let address = there.local_addr().unwrap();
    let listening = there.clone();
    let (told, mut arrived) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(arriving) = listening.arriving().await {
            let told = told.clone();
            tokio::spawn(async move {
                if let Ok(peer) = arriving.handshake().await {
                    let _ = told.send(peer).await;
                }
            });
        }
    });
    let mut silent = Vec::new();
    for _ in 0..HANDSHAKES_MAX + 8 {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let reached = timeout(RACE_AFTER, here.reach(address)).await.expect("at once").unwrap();
    assert!(!is_over_tcp(&reached) && reached.key == there.key());
    assert_eq!(bounded(arrived.recv()).await.unwrap().key, here.key());
}

#[tokio::test]
async fn where_nobody_listens_over_tcp_that_is_told() {
    let nobody = tcp::Endpoint::dialing(&keypair(1), Places::new()).unwrap();
    let closed = UdpSocket::bind(LOOPBACK).unwrap().local_addr().unwrap();
    assert!(matches!(
        nobody.dial(closed, false, || (), std::future::ready(())).await,
        Err(ConnectError::Tcp(_))
    ));
}
