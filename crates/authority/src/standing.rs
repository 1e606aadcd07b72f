//! Standing: what the office may rely on. Admission is final; standing is a pure function of the
//! change and of what else is held, computed again as statements arrive.

use std::fmt;

use rukun_change::{DeviceKey, StatementId};

use crate::effects::may_decide;
use crate::gate::AdmittedChange;
use crate::grants::Footing;
use crate::losses::Numbered;
use crate::places::cover;
use crate::role::Role;
use crate::stub::AdmittedHeader;
use crate::trust::Trust;

/// Whether a change counts in reading. Set-aside work stays in the set and in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It counts.
    Good,
    /// It counts because someone above its author said so, whatever speaks against it.
    Upheld,
    /// It is kept, shown and synced, but not read.
    SetAside(Reason),
}

impl Standing {
    /// The stricter of two judgements: a reason once found stays, the first by [`Reason`]'s order. What
    /// was upheld stays so, but for what can't be read at all.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Upheld, Self::SetAside(Reason::Dangling)) => other,
            (Self::Upheld, _) => self,
            (Self::Good, other) => other,
            (aside, Self::Good | Self::Upheld) => aside,
            (Self::SetAside(one), Self::SetAside(two)) => Self::SetAside(one.min(two)),
        }
    }

    /// Whether it counts.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Upheld)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.pad("good"),
            Self::Upheld => f.pad("upheld"),
            Self::SetAside(reason) => f.pad(&format!("set aside: {reason}")),
        }
    }
}

impl Trust {
    /// The standing of a change as far as statements and numbers tell. `same_number` are the changes
    /// held that carry its author's number, whether or not it is among them.
    pub fn standing(&self, change: &AdmittedChange, same_number: &[AdmittedHeader]) -> Standing {
        let this = numbered(change);
        match self.decided(&this) {
            Some(true) => return Standing::Upheld,
            Some(false) => return Standing::SetAside(Reason::Dismissed),
            None => {}
        }
        let alone = self.standing_alone(&this);
        if !alone.is_good() {
            return alone;
        }
        // What a thief wrote under an honest number, and nobody kept, makes no fork of honest work.
        let left_out = |branch: &Numbered| {
            self.standing_alone(branch) == Standing::SetAside(Reason::Revoked)
                || self.effects().outweighs(self.grants_held(), self.losses(), &this, branch)
        };
        let counts = |branch: &Numbered| {
            self.decided(branch).unwrap_or_else(|| !left_out(branch)) || cfg!(planted = "fork-beats-kept")
        };
        let held = same_number.iter().map(|other| Numbered::of_header(other.id(), other.header()));
        let proved = self.losses().proved(&this.author, this.n).copied();
        let proved = proved.filter(|_| !cfg!(planted = "fork-proof-ignored"));
        if held.chain(proved).any(|branch| branch.id != this.id && counts(&branch)) {
            Standing::SetAside(Reason::Fork)
        } else {
            Standing::Good
        }
    }

    /// The statement on which the device can rest its decision about a change: the seat for a root, else a grant in
    /// force there.
    pub fn grant_to_decide_on(
        &self,
        device: &DeviceKey,
        change: &AdmittedChange,
        upheld: bool,
    ) -> Option<StatementId> {
        let change = numbered(change);
        let decides = |footing: Footing<'_>| may_decide(self.grants_held(), footing, &change, upheld);
        if let Some(seat) = self.root_seat(device).filter(|_| decides(Footing::Root)) {
            return Some(seat);
        }
        let mut own = self.current_grants(device).filter(|(_, held)| {
            held.grant.role != Role::Enumerator && cover(&held.grant.regions, &change.home)
        });
        own.find(|(_, held)| decides(Footing::Grant(held))).map(|(id, _)| *id)
    }

    /// What was decided of a change: upheld, dismissed or nothing.
    fn decided(&self, change: &Numbered) -> Option<bool> {
        self.effects().decided(self.grants_held(), self.losses(), change)
    }

    /// The standing by the grants of its author alone.
    fn standing_alone(&self, change: &Numbered) -> Standing {
        let (grants, effects) = (self.grants_held(), self.effects());
        if !grants.ever_wrote(&change.author.device, &change.home, change.ink)
            && !cfg!(planted = "ink-unchecked")
        {
            Standing::SetAside(Reason::Ink)
        } else if effects.are_none(grants) || effects.covers(grants, self.losses(), change) {
            Standing::Good
        } else {
            Standing::SetAside(Reason::Revoked)
        }
    }
}

fn numbered(change: &AdmittedChange) -> Numbered {
    let made = change.change();
    Numbered { id: change.id(), author: made.author, n: made.n, home: made.record.home(), ink: made.ink }
}

/// Why a change is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// None of the author's roles there may write this ink.
    Ink,
    /// The device is revoked and the change is not among those kept.
    Revoked,
    /// Someone above its author decided against it.
    Dismissed,
    /// The device used one number, or one actor's sequence number in a document, twice.
    Fork,
    /// Its sequence number does not follow its own predecessor.
    Sequence,
    /// It writes into a member that no held change made.
    Dangling,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ink => "no role of its author writes this ink here",
            Self::Revoked => "its device is revoked",
            Self::Dismissed => "it was dismissed",
            Self::Fork => "its device used one number twice",
            Self::Sequence => "it does not follow its author's previous change",
            Self::Dangling => "it writes to a member that nobody made",
        })
    }
}
