//! A spreadsheet's CSV file into rows, each with the line on which it starts. What is wrong with a row as a
//! row, or with the file as a file, is said here; what a heading or a cell may say is not looked at.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::{Reader, ReaderBuilder, StringRecord};

use crate::verbs::VerbError;

/// What separates cells, the first that a heading has: a spreadsheet set to Indonesian writes semicolons.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// What some programs begin a text in UTF-8 with.
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
/// As far as a heading is looked for.
const HEADING_BYTES_MAX: u64 = 4096;

/// A file that is being read.
#[derive(Debug)]
pub(crate) struct Sheet {
    path: PathBuf,
    reader: Reader<File>,
    lines: Lines,
    columns: Vec<String>,
}

/// A row that is not blank.
#[derive(Debug)]
pub(crate) struct Row {
    /// On which line it starts.
    pub(crate) line: u64,
    /// Its cells, trimmed and as many as there are columns; or what is wrong with it.
    pub(crate) cells: Result<StringRecord, String>,
}

impl Sheet {
    /// Reads a file's heading.
    ///
    /// # Errors
    /// If the file can't be read, or is no CSV.
    pub(crate) fn open(path: &Path) -> Result<Self, SheetError> {
        let unread = |source| SheetError::Read { path: path.into(), source };
        let heading = heading(path).map_err(unread)?;
        // UTF-16 and workbooks have them, and no text of ours.
        if heading.contains(&0) {
            return Err(SheetError::Encoding { path: path.into() });
        }
        let delimiter = DELIMITERS.into_iter().find(|one| heading.contains(one)).unwrap_or(b',');
        let file = File::open(path).map_err(unread)?;
        let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(file);
        let columns = match reader.headers() {
            Ok(heading) => heading.iter().map(|column| column.trim().to_lowercase()).collect(),
            Err(source) => return Err(SheetError::Csv { path: path.into(), source }),
        };
        let lines = Lines::open(path, delimiter).map_err(unread)?;
        let mut sheet = Self { path: path.into(), reader, lines, columns };
        sheet.line()?;
        match sheet.lines.open_quote() {
            None => Ok(sheet),
            Some(line) => {
                let message = format!("the quote that opens on line {line} is not closed");
                Err(sheet.bad_heading(VerbError::new(message, "close it, or leave it out")))
            }
        }
    }

    /// The columns' names, in lower case.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Says what is wrong with the heading.
    pub(crate) fn bad_heading(&self, error: VerbError) -> SheetError {
        SheetError::Heading { path: self.path.clone(), error }
    }

    /// The next row, good or bad; nothing at the end.
    ///
    /// # Errors
    /// If the file can't be read.
    pub(crate) fn next_row(&mut self) -> Result<Option<Row>, SheetError> {
        let mut record = StringRecord::new();
        loop {
            let line = self.line()?;
            let read = self.reader.read_record(&mut record);
            self.line()?;
            let cells = match (read, self.lines.open_quote()) {
                (Ok(false), _) => return Ok(None),
                (Err(source), _) if !matches!(source.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    return Err(SheetError::Csv { path: self.path.clone(), source });
                }
                (_, Some(opened)) => Err(unclosed(opened)),
                (Err(_), None) => Err("the row is not UTF-8; save the file as CSV UTF-8".into()),
                (Ok(true), None) => {
                    record.trim();
                    if record.iter().all(str::is_empty) {
                        continue;
                    }
                    self.as_many_as_columns(record)
                }
            };
            return Ok(Some(Row { line, cells }));
        }
    }

    /// How much of the file is read.
    pub(crate) fn done_bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    fn as_many_as_columns(&self, record: StringRecord) -> Result<StringRecord, String> {
        if record.len() == self.columns.len() {
            return Ok(record);
        }
        let goes_on = record.iter().any(|cell| cell.contains(['\n', '\r']));
        let why = if goes_on { "; a cell goes on in the next line: close the quote before that" } else { "" };
        let cells = if record.len() == 1 { "1 cell".into() } else { format!("{} cells", record.len()) };
        Err(format!("the row has {cells}, the heading has {}{why}", self.columns.len()))
    }

    /// On which line the reader is, or after the blank lines there.
    fn line(&mut self) -> Result<u64, SheetError> {
        let line = self.lines.of(self.reader.position().byte());
        line.map_err(|source| SheetError::Read { path: self.path.clone(), source })
    }
}

fn unclosed(opened: u64) -> String {
    format!(
        "the quote that opens on line {opened} is not closed, and nothing after it was taken: close it, or leave it out"
    )
}

fn heading(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(HEADING_BYTES_MAX).read_to_end(&mut start)?;
    Ok(start.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default().to_vec())
}

/// Which line a row starts on, and whether a quote is open there. The reader counts from before the blank lines
/// that it skips. A line ends as the reader lets a row end: with LF, CR LF, or CR alone, as old spreadsheets
/// write it.
#[derive(Debug)]
struct Lines {
    file: BufReader<File>,
    delimiter: u8,
    at: u64,
    line: u64,
    last: u8,
    within: Within,
}

/// Where in a cell one is, as the reader takes quotes. Of an open one, the line on which it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Start,
    Plain,
    Quoted(u64),
    /// After a quote that closes it, unless another follows.
    Closing(u64),
}

impl Lines {
    fn open(path: &Path, delimiter: u8) -> io::Result<Self> {
        let file = BufReader::new(File::open(path)?);
        Ok(Self { file, delimiter, at: 0, line: 1, last: 0, within: Within::Start })
    }

