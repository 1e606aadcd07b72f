//! Where a statement has its place among those held: what it rests on is looked up, and what it may not
//! say is refused. That its signature holds is known, and that those within it do.

use rukun_change::{DeviceKey, StatementId, SubSls};

use super::Trust;
use crate::grants::{Footing, Held};
use crate::limits::SUCCESSIONS_MAX;
use crate::losses::By;
use crate::places::cover;
use crate::role::Role;
use crate::said::{Erasure, ForkProof, Grant, KeptList, Redrawing, Said, Succession, Transfer};
use crate::statement::Statement;
use crate::transfers::Came;
use crate::verdict::StatementRefusal;

impl Trust {
    /// Takes a statement in whose signature holds; gives the one that must come first, if one must.
    pub(super) fn place(
        &mut self,
        id: StatementId,
        statement: &Statement,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        let issuer = statement.issuer.device;
        match &statement.said {
            Said::Grant(grant) => return self.place_grant(id, &issuer, grant),
            Said::Succession(said) => return self.place_succession(id, &issuer, said),
            Said::RootSuccession(said) => return self.place_root_succession(id, &issuer, said),
            Said::Revocation(said) => {
                if !self.may_judge(&issuer, &said.parent)? {
                    return Ok(Some(said.parent));
                }
                self.losses.revoke(id, issuer, said.clone());
            }
            Said::Decision(said) => {
                if !self.may_judge(&issuer, &said.parent)? {
                    return Ok(Some(said.parent));
                }
                if let Some(Footing::Grant(held)) = self.grants.footing(&issuer, &said.parent)?
                    && !cover(&held.grant.regions, &said.sub_sls)
                {
                    return Err(StatementRefusal::Wider { region: said.sub_sls.region() });
                }
                self.losses.decide(id, issuer, said.clone());
            }
            Said::KeptList(list) => return self.place_list(id, &issuer, list),
            Said::ForkProof(proof) => return self.place_proof(id, &issuer, proof),
            Said::Charter(_) => return Err(StatementRefusal::OtherSurvey),
            Said::Receipt(receipt) => return self.weigh_receipt(&issuer, receipt),
            Said::Erasure(said) => return self.place_erasure(id, &issuer, said),
            Said::Transfer(said) => return self.place_transfer(id, &issuer, said),
            Said::Redrawing(said) => return self.place_redrawing(id, &issuer, said),
            Said::Closing(_) => return Err(StatementRefusal::NotYet),
        }
        Ok(None)
    }

    fn place_grant(
        &mut self,
        id: StatementId,
        issuer: &DeviceKey,
        grant: &Grant,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        let Some(path) = self.grants.path_below(issuer, grant)? else { return Ok(Some(grant.parent)) };
        if cfg!(planted = "grant-by-arrival") {
            let parent = self.grants.get(&grant.parent);
            if parent.is_some_and(|parent| self.in_force(&grant.parent, parent).is_empty()) {
                return Ok(Some(grant.parent));
            }
        }
        self.grants.take(id, Held::new(grant.clone(), path));
        Ok(None)
    }

    fn place_succession(
        &mut self,
        id: StatementId,
        issuer: &DeviceKey,
        said: &Succession,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        match self.grants.footing(issuer, &said.parent)? {
            None => return Ok(Some(said.parent)),
            Some(Footing::Root) => return Err(StatementRefusal::NotIssuers),
            // What came down through a superior came down through her key: a superior is granted anew.
            Some(Footing::Grant(held)) if held.grant.role != Role::Enumerator => {
                return Err(StatementRefusal::StandsAbove { role: held.grant.role });
            }
            Some(Footing::Grant(held)) if held.keys_before >= SUCCESSIONS_MAX => {
                return Err(StatementRefusal::FollowsTooMany { max: SUCCESSIONS_MAX });
            }
            Some(Footing::Grant(_)) => {}
        }
        if said.successor == *issuer {
            return Err(StatementRefusal::NoConsent);
        }
        self.grants.follow(id, said.parent, said.successor);
        Ok(None)
    }

    fn place_list(
        &mut self,
        id: StatementId,
        issuer: &DeviceKey,
        list: &KeptList,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        let Some(by) = self.losses.revocations.get(&list.revocation) else {
            return Ok(Some(list.revocation));
        };
        let named = (list.sub_sls, KeptList::digest(&list.changes));
        if by.issuer != *issuer || !by.said.lists.contains(&named) {
            return Err(StatementRefusal::NotTheList);
        }
        self.losses.keep(id, list);
        Ok(None)
    }

    fn place_proof(
        &mut self,
        id: StatementId,
        issuer: &DeviceKey,
        proof: &ForkProof,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        if self.grants.footing(issuer, &proof.parent)?.is_none() {
            return Ok(Some(proof.parent));
        }
        let branches = proof.branches(&self.survey).ok_or(StatementRefusal::NoProof)?;
        self.losses.prove(id, branches);
        Ok(None)
    }

    fn place_erasure(
        &mut self,
        id: StatementId,
        issuer: &DeviceKey,
        said: &Erasure,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        if !self.is_districts(issuer, &said.parent, &[said.record.home()])? {
            return Ok(Some(said.parent));
        }
        self.erasures.take(id, said.record);
        Ok(None)
    }

    fn place_transfer(
        &mut self,
        id: StatementId,
        issuer: &DeviceKey,
        said: &Transfer,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        if said.from == said.to {
            return Err(StatementRefusal::NotMoved);
        }
        if !self.is_districts(issuer, &said.parent, &[said.from.home(), said.to.home()])? {
            return Ok(Some(said.parent));
        }
        self.transfers.take(id, said.to, Came { from: said.from, parent: said.parent });
        Ok(None)
    }

    fn place_redrawing(
        &mut self,
        id: StatementId,
        issuer: &DeviceKey,
        said: &Redrawing,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        if !self.is_districts(issuer, &said.parent, &said.places().collect::<Vec<_>>())? {
            return Ok(Some(said.parent));
        }
        self.redrawings.take(id, By { issuer: *issuer, said: said.clone() });
        Ok(None)
    }

    /// Whether what a word about these places rests on is known. It is the district's, of its own.
    fn is_districts(
        &self,
        issuer: &DeviceKey,
        parent: &StatementId,
        homes: &[SubSls],
    ) -> Result<bool, StatementRefusal> {
        let held = match self.grants.footing(issuer, parent)? {
            None => return Ok(false),
            Some(Footing::Root) => return Ok(true),
            Some(Footing::Grant(held)) => held,
        };
        if held.grant.role != Role::District && !cfg!(planted = "erasure-by-anyone") {
            return Err(StatementRefusal::NotTheDistrict);
        }
        let outside = homes.iter().find(|home| !cover(&held.grant.regions, home));
        outside.map_or(Ok(true), |home| Err(StatementRefusal::Wider { region: home.region() }))
    }

    /// Whether what a word about others' work rests on is known. An enumerator stands above nobody.
    fn may_judge(&self, issuer: &DeviceKey, parent: &StatementId) -> Result<bool, StatementRefusal> {
        match self.grants.footing(issuer, parent)?.map(|footing| footing.role()) {
            Some(Some(Role::Enumerator)) => Err(StatementRefusal::AboveNobody),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }
}
