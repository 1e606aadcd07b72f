//! Erasing a record: it is asked for once more before it is done, since nothing takes it back.

use rukun_replica::reason_line;

use super::output::{Output, confirm, say_aside};
use super::root::asked_for;
use crate::args::Erasure;
use crate::disk::Folder;
use crate::node::Node;
use crate::render;
use crate::verbs::{self, ErasedListShape, ErasedShape, RecordShape, Request, VerbError};

pub(super) fn erasure(verb: Erasure, folder: &Folder, output: Output) -> Result<(), VerbError> {
    match verb {
        Erasure::Erase { record, reason, yes, root } => {
            let (erased, new_key) = erase(folder, &record, reason, yes, root)?;
            output.show(&erased, |erased, paint| render::erased(erased, new_key.as_deref(), paint))?;
        }
        Erasure::Erased { region } => {
            let region = region.map(|region| region.to_string());
            let list: ErasedListShape = Node::open(folder)?.ask(Request::Erased { region })?;
            output.show(&list, render::erased_list)?;
        }
    }
    Ok(())
}

/// What was erased, and what to say of the key file if that is another now, or soon.
fn erase(
    folder: &Folder,
    record: &str,
    reason: String,
    yes: bool,
    root: bool,
) -> Result<(ErasedShape, Option<String>), VerbError> {
    reason_line(&reason)?;
    let root = root.then(|| asked_for(folder)).transpose()?;
    let key = folder.key().ok();
    let mut node = Node::open(folder)?;
    let shown: RecordShape = node.ask(Request::RecordShow { record: record.into() })?;
    if !yes {
        confirm(&render::erasing(&shown), "Erase it, everywhere?", "an erasure", "erased")?;
    }
    let record = shown.record;
    let erased = if let Some(root) = root {
        node.with_root(|replica| {
            verbs::check_root(replica, &root.key())?;
            verbs::erase(replica, Some(&root), &record, &reason)
        })?
    } else {
        node.ask(Request::Erase { record, reason })?
    };
    let is_here = matches!(node, Node::Here(_));
    if is_here {
        // Opening it makes the file anew; a daemon does so by itself.
        drop(node);
        let why_not = match folder.open_store().map(|store| store.renewal_due()) {
            Ok(Ok(false)) => None,
            Ok(Ok(true)) => Some("the disk has no room for a second copy now; make room".to_string()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why_not {
            say_aside(&format!("rukun: erased; the file is made anew when it is opened next, since {why}"));
        }
    }
    let path = folder.key_path();
    let again = format!("copy {} apart anew: the old copy opens this store no more", path.display());
    let new_key = match (key, is_here) {
        (Some(key), true) => folder.key().is_ok_and(|now| now != key).then_some(again),
        (Some(_), false) => Some(format!("{again}, once the daemon has made its file anew")),
        (None, _) => None,
    };
    Ok((erased, new_key))
}
