//! The shapes of the answers: these field names are the program's word to scripts and apps. Ids are
//! whole texts; times are RFC 3339 beside milliseconds since 1970, by the author's clock.

mod custody;
mod erasure;
mod hand_over;
mod loss;
mod prelist;
mod sls;

pub use custody::{CustodyShape, NumbersShape, TeamShape};
pub use erasure::{ErasedListShape, ErasedShape};
pub use hand_over::{AssignedShape, CameShape, HolderShape, MovedShape, ReleasedListShape, ReleasedShape};
pub use loss::{
    HeldLineShape, HeldShape, LossShape, RootFollowedShape, RotatedShape, SetAsideLine, SetAsideShape,
    SettledShape,
};
pub use prelist::{BadRow, HeadingShape, ImportShape, ThereRow};
pub use sls::{DrawnShape, RedrawnListShape, RedrawnShape, RetiredShape};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A device and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Whose, as its grant says; empty if no grant of it is known.
    pub author: String,
    /// The role in which it acted.
    pub role: Option<String>,
    /// The device's id.
    pub device: String,
}

/// An answer that stands, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateShape {
    /// The change that gave it.
    pub change: String,
    /// Who gave it.
    #[serde(flatten)]
    pub who: Who,
    /// In which ink.
    pub ink: String,
    /// The value; null cleared what was there.
    pub value: Value,
    /// When, RFC 3339.
    pub time: String,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
}

/// One conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictShape {
    /// In which record.
    pub record: String,
    /// The head's name in that record.
    pub name: String,
    /// `field`, `stale`, `duplicate`, `rule`, `presence` or `set-aside`.
    pub kind: String,
    /// The place, where it is about one: `r304`, `m:3f../r402`.
    pub field: Option<String>,
    /// What the questionnaire calls it.
    pub label: Option<String>,
    /// The member, if it is about one.
    pub member: Option<String>,
    /// That member's name.
    pub member_name: Option<String>,
    /// One sentence that says why.
    pub cause: String,
    /// What a resolution chooses among.
    pub candidates: Vec<CandidateShape>,
    /// Of duplicates: the other records.
    pub other: Vec<String>,
}

/// The answer to `conflicts` and `conflicts-show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictsShape {
    /// The conflicts.
    pub conflicts: Vec<ConflictShape>,
}

/// One change in a record's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Its id.
    pub change: String,
    /// Whose it is.
    #[serde(flatten)]
    pub who: Who,
    /// The author's own running number.
    pub n: u64,
    /// In which ink.
    pub ink: String,
    /// When, RFC 3339.
    pub time: String,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// `good`, or `set aside: ` and why.
    pub standing: String,
    /// How far it is proved to have come: `on this device alone`, `on this device`, `at the supervisor`,
    /// `at the coordinator` or `at the district`.
    pub reached: String,
    /// The changes among which it chose, if it is a resolution.
    pub resolves: Vec<String>,
    /// What it wrote.
    pub writes: Vec<WriteShape>,
    /// The members that it added.
    pub made: Vec<String>,
}

/// One answer as a change wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteShape {
    /// The place.
    pub field: String,
    /// What the questionnaire calls it.
    pub label: Option<String>,
    /// The value; null clears.
    pub value: Value,
}

/// The answer to `log`: causes first; what they leave open, by the authors' clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogShape {
    /// The record.
    pub record: String,
    /// The head's name.
    pub name: String,
    /// How far all of it is proved to have come.
    pub reached: String,
    /// The record from which this one goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came: Option<Box<CameShape>>,
    /// Its changes.
    pub changes: Vec<LogLine>,
}

/// One answer that the office reads, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlameLine {
    /// The place.
    pub field: String,
    /// What the questionnaire calls it.
    pub label: Option<String>,
    /// Whether another value stands beside it in the same ink.
    pub contested: bool,
    /// The answer.
    #[serde(flatten)]
    pub answer: CandidateShape,
}

/// The answer to `blame`: the family first, then member by member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlameShape {
    /// The record.
    pub record: String,
    /// The head's name.
    pub name: String,
    /// Its members.
    pub members: Vec<MemberShape>,
    /// Its answers.
    pub fields: Vec<BlameLine>,
}

/// A member of a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberShape {
    /// The member's id.
    pub member: String,
    /// The member's name.
    pub name: String,
    /// Why the member is gone, if so.
    pub gone: Option<String>,
}

/// The answer to `record-show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordShape {
    /// The record.
    pub record: String,
    /// Its home, 16 digits.
    pub region: String,
    /// The head's name.
    pub name: String,
    /// Why it is gone, if so.
    pub gone: Option<String>,
    /// The inks written in, lowest first.
    pub inks: Vec<String>,
    /// How many changes it has.
    pub changes: usize,
    /// How many open conflicts of each kind it has.
    pub conflicts: BTreeMap<String, usize>,
    /// Its members.
    pub members: Vec<MemberShape>,
    /// The answers that the office reads, as a merge patch would write them.
    pub answers: Value,
    /// The same with labels and where they come from.
    pub fields: Vec<BlameLine>,
}

/// One line of `record-list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLineShape {
    /// The record.
    pub record: String,
    /// The head's name.
    pub name: String,
    /// How many members it lists.
    pub members: usize,
    /// The inks written in, lowest first.
    pub inks: Vec<String>,
    /// How many open conflicts it has.
    pub conflicts: u64,
    /// Whether it is marked gone.
    pub gone: bool,
    /// Whether its place was taken from this device: it stays until the district is proved to have it.
    #[serde(default)]
    pub leaving: bool,
    /// What its sub-SLS is called; null if nobody named it.
    pub place: Option<String>,
}

