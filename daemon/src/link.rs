//! A connection to a device becomes a link: bytes from its one stream become frames, checked by a
//! few workers, several at a time, and handed to the core in the order in which they came; frames
//! from the core become bytes. What reads slowly is slowed down by the connection's flow control, this way;
//! the other way it is closed, so that nobody holds up the core. No frame is understood here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rukun_authority::Verifier;
use rukun_change::{DeviceKey, SurveyId};
use rukun_replica::{Body, Deframer, Frame, LinkId};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};

use crate::attempt::{ATTEMPT_MAX, cut};
use crate::connection::{CloseCode, Connection, Lost, Peer, Receiving, Sending, Traffic};
use crate::network::Network;

mod counting;
use counting::Counting;

mod room;
pub use room::Place;
use room::{Room, Standing};

/// Frames of one link cut out of its stream and not yet taken by the core.
const LINK_FRAMES_MAX: usize = 8;
/// What may wait to be sent on one link: all the frames of a session that are not acknowledged,
/// and as much again.
const OUTGOING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much is gathered to be written at once, but for the last frame of it.
const WRITTEN_BYTES_MAX: usize = 64 * 1024;
/// How long a link that is closed may take to get its last words across.
const FLUSH_MAX: Duration = Duration::from_secs(2);
/// How often it is looked whether anything comes back, while something is under way.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How long a dialer sends into silence before it tries anew: a connection that was cut for long
/// wakes up much later than a new one is made, since its probes grow ever rarer.
const SILENT_TICKS_MAX: u32 = 10;
/// After how long nothing is under way any more: what was lost has been sent again by then.
const QUIET_TICKS_MAX: u32 = 12;

/// What a link tells the core.
#[derive(Debug)]
pub enum FromLink {
    /// It is open.
    Opened {
        /// Which.
        link: LinkId,
        /// Who is there.
        peer: DeviceKey,
        /// Whether this end dialed.
        dialed: bool,
        /// Whether it did since somebody near announced the address.
        found: bool,
        /// What to send and close it with.
        handle: LinkHandle,
    },
    /// A frame came.
    Received {
        /// On which link.
        link: LinkId,
        /// The frame, checked.
        frame: Frame,
        /// Its place among the frames under way, given back when it is dropped.
        place: Place,
    },
    /// It has ended; nothing follows.
    Closed {
        /// Which.
        link: LinkId,
        /// Why, for people.
        reason: String,
    },
}

/// The core's end of a link. It never blocks.
#[derive(Debug)]
pub struct LinkHandle {
    shared: Arc<Shared>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
}

/// Where frames are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// On a few threads beside the runtime's, since signatures take their time.
    OnThreads,
    /// In the runtime's own: with one thread in all, everything has one order.
    InPlace,
}

/// Makes links of connections.
#[derive(Clone, Debug)]
pub struct Linker {
    core: mpsc::Sender<FromLink>,
    survey: watch::Receiver<Option<SurveyId>>,
    verifier: Arc<Verifier>,
    checks: Checks,
    room: Room,
    next: Arc<AtomicU64>,
    linked: watch::Sender<BTreeMap<DeviceKey, usize>>,
    network: Network,
}

#[derive(Debug)]
enum Outgoing {
    Frame(Vec<u8>),
    End,
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    counting: Arc<Counting>,
    /// Of the device at the other end.
    standing: Standing,
    queued: AtomicUsize,
    /// Why this end closes the link, once it does.
    ending: OnceLock<String>,
    ends: Notify,
    /// Something is being written.
    writes: Notify,
    /// How much had been received when something was last written.
    heard_before: AtomicU64,
}

/// A frame on its way through the workers.
struct Checking {
    frame: JoinHandle<Frame>,
    place: Place,
}

impl Linker {
    /// Links that report to this core, in this survey.
    pub fn new(
        core: mpsc::Sender<FromLink>,
        survey: watch::Receiver<Option<SurveyId>>,
        checks: Checks,
    ) -> Self {
        Self {
            core,
            survey,
            verifier: Arc::default(),
            checks,
            room: Room::new(),
            next: Arc::default(),
            linked: watch::Sender::default(),
            network: Network::default(),
        }
    }

