//! One step of a plan becomes something that happens: what breaks, what is put back, who is away.

use std::collections::BTreeSet;

use rukun_change::{ChangeId, RecordId};

use super::disk::{Disk, Trouble, Unsynced};
use super::node::{self, Backup, StartError};
use super::plan::Act;
use super::sim::{Checked, World};
use super::tally::Fault;
use super::{Chance, NODES, OFFICE, RELAY, Role, TIERS};

const DAY_MS: u64 = 86_400_000;

impl World {
    pub(super) fn act(&mut self, act: &Act) -> Checked {
        match *act {
            Act::Write { node, luck } => self.write(node, luck),
            Act::Link { from, to } => self.link(from, to),
            Act::Cut { luck } => self.cut_one(luck),
            Act::Partition { half, for_ms } => self.part(half, for_ms),
            Act::Kill { node } => {
                self.kill(node);
                Ok(())
            }
            Act::KillBeforeCommit { node } => {
                // By what it handles next, or is asked next by its own people.
                self.nodes[node].dies_before_commit = self.nodes[node].replica.is_some();
                Ok(())
            }
            Act::KillInCommit { node, after, luck } => {
                self.fail(node, Trouble::StopsAfter(after), node::End::Program, luck)
            }
            Act::PowerLoss { node, after, fate, luck } => {
                self.fail(node, Trouble::StopsAfter(after), node::End::Machine(fate), luck)
            }
            Act::Disk { node, trouble: Trouble::ReadFails, .. } => self.read_fails(node),
            Act::Disk { node, trouble, luck } => {
                self.fail(node, trouble, node::End::Machine(Unsynced::Torn), luck)
            }
            Act::Flip { node, luck } => self.flip(node, luck),
            Act::Clock { node, by_ms, luck } => self.clock_jumps(node, by_ms, luck),
            Act::Backup { node } => {
                let held = &self.truth.held[node];
                self.nodes[node].back_up(held);
                Ok(())
            }
            Act::Restore { node, silently } => self.restore(node, silently),
            Act::Rebuild { node } => self.rebuild(node),
            Act::Away { node, days } => self.away(node, days),
            Act::Regrant { luck } => self.regrant(luck),
            Act::HandOver { luck } => self.hand_over(luck),
            Act::LoseDevice { luck } => self.lose_device(luck),
            Act::FollowRoot { luck } => self.follow_root(luck),
            Act::Rotate { node } => self.rotate(node),
            Act::Settle { luck } => self.settle(luck),
            Act::Transfer { luck } => self.transfer(luck),
            Act::Erase { luck } => self.erase(luck),
            Act::Carry { from, to, luck } => self.carry(from, to, luck),
            Act::Move { node, luck } => self.move_on(node, luck),
            Act::Burst { node, luck } => self.burst(node, luck),
            Act::Lie { victim, lie, luck } => self.lie(victim, lie, luck),
        }
    }

    /// The program of a node starts if it is down and its time has come.
    pub(super) fn come_up(&mut self, node: usize) -> Checked {
        if self.nodes[node].replica.is_some() || self.nodes[node].up_at_ms > self.now_ms {
            return Ok(());
        }
        if let Err(error) = self.nodes[node].start() {
            return Err(format!("{node} does not start again: {error}"));
        }
        self.trace.note(node, || format!("{node} is up again"));
        self.holds_what_it_held(node)
    }

