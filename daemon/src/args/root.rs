//! The verbs for the survey's root key, which is used seldom and kept apart.

use std::path::PathBuf;

use clap::Subcommand;

/// What can be done with the root key.
#[derive(Debug, Subcommand)]
pub enum Root {
    /// Write the root key as three shares, any two of which are the key
    #[command(after_help = "\
Example:
  rukun root split /media/usb

Move each share to a medium of its own, in another drawer, and remove root.key from the data folder. One
share alone is of no use to anybody.")]
    Split {
        /// Where to; no share may be there yet
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Make another key the root, and write it as three shares
    #[command(after_help = "\
Example:
  rukun root join /media/one/root-share-1 /media/two/root-share-3
  rukun root succeed /media/usb

For when a share may be in the wrong hands, or its keeper leaves. The present key signs that the new one
follows it, the new one consents, and all that the present key has said and this device has heard of is kept.
What it says from then on counts for nothing, here and wherever the word has arrived.")]
    Succeed {
        /// Where the shares of the new key go; no others may be there
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Make the root key of two shares, to use it
    #[command(after_help = "\
Example:
  rukun root join /media/one/root-share-1 /media/two/root-share-3

The key comes into the data folder as root.key. Remove it again when it has been used.")]
    Join {
        /// Two shares of one key
        #[arg(value_name = "SHARE", required = true, num_args = 2..)]
        shares: Vec<PathBuf>,
    },
}
