//! How a device spares its network and its battery: what the host app says of them decides when datagrams go, and
//! what is written is delivered all the same.

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun::dial::{AT_NEED_EVERY, AWAITED_MAX};
use rukun::drive::Core;
use rukun::verbs::{NetworkNews, Request, StatusShape};
use serde_json::json;
use tokio::time::sleep;

use crate::adapter::Air;
use crate::node::Node;
use crate::{CHANCE, RELAY, fingerprints, found};

const MINUTE: Duration = Duration::from_mins(1);
/// How long a session and what follows it may take.
const SESSION_MAX: Duration = Duration::from_secs(30);
const REGION: &str = "18110100050001";

/// A device, its relay and what they sent each other.
struct Scene {
    relay: Rc<Node>,
    device: Rc<Node>,
    air: Arc<Mutex<Air>>,
}

impl Scene {
    /// Plays on a simulated network without loss.
    fn play<F: Future<Output = ()> + 'static>(minutes: u32, first: NetworkNews, act: impl FnOnce(Self) -> F) {
        CHANCE.set(ChaCha20Rng::seed_from_u64(1));
        let air = Arc::new(Mutex::new(Air::default()));
        let [relay, device] = found(1, Duration::ZERO, &air).try_into().unwrap_or_else(|_| unreachable!());
        device.network.tell(first);
        let mut sim = turmoil::Builder::new()
            .simulation_duration(MINUTE * minutes)
            .tick_duration(Duration::from_millis(20))
            .min_message_latency(Duration::from_millis(100))
            .max_message_latency(Duration::from_millis(100))
            .udp_capacity(1 << 14)
            .rng_seed(1)
            .build();
        for node in [&relay, &device] {
            let node = Rc::clone(node);
            sim.host(node.name.clone(), move || Rc::clone(&node).run());
        }
        assert_eq!(sim.lookup(RELAY).to_string(), crate::RELAY_ADDRESS);
        let acting = act(Self { relay, device, air });
        sim.client("host-app", async move {
            acting.await;
            Ok(())
        });
        sim.run().unwrap();
    }

    fn core(node: &Node) -> Core {
        node.core.borrow().clone().unwrap()
    }

    /// How many datagrams went either way since then.
    fn sent_since(&self, since: Duration) -> usize {
        let sent = &self.air.lock().unwrap().sent;
        sent.iter().filter(|sent| u128::from(sent.at_ms) >= since.as_millis()).count()
    }

    async fn is_linked(&self) -> bool {
        let status = Self::core(&self.relay).ask(Request::Status).await.unwrap();
        let status: StatusShape = serde_json::from_value(status).unwrap();
        status.peers.iter().any(|peer| peer.linked)
    }

    async fn add_family_at(&self, node: &Node) {
        let patch = Some(json!({"r108": "Siti Aminah", "r304": 1}));
        let (region, set) = (format!("{REGION}00"), Vec::new());
        Self::core(node).ask(Request::RecordAdd { region, ink: None, patch, set }).await.unwrap();
    }

    /// The relay has more for the device than one flight carries, and the link is cut when some of it has come.
    async fn cut_in_mid_sync(&self) {
        let device = self.device.name.as_str();
        turmoil::partition(RELAY, device);
        for _ in 0..600 {
            self.add_family_at(&self.relay).await;
        }
        let before = self.changes().await;
        turmoil::repair(RELAY, device);
        while self.changes().await == before {
            sleep(Duration::from_millis(20)).await;
        }
        turmoil::partition(RELAY, device);
    }

    async fn changes(&self) -> u64 {
        let status = Self::core(&self.device).ask(Request::Status).await.unwrap();
        serde_json::from_value::<StatusShape>(status).unwrap().changes
    }

    async fn agree(&self) -> bool {
        fingerprints(&Self::core(&self.device), REGION).await
            == fingerprints(&Self::core(&self.relay), REGION).await
    }
}

fn now() -> Duration {
    turmoil::sim_elapsed().unwrap()
}

fn up(up: bool) -> NetworkNews {
    NetworkNews { up: Some(up), ..NetworkNews::default() }
}

fn battery_low(low: bool) -> NetworkNews {
    NetworkNews { battery_low: Some(low), ..NetworkNews::default() }
}

