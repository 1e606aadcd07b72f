//! New devices come in by their officers' codes: invited and answered by a district that may die in between,
//! each code for one device, whoever else holds the card.

use std::net::{IpAddr, Ipv4Addr};

use rukun_replica::{
    ActionError, Code, EnrolError, EnrolRefusal, Enrolled, InvitationError, Invited, NewInvitation, Officer,
    Session, ask, believe,
};

use super::sim::{Checked, World};
use super::tally::Fault;
use super::{OFFICE, RELAY};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long a code is good.
const GOOD_MS: i64 = 1_000;

impl World {
    /// A new device is enrolled by its officer's code. Gives whether it was: the district may have died, or
    /// may not grant what the officer had.
    pub(super) fn enrol(&mut self, node: usize) -> Result<bool, String> {
        let relay = *self.chance.pick(&[OFFICE, RELAY]);
        self.nodes[relay].up_at_ms = 0;
        self.come_up(relay)?;
        let (code, now) = (Code::from_random(&self.chance.bytes()), self.nodes[relay].clock(self.now_ms));
        let (key, role) = (self.nodes[node].key, self.nodes[node].role);
        let regions = super::REGIONS[node].iter().map(|code| code.parse().expect("a region of this world"));
        let officer =
            Officer { name: key.to_string(), phone: "0812".into(), role, regions: regions.collect() };
        let (id, proof_key) = (code.invitation(), code.proof_key());
        let new = NewInvitation { id, proof_key, officer, expires_ms: now.wall_ms + GOOD_MS };
        let Some(replica) = self.nodes[relay].replica.as_mut() else { return Ok(false) };
        let invited = replica.invite(now, new);
        if !self.was_done(relay, invited)?.is_some_and(|invited| matches!(invited, Invited::Made)) {
            return Ok(false);
        }
        let relay_key = self.nodes[relay].key;
        let own = Session { exported: self.chance.bytes(), device: key, relay: relay_key };
        if self.chance.one_in(6) {
            return self.is_taken_back(relay, &code, &own).map(|()| false);
        }
        let Some(Ok(enrolled)) = self.answer(relay, &code, &own)? else { return Ok(false) };
        let thief = Session { exported: self.chance.bytes(), device: self.root.key(), relay: relay_key };
        self.is_for_one_device_alone(relay, &code, &thief)?;
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(false) };
        let taken = replica.take_enrolment(&relay_key, &enrolled);
        if self.was_done(node, taken)?.is_none() {
            return Err(format!("{node} does not take the grant to which its code entitles it"));
        }
        if let Some(replica) = self.nodes[relay].replica.as_ref() {
            let statements = replica.statements_held().map_err(|error| error.to_string())?;
            self.truth.said(statements);
        }
        self.truth.said(enrolled.statements);
        self.trace.note((node, relay), || format!("{node} is enrolled by {relay}"));
        self.tally.hit(Fault::Enrolled);
        Ok(true)
    }

    /// The office takes the invitation back before anybody came: whoever comes then is granted nothing.
    fn is_taken_back(&mut self, relay: usize, code: &Code, own: &Session) -> Checked {
        let now = self.nodes[relay].clock(self.now_ms);
        let Some(replica) = self.nodes[relay].replica.as_mut() else { return Ok(()) };
        let withdrawn = replica.withdraw(now, &code.invitation());
        if self.was_done(relay, withdrawn)?.is_none() {
            return Ok(());
        }
        match self.answer(relay, code, own)? {
            None | Some(Err(EnrolError::Refused(EnrolRefusal::Withdrawn { .. }))) => Ok(()),
            other => Err(format!("{relay} answers who uses a code that was taken back with {other:?}")),
        }
    }

    /// Who finds the card afterwards is granted nothing.
    fn is_for_one_device_alone(&mut self, relay: usize, code: &Code, thief: &Session) -> Checked {
        match self.answer(relay, code, thief)? {
            None | Some(Err(EnrolError::Refused(EnrolRefusal::Used { .. }))) => Ok(()),
            other => Err(format!("{relay} answers who uses a code again with {other:?}")),
        }
    }

    /// What a relay answers a device that asks to be enrolled, as the device believes it; nothing if it died.
    fn answer(
        &mut self,
        relay: usize,
        code: &Code,
        session: &Session,
    ) -> Result<Option<Result<Enrolled, EnrolError>>, String> {
        let now = self.nodes[relay].clock(self.now_ms);
        let Some(replica) = self.nodes[relay].replica.as_mut() else { return Ok(None) };
        let answer = replica.enrol(now, HERE, session, &ask(code, session, None));
        Ok(self.was_done(relay, answer)?.map(|answer| believe(code, session, answer)))
    }

    /// What a node did, once it is committed; nothing if it said no, or died.
    fn was_done<T>(&mut self, node: usize, done: Result<T, InvitationError>) -> Result<Option<T>, String> {
        let done = match done {
            Ok(done) => done,
            Err(InvitationError::Action(ActionError::Replica(error))) => {
                self.disk_failed(node, &error.to_string())?;
                return Ok(None);
            }
            Err(_) => return Ok(None),
        };
        self.commit(node)?;
        Ok(self.nodes[node].replica.is_some().then_some(done))
    }
}
