//! The core thread: it alone owns the replica. What links bring and what people ask becomes inputs,
//! many to one commit; what is then released goes out to the links, to those who asked, and to
//! those who listen. A disk that fails ends the thread, and nothing uncommitted is ever told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rukun_change::{DeviceKey, Moment, SurveyId};
use rukun_replica::{Event, Input, LinkId, Output, Replica, ReplicaError};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::clock;
use crate::link::{Checks, FromLink, LinkHandle, Linker};
use crate::news::told;
use crate::notice::{Board, Notices};
use crate::verbs::{self, Request, VerbError};

mod carried;
use carried::Carried;

/// How long after an erasure the store is made anew: others may follow.
const RENEW_AFTER_MS: u64 = 2_000;
/// The most inputs that share a commit.
const BATCH_INPUTS_MAX: usize = 256;
/// The most requests that share a commit.
const BATCH_ASKS_MAX: usize = 32;
const ASKS_MAX: usize = 64;
const EVENTS_MAX: usize = 1_024;

/// A handle on the core thread, for as many as like.
#[derive(Clone, Debug)]
pub struct Core {
    asks: mpsc::Sender<Ask>,
    /// What is told ends with the driver, whoever still has this.
    events: broadcast::WeakSender<Value>,
    notices: Notices,
}

/// A core thread that runs.
#[derive(Debug)]
pub struct Driven {
    /// What to ask it by.
    pub core: Core,
    /// What makes links to it.
    pub linker: Linker,
    /// How it ended, once it has.
    pub ended: oneshot::Receiver<Result<Ended, ReplicaError>>,
    /// Ends it properly when something is sent.
    pub stop: oneshot::Sender<()>,
}

/// Why a core thread ended properly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// A record was erased or released: the store is to be made anew, and opening it does so.
    ToRenew,
}

#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) request: Request,
    pub(crate) answer: oneshot::Sender<Result<Value, VerbError>>,
}

enum Work {
    Ask(Ask),
    Link(FromLink),
    Tick,
    Renew,
    Stop,
}

struct Driver {
    replica: Replica,
    asks: mpsc::Receiver<Ask>,
    from_links: mpsc::Receiver<FromLink>,
    stop: oneshot::Receiver<()>,
    links: BTreeMap<LinkId, OpenLink>,
    carried: Carried,
    events: broadcast::Sender<Value>,
    board: Board,
    now: fn() -> Moment,
    /// When the store is to be made anew, by the steady clock.
    renew_at_ms: Option<u64>,
}

struct OpenLink {
    peer: DeviceKey,
    handle: LinkHandle,
}

type Answer = (oneshot::Sender<Result<Value, VerbError>>, Result<Value, VerbError>);

/// Starts the core thread. Must be called within a Tokio runtime with threads.
///
/// # Errors
/// If the store can't be read, or there can be no thread.
pub fn start(replica: Replica) -> anyhow::Result<Driven> {
    let (driven, core) = prepare(replica, clock::now, Checks::OnThreads)?;
    let runtime = Handle::current();
    std::thread::Builder::new().name("core".into()).spawn(move || runtime.block_on(core))?;
    Ok(driven)
}

/// A core that runs where the future is polled, by this clock.
///
/// # Errors
/// If the store can't be read.
pub fn prepare(
    mut replica: Replica,
    now: fn() -> Moment,
    checks: Checks,
) -> anyhow::Result<(Driven, impl Future<Output = ()> + Send)> {
    replica.sum_up()?;
    let (asks, to_answer) = mpsc::channel(ASKS_MAX);
    let (links, from_links) = mpsc::channel(BATCH_INPUTS_MAX);
    let (stop, stopped) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let (board, notices) = Board::new(&replica)?;
    let events = broadcast::Sender::new(EVENTS_MAX);
    let core = Core { asks, events: events.downgrade(), notices };
    let driver = Driver {
        replica,
        asks: to_answer,
        from_links,
        stop: stopped,
        links: BTreeMap::new(),
        carried: Carried::default(),
        events,
        board,
        now,
        renew_at_ms: None,
    };
    let run = async {
        // Nobody listens any more only when the whole process is ending.
        let _ = end.send(driver.run().await);
    };
    let linker = Linker::new(links, core.survey(), checks);
    Ok((Driven { core, linker, ended, stop }, run))
}

