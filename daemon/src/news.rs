//! News of the node: an event becomes what those who listen get, in JSON.

use rukun_replica::Event;
use serde_json::{Value, json};

/// An event as those who listen get it.
pub(crate) fn told(event: &Event) -> Value {
    match event {
        Event::Changed { record, change } => {
            json!({ "event": "changed", "record": record.to_string(), "change": change.to_string() })
        }
        Event::Erased { record } => json!({ "event": "erased", "record": record.to_string() }),
        Event::Released { sub_sls, records } => {
            let records: Vec<String> = records.iter().map(ToString::to_string).collect();
            json!({ "event": "released", "sub_sls": sub_sls.to_string(), "records": records })
        }
        Event::Trusted { statement } => json!({ "event": "trusted", "statement": statement.to_string() }),
        Event::PeerUp { peer } => json!({ "event": "peer-up", "peer": peer.to_string() }),
        Event::PeerDown { peer, reason } => {
            json!({ "event": "peer-down", "peer": peer.to_string(), "reason": reason })
        }
        Event::InSync { peer } => json!({ "event": "in-sync", "peer": peer.to_string() }),
        Event::Proved { sub_sls, issuer } => {
            json!({ "event": "proved", "sub_sls": sub_sls.to_string(), "issuer": issuer.to_string() })
        }
        Event::Brought { sender, courier } => {
            json!({ "event": "brought", "sender": sender.to_string(), "courier": courier.to_string() })
        }
        Event::Parcel { digest } => json!({ "event": "parcel", "bundle": digest.to_string() }),
        Event::Waits { peer, change } => {
            json!({ "event": "waits", "peer": peer.to_string(), "change": change.to_string() })
        }
        Event::Refused { peer, reason } => {
            json!({ "event": "refused", "peer": peer.to_string(), "reason": reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use rukun_change::{ChangeId, DeviceKey};

    use super::*;

    #[test]
    fn a_change_that_waits_at_a_peer_is_told_to_listeners_as_waiting() {
        let (peer, change) = (DeviceKey::from_bytes([1; 32]), ChangeId::from_bytes([2; 32]));
        let told = told(&Event::Waits { peer, change });
        let json = json!({ "event": "waits", "peer": peer.to_string(), "change": change.to_string() });
        assert_eq!(told, json);
    }
}
