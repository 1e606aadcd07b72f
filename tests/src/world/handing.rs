//! Places change hands: a superior gives one officer's to another, while the first has yet to deliver
//! what was written there, and lets go of it once the district has it.

use std::collections::BTreeSet;

use rukun_authority::Trust;
use rukun_change::{ChangeId, DeviceKey, Ink, Region, SubSls};
use rukun_replica::{ActionError, Reached};

use super::model::Grants;
use super::sim::{Checked, HandedOver, World};
use super::tally::Fault;
use super::{Chance, ENUMERATORS, NODES, OFFICE};

impl World {
    /// An officer writes, one of its places goes to another, or the last one that did goes back, and both meet
    /// their superior.
    pub(super) fn hand_over(&mut self, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        let last = chance.one_in(3).then(|| self.handed_over.take()).flatten();
        let Some(last) = last else {
            let Some(over) = self.place_to_hand_over(&mut chance)? else { return Ok(()) };
            self.handed_over = self.assign(over)?.then_some(over);
            return self.meet_after(over, &mut chance);
        };
        let back = HandedOver { from: last.to, to: last.from, ..last };
        self.write(back.from, chance.u64())?;
        if self.assign(back)? {
            self.tally.hit(Fault::HandedBack);
        }
        self.meet_after(back, &mut chance)?;
        // Who has it again may have delivered, let go of it, or not even have heard that it was gone.
        self.write(back.to, chance.u64())
    }

    fn place_to_hand_over(&mut self, chance: &mut Chance) -> Result<Option<HandedOver>, String> {
        let anyone = |chance: &mut Chance| 2 + chance.below(NODES - 2);
        let from = if chance.one_in(6) { anyone(chance) } else { *chance.pick(&ENUMERATORS) };
        let team: Vec<usize> = (2..NODES)
            .filter(|other| *other != from && self.nodes[*other].upstream == self.nodes[from].upstream)
            .collect();
        let to = if team.is_empty() || chance.one_in(5) { anyone(chance) } else { *chance.pick(&team) };
        let granter = if chance.one_in(8) { OFFICE } else { self.granter_of(from) };
        self.write(from, chance.u64())?;
        self.come_up(granter)?;
        let trust = self.nodes[granter].replica.as_ref().and_then(|replica| replica.trust());
        let held = trust.map(|trust| trust.reads(&self.nodes[from].key)).unwrap_or_default();
        let Some(at) = chance.place(held.len()) else { return Ok(None) };
        let larger =
            ["1811", "1811010005", "1811040003"].map(|code| code.parse().expect("a region of this world"));
        let region = if chance.one_in(4) { *chance.pick(&larger) } else { held[at] };
        Ok(Some(HandedOver { granter, from, to, region }))
    }

    /// Gives whether it went over.
    fn assign(&mut self, over: HandedOver) -> Result<bool, String> {
        let HandedOver { granter, from, to, region } = over;
        self.come_up(granter)?;
        let (giver, taker) = (self.nodes[from].key, self.nodes[to].key);
        let Some(replica) = self.nodes[granter].replica.as_mut() else { return Ok(false) };
        let Some(trust) = replica.trust() else { return Ok(false) };
        let had = trust.reads(&taker);
        let assigned = replica.assign(&region, &giver, &taker);
        let is_over = assigned.is_ok();
        let trust = replica.trust().cloned();
        let said = replica.statements_held().map_err(|error| error.to_string())?;
        self.trace.note((granter, from, to, assigned.is_ok()), || {
            format!("{granter} hands {region} over from {from} to {to}: {assigned:?}")
        });
        match (assigned, trust) {
            (Ok(over), Some(trust)) => {
                self.truth.said(said);
                let granter = self.nodes[granter].key;
                has_gone_over(&trust, &over.regions, &had, [&granter, &giver, &taker])?;
                self.tally.hit(Fault::HandedOver);
                if trust.reads(&giver).is_empty() {
                    self.tally.hit(Fault::HandedOverAll);
                }
            }
            (Err(ActionError::Replica(error)), _) => {
                self.disk_failed(granter, &error.to_string())?;
                return Ok(false);
            }
            _ => {}
        }
        self.commit(granter)?;
        Ok(is_over)
    }

    fn meet_after(&mut self, over: HandedOver, chance: &mut Chance) -> Checked {
        let HandedOver { granter, from, to, .. } = over;
        self.link(to, granter)?;
        self.link(from, self.nodes[from].upstream)?;
        if chance.one_in(2) { self.link(from, OFFICE) } else { Ok(()) }
    }