impl Core {
    /// Asks the node; the answer comes after all that it tells of is durable.
    ///
    /// # Errors
    /// If the node says no, or has stopped.
    pub async fn ask(&self, request: Request) -> Result<Value, VerbError> {
        let stopped = || VerbError::new("the node has stopped", "see the daemon's log").with_status(503);
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask { request, answer }).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// What happens from now on, until the node stops. Who listens too slowly is told how much was missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Value> {
        self.events.upgrade().map_or_else(|| broadcast::channel(1).1, |events| events.subscribe())
    }

    /// The addresses to dial.
    pub fn addresses(&self) -> watch::Receiver<Vec<String>> {
        self.notices.addresses.clone()
    }

    /// Whether something was written here that nobody else is known to hold.
    pub fn has_undelivered(&self) -> watch::Receiver<bool> {
        self.notices.has_undelivered.clone()
    }

    /// The peers with which nothing is left to be said now.
    pub fn agreed(&self) -> watch::Receiver<BTreeSet<DeviceKey>> {
        self.notices.agreed.clone()
    }

    /// The peers whose last link ended before all was said.
    pub fn cut_short(&self) -> watch::Receiver<BTreeSet<DeviceKey>> {
        self.notices.cut_short.clone()
    }

    /// The survey that the node takes part in.
    pub fn survey(&self) -> watch::Receiver<Option<SurveyId>> {
        self.notices.survey.clone()
    }
}

impl Driver {
    async fn run(mut self) -> Result<Ended, ReplicaError> {
        loop {
            match self.next().await {
                Work::Stop => return self.end().map(|()| Ended::Stopped),
                Work::Renew => return self.end().map(|()| Ended::ToRenew),
                first => self.batch(first)?,
            }
        }
    }

    async fn next(&mut self) -> Work {
        let (deadline, renewal, now) = (self.replica.deadline(), self.renew_at_ms, self.now);
        let at = async |at_ms: Option<u64>| {
            let Some(at_ms) = at_ms else { return std::future::pending().await };
            tokio::time::sleep(Duration::from_millis(at_ms.saturating_sub(now().steady_ms))).await;
        };
        // In this order, so that nothing is left to chance; a batch takes of all that waits anyhow.
        tokio::select! {
            biased;
            _ = &mut self.stop => Work::Stop,
            () = at(deadline) => Work::Tick,
            () = at(renewal) => Work::Renew,
            Some(ask) = self.asks.recv() => Work::Ask(ask),
            Some(news) = self.from_links.recv() => Work::Link(news),
        }
    }

    /// One commit for the first piece of work and all that waits behind it. If it fails, that is the
    /// answer to all who asked.
    fn batch(&mut self, first: Work) -> Result<(), ReplicaError> {
        let mut answers = Vec::new();
        let done = self.commit_batch(first, &mut answers);
        if done.is_ok() && !answers.is_empty() {
            self.notice_settings();
        }
        self.board.notice_work(&self.replica);
        for (to, answer) in answers {
            let answer = match &done {
                Ok(()) => answer,
                Err(error) => Err(VerbError::new(error, "").with_status(500)),
            };
            // Who asked may have gone.
            let _ = to.send(answer);
        }
        done
    }

    fn commit_batch(&mut self, first: Work, answers: &mut Vec<Answer>) -> Result<(), ReplicaError> {
        self.work(first, answers)?;
        for _ in 0..BATCH_ASKS_MAX {
            let Ok(ask) = self.asks.try_recv() else { break };
            self.work(Work::Ask(ask), answers)?;
        }
        for _ in 0..BATCH_INPUTS_MAX {
            let Ok(news) = self.from_links.try_recv() else { break };
            self.work(Work::Link(news), answers)?;
        }
        self.replica.commit()?;
        self.route();
        Ok(())
    }

