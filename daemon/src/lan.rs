//! Nodes of one survey on one local network become addresses to dial, without a relay and without being told of each
//! other, by multicast DNS (RFC 6762 and 6763). What is announced is a name drawn anew, a port and a proof that only
//! those can check who know the survey's id: not who is here, nor where they work. It opens no door: whoever is found
//! is dialed and greeted like anyone else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use mdns_sd::{IfKind, IfPredicate, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};
use rukun_change::SurveyId;
use sha2::Sha256;
use tokio::sync::watch;

use crate::disk::{DiskError, random};
use crate::network::Outlook;

const SERVICE: &str = "_rukun._udp.local.";
/// Under which name the proof stands beside the port.
const PROOF: &str = "p";
const NONCE_BYTES: usize = 8;
/// What a proof is made for, so that the same id proves nothing elsewhere.
const CONTEXT: &[u8] = b"rukun lan 1";
/// The most nodes that are dialed because they were found: a hall full of people.
const FOUND_MAX: usize = 64;
/// The most addresses of one node.
const ADDRESSES_MAX: usize = 4;
/// How often it is looked whether the device has come to another network where nobody says so. Each time wakes it.
const NETWORK_CHECK_SECONDS: u32 = 600;
/// How interfaces are called that lead into a mobile network, where multicast is paid for and reaches nobody.
const MOBILE: [&str; 6] = ["rmnet", "ccmni", "pdp", "wwan", "ppp", "clat"];

