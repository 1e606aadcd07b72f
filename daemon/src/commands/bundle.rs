//! Bundles as files: what a node answers is written, and a file that somebody brought is given to it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use data_encoding::BASE64;
use rukun_replica::BUNDLE_BYTES_MAX;
use serde::Serialize;

use super::SOME_REFUSED;
use super::output::Output;
use crate::args::Bundle;
use crate::disk::{self, DiskError, Folder};
use crate::node::Node;
use crate::render;
use crate::verbs::{BundleShape, BundleTakenShape, Request, VerbError, Who};

/// A file that was written.
#[derive(Serialize)]
struct Written {
    file: PathBuf,
    bytes: usize,
    #[serde(rename = "for")]
    recipient: Who,
    changes: usize,
    statements: usize,
}

pub(super) fn carry_out(verb: Bundle, folder: &Folder, output: Output) -> Result<ExitCode, VerbError> {
    match verb {
        Bundle::Export { recipient, file } => {
            export(recipient, file, folder, output)?;
            Ok(ExitCode::SUCCESS)
        }
        Bundle::Import { file } => import(&file, folder, output),
    }
}

fn export(recipient: String, file: PathBuf, folder: &Folder, output: Output) -> Result<(), VerbError> {
    if file.exists() {
        return Err(taken(&file));
    }
    let told: BundleShape = Node::open(folder)?.ask(Request::BundleExport { recipient })?;
    let bytes = write_bundle(&file, &told.bundle)?;
    let BundleShape { recipient, changes, statements, .. } = told;
    let written = Written { file, bytes, recipient, changes, statements };
    output.show(&written, |written, _| {
        let Written { file, bytes, recipient, changes, statements } = written;
        render::bundle_written(file, *bytes, recipient, *changes, *statements)
    })?;
    Ok(())
}

fn import(file: &Path, folder: &Folder, output: Output) -> Result<ExitCode, VerbError> {
    let request = Request::BundleImport { bundle: BASE64.encode(&read(file)?) };
    let taken: BundleTakenShape =
        Node::open(folder)?.ask(request).map_err(|error| error.about(&file.display()))?;
    output.show(&taken, render::bundle_taken)?;
    Ok(if taken.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(SOME_REFUSED) })
}

fn taken(file: &Path) -> VerbError {
    VerbError::new(format!("{} is there already", file.display()), "name another file, or remove that one")
}

/// Makes the file of a bundle that a node gave in base64. Gives how long it is.
pub(super) fn write_bundle(file: &Path, bundle: &str) -> Result<usize, VerbError> {
    let bytes = BASE64.decode(bundle.as_bytes());
    let bytes = bytes.map_err(|error| VerbError::new(format!("the answer is no bundle: {error}"), ""))?;
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    disk::write_new(&whole, &bytes).map_err(|error| match error {
        DiskError::Taken { .. } => taken(file),
        error => VerbError::from(error),
    })?;
    Ok(bytes.len())
}

/// A file as far as a bundle can be long, and one byte more.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, VerbError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(file)?.take(BUNDLE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read()
        .map_err(|error: io::Error| VerbError::new(format!("{} can't be read: {error}", file.display()), ""))
}
