//! Messages: the body of a frame, one type byte and its fields in deterministic CBOR, becomes a
//! [`Message`] and back. Changes and statements are compressed.

use rukun_change::cbor::{Reader, Writer};
use rukun_change::limits::STATEMENT_BYTES_MAX;
use rukun_change::{ChangeId, Digest, Fingerprint, StatementId, SubSls};

use crate::body::Body;
use crate::frame::framed;
use crate::kind::Kind;
use crate::limits::{
    BLOB_BYTES_MAX, BLOB_PIECE_BYTES_MAX, CHANGE_IDS_MAX, FRAME_CHANGES_MAX, STATEMENT_IDS_MAX,
    STATEMENTS_MAX, SUMMARY_SUB_SLS_MAX,
};
use crate::pack::pack;
use crate::parcels::{read_parcel_end, read_parcels, write_parcel_end, write_parcels};
use crate::rows::{check_ascending, read_rows, read_strings, read_yes, write_rows, write_strings, write_yes};
use crate::sketch::{read_shorts, read_symbols, write_shorts, write_symbols};
use crate::{Changes, CloseReason, Exception, Fault, Hello, Parcel, Short, Sketch, Stubs, Symbol, WireError};

const SUB_SLS_BYTES: usize = 8;
const SUMMARY_ROW_BYTES: usize = SUB_SLS_BYTES + Fingerprint::BYTES;

/// What one peer says to another. Everything in it is a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Who speaks, and what it holds.
    Hello(Hello),
    /// The statements that the sender holds, ascending.
    StatementIds(Vec<StatementId>),
    /// Signed statements, in an order in which they can be admitted.
    Statements {
        /// The statements, opaque here.
        items: Vec<Vec<u8>>,
        /// Whether these are the last of them.
        last: bool,
    },
    /// Asks for a file that the charter names, from here on.
    BlobWant {
        /// Which file.
        digest: Digest,
        /// From which byte on.
        offset: u64,
    },
    /// A part of such a file.
    Blob {
        /// Which file.
        digest: Digest,
        /// Where the part begins.
        offset: u64,
        /// How long the file is.
        total: u64,
        /// The part.
        bytes: Vec<u8>,
    },
    /// Changes.
    Changes(Changes),
    /// What is left of changes whose records were erased.
    Stubs(Stubs),
    /// That a frame of changes or stubs is durable, with these exceptions.
    Ack {
        /// The frame.
        frame: u64,
        /// The changes in it that were not taken.
        exceptions: Vec<(ChangeId, Exception)>,
    },
    /// What the sender holds in each sub-SLS, ascending.
    Summary(Vec<(SubSls, Fingerprint)>),
    /// The sub-SLS in which the receiver of a summary holds something else, ascending.
    Differ(Vec<SubSls>),
    /// The changes that the sender holds in a sub-SLS.
    Ids {
        /// Where.
        sub_sls: SubSls,
        /// Their ids.
        ids: Vec<ChangeId>,
        /// Whether these are the last of them.
        last: bool,
    },
    /// Asks for changes.
    Want(Vec<ChangeId>),
    /// What the sender holds in some regions.
    Sketch(Sketch),
    /// Asks for the symbols of a sketch up to so many.
    More(u64),
    /// The next symbols of a sketch.
    Symbols(Vec<Symbol>),
    /// What the receiver of a sketch lacks of it, ascending. Nothing: it holds all of it.
    Lack(Vec<Short>),
    /// A sketch leads nowhere.
    Unclear {
        /// Whether it may under a salt: ids take each other's place in it. Else too much differs, or it tells of
        /// what its receiver may not read.
        again: bool,
    },
    /// The bundles that the sender carries for its peer, ascending by their digests.
    Parcels(Vec<Parcel>),
    /// That a bundle came whole, and is taken in, or carried on, durably.
    ParcelEnd {
        /// Which file.
        digest: Digest,
        /// Why it was not, if so. It need not come again.
        refused: Option<String>,
    },
    /// Ends the session.
    Close(CloseReason),
}

impl Message {
    /// The whole frame, which is understood without any other: length, type, fields. A message over its limits is
    /// spelled all the same, for the peer to refuse: senders split by [`crate::limits`]. Only texts are cut.
    pub fn encode(&self) -> Vec<u8> {
        self.spell(pack)
    }

