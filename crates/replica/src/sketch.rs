//! Sketches: all that two nodes may both read is compared at once, for the price of what differs. The latest
//! receipts are in a sketch, too; they move no fingerprint, and never stand in the way of agreement. What is held
//! elsewhere, by who may only deliver there, is summarised by itself (`send`).

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{ChangeId, Fingerprint, Region, SubSls, SurveyId};
use rukun_reconcile::sketch::{Difference, Encoder, Prefix, SketchKey};
use rukun_reconcile::{Asking, Violation};
use rukun_store::EntryKind;
use rukun_wire::limits::{SKETCH_REGIONS_MAX, SYMBOLS_MAX};
use rukun_wire::{Message, Short, Sketch, Symbol};

use crate::input::LinkId;
use crate::replica::{Replica, ReplicaError};
use crate::send::covers;
use crate::session::{Drawn, Outcome};

/// How many symbols go with a sketch: enough for some four differences.
const SYMBOLS_FIRST: usize = 8;

impl Replica {
    /// Sums all that is held here and may be read, as first sketches have it; gives of how many sub-SLS. Without it the
    /// first link waits for that, and for longer: each sub-SLS is then looked for by itself.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn sum_up(&mut self) -> Result<usize, ReplicaError> {
        let (Some(survey), Some(trust)) = (self.survey(), &self.trust) else { return Ok(0) };
        let (key, reads) = (SketchKey::new(&survey, 0), trust.reads(&self.device()));
        let mut sums: BTreeMap<SubSls, (u64, Prefix)> = BTreeMap::new();
        let mut insert = |place: SubSls, id: &[u8; 32]| {
            let (count, prefix) = sums.entry(place).or_insert_with(|| (0, Prefix::new(SYMBOLS_FIRST)));
            *count += 1;
            prefix.insert(&key, key.short(id));
        };
        self.store.walk(0, |entry| {
            if let EntryKind::Change { id, record } = &entry.kind {
                insert(record.home(), id.as_bytes());
            }
        })?;
        let held = self.store.fingerprints(&reads)?;
        for place in held.keys() {
            for about in self.store.statements_about(place)? {
                insert(*place, about.as_bytes());
            }
        }
        for (place, set) in held {
            if let Some((count, prefix)) = sums.remove(&place)
                && count == set.count()
            {
                self.prefixes.insert(place, (set, prefix));
            }
        }
        Ok(self.prefixes.len())
    }

    /// Sketches what is held where both may read, and summarises the rest of the peer's scope.
    pub(crate) fn send_sketch(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let device = self.device();
        let (Some(open), Some(trust), Some(survey)) = (self.links.get(&link), &self.trust, self.survey())
        else {
            return Ok(());
        };
        let regions = shared(&trust.reads(&device), &open.reads);
        if regions.len() > SKETCH_REGIONS_MAX {
            return self.send_summary(link, None);
        }
        let (is_salted, held) = (open.outgoing.is_salted(), self.store.fingerprints(&open.reads)?);
        let (shared, rest): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|(place, _)| covers(&regions, place));
        // Who holds nothing has nothing that the peer could lack.
        if !shared.is_empty() {
            let salt = if is_salted { u64::from_be_bytes(self.random()).max(1) } else { 0 };
            let drawn = self.sketch_of(&survey, salt, regions, &shared)?;
            self.draw(link, drawn, &shared)?;
        }
        self.send_rows(link, &rest);
        Ok(())
    }

    /// Sends the next symbols of a sketch. They must be of the set that it began with, so that one that has grown
    /// since is sketched anew.
    pub(crate) fn send_symbols(
        &mut self,
        link: LinkId,
        from: usize,
        upto: usize,
    ) -> Result<(), ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        let Some(mut drawn) = open.drawn.take() else { return Ok(()) };
        let may_read = |region: &Region| open.reads.iter().any(|read| read.covers(region));
        if !drawn.regions.iter().all(may_read) {
            // Nothing more of it, and the peer gives it up.
            open.drawn = Some(drawn);
            self.send(link, &Message::Symbols(Vec::new()));
            return Ok(());
        }
        if drawn.encoder.is_none() {
            let held = self.store.fingerprints(&drawn.regions)?;
            let now = total(held.values());
            if now != drawn.fingerprint {
                let shared: Vec<(SubSls, Fingerprint)> = held.into_iter().collect();
                return self.draw(link, Drawn { fingerprint: now, ..drawn }, &shared);
            }
            let ids = self.ids_in(&held.into_keys().collect())?;
            let shorts = ids.keys().map(|id| drawn.key.short(id.as_bytes()));
            let shorts = shorts.chain(drawn.receipts.keys().copied());
            drawn.encoder = Some(Encoder::new(&drawn.key, shorts, from as u64));
        }
        let encoder = drawn.encoder.as_mut();
        let symbols = encoder.map(|encoder| (from..upto).map(|_| encoder.symbol()).collect());
        self.send(link, &Message::Symbols(symbols.unwrap_or_default()));
        if let Some(open) = self.links.get_mut(&link) {
            open.drawn = Some(drawn);
        }
        Ok(())
    }

    /// A sketch of what is held of these regions, none of its symbols drawn yet.
    pub(crate) fn sketch_of(
        &self,
        survey: &SurveyId,
        salt: u64,
        regions: Vec<Region>,
        held: &[(SubSls, Fingerprint)],
    ) -> Result<Drawn, ReplicaError> {
        let key = SketchKey::new(survey, salt);
        let receipts = self.receipts_in(&key, &regions)?;
        let fingerprint = total(held.iter().map(|(_, set)| set));
        Ok(Drawn { key, salt, regions, fingerprint, receipts, encoder: None })
    }

    /// Sends a sketch of what is held of these sub-SLS: its first symbols are the sum of theirs.
    fn draw(
        &mut self,
        link: LinkId,
        drawn: Drawn,
        shared: &[(SubSls, Fingerprint)],
    ) -> Result<(), ReplicaError> {
        let sketch = self.drawn_sketch(&drawn, shared)?;
        let places = shared.iter().map(|(place, _)| *place).collect();
        if let Some(open) = self.links.get_mut(&link) {
            open.outgoing.sketched(places, sketch.symbols.len());
            open.drawn = Some(drawn);
        }
        self.send(link, &Message::Sketch(sketch));
        Ok(())
    }

    /// A sketch as it goes to the peer.
    pub(crate) fn drawn_sketch(
        &mut self,
        drawn: &Drawn,
        held: &[(SubSls, Fingerprint)],
    ) -> Result<Sketch, ReplicaError> {
        let symbols = self.symbols(&drawn.key, drawn.salt, held, &drawn.receipts)?;
        let Drawn { salt, fingerprint, .. } = *drawn;
        Ok(Sketch { regions: drawn.regions.clone(), fingerprint, salt, symbols })
    }

    /// The first symbols of these sub-SLS and receipts.
    fn symbols(
        &mut self,
        key: &SketchKey,
        salt: u64,
        held: &[(SubSls, Fingerprint)],
        receipts: &BTreeMap<Short, u64>,
    ) -> Result<Vec<Symbol>, ReplicaError> {
        let mut sum = Prefix::new(SYMBOLS_FIRST);
        for (place, set) in held {
            sum.add(&self.prefix(key, salt, place, set)?);
        }
        for short in receipts.keys() {
            sum.insert(key, *short);
        }
        Ok(sum.symbols().to_vec())
    }

    /// The first symbols of what is held of a sub-SLS. Without a salt they are kept for as long as its set stays.
    fn prefix(
        &mut self,
        key: &SketchKey,
        salt: u64,
        place: &SubSls,
        set: &Fingerprint,
    ) -> Result<Prefix, ReplicaError> {
        if let Some((of, prefix)) = self.prefixes.get(place).filter(|_| salt == 0)
            && of == set
        {
            return Ok(prefix.clone());
        }
        let mut prefix = Prefix::new(SYMBOLS_FIRST);
        for id in self.held_ids(place)? {
            prefix.insert(key, key.short(id.as_bytes()));
        }
        if salt == 0 {
            self.prefixes.insert(*place, (*set, prefix.clone()));
        }
        Ok(prefix)
    }

    /// The latest receipts for these regions, by their short forms, and where in the log they stand.
    pub(crate) fn receipts_in(
        &self,
        key: &SketchKey,
        regions: &[Region],
    ) -> Result<BTreeMap<Short, u64>, ReplicaError> {
        let receipts = self.store.receipts_in(regions)?.into_iter();
        Ok(receipts.map(|(id, seq)| (key.short(id.as_bytes()), seq)).collect())
    }

    pub(crate) fn take_sketch(&mut self, link: LinkId, sketch: Sketch) -> Result<(), ReplicaError> {
        let device = self.device();
        let survey = self.survey();
        let (Some(open), Some(trust), Some(survey)) = (self.links.get_mut(&link), &self.trust, survey) else {
            return Ok(());
        };
        let is_early = open.incoming.is_greeting();
        open.incoming.sketched();
        // Who sketches what it may not read must not learn how much is held there, nor have it all summed.
        let (reads, theirs) = (trust.reads(&device), &open.reads);
        let covered = |by: &[Region], region: &Region| by.iter().any(|read| read.covers(region));
        if !sketch.regions.iter().all(|region| covered(&reads, region) && covered(theirs, region)) {
            self.send(link, &Message::Unclear { again: false });
            return Ok(());
        }
        let places: Vec<(SubSls, Fingerprint)> =
            self.store.fingerprints(&sketch.regions)?.into_iter().collect();
        let held = total(places.iter().map(|(_, set)| set));
        let key = SketchKey::new(&survey, sketch.salt);
        let receipts = self.receipts_in(&key, &sketch.regions)?;
        // All ids fall into the first symbol, so that it tells of the receipts what the fingerprint does not.
        let is_same = held == sketch.fingerprint
            && self.symbols(&key, sketch.salt, &places, &receipts)?.first() == sketch.symbols.first();
        if is_same {
            self.hold_the_same(link, places.into_iter().map(|(place, _)| place))?;
            self.send(link, &Message::Lack(Vec::new()));
            return self.equal_by_its_sketch(link, &sketch.regions);
        }
        if is_early {
            self.send(link, &Message::Unclear { again: true });
            return Ok(());
        }
        let ids = self.ids_in(&places.into_iter().map(|(place, _)| place).collect())?;
        let ours = ids.keys().map(|id| key.short(id.as_bytes())).chain(receipts.keys().copied());
        let receipts_max = sketch.fingerprint.count().saturating_add(receipts.len() as u64);
        let theirs_count = sketch.fingerprint.count().saturating_add(receipts_max);
        let difference = Difference::new(key, ours, theirs_count);
        let symbols = sketch.symbols.clone();
        self.decode(link, Asking { sketch, held, receipts, difference }, &symbols)
    }

    pub(crate) fn take_symbols(&mut self, link: LinkId, symbols: &[Symbol]) -> Result<Outcome, ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(Ok(())) };
        match open.incoming.symbols() {
            Ok(asking) => self.decode(link, asking, symbols)?,
            Err(violation) => return Ok(Err(violation.into())),
        }
        Ok(Ok(()))
    }

    pub(crate) fn take_more(&mut self, link: LinkId, symbols: u64) -> Outcome {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        open.outgoing.more(symbols).map_err(Into::into)
    }

    /// The peer lacks what has these short forms, and nothing else of the sketch.
    pub(crate) fn take_lack(&mut self, link: LinkId, shorts: &[Short]) -> Result<Outcome, ReplicaError> {
        let Some(drawn) = self.links.get_mut(&link).and_then(|open| open.drawn.take()) else {
            return Ok(Err(Violation::NoSketch.into()));
        };
        if let Some(open) = self.links.get_mut(&link).filter(|_| !shorts.is_empty()) {
            open.outgoing.was_asked();
        }
        let (receipts, lacking): (Vec<Short>, Vec<Short>) =
            shorts.iter().partition(|short| drawn.receipts.contains_key(short));
        let receipts: Vec<u64> =
            receipts.iter().filter_map(|short| drawn.receipts.get(short)).copied().collect();
        self.send_receipts(link, &receipts)?;
        let lacking: BTreeSet<Short> = lacking.into_iter().collect();
        let found = self.named(&drawn.key, &drawn.regions, &lacking)?;
        let Some(open) = self.links.get_mut(&link) else { return Ok(Ok(())) };
        let taken = open.outgoing.lacks(&found, found.len() == lacking.len()).map_err(Into::into);
        self.sort_wanted(link)?;
        Ok(taken)
    }

    /// A sketch tells of ids in no order, and what arrives before its cause waits.
    fn sort_wanted(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        let mut places = BTreeMap::new();
        for id in open.outgoing.wanted() {
            places.extend(self.store.change_seq(id)?.map(|seq| (*id, seq)));
        }
        open.outgoing.sort_wanted(&places);
        Ok(())
    }

    pub(crate) fn take_unclear(&mut self, link: LinkId, again: bool) -> Outcome {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        open.drawn = None;
        open.outgoing.unclear(again).map_err(Into::into)
    }

    /// Goes on with a sketch: it is understood, or more of it is wanted, or it leads nowhere.
    fn decode(&mut self, link: LinkId, mut asking: Asking, symbols: &[Symbol]) -> Result<(), ReplicaError> {
        for symbol in symbols {
            if asking.difference.is_known() {
                break;
            }
            if asking.difference.take(symbol).is_err() {
                self.send(link, &Message::Unclear { again: true });
                return Ok(());
            }
        }
        if asking.difference.is_known() {
            return self.answer_sketch(link, &asking);
        }
        let taken = asking.difference.symbols();
        // One has so many more than the other, and each takes more than a symbol.
        let differ = asking.sketch.fingerprint.count().abs_diff(asking.held.count());
        let next = usize::try_from(differ.saturating_add(differ / 4)).unwrap_or(usize::MAX).max(2 * taken);
        if symbols.is_empty() || next > SYMBOLS_MAX {
            let again = taken >= SYMBOLS_MAX / 2 && differ < taken as u64 / 2;
            self.send(link, &Message::Unclear { again });
            return Ok(());
        }
        if let Some(open) = self.links.get_mut(&link) {
            open.incoming.asked(asking);
        }
        self.send(link, &Message::More(next as u64));
        Ok(())
    }

    /// Says what is lacking here of a sketch, and sends what the peer lacks.
    fn answer_sketch(&mut self, link: LinkId, asking: &Asking) -> Result<(), ReplicaError> {
        let (difference, regions) = (&asking.difference, &asking.sketch.regions);
        let ours = self.named(difference.key(), regions, difference.ours_alone())?;
        // That no change is lacking is no guess: what is held here, less what the peer lacks, is its set.
        let lacks_no_change = less(asking.held, ours.keys()) == Some(asking.sketch.fingerprint);
        if difference.theirs_alone().is_empty() && !lacks_no_change {
            self.send(link, &Message::Unclear { again: true });
            return Ok(());
        }
        if lacks_no_change {
            let beyond: BTreeSet<SubSls> = ours.values().copied().collect();
            let held = self.store.fingerprints(regions)?;
            // What came here since the sketch did is not known to be at the peer.
            if total(held.values()) == asking.held {
                self.hold_the_same(link, held.into_keys().filter(|place| !beyond.contains(place)))?;
            }
        }
        let mut lacking = difference.theirs_alone().clone();
        self.forget_what_came(asking, &ours, &mut lacking)?;
        for declined in &self.receipts_declined {
            lacking.remove(&difference.key().short(declined.as_bytes()));
        }
        if let Some(open) = self.links.get_mut(&link).filter(|_| !lacking.is_empty()) {
            open.incoming.asked_for();
        }
        self.send(link, &Message::Lack(lacking.into_iter().collect()));
        let head = self.store.head();
        let Some(open) = self.links.get_mut(&link).filter(|open| open.outgoing.position() == head) else {
            return Ok(());
        };
        let reads = &open.reads;
        let lacking = ours.into_iter().filter(|(_, place)| covers(reads, place)).collect();
        open.outgoing.found_lacking(&lacking);
        let receipts = difference.ours_alone().iter().filter_map(|short| asking.receipts.get(short)).copied();
        let receipts: Vec<u64> = receipts.filter(|seq| !open.receipts_sent.contains(seq)).collect();
        self.sort_wanted(link)?;
        self.send_receipts(link, &receipts)?;
        Ok(())
    }

    /// What came by a frame of changes since the sketch did is lacking no more. That nothing is lacking must not
    /// rest on short forms alone.
    fn forget_what_came(
        &self,
        asking: &Asking,
        ours: &BTreeMap<ChangeId, SubSls>,
        lacking: &mut BTreeSet<Short>,
    ) -> Result<(), ReplicaError> {
        let held = self.store.fingerprints(&asking.sketch.regions)?;
        if lacking.is_empty() || total(held.values()) == asking.held {
            return Ok(());
        }
        let key = asking.difference.key();
        let ids =
            self.ids_in(&held.into_keys().collect())?.into_keys().map(|id| (key.short(id.as_bytes()), id));
        let came: BTreeMap<Short, ChangeId> = ids.filter(|(short, _)| lacking.contains(short)).collect();
        let mut theirs = less(asking.held, ours.keys());
        if let Some(theirs) = &mut theirs {
            for id in came.values() {
                theirs.insert(id.as_bytes());
            }
        }
        if came.len() < lacking.len() || theirs == Some(asking.sketch.fingerprint) {
            lacking.retain(|short| !came.contains_key(short));
        }
        Ok(())
    }

    /// Both hold the same of these places.
    fn hold_the_same(
        &mut self,
        link: LinkId,
        places: impl Iterator<Item = SubSls>,
    ) -> Result<(), ReplicaError> {
        let Some(peer) = self.links.get(&link).map(|open| open.peer) else { return Ok(()) };
        let places: Vec<SubSls> = places.collect();
        self.found_equal(&peer, &places)
    }

    /// What is held in these regions and has one of these short forms.
    fn named(
        &self,
        key: &SketchKey,
        regions: &[Region],
        shorts: &BTreeSet<Short>,
    ) -> Result<BTreeMap<ChangeId, SubSls>, ReplicaError> {
        if shorts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut ids = self.ids_in(&self.store.fingerprints(regions)?.into_keys().collect())?;
        ids.retain(|id, _| shorts.contains(&key.short(id.as_bytes())));
        Ok(ids)
    }

    /// What is held of these places, changes and statements about them.
    fn ids_in(&self, places: &BTreeSet<SubSls>) -> Result<BTreeMap<ChangeId, SubSls>, ReplicaError> {
        let mut ids = BTreeMap::new();
        for place in places {
            ids.extend(self.held_ids(place)?.into_iter().map(|id| (id, *place)));
        }
        Ok(ids)
    }
}

/// Where both may read, ascending, no region within another.
pub(crate) fn shared(ours: &[Region], theirs: &[Region]) -> Vec<Region> {
    let both: BTreeSet<Region> =
        ours.iter().flat_map(|our| theirs.iter().filter_map(|their| our.intersection(their))).collect();
    let is_widest = |region: &Region| !both.iter().any(|other| other != region && other.covers(region));
    both.iter().filter(|region| is_widest(region)).copied().collect()
}

/// What is left of a set without these of its ids.
fn less<'a>(mut set: Fingerprint, ids: impl ExactSizeIterator<Item = &'a ChangeId>) -> Option<Fingerprint> {
    if ids.len() as u64 > set.count() {
        return None;
    }
    for id in ids {
        set.remove(id.as_bytes());
    }
    Some(set)
}

pub(crate) fn total<'a>(sets: impl Iterator<Item = &'a Fingerprint>) -> Fingerprint {
    let mut total = Fingerprint::default();
    for set in sets {
        total += *set;
    }
    total
}
