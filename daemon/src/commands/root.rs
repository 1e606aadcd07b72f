//! The survey's root key, split, joined and followed by another. It never leaves this process but as files.

use std::path::Path;

use rukun_authority::Keypair;
use rukun_change::DeviceKey;
use serde::Serialize;

use super::output::Output;
use crate::args::Root;
use crate::disk::{DiskError, Folder};
use crate::node::Node;
use crate::render::counted;
use crate::verbs::{self, Request, RootFollowedShape, StatusShape, VerbError};

#[derive(Serialize)]
struct Split {
    shares: Vec<String>,
}

#[derive(Serialize)]
struct Joined {
    root: String,
    path: String,
    /// The roots in force, if this folder's store knows them and this is none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    followed_by: Vec<String>,
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
                    "{}\n{} is root now, and {} is not; {} kept\nmove each share to a medium of its own, \
                     then remove {}\nwhen all devices have synced, destroy the old shares\n",
                    followed.shares.join("\n"),
                    followed.root,
                    followed.was,
                    counted(followed.kept, "of its statements is", "of its statements are"),
                    folder.root_path().display()
                )
            })?;
        }
        Root::Join { shares } => {
            let key = folder.join_root(&shares)?;
            let path = folder.root_path().display().to_string();
            let joined = Joined { root: key.to_string(), path, followed_by: followed_by(folder, &key) };
            output.show(&joined, |joined, paint| {
                let Joined { root, path, followed_by } = joined;
                let next = if followed_by.is_empty() {
                    "remove it when it has been used".into()
                } else {
                    paint.alert(&verbs::no_root(&key, followed_by).to_string())
                };
                format!("the root key {root} is in {path}\n{next}\n")
            })?;
        }
    }
    Ok(())
}

/// The root key that --root asks for.
pub(super) fn asked_for(folder: &Folder) -> Result<Keypair, VerbError> {
    folder.root().map_err(|error| {
        let is_missing = matches!(error, DiskError::NoRoot { .. });
        let error = VerbError::from(error);
        let without = "; without --root this device acts by its own grants";
        let remedy = format!("{}{}", error.remedy, if is_missing { without } else { "" });
        VerbError { remedy, ..error }
    })
}

/// The roots in force, if they are known here and this key is none of them. Whoever joins a key may have no store
/// here yet, or none that opens: then nothing is known.
fn followed_by(folder: &Folder, root: &DeviceKey) -> Vec<String> {
    let ask = || Node::open(folder).and_then(|mut node| node.ask::<StatusShape>(Request::Status)).ok();
    let status = if folder.has_store() { ask() } else { None };
    let roots = status.and_then(|status| status.survey).map(|survey| survey.roots).unwrap_or_default();
    if roots.contains(&root.to_string()) { Vec::new() } else { roots }
}

/// Cut off at any moment, it leaves the old key with all that it could do, or the new one with its shares; run
/// again, it finishes.
fn succeed(folder: &Folder, into: &Path) -> Result<RootFollowedShape, VerbError> {
    let present = folder.root()?;
    let mut node = Node::open(folder)?;
    let followed = node.with_root(|replica| {
        if !folder.has_next_root() {
            verbs::check_root(replica, &present.key())?;
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
