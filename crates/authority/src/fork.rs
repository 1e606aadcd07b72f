//! A fork proof becomes the two branches that it names: headers of two changes that one device signed under
//! one number. Where the proof has its place among other statements is [`crate::Trust`]'s to say.

use rukun_change::{ChangeId, SignedHeader, SurveyId};

use crate::keypair::verifies;
use crate::losses::Numbered;
use crate::said::ForkProof;

impl ForkProof {
    /// Whether the device signed both branches in this survey.
    pub(crate) fn is_signed(&self, survey: &SurveyId) -> bool {
        let signed = |header: &[u8]| {
            SignedHeader::from_bytes(header).is_ok_and(|signed| {
                let message = signed.header.to_be_signed(survey);
                verifies(&signed.header.author.device, &message, &signed.signature)
            })
        };
        signed(&self.first) && signed(&self.second)
    }

    /// The branches in the order of their ids; nothing if these are not two changes under one number. That
    /// they are signed is known.
    pub(crate) fn branches(&self, survey: &SurveyId) -> Option<[Numbered; 2]> {
        let branch = |header: &[u8]| {
            let header = SignedHeader::from_bytes(header).ok()?.header;
            Some(Numbered::of_header(ChangeId::of(&header.to_be_signed(survey)), &header))
        };
        let mut branches = [branch(&self.first)?, branch(&self.second)?];
        branches.sort_by_key(|branch| branch.id);
        let [one, other] = &branches;
        let one_number = (one.author, one.n) == (other.author, other.n) && one.id != other.id;
        one_number.then_some(branches)
    }
}
