//! After the faults: everything runs, everyone can reach everyone, and the nodes have a bounded time
//! to come to agree. They dial as the program does: again and again, ever more rarely while it fails.

use rukun_authority::Trust;

use super::sim::{Checked, World};
use super::{NODES, OFFICE, RELAY, TIERS};

/// How long nodes may take to agree once faults have ended. Simulated, under this world's delays.
pub const CONVERGE_MS_MAX: u64 = 300_000;
const RETRY_MS_MIN: u64 = 500;
const RETRY_MS_MAX: u64 = 30_000;
/// When those meet that have no hurry: the others have come to agree by then, mostly.
const VISIT_MS: u64 = 30_000;

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
        for (near, far, _) in self.links.all() {
            self.cut(near, far, 0)?;
        }
        self.run_until(self.now_ms + 60_000)?;
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
                // Where officers meet, the superior's device may be the one that dials, also on a visit after
                // all has come to it by the relay.
                let pair = if self.chance.one_in(3) { (*upper, *lower) } else { (*lower, *upper) };
                let visit_ms = if self.chance.one_in(3) { VISIT_MS } else { 0 };
                (began_ms + visit_ms + self.chance.between(0, RETRY_MS_MIN), RETRY_MS_MIN, pair)
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
}
