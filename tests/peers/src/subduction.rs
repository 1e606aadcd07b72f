//! subduction_core 0.20 over TCP: each family is a sedimentree, each Automerge change a signed commit in the redb storage
//! of its authors. It is joined to sockets in `subduction/transport.rs`. The phone syncs all trees that it knows with the office,
//! as the library's guide has it, and is done when each commit that it sent was answered with the office's heads, which follows
//! the office's own commit to the disk.

mod transport;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail, ensure};
use automerge::{Automerge, Change};
use future_form::Sendable;
use futures::{TryStreamExt, stream};
use rukun_change::Digest;
use sedimentree_core::blob::Blob;
use sedimentree_core::depth::CountLeadingZeroBytes;
use sedimentree_core::id::SedimentreeId;
use sedimentree_core::loose_commit::id::CommitId;
use subduction_core::handler::sync::SyncHandler;
use subduction_core::handshake::audience::{Audience, DiscoveryId};
use subduction_core::handshake::{self, MAX_PLAUSIBLE_DRIFT};
use subduction_core::policy::open::OpenPolicy;
use subduction_core::subduction::Subduction;
use subduction_core::subduction::builder::SubductionBuilder;
use subduction_core::timeout::call::CallTimeout;
use subduction_core::timestamp::TimestampSeconds;
use subduction_core::transport::message::MessageTransport;
use subduction_crypto::nonce::Nonce;
use subduction_crypto::signer::memory::MemorySigner;
use subduction_redb_storage::RedbStorage;
use tokio::net::{TcpListener, TcpStream};

use crate::child::{Order, Parent, Word, tell};
use crate::document;
use crate::families::{self, Editor, Families, MEASURING_SEED};
use crate::scene::{Scene, Way};
use transport::{Framed, TokioSpawn, TokioTimeout};

/// Under what the office is dialed.
const SERVICE: &[u8] = b"office";
/// Commits on their way to the disk at once: its writer takes them together.
const WRITES_MAX: usize = 256;

type Conn = MessageTransport<Framed>;
type Handler = SyncHandler<Sendable, RedbStorage, Conn, OpenPolicy, CountLeadingZeroBytes, TokioSpawn>;
type Engine = Arc<
    Subduction<
        'static,
        Sendable,
        RedbStorage,
        Conn,
        Handler,
        OpenPolicy,
        MemorySigner,
        TokioTimeout,
        TokioSpawn,
    >,
>;

/// Makes all trees on the phone.
///
/// # Errors
/// If the disk fails.
pub async fn prepare(scene: &Scene, records: usize) -> anyhow::Result<()> {
    for dir in [scene.phone(), scene.office()] {
        std::fs::create_dir_all(dir.join("store"))?;
    }
    let engine = open(&scene.phone())?;
    let mut families = Families::new(MEASURING_SEED)?;
    let documents = (0..records).map(|at| Ok((tree(at), document::document(&families.draw()?.interview)?)));
    stream::iter(documents)
        .try_for_each_concurrent(WRITES_MAX, async |(tree, document): (_, Automerge)| {
            store(&engine, tree, document).await
        })
        .await
}

/// The twin is a copy of the office; its folder's name gives it a key of its own.
///
/// # Errors
/// If the disk fails.
pub fn fill_twin(scene: &Scene) -> anyhow::Result<()> {
    Scene::at(&scene.office()).copy(&scene.twin()).map(drop)
}

/// Makes the edits of one side.
///
/// # Errors
/// If a tree is not there, or holds what is no document.
pub async fn edit(dir: &Path, records: usize, editor: Editor) -> anyhow::Result<()> {
    let engine = open(dir)?;
    for (at, patch) in families::edits(records, editor) {
        let blobs = engine.get_blobs(tree(at)).await?.context("a tree is there")?;
        let mut document = Automerge::new();
        for blob in blobs {
            document.load_incremental(blob.as_slice())?;
        }
        document::edit(&mut document, editor, &patch)?;
        store(&engine, tree(at), document).await?;
    }
    Ok(())
}

