//! The world as it runs: time moves from one arrival to the next, nodes handle what arrives, commit,
//! and what they then release is sent on and held against what is true.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rukun_authority::{Keypair, Verifier};
use rukun_change::{DeviceKey, Region};
use rukun_replica::{Body, Deframer, Frame, Input, LinkId, Output};
use rukun_wire::Message;

use super::Chance;
use super::disk::Trouble;
use super::liar::Lie;
use super::links::{Carried, End, Links};
use super::mallory::Mallory;
use super::node::{self, Node};
use super::tally::{Fault, Tally};
use super::trace::Trace;
use super::truth::Truth;

/// The types of messages whose contents the world follows, as they stand in the formats.
const ACK: u8 = 7;
const LATE_MS: u64 = 5_000;
/// A promise that was broken, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// After how many steps of the plan.
    pub step: usize,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after step {}: {}", self.step, self.text)
    }
}

pub(super) type Checked = Result<(), String>;

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) links: Links,
    pub(super) truth: Truth,
    pub(super) tally: Tally,
    pub(super) trace: Trace,
    pub(super) chance: Chance,
    pub(super) root: Keypair,
    /// The keys that followed it, in order.
    pub(super) later_roots: Vec<Keypair>,
    /// One for all nodes: what a signature is worth depends on nothing but its bytes.
    pub(super) verifier: Verifier,
    pub(super) now_ms: u64,
    pub(super) delay_ms: u64,
    /// Whether frames may be late and links half open.
    pub(super) calm: bool,
    /// Which half of the nodes can't reach the other, and until when.
    pub(super) partition: (u32, u64),
    /// Ends of cut links that learn of it later.
    pub(super) late_ends: BTreeSet<(u64, End)>,
    /// What a node said to a peer that is no node.
    pub(super) heard: BTreeMap<End, Vec<Message>>,
    /// What is needed to understand what a node says on a link.
    pub(super) ears: BTreeMap<End, Deframer>,
    /// The keys of those who lie.
    pub(super) liars: BTreeSet<DeviceKey>,
    pub(super) mallories: Vec<Mallory>,
    /// Lies that nobody could hear so far.
    pub(super) untold: Vec<(Lie, u64)>,
    /// Bundles on their way.
    pub(super) carried: Vec<Carried>,
    /// Nodes whose devices were revoked, and whose officers have no other yet.
    pub(super) lost: BTreeSet<usize>,
    /// The last place that went from one to another and has not gone back.
    pub(super) handed_over: Option<HandedOver>,
    /// When something last arrived that was new to somebody.
    pub(super) news_ms: u64,
}

/// A place that went from one node to another, by the hand of a third.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandedOver {
    pub(super) granter: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) region: Region,
}

impl World {
    /// Lets time pass and everything happen that is due.
    pub(super) fn run_until(&mut self, until_ms: u64) -> Checked {
        loop {
            if let Some((at_ms, end)) = self.late_ends.first().copied().filter(|(at, _)| *at <= until_ms) {
                self.late_ends.remove(&(at_ms, end));
                self.pass_to(at_ms);
                self.end_learns(end)?;
                continue;
            }
            let Some((at_ms, node)) = self.links.next_due(until_ms) else { break };
            self.pass_to(at_ms);
            self.arrive(node)?;
        }
        self.pass_to(until_ms);
        Ok(())
    }

    pub(super) fn pass_to(&mut self, at_ms: u64) {
        self.now_ms = self.now_ms.max(at_ms);
        self.trace.now_ms = self.now_ms;
    }

    /// Everything that has come to a node is handled, then committed together.
    fn arrive(&mut self, node: usize) -> Checked {
        self.come_up(node)?;
        let mut acknowledged = BTreeSet::new();
        let mut handled = self.tick(node)?;
        for (end, bytes) in self.links.arrived(node, self.now_ms) {
            self.take(end, &bytes)?;
            handled = true;
            if bytes.get(4) == Some(&ACK) {
                acknowledged.insert(end);
            }
        }
        for (end, reason) in self.links.closed_to(node) {
            self.links.remove(&end);
            self.handle(node, Input::LinkClosed { link: end.1, reason })?;
            handled = true;
        }
        // Whoever is to die before a commit dies where there is something to commit.
        if handled || !self.nodes[node].dies_before_commit {
            self.commit(node)?;
        }
        acknowledged.into_iter().try_for_each(|end| self.shows_no_more_than_was_delivered(end))
    }

