//! What a statement can say: one struct for each kind, as decoded. Who says it is in
//! [`crate::Statement`], how it is laid out in `encoding`.

use rukun_change::{
    ChangeId, DeviceKey, Digest, EncodedFingerprint, Incarnation, RecordId, Region, Signature, StatementId,
    SubSls,
};

use crate::role::Role;

/// What a statement says. Kept lists, decisions, transfers and erasures are held where their region is,
/// receipts by those who hold the work received, all others by everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// There is a survey.
    Charter(Charter),
    /// A device may act in a role in these regions.
    Grant(Grant),
    /// A device may no longer act, and what of its work is kept.
    Revocation(Revocation),
    /// A device used one number twice: both changes.
    ForkProof(ForkProof),
    /// The period is over.
    Closing(Closing),
    /// Set-aside work is upheld or dismissed.
    Decision(Decision),
    /// A family lives elsewhere: its record goes on in another.
    Transfer(Transfer),
    /// A record's key is destroyed.
    Erasure(Erasure),
    /// The changes of a revoked device that are kept in one sub-SLS.
    KeptList(KeptList),
    /// The issuer durably holds this set.
    Receipt(Receipt),
    /// A device goes on under another key.
    Succession(Succession),
    /// Sub-SLS are split, merged or renamed.
    Redrawing(Redrawing),
    /// The survey goes on under another root key.
    RootSuccession(RootSuccession),
}

/// A survey comes into being: its hash is the survey id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charter {
    /// The survey's name.
    pub name: String,
    /// Its short code.
    pub code: String,
    /// First and last day, `YYYY-MM-DD`.
    pub period: (String, String),
    /// The hash of the questionnaire file.
    pub questionnaire: Digest,
    /// The hash of the compression dictionary, if the survey has one.
    pub dictionary: Option<Digest>,
}

/// A device may act. It may only narrow the grant that it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The issuer's own grant; the charter if the issuer is the root.
    pub parent: StatementId,
    /// The device that may act.
    pub subject: DeviceKey,
    /// In which role.
    pub role: Role,
    /// Where, ascending, none inside another.
    pub regions: Vec<Region>,
    /// A higher serial for the same subject by the same path replaces.
    pub serial: u64,
    /// Whose device it is, for people.
    pub name: String,
}

/// A device may no longer act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The issuer's own grant.
    pub parent: StatementId,
    /// The device.
    pub subject: DeviceKey,
    /// Why, for people.
    pub reason: String,
    /// Per incarnation the highest number that is kept.
    pub kept: Vec<Kept>,
    /// Per sub-SLS the hash of the list of kept changes, as [`KeptList::digest`] makes it.
    pub lists: Vec<(SubSls, Digest)>,
    /// The device's own statements that are kept, ascending.
    pub statements: Vec<StatementId>,
}

/// The work of one incarnation that a revocation keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The incarnation.
    pub incarnation: Incarnation,
    /// The highest number kept.
    pub n_max: u64,
}

/// Two signed changes of one device under one number, without what they say of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkProof {
    /// The issuer's own grant.
    pub parent: StatementId,
    /// One, as [`rukun_change::SignedHeader::to_bytes`] has it.
    pub first: Vec<u8>,
    /// The other.
    pub second: Vec<u8>,
}

/// The period is over in these regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The issuer's own grant, or the charter.
    pub parent: StatementId,
    /// Where.
    pub regions: Vec<Region>,
}

/// Set-aside work of one sub-SLS is upheld or dismissed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The issuer's own grant.
    pub parent: StatementId,
    /// Where the records of the changes live.
    pub sub_sls: SubSls,
    /// Upheld or dismissed.
    pub upheld: bool,
    /// Which changes, ascending.
    pub changes: Vec<ChangeId>,
    /// The earlier decisions that this one takes the place of, ascending.
    pub supersedes: Vec<StatementId>,
}

/// A family's record goes on in another, whose place holds this word. The one that ends says so in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The issuer's own grant.
    pub parent: StatementId,
    /// The record that ends.
    pub from: RecordId,
    /// The record that goes on.
    pub to: RecordId,
}

/// A record is to be made unreadable everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The issuer's own grant.
    pub parent: StatementId,
    /// The record.
    pub record: RecordId,
    /// Why, for people.
    pub reason: String,
}

