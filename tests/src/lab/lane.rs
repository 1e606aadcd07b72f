//! One direction of a link: packets that are offered become packets that are due, later, out of order,
//! twice or never. Time comes in as an argument and chance from a seed, so that what is offered the same
//! way comes out the same way.

use std::collections::{BTreeMap, VecDeque};
use std::iter::from_fn;

use super::profile::Way;
use crate::world::chance::Chance;

const MILLION: u64 = 1_000_000;
const UDP: u8 = 17;
const TCP: u8 = 6;
/// How many packets a burst of loss takes on average.
const BURST_MEAN: u64 = 3;

/// One direction of a link.
#[derive(Debug)]
pub struct Lane {
    way: Way,
    chance: Chance,
    in_burst: bool,
    /// When what was offered so far will have left.
    free_at_us: u64,
    last_due_us: u64,
    /// What has not left yet, and when it will have.
    queue: VecDeque<(u64, u64)>,
    queued_bytes: u64,
    flying: BTreeMap<(u64, u64), Vec<u8>>,
    offered: u64,
    carried: Carried,
}

/// What went into a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Packets.
    pub packets: u64,
    /// What UDP or TCP carried in them.
    pub payload_bytes: u64,
    /// Packets that were lost on the way.
    pub lost: u64,
    /// What was in these.
    pub lost_bytes: u64,
    /// Packets that were offered while the link was down.
    pub in_vain: u64,
}

impl Carried {
    /// What went in since then.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            packets: self.packets - before.packets,
            payload_bytes: self.payload_bytes - before.payload_bytes,
            lost: self.lost - before.lost,
            lost_bytes: self.lost_bytes - before.lost_bytes,
            in_vain: self.in_vain - before.in_vain,
        }
    }
}

impl Lane {
    /// One whose luck is of this seed.
    pub fn new(way: Way, seed: u64) -> Self {
        Self {
            way,
            chance: Chance::new(seed),
            in_burst: false,
            free_at_us: 0,
            last_due_us: 0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            flying: BTreeMap::new(),
            offered: 0,
            carried: Carried::default(),
        }
    }

    /// A packet of IP is to be sent.
    pub fn offer(&mut self, now_us: u64, is_up: bool, packet: &[u8]) {
        let payload = payload_bytes(packet);
        if !is_up {
            self.carried.in_vain += 1;
            return;
        }
        self.carried.packets += 1;
        self.carried.payload_bytes += payload;
        while let Some((_, bytes)) = self.queue.pop_front_if(|(left_at, _)| *left_at <= now_us) {
            self.queued_bytes -= bytes;
        }
        let bytes = packet.len() as u64;
        let may_pass = self.way.udp_passes || packet.get(9) != Some(&UDP);
        if !may_pass || self.queued_bytes + bytes > self.way.queue_bytes_max || self.is_lost() {
            self.carried.lost += 1;
            self.carried.lost_bytes += payload;
            return;
        }
        self.free_at_us = self.free_at_us.max(now_us) + bytes * 8 * MILLION / self.way.rate_bits;
        self.queue.push_back((self.free_at_us, bytes));
        self.queued_bytes += bytes;
        let copies = if self.happens(self.way.doubled_ppm) { 2 } else { 1 };
        for _ in 0..copies {
            let due_us = self.due_us();
            self.offered += 1;
            self.flying.insert((due_us, self.offered), packet.to_vec());
        }
    }

    /// The packets that have arrived by now.
    pub fn arrived(&mut self, now_us: u64) -> impl Iterator<Item = Vec<u8>> {
        from_fn(move || {
            let first = self.flying.first_entry()?;
            (first.key().0 <= now_us).then(|| first.remove())
        })
    }

    /// When the next packet arrives.
    pub fn next_us(&self) -> Option<u64> {
        self.flying.keys().next().map(|(due_us, _)| *due_us)
    }

    /// All that is on its way is lost.
    pub fn drop_all(&mut self) {
        self.carried.lost += self.flying.len() as u64;
        self.carried.lost_bytes += self.flying.values().map(|packet| payload_bytes(packet)).sum::<u64>();
        self.flying.clear();
        self.queue.clear();
        (self.queued_bytes, self.free_at_us) = (0, 0);
    }

    /// What went in.
    pub fn carried(&self) -> Carried {
        self.carried
    }

    fn due_us(&mut self) -> u64 {
        let left_us = self.free_at_us + self.way.delay_us;
        if self.happens(self.way.overtaking_ppm) {
            return left_us.saturating_sub(self.way.delay_us / 2);
        }
        // What is late holds back what follows, as the lower layers of mobile networks do.
        self.last_due_us = self.last_due_us.max(left_us + self.chance.between(0, self.way.jitter_us_max));
        self.last_due_us
    }

