//! A node of the daemon's own parts on a simulated host: store, core, links, dialer and QUIC, over a
//! disk that outlives its crashes and a network that does not keep what it is given.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quinn::EndpointConfig;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun::dial::Dialer;
use rukun::drive::{self, Core, Driven};
use rukun::endpoint::Endpoint;
use rukun::link::Checks;
use rukun::network::Network;
use rukun::quic;
use rukun::run::accept;
use rukun::verbs::{Edit, Request, WrittenShape};
use rukun_authority::Keypair;
use rukun_change::{Incarnation, Moment};
use rukun_replica::{InMemoryBackend, NewStore, Replica, StorageBackend, Store, Unlock};
use serde_json::json;
use tokio::sync::watch;

use crate::adapter::{Air, Host, Socket};
use crate::{bytes, chance};

pub(crate) const PORT: u16 = 7811;
const KEY: [u8; 32] = [7; 32];
/// 15 October 2022.
const BEGAN_MS: i64 = 1_665_792_000_000;
const EDITS_A_RECORD: usize = 5;

/// A node, whether it runs or not.
pub(crate) struct Node {
    pub(crate) name: String,
    /// What it may read: it writes in the one sub-SLS of it.
    pub(crate) region: &'static str,
    disk: RefCell<Disk>,
    air: Arc<Mutex<Air>>,
    /// What it dials, if anything.
    dials: Vec<String>,
    /// Until when its officer works.
    works_until: Duration,
    /// What its host app says.
    pub(crate) network: Network,
    pub(crate) core: RefCell<Option<Core>>,
    /// Whether its address is to change: on its own host, so soon.
    pub(crate) moves: Cell<bool>,
    /// How often it was started.
    pub(crate) starts: Cell<u32>,
    /// What it answered for: records and changes.
    pub(crate) answered: RefCell<Vec<(String, String)>>,
}

impl Node {
    /// A node with a store of its own; gives the replica, to be settled before it runs.
    pub(crate) fn new(
        name: &str,
        region: &'static str,
        dials: Vec<String>,
        works_until: Duration,
        air: Arc<Mutex<Air>>,
    ) -> (Rc<Self>, Replica) {
        let disk = Disk::default();
        let new = NewStore { device_seed: bytes(), incarnation: Incarnation::from_bytes(bytes()) };
        let mut entropy = ChaCha20Rng::from_seed(bytes());
        let store = Store::create(disk.clone(), Unlock::KeyFile(&KEY), &new, &mut entropy).unwrap();
        let node = Self {
            name: name.into(),
            region,
            disk: RefCell::new(disk),
            air,
            dials,
            works_until,
            network: Network::default(),
            core: RefCell::default(),
            moves: Cell::default(),
            starts: Cell::default(),
            answered: RefCell::default(),
        };
        (Rc::new(node), Replica::open(store, bytes()).unwrap())
    }

    /// Its host is about to lose power: what it does from now on reaches no disk.
    pub(crate) fn unplug(&self) {
        self.disk.borrow().unplugged.store(true, Ordering::SeqCst);
        self.core.take();
    }

    /// Runs on the present host, from what is on the disk.
    pub(crate) async fn run(self: Rc<Self>) -> turmoil::Result {
        self.starts.update(|starts| starts + 1);
        let disk = self.disk.borrow().plugged_in_again();
        self.disk.replace(disk.clone());
        let entropy = ChaCha20Rng::from_seed(bytes());
        let store = Store::open(disk, Unlock::KeyFile(&KEY), entropy).unwrap();
        let keypair = Keypair::from_seed(store.device_seed());
        let (driven, core) = drive::prepare(Replica::open(store, bytes()).unwrap(), now, Checks::InPlace)?;
        let Driven { core: asked, linker, ended, stop } = driven;
        tokio::spawn(core);
        let linker = linker.counted_in(self.network.clone());

        let std::net::IpAddr::V4(host) = turmoil::lookup(self.name.as_str()) else { unreachable!() };
        let socket = Socket::bind(Arc::clone(&self.air), host, PORT).await?;
        let mut config = EndpointConfig::default();
        config.rng_seed(Some(bytes()));
        let listen = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), PORT);
        let roaming = Arc::clone(&socket);
        let endpoint = Endpoint::over(quic::Endpoint::bind_by(listen, &keypair, |server| {
            quinn::Endpoint::new_with_abstract_socket(config, Some(server), roaming, Arc::new(Host))
        })?);
        tokio::spawn(accept(endpoint.clone(), linker.clone(), asked.clone()));
        let dialer = Dialer::new(endpoint, linker, &asked).by_chance(chance);
        let (_alone, found) = watch::channel(BTreeSet::new());
        tokio::spawn(dialer.run(self.dials.clone(), asked.addresses(), found));

        self.core.replace(Some(asked.clone()));
        let _until_then = stop;
        let ended = tokio::select! {
            biased;
            ended = ended => ended?.map(drop),
            ((), ()) = async { tokio::join!(self.work(&asked), self.roam(&socket)) } => Ok(()),
        };
        Err(format!("the core of {} ended: {ended:?}", self.name).into())
    }

    /// Its address changes when that is its lot.
    async fn roam(&self, socket: &Socket) {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if self.moves.take() {
                socket.change_address().await.unwrap();
            }
        }
    }

    /// Its officer makes records and changes them, now and then.
    async fn work(&self, core: &Core) {
        let mut record: Option<String> = None;
        for step in 0.. {
            tokio::time::sleep(Duration::from_millis(1_000 + chance() % 14_000)).await;
            if turmoil::sim_elapsed().unwrap() > self.works_until {
                return;
            }
            let request = match &record {
                Some(record) => {
                    let patch = Some(json!({"r302": 20 + step, "r304": 2 + step % 5}));
                    Request::RecordSet(Edit { record: record.clone(), ink: None, patch, set: Vec::new() })
                }
                None => Request::RecordAdd {
                    region: format!("{}00", self.region),
                    ink: None,
                    patch: Some(json!({"r108": "Siti Aminah", "r304": 1})),
                    set: Vec::new(),
                },
            };
            // The questionnaire may still be on its way.
            let Ok(written) = core.ask(request).await else { continue };
            let written: WrittenShape = serde_json::from_value(written).unwrap();
            record =
                Some(written.record.clone()).filter(|_| !(step + 1_usize).is_multiple_of(EDITS_A_RECORD));
            self.answered.borrow_mut().push((written.record, written.change.unwrap()));
        }
    }
}

/// The clock of the simulation.
pub(crate) fn now() -> Moment {
    let steady_ms = turmoil::sim_elapsed().map_or(0, |elapsed| elapsed.as_millis() as u64);
    Moment { wall_ms: BEGAN_MS + steady_ms as i64, steady_ms }
}

/// Keeps what was written when the power goes.
#[derive(Clone, Debug, Default)]
struct Disk {
    memory: Arc<Memory>,
    unplugged: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Memory(InMemoryBackend);

impl Default for Memory {
    fn default() -> Self {
        Self(InMemoryBackend::new())
    }
}

impl Disk {
    fn plugged_in_again(&self) -> Self {
        Self { memory: Arc::clone(&self.memory), unplugged: Arc::default() }
    }

    fn works(&self) -> io::Result<&InMemoryBackend> {
        if self.unplugged.load(Ordering::SeqCst) {
            return Err(io::Error::other("no power"));
        }
        Ok(&self.memory.0)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.works()?.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.works()?.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.works()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.works()?.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.works()?.write(offset, data)
    }
}
