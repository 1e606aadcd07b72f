//! The sending half: what the peer still lacks of ours. First the log from the peer's cursor on,
//! in frames, a bounded number in flight; then, when both sides are quiet, a summary of each
//! sub-SLS; where the peer names a difference, all ids of that sub-SLS, and then what it wants of
//! them. The same half serves the live phase: new entries of the log are just more to send.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rukun_change::{ChangeId, SubSls};
use rukun_wire::Effort;
use rukun_wire::limits::SUMMARY_SUB_SLS_MAX;

use crate::violation::Violation;

mod known;
mod overtaking;
mod sketched;
mod under_way;
mod window;
pub use known::Known;
use overtaking::Overtaking;
use sketched::Sketched;
pub use under_way::FRAMES_IN_FLIGHT_MAX;
use under_way::UnderWay;

/// How often two nodes compare again without anything having moved between them, before the session
/// leaves it to the next one: a peer that never agrees must not keep both busy.
const ROUNDS_MAX: u32 = 3;
/// How much of the log, none of it for the peer, is looked through again in the next session before it is told
/// that it has passed.
const TOLD_BEHIND_MAX: u64 = 512;
/// The most wanted changes that may wait to be sent.
const WANTED_MAX: usize = 1 << 20;
/// The most lists that wait for their answer: two full stores may differ in more than a link holds.
const LISTS_IN_FLIGHT_MAX: usize = 16;

/// What goes to one peer on one link.
#[derive(Debug)]
pub struct Outgoing {
    /// The log is sent up to here.
    position: u64,
    /// The peer was told that the log is sent up to here.
    told_upto: u64,
    known: Known,
    in_flight: UnderWay,
    overtaking: Overtaking,
    said_quiet: bool,
    /// Where to compare when both sides are quiet.
    compare: Compare,
    /// Summaries that wait for their answer, oldest first.
    summaries: VecDeque<Vec<SubSls>>,
    /// A sketch that waits for its answer.
    sketch: Option<Sketched>,
    /// How often a sketch led nowhere.
    unclear: u32,
    /// Named as differing, ids not listed yet.
    to_list: VecDeque<SubSls>,
    /// Listed, and the peer has not said yet what it wants of it.
    listed: VecDeque<Listed>,
    wanted: VecDeque<ChangeId>,
    rounds: u32,
    /// Where the peer last said that it holds something else.
    unsettled: BTreeSet<SubSls>,
    /// Where the peer wanted something of what was listed, since it last answered a summary.
    lacking: BTreeSet<SubSls>,
    /// Where the peer sent something while a summary of ours was on its way: what it answers there
    /// is about another set than it has now.
    came: BTreeSet<SubSls>,
    agreed: bool,
}

#[derive(Debug)]
struct Listed {
    sub_sls: SubSls,
    ids: BTreeSet<ChangeId>,
}

#[derive(Debug)]
enum Compare {
    Everywhere,
    In(BTreeSet<SubSls>),
}

/// What an acknowledgement tells of the peer.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivered {
    /// It has our log up to here.
    pub upto: u64,
    /// It holds these changes of the frame.
    pub changes: BTreeMap<ChangeId, SubSls>,
}

/// What is to be done next for this peer.
#[derive(Debug, PartialEq, Eq)]
pub enum Work {
    /// Send what the log holds after this place, then say so with [`Outgoing::sent`] or
    /// [`Outgoing::passed`].
    Log {
        /// The place.
        after: u64,
    },
    /// Send these changes, which the peer wants, and say so with [`Outgoing::sent`].
    Changes(Vec<ChangeId>),
    /// List all ids held in this sub-SLS, and say so with [`Outgoing::listed`].
    List(SubSls),
    /// Say that there is nothing more to send for now.
    SayQuiet,
    /// Sketch what is held where both sides may read, and summarise the rest of the peer's scope; say so with
    /// [`Outgoing::sketched`] and [`Outgoing::summarised`].
    Sketch,
    /// Send the sketch's symbols from the first of these places up to the second.
    Symbols(usize, usize),
    /// Summarise: everywhere in the peer's scope, or in these sub-SLS; say so with
    /// [`Outgoing::summarised`].
    Summarise(Option<BTreeSet<SubSls>>),
    /// Nothing, until something is acknowledged, answered or added.
    Nothing,
}

