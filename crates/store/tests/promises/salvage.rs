//! A repair brings nothing back that was erased, whatever pages still have of it, and all that was
//! committed, whatever a commit that never counted left on others.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{AutoCommit, ROOT as FAMILY};
use rukun_authority::{AdmittedChange, Charter, Erasure, Grant, Keypair, Role, Said, Statement, sign};
use rukun_change::{Change, Digest, Incarnation, Ink, RecordId, StatementId, SurveyId};
use rukun_store::{NewStore, Salvaged, Store, Unlock};

use crate::backend::CrashBackend;
use crate::changes::{INCARNATION, KEY_FILE, NAME, author, body, device, entropy, open, record};

const ROOT: u8 = 10;
const OFFICE: u8 = 11;
const PPL: u8 = 1;
const OTHER_PPL: u8 = 2;
const PAGE_BYTES: usize = 4096;

/// A survey, and a store of it whose statements the gate lets in.
struct Before {
    disk: CrashBackend,
    store: Store,
    survey: SurveyId,
    erasure: Statement,
}

fn gone() -> RecordId {
    record(0, 1)
}

fn kept() -> RecordId {
    record(0, 2)
}

fn say(issuer: u8, survey: Option<&SurveyId>, said: Said) -> Statement {
    Statement::sign(&Keypair::from_seed(&[issuer; 32]), INCARNATION, 1, survey, said)
}

fn grant(parent: StatementId, subject: u8, role: Role) -> Said {
    let regions = vec!["1811".parse().unwrap()];
    Said::Grant(Grant { parent, subject: device(subject), role, regions, serial: 1, name: "Siti".into() })
}

impl Before {
    fn new() -> Self {
        let charter = Charter {
            name: "Regsosek 2022".into(),
            code: "regsosek".into(),
            period: ("2022-10-15".into(), "2022-11-14".into()),
            questionnaire: Digest::of(b"questionnaire"),
            dictionary: None,
        };
        let charter = say(ROOT, None, Said::Charter(charter));
        let survey = SurveyId::from_bytes(*charter.id(None).as_bytes());
        let office = say(ROOT, Some(&survey), grant(charter.id(None), OFFICE, Role::District));
        let parent = office.id(Some(&survey));
        let ppl = say(OFFICE, Some(&survey), grant(parent, PPL, Role::Enumerator));
        let erasure = Erasure { parent, record: gone(), reason: "asked for".into() };
        let erasure = say(OFFICE, Some(&survey), Said::Erasure(erasure));
        let (disk, key) = (CrashBackend::default(), Unlock::KeyFile(&KEY_FILE));
        let new = NewStore { device_seed: [PPL; 32], incarnation: INCARNATION };
        let mut store = Store::create(disk.clone(), key, &new, &mut entropy(1)).unwrap();
        store.set_survey(&survey).unwrap();
        let mut before = Self { disk, store, survey, erasure };
        for statement in [charter, office, ppl] {
            before.take(&statement);
        }
        before
    }

    fn id(&self, statement: &Statement) -> StatementId {
        let founds = matches!(statement.said, Said::Charter(_));
        statement.id(Some(&self.survey).filter(|_| !founds))
    }

    fn take(&mut self, statement: &Statement) {
        let (id, about) = (self.id(statement), statement.said.about());
        self.store.append_statement(&id, &statement.to_bytes(), about, None).unwrap();
    }

    /// A change that this device makes.
    fn change(&self, n: u64, record: RecordId) -> AdmittedChange {
        self.signed(PPL, n, record, body(PPL, n, NAME))
    }

    fn signed(&self, number: u8, n: u64, record: RecordId, body: Vec<u8>) -> AdmittedChange {
        let keypair = Keypair::from_seed(&[number; 32]);
        let change = Change { author: author(number), n, record, ink: Ink::Pencil, seen: Vec::new(), body };
        let signed = sign(&keypair, change, &self.survey).unwrap();
        AdmittedChange::recall(&signed.to_bytes(), &self.survey).unwrap()
    }

    fn write(&mut self, n: u64, record: RecordId) -> AdmittedChange {
        let change = self.change(n, record);
        self.store.append_change(&change, None).unwrap().unwrap();
        change
    }

