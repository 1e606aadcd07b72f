//! The district splits, merges and renames sub-SLS: its signed word goes to everyone, and where a sub-SLS is
//! retired by it, no new record is begun at this keyboard. Those that are there stay as they are, and what
//! others wrote there is taken as ever: nothing that is read follows from it.

use rukun_authority::{Drawn, Redrawing, RedrawingKind, RedrawingView, Said};
use rukun_change::{DeviceKey, StatementId, SubSls};

use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};

/// A redrawing, and what is left to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrawn {
    /// The word that says so.
    pub statement: StatementId,
    /// Whose word it is.
    pub issuer: DeviceKey,
    /// What it does.
    pub kind: RedrawingKind,
    /// The sub-SLS as they were.
    pub from: Vec<SubSls>,
    /// Those that there are from then on.
    pub to: Vec<Drawn>,
    /// Whether it counts: its issuer was not revoked, or it is kept.
    pub counts: bool,
    /// The sub-SLS that are retired by it, each with how many records held here still live in it.
    pub retired: Vec<(SubSls, u64)>,
}

impl Replica {
    /// Splits one sub-SLS into several, merges several into one, or renames one.
    ///
    /// # Errors
    /// If this device is no district in all of them, it is none of the three, or what it begins with is retired.
    pub fn redraw(&mut self, mut from: Vec<SubSls>, mut to: Vec<Drawn>) -> Result<Redrawn, ActionError> {
        from.sort_unstable();
        to.sort_unstable_by_key(|drawn| drawn.sub_sls);
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let (device, serial) = (self.device(), trust.next_redrawing_serial());
        let places: Vec<SubSls> = from.iter().copied().chain(to.iter().map(|drawn| drawn.sub_sls)).collect();
        let outside = places.iter().find(|home| trust.district_grant(&device, home).is_none());
        if let Some(home) = outside {
            return Err(ActionError::NotTheDistrict { home: *home });
        }
        let parent = trust.district_grant_over(&device, &places).ok_or(ActionError::SeveralDistricts)?;
        let said = Redrawing { parent, from, to, serial };
        said.check()?;
        for home in &said.from {
            self.is_in_use(home)?;
        }
        let statement = self.say(None, Said::Redrawing(said))?;
        let made = self.redrawings()?.into_iter().find(|redrawn| redrawn.statement == statement);
        made.ok_or_else(|| ActionError::Own("its redrawing is not held".into()))
    }

    /// The redrawings known, the latest last.
    ///
    /// # Errors
    /// If the store fails.
    pub fn redrawings(&mut self) -> Result<Vec<Redrawn>, ReplicaError> {
        let views = self.trust.as_ref().map(rukun_authority::Trust::redrawings).unwrap_or_default();
        views.into_iter().map(|view| self.redrawn(view)).collect()
    }

    fn redrawn(&mut self, view: RedrawingView) -> Result<Redrawn, ReplicaError> {
        let RedrawingView { id, issuer, said, counts, retired } = view;
        let mut left = Vec::with_capacity(retired.len());
        for home in retired {
            let lines = self.records(Some(&home.region()), None, usize::MAX)?;
            left.push((home, lines.iter().filter(|line| !line.gone).count() as u64));
        }
        let kind = said.kind().expect("a redrawing that is held is one of them");
        let Redrawing { from, to, .. } = said;
        Ok(Redrawn { statement: id, issuer, kind, from, to, counts, retired: left })
    }

    /// Whether records may begin in a sub-SLS: nothing was said of it, or it is drawn again.
    pub(crate) fn is_in_use(&self, home: &SubSls) -> Result<(), ActionError> {
        let into = self.trust.as_ref().and_then(|trust| trust.redrawn_into(home));
        into.map_or(Ok(()), |into| Err(ActionError::Retired { home: *home, into }))
    }
}
