//! What one might do without any engine: a file of records becomes the body of one HTTPS POST, zstd over JSON, and the
//! answer holds what the other side has newer. Either all records go, or those stored here since the last answer.
//! Of two versions of a record the later one by its author's clock stays, and the other is lost: nothing is merged,
//! nothing is signed, and there is no history.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::child::{Order, Parent, Word, tell};
use crate::families::{self, Editor, Families, MEASURING_SEED};
use crate::scene::{Scene, Way};

/// The level at which this project compresses, too.
const LEVEL: i32 = 6;
const HOST: &str = "localhost";

/// Which records one sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sends {
    /// All.
    All,
    /// Those stored since the last answer.
    Changed,
}

/// A record as it is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    /// When its author wrote it, by the author's clock.
    written_ms: u64,
    record: Box<RawValue>,
}

/// A record as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    /// When it came here, by this side's clock.
    stored_ms: u64,
    /// When its author wrote it, by the author's clock.
    written_ms: u64,
    text: String,
}

/// All records, by id.
type Records = BTreeMap<String, Kept>;

/// What both request and answer hold.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Message {
    /// In a request, from when on the office's news are asked for; in an answer, until when they are told. Both by the
    /// office's clock.
    office_ms: u64,
    records: BTreeMap<String, Version>,
}

impl Kept {
    /// One that is stored now.
    fn written(written_ms: u64, text: String) -> Self {
        Self { stored_ms: now_ms(), written_ms, text }
    }
}

/// Until when a phone and an office have told each other everything.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Since {
    own_ms: u64,
    office_ms: u64,
}

impl Since {
    /// Who never met anyone has told nothing.
    fn read(dir: &Path) -> Self {
        let kept = fs::read(dir.join("since")).ok();
        kept.and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default()
    }
}

/// Writes all records on the phone, and a certificate for the office that the phone trusts.
///
/// # Errors
/// If the disk fails.
pub fn prepare(scene: &Scene, records: usize) -> anyhow::Result<()> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec![HOST.into()])?;
    for dir in [scene.phone(), scene.office()] {
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("certificate"), cert.der())?;
    }
    fs::write(scene.office().join("key"), signing_key.serialize_der())?;
    let mut families = Families::new(MEASURING_SEED)?;
    let mut written = Records::new();
    for at in 0..records {
        let family = families.draw()?;
        let kept = Kept::written(now_ms(), family.interview.to_string());
        written.insert(format!("{}-{at:06}", family.home), kept);
    }
    write(&scene.phone(), &written)?;
    write(&scene.office(), &Records::new())
}

/// The twin is a copy of the office, and the phone forgets that it ever met anyone.
///
/// # Errors
/// If the disk fails.
pub fn fill_twin(scene: &Scene) -> anyhow::Result<()> {
    Scene::at(&scene.office()).copy(&scene.twin())?;
    Ok(fs::remove_file(scene.phone().join("since"))?)
}

/// Makes the edits of one side.
///
/// # Errors
/// If the disk fails.
pub fn edit(dir: &Path, count: usize, editor: Editor) -> anyhow::Result<()> {
    let mut records = read(dir)?;
    for (at, patch) in families::edits(count, editor) {
        let kept = records.values_mut().nth(at).context("a record is there")?;
        let mut record: Value = serde_json::from_str(&kept.text)?;
        for (name, value) in patch.as_object().context("a patch is an object")? {
            record[name] = value.clone();
        }
        *kept = Kept::written(now_ms(), record.to_string());
    }
    write(dir, &records)
}

/// Posts once, or answers until it is stopped.
///
/// # Errors
/// If the disk fails, or what is posted can't be read.
pub async fn serve(dir: &Path, way: Way, sends: Sends, parent: &mut Parent) -> anyhow::Result<()> {
    let mut records = read(dir)?;
    let listener = TcpListener::bind((HOST, 0)).await?;
    tell(&Word::Ready(listener.local_addr()?));
    if way == Way::Dial {
        let connector = connector(dir)?;
        loop {
            match parent.order().await {
                Order::Go(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    post(
                        dir,
                        &mut records,
                        sends,
                        connector.connect(ServerName::try_from(HOST)?, stream).await?,
                    )
                    .await?;
                    tell(&Word::Done);
                }
                Order::Rest => {}
                Order::Work(..) => bail!("a day's work is not known here"),
                Order::Stop => break,
            }
        }
        tell(&Word::Held(digest(&records)));
        return Ok(());
    }
    let shared = Arc::new(Mutex::new(records));
    tokio::select! {
        answered = answer_all(dir, &shared, &listener) => answered?,
        () = parent.stop() => {}
    }
    tell(&Word::Held(digest(&shared.lock().unwrap_or_else(PoisonError::into_inner))));
    Ok(())
}

