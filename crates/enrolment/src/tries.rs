//! Wrong tries: who has guessed wrongly, by address, and who is refused for it. Five in an hour, then
//! refused for an hour. What is kept is bounded, whoever comes; a restart forgets it, since to guess a
//! code takes longer than any hour that a guesser could win.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Wrong tries from one address within an hour after which it is refused.
pub const TRIES_MAX: usize = 5;
/// How long an address is refused, and how long a wrong try counts.
pub const REFUSED_MS: u64 = 60 * 60 * 1000;
/// The most addresses that are remembered; beyond it the one that has been quiet longest is forgotten.
pub const ADDRESSES_MAX: usize = 4_096;

/// The wrong tries of the last hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tries(BTreeMap<IpAddr, Vec<u64>>);

/// An address from which codes were guessed wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guesser {
    /// The address; of IPv6 the network of 64 bits that one customer has.
    pub address: IpAddr,
    /// How many wrong tries count.
    pub tries: usize,
    /// Until when it is refused, by the steady clock, if it is.
    pub refused_until_ms: Option<u64>,
}

impl Tries {
    /// Until when this address is refused, by the steady clock; nothing if it is not.
    pub fn refused_until(&self, now_ms: u64, address: IpAddr) -> Option<u64> {
        until(self.0.get(&network(address))?, now_ms)
    }

    /// Counts a wrong try.
    pub fn wrong(&mut self, now_ms: u64, address: IpAddr) {
        self.forget(now_ms);
        let address = network(address);
        if !self.0.contains_key(&address) && self.0.len() >= ADDRESSES_MAX {
            let quiet = self.0.iter().min_by_key(|(_, tries)| tries.last().copied());
            if let Some(quiet) = quiet.map(|(address, _)| *address) {
                self.0.remove(&quiet);
            }
        }
        let tries = self.0.entry(address).or_default();
        tries.retain(|at| counts(*at, now_ms));
        tries.push(now_ms);
        let over = tries.len().saturating_sub(TRIES_MAX);
        tries.drain(..over);
    }

    /// Every address with a wrong try that counts.
    pub fn guessers(&self, now_ms: u64) -> Vec<Guesser> {
        let guessers = self.0.iter().map(|(address, tries)| {
            let refused_until_ms = until(tries, now_ms);
            let tries = match refused_until_ms {
                Some(_) => tries.len(),
                None => tries.iter().filter(|at| counts(**at, now_ms)).count(),
            };
            Guesser { address: *address, tries, refused_until_ms }
        });
        guessers.filter(|guesser| guesser.tries > 0).collect()
    }

    fn forget(&mut self, now_ms: u64) {
        self.0.retain(|_, tries| tries.last().is_some_and(|last| counts(*last, now_ms)));
    }
}

fn counts(at_ms: u64, now_ms: u64) -> bool {
    at_ms.saturating_add(REFUSED_MS) > now_ms
}

/// Refused from the last of five tries on, each of which counted when it came.
fn until(tries: &[u64], now_ms: u64) -> Option<u64> {
    let last = tries.last().filter(|last| tries.len() >= TRIES_MAX && counts(**last, now_ms))?;
    Some(last.saturating_add(REFUSED_MS))
}

/// Whoever has one address of IPv6 has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
    const HOUR: u64 = REFUSED_MS;

    fn guessed(times: &[u64]) -> Tries {
        let mut tries = Tries::default();
        for at in times {
            tries.wrong(*at, HERE);
        }
        tries
    }

    #[test]
    fn five_wrong_tries_in_an_hour_refuse_their_address_for_an_hour_and_no_other() {
        assert_eq!(guessed(&[1, 2, 3, 4]).refused_until(5, HERE), None);
        let tries = guessed(&[1, 2, 3, 4, 5]);
        assert_eq!(tries.refused_until(6, HERE), Some(5 + HOUR));
        assert_eq!(tries.refused_until(6, THERE), None);
        assert_eq!(tries.refused_until(4 + HOUR, HERE), Some(5 + HOUR));
        assert_eq!(tries.refused_until(5 + HOUR, HERE), None);
        let listed = Guesser { address: HERE, tries: 5, refused_until_ms: Some(5 + HOUR) };
        assert_eq!(tries.guessers(6), [listed]);
        assert_eq!(tries.guessers(5 + HOUR), []);
    }

    #[test]
    fn tries_far_apart_refuse_nobody() {
        let apart = [0, HOUR / 4, HOUR / 2, 3 * HOUR / 4, HOUR, 5 * HOUR / 4];
        assert_eq!(guessed(&apart).refused_until(5 * HOUR / 4, HERE), None);
        assert_eq!(guessed(&apart).guessers(5 * HOUR / 4)[0].tries, 4);
    }

    #[test]
    fn neighbours_in_one_network_of_ipv6_are_one_guesser() {
        let mut tries = Tries::default();
        for host in 0..5_u128 {
            tries.wrong(1, Ipv6Addr::from_bits(0x2001_0db8 << 96 | host).into());
        }
        assert!(tries.refused_until(2, Ipv6Addr::from_bits(0x2001_0db8 << 96 | 0x63).into()).is_some());
        assert!(tries.refused_until(2, Ipv6Addr::from_bits(0x2001_0db9 << 96).into()).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_quietest_is_forgotten() {
        let mut tries = guessed(&[1, 2, 3, 4, 5]);
        for host in 0..ADDRESSES_MAX as u32 + 10 {
            tries.wrong(6 + u64::from(host), std::net::Ipv4Addr::from_bits(0x0b00_0000 + host).into());
        }
        assert_eq!(tries.guessers(6).len(), ADDRESSES_MAX);
        assert_eq!(tries.refused_until(9, HERE), None, "nobody was quiet longer");
    }
}
