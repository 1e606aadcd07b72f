//! What is left of a change whose record was erased: its signed header. A claim becomes a
//! [`VerifiedHeader`] and, where an erasure of the record is held, an [`AdmittedHeader`]. It keeps the
//! change's id, and so its place in the set; what the change wrote is not here and can't come back.

use rukun_change::limits::SEEN_MAX;
use rukun_change::{ChangeId, Header, SignedHeader, SurveyId};

use crate::gate::{AdmittedChange, RecallError};
use crate::keypair::verifies;
use crate::trust::Trust;
use crate::verified::{Refusal, VerifiedChange};

/// A header whose signature holds. Whether its record was erased is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedHeader {
    id: ChangeId,
    signed: SignedHeader,
}

/// The header of a change that is in the set: all that is left of one whose record was erased. Made by
/// [`Trust::judge_header`], from an [`AdmittedChange`], or recalled from a store that was given one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedHeader(VerifiedHeader);

impl VerifiedHeader {
    /// Checks the signature, and what else of a change its header tells.
    ///
    /// # Errors
    /// [`Refusal`] if either does not hold; that verdict is final.
    pub fn verify(signed: SignedHeader, survey: &SurveyId) -> Result<Self, Refusal> {
        let message = signed.header.to_be_signed(survey);
        if !verifies(&signed.header.author.device, &message, &signed.signature) {
            return Err(Refusal::Signature);
        }
        Self::checked(ChangeId::of(&message), signed)
    }

    /// The id, which the signature covers: the one that the whole change had.
    pub fn id(&self) -> ChangeId {
        self.id
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.signed.header
    }

    /// The header with its signature, as it travels.
    pub fn signed(&self) -> &SignedHeader {
        &self.signed
    }

    fn checked(id: ChangeId, signed: SignedHeader) -> Result<Self, Refusal> {
        let header = &signed.header;
        if !header.ink.names_seen() && !header.seen.is_empty() {
            return Err(Refusal::Seen);
        }
        if header.seen.len() > SEEN_MAX {
            return Err(Refusal::TooManySeen { heads: header.seen.len() });
        }
        if !header.seen.is_sorted_by(|before, after| before < after) {
            return Err(Refusal::SeenOutOfOrder);
        }
        if header.n == 0 {
            return Err(Refusal::Number);
        }
        Ok(Self { id, signed })
    }
}

impl AdmittedHeader {
    /// A header back from a store's sealed log. The seal vouches for the bytes, so the signature is not
    /// checked again. Only `store` calls this.
    ///
    /// # Errors
    /// If the bytes are not what [`SignedHeader::to_bytes`] made of an admitted one.
    pub fn recall(bytes: &[u8], survey: &SurveyId) -> Result<Self, RecallError> {
        let signed = SignedHeader::from_bytes(bytes)?;
        let id = signed.header.id(survey);
        Ok(Self(VerifiedHeader::checked(id, signed)?))
    }

    /// The id of the change.
    pub fn id(&self) -> ChangeId {
        self.0.id()
    }

    /// The header.
    pub fn header(&self) -> &Header {
        self.0.header()
    }

    /// The header with its signature, as it travels.
    pub fn signed(&self) -> &SignedHeader {
        self.0.signed()
    }
}

impl VerifiedChange {
    /// What is left of it once its answers are gone.
    pub fn into_stub(self) -> VerifiedHeader {
        let signed = self.signed().signed_header().expect("the body of a verified change has a hash");
        VerifiedHeader { id: self.id(), signed }
    }
}

impl AdmittedChange {
    /// Its header.
    pub fn to_header(&self) -> AdmittedHeader {
        let signed = self.signed().signed_header().expect("the body of an admitted change has a hash");
        AdmittedHeader(VerifiedHeader { id: self.id(), signed })
    }
}

impl Trust {
    /// Judges what is said to be left of an erased record's change. Causes are not asked for: they stood in
    /// the answers. Nothing if no erasure of the record is held, or its author never covered the place.
    pub fn judge_header(&self, header: VerifiedHeader) -> Option<AdmittedHeader> {
        let Header { author, record, .. } = header.header();
        let erased = self.erased_by(record).is_some() || cfg!(planted = "stub-unasked");
        let covered = self.ever_covered(&author.device, &record.home());
        (erased && covered).then_some(AdmittedHeader(header))
    }
}

