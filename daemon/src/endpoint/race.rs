//! Attempts to reach one address become the first that is answered. A handshake of QUIC that nobody answers is begun
//! anew, since its probes grow ever rarer, and TCP knocks beside it. Never are two of QUIC under way: their packets of
//! 1 200 bytes would fill a slow link that has just come back. Once TCP is answered the link is up, so QUIC begins anew
//! then; only where it is not answered soon does TCP go on to its own handshake, which the link would carry twice else.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::Endpoint;
use crate::attempt::{ATTEMPT_MAX, ConnectError};
use crate::connection::{Connection, Peer};
use crate::quic::PROBES_AFTER;

/// How long an attempt may go unanswered before another takes its place.
pub(super) const RACE_AFTER: Duration = Duration::from_secs(4);
/// What an attempt over QUIC sent at its beginning or as its first probes may be on its way for a second, and what it is
/// about to send does as well as another beginning.
const FRESH: Duration = PROBES_AFTER.saturating_add(Duration::from_secs(1));
/// How long after UDP TCP knocks: most links have answered by then.
const TCP_AFTER: Duration = Duration::from_secs(1);
/// An answer to TCP that took longer was not one to its first packet, so it tells nothing of the link's delay.
const TCP_AGAIN: Duration = Duration::from_secs(1);
/// How long UDP may take to be answered where TCP was: so many round trips,
const UDP_BEHIND_TCP_ROUND_TRIPS: u32 = 3;
/// within these.
const UDP_BEHIND_TCP_MIN: Duration = Duration::from_millis(300);
const UDP_BEHIND_TCP_MAX: Duration = Duration::from_secs(3);

type Outcome = Result<Peer, ConnectError>;

/// The attempts to reach one address.
pub(super) struct Race {
    endpoint: Endpoint,
    to: SocketAddr,
    to_enrol: bool,
    is_tcp_alone: bool,
    attempts: JoinSet<Outcome>,
    by_udp: Option<UnderWay>,
    by_tcp: Option<UnderWay>,
    /// By what TCP goes on, and when.
    tls: Option<(oneshot::Sender<()>, Instant)>,
    /// When what is not answered is begun anew.
    next: Instant,
}

/// An attempt that has not ended, as far as is known.
struct UnderWay {
    task: AbortHandle,
    began: Instant,
    /// Whether the other end has said anything.
    answered: watch::Receiver<bool>,
}

impl Race {
    /// One that has not begun.
    pub(super) fn new(endpoint: Endpoint, to: SocketAddr, to_enrol: bool) -> Self {
        let is_tcp_alone = endpoint.remembered().contains(&to);
        let attempts = JoinSet::new();
        let next = Instant::now();
        Self { endpoint, to, to_enrol, is_tcp_alone, attempts, by_udp: None, by_tcp: None, tls: None, next }
    }

    /// The first attempt that succeeds; the others are dropped. One that fails while others are under way brings no
    /// next one forward: what refuses one at once refuses many.
    ///
    /// # Errors
    /// If all that were under way have failed, or none has succeeded in time.
    pub(super) async fn run(mut self) -> Outcome {
        let end = self.next + ATTEMPT_MAX;
        while Instant::now() < end {
            if Instant::now() >= self.next {
                self.next += RACE_AFTER;
                self.begin_round();
            }
            let tls_due = self.tls.as_ref().map_or(end, |(_, due)| *due);
            tokio::select! {
                Some(ended) = self.attempts.join_next() => if let Some(outcome) = self.judge(ended) {
                    return outcome;
                },
                () = answer(self.by_tcp.as_mut()) => self.link_is_up(),
                () = sleep_until(tls_due), if self.tls.is_some() => self.go_on_by_tcp(),
                () = sleep_until(self.next.min(end)) => {}
            }
        }
        Err(ConnectError::Deadline { seconds: ATTEMPT_MAX.as_secs() })
    }

    /// What is not answered is begun anew.
    fn begin_round(&mut self) {
        if !is_answered(self.by_udp.as_ref()) {
            self.begin_udp();
        }
        if !is_answered(self.by_tcp.as_ref()) {
            self.begin_tcp();
        }
    }

