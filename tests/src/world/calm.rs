//! After the faults: everything runs, everyone can reach everyone, and the nodes have a bounded time
//! to come to agree. They dial as the program does: again and again, ever more rarely while it fails.

use rukun_authority::Trust;
use rukun_change::SubSls;
use serde_json::json;

use super::model::Receipt;
use super::people::HOMES;
use super::sim::{Checked, World};
use super::{ENUMERATORS, Fault, NODES, OFFICE, RELAY, TIERS};

/// How long nodes may take to agree once faults have ended. Simulated, under this world's delays.
pub const CONVERGE_MS_MAX: u64 = 300_000;
const RETRY_MS_MIN: u64 = 500;
const RETRY_MS_MAX: u64 = 30_000;
/// How long two nodes alone may take, and how long it takes until a cut is known at both ends.
const ALONE_MS_MAX: u64 = 60_000;

impl World {
    /// Faults end.
    pub(super) fn heal(&mut self) -> Checked {
        self.calm = true;
        self.partition = (0, 0);
        for node in 0..NODES {
            self.nodes[node].disk.heal();
            self.nodes[node].dies_before_commit = false;
            self.nodes[node].end = super::node::End::Program;
            self.nodes[node].away_until_ms = 0;
            self.nodes[node].up_at_ms = 0;
            self.come_up(node)?;
        }
        // Links from before carry on or are known to be dead: here they are known.
        self.part_all()?;
        self.replace_the_lost()?;
        self.grant_the_forgotten()
    }

    /// Whose grant was lost with the device that gave it, before anyone else had it, comes to the
    /// office and is granted anew. So does the relay where another key became root while the office, put
    /// back to an old copy, knew nothing of its grant: nobody reaches anybody but through the relay.
    fn grant_the_forgotten(&mut self) -> Checked {
        self.seat_roots()?;
        for node in 1..NODES {
            let key = self.nodes[node].key;
            let trust = self.nodes[OFFICE].replica.as_ref().and_then(|office| office.trust());
            let is_forgotten =
                |trust: &Trust| !trust.ever_granted(&key) || node == RELAY && trust.reads(&key).is_empty();
            if trust.is_some_and(is_forgotten) {
                let role = self.nodes[node].role;
                self.grant(OFFICE, node == RELAY, key, role, super::REGIONS[node])?;
            }
        }
        Ok(())
    }

    /// Lets the nodes dial and talk until nothing moves any more.
    pub(super) fn converge(&mut self) -> Checked {
        let began_ms = self.now_ms;
        self.news_ms = began_ms;
        let mut dials: Vec<(u64, u64, (usize, usize))> = TIERS
            .iter()
            .map(|(lower, upper)| {
                // Where officers meet, the superior's device may be the one that dials.
                let pair = if self.chance.one_in(3) { (*upper, *lower) } else { (*lower, *upper) };
                (began_ms + self.chance.between(0, RETRY_MS_MIN), RETRY_MS_MIN, pair)
            })
            .collect();
        while self.now_ms < began_ms + CONVERGE_MS_MAX {
            let mut waiting = false;
            for (at_ms, retry_ms, (from, to)) in &mut dials {
                if self.links.are_linked(*from, *to) || self.links.are_linked(*to, *from) {
                    continue;
                }
                waiting = true;
                if *at_ms <= self.now_ms {
                    self.link(*from, *to)?;
                    *at_ms = self.now_ms + self.chance.between(RETRY_MS_MIN, *retry_ms);
                    *retry_ms = (*retry_ms * 2).min(RETRY_MS_MAX);
                }
            }
            if !waiting && self.links.chunks() == 0 {
                break;
            }
            self.run_until(self.now_ms + 200)?;
        }
        let unlinked: Vec<_> = TIERS
            .iter()
            .filter(|(from, to)| !self.links.are_linked(*from, *to) && !self.links.are_linked(*to, *from))
            .collect();
        if !unlinked.is_empty() {
            return Err(format!(
                "{CONVERGE_MS_MAX} ms after the faults ended these are not linked: {unlinked:?}"
            ));
        }
        if self.links.chunks() > 0 {
            return Err(format!("{CONVERGE_MS_MAX} ms after the faults ended the nodes still talk"));
        }
        self.tally.converged_ms_max = self.news_ms - began_ms;
        Ok(())
    }