    /// Tells a node that the time has come for which it waits. Gives whether it waited for any.
    fn tick(&mut self, node: usize) -> Result<bool, String> {
        let deadline = self.nodes[node].replica.as_ref().and_then(rukun_replica::Replica::deadline);
        let is_due = deadline.is_some_and(|at_ms| at_ms <= self.nodes[node].clock(self.now_ms).steady_ms);
        if is_due {
            self.handle(node, Input::Tick)?;
        }
        Ok(is_due)
    }

    /// Bytes come to an end of a link.
    fn take(&mut self, end: End, bytes: &[u8]) -> Checked {
        let (node, link) = end;
        let Some((_, wire)) = self.links.towards(&end) else { return Ok(()) };
        wire.deframer.push(bytes);
        loop {
            let Some((_, wire)) = self.links.towards(&end) else { return Ok(()) };
            let frame = match next_frame(&mut wire.deframer) {
                Ok(Some(body)) => Frame::check(&body, Some(&self.truth.survey), &self.verifier),
                Ok(None) => return Ok(()),
                Err(broken) => broken,
            };
            self.trace.note((node, link.0, bytes.len()), || {
                format!("{node} gets {} bytes on link {}", bytes.len(), link.0)
            });
            self.handle(node, Input::Received { link, frame })?;
        }
    }

    /// A node handles something; what comes of it waits for the commit.
    pub(super) fn handle(&mut self, node: usize, input: Input) -> Checked {
        let now = self.nodes[node].clock(self.now_ms);
        let Some(replica) = &mut self.nodes[node].replica else { return Ok(()) };
        match replica.handle(now, input) {
            Ok(()) => Ok(()),
            Err(error) => self.disk_failed(node, &error.to_string()),
        }
    }

    /// A node commits, and what it releases takes effect.
    pub(super) fn commit(&mut self, node: usize) -> Checked {
        if self.nodes[node].dies_before_commit && self.nodes[node].replica.is_some() {
            self.tally.hit(Fault::KillBeforeCommit);
            self.fall(node);
            return Ok(());
        }
        let Some(replica) = &mut self.nodes[node].replica else { return Ok(()) };
        let committed = replica.commit();
        // Whatever a node gives out is out, whether its commit went well or not.
        while let Some(output) = self.nodes[node].replica.as_mut().and_then(rukun_replica::Replica::poll) {
            self.released(node, output)?;
        }
        match committed {
            Ok(()) => Ok(()),
            Err(error) => self.disk_failed(node, &error.to_string()),
        }
    }

    fn released(&mut self, node: usize, output: Output) -> Checked {
        match output {
            Output::Send { link, bytes } => self.sent((node, link), bytes),
            Output::Close { link, reason } => {
                self.trace
                    .note((node, link.0, &reason), || format!("{node} closes link {}: {reason}", link.0));
                self.closed((node, link), reason);
                Ok(())
            }
            Output::Event(event) => self.told(node, event),
        }
    }

    fn sent(&mut self, from: End, bytes: Vec<u8>) -> Checked {
        let ear = self.ears.entry(from).or_default();
        ear.push(&bytes);
        let body = ear.next_frame().map(|body| body.expect("a node sends whole frames"));
        let message = body.and_then(|body| Message::of(&body));
        let message = message.map_err(|error| format!("{} sends what can't be read: {error}", from.0))?;
        self.trace.note((from.0, from.1.0, &bytes), || {
            format!("{} sends {} bytes on link {}: {}", from.0, bytes.len(), from.1.0, name_of(&message))
        });
        if let Some(heard) = self.heard.get_mut(&from) {
            heard.push(message.clone());
            self.told_to_a_liar(&message);
            return Ok(());
        }
        match message {
            Message::Changes(changes) => self.follow_changes(from, &changes)?,
            Message::Stubs(stubs) => self.follow_stubs(from, &stubs)?,
            Message::Ack { frame, exceptions } => self.follow_ack(from, frame, &exceptions)?,
            Message::Statements { items, .. } => {
                self.follow_receipts(from, &items)?;
                self.follow_statements(from, &items)?;
            }
            _ => {}
        }
        let late = !self.calm && self.chance.one_in(80);
        let delay_ms = self.delay_ms
            + if late {
                LATE_MS + self.chance.between(0, 30_000)
            } else {
                self.chance.between(0, self.delay_ms / 2)
            };
        if late {
            self.tally.hit(Fault::Delayed);
        }
        self.links.send(&from, self.now_ms, delay_ms, bytes);
        Ok(())
    }