async fn post(
    dir: &Path,
    records: &mut Records,
    sends: Sends,
    stream: TlsStream<TcpStream>,
) -> anyhow::Result<()> {
    let since = if sends == Sends::All { Since::default() } else { Since::read(dir) };
    let message = Message { office_ms: since.office_ms, records: stored_after(records, since.own_ms)? };
    let body = pack(&message)?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let carrying = tokio::spawn(connection);
    let request = Request::post("/records").header("host", HOST).header("content-encoding", "zstd");
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    ensure!(response.status().is_success(), "the office says {}", response.status());
    let answer: Message = unpack(&response.into_body().collect().await?.to_bytes())?;
    drop(sender);
    carrying.await??;
    if merge(records, answer.records) {
        write(dir, records)?;
    }
    let since = Since { own_ms: now_ms(), office_ms: answer.office_ms };
    replace(&dir.join("since"), &serde_json::to_vec(&since)?)
}

async fn answer_all(dir: &Path, records: &Arc<Mutex<Records>>, listener: &TcpListener) -> anyhow::Result<()> {
    let acceptor = acceptor(dir)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let stream = acceptor.accept(stream).await?;
        let service = service_fn(async |request| answer(dir, records, request).await);
        server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?;
    }
}

/// Takes what came, and is done when it is durable.
async fn answer(
    dir: &Path,
    records: &Mutex<Records>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answered = async {
        let message: Message = unpack(&request.into_body().collect().await?.to_bytes())?;
        let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = stored_after(&records, message.office_ms)?;
        // What is told in this version needs no telling back.
        news.retain(|id, ours| {
            message.records.get(id).is_none_or(|theirs| theirs.written_ms < ours.written_ms)
        });
        if merge(&mut records, message.records) {
            write(dir, &records)?;
        }
        tell(&Word::Done);
        pack(&Message { office_ms: now_ms(), records: news })
    };
    let answered: anyhow::Result<Bytes> = answered.await;
    let failed =
        |error: &anyhow::Error| Response::builder().status(500).body(Full::new(error.to_string().into()));
    let response = match &answered {
        Ok(body) => Response::builder().header("content-encoding", "zstd").body(Full::new(body.clone())),
        Err(error) => failed(error),
    };
    Ok(response.expect("a response of fixed parts is one"))
}

fn stored_after(records: &Records, since_ms: u64) -> anyhow::Result<BTreeMap<String, Version>> {
    let news = records.iter().filter(|(_, kept)| kept.stored_ms > since_ms);
    news.map(|(id, kept)| {
        let record = RawValue::from_string(kept.text.clone())?;
        Ok((id.clone(), Version { written_ms: kept.written_ms, record }))
    })
    .collect()
}

/// Takes what is newer, and says whether anything was.
fn merge(records: &mut Records, news: BTreeMap<String, Version>) -> bool {
    let mut is_changed = false;
    for (id, theirs) in news {
        if records.get(&id).is_none_or(|ours| ours.written_ms < theirs.written_ms) {
            records.insert(id, Kept::written(theirs.written_ms, theirs.record.get().into()));
            is_changed = true;
        }
    }
    is_changed
}

fn pack(message: &Message) -> anyhow::Result<Bytes> {
    Ok(zstd::bulk::compress(&serde_json::to_vec(message)?, LEVEL)?.into())
}

fn unpack(body: &[u8]) -> anyhow::Result<Message> {
    Ok(serde_json::from_slice(&zstd::decode_all(body)?)?)
}

fn connector(dir: &Path) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(fs::read(dir.join("certificate"))?))?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn acceptor(dir: &Path) -> anyhow::Result<TlsAcceptor> {
    let certificate = CertificateDer::from(fs::read(dir.join("certificate"))?);
    let key = PrivatePkcs8KeyDer::from(fs::read(dir.join("key"))?);
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key.into())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(dir: &Path) -> anyhow::Result<Records> {
    Ok(serde_json::from_slice(&fs::read(dir.join("records.json"))?)?)
}

fn write(dir: &Path, records: &Records) -> anyhow::Result<()> {
    replace(&dir.join("records.json"), &serde_json::to_vec(records)?)
}

/// Whole or not at all, also when power is lost.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(fs::rename(fresh, path)?)
}

fn digest(records: &Records) -> String {
    let text = records.iter().map(|(id, kept)| format!("{id}{}{}", kept.written_ms, kept.text));
    format!(
        "{} {:.16}",
        records.len(),
        rukun_change::Digest::of(text.collect::<String>().as_bytes()).to_string()
    )
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
