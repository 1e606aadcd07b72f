//! Connections to the HTTP interface: so many at a time. Who has not shown the token soon is sent away, and sooner
//! where somebody else wants the place, so that nobody without it keeps those out who have it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Sleep, sleep};

/// The most connections at a time. Those that come then take the place of who has been there longest without the
/// token; where all have shown it they wait until one ends.
const VISITS_MAX: usize = 64;
/// How long a connection may take to show the token: shorter than the command line waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Where programs of this device come in.
#[derive(Debug)]
pub(super) struct Door {
    listener: TcpListener,
    room: Arc<Semaphore>,
    patience: Duration,
    /// Who is there, in the order of arrival, and what sends each away.
    inside: Vec<(Guest, oneshot::Sender<()>)>,
}

/// A connection. Once it has shown the token it is the user's own, and may be as slow as it likes.
#[derive(Debug)]
pub(super) struct Visit {
    stream: TcpStream,
    guest: Guest,
    patience: Pin<Box<Sleep>>,
    /// Ends when the place goes to another; the door alone holds the other half.
    sent_away: oneshot::Receiver<()>,
    is_over: bool,
    _room: OwnedSemaphorePermit,
}

/// Whether whoever is at the other end has shown the token.
#[derive(Clone, Debug, Default)]
pub(super) struct Guest(Arc<AtomicBool>);

impl Door {
    pub(super) fn new(listener: TcpListener, patience: Duration) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(VISITS_MAX)), patience, inside: Vec::new() }
    }

    /// If all places are taken, one is given up by who has been there longest without the token.
    fn make_room(&mut self) {
        self.inside.retain(|(_, sends_away)| !sends_away.is_closed());
        if self.room.available_permits() == 0
            && let Some(at) = self.inside.iter().position(|(guest, _)| !guest.is_welcome())
        {
            let (_, sends_away) = self.inside.remove(at);
            // Who has left in this moment has given up the place by that.
            let _ = sends_away.send(());
        }
    }
}

impl Listener for Door {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        let (stream, from) = Listener::accept(&mut self.listener).await;
        self.make_room();
        let room = Arc::clone(&self.room).acquire_owned().await.expect("nobody closes it");
        let (guest, patience) = (Guest::default(), Box::pin(sleep(self.patience)));
        let (sends_away, sent_away) = oneshot::channel();
        self.inside.push((guest.clone(), sends_away));
        (Visit { stream, guest, patience, sent_away, is_over: false, _room: room }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Guest {
    /// It has shown the token.
    pub(super) fn welcome(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_welcome(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Connected<IncomingStream<'_, Door>> for Guest {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().guest.clone()
    }
}

impl Visit {
    /// The stream, unless patience is over or the place has gone to another.
    fn stream(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        if !self.guest.is_welcome() {
            self.is_over |= self.patience.as_mut().poll(context).is_ready();
            self.is_over = self.is_over || Pin::new(&mut self.sent_away).poll(context).is_ready();
            if self.is_over {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_read(context, into)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream(context)?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream(context)?.poll_write_vectored(context, slices)
    }
}
