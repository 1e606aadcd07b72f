//! What stands between libFuzzer and a target: a panic that the product catches is no finding, one
//! that reaches us is.

// The targets themselves, which the package of tests has too: it alone would bring in much more.
#[path = "../../src"]
pub mod tests {
    pub mod fuzz;
}

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a target. libFuzzer's own hook aborts at any panic, and the product catches those of
/// Automerge; so ours only notes what was said, and it is shown if the panic comes through.
pub fn watch(target: &str, data: &[u8]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        set_hook(Box::new(|panic| LAST.with_borrow_mut(|last| *last = panic.to_string())));
    });
    let run = tests::fuzz::target(target).run;
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(data))) {
        eprintln!("{}", LAST.take());
        resume_unwind(panic);
    }
}