impl Outgoing {
    /// A new link's sending half. The log is sent after `after`; that the peer has it is known up to
    /// `known`.
    pub fn new(after: u64, known: u64) -> Self {
        let trusted = cfg!(planted = "cursor-trusted") && after > 0;
        Self {
            position: after,
            told_upto: known.min(after),
            known: Known::new(after, known),
            in_flight: UnderWay::default(),
            overtaking: Overtaking::default(),
            said_quiet: false,
            compare: if trusted { Compare::In(BTreeSet::new()) } else { Compare::Everywhere },
            summaries: VecDeque::new(),
            sketch: None,
            unclear: 0,
            to_list: VecDeque::new(),
            listed: VecDeque::new(),
            wanted: VecDeque::new(),
            rounds: 0,
            unsettled: BTreeSet::new(),
            lacking: BTreeSet::new(),
            came: BTreeSet::new(),
            agreed: false,
        }
    }

    /// What is to be done next, when our log ends at `head` and the peer is quiet or not.
    pub fn next(&mut self, head: u64, peer_is_quiet: bool) -> Work {
        if self.in_flight.is_full() && !cfg!(planted = "window-unbounded") {
            return Work::Nothing;
        }
        if let Some(ids) = self.overtaking.next(self.frame_changes_max()) {
            return Work::Changes(ids);
        }
        if let Some((from, upto)) = self.symbols_due() {
            return Work::Symbols(from, upto);
        }
        if !self.wanted.is_empty() {
            let frame = self.wanted.len().min(self.frame_changes_max());
            return Work::Changes(self.wanted.drain(..frame).collect());
        }
        if self.listed.len() < LISTS_IN_FLIGHT_MAX
            && let Some(sub_sls) = self.to_list.pop_front()
        {
            return Work::List(sub_sls);
        }
        if self.position < head {
            return Work::Log { after: self.position };
        }
        // What is not acknowledged yet is taken in before what is asked behind it.
        if !self.listed.is_empty() || !self.summaries.is_empty() || self.sketch.is_some() {
            return Work::Nothing;
        }
        if !self.said_quiet {
            self.said_quiet = true;
            return Work::SayQuiet;
        }
        if !peer_is_quiet {
            return Work::Nothing;
        }
        match std::mem::replace(&mut self.compare, Compare::In(BTreeSet::new())) {
            Compare::Everywhere => {
                // What was named in a scope that is no more must not count against agreement.
                self.unsettled.clear();
                if self.sketches() { Work::Sketch } else { Work::Summarise(None) }
            }
            Compare::In(places) if places.is_empty() => Work::Nothing,
            Compare::In(places) => Work::Summarise(Some(places)),
        }
    }

    /// A frame with these changes is on its way; the log is thereby sent up to `upto`. Gives the
    /// frame's number.
    pub fn sent(&mut self, upto: Option<u64>, changes: impl IntoIterator<Item = (ChangeId, SubSls)>) -> u64 {
        let after = upto.map_or(0, |_| self.position);
        let changes: BTreeMap<ChangeId, SubSls> = changes.into_iter().collect();
        if let Compare::In(places) = &mut self.compare {
            places.extend(changes.values());
        }
        if let Some(upto) = upto {
            (self.position, self.told_upto) = (upto, upto);
            self.overtaking.passed(upto);
        }
        self.said_quiet = false;
        self.agreed = false;
        self.in_flight.left(after, upto, changes)
    }

    /// The last frame that left takes so many bytes.
    pub fn weighed(&mut self, bytes: usize) {
        self.in_flight.weighed(bytes);
    }

    /// How hard to try to make the next frame short.
    pub fn effort(&self) -> Effort {
        self.in_flight.effort()
    }

    /// How many changes the next frame may have.
    pub fn frame_changes_max(&self) -> usize {
        self.in_flight.frame_changes_max()
    }

    /// How many bytes of a file the next message may have.
    pub fn piece_bytes_max(&self) -> usize {
        self.in_flight.piece_bytes_max()
    }

    /// The peer asked for something, and waits until we say that there is nothing more.
    pub fn was_asked(&mut self) {
        self.said_quiet = false;
    }

    /// Of what [`Work::Changes`] asked for these need another frame.
    pub fn wanted_still(&mut self, ids: &[ChangeId]) {
        for id in ids.iter().rev() {
            self.wanted.push_front(*id);
        }
    }

    /// Statements about the work of these sub-SLS are on their way. They are not acknowledged one by one:
    /// the next comparison tells whether they are held.
    pub fn told(&mut self, places: impl IntoIterator<Item = SubSls>) {
        if let Compare::In(compare) = &mut self.compare {
            compare.extend(places);
        }
        self.said_quiet = false;
        self.agreed = false;
    }

