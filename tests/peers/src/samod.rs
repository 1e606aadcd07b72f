//! samod 0.16 over its TCP transport: each family is an Automerge document in its file storage. The phone has all
//! documents open before it dials, since samod announces no others. It counts as done when every document's
//! heads are known to be shared; a connection that is lost meanwhile it makes again itself. That storage is infallible and calls no sync of the disk, so what is done may not be durable.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::{Context, anyhow};
use futures::future::{pending, try_join_all};
use futures::{Stream, StreamExt};
use rukun_change::Digest;
use samod::storage::TokioFilesystemStorage;
use samod::{
    BackoffConfig, ConnectionId, DialerEvent, DialerHandle, DocHandle, DocumentId, Repo, Transport, Url,
};
use tokio::net::TcpListener;

use crate::child::{Order, Parent, Word, tell};
use crate::document;
use crate::families::{self, Day, Editor, Families, MEASURING_SEED};
use crate::scene::{Scene, Way};

/// Documents that one repository makes: it slows down with all that it has open.
const BATCH: usize = 500;

/// Makes all documents on the phone.
///
/// # Errors
/// If the disk fails.
pub async fn prepare(scene: &Scene, records: usize) -> anyhow::Result<()> {
    for dir in [scene.phone(), scene.office()] {
        fs::create_dir_all(dir.join("store"))?;
    }
    let mut families = Families::new(MEASURING_SEED)?;
    let mut ids = Vec::new();
    while ids.len() < records {
        let repository = open(&scene.phone()).await;
        for _ in 0..BATCH.min(records - ids.len()) {
            let document = document::document(&families.draw()?.interview)?;
            let handle = repository.create(document).await.map_err(stopped)?;
            ids.push(handle.document_id().to_string());
        }
        repository.stop().await;
    }
    Ok(fs::write(list(&scene.phone()), ids.join("\n"))?)
}

/// The twin is a copy of the office: samod remembers no peer.
///
/// # Errors
/// If the disk fails.
pub fn fill_twin(scene: &Scene) -> anyhow::Result<()> {
    Scene::at(&scene.office()).copy(&scene.twin()).map(drop)
}

/// Makes the edits of one side.
///
/// # Errors
/// If a document is not there.
pub async fn edit(dir: &Path, records: usize, editor: Editor) -> anyhow::Result<()> {
    let repository = open(dir).await;
    let ids = ids(dir)?;
    for (at, patch) in families::edits(records, editor) {
        let id = ids.get(at).context("a document is listed")?;
        let handle = find(&repository, id.clone()).await?;
        handle.with_document(|document| document::edit(document, editor, &patch))?;
    }
    repository.stop().await;
    Ok(())
}

/// Runs a repository.
///
/// # Errors
/// If the disk or the connection fails.
pub async fn serve(dir: &Path, way: Way, at: IpAddr, parent: &mut Parent) -> anyhow::Result<()> {
    let repository = open(dir).await;
    let listener = TcpListener::bind((at, 0)).await?;
    match way {
        Way::Dial => be_phone(&repository, dir, &listener, parent).await?,
        Way::Listen => be_office(&repository, dir, &listener, parent).await?,
    }
    // Those that were made meanwhile are listed by now.
    tell(&Word::Held(held(&repository, ids(dir)?).await?));
    repository.stop().await;
    Ok(())
}

async fn be_phone(
    repository: &Repo,
    dir: &Path,
    listener: &TcpListener,
    parent: &mut Parent,
) -> anyhow::Result<()> {
    let mut handles = try_join_all(ids(dir)?.into_iter().map(|id| find(repository, id))).await?;
    tell(&Word::Ready(listener.local_addr()?));
    let mut dialed: Option<DialerHandle<Infallible>> = None;
    loop {
        match parent.order().await {
            Order::Go(address) => dialed = Some(dial(repository, &handles, address).await?),
            Order::Rest => dialed.take().iter().for_each(DialerHandle::close),
            Order::Work(seed, records) => {
                handles.extend(
                    work(repository, dir, families::day(seed, records, Editor::Phone)?, Editor::Phone)
                        .await?,
                );
                tell(&Word::Worked);
            }
            Order::Stop => return Ok(()),
        }
    }
}

