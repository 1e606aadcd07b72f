//! UDP becomes [`Peer`]s: QUIC connections whose other end has proved to hold the key of a device.
//! Attempts have a hard deadline, connections and handshakes a limit. What flows on a connection
//! is the link's; whether the device may do anything here is decided above.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Incoming, ServerConfig, TransportConfig, VarInt};
use rukun_authority::Keypair;
use rukun_change::DeviceKey;
use rustls::pki_types::CertificateDer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::tls;

/// How long an attempt to connect may take, from either end.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(20);
/// After how long without a packet a connection is given up.
pub const IDLE_MAX: Duration = Duration::from_mins(2);
/// The most connections at a time: a district's devices and room for as many again.
pub const CONNECTIONS_MAX: usize = 1024;
/// The most handshakes at a time.
pub const HANDSHAKES_MAX: usize = 128;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A lost first flight is repaired after three of these: a larger one costs more on a lossy link
/// than a spurious repeat costs on a slow one.
const INITIAL_RTT: Duration = Duration::from_millis(333);
/// What may be in flight either way: 8 Mbit/s at a round trip of a second.
const WINDOW_BYTES: u32 = 1024 * 1024;
/// Every name would do: none is sent, and keys have none.
const SERVER_NAME: &str = "rukun";

/// Why a connection was closed, as the number that QUIC carries beside the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum CloseCode {
    /// The node stops.
    Stopping = 0,
    /// The node's core ended the link: the session is over, or another link took its place.
    Session = 1,
    /// The peer broke the protocol.
    Fault = 2,
    /// The peer did not read what was sent to it.
    Overflow = 3,
    /// The peer is this device itself.
    Myself = 4,
    /// The address is no longer to be dialed.
    Forgotten = 5,
    /// Nothing came back for too long: a new connection is made.
    Stalled = 6,
}

/// A UDP socket that dials and is dialed.
#[derive(Clone, Debug)]
pub struct Endpoint {
    quinn: quinn::Endpoint,
    key: DeviceKey,
    enrolling: ClientConfig,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
}

/// A connection to a device that proved its key.
#[derive(Debug)]
pub struct Peer {
    /// The device.
    pub key: DeviceKey,
    /// Whether this end dialed.
    pub dialed: bool,
    /// Whether the dialing end wants to be enrolled, and not to sync.
    pub enrols: bool,
    /// The connection.
    pub connection: Connection,
    /// Its place among the connections, given back when it is dropped.
    _place: OwnedSemaphorePermit,
}

/// An attempt of someone to connect.
#[derive(Debug)]
pub struct Arriving {
    incoming: Incoming,
    place: OwnedSemaphorePermit,
    handshake: OwnedSemaphorePermit,
}

