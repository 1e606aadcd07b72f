//! The verbs of a courier: bundles are taken along, listed, given by hand and dropped.

use data_encoding::BASE64;
use rukun_change::{Digest, Moment};
use rukun_replica::{CourierError, ParcelLine, ParcelState, Replica};
use serde::{Deserialize, Serialize};

use super::bundle::who;
use super::error::VerbError;
use super::shape::Who;
use super::teller::rfc3339;

/// The fewest digits by which a bundle can be named.
const BUNDLE_DIGITS_MIN: usize = 4;

/// The answer to `courier-list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParcelsShape {
    /// What is carried, or was, the oldest first.
    pub bundles: Vec<ParcelShape>,
}

/// The answer to `courier-take` and `courier-drop`: a bundle that is carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParcelShape {
    /// Its id: the SHA-256 of the file.
    pub bundle: String,
    /// Who says that he made it.
    pub from: Who,
    /// Who can open it.
    #[serde(rename = "for")]
    pub recipient: Who,
    /// How long it is.
    pub bytes: u64,
    /// Whether it answers one that was carried.
    pub is_answer: bool,
    /// Since when it is here.
    pub since: String,
    /// `coming`, `carried`, `brought`, `refused` or `waiting`.
    pub state: String,
    /// Who brings it, if it is coming; who fetches it, if it is waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Who>,
    /// Why it was refused, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The answer to `courier-give`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenShape {
    /// What it is.
    #[serde(flatten)]
    pub parcel: ParcelShape,
    /// The file, in base64.
    pub file: String,
}

pub(super) fn take(replica: &mut Replica, now: Moment, file: &str) -> Result<ParcelShape, VerbError> {
    let bytes = BASE64.decode(file.as_bytes()).map_err(|error| VerbError::new(error, "send base64"))?;
    let line = replica.carry(now, &bytes)?;
    Ok(shape(replica, &line))
}

pub(super) fn list(replica: &Replica) -> ParcelsShape {
    ParcelsShape { bundles: replica.parcels().into_iter().map(|line| shape(replica, line)).collect() }
}

pub(super) fn give(replica: &Replica, bundle: &str) -> Result<GivenShape, VerbError> {
    let line = named(replica, bundle)?;
    let file = BASE64.encode(&replica.carried(&line.parcel.digest)?);
    Ok(GivenShape { parcel: shape(replica, line), file })
}

pub(super) fn drop(replica: &mut Replica, bundle: &str) -> Result<ParcelShape, VerbError> {
    let digest: Digest = named(replica, bundle)?.parcel.digest;
    let line = replica.drop_parcel(&digest)?;
    Ok(shape(replica, &line))
}

/// The bundle of a unique beginning of an id.
fn named<'a>(replica: &'a Replica, text: &str) -> Result<&'a ParcelLine, VerbError> {
    let remedy = "rukun courier list shows what is carried";
    let beginning = text.trim_end_matches(['.', '…']).to_ascii_lowercase();
    if beginning.len() < BUNDLE_DIGITS_MIN {
        return Err(VerbError::new(format!("{text:?} is too short for a bundle's id"), remedy));
    }
    let begins = |line: &&ParcelLine| line.parcel.digest.to_string().starts_with(&beginning);
    let mut found = replica.parcels().into_iter().filter(begins);
    match (found.next(), found.next()) {
        (Some(line), None) => Ok(line),
        (None, _) => {
            Err(VerbError::new(format!("no bundle {text:?} is carried here"), remedy).with_status(404))
        }
        (Some(_), Some(_)) => {
            Err(VerbError::new(format!("{text:?} begins more than one bundle's id"), "type more of it"))
        }
    }
}

fn shape(replica: &Replica, line: &ParcelLine) -> ParcelShape {
    let ParcelLine { parcel, since_ms, state } = line;
    let (word, by, why) = match state {
        ParcelState::Coming { from } => ("coming", Some(who(replica, from)), None),
        ParcelState::Carried => ("carried", None, None),
        ParcelState::Brought => ("brought", None, None),
        ParcelState::Refused { why } => ("refused", None, Some(why.clone())),
        ParcelState::Waiting { courier, .. } => ("waiting", Some(who(replica, courier)), None),
    };
    ParcelShape {
        bundle: parcel.digest.to_string(),
        from: who(replica, &parcel.sender),
        recipient: who(replica, &parcel.recipient),
        bytes: parcel.bytes,
        is_answer: parcel.is_answer,
        since: rfc3339(*since_ms),
        state: word.into(),
        by,
        why,
    }
}

impl From<CourierError> for VerbError {
    fn from(error: CourierError) -> Self {
        let remedy = match error {
            CourierError::Replica(error) => return error.into(),
            CourierError::Envelope(_) => "have it written again: rukun bundle export --for DEVICE FILE",
            CourierError::ForThis => "take it in: rukun bundle import FILE",
            CourierError::FromThis => {
                "what this device has to say it says by itself when it is linked; give the file to somebody who \
                 goes there"
            }
            CourierError::NotGranted { .. } => {
                "it is of another survey, or its grant has not come here yet: let this device be linked once, then \
                 take it along again"
            }
            CourierError::TooLong { .. } => "bring the file by hand, and type rukun bundle import FILE there",
            CourierError::Full { .. } => "rukun courier drop BUNDLE takes one off the list",
            CourierError::NoCharter => "let this device be linked once, then take it along again",
            CourierError::NotCarried { .. } => {
                return Self::new(error, "rukun courier list shows what is carried").with_status(404);
            }
        };
        Self::new(error, remedy)
    }
}
