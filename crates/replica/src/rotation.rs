//! A device goes on under a new key: the old one says so in each of its grants, the new one consents, and
//! the store has it from the same commit on. What the old key made stays its own.

use rukun_authority::limits::SUCCESSIONS_MAX;
use rukun_authority::{GrantView, Keypair, Role, Said, Succession, Trust};
use rukun_change::{DeviceKey, Incarnation, Moment, Region, SubSls};
use rukun_store::PeerState;
use rukun_wire::CloseCode;

use crate::input::LinkId;
use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};
use crate::send::covers;

impl Replica {
    /// Goes on under the key of this seed. Whoever runs the node starts it anew: it is another peer now.
    /// Gives the old key.
    ///
    /// # Errors
    /// If this device has no grant in force that could go over, or stands above others: what came down through
    /// its key can't follow another.
    pub fn rotate(&mut self, now: Moment, seed: [u8; 32]) -> Result<DeviceKey, ActionError> {
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let (old, survey, new) = (self.device(), *trust.survey(), Keypair::from_seed(&seed));
        let grants = trust.grants_of(&old).into_iter().filter(|grant| !grant.in_force.is_empty());
        let grants: Vec<_> = grants.collect();
        if let Some(grant) = grants.iter().find(|grant| grant.role != Role::Enumerator) {
            return Err(ActionError::StandsAbove { role: grant.role });
        }
        if grants.is_empty() {
            return Err(ActionError::NothingToRotate);
        }
        let leaving = self.leaving_besides(trust, &grants);
        let going_over: Vec<GrantView> = grants.into_iter().chain(leaving).collect();
        if going_over.iter().any(|grant| trust.keys_before(&grant.id) >= SUCCESSIONS_MAX) {
            return Err(ActionError::RotatedTooOften { max: SUCCESSIONS_MAX });
        }
        for grant in going_over {
            let said = Succession::consented(grant.id, &new, &old, &survey);
            self.say(None, Said::Succession(said))?;
        }
        let incarnation = Incarnation::from_bytes(self.random());
        self.store.set_device(&seed, incarnation).map_err(ReplicaError::from)?;
        self.keypair = new;
        // What a repair could not place is this device's own still, and may be nowhere else.
        for (from, id, bytes) in self.store.waiting().map_err(ReplicaError::from)? {
            if from == old {
                let own = self.device();
                self.store.put_waiting(&own, &id, &bytes).map_err(ReplicaError::from)?;
                self.store.remove_waiting(&old, &id).map_err(ReplicaError::from)?;
            }
        }
        self.incarnation_is_new = true;
        // While the old key said who follows it, it had outgrown all that the new one holds.
        self.find_outgrown()?;
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.close(now, link, CloseCode::Done, "this device goes on under another key")?;
        }
        // Who knew the old key is greeted like a stranger, with the grants that lead to the new one.
        for (peer, state) in self.store.peers().map_err(ReplicaError::from)? {
            let state = PeerState { knows_us: false, ..state };
            self.store.set_peer(&peer, &state).map_err(ReplicaError::from)?;
        }
        Ok(old)
    }

    /// The replaced grants of this device under which it keeps what it has yet to deliver, where these others tell
    /// nothing of it: by them the district knows that its follower may still bring it, and signs for it.
    fn leaving_besides(&self, trust: &Trust, others: &[GrantView]) -> Vec<GrantView> {
        let mut told: Vec<Region> = others.iter().flat_map(|grant| grant.regions.clone()).collect();
        let mut replaced = trust.grants_of(&self.device());
        replaced.retain(|grant| grant.in_force.is_empty() && !grant.revoked);
        replaced.retain(|grant| grant.role == Role::Enumerator);
        // Who follows both has the one or the other, by other ids than theirs.
        let is_beside = |grant: &GrantView| {
            let mut others = others.iter();
            others.any(|other| trust.are_told_apart_by_id(&grant.id, &other.id))
                && !cfg!(planted = "follows-both")
        };
        replaced.retain(|grant| !is_beside(grant));
        let mut leaving = Vec::new();
        // The newest first.
        for grant in replaced.into_iter().rev() {
            let is_news = |home: &&SubSls| covers(&grant.regions, home) && !covers(&told, home);
            if self.outgrown.iter().any(|home| is_news(&home)) {
                told.extend(&grant.regions);
                leaving.push(grant);
            }
        }
        leaving
    }
}
