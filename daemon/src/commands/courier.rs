//! A courier's bundles as files: what is taken along is read, and what is given by hand is written.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde::Serialize;

use super::bundle::{read, write_bundle};
use super::output::Output;
use crate::args::Courier;
use crate::disk::Folder;
use crate::node::Node;
use crate::render;
use crate::verbs::{GivenShape, ParcelShape, ParcelsShape, Request, VerbError};

/// A file that was written.
#[derive(Serialize)]
struct Given {
    file: PathBuf,
    #[serde(flatten)]
    parcel: ParcelShape,
}

pub(super) fn carry_out(verb: Courier, folder: &Folder, output: Output) -> Result<(), VerbError> {
    match verb {
        Courier::Take { files } => take(&files, folder, output),
        Courier::List => {
            let parcels: ParcelsShape = Node::open(folder)?.ask(Request::CourierList)?;
            output.show(&parcels, render::parcels)?;
            Ok(())
        }
        Courier::Give { bundle, file } => give(bundle, file, folder, output),
        Courier::Drop { bundle } => {
            let parcel: ParcelShape = Node::open(folder)?.ask(Request::CourierDrop { bundle })?;
            output.show(&parcel, render::parcel_dropped)?;
            Ok(())
        }
    }
}

/// All that can be taken are, whichever of them can't.
fn take(files: &[PathBuf], folder: &Folder, output: Output) -> Result<(), VerbError> {
    let mut node = Node::open(folder)?;
    let (mut bundles, mut refused) = (Vec::new(), None);
    for file in files {
        match take_one(&mut node, file) {
            // A script reads one answer.
            Ok(parcel) if output.is_json() && files.len() > 1 => bundles.push(parcel),
            Ok(parcel) => output.show(&parcel, render::parcel_taken)?,
            Err(error) => {
                if let Some(before) = refused.replace(error) {
                    output.fail(&before);
                }
            }
        }
    }
    if !bundles.is_empty() {
        output.show(&ParcelsShape { bundles }, render::parcels)?;
    }
    refused.map_or(Ok(()), Err)
}

fn take_one(node: &mut Node, file: &Path) -> Result<ParcelShape, VerbError> {
    let bundle = BASE64.encode(&read(file)?);
    node.ask(Request::CourierTake { bundle }).map_err(|error| error.about(&file.display()))
}

fn give(bundle: String, file: PathBuf, folder: &Folder, output: Output) -> Result<(), VerbError> {
    let given: GivenShape = Node::open(folder)?.ask(Request::CourierGive { bundle })?;
    write_bundle(&file, &given.file)?;
    let given = Given { file, parcel: given.parcel };
    output.show(&given, |given, _| render::parcel_given(&given.file, &given.parcel))?;
    Ok(())
}
