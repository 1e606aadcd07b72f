//! Statements: what devices say about each other and about records, signed. Bytes become a
//! [`Statement`], a `COSE_Sign1` (RFC 9052, section 4.2) over deterministic CBOR that anyone can
//! check with any COSE library. What a statement *does* is decided in [`crate::Trust`]; layouts
//! are in `encoding`.

use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::cose::{protected_header, sig_structure};
use rukun_change::limits::STATEMENT_BYTES_MAX;
use rukun_change::{
    Author, ChangeId, DeviceKey, Digest, Fingerprint, Incarnation, RecordId, Region, Signature, StatementId,
    SubSls, SurveyId,
};
use sha2::{Digest as _, Sha256};

use crate::encoding;
use crate::keypair::{Keypair, verifies};
use crate::role::Role;

/// The COSE tag of `COSE_Sign1`, and the type tag of our statements.
const COSE_SIGN1: u64 = 18;
const STATEMENT_TYPE: &str = "application/rukun-statement; v=1";

/// A signed statement: who says it, under which number, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Who says it.
    pub issuer: Author,
    /// The issuer's own running number, shared with its changes.
    pub n: u64,
    /// What is said.
    pub said: Said,
    signature: Signature,
}

impl Statement {
    /// Says something under a key. A charter stands outside every survey, so it is signed with `None`.
    ///
    /// # Panics
    /// If the statement names another issuer than the key.
    pub fn sign(
        keypair: &Keypair,
        incarnation: Incarnation,
        n: u64,
        survey: Option<&SurveyId>,
        said: Said,
    ) -> Self {
        let issuer = Author { device: keypair.key(), incarnation };
        let mut statement = Self { issuer, n, said, signature: [0; 64] };
        statement.signature = keypair.sign(&statement.to_be_signed(survey));
        statement
    }

    /// Whether the issuer signed this in this survey (a charter: in none).
    pub fn verify(&self, survey: Option<&SurveyId>) -> bool {
        verifies(&self.issuer.device, &self.to_be_signed(survey), &self.signature)
    }

    /// The hash of what was signed.
    pub fn id(&self, survey: Option<&SurveyId>) -> StatementId {
        StatementId::from_bytes(Sha256::digest(self.to_be_signed(survey)).into())
    }

    /// The statement as it travels: tagged `COSE_Sign1`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Writer::new();
        bytes.tag(COSE_SIGN1).array(4).bytes(&protected_header(STATEMENT_TYPE)).map(0);
        bytes.bytes(&self.payload()).bytes(&self.signature);
        bytes.finish()
    }

    /// The claim in these bytes. Nobody has checked the signature yet.
    ///
    /// # Errors
    /// If they are not the one encoding of a statement within its limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(CborError::TooMany { items: bytes.len(), max: STATEMENT_BYTES_MAX }.into());
        }
        let mut reader = Reader::new(bytes);
        reader.tag(COSE_SIGN1)?;
        reader.tuple(4)?;
        if reader.bytes(128)? != protected_header(STATEMENT_TYPE) {
            return Err(StatementError::Header);
        }
        reader.map(0)?;
        let payload = reader.bytes(STATEMENT_BYTES_MAX)?;
        let signature = reader.array_of()?;
        reader.end()?;
        let mut reader = Reader::new(payload);
        reader.tuple(5)?;
        let kind = reader.uint()?;
        let device = DeviceKey::from_bytes(reader.array_of()?);
        let incarnation = Incarnation::from_bytes(reader.array_of()?);
        let n = reader.uint()?;
        if n == 0 {
            return Err(StatementError::Number);
        }
        let said = encoding::read(kind, &mut reader)?;
        reader.end()?;
        Ok(Self { issuer: Author { device, incarnation }, n, said, signature })
    }

    /// That others can read it: it may have been made here, out of what a person typed.
    pub(crate) fn check_spelling(&self) -> Result<(), StatementError> {
        Self::from_bytes(&self.to_bytes()).map(|_| ())
    }

    fn to_be_signed(&self, survey: Option<&SurveyId>) -> Vec<u8> {
        let external: &[u8] = survey.map_or(&[], |survey| survey.as_bytes());
        sig_structure(STATEMENT_TYPE, external, &self.payload())
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = Writer::new();
        payload.array(5).uint(encoding::kind(&self.said));
        payload.bytes(self.issuer.device.as_bytes()).bytes(self.issuer.incarnation.as_bytes()).uint(self.n);
        encoding::write(&mut payload, &self.said);
        payload.finish()
    }
}

/// What a statement says. The first five are held by everyone; the next four where their region is
/// held; receipts by those who hold the work received.
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
    /// Per sub-SLS the hash of the list of kept ids.
    pub lists: Vec<(SubSls, Digest)>,
}

/// The work of one incarnation that a revocation keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The incarnation.
    pub incarnation: Incarnation,
    /// The highest number kept.
    pub n_max: u64,
}

/// Two signed changes of one device under one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkProof {
    /// One, as [`rukun_change::SignedChange::to_bytes`] has it.
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

/// Set-aside work is upheld or dismissed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The issuer's own grant.
    pub parent: StatementId,
    /// Upheld or dismissed.
    pub upheld: bool,
    /// Which changes, ascending.
    pub changes: Vec<ChangeId>,
    /// The earlier decisions that this one takes the place of, ascending.
    pub supersedes: Vec<StatementId>,
}

/// A family's record goes on in another.
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

/// Proof of delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where.
    pub sub_sls: SubSls,
    /// What is durably held there.
    pub fingerprint: Fingerprint,
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
    /// A fingerprint that is none.
    #[error(transparent)]
    Fingerprint(#[from] rukun_change::FingerprintError),
}
