//! Receipts: a superior that was found to hold just what a peer holds signs that it does, once for each
//! state of a place; who gets a receipt finds out what of its own log the receipt proves. What is shown
//! of it is in `custody`.

use std::collections::BTreeMap;

use rukun_authority::{Receipt, Role, Said, Statement, StatementVerdict, VerifiedStatement};
use rukun_change::{DeviceKey, EncodedFingerprint, Fingerprint, StatementId, SubSls};
use rukun_reconcile::{Beyond, Item, beyond};
use rukun_store::{HeldItem, Proof};

use crate::input::{Event, LinkId};
use crate::rank::Rank;
use crate::replica::{Replica, ReplicaError};

/// How many receipts that were not taken are remembered.
const RECEIPTS_DECLINED_MAX: usize = 4_096;

impl Replica {
    /// A peer was found to hold in these places just what we hold there.
    pub(crate) fn found_equal(&mut self, peer: &DeviceKey, places: &[SubSls]) -> Result<(), ReplicaError> {
        let head = self.store.head();
        for home in places {
            self.store.held_elsewhere_upto(home, head)?;
            if self.keeps_for(&self.device(), peer, home) {
                self.receipts_due.insert(*home);
            }
        }
        Ok(())
    }

    /// What the log does not bring to a peer: the receipts for what it holds already. It gets those of a
    /// place as soon as it is found to hold the same there.
    pub(crate) fn show_receipts(&mut self, link: LinkId, places: &[SubSls]) -> Result<(), ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        let (peer, position) = (open.peer, open.outgoing.position());
        let Some(shown) = &mut open.receipts_shown else { return Ok(()) };
        let new: Vec<SubSls> = places.iter().filter(|home| shown.insert(**home)).copied().collect();
        let mut receipts = Vec::new();
        for home in new {
            let held = self.store.receipts_for(&home)?.into_iter();
            receipts.extend(held.filter(|(issuer, _)| *issuer != peer).map(|(_, seq)| seq));
        }
        let sent = self.send_receipts(link, &receipts)?;
        if sent && self.links.get(&link).is_some_and(|open| open.outgoing.is_further_than_told()) {
            self.send_mark(link, position);
        }
        Ok(())
    }

    /// Signs what is due. Whatever it attests is committed with it, before anybody hears of it. Gives whether
    /// there is any.
    pub(crate) fn give_receipts(&mut self) -> Result<bool, ReplicaError> {
        let mut given = false;
        for home in std::mem::take(&mut self.receipts_due) {
            let device = self.device();
            let held = self.store.fingerprints(&[home.region()])?.get(&home).copied().unwrap_or_default();
            let grant = self.trust.as_ref().and_then(|trust| trust.receipt_grant(&device, &home));
            let Some((parent, _)) = grant.filter(|_| held.count() > 0) else { continue };
            let last = self.latest_receipt(&home, &device)?;
            let fingerprint = EncodedFingerprint::from(&held);
            if last.is_some_and(|(receipt, _)| receipt.fingerprint == fingerprint) {
                continue;
            }
            let said = Said::Receipt(Receipt { parent, sub_sls: home, fingerprint });
            let statement = self.signed_receipt(said);
            given |= self.take_claim(statement, None)?;
        }
        Ok(given)
    }

    /// Signs for a peer that holds this set of a place, where it may read nothing any more: all of it is
    /// held here, so that it need not be kept there. What the district holds beyond that is not the peer's
    /// to know, and so no other receipt goes to it.
    pub(crate) fn attest_outgrown(&mut self, link: LinkId, home: SubSls, set: &Fingerprint) {
        let (Some(trust), Some(open)) = (&self.trust, self.links.get(&link)) else { return };
        let grant = trust.receipt_grant(&self.device(), &home);
        let Some((parent, _)) = grant.filter(|(_, role)| *role == Role::District) else { return };
        if set.count() == 0 || !trust.has_outgrown(&open.peer, &home) {
            return;
        }
        let fingerprint = EncodedFingerprint::from(set);
        let said = Said::Receipt(Receipt { parent, sub_sls: home, fingerprint });
        let receipt = self.signed_receipt(said);
        self.send_statements(link, [receipt.to_bytes()]);
    }

    /// Whether a receipt is for just what is kept of a place that was outgrown, and the latest is not.
    fn is_for_all_kept(
        &self,
        receipt: &Receipt,
        latest: Option<EncodedFingerprint>,
    ) -> Result<bool, ReplicaError> {
        let home = receipt.sub_sls;
        if !self.outgrown.contains(&home) || latest == Some(receipt.fingerprint) {
            return Ok(false);
        }
        let held = self.store.fingerprints(&[home.region()])?.get(&home).copied().unwrap_or_default();
        Ok(receipt.fingerprint == EncodedFingerprint::from(&held))
    }

    /// It takes no number: the numbers of work and of words about work have no holes by it.
    fn signed_receipt(&self, said: Said) -> Statement {
        let (incarnation, n) = (self.store.incarnation(), self.store.last_n().max(1));
        Statement::sign(&self.keypair, incarnation, n, self.survey().as_ref(), said)
    }

    /// Takes a receipt in if it is later than what its issuer gave for that place before, and its word
    /// counts. Gives whether it was taken.
    pub(crate) fn take_receipt(
        &mut self,
        verified: &VerifiedStatement,
        receipt: &Receipt,
        from: Option<&DeviceKey>,
    ) -> Result<bool, ReplicaError> {
        let (statement, id) = (verified.statement(), verified.id());
        let (home, issuer) = (receipt.sub_sls, statement.issuer.device);
        let rank = Rank { count: receipt.fingerprint.count(), n: statement.n, id };
        let latest = self.latest_receipt(&home, &issuer)?;
        let says_less = latest.as_ref().is_some_and(|(_, latest)| *latest >= rank);
        if says_less && !self.is_for_all_kept(receipt, latest.map(|(latest, _)| latest.fingerprint))? {
            return Ok(false);
        }
        let Some(trust) = &mut self.trust else { return Ok(false) };
        match trust.judge_verified(verified) {
            StatementVerdict::Admit(_) if trust.attested_by(&id, receipt).is_none() => Ok(false),
            StatementVerdict::Admit(_) => {
                self.store.append_receipt(&home, &issuer, &id, &statement.to_bytes(), from)?;
                self.unproved.insert(home);
                Ok(true)
            }
            StatementVerdict::Wait(parent) => {
                self.hold_back(parent, verified, from);
                Ok(false)
            }
            StatementVerdict::Refuse(refusal) => {
                if let Some(peer) = from {
                    self.count_refused(*peer, format!("receipt refused: {refusal}"));
                }
                Ok(false)
            }
        }
    }

    /// A receipt was not taken.
    pub(crate) fn decline(&mut self, id: StatementId) {
        if self.receipts_declined.len() == RECEIPTS_DECLINED_MAX {
            self.receipts_declined.clear();
        }
        self.receipts_declined.insert(id);
    }

    /// Finds out what the receipts prove that came, or whose places have grown since, and that prove nothing
    /// so far. What was proved once stays so, whatever comes later.
    pub(crate) fn prove_receipts(&mut self) -> Result<(), ReplicaError> {
        for home in std::mem::take(&mut self.unproved) {
            let proofs = self.store.proofs(&home)?;
            let held = self.store.fingerprints(&[home.region()])?.get(&home).copied().unwrap_or_default();
            let mut open = Vec::new();
            for (issuer, seq) in self.store.receipts_for(&home)? {
                if proofs.iter().all(|proof| proof.seq != seq) {
                    let (receipt, _) = self.read_receipt(seq)?;
                    open.push((issuer, seq, receipt.fingerprint));
                }
            }
            open.retain(|(_, _, fingerprint)| fingerprint.count() <= held.count());
            let before = self.tried.remove(&home).unwrap_or_default();
            if open.is_empty() {
                continue;
            }
            let items = self.store.items(&home)?;
            let listed: Vec<Item> = items.iter().map(|item| Item { id: item.id, own: item.own }).collect();
            for (issuer, seq, fingerprint) in open {
                let Ok(fingerprint) = fingerprint.decode() else { continue };
                let tried = before.get(&seq).copied().unwrap_or_default();
                let Some(beyond) = beyond(&fingerprint, &held, &listed, tried) else {
                    self.tried.entry(home).or_default().insert(seq, listed.len());
                    continue;
                };
                let (upto, own_upto) = within(&items, beyond);
                self.store.prove(&home, &Proof { issuer, seq, upto, own_upto })?;
                if self.outgrown.contains(&home) {
                    self.release_due.insert(home);
                }
                if issuer != self.device() {
                    self.store.held_elsewhere_upto(&home, own_upto)?;
                }
                self.tell(Event::Proved { sub_sls: home, issuer });
            }
        }
        Ok(())
    }

    /// The receipt, latest of its issuer or not, at a place in the log.
    pub(crate) fn read_receipt(&self, seq: u64) -> Result<(Receipt, Rank), ReplicaError> {
        if let Some(read) = self.receipts_read.get(seq) {
            return Ok(read);
        }
        let read = self.unseal_receipt(seq)?;
        self.receipts_read.put(seq, read);
        Ok(read)
    }

    fn unseal_receipt(&self, seq: u64) -> Result<(Receipt, Rank), ReplicaError> {
        let bytes = self.store.receipt_bytes(seq)?;
        let Ok(statement) = Statement::from_bytes(&bytes) else { return Err(ReplicaError::Receipt { seq }) };
        let (n, id) = (statement.n, statement.id(self.survey().as_ref()));
        match statement.said {
            Said::Receipt(receipt) => {
                let rank = Rank { count: receipt.fingerprint.count(), n, id };
                Ok((receipt, rank))
            }
            _ => Err(ReplicaError::Receipt { seq }),
        }
    }

    fn latest_receipt(
        &self,
        home: &SubSls,
        issuer: &DeviceKey,
    ) -> Result<Option<(Receipt, Rank)>, ReplicaError> {
        let seq = self.store.receipt(home, issuer)?;
        seq.map(|seq| self.read_receipt(seq)).transpose()
    }

    /// Whether a peer would sign for what is held of these places if it was shown that, and has not yet.
    pub(crate) fn awaits_receipts(
        &self,
        peer: &DeviceKey,
        held: &BTreeMap<SubSls, Fingerprint>,
    ) -> Result<bool, ReplicaError> {
        for (home, set) in held.iter().filter(|(_, set)| set.count() > 0) {
            if self.keeps_for(peer, &self.device(), home) {
                let latest = self.latest_receipt(home, peer)?.map(|(receipt, _)| receipt.fingerprint);
                if latest != Some(EncodedFingerprint::from(set)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether the first device is a superior there, and the other is not of a higher tier.
    pub(crate) fn keeps_for(&self, keeper: &DeviceKey, other: &DeviceKey, home: &SubSls) -> bool {
        let Some(trust) = &self.trust else { return false };
        let highest = |device: &DeviceKey| trust.roles_at(device, home).into_iter().min();
        let Some((_, own)) = trust.receipt_grant(keeper, home) else { return false };
        highest(other).unwrap_or(Role::Enumerator) >= own
    }
}

/// Up to where in the log a receipt's set goes, and up to where of what was made here.
fn within(items: &[HeldItem], beyond: Beyond) -> (u64, u64) {
    let (earlier, _) = items.split_at(items.len().saturating_sub(beyond.newest));
    let upto = earlier.last().map_or(0, |item| item.seq);
    let own = earlier.iter().rev().filter(|item| item.own).take(beyond.own).last();
    (upto, own.map_or(upto, |oldest| oldest.seq - 1))
}
