//! The clocks of this machine become a [`Moment`]. Everything below the daemon gets time as an
//! argument; this is where it comes from.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rukun_change::Moment;

/// Now. The steady part counts from the first call in this process.
pub fn now() -> Moment {
    static START: OnceLock<Instant> = OnceLock::new();
    Moment { wall_ms: wall_ms(), steady_ms: START.get_or_init(Instant::now).elapsed().as_millis() as u64 }
}

/// Milliseconds since 1970, negative before: a device whose clock is that wrong still works.
fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    }
}