    /// The line of the row that starts at this byte, or after the blank lines there. Bytes must not
    /// go back.
    fn of(&mut self, byte: u64) -> io::Result<u64> {
        loop {
            let next = self.file.fill_buf()?.first().copied();
            let blank = matches!(next, Some(b'\n' | b'\r'));
            if next.is_none() || (self.at >= byte && !blank) {
                return Ok(self.line);
            }
            self.take(next.unwrap_or_default());
            self.file.consume(1);
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) {
        let is_bom = usize::try_from(self.at).ok().and_then(|at| BOM.get(at)) == Some(&byte);
        if !is_bom {
            self.within = self.after(byte);
        }
        let ends = byte == b'\r' || byte == b'\n' && self.last != b'\r';
        self.line += u64::from(ends);
        self.last = byte;
    }

    fn after(&self, byte: u8) -> Within {
        match (self.within, byte) {
            (Within::Start, b'"') => Within::Quoted(self.line),
            (Within::Quoted(opened), b'"') => Within::Closing(opened),
            (Within::Closing(opened), b'"') | (Within::Quoted(opened), _) => Within::Quoted(opened),
            (_, b'\n' | b'\r') => Within::Start,
            (_, byte) if byte == self.delimiter => Within::Start,
            _ => Within::Plain,
        }
    }

    /// On which line the quote opens that is open here.
    fn open_quote(&self) -> Option<u64> {
        if let Within::Quoted(opened) = self.within { Some(opened) } else { None }
    }
}

/// Why a file can't be read as rows.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// The file can't be read.
    #[error("{path} can't be read: {source}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// UTF-16, or no text at all.
    #[error("{path} is not in UTF-8", path = path.display())]
    Encoding {
        /// Which.
        path: PathBuf,
    },
    /// Not CSV.
    #[error("{path} is no CSV file: {source}", path = path.display())]
    Csv {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: csv::Error,
    },
    /// Columns that can't be.
    #[error("{path}, line 1: {}", error.message, path = path.display())]
    Heading {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: VerbError,
    },
}

impl From<SheetError> for VerbError {
    fn from(error: SheetError) -> Self {
        let remedy = match &error {
            SheetError::Read { .. } => "is that where the file is?".into(),
            SheetError::Encoding { .. } => {
                "save it as CSV UTF-8, cells separated by comma or semicolon".into()
            }
            SheetError::Csv { .. } => "save it as CSV, UTF-8, with a heading in the first line".into(),
            SheetError::Heading { error, .. } => error.remedy.clone(),
        };
        Self::new(error, remedy)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// The columns, and each row's line with its cells or what is wrong with it.
    type Told = (Vec<String>, Vec<(u64, String)>);

    fn read(text: &[u8]) -> Result<Told, SheetError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let mut sheet = Sheet::open(file.path())?;
        let mut rows = Vec::new();
        while let Some(Row { line, cells }) = sheet.next_row()? {
            let cells = cells.map(|cells| cells.iter().collect::<Vec<_>>().join("|"));
            rows.push((line, cells.unwrap_or_else(|why| format!("bad: {why}"))));
        }
        Ok((sheet.columns().to_vec(), rows))
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named_with_the_line_on_which_it_opens() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "1,2", "3,\"x", "5,6", "7,8", ""].join(end);
            let (_, rows) = read(text.as_bytes()).unwrap();
            assert_eq!((rows.len(), rows[1].0), (2, 3), "{rows:?}");
            assert!(rows[1].1.starts_with("bad: the quote that opens on line 3"), "{rows:?}");
            let (_, rows) = read(text.replace("3,\"x", "\"3,x").as_bytes()).unwrap();
            assert!(rows[1].1.contains("opens on line 3"), "nor in the first column: {rows:?}");
        }
        let (_, rows) = read(b"a,b\n\"1\n\",\"x\n5,6\n").unwrap();
        assert!(rows[0].0 == 2 && rows[0].1.contains("opens on line 3"), "{rows:?}");
        let error = read(b"a,\"b\n1,2\n").unwrap_err().to_string();
        assert!(error.contains("line 1: the quote that opens on line 1"), "{error}");
    }

    #[test]
    fn quotes_that_are_closed_or_stand_within_a_cell_are_none_of_these() {
        let (_, rows) =
            read(b"\xef\xbb\xbf\"a\",b\n\"x \"\"y\"\"\",5\" pipe\n\"p\nq\",\"\"\n\"r\"s,\"t\"\n").unwrap();
        let expected = [(2, "x \"y\"|5\" pipe"), (3, "p\nq|"), (5, "rs|t")];
        assert_eq!(rows, expected.map(|(line, cells)| (line, cells.to_owned())));
        let (_, rows) = read(b"a,b\n\"x\n1,2,\"y\n3,4\n").unwrap();
        assert!(rows[0].1.contains("close the quote") && rows[1] == (4, "3|4".into()), "{rows:?}");
    }

    #[test]
    fn commas_semicolons_and_tabs_separate_cells_and_names_of_columns_are_in_lower_case() {
        for text in ["Region, R108 \nx,y\n", "Region; R108 \nx;y\n", "Region\t R108 \nx\ty\n"] {
            let (columns, rows) = read(text.as_bytes()).unwrap();
            assert_eq!(columns, ["region", "r108"]);
            assert_eq!(rows, [(2, "x|y".into())], "{text}");
        }
    }

    #[test]
    fn a_file_in_utf_16_is_told_to_be_saved_as_utf_8() {
        let text: Vec<u8> = "\u{feff}region,r108\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let error = VerbError::from(read(&text).unwrap_err());
        assert!(error.message.contains("not in UTF-8") && error.remedy.contains("CSV UTF-8"), "{error}");
    }
}
