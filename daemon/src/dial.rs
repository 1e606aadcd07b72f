//! Addresses become links: each is dialed until somebody answers, and again when the link ends,
//! ever more rarely while that fails, but often while work waits to be delivered, and for a while after a link that
//! ended before all was said: a link that comes back may be gone before the next attempt. Where links are made at need alone, one ends when all is said; where there is no network,
//! nobody is dialed. An address that leads to this device itself is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use rukun_change::{DeviceKey, SurveyId};
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::attempt::ATTEMPT_MAX;
use crate::connection::{CloseCode, Connection, Peer};
use crate::drive::Core;
use crate::endpoint::Endpoint;
use crate::link::Linker;
use crate::network::{Links, Network, Outlook};

/// The shortest wait before an address is dialed again.
pub const RETRY_MS_MIN: u64 = 500;
/// The longest while somebody is waited for: something is to be delivered, or a link ended too early.
pub const RETRY_AWAITED_MS_MAX: u64 = 5_000;
/// The longest, after more than ten attempts in vain: nothing waits, and each of them wakes the device a dozen times.
pub const RETRY_MS_MAX: u64 = 300_000;
/// For how long a peer is waited for with which more was to be said when its link ended, or which a device that has
/// just been started has not met yet. It may be gone for good, and the battery with it.
pub const AWAITED_MAX: Duration = Duration::from_mins(10);
/// How often a link is made where they are made at need alone, and nothing is to be delivered.
pub const AT_NEED_EVERY: Duration = Duration::from_mins(15);
/// When an address that led to this device itself is tried again.
const MYSELF_AGAIN_AFTER: Duration = Duration::from_mins(10);
/// How long nothing may be said on a link before it is needed no more, where both ends have come to agree: what follows
/// an agreement, such as receipts, comes within that.
const QUIET_AGREED: Duration = Duration::from_secs(5);
/// The same where they have not, and perhaps never do.
const QUIET_OTHERWISE: Duration = Duration::from_mins(1);
/// A link that lasted longer was a good one: what comes after it begins anew.
const GOOD_LINK: Duration = Duration::from_secs(10);
/// How long an address rests while the device behind it is linked by another way. The other way
/// may be dead without anyone knowing.
const LINKED_REST_MAX: Duration = Duration::from_mins(10);
/// How long an address rests whose task has broken off: it may do so again.
const BROKEN_REST: Duration = Duration::from_secs(5);
/// The most addresses of one name that are tried in turn.
const RESOLVED_MAX: usize = 4;

/// Dials what the node is told to dial.
#[derive(Clone, Debug)]
pub struct Dialer {
    endpoint: Endpoint,
    linker: Linker,
    network: Network,
    survey: watch::Receiver<Option<SurveyId>>,
    has_undelivered: watch::Receiver<bool>,
    agreed: watch::Receiver<BTreeSet<DeviceKey>>,
    cut_short: watch::Receiver<BTreeSet<DeviceKey>>,
    chance: fn() -> u64,
}

/// Who is behind an address, as far as is known, and since when it may be waited for.
#[derive(Clone, Copy, Debug)]
struct Prospect {
    device: Option<DeviceKey>,
    awaited_since: Option<Instant>,
}

