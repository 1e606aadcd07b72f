//! What this node holds of a record, as evidence for others.

use rukun_authority::Statement;
use rukun_change::{Moment, RecordId};
use rukun_evidence::export;

use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};

impl Replica {
    /// A file that proves a record to anyone offline: its changes, the statements that bear on it, and
    /// this device's signature over all of it.
    ///
    /// # Errors
    /// If there is no such record, this device was never granted its place, or others could not come to
    /// read the same in the file.
    pub fn evidence(&self, now: Moment, record: &RecordId) -> Result<Vec<u8>, ActionError> {
        let (held, reading) = self.held_known(record)?;
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let mut statements = Vec::new();
        for (id, bytes) in self.store.statements().map_err(ReplicaError::from)? {
            let statement = Statement::from_bytes(&bytes);
            statements.push(statement.map_err(|_| ReplicaError::Statement { id })?);
        }
        Ok(export(&self.keypair, now.wall_ms, trust, &statements, &held, &reading)?)
    }
}