/// The answer to `record-list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsShape {
    /// The records.
    pub records: Vec<RecordLineShape>,
    /// What to give as `after` for the next ones; null at the end.
    pub next: Option<String>,
}

/// The answer to verbs that write one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenShape {
    /// The record.
    pub record: String,
    /// The change; null if everything was as asked already.
    pub change: Option<String>,
}

/// The answer to `record-set-many`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenManyShape {
    /// One for each edit, in their order.
    pub edits: Vec<EditOutcome>,
}

/// What became of one edit of many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EditOutcome {
    /// It is written.
    Written(WrittenShape),
    /// It was refused; the others stand.
    Refused(super::VerbError),
}

/// The answer to `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdShape {
    /// This device.
    pub device: String,
    /// The survey that it takes part in.
    pub survey: Option<String>,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantShape {
    /// The statement's id.
    pub grant: String,
    /// The device that may act.
    pub device: String,
    /// Whose device it is.
    pub name: String,
    /// In which role.
    pub role: String,
    /// Where.
    pub regions: Vec<String>,
    /// Where now, after what its issuers may still grant; empty once it is replaced.
    pub in_force: Vec<String>,
    /// Who granted it.
    pub issuer: String,
    /// Its serial.
    pub serial: u64,
    /// The survey, which the device is to join.
    pub survey: String,
}

/// The answer to `grant`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedShape {
    /// The grant that was made.
    #[serde(flatten)]
    pub grant: GrantShape,
    /// Where the device could read until now and can no more: a grant takes the place of the one before it by its path.
    pub taken: Vec<String>,
}

/// The answer to `grants`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantsShape {
    /// All grants held.
    pub grants: Vec<GrantShape>,
}

/// The answer to `join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedShape {
    /// The survey.
    pub survey: String,
    /// This device, which somebody has to grant a role.
    pub device: String,
    /// The addresses that are dialled.
    pub peers: Vec<String>,
}

/// The answer to the founding of a survey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundedShape {
    /// The survey.
    pub survey: String,
    /// Its name.
    pub name: String,
    /// This device.
    pub device: String,
    /// The region of the office, which this device was granted.
    pub region: String,
}

/// The answer to the peer verbs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeersShape {
    /// The addresses that are dialled.
    pub peers: Vec<String>,
}

/// The answer to `fingerprints`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FingerprintsShape {
    /// Sub-SLS to fingerprint.
    pub fingerprints: BTreeMap<String, String>,
}

/// The answer to `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusShape {
    /// This device.
    pub device: String,
    /// The survey that it takes part in.
    pub survey: Option<SurveyShape>,
    /// What it was granted.
    pub grants: Vec<GrantShape>,
    /// Why it was revoked, if it was.
    #[serde(default)]
    pub revoked: Vec<String>,
    /// How many records it holds.
    pub records: u64,
    /// How many of these it may read no more, and keeps until the district is proved to have them.
    #[serde(default)]
    pub leaving: u64,
    /// Whether the store's file has still to be made anew, since something in it was erased or released.
    pub renewal_due: bool,
    /// How many changes.
    pub changes: u64,
    /// How many trust statements.
    pub statements: u64,
    /// How many bundles it carries for others.
    #[serde(default)]
    pub carries: u64,
    /// How many open conflicts of each kind, as far as records are read.
    pub conflicts: BTreeMap<String, u64>,
    /// How many records nobody has read since they changed: they may hold more conflicts.
    pub unread: u64,
    /// How many changes wait for a grant or a cause.
    pub waiting: u64,
    /// How many bytes the store takes on disk.
    pub disk_bytes: u64,
    /// The fingerprint of all changes held.
    pub fingerprint: String,
    /// How far this device's work has come.
    pub custody: CustodyShape,
    /// The officers whose whole work it should hold.
    pub officers: Vec<TeamShape>,
    /// The devices it knows.
    pub peers: Vec<PeerShape>,
    /// The addresses that it dials.
    pub dials: Vec<String>,
    /// What its links carried since the daemon started; the daemon adds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<TrafficShape>,
}

/// The answer to `backup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupShape {
    /// Where it is.
    pub path: String,
    /// How many changes are in it.
    pub changes: u64,
    /// How large it is.
    pub bytes: u64,
}

/// The survey, as its charter names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyShape {
    /// Its id.
    pub survey: String,
    /// Its name; null until the charter has come.
    pub name: Option<String>,
    /// Its code.
    pub code: Option<String>,
    /// First and last day.
    pub period: Option<(String, String)>,
    /// The root keys in force: one, unless two were let to follow one.
    #[serde(default)]
    pub roots: Vec<String>,
    /// Whether its questionnaire is here.
    pub questionnaire: bool,
}

/// A device as another one knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerShape {
    /// The device.
    pub device: String,
    /// Whose it is.
    pub name: String,
    /// In which role.
    pub role: Option<String>,
    /// What it may read.
    pub regions: Vec<String>,
    /// Whether a link is open.
    pub linked: bool,
    /// Whether both sides are known to hold the same.
    pub in_sync: bool,
    /// How many changes it is known to lack.
    pub lacks: u64,
    /// How many things were refused from it since this process started.
    pub refused: u64,
    /// When it was last heard, RFC 3339; null if never.
    pub last_contact: Option<String>,
    /// The same in milliseconds since 1970.
    pub last_contact_ms: Option<i64>,
    /// What links with it carried since the daemon started; the daemon adds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<TrafficShape>,
}

/// Bytes over links, of UDP payload or of what TCP carried: the overhead of QUIC or TLS is in it, what QUIC repeated too,
/// and headers of UDP, TCP and IP are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficShape {
    /// Sent.
    pub bytes_sent: u64,
    /// Received.
    pub bytes_received: u64,
}