    /// The same, which counts in this network what its links carry.
    #[must_use]
    pub fn counted_in(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// The network in which it counts.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How many links there are to each device.
    pub fn linked(&self) -> watch::Receiver<BTreeMap<DeviceKey, usize>> {
        self.linked.subscribe()
    }

    /// Runs a link until it ends, and says why it did.
    pub async fn run(&self, peer: Peer) -> String {
        let counting = Arc::new(Counting::new(peer.connection.clone(), self.network.clone()));
        let reason = self.run_once(&peer, &counting).await;
        // Said too early, so it is said again.
        let reason =
            if peer.answer().asks_again().await { self.run_once(&peer, &counting).await } else { reason };
        counting.count();
        reason
    }

    async fn run_once(&self, peer: &Peer, counting: &Arc<Counting>) -> String {
        let connection = &peer.connection;
        let (send, recv) = match timeout(ATTEMPT_MAX, connection.stream(peer.dialed)).await {
            Ok(Ok(ends)) => ends,
            Ok(Err(lost)) => return lost.to_string(),
            Err(_) => {
                connection.close(CloseCode::Fault, "no stream in time");
                return "no stream in time".into();
            }
        };
        self.linked.send_modify(|linked| *linked.entry(peer.key).or_default() += 1);
        let reason = self.run_streams(peer, counting, send, recv).await;
        self.linked.send_modify(|linked| {
            if let Some(count) = linked.get_mut(&peer.key) {
                *count -= 1;
            }
            linked.retain(|_, count| *count > 0);
        });
        reason
    }

    async fn run_streams(
        &self,
        peer: &Peer,
        counting: &Arc<Counting>,
        send: Sending,
        recv: Receiving,
    ) -> String {
        let link = LinkId(self.next.fetch_add(1, Ordering::Relaxed));
        let shared = Arc::new(Shared {
            connection: peer.connection.clone(),
            counting: Arc::clone(counting),
            standing: Standing::default(),
            queued: AtomicUsize::new(0),
            ending: OnceLock::new(),
            ends: Notify::new(),
            writes: Notify::new(),
            heard_before: AtomicU64::new(0),
        });
        let (outgoing, to_send) = mpsc::unbounded_channel();
        let handle = LinkHandle { shared: Arc::clone(&shared), outgoing };
        let (dialed, found) = (peer.dialed, peer.found);
        let opened = FromLink::Opened { link, peer: peer.key, dialed, found, handle };
        if self.core.send(opened).await.is_err() {
            shared.close(CloseCode::Stopping, "stopping");
            return "stopping".into();
        }
        let (checked, to_deliver) = mpsc::channel(LINK_FRAMES_MAX);
        let incoming = async {
            tokio::join!(self.read(recv, checked, &shared), self.deliver(link, to_deliver, &shared)).0
        };
        // Writing and watching never end by themselves: when they close the connection, reading ends.
        let reason = tokio::select! {
            reason = incoming => reason,
            () = write(&shared, to_send, send) => "stopping".into(),
            () = watch_silence(&shared, peer.dialed) => "stopping".into(),
        };
        let _ = self.core.send(FromLink::Closed { link, reason: reason.clone() }).await;
        reason
    }

    async fn read(&self, mut recv: Receiving, checked: mpsc::Sender<Checking>, shared: &Shared) -> String {
        let mut deframer = Deframer::new();
        loop {
            let chunk = recv.chunk().await;
            shared.counting.count();
            match chunk {
                Ok(Some(bytes)) => deframer.push(&bytes),
                Ok(None) => {
                    shared.connection.finished_by_peer();
                    return shared.linger("the peer ended the stream", CloseCode::Session).await;
                }
                Err(Lost::Stream(error)) => return shared.linger(&error, CloseCode::Fault).await,
                Err(lost @ Lost::TicketSpent) => return lost.to_string(),
                Err(lost) => return shared.reason(&lost),
            }
            loop {
                // Before anything is unpacked: what waits for its check is counted, too.
                let place = self.room.frame(&shared.standing).await;
                let next = deframer.next_frame();
                let broken = next.is_err();
                let checking = match next {
                    Ok(Some(body)) => Checking { frame: self.check(body, &shared.standing).await, place },
                    Ok(None) => break,
                    Err(fault) => Checking { frame: tokio::spawn(async { Frame::broken(fault) }), place },
                };
                let gone = checked.send(checking).await.is_err();
                if gone || broken {
                    drop(checked);
                    return shared.linger("the peer sent what is no frame", CloseCode::Fault).await;
                }
            }
        }
    }

    /// Starts to check a frame; waits while too many are being checked.
    async fn check(&self, body: Body, standing: &Standing) -> JoinHandle<Frame> {
        let worker = self.room.worker(standing).await;
        let (survey, verifier) = (*self.survey.borrow(), Arc::clone(&self.verifier));
        let check = move || {
            let frame = Frame::check(&body, survey.as_ref(), &verifier);
            drop(worker);
            frame
        };
        match self.checks {
            Checks::OnThreads => tokio::task::spawn_blocking(check),
            Checks::InPlace => tokio::spawn(async { check() }),
        }
    }

    async fn deliver(&self, link: LinkId, mut checked: mpsc::Receiver<Checking>, shared: &Shared) {
        while let Some(Checking { frame, place }) = checked.recv().await {
            let Ok(frame) = frame.await else {
                shared.close(CloseCode::Fault, "a frame could not be checked");
                return;
            };
            if self.core.send(FromLink::Received { link, frame, place }).await.is_err() {
                shared.close(CloseCode::Stopping, "stopping");
                return;
            }
        }
    }
}

impl LinkHandle {
    /// Sends a frame after those before it. A peer that lets too much pile up is closed.
    pub fn send(&self, frame: Vec<u8>) {
        let queued = self.shared.queued.fetch_add(frame.len(), Ordering::Relaxed) + frame.len();
        if queued > OUTGOING_BYTES_MAX {
            self.shared.close(CloseCode::Overflow, "the peer does not read what it is sent");
        } else {
            // A link that has ended says so by itself.
            let _ = self.outgoing.send(Outgoing::Frame(frame));
        }
    }

