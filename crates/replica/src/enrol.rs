//! Enrolment at both ends: an office's invitation and what a device proves become a grant and the mark
//! that the invitation is used, in one commit, before anything is answered; the answer becomes a device
//! that is in the survey. Who proves what is `rukun_enrolment`'s.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rukun_authority::{Grant, GrantView, Role, Said, Statement, StatementVerdict, Trust};
use rukun_change::{DeviceKey, InvitationId, Moment, Region, StatementId};
use rukun_enrolment::{
    Enrolled, Fate, Guesser, Invitation, InvitationState, Judgement, Officer, ProofKey, Session, granted,
    judge, refused,
};
use rukun_wire::{EnrolAnswer, EnrolAsk, EnrolRefusal};

use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};
use crate::survey::{NewGrant, tidy};

/// Who is to be invited, and what follows from the code that was made for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvitation {
    /// The id that follows from the code.
    pub id: InvitationId,
    /// What proves the code.
    pub proof_key: ProofKey,
    /// Who, and to what.
    pub officer: Officer,
    /// Until when, milliseconds since 1970.
    pub expires_ms: i64,
}

/// What became of the wish to invite someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invited {
    /// There is a new invitation.
    Made,
    /// The person has one that is open, or used by a device that may still read.
    There(InvitationId),
}

impl Replica {
    /// That this device could grant this role in these regions.
    ///
    /// # Errors
    /// What of it it could not.
    pub fn check_invitable(&self, role: Role, regions: &[Region]) -> Result<(), InvitationError> {
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let may = |regions: &[Region]| trust.grant_to_rest_on(&self.device(), role, regions).is_some();
        if may(&tidy(regions)) {
            return Ok(());
        }
        if !may(&[]) {
            return Err(InvitationError::Role { role });
        }
        let outside = regions.iter().find(|region| !may(&[**region]));
        Err(outside.map_or(InvitationError::Apart, |region| InvitationError::Outside { region: *region }))
    }

    /// The invitation that a person has and that stands in the way of another one.
    ///
    /// # Errors
    /// If the store fails.
    pub fn invitation_in_use(
        &self,
        now: Moment,
        officer: &Officer,
    ) -> Result<Option<InvitationId>, InvitationError> {
        let latest = self.store.invitation_of(&tidied(officer).person()).map_err(ReplicaError::from)?;
        let Some(id) = latest else { return Ok(None) };
        let Some(held) = self.invitation(&id)? else { return Ok(None) };
        let trust = self.trust.as_ref();
        let in_use = match (&held.fate, held.state(now.wall_ms)) {
            (Fate::Used { device, .. }, _) => trust.is_some_and(|trust| goes_on(trust, device)),
            (_, state) => state == InvitationState::Open,
        };
        Ok(in_use.then_some(id))
    }

    /// Invites a person, once.
    ///
    /// # Errors
    /// If this device could not grant what the invitation says.
    pub fn invite(&mut self, now: Moment, new: NewInvitation) -> Result<Invited, InvitationError> {
        self.check_invitable(new.officer.role, &new.officer.regions)?;
        if let Some(id) = self.invitation_in_use(now, &new.officer)? {
            return Ok(Invited::There(id));
        }
        let NewInvitation { id, proof_key, officer, expires_ms } = new;
        let (officer, made_ms) = (tidied(&officer), now.wall_ms);
        self.keep_invitation(&id, &Invitation { officer, proof_key, made_ms, expires_ms, fate: Fate::Open })?;
        Ok(Invited::Made)
    }

    /// All invitations, by id.
    ///
    /// # Errors
    /// If the store fails.
    pub fn invitations(&self) -> Result<Vec<(InvitationId, Invitation)>, InvitationError> {
        let held = self.store.invitations().map_err(ReplicaError::from)?;
        held.into_iter().map(|(id, bytes)| Ok((id, recalled(id, &bytes)?))).collect()
    }

    /// Takes an invitation back that nobody has used.
    ///
    /// # Errors
    /// If there is none, or a device has used it.
    pub fn withdraw(&mut self, now: Moment, id: &InvitationId) -> Result<Invitation, InvitationError> {
        let mut invitation = self.invitation(id)?.ok_or(InvitationError::Gone { id: *id })?;
        match invitation.fate {
            Fate::Used { device, .. } => {
                return Err(InvitationError::Used { name: invitation.officer.name, device });
            }
            Fate::Withdrawn { .. } => return Ok(invitation),
            Fate::Open => invitation.fate = Fate::Withdrawn { at_ms: now.wall_ms },
        }
        if !cfg!(planted = "withdrawal-unkept") {
            self.keep_invitation(id, &invitation)?;
        }
        Ok(invitation)
    }

