//! Whether all nodes say the same of the records that they share with the district: the same history,
//! each change in the same standing, and the same answers that are read.

use super::cast::DISTRICT;
use super::scene::Scene;
use crate::render::Paint;
use crate::verbs::{ErasedListShape, LogShape, RecordShape, RecordsShape, Request, VerbError};

/// What became of the work of a lost phone, and whether all nodes say so.
pub(super) struct Agreement {
    /// Changes that were set aside before anybody settled one.
    pub(super) set_aside: usize,
    /// Of these the ones upheld,
    pub(super) upheld: usize,
    /// and dismissed.
    pub(super) dismissed: usize,
    /// Records that every node has forgotten that held them.
    pub(super) erased: usize,
    /// Records compared, each counted once a node.
    compared: usize,
    /// The first that a node tells otherwise than the district.
    difference: Option<String>,
}

impl Agreement {
    /// Compares all nodes but the lost one with the district.
    pub(super) fn of(scene: &mut Scene, set_aside: usize) -> Result<Self, VerbError> {
        let mut found = Self { set_aside, upheld: 0, dismissed: 0, erased: 0, compared: 0, difference: None };
        let list = Request::RecordList { region: None, after: None, limit: Some(1_000) };
        let listed: RecordsShape = scene.officer(DISTRICT).ask(list)?;
        let others: Vec<usize> = scene.those_not_lost().into_iter().filter(|at| *at != DISTRICT).collect();
        for line in listed.records {
            let (log, read) = told(scene, DISTRICT, &line.record)?;
            let stand = |word: &str| log.changes.iter().filter(|one| one.standing.ends_with(word)).count();
            found.upheld += stand("upheld");
            found.dismissed += stand("dismissed");
            for at in &others {
                let part = &scene.officer(*at).part;
                if !part.regions.iter().any(|region| line.record.starts_with(region.as_str())) {
                    continue;
                }
                let name = part.name;
                found.compared += 1;
                if told(scene, *at, &line.record)? != (log.clone(), read.clone()) {
                    let difference = || format!("{name} tells record {} otherwise", line.record);
                    found.difference.get_or_insert_with(difference);
                }
            }
        }
        found.look_for_the_erased(scene)?;
        Ok(found)
    }

    /// The record that was erased: at every node that held it as much of it is left, and nothing to read.
    fn look_for_the_erased(&mut self, scene: &mut Scene) -> Result<(), VerbError> {
        let Some(record) = scene.erased.clone() else { return Ok(()) };
        let office: ErasedListShape = scene.officer(DISTRICT).ask(Request::Erased { region: None })?;
        self.erased = office.records.iter().filter(|line| line.record == record && line.changes > 0).count();
        for at in scene.those_not_lost() {
            let part = &scene.officer(at).part;
            if !part.regions.iter().any(|region| record.starts_with(region.as_str())) {
                continue;
            }
            let name = part.name;
            let list: ErasedListShape = scene.officer(at).ask(Request::Erased { region: None })?;
            let shown = scene.officer(at).ask::<RecordShape>(Request::RecordShow { record: record.clone() });
            if list != office || shown.is_ok() {
                self.difference.get_or_insert_with(|| format!("{name} has not forgotten record {record}"));
            }
        }
        Ok(())
    }

    /// Whether every node says the same.
    pub(super) fn agrees(&self) -> bool {
        self.difference.is_none() && self.compared > 0
    }

    /// Whether the story went as it was written: some work set aside, one change upheld, one dismissed, one
    /// family erased.
    pub(super) fn is_good(&self) -> bool {
        self.agrees() && self.set_aside > 2 && self.upheld == 1 && self.dismissed == 1 && self.erased == 1
    }

    /// In a line.
    pub(super) fn told(&self, paint: Paint) -> String {
        match &self.difference {
            Some(difference) => paint.alert(difference),
            None => paint.good(&format!(
                "{} times a node was asked for a record: the same history, standing and answers as the district's",
                self.compared
            )),
        }
    }
}

fn told(scene: &mut Scene, at: usize, record: &str) -> Result<(LogShape, RecordShape), VerbError> {
    let officer = scene.officer(at);
    let mut log: LogShape = officer.ask(Request::Log { record: record.into() })?;
    // How far work has come is told by each node as far as receipts have come to it.
    log.reached.clear();
    for line in &mut log.changes {
        line.reached.clear();
    }
    Ok((log, officer.ask(Request::RecordShow { record: record.into() })?))
}
