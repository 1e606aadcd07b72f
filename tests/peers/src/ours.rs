//! This project: a survey's folders become nodes that run just as `rukun daemon` runs them, over QUIC, on stores on the
//! disk. The office founded the survey; the phone and its twin are two enumerators of one region, and neither has
//! met the other. There is no HTTP here and no command line.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use rukun::clock;
use rukun::dial::Dialer;
use rukun::disk::{Folder, random};
use rukun::drive::{self, Core, Driven, Ended};
use rukun::endpoint::Endpoint;
use rukun::link::Linker;
use rukun::node::Node;
use rukun::run::accept;
use rukun::survey::{BUILT_IN, Survey};
use rukun::verbs::{
    self, Edit, EditOutcome, RecordsShape, Request, StatusShape, WrittenManyShape, WrittenShape,
};
use rukun_authority::{Keypair, Role};
use rukun_replica::{NewGrant, Replica, ReplicaError};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::child::{Order, Parent, Word, tell};
use crate::families::{self, Day, Editor, Families, MEASURING_SEED, REGION};
use crate::scene::{Scene, Way};

/// Under what the survey is founded.
const ROOT_SEED: [u8; 32] = [1; 32];
/// Records between two commits while interviews are written.
const BATCH: usize = 250;
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Founds the survey, lets both enumerators get their grants and the questionnaire from the office, and writes so many
/// interviews on the phone, one change a family.
///
/// # Errors
/// If any of it is refused.
pub async fn prepare(scene: &Scene, records: usize) -> anyhow::Result<()> {
    let make = |dir: &Path| -> anyhow::Result<Replica> {
        Ok(Replica::open(Folder::at(dir).create_store()?, *random()?)?)
    };
    {
        let (mut office, mut phone, mut twin) =
            (make(&scene.office())?, make(&scene.phone())?, make(&scene.twin())?);
        verbs::found(&mut office, &Keypair::from_seed(&ROOT_SEED), &survey()?)?;
        for (enumerator, name) in [(&mut phone, "Budi"), (&mut twin, "Nurhayati")] {
            let (subject, regions) = (enumerator.device(), vec![REGION.parse()?]);
            office.grant(None, NewGrant { subject, role: Role::Enumerator, regions, name: name.into() })?;
            enumerator.join(office.survey().context("a survey was founded")?)?;
            enumerator.commit()?;
        }
        office.commit()?;
    }
    meet(&scene.phone(), &scene.office(), true).await?;
    meet(&scene.twin(), &scene.office(), true).await?;
    let mut phone = Replica::open(Folder::at(scene.phone()).open_store()?, *random()?)?;
    let mut families = Families::new(MEASURING_SEED)?;
    for written in 1..=records {
        let family = families.draw()?;
        phone.add_record(clock::now(), family.home, None, &family.interview)?;
        if written % BATCH == 0 || written == records {
            phone.commit()?;
            while phone.poll().is_some() {}
        }
    }
    Ok(())
}

fn survey() -> anyhow::Result<Survey> {
    Ok(Survey {
        name: "Side by side".into(),
        code: "peers".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: BUILT_IN.1.to_vec(),
        office: "BPS Kabupaten Mesuji".into(),
        region: "1811".parse()?,
    })
}

/// Lets the twin have all that the office holds.
///
/// # Errors
/// If they can't meet.
pub async fn fill_twin(scene: &Scene) -> anyhow::Result<()> {
    meet(&scene.twin(), &scene.office(), false).await
}

/// Brings two nodes together until both say that the other holds all, or the first one has the questionnaire.
async fn meet(dialer: &Path, office: &Path, for_questionnaire: bool) -> anyhow::Result<()> {
    let here = Ipv4Addr::LOCALHOST.into();
    let (office, mut dialer) = (Running::start(office, here)?, Running::start(dialer, here)?);
    let mut agreed = (office.core.subscribe(), dialer.core.subscribe());
    dialer.dial(office.endpoint.local_addr()?);
    in_sync(&office.core, &mut agreed.0).await?;
    in_sync(&dialer.core, &mut agreed.1).await?;
    while for_questionnaire && !dialer.status().await?.survey.is_some_and(|survey| survey.questionnaire) {
        sleep(LOOK_EVERY).await;
    }
    dialer.stop().await?;
    office.stop().await
}

/// Makes the edits of one side while nobody is linked.
///
/// # Errors
/// If one is refused.
pub fn edit(dir: &Path, records: usize, editor: Editor) -> anyhow::Result<()> {
    let mut node = Node::open(&Folder::at(dir))?;
    let mut edits = Vec::new();
    for (at, patch) in families::edits(records, editor) {
        edits.push(edit_of(&node.ask(listing(at)?)?, at, patch)?);
    }
    none_refused(&node.ask(Request::RecordSetMany { edits })?)
}

/// Asks for those who live where the family of this number does.
fn listing(at: usize) -> anyhow::Result<Request> {
    let region = Some(families::home(at)?.to_string());
    Ok(Request::RecordList { region, after: None, limit: None })
}

fn edit_of(listed: &RecordsShape, at: usize, patch: Value) -> anyhow::Result<Edit> {
    let line = listed.records.get(at % listed.records.len()).context("no record lives there")?;
    Ok(Edit { record: line.record.clone(), ink: None, patch: Some(patch), set: Vec::new() })
}

fn none_refused(done: &WrittenManyShape) -> anyhow::Result<()> {
    let refused = done.edits.iter().find(|edit| matches!(edit, EditOutcome::Refused(_)));
    ensure!(refused.is_none(), "an edit was refused: {refused:?}");
    Ok(())
}

