//! The program `rukun`.

use std::process::ExitCode;

use clap::Parser;
use rukun::args::Cli;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() -> ExitCode {
    leave_no_core();
    take_all_open_files();
    rukun::commands::carry_out(Cli::parse())
}

/// What a process holds of keys and answers does not come to lie in a core file when it breaks off.
fn leave_no_core() {
    // Where that may not be set, what the system has set stays.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Each link and each program that asks is a file to the system. The usual limit is there for programs that know no
/// more than 1024; the one above it is the machine's.
fn take_all_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
