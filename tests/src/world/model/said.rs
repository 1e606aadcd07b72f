//! A statement's bytes, as far as its kind.

use rukun_change::cbor::Reader;
use rukun_change::cose::sig_structure;
use rukun_change::{Author, DeviceKey, Digest, Incarnation, StatementId, SurveyId};

/// The id of a statement of this survey.
pub fn statement_id(statement: &[u8], survey: &SurveyId) -> Option<StatementId> {
    said_of(statement, survey).map(|(id, ..)| id)
}

/// Who says a statement, and under which number.
pub fn number_of(statement: &[u8], survey: &SurveyId) -> Option<(Author, u64)> {
    opened(statement, survey).map(|(_, _, issuer, n, _)| (issuer, n))
}

/// The id of a statement, its kind, its issuer, and what it says.
pub(super) fn said_of<'a>(
    statement: &'a [u8],
    survey: &SurveyId,
) -> Option<(StatementId, u64, DeviceKey, Reader<'a>)> {
    opened(statement, survey).map(|(id, kind, issuer, _, said)| (id, kind, issuer.device, said))
}

fn opened<'a>(statement: &'a [u8], survey: &SurveyId) -> Option<(StatementId, u64, Author, u64, Reader<'a>)> {
    let mut outer = Reader::new(statement);
    outer.tag(18).ok()?;
    outer.tuple(4).ok()?;
    outer.bytes(128).ok()?;
    outer.map(0).ok()?;
    let payload = outer.bytes(statement.len()).ok()?;
    let signed = sig_structure("application/rukun-statement; v=1", survey.as_bytes(), payload);
    let id = StatementId::from_bytes(*Digest::of(&signed).as_bytes());
    let mut said = Reader::new(payload);
    said.tuple(5).ok()?;
    let kind = said.uint().ok()?;
    let device = DeviceKey::from_bytes(said.array_of().ok()?);
    let issuer = Author { device, incarnation: Incarnation::from_bytes(said.array_of().ok()?) };
    let n = said.uint().ok()?;
    Some((id, kind, issuer, n, said))
}
