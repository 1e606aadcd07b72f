//! What the host app of a phone says of its network, and what is known of it then. A store knows nothing of it: only
//! a daemon that runs does, and answers.

use serde::{Deserialize, Serialize};

use super::error::VerbError;

/// What is told of the network: only what is named changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkNews {
    /// Whether there is one. That there is counts as news each time: another one may have come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<bool>,
    /// Whether what it carries is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metered: Option<bool>,
    /// Whether the device's battery is to be spared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_low: Option<bool>,
}

/// The answer to `network`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkShape {
    /// Whether there is one, as far as is known.
    pub up: bool,
    /// Whether what it carries is paid for.
    pub metered: bool,
    /// Whether the device's battery is to be spared.
    pub battery_low: bool,
    /// What follows: links are `kept`, or made `at-need` and ended again, or `off`.
    pub links: String,
    /// What links have carried today, both ways.
    pub bytes_today: u64,
    /// The day that this is, by UTC.
    pub day: String,
    /// What they may carry a day on a network that is paid for before links are made at need alone.
    pub budget_bytes: Option<u64>,
}

/// Nobody is there to be told.
pub fn no_daemon() -> VerbError {
    let error = VerbError::new("no daemon runs here, and only one that runs knows of the network", "");
    VerbError { remedy: "start it: rukun daemon".into(), ..error }.with_status(409)
}