    /// A frame without changes is on its way: it says no more than that the log is sent up to here. What
    /// went before it changes no fingerprint, so what was agreed stays agreed. Gives the frame's number.
    pub fn marked(&mut self, upto: u64) -> u64 {
        let frame = self.in_flight.left(self.position, Some(upto), BTreeMap::new());
        (self.position, self.told_upto) = (upto, upto);
        self.said_quiet = false;
        frame
    }

    /// The peer says that it was told before that the log is sent up to here.
    pub fn peer_was_told(&mut self, upto: u64) {
        self.told_upto = upto;
    }

    /// Whether the log is sent further than the peer was told.
    pub fn is_further_than_told(&self) -> bool {
        self.position > self.told_upto
    }

    /// Whether the peer holds all and could not say in the next session from where to go on: it was never told
    /// of a place in this log, since nothing of it was ever news to it, or of none but one long passed. What is
    /// made meanwhile would have to be found by what differs.
    pub fn owes_a_mark(&self) -> bool {
        let is_owed = self.told_upto == 0 || self.position.saturating_sub(self.told_upto) > TOLD_BEHIND_MAX;
        self.agreed && self.is_further_than_told() && is_owed
    }

    /// The log holds nothing for this peer up to here.
    pub fn passed(&mut self, upto: u64) {
        self.position = upto;
        self.overtaking.passed(upto);
        if self.in_flight.is_empty() {
            self.known.advance(upto);
        }
    }

    /// The peer acknowledged a frame, with these changes excepted.
    ///
    /// # Errors
    /// If that frame is not the oldest in flight or never held what is excepted.
    pub fn acknowledged(
        &mut self,
        now_ms: u64,
        frame: u64,
        exceptions: &[ChangeId],
    ) -> Result<Delivered, Violation> {
        let flight = self.in_flight.acknowledged(now_ms, frame, exceptions)?;
        let mut changes = flight.changes;
        changes.retain(|id, _| !exceptions.contains(id));
        self.known.took(flight.after, &changes, exceptions);
        // What waits there or was refused is no news, or it would be compared and sent for ever.
        if !changes.is_empty() {
            self.rounds = 0;
        }
        if let Some(upto) = flight.upto {
            self.known.advance(upto);
        }
        if cfg!(planted = "hole-acknowledged") {
            self.known.agree(self.position);
        } else if self.in_flight.is_empty() {
            self.known.advance(self.position);
        }
        Ok(Delivered { upto: self.known.upto(), changes })
    }

    /// A summary of these sub-SLS is on its way, in messages of at most
    /// [`SUMMARY_SUB_SLS_MAX`] each.
    pub fn summarised(&mut self, places: &[SubSls]) {
        self.summaries.extend(places.chunks(SUMMARY_SUB_SLS_MAX).map(<[SubSls]>::to_vec));
        let nothing_to_ask = self.summaries.is_empty() && self.sketch.is_none() && self.unsettled.is_empty();
        self.set_agreed(nothing_to_ask || cfg!(planted = "in-sync-unanswered"));
    }

    /// The peer answered the oldest summary: it holds something else in these.
    ///
    /// # Errors
    /// If no summary waits, or it did not have these.
    pub fn differs(&mut self, places: &[SubSls]) -> Result<(), Violation> {
        let summary = self.summaries.pop_front().ok_or(Violation::NoSummary)?;
        let was_asked = places.iter().all(|place| summary.binary_search(place).is_ok());
        if !was_asked && !cfg!(planted = "differ-unchecked") {
            return Err(Violation::NotInSummary);
        }
        for place in &summary {
            self.unsettled.remove(place);
            self.lacking.remove(place);
        }
        let doubtful: Vec<SubSls> =
            summary.iter().filter(|place| self.came.remove(*place)).copied().collect();
        if let Compare::In(compare) = &mut self.compare {
            compare.extend(&doubtful);
        }
        self.unsettled.extend(places.iter().chain(&doubtful));
        if !places.is_empty() && self.rounds < ROUNDS_MAX {
            self.rounds += u32::from(self.summaries.is_empty());
            self.to_list.extend(places);
        }
        self.set_agreed(self.is_settled());
        Ok(())
    }

    /// Ids of a sub-SLS are on their way, in one message.
    pub fn listed(&mut self, sub_sls: SubSls, ids: impl IntoIterator<Item = ChangeId>) {
        self.listed.push_back(Listed { sub_sls, ids: ids.into_iter().collect() });
    }

