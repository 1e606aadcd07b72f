//! The survey's root key, split, joined and followed by another. It never leaves this process but as files.

use std::path::Path;

use serde::Serialize;

use super::output::Output;
use crate::args::Root;
use crate::disk::Folder;
use crate::node::Node;
use crate::verbs::{self, RootFollowedShape, VerbError};

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
            })?;
        }
        Root::Succeed { folder: into } => {
            let followed = succeed(folder, &into)?;
            output.show(&followed, |followed, _| {
                format!(
                    "{}\n{} is root now, and {} is not; {} of its statements are kept\nmove each share to a medium of its own, \
                     then remove {}\nwhen all devices have synced, destroy the old shares\n",
                    followed.shares.join("\n"),
                    followed.root,
                    followed.was,
                    followed.kept,
                    folder.root_path().display()
                )
            })?;
        }
        Root::Join { shares } => {
            let root = folder.join_root(&shares)?.to_string();
            let path = folder.root_path().display().to_string();
            output.show(&Joined { root, path }, |joined, _| {
                format!(
                    "the root key {} is in {}\nremove it when it has been used\n",
                    joined.root, joined.path
                )
            })?;
        }
    }
    Ok(())
}

/// Cut off at any moment, it leaves the old key with all that it could do, or the new one with its shares; run
/// again, it finishes.
fn succeed(folder: &Folder, into: &Path) -> Result<RootFollowedShape, VerbError> {
    let present = folder.root()?;
    let mut node = Node::open(folder)?;
    let followed = node.with_root(|replica| {
        if !folder.has_next_root() {
            verbs::check_root(replica, &present)?;
        }
        let (next, shares) = folder.next_root(into)?;
        let mut followed = verbs::succeed_root(replica, &present, &next)?;
        followed.shares = shares.iter().map(|path| path.display().to_string()).collect();
        Ok(followed)
    })?;
    // The statement is durable, and nothing more is to be said with the old key.
    folder.put_next_root()?;
    Ok(followed)
}
