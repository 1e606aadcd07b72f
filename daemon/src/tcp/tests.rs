//! Two real endpoints on loopback, and strangers with a TLS of their own making.

use rustls::ClientConfig;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::*;
use crate::connection::Lost;
use crate::places::Places;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn endpoint(seed: u8) -> Endpoint {
    let dialing = Endpoint::dialing(&Keypair::from_seed(&[seed; 32]), Places::new());
    dialing.unwrap().listening(LOOPBACK).unwrap()
}

fn key(seed: u8) -> DeviceKey {
    Keypair::from_seed(&[seed; 32]).key()
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("done within 10 s")
}

async fn connected(to_enrol: bool) -> [Peer; 2] {
    let (here, there) = (endpoint(1), endpoint(2));
    let address = there.local_addr().unwrap();
    let accept = async { there.arriving().await.handshake().await };
    let (dialed, arrived) =
        bounded(async { tokio::join!(here.dial(address, to_enrol, || (), std::future::ready(())), accept) })
            .await;
    [dialed.unwrap(), arrived.unwrap()]
}

/// Dials with a TLS of its own making; says how the listening end took it.
async fn knock(tls: ClientConfig) -> Result<Peer, ConnectError> {
    let listener = endpoint(1);
    let address = listener.local_addr().unwrap();
    let knocking = tokio::spawn(async move {
        let socket = TcpStream::connect(address).await?;
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        let mut stream = TlsConnector::from(Arc::new(tls)).connect(name, socket).await?;
        stream.read_u8().await
    });
    let taken = bounded(async { listener.arriving().await.handshake().await }).await;
    assert!(bounded(knocking).await.unwrap().is_err(), "the stranger is told");
    taken
}

#[tokio::test]
async fn two_endpoints_know_each_others_device() {
    let [dialed, arrived] = connected(false).await;
    assert_eq!((dialed.key, dialed.dialed, dialed.enrols), (key(2), true, false));
    assert_eq!((arrived.key, arrived.dialed, arrived.enrols), (key(1), false, false));
}

#[tokio::test]
async fn both_ends_know_that_one_wants_to_be_enrolled_and_export_the_same() {
    let peers = connected(true).await;
    assert!(peers.iter().all(|peer| peer.enrols));
    let exported = peers.each_ref().map(|peer| peer.connection.exported().unwrap());
    assert_eq!(exported[0], exported[1]);
    let [other, _] = connected(true).await;
    assert_ne!(Some(exported[0]), other.connection.exported());
}

#[tokio::test]
async fn what_is_said_is_counted_and_an_end_is_told() {
    let [dialed, arrived] = connected(false).await;
    let before = dialed.connection.traffic();
    let (mut send, _recv) = dialed.connection.stream(true).await.unwrap();
    send.write_all(&[7; 3_000]).await.unwrap();
    send.finish().await;
    let (_send, mut recv) = bounded(arrived.connection.stream(false)).await.unwrap();
    assert!(arrived.connection.stream(false).await.is_err(), "there is one stream");
    assert_eq!(bounded(recv.read_to_end(3_000)).await, Ok(vec![7; 3_000]));
    let carried = dialed.connection.traffic().sent_bytes - before.sent_bytes;
    assert!((3_000..3_100).contains(&carried), "{carried} bytes");
    arrived.connection.finished_by_peer();
    assert_eq!(arrived.connection.closed().await, Lost::ByPeer(None));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_not_taken_for_one_that_was_finished() {
    let [dialed, arrived] = connected(false).await;
    let (mut send, heard) = dialed.connection.stream(true).await.unwrap();
    send.write_all(b"half of it").await.unwrap();
    let (_send, mut recv) = bounded(arrived.connection.stream(false)).await.unwrap();
    drop((send, heard));
    assert!(bounded(recv.read_to_end(100)).await.is_err());
}

#[tokio::test]
async fn a_closed_endpoint_gives_its_port_back_whoever_still_holds_a_clone() {
    let here = endpoint(1);
    let address = here.local_addr().unwrap();
    let _held = here.clone();
    assert!(std::net::TcpListener::bind(address).is_err(), "it listens");
    here.close();
    std::net::TcpListener::bind(address).unwrap();
}

/// Shows nothing.
#[derive(Debug)]
struct Mute;

impl rustls::client::ResolvesClientCert for Mute {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_client_without_a_key_is_refused() {
    let mut tls = tls::client_config(&Keypair::from_seed(&[9; 32])).unwrap();
    tls.client_auth_cert_resolver = Arc::new(Mute);
    assert!(matches!(knock(tls).await, Err(ConnectError::Tcp(_))));
}

#[tokio::test]
async fn another_protocol_is_refused() {
    let mut tls = tls::client_config(&Keypair::from_seed(&[9; 32])).unwrap();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    assert!(matches!(knock(tls).await, Err(ConnectError::Tcp(_))));
}

#[tokio::test]
async fn who_names_no_protocol_is_refused() {
    let mut tls = tls::client_config(&Keypair::from_seed(&[9; 32])).unwrap();
    tls.alpn_protocols = Vec::new();
    assert!(matches!(knock(tls).await, Err(ConnectError::NoKey)));
}
