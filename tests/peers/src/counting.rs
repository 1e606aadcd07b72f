//! The counting relay: what two processes say to each other over loopback becomes bytes and pieces, counted in
//! one place and in one way for all. It changes nothing and loses nothing of its own accord; it can hold everything back for
//! a while, so that round trips can be told from work. Headers of UDP, TCP and IP are not counted.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

const DATAGRAM_BYTES_MAX: usize = 1 << 16;
const CHUNK_BYTES_MAX: usize = 1 << 18;
/// How often a thread looks whether the relay has been dropped.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What crosses the relay, and what of it counts as one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// UDP, a piece a datagram.
    Udp,
    /// TCP, a piece a message behind its length in four bytes.
    TcpMessages,
    /// TCP, a piece a record of TLS.
    TcpTls,
}

/// What went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Payload.
    pub bytes: u64,
    /// Datagrams, messages or records.
    pub pieces: u64,
}

/// What went over a relay.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// From who dials.
    pub up: Carried,
    /// To who dials.
    pub down: Carried,
    /// When the last of it did.
    pub last: Instant,
}

impl Traffic {
    /// What went over since then.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let since = |now: Carried, then: Carried| Carried {
            bytes: now.bytes - then.bytes,
            pieces: now.pieces - then.pieces,
        };
        Self { up: since(self.up, earlier.up), down: since(self.down, earlier.down), last: self.last }
    }
}

/// A relay that runs until it is dropped.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    carrier: Carrier,
    delay: Duration,
    traffic: Mutex<Traffic>,
    is_over: AtomicBool,
}

#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
}

impl Relay {
    /// One that carries to this address, everything that much later.
    ///
    /// # Errors
    /// If there is no port for it.
    pub fn open(carrier: Carrier, to: SocketAddr, delay: Duration) -> anyhow::Result<Self> {
        let none = Carried::default();
        let traffic = Mutex::new(Traffic { up: none, down: none, last: Instant::now() });
        let shared = Arc::new(Shared { carrier, delay, traffic, is_over: AtomicBool::new(false) });
        let address = match carrier {
            Carrier::Udp => relay_datagrams(&shared, to)?,
            Carrier::TcpMessages | Carrier::TcpTls => relay_streams(&shared, to)?,
        };
        Ok(Self { address, shared })
    }

    /// Where it is to be dialed.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went over it so far.
    pub fn traffic(&self) -> Traffic {
        *self.shared.traffic()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn count(&self, way: Way, bytes: usize, pieces: u64) {
        let mut traffic = self.traffic();
        let carried = match way {
            Way::Up => &mut traffic.up,
            Way::Down => &mut traffic.down,
        };
        carried.bytes += bytes as u64;
        carried.pieces += pieces;
        traffic.last = Instant::now();
    }
}

fn relay_datagrams(shared: &Arc<Shared>, to: SocketAddr) -> anyhow::Result<SocketAddr> {
    let bind = || -> anyhow::Result<Arc<UdpSocket>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(LOOK_EVERY))?;
        Ok(Arc::new(socket))
    };
    let (front, back) = (bind()?, bind()?);
    back.connect(to)?;
    let address = front.local_addr()?;
    let dialer: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
    let (up, down) = (channel(), channel());
    let sending = Arc::clone(&back);
    spawn(move || deliver(&up.1, |bytes| sending.send(bytes).map(drop)));
    let (sending, known) = (Arc::clone(&front), Arc::clone(&dialer));
    spawn(move || {
        deliver(&down.1, |bytes| {
            let to = *known.lock().unwrap_or_else(PoisonError::into_inner);
            to.map_or(Ok(()), |to| sending.send_to(bytes, to).map(drop))
        });
    });
    let sharing = Arc::clone(shared);
    spawn(move || {
        take_datagrams(&sharing, Way::Up, &up.0, |buffer| {
            let (bytes, from) = front.recv_from(buffer)?;
            *dialer.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
            Ok(bytes)
        });
    });
    let sharing = Arc::clone(shared);
    spawn(move || take_datagrams(&sharing, Way::Down, &down.0, |buffer| back.recv(buffer)));
    Ok(address)
}

/// Bytes, and when they are due.
type Due = (Instant, Vec<u8>);