/// What keeps a node from being found, or from finding.
#[derive(Debug, thiserror::Error)]
enum LanError {
    #[error(transparent)]
    Multicast(#[from] mdns_sd::Error),
    #[error(transparent)]
    Entropy(#[from] DiskError),
    #[error("its thread has ended")]
    Ended,
}

/// Announces a node that listens here and looks for others of its survey, whichever that is at the time, and anew when
/// a network comes, until the survey's owner is gone. Who is there now is in `found`.
pub async fn look(
    listen: SocketAddr,
    mut survey: watch::Receiver<Option<SurveyId>>,
    mut outlook: watch::Receiver<Outlook>,
    found: watch::Sender<BTreeSet<SocketAddr>>,
) {
    loop {
        let now = *survey.borrow_and_update();
        outlook.mark_unchanged();
        let looking = async {
            let Some(survey) = now else { return std::future::pending().await };
            if let Err(error) = look_in(survey, listen, &found).await {
                tracing::info!("peers on the local network are not looked for: {error}");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = looking => {}
            changed = survey.changed() => if changed.is_err() { return },
            Ok(()) = outlook.changed() => {}
        }
        found.send_replace(BTreeSet::new());
    }
}

async fn look_in(
    survey: SurveyId,
    listen: SocketAddr,
    found: &watch::Sender<BTreeSet<SocketAddr>>,
) -> Result<(), LanError> {
    let multicast = Multicast::on(listen)?;
    let own = multicast.announce(survey, listen.port())?;
    let events = multicast.0.browse(SERVICE)?;
    let mut nodes: BTreeMap<String, Vec<SocketAddr>> = BTreeMap::new();
    loop {
        match events.recv_async().await.map_err(|_| LanError::Ended)? {
            ServiceEvent::ServiceResolved(node) if node.fullname != own => {
                let addresses = addresses_of(&node, survey);
                tracing::debug!(node = node.fullname, ?addresses, "found on the local network");
                if !addresses.is_empty() && (nodes.len() < FOUND_MAX || nodes.contains_key(&node.fullname)) {
                    nodes.insert(node.fullname, addresses);
                }
            }
            ServiceEvent::ServiceRemoved(_, name) => drop(nodes.remove(&name)),
            _ => continue,
        }
        let all: BTreeSet<SocketAddr> = nodes.values().flatten().copied().collect();
        found.send_if_modified(|found| std::mem::replace(found, all.clone()) != all);
    }
}

/// The multicast of this process. When it is dropped, the neighbours are told.
struct Multicast(ServiceDaemon);

impl Multicast {
    /// On the interfaces of this address that lead to neighbours.
    fn on(listen: SocketAddr) -> Result<Self, LanError> {
        let multicast = Self(ServiceDaemon::new()?);
        multicast.0.set_ip_check_interval(NETWORK_CHECK_SECONDS)?;
        multicast.0.disable_interface(IfKind::All)?;
        let here = listen.ip();
        multicast.0.enable_interface(IfKind::Predicate(IfPredicate::new(move |interface| {
            let listens =
                here == interface.ip() || here.is_unspecified() && here.is_ipv4() == interface.ip().is_ipv4();
            listens && !interface.is_p2p() && !interface.is_loopback() && !is_mobile(&interface.name)
        })))?;
        Ok(multicast)
    }

    /// Gives the name that it announces.
    fn announce(&self, survey: SurveyId, port: u16) -> Result<String, LanError> {
        let name = HEXLOWER.encode(&*random::<NONCE_BYTES>()?);
        let proof = Proof { nonce: *random()?, port }.text(survey);
        let host = format!("{name}.local.");
        let node =
            ServiceInfo::new(SERVICE, &name, &host, (), port, &[(PROOF, proof)][..])?.enable_addr_auto();
        let own = node.get_fullname().to_string();
        self.0.register(node)?;
        Ok(own)
    }
}

impl Drop for Multicast {
    fn drop(&mut self) {
        // One whose thread has ended tells nobody.
        let _ = self.0.shutdown();
    }
}

/// That whoever announces a port knows a survey's id.
struct Proof {
    nonce: [u8; NONCE_BYTES],
    port: u16,
}

impl Proof {
    fn text(&self, survey: SurveyId) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(survey.as_bytes()).expect("a key of any length serves");
        mac.update(CONTEXT);
        mac.update(&self.nonce);
        mac.update(&self.port.to_be_bytes());
        format!("{}{}", HEXLOWER.encode(&self.nonce), HEXLOWER.encode(&mac.finalize().into_bytes()))
    }

    /// Whether this text proves it. The id is no secret among those who could measure how long that takes.
    fn holds(text: &str, survey: SurveyId, port: u16) -> bool {
        let nonce = text.get(..2 * NONCE_BYTES).and_then(|nonce| HEXLOWER.decode(nonce.as_bytes()).ok());
        let nonce = nonce.and_then(|nonce| nonce.try_into().ok());
        nonce.is_some_and(|nonce| Self { nonce, port }.text(survey) == text)
    }
}

/// Where a node of this survey is dialed; nothing if it is of another.
fn addresses_of(node: &ResolvedService, survey: SurveyId) -> Vec<SocketAddr> {
    let proof = node.get_property_val_str(PROOF).unwrap_or_default();
    if !Proof::holds(proof, survey, node.port) {
        return Vec::new();
    }
    let addresses: BTreeSet<IpAddr> = node.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr).collect();
    let local = addresses.into_iter().filter(is_local).take(ADDRESSES_MAX);
    local.map(|address| SocketAddr::new(address, node.port)).collect()
}

/// A proof can be said again by whoever heard it, with addresses of theirs: it must not send a hall's phones anywhere
/// beyond the hall. Addresses of IPv6 that mean something on one interface alone are left out; those who have them
/// have others.
fn is_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

fn is_mobile(interface: &str) -> bool {
    MOBILE.iter().any(|prefix| interface.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURVEY: SurveyId = SurveyId::from_bytes([7; 32]);

    fn node(addresses: &str, port: u16, proof: &str) -> ResolvedService {
        let properties = &[(PROOF, proof)][..];
        let node = ServiceInfo::new(SERVICE, "a", "a.local.", addresses, port, properties).unwrap();
        node.as_resolved_service()
    }

    /// As made by another implementation of HMAC; the same stands in docs/formats.md.
    const GOLDEN: &str = "0101010101010101f14099315f301248448d4d8985cbb0d7bf20ebbe774fad84f3dda5d2174df842";

    #[test]
    fn a_proof_is_spelt_as_the_formats_say() {
        assert_eq!(Proof { nonce: [1; 8], port: 7811 }.text(SURVEY), GOLDEN);
        assert!(include_str!("../../docs/formats.md").contains(GOLDEN));
    }

    #[test]
    fn who_knows_the_survey_is_found_and_nobody_else() {
        let proof = Proof { nonce: [1; 8], port: 7811 }.text(SURVEY);
        assert_eq!(
            addresses_of(&node("192.168.43.7", 7811, &proof), SURVEY),
            ["192.168.43.7:7811".parse().unwrap()]
        );
        let other = SurveyId::from_bytes([8; 32]);
        assert!(addresses_of(&node("192.168.43.7", 7811, &proof), other).is_empty());
        assert!(
            addresses_of(&node("192.168.43.7", 7812, &proof), SURVEY).is_empty(),
            "a proof is for one port"
        );
        for text in
            ["", "0101", "zz", "0101010101010101", &proof[..31], &format!("{proof}0"), "ééééééééééééééé"]
        {
            assert!(!Proof::holds(text, SURVEY, 7811), "{text}");
        }
    }

    #[test]
    fn nobody_is_sent_beyond_the_local_network() {
        let proof = Proof { nonce: [1; 8], port: 1 }.text(SURVEY);
        let far = "8.8.8.8,1.1.1.1,127.0.0.1,2001:db8::1,fe80::1,::1,224.0.0.251";
        assert!(addresses_of(&node(far, 1, &proof), SURVEY).is_empty());
        let many = "10.0.0.1,10.0.0.2,10.0.0.3,172.16.0.1,192.168.0.1,fd00::1";
        assert_eq!(addresses_of(&node(many, 1, &proof), SURVEY).len(), ADDRESSES_MAX);
    }

    #[test]
    fn nothing_that_is_announced_tells_of_the_survey_or_stays_the_same() {
        let one = Proof { nonce: [1; 8], port: 7811 }.text(SURVEY);
        let other = Proof { nonce: [2; 8], port: 7811 }.text(SURVEY);
        assert_ne!(one[16..], other[16..]);
        assert!(!one.contains(&HEXLOWER.encode(&SURVEY.as_bytes()[..4])));
    }

    #[test]
    fn mobile_data_carries_no_multicast() {
        assert!(["rmnet_data0", "ccmni1", "ppp0", "wwan0"].into_iter().all(is_mobile));
        assert!(!["wlan0", "eth0", "ap0", "swlan0", "br0"].into_iter().any(is_mobile));
    }
}
