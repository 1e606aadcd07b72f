//! `rukun daemon`: a data folder becomes a running node. It opens the store, starts the core,
//! listens, dials, and leaves a note for the command line; on a signal it takes leave of its peers
//! and stops.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use rukun_authority::Keypair;
use rukun_replica::{ActionError, OpenError, Replica, ReplicaError, StoreError};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
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
/// How long a port is waited for that somebody has, when the node starts.
const BIND_MAX: Duration = Duration::from_secs(1);
/// And when it starts anew: its own last links may hold the port, one whose handshake is not answered for 4.5 s.
const BIND_ANEW_MAX: Duration = Duration::from_mins(1);
/// How long the store is waited for when the node starts anew: a command that came between makes it anew itself.
const STORE_ANEW_MAX: Duration = Duration::from_mins(10);
const AGAIN_AFTER: Duration = Duration::from_millis(100);
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
    let (mut is_anew, mut http) = (false, None);
    let outcome = loop {
        let began = tokio::select! {
            began = begin(&options, is_anew, &mut http) => began,
            _ = signals.0.recv() => break Ok(()),
            _ = signals.1.recv() => break Ok(()),
        };
        let ended = match began {
            Ok(began) => run_once(&mut options, began, &network, &token, &mut signals).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(Ended::ToRenew) => tracing::info!("starting anew on a store that was made anew"),
            ended => break ended.map(|_| ()),
        }
        is_anew = true;
    };
    watching.abort();
    // While it starts anew the note stays: it is only busy.
    let removed = options.folder.remove_note(std::process::id());
    outcome?;
    removed?;
    tracing::info!("stopped");
    Ok(())
}

/// What a node runs on.
struct Begun {
    replica: Replica,
    keypair: Keypair,
    endpoint: Endpoint,
    listener: TcpListener,
}

/// Opens the store, and listens. The HTTP port is held from the first time on: whoever got it in between would be shown
/// the token by who has found the daemon there before.
async fn begin(
    options: &RunOptions,
    is_anew: bool,
    http: &mut Option<std::net::TcpListener>,
) -> anyhow::Result<Begun> {
    let RunOptions { folder, listen, keep_alive, .. } = options;
    let (store_max, bind_max) =
        if is_anew { (STORE_ANEW_MAX, BIND_ANEW_MAX) } else { (Duration::ZERO, BIND_MAX) };
    let is_in_use = |error: &DiskError| matches!(error, DiskError::InUse { .. });
    let store = within(store_max, || folder.open_store(), is_in_use).await?;
    let keypair = Keypair::from_seed(store.device_seed());
    let replica = Replica::open(store, *random()?)?;
    let is_taken = |error: &ConnectError| match error {
        ConnectError::Bind { source, .. } => source.kind() == io::ErrorKind::AddrInUse,
        _ => false,
    };
    let endpoint = within(bind_max, || Endpoint::bind(*listen, &keypair), is_taken).await;
    let endpoint = match endpoint {
        Err(error) if is_taken(&error) => {
            let remedy = "no place for peers to come to; choose another by --listen ADDR:PORT";
            return Err(anyhow::Error::from(error).context(remedy));
        }
        endpoint => endpoint?.keep_alive(*keep_alive),
    };
    let listener = if let Some(held) = http {
        held
    } else {
        let bound = TcpListener::bind(options.http).await;
        http.insert(bound.with_context(|| format!("http on {}", options.http))?.into_std()?)
    };
    let listener = TcpListener::from_std(listener.try_clone()?)?;
    Ok(Begun { replica, keypair, endpoint, listener })
}

/// Tries until it succeeds, fails for another reason, or this time is over.
async fn within<T, E>(
    time: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
    may_pass: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let until = Instant::now() + time;
    loop {
        match attempt() {
            Err(error) if may_pass(&error) && Instant::now() < until => sleep(AGAIN_AFTER).await,
            ended => return ended,
        }
    }
}

