//! Where a device is reached and from where it reaches others: by QUIC over UDP, and by TLS over TCP on the same
//! port. Which of the two a link takes nobody has to say: where UDP passes it is QUIC, and `race` finds that out.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rukun_authority::Keypair;
use rukun_change::DeviceKey;

use crate::attempt::ConnectError;
use crate::connection::{CloseCode, Peer};
use crate::places::Places;
use crate::{quic, tcp};

mod race;
use race::Race;

/// How many places are remembered that only TCP reaches.
const TCP_ALONE_MAX: usize = 256;
/// How often a port is looked for that is free for both.
const BIND_TRIES_MAX: usize = 16;

/// Sockets that dial and are dialed. Its clones are the same ones.
#[derive(Clone, Debug)]
pub struct Endpoint {
    quic: quic::Endpoint,
    tcp: Option<tcp::Endpoint>,
    /// What TCP reached last, and UDP did not.
    tcp_alone: Arc<Mutex<BTreeSet<SocketAddr>>>,
}

/// An attempt of someone to connect.
#[derive(Debug)]
pub struct Arriving(By);

#[derive(Debug)]
enum By {
    Quic(Box<quic::Arriving>),
    Tcp(tcp::Arriving),
}

impl Endpoint {
    /// Listens on this address, over UDP and TCP, as the device of this key. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub fn bind(listen: SocketAddr, keypair: &Keypair) -> Result<Self, ConnectError> {
        let mut tries = 1;
        loop {
            let places = Places::new();
            let quic = quic::Endpoint::bind(listen, keypair, places.clone())?;
            let places = places.beside();
            let here =
                quic.local_addr().map_err(|source| ConnectError::Bind { listen, over: "udp", source })?;
            match tcp::Endpoint::dialing(keypair, places)?.listening(here) {
                Ok(tcp) => return Ok(Self::of(quic, Some(tcp))),
                // A port that UDP has drawn may be taken for TCP.
                Err(_) if listen.port() == 0 && tries < BIND_TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Dials from this address and is not to be dialed.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub fn dialing(from: SocketAddr, keypair: &Keypair) -> Result<Self, ConnectError> {
        let places = Places::new();
        let quic = quic::Endpoint::bind(from, keypair, places.clone())?;
        Ok(Self::of(quic, Some(tcp::Endpoint::dialing(keypair, places)?)))
    }

    /// QUIC alone, such as over a simulated socket.
    pub fn over(quic: quic::Endpoint) -> Self {
        Self::of(quic, None)
    }

    fn of(quic: quic::Endpoint, tcp: Option<tcp::Endpoint>) -> Self {
        Self { quic, tcp, tcp_alone: Arc::default() }
    }

    /// The same, keeping what it dials alive by a packet this often.
    #[must_use]
    pub fn keep_alive(self, every: Duration) -> Self {
        Self { quic: self.quic.keep_alive(every), tcp: self.tcp.map(|tcp| tcp.keep_alive(every)), ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the operating system won't say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.quic.local_addr()
    }

    /// The device that it speaks for.
    pub fn key(&self) -> DeviceKey {
        self.quic.key()
    }

    /// Connects to the device at this address, to sync with it. Where a ticket is held from before it can be spoken
    /// to at once; whether the device is there still, [`Peer::answer`] tells.
    ///
    /// # Errors
    /// If nobody answers in time, the other end is no device, or the limit is reached.
    pub async fn reach(&self, to: SocketAddr) -> Result<Peer, ConnectError> {
        Race::new(self.clone(), to, false).run().await
    }

    /// Connects to the device at this address, to be enrolled by it.
    ///
    /// # Errors
    /// If nobody answers in time, the other end is no device or enrols nobody, or the limit is reached.
    pub async fn reach_to_enrol(&self, to: SocketAddr) -> Result<Peer, ConnectError> {
        Race::new(self.clone(), to, true).run().await
    }

    /// The next attempt of someone to connect; nothing once the endpoint is closed.
    pub async fn arriving(&self) -> Option<Arriving> {
        let over_tcp = async {
            match &self.tcp {
                Some(tcp) => tcp.arriving().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            arriving = self.quic.arriving() => arriving.map(|arriving| Arriving(By::Quic(Box::new(arriving)))),
            arriving = over_tcp => Some(Arriving(By::Tcp(arriving))),
        }
    }

    /// Closes every connection over UDP with this reason and waits until the peers have been told. Those over TCP end
    /// with who uses them.
    pub async fn close(&self, code: CloseCode, reason: &str) {
        if let Some(tcp) = &self.tcp {
            tcp.close();
        }
        self.quic.close(code, reason).await;
    }

    fn remember_tcp_alone(&self, to: SocketAddr) {
        let mut remembered = self.remembered();
        if remembered.len() == TCP_ALONE_MAX {
            remembered.pop_first();
        }
        remembered.insert(to);
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, BTreeSet<SocketAddr>> {
        self.tcp_alone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arriving {
    /// Learns which device it is: by its ticket at once, if it has one from before, and else when the handshake
    /// is complete.
    ///
    /// # Errors
    /// If the other end proves no key, or not in time.
    pub async fn handshake(self) -> Result<Peer, ConnectError> {
        match self.0 {
            By::Quic(arriving) => arriving.handshake().await,
            By::Tcp(arriving) => arriving.handshake().await,
        }
    }

    /// Where it comes from.
    pub fn remote_address(&self) -> SocketAddr {
        match &self.0 {
            By::Quic(arriving) => arriving.remote_address(),
            By::Tcp(arriving) => arriving.remote_address(),
        }
    }
}

#[cfg(test)]
mod tests;