/// Runs an engine.
///
/// # Errors
/// If the disk or the connection fails.
pub async fn serve(dir: &Path, way: Way, parent: &mut Parent) -> anyhow::Result<()> {
    let engine = open(dir)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    tell(&Word::Ready(listener.local_addr()?));
    match way {
        Way::Dial => loop {
            match parent.order().await {
                Order::Go(address) => dial(&engine, TcpStream::connect(address).await?).await?,
                Order::Rest => engine.disconnect_all().await?,
                Order::Work(..) => bail!("a day's work is not known here"),
                Order::Stop => break,
            }
        },
        Way::Listen => tokio::select! {
            accepted = accept(&engine, &listener) => accepted?,
            () = parent.stop() => {}
        },
    }
    tell(&Word::Held(held(&engine).await));
    Ok(())
}

async fn dial(engine: &Engine, stream: TcpStream) -> anyhow::Result<()> {
    let framed = Framed::over(stream)?;
    let answered = framed.answers();
    let audience = Audience::discover(SERVICE);
    let connect = |framed, _| (MessageTransport::new(framed), ());
    let shaken = handshake::initiate::<Sendable, _, _, _, _>(
        framed,
        connect,
        engine.signer(),
        audience,
        now(),
        Nonce::random(),
    );
    let (connection, ()) = shaken.await.map_err(|error| anyhow!("{error:?}"))?;
    let office = connection.peer_id();
    engine.add_connection(connection).await.map_err(|error| anyhow!("{error:?}"))?;
    let (_, stats, calls, faults) = engine.full_sync_with_peer(&office, true, CallTimeout::Uncapped).await;
    ensure!(calls.is_empty() && faults.is_empty(), "{} calls and {} trees failed", calls.len(), faults.len());
    answered.wait_for(stats.commits_sent + stats.fragments_sent).await;
    tell(&Word::Done);
    Ok(())
}

async fn accept(engine: &Engine, listener: &TcpListener) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let connect = |framed, _| (MessageTransport::new(framed), ());
        let shaken = handshake::respond::<Sendable, _, _, _, _>(
            Framed::over(stream)?,
            connect,
            engine.signer(),
            engine.nonce_cache(),
            engine.peer_id(),
            Some(Audience::discover(SERVICE)),
            now(),
            MAX_PLAUSIBLE_DRIFT,
        );
        let (connection, ()) = shaken.await.map_err(|error| anyhow!("{error:?}"))?;
        engine.add_connection(connection).await.map_err(|error| anyhow!("{error:?}"))?;
        // Whether all is answered is what the phone waits for.
        tell(&Word::Done);
    }
}

fn open(dir: &Path) -> anyhow::Result<Engine> {
    let name = dir.file_name().context("a side's folder has a name")?;
    let seed = Digest::of(name.as_encoded_bytes());
    let (engine, _, listener, manager) = SubductionBuilder::<_, _, _, _, _, _, 256>::new()
        .signer(MemorySigner::from_bytes(seed.as_bytes()))
        .storage(RedbStorage::new(dir.join("store"))?, Arc::new(OpenPolicy))
        .spawner(TokioSpawn)
        .timer(TokioTimeout)
        .discovery_id(DiscoveryId::new(SERVICE))
        .build::<Sendable, Conn>();
    tokio::spawn(listener);
    tokio::spawn(manager);
    Ok(engine)
}

/// Keeps the last change of a document as a commit of its tree.
async fn store(engine: &Engine, tree: SedimentreeId, document: Automerge) -> anyhow::Result<()> {
    let changes = document.get_changes(&[]);
    let last: &Change = changes.last().context("a document has a change")?;
    let id = CommitId::new(last.hash().0);
    let parents: BTreeSet<CommitId> = last.deps().iter().map(|cause| CommitId::new(cause.0)).collect();
    let blob = Blob::new(last.raw_bytes().to_vec());
    engine.store_commit(tree, id, parents, blob).await.map_err(|error| anyhow!("{error:?}"))?;
    Ok(())
}

fn tree(at: usize) -> SedimentreeId {
    SedimentreeId::new(*Digest::of(format!("family {at}").as_bytes()).as_bytes())
}

async fn held(engine: &Engine) -> String {
    let mut all = engine.get_all_heads().await;
    for (_, heads) in &mut all {
        heads.sort_unstable();
    }
    all.sort_unstable();
    let text = format!("{all:?}");
    format!("{} trees, heads {:.16}", all.len(), Digest::of(text.as_bytes()).to_string())
}

fn now() -> TimestampSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampSeconds::new(since.as_secs())
}
