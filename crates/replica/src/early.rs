//! What goes with the greeting. Who dials a peer that it has met sends the first of what is new for it in the first
//! flight, outside of the log: how much of that the peer has, its answer tells. If that was all, or the peer was never
//! met and may have everything from elsewhere, a sketch follows. Where the peer holds the same, the session is over with
//! its answer. Where it does not, or is itself about to send something, the early sketch is forgotten, and both compare
//! once they have nothing more to send. Where statements are exchanged first, the peer passes over early changes.

use std::collections::BTreeMap;

use rukun_change::{Fingerprint, Region, SubSls};
use rukun_store::EntryKind;
use rukun_wire::Message;
use rukun_wire::limits::{EARLY_FRAMES_MAX, SKETCH_REGIONS_MAX};

use crate::batch::Batch;
use crate::input::LinkId;
use crate::replica::{Replica, ReplicaError};
use crate::send::covers;
use crate::sketch::{shared, total};

/// How much of the log is looked through for what is new to the peer.
const LOOKED_THROUGH_MAX: usize = 512;

/// What is held of each place.
type Held = BTreeMap<SubSls, Fingerprint>;

impl Replica {
    /// Sends with the greeting what the peer is not known to have, as much as two frames hold, and if that is all,
    /// sketches what both may read as far as is known from before.
    pub(crate) fn speak_early(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let Some(state) = self.links.get(&link).map(|open| open.state) else { return Ok(()) };
        let was_met = state.knows_us || state.received.is_some() || state.acknowledged > 0;
        let is_all = if state.acknowledged > 0 {
            self.send_early(link)?
        } else {
            // All of the log is news to whoever was never met, unless it has it from somebody else.
            !was_met || !self.has_news(link)?
        };
        if is_all { self.sketch_early(link) } else { Ok(()) }
    }

    /// Whether the peer has all of the log, as far as is known, when it has taken this. Neither statements nor what is
    /// left of erased records go before trust is settled, nor what stands behind statements about work.
    fn send_early(&mut self, link: LinkId) -> Result<bool, ReplicaError> {
        let (Some(open), Some(trust)) = (self.links.get(&link), &self.trust) else { return Ok(false) };
        let (peer, reads, frame_changes) =
            (open.peer, trust.reads(&open.peer), open.outgoing.frame_changes_max());
        let (mut after, mut is_all) = (open.state.acknowledged, true);
        for _ in 0..EARLY_FRAMES_MAX {
            let mut places = Vec::new();
            let part = self.log_part(after, &peer, &reads, Batch::of_at_most(frame_changes), |held| {
                places.push(held.seq);
                Ok(false)
            })?;
            if !self.about_in(part.about, &reads)?.is_empty() || part.batch.erased().next().is_some() {
                return Ok(false);
            }
            (after, is_all) = (part.upto, is_all && part.receipts.is_empty());
            places.retain(|seq| *seq <= after);
            let Some(open) = self.links.get_mut(&link).filter(|_| !part.batch.is_empty()) else { continue };
            let frame = open.outgoing.sent_early(&places, part.batch.homes());
            self.stage_batch(link, frame, None, part.batch);
        }
        Ok(is_all && after == self.store.head())
    }

    /// Sketches what both may read, as far as is known from before.
    fn sketch_early(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let device = self.device();
        let (Some(open), Some(trust), Some(survey)) = (self.links.get(&link), &self.trust, self.survey())
        else {
            return Ok(());
        };
        let regions = shared(&trust.reads(&device), &trust.reads(&open.peer));
        if regions.is_empty() || regions.len() > SKETCH_REGIONS_MAX {
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
