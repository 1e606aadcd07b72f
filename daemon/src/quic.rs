//! UDP becomes [`Peer`]s: QUIC connections whose other end has proved to hold the key of a device.
//! Attempts have a hard deadline, connections and handshakes a limit. What flows on a connection
//! is the link's; whether the device may do anything here is decided above.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, Incoming, ServerConfig, TransportConfig, VarInt, ZeroRttAccepted};
use rukun_authority::Keypair;
use rukun_change::DeviceKey;
use rustls::pki_types::CertificateDer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::tls;

mod answer;
pub use answer::Answer;
use answer::Answered;

/// How long an attempt to connect may take, from either end.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(20);
/// How long what is said with a ticket may stay unanswered before it is said again on a new connection.
const EARLY_MAX: Duration = Duration::from_secs(4);
/// After how long without a packet a connection is given up.
pub const IDLE_MAX: Duration = Duration::from_mins(2);
/// The most connections at a time: a district's devices and room for as many again.
pub const CONNECTIONS_MAX: usize = 1024;
/// The most handshakes at a time.
pub const HANDSHAKES_MAX: usize = 128;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A lost first flight is repaired after three of these. Two packets of 1 200 bytes take a second and more on GPRS:
/// what is repeated before the answer can be there takes half a second of the link again.
const INITIAL_RTT: Duration = Duration::from_millis(500);
/// What may be in flight either way: 8 Mbit/s at a round trip of a second.
const WINDOW_BYTES: u32 = 1024 * 1024;

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
    /// Which device was where it gave a ticket.
    met: Arc<Mutex<BTreeMap<SocketAddr, DeviceKey>>>,
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
    answer: Answer,
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
            met: Arc::default(),
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

    /// Dials an address and learns which device is there. Where a ticket is held from before it can be spoken to
    /// at once, as the device that was there then; whether it is there still, [`Peer::answer`] tells.
    ///
    /// # Errors
    /// If nobody answers in time, the other end is no device, or the limit is reached.
    pub async fn dial(&self, address: SocketAddr) -> Result<Peer, QuicError> {
        let (connecting, place) = self.connect(address, |name| self.quinn.connect(address, name))?;
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner).get(&address).copied();
        let connecting = match (met, connecting.into_0rtt()) {
            (Some(device), Ok((connection, taken))) => {
                return Ok(Peer::early(device, connection, taken, place));
            }
            // A ticket is only held of who was met.
            (None, Ok((connection, _))) => return Peer::new(connection, true, place),
            (_, Err(connecting)) => connecting,
        };
        let peer = Peer::new(within_deadline(connecting).await??, true, place)?;
        self.met.lock().unwrap_or_else(PoisonError::into_inner).insert(address, peer.key);
        Ok(peer)
    }

    /// Dials an address to be enrolled by the device that is there.
    ///
    /// # Errors
    /// If nobody answers in time, the other end is no device or enrols nobody, or the limit is reached.
    pub async fn dial_to_enrol(&self, address: SocketAddr) -> Result<Peer, QuicError> {
        let config = self.enrolling.clone();
        let (connecting, place) =
            self.connect(address, |name| self.quinn.connect_with(config, address, name))?;
        Peer::new(within_deadline(connecting).await??, true, place)
    }

    /// Keys have no names and none is sent: this one says only whose tickets are whose.
    fn connect(
        &self,
        address: SocketAddr,
        connect: impl FnOnce(&str) -> Result<quinn::Connecting, quinn::ConnectError>,
    ) -> Result<(quinn::Connecting, OwnedSemaphorePermit), QuicError> {
        let place = Arc::clone(&self.connections).try_acquire_owned();
        let place = place.map_err(|_| QuicError::Full { max: CONNECTIONS_MAX })?;
        let name = format!("{}.at-{}", address.ip().to_string().replace([':', '.'], "-"), address.port());
        let connecting = connect(&name).map_err(|source| QuicError::Address { address, source })?;
        Ok((connecting, place))
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
    /// Learns which device it is: by its ticket at once, if it has one from before, and else when the handshake
    /// is complete.
    ///
    /// # Errors
    /// If the other end proves no key, or not in time.
    pub async fn handshake(self) -> Result<Peer, QuicError> {
        let connecting = self.incoming.accept().map_err(QuicError::Connection)?;
        let (connection, complete) = match connecting.into_0rtt() {
            Ok(begun) => begun,
            Err(connecting) => return Peer::new(within_deadline(connecting).await??, false, self.place),
        };
        if device_at(&connection).is_none() {
            within_deadline(complete).await?;
            return match (device_at(&connection), connection.close_reason()) {
                (None, Some(reason)) => Err(reason.into()),
                _ => Peer::new(connection, false, self.place),
            };
        }
        let (began, handshake) = (connection.clone(), self.handshake);
        tokio::spawn(async move {
            if timeout(ATTEMPT_MAX, complete).await.is_err() {
                began.close(CloseCode::Fault.into(), b"the handshake is not completed");
            }
            drop(handshake);
        });
        Peer::new(connection, false, self.place)
    }

    /// Where it comes from.
    pub fn remote_address(&self) -> SocketAddr {
        self.incoming.remote_address()
    }
}

impl Peer {
    fn new(connection: Connection, dialed: bool, place: OwnedSemaphorePermit) -> Result<Self, QuicError> {
        let key = device_at(&connection).ok_or(QuicError::NoKey)?;
        let agreed = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
        let enrols = agreed.is_some_and(|agreed| agreed.protocol.as_deref() == Some(tls::ENROL_ALPN));
        let answer = Answer::known(Answered::Taken);
        Ok(Self { key, dialed, enrols, connection, answer, _place: place })
    }

    /// One that is dialed with a ticket that this device gave.
    fn early(
        key: DeviceKey,
        connection: Connection,
        taken: ZeroRttAccepted,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (told, answer) = watch::channel(None);
        let began = connection.clone();
        tokio::spawn(async move {
            let taken = timeout(EARLY_MAX, taken).await;
            let answered = match taken {
                _ if device_at(&began) != Some(key) => {
                    began.close(CloseCode::Stalled.into(), b"no answer of the device that was here before");
                    Answered::Never
                }
                Ok(true) => Answered::Taken,
                _ => Answered::NotTaken,
            };
            let _ = told.send(Some(answered));
        });
        Self { key, dialed: true, enrols: false, connection, answer: Answer::of(answer), _place: place }
    }

    /// Whether the other end has answered.
    pub fn answer(&self) -> Answer {
        self.answer.clone()
    }
}

/// Which device has proved to be at the other end.
fn device_at(connection: &Connection) -> Option<DeviceKey> {
    let keys = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    keys.first().and_then(tls::device_of)
}

impl From<CloseCode> for VarInt {
    fn from(code: CloseCode) -> Self {
        VarInt::from_u32(code as u32)
    }
}

async fn within_deadline<F: IntoFuture>(handshake: F) -> Result<F::Output, QuicError> {
    let seconds = ATTEMPT_MAX.as_secs();
    timeout(ATTEMPT_MAX, handshake).await.map_err(|_| QuicError::Deadline { seconds })
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
    Connection(#[from] quinn::ConnectionError),
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
mod tests;
