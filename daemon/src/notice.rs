//! What the tasks around the core know without asking it: whom to dial, in which survey, whether work
//! waits to be delivered, with whom nothing is left to be said, and with whom something was when the link ended.

use std::collections::BTreeSet;

use rukun_change::{DeviceKey, SurveyId};
use rukun_replica::{ActionError, Replica};
use tokio::sync::watch;

/// What was noticed last, for as many as like.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    pub(crate) survey: watch::Receiver<Option<SurveyId>>,
    pub(crate) addresses: watch::Receiver<Vec<String>>,
    pub(crate) has_undelivered: watch::Receiver<bool>,
    pub(crate) agreed: watch::Receiver<BTreeSet<DeviceKey>>,
    pub(crate) cut_short: watch::Receiver<BTreeSet<DeviceKey>>,
}

/// Where the core leaves word.
#[derive(Debug)]
pub(crate) struct Board {
    survey: watch::Sender<Option<SurveyId>>,
    addresses: watch::Sender<Vec<String>>,
    has_undelivered: watch::Sender<bool>,
    agreed: watch::Sender<BTreeSet<DeviceKey>>,
    cut_short: watch::Sender<BTreeSet<DeviceKey>>,
}

impl Board {
    /// As the node is now.
    pub(crate) fn new(replica: &Replica) -> Result<(Self, Notices), ActionError> {
        let (survey, survey_now) = watch::channel(replica.survey());
        let (addresses, addresses_now) = watch::channel(replica.addresses()?);
        let (has_undelivered, has_undelivered_now) = watch::channel(replica.has_undelivered());
        let (agreed, agreed_now) = watch::channel(replica.agreed());
        let (cut_short, cut_short_now) = watch::channel(replica.cut_short().clone());
        let notices = Notices {
            survey: survey_now,
            addresses: addresses_now,
            has_undelivered: has_undelivered_now,
            agreed: agreed_now,
            cut_short: cut_short_now,
        };
        Ok((Self { survey, addresses, has_undelivered, agreed, cut_short }, notices))
    }

    /// Whether there is work to be delivered, or anything to be said, may have changed.
    pub(crate) fn notice_work(&self, replica: &Replica) {
        replace(&self.agreed, replica.agreed());
        replace(&self.cut_short, replica.cut_short().clone());
        replace(&self.has_undelivered, replica.has_undelivered());
    }

    /// A request may have changed the settings. Gives whether the survey has.
    pub(crate) fn notice_settings(&self, replica: &Replica) -> Result<bool, ActionError> {
        let has_joined = replace(&self.survey, replica.survey());
        replace(&self.addresses, replica.addresses()?);
        Ok(has_joined)
    }
}

/// Tells the others, if it is news.
fn replace<T: PartialEq>(told: &watch::Sender<T>, now: T) -> bool {
    told.send_if_modified(|before| {
        let is_news = *before != now;
        *before = now;
        is_news
    })
}
