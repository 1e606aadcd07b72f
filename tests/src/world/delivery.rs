//! What is said of delivery is held against what is true: a receipt is for what its issuer has said to
//! hold, nothing is shown at a tier without a receipt of that tier that counts, and nothing is shown
//! to be elsewhere that never was.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use rukun_change::{Author, ChangeId, DeviceKey, StatementId, SubSls};
use rukun_replica::{OfficerLine, Reached};
use rukun_wire::Message;

use super::TIERS;
use super::links::End;
use super::model::compare::role_in_model;
use super::model::{Grants, Receipt, Role, number_of};
use super::sim::{Checked, World};

/// Stands for whoever lies: what it was sent may be said to be elsewhere, for it may have acknowledged it.
pub(super) const LIAR: DeviceKey = DeviceKey::from_bytes([0; 32]);

impl World {
    /// A node has given receipts, for one place or for any: each is for just what it has said to hold there,
    /// at that moment.
    pub(super) fn gave_receipts(&mut self, node: usize, home: Option<&SubSls>) -> Checked {
        let key = self.nodes[node].key;
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(()) };
        for bytes in replica.receipts_held(home).map_err(|error| error.to_string())? {
            let Some(receipt) = Receipt::of(&bytes, &self.truth.survey) else { continue };
            if receipt.issuer != key || self.is_known(&receipt) {
                continue;
            }
            let home = receipt.sub_sls;
            let here = self.truth.held[node].iter().filter(|id| self.truth.home(id) == Some(home));
            let here: Vec<ChangeId> = here.copied().collect();
            let about = replica.statements_about(&home).map_err(|error| error.to_string())?;
            let items = here.iter().map(ChangeId::as_bytes).chain(about.iter().map(StatementId::as_bytes));
            let sum = self.truth.points.sum(items);
            if sum.to_bytes() != receipt.set {
                return Err(format!(
                    "{node} gives a receipt for other items in {home} than the {} that it holds",
                    sum.count()
                ));
            }
            let given = self.truth.receipts.entry((home, key)).or_default();
            for id in here {
                self.truth.covered_from.entry((id, key)).or_insert(given.len());
            }
            given.push(receipt);
            self.tally.receipts += 1;
        }
        Ok(())
    }

    /// Receipts leave a node: it has said of its own that it gave them. What is sent to who has closed the
    /// link arrives nowhere, and nobody is told by it.
    pub(super) fn follow_receipts(&mut self, from: End, items: &[Vec<u8>]) -> Checked {
        if self.links.get(&from).is_none() {
            return Ok(());
        }
        let (node, key) = (from.0, self.nodes[from.0].key);
        for bytes in items {
            let receipt = Receipt::of(bytes, &self.truth.survey);
            let Some(receipt) = receipt.filter(|receipt| self.peer_outgrew(from, receipt)) else { continue };
            self.attested_outgrown(from, receipt);
        }
        let mut receipts = items.iter().filter_map(|bytes| Receipt::of(bytes, &self.truth.survey));
        match receipts.find(|receipt| receipt.issuer == key && !self.is_known(receipt)) {
            Some(receipt) => {
                Err(format!("{node} sends a receipt for {} that it did not give", receipt.sub_sls))
            }
            None => Ok(()),
        }
    }

    /// Whether a receipt of the sender's own goes to who may read nothing there any more.
    pub(super) fn peer_outgrew(&self, from: End, receipt: &Receipt) -> bool {
        let trust = self.nodes[from.0].replica.as_ref().and_then(|replica| replica.trust());
        let (Some(trust), Some(wire)) = (trust, self.links.get(&from)) else { return false };
        let (peer, home) = (self.nodes[wire.to.0].key, &receipt.sub_sls);
        receipt.issuer == self.nodes[from.0].key && trust.has_outgrown(&peer, home)
    }

    /// Such a receipt is for what the peer holds, which is no more than both do.
    fn attested_outgrown(&mut self, from: End, receipt: Receipt) {
        let Some(wire) = self.links.get(&from) else { return };
        let (node, peer, home) = (from.0, wire.to.0, receipt.sub_sls);
        if self.is_known(&receipt) {
            return;
        }
        let both = self.truth.held[node].intersection(&self.truth.held[peer]);
        let both: Vec<ChangeId> = both.filter(|id| self.truth.home(id) == Some(home)).copied().collect();
        let key = (home, receipt.issuer);
        let given = self.truth.receipts.entry(key).or_default();
        for id in both {
            self.truth.covered_from.entry((id, receipt.issuer)).or_insert(given.len());
        }
        given.push(receipt);
        self.tally.receipts += 1;
    }

    fn is_known(&self, receipt: &Receipt) -> bool {
        let given = self.truth.receipts.get(&(receipt.sub_sls, receipt.issuer));
        given.is_some_and(|given| given.contains(receipt))
    }

    /// A liar has been sent changes.
    pub(super) fn told_to_a_liar(&mut self, message: &Message) {
        let Message::Changes(changes) = message else { return };
        let ids: Vec<ChangeId> = changes.items.iter().filter_map(|signed| self.truth.id_of(signed)).collect();
        for id in ids {
            self.truth.holders.entry(id).or_default().insert(LIAR);
        }
    }

    /// A receipt was found to prove something at a node: it shows no work of that place further than somebody
    /// has signed that it is. Whether that one was revoked since is left to the end.
    pub(super) fn shows_no_more_than_was_given(&mut self, node: usize, home: &SubSls) -> Checked {
        let trust = self.nodes[node].replica.as_ref().and_then(|replica| replica.trust());
        let roles = trust.map(|trust| trust.roles_at(&self.nodes[node].key, home)).unwrap_or_default();
        let own = roles.into_iter().map(role_in_model).collect::<Vec<_>>();
        let mut attested: BTreeMap<StatementId, Option<Role>> = BTreeMap::new();
        self.shows_no_more(node, home, &own, |receipt| {
            *attested.entry(receipt.id).or_insert_with(|| self.truth.grants.attested_by(receipt))
        })?;
        Ok(())
    }

    /// A node shows no work further than it is proved to be, now that all is known.
    pub(super) fn shows_no_more_than_is_proved(&mut self, node: usize, grants: &Grants) -> Checked {
        let key = self.nodes[node].key;
        let homes: BTreeSet<SubSls> =
            self.truth.held[node].iter().filter_map(|id| self.truth.home(id)).collect();
        let mut attested: BTreeMap<StatementId, Option<Role>> = BTreeMap::new();
        for home in homes {
            let own = grants.roles_at(&key, &home);
            let attested_by = |receipt: &Receipt| {
                *attested.entry(receipt.id).or_insert_with(|| grants.attested_by(receipt))
            };
            self.tally.proved += self.shows_no_more(node, &home, &own, attested_by)?;
        }
        Ok(())
    }

    /// Gives how many changes of the place are shown at a tier by receipts.
    fn shows_no_more(
        &self,
        node: usize,
        home: &SubSls,
        own: &[Role],
        mut attested_by: impl FnMut(&Receipt) -> Option<Role>,
    ) -> Result<u64, String> {
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(0) };
        let key = self.nodes[node].key;
        let mut proved = 0;
        for (id, reached) in replica.reached_in(home).map_err(|error| error.to_string())? {
            let role = match reached {
                Reached::District => Some(Role::District),
                Reached::Coordinator => Some(Role::Coordinator),
                Reached::Supervisor => Some(Role::Supervisor),
                Reached::Here | Reached::HereAlone => None,
            };
            if role.is_some_and(|role| own.contains(&role)) {
                continue;
            }
            if let Some(role) = role {
                let first = (id, DeviceKey::from_bytes([0; 32]));
                let covering = self.truth.covered_from.range(first..).take_while(|((of, _), _)| *of == id);
                let mut given = covering.flat_map(|((_, issuer), first)| {
                    self.truth.receipts[&(*home, *issuer)].iter().skip(*first)
                });
                if !given.any(|receipt| attested_by(receipt) == Some(role)) {
                    return Err(format!("{node} shows change {id:.12} {reached} without such a receipt"));
                }
                proved += 1;
            }
            let others = self.truth.holders.get(&id).into_iter().flatten().any(|holder| *holder != key);
            if reached != Reached::HereAlone && !others {
                return Err(format!("{node} shows change {id:.12} {reached}, and nobody else ever held it"));
            }
        }
        Ok(proved)
    }

    /// All is quiet: whoever made something, and is linked to a superior who holds it and keeps it for it, has that
    /// one's word.
    pub(super) fn shows_what_was_delivered(&self) -> Checked {
        let pairs = TIERS.iter().flat_map(|(one, two)| [(*one, *two), (*two, *one)]);
        for (node, superior) in pairs {
            let (key, theirs) = (self.nodes[node].key, self.nodes[superior].key);
            let Some(replica) = self.nodes[node].replica.as_ref() else { continue };
            let Some(trust) = replica.trust() else { continue };
            for home in replica.fingerprints(None).map_err(|error| error.to_string())?.into_keys() {
                let Some((_, role)) = trust.receipt_grant(&theirs, &home) else { continue };
                let own = trust.roles_at(&key, &home).into_iter().min();
                let may_read = trust.may_read(&key, &home) && trust.may_read(&theirs, &home);
                if !may_read || own.is_none_or(|own| own < role) {
                    continue;
                }
                let is_own = |id: &ChangeId| {
                    let made = self.truth.facts.get(id).is_some_and(|fact| fact.author.device == key);
                    made && self.truth.held[superior].contains(id)
                };
                let reached = replica.reached_in(&home).map_err(|error| error.to_string())?;
                let unsigned = |reached: &Reached| matches!(reached, Reached::Here | Reached::HereAlone);
                if let Some((id, _)) = reached.iter().find(|(id, reached)| is_own(id) && unsigned(reached)) {
                    return Err(format!("{node} has no receipt for {id:.12}, which {superior} holds"));
                }
            }
        }
        Ok(())
    }

    /// A node misses those numbers of an officer's work that it does not hold, and no others.
    pub(super) fn misses_what_it_lacks(&self, node: usize, officers: &[OfficerLine]) -> Checked {
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(()) };
        let mut numbers: BTreeMap<Author, BTreeSet<u64>> = BTreeMap::new();
        for fact in self.truth.held[node].iter().filter_map(|id| self.truth.facts.get(id)) {
            numbers.entry(fact.author).or_default().insert(fact.n);
        }
        for bytes in replica.statements_held().map_err(|error| error.to_string())? {
            if let Some((issuer, n)) = number_of(&bytes) {
                numbers.entry(issuer).or_default().insert(n);
            }
        }
        for officer in officers {
            let own = numbers.iter().filter(|(author, _)| author.device == officer.device);
            let expected: Vec<_> = own.map(|(author, held)| (author.incarnation, holes(held))).collect();
            let shown = officer.incarnations.iter().map(|one| (one.incarnation, one.missing.clone()));
            if !shown.eq(expected.iter().cloned()) {
                let who = officer.device.short();
                return Err(format!("{node} misses other numbers of {who} than it lacks: {officer:?}"));
            }
        }
        Ok(())
    }
}

/// The runs of numbers from 1 to the last that are not there.
fn holes(numbers: &BTreeSet<u64>) -> Vec<RangeInclusive<u64>> {
    let before = std::iter::once(0).chain(numbers.iter().copied());
    let pairs = before.zip(numbers);
    pairs.filter(|(before, n)| before + 1 < **n).map(|(before, n)| before + 1..=n - 1).collect()
}
