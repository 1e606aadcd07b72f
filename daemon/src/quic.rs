//! UDP becomes [`Peer`]s: QUIC connections whose other end has proved to hold the key of a device.
//! Attempts have a hard deadline, connections and handshakes a limit. Which attempt is taken where there are several
//! is decided above.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, EndpointConfig, Incoming, ServerConfig, TransportConfig, VarInt,
    ZeroRttAccepted,
};
use quinn_proto::RandomConnectionIdGenerator;
use ring::hmac;
use rukun_authority::Keypair;
use rukun_change::DeviceKey;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::attempt::{ATTEMPT_MAX, ConnectError, within_deadline};
use crate::connection::{self, Answer, Answered, CloseCode, IDLE_MAX, KEEP_ALIVE_MAX, Peer};
use crate::places::{HANDSHAKES_MAX, Place, Places};
use crate::tls;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod socket;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod timer;

/// How long what is said with a ticket may stay unanswered before it is said again on a new connection.
const EARLY_MAX: Duration = Duration::from_secs(4);
/// A lost first flight is repaired after three of these. Two packets of 1 200 bytes take a second and more on GPRS:
/// what is repeated before the answer can be there takes half a second of the link again.
const INITIAL_RTT: Duration = Duration::from_millis(500);
/// When a handshake that nobody answers sends again (RFC 9002, section 6.2.2).
pub(crate) const PROBES_AFTER: Duration = INITIAL_RTT.saturating_mul(3);
/// What the key of stateless resets (RFC 9000, section 10.3) is derived under.
const RESETS_LABEL: &[u8] = b"rukun stateless reset 1";
/// Connections of one socket are told apart by names of this length: each stands in all packets, and five on each side
/// are exchanged at first.
const CONNECTION_ID_BYTES: usize = 4;
/// What may be in flight either way: 8 Mbit/s at a round trip of a second.
const WINDOW_BYTES: u32 = 1024 * 1024;

/// A UDP socket that dials and is dialed.
#[derive(Clone, Debug)]
pub struct Endpoint {
    quinn: quinn::Endpoint,
    key: DeviceKey,
    syncing: ClientConfig,
    enrolling: ClientConfig,
    /// Which device was where it gave a ticket.
    met: Arc<Mutex<BTreeMap<SocketAddr, DeviceKey>>>,
    places: Places,
}

/// An attempt of someone to connect.
#[derive(Debug)]
pub struct Arriving {
    incoming: Incoming,
    place: Place,
    handshake: Place,
}

