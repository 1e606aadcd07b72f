//! A plan that breaks a promise becomes a shorter one that still breaks it: steps are left out in ever
//! smaller pieces, as long as what is left fails.

use super::{Plan, Violation, run};

/// How many worlds a search may cost.
const TRIES_MAX: usize = 400;

/// The shortest plan found that still breaks a promise, and what it breaks.
pub fn shrink(plan: &Plan, violation: &Violation) -> (Plan, Violation) {
    let mut best = (plan.clone(), violation.clone());
    if run(plan, false).violation.is_none() {
        return best;
    }
    // Nothing after the step that failed can matter, unless it was the end that failed.
    best.0.steps.truncate(violation.step);
    if run(&best.0, false).violation.is_none() {
        best.0 = plan.clone();
    }
    let mut tries = TRIES_MAX;
    let mut piece = best.0.steps.len().div_ceil(2);
    while piece > 0 && tries > 0 {
        let mut at = 0;
        while at < best.0.steps.len() && tries > 0 {
            let mut shorter = best.0.clone();
            shorter.steps.drain(at..(at + piece).min(best.0.steps.len()));
            tries -= 1;
            match run(&shorter, false).violation {
                Some(violation) => best = (shorter, violation),
                None => at += piece,
            }
        }
        piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
    }
    best
}
