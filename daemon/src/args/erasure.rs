//! The verbs for records that are to be forgotten.

use clap::Subcommand;
use rukun_change::Region;

/// What can be done about a record that is to be forgotten.
#[derive(Debug, Subcommand)]
pub enum Erasure {
    /// Forget a family's answers for ever, on every device that hears of it
    #[command(after_help = "\
Example:
  rukun erase 1811010005000300-3f2a --reason 'the family asked for it, letter 12/2026'

The district alone can do it, and nothing takes it back. Who wrote when and in which ink is left; what
they wrote is gone: its key is destroyed, each device makes its file anew, and what comes back from an
old backup is forgotten again.")]
    Erase {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD")]
        record: String,
        /// Why; every officer of the place will read it, so name no one
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Sign with the root key, on the machine that has it and while no daemon runs there
        #[arg(long)]
        root: bool,
    },
    /// Records that were erased, by whom and why
    #[command(after_help = "\
Example:
  rukun erased --region 1811010")]
    Erased {
        /// Only in this region
        #[arg(long, value_name = "CODE")]
        region: Option<Region>,
    },
}
