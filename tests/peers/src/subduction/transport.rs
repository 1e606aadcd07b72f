//! What subduction_core leaves to its host: bytes over a TCP stream behind their length in four bytes, tasks and
//! timeouts of Tokio. The websocket of its authors would add a request, a mask and a head to each message.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use future_form::Sendable;
use futures::FutureExt;
use futures::future::{AbortHandle, Abortable, BoxFuture};
use subduction_core::handshake::Handshake;
use subduction_core::spawn::Spawn;
use subduction_core::timeout::{TimedOut, Timeout};
use subduction_core::transport::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, watch};

/// Where a message says what it is, and what says so of one that tells a peer's heads.
const TAG_AT: usize = 8;
const HEADS_UPDATE: u8 = 8;
const MESSAGE_BYTES_MAX: u32 = 1 << 28;

/// Messages over a TCP stream.
#[derive(Clone, Debug)]
pub(super) struct Framed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    reader: Mutex<BufReader<OwnedReadHalf>>,
    writer: Mutex<OwnedWriteHalf>,
    answers: watch::Sender<usize>,
}

/// How many commits the peer has answered.
pub(super) struct Answers(watch::Receiver<usize>);

impl Framed {
    pub(super) fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let (reader, writer) = (Mutex::new(BufReader::new(reader)), Mutex::new(writer));
        Ok(Self { shared: Arc::new(Shared { reader, writer, answers: watch::Sender::new(0) }) })
    }

    pub(super) fn answers(&self) -> Answers {
        Answers(self.shared.answers.subscribe())
    }

    async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let message = [&length.to_be_bytes(), bytes].concat();
        self.shared.writer.lock().await.write_all(&message).await
    }

    async fn read(&self) -> io::Result<Vec<u8>> {
        let mut reader = self.shared.reader.lock().await;
        let length = reader.read_u32().await?;
        if length > MESSAGE_BYTES_MAX {
            return Err(io::Error::other(format!("a message of {length} bytes")));
        }
        let mut message = vec![0; length as usize];
        reader.read_exact(&mut message).await?;
        if message.get(TAG_AT) == Some(&HEADS_UPDATE) {
            self.shared.answers.send_modify(|answers| *answers += 1);
        }
        Ok(message)
    }
}

impl Answers {
    pub(super) async fn wait_for(mut self, count: usize) {
        // A connection that is gone will answer no more; what then is missing shows when the sides are compared.
        let _ = self.0.wait_for(|answers| *answers >= count).await;
    }
}

impl PartialEq for Framed {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Transport<Sendable> for Framed {
    type SendError = io::Error;
    type RecvError = io::Error;
    type DisconnectionError = io::Error;

    fn send_bytes(&self, bytes: &[u8]) -> BoxFuture<'_, io::Result<()>> {
        let bytes = bytes.to_vec();
        async move { self.write(&bytes).await }.boxed()
    }

    fn recv_bytes(&self) -> BoxFuture<'_, io::Result<Vec<u8>>> {
        self.read().boxed()
    }

    fn disconnect(&self) -> BoxFuture<'_, io::Result<()>> {
        async { self.shared.writer.lock().await.shutdown().await }.boxed()
    }
}

impl Handshake<Sendable> for Framed {
    type Error = io::Error;

    fn send(&mut self, bytes: Vec<u8>) -> BoxFuture<'_, io::Result<()>> {
        async move { self.write(&bytes).await }.boxed()
    }

    fn recv(&mut self) -> BoxFuture<'_, io::Result<Vec<u8>>> {
        self.read().boxed()
    }
}

/// Tasks of Tokio.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokioSpawn;

impl Spawn<Sendable> for TokioSpawn {
    fn spawn(&self, task: BoxFuture<'static, ()>) -> AbortHandle {
        let (handle, registration) = AbortHandle::new_pair();
        tokio::spawn(Abortable::new(task, registration));
        handle
    }
}

/// Timeouts of Tokio.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokioTimeout;

impl Timeout<Sendable> for TokioTimeout {
    fn timeout<'a, T: 'a>(
        &'a self,
        longest: Duration,
        task: BoxFuture<'a, T>,
    ) -> BoxFuture<'a, Result<T, TimedOut>> {
        async move { tokio::time::timeout(longest, task).await.map_err(|_| TimedOut) }.boxed()
    }
}
