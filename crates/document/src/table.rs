//! The questionnaire's file as rows of cells, read strictly: the header is fixed, every row has
//! every cell, nothing is guessed. What a cell means is `questionnaire`'s.

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use crate::parser::ExpressionError;

const COLUMNS: [&str; 9] =
    ["variable", "block", "level", "label_id", "label_en", "kind", "min", "max", "required_when"];
/// The largest questionnaire.
const FILE_BYTES_MAX: usize = 1024 * 1024;

/// The rows below the header.
pub(crate) fn read(file: &[u8]) -> Result<Vec<Cells>, QuestionnaireError> {
    let whole = |fault| QuestionnaireError { line: 1, column: "variable", fault };
    if file.len() > FILE_BYTES_MAX {
        return Err(whole(QuestionnaireFault::Size { bytes: file.len(), max: FILE_BYTES_MAX }));
    }
    let mut rows = Vec::new();
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(false).from_reader(file);
    for record in reader.records() {
        let cells = Cells(record.map_err(|error| unreadable(&error))?);
        if let Some(column) = COLUMNS.iter().find(|column| cells.get(column).contains(['\n', '\r'])) {
            return Err(cells.fault(column, QuestionnaireFault::LineBreak));
        }
        rows.push(cells);
    }
    match rows.first() {
        Some(Cells(header)) if header == COLUMNS.as_slice() => rows.remove(0),
        _ => return Err(whole(QuestionnaireFault::Header)),
    };
    if rows.is_empty() { Err(whole(QuestionnaireFault::Nothing)) } else { Ok(rows) }
}

fn unreadable(error: &csv::Error) -> QuestionnaireError {
    let line = error.position().map_or(1, csv::Position::line);
    let (column, fault) = match error.kind() {
        ErrorKind::Utf8 { err, .. } => {
            (COLUMNS.get(err.field()).copied().unwrap_or("variable"), QuestionnaireFault::Utf8)
        }
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let fault = QuestionnaireFault::Cells { cells: *len, expected: *expected_len };
            ("required_when", fault)
        }
        _ => ("variable", QuestionnaireFault::Csv { message: error.to_string() }),
    };
    QuestionnaireError { line, column, fault }
}

/// One row.
pub(crate) struct Cells(StringRecord);

impl Cells {
    pub(crate) fn line(&self) -> u64 {
        self.0.position().map_or(1, csv::Position::line)
    }

    pub(crate) fn get(&self, column: &str) -> &str {
        let at = COLUMNS.iter().position(|name| *name == column);
        at.and_then(|at| self.0.get(at)).unwrap_or_default()
    }

    pub(crate) fn need(&self, column: &'static str) -> Result<&str, QuestionnaireError> {
        match self.get(column) {
            "" => Err(self.fault(column, QuestionnaireFault::Missing)),
            text => Ok(text),
        }
    }

    pub(crate) fn need_empty(&self, column: &'static str) -> Result<(), QuestionnaireError> {
        match self.get(column) {
            "" => Ok(()),
            found => {
                let fault = QuestionnaireFault::Limit { found: found.into(), kind: self.get("kind").into() };
                Err(self.fault(column, fault))
            }
        }
    }

    pub(crate) fn fault(&self, column: &'static str, fault: QuestionnaireFault) -> QuestionnaireError {
        QuestionnaireError { line: self.line(), column, fault }
    }
}

/// Why a file is no questionnaire: where, and what to put there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct QuestionnaireError {
    /// The line, counted from 1.
    pub line: u64,
    /// The column, by its header.
    pub column: &'static str,
    /// What is wrong there.
    pub fault: QuestionnaireFault,
}

/// What is wrong with a cell, a row or the whole file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionnaireFault {
    /// Larger than any questionnaire.
    #[error("the file has {bytes} bytes; a questionnaire has at most {max}")]
    Size {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
    /// Not the header.
    #[error("the first line must be {}", COLUMNS.join(","))]
    Header,
    /// No rows.
    #[error("there is no variable; put one on each line below the header")]
    Nothing,
    /// Too many rows.
    #[error("more than {max} variables and rules; split the survey")]
    Rows {
        /// How many there may be.
        max: usize,
    },
    /// Cells missing, or too many.
    #[error(
        "the row has {cells} cells where {expected} are expected; put text that holds a comma in double quotes"
    )]
    Cells {
        /// How many there are.
        cells: u64,
        /// How many there must be.
        expected: u64,
    },
    /// A line break within a cell.
    #[error("a line break within a cell; is a double quote left open?")]
    LineBreak,
    /// Not text.
    #[error("not UTF-8; save the file as UTF-8")]
    Utf8,
    /// Anything else that the reader of comma-separated values says.
    #[error("{message}")]
    Csv {
        /// What it says.
        message: String,
    },
    /// An empty cell.
    #[error("the cell is empty; it needs a value")]
    Missing,
    /// A name of the wrong shape.
    #[error("{name:?} is no name; a name is a small letter, then at most 31 small letters, digits and _")]
    Name {
        /// What was given.
        name: String,
    },
    /// A name that means something else.
    #[error("{name:?} means something else here; choose another name")]
    Reserved {
        /// What was given.
        name: String,
    },
    /// A name given before.
    #[error("{name:?} is already on line {line}; choose another name")]
    Twice {
        /// What was given.
        name: String,
        /// Where it was given first.
        line: u64,
    },
    /// No level.
    #[error("{found:?} is no level; write family or member")]
    Level {
        /// What was given.
        found: String,
    },
    /// No kind.
    #[error("{found:?} is no kind; write integer, text, digits16, region or rule")]
    Kind {
        /// What was given.
        found: String,
    },
    /// A limit where there can be none.
    #[error("{found:?} limits what is {kind}; only an integer has limits: leave the cell empty")]
    Limit {
        /// What was given.
        found: String,
        /// The row's kind.
        kind: String,
    },
    /// No number.
    #[error("{found:?} is no whole number of 64 bits")]
    Number {
        /// What was given.
        found: String,
    },
    /// A greatest value below the least.
    #[error("{max} is below {min}, the least: exchange them")]
    Range {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A greatest value that no variable gives.
    #[error(
        "{found:?} is no other variable that gives a number here; name an integer of the family or of the same level"
    )]
    Max {
        /// What was given.
        found: String,
    },
    /// A rule that says nothing.
    #[error("a rule must say what has to hold: \"always\" and \"optional\" say nothing")]
    Idle,
    /// No condition.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
}
