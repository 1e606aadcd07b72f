//! Standing: what the office may rely on. Admission is final; standing is a pure function of the
//! change and of what else is held, computed again as statements arrive.

use std::fmt;

use crate::gate::AdmittedChange;
use crate::trust::Trust;

/// Whether a change counts in reading. Set-aside work stays in the set and in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It counts.
    Good,
    /// It is kept, shown and synced, but not read.
    SetAside(Reason),
}

impl Standing {
    /// The stricter of two judgements: a reason once found stays, the first by [`Reason`]'s order.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Good, other) => other,
            (aside, Self::Good) => aside,
            (Self::SetAside(one), Self::SetAside(two)) => Self::SetAside(one.min(two)),
        }
    }

    /// Whether it counts.
    pub fn is_good(self) -> bool {
        self == Self::Good
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.pad("good"),
            Self::SetAside(reason) => f.pad(&format!("set aside: {reason}")),
        }
    }
}

impl Trust {
    /// The standing of a change as far as statements and numbers tell. `same_number` counts the
    /// changes held that carry its author's number, itself included.
    pub fn standing(&self, change: &AdmittedChange, same_number: usize) -> Standing {
        let made = change.change();
        let wrote = self.ever_wrote(&made.author.device, &made.record.home(), made.ink);
        if !wrote && !cfg!(planted = "ink-unchecked") {
            Standing::SetAside(Reason::Ink)
        } else if same_number > 1 {
            Standing::SetAside(Reason::Fork)
        } else {
            Standing::Good
        }
    }
}

/// Why a change is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// None of the author's roles there may write this ink.
    Ink,
    /// The device is revoked and the change is not among those kept.
    Revoked,
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
            Self::Fork => "its device used one number twice",
            Self::Sequence => "it does not follow its author's previous change",
            Self::Dangling => "it writes to a member that nobody made",
        })
    }
}
