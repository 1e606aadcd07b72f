//! What became of what was said with a ticket, before the other end answered.

use tokio::sync::watch;

/// Whether the other end of a connection has answered: who holds a ticket speaks before it has.
#[derive(Clone, Debug)]
pub struct Answer(watch::Receiver<Option<Answered>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It has taken what was said before.
    Taken,
    /// The ticket is not good any more: what was said is to be said again, on the same connection.
    NotTaken,
    /// Nobody has in time, or somebody else.
    Never,
}

impl Answer {
    /// Which is known from the beginning.
    pub(crate) fn known(answered: Answered) -> Self {
        Self(watch::channel(Some(answered)).1)
    }

    /// Which is told later.
    pub(crate) fn of(told: watch::Receiver<Option<Answered>>) -> Self {
        Self(told)
    }

    /// What it is so far.
    #[cfg(test)]
    pub(crate) fn now(&self) -> Option<Answered> {
        *self.0.borrow()
    }

    /// Whether it has, as the device that it is taken for; waits until that is known.
    pub async fn has_come(self) -> bool {
        self.wait().await != Answered::Never
    }

    /// Whether what was said before it came is to be said again.
    pub async fn asks_again(self) -> bool {
        self.wait().await == Answered::NotTaken
    }

    pub(crate) async fn wait(mut self) -> Answered {
        let answered = self.0.wait_for(Option::is_some).await;
        answered.ok().and_then(|answered| *answered).unwrap_or(Answered::Never)
    }
}
