//! A socket with TLS on it, as a connection: one stream that is taken once, its bytes counted, which ends when it is
//! not acknowledged for some seconds.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rukun_replica::Session;
use rustls::CommonState;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsStream;

use super::{Lost, Traffic};

/// After how long without an acknowledgement of what was sent a connection is dead.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// How soon the other end is asked again whether it is still there.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// A socket with TLS, its bytes counted.
pub type Stream = TlsStream<Counted>;

/// A connection. Its clones are the same one.
#[derive(Clone, Debug)]
pub struct Tcp(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stream: Mutex<Option<Stream>>,
    counts: Arc<Counts>,
    exported: Option<[u8; 32]>,
    ended: watch::Sender<Option<Lost>>,
}

/// A socket whose bytes are counted.
#[derive(Debug)]
pub struct Counted {
    socket: TcpStream,
    counts: Arc<Counts>,
}

/// What went through a socket.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
}

impl Tcp {
    /// Whose handshake is complete.
    pub(crate) fn new(stream: Stream, counts: Arc<Counts>) -> Self {
        let (exported, ended) = (exported(&stream), watch::Sender::default());
        Self(Arc::new(Shared { stream: Mutex::new(Some(stream)), counts, exported, ended }))
    }

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
        }
    }

    pub(crate) fn exported(&self) -> Option<[u8; 32]> {
        self.0.exported
    }
}

/// Before the stream is taken, for its halves can't be asked any more.
fn exported(stream: &Stream) -> Option<[u8; 32]> {
    let (none, context) = ([0; 32], Some(&b""[..]));
    let exported = match stream {
        TlsStream::Client(client) => client.get_ref().1.export_keying_material(none, Session::LABEL, context),
        TlsStream::Server(server) => server.get_ref().1.export_keying_material(none, Session::LABEL, context),
    };
    exported.ok()
}

/// What TLS has agreed on.
pub(crate) fn state(stream: &Stream) -> &CommonState {
    match stream {
        TlsStream::Client(client) => client.get_ref().1,
        TlsStream::Server(server) => server.get_ref().1,
    }
}

impl Counted {
    /// A socket as links want it: nothing waits for more to be sent, and who is gone is noticed, by asking once nothing
    /// was heard for this long.
    pub(crate) fn new(socket: TcpStream, keep_alive: Duration) -> std::io::Result<(Self, Arc<Counts>)> {
        socket.set_nodelay(true)?;
        rustix::net::sockopt::set_socket_keepalive(&socket, true)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::net::sockopt;
            let unacknowledged_ms = u32::try_from(UNACKNOWLEDGED_MAX.as_millis()).unwrap_or(u32::MAX);
            sockopt::set_tcp_keepidle(&socket, keep_alive)?;
            sockopt::set_tcp_keepintvl(&socket, ASK_AGAIN_AFTER)?;
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
