//! Enrols a district's officers by code against one relay, and prints how long that took:
//! `cargo run --release -p rukun-tests --bin enrol`. It ends with a failure if any device was enrolled
//! twice, or by a wrong code.

use std::io::Write as _;

use clap::Parser;

#[derive(Parser)]
struct Args {
    /// How many officers.
    #[arg(long, default_value_t = 400)]
    officers: usize,
    /// How many of them ask at a time.
    #[arg(long, default_value_t = 16)]
    at_once: usize,
}

fn main() -> anyhow::Result<()> {
    let Args { officers, at_once } = Args::parse();
    let outcome = rukun_tests::enrol::run(officers, at_once)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(&outcome)?)?;
    Ok(())
}
