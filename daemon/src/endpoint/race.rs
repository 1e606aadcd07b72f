//! Attempts to reach one address become the first that is answered. A handshake of QUIC that nobody answers is begun
//! anew, since its probes grow ever rarer, and TCP is tried beside it. Never are two of QUIC under way: their packets of
//! 1 200 bytes would fill a slow link that has just come back. Once TCP is answered the link is up, so QUIC begins anew
//! then, and is taken if it passes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Endpoint;
use crate::attempt::{ATTEMPT_MAX, ConnectError};
use crate::connection::{CloseCode, Connection, Peer};

/// How long an attempt may go unanswered before another takes its place; for one over TCP, which repeats itself, twice that.
pub(super) const RACE_AFTER: Duration = Duration::from_secs(4);
/// What an attempt has sent since then may be on its way still.
const FRESH: Duration = Duration::from_secs(1);
/// How long UDP may take to pass where TCP has: so many times what TLS took from the first answer on, which is one
/// round trip,
const UDP_BEHIND_TCP_FACTOR: u32 = 3;
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
    /// When TCP was answered.
    up_since: Option<Instant>,
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
        Self { endpoint, to, to_enrol, is_tcp_alone, attempts, by_udp: None, by_tcp: None, up_since: None }
    }

    /// The first attempt that succeeds; the others are dropped. One that fails while others are under way brings no
    /// next one forward: what refuses one at once refuses many.
    ///
    /// # Errors
    /// If all that were under way have failed, or none has succeeded in time.
    pub(super) async fn run(mut self) -> Outcome {
        let (mut round, mut next) = (0, Instant::now());
        let end = next + ATTEMPT_MAX;
        while Instant::now() < end {
            if Instant::now() >= next {
                self.begin_round(round);
                (round, next) = (round + 1, next + RACE_AFTER);
            }
            tokio::select! {
                Some(ended) = self.attempts.join_next() => match self.judge(ended) {
                    Some(Ok(peer)) if is_over_tcp(&peer) && !self.is_tcp_alone => {
                        return Ok(self.rather_by_udp(peer).await);
                    }
                    Some(outcome) => return outcome,
                    None => {}
                },
                () = answer(self.by_tcp.as_mut()) => {
                    self.up_since = Some(Instant::now());
                    self.refresh_udp();
                }
                () = sleep_until(next.min(end)) => {}
            }
        }
        Err(ConnectError::Deadline { seconds: ATTEMPT_MAX.as_secs() })
    }

    /// What is not answered is begun anew.
    fn begin_round(&mut self, round: usize) {
        if !is_answered(self.by_udp.as_ref()) {
            self.begin_udp();
        }
        let is_tcps = round % 2 == usize::from(!self.is_tcp_alone);
        if is_tcps && !is_answered(self.by_tcp.as_ref()) {
            self.begin_tcp();
        }
    }

    /// Packets pass, and those of the attempt that is under way may have gone before they did.
    fn refresh_udp(&mut self) {
        let is_fresh = self.by_udp.as_ref().is_some_and(|attempt| attempt.began.elapsed() < FRESH);
        if !is_fresh && !is_answered(self.by_udp.as_ref()) {
            self.begin_udp();
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
        let task = self.attempts.spawn(async move { tcp.dial(to, to_enrol, on_answer).await });
        replace(&mut self.by_tcp, UnderWay { task, began: Instant::now(), answered });
    }

    /// What the end of an attempt means for all of them; nothing while others are under way.
    fn judge(&self, ended: Result<Outcome, JoinError>) -> Option<Outcome> {
        match ended {
            Ok(Ok(peer)) => {
                if !is_over_tcp(&peer) {
                    self.endpoint.remembered().remove(&self.to);
                }
                Some(Ok(peer))
            }
            Ok(Err(error)) if self.attempts.is_empty() => Some(Err(error)),
            // It has failed beside others, or another has taken its place.
            _ => None,
        }
    }

    /// TCP has passed, so somebody is there and the link is up: if UDP passes, it does so soon.
    async fn rather_by_udp(mut self, by_tcp: Peer) -> Peer {
        let took = self.up_since.map_or(UDP_BEHIND_TCP_MAX, |since| since.elapsed());
        let wait = (took * UDP_BEHIND_TCP_FACTOR).clamp(UDP_BEHIND_TCP_MIN, UDP_BEHIND_TCP_MAX);
        let until = Instant::now() + wait;
        while let Ok(Some(ended)) = timeout_at(until, self.attempts.join_next()).await {
            if let Ok(Ok(peer)) = ended {
                by_tcp.connection.close(CloseCode::Surpassed, "udp passes");
                return peer;
            }
        }
        tracing::info!(address = %self.to, "udp does not pass: going on over tcp");
        self.endpoint.remember_tcp_alone(self.to);
        by_tcp
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