    /// From where codes were guessed wrongly.
    pub fn guessers(&self, now: Moment) -> Vec<Guesser> {
        self.tries.guessers(now.steady_ms)
    }

    /// Answers a device that wants to be enrolled. The answer may go out after the next commit.
    ///
    /// # Errors
    /// If the store fails.
    pub fn enrol(
        &mut self,
        now: Moment,
        from: IpAddr,
        session: &Session,
        ask: &EnrolAsk,
    ) -> Result<EnrolAnswer, InvitationError> {
        let held = self.invitation(&ask.invitation)?;
        let (invitation, grant) = match judge(&mut self.tries, now, from, session, ask, held) {
            Judgement::Refuse(answer) => return Ok(answer),
            Judgement::Again(invitation, grant) => (invitation, grant),
            Judgement::Grant(invitation) if ask.survey.is_some_and(|other| self.survey() != Some(other)) => {
                return Ok(refused(&invitation.proof_key, session, EnrolRefusal::OtherSurvey));
            }
            Judgement::Grant(mut invitation) => {
                if let Some((device, grant)) = self.used_before(&invitation)? {
                    invitation.fate = Fate::Used { device, grant, at_ms: now.wall_ms };
                    self.keep_invitation(&ask.invitation, &invitation)?;
                    return self.enrol(now, from, session, ask);
                }
                if self.would_replace(&invitation, &session.device) {
                    return Ok(refused(&invitation.proof_key, session, EnrolRefusal::HasOther));
                }
                let Some(grant) = self.grant_invited(&invitation, session.device)? else {
                    return Ok(refused(&invitation.proof_key, session, EnrolRefusal::NotGranted));
                };
                invitation.fate = Fate::Used { device: session.device, grant, at_ms: now.wall_ms };
                self.keep_invitation(&ask.invitation, &invitation)?;
                (invitation, grant)
            }
        };
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let (survey, path) = (*trust.survey(), trust.grant_path(&grant));
        let mut statements = Vec::new();
        for id in std::iter::once(StatementId::from_bytes(*survey.as_bytes())).chain(path) {
            statements.extend(self.store.statement(&id).map_err(ReplicaError::from)?);
        }
        Ok(granted(&invitation.proof_key, session, survey, statements))
    }

    /// Takes part in the survey into which a relay has enrolled this device, under the grant that came.
    ///
    /// # Errors
    /// If this device is in another survey, or what came grants it nothing.
    pub fn take_enrolment(
        &mut self,
        relay: &DeviceKey,
        enrolled: &Enrolled,
    ) -> Result<GrantView, InvitationError> {
        if let Some(survey) = self.survey().filter(|held| *held != enrolled.survey) {
            return Err(ActionError::InSurvey { survey }.into());
        }
        let read = enrolled.statements.iter().map(|bytes| Statement::from_bytes(bytes));
        let statements = read.collect::<Result<Vec<_>, _>>();
        let statements = statements.map_err(|error| InvitationError::Path(error.to_string()))?;
        let view = self.view_of(enrolled, &statements)?;
        self.join(enrolled.survey)?;
        for statement in statements {
            self.take_claim(statement, Some(relay))?;
        }
        self.statements_changed()?;
        Ok(view)
    }

    /// What these statements grant to this device, by themselves.
    fn view_of(&self, enrolled: &Enrolled, statements: &[Statement]) -> Result<GrantView, InvitationError> {
        let path = |fault: &str| InvitationError::Path(fault.into());
        let (charter, grants) = statements.split_first().ok_or_else(|| path("it is empty"))?;
        let mut trust = Trust::found(charter).map_err(|error| path(&error.to_string()))?;
        if *trust.survey() != enrolled.survey {
            return Err(path("its charter is another survey's"));
        }
        for grant in grants {
            let leads = matches!(grant.said, Said::Grant(_) | Said::RootSuccession(_));
            if !leads || !matches!(trust.judge_statement(grant), StatementVerdict::Admit(_)) {
                return Err(path("one of its grants does not hold"));
            }
        }
        let views = trust.grants_of(&self.device());
        let in_force = views.into_iter().find(|view| !view.in_force.is_empty());
        in_force.ok_or_else(|| path("it grants this device nothing"))
    }

