//! The program `rukun`.

use std::process::ExitCode;

use clap::Parser;
use rukun::args::Cli;
use rustix::process::{Resource, Rlimit, setrlimit};

fn main() -> ExitCode {
    leave_no_core();
    rukun::commands::carry_out(Cli::parse())
}

/// What a process holds of keys and answers does not come to lie in a core file when it breaks off.
fn leave_no_core() {
    // Where that may not be set, what the system has set stays.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}