#[cfg(test)]
mod tests {
    use rukun_change::{Ink, RecordId, StatementId};

    use super::*;
    use crate::fixture::{Device, ROOT_SEED, admit, charter_id, founded, grant, say, survey};
    use crate::{Erasure, Role, Said, StatementRefusal, StatementVerdict};

    const OFFICE: u8 = 2;
    const PML: u8 = 4;
    const PPL: u8 = 5;
    const STRANGER: u8 = 9;

    fn tiers() -> (Trust, [StatementId; 2]) {
        let mut trust = founded();
        let office = admit(&mut trust, ROOT_SEED, grant(charter_id(), OFFICE, Role::District, &["1811"], 1));
        let pml = admit(&mut trust, OFFICE, grant(office, PML, Role::Supervisor, &["1811010005"], 1));
        admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &["18110100050003"], 1));
        (trust, [office, pml])
    }

    fn erase(trust: &mut Trust, issuer: u8, parent: StatementId, record: RecordId) -> StatementVerdict {
        let said = Said::Erasure(Erasure { parent, record, reason: "asked for".into() });
        trust.judge_statement(&say(issuer, said))
    }

    fn stub_of(device: u8) -> SignedHeader {
        Device::new(device).write(Ink::Pencil, "r301", 1).signed_header().unwrap()
    }

    #[test]
    fn a_stub_has_the_id_of_its_change_and_is_admitted_only_where_the_record_was_erased() {
        let (mut trust, [office, _]) = tiers();
        let signed = Device::new(PPL).write(Ink::Pencil, "r301", 1);
        let record = signed.change.record;
        let change = VerifiedChange::verify(signed.clone(), &survey()).unwrap();
        let id = change.id();
        let stub = change.into_stub();
        assert_eq!(Ok(stub.clone()), VerifiedHeader::verify(signed.signed_header().unwrap(), &survey()));
        assert_eq!(trust.judge_header(stub.clone()), None, "nobody erased its record");
        let verdict = erase(&mut trust, OFFICE, office, record);
        let StatementVerdict::Admit(erasure) = verdict else { panic!("{verdict:?}") };
        assert_eq!(trust.erased_by(&record), Some(erasure));
        assert!(trust.holds(&erasure));
        let admitted = trust.judge_header(stub).unwrap();
        assert_eq!(admitted.id(), id);
        assert_eq!(AdmittedHeader::recall(&admitted.signed().to_bytes(), &survey()).unwrap(), admitted);
        let stranger = VerifiedHeader::verify(stub_of(STRANGER), &survey()).unwrap();
        assert_eq!(trust.judge_header(stranger), None, "it never covered the place");
    }

    #[test]
    fn a_header_that_its_device_did_not_sign_is_refused() {
        let mut other = stub_of(PPL);
        other.header.n += 1;
        assert_eq!(VerifiedHeader::verify(other, &survey()), Err(Refusal::Signature));
        let mut forged = stub_of(PPL);
        forged.signature[63] ^= 1;
        assert_eq!(VerifiedHeader::verify(forged, &survey()), Err(Refusal::Signature));
    }

    #[test]
    fn the_district_alone_erases_and_only_where_it_covers() {
        let (mut trust, [office, pml]) = tiers();
        let inside = RecordId::new("1811010005000300".parse().unwrap(), [5; 8]);
        let outside = RecordId::new("1812010005000300".parse().unwrap(), [5; 8]);
        let verdict = erase(&mut trust, PML, pml, inside);
        assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::NotTheDistrict));
        let verdict = erase(&mut trust, OFFICE, office, outside);
        assert!(matches!(verdict, StatementVerdict::Refuse(StatementRefusal::Wider { .. })), "{verdict:?}");
        let unknown = StatementId::from_bytes([7; 32]);
        assert_eq!(erase(&mut trust, OFFICE, unknown, inside), StatementVerdict::Wait(unknown));
        assert_eq!((trust.erased_by(&inside), trust.erased_by(&outside)), (None, None));
    }
}
