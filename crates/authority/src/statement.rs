//! Statements: what devices say about each other and about records, signed. Bytes become a
//! [`Statement`], a `COSE_Sign1` (RFC 9052, section 4.2) over deterministic CBOR that anyone can
//! check with any COSE library. What a statement *does* is decided in [`crate::Trust`]; what
//! can be said is in `said`, its layout in `encoding`.

use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::cose::{Sign1, Sign1Error, sig_structure};
use rukun_change::limits::STATEMENT_BYTES_MAX;
use rukun_change::{Author, DeviceKey, Incarnation, Signature, StatementId, SurveyId};
use sha2::{Digest as _, Sha256};

use crate::encoding::{self, StatementError};
use crate::keypair::{Keypair, verifies};
use crate::said::Said;
use crate::verdict::StatementRefusal;

/// The type tag of our statements.
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
    pub(crate) signature: Signature,
}

/// A statement that its issuer signed in one survey, or a charter signed in none, and with it whoever else's
/// signature it carries. Whether it may say so is judged by [`crate::Trust`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedStatement {
    statement: Statement,
    id: StatementId,
}

impl VerifiedStatement {
    /// Checks the signatures, and that others can read the statement: it may have been made here, out of what
    /// a person typed.
    ///
    /// # Errors
    /// If either does not hold.
    pub fn verify(statement: Statement, survey: &SurveyId) -> Result<Self, StatementRefusal> {
        let verified = Self::verify_unless(statement, survey, |_, _| false)?;
        verified.statement.check_spelling().map_err(StatementRefusal::Spelling)?;
        Ok(verified)
    }

    /// Checks the signature of a statement that was read, unless that was done before for this id and
    /// signature.
    pub(crate) fn verify_unless(
        statement: Statement,
        survey: &SurveyId,
        known: impl FnOnce(&StatementId, &Signature) -> bool,
    ) -> Result<Self, StatementRefusal> {
        let within = if matches!(statement.said, Said::Charter(_)) { None } else { Some(survey) };
        let signed = statement.to_be_signed(within);
        let id = StatementId::from_bytes(Sha256::digest(&signed).into());
        if known(&id, &statement.signature) {
            return Ok(Self { statement, id });
        }
        let holds = verifies(&statement.issuer.device, &signed, &statement.signature);
        if !holds && !cfg!(planted = "statement-signature-unchecked") {
            return Err(StatementRefusal::Signature);
        }
        match &statement.said {
            Said::Succession(said) if !said.is_consented(&statement.issuer.device, survey) => {
                Err(StatementRefusal::NoConsent)
            }
            Said::RootSuccession(said) if !said.is_consented(&statement.issuer.device, survey) => {
                Err(StatementRefusal::NoConsent)
            }
            Said::ForkProof(proof) if !proof.is_signed(survey) => Err(StatementRefusal::NoProof),
            _ => Ok(Self { statement, id }),
        }
    }

    /// What is said.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The hash of what was signed.
    pub fn id(&self) -> StatementId {
        self.id
    }
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
        Sign1 { payload: Some(&self.payload()), signature: self.signature }.to_bytes(STATEMENT_TYPE)
    }

    /// The claim in these bytes. Nobody has checked the signature yet.
    ///
    /// # Errors
    /// If they are not the one encoding of a statement within its limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(CborError::TooMany { items: bytes.len(), max: STATEMENT_BYTES_MAX }.into());
        }
        let Sign1 { payload, signature } =
            Sign1::from_bytes(bytes, STATEMENT_TYPE).map_err(|error| match error {
                Sign1Error::Cbor(error) => error.into(),
                Sign1Error::Header => StatementError::Header,
            })?;
        let mut reader = Reader::new(payload.ok_or(CborError::Unexpected("a byte string"))?);
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

    /// That others can read it.
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