/// The kept changes of a revoked device in one sub-SLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptList {
    /// The revocation whose hash this list opens.
    pub revocation: StatementId,
    /// Where.
    pub sub_sls: SubSls,
    /// The changes, ascending.
    pub changes: Vec<ChangeId>,
}

/// Proof of delivery. It takes no number of its own: it carries the last one that its issuer gave, or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The issuer's own grant.
    pub parent: StatementId,
    /// Where.
    pub sub_sls: SubSls,
    /// What is durably held there.
    pub fingerprint: EncodedFingerprint,
}

/// A device goes on under another key, in one of its grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The issuer's own grant, which the successor has from then on.
    pub parent: StatementId,
    /// The other key.
    pub successor: DeviceKey,
    /// The successor's signature over the key that it follows.
    pub consent: Signature,
}

/// The survey goes on under another root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSuccession {
    /// The charter for the first root; for a later one the succession that made it root.
    pub parent: StatementId,
    /// The other key.
    pub successor: DeviceKey,
    /// The successor's signature over the key that it follows.
    pub consent: Signature,
    /// The issuer's own statements that are kept, ascending.
    pub statements: Vec<StatementId>,
}

/// The district splits a sub-SLS, merges several, or gives one another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrawing {
    /// The issuer's own grant, or the charter.
    pub parent: StatementId,
    /// The sub-SLS as they were, ascending.
    pub from: Vec<SubSls>,
    /// Those that there are from then on, ascending.
    pub to: Vec<Drawn>,
    /// Of what is said of one sub-SLS, a higher serial counts.
    pub serial: u64,
}

/// A sub-SLS as it is from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Its code.
    pub sub_sls: SubSls,
    /// What it is called; empty leaves the name that it has.
    pub name: String,
}

/// What a redrawing does. There is no other: who lived in one of several places and lives in one of several
/// others could not be told from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedrawingKind {
    /// One sub-SLS becomes several, of which it may be one.
    Split,
    /// Several become one, which may be one of them.
    Merge,
    /// One is called otherwise.
    Rename,
}

impl Said {
    /// The device to which it gives something, or from which it takes it.
    pub fn subject(&self) -> Option<&DeviceKey> {
        match self {
            Self::Grant(grant) => Some(&grant.subject),
            Self::Revocation(revocation) => Some(&revocation.subject),
            _ => None,
        }
    }

    /// The sub-SLS whose work it speaks of, if it is held and passed on only where that is held.
    pub fn about(&self) -> Option<SubSls> {
        match self {
            Self::Decision(decision) => Some(decision.sub_sls),
            Self::KeptList(list) => Some(list.sub_sls),
            Self::Receipt(receipt) => Some(receipt.sub_sls),
            Self::Transfer(transfer) => Some(transfer.to.home()),
            Self::Erasure(erasure) => Some(erasure.record.home()),
            Self::Charter(_)
            | Self::Grant(_)
            | Self::Revocation(_)
            | Self::ForkProof(_)
            | Self::Closing(_)
            | Self::Succession(_)
            | Self::Redrawing(_)
            | Self::RootSuccession(_) => None,
        }
    }
}

impl KeptList {
    /// What a revocation names a list by: SHA-256 over the ids, ascending.
    pub fn digest(changes: &[ChangeId]) -> Digest {
        let bytes: Vec<u8> = changes.iter().flat_map(|id| *id.as_bytes()).collect();
        Digest::of(&bytes)
    }
}

impl Redrawing {
    /// What it does, if it is any of them.
    pub fn kind(&self) -> Option<RedrawingKind> {
        match (self.from.as_slice(), self.to.as_slice()) {
            ([from], [to]) if *from == to.sub_sls && !to.name.is_empty() => Some(RedrawingKind::Rename),
            ([_], [_, _, ..]) => Some(RedrawingKind::Split),
            ([_, _, ..], [_]) => Some(RedrawingKind::Merge),
            _ => None,
        }
    }

    /// Every sub-SLS that it names, some perhaps twice.
    pub fn places(&self) -> impl Iterator<Item = SubSls> {
        self.from.iter().copied().chain(self.to.iter().map(|drawn| drawn.sub_sls))
    }

    /// What it calls a sub-SLS that there is from then on.
    pub fn draws(&self, home: &SubSls) -> Option<&Drawn> {
        self.to.iter().find(|drawn| drawn.sub_sls == *home)
    }
}
