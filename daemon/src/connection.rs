//! A connection to a device that has proved its key: one stream of bytes each way, whatever carries it.
//! That is QUIC, and TLS over TCP where UDP does not pass; who reads and writes need not know which.
//! What flows is the link's; whether the device may do anything here is decided above.

use std::io::ErrorKind;
use std::time::Duration;

use quinn::ConnectionError;
use rukun_change::DeviceKey;
use rukun_replica::Session;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

mod answer;
pub use answer::Answer;
pub(crate) use answer::Answered;
mod socket;
pub use socket::{Counted, Stream, Tcp};
pub(crate) use socket::{Counts, state};

use crate::attempt::cut;
use crate::places::Place;

/// After how long without a packet a connection is given up.
pub const IDLE_MAX: Duration = Duration::from_secs(130);
/// The longest time between packets that keep a connection alive. What is left is for these to be repeated, and the
/// mappings of carriers last about two minutes (RFC 4787, REQ-5).
pub const KEEP_ALIVE_MAX: Duration = Duration::from_secs(110);
/// How much of a stream is taken at a time.
const CHUNK_BYTES: usize = 16 * 1024;

/// A connection. Its clones are the same one.
#[derive(Clone, Debug)]
pub enum Connection {
    /// Over UDP.
    Quic(quinn::Connection),
    /// TLS over TCP.
    Tcp(Tcp),
}

/// A connection to a device that proved its key.
#[derive(Debug)]
pub struct Peer {
    /// The device.
    pub key: DeviceKey,
    /// Whether this end dialed.
    pub dialed: bool,
    /// Whether it dialed since somebody near announced the address, whoever that was.
    pub found: bool,
    /// Whether the dialing end wants to be enrolled, and not to sync.
    pub enrols: bool,
    /// The connection.
    pub connection: Connection,
    pub(crate) answer: Answer,
    /// Its place among the connections, given back when it is dropped.
    pub(crate) _place: Place,
}

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
    /// The same device is reached in a better way.
    Surpassed = 7,
    /// All is said, and links are not kept now.
    Resting = 8,
}

/// The end that bytes go into.
#[derive(Debug)]
pub enum Sending {
    /// Over UDP.
    Quic(quinn::SendStream),
    /// TLS over TCP.
    Tcp(Tcp, WriteHalf<Stream>),
}

/// The end that bytes come out of.
#[derive(Debug)]
pub enum Receiving {
    /// Over UDP.
    Quic(quinn::RecvStream),
    /// TLS over TCP, and what came of it before anybody asked.
    Tcp(Tcp, ReadHalf<Stream>, Option<Vec<u8>>),
}

/// What a connection carried so far: of UDP payload, headers of QUIC and repeats included, or of what was given
/// to TCP and came from it, TLS included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
    }
}

impl Peer {
    /// Whether the other end has answered.
    pub fn answer(&self) -> Answer {
        self.answer.clone()
    }
}

impl Connection {
    /// The one stream, which the dialing end opens by what it says first. Over TCP there is no other, and it is given
    /// once.
    ///
    /// # Errors
    /// If the connection ends before.
    pub async fn stream(&self, dialed: bool) -> Result<(Sending, Receiving), Lost> {
        match self {
            Self::Quic(connection) => {
                let opened = if dialed { connection.open_bi().await } else { connection.accept_bi().await };
                let (send, recv) = opened.map_err(Lost::from)?;
                Ok((Sending::Quic(send), Receiving::Quic(recv)))
            }
            Self::Tcp(tcp) => {
                let (recv, send) = tcp.take_stream().map(tokio::io::split).ok_or(Lost::ByUs)?;
                let mut recv = Receiving::Tcp(tcp.clone(), recv, None);
                if !dialed {
                    // Of two attempts the dialer drops the one that comes second, which must take no link's place.
                    let said = recv.chunk().await?.ok_or(Lost::ByPeer(None))?;
                    if let Receiving::Tcp(_, _, first) = &mut recv {
                        *first = Some(said);
                    }
                }
                Ok((Sending::Tcp(tcp.clone(), send), recv))
            }
        }
    }

    /// Closes it at once. The peer is told why if QUIC carries it.
    pub fn close(&self, code: CloseCode, reason: &str) {
        match self {
            Self::Quic(connection) => connection.close(code.into(), reason.as_bytes()),
            Self::Tcp(tcp) => tcp.end(Lost::ByUs),
        }
    }

    /// The peer has finished its stream: over TCP it says no more than that when it ends the connection.
    pub fn finished_by_peer(&self) {
        if let Self::Tcp(tcp) = self {
            tcp.end(Lost::ByPeer(None));
        }
    }

    /// Waits until it has ended; gives why.
    pub async fn closed(&self) -> Lost {
        match self {
            Self::Quic(connection) => connection.closed().await.into(),
            Self::Tcp(tcp) => tcp.ended().await,
        }
    }

    /// What it carried so far.
    pub fn traffic(&self) -> Traffic {
        match self {
            Self::Quic(connection) => {
                let stats = connection.stats();
                Traffic { sent_bytes: stats.udp_tx.bytes, received_bytes: stats.udp_rx.bytes }
            }
            Self::Tcp(tcp) => tcp.traffic(),
        }
    }