fn take_datagrams(
    shared: &Shared,
    way: Way,
    to: &Sender<Due>,
    mut take: impl FnMut(&mut [u8]) -> std::io::Result<usize>,
) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    while !shared.is_over() {
        let Ok(bytes) = take(&mut buffer) else { continue };
        shared.count(way, bytes, 1);
        let due = Instant::now() + shared.delay;
        if to.send((due, buffer[..bytes].to_vec())).is_err() {
            return;
        }
    }
}

/// Gives on what is due, until nothing more can come or be given.
fn deliver(from: &Receiver<Due>, mut give: impl FnMut(&[u8]) -> std::io::Result<()>) {
    for (due, bytes) in from {
        sleep(due.saturating_duration_since(Instant::now()));
        // A port that is closed by now is no reason to stop: who dials may come back.
        let _ = give(&bytes);
    }
}

fn relay_streams(shared: &Arc<Shared>, to: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let shared = Arc::clone(shared);
    spawn(move || {
        while !shared.is_over() {
            match listener.accept() {
                Ok((front, _)) => {
                    // A connection over TCP costs a round trip of its own.
                    sleep(2 * shared.delay);
                    drop(join(&shared, front, to));
                }
                Err(_) => sleep(LOOK_EVERY / 10),
            }
        }
    });
    Ok(address)
}

fn join(shared: &Arc<Shared>, front: TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let back = TcpStream::connect(to)?;
    front.set_nonblocking(false)?;
    for stream in [&front, &back] {
        stream.set_nodelay(true)?;
    }
    for (way, from, to) in [(Way::Up, front.try_clone()?, back.try_clone()?), (Way::Down, back, front)] {
        let (due, given) = channel();
        let shared = Arc::clone(shared);
        spawn(move || take_stream(&shared, way, from, &due));
        spawn(move || {
            let mut to = to;
            deliver(&given, |bytes| to.write_all(bytes));
            let _ = to.shutdown(Shutdown::Write);
        });
    }
    Ok(())
}

fn take_stream(shared: &Shared, way: Way, mut from: TcpStream, to: &Sender<Due>) {
    let mut buffer = vec![0; CHUNK_BYTES_MAX];
    let mut pieces = Pieces::new(shared.carrier);
    while let Ok(bytes) = read(&mut from, &mut buffer) {
        let chunk = &buffer[..bytes];
        shared.count(way, bytes, pieces.count(chunk));
        let due = Instant::now() + shared.delay;
        if bytes == 0 || to.send((due, chunk.to_vec())).is_err() {
            return;
        }
    }
}

fn read(from: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Counts the pieces that end in a stream, from their heads alone.
struct Pieces {
    head_bytes: usize,
    length_at: usize,
    head: Vec<u8>,
    left: usize,
}

impl Pieces {
    fn new(carrier: Carrier) -> Self {
        // Before the length of a record TLS tells type and version.
        let (head_bytes, length_at) = if carrier == Carrier::TcpTls { (5, 3) } else { (4, 0) };
        Self { head_bytes, length_at, head: Vec::new(), left: 0 }
    }

    fn count(&mut self, mut chunk: &[u8]) -> u64 {
        let mut ended = 0;
        loop {
            let skipped = self.left.min(chunk.len());
            chunk = &chunk[skipped..];
            self.left -= skipped;
            if self.left > 0 {
                return ended;
            }
            if self.head.len() == self.head_bytes {
                self.head.clear();
                ended += 1;
            }
            let taken = (self.head_bytes - self.head.len()).min(chunk.len());
            self.head.extend_from_slice(&chunk[..taken]);
            chunk = &chunk[taken..];
            if self.head.len() < self.head_bytes {
                return ended;
            }
            self.left =
                self.head[self.length_at..].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_counted_however_the_stream_is_cut() {
        let stream = [&[0, 0, 0, 3, 1, 2, 3][..], &[0, 0, 0, 0], &[0, 0, 1, 0], &[7; 256]].concat();
        for cut in 1..stream.len() {
            let mut pieces = Pieces::new(Carrier::TcpMessages);
            assert_eq!(stream.chunks(cut).map(|chunk| pieces.count(chunk)).sum::<u64>(), 3, "{cut}");
        }
        let mut pieces = Pieces::new(Carrier::TcpTls);
        assert_eq!(pieces.count(&[22, 3, 3, 0, 1, 9, 23, 3, 3, 0, 2, 8]), 1);
    }
}
