//! Which sub-SLS there are, after all that was said of them. About each the latest word that counts and
//! names it decides: it is in use if that word draws it, and retired if not. A word that retires a sub-SLS
//! leads to those that it draws, and whatever retired one of these is later still; so whoever follows the
//! words comes to places in use, whatever anybody signed.

use std::collections::BTreeSet;

use rukun_change::{DeviceKey, StatementId, SubSls};

use super::Trust;
use crate::losses::By;
use crate::said::Redrawing;

/// A redrawing as people look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedrawingView {
    /// The statement.
    pub id: StatementId,
    /// Who redrew.
    pub issuer: DeviceKey,
    /// What it says.
    pub said: Redrawing,
    /// Whether it counts: its issuer was not revoked, or it is kept.
    pub counts: bool,
    /// The sub-SLS that are retired by it, ascending.
    pub retired: Vec<SubSls>,
}

impl Trust {
    /// The redrawings held, the latest last.
    pub fn redrawings(&self) -> Vec<RedrawingView> {
        let view = |(id, by): (&StatementId, &By<Redrawing>)| {
            let decides = |home: &&SubSls| self.retired_by(home).is_some_and(|(last, _)| last == id);
            let retired = by.said.from.iter().filter(decides).copied().collect();
            let (said, counts) = (by.said.clone(), self.redraws(id, by));
            RedrawingView { id: *id, issuer: by.issuer, said, counts, retired }
        };
        self.redrawings.iter().map(view).collect()
    }

    /// The sub-SLS in use that a retired one went to, ascending; nothing while it is in use itself.
    pub fn redrawn_into(&self, home: &SubSls) -> Option<Vec<SubSls>> {
        self.retired_by(home)?;
        let (mut open, mut seen, mut into) = (vec![*home], BTreeSet::new(), BTreeSet::new());
        while let Some(place) = open.pop() {
            if !seen.insert(place) {
                continue;
            }
            match self.retired_by(&place) {
                Some((_, by)) => open.extend(by.said.to.iter().map(|drawn| drawn.sub_sls)),
                None => drop(into.insert(place)),
            }
        }
        Some(into.into_iter().collect())
    }

    /// What a sub-SLS is called: by the latest word that counts and names it so. Most have no name.
    pub fn place_name(&self, home: &SubSls) -> Option<&str> {
        let counting = self.redrawings.naming(home).filter(|(id, by)| self.redraws(id, by));
        let mut drawn = counting.filter_map(|(_, by)| by.said.draws(home));
        drawn.find(|drawn| !drawn.name.is_empty()).map(|drawn| drawn.name.as_str())
    }

    /// The serial with which a new redrawing comes after all that count.
    pub fn next_redrawing_serial(&self) -> u64 {
        let last = self.redrawings.iter().rev().find(|(id, by)| self.redraws(id, by));
        last.map_or(1, |(_, by)| by.said.serial.saturating_add(1))
    }

    /// The word by which a sub-SLS is retired.
    fn retired_by(&self, home: &SubSls) -> Option<(&StatementId, &By<Redrawing>)> {
        let latest = self.redrawings.naming(home).find(|(id, by)| self.redraws(id, by))?;
        latest.1.said.draws(home).is_none().then_some(latest)
    }

    fn redraws(&self, id: &StatementId, by: &By<Redrawing>) -> bool {
        self.effects().speaks(&self.grants, &self.losses, &by.said.parent, id)
    }
}

#[cfg(test)]
mod tests;