impl Endpoint {
    /// Listens on this address, as the device of this key. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub fn bind(listen: SocketAddr, keypair: &Keypair) -> Result<Self, QuicError> {
        Self::bind_by(listen, keypair, |config| quinn::Endpoint::server(config, listen))
    }

    /// The same over what `open` gives for this address, such as a simulated socket.
    ///
    /// # Errors
    /// If it gives nothing.
    pub fn bind_by(
        listen: SocketAddr,
        keypair: &Keypair,
        open: impl FnOnce(ServerConfig) -> std::io::Result<quinn::Endpoint>,
    ) -> Result<Self, QuicError> {
        let bound = open(server_config(keypair)?);
        let mut quinn = bound.map_err(|source| QuicError::Bind { listen, source })?;
        quinn.set_default_client_config(client_config(keypair, tls::ALPN)?);
        Ok(Self {
            quinn,
            key: keypair.key(),
            enrolling: client_config(keypair, tls::ENROL_ALPN)?,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the operating system won't say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.quinn.local_addr()
    }

    /// The device that it speaks for.
    pub fn key(&self) -> DeviceKey {
        self.key
    }

    /// Dials an address and learns which device is there.
    ///
    /// # Errors
    /// If nobody answers in time, the other end is no device, or the limit is reached.
    pub async fn dial(&self, address: SocketAddr) -> Result<Peer, QuicError> {
        self.connect(address, || self.quinn.connect(address, SERVER_NAME)).await
    }

    /// Dials an address to be enrolled by the device that is there.
    ///
    /// # Errors
    /// If nobody answers in time, the other end is no device or enrols nobody, or the limit is reached.
    pub async fn dial_to_enrol(&self, address: SocketAddr) -> Result<Peer, QuicError> {
        let config = self.enrolling.clone();
        self.connect(address, || self.quinn.connect_with(config, address, SERVER_NAME)).await
    }

    async fn connect(
        &self,
        address: SocketAddr,
        connect: impl FnOnce() -> Result<quinn::Connecting, quinn::ConnectError>,
    ) -> Result<Peer, QuicError> {
        let place = Arc::clone(&self.connections).try_acquire_owned();
        let place = place.map_err(|_| QuicError::Full { max: CONNECTIONS_MAX })?;
        let connecting = connect().map_err(|source| QuicError::Address { address, source })?;
        let connection = within_deadline(connecting).await?;
        Peer::new(connection, true, place)
    }

    /// The next attempt of someone to connect; nothing once the endpoint is closed. Beyond the
    /// limits attempts are turned away here; when handshakes run short, only those who prove their
    /// address get one.
    pub async fn arriving(&self) -> Option<Arriving> {
        loop {
            let incoming = self.quinn.accept().await?;
            let scarce = self.handshakes.available_permits() < HANDSHAKES_MAX / 2;
            if scarce && !incoming.remote_address_validated() && incoming.may_retry() {
                // A failed retry is an attempt less: the peer tries again by itself.
                let _ = incoming.retry();
                continue;
            }
            let place = Arc::clone(&self.connections).try_acquire_owned();
            let handshake = Arc::clone(&self.handshakes).try_acquire_owned();
            let (Ok(place), Ok(handshake)) = (place, handshake) else {
                tracing::warn!(from = %incoming.remote_address(), "turned a connection away: at the limit");
                incoming.refuse();
                continue;
            };
            return Some(Arriving { incoming, place, handshake });
        }
    }

    /// Closes every connection with this reason and waits until the peers have been told.
    pub async fn close(&self, code: CloseCode, reason: &str) {
        self.quinn.close(code.into(), reason.as_bytes());
        self.quinn.wait_idle().await;
    }
}

impl Arriving {
    /// Completes the handshake and learns which device it is.
    ///
    /// # Errors
    /// If the other end proves no key, or not in time.
    pub async fn handshake(self) -> Result<Peer, QuicError> {
        let connecting = self.incoming.accept().map_err(QuicError::Connection)?;
        let connection = within_deadline(connecting).await?;
        drop(self.handshake);
        Peer::new(connection, false, self.place)
    }

    /// Where it comes from.
    pub fn remote_address(&self) -> SocketAddr {
        self.incoming.remote_address()
    }
}

impl Peer {
    fn new(connection: Connection, dialed: bool, place: OwnedSemaphorePermit) -> Result<Self, QuicError> {
        let identity = connection.peer_identity().ok_or(QuicError::NoKey)?;
        let keys = identity.downcast::<Vec<CertificateDer<'static>>>().map_err(|_| QuicError::NoKey)?;
        let key = keys.first().and_then(tls::device_of).ok_or(QuicError::NoKey)?;
        let agreed = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
        let enrols = agreed.is_some_and(|agreed| agreed.protocol.as_deref() == Some(tls::ENROL_ALPN));
        Ok(Self { key, dialed, enrols, connection, _place: place })
    }
}

impl From<CloseCode> for VarInt {
    fn from(code: CloseCode) -> Self {
        VarInt::from_u32(code as u32)
    }
}

async fn within_deadline(connecting: quinn::Connecting) -> Result<Connection, QuicError> {
    match timeout(ATTEMPT_MAX, connecting).await {
        Ok(done) => done.map_err(QuicError::Connection),
        Err(_) => Err(QuicError::Deadline { seconds: ATTEMPT_MAX.as_secs() }),
    }
}

fn server_config(keypair: &Keypair) -> Result<ServerConfig, QuicError> {
    let crypto = QuicServerConfig::try_from(tls::server_config(keypair)?);
    let crypto = crypto.expect("the ring provider has the cipher suite of initial packets");
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport(1)));
    config.max_incoming(HANDSHAKES_MAX);
    Ok(config)
}

fn client_config(keypair: &Keypair, protocol: &[u8]) -> Result<ClientConfig, QuicError> {
    let mut tls = tls::client_config(keypair)?;
    tls.alpn_protocols = vec![protocol.to_vec()];
    let crypto = QuicClientConfig::try_from(tls);
    let crypto = crypto.expect("the ring provider has the cipher suite of initial packets");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport(0)));
    Ok(config)
}

