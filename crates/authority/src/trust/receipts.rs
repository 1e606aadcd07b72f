//! Receipts: who may say that it durably holds the work of a place, and whose word still counts. They
//! are weighed here and kept elsewhere, for nobody's rights rest on one.

use rukun_change::{DeviceKey, StatementId, SubSls};

use super::Trust;
use crate::grants::Footing;
use crate::places::cover;
use crate::role::Role;
use crate::said::Receipt;
use crate::verdict::StatementRefusal;

impl Trust {
    /// The grant on which the device rests a receipt of this place, and the tier for which it speaks:
    /// the highest that it has in force there, if that is a supervisor's or above.
    pub fn receipt_grant(&self, device: &DeviceKey, home: &SubSls) -> Option<(StatementId, Role)> {
        let gives = self.current_grants(device).filter(|(_, held)| gives_receipts(held.grant.role));
        let here = gives.filter(|(_, held)| cover(&self.narrowed(held), home));
        let highest = here.map(|(id, held)| (held.grant.role, *id)).min();
        highest.map(|(role, id)| (id, role))
    }

    /// The tier at which a receipt that was admitted shows work to be; none once its issuer was revoked
    /// and the receipt is not among what is kept.
    pub fn attested_by(&self, id: &StatementId, receipt: &Receipt) -> Option<Role> {
        let held = self.grants.get(&receipt.parent)?;
        let speaks = self.effects().speaks(&self.grants, &self.losses, &receipt.parent, id)
            || cfg!(planted = "revoked-receipts-count");
        speaks.then_some(held.grant.role)
    }

    /// Whether this issuer may give such a receipt; gives what must come first, if it is not known yet.
    pub(super) fn weigh_receipt(
        &self,
        issuer: &DeviceKey,
        receipt: &Receipt,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        match self.grants.footing(issuer, &receipt.parent)? {
            None => Ok(Some(receipt.parent)),
            Some(Footing::Grant(held)) if gives_receipts(held.grant.role) => {
                if cover(&held.grant.regions, &receipt.sub_sls) {
                    Ok(None)
                } else {
                    Err(StatementRefusal::Wider { region: receipt.sub_sls.region() })
                }
            }
            Some(_) => Err(StatementRefusal::NoReceipts),
        }
    }
}

/// Work is kept for others from the supervisor on.
fn gives_receipts(role: Role) -> bool {
    role != Role::Enumerator
}

#[cfg(test)]
mod tests {
    use rukun_change::{EncodedFingerprint, Fingerprint};

    use super::*;
    use crate::fixture::{ROOT_SEED, admit, charter_id, founded, grant, key, say, survey};
    use crate::{Revocation, Said, Statement, StatementVerdict};

    const OFFICE: u8 = 2;
    const PML: u8 = 4;
    const PPL: u8 = 5;
    const HOME: &str = "1811010005000300";

    /// An office, a supervisor and an enumerator, and what each rests on.
    fn tiers() -> (Trust, [StatementId; 3]) {
        let mut trust = founded();
        let office = admit(&mut trust, ROOT_SEED, grant(charter_id(), OFFICE, Role::District, &["1811"], 1));
        let pml = admit(&mut trust, OFFICE, grant(office, PML, Role::Supervisor, &["1811010005"], 1));
        let ppl = admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &["18110100050003"], 1));
        (trust, [office, pml, ppl])
    }

    fn home(code: &str) -> SubSls {
        code.parse().unwrap()
    }

    fn receipt(issuer: u8, parent: StatementId, place: &str) -> (Statement, Receipt) {
        let fingerprint = EncodedFingerprint::from(&[[issuer; 32]].iter().collect::<Fingerprint>());
        let receipt = Receipt { parent, sub_sls: home(place), fingerprint };
        (say(issuer, Said::Receipt(receipt)), receipt)
    }

    #[test]
    fn a_receipt_is_given_by_who_keeps_the_work_of_that_place_and_by_nobody_else() {
        let (mut trust, [office, pml, ppl]) = tiers();
        let mut judge = |issuer, parent, place: &str| {
            let (statement, _) = receipt(issuer, parent, place);
            trust.judge_statement(&statement)
        };
        for (issuer, parent) in [(OFFICE, office), (PML, pml)] {
            assert!(matches!(judge(issuer, parent, HOME), StatementVerdict::Admit(_)));
        }
        let refused = |why| StatementVerdict::Refuse(why);
        assert_eq!(judge(PPL, ppl, HOME), refused(StatementRefusal::NoReceipts));
        assert_eq!(judge(ROOT_SEED, charter_id(), HOME), refused(StatementRefusal::NoReceipts));
        assert_eq!(judge(PML, office, HOME), refused(StatementRefusal::NotIssuers));
        let far = home("1811010006000300").region();
        assert_eq!(judge(PML, pml, "1811010006000300"), refused(StatementRefusal::Wider { region: far }));
        let unknown = StatementId::from_bytes([9; 32]);
        assert_eq!(judge(PML, unknown, HOME), StatementVerdict::Wait(unknown));
        let (mut forged, _) = receipt(PML, office, HOME);
        forged.issuer.device = key(OFFICE);
        assert_eq!(trust.judge_statement(&forged), refused(StatementRefusal::Signature));
    }

    #[test]
    fn the_keyboard_of_receipts_takes_the_highest_role_in_force_there() {
        let (mut trust, [office, pml, _]) = tiers();
        assert_eq!(trust.receipt_grant(&key(OFFICE), &home(HOME)), Some((office, Role::District)));
        assert_eq!(trust.receipt_grant(&key(PML), &home(HOME)), Some((pml, Role::Supervisor)));
        assert_eq!(trust.receipt_grant(&key(PML), &home("1811010006000300")), None);
        assert_eq!(trust.receipt_grant(&key(PPL), &home(HOME)), None);
        let raised = admit(&mut trust, OFFICE, grant(office, PML, Role::Coordinator, &["1811010"], 2));
        assert_eq!(trust.receipt_grant(&key(PML), &home(HOME)), Some((raised, Role::Coordinator)));
        admit(&mut trust, OFFICE, grant(office, PML, Role::Coordinator, &["1811020"], 3));
        assert_eq!(trust.receipt_grant(&key(PML), &home(HOME)), None);
    }

    #[test]
    fn a_receipt_of_a_revoked_device_counts_if_it_is_among_what_is_kept() {
        let (mut trust, [office, pml, _]) = tiers();
        let [early, late] = ["1811010005000300", "1811010005000400"].map(|place| receipt(PML, pml, place));
        let ids = [&early, &late].map(|(statement, _)| statement.id(Some(&survey())));
        for (id, (_, said)) in ids.iter().zip([&early, &late]) {
            assert_eq!(trust.attested_by(id, said), Some(Role::Supervisor));
        }
        let said = Said::Revocation(Revocation {
            parent: office,
            subject: key(PML),
            reason: "phone lost".into(),
            kept: Vec::new(),
            lists: Vec::new(),
            statements: vec![ids[0]],
        });
        assert!(matches!(trust.judge_statement(&say(OFFICE, said)), StatementVerdict::Admit(_)));
        assert_eq!(trust.attested_by(&ids[0], &early.1), Some(Role::Supervisor));
        assert_eq!(trust.attested_by(&ids[1], &late.1), None);
    }
}