    /// A change that its author's clock gave this time, on top of these.
    fn save(&mut self, number: u8, n: u64, time_ms: i64, above: &[&AdmittedChange]) -> AdmittedChange {
        let mut document = AutoCommit::new();
        for change in above {
            document.load_incremental(&change.change().body).unwrap();
        }
        document.set_actor(author(number).actor().as_bytes().as_slice().into());
        document.put(FAMILY, "r404", time_ms).unwrap();
        document.commit_with(CommitOptions::default().with_time(time_ms));
        let body = document.get_last_local_change().unwrap().raw_bytes().to_vec();
        let change = self.signed(number, n, kept(), body);
        self.store.append_change(&change, None).unwrap().unwrap();
        change
    }

    /// Goes on from this file.
    fn resume(&mut self, image: &[u8], seed: u64) {
        self.disk = CrashBackend::with_image(image.to_vec());
        self.store = Store::open(self.disk.clone(), Unlock::KeyFile(&KEY_FILE), entropy(seed)).unwrap();
    }

    /// A change that has come and waits.
    fn receive(&mut self, n: u64, record: RecordId) -> AdmittedChange {
        let change = self.change(n, record);
        self.store.put_waiting(&device(2), &change.id(), &change.signed().to_bytes()).unwrap();
        change
    }

    fn erase(&mut self) {
        let by = self.id(&self.erasure);
        self.store.commit().unwrap();
        assert!(self.store.erase(&gone(), &by).unwrap());
    }

    /// Saves into a new store what the file holds.
    fn salvaged(mut self) -> (Store, Salvaged) {
        self.store.commit().unwrap();
        drop(self.store);
        let (key, fresh) = (Unlock::KeyFile(&KEY_FILE), CrashBackend::default());
        let (damaged, incarnation) =
            (CrashBackend::with_image(self.disk.image()), Incarnation::from_bytes([7; 4]));
        let (store, salvaged) =
            Store::salvage(&damaged, key, fresh.clone(), incarnation, &mut entropy(6)).unwrap();
        drop(store);
        (open(fresh).unwrap(), salvaged)
    }
}

/// Nothing of the record is there but the headers of these changes, and the other record is as it was.
fn holds_only_headers(store: &Store, changes: &[&AdmittedChange]) {
    let mut headers = store.record_headers(&gone()).unwrap();
    headers.sort_unstable_by_key(|header| header.header().n);
    assert_eq!(headers, changes.iter().map(|change| change.to_header()).collect::<Vec<_>>());
    assert!(changes.iter().all(|change| store.change(&change.id()).unwrap().is_none()));
    assert_eq!(store.record_changes(&gone()).unwrap(), []);
    assert_eq!(store.records(None, None, 9).unwrap(), [kept()]);
    assert_eq!(store.stale_records(None, 9).unwrap(), [kept()]);
    assert_eq!(store.waiting().unwrap(), []);
    assert!(store.renewal_due().unwrap(), "old pages, and the damaged file, may have it still");
}

#[test]
fn what_was_erased_stays_erased_through_a_repair() {
    let mut before = Before::new();
    let changes = [1, 2, 3].map(|n| before.write(n, gone()));
    let (other, late) = (before.write(4, kept()), before.receive(5, gone()));
    let erasure = before.erasure.clone();
    before.take(&erasure);
    before.erase();
    let by = before.id(&erasure);
    let (store, salvaged) = before.salvaged();
    // What waited is found where an old page has it, and is no more than the others then.
    let late = Some(&late).filter(|late| store.has_change(&late.id()).unwrap());
    let all: Vec<_> = changes.iter().chain(late).collect();
    holds_only_headers(&store, &all);
    assert_eq!(store.record_changes(&kept()).unwrap(), [other]);
    assert_eq!(store.erased(&gone()), Some(by));
    assert_eq!((salvaged.changes, salvaged.own), (all.len() as u64 + 1, all.len() as u64 + 1));
    assert_eq!((salvaged.waiting, salvaged.unplaced, salvaged.lost), (0, 0, 0), "{salvaged:?}");
}

#[test]
fn a_change_that_is_found_whole_and_was_erased_becomes_a_stub() {
    let mut before = Before::new();
    let changes = [1, 2].map(|n| before.write(n, gone()));
    let (other, late) = (before.write(3, kept()), before.receive(4, gone()));
    // As if power had gone between: the statement is there and nothing was done.
    let erasure = before.erasure.clone();
    before.take(&erasure);
    let by = before.id(&erasure);
    let (store, salvaged) = before.salvaged();
    holds_only_headers(&store, &[&changes[0], &changes[1], &late]);
    assert_eq!(store.record_changes(&kept()).unwrap(), [other]);
    assert_eq!((store.erased(&gone()), salvaged.changes, salvaged.waiting), (Some(by), 4, 0));
}

