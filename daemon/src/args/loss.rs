//! The verbs for a device that was lost or that lied.

use clap::{ArgGroup, Args, Subcommand};
use rukun_change::Region;

/// What can be done about a device that was lost or that lied.
#[derive(Debug, Subcommand)]
pub enum Loss {
    /// Take a lost or stolen device out: keep what it delivered, set the rest aside
    #[command(after_help = "\
Example:
  rukun revoke 'Siti Aminah' --reason 'phone lost on the way to Way Puji'

What this node holds of the device's work is kept. Whatever else it made or will make is set aside
wherever this word arrives, it may read nothing more, and what it granted since does not count. It
may still deliver: rukun set-aside lists what came, rukun uphold and rukun dismiss settle it.
A person's new phone is granted by rukun grant.")]
    Revoke {
        /// The device: its id, a unique beginning of it, or its owner's name
        #[arg(value_name = "DEVICE")]
        device: String,
        /// Why; every officer will read it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Sign with the root key, on the machine that has it and while no daemon runs there
        #[arg(long)]
        root: bool,
    },
    /// Work that is kept but does not count, and why
    #[command(after_help = "\
Example:
  rukun set-aside --region 1811010")]
    SetAside {
        /// Only in this region
        #[arg(long, value_name = "CODE")]
        region: Option<Region>,
    },
    /// Let set-aside work count
    #[command(after_help = "\
Example:
  rukun uphold 9c01 77d2
  rukun uphold --device 'Siti Aminah' --region 18110100050003

Only who stands above the author can settle it; the higher tier counts, and where two of one tier
disagree the work stays out.")]
    Uphold(Settled),
    /// Keep work from counting
    #[command(after_help = "\
Example:
  rukun dismiss 9c01
  rukun dismiss --device 'Siti Aminah'")]
    Dismiss(Settled),
    /// Which records a device held, for the report that a loss of personal data asks for
    #[command(after_help = "\
Example:
  rukun held 'Siti Aminah'
  rukun held 'Siti Aminah' --csv > hilang.csv")]
    Held {
        /// The device: its id, a unique beginning of it, or its owner's name
        #[arg(value_name = "DEVICE")]
        device: String,
        /// As CSV, a record a row
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
}

/// Which work is settled.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub struct Settled {
    /// Changes, each at least 4 digits of its id
    #[arg(value_name = "CHANGE", group = "which", conflicts_with = "device")]
    pub changes: Vec<String>,
    /// All that is set aside of this device
    #[arg(long, value_name = "DEVICE", group = "which")]
    pub device: Option<String>,
    /// With --device: only in this region
    #[arg(long, value_name = "CODE", requires = "device")]
    pub region: Option<Region>,
}
