//! What can be asked of a node. The serde form is the body of `POST /v1/<verb>`.

use std::path::PathBuf;

use rukun_authority::Role;
use rukun_change::{DeviceKey, Region, SubSls, SurveyId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::network::NetworkNews;
use super::officers::{EnrolRequest, NewOfficer, OfficerRow};

/// One thing asked of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Request {
    /// Which device is this, in which survey?
    Id,
    /// Take part in a survey, and dial these addresses from now on.
    Join {
        /// The survey.
        #[serde(with = "as_text")]
        survey: SurveyId,
        /// `HOST:PORT` of nodes to dial.
        #[serde(default)]
        peers: Vec<String>,
    },
    /// Let a device act. The issuer is this device; the root key issues with [`super::grant`].
    Grant {
        /// The device that may act.
        #[serde(with = "as_text")]
        device: DeviceKey,
        /// In which role.
        #[serde(with = "as_text")]
        role: Role,
        /// Where.
        #[serde(with = "all_as_text")]
        regions: Vec<Region>,
        /// Whose device it is.
        name: String,
    },
    /// All grants held.
    Grants,
    /// Hand over what one device holds of a region to another one.
    Assign {
        /// The region, or one in which all that the device holds is meant.
        #[serde(with = "as_text")]
        region: Region,
        /// The device that gives: its id, a unique beginning of it, or its owner's name.
        from: String,
        /// The device that takes, likewise.
        to: String,
    },
    /// Move a record to another sub-SLS.
    Transfer {
        /// The record, or a unique beginning.
        record: String,
        /// Where to, all 16 digits.
        to: String,
    },
    /// What a revocation of this device would keep. Nothing is written.
    Losing {
        /// The device: its id, a unique beginning of it, or its owner's name.
        device: String,
    },
    /// Take a device out: what is held of its work is kept, everything else set aside.
    Revoke {
        /// The device: its id, a unique beginning of it, or its owner's name.
        device: String,
        /// Why.
        reason: String,
    },
    /// Work that is held and does not count.
    SetAside {
        /// Only in this region.
        #[serde(default)]
        region: Option<String>,
    },
    /// Uphold or dismiss work.
    Settle {
        /// The changes, each by at least 4 digits.
        #[serde(default)]
        changes: Vec<String>,
        /// Or all that is set aside of this device.
        #[serde(default)]
        device: Option<String>,
        /// Then only in this region.
        #[serde(default)]
        region: Option<String>,
        /// Whether it counts from now on.
        upheld: bool,
    },
    /// Which records a device held.
    Held {
        /// The device: its id, a unique beginning of it, or its owner's name.
        device: String,
    },
    /// Forget a record for ever.
    Erase {
        /// The record, or a unique beginning.
        record: String,
        /// Why.
        reason: String,
    },
    /// Records that were erased.
    Erased {
        /// Only in this region.
        #[serde(default)]
        region: Option<String>,
    },
    /// Records that left this device, since the district has them.
    Released,
    /// Split one sub-SLS into several, merge several into one, or rename one.
    SlsRedraw {
        /// The codes as they are, all 16 digits.
        #[serde(with = "all_as_text")]
        from: Vec<SubSls>,
        /// What there is from now on.
        to: Vec<Drawing>,
    },
    /// What became of which sub-SLS, the latest last.
    SlsList,
    /// Dial this address from now on.
    PeerAdd {
        /// `HOST:PORT`.
        address: String,
    },
    /// Dial this address no longer.
    PeerRemove {
        /// `HOST:PORT`.
        address: String,
    },
    /// The addresses that are dialled.
    PeerList,
    /// Can a prelist with these columns be imported?
    ImportHeading {
        /// The columns, in the file's order.
        columns: Vec<String>,
    },
    /// Add records of the prelist, in printed ink. Rows that can't go in are named in the answer.
    Import {
        /// The rows.
        rows: Vec<PrelistRow>,
    },
    /// A new record.
    RecordAdd {
        /// Its home, all 16 digits.
        region: String,
        /// In which ink; the usual one of the device's role there if none is given.
        #[serde(default)]
        ink: Option<String>,
        /// A merge patch (RFC 7386).
        #[serde(default)]
        patch: Option<Value>,
        /// Or answers as they are typed: `r304=3`.
        #[serde(default)]
        set: Vec<String>,
    },
    /// Change answers of a record.
    RecordSet(Edit),
    /// Change answers of many records, each by itself: one that is refused stops none of the others.
    RecordSetMany {
        /// The edits.
        edits: Vec<Edit>,
    },
    /// A record as the office reads it.
    RecordShow {
        /// The record, or a unique beginning.
        record: String,
    },
    /// Records in the order of their ids.
    RecordList {
        /// Only in this region.
        #[serde(default)]
        region: Option<String>,
        /// Only after this record.
        #[serde(default)]
        after: Option<String>,
        /// At most so many; 100 if not given.
        #[serde(default)]
        limit: Option<usize>,
    },
    /// Mark a record or a member gone.
    RecordGone {
        /// The record, or a unique beginning.
        record: String,
        /// The member, or a unique beginning; the whole record if none is given.
        #[serde(default)]
        member: Option<String>,
        /// Why.
        reason: String,
        /// In which ink; the usual one if none is given.
        #[serde(default)]
        ink: Option<String>,
    },
    /// Who am I, who are my peers, how much is there.
    Status,
    /// Every change of a record.
    Log {
        /// The record, or a unique beginning.
        record: String,
    },
    /// Where each answer of a record comes from.
    Blame {
        /// The record, or a unique beginning.
        record: String,
    },
    /// What proves a record to others, as a file.
    Evidence {
        /// The record, or a unique beginning.
        record: String,
    },
    /// What a device is not known to hold, as a file for it.
    BundleExport {
        /// The device: its id, a unique beginning of it, its owner's name, or `district`.
        #[serde(rename = "for")]
        recipient: String,
    },
    /// A file for this device that somebody brought.
    BundleImport {
        /// The file, in base64.
        bundle: String,
    },
    /// Take along a file for another device.
    CourierTake {
        /// The file, in base64.
        bundle: String,
    },
    /// What is carried for others.
    CourierList,
    /// A file that is carried.
    CourierGive {
        /// Its id, or a unique beginning of at least 4 digits.
        bundle: String,
    },
    /// Carry a file no longer.
    CourierDrop {
        /// Its id, or a unique beginning of at least 4 digits.
        bundle: String,
    },
    /// Open conflicts.
    Conflicts {
        /// Only in this region.
        #[serde(default)]
        region: Option<String>,
        /// Only of this kind.
        #[serde(default)]
        kind: Option<String>,
    },
    /// The conflicts of one record with their candidates. What was shown can be resolved.
    ConflictsShow {
        /// The record, or a unique beginning.
        record: String,
    },
    /// Settle a conflict with a signed change. Refused if the candidates changed since they were shown.
    Resolve {
        /// The record, or a unique beginning.
        record: String,
        /// The field: `r304`, or `m:3f/r402` with a unique beginning of the member.
        field: String,
        /// The candidate to choose: its change, or a unique beginning of at least 4 digits.
        #[serde(default)]
        pick: Option<String>,
        /// Or another value, as it is typed.
        #[serde(default)]
        value: Option<String>,
        /// In which ink; the usual one if none is given.
        #[serde(default)]
        ink: Option<String>,
    },
    /// Everyone who was invited, and from where codes were guessed.
    Officers,
    /// Which of these could be invited, and who is already?
    OfficersCheck {
        /// Rows of the file.
        rows: Vec<OfficerRow>,
    },
    /// Invite these, each with what follows from the code that was made.
    OfficersInvite {
        /// Whom.
        officers: Vec<NewOfficer>,
        /// Until when the codes are good, milliseconds since 1970.
        expires_ms: i64,
    },
    /// Take an invitation back that nobody has used.
    OfficersWithdraw {
        /// The person's name, or the invitation's id or a unique beginning of it.
        who: String,
    },
    /// What a device asks that wants to be enrolled. It comes over a connection of its own, never by HTTP.
    #[serde(skip)]
    Enrol(EnrolRequest),
    /// Take in what the host app says of the network, if anything, and tell what is known of it.
    Network(NetworkNews),
    /// Copy what is durable to a file that is not there yet.
    Backup {
        /// Its whole path, on the machine of the node.
        path: PathBuf,
    },
    /// The fingerprint of each sub-SLS held.
    Fingerprints {
        /// Only in this region.
        #[serde(default)]
        region: Option<String>,
    },
}