    /// The peer answered the oldest list: it wants these of it.
    ///
    /// # Errors
    /// If they were not listed.
    pub fn wants(&mut self, ids: &[ChangeId]) -> Result<(), Violation> {
        let listed = self.listed.pop_front().ok_or(Violation::NotListed)?;
        if !ids.iter().all(|id| listed.ids.contains(id)) {
            return Err(Violation::NotListed);
        }
        if self.wanted.len() + ids.len() > WANTED_MAX {
            return Err(Violation::TooMuch { what: "wanted changes", max: WANTED_MAX });
        }
        self.wanted.extend(ids);
        let place = listed.sub_sls;
        if !ids.is_empty() {
            self.lacking.insert(place);
            if let Compare::In(places) = &mut self.compare {
                places.insert(place);
            }
        } else if !self.lacking.contains(&place) && self.listed.iter().all(|left| left.sub_sls != place) {
            // It holds all that we listed there, and what it holds beyond that is not ours to know.
            self.unsettled.remove(&place);
            self.set_agreed(self.is_settled());
        }
        Ok(())
    }

    /// The peer's scope has changed: compare everywhere once more. What it asked for in the old one is
    /// forgotten; what it still may read of that is found again.
    pub fn scope_changed(&mut self) {
        // What it acknowledged of the log says nothing of what it may read there only now.
        self.known.forget(self.position);
        self.compare_everywhere();
    }

    /// Compare everywhere once more: what the peer asked for so far may not be sent any more.
    pub fn compare_everywhere(&mut self) {
        self.compare = Compare::Everywhere;
        self.to_list.clear();
        self.wanted.clear();
        self.agreed = false;
        self.rounds = 0;
    }

    /// What of our log the peer is known to hold.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// The log is sent up to here.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The peer's own summary showed differences here: what it lacks there is ours to find out, by
    /// a summary of our own. Two nodes that can never agree stop after a few rounds.
    pub fn compare_again(&mut self, places: &[SubSls]) {
        if places.is_empty() || self.rounds >= ROUNDS_MAX {
            return;
        }
        self.rounds += 1;
        if let Compare::In(compare) = &mut self.compare {
            compare.extend(places);
        }
    }

    /// News came from the peer in these sub-SLS, so the next comparison there may come out otherwise.
    pub fn progressed(&mut self, places: &BTreeSet<SubSls>) {
        self.rounds = 0;
        if let Compare::In(compare) = &mut self.compare {
            compare.extend(self.unsettled.intersection(places));
        }
    }

    /// Statements came or went. What waited for them on either side may be held now, so that all that
    /// was left differing is compared once more.
    pub fn statements_moved(&mut self) {
        self.rounds = 0;
        if let Compare::In(compare) = &mut self.compare {
            compare.extend(&self.unsettled);
        }
    }

    /// Changes came from the peer in these sub-SLS.
    pub fn came(&mut self, places: impl IntoIterator<Item = SubSls>) {
        if !self.summaries.is_empty() || self.sketch.is_some() {
            self.came.extend(places);
        }
    }

    /// A change is held here from now on that this peer once brought, which is why it is not sent back.
    /// Whether the peer still has it is not known: a comparison tells.
    pub fn doubt(&mut self, place: SubSls) {
        self.came([place]);
        if let Compare::In(places) = &mut self.compare {
            places.insert(place);
        }
        self.agreed = false;
    }

    /// The sub-SLS of changes that are on their way and not yet acknowledged.
    pub fn busy(&self) -> BTreeSet<SubSls> {
        self.in_flight.iter().flat_map(|flight| flight.changes.values().copied()).collect()
    }

    /// Whether the last summary found no difference, and nothing was sent since.
    pub fn agreed(&self) -> bool {
        self.agreed
    }

    fn set_agreed(&mut self, agreed: bool) {
        self.agreed = agreed;
        if agreed {
            self.known.agree(self.position);
        }
    }

    /// Whether nothing is under way, asked for, or still to be compared: an answer to what was asked before the
    /// last frames left, or in a scope that is no more, says nothing of what is.
    fn is_settled(&self) -> bool {
        matches!(&self.compare, Compare::In(places) if places.is_empty())
            && self.summaries.is_empty()
            && self.sketch.is_none()
            && self.unsettled.is_empty()
            && self.in_flight.iter().all(|flight| flight.changes.is_empty())
            && self.to_list.is_empty()
            && self.listed.is_empty()
            && self.wanted.is_empty()
    }
}

#[cfg(test)]
mod tests;
