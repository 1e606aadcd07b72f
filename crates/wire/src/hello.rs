//! The first message: who speaks which versions about which survey, and what it holds. Its shape
//! stays the same in every version, or no two versions could ever agree on one.

use rukun_change::cbor::{Reader, Writer};
use rukun_change::limits::STATEMENT_BYTES_MAX;
use rukun_change::{Fingerprint, Incarnation, SurveyId};

use crate::Fault;
use crate::limits::CHAIN_STATEMENTS_MAX;
use crate::rows::{read_strings, write_strings};

/// What a peer says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The lowest and the highest version of the protocol that it speaks.
    pub versions: (u16, u16),
    /// The survey it takes part in; nothing if it is that of the greeting that this one answers.
    pub survey: Option<SurveyId>,
    /// The incarnation of its store: its log's numbers belong to it.
    pub epoch: Incarnation,
    /// How much of the receiver's log it has.
    pub received: Option<Cursor>,
    /// How many changes it holds.
    pub held: u64,
    /// The statements it holds; nothing if they are those of the greeting that this one answers.
    pub statements: Option<Fingerprint>,
    /// Its own charter and grants, root first; may be empty.
    pub chain: Vec<Vec<u8>>,
}

/// A place in a node's log. A hint, never trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The incarnation of the node's store.
    pub epoch: Incarnation,
    /// Up to this number of its log.
    pub seq: u64,
}

impl Hello {
    pub(crate) fn write(&self, out: &mut Writer) {
        let (lowest, highest) = self.versions;
        out.array(8).uint(lowest.into()).uint(highest.into());
        match &self.survey {
            Some(survey) => out.bytes(survey.as_bytes()),
            None => out.null(),
        };
        out.bytes(self.epoch.as_bytes());
        match &self.received {
            Some(cursor) => out.array(2).bytes(cursor.epoch.as_bytes()).uint(cursor.seq),
            None => out.null(),
        };
        out.uint(self.held);
        match &self.statements {
            Some(statements) => out.bytes(&statements.to_bytes()),
            None => out.null(),
        };
        write_strings(out, &self.chain);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.tuple(8)?;
        Ok(Self {
            versions: read_versions(reader)?,
            survey: if reader.null() { None } else { Some(SurveyId::from_bytes(reader.array_of()?)) },
            epoch: Incarnation::from_bytes(reader.array_of()?),
            received: read_cursor(reader)?,
            held: reader.uint()?,
            statements: if reader.null() {
                None
            } else {
                Some(Fingerprint::from_bytes(&reader.array_of()?)?)
            },
            chain: read_strings(reader, CHAIN_STATEMENTS_MAX, STATEMENT_BYTES_MAX)?,
        })
    }
}

fn read_versions(reader: &mut Reader<'_>) -> Result<(u16, u16), Fault> {
    let (lowest, highest) = (reader.uint()?, reader.uint()?);
    match (u16::try_from(lowest), u16::try_from(highest)) {
        (Ok(from), Ok(to)) if from <= to => Ok((from, to)),
        _ => Err(Fault::Versions { lowest, highest }),
    }
}

fn read_cursor(reader: &mut Reader<'_>) -> Result<Option<Cursor>, Fault> {
    if reader.null() {
        return Ok(None);
    }
    reader.tuple(2)?;
    Ok(Some(Cursor { epoch: Incarnation::from_bytes(reader.array_of()?), seq: reader.uint()? }))
}
