//! Prelist files: any file is refused, or each of its rows becomes a record, was there already, or is
//! named bad.

use rukun::node::Node;
use rukun::prelist::{self, Progress};
use rukun::verbs::BadRow;

use super::image;

struct Heard(u64);

impl Progress for Heard {
    fn done(&mut self, bytes: u64) {
        assert!(bytes >= self.0, "a file is read once, forwards");
        self.0 = bytes;
    }

    fn bad(&mut self, row: &BadRow) {
        assert!(row.line > 1 && !row.message.is_empty());
    }
}

/// A file to be imported, which the office does twice.
pub(super) fn run(data: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), data).unwrap();
    let mut node = Node::Here(Box::new(image::office()));
    let first = match prelist::import(file.path(), &mut node, &mut Heard(0)) {
        Ok(report) => report,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(first.rows, first.added + first.there + first.bad, "a row is lost");
    let second = prelist::import(file.path(), &mut node, &mut Heard(0)).unwrap();
    assert_eq!((second.rows, second.bad), (first.rows, first.bad));
    assert_eq!(second.rows, second.added + second.there + second.bad);
}