    /// An officer delivers, and the link breaks off before her superior knows that it was all. The superior, who
    /// has no news, dials her next: she still gets the receipt.
    pub(super) fn deliver_and_be_cut_off(&mut self) -> Checked {
        let Some((lower, upper, home)) = self.who_gets_receipts()? else { return Ok(()) };
        self.part_all()?;
        self.link(lower, upper)?;
        self.fall_silent()?;
        let now = self.nodes[lower].clock(self.now_ms);
        let Some(replica) = self.nodes[lower].replica.as_mut() else { return Ok(()) };
        // The keyboard says no where the place was redrawn or its clock stands wrong.
        let Ok((record, change)) = replica.add_record(now, home, None, &json!({"r108": "Terakhir"})) else {
            return Ok(());
        };
        self.made(lower, &record)?;
        self.commit(lower)?;
        let until_ms = self.now_ms + ALONE_MS_MAX;
        while !self.truth.held[upper].contains(&change) {
            if self.now_ms > until_ms {
                return Err(format!("{lower} does not deliver to {upper} within {ALONE_MS_MAX} ms"));
            }
            // A device that goes on under another incarnation ends its links first.
            if !self.links.are_linked(lower, upper) && !self.links.are_linked(upper, lower) {
                self.link(lower, upper)?;
            }
            self.run_until(self.now_ms + 20)?;
        }
        self.part_all()?;
        self.tally.hit(Fault::CutOffDelivered);
        self.link(upper, lower)?;
        self.fall_silent()?;
        if self.has_receipt(lower, upper, &home)? {
            return Ok(());
        }
        Err(format!("{lower} has delivered to {upper} in {home} and gets no receipt for it"))
    }

    /// An enumerator, who she reports to, and a place for whose state now she has that one's receipt.
    fn who_gets_receipts(&mut self) -> Result<Option<(usize, usize, SubSls)>, String> {
        let start = self.chance.below(ENUMERATORS.len());
        for lower in ENUMERATORS.into_iter().cycle().skip(start).take(ENUMERATORS.len()) {
            let upper = self.nodes[lower].upstream;
            for home in HOMES.map(|home| home.parse().expect("a sub-SLS of this world")) {
                let trust = self.nodes[upper].replica.as_ref().and_then(|replica| replica.trust());
                let (own, superior) = (self.nodes[lower].key, self.nodes[upper].key);
                let both = |trust: &Trust| trust.may_read(&own, &home) && trust.may_read(&superior, &home);
                // A thief with the old root key may have made her a district.
                let tier = |trust: &Trust, key| trust.roles_at(key, &home).into_iter().min();
                let is_above = |trust: &Trust| tier(trust, &superior) < tier(trust, &own);
                if trust.is_some_and(|trust| both(trust) && is_above(trust))
                    && self.has_receipt(lower, upper, &home)?
                {
                    return Ok(Some((lower, upper, home)));
                }
            }
        }
        Ok(None)
    }

    /// Whether a node has another's receipt for just what it holds in a place.
    fn has_receipt(&self, node: usize, issuer: usize, home: &SubSls) -> Result<bool, String> {
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(false) };
        let held = replica.fingerprints(Some(&home.region())).map_err(|error| error.to_string())?;
        let Some(held) = held.get(home) else { return Ok(false) };
        let receipts = replica.receipts_held(Some(home)).map_err(|error| error.to_string())?;
        let receipts = receipts.iter().filter_map(|bytes| Receipt::of(bytes, &self.truth.survey));
        let key = self.nodes[issuer].key;
        Ok(receipts.into_iter().any(|receipt| receipt.issuer == key && receipt.set == held.to_bytes()))
    }

    /// All links are cut, and both ends know it.
    fn part_all(&mut self) -> Checked {
        for (near, far, _) in self.links.all() {
            self.cut(near, far, 0)?;
        }
        self.run_until(self.now_ms + ALONE_MS_MAX)
    }

    /// Those who are linked say all that they have to say.
    fn fall_silent(&mut self) -> Checked {
        let until_ms = self.now_ms + ALONE_MS_MAX;
        while self.links.chunks() > 0 && self.now_ms < until_ms {
            self.run_until(self.now_ms + 200)?;
        }
        if self.links.chunks() > 0 {
            return Err(format!("{ALONE_MS_MAX} ms after they were linked two nodes alone still talk"));
        }
        Ok(())
    }
}
