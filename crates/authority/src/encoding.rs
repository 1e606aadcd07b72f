//! The layout of each kind of statement: an array of its fields in the order of the struct.

use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::limits::HEADER_BYTES_MAX;
use rukun_change::{
    ChangeId, DeviceKey, Digest, EncodedFingerprint, Incarnation, RecordId, Region, StatementId, SubSls,
};

use crate::limits::{INCARNATIONS_MAX, LINE_BYTES_MAX, LIST_MAX, REDRAWN_MAX, REGIONS_MAX};
use crate::role::Role;
use crate::said::{
    Charter, Closing, Decision, Drawn, Erasure, ForkProof, Grant, Kept, KeptList, Receipt, Redrawing,
    RedrawingKind, Revocation, RootSuccession, Said, Succession, Transfer,
};

const REDRAWING: u64 = 12;

/// The number that stands for the kind.
pub(crate) fn kind(said: &Said) -> u64 {
    match said {
        Said::Charter(_) => 1,
        Said::Grant(_) => 2,
        Said::Revocation(_) => 3,
        Said::ForkProof(_) => 4,
        Said::Closing(_) => 5,
        Said::Decision(_) => 6,
        Said::Transfer(_) => 7,
        Said::Erasure(_) => 8,
        Said::KeptList(_) => 9,
        Said::Receipt(_) => 10,
        Said::Succession(_) => 11,
        Said::Redrawing(_) => REDRAWING,
        Said::RootSuccession(_) => 13,
    }
}

pub(crate) fn write(to: &mut Writer, said: &Said) {
    match said {
        Said::Charter(charter) => {
            to.array(6)
                .text(&charter.name)
                .text(&charter.code)
                .text(&charter.period.0)
                .text(&charter.period.1);
            to.bytes(charter.questionnaire.as_bytes());
            match &charter.dictionary {
                Some(digest) => to.bytes(digest.as_bytes()),
                None => to.null(),
            };
        }
        Said::Grant(grant) => {
            to.array(6)
                .bytes(grant.parent.as_bytes())
                .bytes(grant.subject.as_bytes())
                .uint(grant.role.number());
            write_regions(to, &grant.regions);
            to.uint(grant.serial).text(&grant.name);
        }
        Said::Revocation(revocation) => {
            to.array(6).bytes(revocation.parent.as_bytes()).bytes(revocation.subject.as_bytes());
            to.text(&revocation.reason).array(revocation.kept.len());
            for kept in &revocation.kept {
                to.array(2).bytes(kept.incarnation.as_bytes()).uint(kept.n_max);
            }
            to.array(revocation.lists.len());
            for (sub_sls, digest) in &revocation.lists {
                to.array(2).bytes(sub_sls.as_bytes()).bytes(digest.as_bytes());
            }
            write_list(to, revocation.statements.iter().map(StatementId::as_bytes));
        }
        Said::ForkProof(proof) => {
            to.array(3).bytes(proof.parent.as_bytes()).bytes(&proof.first).bytes(&proof.second);
        }
        Said::Closing(closing) => {
            to.array(2).bytes(closing.parent.as_bytes());
            write_regions(to, &closing.regions);
        }
        Said::Decision(decision) => {
            to.array(5).bytes(decision.parent.as_bytes()).bytes(decision.sub_sls.as_bytes());
            to.uint(decision.upheld.into());
            write_list(to, decision.changes.iter().map(ChangeId::as_bytes));
            write_list(to, decision.supersedes.iter().map(StatementId::as_bytes));
        }
        Said::Transfer(transfer) => {
            to.array(3).bytes(transfer.parent.as_bytes());
            to.bytes(&transfer.from.to_bytes()).bytes(&transfer.to.to_bytes());
        }
        Said::Erasure(erasure) => {
            to.array(3)
                .bytes(erasure.parent.as_bytes())
                .bytes(&erasure.record.to_bytes())
                .text(&erasure.reason);
        }
        Said::KeptList(list) => {
            to.array(3).bytes(list.revocation.as_bytes()).bytes(list.sub_sls.as_bytes());
            write_list(to, list.changes.iter().map(ChangeId::as_bytes));
        }
        Said::Receipt(receipt) => {
            to.array(3).bytes(receipt.parent.as_bytes()).bytes(receipt.sub_sls.as_bytes());
            to.bytes(receipt.fingerprint.as_bytes());
        }
        Said::Succession(succession) => {
            to.array(3).bytes(succession.parent.as_bytes()).bytes(succession.successor.as_bytes());
            to.bytes(&succession.consent);
        }
        Said::Redrawing(redrawing) => write_redrawing(to, redrawing),
        Said::RootSuccession(said) => {
            to.array(4).bytes(said.parent.as_bytes()).bytes(said.successor.as_bytes()).bytes(&said.consent);
            write_list(to, said.statements.iter().map(StatementId::as_bytes));
        }
    }
}

