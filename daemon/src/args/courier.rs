//! The verbs of a courier, whose device carries others' bundles.

use std::path::PathBuf;

use clap::Subcommand;

/// What a courier does.
#[derive(Debug, Subcommand)]
pub enum Courier {
    /// Take along a bundle that is for another device
    #[command(after_help = "\
Example:
  rukun courier take /media/usb/budi.bundle

This device can neither read it nor change it. It gives it to that device as soon as both are linked, takes that
one's answer, and gives it to who made the bundle when they are linked again: so the receipt comes back.")]
    Take {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// What is carried, for whom, and what became of it
    #[command(after_help = "\
Example:
  rukun courier list
  rukun courier list --json")]
    List,
    /// Write a bundle that is carried into a file, for a device that this one has no link with
    #[command(after_help = "\
Example:
  rukun courier give 3f9a0c /media/usb/budi.bundle

There it is taken in with rukun bundle import. It stays on this device's list: rukun courier drop takes it off.")]
    Give {
        /// The bundle: a unique beginning of its id of at least 4 digits, as rukun courier list shows it
        #[arg(value_name = "BUNDLE")]
        bundle: String,
        /// The file to make
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Carry a bundle no longer
    #[command(after_help = "\
Example:
  rukun courier drop 3f9a0c

Nothing is lost by it: who made it has everything that is in it until a receipt is there, and can write it again.")]
    Drop {
        /// The bundle: a unique beginning of its id of at least 4 digits, as rukun courier list shows it
        #[arg(value_name = "BUNDLE")]
        bundle: String,
    },
}
