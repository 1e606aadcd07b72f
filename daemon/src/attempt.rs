//! Attempts to connect, from either end and whatever carries them: how long one may take, and why one fails.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

/// How long an attempt to connect may take, from either end.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(20);

const REASON_CHARS_MAX: usize = 200;

/// An attempt, or the deadline.
pub(crate) async fn within_deadline<F: IntoFuture>(attempt: F) -> Result<F::Output, ConnectError> {
    let seconds = ATTEMPT_MAX.as_secs();
    timeout(ATTEMPT_MAX, attempt).await.map_err(|_| ConnectError::Deadline { seconds })
}

/// A reason as it may stand in a log: a peer's words, so neither long nor with control characters.
pub(crate) fn cut(reason: &str) -> String {
    reason.chars().filter(|letter| !letter.is_control()).take(REASON_CHARS_MAX).collect()
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address to listen on is taken, or not this machine's.
    #[error("cannot listen on {listen} over {over}: {source}")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// `udp` or `tcp`.
        over: &'static str,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// An address that can't be dialed from here.
    #[error("cannot dial {address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: quinn::ConnectError,
    },
    /// The handshake failed, over UDP.
    #[error("{}", cut(&.0.to_string()))]
    Quic(#[from] quinn::ConnectionError),
    /// Nobody is there, or the handshake failed, over TCP.
    #[error("over tcp: {0}")]
    Tcp(#[from] std::io::Error),
    /// Nobody answered in time.
    #[error("no answer within {seconds} s")]
    Deadline {
        /// The time given.
        seconds: u64,
    },
    /// The other end showed no device key.
    #[error("the peer showed no Ed25519 key")]
    NoKey,
    /// As many connections as there may be.
    #[error("at the limit of {max} connections")]
    Full {
        /// The limit.
        max: usize,
    },
    /// The TLS library refuses its settings.
    #[error("tls refuses this device's key: {0}")]
    Tls(#[from] rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_from_a_peer_is_cut_and_cleaned() {
        assert_eq!(cut("a\x1b[31m\nb"), "a[31mb");
        assert_eq!(cut(&"x".repeat(5_000)).len(), REASON_CHARS_MAX);
    }

    #[test]
    fn what_a_stranger_closes_with_is_one_line_of_a_log() {
        let reason = "\n2026-11-30T00:00:00Z  INFO enrolment: granted".into();
        let close = quinn::ConnectionClose {
            error_code: quinn::TransportErrorCode::NO_ERROR,
            frame_type: None,
            reason,
        };
        let error = ConnectError::Quic(quinn::ConnectionError::ConnectionClosed(close));
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}
