//! What people type, read with the questionnaire and the record at hand: `r304=3` becomes a merge
//! patch, a beginning becomes the member or the change that it names. Whether an answer fits is
//! judged where the edit is made.

use std::collections::BTreeSet;

use rukun_change::{ChangeId, DeviceKey, Ink, MemberId, Region, Scalar};
use rukun_document::{Kind, Level, Place, Questionnaire, Reading};
use rukun_replica::Replica;
use serde_json::{Map, Value};

use super::error::VerbError;
use super::teller::member_number;

const MEMBERS: &str = "members";
/// The fewest digits by which a change can be named.
const CHANGE_DIGITS_MIN: usize = 4;

/// The merge patch of these typed answers and a given one. No answer stands in both.
pub(super) fn patch(
    questionnaire: &Questionnaire,
    reading: Option<&Reading>,
    patch: Option<Value>,
    typed: &[String],
) -> Result<Value, VerbError> {
    let Value::Object(mut patch) = patch.unwrap_or_else(|| Value::Object(Map::new())) else {
        return Err(VerbError::new("the patch is no JSON object", "write it like '{\"r304\": 3}'"));
    };
    for (assignment, at) in typed.iter().zip(1..) {
        let Some((place, text)) = assignment.split_once('=') else {
            let remedy = "write FIELD=VALUE, such as r304=3; FIELD= clears the answer";
            // Not what it says: it may be an identity number.
            let message = format!("answer {at} of {} sets nothing", typed.len());
            return Err(VerbError::new(message, remedy));
        };
        if place.rsplit('/').next().is_none_or(|field| field.trim().is_empty()) {
            let remedy = "write FIELD=VALUE, such as r304=3";
            return Err(VerbError::new(format!("answer {at} of {} names no variable", typed.len()), remedy));
        }
        match place.split_once('/') {
            None => {
                let answer = answer(questionnaire, Level::Family, place, text)?;
                once(patch.insert(place.into(), answer).as_ref(), place)?;
            }
            Some((whose, field)) => {
                let key =
                    if whose.starts_with('+') { whose.into() } else { member(reading, whose)?.to_string() };
                let members = patch.entry(MEMBERS).or_insert_with(|| Value::Object(Map::new()));
                let answers = members
                    .as_object_mut()
                    .map(|all| all.entry(key).or_insert_with(|| Value::Object(Map::new())));
                let answers = answers.and_then(Value::as_object_mut);
                let answers = answers.ok_or_else(|| {
                    VerbError::new(
                        "the patch's members are no JSON objects",
                        "write it like '{\"members\": {\"+1\": {\"r402\": \"Siti\"}}}'",
                    )
                })?;
                let answer = answer(questionnaire, Level::Member, field, text)?;
                once(answers.insert(field.into(), answer).as_ref(), place)?;
            }
        }
    }
    Ok(Value::Object(patch))
}

/// One answer to a place: of two, one would be lost in silence.
fn once(before: Option<&Value>, place: &str) -> Result<(), VerbError> {
    match before {
        None => Ok(()),
        Some(_) => Err(VerbError::new(format!("{place} is given twice"), "give it once")),
    }
}

/// A typed answer in the type that the variable takes; nothing typed clears.
pub(super) fn answer(
    questionnaire: &Questionnaire,
    level: Level,
    field: &str,
    text: &str,
) -> Result<Value, VerbError> {
    let text = text.trim();
    // An unknown field, or one of the other level, is told before its value is looked at.
    questionnaire.check(field, level, &Scalar::Null).map_err(|error| VerbError::new(error, ""))?;
    let variable = questionnaire.variable(field);
    match variable.map(|variable| (&variable.kind, variable)) {
        _ if text.is_empty() => Ok(Value::Null),
        Some((Kind::Integer { .. }, variable)) => text.parse::<i64>().map(Value::from).map_err(|_| {
            VerbError::new(
                format!("{}: a text is given where a number is expected", variable.title()),
                "type the code or number alone",
            )
        }),
        _ => Ok(Value::from(text)),
    }
}

