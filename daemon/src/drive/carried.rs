//! What links have carried since the daemon started, beside what a status says of their devices. Of strangers, who have
//! no end, only the sum is kept.

use std::collections::BTreeMap;

use rukun_change::DeviceKey;
use serde_json::{Value, json};

use crate::connection::Traffic;
use crate::verbs::TrafficShape;

/// What links that have ended carried.
#[derive(Debug, Default)]
pub(super) struct Carried {
    by_device: BTreeMap<DeviceKey, Traffic>,
    by_strangers: Traffic,
}

impl Carried {
    /// A link has ended, with this device or with a stranger.
    pub(super) fn add(&mut self, device: Option<DeviceKey>, traffic: Traffic) {
        let carried = match device {
            Some(device) => self.by_device.entry(device).or_default(),
            None => &mut self.by_strangers,
        };
        *carried += traffic;
    }

    /// Says it in a status, with what the open links carry.
    pub(super) fn tell(&self, status: &mut Value, open: impl Iterator<Item = (DeviceKey, Traffic)>) {
        let mut by_device = self.by_device.clone();
        for (device, traffic) in open {
            *by_device.entry(device).or_default() += traffic;
        }
        let mut all = self.by_strangers;
        for carried in by_device.values() {
            all += *carried;
        }
        let peers = status.get_mut("peers").and_then(Value::as_array_mut);
        for peer in peers.into_iter().flatten() {
            let device = peer.get("device").and_then(Value::as_str).and_then(|text| text.parse().ok());
            let carried = device.and_then(|device: DeviceKey| by_device.get(&device)).copied();
            if let Some(peer) = peer.as_object_mut() {
                peer.insert("traffic".into(), shape(carried.unwrap_or_default()));
            }
        }
        if let Some(status) = status.as_object_mut() {
            status.insert("traffic".into(), shape(all));
        }
    }
}

fn shape(carried: Traffic) -> Value {
    json!(TrafficShape { bytes_sent: carried.sent_bytes, bytes_received: carried.received_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_without_end_take_no_room() {
        let traffic = Traffic { sent_bytes: 1, received_bytes: 2 };
        let mut carried = Carried::default();
        (0..1_000).for_each(|_| carried.add(None, traffic));
        let known = DeviceKey::from_bytes([1; 32]);
        carried.add(Some(known), traffic);
        assert_eq!(carried.by_device.len(), 1);
        let mut status = json!({ "peers": [{ "device": known.to_string() }] });
        carried.tell(&mut status, [(known, traffic)].into_iter());
        assert_eq!(status["traffic"], json!({ "bytes_sent": 1_002, "bytes_received": 2_004 }));
        assert_eq!(status["peers"][0]["traffic"]["bytes_sent"], 2);
    }
}
