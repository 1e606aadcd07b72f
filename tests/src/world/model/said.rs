//! A statement's bytes, as far as its kind.

use rukun_change::cbor::Reader;
use rukun_change::cose::sig_structure;
use rukun_change::{Author, DeviceKey, Digest, Incarnation, StatementId, SurveyId};

/// The id of a statement of this survey.
pub fn statement_id(statement: &[u8], survey: &SurveyId) -> Option<StatementId> {
    opened(statement).map(|(payload, ..)| hash(payload, survey))
}

/// Who says a statement, and under which number.
pub fn number_of(statement: &[u8]) -> Option<(Author, u64)> {
    opened(statement).map(|(_, _, issuer, n, _)| (issuer, n))
}

/// The id of a statement of one of these kinds, its kind, its issuer, and what it says.
pub(super) fn said_of<'a>(
    statement: &'a [u8],
    survey: &SurveyId,
    kinds: &[u64],
) -> Option<(StatementId, u64, DeviceKey, Reader<'a>)> {
    let (payload, kind, issuer, _, said) = opened(statement)?;
    kinds.contains(&kind).then(|| (hash(payload, survey), kind, issuer.device, said))
}

fn hash(payload: &[u8], survey: &SurveyId) -> StatementId {
    let signed = sig_structure("application/rukun-statement; v=1", survey.as_bytes(), payload);
    StatementId::from_bytes(*Digest::of(&signed).as_bytes())
}

fn opened(statement: &[u8]) -> Option<(&[u8], u64, Author, u64, Reader<'_>)> {
    let mut outer = Reader::new(statement);
    outer.tag(18).ok()?;
    outer.tuple(4).ok()?;
    outer.bytes(128).ok()?;
    outer.map(0).ok()?;
    let payload = outer.bytes(statement.len()).ok()?;
    let mut said = Reader::new(payload);
    said.tuple(5).ok()?;
    let kind = said.uint().ok()?;
    let device = DeviceKey::from_bytes(said.array_of().ok()?);
    let issuer = Author { device, incarnation: Incarnation::from_bytes(said.array_of().ok()?) };
    let n = said.uint().ok()?;
    Some((payload, kind, issuer, n, said))
}
