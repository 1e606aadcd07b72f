//! A prelist file, row by row, into requests of some hundreds of rows each, every one of them committed
//! before the next is read: memory does not grow with the file, but for its KK numbers. What is
//! wrong with a row is told by line and column; what an answer may be is the node's to say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use csv::StringRecord;
use serde::Serialize;

use crate::node::Node;
use crate::sheet::{Row, Sheet, SheetError};
use crate::verbs::{BadRow, HeadingShape, ImportShape, PrelistRow, REGION, Request, ThereRow, VerbError};

/// A batch ends with its sub-SLS once it has so many rows,
const BATCH_ROWS: usize = 500;
/// if it has come through no more of them: then the file is in their order, and none comes again.
const BATCH_PLACES: usize = 50;
/// For each batch the node reads what each of its sub-SLS holds, so a file in another order is
/// taken in larger ones.
const BATCH_ROWS_MAX: usize = 5_000;
/// Rows named in the report; more are only counted.
const NAMED_ROWS_MAX: usize = 1_000;

/// What became of a file.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many rows it has.
    pub rows: u64,
    /// How many records were made.
    pub added: u64,
    /// How many families were there already.
    pub there: u64,
    /// How many rows are bad.
    pub bad: u64,
    /// The first of those that were there.
    pub there_rows: Vec<ThereRow>,
    /// The first of the bad ones, by line; a row with several faults has a line for each.
    pub bad_rows: Vec<BadRow>,
    /// Sub-SLS into which records came, and which no enumerator is granted.
    pub unassigned: BTreeSet<String>,
}

/// What the caller hears while a file is imported.
pub trait Progress {
    /// So many bytes of the file are done.
    fn done(&mut self, bytes: u64);
    /// A row is bad.
    fn bad(&mut self, row: &BadRow);
}

/// Imports a file.
///
/// # Errors
/// If the file can't be read, its heading is wrong, or the node takes no records. What was imported
/// before stays.
pub fn import(path: &Path, node: &mut Node, progress: &mut dyn Progress) -> Result<Report, ImportError> {
    let mut sheet = Sheet::open(path)?;
    let columns = sheet.columns().to_vec();
    let heading = node.ask::<HeadingShape>(Request::ImportHeading { columns: columns.clone() });
    let heading = heading.map_err(|error| sheet.bad_heading(error))?;
    let mut import = Import {
        columns,
        kk: heading.kk,
        kk_lines: BTreeMap::new(),
        batch: Vec::new(),
        batch_places: BTreeSet::new(),
        batch_bad: Vec::new(),
        report: Report::default(),
        node,
        progress,
    };
    while let Some(Row { line, cells }) = sheet.next_row()? {
        import.report.rows += 1;
        match cells {
            Ok(cells) => import.row(line, &cells)?,
            Err(message) => import.bad_row(line, "", message)?,
        }
        import.progress.done(sheet.done_bytes());
    }
    import.send()?;
    Ok(import.report)
}

struct Import<'a> {
    columns: Vec<String>,
    kk: Option<String>,
    /// On which line each KK number stands first.
    kk_lines: BTreeMap<String, u64>,
    batch: Vec<PrelistRow>,
    batch_places: BTreeSet<String>,
    /// Bad rows that are told with those that the node finds bad, by line.
    batch_bad: Vec<BadRow>,
    report: Report,
    node: &'a mut Node,
    progress: &'a mut dyn Progress,
}

