//! Attempts to connect, from either end and whatever carries them: how long one may take, how many there may be
//! at a time, and why one fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long an attempt to connect may take, from either end.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(20);
/// The most connections at a time: a district's devices and room for as many again.
pub const CONNECTIONS_MAX: usize = 1024;
/// The most connections at a time that this end wants, and those that it is about to have: strangers take none of these.
pub const DIALS_MAX: usize = 256;
/// The most handshakes at a time.
pub const HANDSHAKES_MAX: usize = 128;

/// The places there are for connections and for handshakes. Its clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    connections: Arc<Semaphore>,
    dials: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            dials: Arc::new(Semaphore::new(DIALS_MAX)),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        }
    }

    /// The same for connections, and others for handshakes: who opens many of one kind and says nothing takes none
    /// of the other's.
    pub(crate) fn beside(&self) -> Self {
        Self { handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)), ..self.clone() }
    }

    /// A place for a connection that this end wants.
    pub(crate) fn one(&self) -> Result<OwnedSemaphorePermit, ConnectError> {
        let place = Arc::clone(&self.dials).try_acquire_owned();
        place.map_err(|_| ConnectError::Full { max: DIALS_MAX })
    }

    /// Places for one who arrives, and for its handshake; nothing at the limit of either.
    pub(crate) fn for_arriving(&self) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.connections).try_acquire_owned().ok();
        place.zip(Arc::clone(&self.handshakes).try_acquire_owned().ok())
    }

    /// Whether more than half of the handshakes that there may be are under way.
    pub(crate) fn are_handshakes_scarce(&self) -> bool {
        self.handshakes.available_permits() < HANDSHAKES_MAX / 2
    }
}

/// An attempt, or the deadline.
pub(crate) async fn within_deadline<F: IntoFuture>(attempt: F) -> Result<F::Output, ConnectError> {
    let seconds = ATTEMPT_MAX.as_secs();
    timeout(ATTEMPT_MAX, attempt).await.map_err(|_| ConnectError::Deadline { seconds })
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address to listen on is taken, or not this machine's.
    #[error("cannot listen on {listen} over {over}: {source}")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// `udp` or `tcp`.
        over: &'static str,
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
    /// The handshake failed, over UDP.
    #[error("{0}")]
    Quic(#[from] quinn::ConnectionError),
    /// Nobody is there, or the handshake failed, over TCP.
    #[error("over tcp: {0}")]
    Tcp(#[from] std::io::Error),
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