    /// TCP was answered. What UDP has sent before that may be lost.
    fn link_is_up(&mut self) {
        let Some(by_tcp) = &self.by_tcp else { return };
        let round_trip = by_tcp.began.elapsed();
        let wait = match () {
            () if self.is_tcp_alone => Duration::ZERO,
            () if round_trip >= TCP_AGAIN => UDP_BEHIND_TCP_MAX,
            () => (round_trip * UDP_BEHIND_TCP_ROUND_TRIPS).clamp(UDP_BEHIND_TCP_MIN, UDP_BEHIND_TCP_MAX),
        };
        if let Some((_, due)) = &mut self.tls {
            *due = Instant::now() + wait;
        }
        let is_fresh = self.by_udp.as_ref().is_some_and(|attempt| attempt.began.elapsed() < FRESH);
        if !is_fresh && !is_answered(self.by_udp.as_ref()) {
            self.begin_udp();
            // Its packet alone takes a second of a slow link: it has its time, too.
            self.next = Instant::now() + RACE_AFTER;
        }
    }

    /// UDP had its time to be answered. If it was, it has half of what an attempt has to come to its end.
    fn go_on_by_tcp(&mut self) {
        let Some((go, _)) = self.tls.take() else { return };
        if is_answered(self.by_udp.as_ref()) {
            self.tls = Some((go, Instant::now() + ATTEMPT_MAX / 2));
        } else {
            // Nobody listens where TCP has failed meanwhile.
            let _ = go.send(());
        }
    }

    fn begin_udp(&mut self) {
        let (quic, to, to_enrol) = (self.endpoint.quic.clone(), self.to, self.to_enrol);
        let (on_answer, answered) = answering();
        let task = self.attempts.spawn(async move {
            if to_enrol { quic.dial_to_enrol(to, on_answer).await } else { quic.dial(to, on_answer).await }
        });
        replace(&mut self.by_udp, UnderWay { task, began: Instant::now(), answered });
    }

    fn begin_tcp(&mut self) {
        let Some(tcp) = self.endpoint.tcp.clone() else { return };
        let (to, to_enrol) = (self.to, self.to_enrol);
        let (on_answer, answered) = answering();
        let (go, gone) = oneshot::channel();
        let after = if self.is_tcp_alone { Duration::ZERO } else { TCP_AFTER };
        let began = Instant::now() + after;
        let task = self.attempts.spawn(async move {
            sleep_until(began).await;
            tcp.dial(to, to_enrol, on_answer, async { _ = gone.await }).await
        });
        self.tls = Some((go, began + ATTEMPT_MAX));
        replace(&mut self.by_tcp, UnderWay { task, began, answered });
    }

    fn has_tcp_begun(&self) -> bool {
        self.by_tcp.as_ref().is_some_and(|attempt| attempt.began <= Instant::now())
    }

    /// What the end of an attempt means for all of them; nothing while others are under way.
    fn judge(&self, ended: Result<Outcome, JoinError>) -> Option<Outcome> {
        match ended {
            Ok(Ok(peer)) => {
                if !is_over_tcp(&peer) {
                    self.endpoint.remembered().remove(&self.to);
                } else if !self.is_tcp_alone && !is_answered(self.by_udp.as_ref()) {
                    tracing::info!(address = %self.to, "udp does not pass: going on over tcp");
                    self.endpoint.remember_tcp_alone(self.to);
                }
                Some(Ok(peer))
            }
            Ok(Err(error)) if self.attempts.is_empty() || !self.has_tcp_begun() => Some(Err(error)),
            // It has failed beside others, or another has taken its place.
            _ => None,
        }
    }
}

fn is_over_tcp(peer: &Peer) -> bool {
    matches!(peer.connection, Connection::Tcp(_))
}

/// What an attempt tells of an answer by, and who is told.
fn answering() -> (impl FnOnce() + Send + 'static, watch::Receiver<bool>) {
    let (answer, answered) = watch::channel(false);
    let tell = move || {
        // Nobody listens any more where another attempt was first.
        let _ = answer.send(true);
    };
    (tell, answered)
}

fn is_answered(attempt: Option<&UnderWay>) -> bool {
    attempt.is_some_and(|attempt| *attempt.answered.borrow())
}

/// Returns when an attempt that was not answered is; it may never be.
async fn answer(attempt: Option<&mut UnderWay>) {
    if let Some(attempt) = attempt
        && attempt.answered.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Another attempt takes the place of one, which is dropped.
fn replace(place: &mut Option<UnderWay>, attempt: UnderWay) {
    if let Some(before) = place.replace(attempt) {
        before.task.abort();
    }
}