impl Endpoint {
    /// Listens on this address, as the device of this key. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub(crate) fn bind(listen: SocketAddr, keypair: &Keypair, places: Places) -> Result<Self, ConnectError> {
        Self::open(listen, keypair, places, |config| {
            let socket = std::net::UdpSocket::bind(listen)?;
            let ours = endpoint_config(keypair);
            quinn::Endpoint::new(ours, Some(config), socket, runtime())
        })
    }

    /// The same over what `open` gives for this address, such as a simulated socket, with places of its own.
    ///
    /// # Errors
    /// If it gives nothing.
    pub fn bind_by(
        listen: SocketAddr,
        keypair: &Keypair,
        open: impl FnOnce(ServerConfig) -> std::io::Result<quinn::Endpoint>,
    ) -> Result<Self, ConnectError> {
        Self::open(listen, keypair, Places::new(), open)
    }

    fn open(
        listen: SocketAddr,
        keypair: &Keypair,
        places: Places,
        open: impl FnOnce(ServerConfig) -> std::io::Result<quinn::Endpoint>,
    ) -> Result<Self, ConnectError> {
        let bound = open(server_config(keypair)?);
        let quinn = bound.map_err(|source| ConnectError::Bind { listen, over: "udp", source })?;
        Ok(Self {
            quinn,
            key: keypair.key(),
            syncing: client_config(keypair, tls::ALPN)?,
            enrolling: client_config(keypair, tls::ENROL_ALPN)?,
            met: Arc::default(),
            places,
        })
    }

    /// The same, keeping what it dials alive by a packet this often. Whoever is dialed sends none.
    pub(crate) fn keep_alive(mut self, every: Duration) -> Self {
        self.syncing.transport_config(Arc::new(transport(0, Some(every))));
        self
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
    /// at once, as the device that was there then; whether it is there still, [`Peer::answer`] tells. Else this is
    /// called when the first answer has come.
    ///
    /// # Errors
    /// If nobody answers in time, the other end is no device, or the limit is reached.
    pub async fn dial(&self, address: SocketAddr, on_answer: impl FnOnce()) -> Result<Peer, ConnectError> {
        let (connecting, place) =
            self.connect(address, |name| self.quinn.connect_with(self.syncing.clone(), address, name))?;
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner).get(&address).copied();
        let connecting = match (met, connecting.into_0rtt()) {
            (Some(device), Ok((connection, taken))) => {
                return Ok(early_peer(device, connection, taken, place));
            }
            // A ticket is only held of who was met.
            (None, Ok((connection, _))) => return peer(connection, true, place),
            (_, Err(connecting)) => connecting,
        };
        let peer = peer(handshake(connecting, on_answer).await?, true, place)?;
        self.met.lock().unwrap_or_else(PoisonError::into_inner).insert(address, peer.key);
        Ok(peer)
    }

    /// Dials an address to be enrolled by the device that is there.
    ///
    /// # Errors
    /// If nobody answers in time, the other end is no device or enrols nobody, or the limit is reached.
    pub async fn dial_to_enrol(
        &self,
        address: SocketAddr,
        on_answer: impl FnOnce(),
    ) -> Result<Peer, ConnectError> {
        let config = self.enrolling.clone();
        let (connecting, place) =
            self.connect(address, |name| self.quinn.connect_with(config, address, name))?;
        peer(handshake(connecting, on_answer).await?, true, place)
    }

    /// Keys have no names and none is sent: this one says only whose tickets are whose.
    fn connect(
        &self,
        address: SocketAddr,
        connect: impl FnOnce(&str) -> Result<quinn::Connecting, quinn::ConnectError>,
    ) -> Result<(quinn::Connecting, Place), ConnectError> {
        let place = self.places.one()?;
        let name = format!("{}.at-{}", address.ip().to_string().replace([':', '.'], "-"), address.port());
        let connecting = connect(&name).map_err(|source| ConnectError::Address { address, source })?;
        Ok((connecting, place))
    }

    /// The next attempt of someone to connect; nothing once the endpoint is closed. Beyond the
    /// limits attempts are turned away here; when handshakes run short, only those who prove their
    /// address get one.
    pub async fn arriving(&self) -> Option<Arriving> {
        loop {
            let incoming = self.quinn.accept().await?;
            let from = incoming.remote_address();
            if self.places.are_handshakes_scarce(from.ip())
                && !incoming.remote_address_validated()
                && incoming.may_retry()
            {
                // A failed retry is an attempt less: the peer tries again by itself.
                let _ = incoming.retry();
                continue;
            }
            let Some((place, handshake)) = self.places.for_arriving(from.ip(), Instant::now()) else {
                tracing::warn!(%from, "turned a connection away: at the limit");
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
    pub async fn handshake(self) -> Result<Peer, ConnectError> {
        let connecting = self.incoming.accept().map_err(ConnectError::Quic)?;
        let (connection, complete) = match connecting.into_0rtt() {
            Ok(begun) => begun,
            Err(connecting) => return peer(within_deadline(connecting).await??, false, self.place),
        };
        if device_at(&connection).is_none() {
            within_deadline(complete).await?;
            return match (device_at(&connection), connection.close_reason()) {
                (None, Some(reason)) => Err(reason.into()),
                _ => peer(connection, false, self.place),
            };
        }
        let (began, handshake) = (connection.clone(), self.handshake);
        tokio::spawn(async move {
            if timeout(ATTEMPT_MAX, complete).await.is_err() {
                began.close(CloseCode::Fault.into(), b"the handshake is not completed");
            }
            drop(handshake);
        });
        peer(connection, false, self.place)
    }

    /// Where it comes from.
    pub fn remote_address(&self) -> SocketAddr {
        self.incoming.remote_address()
    }
}

/// Waits for who is dialed, and calls this as soon as anything comes from there.
async fn handshake(
    mut connecting: quinn::Connecting,
    on_answer: impl FnOnce(),
) -> Result<Connection, ConnectError> {
    let whole = async {
        connecting.handshake_data().await?;
        on_answer();
        connecting.await
    };
    Ok(within_deadline(whole).await??)
}

fn runtime() -> Arc<dyn quinn::Runtime> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Arc::new(timer::KernelTimed);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return Arc::new(quinn::TokioRuntime);
}

/// One whose handshake is complete, or who is known by a ticket.
fn peer(connection: Connection, dialed: bool, place: Place) -> Result<Peer, ConnectError> {
    let key = device_at(&connection).ok_or(ConnectError::NoKey)?;
    let agreed = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    let enrols = agreed.is_some_and(|agreed| agreed.protocol.as_deref() == Some(tls::ENROL_ALPN));
    let (connection, answer) = (connection::Connection::Quic(connection), Answer::known(Answered::Taken));
    Ok(Peer { key, dialed, found: false, enrols, connection, answer, _place: place })
}

/// One that is dialed with a ticket that this device gave.
fn early_peer(key: DeviceKey, connection: Connection, taken: ZeroRttAccepted, place: Place) -> Peer {
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
    let (connection, answer) = (connection::Connection::Quic(connection), Answer::of(answer));
    Peer { key, dialed: true, found: false, enrols: false, connection, answer, _place: place }
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

/// How the socket tells connections apart, whoever dialed. Of those that it no longer knows it says so to who still
/// uses them, also where it knew them before the program was started anew: the key for that follows from the device's.
fn endpoint_config(keypair: &Keypair) -> EndpointConfig {
    let device = hmac::Key::new(hmac::HMAC_SHA256, keypair.seed());
    let resets = hmac::sign(&device, RESETS_LABEL);
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, resets.as_ref())));
    config.cid_generator(|| Box::new(RandomConnectionIdGenerator::new(CONNECTION_ID_BYTES)));
    config
}