/// The scalar of a typed answer to one place.
pub(super) fn scalar(questionnaire: &Questionnaire, place: &Place, text: &str) -> Result<Scalar, VerbError> {
    if place.is_gone() {
        let text = text.trim();
        return Ok(if text.is_empty() { Scalar::Null } else { Scalar::Text(text.into()) });
    }
    let level = if place.member.is_some() { Level::Member } else { Level::Family };
    Ok(match answer(questionnaire, level, &place.field, text)? {
        Value::String(text) => Scalar::Text(text),
        Value::Number(number) => number.as_i64().map_or(Scalar::Null, Scalar::Int),
        _ => Scalar::Null,
    })
}

/// A place in a record: `r304`, `m:3f/r402` with a unique beginning, `2/r402` by the member's number.
pub(super) fn place(reading: &Reading, text: &str) -> Result<Place, VerbError> {
    let (whose, field) = match text.split_once('/') {
        Some((whose, field)) => (Some(member(Some(reading), whose)?), field),
        None => (None, text),
    };
    let whole = whose.map_or_else(|| field.to_owned(), |member| format!("{member}/{field}"));
    whole.parse().map_err(|error| VerbError::new(error, ""))
}

/// The member of a number on the form, a whole id, or a unique beginning of one.
pub(super) fn member(reading: Option<&Reading>, text: &str) -> Result<MemberId, VerbError> {
    if text.trim().is_empty() {
        let remedy = "write MEMBER/FIELD, such as 1/r402; rukun record show RECORD lists the members";
        return Err(VerbError::new("no member is named before the /", remedy));
    }
    let Some(reading) = reading else {
        let remedy = "start a new member's key with +, such as +1/r402=Siti";
        return Err(VerbError::new(format!("a new record has no member {text} yet"), remedy));
    };
    let beginning = text.trim_end_matches(['.', '…']);
    let named = |member: &MemberId| match beginning.parse::<i64>() {
        Ok(number) => member_number(reading, *member) == number,
        Err(_) => member.to_string().starts_with(beginning) && beginning.len() > 2,
    };
    let mut found = reading.all_members().iter().copied().filter(named);
    let remedy = || format!("rukun record show {} lists the members", reading.id());
    match (found.next(), found.next()) {
        (Some(member), None) => Ok(member),
        (None, _) => {
            let message = format!("record {} has no member {text}", reading.id());
            Err(VerbError::new(message, remedy()).with_status(404))
        }
        (Some(first), Some(second)) => {
            let message = format!("{text} names more than one member, {first} and {second} among them");
            Err(VerbError::new(message, remedy()))
        }
    }
}

/// The change of a record that has this beginning.
pub(super) fn change(reading: &Reading, text: &str) -> Result<ChangeId, VerbError> {
    let changes = reading.log().iter().map(|logged| logged.change).collect();
    let remedy = format!("rukun conflicts show {} lists the candidates", reading.id());
    change_among(&changes, text, remedy)
}

/// The change among these that has this beginning.
pub(super) fn change_among(
    changes: &BTreeSet<ChangeId>,
    text: &str,
    remedy: impl Into<String>,
) -> Result<ChangeId, VerbError> {
    let (beginning, remedy) = (text.trim_end_matches(['.', '…']).to_ascii_lowercase(), remedy.into());
    if beginning.len() < CHANGE_DIGITS_MIN {
        let message = format!("{text:?} is too short for a change; type at least {CHANGE_DIGITS_MIN} digits");
        return Err(VerbError::new(message, remedy));
    }
    let mut found = changes.iter().copied().filter(|change| change.to_string().starts_with(&beginning));
    match (found.next(), found.next()) {
        (Some(change), None) => Ok(change),
        (None, _) => Err(VerbError::new(format!("there is no change {text} here"), remedy).with_status(404)),
        (Some(_), Some(_)) => {
            Err(VerbError::new(format!("{text} begins more than one change"), "type more of it"))
        }
    }
}

