//! One who lies: the maker of lies, and its place in the survey.

use rukun_change::SubSls;

use super::liar::Liar;

/// A device with a grant and bad intent.
pub(super) struct Mallory {
    pub(super) liar: Liar,
    /// Charter and own grants.
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) home: SubSls,
    pub(super) far: SubSls,
}
