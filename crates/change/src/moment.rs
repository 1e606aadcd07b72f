//! Time, as an argument. Nothing below the daemon reads a clock.

/// A point in time, told by the daemon or the simulator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970 by the device's clock. For showing only: it may be years wrong.
    pub wall_ms: i64,
    /// Milliseconds of a clock that never jumps. For deadlines.
    pub steady_ms: u64,
}
