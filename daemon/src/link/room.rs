//! How many frames of all links may be checked at a time, and be on their way from a stream to the core. Who has not
//! shown a grant has half of each: strangers in any number leave the other half to those who take part.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Frames being checked at a time, over all links.
const WORKERS: usize = 2;
/// Frames cut out of their streams and not yet taken by the core, over all links. Each is a
/// mebibyte at most, and eight unpacked.
const FRAMES_MAX: usize = 64;

/// The places there are. Its clones share them.
#[derive(Clone, Debug)]
pub(super) struct Room {
    workers: Places,
    frames: Places,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_strangers: Option<OwnedSemaphorePermit>,
}

/// Whether the device at the other end of a link has shown a grant.
#[derive(Debug, Default)]
pub(super) struct Standing(watch::Sender<bool>);

#[derive(Clone, Debug)]
struct Places {
    of_all: Arc<Semaphore>,
    of_strangers: Arc<Semaphore>,
}

impl Room {
    pub(super) fn new() -> Self {
        Self { workers: Places::new(WORKERS), frames: Places::new(FRAMES_MAX) }
    }

    /// A place for a frame, before it is unpacked.
    pub(super) async fn frame(&self, standing: &Standing) -> Place {
        self.frames.take(standing).await
    }

    /// A place for a frame that is to be checked.
    pub(super) async fn worker(&self, standing: &Standing) -> Place {
        self.workers.take(standing).await
    }
}

impl Standing {
    pub(super) fn set_granted(&self) {
        self.0.send_replace(true);
    }

    /// Waits until it has.
    async fn granted(&self) {
        let said = self.0.subscribe().wait_for(|granted| *granted).await.is_ok();
        debug_assert!(said, "who can say so is here");
    }
}

impl Places {
    fn new(count: usize) -> Self {
        Self { of_all: Arc::new(Semaphore::new(count)), of_strangers: Arc::new(Semaphore::new(count / 2)) }
    }

    async fn take(&self, standing: &Standing) -> Place {
        let take = async |of: &Arc<Semaphore>| Arc::clone(of).acquire_owned().await.expect("never closed");
        // The core may say so while the first frame waits among strangers'.
        let of_strangers = tokio::select! {
            biased;
            () = standing.granted() => None,
            place = take(&self.of_strangers) => Some(place),
        };
        Place { _of_all: take(&self.of_all).await, _of_strangers: of_strangers }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// What is there without waiting.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(there) => Some(there),
            Poll::Pending => None,
        }
    }

    #[test]
    fn strangers_leave_half_of_the_places_to_those_who_have_shown_a_grant() {
        let (room, stranger, granted) = (Room::new(), Standing::default(), Standing::default());
        granted.set_granted();
        let mut taken = Vec::new();
        while let Some(place) = now(room.frame(&stranger)) {
            taken.push(place);
        }
        assert_eq!(taken.len(), FRAMES_MAX / 2);
        let worker = now(room.worker(&stranger));
        assert!(worker.is_some() && now(room.worker(&stranger)).is_none());
        assert!(now(room.frame(&granted)).is_some() && now(room.worker(&granted)).is_some());
        taken.pop();
        assert!(now(room.frame(&stranger)).is_some(), "a place that is given back is there again");
    }

    #[test]
    fn who_waits_among_strangers_waits_no_more_once_granted() {
        let (room, stranger, newcomer) = (Room::new(), Standing::default(), Standing::default());
        let _taken = now(room.worker(&stranger));
        let mut waiting = pin!(room.worker(&newcomer));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        newcomer.set_granted();
        assert!(waiting.as_mut().poll(&mut context).is_ready());
    }
}