fn server_config(keypair: &Keypair) -> Result<ServerConfig, ConnectError> {
    let crypto = QuicServerConfig::try_from(tls::server_config(keypair)?);
    let crypto = crypto.expect("the ring provider has the cipher suite of initial packets");
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport(1, None)));
    config.max_incoming(HANDSHAKES_MAX);
    Ok(config)
}

fn client_config(keypair: &Keypair, protocol: &[u8]) -> Result<ClientConfig, ConnectError> {
    let mut tls = tls::client_config(keypair)?;
    tls.alpn_protocols = vec![protocol.to_vec()];
    let crypto = QuicClientConfig::try_from(tls);
    let crypto = crypto.expect("the ring provider has the cipher suite of initial packets");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport(0, Some(KEEP_ALIVE_MAX))));
    Ok(config)
}

/// The dialer opens the one stream of a link, so only who is dialed lets the other open any.
fn transport(streams_from_peer: u32, keep_alive: Option<Duration>) -> TransportConfig {
    let mut config = TransportConfig::default();
    // Who keeps it alive notices soon after where nothing comes back.
    let idle_max = keep_alive.map_or(IDLE_MAX, |every| every + IDLE_MAX.saturating_sub(KEEP_ALIVE_MAX));
    config
        .congestion_controller_factory(Arc::new(quinn::congestion::CubicConfig::default()))
        .mtu_discovery_config(None)
        .initial_rtt(INITIAL_RTT)
        .keep_alive_interval(keep_alive)
        .max_idle_timeout(Some(idle_max.try_into().expect("some minutes in milliseconds fit 62 bits")))
        .max_concurrent_bidi_streams(streams_from_peer.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(WINDOW_BYTES.into())
        .receive_window(WINDOW_BYTES.into())
        .send_window(WINDOW_BYTES.into());
    config
}

#[cfg(test)]
mod tests;
