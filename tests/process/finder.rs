//! Known words and numbers, looked for in bytes in each way in which a program may write them: UTF-8, UTF-16
//! of either order, and for numbers of 16 digits 8 bytes of either order and two digits a byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The first bytes of what is searched for, by which it is found.
const HEAD: usize = 8;
/// Shorter texts could stand in any bytes by chance.
pub(crate) const TEXT_CHARS_MIN: usize = 8;
const NUMBER_DIGITS: usize = 16;

/// Finds many texts at once, by their first bytes.
pub(crate) struct Finder {
    wanted: BTreeSet<String>,
    by_head: BTreeMap<[u8; HEAD], Vec<(Vec<u8>, String)>>,
    /// Whether anything begins with these two bytes: most places are passed by this.
    begins: Vec<bool>,
}

impl Finder {
    pub(crate) fn new(wanted: BTreeSet<String>) -> Self {
        let mut finder =
            Self { wanted: BTreeSet::new(), by_head: BTreeMap::new(), begins: vec![false; 1 << 16] };
        for text in &wanted {
            for bytes in encodings(text) {
                let head: [u8; HEAD] = bytes[..HEAD].try_into().unwrap();
                finder.begins[two(&head)] = true;
                finder.by_head.entry(head).or_default().push((bytes, text.clone()));
            }
        }
        Self { wanted, ..finder }
    }

    /// How many are looked for.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted.len()
    }

    pub(crate) fn find(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for (at, window) in bytes.windows(HEAD).enumerate() {
            if !self.begins[two(window)] {
                continue;
            }
            let candidates = self.by_head.get(window).into_iter().flatten();
            let there = candidates.filter(|(text, _)| bytes[at..].starts_with(text));
            found.extend(there.map(|(_, text)| text.as_str()));
        }
        found
    }

    /// What finds nothing must be seen to find what is there, in each encoding: in a plain file that is made
    /// for it and taken away again.
    pub(crate) fn finds_each_hidden_in_a_file(&self, path: &Path) {
        let hidden = |bytes: &[u8]| [&[0xa5; 13][..], bytes, &[0x5a; 3]].concat();
        for known in &self.wanted {
            for bytes in encodings(known) {
                assert!(
                    self.find(&hidden(&bytes)).contains(known.as_str()),
                    "{known} is not found: {bytes:02x?}"
                );
            }
        }
        let all: Vec<u8> =
            self.wanted.iter().flat_map(|known| encodings(known)).flat_map(|one| hidden(&one)).collect();
        fs::write(path, all).unwrap();
        assert_eq!(self.find(&fs::read(path).unwrap()).len(), self.wanted.len());
        fs::remove_file(path).unwrap();
    }
}

/// Each way in which it may be written.
fn encodings(text: &str) -> Vec<Vec<u8>> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut all = vec![
        text.as_bytes().to_vec(),
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ];
    if let Some(number) = text.parse::<u64>().ok().filter(|_| text.len() == NUMBER_DIGITS) {
        let digits = text.as_bytes().chunks(2).map(|pair| (pair[0] - b'0') << 4 | (pair[1] - b'0'));
        all.extend([number.to_le_bytes().to_vec(), number.to_be_bytes().to_vec(), digits.collect()]);
    }
    all
}

fn two(bytes: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// All files below a folder.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