impl Import<'_> {
    fn row(&mut self, line: u64, record: &StringRecord) -> Result<(), ImportError> {
        let cells = self.columns.iter().zip(record);
        let (mut region, mut rest) = (String::new(), Vec::new());
        for (column, text) in cells {
            if column == REGION {
                text.clone_into(&mut region);
            } else if !text.is_empty() {
                rest.push((column.clone(), text.to_owned()));
            }
        }
        if let Some((column, kk)) = rest.iter().find(|(column, _)| Some(column) == self.kk.as_ref()) {
            let first = *self.kk_lines.entry(kk.clone()).or_insert(line);
            if first != line {
                let (column, message) = (column.clone(), format!("the same number stands on line {first}"));
                return self.bad_row(line, &column, message);
            }
        }
        let in_order = !self.batch_places.contains(&region) && self.batch_places.len() <= BATCH_PLACES;
        let full = if in_order { BATCH_ROWS } else { BATCH_ROWS_MAX };
        if self.batch.len() >= full {
            self.send()?;
        }
        self.batch_places.insert(region.clone());
        self.batch.push(PrelistRow { line, region, cells: rest });
        Ok(())
    }

    fn send(&mut self) -> Result<(), ImportError> {
        let mut bad = std::mem::take(&mut self.batch_bad);
        if !self.batch.is_empty() {
            let rows = std::mem::take(&mut self.batch);
            self.batch_places.clear();
            let line = rows.first().map_or(0, |row| row.line);
            let outcome = self.node.ask::<ImportShape>(Request::Import { rows });
            let outcome =
                outcome.map_err(|error| ImportError::Node { added: self.report.added, line, error })?;
            self.report.added += outcome.added as u64;
            self.report.there += outcome.there.len() as u64;
            let room = NAMED_ROWS_MAX.saturating_sub(self.report.there_rows.len());
            self.report.there_rows.extend(outcome.there.into_iter().take(room));
            self.report.unassigned.extend(outcome.unassigned);
            bad.extend(outcome.bad);
        }
        bad.sort_by_key(|row| row.line);
        let mut line_before = None;
        for row in bad {
            self.report.bad += u64::from(line_before.replace(row.line) != Some(row.line));
            self.name_bad(row);
        }
        Ok(())
    }

    fn bad_row(&mut self, line: u64, column: &str, message: String) -> Result<(), ImportError> {
        self.batch_bad.push(BadRow { line, column: column.into(), message });
        if self.batch_bad.len() < BATCH_ROWS_MAX { Ok(()) } else { self.send() }
    }

    fn name_bad(&mut self, row: BadRow) {
        self.progress.bad(&row);
        if self.report.bad_rows.len() < NAMED_ROWS_MAX {
            self.report.bad_rows.push(row);
        }
    }
}

/// Why a file was not imported, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is no sheet, or its heading is wrong.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// The node takes no records, or none any more.
    #[error("{}{}", so_far(*added, *line), error.message)]
    Node {
        /// How many records were made before.
        added: u64,
        /// Where the rows begin that were not taken.
        line: u64,
        /// Why not.
        error: VerbError,
    },
}

fn so_far(added: u64, line: u64) -> String {
    match added {
        0 => String::new(),
        1 => format!("1 record is in, and from line {line} on nothing is sure to be: "),
        _ => format!("{added} records are in, and from line {line} on nothing is sure to be: "),
    }
}

