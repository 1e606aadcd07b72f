//! Another key becomes the survey's root: the present one says so and keeps all that it has said, as far as
//! that is held here, and the other consents. Neither key stays in the node.

use rukun_authority::{Keypair, RootSuccession, Said, Statement};
use rukun_change::{DeviceKey, StatementId};

use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};

/// How the root went over to another key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootFollowed {
    /// The statement that says so.
    pub statement: StatementId,
    /// The key that was root.
    pub was: DeviceKey,
    /// The key that is.
    pub root: DeviceKey,
    /// How many statements of the old key are kept.
    pub kept: u64,
}

impl Replica {
    /// Lets a key be root after the present one. Where that was said already, nothing is said again.
    ///
    /// # Errors
    /// If the present key is no root of this survey.
    pub fn succeed_root(
        &mut self,
        present: &Keypair,
        successor: &Keypair,
    ) -> Result<RootFollowed, ActionError> {
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let (survey, was, root) = (*trust.survey(), present.key(), successor.key());
        let own = self.said_by(&was)?;
        for (id, statement) in &own {
            if let Said::RootSuccession(said) = &statement.said
                && said.successor == root
            {
                let kept = said.statements.len() as u64;
                return Ok(RootFollowed { statement: *id, was, root, kept });
            }
        }
        let parent = trust.root_seat(&was).ok_or(ActionError::NotTheRoot { device: was })?;
        let is_kept = |said: &Said| !matches!(said, Said::Charter(_) | Said::RootSuccession(_));
        let kept = own.into_iter().filter(|(_, one)| is_kept(&one.said)).map(|(id, _)| id);
        let said = RootSuccession::consented(parent, successor, kept.collect(), &was, &survey);
        let kept = said.statements.len() as u64;
        let statement = self.say(Some(present), Said::RootSuccession(said))?;
        Ok(RootFollowed { statement, was, root, kept })
    }

    /// The statements of one issuer.
    fn said_by(&self, issuer: &DeviceKey) -> Result<Vec<(StatementId, Statement)>, ReplicaError> {
        let held = self.store.statements()?.into_iter();
        let read = held.filter_map(|(id, bytes)| Some((id, Statement::from_bytes(&bytes).ok()?)));
        Ok(read.filter(|(_, statement)| statement.issuer.device == *issuer).collect())
    }
}
