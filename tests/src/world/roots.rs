//! The survey's root goes over to another key, and whoever has the old one goes on with it where nobody knows
//! that yet.

use rukun_authority::{Keypair, Role};
use rukun_replica::ActionError;

use super::outcome::{goes_on, readers};
use super::sim::{Checked, World};
use super::tally::Fault;
use super::{Chance, ENUMERATORS, NODES, OFFICE};

impl World {
    /// The office lets another key be root. With the old one a thief makes an enumerator a district.
    pub(super) fn follow_root(&mut self, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        self.come_up(OFFICE)?;
        self.seat_roots()?;
        let (old, new) = (self.root_at(OFFICE), Keypair::from_seed(&chance.bytes()));
        let Some(replica) = self.nodes[OFFICE].replica.as_mut() else { return Ok(()) };
        let read = readers(replica.trust());
        let followed = replica.succeed_root(&old, &new);
        self.trace.note(followed.is_ok(), || format!("another key is root: {followed:?}"));
        match followed {
            Ok(_) => {
                goes_on(&read, &readers(replica.trust()), (old.key(), new.key()))?;
                let seated = |root: &Keypair| {
                    replica.trust().is_some_and(|trust| trust.root_seat(&root.key()).is_some())
                };
                if seated(&old) || !seated(&new) {
                    return Err("another key was to be root, and is not".into());
                }
                let statements = replica.statements_held().map_err(|error| error.to_string())?;
                self.truth.said(statements);
                self.later_roots.push(new);
                self.tally.hit(Fault::RootFollowed);
            }
            Err(ActionError::Replica(error)) => return self.disk_failed(OFFICE, &error.to_string()),
            Err(_) => return Ok(()),
        }
        self.commit(OFFICE)?;
        let (at, subject) = (1 + chance.below(NODES - 1), *chance.pick(&ENUMERATORS));
        self.come_up(at)?;
        let (before, key) = (self.truth.statements.len(), self.nodes[subject].key);
        self.grant(at, true, key, Role::District, &["1811"])?;
        if self.truth.statements.len() > before {
            self.tally.hit(Fault::OldRootGrantsOn);
        }
        let to = chance.below(NODES);
        self.link(at, to)
    }

    /// The office says again what an old copy of its store has not: which keys followed which.
    pub(super) fn seat_roots(&mut self) -> Checked {
        let keys: Vec<Keypair> = std::iter::once(&self.root).chain(&self.later_roots).cloned().collect();
        for (old, new) in keys.iter().zip(keys.iter().skip(1)) {
            let Some(replica) = self.nodes[OFFICE].replica.as_mut() else { return Ok(()) };
            if replica.trust().is_none_or(|trust| trust.was_root(&new.key())) {
                continue;
            }
            let followed = replica.succeed_root(old, new);
            self.trace.note(followed.is_ok(), || format!("a key is root again: {followed:?}"));
            match followed {
                Ok(_) => {
                    let statements = replica.statements_held().map_err(|error| error.to_string())?;
                    self.truth.said(statements);
                }
                Err(ActionError::Replica(error)) => return self.disk_failed(OFFICE, &error.to_string()),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// The key that is root, as far as a node knows.
    pub(super) fn root_at(&self, node: usize) -> Keypair {
        let trust = self.nodes[node].replica.as_ref().and_then(|replica| replica.trust());
        let is_seated = |root: &&Keypair| trust.is_some_and(|trust| trust.root_seat(&root.key()).is_some());
        self.later_roots.iter().rev().find(is_seated).unwrap_or(&self.root).clone()
    }
}
