//! What one connection carries, counted in the network that it goes over as it comes and goes.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::connection::{Connection, Traffic};
use crate::network::Network;

#[derive(Debug)]
pub(super) struct Counting {
    connection: Connection,
    network: Network,
    /// What of it is counted already.
    counted: AtomicU64,
}

impl Counting {
    pub(super) fn new(connection: Connection, network: Network) -> Self {
        Self { connection, network, counted: AtomicU64::new(0) }
    }

    /// Counts what it carried since it was last counted. Each time something came or went, and at the end: what keeps
    /// it alive meanwhile wakes nobody.
    pub(super) fn count(&self) {
        let Traffic { sent_bytes, received_bytes } = self.connection.traffic();
        let carried = sent_bytes + received_bytes;
        let before = self.counted.fetch_max(carried, Ordering::Relaxed);
        if carried > before {
            self.network.count(carried - before);
        }
    }
}
