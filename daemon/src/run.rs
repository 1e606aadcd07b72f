//! `rukun daemon`: a data folder becomes a running node. It opens the store, starts the core,
//! listens, dials, and leaves a note for the command line; on a signal it takes leave of its peers
//! and stops.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use rukun_authority::Keypair;
use rukun_replica::{ActionError, OpenError, Replica, ReplicaError, StoreError};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tracing_subscriber::EnvFilter;

use crate::attempt::ConnectError;
use crate::connection::CloseCode;
use crate::dial::Dialer;
use crate::disk::{DaemonNote, DiskError, Folder, random};
use crate::drive::{self, Core, Driven, Ended};
use crate::endpoint::Endpoint;
use crate::enrol;
use crate::http;
use crate::lan;
use crate::link::Linker;
use crate::netlink;
use crate::network::{Carried, Network};

/// The exit code after a fault of the disk (`EX_IOERR`): what was acknowledged is there, and a
/// restart recovers it.
pub const EXIT_DISK_FAULT: u8 = 74;
/// How often and when a port is tried again that somebody has.
const BIND_TRIES_MAX: usize = 10;
const BIND_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How long peers are told of the end: a connection that is still being made would hold it up.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// What a daemon is told when it starts.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The data folder.
    pub folder: Folder,
    /// Where peers reach it, over UDP.
    pub listen: SocketAddr,
    /// Where programs on this device reach it: a loopback address.
    pub http: SocketAddr,
    /// Addresses to dial besides those that the node has stored.
    pub peers: Vec<String>,
    /// How often links that were dialed are kept up.
    pub keep_alive: Duration,
    /// Whether peers are looked for on the local network.
    pub lan: bool,
    /// What links may carry a day on a metered network, before they are made at need alone.
    pub budget_bytes: Option<u64>,
}

/// The disk failed under a running node.
#[derive(Debug, thiserror::Error)]
#[error("the store failed, and the node has stopped: {0}")]
pub struct DiskFault(#[from] pub ReplicaError);

/// The exit code for an error of [`run`].
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(is_disk_fault) { EXIT_DISK_FAULT } else { 1 }
}

