//! Devices are lost: a superior revokes one while its finder goes on with it, writes and grants; what
//! comes of it later is upheld and dismissed, by one superior and another.

use std::collections::BTreeSet;

use rukun_authority::{GrantView, Keypair, Role, Trust};
use rukun_change::{ChangeId, DeviceKey, RecordId, SubSls};
use rukun_replica::ActionError;

use super::outcome::{
    Numbers, Standings, are_decided, are_named, goes_on, is_moved, is_revoked, readers, standings,
};
use super::people::HOMES;
use super::sim::{Checked, World};
use super::tally::Fault;
use super::{Chance, NODES, OFFICE, RELAY};

/// A change, whose it is, and where.
type Work = (ChangeId, DeviceKey, SubSls);

/// Whose work is settled: the tiers that stand above somebody.
const JUDGES: usize = 6;

impl World {
    /// A device is revoked out of its reach, and whoever has it goes on.
    pub(super) fn lose_device(&mut self, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        let node = 2 + chance.below(NODES - 2);
        self.part_from_all(node)?;
        if chance.one_in(8) {
            self.grant_across(&mut chance)?;
        }
        let as_root = chance.one_in(8);
        let by = if as_root {
            OFFICE
        } else {
            *chance.pick(&[self.nodes[node].upstream, self.nodes[node].upstream, OFFICE, RELAY, 2, 3])
        };
        let liar = chance.one_in(5).then(|| chance.pick(&self.mallories).liar.key());
        let key = liar.unwrap_or(self.nodes[node].key);
        if as_root {
            self.come_up(by)?;
            self.seat_roots()?;
        }
        if self.revoke(by, as_root, &key)? {
            self.tally.hit(Fault::Revoked);
            if liar.is_none() {
                self.lost.insert(node);
            }
            if chance.one_in(2) {
                self.revoke_again(by, node, &key)?;
            }
        }
        self.go_on(node, &mut chance)
    }

    /// Another above the device, who has seen other work of it and keeps that, revokes it too.
    fn revoke_again(&mut self, by: usize, node: usize, key: &DeviceKey) -> Checked {
        let above = self.nodes[node].upstream;
        for other in [above, self.nodes[above].upstream, OFFICE] {
            if other != by && self.revoke(other, false, key)? {
                self.tally.hit(Fault::RevokedTwice);
                break;
            }
        }
        Ok(())
    }

    /// Gives whether there was something to take from it.
    fn revoke(&mut self, by: usize, as_root: bool, key: &DeviceKey) -> Result<bool, String> {
        self.come_up(by)?;
        let root = as_root.then(|| self.root_at(by));
        let records = self.truth.records_of(by);
        let Some(replica) = self.nodes[by].replica.as_mut() else { return Ok(false) };
        let (stood, read) = (standings(replica, &records), readers(replica.trust()));
        let revoked = replica.revoke(root.as_ref(), key, "dicuri");
        self.trace.note((by, revoked.is_ok()), || format!("{by} revokes {}: {revoked:?}", key.short()));
        let is_revoked = match revoked {
            Ok(loss) => {
                let by = root.as_ref().map_or(replica.device(), Keypair::key);
                let (stands, read_now) = (standings(replica, &records), readers(replica.trust()));
                is_revoked(replica.trust(), &loss, (by, *key), (&stood, &stands), (&read, &read_now))?;
                self.truth.revocations.extend(&loss.revocations);
                !loss.revocations.is_empty()
            }
            Err(ActionError::Replica(error)) => {
                self.disk_failed(by, &error.to_string())?;
                return Ok(false);
            }
            Err(_) => false,
        };
        self.commit(by)?;
        Ok(is_revoked)
    }

