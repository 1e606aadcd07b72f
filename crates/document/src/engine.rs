//! Automerge at work: the changes of one ink become a document, and an edit its next change. The
//! only file that names the library. What it is given was decoded and chosen before; should it
//! fail or panic all the same, that is an error like another, and reading goes on without it.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::hydrate;
use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{
    ActorId, Automerge, AutomergeError, Change, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value,
};
use rukun_authority::AdmittedChange;
use rukun_change::{MemberId, Scalar};

use crate::draft::Writer;
use crate::json::Patch;

/// The change that makes this patch upon the changes held, causes first.
pub(crate) fn make_change(
    held: &[&AdmittedChange],
    writer: &Writer,
    patch: &Patch,
    message: &str,
) -> Result<Vec<u8>, String> {
    let mut doc = load(held);
    let own = held.iter().rev().find(|change| change.body().actor == writer.author.actor());
    if own.is_some_and(|own| !has(&doc, own)) {
        return Err("it does not take this device's own earlier change".into());
    }
    caught(|| {
        doc.set_actor(ActorId::from(writer.author.actor().as_bytes()));
        let is_first = doc.is_empty();
        let mut transaction = doc.transaction();
        if is_first {
            transaction.init_root_from_hydrate(&whole(patch))?;
        } else {
            put_all(&mut transaction, patch)?;
        }
        let mut options = CommitOptions::default().with_time(writer.time_ms);
        if !message.is_empty() {
            options.set_message(message);
        }
        let (hash, _) = transaction.commit_with(options);
        Ok(hash.and_then(|hash| doc.get_change_by_hash(&hash)).map(|change| change.raw_bytes().to_vec()))
    })?
    .ok_or_else(|| "it makes no change of this edit".into())
}

/// A document of these changes. Where the library does not take them together, they are tried one
/// by one, so that a single bad one costs only those that build on it.
fn load(held: &[&AdmittedChange]) -> Automerge {
    let mut doc = Automerge::new();
    if held.is_empty() {
        return doc;
    }
    let together = caught(|| {
        let changes: Result<Vec<Change>, _> = held.iter().map(|change| decode(change)).collect();
        doc.apply_changes(changes?)?;
        Ok(held.iter().all(|change| has(&doc, change)))
    });
    if together == Ok(true) {
        return doc;
    }
    let mut doc = Automerge::new();
    let mut taken = BTreeSet::new();
    for change in held {
        if !change.body().deps.iter().all(|dep| taken.contains(dep)) {
            continue;
        }
        let attempt = caught(|| {
            let mut attempt = doc.clone();
            attempt.apply_changes([decode(change)?])?;
            Ok(attempt)
        });
        if let Some(attempt) = attempt.ok().filter(|attempt| has(attempt, change)) {
            doc = attempt;
            taken.insert(change.body().hash);
        }
    }
    doc
}

fn decode(change: &AdmittedChange) -> Result<Change, AutomergeError> {
    Ok(Change::from_bytes(change.change().body.clone())?)
}

fn has(doc: &Automerge, change: &AdmittedChange) -> bool {
    doc.get_change_meta_by_hash(&ChangeHash(*change.body().hash.as_bytes())).is_some()
}

/// A first change in one piece, which is several times faster than field by field.
fn whole(patch: &Patch) -> hydrate::Map {
    let mut root = hydrate::Map::default();
    let entry = |value| hydrate::MapValue { value, conflict: false };
    for member in &patch.new_members {
        root.insert(member.to_string(), entry(hydrate::Value::map()));
    }
    for (place, value) in &patch.writes {
        let value = entry(hydrate::Value::Scalar(scalar(value)));
        let Some(member) = &place.member else {
            root.insert(place.field.clone(), value);
            continue;
        };
        let map = root.entry(member.to_string()).or_insert_with(|| entry(hydrate::Value::map()));
        if let hydrate::Value::Map(map) = &mut map.value {
            map.insert(place.field.clone(), value);
        }
    }
    root
}

fn put_all(transaction: &mut Transaction<'_>, patch: &Patch) -> Result<(), AutomergeError> {
    for member in &patch.new_members {
        member_map(transaction, member)?;
    }
    for (place, value) in &patch.writes {
        let map = match &place.member {
            None => ROOT,
            Some(member) => member_map(transaction, member)?,
        };
        put(transaction, &map, &place.field, value)?;
    }
    Ok(())
}

/// The member's map in this document, made if there is none.
fn member_map(transaction: &mut Transaction<'_>, member: &MemberId) -> Result<ObjId, AutomergeError> {
    let key = member.to_string();
    match transaction.get(ROOT, key.as_str())? {
        Some((Value::Object(ObjType::Map), map)) => Ok(map),
        _ => transaction.put_object(ROOT, key, ObjType::Map),
    }
}

/// Writes a value, even one that is there. Left to itself the library makes nothing of that, or, to
/// settle for the value it shows, deletes the others: neither says that someone chose this one.
fn put(
    transaction: &mut Transaction<'_>,
    map: &ObjId,
    field: &str,
    value: &Scalar,
) -> Result<(), AutomergeError> {
    let wanted = scalar(value);
    let shown = transaction.get(map, field)?;
    if matches!(shown, Some((Value::Scalar(shown), _)) if *shown == wanted) {
        let other = if *value == Scalar::Null { ScalarValue::Int(0) } else { ScalarValue::Null };
        transaction.put(map, field, other)?;
    }
    transaction.put(map, field, wanted)
}

fn scalar(value: &Scalar) -> ScalarValue {
    match value {
        Scalar::Null => ScalarValue::Null,
        Scalar::Int(number) => ScalarValue::Int(*number),
        Scalar::Text(text) => ScalarValue::Str(text.as_str().into()),
    }
}

/// Runs the library, and turns its panic into an error: a change that names an actor which no
/// change held is by is enough to make it panic. It needs panics to unwind.
fn caught<T>(run: impl FnOnce() -> Result<T, AutomergeError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("it panicked".into()),
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod oracle;
