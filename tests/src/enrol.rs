//! Hundreds of officers enrolled by code against one relay: each a device of its own, with its own key,
//! folder and store, over real QUIC on loopback, in one process, some at a time. It stops where a device
//! is enrolled twice, or by a code that is not its own.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use data_encoding::HEXLOWER;
use rukun::disk::{Folder, random};
use rukun::drive::{self, Core, Driven};
use rukun::endpoint::Endpoint;
use rukun::enrol::{self, EnrolFailure};
use rukun::node::Node;
use rukun::run::accept;
use rukun::survey::{BUILT_IN, Survey};
use rukun::verbs::{self, EnrolledShape, InvitedShape, NewOfficer, OfficerRow, OfficersShape, Request};
use rukun_authority::Keypair;
use rukun_replica::{Code, EnrolError, EnrolRefusal, Replica};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const TRIES_MAX: u8 = 5;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// How many officers were invited and enrolled.
    pub officers: usize,
    /// How many asked at a time.
    pub at_once: usize,
    /// How long inviting all of them took.
    pub invited_s: f64,
    /// How long it took until the last one was enrolled, its store made and all of it durable.
    pub enrolled_s: f64,
    /// How many other devices tried a code that was used, all of them in vain.
    pub refused_twice: usize,
    /// How many wrong codes came before their address was refused.
    pub wrong_codes: u8,
}

/// Invites so many officers, and enrols them, so many at once.
///
/// # Errors
/// If any of it goes otherwise than it should.
pub fn run(officers: usize, at_once: usize) -> anyhow::Result<Outcome> {
    let parent = tempfile::tempdir()?;
    let started = Instant::now();
    let codes = invite(&parent.path().join("office"), officers)?;
    let invited_s = started.elapsed().as_secs_f64();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let relay = Relay::start(&parent.path().join("office"))?;
        let started = Instant::now();
        let enrolled = enrol_all(parent.path(), &codes, &relay.address, at_once).await?;
        let enrolled_s = started.elapsed().as_secs_f64();
        relay.has_enrolled(&enrolled).await?;
        let refused_twice = nobody_twice(&codes, &relay.address, at_once).await?;
        nonsense(&relay.address).await?;
        let wrong_codes = guess(&codes, &relay).await?;
        relay.has_enrolled(&enrolled).await?;
        relay.stop().await?;
        anyhow::Ok(Outcome { officers, at_once, invited_s, enrolled_s, refused_twice, wrong_codes })
    })?;
    runtime.shutdown_timeout(Duration::from_secs(5));
    each_store_stands_alone(parent.path(), officers)?;
    Ok(outcome)
}

/// Invites so many officers, and enrols them all at once where no UDP reaches the relay.
///
/// # Errors
/// If any of it goes otherwise than it should.
pub fn run_without_udp(officers: usize) -> anyhow::Result<()> {
    let parent = tempfile::tempdir()?;
    let codes = invite(&parent.path().join("office"), officers)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let relay = Relay::start(&parent.path().join("office"))?;
        // What comes here over UDP nobody reads, and what comes over TCP goes on to the relay.
        let silent = UdpSocket::bind("127.0.0.1:0")?;
        let passage = TcpListener::bind(silent.local_addr()?).await?;
        let (address, to) = (passage.local_addr()?.to_string(), relay.address.clone());
        let passing = tokio::spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((mut from, _)) = passage.accept().await {
                let to = to.clone();
                passing.spawn(async move {
                    let mut onward = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut from, &mut onward).await
                });
            }
        });
        let enrolled = enrol_all(parent.path(), &codes, &address, officers).await?;
        relay.has_enrolled(&enrolled).await?;
        passing.abort();
        relay.stop().await
    })?;
    runtime.shutdown_timeout(Duration::from_secs(5));
    each_store_stands_alone(parent.path(), officers)
}