    fn work(&mut self, work: Work, answers: &mut Vec<Answer>) -> Result<(), ReplicaError> {
        let now = (self.now)();
        match work {
            Work::Ask(Ask { request, answer }) => {
                let wants_traffic = matches!(request, Request::Status);
                let mut answered = verbs::answer(&mut self.replica, now, request);
                if let (true, Ok(status)) = (wants_traffic, &mut answered) {
                    let open = self.links.values().map(|open| (open.peer, open.handle.traffic()));
                    self.carried.tell(status, open);
                }
                answers.push((answer, answered));
            }
            // Whoever heard an announcement can make it anew: who takes part is not told to strangers.
            Work::Link(FromLink::Opened { peer, found: true, handle, .. })
                if self.replica.trust().is_some() && !self.is_granted(&peer) =>
            {
                handle.close("no grant of this device is known here yet");
            }
            Work::Link(FromLink::Opened { link, peer, dialed, found: _, handle }) => {
                if self.is_granted(&peer) {
                    handle.peer_is_granted();
                }
                self.links.insert(link, OpenLink { peer, handle });
                self.replica.handle(now, Input::LinkOpened { link, peer, dialed })?;
            }
            Work::Link(FromLink::Received { link, frame, place: _ }) => {
                self.replica.handle(now, Input::Received { link, frame })?;
            }
            Work::Link(FromLink::Closed { link, reason }) => {
                if let Some(ended) = self.links.remove(&link) {
                    let known = self.is_granted(&ended.peer).then_some(ended.peer);
                    self.carried.add(known, ended.handle.traffic());
                }
                self.replica.handle(now, Input::LinkClosed { link, reason })?;
            }
            Work::Tick => self.replica.handle(now, Input::Tick)?,
            Work::Renew | Work::Stop => {}
        }
        Ok(())
    }

    fn route(&mut self) {
        while let Some(output) = self.replica.poll() {
            match output {
                Output::Send { link, bytes } => {
                    if let Some(open) = self.links.get(&link) {
                        open.handle.send(bytes);
                    }
                }
                Output::Close { link, reason } => {
                    if let Some(open) = self.links.get(&link) {
                        tracing::debug!(device = open.peer.short(), "closing a link: {reason}");
                        open.handle.close(&reason);
                    }
                }
                Output::Event(event) => self.tell(&event),
            }
        }
    }

    fn tell(&mut self, event: &Event) {
        match event {
            Event::Erased { record } => {
                tracing::info!(
                    "record {record} was erased; its answers are gone, and the store is made anew"
                );
                self.renew_at_ms = Some((self.now)().steady_ms + RENEW_AFTER_MS);
            }
            Event::Released { sub_sls, records } => {
                let count = records.len();
                tracing::info!(
                    "{sub_sls} is no longer this device's: {count} of its records were taken out, since the district \
                     has them; the store is made anew"
                );
                self.renew_at_ms = Some((self.now)().steady_ms + RENEW_AFTER_MS);
            }
            Event::PeerUp { peer } => {
                tracing::info!(device = peer.short(), "session begins");
                for open in self.links.values().filter(|open| open.peer == *peer) {
                    open.handle.peer_is_granted();
                }
            }
            Event::PeerDown { peer, reason } => {
                tracing::info!(device = peer.short(), "session ended: {reason}");
            }
            Event::Brought { sender, courier } => {
                let sender = sender.short();
                tracing::info!(device = courier.short(), "it brought a bundle of device {sender}");
            }
            Event::Waits { peer, change } => {
                tracing::debug!(device = peer.short(), "change {change:.12} waits at the peer");
            }
            Event::Refused { peer, reason } => tracing::warn!(device = peer.short(), "refused: {reason}"),
            other => tracing::debug!("{other:?}"),
        }
        // Without listeners there is nobody to tell.
        let _ = self.events.send(told(event));
    }

    /// What a request may have changed besides records. Links from before this node was in a
    /// survey have greeted wrongly: they begin anew.
    fn notice_settings(&mut self) {
        match self.board.notice_settings(&self.replica) {
            Ok(false) => {}
            Ok(true) => {
                for open in self.links.values() {
                    open.handle.close("this device has joined a survey");
                }
            }
            Err(error) => tracing::warn!("the addresses to dial cannot be read: {error}"),
        }
    }

