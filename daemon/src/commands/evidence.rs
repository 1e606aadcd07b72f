//! Evidence as a file: what a node answers is written, and a file that anyone brought is checked. Checking
//! asks no node and needs no data folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use data_encoding::BASE64;
use rukun_change::SurveyId;
use rukun_change::cbor::CborError;
use rukun_change::cose::Sign1Error;
use rukun_evidence::limits::EVIDENCE_BYTES_MAX;
use rukun_evidence::{EvidenceError, SignedEvidence, VerifiedEvidence};
use serde::Serialize;

use super::output::Output;
use crate::disk::{self, DiskError, Folder};
use crate::node::Node;
use crate::render::{self, counted, shown_bytes};
use crate::verbs::{EvidenceShape, ProofShape, Request, VerbError};

const NO_EVIDENCE: &str = "it is no evidence of rukun, or of a later version of it";
/// The first byte of what is signed: the tag of `COSE_Sign1`.
const SIGNED: u8 = 0xd2;

/// A file that was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    bytes: usize,
    record: String,
    survey: String,
    statements: usize,
    changes: usize,
}

pub(super) fn write(
    record: String,
    out: Option<PathBuf>,
    folder: &Folder,
    output: Output,
) -> Result<(), VerbError> {
    let told: EvidenceShape = Node::open(folder)?.ask(Request::Evidence { record })?;
    let bytes = BASE64.decode(told.evidence.as_bytes());
    let bytes = bytes.map_err(|error| VerbError::new(format!("the answer is no evidence: {error}"), ""))?;
    let EvidenceShape { record, survey, statements, changes, .. } = told;
    let file = out.unwrap_or_else(|| format!("{record}.evidence").into());
    make(&file, &bytes)?;
    let written = Written { file, bytes: bytes.len(), record, survey, statements, changes };
    output.show(&written, |written, _| text(written))?;
    Ok(())
}

pub(super) fn verify(file: &Path, survey: Option<&SurveyId>, output: Output) -> Result<ExitCode, VerbError> {
    let bytes = read(file)
        .map_err(|error| VerbError::new(format!("{} can't be read: {error}", file.display()), ""))?;
    let proves_nothing = |why: String| {
        let remedy = "believe nothing in it; get the file again from the device that wrote it";
        VerbError::new(format!("{} proves nothing: {why}", file.display()), remedy)
    };
    let signed =
        SignedEvidence::from_bytes(&bytes).map_err(|error| proves_nothing(unread(&bytes, &error)))?;
    let verified =
        VerifiedEvidence::verify(&signed, survey).map_err(|flaw| proves_nothing(flaw.to_string()))?;
    output.show(&ProofShape::of(&verified, survey.is_some()), render::evidence)?;
    Ok(ExitCode::SUCCESS)
}

/// Why a file is no evidence.
fn unread(bytes: &[u8], error: &EvidenceError) -> String {
    let (EvidenceError::Cbor(of_shape) | EvidenceError::Sign1(Sign1Error::Cbor(of_shape))) = error else {
        return match error {
            EvidenceError::Sign1(Sign1Error::Header) => NO_EVIDENCE.into(),
            error => error.to_string(),
        };
    };
    match of_shape {
        // A length that the file does not have is over the limit of what it has.
        CborError::CutOff | CborError::TooMany { .. }
            if bytes.first().is_none_or(|first| *first == SIGNED) =>
        {
            "it is cut off: copy it again".into()
        }
        CborError::Leftover { .. } => "something was added to its end: copy it again".into(),
        _ => NO_EVIDENCE.into(),
    }
}

/// A new file, for its owner alone: it holds a family's answers.
fn make(file: &Path, bytes: &[u8]) -> Result<(), VerbError> {
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.into());
    disk::write_new(&whole, bytes).map_err(|error| match error {
        DiskError::Taken { .. } => VerbError::new(
            format!("{} is there already", file.display()),
            "name another file with --out FILE",
        ),
        error => VerbError::from(error),
    })
}

/// A file as far as evidence can be long, and one byte more.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(EVIDENCE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(written: &Written) -> String {
    let Written { file, bytes, survey, statements, changes, .. } = written;
    format!(
        "wrote {file}: {}, {}, {}\n\
         it is not sealed: who has it reads the family's answers. Anyone can check it:\n  \
         rukun evidence verify {file} --survey {survey}\n",
        counted(*changes as u64, "change", "changes"),
        counted(*statements as u64, "statement", "statements"),
        shown_bytes(*bytes as u64),
        file = render::quoted(file),
    )
}