    pub(crate) fn spell(&self, pack: impl FnOnce(&[Vec<u8>]) -> Vec<u8>) -> Vec<u8> {
        let kind = self.kind();
        let fields = self.fields();
        framed(|frame| {
            frame.push(kind as u8);
            frame.extend_from_slice(&if kind.is_packed() { pack(&fields) } else { fields.concat() });
        })
    }

    /// The message in the body of a frame that is understood without any other, without its length.
    ///
    /// # Errors
    /// If it is not the one spelling of a message within its limits.
    pub fn decode(body: &[u8]) -> Result<Self, WireError> {
        Self::of(&Body::alone(body)?)
    }

    /// The message in the body of a frame.
    ///
    /// # Errors
    /// If it is not the one spelling of a message within its limits.
    pub fn of(body: &Body) -> Result<Self, WireError> {
        let kind = Kind::from_number(body.number).ok_or(WireError::UnknownType { number: body.number })?;
        let message = Self::read(kind, &body.fields);
        message.map_err(|fault| WireError::Malformed { message: kind.name(), fault })
    }

    /// What this message is called, in logs and counters.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::StatementIds(_) => Kind::StatementIds,
            Self::Statements { .. } => Kind::Statements,
            Self::BlobWant { .. } => Kind::BlobWant,
            Self::Blob { .. } => Kind::Blob,
            Self::Changes(_) => Kind::Changes,
            Self::Stubs(_) => Kind::Stubs,
            Self::Ack { .. } => Kind::Ack,
            Self::Summary(_) => Kind::Summary,
            Self::Differ(_) => Kind::Differ,
            Self::Ids { .. } => Kind::Ids,
            Self::Want(_) => Kind::Want,
            Self::Sketch(_) => Kind::Sketch,
            Self::More(_) => Kind::More,
            Self::Symbols(_) => Kind::Symbols,
            Self::Lack(_) => Kind::Lack,
            Self::Unclear { .. } => Kind::Unclear,
            Self::Parcels(_) => Kind::Parcels,
            Self::ParcelEnd { .. } => Kind::ParcelEnd,
            Self::Close(_) => Kind::Close,
        }
    }

    /// The fields, in one part or several that are best compressed apart.
    fn fields(&self) -> Vec<Vec<u8>> {
        let mut out = Writer::new();
        match self {
            Self::Hello(hello) => hello.write(&mut out),
            Self::StatementIds(ids) => write_rows(&mut out, ids.iter().map(|id| *id.as_bytes())),
            Self::Statements { items, last } => {
                write_strings(out.array(2), items);
                write_yes(&mut out, *last);
            }
            Self::BlobWant { digest, offset } => {
                out.array(2).bytes(digest.as_bytes()).uint(*offset);
            }
            Self::Blob { digest, offset, total, bytes } => {
                out.array(4).bytes(digest.as_bytes()).uint(*offset).uint(*total).bytes(bytes);
            }
            Self::Changes(changes) => return changes.write(),
            Self::Stubs(stubs) => stubs.write(&mut out),
            Self::Ack { frame, exceptions } => write_ack(&mut out, *frame, exceptions),
            Self::Summary(rows) => write_rows(&mut out, rows.iter().map(summary_row)),
            Self::Differ(codes) => write_rows(&mut out, codes.iter().map(|code| *code.as_bytes())),
            Self::Ids { sub_sls, ids, last } => {
                write_change_ids(out.array(3).bytes(sub_sls.as_bytes()), ids);
                write_yes(&mut out, *last);
            }
            Self::Want(ids) => write_change_ids(&mut out, ids),
            Self::Sketch(sketch) => sketch.write(&mut out),
            Self::More(symbols) => {
                out.uint(*symbols);
            }
            Self::Symbols(symbols) => write_symbols(&mut out, symbols),
            Self::Lack(shorts) => write_shorts(&mut out, shorts),
            Self::Unclear { again } => write_yes(&mut out, *again),
            Self::Parcels(parcels) => write_parcels(&mut out, parcels),
            Self::ParcelEnd { digest, refused } => write_parcel_end(&mut out, digest, refused.as_deref()),
            Self::Close(reason) => reason.write(&mut out),
        }
        vec![out.finish()]
    }

    fn read(kind: Kind, fields: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(fields);
        let message = match kind {
            Kind::Hello => Self::Hello(Hello::read(&mut reader)?),
            Kind::StatementIds => Self::StatementIds(read_statement_ids(&mut reader)?),
            Kind::Statements => {
                reader.tuple(2)?;
                let items = read_strings(&mut reader, STATEMENTS_MAX, STATEMENT_BYTES_MAX)?;
                Self::Statements { items, last: read_yes(&mut reader)? }
            }
            Kind::BlobWant => read_blob_want(&mut reader)?,
            Kind::Blob => read_blob(&mut reader)?,
            Kind::Changes => Self::Changes(Changes::read(&mut reader)?),
            Kind::Stubs => Self::Stubs(Stubs::read(&mut reader)?),
            Kind::Ack => read_ack(&mut reader)?,
            Kind::Summary => Self::Summary(read_summary(&mut reader)?),
            Kind::Differ => Self::Differ(read_differ(&mut reader)?),
            Kind::Ids => {
                reader.tuple(3)?;
                let sub_sls = SubSls::from_bytes(reader.array_of()?)?;
                let ids = read_change_ids(&mut reader)?;
                Self::Ids { sub_sls, ids, last: read_yes(&mut reader)? }
            }
            Kind::Want => Self::Want(read_change_ids(&mut reader)?),
            Kind::Sketch => Self::Sketch(Sketch::read(&mut reader)?),
            Kind::More => Self::More(reader.uint()?),
            Kind::Symbols => Self::Symbols(read_symbols(&mut reader)?),
            Kind::Lack => Self::Lack(read_shorts(&mut reader)?),
            Kind::Unclear => Self::Unclear { again: read_yes(&mut reader)? },
            Kind::Parcels => Self::Parcels(read_parcels(&mut reader)?),
            Kind::ParcelEnd => {
                let (digest, refused) = read_parcel_end(&mut reader)?;
                Self::ParcelEnd { digest, refused }
            }
            Kind::Close => Self::Close(CloseReason::read(&mut reader)?),
        };
        reader.end()?;
        Ok(message)
    }
}

