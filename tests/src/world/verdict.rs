//! The end of a world: what the nodes hold, read and count is held against what is true and against
//! the model.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{ChangeId, DeviceKey, RecordId, StatementId, SubSls};
use rukun_document::ConflictKind;
use rukun_replica::{ActionError, Replica};

use super::model::compare::{compare, compare_duplicates, compare_line, compare_rules, holdings};
use super::model::{Grants, Held, Loss, broken, read, statement_id};
use super::people::list;
use super::sim::{Checked, World};
use super::{NODES, OFFICE};

/// Statements about the work of a place.
type About = BTreeMap<SubSls, BTreeSet<StatementId>>;

/// The most changes of one peer that may wait, as the product has it.
const WAITING_MAX: u64 = 1_024;
/// On how many of the nodes that hold a record it is read.
const READERS_MAX: usize = 2;

impl World {
    /// Everything that must be true once the nodes have come to rest.
    pub(super) fn judge(&mut self) -> Checked {
        let existing: BTreeSet<ChangeId> = self.truth.held.iter().flatten().copied().collect();
        let mut holders: BTreeMap<RecordId, Vec<usize>> = BTreeMap::new();
        let mut views: Vec<Option<(Held, Grants)>> = Vec::new();
        let (office_statements, _) = self.statements_of(OFFICE)?;
        let mut about: BTreeMap<SubSls, BTreeSet<StatementId>> = BTreeMap::new();
        for node in 0..NODES {
            for (home, ids) in self.statements_of(node)?.1 {
                about.entry(home).or_default().extend(ids);
            }
        }
        for node in 0..NODES {
            let (found, about_here) = self.statements_of(node)?;
            if found != office_statements {
                return Err(format!(
                    "{node} holds {} statements and the office {}, not the same",
                    found.len(),
                    office_statements.len()
                ));
            }
            let Some(replica) = self.nodes[node].replica.as_ref() else {
                return Err(format!("{node} does not run"));
            };
            let view = holdings(replica, &mut self.truth.facts).map_err(|error| error.to_string())?;
            let Some((held, grants)) = &view else { return Err(format!("{node} never got the charter")) };
            let found: BTreeSet<ChangeId> = held.facts().map(|fact| fact.id).collect();
            self.holds_its_share(node, &existing, &found, grants, &about_here)?;
            let key = self.nodes[node].key;
            for (home, ids) in &about {
                let here = about_here.get(home).cloned().unwrap_or_default();
                if grants.may_read(&key, home) && here != *ids {
                    let lacks = ids.len() - here.len();
                    return Err(format!("{node} may read {home} and lacks {lacks} statements about it"));
                }
            }
            for record in held.records() {
                holders.entry(*record).or_default().push(node);
            }
            views.push(view);
        }
        for (node, view) in views.iter().enumerate() {
            if let Some((_, grants)) = view {
                self.shows_no_more_than_is_proved(node, grants)?;
                self.keeps_nothing_in_vain(node, grants)?;
            }
        }
        self.shows_what_was_delivered()?;
        for (record, nodes) in holders {
            self.reads_alike(&record, &nodes, &views)?;
        }
        let asked = self.chance.below(NODES);
        self.lists_what_it_holds(asked, views[asked].as_ref())?;
        self.knows_who_may_read(asked, views[asked].as_ref())?;
        self.tally.worlds = 1;
        self.tally.simulated_ms = self.now_ms;
        Ok(())
    }