    /// A device goes on under another key, and its program starts anew; now and then it has two places under one
    /// serial before.
    pub(super) fn rotate(&mut self, node: usize) -> Checked {
        if self.chance.one_in(3) {
            let luck = self.chance.u64();
            self.grant_twice(node, luck)?;
        }
        self.come_up(node)?;
        let (now, seed) = (self.nodes[node].clock(self.now_ms), self.chance.bytes());
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        let read = readers(replica.trust());
        let rotated = replica.rotate(now, seed);
        self.trace.note((node, rotated.is_ok()), || format!("{node} rotates its key: {rotated:?}"));
        match rotated {
            Ok(old) => self.nodes[node].former.push(old),
            Err(ActionError::Replica(error)) => return self.disk_failed(node, &error.to_string()),
            Err(_) => return Ok(()),
        }
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(()) };
        let (old, new) = (self.nodes[node].key, Keypair::from_seed(&seed).key());
        let read_now = readers(replica.trust());
        goes_on(&read, &read_now, (old, new))?;
        if read_now.get(&old).is_some_and(|places| !places.is_empty()) {
            return Err(format!("{node} rotated its key, and the old one reads on"));
        }
        let statements = replica.statements_held().map_err(|error| error.to_string())?;
        self.commit(node)?;
        if self.nodes[node].replica.is_none() {
            return Ok(());
        }
        self.truth.said(statements);
        self.tally.hit(Fault::Rotated);
        self.nodes[node].stores += 1;
        self.fall(node);
        Ok(())
    }

    /// Who found a device writes with it, grants as far as it may, and meets somebody.
    fn go_on(&mut self, node: usize, chance: &mut Chance) -> Checked {
        for _ in 0..2 {
            self.write(node, chance.u64())?;
        }
        let below: &[usize] = match node {
            2 => &[4],
            3 => &[5],
            4 => &[6, 7, 8],
            5 => &[9, 10],
            _ => &[],
        };
        if let Some(at) = chance.place(below.len()) {
            let subject = below[at];
            let (key, role) = (self.nodes[subject].key, self.nodes[subject].role);
            let before = self.truth.statements.len();
            self.grant(node, false, key, role, super::REGIONS[subject])?;
            if self.truth.statements.len() > before {
                self.tally.hit(Fault::GrantedOn);
            }
        }
        let to = chance.below(NODES);
        self.link(node, to)
    }

    /// Two coordinators make each other supervisors, so that each stands above the other, and one of them
    /// takes it back.
    fn grant_across(&mut self, chance: &mut Chance) -> Checked {
        for (granter, subject, region) in [(2, 3, "1811010005"), (3, 2, "1811040003")] {
            self.come_up(granter)?;
            let key = self.nodes[subject].key;
            self.grant(granter, false, key, Role::Supervisor, &[region])?;
        }
        let both = if chance.one_in(2) { &[(2, 3), (3, 2)][..] } else { &[(2, 3)][..] };
        for (by, subject) in both {
            self.come_up(*by)?;
            let key = self.nodes[*subject].key;
            let Some(replica) = self.nodes[*by].replica.as_mut() else { continue };
            match replica.revoke(None, &key, "berselisih") {
                Ok(_) => self.tally.hit(Fault::Revoked),
                Err(ActionError::Replica(error)) => return self.disk_failed(*by, &error.to_string()),
                Err(_) => {}
            }
            self.commit(*by)?;
        }
        Ok(())
    }

    /// Somebody upholds or dismisses work: what is set aside, or now and then what counts.
    pub(super) fn settle(&mut self, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        if chance.one_in(4) {
            return self.disagree(&mut chance);
        }
        let node = chance.below(JUDGES);
        self.come_up(node)?;
        let records = self.truth.records_of(node);
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(()) };
        let (mut aside, mut good): (Vec<Work>, Vec<Work>) = (Vec::new(), Vec::new());
        let start = chance.below(records.len().max(1));
        let some: Vec<&RecordId> = records.iter().cycle().skip(start).take(records.len().min(12)).collect();
        for record in some {
            let reading = match replica.reading(record) {
                Ok(reading) => reading,
                Err(ActionError::Replica(error)) => return self.disk_failed(node, &error.to_string()),
                Err(_) => continue,
            };
            for logged in reading.log() {
                let work = (logged.change, logged.author.device, record.home());
                if logged.standing.is_good() { &mut good } else { &mut aside }.push(work);
            }
        }
        if !chance.one_in(6) {
            // Work that is this one's to settle, if there is any.
            let below = |(_, author, home): &Work| {
                let Some(trust) = replica.trust() else { return false };
                let covers =
                    |grant: &GrantView| grant.regions.iter().any(|region| region.covers_sub_sls(home));
                trust.grants_of(author).iter().any(covers)
                    && !trust.grants_above(&replica.device(), author).is_empty()
            };
            aside.retain(below);
            good.retain(below);
        }
        let among = if aside.is_empty() || chance.one_in(6) { &good } else { &aside };
        let Some(at) = chance.place(among.len()) else { return Ok(()) };
        let ((change, _, home), upheld) = (among[at], chance.one_in(2));
        let looks = chance.one_in(4);
        // Often several at once.
        let others = among.iter().skip(at + 1).map(|(change, _, _)| *change);
        let changes: Vec<ChangeId> = [change].into_iter().chain(others.take(chance.below(3))).collect();
        let witness = if looks { self.who_has_looked(node, &change, &mut chance)? } else { None };
        self.decide(node, &changes, upheld)?;
        let Some(witness) = witness else { return Ok(()) };
        self.link(witness, node)?;
        self.run_until(self.now_ms + 8 * self.delay_ms)?;
        self.lists_what_it_reads(witness, &home)
    }

    /// Both districts have granted somebody something in one place, and settle a change of that one otherwise,
    /// each before it has heard of the other's word.
    fn disagree(&mut self, chance: &mut Chance) -> Checked {
        let (ours, theirs) = (&self.truth.held[OFFICE], &self.truth.held[RELAY]);
        let both: Vec<ChangeId> = ours.intersection(theirs).copied().collect();
        let Some(change) = chance.place(both.len()).map(|at| both[at]) else { return Ok(()) };
        let Some(fact) = self.truth.facts.get(&change).cloned() else { return Ok(()) };
        let (region, role) = (fact.record.home().region().to_string(), Role::of_ink(fact.ink));
        if role == Role::District {
            return Ok(());
        }
        let upheld = chance.one_in(2);
        for (node, upheld) in [(OFFICE, upheld), (RELAY, !upheld)] {
            self.come_up(node)?;
            self.grant(node, false, fact.author.device, role, &[&region])?;
            self.decide(node, &[change], upheld)?;
        }
        self.link(RELAY, OFFICE)
    }

    fn decide(&mut self, node: usize, changes: &[ChangeId], upheld: bool) -> Checked {
        let records = changes.iter().filter_map(|change| Some(self.truth.facts.get(change)?.record));
        let records: BTreeSet<RecordId> = records.collect();
        // Who shares a number with one of these may stand in another record.
        let numbered = changes.iter().filter_map(|change| self.truth.facts.get(change));
        let numbers: Numbers = numbered.map(|fact| (fact.author, fact.n)).collect();
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        // A word of a tier above stands, whatever is said below it.
        let unsaid = |trust: &Trust| changes.iter().all(|change| trust.decisions_on(change).is_empty());
        let is_free = replica.trust().is_some_and(unsaid);
        let before: Vec<Standings> = records.iter().map(|record| standings(replica, &[*record])).collect();
        let decided = replica.decide(None, changes, upheld);
        self.trace.note((node, decided.is_ok()), || format!("{node} settles, {upheld}: {decided:?}"));
        match decided {
            Ok(decided) => {
                are_named(&decided, changes)?;
                for (record, before) in records.iter().zip(&before) {
                    if let Ok(reading) = replica.reading(record)
                        && (is_free || node <= RELAY)
                    {
                        are_decided((changes, &numbers, upheld), before, &reading)?;
                    }
                }
                self.tally.hit(Fault::Settled);
            }
            Err(ActionError::Replica(error)) => return self.disk_failed(node, &error.to_string()),
            Err(_) => {}
        }
        self.commit(node)
    }

    /// A district moves a record to another place.
    pub(super) fn transfer(&mut self, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        let node = *chance.pick(&[OFFICE, RELAY]);
        self.come_up(node)?;
        let records = self.truth.records_of(node);
        let Some(record) = chance.place(records.len()).map(|at| records[at]) else { return Ok(()) };
        let home = chance.pick(&HOMES).parse().expect("a sub-SLS of this world");
        let now = self.nodes[node].clock(self.now_ms);
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        let before = replica.reading(&record).ok();
        let moved = replica.transfer(now, &record, home);
        self.trace.note((node, moved.is_ok()), || format!("{node} moves {record}: {moved:?}"));
        match moved {
            Ok(moved) => {
                let before = before.ok_or("a record moved that could not be read")?;
                is_moved(replica, &moved, record, &before)?;
                self.tally.hit(Fault::Moved);
                self.made(node, &moved.from)?;
                self.made(node, &moved.to)?;
            }
            Err(ActionError::Replica(error)) => return self.disk_failed(node, &error.to_string()),
            Err(_) => {}
        }
        self.commit(node)
    }

    /// One of the two districts erases a record, and the other one too, now and then.
    pub(super) fn erase(&mut self, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        let both = [OFFICE, RELAY];
        let by = if chance.one_in(6) { &both[..] } else { std::slice::from_ref(chance.pick(&both)) };
        let records = self.truth.records_of(by[0]);
        let Some(record) = chance.place(records.len()).map(|at| records[at]) else { return Ok(()) };
        for node in by {
            self.come_up(*node)?;
            let Some(replica) = self.nodes[*node].replica.as_mut() else { continue };
            let erased = replica.erase(None, &record, "diminta");
            self.trace.note((*node, erased.is_ok()), || format!("{node} erases {record}: {erased:?}"));
            match erased {
                Ok(erased) => {
                    let still = replica.reading(&record).is_ok();
                    if still || (erased.record, erased.reason.as_str()) != (record, "diminta") {
                        return Err(format!("{record} was to be erased, and {erased:?} is: {still}"));
                    }
                    self.tally.hit(Fault::Erased);
                }
                Err(ActionError::Replica(error)) => return self.disk_failed(*node, &error.to_string()),
                Err(_) => {}
            }
            self.commit(*node)?;
        }
        Ok(())
    }

    /// Officers whose devices were lost begin with new ones, once the old ones have delivered.
    pub(super) fn replace_the_lost(&mut self) -> Checked {
        for node in std::mem::take(&mut self.lost) {
            self.rebuild(node)?;
        }
        Ok(())
    }
}