impl Request {
    /// The verb's name and its own fields: the path and the body of an HTTP call.
    pub fn into_call(self) -> (String, Value) {
        let mut body = serde_json::to_value(self).expect("a request is plain JSON");
        let verb = body.as_object_mut().and_then(|fields| fields.remove("verb"));
        let verb = verb.as_ref().and_then(Value::as_str).expect("a request is tagged with its verb");
        (verb.to_owned(), body)
    }
}

/// A sub-SLS as it is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawing {
    /// Its code, all 16 digits.
    #[serde(with = "as_text")]
    pub code: SubSls,
    /// What it is called; the name that it has, if this is empty.
    #[serde(default)]
    pub name: String,
}

/// A change to the answers of one record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Edit {
    /// The record, or a unique beginning.
    pub record: String,
    /// In which ink; the usual one of the device's role there if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ink: Option<String>,
    /// A merge patch (RFC 7386).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Value>,
    /// Or answers as they are typed: `r304=3`, `m:3f/r402=Siti`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
}

/// A row of a prelist.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrelistRow {
    /// Its line in the file, for messages.
    pub line: u64,
    /// The family's home, all 16 digits.
    pub region: String,
    /// The other cells as they stand in the file: variable and text.
    pub cells: Vec<(String, String)>,
}

mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

mod all_as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        values.iter().map(ToString::to_string).collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_from_its_call() {
        let edit = Edit { record: "18".into(), ink: None, patch: None, set: vec!["r304=3".into()] };
        let (verb, mut body) = Request::RecordSet(edit).into_call();
        assert_eq!((verb.as_str(), &body["set"][0]), ("record-set", &Value::from("r304=3")));
        body["verb"] = verb.into();
        let back: Request = serde_json::from_value(body).unwrap();
        assert!(matches!(back, Request::RecordSet(edit) if edit.set == ["r304=3"]));
    }

    #[test]
    fn every_verb_stands_in_the_operators_page() {
        let unknown = serde_json::json!({"verb": "no-such-verb"});
        let error = serde_json::from_value::<Request>(unknown).unwrap_err().to_string();
        let (_, known) = error.split_once("expected one of ").unwrap();
        let verbs: Vec<&str> = known.split(", ").collect();
        assert!(verbs.len() > 40, "{error}");
        let page = include_str!("../../../docs/operating.md");
        let (_, interface) = page.split_once("## The local HTTP interface").unwrap();
        let missing: Vec<&&str> = verbs.iter().filter(|verb| !interface.contains(**verb)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_request_with_a_bad_id_says_what_is_wrong_with_it() {
        let body = serde_json::json!({"verb": "join", "survey": "ABC"});
        let error = serde_json::from_value::<Request>(body).unwrap_err().to_string();
        assert!(error.contains("survey id"), "{error}");
    }
}