    /// The statements that everyone holds, and those about the work of a place.
    fn statements_of(&self, node: usize) -> Result<(BTreeSet<Vec<u8>>, About), String> {
        let (mut everyones, mut about) = (BTreeSet::new(), About::new());
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok((everyones, about)) };
        for bytes in replica.statements_held().map_err(|error| error.to_string())? {
            match Loss::of(&bytes, &self.truth.survey) {
                Some((_, Some(home))) => {
                    about.entry(home).or_default().extend(statement_id(&bytes, &self.truth.survey));
                }
                _ => drop(everyones.insert(bytes)),
            }
        }
        Ok((everyones, about))
    }

    /// A node holds all that exists where it may read, nothing else, and counts it rightly.
    fn holds_its_share(
        &mut self,
        node: usize,
        existing: &BTreeSet<ChangeId>,
        found: &BTreeSet<ChangeId>,
        grants: &Grants,
        about: &About,
    ) -> Checked {
        if let Some(id) = self.truth.held[node].symmetric_difference(found).next() {
            return Err(format!("{node} said otherwise than its store about change {id:.12}"));
        }
        let key = self.nodes[node].key;
        let mut may_read = BTreeMap::new();
        let mut reads = |home| *may_read.entry(home).or_insert_with(|| grants.may_read(&key, &home));
        let share: BTreeSet<ChangeId> =
            existing.iter().filter(|id| self.truth.home(id).is_some_and(&mut reads)).copied().collect();
        let missing: Vec<ChangeId> = share.difference(found).copied().collect();
        if !missing.is_empty() {
            return Err(format!("{node} may read and lacks {}", list(&missing)));
        }
        for id in found {
            let home =
                self.truth.home(id).ok_or_else(|| format!("{node} holds {id:.12}, which nobody made"))?;
            if !self.was_ever_granted(node, &home) {
                return Err(format!("{node} holds something of {home}, which was never its own"));
            }
        }
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        let counted = replica.fingerprints(None).map_err(|error| error.to_string())?;
        let mut sums = self.truth.fingerprints(found);
        for (home, ids) in about {
            if !self.was_ever_granted(node, home) {
                return Err(format!("{node} holds a statement about {home}, which was never its own"));
            }
            let sum = sums.entry(*home).or_default();
            for id in ids {
                sum.insert(id.as_bytes());
            }
        }
        if counted != sums {
            return Err(format!("the fingerprints of {node} are not those of what it holds"));
        }
        Ok(())
    }

    /// Whether a node, under any key that its store had, was ever granted anything at this place.
    pub(super) fn was_ever_granted(&mut self, node: usize, home: &SubSls) -> bool {
        let own = &self.nodes[node];
        let keys: Vec<DeviceKey> = own.former.iter().copied().chain([own.key]).collect();
        keys.iter().any(|key| self.truth.ever_covered(key, home))
    }

    /// One node is asked for its list and its status, which make up a view of every record.
    fn lists_what_it_holds(&mut self, node: usize, view: Option<&(Held, Grants)>) -> Checked {
        let (Some((held, grants)), Some(replica)) = (view, self.nodes[node].replica.as_mut()) else {
            return Ok(());
        };
        let lines = replica.records(None, None, usize::MAX).map_err(|error| error.to_string())?;
        if !lines.iter().map(|line| &line.id).eq(held.records().filter(|record| !held.is_erased(record))) {
            return Err(format!("{node} does not list the records that it holds"));
        }
        let expected: BTreeMap<RecordId, _> =
            lines.iter().map(|line| (line.id, read(&line.id, held, grants))).collect();
        for line in &lines {
            let expected = &expected[&line.id];
            let rules = line.conflicts.get(&ConflictKind::Rule).copied().unwrap_or_default();
            let alike = match broken(expected).len() as u64 {
                wrong if wrong == rules => compare_line(expected, line),
                wrong => {
                    Err(format!("{wrong} things are at odds with the questionnaire, and {rules} listed"))
                }
            };
            alike.map_err(|difference| format!("{node} lists {} wrongly: {difference}", line.id))?;
        }
        let twice =
            replica.conflicts(None, Some(ConflictKind::Duplicate)).map_err(|error| error.to_string())?;
        compare_duplicates(&expected, &twice)
            .map_err(|difference| format!("{node} compares numbers wrongly: {difference}"))?;
        let status = replica.status().map_err(|error| error.to_string())?;
        if status.waiting > WAITING_MAX * (status.peers.len() as u64 + 1) {
            return Err(format!("{node} lets {} changes wait", status.waiting));
        }
        let peers = status.peers.iter().filter(|peer| peer.linked);
        let officers = status.officers.clone();
        match peers.clone().find(|peer| peer.lacks > 0 && !self.liars.contains(&peer.key)) {
            Some(peer) => {
                Err(format!("{node} says that {} lacks {}, and all is quiet", peer.name, peer.lacks))
            }
            None => self.misses_what_it_lacks(node, &officers),
        }
    }

    /// One node is asked who may read where: of every device that was ever granted anything, lost ones and keys
    /// that another has followed among them, at one of the places that it ever had.
    fn knows_who_may_read(&mut self, node: usize, view: Option<&(Held, Grants)>) -> Checked {
        let trust = self.nodes[node].replica.as_ref().and_then(|replica| replica.trust());
        let (Some((_, grants)), Some(trust)) = (view, trust) else { return Ok(()) };
        let devices: BTreeSet<DeviceKey> = trust.grants().into_iter().map(|grant| grant.subject).collect();
        let homes: BTreeSet<SubSls> = self.truth.facts.values().map(|fact| fact.record.home()).collect();
        for device in &devices {
            let had: Vec<&SubSls> = homes.iter().filter(|home| trust.ever_covered(device, home)).collect();
            let Some(home) = self.chance.place(had.len()).map(|at| had[at]) else { continue };
            let may = trust.may_read(device, home);
            if may != grants.may_read(device, home) {
                let may = if may { "may" } else { "may not" };
                return Err(format!("{node} says that {} {may} read {home}", device.short()));
            }
        }
        Ok(())
    }

    /// Some of those who hold a record read it, and each reads what the model says.
    fn reads_alike(
        &mut self,
        record: &RecordId,
        nodes: &[usize],
        views: &[Option<(Held, Grants)>],
    ) -> Checked {
        let start = self.chance.below(nodes.len());
        for at in 0..nodes.len().min(READERS_MAX) {
            let node = nodes[(start + at) % nodes.len()];
            let (Some((held, grants)), Some(replica)) = (&views[node], self.nodes[node].replica.as_ref())
            else {
                continue;
            };
            if held.is_erased(record) {
                is_forgotten(replica, record).map_err(|why| format!("{node}: record {record} {why}"))?;
                continue;
            }
            let expected = read(record, held, grants);
            let reading = replica.reading(record).map_err(|error| error.to_string())?;
            let conflicts = reading.conflicts(replica.questionnaire());
            compare(&expected, &reading, &conflicts)
                .and_then(|()| compare_rules(&expected, &conflicts))
                .map_err(|difference| format!("{node} reads {record} wrongly: {difference}"))?;
        }
        Ok(())
    }
}

/// Nothing of an erased record can be read, and nothing of it lies in the store.
fn is_forgotten(replica: &Replica, record: &RecordId) -> Checked {
    match replica.reading(record) {
        Err(ActionError::Erased(_)) => {}
        Err(error) => return Err(format!("is erased, and asked for it answers {error}")),
        Ok(_) => return Err("is erased and can be read".into()),
    }
    let whole = replica.changes_of(record).map_err(|error| error.to_string())?;
    if whole.is_empty() { Ok(()) } else { Err("is erased, and its changes are there whole".into()) }
}