pub(crate) fn read(kind: u64, from: &mut Reader<'_>) -> Result<Said, StatementError> {
    Ok(match kind {
        1 => Said::Charter(read_charter(from)?),
        2 => Said::Grant(read_grant(from)?),
        3 => Said::Revocation(read_revocation(from)?),
        4 => {
            from.tuple(3)?;
            let parent = StatementId::from_bytes(from.array_of()?);
            let first = from.bytes(HEADER_BYTES_MAX)?.to_vec();
            Said::ForkProof(ForkProof { parent, first, second: from.bytes(HEADER_BYTES_MAX)?.to_vec() })
        }
        5 => {
            from.tuple(2)?;
            let parent = StatementId::from_bytes(from.array_of()?);
            Said::Closing(Closing { parent, regions: read_regions(from)? })
        }
        6 => Said::Decision(read_decision(from)?),
        7 => {
            from.tuple(3)?;
            let parent = StatementId::from_bytes(from.array_of()?);
            let record = RecordId::from_bytes(from.array_of()?)?;
            Said::Transfer(Transfer { parent, from: record, to: RecordId::from_bytes(from.array_of()?)? })
        }
        8 => {
            from.tuple(3)?;
            let parent = StatementId::from_bytes(from.array_of()?);
            let record = RecordId::from_bytes(from.array_of()?)?;
            Said::Erasure(Erasure { parent, record, reason: read_line(from)? })
        }
        9 => {
            from.tuple(3)?;
            let revocation = StatementId::from_bytes(from.array_of()?);
            let sub_sls = SubSls::from_bytes(from.array_of()?)?;
            Said::KeptList(KeptList { revocation, sub_sls, changes: read_list(from, ChangeId::from_bytes)? })
        }
        10 => {
            from.tuple(3)?;
            let parent = StatementId::from_bytes(from.array_of()?);
            let sub_sls = SubSls::from_bytes(from.array_of()?)?;
            let fingerprint = EncodedFingerprint::from_bytes(from.array_of()?);
            Said::Receipt(Receipt { parent, sub_sls, fingerprint })
        }
        11 => {
            from.tuple(3)?;
            let parent = StatementId::from_bytes(from.array_of()?);
            let successor = DeviceKey::from_bytes(from.array_of()?);
            Said::Succession(Succession { parent, successor, consent: from.array_of()? })
        }
        REDRAWING => Said::Redrawing(read_redrawing(from)?),
        13 => {
            from.tuple(4)?;
            let parent = StatementId::from_bytes(from.array_of()?);
            let (successor, consent) = (DeviceKey::from_bytes(from.array_of()?), from.array_of()?);
            let statements = read_list(from, StatementId::from_bytes)?;
            Said::RootSuccession(RootSuccession { parent, successor, consent, statements })
        }
        kind => return Err(StatementError::Kind { kind }),
    })
}

fn read_charter(from: &mut Reader<'_>) -> Result<Charter, StatementError> {
    from.tuple(6)?;
    let name = read_line(from)?;
    let code = read_line(from)?;
    let period = (read_line(from)?, read_line(from)?);
    let questionnaire = Digest::from_bytes(from.array_of()?);
    let dictionary = if from.null() { None } else { Some(Digest::from_bytes(from.array_of()?)) };
    Ok(Charter { name, code, period, questionnaire, dictionary })
}

fn read_grant(from: &mut Reader<'_>) -> Result<Grant, StatementError> {
    from.tuple(6)?;
    let parent = StatementId::from_bytes(from.array_of()?);
    let subject = DeviceKey::from_bytes(from.array_of()?);
    let role = from.uint()?;
    let role = Role::from_number(role).ok_or(StatementError::Role { role })?;
    let regions = read_regions(from)?;
    let serial = from.uint()?;
    Ok(Grant { parent, subject, role, regions, serial, name: read_line(from)? })
}

fn read_revocation(from: &mut Reader<'_>) -> Result<Revocation, StatementError> {
    from.tuple(6)?;
    let parent = StatementId::from_bytes(from.array_of()?);
    let subject = DeviceKey::from_bytes(from.array_of()?);
    let reason = read_line(from)?;
    let mut kept = Vec::new();
    for _ in 0..from.array(INCARNATIONS_MAX)? {
        from.tuple(2)?;
        kept.push(Kept { incarnation: Incarnation::from_bytes(from.array_of()?), n_max: from.uint()? });
    }
    let mut lists = Vec::new();
    for _ in 0..from.array(LIST_MAX)? {
        from.tuple(2)?;
        lists.push((SubSls::from_bytes(from.array_of()?)?, Digest::from_bytes(from.array_of()?)));
    }
    ascending(&lists.iter().map(|(sub_sls, _)| sub_sls).collect::<Vec<_>>())?;
    ascending(&kept.iter().map(|kept| kept.incarnation).collect::<Vec<_>>())?;
    let statements = read_list(from, StatementId::from_bytes)?;
    Ok(Revocation { parent, subject, reason, kept, lists, statements })
}

fn read_decision(from: &mut Reader<'_>) -> Result<Decision, StatementError> {
    from.tuple(5)?;
    let parent = StatementId::from_bytes(from.array_of()?);
    let sub_sls = SubSls::from_bytes(from.array_of()?)?;
    let upheld = match from.uint()? {
        0 => false,
        1 => true,
        _ => return Err(CborError::Unexpected("yes (1) or no (0)").into()),
    };
    let changes = read_list(from, ChangeId::from_bytes)?;
    let supersedes = read_list(from, StatementId::from_bytes)?;
    Ok(Decision { parent, sub_sls, upheld, changes, supersedes })
}