/// How long to wait before the next attempt: random, below a bound that doubles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Dialer {
    /// One that dials from this endpoint for this node, as its linker's network lets it. When its survey changes, a
    /// network comes, or it has something to deliver, it dials at once.
    pub fn new(endpoint: Endpoint, linker: Linker, core: &Core) -> Self {
        let (survey, has_undelivered) = (core.survey(), core.has_undelivered());
        let (agreed, cut_short) = (core.agreed(), core.cut_short());
        let (network, chance) = (linker.network().clone(), || getrandom::u64().unwrap_or_default());
        Self { endpoint, linker, network, survey, has_undelivered, agreed, cut_short, chance }
    }

    /// The same, its waits drawn by `chance`.
    pub fn by_chance(self, chance: fn() -> u64) -> Self {
        Self { chance, ..self }
    }

    /// Dials these addresses, and those that are listed from time to time, until the list's owner
    /// is gone. The link to an address that is no longer listed is closed. What is found nearby is dialed
    /// as long as it is, and its link stays: who is not heard for a while may be there still.
    pub async fn run(
        self,
        always: Vec<String>,
        mut listed: watch::Receiver<Vec<String>>,
        mut found: watch::Receiver<BTreeSet<SocketAddr>>,
    ) {
        // They end with this one, however it ends.
        let mut tasks = JoinSet::new();
        let mut dialed: BTreeMap<String, AbortHandle> = BTreeMap::new();
        let mut nearby: BTreeMap<SocketAddr, AbortHandle> = BTreeMap::new();
        loop {
            let wanted: Vec<String> =
                always.iter().chain(listed.borrow_and_update().iter()).cloned().collect();
            dialed.retain(|address, task| {
                let keep = wanted.contains(address) && !task.is_finished();
                if !keep {
                    task.abort();
                }
                keep
            });
            for address in wanted {
                let dialer = self.clone();
                let unmet = Prospect { device: None, awaited_since: Some(Instant::now()) };
                let dial = |address: &String| dialer.keep_linked(address.clone(), unmet, false, || true);
                dialed.entry(address).or_insert_with_key(|address| tasks.spawn(dial(address)));
            }
            nearby.retain(|_, task| !task.is_finished());
            let there = found.borrow_and_update().clone();
            for address in there {
                let (dialer, found) = (self.clone(), found.clone());
                let is_there = move || found.borrow().contains(&address);
                // Some walls let neighbours hear each other and not meet.
                let unmet = Prospect { device: None, awaited_since: None };
                let dial = || dialer.keep_linked(address.to_string(), unmet, true, is_there);
                nearby.entry(address).or_insert_with(|| tasks.spawn(dial()));
            }
            tokio::select! {
                changed = listed.changed() => if changed.is_err() { break },
                Ok(()) = found.changed() => {}
                // Taken out, so that what ended is not kept, and dialed anew if it is still wanted.
                Some(ended) = tasks.join_next() => if let Err(error) = ended && error.is_panic() {
                    tracing::error!("an address is dialed anew, since what dialed it broke off: {error}");
                    sleep(BROKEN_REST).await;
                },
            }
        }
    }

    /// Dials an address again and again as long as it is wanted, listed or found near.
    async fn keep_linked(
        mut self,
        address: String,
        mut prospect: Prospect,
        found: bool,
        is_wanted: impl Fn() -> bool,
    ) {
        let mut outlook = self.network.outlook();
        let mut backoff = Backoff::default();
        let mut told = false;
        while is_wanted() {
            if let Some(device) = prospect.device {
                self.rest_while_linked(device).await;
            }
            if outlook.borrow_and_update().links == Links::Off {
                let _ = outlook.wait_for(|outlook| outlook.links != Links::Off).await;
                backoff = Backoff::default();
                continue;
            }
            let attempted = Instant::now();
            let attempt = tokio::select! {
                attempt = self.attempt(&address) => attempt,
                // What was begun on another network, or on none, is begun anew.
                Ok(()) = outlook.changed() => {
                    backoff = Backoff::default();
                    continue;
                }
            };
            match attempt {
                Ok(peer) if peer.key == self.endpoint.key() => {
                    tracing::info!(address, "it leads to this device itself");
                    peer.connection.close(CloseCode::Myself, "this device itself");
                    // On another network it may be another's: a phone that is a hotspot has everyone's usual address.
                    let _ = timeout(MYSELF_AGAIN_AFTER, outlook.changed()).await;
                    backoff = Backoff::default();
                    continue;
                }
                Ok(peer) => {
                    let (began, answer, device) = (Instant::now(), peer.answer(), Some(peer.key));
                    let is_rested = self.link(&address, Peer { found, ..peer }).await;
                    prospect = Prospect { device, awaited_since: (!is_rested).then(Instant::now) };
                    if answer.has_come().await {
                        outlook.mark_unchanged();
                        if began.elapsed() > GOOD_LINK {
                            backoff = Backoff::default();
                        }
                    }
                    told = false;
                }
                Err(error) if told => tracing::debug!(address, "no link: {error}"),
                Err(error) => {
                    tracing::info!(address, "no link: {error}; trying on");
                    told = true;
                }
            }
            // Whoever announces an address may be anybody: what was never met near is not hurried to.
            let may_hurry = !found || prospect.device.is_some();
            self.wait(&prospect, may_hurry, attempted, &mut backoff, &mut outlook).await;
        }
    }

    /// Waits until the next attempt, after one that began then.
    async fn wait(
        &mut self,
        prospect: &Prospect,
        may_hurry: bool,
        attempted: Instant,
        backoff: &mut Backoff,
        outlook: &mut watch::Receiver<Outlook>,
    ) {
        let has_undelivered = *self.has_undelivered.borrow();
        let is_awaited = has_undelivered && may_hurry || prospect.is_awaited(&self.cut_short.borrow());
        let is_at_need = outlook.borrow().links == Links::AtNeed;
        let since_attempt = |wait: Duration| {
            wait.saturating_sub(attempted.elapsed()).max(Duration::from_millis(RETRY_MS_MIN))
        };
        let wait = match (is_awaited, is_at_need) {
            // From when the last attempt began: a link may come back while nothing asks whether it has.
            (true, _) => since_attempt(backoff.next((self.chance)(), RETRY_AWAITED_MS_MAX)),
            (false, true) => since_attempt(AT_NEED_EVERY),
            (false, false) => backoff.next((self.chance)(), RETRY_MS_MAX),
        };
        tokio::select! {
            // Another day may have begun.
            () = sleep(wait) => return self.network.reckon(),
            Ok(()) = self.survey.changed() => {}
            Ok(()) = outlook.changed() => {}
            Ok(_) = self.has_undelivered.wait_for(|has| *has && !has_undelivered) => {}
            Ok(_) = self.cut_short.wait_for(|cut_short| prospect.is_awaited(cut_short) && !is_awaited) => {}
        }
        *backoff = Backoff::default();
    }

    /// A dialed link, until it ends. It is closed if the address is no longer wanted meanwhile, or when it is needed no
    /// more; gives whether it was.
    async fn link(&self, address: &str, peer: Peer) -> bool {
        let connection = peer.connection.clone();
        let _unless_dropped = CloseWhenDropped(connection.clone());
        let (device, key) = (peer.key.short(), peer.key);
        tracing::info!(address, device, "linked");
        let linker = self.linker.clone();
        let mut running = tokio::spawn(async move { linker.run(peer).await });
        let (is_rested, reason) = tokio::select! {
            reason = &mut running => (false, reason),
            () = self.needed_no_more(key, &connection) => {
                connection.close(CloseCode::Resting, "all is said, and links are not kept now");
                let _ = running.await;
                (true, Ok("all is said, and links are not kept now".into()))
            }
        };
        tracing::info!(address, device, "link ended: {}", reason.unwrap_or_default());
        is_rested
    }

    /// Waits until links are made at need alone, and on this one nothing is said any more.
    async fn needed_no_more(&self, device: DeviceKey, connection: &Connection) {
        let (mut outlook, mut undelivered, mut agreed) =
            (self.network.outlook(), self.has_undelivered.clone(), self.agreed.clone());
        loop {
            let at_need = outlook.wait_for(|outlook| outlook.links == Links::AtNeed).await.is_ok();
            if !at_need || undelivered.wait_for(|has| !has).await.is_err() {
                return std::future::pending().await;
            }
            let said = connection.said();
            let quiet =
                if agreed.borrow_and_update().contains(&device) { QUIET_AGREED } else { QUIET_OTHERWISE };
            tokio::select! {
                () = sleep(quiet) => {}
                Ok(()) = agreed.changed() => continue,
            }
            let is_needed = outlook.borrow().links != Links::AtNeed || *undelivered.borrow();
            if !is_needed && connection.said() == said {
                return;
            }
        }
    }

    async fn attempt(&self, address: &str) -> Result<Peer, String> {
        let resolved =
            timeout(ATTEMPT_MAX, lookup_host(address)).await.map_err(|_| "the name takes too long")?;
        let mut last = format!("{address} has no address that can be dialed from here");
        for resolved in
            resolved.map_err(|error| error.to_string())?.filter(|to| self.can_reach(to)).take(RESOLVED_MAX)
        {
            match self.endpoint.reach(resolved).await {
                Ok(peer) => return Ok(peer),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    /// A socket for IPv4 alone reaches no other.
    fn can_reach(&self, to: &SocketAddr) -> bool {
        to.is_ipv4() || self.endpoint.local_addr().is_ok_and(|here| here.is_ipv6())
    }

    /// Two devices may dial each other: the one whose link did not stay waits for its turn.
    async fn rest_while_linked(&self, device: DeviceKey) {
        let mut linked = self.linker.linked();
        let _ = timeout(LINKED_REST_MAX, linked.wait_for(|linked| !linked.contains_key(&device))).await;
    }
}

impl Prospect {
    /// Whether somebody is waited for there, where these links were cut short.
    fn is_awaited(&self, cut_short: &BTreeSet<DeviceKey>) -> bool {
        let has_more_to_say = self.device.is_none_or(|device| cut_short.contains(&device));
        has_more_to_say && self.awaited_since.is_some_and(|since| since.elapsed() < AWAITED_MAX)
    }
}

impl Backoff {
    /// The next wait, by a random number, and no longer than this.
    pub fn next(&mut self, random: u64, retry_ms_max: u64) -> Duration {
        let doubled = RETRY_MS_MIN.saturating_mul(2_u64.saturating_pow(self.attempts + 1));
        self.attempts = (self.attempts + 1).min(u64::BITS);
        let bound = doubled.min(retry_ms_max);
        Duration::from_millis(RETRY_MS_MIN + random % (bound - RETRY_MS_MIN + 1))
    }
}

/// Closes a connection when the task that wanted it is gone; no change if it has ended.
struct CloseWhenDropped(Connection);

impl Drop for CloseWhenDropped {
    fn drop(&mut self) {
        self.0.close(CloseCode::Forgotten, "no longer dialed");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rukun_authority::{Charter, Keypair, Role};
    use rukun_change::Digest;
    use rukun_replica::{NewGrant, Replica};

    use super::*;
    use crate::disk::Folder;
    use crate::drive;

    static DRAWN: AtomicUsize = AtomicUsize::new(0);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_address_whose_task_broke_off_is_dialed_again() {
        let parent = tempfile::tempdir().unwrap();
        let store = Folder::at(parent.path().join("data")).create_store().unwrap();
        let keypair = Keypair::from_seed(store.device_seed());
        let driven = drive::start(Replica::open(store, [1; 32]).unwrap()).unwrap();
        let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), &keypair).unwrap();
        let breaks_off = || match DRAWN.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("no chance"),
            _ => 0,
        };
        let dialer = Dialer::new(endpoint, driven.linker, &driven.core).by_chance(breaks_off);
        let (_finding, found) = watch::channel(BTreeSet::new());
        // Without a port, it fails at once.
        let dialing = tokio::spawn(dialer.run(vec!["127.0.0.1".into()], driven.core.addresses(), found));
        let again = async {
            while DRAWN.load(Ordering::SeqCst) < 2 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(BROKEN_REST * 4, again).await.expect("it is dialed again");
        dialing.abort();
    }

    /// What a node that is found near is told first by an office, which has granted it something or not; nothing if
    /// that closes the connection.
    async fn told_when_found(granted: bool) -> Option<Vec<u8>> {
        const QUESTIONNAIRE: &[u8] = include_bytes!("../data/regsosek-k.csv");
        let parent = tempfile::tempdir().unwrap();
        let store = Folder::at(parent.path().join("data")).create_store().unwrap();
        let keypair = Keypair::from_seed(store.device_seed());
        let mut office = Replica::open(store, [1; 32]).unwrap();
        let charter = Charter {
            name: "Regsosek".into(),
            code: "REGSOSEK".into(),
            period: ("2022-10-15".into(), "2022-11-14".into()),
            questionnaire: Digest::of(QUESTIONNAIRE),
            dictionary: None,
        };
        let grant = |subject, role| {
            let regions = vec!["1811".parse().unwrap()];
            NewGrant { subject, role, regions, name: "Siti".into() }
        };
        let own = grant(office.device(), Role::District);
        office.found(&Keypair::from_seed(&[2; 32]), charter, QUESTIONNAIRE, own).unwrap();
        let near = Endpoint::bind("127.0.0.1:0".parse().unwrap(), &Keypair::from_seed(&[3; 32])).unwrap();
        if granted {
            office.grant(None, grant(near.key(), Role::Enumerator)).unwrap();
        }
        office.commit().unwrap();
        let driven = drive::start(office).unwrap();
        let endpoint = Endpoint::bind("127.0.0.1:0".parse().unwrap(), &keypair).unwrap();
        let dialer = Dialer::new(endpoint, driven.linker, &driven.core);
        let (_finding, found) = watch::channel(BTreeSet::from([near.local_addr().unwrap()]));
        let dialing = tokio::spawn(dialer.run(Vec::new(), driven.core.addresses(), found));
        let told = async {
            let peer = near.arriving().await.unwrap().handshake().await.unwrap();
            let (_send, mut recv) = peer.connection.stream(false).await.ok()?;
            recv.chunk().await.ok().flatten()
        };
        let told = timeout(Duration::from_secs(20), told).await.expect("it is dialed");
        dialing.abort();
        told
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_is_found_near_is_greeted_only_with_a_grant() {
        assert!(told_when_found(true).await.is_some());
        assert_eq!(told_when_found(false).await, None);
    }

    #[test]
    fn waits_double_stay_within_bounds_and_spread() {
        let mut backoff = Backoff::default();
        let longest: Vec<u128> =
            (0..12).map(|_| backoff.next(u64::MAX - 1, RETRY_MS_MAX).as_millis()).collect();
        assert!(longest.iter().all(|ms| (500..=300_000).contains(ms)), "{longest:?}");
        let bounds: Vec<Duration> = (0..11).map(|attempts| most(Backoff { attempts })).collect();
        let expected =
            [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000];
        assert_eq!(bounds, expected.map(Duration::from_millis));
        let urgent =
            (0..40_000).map(|random| Backoff { attempts: 9 }.next(random, RETRY_AWAITED_MS_MAX)).max();
        assert_eq!(urgent, Some(Duration::from_secs(5)));
        assert_eq!(Backoff { attempts: 64 }.next(0, RETRY_MS_MAX), Duration::from_millis(500));
    }

    fn most(backoff: Backoff) -> Duration {
        (0..400_000).map(|random| backoff.clone().next(random, RETRY_MS_MAX)).max().unwrap()
    }
}