    /// Who has what an open invitation says, by a grant of this device that no other invitation led to: this store
    /// was put back from a backup, and the grant has come back since.
    fn used_before(
        &self,
        invitation: &Invitation,
    ) -> Result<Option<(DeviceKey, StatementId)>, InvitationError> {
        let Some(trust) = &self.trust else { return Ok(None) };
        let Officer { name, role, regions, .. } = &invitation.officer;
        let says = |grant: &Grant| (&grant.name, grant.role, &grant.regions) == (name, *role, regions);
        let own = trust.granted_by(self.device()).filter(|(_, grant)| says(grant));
        let mut there = own.filter(|(_, grant)| goes_on(trust, &grant.subject)).peekable();
        if there.peek().is_none() {
            return Ok(None);
        }
        let fates = self.invitations()?.into_iter().map(|(_, invitation)| invitation.fate);
        let led_to = |fate| match fate {
            Fate::Used { grant, .. } => Some(grant),
            Fate::Open | Fate::Withdrawn { .. } => None,
        };
        let led_to: BTreeSet<StatementId> = fates.filter_map(led_to).collect();
        Ok(there.find(|(id, _)| !led_to.contains(*id)).map(|(id, grant)| (grant.subject, *id)))
    }

    /// Whether the device has something by a grant of this one that the invitation's would take from it: somebody
    /// else's card was typed on it, or a second one of its own officer.
    fn would_replace(&self, invitation: &Invitation, device: &DeviceKey) -> bool {
        let Officer { role, regions, .. } = &invitation.officer;
        let is_kept = |place: &Region| regions.iter().any(|region| region.covers(place));
        let views = self.trust.as_ref().map(|trust| trust.grants_of(device)).unwrap_or_default();
        let own = views.iter().filter(|view| view.issuer == self.device() && !view.in_force.is_empty());
        { own }.any(|view| view.role != *role || !view.in_force.iter().all(is_kept))
    }

    /// Grants what an invitation says; nothing if this device may not any more.
    fn grant_invited(
        &mut self,
        invitation: &Invitation,
        subject: DeviceKey,
    ) -> Result<Option<StatementId>, InvitationError> {
        let Officer { role, regions, name, .. } = invitation.officer.clone();
        match self.check_invitable(role, &regions) {
            Ok(()) => {}
            Err(error @ InvitationError::Action(ActionError::Replica(_))) => return Err(error),
            Err(_) => return Ok(None),
        }
        match self.grant(None, NewGrant { subject, role, regions, name }) {
            Ok(granted) => Ok(Some(granted.id)),
            Err(ActionError::StaysOut { .. } | ActionError::Followed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn invitation(&self, id: &InvitationId) -> Result<Option<Invitation>, InvitationError> {
        let held = self.store.invitation(id).map_err(ReplicaError::from)?;
        held.map(|bytes| recalled(*id, &bytes)).transpose()
    }

    fn keep_invitation(&mut self, id: &InvitationId, invitation: &Invitation) -> Result<(), InvitationError> {
        let kept = self.store.put_invitation(id, &invitation.officer.person(), &invitation.to_bytes());
        Ok(kept.map_err(ReplicaError::from)?)
    }
}

/// Whether a device, or whichever key follows it by now, has any place.
fn goes_on(trust: &Trust, device: &DeviceKey) -> bool {
    trust.newest_of(device).iter().any(|key| !trust.reads(key).is_empty())
}

fn tidied(officer: &Officer) -> Officer {
    Officer { regions: tidy(&officer.regions), ..officer.clone() }
}

fn recalled(id: InvitationId, bytes: &[u8]) -> Result<Invitation, InvitationError> {
    Invitation::from_bytes(bytes).map_err(|_| InvitationError::Damaged { id })
}

/// Why nothing came of an invitation.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    /// A role that this device may grant to nobody.
    #[error("this device may not grant the role {role}; it can invite the tiers below its own")]
    Role {
        /// The role.
        role: Role,
    },
    /// A region outside what this device may grant.
    #[error("{region} is outside the regions in which this device may grant that role")]
    Outside {
        /// The region.
        region: Region,
    },
    /// Regions that no one grant of this device covers.
    #[error("no single grant of this device covers all of these regions; invite to them one by one")]
    Apart,
    /// No such invitation.
    #[error("there is no invitation {id}; rukun officers lists those that there are")]
    Gone {
        /// Which.
        id: InvitationId,
    },
    /// Too late to take it back.
    #[error(
        "{name} has used this invitation already; it is done with, and device {device} keeps what it was granted"
    )]
    Used {
        /// Whom it invited.
        name: String,
        /// Who used it.
        device: DeviceKey,
    },
    /// A row that opens and is no invitation.
    #[error("invitation {id} in the store is damaged; restore the store from a backup")]
    Damaged {
        /// Which.
        id: InvitationId,
    },
    /// What a relay sent to the device that it enrolled.
    #[error("the grant path that came can't be used: {0}; ask the office for another code")]
    Path(String),
    /// What every action may come to.
    #[error(transparent)]
    Action(#[from] ActionError),
}

impl From<ReplicaError> for InvitationError {
    fn from(error: ReplicaError) -> Self {
        Self::Action(error.into())
    }
}
