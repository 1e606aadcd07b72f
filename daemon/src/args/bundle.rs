//! The verbs for work that is carried in a file.

use std::path::PathBuf;

use clap::Subcommand;

/// What can be done with a bundle.
#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Write what a device is not known to hold into a file that only it can open
    #[command(after_help = "\
Example:
  rukun bundle export --for district /media/usb/budi.bundle

Anybody may carry the file, by hand, by mail or on another phone: who has no right to it can't open it, nor
change it unnoticed. What is in it counts as delivered once a receipt comes back, by a link or by a bundle from
there. A file that is lost costs nothing: write it again.")]
    Export {
        /// For whom: a device's id, a unique beginning of it, its owner's name, or district
        #[arg(long = "for", value_name = "DEVICE|district")]
        recipient: String,
        /// The file to make
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Take in a bundle that is for this device
    #[command(after_help = "\
Example:
  rukun bundle import /media/usb/budi.bundle

A bundle may be taken in twice, late, or in part known already: nothing is lost or doubled by it. To show its
sender that it has come, write one back: rukun bundle export --for NAME FILE")]
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}
