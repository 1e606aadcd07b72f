//! How many connections and handshakes there may be at a time: in all, and from one address, so that whoever opens
//! them in great number and says nothing leaves places to others. Who was greeted in time is no newcomer any more; a
//! newcomer that has not greeted by then is closed by the core. Nothing is known here of who it is.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::attempt::ConnectError;

/// The most connections at a time: a district's devices and room for as many again.
pub const CONNECTIONS_MAX: usize = 1024;
/// The most of them from one address that are new. Many phones of one operator may share an address.
pub const NEWCOMERS_MAX: usize = 256;
/// How long a connection is new: longer than it may take to shake hands, to begin the stream and to greet.
pub const NEWCOMER_MAX: Duration = Duration::from_mins(2);
/// The most connections at a time that this end wants, and those that it is about to have: strangers take none of these.
pub const DIALS_MAX: usize = 256;
/// The most handshakes at a time.
pub const HANDSHAKES_MAX: usize = 128;
/// The most of them from one address.
pub const ADDRESS_HANDSHAKES_MAX: usize = 32;

/// How many times the share of one address is this machine's own.
const LOOPBACK_TIMES: usize = 2;

/// The places there are for connections and for handshakes. Its clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    connections: Arc<Semaphore>,
    dials: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    newcomers: Tally,
    shaking_hands: Tally,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: Option<Counted>,
}

/// Who has a place now, by address, and since when.
#[derive(Clone, Debug, Default)]
struct Tally(Arc<Mutex<Since>>);

#[derive(Debug, Default)]
struct Since {
    next: u64,
    by_address: BTreeMap<IpAddr, BTreeMap<u64, Instant>>,
}

/// One of those counted.
#[derive(Debug)]
struct Counted {
    tally: Tally,
    address: IpAddr,
    number: u64,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            dials: Arc::new(Semaphore::new(DIALS_MAX)),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            newcomers: Tally::default(),
            shaking_hands: Tally::default(),
        }
    }

    /// The same for connections, and others for handshakes: who opens many of one kind and says nothing takes none
    /// of the other's.
    pub(crate) fn beside(&self) -> Self {
        Self {
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            shaking_hands: Tally::default(),
            ..self.clone()
        }
    }

    /// A place for a connection that this end wants.
    pub(crate) fn one(&self) -> Result<Place, ConnectError> {
        let permit = Arc::clone(&self.dials).try_acquire_owned();
        let permit = permit.map_err(|_| ConnectError::Full { max: DIALS_MAX })?;
        Ok(Place { _permit: permit, _counted: None })
    }

    /// Places for one who arrives from there, and for its handshake; nothing at the limit of either.
    pub(crate) fn for_arriving(&self, from: IpAddr, now: Instant) -> Option<(Place, Place)> {
        let from = shared_by(from);
        let newcomer = self.newcomers.count(from, now, NEWCOMERS_MAX)?;
        let greeted = self.shaking_hands.count(from, now, ADDRESS_HANDSHAKES_MAX)?;
        let place = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        let handshake = Arc::clone(&self.handshakes).try_acquire_owned().ok()?;
        Some((
            Place { _permit: place, _counted: Some(newcomer) },
            Place { _permit: handshake, _counted: Some(greeted) },
        ))
    }

    /// Whether more than half of the handshakes that there may be are under way, in all or from there: an address
    /// that is not proved may be another's, whose places it would take.
    pub(crate) fn are_handshakes_scarce(&self, from: IpAddr) -> bool {
        self.handshakes.available_permits() < HANDSHAKES_MAX / 2
            || self.shaking_hands.of(shared_by(from)) > ADDRESS_HANDSHAKES_MAX / 2
    }
}

impl Tally {
    /// One more from there, unless there are so many. This machine's own are as many again, and leave the others half.
    fn count(&self, address: IpAddr, now: Instant, max: usize) -> Option<Counted> {
        let mut since = self.since();
        let number = since.next;
        let there = since.by_address.entry(address).or_default();
        there.retain(|_, since| now.duration_since(*since) < NEWCOMER_MAX);
        let max = if address.is_loopback() { LOOPBACK_TIMES * max } else { max };
        if there.len() >= max {
            return None;
        }
        there.insert(number, now);
        since.next += 1;
        drop(since);
        Some(Counted { tally: self.clone(), address, number })
    }

