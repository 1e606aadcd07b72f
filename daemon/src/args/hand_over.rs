//! The verbs that say who works where, by which work goes to another device, and a family to another place.

use clap::Subcommand;
use rukun_change::{Region, SubSls};

/// How work goes to another device.
#[derive(Debug, Subcommand)]
pub enum HandOver {
    /// Hand over a region from one device to another
    #[command(after_help = "\
Example:
  rukun assign --region 18110100050003 --from 'Siti Aminah' --to 'Budi Santoso'

Run it where the region was granted to the first one. The second gets it beside its other regions, in
the role of the first, and receives what was delivered there. What the first has not delivered yet is
still taken when it arrives, as its own. A larger region hands over all that the first holds in it.")]
    Assign {
        /// A region code of 2, 4, 7, 10, 14 or 16 digits
        #[arg(long, value_name = "CODE")]
        region: Region,
        /// Who gives: a device's id, a unique beginning of it, or its owner's name
        #[arg(long, value_name = "DEVICE")]
        from: String,
        /// Who takes: a device's id, a unique beginning of it, or its owner's name
        #[arg(long, value_name = "DEVICE")]
        to: String,
    },
    /// Who may act where, with whole ids
    #[command(after_help = "\
Example:
  rukun grants
  rukun grants --region 18110100050003

Also whoever has a part of the region, or more than it.")]
    Grants {
        /// Only in this region
        #[arg(long, value_name = "CODE")]
        region: Option<Region>,
    },
    /// Move a family's record to another sub-SLS
    #[command(after_help = "\
Example:
  rukun transfer 1811010005000300-3f2a --to 1811010005000400

The district alone can do it. What is read in the record is written into a new one there, in printed
ink, for whoever works there; the old one is marked gone, and its history stays where it is. rukun log
follows a family from the new record to the old one.")]
    Transfer {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD")]
        record: String,
        /// Where the family lives: all 16 digits
        #[arg(long, value_name = "SUB-SLS")]
        to: SubSls,
    },
    /// Records that left this device when their place was handed over, since the district has them
    #[command(after_help = "\
Example:
  rukun released

What is not proved to be at the district stays on this device, and rukun record list marks it as leaving.")]
    Released,
}
