//! The words by which one root key follows another, and which of a root's words count after that.

use std::collections::BTreeSet;

use rukun_change::{DeviceKey, StatementId, SurveyId};

use super::said::said_of;

const LIST_MAX: usize = 40_000;

/// The survey goes on under another root key, as its issuer signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootWord {
    id: StatementId,
    parent: StatementId,
    issuer: DeviceKey,
    successor: DeviceKey,
    /// What of the old root's words counts; all, if it does not matter.
    kept: Option<BTreeSet<StatementId>>,
}

impl RootWord {
    /// The word in the bytes of a statement; nothing if they say something else.
    pub fn of(statement: &[u8], survey: &SurveyId) -> Option<Self> {
        let (id, _, issuer, mut said) = said_of(statement, survey, &[13])?;
        said.tuple(4).ok()?;
        let parent = StatementId::from_bytes(said.array_of().ok()?);
        let successor = DeviceKey::from_bytes(said.array_of().ok()?);
        said.array_of::<64>().ok()?;
        let count = said.array(LIST_MAX).ok()?;
        let kept: Option<BTreeSet<StatementId>> =
            (0..count).map(|_| Some(StatementId::from_bytes(said.array_of().ok()?))).collect();
        Some(Self { id, parent, issuer, successor, kept: Some(kept?) })
    }

    /// The same, if all that the old root ever says were kept: for who asks what somebody may have believed.
    pub fn keeping_all(self) -> Self {
        Self { kept: None, ..self }
    }
}

/// The keys that were root, and the words by which each followed the one before.
#[derive(Clone, Debug)]
pub(super) struct Roots {
    charter: StatementId,
    first: DeviceKey,
    words: Vec<RootWord>,
}

impl Roots {
    pub(super) fn new(survey: &SurveyId, first: DeviceKey) -> Self {
        Self { charter: StatementId::from_bytes(*survey.as_bytes()), first, words: Vec::new() }
    }

    pub(super) fn first(&self) -> DeviceKey {
        self.first
    }

    pub(super) fn follow(&mut self, word: RootWord) {
        if !self.words.contains(&word) {
            self.words.push(word);
        }
    }

    /// The key that rests its words on this as root: the first on the charter, each other on the word that made
    /// it root.
    pub(super) fn seated(&self, parent: &StatementId) -> Option<DeviceKey> {
        if *parent == self.charter {
            return Some(self.first);
        }
        let word = self.words.iter().find(|word| word.id == *parent)?;
        (self.seated(&word.parent) == Some(word.issuer)).then_some(word.successor)
    }

    /// Whether what was said from this seat counts: nobody follows it there, or one who does keeps it.
    pub(super) fn counts(&self, seat: &StatementId, id: &StatementId) -> bool {
        let follows =
            |word: &&RootWord| word.parent == *seat && self.seated(&word.parent) == Some(word.issuer);
        let mut by = self.words.iter().filter(follows).peekable();
        by.peek().is_none() || by.any(|word| word.kept.as_ref().is_none_or(|kept| kept.contains(id)))
    }
}
