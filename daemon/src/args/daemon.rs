//! What a node that runs is told on the command line.

use std::net::SocketAddr;

use clap::Args;

use crate::connection::KEEP_ALIVE_MAX;

/// The largest budget that there may be: a terabyte.
const BUDGET_MIB_MAX: u64 = 1 << 20;

/// What `daemon` takes.
#[derive(Debug, Args)]
pub struct Daemon {
    /// Where peers find this node (UDP, and TCP where that alone passes)
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:7811")]
    pub listen: SocketAddr,
    /// Where programs on this machine ask (HTTP, loopback only)
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub http: SocketAddr,
    /// A node to dial in this run, beside those of rukun peer
    #[arg(long, value_name = "HOST:PORT")]
    pub peer: Vec<String>,
    /// How often a link without news is kept up, in seconds. Each time wakes the device
    #[arg(long, value_name = "SECONDS", default_value_t = KEEP_ALIVE_MAX.as_secs(),
          value_parser = clap::value_parser!(u64).range(5..=KEEP_ALIVE_MAX.as_secs()))]
    pub keep_alive: u64,
    /// Do not look for peers on the local network, nor be found there
    #[arg(long)]
    pub no_lan: bool,
    /// What links may carry a day on a metered network, before they are made at need alone (see rukun network)
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=BUDGET_MIB_MAX))]
    pub budget_mib: Option<u64>,
}

impl Daemon {
    /// The budget in bytes, if there is one.
    pub fn budget_bytes(&self) -> Option<u64> {
        self.budget_mib.map(|mib| mib * 1024 * 1024)
    }
}