#[test]
fn with_the_erasure_lost_nothing_of_the_record_comes_back() {
    let mut before = Before::new();
    let changes = [1, 2].map(|n| before.write(n, gone()));
    let other = before.write(3, kept());
    before.erase();
    // Whole, and without a stub of its own: that of another tells.
    let late = before.receive(4, gone());
    let (store, salvaged) = before.salvaged();
    holds_only_headers(&store, &[]);
    assert!(changes.iter().chain([&late]).all(|change| !store.has_change(&change.id()).unwrap()));
    assert_eq!(store.record_changes(&kept()).unwrap(), [other]);
    assert_eq!((store.erased(&gone()), salvaged.changes, salvaged.unplaced), (None, 1, 3));
}

#[test]
fn a_number_of_a_change_that_was_erased_is_taken() {
    let mut before = Before::new();
    let erased = before.write(1, gone());
    // On a page that outlived a loss of power: it was never committed under this number.
    let old = before.write(1, kept());
    before.write(2, kept());
    let erasure = before.erasure.clone();
    before.take(&erasure);
    before.erase();
    let (store, _) = before.salvaged();
    holds_only_headers(&store, &[&erased]);
    assert!(!store.has_change(&old.id()).unwrap());
    assert_eq!(store.same_number(&author(PPL), 1).unwrap(), [(erased.id(), erased.change().record)]);
}

#[test]
fn a_key_that_a_lost_commit_gave_a_record_hides_none_of_its_changes() {
    let mut before = Before::new();
    before.store.commit().unwrap();
    let start = before.disk.image();
    before.resume(&start, 8);
    before.write(1, kept());
    before.store.commit().unwrap();
    let lost = before.disk.image();
    before.resume(&start, 9);
    let changes = [1, 2, 3].map(|n| before.write(n, kept()));
    before.store.commit().unwrap();
    // The pages that the lost commit wrote stand behind all others.
    let mut image = before.disk.image();
    for (at, page) in lost.chunks(PAGE_BYTES).enumerate().skip(1) {
        if start.chunks(PAGE_BYTES).nth(at) != Some(page) {
            image.extend(page);
        }
    }
    before.disk = CrashBackend::with_image(image);
    let (store, salvaged) = before.salvaged();
    assert_eq!(store.record_changes(&kept()).unwrap(), changes);
    assert_eq!((salvaged.changes, salvaged.lost), (3, 0), "{salvaged:?}");
}

#[test]
fn of_one_number_the_change_that_another_author_follows_stands_whatever_the_clock_said() {
    let mut before = Before::new();
    let Said::Erasure(Erasure { parent, .. }) = before.erasure.said else { panic!("no erasure") };
    let other = say(OFFICE, Some(&before.survey), grant(parent, OTHER_PPL, Role::Enumerator));
    before.take(&other);
    let delivered = before.save(PPL, 1, 10, &[]);
    // The clock was wrong, power went, and the clock was set.
    let lost = before.save(PPL, 1, 99, &[]);
    let follower = before.save(OTHER_PPL, 1, 20, &[&delivered]);
    let (store, salvaged) = before.salvaged();
    assert!(!store.has_change(&lost.id()).unwrap());
    assert_eq!(store.record_changes(&kept()).unwrap(), [delivered, follower]);
    assert_eq!((salvaged.changes, salvaged.own, salvaged.waiting), (2, 1, 0), "{salvaged:?}");
}

#[test]
fn of_one_number_the_change_that_later_ones_that_stand_follow_is_kept() {
    let mut before = Before::new();
    let committed = before.save(PPL, 1, 10, &[]);
    let lost = before.save(PPL, 1, 99, &[]);
    // Each has one above it. Of these the clock tells, and with that of those below.
    let lost_above = before.save(PPL, 2, 5, &[&lost]);
    let above = before.save(PPL, 2, 20, &[&committed]);
    let (store, salvaged) = before.salvaged();
    assert!([&lost, &lost_above].iter().all(|change| !store.has_change(&change.id()).unwrap()));
    assert_eq!(store.record_changes(&kept()).unwrap(), [committed, above]);
    assert_eq!((salvaged.changes, salvaged.waiting), (2, 0), "{salvaged:?}");
}
