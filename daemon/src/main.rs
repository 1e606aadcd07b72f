//! The program `rukun`.

use std::process::ExitCode;

use clap::Parser;
use rukun::args::Cli;

fn main() -> ExitCode {
    rukun::commands::carry_out(Cli::parse())
}
