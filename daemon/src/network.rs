//! What the host app or the system tells of the network becomes whether links are kept, made at need alone, or not at
//! all; and what the links of a day carried is held against a budget where the network is paid for. Nothing of it is
//! asked for: who is told nothing keeps links. No socket and no timer is here.

mod carried;
pub use carried::Carried;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock;
use crate::disk::{DiskError, Folder};
use crate::verbs::{NetworkNews, NetworkShape, rfc3339};

/// How often at most what was carried is written down.
const WRITE_EVERY: Duration = Duration::from_mins(1);

/// The network as it is known. Its clones are the same one.
#[derive(Clone, Debug)]
pub struct Network(Arc<Shared>);

/// What follows for those who dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// How links are kept.
    pub links: Links,
    /// How often a network came.
    came: u64,
}

/// How links are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// As long as they last, and made anew when they end.
    Kept,
    /// While something is to be delivered, and now and then.
    AtNeed,
    /// Not at all: there is no network. Those that there are, are left to themselves.
    Off,
}

#[derive(Debug)]
struct Shared {
    known: watch::Sender<Known>,
    outlook: watch::Sender<Outlook>,
    budget_bytes: Option<u64>,
}

/// What was told, and what was carried.
#[derive(Clone, Copy, Debug)]
struct Known {
    up: bool,
    metered: bool,
    battery_low: bool,
    carried: Carried,
}

impl Default for Network {
    /// One without a budget.
    fn default() -> Self {
        Self::new(None, Carried::default())
    }
}

impl Network {
    /// One of which nothing is known yet, where this was carried today.
    pub fn new(budget_bytes: Option<u64>, carried: Carried) -> Self {
        let known = Known { up: true, metered: false, battery_low: false, carried };
        let outlook = Outlook { links: Links::Kept, came: 0 };
        Self(Arc::new(Shared {
            known: watch::Sender::new(known),
            outlook: watch::Sender::new(outlook),
            budget_bytes,
        }))
    }

    /// Takes in what the host app says. That there is a network means that one came, also where there was one.
    pub fn tell(&self, news: NetworkNews) -> NetworkShape {
        self.0.known.send_modify(|known| known.take(news));
        if news.up == Some(true) {
            self.came();
        }
        self.now()
    }

    /// The system says that something about its networks changed: another one may have come. That happens for many
    /// reasons, and is none to make a link where they are made at need alone.
    pub fn changed(&self) {
        if self.0.outlook.borrow().links != Links::AtNeed {
            self.came();
        }
    }

    /// A network came: who has no link dials at once.
    fn came(&self) {
        self.0.outlook.send_modify(|outlook| outlook.came += 1);
        self.reckon();
    }

    /// Links have carried so much more.
    pub fn count(&self, bytes: u64) {
        self.0.known.send_modify(|known| known.carried.add(bytes, clock::now().wall_ms));
        self.reckon();
    }

    /// How links are kept by now: a day that began since gives a new budget.
    pub fn reckon(&self) {
        let links = self.0.known.borrow().links(self.0.budget_bytes, clock::now().wall_ms);
        self.0.outlook.send_if_modified(|outlook| std::mem::replace(&mut outlook.links, links) != links);
    }

    /// What follows for those who dial, from now on.
    pub fn outlook(&self) -> watch::Receiver<Outlook> {
        self.0.outlook.subscribe()
    }

    /// All that is known.
    pub fn now(&self) -> NetworkShape {
        self.reckon();
        let (known, links, now_ms) =
            (*self.0.known.borrow(), self.0.outlook.borrow().links, clock::now().wall_ms);
        NetworkShape {
            up: known.up,
            metered: known.metered,
            battery_low: known.battery_low,
            links: links.name().into(),
            bytes_today: known.carried.on_day_of(now_ms),
            day: rfc3339(now_ms).chars().take_while(|letter| *letter != 'T').collect(),
            budget_bytes: self.0.budget_bytes,
        }
    }

    /// Writes down what was carried, so that a restart gives no new budget, from time to time and never while nothing
    /// is carried.
    pub async fn keep(self, folder: Folder) {
        let mut known = self.0.known.subscribe();
        let mut written = known.borrow_and_update().carried;
        while known.changed().await.is_ok() {
            let carried = known.borrow_and_update().carried;
            if carried == written {
                continue;
            }
            let folder = folder.clone();
            // A disk that fails stops the node by the store's word; this file alone is no reason.
            match tokio::task::spawn_blocking(move || carried.write(&folder)).await {
                Ok(Ok(())) => written = carried,
                Ok(Err(error)) => tracing::warn!("what was carried today is not written down: {error}"),
                Err(_) => return,
            }
            sleep(WRITE_EVERY).await;
        }
    }