/// Founds a survey, and invites.
fn invite(office: &Path, officers: usize) -> anyhow::Result<Vec<Code>> {
    let mut node = Node::open_or_make(&Folder::at(office))?;
    let survey = Survey {
        name: "Regsosek 2022 Kabupaten Mesuji".into(),
        code: "regsosek22-1811".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: BUILT_IN.1.to_vec(),
        office: "BPS Kabupaten Mesuji".into(),
        region: "1811".parse()?,
    };
    let root = Keypair::from_seed(&*random()?);
    node.with_root(|replica| verbs::found(replica, &root, &survey))?;
    let codes =
        (0..officers).map(|_| Ok(Code::from_random(&*random()?))).collect::<anyhow::Result<Vec<_>>>()?;
    let new = codes.iter().enumerate().map(|(at, code)| NewOfficer {
        row: row(at),
        invitation: code.invitation().to_string(),
        proof_key: HEXLOWER.encode(code.proof_key().as_bytes()),
    });
    let expires_ms = rukun::clock::now().wall_ms + DAY_MS;
    let invited: InvitedShape = node.ask(Request::OfficersInvite { officers: new.collect(), expires_ms })?;
    ensure!(invited.made.len() == officers, "of {officers} {} are invited", invited.made.len());
    Ok(codes)
}

/// Enumerators, each in an SLS, and a supervisor after every four of them.
fn row(at: usize) -> OfficerRow {
    let village = format!("1811{:03}{:03}", at / 200 * 10 + 10, at / 20 % 10 + 1);
    let (role, region) = match at % 5 {
        4 => ("PML", village),
        _ => ("PPL", format!("{village}{:04}", at % 20 + 1)),
    };
    let (name, phone) = (format!("Petugas {at}"), format!("0812-0000-{at:04}"));
    OfficerRow { line: at as u64 + 2, name, role: role.into(), regions: vec![region], phone }
}

/// A relay that runs.
struct Relay {
    core: Core,
    address: String,
    driven: Option<Driven>,
}

impl Relay {
    fn start(office: &Path) -> anyhow::Result<Self> {
        let store = Folder::at(office).open_store()?;
        let keypair = Keypair::from_seed(store.device_seed());
        let endpoint = Endpoint::bind("127.0.0.1:0".parse()?, &keypair)?;
        let address = endpoint.local_addr()?.to_string();
        let driven = drive::start(Replica::open(store, *random()?)?)?;
        let core = driven.core.clone();
        tokio::spawn(accept(endpoint, driven.linker.clone(), core.clone()));
        Ok(Self { core, address, driven: Some(driven) })
    }

    async fn officers(&self) -> anyhow::Result<OfficersShape> {
        Ok(serde_json::from_value(self.core.ask(Request::Officers).await?)?)
    }

    /// Each invitation is used, by the device that it enrolled and no other.
    async fn has_enrolled(&self, enrolled: &[EnrolledShape]) -> anyhow::Result<()> {
        let listed = self.officers().await?.officers;
        let used: BTreeSet<_> =
            listed.iter().map(|officer| (officer.device.clone(), officer.grant.clone())).collect();
        let told: BTreeSet<_> = enrolled
            .iter()
            .map(|enrolled| (Some(enrolled.device.clone()), Some(enrolled.grant.grant.clone())))
            .collect();
        ensure!(listed.len() == enrolled.len() && used == told, "the office lists others than were enrolled");
        let grants = self.core.ask(Request::Grants).await?;
        let grants = grants.pointer("/grants").and_then(serde_json::Value::as_array).context("grants")?.len();
        ensure!(
            grants == enrolled.len() + 1,
            "{grants} grants for {} officers and the office",
            enrolled.len()
        );
        Ok(())
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        let driven = self.driven.take().context("it runs once")?;
        let _ = driven.stop.send(());
        driven.ended.await??;
        Ok(())
    }
}

async fn enrol_all(
    parent: &Path,
    codes: &[Code],
    relay: &str,
    at_once: usize,
) -> anyhow::Result<Vec<EnrolledShape>> {
    let places = Arc::new(Semaphore::new(at_once));
    let mut joining = JoinSet::new();
    for (at, code) in codes.iter().enumerate() {
        let place = Arc::clone(&places).acquire_owned().await?;
        let (folder, code, relay) = (device(parent, at), code.clone(), relay.to_owned());
        joining.spawn_blocking(move || {
            let joined = enrol::join(&folder, &code, &relay).with_context(|| format!("officer {at}"));
            drop(place);
            joined.map(|joined| (at, joined))
        });
    }
    let mut enrolled = joining.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    enrolled.sort_by_key(|(at, _)| *at);
    for (at, enrolled) in &enrolled {
        ensure!(enrolled.grant.name == row(*at).name, "officer {at} was enrolled as {}", enrolled.grant.name);
        ensure!(
            enrolled.grant.in_force == row(*at).regions,
            "officer {at} was given {:?}",
            enrolled.grant.in_force
        );
    }
    Ok(enrolled.into_iter().map(|(_, enrolled)| enrolled).collect())
}

