//! A family's record moves: what is read in it is written into a new one in another place, in printed ink, so
//! that whoever works there finds it like a prelist; the old one is marked gone, and the district's signed
//! word leads from the new one back. History is not copied: it stays where it was signed.

use rukun_authority::{Said, Statement, Transfer};
use rukun_change::{DeviceKey, Ink, Moment, RecordId, StatementId, SubSls};
use rukun_document::Reading;
use serde_json::{Map, Value};

use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};

/// The variables that say where a family lives: they are another's in another place.
const PLACE_FIELDS: [&str; 6] = ["r101", "r102", "r103", "r104", "r105", "r106"];

/// A record that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The record that ended.
    pub from: RecordId,
    /// The record that goes on.
    pub to: RecordId,
    /// The word that says so.
    pub statement: StatementId,
}

impl Replica {
    /// Moves a family's record to another sub-SLS.
    ///
    /// # Errors
    /// If this device is no district in both places, there is no such record, it is gone, it lives there, or
    /// the other place is retired.
    pub fn transfer(&mut self, now: Moment, record: &RecordId, home: SubSls) -> Result<Moved, ActionError> {
        let (_, reading) = self.held_known(record)?;
        if record.home() == home {
            return Err(ActionError::LivesThere { record: *record });
        }
        if let Some(reason) = reading.gone() {
            return Err(ActionError::Gone { record: *record, reason: reason.into() });
        }
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let grants = [record.home(), home].map(|place| (place, trust.district_grant(&self.device(), &place)));
        let [parent, other] = grants.map(|(home, grant)| grant.ok_or(ActionError::NotTheDistrict { home }));
        let (parent, other) = (parent?, other?);
        if parent != other {
            return Err(ActionError::NotTheDistrict { home });
        }
        let to = RecordId::new(home, self.random());
        // Both before either is signed: a copy without the end of what it copies would be a second family.
        let copy = self.draft_edit(now, &to, Some(Ink::Printed), &copied(&reading))?;
        let (copier, copy) = copy.ok_or(ActionError::Empty)?;
        let (ender, end) = self.draft_gone(now, record, None, &format!("pindah ke {to}"), None)?;
        self.sign_and_admit(&to, &copier, copy)?;
        self.sign_and_admit(record, &ender, end)?;
        let statement = self.say(None, Said::Transfer(Transfer { parent, from: *record, to }))?;
        Ok(Moved { from: *record, to, statement })
    }

    /// Who said a statement that is held.
    ///
    /// # Errors
    /// If the store fails.
    pub fn issuer_of(&self, id: &StatementId) -> Result<Option<DeviceKey>, ReplicaError> {
        let said = self.store.statement(id)?.map(|bytes| Statement::from_bytes(&bytes));
        let said = said.transpose().map_err(|_| ReplicaError::Statement { id: *id })?;
        Ok(said.map(|statement| statement.issuer.device))
    }

    /// The record from which this one goes on, and whose word it is.
    pub fn came_from(&self, record: &RecordId) -> Option<(StatementId, RecordId)> {
        self.trust.as_ref()?.came_from(record)
    }
}

/// What is read, as a patch of a record that has nothing yet: its members are new ones, and where it lived is
/// left behind.
fn copied(reading: &Reading) -> Value {
    let mut patch = reading.to_json();
    if let Some(answers) = patch.as_object_mut() {
        answers.retain(|field, _| !PLACE_FIELDS.contains(&field.as_str()));
    }
    if let Some(Value::Object(members)) = patch.get_mut("members") {
        let numbered = std::mem::take(members).into_iter().zip(1..);
        *members = numbered.map(|((_, answers), at)| (format!("+{at}"), answers)).collect::<Map<_, _>>();
    }
    patch
}
