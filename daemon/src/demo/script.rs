//! The script: every edit that was made, kept outside the stores, to be looked for in all of them
//! at the end.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::verbs::LogShape;

/// One edit that a node acknowledged.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Scripted {
    /// Who made it.
    pub(super) by: &'static str,
    /// To which record.
    pub(super) record: String,
    /// The change that was acknowledged.
    pub(super) change: String,
    /// What it wrote: the family's answers by field, those of members by field and value alone.
    writes: Vec<(String, Value)>,
}

/// Every edit, in the order in which they were made.
#[derive(Debug, Default, Serialize)]
pub(super) struct Script {
    pub(super) edits: Vec<Scripted>,
}

impl Script {
    pub(super) fn add(&mut self, by: &'static str, record: &str, change: &str, patch: &Value) {
        let (record, change) = (record.into(), change.into());
        self.edits.push(Scripted { by, record, change, writes: writes_of(patch) });
    }
}

impl Scripted {
    /// Whether the edit stands in this history, with all that it wrote.
    pub(super) fn is_in(&self, log: &LogShape) -> bool {
        let Some(change) = log.changes.iter().find(|change| change.change == self.change) else {
            return false;
        };
        let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
        for write in &change.writes {
            *found.entry(key(&write.field, &write.value)).or_default() += 1;
        }
        self.writes.iter().all(|(field, value)| {
            let left = found.get_mut(&key(field, value));
            left.filter(|left| **left > 0).map(|left| *left -= 1).is_some()
        })
    }
}

/// New members get their ids at the node, so an answer of a member counts under its field alone.
fn key(field: &str, value: &Value) -> (String, String) {
    let field = match field.split_once('/') {
        Some((_, field)) => format!("member/{field}"),
        None => field.to_owned(),
    };
    (field, value.to_string())
}

fn writes_of(patch: &Value) -> Vec<(String, Value)> {
    let mut writes = Vec::new();
    for (field, value) in patch.as_object().into_iter().flatten() {
        match value {
            Value::Object(members) => {
                for answers in members.values().filter_map(Value::as_object) {
                    let member =
                        answers.iter().map(|(field, value)| (format!("member/{field}"), value.clone()));
                    writes.extend(member);
                }
            }
            value => writes.push((field.clone(), value.clone())),
        }
    }
    writes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn log(writes: &[Value]) -> LogShape {
        let change = json!({
            "change": "ab", "author": "", "role": null, "device": "", "n": 1, "ink": "pencil", "time": "",
            "time_ms": 0, "standing": "good", "reached": "", "resolves": [], "made": [], "writes": writes,
        });
        serde_json::from_value(json!({"record": "1", "name": "", "reached": "", "changes": [change]}))
            .unwrap()
    }

    fn write(field: &str, value: impl Into<Value>) -> Value {
        json!({"field": field, "label": null, "value": value.into()})
    }

    #[test]
    fn an_edit_is_found_only_with_everything_that_it_wrote() {
        let mut script = Script::default();
        let patch = json!({"r304": 3, "members": {"+1": {"r402": "Siti"}, "+2": {"r402": "Siti"}}});
        script.add("Budi", "1", "ab", &patch);
        let edit = &script.edits[0];
        let [first, second] = ["m:01/r402", "m:02/r402"].map(|field| write(field, "Siti"));
        assert!(edit.is_in(&log(&[write("r304", 3), first.clone(), second.clone()])));
        assert!(!edit.is_in(&log(&[write("r304", 3), first.clone()])));
        assert!(!edit.is_in(&log(&[write("r304", 4), first.clone(), second.clone()])));
        let other = Scripted { change: "cd".into(), ..edit.clone() };
        assert!(!other.is_in(&log(&[write("r304", 3), first.clone(), second.clone()])));
    }
}
