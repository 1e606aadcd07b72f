//! `rukun daemon`: a data folder becomes a running node. It opens the store, starts the core,
//! listens, dials, and leaves a note for the command line; on a signal it takes leave of its peers
//! and stops.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use rukun_authority::Keypair;
use rukun_replica::{Replica, ReplicaError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;

use crate::dial::Dialer;
use crate::disk::{DaemonNote, Folder, random};
use crate::drive::{self, Driven};
use crate::http;
use crate::link::Linker;
use crate::quic::{CloseCode, Endpoint};

/// The exit code after a fault of the disk (`EX_IOERR`): what was acknowledged is there, and a
/// restart recovers it.
pub const EXIT_DISK_FAULT: u8 = 74;
/// How long peers are told of the end: a connection that is still being made would hold it up.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// What a daemon is told when it starts.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The data folder.
    pub dir: PathBuf,
    /// Where peers reach it, over UDP.
    pub listen: SocketAddr,
    /// Where programs on this device reach it: a loopback address.
    pub http: SocketAddr,
    /// Addresses to dial besides those that the node has stored.
    pub peers: Vec<String>,
}

/// The disk failed under a running node.
#[derive(Debug, thiserror::Error)]
#[error("the store failed, and the node has stopped: {0}")]
pub struct DiskFault(#[from] pub ReplicaError);

/// The exit code for an error of [`run`].
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<DiskFault>() { EXIT_DISK_FAULT } else { 1 }
}

/// Runs a node until it is told to stop by SIGINT or SIGTERM.
///
/// # Errors
/// If it can't start, or the disk fails: then the error is a [`DiskFault`].
pub async fn run(options: RunOptions) -> anyhow::Result<()> {
    log_to_stderr();
    if !options.http.ip().is_loopback() {
        bail!("{} is no loopback address; the HTTP interface is for this device only", options.http);
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let folder = Folder::at(options.dir);
    let store = folder.open_store()?;
    let keypair = Keypair::from_seed(store.device_seed());
    let replica = Replica::open(store, *random()?)?;
    let endpoint = Endpoint::bind(options.listen, &keypair)?;
    let listener =
        TcpListener::bind(options.http).await.with_context(|| format!("http on {}", options.http))?;
    let Driven { core, linker, mut ended, stop } = drive::start(replica)?;

    let token = HEXLOWER.encode(&*random::<32>()?);
    let note = DaemonNote {
        pid: std::process::id(),
        http: listener.local_addr()?,
        quic: endpoint.local_addr()?,
        token: token.clone(),
    };
    let accepting = tokio::spawn(accept(endpoint.clone(), linker.clone()));
    let dialer = Dialer::new(endpoint.clone(), linker, core.survey());
    let dialing = tokio::spawn(dialer.run(options.peers, core.addresses()));
    let router = http::router(core, keypair.key(), token);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    folder.write_note(&note)?;
    tracing::info!("listening on {} for peers and on {} for this device", note.quic, note.http);

    let outcome = tokio::select! {
        ended = &mut ended => ended,
        _ = terminate.recv() => stopped(stop, ended).await,
        _ = interrupt.recv() => stopped(stop, ended).await,
    };
    for task in [accepting, dialing] {
        task.abort();
    }
    serving.abort();
    // The core has ended, and with it the store is free for the command line.
    let removed = folder.remove_note(note.pid);
    let _ = timeout(FAREWELL_MAX, endpoint.close(CloseCode::Stopping, "stopping")).await;
    outcome.context("the core thread broke off")?.map_err(DiskFault)?;
    removed?;
    tracing::info!("stopped");
    Ok(())
}

async fn stopped(
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<(), ReplicaError>>,
) -> Result<Result<(), ReplicaError>, oneshot::error::RecvError> {
    // A core that has just ended by itself needs no telling.
    let _ = stop.send(());
    ended.await
}

/// Takes in who connects, until the endpoint is closed.
pub async fn accept(endpoint: Endpoint, linker: Linker) {
    while let Some(arriving) = endpoint.arriving().await {
        let linker = linker.clone();
        tokio::spawn(async move {
            let from = arriving.remote_address();
            match arriving.handshake().await {
                Ok(peer) => {
                    let device = peer.key.short();
                    tracing::info!(%from, device, "linked");
                    let reason = linker.run(peer).await;
                    tracing::info!(%from, device, "link ended: {reason}");
                }
                Err(error) => tracing::info!(%from, "no link: {error}"),
            }
        });
    }
}

/// To stderr, as `RUST_LOG` says; once a process.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A log that is set up already, by a program that runs several nodes, stays.
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(coloured);
    let _ = log.with_writer(std::io::stderr).try_init();
}