fn read_statement_ids(reader: &mut Reader<'_>) -> Result<Vec<StatementId>, Fault> {
    let rows = read_rows(reader, STATEMENT_IDS_MAX)?;
    check_ascending(rows.iter())?;
    Ok(rows.iter().copied().map(StatementId::from_bytes).collect())
}

fn read_blob_want(reader: &mut Reader<'_>) -> Result<Message, Fault> {
    reader.tuple(2)?;
    let digest = Digest::from_bytes(reader.array_of()?);
    let offset = reader.uint()?;
    check_piece(offset, 0, BLOB_BYTES_MAX)?;
    Ok(Message::BlobWant { digest, offset })
}

fn read_blob(reader: &mut Reader<'_>) -> Result<Message, Fault> {
    reader.tuple(4)?;
    let digest = Digest::from_bytes(reader.array_of()?);
    let (offset, total) = (reader.uint()?, reader.uint()?);
    let bytes = reader.bytes(BLOB_PIECE_BYTES_MAX)?;
    check_piece(offset, bytes.len() as u64, total)?;
    Ok(Message::Blob { digest, offset, total, bytes: bytes.to_vec() })
}

/// That a piece lies within its file, and the file within its limit.
fn check_piece(offset: u64, bytes: u64, total: u64) -> Result<(), Fault> {
    let end = offset.saturating_add(bytes);
    if end <= total && total <= BLOB_BYTES_MAX {
        return Ok(());
    }
    Err(Fault::OutsideBlob { offset, end, total, max: BLOB_BYTES_MAX })
}

fn write_ack(out: &mut Writer, frame: u64, exceptions: &[(ChangeId, Exception)]) {
    out.array(2).uint(frame).array(exceptions.len());
    for (id, exception) in exceptions {
        exception.write(out.array(2).bytes(id.as_bytes()));
    }
}

fn read_ack(reader: &mut Reader<'_>) -> Result<Message, Fault> {
    reader.tuple(2)?;
    let frame = reader.uint()?;
    let count = reader.array(FRAME_CHANGES_MAX)?;
    let mut exceptions = Vec::with_capacity(count);
    for _ in 0..count {
        reader.tuple(2)?;
        exceptions.push((ChangeId::from_bytes(reader.array_of()?), Exception::read(reader)?));
    }
    Ok(Message::Ack { frame, exceptions })
}

fn write_change_ids(out: &mut Writer, ids: &[ChangeId]) {
    write_rows(out, ids.iter().map(|id| *id.as_bytes()));
}

fn read_change_ids(reader: &mut Reader<'_>) -> Result<Vec<ChangeId>, Fault> {
    Ok(read_rows(reader, CHANGE_IDS_MAX)?.iter().copied().map(ChangeId::from_bytes).collect())
}

