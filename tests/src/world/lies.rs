//! Lies, told to nodes.

/// A lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {}

impl Lie {
    /// All.
    pub const ALL: &'static [Self] = &[];
}

impl super::sim::World {
    /// A peer lies to a node.
    pub(super) fn lie(&mut self, _victim: usize, lie: Lie, _luck: u64) -> super::sim::Checked {
        match lie {}
    }
}