    /// A node closes a link: what it sent before still arrives, what comes the other way is lost.
    fn closed(&mut self, from: End, reason: String) {
        self.heard.remove(&from);
        self.ears.remove(&from);
        let (now_ms, Some(wire)) = (self.now_ms, self.links.get_mut(&from)) else { return };
        let to = wire.to;
        wire.closing = Some(reason);
        let due_ms = wire.chunks.back().map_or(now_ms, |(due_ms, _)| *due_ms);
        self.links.remove(&to);
        self.links.wake(to.0, due_ms);
    }

    /// One end of a cut link learns of it.
    fn end_learns(&mut self, end: End) -> Checked {
        self.handle(end.0, Input::LinkClosed { link: end.1, reason: "cut".into() })?;
        self.commit(end.0)
    }

    /// Two nodes are joined by a link, unless something keeps them apart.
    pub(super) fn link(&mut self, from: usize, to: usize) -> Checked {
        self.come_up(from)?;
        self.come_up(to)?;
        if from == to || self.nodes[from].replica.is_none() || self.nodes[to].replica.is_none() {
            return Ok(());
        }
        let away = |node: &Node| node.away_until_ms > self.now_ms;
        if away(&self.nodes[from]) || away(&self.nodes[to]) {
            return Ok(());
        }
        let (half, until_ms) = self.partition;
        if until_ms > self.now_ms && (half >> from & 1) != (half >> to & 1) {
            self.tally.hit(Fault::Partition);
            return Ok(());
        }
        if self.links.are_linked(from, to) {
            self.tally.hit(Fault::TwoLinks);
        }
        let stores = (self.nodes[from].stores, self.nodes[to].stores);
        let (near, far) = self.links.join(from, to, stores);
        self.trace.note((from, to), || format!("{from} links to {to}: links {} and {}", near.1.0, far.1.0));
        let (caller, called) = (self.nodes[from].key, self.nodes[to].key);
        self.handle(to, Input::LinkOpened { link: far.1, peer: caller, dialed: false })?;
        self.handle(from, Input::LinkOpened { link: near.1, peer: called, dialed: true })?;
        self.commit(to)?;
        self.commit(from)
    }

    /// A link is cut: of what is in flight each way some bytes may have arrived, and one end may
    /// learn of it late.
    pub(super) fn cut(&mut self, near: End, far: End, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        let mut in_flight = false;
        let mut arrived = Vec::new();
        for from in [near, far] {
            let Some(wire) = self.links.get_mut(&from) else { continue };
            let total: usize = wire.chunks.iter().map(|(_, bytes)| bytes.len()).sum();
            in_flight |= total > 0;
            let mut left = if total > 0 { chance.below(total + 1) } else { 0 };
            let to = wire.to;
            while let Some((_, mut bytes)) = wire.chunks.pop_front().filter(|_| left > 0) {
                if bytes.len() > left {
                    self.tally.hit(Fault::CutInFrame);
                }
                bytes.truncate(left);
                left -= bytes.len();
                arrived.push((to, bytes));
            }
        }
        if in_flight {
            self.tally.hit(Fault::CutInFlight);
        }
        self.trace.note((near.0, far.0, in_flight), || format!("link {} is cut", near.1.0));
        for (end, bytes) in arrived {
            self.take(end, &bytes)?;
            self.commit(end.0)?;
        }
        self.links.remove(&near);
        self.links.remove(&far);
        let half_open = !self.calm && chance.one_in(4);
        for (index, end) in [near, far].into_iter().enumerate() {
            if half_open && index == 0 {
                self.tally.hit(Fault::HalfOpen);
                self.late_ends.insert((self.now_ms + chance.between(1_000, 40_000), end));
            } else {
                self.end_learns(end)?;
            }
        }
        Ok(())
    }

