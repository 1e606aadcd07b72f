//! A sketch that goes with the greeting: who dials a peer and has nothing new for it says so in the first flight; so
//! does who dials one that it never met, which may have everything from elsewhere. Where the peer holds the same, the
//! session is over with its answer. Where it does not, or is itself about to send something, the early sketch is
//! forgotten, and both compare once they have nothing more to send.

use std::collections::BTreeMap;

use rukun_change::{Fingerprint, Region, SubSls};
use rukun_store::EntryKind;
use rukun_wire::Message;
use rukun_wire::limits::SKETCH_REGIONS_MAX;

use crate::input::LinkId;
use crate::replica::{Replica, ReplicaError};
use crate::send::covers;
use crate::sketch::{shared, total};

/// How much of the log is looked through for what is new to the peer.
const LOOKED_THROUGH_MAX: usize = 512;

/// What is held of each place.
type Held = BTreeMap<SubSls, Fingerprint>;

impl Replica {
    /// Sketches, with the greeting, what both may read as far as is known from before, unless there is something
    /// to send.
    pub(crate) fn sketch_early(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let device = self.device();
        let (Some(open), Some(trust), Some(survey)) = (self.links.get(&link), &self.trust, self.survey())
        else {
            return Ok(());
        };
        let regions = shared(&trust.reads(&device), &trust.reads(&open.peer));
        let state = &open.state;
        let was_met = state.knows_us || state.received.is_some() || state.acknowledged > 0;
        // All of the log is news to whoever was never met, unless it has it from somebody else.
        if regions.is_empty() || regions.len() > SKETCH_REGIONS_MAX || was_met && self.has_news(link)? {
            return Ok(());
        }
        let held: Vec<_> = self.store.fingerprints(&regions)?.into_iter().collect();
        if held.is_empty() {
            return Ok(());
        }
        let drawn = self.sketch_of(&survey, 0, regions, &held)?;
        let mut sketch = self.drawn_sketch(&drawn, &held)?;
        // All ids fall into the first. By more the peer could tell what differs, and it does not ask so early.
        sketch.symbols.truncate(1);
        let places = held.into_iter().map(|(place, _)| place).collect();
        if let Some(open) = self.links.get_mut(&link) {
            open.early_sent = Some((places, sketch.symbols.len()));
            open.drawn = Some(drawn);
        }
        self.send(link, &Message::Sketch(sketch));
        Ok(())
    }

    /// Trust is settled: goes on with the sketch that went with the greeting, or takes the one that came.
    pub(crate) fn go_on_from_early(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let sent = self.links.get_mut(&link).and_then(|open| open.early_sent.take());
        if let (Some((places, symbols)), Some(open)) = (sent, self.links.get(&link)) {
            // Grants may have come since, and changes that the log brings to nobody who has no place in it.
            let is_of_now = match (&open.drawn, self.all_told_by(link)?) {
                (Some(drawn), (regions, Some(held))) => {
                    regions == drawn.regions && total(held.values()) == drawn.fingerprint
                }
                _ => false,
            };
            if let Some(open) = self.links.get_mut(&link) {
                open.outgoing.sketched_early(places, symbols, is_of_now);
            }
        }
        match self.links.get_mut(&link).and_then(|open| open.early_came.take()) {
            Some(sketch) => self.take_sketch(link, *sketch),
            None => Ok(()),
        }
    }

    /// The peer's sketch is of just what is held here. If it is of all that we would tell the peer of, there is
    /// nothing left to ask.
    pub(crate) fn equal_by_its_sketch(&mut self, link: LinkId, of: &[Region]) -> Result<(), ReplicaError> {
        let (regions, held) = self.all_told_by(link)?;
        let is_of_all = regions == of && held.is_some() || cfg!(planted = "part-for-all");
        let Some(open) = self.links.get(&link).filter(|_| is_of_all) else { return Ok(()) };
        // A superior signs for what it is shown to hold, and only ours shows it that.
        let is_shown = self.awaits_receipts(&open.peer, &held.unwrap_or_default())?;
        if let Some(open) = self.links.get_mut(&link).filter(|_| !is_shown || cfg!(planted = "unsigned-for"))
        {
            open.outgoing.proved_equal();
        }
        Ok(())
    }

    /// Where both may read, and what is held there; no sets where more is held that the peer may read.
    fn all_told_by(&self, link: LinkId) -> Result<(Vec<Region>, Option<Held>), ReplicaError> {
        let (Some(open), Some(trust)) = (self.links.get(&link), &self.trust) else {
            return Ok((Vec::new(), None));
        };
        let regions = shared(&trust.reads(&self.device()), &open.reads);
        let held = self.store.fingerprints(&open.reads)?;
        let is_all = held.keys().all(|place| covers(&regions, place));
        Ok((regions, is_all.then_some(held)))
    }

    /// Whether the log holds something for the peer that it is not known to have.
    fn has_news(&self, link: LinkId) -> Result<bool, ReplicaError> {
        let (Some(open), Some(trust)) = (self.links.get(&link), &self.trust) else { return Ok(true) };
        let (peer, reads) = (open.peer, trust.reads(&open.peer));
        let entries = self.store.scan(open.state.acknowledged, LOOKED_THROUGH_MAX)?;
        let reads = |home: &SubSls| covers(&reads, home);
        let is_news = |kind: &EntryKind| match kind {
            EntryKind::Change { record, .. } => reads(&record.home()),
            EntryKind::Statement { id } => self.store.about(id).is_some_and(|home| reads(&home)),
            EntryKind::Receipt { .. } => true,
            EntryKind::Released => false,
        };
        let is_long = entries.len() == LOOKED_THROUGH_MAX;
        Ok(is_long || entries.iter().any(|entry| entry.from != Some(peer) && is_news(&entry.kind)))
    }
}