/// A row of a summary: packed region code, then the fingerprint.
fn summary_row((sub_sls, fingerprint): &(SubSls, Fingerprint)) -> [u8; SUMMARY_ROW_BYTES] {
    let mut row = [0; SUMMARY_ROW_BYTES];
    let (code, sum) = row.split_at_mut(SUB_SLS_BYTES);
    code.copy_from_slice(sub_sls.as_bytes());
    sum.copy_from_slice(&fingerprint.to_bytes());
    row
}

fn read_summary(reader: &mut Reader<'_>) -> Result<Vec<(SubSls, Fingerprint)>, Fault> {
    let rows: &[[u8; SUMMARY_ROW_BYTES]] = read_rows(reader, SUMMARY_SUB_SLS_MAX)?;
    // The order first: it is cheap, and decoding a point is not.
    check_ascending(rows.iter().map(|row| row.first_chunk::<SUB_SLS_BYTES>()))?;
    rows.iter().map(read_summary_row).collect()
}

fn read_summary_row(row: &[u8; SUMMARY_ROW_BYTES]) -> Result<(SubSls, Fingerprint), Fault> {
    let (code, sum) = row.split_first_chunk::<SUB_SLS_BYTES>().expect("48 bytes hold 8");
    let sum = sum.try_into().expect("48 bytes hold 8 and 40");
    Ok((SubSls::from_bytes(*code)?, Fingerprint::from_bytes(sum)?))
}

fn read_differ(reader: &mut Reader<'_>) -> Result<Vec<SubSls>, Fault> {
    let rows = read_rows(reader, SUMMARY_SUB_SLS_MAX)?;
    check_ascending(rows.iter())?;
    rows.iter().map(|row| Ok(SubSls::from_bytes(*row)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(message: &Message) -> Option<Fault> {
        match Message::decode(message.encode().get(4..).unwrap()) {
            Err(WireError::Malformed { fault, .. }) => Some(fault),
            _ => None,
        }
    }

    #[test]
    fn lists_that_must_ascend_are_refused_when_they_do_not() {
        let ids = [[2; 32], [1; 32]].map(StatementId::from_bytes);
        assert_eq!(refusal(&Message::StatementIds(ids.into())), Some(Fault::OutOfOrder { index: 1 }));
        let code: SubSls = "1811010005000300".parse().unwrap();
        assert_eq!(refusal(&Message::Differ(vec![code, code])), Some(Fault::OutOfOrder { index: 1 }));
        let row = (code, Fingerprint::default());
        assert_eq!(refusal(&Message::Summary(vec![row, row])), Some(Fault::OutOfOrder { index: 1 }));
    }

    #[test]
    fn a_piece_outside_its_file_and_a_file_too_long_are_refused() {
        let digest = Digest::of(b"questionnaire");
        let max = BLOB_BYTES_MAX;
        for (offset, total, bytes) in [(90, 100, 11), (u64::MAX, 100, 1), (0, max + 1, 1)] {
            let end = offset.saturating_add(bytes);
            let piece = Message::Blob { digest, offset, total, bytes: vec![0; bytes as usize] };
            assert_eq!(refusal(&piece), Some(Fault::OutsideBlob { offset, end, total, max }));
        }
        assert!(refusal(&Message::BlobWant { digest, offset: max + 1 }).is_some());
    }

    #[test]
    fn lists_over_their_limits_are_refused() {
        let id = ChangeId::from_bytes([1; 32]);
        let strings = vec![Vec::new(); STATEMENTS_MAX + 1];
        for message in [
            Message::Want(vec![id; CHANGE_IDS_MAX + 1]),
            Message::Statements { items: strings, last: false },
            Message::Ack { frame: 1, exceptions: vec![(id, Exception::Waiting); FRAME_CHANGES_MAX + 1] },
        ] {
            assert!(matches!(refusal(&message), Some(Fault::Cbor(_))), "{}", message.name());
        }
    }

    #[test]
    fn an_unknown_type_is_told_from_a_malformed_message() {
        assert_eq!(Message::decode(&[]), Err(WireError::EmptyFrame));
        assert_eq!(Message::decode(&[99]), Err(WireError::UnknownType { number: 99 }));
        let error = Message::decode(&[Kind::Want as u8, 0x41, 0]).unwrap_err().to_string();
        assert_eq!(error, "peer sent a malformed want: 1 bytes are no whole number of rows of 32");
    }
}
