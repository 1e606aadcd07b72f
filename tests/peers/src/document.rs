//! An interview as an Automerge document for those engines that keep records as such: answers as scalars at the
//! root, each member a map of its own, all of it in one change, as this project's own documents have it. Which engine
//! carries the changes is not known here.

use anyhow::{Context, ensure};
use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{ActorId, Automerge, ObjType, ROOT, ScalarValue};
use rukun_change::Digest;
use serde_json::Value;

use crate::families::Editor;

/// The document of a new record.
///
/// # Errors
/// If an answer is neither a text nor an integer.
pub fn document(interview: &Value) -> anyhow::Result<Automerge> {
    let mut document = Automerge::new().with_actor(actor(Editor::Phone));
    write(&mut document, interview)?;
    Ok(document)
}

/// Writes answers as one change of this editor.
///
/// # Errors
/// If an answer is neither a text nor an integer.
pub fn edit(document: &mut Automerge, editor: Editor, patch: &Value) -> anyhow::Result<()> {
    document.set_actor(actor(editor));
    write(document, patch)
}

fn write(document: &mut Automerge, patch: &Value) -> anyhow::Result<()> {
    let mut transaction = document.transaction();
    for (name, value) in patch.as_object().context("a patch is an object")? {
        match value {
            Value::Object(members) => {
                for answers in members.values() {
                    put_member(&mut transaction, answers)?;
                }
            }
            value => transaction.put(ROOT, name, scalar(value)?)?,
        }
    }
    let (hash, _) = transaction.commit_with(CommitOptions::default());
    ensure!(hash.is_some(), "a patch that changes nothing");
    Ok(())
}

fn put_member(transaction: &mut Transaction<'_>, answers: &Value) -> anyhow::Result<()> {
    let nik = answers["r403"].as_str().context("a member has a NIK")?;
    let id = format!("m:{:.16}", Digest::of(nik.as_bytes()).to_string());
    let member = transaction.put_object(ROOT, id, ObjType::Map)?;
    for (name, value) in answers.as_object().context("a member is an object")? {
        transaction.put(&member, name, scalar(value)?)?;
    }
    Ok(())
}

fn scalar(value: &Value) -> anyhow::Result<ScalarValue> {
    match value {
        Value::String(text) => Ok(ScalarValue::Str(text.as_str().into())),
        value => Ok(ScalarValue::Int(value.as_i64().context("an answer is a text or an integer")?)),
    }
}

/// One actor a device.
fn actor(editor: Editor) -> ActorId {
    ActorId::from([editor as u8 + 1; 16])
}
