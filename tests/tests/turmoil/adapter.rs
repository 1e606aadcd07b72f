//! QUIC over a simulated network: quinn's socket and runtime become turmoil's socket and the clock of
//! the simulated host. What leaves a socket is noted without its content, which keys make another in
//! each run, and may be lost on the way.

use std::fmt::{self, Debug, Formatter};
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, UdpPoller};
use tokio::time::{Instant as SimulatedInstant, Sleep, sleep_until};
use turmoil::net::UdpSocket;

use crate::chance;

/// No datagram of quinn's is longer without path MTU discovery.
const DATAGRAM_BYTES_MAX: usize = 2048;

/// A datagram that was sent: when, from where, to where, how long, and whether it was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at_ms: u64,
    pub(crate) from: (Ipv4Addr, u16),
    pub(crate) to: SocketAddr,
    pub(crate) bytes: usize,
    pub(crate) lost: bool,
}

/// The network as all sockets of a simulation share it.
#[derive(Debug, Default)]
pub(crate) struct Air {
    pub(crate) sent: Vec<Sent>,
    /// How many of a thousand datagrams are lost.
    pub(crate) loss_permille: u64,
}

/// A socket whose port can change under the program, as a phone's address does.
pub(crate) struct Socket {
    air: Arc<Mutex<Air>>,
    host: Ipv4Addr,
    bound: Mutex<Bound>,
}

struct Bound {
    socket: Arc<UdpSocket>,
    receiving: Option<Receiving>,
    reader: Option<Waker>,
}

type Receiving = Pin<Box<dyn Future<Output = io::Result<(Vec<u8>, SocketAddr)>> + Send>>;

impl Socket {
    /// Binds a port of the present host.
    pub(crate) async fn bind(air: Arc<Mutex<Air>>, host: Ipv4Addr, port: u16) -> io::Result<Arc<Self>> {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await?);
        let bound = Mutex::new(Bound { socket, receiving: None, reader: None });
        Ok(Arc::new(Self { air, host, bound }))
    }

    /// Goes on at another port; what is on its way to the old one is lost.
    pub(crate) async fn change_address(&self) -> io::Result<()> {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?);
        let mut bound = self.bound.lock().unwrap();
        (bound.socket, bound.receiving) = (socket, None);
        if let Some(reader) = bound.reader.take() {
            reader.wake();
        }
        Ok(())
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let bound = self.bound.lock().unwrap();
        let mut air = self.air.lock().unwrap();
        let lost = chance() % 1000 < air.loss_permille;
        let from = (self.host, bound.socket.local_addr()?.port());
        let (to, bytes) = (transmit.destination, transmit.contents.len());
        let at_ms = turmoil::sim_elapsed().unwrap().as_millis() as u64;
        air.sent.push(Sent { at_ms, from, to, bytes, lost });
        if !lost {
            bound.socket.try_send_to(transmit.contents, to)?;
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut bound = self.bound.lock().unwrap();
        let socket = Arc::clone(&bound.socket);
        let receiving = bound.receiving.get_or_insert_with(|| Box::pin(receive(socket)));
        let Poll::Ready(received) = receiving.as_mut().poll(cx) else {
            bound.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        bound.receiving = None;
        let (datagram, addr) = received?;
        bufs[0][..datagram.len()].copy_from_slice(&datagram);
        meta[0] = RecvMeta { addr, len: datagram.len(), stride: datagram.len(), ecn: None, dst_ip: None };
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.bound.lock().unwrap().socket.local_addr()
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

impl Debug for Socket {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Socket of {}", self.host)
    }
}

async fn receive(socket: Arc<UdpSocket>) -> io::Result<(Vec<u8>, SocketAddr)> {
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    let (bytes, from) = socket.recv_from(&mut datagram).await?;
    datagram.truncate(bytes);
    Ok((datagram, from))
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The simulated host's clock and its one thread.
#[derive(Debug)]
pub(crate) struct Host;

impl Runtime for Host {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(Timer(Box::pin(sleep_until(at.into()))))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(future);
    }

    fn wrap_udp_socket(&self, _: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn now(&self) -> Instant {
        SimulatedInstant::now().into_std()
    }
}

#[derive(Debug)]
struct Timer(Pin<Box<Sleep>>);

impl AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Future::poll(self.0.as_mut(), cx)
    }
}