/// The dialer opens the one stream of a link, so only who is dialed lets the other open any.
fn transport(streams_from_peer: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .congestion_controller_factory(Arc::new(quinn::congestion::CubicConfig::default()))
        .mtu_discovery_config(None)
        .initial_rtt(INITIAL_RTT)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IDLE_MAX.try_into().expect("two minutes in milliseconds fit 62 bits")))
        .max_concurrent_bidi_streams(streams_from_peer.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(WINDOW_BYTES.into())
        .receive_window(WINDOW_BYTES.into())
        .send_window(WINDOW_BYTES.into());
    config
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum QuicError {
    /// The address to listen on is taken, or not this machine's.
    #[error("cannot listen on {listen}: {source}")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// An address that can't be dialed from here.
    #[error("cannot dial {address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: quinn::ConnectError,
    },
    /// The handshake failed.
    #[error("{0}")]
    Connection(quinn::ConnectionError),
    /// Nobody answered in time.
    #[error("no answer within {seconds} s")]
    Deadline {
        /// The time given.
        seconds: u64,
    },
    /// The other end showed no device key.
    #[error("the peer showed no Ed25519 key")]
    NoKey,
    /// As many connections as there may be.
    #[error("at the limit of {max} connections")]
    Full {
        /// The limit.
        max: usize,
    },
    /// The TLS library refuses its settings.
    #[error("tls refuses this device's key: {0}")]
    Tls(#[from] rustls::Error),
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rustls::crypto::ring;
    use rustls::sign::CertifiedKey;

    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn endpoint(seed: u8) -> Endpoint {
        Endpoint::bind(LOOPBACK, &Keypair::from_seed(&[seed; 32])).unwrap()
    }

    async fn bounded<T>(future: impl Future<Output = T>) -> T {
        timeout(Duration::from_secs(10), future).await.expect("done within 10 s")
    }

    /// Dials with a TLS of its own making; says how the listening end took it.
    async fn knock(tls: rustls::ClientConfig) -> Result<Peer, QuicError> {
        let listener = endpoint(1);
        let address = listener.local_addr().unwrap();
        let mut stranger = quinn::Endpoint::client(LOOPBACK).unwrap();
        let crypto = QuicClientConfig::try_from(tls).unwrap();
        stranger.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
        let knocking = tokio::spawn(async move {
            let connection = stranger.connect(address, SERVER_NAME).unwrap().await?;
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
            tokio::join!(here.dial(address), async { there.arriving().await.unwrap().handshake().await })
        })
        .await;
        let (dialed, arrived) = (dialed.unwrap(), arrived.unwrap());
        assert_eq!((dialed.key, dialed.dialed, dialed.enrols), (there.key(), true, false));
        assert_eq!((arrived.key, arrived.dialed, arrived.enrols), (here.key(), false, false));
    }

    #[tokio::test]
    async fn both_ends_know_that_one_wants_to_be_enrolled_and_export_the_same() {
        let (here, there) = (endpoint(1), endpoint(2));
        let address = there.local_addr().unwrap();
        let (dialed, arrived) = bounded(async {
            tokio::join!(here.dial_to_enrol(address), async {
                there.arriving().await.unwrap().handshake().await
            })
        })
        .await;
        let peers = [dialed.unwrap(), arrived.unwrap()];
        assert!(peers.iter().all(|peer| peer.enrols));
        let exported = peers.map(|peer| {
            let mut exported = [0; 32];
            peer.connection.export_keying_material(&mut exported, b"label", b"").unwrap();
            exported
        });
        assert_eq!(exported[0], exported[1]);
    }

    #[tokio::test]
    async fn only_the_dialer_can_open_a_stream_and_only_one() {
        let (here, there) = (endpoint(1), endpoint(2));
        let address = there.local_addr().unwrap();
        let (dialed, arrived) =
            tokio::join!(here.dial(address), async { there.arriving().await.unwrap().handshake().await });
        let (dialed, arrived) = (dialed.unwrap().connection, arrived.unwrap().connection);
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
        assert!(matches!(knock(tls).await, Err(QuicError::Connection(_))));
    }

    #[tokio::test]
    async fn a_client_with_an_x509_certificate_is_refused() {
        let seed =
            [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &[9; 32]].concat();
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
        assert!(matches!(knock(tls).await, Err(QuicError::Connection(_))));
    }

    #[tokio::test]
    async fn another_protocol_is_refused() {
        let mut tls = tls::client_config(&Keypair::from_seed(&[9; 32])).unwrap();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        assert!(matches!(knock(tls).await, Err(QuicError::Connection(_))));
    }
}
