//! TCP becomes [`Peer`]s: connections of the same TLS as under QUIC, for where UDP does not pass. Nothing is said before
//! the handshake is complete, and there are no tickets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rukun_authority::Keypair;
use rukun_change::DeviceKey;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::attempt::{ConnectError, within_deadline};
use crate::connection::{
    Answer, Answered, Connection, Counted, Counts, IDLE_MAX, KEEP_ALIVE_MAX, Peer, Stream, Tcp, state,
};
use crate::places::{Place, Places};
use crate::tls;

/// How long to wait where the operating system has no room for another connection.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A port that is listened on, or none; from where one dials.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// Until the endpoint is closed, whoever still holds a clone.
    listener: Arc<Mutex<Option<Arc<TcpListener>>>>,
    acceptor: TlsAcceptor,
    syncing: TlsConnector,
    enrolling: TlsConnector,
    keep_alive: Duration,
    places: Places,
}

/// An attempt of someone to connect.
#[derive(Debug)]
pub(crate) struct Arriving {
    stream: TcpStream,
    from: SocketAddr,
    acceptor: Acceptor,
    place: Place,
    _handshake: Place,
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
            listener: Arc::default(),
            acceptor: TlsAcceptor::from(Arc::new(accepts)),
            syncing: connector(tls::ALPN)?,
            enrolling: connector(tls::ENROL_ALPN)?,
            keep_alive: KEEP_ALIVE_MAX,
            places,
        })
    }

    /// The same, and takes in who connects to this address. Must be called within a Tokio runtime.
    pub(crate) fn listening(self, listen: SocketAddr) -> Result<Self, ConnectError> {
        let bound = std::net::TcpListener::bind(listen).and_then(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        let listener = bound.map_err(|source| ConnectError::Bind { listen, over: "tcp", source })?;
        Ok(Self { listener: Arc::new(Mutex::new(Some(Arc::new(listener)))), ..self })
    }

    /// The same, asking whom it dialed this often whether it is still there.
    pub(crate) fn keep_alive(self, every: Duration) -> Self {
        Self { keep_alive: every, ..self }
    }

    /// Where it listens.
    #[cfg(test)]
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.listens_by().and_then(|listener| listener.local_addr().ok())
    }

    /// Listens no longer: the port is free for another.
    pub(crate) fn close(&self) {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn listens_by(&self) -> Option<Arc<TcpListener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Dials an address and, once it may go on, learns which device is there, to sync with it or to be enrolled by it.
    /// `on_answer` is called when somebody is there.
    pub(crate) async fn dial(
        &self,
        address: SocketAddr,
        to_enrol: bool,
        on_answer: impl FnOnce(),
        may_go_on: impl Future<Output = ()>,
    ) -> Result<Peer, ConnectError> {
        let place = self.places.one()?;
        let connector = if to_enrol { &self.enrolling } else { &self.syncing };
        // Keys have no names and none is sent.
        let nobody = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
        let (tls, counts) = within_deadline(Box::pin(async {
            let socket = TcpStream::connect(address).await?;
            on_answer();
            may_go_on.await;
            let (socket, counts) = Counted::new(socket, self.keep_alive)?;
            Ok::<_, std::io::Error>((connector.connect(nobody, socket).await?, counts))
        }))
        .await??;
        // What the other end refuses it says after the handshake, and so to the first who reads.
        peer(tls.into(), counts, true, place)
    }

    /// The next attempt of someone to connect; never any where nobody listens. Beyond the limits attempts are
    /// turned away here.
    pub(crate) async fn arriving(&self) -> Arriving {
        let Some(listener) = self.listens_by() else { return std::future::pending().await };
        loop {
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("no connection over tcp can be taken: {error}");
                    sleep(ACCEPT_AGAIN_AFTER).await;
                    continue;
                }
            };
            let Some((place, handshake)) = self.places.for_arriving(from.ip(), Instant::now()) else {
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
        let (socket, counts) = Counted::new(self.stream, IDLE_MAX)?;
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

fn peer(stream: Stream, counts: Arc<Counts>, dialed: bool, place: Place) -> Result<Peer, ConnectError> {
    let state = state(&stream);
    let key: Option<DeviceKey> =
        state.peer_certificates().and_then(|keys| keys.first()).and_then(tls::device_of);
    let enrols = state.alpn_protocol() == Some(tls::ENROL_ALPN);
    let is_ours = enrols || state.alpn_protocol() == Some(tls::ALPN);
    let key = key.filter(|_| is_ours).ok_or(ConnectError::NoKey)?;
    let connection = Connection::Tcp(Tcp::new(stream, counts));
    Ok(Peer {
        key,
        dialed,
        found: false,
        enrols,
        connection,
        answer: Answer::known(Answered::Taken),
        _place: place,
    })
}

#[cfg(test)]
mod tests;