    /// What a node has ever said to hold is in its store, and nothing that nobody made.
    fn holds_what_it_held(&mut self, node: usize) -> Checked {
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(()) };
        let found = replica.change_ids().map_err(|error| error.to_string())?;
        let released = replica.released().map_err(|error| error.to_string())?;
        let released: BTreeSet<RecordId> = released.iter().map(|line| line.record).collect();
        let gone: Vec<ChangeId> = self.truth.held[node].difference(&found).copied().collect();
        let record = |id: &ChangeId| self.truth.facts.get(id).map(|fact| fact.record);
        if let Some(id) = gone.iter().find(|id| record(id).is_none_or(|record| !released.contains(&record))) {
            return Err(format!("{node} said that it holds change {id:.12}, and after a restart it is gone"));
        }
        if let Some(id) = found.iter().find(|id| !self.truth.facts.contains_key(*id)) {
            return Err(format!("{node} holds change {id:.12} after a restart, which nobody made"));
        }
        // Durable, and the program ended before it could say so; or its key is another one since.
        let key = self.nodes[node].key;
        for id in &found {
            self.truth.holders.entry(*id).or_default().insert(key);
        }
        self.let_go(node, &gone)?;
        self.truth.held[node] = found;
        self.gave_receipts(node, None)
    }

    /// One link is cut, one that carries something if there is any.
    fn cut_one(&mut self, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        let all = self.links.all();
        let busy: Vec<_> = all.iter().filter(|(_, _, busy)| *busy).collect();
        let among = if busy.is_empty() { all.iter().collect() } else { busy };
        match chance.place(among.len()).map(|at| *among[at]) {
            Some((near, far, _)) => self.cut(near, far, chance.u64()),
            None => Ok(()),
        }
    }

    fn part(&mut self, half: u32, for_ms: u64) -> Checked {
        self.partition = (half, self.now_ms + for_ms);
        for (near, far, _) in self.links.all() {
            if (half >> near.0 & 1) != (half >> far.0 & 1) {
                self.tally.hit(Fault::Partition);
                let luck = self.chance.u64();
                self.cut(near, far, luck)?;
            }
        }
        Ok(())
    }

    fn kill(&mut self, node: usize) {
        if self.nodes[node].replica.is_some() {
            self.tally.hit(Fault::Kill);
            self.fall(node);
        }
    }

    /// A disk begins to fail, and somebody writes, so that it is met.
    fn fail(&mut self, node: usize, trouble: Trouble, end: node::End, luck: u64) -> Checked {
        self.nodes[node].up_at_ms = 0;
        self.come_up(node)?;
        let mut luck = Chance::new(luck);
        let while_it_takes_in = luck.one_in(2);
        if while_it_takes_in {
            self.send_news_to(node, &mut luck)?;
        }
        if self.nodes[node].replica.is_none() {
            return Ok(());
        }
        let disk = self.nodes[node].disk.clone();
        disk.trouble(trouble);
        self.nodes[node].end = end;
        if while_it_takes_in {
            self.run_until(self.now_ms + 2 * self.delay_ms)?;
        }
        if disk.hit().is_some() {
            return Ok(());
        }
        // What did not meet this commit meets the next.
        for _ in 0..8 {
            if self.nodes[node].replica.is_some() {
                self.write(node, luck.u64())?;
            }
        }
        if self.nodes[node].replica.is_some() {
            self.nodes[node].disk.heal();
            self.nodes[node].end = node::End::Program;
        }
        Ok(())
    }

    /// Somebody has news for a node and reaches it; some of it may be there already.
    fn send_news_to(&mut self, node: usize, luck: &mut Chance) -> Checked {
        let pairs = TIERS.iter().flat_map(|(one, two)| [(*one, *two), (*two, *one)]);
        let reached: Vec<usize> = pairs.filter(|(to, _)| *to == node).map(|(_, from)| from).collect();
        let from = *luck.pick(&reached);
        self.come_up(from)?;
        for _ in 0..2 {
            self.write(from, luck.u64())?;
        }
        self.link(from, node)?;
        self.run_until(self.now_ms + luck.between(0, 6 * self.delay_ms))
    }

    /// The program is restarted on a disk that can't be read, and again on one that can.
    fn read_fails(&mut self, node: usize) -> Checked {
        if self.nodes[node].replica.is_some() {
            self.fall(node);
        }
        let disk = Disk::holding(self.nodes[node].image().to_vec());
        disk.trouble(Trouble::ReadFails);
        if self.nodes[node].start_on(disk.clone()).is_ok() {
            return Err(format!("{node} starts on a disk that it can't read"));
        }
        self.tally.hit(Fault::ReadError);
        Ok(())
    }

    /// A bit of the file flips while the program is down. The store either notices, or serves what it
    /// served before.
    fn flip(&mut self, node: usize, luck: u64) -> Checked {
        if self.nodes[node].replica.is_some() {
            self.fall(node);
        }
        let mut chance = Chance::new(luck);
        let sound = self.nodes[node].image().to_vec();
        let mut image = sound.clone();
        // Where there is something: most of a file is room.
        let drawn: Vec<usize> = (0..40).map(|_| chance.below(image.len())).collect();
        let at = drawn.iter().find(|at| image[**at] != 0).or(drawn.first()).copied().unwrap_or_default();
        image[at] ^= 1 << chance.below(8);
        match self.nodes[node].start_on(Disk::holding(image)) {
            Ok(()) => self.holds_what_it_held(node),
            Err(StartError::Open(_)) => {
                self.tally.hit(Fault::BitFlip);
                self.nodes[node].put_sound(sound);
                Ok(())
            }
            Err(error) => Err(format!("{node} opened a file with a flipped bit, and then: {error}")),
        }
    }

    fn clock_jumps(&mut self, node: usize, by_ms: i64, luck: u64) -> Checked {
        self.nodes[node].clock_off_ms = by_ms;
        let before = self.tally.written;
        let mut luck = Chance::new(luck);
        for _ in 0..6 {
            if self.tally.written == before {
                self.write(node, luck.u64())?;
            }
        }
        if self.tally.written > before {
            self.tally.hit(if by_ms > 0 { Fault::ClockAhead } else { Fault::ClockBehind });
        }
        Ok(())
    }

    /// A store is replaced by its oldest copy, by somebody who says so to the store or does not.
    fn restore(&mut self, node: usize, silently: bool) -> Checked {
        let has_copy = |at: &usize| !self.nodes[*at].backups.is_empty();
        let Some(node) = (node..node + NODES).map(|at| at % NODES).find(has_copy) else { return Ok(()) };
        let backup = self.nodes[node].backups.remove(0);
        self.put_back(node, backup, silently)
    }

    pub(super) fn put_back(&mut self, node: usize, backup: Backup, silently: bool) -> Checked {
        if self.nodes[node].replica.is_some() {
            self.fall(node);
        }
        self.lose_what_only(node, &backup.held);
        self.nodes[node].put(backup.image);
        self.nodes[node].key = backup.key;
        if silently {
            self.tally.hit(Fault::RestoredSilently);
        } else {
            self.tally.hit(Fault::Restored);
            self.nodes[node]
                .begin_incarnation()
                .map_err(|error| format!("{node} is not restored: {error}"))?;
        }
        self.trace.note((node, silently), || format!("{node} is restored, silently: {silently}"));
        self.truth.held[node] = backup.held;
        let key = self.nodes[node].key;
        self.truth.forget_numbers(&key, node);
        Ok(())
    }

    /// A device is gone with all that it held, and its officer begins with another one.
    pub(super) fn rebuild(&mut self, node: usize) -> Checked {
        if node == OFFICE {
            return Ok(());
        }
        if self.nodes[node].replica.is_some() {
            self.fall(node);
        }
        let granter = if node == RELAY { OFFICE } else { self.nodes[node].upstream };
        self.nodes[granter].up_at_ms = 0;
        self.come_up(granter)?;
        self.lost.remove(&node);
        self.lose_what_only(node, &BTreeSet::new());
        self.nodes[node].begin_anew();
        self.truth.held[node].clear();
        self.tally.hit(if node == RELAY { Fault::RelayRebuilt } else { Fault::DeviceLost });
        self.trace.note(node, || format!("{node} is rebuilt from nothing"));
        if node != RELAY && self.chance.one_in(3) && self.enrol(node)? {
            return Ok(());
        }
        self.take_part(node)
    }

    /// A new device joins the survey and is granted what its officer had.
    pub(super) fn take_part(&mut self, node: usize) -> Checked {
        let survey = self.truth.survey;
        let (key, role, upstream) = (self.nodes[node].key, self.nodes[node].role, self.nodes[node].upstream);
        let replica = self.nodes[node].replica.as_mut().expect("a new device runs");
        replica.join(survey).map_err(|error| error.to_string())?;
        self.commit(node)?;
        let regions: &[&str] = super::REGIONS[node];
        if role == Role::District {
            return self.grant(OFFICE, true, key, role, regions);
        }
        let before = self.truth.statements.len();
        self.grant(upstream, false, key, role, regions)?;
        if self.truth.statements.len() == before {
            // Its superior is as new as itself and may grant nothing yet.
            self.nodes[OFFICE].up_at_ms = 0;
            self.come_up(OFFICE)?;
            self.grant(OFFICE, false, key, role, regions)?;
        }
        Ok(())
    }

    /// What a node alone held is gone with it, but for what a copy of its store has.
    fn lose_what_only(&mut self, node: usize, kept: &BTreeSet<ChangeId>) {
        let elsewhere = |id: &_| (0..NODES).any(|other| other != node && self.truth.held[other].contains(id));
        let lost = self.truth.held[node].iter().filter(|id| !kept.contains(*id) && !elsewhere(*id)).count();
        self.tally.lost_with_device += lost as u64;
    }

    /// Every link of a node is cut.
    pub(super) fn part_from_all(&mut self, node: usize) -> Checked {
        let luck = self.chance.u64();
        for (near, far, _) in self.links.all() {
            if near.0 == node || far.0 == node {
                self.cut(near, far, luck)?;
            }
        }
        Ok(())
    }

    /// A device is away from every network for days, while others write, and places go to others, are given back
    /// or forgotten.
    fn away(&mut self, node: usize, days: u64) -> Checked {
        self.part_from_all(node)?;
        let back_ms = self.now_ms + days * DAY_MS;
        self.nodes[node].away_until_ms = back_ms;
        for _ in 0..2 {
            let (other, luck) = (self.chance.below(NODES), self.chance.u64());
            self.write(other, luck)?;
            match luck % 4 {
                0 => self.regrant(luck)?,
                1 => self.hand_over(luck)?,
                2 => self.erase(luck)?,
                _ => {}
            }
            self.run_until(self.now_ms.midpoint(back_ms))?;
        }
        self.run_until(back_ms)?;
        let upstream = self.nodes[node].upstream;
        for end in [node, upstream] {
            self.nodes[end].up_at_ms = 0;
            self.come_up(end)?;
        }
        self.link(node, upstream)?;
        if self.links.are_linked(node, upstream) {
            self.tally.hit(match days {
                1 => Fault::Away1Day,
                30 => Fault::Away30Days,
                _ => Fault::Away400Days,
            });
        }
        Ok(())
    }
}