    fn is_granted(&self, device: &DeviceKey) -> bool {
        self.replica.trust().is_some_and(|trust| trust.ever_granted(device))
    }

    /// Leaves everything as a later start wants to find it.
    fn end(mut self) -> Result<(), ReplicaError> {
        for link in std::mem::take(&mut self.links).into_keys() {
            let reason = "stopping".to_string();
            self.replica.handle((self.now)(), Input::LinkClosed { link, reason })?;
        }
        self.replica.commit()?;
        self.route();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rukun_change::Incarnation;
    use rukun_replica::{InMemoryBackend, NewStore, StorageBackend, Store, Unlock};

    use super::*;
    use crate::verbs::{StatusShape, TrafficShape};

    /// A disk that fails once told to.
    #[derive(Debug)]
    struct Disk {
        memory: InMemoryBackend,
        failed: Arc<AtomicBool>,
    }

    impl Disk {
        fn works(&self) -> io::Result<()> {
            if self.failed.load(Ordering::SeqCst) { Err(io::Error::other("no such sector")) } else { Ok(()) }
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            self.memory.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.memory.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.works().and_then(|()| self.memory.set_len(len))
        }

        fn sync_data(&self) -> io::Result<()> {
            self.works().and_then(|()| self.memory.sync_data())
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.works().and_then(|()| self.memory.write(offset, data))
        }
    }

    fn driven() -> (Driven, Arc<AtomicBool>) {
        let failed = Arc::new(AtomicBool::new(false));
        let disk = Disk { memory: InMemoryBackend::new(), failed: Arc::clone(&failed) };
        let new = NewStore { device_seed: [1; 32], incarnation: Incarnation::from_bytes([1; 4]) };
        let entropy = &mut ChaCha20Rng::from_seed([2; 32]);
        let store = Store::create(disk, Unlock::KeyFile(&[3; 32]), &new, entropy).unwrap();
        (start(Replica::open(store, [4; 32]).unwrap()).unwrap(), failed)
    }

    fn add(address: &str) -> Request {
        Request::PeerAdd { address: address.into() }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_new_address_is_dialed_without_a_restart() {
        let (driven, _) = driven();
        let mut addresses = driven.core.addresses();
        driven.core.ask(add("relay.example:4711")).await.unwrap();
        let told = addresses.wait_for(|addresses| !addresses.is_empty());
        let told = tokio::time::timeout(Duration::from_secs(10), told).await.unwrap().unwrap();
        assert_eq!(*told, ["relay.example:4711"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn joining_a_survey_is_told_to_those_who_dial() {
        let (driven, _) = driven();
        let survey = SurveyId::from_bytes([7; 32]);
        driven.core.ask(Request::Join { survey, peers: Vec::new() }).await.unwrap();
        let mut now = driven.core.survey();
        let told = now.wait_for(|now| *now == Some(survey));
        tokio::time::timeout(Duration::from_secs(10), told).await.unwrap().unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_status_with_its_traffic_reads_as_its_shape() {
        let (driven, _) = driven();
        let status = driven.core.ask(Request::Status).await.unwrap();
        let status: StatusShape = serde_json::from_value(status).unwrap();
        assert_eq!(status.traffic, Some(TrafficShape::default()));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_answered_after_the_disk_failed_and_the_core_ends() {
        let (driven, failed) = driven();
        driven.core.ask(add("one.example:1")).await.unwrap();
        failed.store(true, Ordering::SeqCst);
        let refused = driven.core.ask(add("two.example:2")).await.unwrap_err();
        assert!((500..600).contains(&refused.status), "{refused:?}");
        let ended = tokio::time::timeout(Duration::from_secs(10), driven.ended).await.unwrap().unwrap();
        assert!(ended.is_err());
        assert_eq!(driven.core.ask(Request::PeerList).await.unwrap_err().status, 503);
        assert_eq!(*driven.core.addresses().borrow(), ["one.example:1"], "what is not durable is not dialed");
    }
}