impl From<ImportError> for VerbError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Sheet(error) => error.into(),
            ImportError::Node { error: VerbError { ref remedy, .. }, .. } => {
                let remedy = remedy.clone();
                Self::new(error, remedy)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::node::tests::district;

    #[derive(Debug, Default)]
    struct Heard(Vec<BadRow>);

    impl Progress for Heard {
        fn done(&mut self, _: u64) {}

        fn bad(&mut self, row: &BadRow) {
            self.0.push(row.clone());
        }
    }

    fn import_text(node: &mut Node, text: &str) -> Result<(Report, Heard), ImportError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut heard = Heard::default();
        import(file.path(), node, &mut heard).map(|report| (report, heard))
    }

    #[test]
    fn good_rows_go_in_and_bad_ones_are_named_by_line_and_column() {
        let (_parent, mut node) = district();
        let text = "region,r108,r110,r111,r114\n\
            1811010005000300,Siti Aminah,1,1,1811010101100001\n\
            1811010005000300,Budi,dua,2,1811010101100002\r\n\
            \r\n\
            18110100050003,Joko,3,3,1811010101100003\n\
            1811010005000300,Wayan,4,4,1811010101100001\n\
            1811010005000300,Made,5\n\
            1805010005000300,Ujang,1,1,1805010101100001\n\
            1811010005000300,Ketut,6,6,1811010101100006\n";
        let (report, heard) = import_text(&mut node, text).unwrap();
        assert_eq!((report.rows, report.added, report.there, report.bad), (7, 2, 0, 5));
        let named: Vec<(u64, &str)> = heard.0.iter().map(|row| (row.line, row.column.as_str())).collect();
        assert_eq!(named, [(3, "r110"), (5, "region"), (6, "r114"), (7, ""), (8, "region")]);
        let twice = heard.0.iter().find(|row| row.line == 6).unwrap();
        assert!(twice.message.contains("line 2") && !twice.message.contains("1811"), "{}", twice.message);
    }

    #[test]
    fn lines_are_counted_however_they_end() {
        let (_parent, mut node) = district();
        for end in ["\n", "\r\n", "\r"] {
            let text = ["region;r108", "", "1811010005000300;Siti", "1805010005000300;Ujang", ""].join(end);
            let (report, heard) = import_text(&mut node, &text).unwrap();
            assert_eq!((report.rows, report.bad, heard.0[0].line), (2, 1, 4), "{end:?}");
        }
    }

    #[test]
    fn importing_a_file_again_makes_no_family_twice() {
        let (_parent, mut node) = district();
        let text = "region;r108;r110;r111;r114\n\
            1811010005000300;Siti Aminah;1;1;1811010101100001\n\
            1811010005000300;Budi;1;2;\n";
        assert_eq!(import_text(&mut node, text).unwrap().0.added, 2);
        let (report, heard) = import_text(&mut node, text).unwrap();
        assert_eq!((report.added, report.there, report.bad), (0, 2, 0));
        assert!(heard.0.is_empty());
        assert_eq!(report.there_rows[1].line, 3);
    }

    #[test]
    fn an_import_that_ends_early_says_how_far_it_came() {
        let (_parent, mut node) = district();
        let error = VerbError::new("the daemon cannot be spoken to", "start it again");
        let error = VerbError::from(ImportError::Node { added: 500, line: 502, error });
        assert!(error.message.contains("500 records") && error.message.contains("from line 502"), "{error}");
        assert_eq!(error.remedy, "start it again");
        // A place where nothing may be written is the fault of its row alone.
        let text = "region;r108\n1811010005000300;Siti\n1805010005000300;Budi\n1811010005000300;Sri\n";
        let (report, _) = import_text(&mut node, text).unwrap();
        assert_eq!((report.added, report.bad, report.bad_rows[0].line), (2, 1, 3));
    }

    #[test]
    fn an_unknown_column_is_named_with_the_nearest() {
        let (_parent, mut node) = district();
        let error = import_text(&mut node, "region,r1088\n").unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("r108?"), "{error}");
        let error = import_text(&mut node, "r108\nSiti\n").unwrap_err().to_string();
        assert!(error.contains("region is missing"), "{error}");
    }

    #[test]
    fn a_row_in_another_encoding_is_bad_and_the_next_one_good() {
        let (_parent, mut node) = district();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"region,r108\n1811010005000300,Ren\xe9\n1811010005000300,Siti\n").unwrap();
        let report = import(file.path(), &mut node, &mut Heard::default()).unwrap();
        assert_eq!((report.added, report.bad, report.bad_rows[0].line), (1, 1, 2));
    }
    #[test]
    fn nothing_is_taken_of_a_row_whose_quote_is_not_closed_or_whose_cell_has_two_lines() {
        let (_parent, mut node) = district();
        let text = "region,r110,r111,r108\n\
            1811010005000300,1,1,Siti\n\
            1811010005000300,2,2,\"Tono\nSri\"\n\
            1811010005000300,3,3,\"Budi\n\
            1811010005000300,4,4,Wayan\n";
        let (report, heard) = import_text(&mut node, text).unwrap();
        assert_eq!((report.rows, report.added, report.bad), (3, 1, 2));
        let [broken, open] = &heard.0[..] else { panic!("{heard:?}") };
        assert!((broken.line, broken.column.as_str()) == (3, "r108"), "{broken:?}");
        assert!(broken.message.contains("one line"), "{broken:?}");
        assert!(open.line == 5 && open.message.contains("line 5 is not closed"), "{open:?}");
    }

    #[test]
    fn places_that_no_enumerator_has_are_named_where_records_came_into_them() {
        let (_parent, mut node) = district();
        let text = "Region,R108\n1811010005000400,Siti\n1811010005000300,Budi\n1805010005000300,Sri\n";
        let (report, _) = import_text(&mut node, text).unwrap();
        let named: Vec<&str> = report.unassigned.iter().map(String::as_str).collect();
        assert_eq!(named, ["1811010005000300", "1811010005000400"]);
    }
}