/// Runs the node of this folder. A phone that has a day's work is done when the district's receipt is there for all of
/// it, too.
///
/// # Errors
/// If it can't run.
pub async fn serve(dir: &Path, way: Way, at: IpAddr, parent: &mut Parent) -> anyhow::Result<()> {
    let mut node = Running::start(dir, at)?;
    let mut events = node.core.subscribe();
    let mut delivers = false;
    tell(&Word::Ready(node.endpoint.local_addr()?));
    loop {
        tokio::select! {
            done = node.done(&mut events, delivers) => {
                done?;
                tell(&Word::Done);
            }
            order = parent.order() => match order {
                Order::Go(address) => node.dial(address),
                Order::Rest => node.hang_up().await?,
                Order::Work(seed, records) => {
                    node.work(families::day(seed, records, Editor::at(way))?).await?;
                    delivers = way == Way::Dial;
                    tell(&Word::Worked);
                }
                Order::Stop => break,
            },
        }
    }
    let status = node.status().await?;
    tell(&Word::Held(format!("{} changes, {}", status.changes, status.fingerprint)));
    node.stop().await
}

/// A node, as long as its process lives or until it is stopped.
struct Running {
    core: Core,
    endpoint: Endpoint,
    linker: Linker,
    accepting: JoinHandle<()>,
    dialing: Option<JoinHandle<()>>,
    /// Who is found nearby.
    nobody: watch::Sender<BTreeSet<SocketAddr>>,
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<Ended, ReplicaError>>,
}

impl Running {
    fn start(dir: &Path, at: IpAddr) -> anyhow::Result<Self> {
        let store = Folder::at(dir).open_store()?;
        let keypair = Keypair::from_seed(store.device_seed());
        let replica = Replica::open(store, *random()?)?;
        let endpoint = Endpoint::bind(SocketAddr::new(at, 0), &keypair)?;
        let Driven { core, linker, ended, stop } = drive::start(replica)?;
        let accepting = tokio::spawn(accept(endpoint.clone(), linker.clone(), core.clone()));
        let nobody = watch::Sender::new(BTreeSet::new());
        Ok(Self { core, endpoint, linker, accepting, dialing: None, nobody, stop, ended })
    }

    fn dial(&mut self, address: SocketAddr) {
        let dialer = Dialer::new(self.endpoint.clone(), self.linker.clone(), &self.core);
        self.dialing = Some(tokio::spawn(dialer.run(
            vec![address.to_string()],
            self.core.addresses(),
            self.nobody.subscribe(),
        )));
    }

    /// Ends the link, and goes on without one. The tickets of the endpoint stay.
    async fn hang_up(&mut self) -> anyhow::Result<()> {
        // Status is not asked: with all these records it would still be at work when the next session begins.
        let mut events = self.core.subscribe();
        if let Some(dialing) = self.dialing.take() {
            dialing.abort();
            heard(&mut events, &["peer-down"]).await?;
        }
        Ok(())
    }

    /// Writes what a day brings.
    async fn work(&self, day: Day) -> anyhow::Result<()> {
        let mut edits = Vec::new();
        for (at, patch) in day.edits {
            edits.push(edit_of(&self.ask(listing(at)?).await?, at, patch)?);
        }
        none_refused(&self.ask(Request::RecordSetMany { edits }).await?)?;
        for family in day.found {
            let (region, patch) = (family.home.to_string(), Some(family.interview));
            let added = Request::RecordAdd { region, ink: None, patch, set: Vec::new() };
            let _: WrittenShape = self.ask(added).await?;
        }
        Ok(())
    }

    /// Waits until it is news that the peer is known to hold all, and, if this side delivers, that the district is proved
    /// to hold what was written here.
    async fn done(&self, events: &mut broadcast::Receiver<Value>, delivers: bool) -> anyhow::Result<()> {
        if !delivers {
            return in_sync(&self.core, events).await;
        }
        loop {
            heard(events, &["in-sync", "proved"]).await?;
            let status = self.status().await?;
            let agrees = status.peers.iter().any(|peer| peer.linked && peer.in_sync);
            if agrees && status.custody.district == status.custody.written {
                return Ok(());
            }
        }
    }

    async fn status(&self) -> anyhow::Result<StatusShape> {
        self.ask(Request::Status).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request) -> anyhow::Result<T> {
        Ok(serde_json::from_value(self.core.ask(request).await?)?)
    }

    async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.ended.await.context("the core thread broke off")??;
        self.accepting.abort();
        self.dialing.inspect(JoinHandle::abort);
        Ok(())
    }
}

/// Waits until it is news that the peer is known to hold all that it may.
async fn in_sync(core: &Core, events: &mut broadcast::Receiver<Value>) -> anyhow::Result<()> {
    loop {
        match events.recv().await {
            Ok(event) if event["event"] == "in-sync" => return Ok(()),
            Ok(_) => {}
            // It may be among what was missed.
            Err(RecvError::Lagged(_)) => {
                core.agreed().wait_for(|agreed| !agreed.is_empty()).await?;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn heard(events: &mut broadcast::Receiver<Value>, kinds: &[&str]) -> anyhow::Result<()> {
    loop {
        match events.recv().await {
            Ok(event) if kinds.iter().any(|kind| event["event"] == *kind) => return Ok(()),
            // Who listens too slowly misses what is old, and what is waited for is the last of a session.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
