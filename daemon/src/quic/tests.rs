//! Two real endpoints on loopback, and strangers that come with a TLS of their own making.

use std::net::Ipv4Addr;

use rustls::crypto::ring;
use rustls::sign::CertifiedKey;

use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn endpoint(seed: u8) -> Endpoint {
    Endpoint::bind(LOOPBACK, &Keypair::from_seed(&[seed; 32]), Places::new()).unwrap()
}

fn quic(peer: &Peer) -> &Connection {
    match &peer.connection {
        connection::Connection::Quic(connection) => connection,
        other @ connection::Connection::Tcp(_) => panic!("not over UDP: {other:?}"),
    }
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("done within 10 s")
}

/// Dials with a TLS of its own making; says how the listening end took it.
async fn knock(tls: rustls::ClientConfig) -> Result<Peer, ConnectError> {
    let listener = endpoint(1);
    let address = listener.local_addr().unwrap();
    let mut stranger = quinn::Endpoint::client(LOOPBACK).unwrap();
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    stranger.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
    let knocking = tokio::spawn(async move {
        let connection = stranger.connect(address, "anyone").unwrap().await?;
        Err::<(), _>(connection.closed().await)
    });
    let taken = bounded(async { listener.arriving().await.unwrap().handshake().await }).await;
    assert!(bounded(knocking).await.unwrap().is_err(), "the stranger is told");
    taken
}

/// Takes any certificate, and so asks for X.509.
#[derive(Debug)]
struct Gullible;

impl rustls::client::danger::ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        unreachable!("TLS 1.3 only")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        vec![rustls::SignatureScheme::ED25519]
    }
}

#[tokio::test]
async fn two_endpoints_know_each_others_device() {
    let (here, there) = (endpoint(1), endpoint(2));
    let address = there.local_addr().unwrap();
    let (dialed, arrived) = bounded(async {
        tokio::join!(here.dial(address, || ()), async { there.arriving().await.unwrap().handshake().await })
    })
    .await;
    let (dialed, arrived) = (dialed.unwrap(), arrived.unwrap());
    assert_eq!((dialed.key, dialed.dialed, dialed.enrols), (there.key(), true, false));
    assert_eq!((arrived.key, arrived.dialed, arrived.enrols), (here.key(), false, false));
}

#[tokio::test]
async fn who_was_linked_before_speaks_with_its_first_packet_and_is_known_by_it() {
    let (here, there) = (endpoint(1), endpoint(2));
    let address = there.local_addr().unwrap();
    let listening = there.clone();
    tokio::spawn(async move {
        while let Some(arriving) = listening.arriving().await {
            tokio::spawn(async move {
                let peer = arriving.handshake().await.unwrap();
                let (mut send, mut recv) = quic(&peer).accept_bi().await.unwrap();
                let said = recv.read_to_end(100).await.unwrap();
                send.write_all(&[&said[..], peer.key.as_bytes()].concat()).await.unwrap();
                send.finish().unwrap();
                quic(&peer).closed().await
            });
        }
    });
    let exchange = |peer: Peer| async move {
        let (mut send, mut recv) = quic(&peer).open_bi().await.unwrap();
        send.write_all(b"said by ").await.unwrap();
        send.finish().unwrap();
        let heard = recv.read_to_end(100).await.unwrap();
        assert_eq!(heard, [b"said by ", &endpoint(1).key().as_bytes()[..]].concat());
        (peer.key, quic(&peer).stats().udp_tx.datagrams)
    };
    let first = bounded(here.dial(address, || ())).await.unwrap();
    assert_eq!(first.answer().now(), Some(Answered::Taken), "nothing is said early without a ticket");
    bounded(exchange(first)).await;
    let second = bounded(here.dial(address, || ())).await.unwrap();
    let answer = second.answer();
    assert_eq!(answer.now(), None, "nobody has answered yet");
    let (device, _) = bounded(exchange(second)).await;
    assert_eq!(device, there.key());
    assert_eq!(bounded(answer.wait()).await, Answered::Taken);
}

#[tokio::test]
async fn both_ends_know_that_one_wants_to_be_enrolled_and_export_the_same() {
    let (here, there) = (endpoint(1), endpoint(2));
    let address = there.local_addr().unwrap();
    let (dialed, arrived) = bounded(async {
        tokio::join!(here.dial_to_enrol(address, || ()), async {
            there.arriving().await.unwrap().handshake().await
        })
    })
    .await;
    let peers = [dialed.unwrap(), arrived.unwrap()];
    assert!(peers.iter().all(|peer| peer.enrols));
    let exported = peers.map(|peer| peer.connection.exported().unwrap());
    assert_eq!(exported[0], exported[1]);
}

#[tokio::test]
async fn only_the_dialer_can_open_a_stream_and_only_one() {
    let (here, there) = (endpoint(1), endpoint(2));
    let address = there.local_addr().unwrap();
    let (dialed, arrived) =
        tokio::join!(here.dial(address, || ()), async { there.arriving().await.unwrap().handshake().await });
    let (dialed, arrived) = (dialed.unwrap(), arrived.unwrap());
    let (dialed, arrived) = (quic(&dialed), quic(&arrived));
    let _first = bounded(dialed.open_bi()).await.unwrap();
    let short = Duration::from_millis(200);
    assert!(timeout(short, dialed.open_bi()).await.is_err(), "a second stream waits for ever");
    assert!(timeout(short, dialed.open_uni()).await.is_err());
    assert!(timeout(short, arrived.open_bi()).await.is_err());
}

/// Shows what it is told to.
#[derive(Debug)]
struct Showing(Option<Arc<CertifiedKey>>);

impl rustls::client::ResolvesClientCert for Showing {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn only_raw_public_keys(&self) -> bool {
        self.0.is_none()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

#[tokio::test]
async fn a_client_without_a_key_is_refused() {
    let mut tls = tls::client_config(&Keypair::from_seed(&[9; 32])).unwrap();
    tls.client_auth_cert_resolver = Arc::new(Showing(None));
    assert!(matches!(knock(tls).await, Err(ConnectError::Quic(_))));
}

#[tokio::test]
async fn a_client_with_an_x509_certificate_is_refused() {
    let seed = [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &[9; 32]].concat();
    let signer = ring::sign::any_eddsa_type(&seed.into()).unwrap();
    let certificate = CertificateDer::from(b"\x30\x03\x02\x01\x00".to_vec());
    let shown = CertifiedKey::new(vec![certificate], signer);
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible))
        .with_client_cert_resolver(Arc::new(Showing(Some(Arc::new(shown)))));
    tls.alpn_protocols = vec![tls::ALPN.to_vec()];
    assert!(matches!(knock(tls).await, Err(ConnectError::Quic(_))));
}

#[tokio::test]
async fn another_protocol_is_refused() {
    let mut tls = tls::client_config(&Keypair::from_seed(&[9; 32])).unwrap();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    assert!(matches!(knock(tls).await, Err(ConnectError::Quic(_))));
}
