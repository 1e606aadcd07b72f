//! What a node shows while news is still on its way is held against what it holds itself: a list made
//! before a decision came, and work that a device has attested which is revoked now.

use std::collections::BTreeMap;

use rukun_change::{ChangeId, RecordId, Region, SubSls};
use rukun_document::ConflictKind;
use rukun_replica::{ActionError, Replica};

use super::model::compare::grants_held;
use super::sim::{Checked, World};
use super::{Chance, NODES};

impl World {
    /// Somebody who holds the change, and who has looked at a list of what it holds before it is told of
    /// more.
    pub(super) fn who_has_looked(
        &mut self,
        node: usize,
        change: &ChangeId,
        chance: &mut Chance,
    ) -> Result<Option<usize>, String> {
        let others = (0..NODES).filter(|other| *other != node && self.truth.held[*other].contains(change));
        let others: Vec<usize> = others.collect();
        let Some(witness) = chance.place(others.len()).map(|at| others[at]) else { return Ok(None) };
        self.come_up(witness)?;
        let Some(replica) = self.nodes[witness].replica.as_mut() else { return Ok(None) };
        match replica.records(None, None, usize::MAX) {
            Ok(_) => Ok(Some(witness)),
            Err(error) => self.disk_failed(witness, &error.to_string()).map(|()| None),
        }
    }

    /// What a node lists of a place is what it reads there, record by record.
    pub(super) fn lists_what_it_reads(&mut self, node: usize, home: &SubSls) -> Checked {
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        match differs_from_its_list(replica, &home.region()) {
            Ok(None) => Ok(()),
            Ok(Some(record)) => Err(format!("{node} lists {record} otherwise than it reads it")),
            Err(error) => self.disk_failed(node, &error.to_string()),
        }
    }

    /// A node has heard that a device is revoked: what that one has attested shows nothing here any more, but
    /// for what is kept.
    pub(super) fn believes_no_revoked(&mut self, node: usize) -> Checked {
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(()) };
        match grants_held(replica).map_err(|error| error.to_string())? {
            Some(grants) => self.shows_no_more_than_is_proved(node, &grants),
            None => Ok(()),
        }
    }
}

fn differs_from_its_list(replica: &mut Replica, region: &Region) -> Result<Option<RecordId>, ActionError> {
    for line in replica.records(Some(region), None, usize::MAX)? {
        let reading = replica.reading(&line.id)?;
        let mut counts = BTreeMap::<ConflictKind, u64>::new();
        for conflict in reading.conflicts(replica.questionnaire()) {
            *counts.entry(conflict.kind).or_default() += 1;
        }
        let same = line.members == reading.members().len()
            && line.gone == reading.gone().is_some()
            && line.inks == reading.inks()
            && line.conflicts == counts;
        if !same {
            return Ok(Some(line.id));
        }
    }
    Ok(None)
}