    fn of(&self, address: IpAddr) -> usize {
        self.since().by_address.get(&address).map_or(0, BTreeMap::len)
    }

    fn since(&self) -> MutexGuard<'_, Since> {
        self.0.lock().expect("nobody panics while counting")
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut since = self.tally.since();
        if let Some(there) = since.by_address.get_mut(&self.address) {
            there.remove(&self.number);
            if there.is_empty() {
                since.by_address.remove(&self.address);
            }
        }
    }
}

/// Of IPv6 the network of 64 bits, since whoever has one address of it has all.
fn shared_by(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Comes so often, its handshakes completed at once.
    fn arrive(places: &Places, from: &str, now: Instant, times: usize) -> Vec<Place> {
        let arrived = (0..times).filter_map(|_| places.for_arriving(address(from), now));
        arrived.map(|(place, _)| place).collect()
    }

    #[test]
    fn silent_newcomers_of_one_address_leave_places_to_others() {
        let (places, now) = (Places::new(), Instant::now());
        let silent = arrive(&places, "203.0.113.7", now, CONNECTIONS_MAX);
        assert_eq!(silent.len(), NEWCOMERS_MAX);
        assert_eq!(arrive(&places, "::ffff:203.0.113.7", now, 1).len(), 0, "the same, written otherwise");
        let others = arrive(&places, "198.51.100.1", now, 10);
        assert_eq!(others.len(), 10);
        // Those of one network of IPv6 are one.
        let mut network = arrive(&places, "2001:db8::1", now, NEWCOMERS_MAX / 2);
        network.extend(arrive(&places, "2001:db8::ffff:2", now, NEWCOMERS_MAX));
        assert_eq!(network.len(), NEWCOMERS_MAX);
        assert_eq!(arrive(&places, "2001:db8:0:1::1", now, 1).len(), 1);
        // Who leaves makes room for another of the same address.
        drop(silent);
        assert_eq!(arrive(&places, "203.0.113.7", now, 1).len(), 1);
    }

    #[test]
    fn whoever_has_stayed_is_no_newcomer() {
        let (places, now) = (Places::new(), Instant::now());
        let stay = arrive(&places, "203.0.113.7", now, NEWCOMERS_MAX);
        let now = now + NEWCOMER_MAX;
        let more = arrive(&places, "203.0.113.7", now, NEWCOMERS_MAX);
        assert_eq!((stay.len(), more.len()), (NEWCOMERS_MAX, NEWCOMERS_MAX));
        // Also when those that are no longer counted go.
        drop(stay);
        assert_eq!(arrive(&places, "203.0.113.7", now, 1).len(), 0);
        drop(more);
        assert!(places.newcomers.since().by_address.is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn handshakes_of_one_address_leave_some_to_others_and_soon_need_a_proved_address() {
        let (places, now) = (Places::new(), Instant::now());
        let mut begun = Vec::new();
        while begun.len() <= ADDRESS_HANDSHAKES_MAX / 2 {
            assert!(!places.are_handshakes_scarce(address("203.0.113.7")));
            begun.extend(places.for_arriving(address("203.0.113.7"), now));
        }
        assert!(places.are_handshakes_scarce(address("203.0.113.7")));
        assert!(!places.are_handshakes_scarce(address("198.51.100.1")));
        begun.extend((0..HANDSHAKES_MAX).filter_map(|_| places.for_arriving(address("203.0.113.7"), now)));
        assert_eq!(begun.len(), ADDRESS_HANDSHAKES_MAX);
        assert!(places.for_arriving(address("198.51.100.1"), now).is_some());
        assert!(
            places.beside().for_arriving(address("203.0.113.7"), now).is_some(),
            "over the other carrier"
        );
    }

    #[test]
    fn this_machine_leaves_half_of_the_places_to_others() {
        let (places, now) = (Places::new(), Instant::now());
        assert_eq!(arrive(&places, "127.0.0.1", now, CONNECTIONS_MAX).len(), CONNECTIONS_MAX / 2);
        let others = Places::new();
        let handshakes: Vec<_> =
            (0..HANDSHAKES_MAX).filter_map(|_| others.for_arriving(address("::1"), now)).collect();
        assert_eq!(handshakes.len(), HANDSHAKES_MAX / 2);
        assert!(others.for_arriving(address("203.0.113.7"), now).is_some());
    }
}
