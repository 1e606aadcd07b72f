//! What a node holds of a record becomes the bytes of evidence. They are verified before they are given
//! out, and must say what the node itself reads.

use std::collections::BTreeMap;

use rukun_authority::{AdmittedChange, Keypair, Standing, Statement, Trust};
use rukun_change::{ChangeId, StatementId};
use rukun_document::Reading;

use crate::bearing::bearing;
use crate::evidence::Evidence;
use crate::limits::{CHANGES_MAX, EVIDENCE_BYTES_MAX, STATEMENTS_MAX};
use crate::verified::{Flaw, VerifiedEvidence, subject};

/// The evidence of a record, signed by this device. `statements` are all that it holds, `held` all
/// changes of the record with their standing, and `reading` is what it reads in them.
///
/// # Errors
/// If this device may not vouch for the record, or a third party would not come to read the same.
pub fn export(
    exporter: &Keypair,
    time_ms: i64,
    trust: &Trust,
    statements: &[Statement],
    held: &[(AdmittedChange, Standing)],
    reading: &Reading,
) -> Result<Vec<u8>, ExportError> {
    let changes: BTreeMap<ChangeId, &AdmittedChange> =
        held.iter().map(|(change, _)| (change.id(), change)).collect();
    let in_order = reading.log().iter().filter_map(|logged| changes.get(&logged.change));
    let mut evidence = Evidence {
        exporter: exporter.key(),
        time_ms,
        record: *reading.id(),
        statements: Vec::new(),
        changes: in_order.map(|change| change.signed().clone()).collect(),
    };
    let by_id: BTreeMap<StatementId, &Statement> =
        statements.iter().map(|statement| (trust.statement_id(statement), statement)).collect();
    let bearing = bearing(trust, statements, subject(&evidence, held));
    evidence.statements = bearing.iter().filter_map(|id| by_id.get(id)).copied().cloned().collect();
    let (statements, changes) = (evidence.statements.len(), evidence.changes.len());
    let signed = evidence.sign(exporter, trust.survey());
    let bytes = signed.to_bytes();
    if statements > STATEMENTS_MAX || changes > CHANGES_MAX || bytes.len() > EVIDENCE_BYTES_MAX {
        return Err(ExportError::TooMuch { statements, changes, bytes: bytes.len() });
    }
    let verified = VerifiedEvidence::verify(&signed, Some(trust.survey()))?;
    let differs = verified.reading().log().iter().zip(reading.log()).find(|(one, other)| one != other);
    match differs {
        Some((there, here)) => {
            Err(ExportError::Differs { change: here.change, here: here.standing, there: there.standing })
        }
        None => Ok(bytes),
    }
}

/// Why no evidence is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Nobody would believe it.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// More than a file holds.
    #[error(
        "{statements} statements, {changes} changes and {bytes} bytes are more than a file holds: \
         {STATEMENTS_MAX}, {CHANGES_MAX} and {EVIDENCE_BYTES_MAX}"
    )]
    TooMuch {
        /// Statements that bear on the record.
        statements: usize,
        /// Changes of the record.
        changes: usize,
        /// The size of the file.
        bytes: usize,
    },
    /// What sets a change aside stands outside the record and is in no statement.
    #[error(
        "change {change:.12} is {here} on this device, and would be {there} in the file: what decides that is \
         in no statement and in another record"
    )]
    Differs {
        /// Which.
        change: ChangeId,
        /// Its standing here.
        here: Standing,
        /// Its standing by the evidence alone.
        there: Standing,
    },
}

#[cfg(test)]
mod tests {
    use rukun_authority::Reason;
    use rukun_change::Ink;

    use super::*;
    use crate::fixture::{ENUMERATOR, NEIGHBOUR, Node, keypair};

    fn by(exporter: u8, node: &Node) -> Result<Vec<u8>, ExportError> {
        let (trust, statements) = (&node.trust, &node.statements);
        export(&keypair(exporter), 0, trust, statements, &node.held, &node.reading())
    }

    #[test]
    fn whoever_was_granted_the_place_may_vouch_and_nobody_else() {
        let node = Node::with_record();
        assert!(by(ENUMERATOR, &node).is_ok());
        assert!(matches!(by(NEIGHBOUR, &node), Err(ExportError::Flaw(Flaw::Stranger { .. }))));
    }

    #[test]
    fn a_record_without_a_change_has_no_evidence() {
        assert_eq!(by(ENUMERATOR, &Node::found()), Err(ExportError::Flaw(Flaw::Empty)));
    }

    #[test]
    fn what_a_third_party_would_judge_otherwise_is_not_written() {
        let mut node = Node::with_record();
        // As if the device had used the number in another record too.
        let (change, standing) = &mut node.held[3];
        assert_eq!(change.change().ink, Ink::Red);
        *standing = Standing::SetAside(Reason::Fork);
        let change = change.id();
        let here = Standing::SetAside(Reason::Fork);
        assert_eq!(by(ENUMERATOR, &node), Err(ExportError::Differs { change, here, there: Standing::Good }));
    }
}