/// The device of a whole id, a unique beginning of one, or its owner's name.
pub(super) fn device(replica: &Replica, text: &str) -> Result<DeviceKey, VerbError> {
    if let Ok(device) = text.parse() {
        return Ok(device);
    }
    let trust =
        replica.trust().ok_or_else(|| VerbError::new("this device has no survey's charter yet", ""))?;
    let beginning = text.trim_end_matches(['.', '…']).to_ascii_uppercase();
    let devices: BTreeSet<DeviceKey> = trust.grants().into_iter().map(|grant| grant.subject).collect();
    let named = |device: &&DeviceKey| {
        let begins = beginning.len() >= CHANGE_DIGITS_MIN && device.to_string().starts_with(&beginning);
        begins || trust.name_of(device) == Some(text)
    };
    let mut found = devices.iter().filter(named);
    let remedy = "give its id, or the beginning of it; rukun id shows it there";
    match (found.next(), found.next()) {
        (Some(device), None) => Ok(*device),
        (None, _) => {
            Err(VerbError::new(format!("no device {text:?} was granted anything"), remedy).with_status(404))
        }
        (Some(first), Some(second)) => {
            let told = |device: &DeviceKey| {
                let grants = trust.grants_of(device).into_iter();
                let regions: Vec<String> =
                    grants.flat_map(|grant| grant.in_force).map(|region| region.to_string()).collect();
                let revoked = !trust.revocations_of(device).is_empty();
                let says = if revoked { "revoked".into() } else { regions.join(" ") };
                format!("{} ({})", device.short(), if says.is_empty() { "no region any more" } else { &says })
            };
            let all: Vec<String> = [first, second].into_iter().chain(found).map(told).collect();
            let message = format!("{text:?} names more than one device: {}", all.join(", "));
            Err(VerbError::new(message, "name one of them by its beginning"))
        }
    }
}

/// An ink by its word, if one is given.
pub(super) fn ink(text: Option<&str>) -> Result<Option<Ink>, VerbError> {
    text.map(|text| text.parse().map_err(|error| VerbError::new(error, ""))).transpose()
}

/// A region, if one is given.
pub(super) fn region(text: Option<&str>) -> Result<Option<Region>, VerbError> {
    text.map(|text| text.parse().map_err(|error| VerbError::new(error, ""))).transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn questionnaire() -> Questionnaire {
        Questionnaire::parse(include_bytes!("../../data/regsosek-k.csv")).unwrap()
    }

    fn typed(answers: &[&str]) -> Result<Value, VerbError> {
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        patch(&questionnaire(), None, None, &answers)
    }

    #[test]
    fn the_questionnaire_decides_what_is_a_number_and_what_a_text() {
        let patch =
            typed(&["r304=3", "r108=Siti Aminah", "r103=010", "r301b=", "+1/r402=Budi", "+1/r407=41"]);
        let expected = json!({
            "r304": 3, "r108": "Siti Aminah", "r103": "010", "r301b": null,
            "members": {"+1": {"r402": "Budi", "r407": 41}},
        });
        assert_eq!(patch.unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_a_remedy() {
        let error = typed(&["r304=three"]).unwrap_err();
        assert!(error.message.contains("r304 (Jenis dinding terluas)"), "{error}");
        let error = typed(&["r304=3", "r304=4"]).unwrap_err();
        assert!(error.message.contains("r304 is given twice"), "{error}");
        let error = typed(&["r304=3", "r114 1811010101100001"]).unwrap_err();
        assert!(error.message.contains("answer 2 of 2") && !error.to_string().contains("18110"), "{error}");
        let error = typed(&["r304"]).unwrap_err();
        assert!(error.remedy.contains("r304=3"), "{error}");
        let error = typed(&["r3044=1"]).unwrap_err();
        assert!(error.message.contains("did you mean r304"), "{error}");
        let error = typed(&["r402=Siti"]).unwrap_err();
        assert!(error.message.contains("each member"), "{error}");
        for nameless in ["=3", "+1/=3"] {
            let error = typed(&["r304=3", nameless]).unwrap_err();
            assert!(error.message.contains("answer 2 of 2 names no variable"), "{error}");
        }
        let error = typed(&["/r402=x"]).unwrap_err();
        assert!(error.message.contains("no member is named"), "{error}");
        let error = typed(&["m:3f/r402=Siti"]).unwrap_err();
        assert!(error.remedy.contains("+1/r402"), "{error}");
    }
}
