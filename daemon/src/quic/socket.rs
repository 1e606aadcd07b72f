//! A UDP socket of which only what comes wakes the program. Tokio's own asks the kernel to tell as well when there is
//! room to send, which it does for each packet that has left: of a phone at rest that is every third wake-up. Room is
//! waited for here where there was none.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A socket that is read as Tokio says, and written to without asking.
#[derive(Debug)]
pub(super) struct Socket {
    io: AsyncFd<UdpSocket>,
    udp: UdpSocketState,
    /// The kernel had no room for what was sent last.
    is_full: AtomicBool,
}

/// Waits for room, for one task.
#[derive(Debug)]
struct Room {
    socket: Arc<Socket>,
    /// The same socket, while there is no room.
    waiting: Option<AsyncFd<UdpSocket>>,
}

impl Socket {
    /// Takes a socket over. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// If the operating system refuses its settings, or file descriptors run out.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let udp = UdpSocketState::new((&socket).into())?;
        Ok(Self { io: watched(socket, Interest::READABLE)?, udp, is_full: AtomicBool::new(false) })
    }

    fn watched_for_room(&self) -> io::Result<AsyncFd<UdpSocket>> {
        watched(self.io.get_ref().try_clone()?, Interest::WRITABLE)
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room { socket: self, waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self.udp.send(self.io.get_ref().into(), transmit);
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.is_full.store(true, Ordering::Relaxed);
        }
        sent
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut readiness = ready!(self.io.poll_read_ready(context))?;
            // Who has asked and got nothing waits for more.
            if let Ok(received) =
                readiness.try_io(|socket| self.udp.recv(socket.get_ref().into(), buffers, meta))
            {
                return Poll::Ready(received);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    fn may_fragment(&self) -> bool {
        self.udp.may_fragment()
    }

    fn max_transmit_segments(&self) -> usize {
        self.udp.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.udp.gro_segments()
    }
}

impl UdpPoller for Room {
    fn poll_writable(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.socket.is_full.load(Ordering::Relaxed) {
            let waiting = self.waiting.take();
            let Ok(waiting) = waiting.map_or_else(|| self.socket.watched_for_room(), Ok) else {
                // File descriptors have run out, and no connection is lost for that: it is tried until there is room.
                self.socket.is_full.store(false, Ordering::Relaxed);
                context.waker().wake_by_ref();
                return Poll::Pending;
            };
            if waiting.poll_write_ready(context)?.is_pending() {
                self.waiting = Some(waiting);
                return Poll::Pending;
            }
            self.socket.is_full.store(false, Ordering::Relaxed);
        }
        self.waiting = None;
        Poll::Ready(Ok(()))
    }
}

#[expect(
    deprecated,
    reason = "what takes its place is unsafe, for descriptors that are replaced: this one is not"
)]
fn watched(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, interest)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn where_there_was_no_room_it_is_waited_for_and_what_comes_is_read_meanwhile() {
        let bind = || Arc::new(Socket::new(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap());
        let (here, there) = (bind(), bind());
        let mut room = Arc::clone(&here).create_io_poller();
        here.is_full.store(true, Ordering::Relaxed);
        poll_fn(|context| room.as_mut().poll_writable(context)).await.unwrap();
        assert!(!here.is_full.load(Ordering::Relaxed));

        let destination = there.local_addr().unwrap();
        for contents in [b"one", b"two"] {
            let transmit = Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None };
            here.try_send(&transmit).unwrap();
            let (mut bytes, mut meta) = ([0; 8], [RecvMeta::default()]);
            let mut buffers = [IoSliceMut::new(&mut bytes)];
            let came = poll_fn(|context| there.poll_recv(context, &mut buffers, &mut meta)).await.unwrap();
            assert_eq!((came, meta[0].len, meta[0].addr), (1, 3, here.local_addr().unwrap()));
            assert_eq!(&bytes[..3], contents);
        }
    }
}
