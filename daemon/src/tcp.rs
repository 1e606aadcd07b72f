//! TCP becomes [`Peer`]s: connections of the same TLS as under QUIC, for where UDP does not pass. A connection is one
//! stream of bytes each way, which ends when it is not acknowledged for some seconds. Nothing is said before the
//! handshake is complete, and there are no tickets.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rukun_authority::Keypair;
use rukun_change::DeviceKey;
use rustls::CommonState;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::attempt::{ConnectError, Places, within_deadline};
use crate::connection::{Answer, Answered, Connection, Lost, Peer, Traffic};
use crate::tls;

/// After how long without an acknowledgement of what was sent a connection is dead.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// How often the other end is asked whether it is still there while nothing is sent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long to wait where the operating system has no room for another connection.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A socket with TLS, its bytes counted.
pub type Stream = TlsStream<Counted>;

/// A port that is listened on, or none; from where one dials.
#[derive(Clone)]
pub(crate) struct Endpoint {
    listener: Option<Arc<TcpListener>>,
    acceptor: TlsAcceptor,
    syncing: TlsConnector,
    enrolling: TlsConnector,
    places: Places,
}

/// An attempt of someone to connect.
#[derive(Debug)]
pub(crate) struct Arriving {
    stream: TcpStream,
    from: SocketAddr,
    acceptor: Acceptor,
    place: OwnedSemaphorePermit,
    _handshake: OwnedSemaphorePermit,
}

/// A connection. Its clones are the same one.
#[derive(Clone, Debug)]
pub struct Tcp(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stream: Mutex<Option<Stream>>,
    counts: Arc<Counts>,
    ended: watch::Sender<Option<Lost>>,
}

/// A socket whose bytes are counted.
#[derive(Debug)]
pub struct Counted {
    socket: TcpStream,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// TLS of this device, for who is dialed.
#[derive(Clone)]
struct Acceptor(TlsAcceptor);

impl Endpoint {
    /// Dials, as the device of this key, and takes nobody in.
    pub(crate) fn dialing(keypair: &Keypair, places: Places) -> Result<Self, ConnectError> {
        let mut accepts = tls::server_config(keypair)?;
        // What comes before the handshake is complete would have to be kept for as long.
        accepts.max_early_data_size = 0;
        accepts.send_tls13_tickets = 0;
        accepts.session_storage = Arc::new(NoServerSessionStorage {});
        let connector = |protocol: &[u8]| -> Result<TlsConnector, ConnectError> {
            let mut config = tls::client_config(keypair)?;
            config.alpn_protocols = vec![protocol.to_vec()];
            config.resumption = Resumption::disabled();
            config.enable_early_data = false;
            Ok(TlsConnector::from(Arc::new(config)))
        };
        Ok(Self {
            listener: None,
            acceptor: TlsAcceptor::from(Arc::new(accepts)),
            syncing: connector(tls::ALPN)?,
            enrolling: connector(tls::ENROL_ALPN)?,
            places,
        })
    }

    /// The same, and takes in who connects to this address. Must be called within a Tokio runtime.
    pub(crate) fn listening(self, listen: SocketAddr) -> Result<Self, ConnectError> {
        let bound = std::net::TcpListener::bind(listen).and_then(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        let listener = bound.map_err(|source| ConnectError::Bind { listen, source })?;
        Ok(Self { listener: Some(Arc::new(listener)), ..self })
    }

    /// Where it listens.
    #[cfg(test)]
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Dials an address and learns which device is there, to sync with it or to be enrolled by it.
    pub(crate) async fn dial(&self, address: SocketAddr, to_enrol: bool) -> Result<Peer, ConnectError> {
        let place = self.places.one()?;
        let connector = if to_enrol { &self.enrolling } else { &self.syncing };
        // Keys have no names and none is sent.
        let nobody = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
        let (tls, counts) = within_deadline(Box::pin(async {
            let (socket, counts) = Counted::new(TcpStream::connect(address).await?)?;
            Ok::<_, std::io::Error>((connector.connect(nobody, socket).await?, counts))
        }))
        .await??;
        // What the other end refuses it says after the handshake, and so to the first who reads.
        peer(tls.into(), counts, true, place)
    }

    /// The next attempt of someone to connect; never any where nobody listens. Beyond the limits attempts are
    /// turned away here.
    pub(crate) async fn arriving(&self) -> Arriving {
        let Some(listener) = &self.listener else { return std::future::pending().await };
        loop {
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("no connection over tcp can be taken: {error}");
                    sleep(ACCEPT_AGAIN_AFTER).await;
                    continue;
                }
            };
            let Some((place, handshake)) = self.places.for_arriving() else {
                tracing::warn!(%from, "turned a connection over tcp away: at the limit");
                continue;
            };
            return Arriving {
                stream,
                from,
                acceptor: Acceptor(self.acceptor.clone()),
                place,
                _handshake: handshake,
            };
        }
    }
}

