//! The survey's root key, split and joined. It never leaves this process but as files.

use serde::Serialize;

use super::output::Output;
use crate::args::Root;
use crate::disk::Folder;
use crate::verbs::VerbError;

#[derive(Serialize)]
struct Split {
    shares: Vec<String>,
}

#[derive(Serialize)]
struct Joined {
    root: String,
    path: String,
}

pub(super) fn root(verb: Root, folder: &Folder, output: Output) -> Result<(), VerbError> {
    match verb {
        Root::Split { folder: into } => {
            let shares = folder.split_root(&into)?;
            let shares = shares.iter().map(|path| path.display().to_string()).collect();
            output.show(&Split { shares }, |split, _| {
                format!(
                    "{}\nmove each to a medium of its own, then remove {}\n",
                    split.shares.join("\n"),
                    folder.root_path().display()
                )
            });
        }
        Root::Join { shares } => {
            let root = folder.join_root(&shares)?.to_string();
            let path = folder.root_path().display().to_string();
            output.show(&Joined { root, path }, |joined, _| {
                format!(
                    "the root key {} is in {}\nremove it when it has been used\n",
                    joined.root, joined.path
                )
            });
        }
    }
    Ok(())
}