async fn be_office(
    repository: &Repo,
    dir: &Path,
    listener: &TcpListener,
    parent: &mut Parent,
) -> anyhow::Result<()> {
    tell(&Word::Ready(listener.local_addr()?));
    let mut accepting = pin!(accept(repository, listener));
    loop {
        tokio::select! {
            accepted = &mut accepting => return accepted,
            order = parent.order() => match order {
                Order::Work(seed, records) => {
                    work(repository, dir, families::day(seed, records, Editor::Office)?, Editor::Office)
                        .await?;
                    tell(&Word::Worked);
                }
                Order::Stop => return Ok(()),
                Order::Go(_) | Order::Rest => {}
            },
        }
    }
}

/// Writes what a day brings, and gives the documents that are new.
async fn work(repository: &Repo, dir: &Path, day: Day, editor: Editor) -> anyhow::Result<Vec<DocHandle>> {
    let mut ids = ids(dir)?;
    for (at, patch) in day.edits {
        let handle = find(repository, ids.get(at).context("a document is listed")?.clone()).await?;
        handle.with_document(|document| document::edit(document, editor, &patch))?;
    }
    let mut made = Vec::new();
    for family in day.found {
        let handle = repository.create(document::document(&family.interview)?).await.map_err(stopped)?;
        ids.push(handle.document_id().clone());
        made.push(handle);
    }
    if !made.is_empty() {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        fs::write(list(dir), ids.join("\n"))?;
    }
    Ok(made)
}

async fn dial(
    repository: &Repo,
    handles: &[DocHandle],
    address: SocketAddr,
) -> anyhow::Result<DialerHandle<Infallible>> {
    let dialer = repository.dial_tcp(Url::parse(&format!("tcp://{address}"))?, BackoffConfig::default())?;
    share(&dialer, handles).await?;
    tell(&Word::Done);
    Ok(dialer)
}

/// Waits until all of it is known to be on both sides of one connection.
async fn share(dialer: &DialerHandle<Infallible>, handles: &[DocHandle]) -> anyhow::Result<()> {
    let mut events = dialer.events();
    loop {
        dialer.established().await.map_err(|error| anyhow!("{error:?}"))?;
        let Some(connection) = dialer.connection_id() else { continue };
        tokio::select! {
            () = shared(handles, connection) => return Ok(()),
            () = lost(&mut events) => {}
        }
    }
}

async fn shared(handles: &[DocHandle], connection: ConnectionId) {
    for handle in handles {
        handle.they_have_our_changes(connection).await;
        handle.we_have_their_changes(connection).await;
    }
}

/// Waits until the connection is lost.
async fn lost(events: &mut (impl Stream<Item = DialerEvent> + Unpin)) {
    while let Some(event) = events.next().await {
        if matches!(event, DialerEvent::Disconnected { .. }) {
            return;
        }
    }
    pending::<()>().await;
}

async fn accept(repository: &Repo, listener: &TcpListener) -> anyhow::Result<()> {
    let acceptor = repository.make_acceptor(Url::parse("tcp://office")?).map_err(stopped)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let connection = acceptor.accept(Transport::from_tokio_io(stream)).map_err(stopped)?;
        // One that breaks off meanwhile must not keep the next one waiting.
        tokio::spawn(async move {
            if connection.handshake_complete().await.is_ok() {
                // Whether all is shared is what the phone waits for.
                tell(&Word::Done);
            }
        });
    }
}

async fn open(dir: &Path) -> Repo {
    Repo::build_tokio().with_storage(TokioFilesystemStorage::new(dir.join("store"))).load().await
}

async fn find(repository: &Repo, id: DocumentId) -> anyhow::Result<DocHandle> {
    let found = repository.find(id.clone()).await.map_err(stopped)?;
    found.with_context(|| format!("document {id} is not there"))
}

async fn held(repository: &Repo, ids: Vec<DocumentId>) -> anyhow::Result<String> {
    let mut heads = String::new();
    for id in ids {
        let mut of = find(repository, id).await?.with_document(|document| document.get_heads());
        of.sort_unstable();
        let _ = write!(heads, "{of:?}");
    }
    Ok(format!("heads {:.16}", Digest::of(heads.as_bytes()).to_string()))
}

/// Every side knows the documents' ids by this list; samod does not say which ones its storage holds.
fn list(dir: &Path) -> PathBuf {
    dir.with_file_name("documents")
}

fn ids(dir: &Path) -> anyhow::Result<Vec<DocumentId>> {
    let listed = fs::read_to_string(list(dir))?;
    listed.lines().map(|line| line.parse().map_err(|error| anyhow!("{line}: {error}"))).collect()
}

fn stopped(_: samod::Stopped) -> anyhow::Error {
    anyhow!("the repository has stopped")
}
