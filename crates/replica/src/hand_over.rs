//! Hand-over: a region goes from one device to another by grants that replace those before, all in one
//! commit. What was written there stays its author's, and what has yet to arrive is taken as ever.

use rukun_authority::{Grant, HandOver, Said, Statement, Trust};
use rukun_change::{DeviceKey, Region};

use crate::local::ActionError;
use crate::replica::Replica;
use crate::survey::{admitted, given};

impl Replica {
    /// Hands over what one device holds of a region by this device's grants.
    ///
    /// # Errors
    /// If it holds nothing there, or the other device can't take just that; then nothing was written.
    pub fn assign(
        &mut self,
        region: &Region,
        from: &DeviceKey,
        to: &DeviceKey,
    ) -> Result<HandOver, ActionError> {
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let over = trust.hand_over(&self.device(), region, from, to)?;
        given(&self.after(trust, &over.grants)?, to, &over.regions)?;
        for grant in &over.grants {
            self.say(None, Said::Grant(grant.clone()))?;
        }
        Ok(over)
    }

    /// The trust that these grants would leave. No number is used up for what may never be said.
    fn after(&self, trust: &Trust, grants: &[Grant]) -> Result<Trust, ActionError> {
        let mut after = trust.clone();
        for grant in grants {
            let (incarnation, said) = (self.store.incarnation(), Said::Grant(grant.clone()));
            let statement = Statement::sign(&self.keypair, incarnation, 1, Some(trust.survey()), said);
            admitted(&mut after, &statement)?;
        }
        Ok(after)
    }
}