    /// Writes it down at the end.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn write(&self, folder: &Folder) -> Result<(), DiskError> {
        self.0.known.borrow().carried.write(folder)
    }
}

impl Known {
    fn take(&mut self, news: NetworkNews) {
        self.up = news.up.unwrap_or(self.up);
        self.metered = news.metered.unwrap_or(self.metered);
        self.battery_low = news.battery_low.unwrap_or(self.battery_low);
    }

    fn links(&self, budget_bytes: Option<u64>, wall_ms: i64) -> Links {
        let is_spent = budget_bytes.is_some_and(|budget| self.carried.on_day_of(wall_ms) >= budget);
        if !self.up {
            Links::Off
        } else if self.battery_low || self.metered && is_spent {
            Links::AtNeed
        } else {
            Links::Kept
        }
    }
}

impl Links {
    /// Its name for scripts and apps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::AtNeed => "at-need",
            Self::Off => "off",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    const NOW_MS: i64 = 20_000 * DAY_MS;

    fn known(up: bool, metered: bool, battery_low: bool, bytes: u64) -> Known {
        let mut carried = Carried::default();
        carried.add(bytes, NOW_MS);
        Known { up, metered, battery_low, carried }
    }

    #[test]
    fn links_are_kept_unless_the_battery_is_low_or_the_budget_of_a_metered_network_is_spent() {
        for (known, budget, links) in [
            (known(true, false, false, 0), None, Links::Kept),
            (known(true, true, false, u64::MAX), None, Links::Kept),
            (known(true, false, false, 100), Some(100), Links::Kept),
            (known(true, true, false, 99), Some(100), Links::Kept),
            (known(true, true, false, 100), Some(100), Links::AtNeed),
            (known(true, false, true, 0), None, Links::AtNeed),
            (known(false, true, true, 100), Some(100), Links::Off),
        ] {
            assert_eq!(known.links(budget, NOW_MS), links, "{known:?} {budget:?}");
        }
        let spent = known(true, true, false, 100);
        assert_eq!(spent.links(Some(100), NOW_MS + DAY_MS), Links::Kept, "a new day, a new budget");
    }

    #[test]
    fn what_is_not_named_stays_as_it_was() {
        let network = Network::default();
        network.tell(NetworkNews { battery_low: Some(true), ..NetworkNews::default() });
        let now = network.tell(NetworkNews { metered: Some(true), ..NetworkNews::default() });
        assert!(now.up && now.metered && now.battery_low, "{now:?}");
        assert_eq!(now.links, "at-need");
        let now = network.tell(NetworkNews { up: Some(false), ..NetworkNews::default() });
        assert_eq!((now.up, now.metered, now.links.as_str()), (false, true, "off"));
        assert_eq!(network.tell(NetworkNews::default()), now, "to ask changes nothing");
    }

    #[test]
    fn that_there_is_a_network_is_news_each_time_and_what_is_carried_only_when_it_is_too_much() {
        let network = Network::new(Some(100), Carried::default());
        network.tell(NetworkNews { metered: Some(true), ..NetworkNews::default() });
        let mut outlook = network.outlook();
        for _ in 0..2 {
            network.tell(NetworkNews { up: Some(true), ..NetworkNews::default() });
            assert!(outlook.has_changed().unwrap());
            outlook.mark_unchanged();
        }
        network.count(60);
        assert!(!outlook.has_changed().unwrap());
        network.count(60);
        assert_eq!(outlook.borrow_and_update().links, Links::AtNeed);
        assert_eq!(network.now().bytes_today, 120);
    }

    #[test]
    fn the_system_s_word_brings_nobody_to_dial_who_spares_the_battery() {
        let network = Network::default();
        let outlook = network.outlook();
        network.changed();
        assert!(outlook.has_changed().unwrap());
        network.tell(NetworkNews { battery_low: Some(true), ..NetworkNews::default() });
        let outlook = network.outlook();
        network.changed();
        assert!(!outlook.has_changed().unwrap());
    }

    #[test]
    fn what_was_carried_outlives_a_restart() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::at(parent.path());
        let network = Network::new(Some(100), Carried::read(&folder));
        network.count(60);
        network.write(&folder).unwrap();
        let again = Network::new(Some(100), Carried::read(&folder));
        again.tell(NetworkNews { metered: Some(true), ..NetworkNews::default() });
        again.count(60);
        assert_eq!((again.now().bytes_today, again.now().links.as_str()), (120, "at-need"));
    }
}
