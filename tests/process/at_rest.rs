//! What lies on the disks after a demonstration: each store opened and looked through, and the bytes
//! of all files searched for what only an opened store may tell.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rukun::disk::Folder;
use rukun_change::{Region, SignedChange, SubSls};

use crate::daemon::Daemon;
use crate::finder::{Finder, TEXT_CHARS_MIN, files};
use crate::{FOLDERS, Left};

const ENUMERATORS: [usize; 2] = [3, 4];

pub(crate) fn no_store_holds_what_its_device_was_not_granted(left: &Left) {
    let everywhere: Region = "18".parse().unwrap();
    for (at, other) in [ENUMERATORS, [ENUMERATORS[1], ENUMERATORS[0]]].map(|[at, other]| (at, other)) {
        let store = Folder::at(left.folder(at)).open_store().unwrap();
        let granted = &left.regions[at];
        let others: Vec<Region> =
            left.regions[other].iter().filter(|region| !granted.contains(region)).copied().collect();
        assert_eq!((granted.len(), others.len()), (2, 1), "one SLS of its own, and one shared");
        let mut homes: BTreeSet<SubSls> = store.fingerprints(&[everywhere]).unwrap().into_keys().collect();
        let records = store.records(Some(&everywhere), None, usize::MAX).unwrap();
        assert_eq!(records.len(), 60, "the families of two SLS are there");
        assert_eq!(store.record_count(None).unwrap(), 60, "and no others");
        homes.extend(records.iter().map(rukun_change::RecordId::home));
        for (_, _, bytes) in store.waiting().unwrap() {
            homes.insert(SignedChange::from_bytes(&bytes).unwrap().change.record.home());
        }
        for home in homes {
            assert!(granted.iter().any(|region| region.covers_sub_sls(&home)), "{home} at {}", FOLDERS[at]);
            assert!(!others[0].covers_sub_sls(&home), "{home} of the other at {}", FOLDERS[at]);
        }
        for record in left.logs.keys().filter(|record| !left.covers(at, record)) {
            let found = store.record_changes(&record.parse().unwrap()).unwrap();
            assert!(found.is_empty(), "{} changes of {record} at {}", found.len(), FOLDERS[at]);
        }
    }
}

pub(crate) fn no_file_tells_a_name_or_a_number(left: &Left) {
    let wanted = wanted(left);
    let finder = Finder::new(wanted);
    finder.finds_each_hidden_in_a_file(&left.dir.join("hidden"));
    let prelist = std::fs::read(left.dir.join("prelist.csv")).unwrap();
    assert!(finder.find(&prelist).len() > 180, "heads and family cards are found in the prelist");
    let mut searched = BTreeMap::new();
    for folder in FOLDERS {
        for path in files(&left.dir.join(folder)) {
            let bytes = std::fs::read(&path).unwrap();
            let found = finder.find(&bytes);
            assert!(found.is_empty(), "{} tells {found:?}", path.display());
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            *searched.entry(name).or_insert(0) += bytes.len();
        }
    }
    assert!(searched["rukun.redb"] > 1 << 20 && searched.contains_key("key"), "{searched:?}");
    eprintln!("{} names and numbers are in none of these: {searched:?}", finder.wanted());
    assert!(searched.contains_key("root.key") && searched["daemon.log"] > 0, "{searched:?}");
}

pub(crate) fn secrets_are_their_owners_alone(left: &Left) {
    for folder in FOLDERS {
        let dir = left.dir.join(folder);
        let _running = Daemon::start(&dir);
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
        let mut secrets = vec!["key", "rukun.redb", "daemon.json"];
        secrets.extend((folder == FOLDERS[0]).then_some("root.key"));
        for name in secrets {
            assert_eq!(mode(&dir.join(name)), 0o600, "{}", dir.join(name).display());
        }
    }
}

/// The names and the numbers of all people, as the office's histories tell them.
fn wanted(left: &Left) -> BTreeSet<String> {
    let writes = left.logs.values().flat_map(|log| &log.changes).flat_map(|line| &line.writes);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wanted = BTreeSet::new();
    for write in writes {
        let what = match write.field.rsplit('/').next().unwrap() {
            "r108" | "r402" => "name",
            "r114" => "KK",
            "r403" => "NIK",
            _ => continue,
        };
        let text = write.value.as_str().filter(|text| text.chars().count() >= TEXT_CHARS_MIN);
        if text.is_some_and(|text| wanted.insert(text.to_owned())) {
            *counts.entry(what).or_default() += 1;
        }
    }
    assert!(counts["name"] > 100 && counts["KK"] == 120 && counts["NIK"] > 200, "{counts:?}");
    wanted
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