impl Arriving {
    /// Learns which device it is.
    pub(crate) async fn handshake(self) -> Result<Peer, ConnectError> {
        let (socket, counts) = Counted::new(self.stream)?;
        let tls = within_deadline(Box::pin(self.acceptor.0.accept(socket))).await??;
        peer(tls.into(), counts, false, self.place)
    }

    /// Where it comes from.
    pub(crate) fn remote_address(&self) -> SocketAddr {
        self.from
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

fn peer(
    stream: Stream,
    counts: Arc<Counts>,
    dialed: bool,
    place: OwnedSemaphorePermit,
) -> Result<Peer, ConnectError> {
    let state = state(&stream);
    let key: Option<DeviceKey> =
        state.peer_certificates().and_then(|keys| keys.first()).and_then(tls::device_of);
    let enrols = state.alpn_protocol() == Some(tls::ENROL_ALPN);
    let is_ours = enrols || state.alpn_protocol() == Some(tls::ALPN);
    let key = key.filter(|_| is_ours).ok_or(ConnectError::NoKey)?;
    let shared = Shared { stream: Mutex::new(Some(stream)), counts, ended: watch::Sender::default() };
    let connection = Connection::Tcp(Tcp(Arc::new(shared)));
    Ok(Peer { key, dialed, enrols, connection, answer: Answer::known(Answered::Taken), _place: place })
}

fn state(stream: &Stream) -> &CommonState {
    match stream {
        TlsStream::Client(client) => client.get_ref().1,
        TlsStream::Server(server) => server.get_ref().1,
    }
}

impl Tcp {
    /// The stream, once.
    pub(crate) fn take_stream(&self) -> Option<Stream> {
        self.0.stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// It has ended, for this reason unless there was one before. Who reads and writes lets go of it.
    pub(crate) fn end(&self, lost: Lost) {
        self.0.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            ended.get_or_insert(lost);
            is_first
        });
        drop(self.take_stream());
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) -> Lost {
        let mut ended = self.0.ended.subscribe();
        let lost = ended.wait_for(Option::is_some).await;
        lost.ok().and_then(|lost| lost.clone()).unwrap_or(Lost::ByUs)
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let counts = &self.0.counts;
        Traffic {
            sent_bytes: counts.sent_bytes.load(Ordering::Relaxed),
            received_bytes: counts.received_bytes.load(Ordering::Relaxed),
            sent: counts.sent.load(Ordering::Relaxed),
            received: counts.received.load(Ordering::Relaxed),
        }
    }

    /// What both ends know by this name, into `exported`.
    pub(crate) fn export(&self, label: &[u8], exported: [u8; 32]) -> Option<[u8; 32]> {
        let stream = self.0.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let exported = match stream.as_ref()? {
            TlsStream::Client(client) => {
                client.get_ref().1.export_keying_material(exported, label, Some(b""))
            }
            TlsStream::Server(server) => {
                server.get_ref().1.export_keying_material(exported, label, Some(b""))
            }
        };
        exported.ok()
    }
}

impl Counted {
    fn new(socket: TcpStream) -> std::io::Result<(Self, Arc<Counts>)> {
        socket.set_nodelay(true)?;
        rustix::net::sockopt::set_socket_keepalive(&socket, true)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::net::sockopt;
            let unacknowledged_ms = u32::try_from(UNACKNOWLEDGED_MAX.as_millis()).unwrap_or(u32::MAX);
            sockopt::set_tcp_keepidle(&socket, KEEP_ALIVE)?;
            sockopt::set_tcp_keepintvl(&socket, KEEP_ALIVE)?;
            sockopt::set_tcp_user_timeout(&socket, unacknowledged_ms)?;
        }
        let counts = Arc::<Counts>::default();
        Ok((Self { socket, counts: Arc::clone(&counts) }, counts))
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(context, into);
        if let Poll::Ready(Ok(())) = polled {
            let bytes = into.filled().len() - before;
            self.counts.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            self.counts.received.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(context, bytes);
        if let Poll::Ready(Ok(bytes)) = polled {
            self.counts.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            self.counts.sent.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
