//! Ctrl-C and its kin: the story breaks off as an error does, so that the daemons end with it and
//! no folder is left behind.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::verbs::VerbError;

/// Signals come to the process, so it is the process that is interrupted.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Listens for signals from now on, in a thread that ends with the process.
///
/// # Errors
/// If there can be no thread or no handler.
pub(super) fn watch() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [mut interrupt, mut terminate, mut hangup] = {
        let _within = runtime.enter();
        let [interrupt, terminate, hangup] = kinds.map(signal);
        [interrupt?, terminate?, hangup?]
    };
    let wait = async move {
        tokio::select! {
            _ = interrupt.recv() => {},
            _ = terminate.recv() => {},
            _ = hangup.recv() => {},
        }
        INTERRUPTED.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(wait)).map(drop)
}

/// Goes on unless a signal has come.
pub(super) fn check() -> Result<(), VerbError> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err(VerbError::new("interrupted", "")) } else { Ok(()) }
}

/// Whether a signal has come.
pub(super) fn has_come() -> bool {
    check().is_err()
}