/// The line for an error of [`run`]: what went wrong and why, each said once, also where an error's own
/// text has its cause in it.
pub fn last_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// Runs a node until it is told to stop by SIGINT or SIGTERM.
///
/// # Errors
/// If it can't start, or the disk fails.
pub async fn run(mut options: RunOptions) -> anyhow::Result<()> {
    log_to_stderr();
    if !options.http.ip().is_loopback() {
        bail!("{} is no loopback address; the HTTP interface is for this device only", options.http);
    }
    let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = HEXLOWER.encode(&*random::<32>()?);
    let network = Network::new(options.budget_bytes, Carried::read(&options.folder));
    let watching = tokio::spawn(netlink::watch(network.clone()));
    while run_once(&mut options, &network, &token, &mut signals).await? == Ended::ToRenew {
        tracing::info!("starting anew on a store that was made anew");
    }
    watching.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Runs a node on its store until it is told to stop, or its store is to be made anew. Where it listens is
/// written down, so that its peers find it there again.
async fn run_once(
    RunOptions { folder, listen, http, peers, keep_alive, lan, budget_bytes }: &mut RunOptions,
    network: &Network,
    token: &str,
    (terminate, interrupt): &mut (Signal, Signal),
) -> anyhow::Result<Ended> {
    let store = folder.open_store()?;
    let keypair = Keypair::from_seed(store.device_seed());
    let replica = Replica::open(store, *random()?)?;
    let endpoint = bind(*listen, &keypair).await?.keep_alive(*keep_alive);
    let listener = TcpListener::bind(*http).await.with_context(|| format!("http on {http}"))?;
    let Driven { core, linker, mut ended, stop } = drive::start(replica)?;
    let linker = linker.counted_in(network.clone());

    let note = DaemonNote {
        pid: std::process::id(),
        http: listener.local_addr()?,
        quic: endpoint.local_addr()?,
        token: token.into(),
    };
    let accepting = tokio::spawn(accept(endpoint.clone(), linker.clone(), core.clone()));
    let dialer = Dialer::new(endpoint.clone(), linker, &core);
    let (finding, found) = watch::channel(BTreeSet::new());
    let dialing = tokio::spawn(dialer.run(peers.clone(), core.addresses(), found));
    // Who listens for this machine alone has no neighbours.
    let looking = (*lan && !listen.ip().is_loopback())
        .then(|| tokio::spawn(lan::look(note.quic, core.survey(), network.outlook(), finding)));
    let keeping = budget_bytes.map(|_| tokio::spawn(network.clone().keep(folder.clone())));
    let router = http::router(core, keypair.key(), network.clone(), token.into());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    folder.write_note(&note)?;
    (*listen, *http) = (note.quic, note.http);
    tracing::info!("listening on {} for peers and on {} for this device", note.quic, note.http);

    let outcome = tokio::select! {
        ended = &mut ended => ended,
        _ = terminate.recv() => stopped(stop, ended).await,
        _ = interrupt.recv() => stopped(stop, ended).await,
    };
    for task in [accepting, dialing].into_iter().chain(looking).chain(keeping) {
        task.abort();
        let _ = task.await;
    }
    serving.abort();
    let _ = serving.await;
    // The core has ended, and with it the store is free for the command line.
    let removed = folder.remove_note(note.pid);
    if budget_bytes.is_some()
        && let Err(error) = network.write(folder)
    {
        tracing::warn!("what was carried today is not written down: {error}");
    }
    let _ = timeout(FAREWELL_MAX, endpoint.close(CloseCode::Stopping, "stopping")).await;
    let ended = outcome.context("the core thread broke off")?.map_err(DiskFault)?;
    removed?;
    Ok(ended)
}

/// The last links of a store that was made anew may hold the port for a moment.
async fn bind(listen: SocketAddr, keypair: &Keypair) -> anyhow::Result<Endpoint> {
    for _ in 0..BIND_TRIES_MAX {
        match Endpoint::bind(listen, keypair) {
            Err(ConnectError::Bind { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {
                sleep(BIND_AGAIN_AFTER).await;
            }
            bound => return Ok(bound?),
        }
    }
    Endpoint::bind(listen, keypair)
        .context("no place for peers to come to; choose another by --listen ADDR:PORT")
}

/// Whether the disk failed, before the node ran or while it did. What is damaged or not permitted is no
/// such fault before it runs: a restart does not mend that.
fn is_disk_fault(cause: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind as K;
    let failed = |error: &StoreError| matches!(error, StoreError::Medium(_) | StoreError::Poisoned { .. });
    let while_reading = match cause.downcast_ref() {
        Some(ActionError::Replica(error)) => Some(error),
        _ => cause.downcast_ref(),
    };
    let while_opening = match cause.downcast_ref() {
        Some(OpenError::Medium(_)) => true,
        Some(OpenError::Store(error)) => failed(error),
        _ => false,
    };
    let in_the_folder = match cause.downcast_ref() {
        Some(DiskError::Io { source, .. }) => !matches!(
            source.kind(),
            K::NotFound | K::PermissionDenied | K::AlreadyExists | K::NotADirectory | K::IsADirectory
        ),
        _ => false,
    };
    cause.is::<DiskFault>()
        || while_opening
        || in_the_folder
        || matches!(while_reading, Some(ReplicaError::Store(error)) if failed(error))
}

async fn stopped(
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<Ended, ReplicaError>>,
) -> Result<Result<Ended, ReplicaError>, oneshot::error::RecvError> {
    // A core that has just ended by itself needs no telling.
    let _ = stop.send(());
    ended.await
}

/// Takes in who connects, to be linked or to be enrolled, until the endpoint is closed.
pub async fn accept(endpoint: Endpoint, linker: Linker, core: Core) {
    let relay = endpoint.key();
    while let Some(arriving) = endpoint.arriving().await {
        let (linker, core) = (linker.clone(), core.clone());
        tokio::spawn(async move {
            let from = arriving.remote_address();
            match arriving.handshake().await {
                Ok(peer) if peer.enrols => {
                    let device = peer.key.short();
                    let outcome = enrol::serve(&peer, relay, from.ip(), &core).await;
                    tracing::info!(%from, device, "enrolment: {outcome}");
                }
                Ok(peer) => {
                    let device = peer.key.short();
                    tracing::info!(%from, device, "linked");
                    let reason = linker.run(peer).await;
                    tracing::info!(%from, device, "link ended: {reason}");
                }
                // Most dialers knock over TCP, and go on over QUIC.
                Err(ConnectError::Tcp(error)) => tracing::debug!(%from, "no link over tcp: {error}"),
                Err(error) => tracing::info!(%from, "no link: {error}"),
            }
        });
    }
}

/// To stderr, as `RUST_LOG` says; once a process.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A log that is set up already, by a program that runs several nodes, stays.
    let coloured = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(coloured);
    let _ = log.with_writer(io::stderr).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium() -> io::Error {
        io::Error::from_raw_os_error(5)
    }

    fn open(source: OpenError) -> anyhow::Error {
        DiskError::Open { path: "rukun.redb".into(), source }.into()
    }

    #[test]
    fn a_disk_that_fails_while_the_node_starts_has_the_exit_code_of_one_that_fails_later() {
        let failed = || OpenError::from(medium());
        let poisoned = || ReplicaError::from(StoreError::Poisoned { cause: medium().to_string() });
        let faults: [anyhow::Error; 6] = [
            open(failed()),
            open(StoreError::Poisoned { cause: medium().to_string() }.into()),
            poisoned().into(),
            ActionError::from(poisoned()).into(),
            DiskError::Io { path: "daemon.json".into(), source: io::Error::from_raw_os_error(28) }.into(),
            anyhow::Error::from(DiskFault(poisoned())).context("it ran for a while"),
        ];
        for error in &faults {
            assert_eq!(exit_code(error), EXIT_DISK_FAULT, "{error:?}");
        }
    }

    #[test]
    fn what_a_restart_does_not_mend_is_no_fault_of_the_disk() {
        let denied = io::ErrorKind::PermissionDenied.into();
        let others: [anyhow::Error; 4] = [
            open(OpenError::WrongKeyFile),
            open(OpenError::Corrupted { what: "a page".into() }),
            DiskError::Io { path: "rukun.redb".into(), source: denied }.into(),
            anyhow::Error::from(medium()).context("http on 127.0.0.1:1"),
        ];
        for error in &others {
            assert_eq!(exit_code(error), 1, "{error:?}");
        }
    }

    #[test]
    fn the_last_line_says_each_cause_once() {
        let cause = ReplicaError::from(StoreError::Poisoned { cause: medium().to_string() });
        let said = cause.to_string();
        let words = last_words(&DiskFault(cause).into());
        assert_eq!(words, format!("the store failed, and the node has stopped: {said}"));
        let error = anyhow::Error::msg("address in use").context("http on 127.0.0.1:1");
        assert_eq!(last_words(&error), "http on 127.0.0.1:1: address in use");
    }
}
