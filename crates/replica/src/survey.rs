//! How a survey begins and who takes part: founding, joining, granting. Statements are signed here
//! and go through the same gate as a stranger's.

use rukun_authority::{Charter, Grant, GrantView, Keypair, Role, Said, Statement, StatementVerdict, Trust};
use rukun_change::{DeviceKey, Digest, Incarnation, Region, SurveyId};
use rukun_document::Questionnaire;

use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};

/// What is to be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// To which device.
    pub subject: DeviceKey,
    /// In which role.
    pub role: Role,
    /// Where.
    pub regions: Vec<Region>,
    /// Whose device it is.
    pub name: String,
}

impl Replica {
    /// Founds a survey under the root key, and grants this device the district.
    ///
    /// # Errors
    /// If this device is in a survey already, or the questionnaire does not parse.
    pub fn found(
        &mut self,
        root: &Keypair,
        charter: Charter,
        questionnaire: &[u8],
        office: NewGrant,
    ) -> Result<SurveyId, ActionError> {
        if let Some(survey) = self.survey() {
            return Err(ActionError::InSurvey { survey });
        }
        Questionnaire::parse(questionnaire).map_err(|error| ActionError::Questionnaire(error.to_string()))?;
        let digest = Digest::of(questionnaire);
        assert_eq!(charter.questionnaire, digest, "a charter names the questionnaire it is founded with");
        // The root signs seldom and keeps no count: each signature has an incarnation of its own.
        let incarnation = Incarnation::from_bytes(self.random());
        let charter = Statement::sign(root, incarnation, 1, None, Said::Charter(charter));
        let trust = Trust::found(&charter).map_err(|error| ActionError::Charter(error.to_string()))?;
        let survey = *trust.survey();
        let incarnation = Incarnation::from_bytes(self.random());
        let grant = signed_grant(&trust, root, incarnation, 1, office)?;
        self.store.set_survey(&survey).map_err(ReplicaError::from)?;
        let total = questionnaire.len() as u64;
        self.store.put_blob(&digest, 0, total, questionnaire).map_err(ReplicaError::from)?;
        self.take_claim(charter, None)?;
        self.take_claim(grant, None)?;
        self.load_questionnaire()?;
        Ok(survey)
    }

    /// Takes part in a survey. Everything else comes from the first peer and is checked against
    /// this id.
    ///
    /// # Errors
    /// If this device is in another survey already.
    pub fn join(&mut self, survey: SurveyId) -> Result<(), ActionError> {
        match self.survey() {
            Some(held) if held == survey => Ok(()),
            Some(held) => Err(ActionError::InSurvey { survey: held }),
            None => Ok(self.store.set_survey(&survey).map_err(ReplicaError::from)?),
        }
    }

    /// Grants a role, under the root key or as this device.
    ///
    /// # Errors
    /// If it names no region, or the issuer holds no grant in force that this one could rest on.
    pub fn grant(&mut self, root: Option<&Keypair>, new: NewGrant) -> Result<GrantView, ActionError> {
        if new.regions.is_empty() {
            return Err(ActionError::NoRegion);
        }
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let (survey, subject) = (*trust.survey(), new.subject);
        let (incarnation, n) = match root {
            Some(_) => (Incarnation::from_bytes(self.random()), 1),
            None => (self.store.incarnation(), self.store.last_n() + 1),
        };
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let statement = signed_grant(trust, root.unwrap_or(&self.keypair), incarnation, n, new)?;
        if root.is_none() {
            // Only now: a number that nothing carries would be missed above.
            self.store.next_n().map_err(ReplicaError::from)?;
        }
        let id = statement.id(Some(&survey));
        self.take_claim(statement, None)?;
        self.statements_changed()?;
        let views = self.trust.as_ref().map(|trust| trust.grants_of(&subject)).unwrap_or_default();
        views.into_iter().find(|view| view.id == id).ok_or(ActionError::NoCharter)
    }
}

/// A grant that this trust admits, signed.
fn signed_grant(
    trust: &Trust,
    issuer: &Keypair,
    incarnation: Incarnation,
    n: u64,
    new: NewGrant,
) -> Result<Statement, ActionError> {
    let regions = tidy(&new.regions);
    let parent = trust.grant_to_rest_on(&issuer.key(), new.role, &regions);
    let parent = parent.ok_or_else(|| ActionError::MayNotGrant {
        role: new.role,
        regions: regions.iter().map(Region::to_string).collect::<Vec<_>>().join(", "),
    })?;
    let serial = trust.next_serial_on(&parent, &new.subject);
    let NewGrant { subject, role, name, .. } = new;
    let said = Said::Grant(Grant { parent, subject, role, regions: regions.clone(), serial, name });
    let statement = Statement::sign(issuer, incarnation, n, Some(trust.survey()), said);
    let mut after = trust.clone();
    admitted(&mut after, &statement)?;
    given(&after, &subject, &regions)?;
    Ok(statement)
}

/// Takes in a grant that is about to be made, or says why others would not.
pub(crate) fn admitted(trust: &mut Trust, statement: &Statement) -> Result<(), ActionError> {
    match trust.judge_statement(statement) {
        StatementVerdict::Admit(_) => Ok(()),
        StatementVerdict::Refuse(refusal) => Err(ActionError::Grant(refusal.to_string())),
        StatementVerdict::Wait(_) => Err(ActionError::Grant("what it rests on is not held here".into())),
    }
}

/// Checks that by this trust the device has these regions: what is granted to a key that was revoked, or that
/// another key follows, gives nobody anything.
pub(crate) fn given(after: &Trust, device: &DeviceKey, regions: &[Region]) -> Result<(), ActionError> {
    let reads = after.reads(device);
    if regions.iter().all(|region| reads.iter().any(|read| read.covers(region))) {
        return Ok(());
    }
    let newest = after.newest_of(device);
    let followed = newest.iter().any(|key| key != device);
    Err(if followed {
        let newest = newest.iter().map(DeviceKey::to_string).collect::<Vec<_>>().join(" or ");
        ActionError::Followed { device: *device, newest }
    } else {
        ActionError::StaysOut { device: *device }
    })
}

/// Ascending, none inside another: the one spelling of a set of places.
pub(crate) fn tidy(regions: &[Region]) -> Vec<Region> {
    let mut regions = regions.to_vec();
    regions.sort_unstable();
    regions.dedup_by(|inner, outer| outer.covers(inner));
    regions
}