    /// How many frames were sent that the other end has to answer; nothing where whoever carries them ends the connection
    /// when they are not.
    pub fn asked(&self) -> Option<u64> {
        match self {
            Self::Quic(connection) => {
                let sent = connection.stats().frame_tx;
                Some(sent.stream + sent.ping)
            }
            Self::Tcp(_) => None,
        }
    }

    /// How much was said on its stream by both ends, repeats included, whatever keeps it alive left out: frames of QUIC,
    /// or bytes to TCP and from it.
    pub fn said(&self) -> u64 {
        match self {
            Self::Quic(connection) => {
                let stats = connection.stats();
                stats.frame_tx.stream + stats.frame_rx.stream
            }
            Self::Tcp(tcp) => {
                let carried = tcp.traffic();
                carried.sent_bytes + carried.received_bytes
            }
        }
    }

    /// What both ends know and nobody else, for an enrolment (RFC 8446 section 7.5); nothing before the handshake is
    /// complete, as where a device is known by its ticket.
    pub fn exported(&self) -> Option<[u8; 32]> {
        match self {
            Self::Quic(connection) => {
                let mut exported = [0; 32];
                connection.export_keying_material(&mut exported, Session::LABEL, b"").ok()?;
                Some(exported)
            }
            Self::Tcp(tcp) => tcp.exported(),
        }
    }
}

impl Sending {
    /// Writes all of it.
    ///
    /// # Errors
    /// If the connection has ended; who reads says why.
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        match self {
            Self::Quic(send) => send.write_all(bytes).await.map_err(|error| Lost::Other(error.to_string())),
            Self::Tcp(tcp, send) => {
                let written = async {
                    send.write_all(bytes).await?;
                    send.flush().await
                };
                tokio::select! {
                    written = written => written.map_err(|error| Lost::Other(error.to_string())),
                    lost = tcp.ended() => Err(lost),
                }
            }
        }
    }

    /// Says that nothing follows.
    pub async fn finish(&mut self) {
        // Where the connection has ended there is nobody to tell.
        match self {
            Self::Quic(send) => drop(send.finish()),
            Self::Tcp(_, send) => drop(send.shutdown().await),
        }
    }

    /// Waits until the peer has all of what was finished, or does not want it. Over TCP that is when it ends the
    /// connection: who ends it while something is unread takes its own last words back.
    pub async fn delivered(&mut self) {
        match self {
            Self::Quic(send) => drop(send.stopped().await),
            Self::Tcp(tcp, _) => drop(tcp.ended().await),
        }
    }
}

impl Receiving {
    /// What comes next; nothing once the peer has finished.
    ///
    /// # Errors
    /// If the connection, or the stream alone, has ended otherwise.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Lost> {
        match self {
            Self::Quic(recv) => match recv.read_chunk(CHUNK_BYTES, true).await {
                Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes.into())),
                Err(quinn::ReadError::ConnectionLost(error)) => Err(error.into()),
                Err(quinn::ReadError::ZeroRttRejected) => Err(Lost::TicketSpent),
                Err(error) => Err(Lost::Stream(error.to_string())),
            },
            Self::Tcp(tcp, recv, first) => {
                if let Some(first) = first.take() {
                    return Ok(Some(first));
                }
                let mut chunk = vec![0; CHUNK_BYTES];
                let read = tokio::select! {
                    read = recv.read(&mut chunk) => read,
                    lost = tcp.ended() => return Err(lost),
                };
                match read {
                    Ok(0) => Ok(None),
                    Ok(bytes) => {
                        chunk.truncate(bytes);
                        Ok(Some(chunk))
                    }
                    Err(error) => {
                        // It went without saying that it has finished.
                        let is_gone = error.kind() == ErrorKind::UnexpectedEof;
                        tcp.end(if is_gone {
                            Lost::ByPeer(None)
                        } else {
                            Lost::Other(cut(&error.to_string()))
                        });
                        Err(tcp.ended().await)
                    }
                }
            }
        }
    }

    /// All that comes until the peer has finished, if it is no more than this.
    ///
    /// # Errors
    /// If it is more, or the connection ends before.
    pub async fn read_to_end(&mut self, bytes_max: usize) -> Result<Vec<u8>, Lost> {
        let mut all = Vec::new();
        loop {
            match self.chunk().await {
                Ok(Some(chunk)) => all.extend(chunk),
                Ok(None) => return Ok(all),
                Err(lost) => return Err(lost),
            }
            if all.len() > bytes_max {
                return Err(Lost::Stream(format!("more than {bytes_max} bytes")));
            }
        }
    }
}

/// How a connection or its stream ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// This end closed it.
    #[error("no longer wanted")]
    ByUs,
    /// The peer closed it, and said why if it could.
    #[error("closed by the peer{}", .0.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    ByPeer(Option<String>),
    /// Nothing came for too long.
    #[error("nothing heard for {} s", IDLE_MAX.as_secs())]
    Silent,
    /// What was said with a ticket has to be said again.
    #[error("the ticket was no longer good")]
    TicketSpent,
    /// The stream alone.
    #[error("{0}")]
    Stream(String),
    /// The network's fault, or the protocol's below.
    #[error("{0}")]
    Other(String),
}

impl From<ConnectionError> for Lost {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                Self::ByPeer(Some(cut(&String::from_utf8_lossy(&close.reason))))
            }
            ConnectionError::LocallyClosed => Self::ByUs,
            ConnectionError::TimedOut => Self::Silent,
            other => Self::Other(cut(&other.to_string())),
        }
    }
}