#[test]
fn nothing_is_sent_while_there_is_no_network_and_all_is_dialed_at_once_when_one_comes() {
    Scene::play(20, up(false), async |scene| {
        sleep(10 * MINUTE).await;
        assert_eq!(scene.sent_since(Duration::ZERO), 0);
        scene.device.network.tell(up(true));
        sleep(Duration::from_millis(100)).await;
        assert!(scene.sent_since(Duration::ZERO) > 0, "at once");
        sleep(SESSION_MAX).await;
        assert!(scene.is_linked().await);
        scene.device.network.tell(up(false));
        sleep(5 * MINUTE).await;
        assert!(scene.is_linked().await, "a link that there is, is left to itself");
    });
}

#[test]
fn an_attempt_on_a_network_that_went_is_given_up() {
    Scene::play(10, NetworkNews::default(), async |scene| {
        turmoil::partition(RELAY, scene.device.name.as_str());
        sleep(2 * MINUTE).await;
        scene.device.network.tell(up(false));
        let (told, probed) = (now(), scene.sent_since(Duration::ZERO));
        assert!(probed > 0, "it tried");
        sleep(5 * MINUTE).await;
        // What closes the attempt is sent, and no probe after it.
        assert_eq!(scene.sent_since(told + Duration::from_secs(1)), 0);
        turmoil::repair(RELAY, scene.device.name.as_str());
        scene.device.network.tell(up(true));
        sleep(Duration::from_secs(5)).await;
        assert!(scene.is_linked().await, "without the patience of the attempts before");
    });
}

#[test]
fn a_sync_that_was_cut_goes_on_within_seconds_of_the_links_return_and_is_not_waited_for_forever() {
    Scene::play(60, NetworkNews::default(), async |scene| {
        sleep(SESSION_MAX).await;
        scene.cut_in_mid_sync().await;
        // Until both ends have given the link up, and then some.
        sleep(8 * MINUTE).await;
        assert!(!scene.agree().await && !scene.is_linked().await, "it was cut");
        turmoil::repair(RELAY, scene.device.name.as_str());
        sleep(Duration::from_secs(10)).await;
        assert!(scene.agree().await, "the device, which has nothing to deliver, was waiting for the rest");

        scene.cut_in_mid_sync().await;
        sleep(5 * MINUTE).await;
        let soon = now();
        sleep(5 * MINUTE).await;
        let often = scene.sent_since(soon);
        sleep(2 * AWAITED_MAX).await;
        let later = now();
        sleep(5 * MINUTE).await;
        let rarely = scene.sent_since(later);
        assert!(rarely > 0 && often > 3 * rarely, "{often} and then {rarely} datagrams in five minutes");
    });
}

#[test]
fn a_low_battery_keeps_no_link_and_delivers_what_is_written_at_once() {
    Scene::play(80, battery_low(true), async |scene| {
        sleep(SESSION_MAX).await;
        assert!(scene.agree().await && !scene.is_linked().await, "a first session, and its end");
        assert!(scene.sent_since(Duration::ZERO) > 0);
        let ended = now();
        sleep(AT_NEED_EVERY.saturating_sub(MINUTE)).await;
        assert_eq!(scene.sent_since(ended), 0, "nothing keeps alive what there is not");
        sleep(2 * MINUTE).await;
        assert!(scene.sent_since(ended) > 0 && !scene.is_linked().await, "now and then it asks for news");

        scene.add_family_at(&scene.device).await;
        sleep(Duration::from_secs(3)).await;
        assert!(scene.agree().await, "what is written does not wait");
        sleep(SESSION_MAX).await;
        assert!(!scene.is_linked().await);

        scene.device.network.tell(battery_low(false));
        sleep(SESSION_MAX).await;
        assert!(scene.is_linked().await);
        sleep(10 * MINUTE).await;
        assert!(scene.is_linked().await, "from then on links are kept");
        scene.device.network.tell(battery_low(true));
        sleep(SESSION_MAX).await;
        assert!(!scene.is_linked().await, "also those that are there end");
    });
}

#[test]
fn what_the_relay_has_comes_with_the_next_session_of_a_device_that_rests() {
    Scene::play(40, battery_low(true), async |scene| {
        sleep(2 * MINUTE).await;
        scene.add_family_at(&scene.relay).await;
        sleep(AT_NEED_EVERY).await;
        assert!(scene.agree().await && !scene.is_linked().await);
    });
}