/// Every code once more, from a device that it did not enrol.
async fn nobody_twice(codes: &[Code], relay: &str, at_once: usize) -> anyhow::Result<usize> {
    let thief = Keypair::from_seed(&*random()?);
    for codes in codes.chunks(at_once) {
        let mut asking = JoinSet::new();
        for code in codes {
            let (thief, code, relay) = (thief.clone(), code.clone(), relay.to_owned());
            asking.spawn(async move { enrol::call(&thief, None, &code, &relay).await });
        }
        for refused in asking.join_all().await {
            let is_used = matches!(
                &refused,
                Err(EnrolFailure::Answered(EnrolError::Refused(EnrolRefusal::Used { .. })))
            );
            ensure!(is_used, "a code that was used came to {refused:?}");
        }
    }
    Ok(codes.len())
}

/// What is no question gets no answer, and its connection closed.
async fn nonsense(relay: &str) -> anyhow::Result<()> {
    let stranger = Endpoint::bind("127.0.0.1:0".parse()?, &Keypair::from_seed(&*random()?))?;
    for said in [vec![0; 1 << 20], Vec::new(), vec![0x83, 0x40, 0x40, 0xf6], vec![0xff; 96]] {
        let peer = stranger.reach_to_enrol(relay.parse()?).await?;
        let (mut send, mut recv) = peer.connection.stream(true).await?;
        // The relay may close before it was all sent.
        let _ = send.write_all(&said).await;
        send.finish().await;
        // Its stream may end before its connection is seen to.
        let answered = recv.read_to_end(1).await;
        ensure!(
            answered.as_ref().map_or(true, Vec::is_empty),
            "{} bytes of nonsense were answered: {answered:?}",
            said.len()
        );
        let closed = peer.connection.closed().await.to_string();
        ensure!(closed.contains("no enrolment"), "{} bytes of nonsense: {closed}", said.len());
    }
    Ok(())
}

/// Wrong codes, until nobody is heard from here any more, whatever code they have.
async fn guess(codes: &[Code], relay: &Relay) -> anyhow::Result<u8> {
    let guesser = Keypair::from_seed(&*random()?);
    for _ in 0..TRIES_MAX {
        let wrong = enrol::call(&guesser, None, &Code::from_random(&*random()?), &relay.address).await;
        let is_unknown =
            matches!(&wrong, Err(EnrolFailure::Answered(EnrolError::Refused(EnrolRefusal::Unknown))));
        ensure!(is_unknown, "a wrong code came to {wrong:?}");
    }
    let right = codes.first().context("there are officers")?;
    let sixth = enrol::call(&guesser, None, right, &relay.address).await;
    let is_refused =
        matches!(&sixth, Err(EnrolFailure::Answered(EnrolError::Refused(EnrolRefusal::Guessed { .. }))));
    ensure!(is_refused, "the sixth try came to {sixth:?}");
    let listed = relay.officers().await?.wrong_tries;
    ensure!(listed.len() == 1 && listed[0].refused_until.is_some(), "listed as {listed:?}");
    Ok(TRIES_MAX)
}

/// Each device's folder opens by itself: a key of its own, one grant, this survey.
fn each_store_stands_alone(parent: &Path, officers: usize) -> anyhow::Result<()> {
    let mut keys = BTreeSet::new();
    let mut surveys = BTreeSet::new();
    for at in 0..officers {
        let replica = Replica::open(device(parent, at).open_store()?, *random()?)?;
        let trust = replica.trust().context("a device holds the charter")?;
        let grants = trust.grants_of(&replica.device());
        ensure!(grants.len() == 1 && grants[0].name == row(at).name, "officer {at} holds {grants:?}");
        ensure!(replica.addresses()?.len() == 1, "officer {at} does not know whom to dial");
        keys.insert(replica.device());
        surveys.extend(replica.survey());
    }
    ensure!(keys.len() == officers && surveys.len() == 1, "{} keys in {} surveys", keys.len(), surveys.len());
    Ok(())
}

fn device(parent: &Path, at: usize) -> Folder {
    Folder::at(parent.join(format!("officer-{at}")))
}