    /// A node has taken out what it held of a place.
    pub(super) fn released_place(&mut self, node: usize, home: &SubSls) -> Checked {
        let of_home = self.truth.held[node].iter().filter(|id| self.truth.home(id) == Some(*home));
        let gone: Vec<ChangeId> = of_home.copied().collect();
        self.let_go(node, &gone)
    }

    /// A node holds these changes no more: it may read nothing there, and a district has held each of them.
    pub(super) fn let_go(&mut self, node: usize, gone: &[ChangeId]) -> Checked {
        let key = self.nodes[node].key;
        let trust = self.nodes[node].replica.as_ref().and_then(|replica| replica.trust());
        for id in gone {
            let Some(home) = self.truth.home(id) else { continue };
            if trust.is_some_and(|trust| trust.may_read(&key, &home)) {
                return Err(format!("{node} releases change {id:.12} of {home}, where it may read"));
            }
            let mut holders = self.truth.holders.get(id).into_iter().flatten().filter(|one| **one != key);
            if !holders.any(|holder| self.truth.grants.ever_wrote(holder, &home, Ink::Black)) {
                return Err(format!("{node} releases change {id:.12}, which no district ever held"));
            }
            self.truth.held[node].remove(id);
        }
        self.tally.released += gone.len() as u64;
        Ok(())
    }

    /// Whether a node knows that it may read nothing there any more: what it held and answered for it may have
    /// let go of since, before the one that it answered hears why. Of a node that is down nobody can tell.
    pub(super) fn may_have_let_go(&self, node: usize, home: &SubSls) -> bool {
        let own = &self.nodes[node];
        let trust = own.replica.as_ref().and_then(|replica| replica.trust());
        trust.is_none_or(|trust| trust.has_outgrown(&own.key, home))
    }

    /// A node keeps nothing of where it may not read that the district is proved to hold.
    pub(super) fn keeps_nothing_in_vain(&mut self, node: usize, grants: &Grants) -> Checked {
        let key = self.nodes[node].key;
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        let homes: BTreeSet<SubSls> =
            self.truth.held[node].iter().filter_map(|id| self.truth.home(id)).collect();
        for home in homes.iter().filter(|home| !grants.may_read(&key, home)) {
            let reached = replica.reached_in(home).map_err(|error| error.to_string())?;
            let about = replica.statements_about(home).map_err(|error| error.to_string())?;
            // Words about work there have to be covered, too, and only the node knows whether they are. What
            // it attested itself as a district proves nothing.
            let by_others = about.is_empty() && !grants.ever_wrote(&key, home, Ink::Black);
            if by_others && reached.values().all(|reached| *reached == Reached::District) {
                // What a repair left waiting may be nowhere else, and the place is kept for it.
                if replica.status().map_err(|error| error.to_string())?.waiting > 0 {
                    continue;
                }
                return Err(format!(
                    "{node} keeps {home}, where it may read nothing and the district has all"
                ));
            }
        }
        Ok(())
    }

    /// Who granted a node what it has, as far as it knows.
    fn granter_of(&self, node: usize) -> usize {
        let key = &self.nodes[node].key;
        let trust = self.nodes[node].replica.as_ref().and_then(|replica| replica.trust());
        let grants = trust.map(|trust| trust.grants_of(key)).unwrap_or_default();
        let issuer = grants.iter().find(|grant| !grant.in_force.is_empty()).map(|grant| grant.issuer);
        let granter = (0..NODES).find(|other| Some(self.nodes[*other].key) == issuer);
        granter.unwrap_or(self.nodes[node].upstream)
    }
}

/// Whoever takes places reads them beside those that it had, and whoever gave them has them no more by
/// grants of the one who handed them over.
fn has_gone_over(
    trust: &Trust,
    moved: &[Region],
    had: &[Region],
    [granter, giver, taker]: [&DeviceKey; 3],
) -> Checked {
    let covers = |places: &[Region], region: &Region| places.iter().any(|place| place.covers(region));
    let reads = trust.reads(taker);
    if let Some(region) = moved.iter().chain(had).find(|region| !covers(&reads, region)) {
        return Err(format!("{} may not read {region} after a hand-over", taker.short()));
    }
    let kept = trust.grants_of(giver).into_iter().filter(|grant| grant.issuer == *granter);
    let kept: Vec<Region> = kept.flat_map(|grant| grant.in_force).collect();
    match moved.iter().find(|region| covers(&kept, region)) {
        Some(region) => Err(format!("{region} was handed over, and {} has it still", giver.short())),
        None => Ok(()),
    }
}