fn write_redrawing(to: &mut Writer, redrawing: &Redrawing) {
    to.array(4).bytes(redrawing.parent.as_bytes()).array(redrawing.from.len());
    for sub_sls in &redrawing.from {
        to.bytes(sub_sls.as_bytes());
    }
    to.array(redrawing.to.len());
    for drawn in &redrawing.to {
        to.array(2).bytes(drawn.sub_sls.as_bytes()).text(&drawn.name);
    }
    to.uint(redrawing.serial);
}

fn read_redrawing(from: &mut Reader<'_>) -> Result<Redrawing, StatementError> {
    from.tuple(4)?;
    let parent = StatementId::from_bytes(from.array_of()?);
    let mut before = Vec::new();
    for _ in 0..from.array(REDRAWN_MAX)? {
        before.push(SubSls::from_bytes(from.array_of()?)?);
    }
    let mut after = Vec::new();
    for _ in 0..from.array(REDRAWN_MAX)? {
        from.tuple(2)?;
        after.push(Drawn { sub_sls: SubSls::from_bytes(from.array_of()?)?, name: read_line(from)? });
    }
    ascending(&before)?;
    ascending(&after.iter().map(|drawn| drawn.sub_sls).collect::<Vec<_>>())?;
    let redrawing = Redrawing { parent, from: before, to: after, serial: from.uint()? };
    redrawing.kind().map(|_| redrawing).ok_or(StatementError::Redrawing)
}

impl Redrawing {
    /// What it does, if others can read it.
    ///
    /// # Errors
    /// If it is no split, merge or rename, names a sub-SLS twice, or exceeds a limit: its issuer's fault.
    pub fn check(&self) -> Result<RedrawingKind, StatementError> {
        let mut spelled = Writer::new();
        write_redrawing(&mut spelled, self);
        let read = read_redrawing(&mut Reader::new(&spelled.finish()))?;
        read.kind().ok_or(StatementError::Redrawing)
    }
}

/// A text for people, of one line.
fn read_line(from: &mut Reader<'_>) -> Result<String, StatementError> {
    let text = from.text(LINE_BYTES_MAX)?;
    if text.chars().any(char::is_control) { Err(StatementError::ControlCharacter) } else { Ok(text.into()) }
}

fn write_regions(to: &mut Writer, regions: &[Region]) {
    to.array(regions.len());
    for region in regions {
        to.text(region.as_str());
    }
}

/// Regions in ascending order, none inside another: one spelling for each set of places.
fn read_regions(from: &mut Reader<'_>) -> Result<Vec<Region>, StatementError> {
    let mut regions: Vec<Region> = Vec::new();
    for _ in 0..from.array(REGIONS_MAX)? {
        regions.push(from.text(16)?.parse()?);
    }
    let apart = |before: &Region, after: &Region| before < after && !before.covers(after);
    if regions.is_sorted_by(apart) { Ok(regions) } else { Err(StatementError::Order) }
}

fn write_list<'a>(to: &mut Writer, ids: impl ExactSizeIterator<Item = &'a [u8; 32]>) {
    to.array(ids.len());
    for id in ids {
        to.bytes(id);
    }
}

fn read_list<I: Ord>(from: &mut Reader<'_>, id: fn([u8; 32]) -> I) -> Result<Vec<I>, StatementError> {
    let mut ids = Vec::new();
    for _ in 0..from.array(LIST_MAX)? {
        ids.push(id(from.array_of()?));
    }
    ascending(&ids)?;
    Ok(ids)
}

fn ascending<I: Ord>(list: &[I]) -> Result<(), StatementError> {
    if list.is_sorted_by(|before, after| before < after) { Ok(()) } else { Err(StatementError::Order) }
}

/// Why bytes are no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not the encoding, or over a limit.
    #[error("statement is malformed: {0}")]
    Cbor(#[from] CborError),
    /// Another algorithm, type or version.
    #[error("statement has another header than version 1 of this program signs")]
    Header,
    /// A kind that there is not.
    #[error("statement is of kind {kind}, which version 1 has not")]
    Kind {
        /// The number it names.
        kind: u64,
    },
    /// A region code that is none.
    #[error("statement names no region: {0}")]
    Region(#[from] rukun_change::RegionError),
    /// A role that there is not.
    #[error("statement grants role {role}, which there is not")]
    Role {
        /// The number it names.
        role: u64,
    },
    /// Numbers start at 1.
    #[error("statement carries the number 0")]
    Number,
    /// A text with line breaks, escape sequences and the like: it will be shown on a terminal.
    #[error("statement has control characters in a text")]
    ControlCharacter,
    /// A list that is not ascending.
    #[error("statement has a list out of order or with an entry twice")]
    Order,
    /// From several sub-SLS to several, from none or to none, or to the same under no name.
    #[error("statement neither splits one sub-SLS, nor merges several into one, nor gives one another name")]
    Redrawing,
}
