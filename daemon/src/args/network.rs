//! The verb that tells a daemon of its network.

use clap::{Args, Subcommand, ValueEnum};

use crate::verbs::NetworkNews;

/// What is known of the network.
#[derive(Debug, Subcommand)]
pub enum NetworkVerb {
    /// What the daemon knows of the network; tell it
    #[command(after_help = "\
Example:
  rukun network
  rukun network --up yes --metered yes
  rukun network --battery-low no

Only what is named changes, and a daemon that starts anew knows nothing of it. --up yes makes it dial at
once, also where there was a network before; --up no, not at all. With a low battery, or on a metered network
whose day's budget is spent (rukun daemon --budget-mib), links are made when there is something to deliver, or
every 15 minutes, and end when all is said.")]
    Network(Told),
}

/// What is told of the network.
#[derive(Debug, Args)]
pub struct Told {
    /// Whether there is a network
    #[arg(long, value_name = "YES|NO")]
    up: Option<Word>,
    /// Whether what it carries is paid for
    #[arg(long, value_name = "YES|NO")]
    metered: Option<Word>,
    /// Whether the battery is to be spared
    #[arg(long, value_name = "YES|NO")]
    battery_low: Option<Word>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Word {
    Yes,
    No,
}

impl Told {
    /// The same for the daemon.
    pub fn news(&self) -> NetworkNews {
        let told = |word: Option<Word>| word.map(|word| word == Word::Yes);
        NetworkNews { up: told(self.up), metered: told(self.metered), battery_low: told(self.battery_low) }
    }
}