    fn is_lost(&mut self) -> bool {
        if self.in_burst {
            self.in_burst = !self.chance.one_in(BURST_MEAN);
            return true;
        }
        let drawn = self.chance.between(0, MILLION - 1);
        let (alone, burst) = (self.way.lost_ppm / 2, self.way.lost_ppm / 2 / BURST_MEAN);
        self.in_burst = drawn < burst;
        drawn < alone + burst
    }

    fn happens(&mut self, ppm: u64) -> bool {
        self.chance.between(0, MILLION - 1) < ppm
    }
}

/// What UDP or TCP carries in a packet of IPv4; nothing for any other.
fn payload_bytes(packet: &[u8]) -> u64 {
    let Some(first) = packet.first().filter(|first| *first >> 4 == 4) else { return 0 };
    let header = usize::from(first & 0xf) * 4;
    let inner = packet.get(header..).unwrap_or_default();
    let inner_header = match packet.get(9) {
        Some(&UDP) => 8,
        Some(&TCP) => inner.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4),
        _ => return 0,
    };
    inner.len().saturating_sub(inner_header) as u64
}

#[cfg(test)]
mod tests {
    use super::super::profile::Profile;
    use super::*;

    /// UDP with this much in it.
    fn packet(payload: usize) -> Vec<u8> {
        let mut packet = vec![0; 28 + payload];
        (packet[0], packet[9]) = (0x45, 17);
        packet
    }

    fn lane(name: &str, seed: u64) -> Lane {
        Lane::new(Profile::named(name).unwrap().down, seed)
    }

    #[test]
    fn what_is_offered_the_same_way_comes_out_the_same_way() {
        let run = |seed| {
            let mut lane = lane("gprs", seed);
            let mut came = Vec::new();
            for at in 0..400 {
                lane.offer(at * 90_000, true, &packet(200 + at as usize));
                came.extend(lane.arrived(at * 90_000).map(|packet| (at, packet.len())));
            }
            came
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn a_lane_loses_as_many_as_its_profile_says_and_is_as_fast() {
        let mut lane = lane("gprs", 3);
        let (packets, payload) = (40_000_u64, 597);
        // Just the rate: 625 bytes in 100 ms.
        let came = (0..packets).map(|at| {
            lane.offer(at * 100_000, true, &packet(payload));
            lane.arrived(at * 100_000).count() as u64
        });
        let came: u64 = came.sum();
        let Carried { packets: sent, lost, payload_bytes, .. } = lane.carried();
        assert_eq!((sent, payload_bytes), (packets, packets * payload as u64));
        let per_mille = lost * 1_000 / packets;
        assert!((27..=33).contains(&per_mille), "{per_mille}");
        // A few are doubled, and the last are still on their way.
        assert!(came.abs_diff(packets - lost + packets / 1_000) < 40, "{came} {lost}");
        lane.offer(packets * 100_000, true, &packet(payload));
        let last = lane.flying.keys().next_back().unwrap().0;
        let way = lane.way;
        assert!(last <= packets * 100_000 + 100_000 + way.delay_us + way.jitter_us_max + 200_000, "{last}");
    }

    #[test]
    fn what_does_not_fit_the_queue_and_what_comes_while_the_link_is_down_is_lost() {
        let mut lane = lane("gprs", 4);
        for _ in 0..100 {
            lane.offer(0, true, &packet(972));
        }
        let kept = lane.flying.len() as u64;
        // 18 750 bytes wait, less what was lost by chance.
        assert!((14..=18).contains(&kept), "{kept}");
        lane.drop_all();
        assert_eq!(lane.next_us(), None);
        lane.offer(1, false, &packet(10));
        assert_eq!((lane.next_us(), lane.carried().in_vain), (None, 1));
    }

    #[test]
    fn where_udp_does_not_pass_tcp_does() {
        let mut lane = lane("wall", 5);
        let mut tcp = packet(400);
        tcp[9] = TCP;
        for at in 0..50 {
            lane.offer(at * 10_000, true, &packet(400));
            lane.offer(at * 10_000, true, &tcp);
        }
        let came: Vec<_> = lane.arrived(10_000_000).collect();
        assert!(came.len() > 45 && came.iter().all(|packet| packet[9] == TCP), "{}", came.len());
    }

    #[test]
    fn payload_is_counted_without_headers() {
        assert_eq!(payload_bytes(&packet(77)), 77);
        let mut tcp = vec![0; 20 + 32 + 9];
        (tcp[0], tcp[9], tcp[20 + 12]) = (0x45, 6, 0x80);
        assert_eq!(payload_bytes(&tcp), 9);
        assert_eq!(payload_bytes(&[0x60; 60]), 0);
    }
}