    /// A store has failed, which only its disk can make it do.
    pub(super) fn disk_failed(&mut self, node: usize, error: &str) -> Checked {
        if self.nodes[node].disk.hit().is_none() {
            return Err(format!("{node} stops, and its disk is sound: {error}"));
        }
        self.trace.note((node, error), || format!("{node} stops: {error}"));
        self.fall(node);
        Ok(())
    }

    /// A program ends as its node is set to end, and comes up again soon.
    pub(super) fn fall(&mut self, node: usize) {
        let (end, hit) = (self.nodes[node].end, self.nodes[node].disk.hit());
        let at_stake = self.nodes[node].stop();
        self.trace.note((node, at_stake), || format!("{node} is down, {end:?}, {at_stake} writes at stake"));
        match (hit, end) {
            (Some(Trouble::StopsAfter(_)), node::End::Program) => self.tally.hit(Fault::KillInCommit),
            (Some(Trouble::StopsAfter(_)), node::End::Machine(fate)) if at_stake > 0 => {
                self.tally.hit(fate.fault());
            }
            (Some(Trouble::SyncFails), _) => self.tally.hit(Fault::FailedSync),
            (Some(Trouble::Full(_)), _) => self.tally.hit(Fault::FullDisk),
            _ => {}
        }
        let key = self.nodes[node].key;
        self.truth.forget_numbers(&key, node);
        let up_at_ms = self.now_ms + self.chance.between(0, 5_000);
        self.nodes[node].up_at_ms = up_at_ms;
        self.links.wake(node, up_at_ms);
        self.drop_links_of(node);
    }

    /// The links of a program that has ended: what it had sent is lost, its peers learn of it late.
    pub(super) fn drop_links_of(&mut self, node: usize) {
        for (near, far, _) in self.links.all() {
            let (own, other) = if near.0 == node { (near, far) } else { (far, near) };
            if own.0 == node {
                self.links.remove(&own);
                self.links.remove(&other);
                let late_ms = if self.calm { 0 } else { self.chance.between(0, 20_000) };
                self.late_ends.insert((self.now_ms + late_ms, other));
            }
        }
        self.late_ends.retain(|(_, end)| end.0 != node);
        self.heard.retain(|end, _| end.0 != node);
        self.ears.retain(|end, _| end.0 != node);
    }

    /// A link to a peer that is no node.
    pub(super) fn link_by_hand(&mut self, node: usize, peer: DeviceKey) -> Result<LinkId, String> {
        let link = self.links.number();
        self.heard.insert((node, link), Vec::new());
        self.liars.insert(peer);
        self.handle(node, Input::LinkOpened { link, peer, dialed: false })?;
        self.commit(node)?;
        Ok(link)
    }

    /// That peer says something, and the node answers at once. Nothing if the link has ended.
    pub(super) fn say(
        &mut self,
        node: usize,
        link: LinkId,
        bytes: &[u8],
    ) -> Result<Option<Vec<Message>>, String> {
        let mut deframer = Deframer::new();
        deframer.push(bytes);
        let mut whole = true;
        while whole {
            let frame = match next_frame(&mut deframer) {
                Ok(Some(body)) => Frame::check(&body, Some(&self.truth.survey), &self.verifier),
                Ok(None) => break,
                Err(broken) => {
                    whole = false;
                    broken
                }
            };
            self.handle(node, Input::Received { link, frame })?;
        }
        self.commit(node)?;
        Ok(self.heard.get_mut(&(node, link)).map(std::mem::take))
    }
}

/// The next whole frame, or one that says what is wrong with the stream.
fn next_frame(deframer: &mut Deframer) -> Result<Option<Body>, Frame> {
    deframer.next_frame().map_err(Frame::broken)
}

fn name_of(message: &Message) -> String {
    match message {
        Message::Changes(changes) => {
            format!("{} changes in frame {}", changes.items.len(), changes.frame)
        }
        Message::Ack { frame, exceptions } => {
            format!("ack of frame {frame}, {} exceptions", exceptions.len())
        }
        Message::Close(reason) => format!("close: {}", reason.text),
        message => message.name().into(),
    }
}