/// Runs a node until it is told to stop, or its store is to be made anew. Where it listens is written down, so that
/// its peers find it there again.
async fn run_once(
    options: &mut RunOptions,
    Begun { replica, keypair, endpoint, listener }: Begun,
    network: &Network,
    token: &str,
    (terminate, interrupt): &mut (Signal, Signal),
) -> anyhow::Result<Ended> {
    let RunOptions { folder, listen, http, peers, lan, budget_bytes, .. } = options;
    let Driven { core, linker, mut ended, stop } = drive::start(replica)?;
    let linker = linker.counted_in(network.clone());

    let note = DaemonNote {
        pid: std::process::id(),
        http: listener.local_addr()?,
        quic: endpoint.local_addr()?,
        token: token.into(),
    };
    // They end with this one, however it ends.
    let mut tasks = JoinSet::new();
    let accepting = accept(endpoint.clone(), linker.clone(), core.clone());
    tasks.spawn(async {
        accepting.await;
        // The endpoint is closed only after all this has ended.
        Err("the network socket has ended, and nobody could reach this node any more")
    });
    let dialer = Dialer::new(endpoint.clone(), linker, &core);
    let (finding, found) = watch::channel(BTreeSet::new());
    let dialing = dialer.run(peers.clone(), core.addresses(), found);
    tasks.spawn(whole(dialing));
    // Who listens for this machine alone has no neighbours.
    if *lan && !listen.ip().is_loopback() {
        tasks.spawn(whole(lan::look(note.quic, core.survey(), network.outlook(), finding)));
    }
    if budget_bytes.is_some() {
        tasks.spawn(whole(network.clone().keep(folder.clone())));
    }
    let serving = http::serve(listener, core, keypair.key(), network.clone(), token.into());
    tasks.spawn(whole(serving));
    folder.write_note(&note)?;
    (*listen, *http) = (note.quic, note.http);
    tracing::info!("listening on {} for peers and on {} for this device", note.quic, note.http);

    let mut broken = None;
    let outcome = tokio::select! {
        ended = &mut ended => ended,
        _ = terminate.recv() => stopped(stop, ended).await,
        _ = interrupt.recv() => stopped(stop, ended).await,
        error = broken_off(&mut tasks) => {
            broken = Some(error);
            stopped(stop, ended).await
        }
    };
    tasks.shutdown().await;
    if budget_bytes.is_some()
        && let Err(error) = network.write(folder)
    {
        tracing::warn!("what was carried today is not written down: {error}");
    }
    let _ = timeout(FAREWELL_MAX, endpoint.close(CloseCode::Stopping, "stopping")).await;
    let ended = outcome.context("the core thread broke off")?.map_err(DiskFault)?;
    match broken {
        None => Ok(ended),
        Some(error) => Err(error.context("a part of the node broke off, and it has stopped")),
    }
}

/// A part of the node that may end: the core's own end ends some.
async fn whole<F: IntoFuture>(part: F) -> Result<(), &'static str> {
    drop(part.await);
    Ok(())
}

/// Waits until one of the tasks breaks off. That one has ended is no news: the core's own end ends some.
async fn broken_off(tasks: &mut JoinSet<Result<(), &'static str>>) -> anyhow::Error {
    loop {
        match tasks.join_next().await {
            Some(Err(error)) if error.is_panic() => return error.into(),
            Some(Ok(Err(why))) => return anyhow::Error::msg(why),
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
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
    // Whoever reads the log may have stopped. To say so there would be a panic in whatever logs next.
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(coloured).log_internal_errors(false);
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

    fn options(folder: Folder, listen: SocketAddr) -> RunOptions {
        RunOptions {
            folder,
            listen,
            http: "127.0.0.1:0".parse().unwrap(),
            peers: Vec::new(),
            keep_alive: Duration::from_secs(20),
            lan: false,
            budget_bytes: None,
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_gets_the_http_port_while_a_node_starts_anew() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::at(parent.path().join("data"));
        drop(folder.create_store().unwrap());
        let (options, mut http) = (options(folder, "127.0.0.1:0".parse().unwrap()), None);
        let first = begin(&options, false, &mut http).await.unwrap();
        let port = first.listener.local_addr().unwrap();
        drop(first);
        let thief = std::net::TcpListener::bind(port).err().map(|error| error.kind());
        assert_eq!(thief, Some(io::ErrorKind::AddrInUse));
        let anew = begin(&options, true, &mut http).await.unwrap();
        assert_eq!(anew.listener.local_addr().unwrap(), port);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_node_that_starts_anew_waits_for_whoever_has_its_store_and_its_port() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::at(parent.path().join("data"));
        let store = folder.create_store().unwrap();
        let held = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let options = options(folder, held.local_addr().unwrap());
        let first = begin(&options, false, &mut None).await.err().unwrap();
        assert!(matches!(first.downcast_ref(), Some(DiskError::InUse { .. })), "{first}");
        let anew = tokio::spawn(async move { begin(&options, true, &mut None).await });
        sleep(Duration::from_millis(300)).await;
        drop(store);
        // Longer than a first start waits.
        sleep(BIND_MAX * 2).await;
        assert!(!anew.is_finished());
        drop(held);
        anew.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_part_that_breaks_off_is_noticed_and_one_that_ends_is_not() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async { Ok(()) });
        assert!(
            timeout(Duration::from_millis(100), broken_off(&mut tasks)).await.is_err(),
            "it has ended well"
        );
        tasks.spawn(std::future::pending());
        tasks.spawn(async { panic!("it breaks off") });
        let error = timeout(Duration::from_secs(10), broken_off(&mut tasks)).await.unwrap();
        assert!(error.is::<tokio::task::JoinError>(), "{error}");
        tasks.spawn(async { Err("nobody can reach it") });
        let error = timeout(Duration::from_secs(10), broken_off(&mut tasks)).await.unwrap();
        assert_eq!(error.to_string(), "nobody can reach it");
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
