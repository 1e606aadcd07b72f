//! How fast a store is and how large it gets, printed: `cargo run --release -p rukun-store --example
//! figures`. It fills a store in the folder for temporary files, reads it in every way, and removes
//! it. Nothing is promised here.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement fails by panicking and prints")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it measures files with a clock")]

use std::time::Instant;

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ObjType, ROOT};
use rukun_authority::AdmittedChange;
use rukun_change::{Change, Ink, RecordId, SignedChange};
use rukun_store::{EntryKind, FileBackend, Store};

#[allow(dead_code, reason = "tests need more of it")]
#[path = "../tests/promises/changes.rs"]
mod changes;

use changes::{SURVEY, author, body, create, device, open};

const FAMILIES: u64 = 20_000;
const COMMIT_EVERY: u64 = 300;

/// A family of 75 answers and four members of 48, some text.
fn family() -> Vec<u8> {
    let mut document = AutoCommit::new().with_actor(author(1).actor().as_bytes().as_slice().into());
    let answer = |document: &mut AutoCommit, map: &automerge::ObjId, at: i64| {
        let name = format!("r{}", 100 + at);
        match at % 16 {
            3 => document.put(map, name, format!("SITI RAHAYU {at}")).unwrap(),
            _ => document.put(map, name, at % 5).unwrap(),
        }
    };
    (0..75).for_each(|at| answer(&mut document, &ROOT, at));
    for member in 0..4 {
        let map = document.put_object(ROOT, format!("m:{member:016x}"), ObjType::Map).unwrap();
        (0..48).for_each(|at| answer(&mut document, &map, at));
    }
    document.commit();
    document.get_last_local_change().unwrap().raw_bytes().to_vec()
}

/// A correction of three answers.
fn correction() -> Vec<u8> {
    let mut document = AutoCommit::new().with_actor(author(2).actor().as_bytes().as_slice().into());
    for at in 0..3 {
        document.put(ROOT, format!("r{}", 100 + at), at).unwrap();
    }
    document.commit();
    document.get_last_local_change().unwrap().raw_bytes().to_vec()
}

fn admitted(number: u8, n: u64, record: RecordId, ink: Ink, body: &[u8]) -> AdmittedChange {
    let change = Change { author: author(number), n, record, ink, seen: Vec::new(), body: body.to_vec() };
    let signed = SignedChange { change, signature: [n as u8; 64] };
    AdmittedChange::recall(&signed.to_bytes(), &SURVEY).unwrap()
}

fn place(n: u64) -> RecordId {
    // Spread, as devices deliver in no order of region.
    let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let home = format!("1811{:03}{:03}{:04}00", spread % 7, spread % 105, spread % 300);
    RecordId::new(home.parse().unwrap(), spread.to_be_bytes())
}

fn timed<T>(what: &str, count: u64, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = act();
    let took = start.elapsed();
    println!("{what}: {:.0} a second, {took:?} in all", count as f64 / took.as_secs_f64());
    done
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
        / 1_000_000
}

fn fill(store: &mut Store) {
    let (family, correction, from) = (family(), correction(), device(3));
    println!("a family is {} bytes, a correction {}", family.len(), correction.len());
    let mut spent = std::time::Duration::ZERO;
    for n in 1..=2 * FAMILIES {
        let record = place(n.min(n % FAMILIES));
        let (number, ink, body) =
            if n <= FAMILIES { (1, Ink::Pencil, &family) } else { (2, Ink::Red, &correction) };
        let change = admitted(number, n, record, ink, body);
        let start = Instant::now();
        assert!(store.append_change(&change, Some(&from)).unwrap().is_some());
        if n % COMMIT_EVERY == 0 {
            store.commit().unwrap();
        }
        spent += start.elapsed();
        if n % FAMILIES == 0 {
            println!("{n} appended: {:.0} a second so far", n as f64 / spent.as_secs_f64());
            store.commit().unwrap();
            println!("{:?}", store.stats().unwrap());
        }
    }
}

fn main() {
    let path = std::env::temp_dir().join(format!("rukun-figures-{}", std::process::id()));
    let mut store = create(backend(&path)).unwrap();
    fill(&mut store);
    println!("{} bytes a change on disk", store.disk_bytes() / (2 * FAMILIES));
    read(&store);
    println!("{} MB resident", resident_mb());
    timed("commit of one change", 100, || {
        for n in 1..=100 {
            let change = admitted(1, 1_000_000 + n, place(n), Ink::Red, &body(1, n, "x"));
            store.append_change(&change, None).unwrap();
            store.commit().unwrap();
        }
    });
    let torn = path.with_extension("torn");
    std::fs::copy(&path, &torn).unwrap();
    drop(store);
    drop(timed("open", 1, || open(backend(&path)).unwrap()));
    drop(timed("open after a crash", 1, || open(backend(&torn)).unwrap()));
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_file(&torn).unwrap();
}

fn backend(path: &std::path::Path) -> FileBackend {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    FileBackend::new(options.open(path).unwrap()).unwrap()
}

fn read(store: &Store) {
    let records = store.records(None, None, usize::MAX).unwrap();
    timed("record_changes", records.len() as u64, || {
        for record in &records {
            assert_eq!(store.record_changes(record).unwrap().len(), 2);
        }
    });
    let all = timed("scan", 2 * FAMILIES, || store.scan(0, usize::MAX).unwrap());
    timed("has_change", all.len() as u64, || {
        for entry in &all {
            let EntryKind::Change { id, .. } = entry.kind else { continue };
            assert!(store.has_change(&id).unwrap());
        }
    });
    let homes = store.fingerprints(&["1811".parse().unwrap()]).unwrap();
    timed("ids of all sub-SLS", all.len() as u64, || {
        let count: usize = homes.keys().map(|home| store.ids(home).unwrap().len()).sum();
        assert_eq!(count, all.len());
    });
    println!("{} sub-SLS", homes.len());
    timed("record_count of the district", 1, || store.record_count(Some(&"1811".parse().unwrap())).unwrap());
}