    /// The device at the other end has shown a grant: its frames wait for no stranger's any more.
    pub fn peer_is_granted(&self) {
        self.shared.standing.set_granted();
    }

    /// Closes the link once what was sent has arrived, or soon after.
    pub fn close(&self, reason: &str) {
        if self.shared.ending.set(cut(reason)).is_ok() {
            let _ = self.outgoing.send(Outgoing::End);
            self.shared.ends.notify_one();
        }
    }

    /// What it carried so far.
    pub fn traffic(&self) -> Traffic {
        self.shared.connection.traffic()
    }
}

impl Shared {
    /// Closes the connection at once.
    fn close(&self, code: CloseCode, reason: &str) {
        let reason = self.ending.get_or_init(|| cut(reason));
        self.connection.close(code, reason);
    }

    /// The stream is over: whoever ended it is about to say why.
    async fn linger(&self, otherwise: &str, code: CloseCode) -> String {
        let lost = if let Ok(lost) = timeout(2 * FLUSH_MAX, self.connection.closed()).await {
            lost
        } else {
            self.close(code, otherwise);
            self.connection.closed().await
        };
        self.reason(&lost)
    }

    fn reason(&self, lost: &Lost) -> String {
        // A peer that ends what we are ending does so because of it.
        match (lost, self.ending.get()) {
            (Lost::ByUs | Lost::ByPeer(None), Some(reason)) => reason.clone(),
            _ => lost.to_string(),
        }
    }
}

/// Writes until the link is to end; closes the connection then.
async fn write(shared: &Shared, mut frames: mpsc::UnboundedReceiver<Outgoing>, mut send: Sending) {
    let written = async {
        let mut next = frames.recv().await;
        while let Some(Outgoing::Frame(mut bytes)) = next {
            // What is there together goes together: on a slow link each packet costs.
            next = loop {
                match frames.try_recv() {
                    Ok(Outgoing::Frame(frame)) if bytes.len() < WRITTEN_BYTES_MAX => bytes.extend(frame),
                    Ok(other) => break Some(other),
                    Err(_) => break None,
                }
            };
            shared.heard_before.store(shared.connection.traffic().received_bytes, Ordering::Relaxed);
            shared.writes.notify_one();
            if send.write_all(&bytes).await.is_err() {
                return std::future::pending().await;
            }
            shared.queued.fetch_sub(bytes.len(), Ordering::Relaxed);
            shared.counting.count();
            if next.is_none() {
                next = frames.recv().await;
            }
        }
        send.finish().await;
        send.delivered().await;
    };
    let late = async {
        shared.ends.notified().await;
        sleep(FLUSH_MAX).await;
    };
    tokio::select! {
        () = written => {},
        () = late => {},
    }
    shared.close(CloseCode::Session, "stopping");
    std::future::pending::<()>().await;
}

/// Closes a connection that this end dialed when something was written and nothing comes back. Where nothing is
/// written it sleeps: a device at rest is woken by nothing but the network.
async fn watch_silence(shared: &Shared, dialed: bool) {
    let asked = || shared.connection.asked().unwrap_or_default();
    if !dialed || shared.connection.asked().is_none() {
        return std::future::pending().await;
    }
    let (mut heard, mut answered) = (0, 0);
    loop {
        shared.writes.notified().await;
        let (mut silent, mut quiet) = (0, 0);
        let mut ticks = interval(WATCH_EVERY);
        // Until all is answered that was written, and repeated if nobody heard it.
        while quiet <= QUIET_TICKS_MAX {
            ticks.tick().await;
            let received = shared.connection.traffic().received_bytes;
            quiet += 1;
            if received > heard {
                (heard, answered, silent, quiet) = (received, asked(), 0, 0);
            } else if asked() > answered
                || shared.queued.load(Ordering::Relaxed) > 0
                || received <= shared.heard_before.load(Ordering::Relaxed)
            {
                (silent, quiet) = (silent + 1, 0);
            }
            if silent > SILENT_TICKS_MAX {
                shared.close(CloseCode::Stalled, "nothing comes back; trying anew");
                return std::future::pending().await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
