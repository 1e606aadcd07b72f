//! Devices for tests: they edit one record, sign for real, and meet.

use std::collections::BTreeMap;

use rukun_authority::{AdmittedChange, Keypair, Reason, Standing, sign};
use rukun_change::{
    Author, Change, ChangeId, Incarnation, Ink, MemberId, RecordId, Scalar, SignedChange, SurveyId,
};
use serde_json::Value;

use crate::{Conflict, ConflictKind, Draft, EditError, Place, Questionnaire, Reading, Writer, edit, write};

pub(crate) const SURVEY: SurveyId = SurveyId::from_bytes([7; 32]);

pub(crate) fn record() -> RecordId {
    RecordId::new("1811010005000300".parse().unwrap(), [5; 8])
}

pub(crate) fn questionnaire() -> Questionnaire {
    Questionnaire::parse(
        b"variable,block,level,label_id,label_en,kind,min,max,required_when
r108,I,family,Nama kepala keluarga,Name of family head,text,,,always
r112,I,family,Jumlah anggota keluarga,Number of family members,integer,1,,always
r114,I,family,Nomor kartu keluarga,Family card number,digits16,,,optional
r304,III,family,Jenis dinding terluas,Wall material,integer,1,7,always
r305,III,family,Jenis atap terluas,Roof material,integer,1,8,optional
r402,IV,member,Nama,Name,text,,,always
r403,IV,member,NIK,National identity number,digits16,,,optional
r407,IV,member,Umur,Age,integer,0,98,always
k_members,IV,family,Jumlah anggota tidak sama,Members differ from r112,rule,,,count of members = r112
",
    )
    .unwrap()
}

/// A device that writes in one ink, and all that it holds of the record.
#[derive(Clone)]
pub(crate) struct Device {
    keypair: Keypair,
    pub(crate) ink: Ink,
    incarnation: u8,
    n: u64,
    members_made: u8,
    pub(crate) held: BTreeMap<ChangeId, AdmittedChange>,
    aside: BTreeMap<ChangeId, Reason>,
}

impl Device {
    pub(crate) fn new(seed: u8, ink: Ink) -> Self {
        let keypair = Keypair::from_seed(&[seed; 32]);
        Self {
            keypair,
            ink,
            incarnation: 0,
            n: 0,
            members_made: 0,
            held: BTreeMap::new(),
            aside: BTreeMap::new(),
        }
    }

    pub(crate) fn incarnated(mut self, incarnation: u8) -> Self {
        self.incarnation = incarnation;
        self
    }

    pub(crate) fn author(&self) -> Author {
        Author { device: self.keypair.key(), incarnation: Incarnation::from_bytes([self.incarnation; 4]) }
    }

    pub(crate) fn writer(&self) -> Writer {
        Writer { author: self.author(), ink: self.ink, time_ms: 1_668_000_000_000 }
    }

    pub(crate) fn changes(&self) -> Vec<(AdmittedChange, Standing)> {
        let standing = |id| self.aside.get(id).map_or(Standing::Good, |reason| Standing::SetAside(*reason));
        self.held.iter().map(|(id, change)| (change.clone(), standing(id))).collect()
    }

    pub(crate) fn reading(&self) -> Reading {
        Reading::read(record(), &self.changes())
    }

    pub(crate) fn conflicts(&self) -> Vec<Conflict> {
        self.reading().conflicts(None)
    }

    pub(crate) fn of_kind(&self, kind: ConflictKind) -> Vec<Conflict> {
        let mut conflicts = self.reading().conflicts(Some(&questionnaire()));
        conflicts.retain(|conflict| conflict.kind == kind);
        conflicts
    }

    pub(crate) fn try_edit(&mut self, patch: &Value) -> Result<Option<Draft>, EditError> {
        let (changes, writer) = (self.changes(), self.writer());
        let seed = self.keypair.seed()[0];
        let mut new_members = || {
            self.members_made += 1;
            MemberId::from_bytes([seed, self.members_made, 0, 0, 0, 0, 0, 0])
        };
        let reading = Reading::read(record(), &changes);
        edit(&reading, &changes, &questionnaire(), &writer, patch, &mut new_members)
    }

    /// Makes an edit that must make a change.
    pub(crate) fn edit(&mut self, patch: &Value) -> ChangeId {
        let draft = self.try_edit(patch).unwrap().expect("the edit makes a change");
        self.sign(draft)
    }

    pub(crate) fn write(&mut self, place: &str, value: impl IntoScalar) -> ChangeId {
        let changes = self.changes();
        let reading = Reading::read(record(), &changes);
        let writes = [(place.parse::<Place>().unwrap(), value.into_scalar())];
        let made = write(&reading, &changes, &questionnaire(), &self.writer(), &writes, "resolve abc");
        self.sign(made.unwrap().expect("a write makes a change"))
    }

    pub(crate) fn sign(&mut self, draft: Draft) -> ChangeId {
        self.n += 1;
        let change = Change {
            author: self.author(),
            n: self.n,
            record: record(),
            ink: self.ink,
            seen: draft.seen,
            body: draft.body,
        };
        self.take(&sign(&self.keypair, change, &SURVEY).unwrap())
    }

    pub(crate) fn take(&mut self, signed: &SignedChange) -> ChangeId {
        let change = AdmittedChange::recall(&signed.to_bytes(), &SURVEY).unwrap();
        let id = change.id();
        self.held.insert(id, change);
        id
    }

    /// Takes over all that another device holds.
    pub(crate) fn meet(&mut self, other: &Self) {
        self.held.extend(other.held.iter().map(|(id, change)| (*id, change.clone())));
    }

    pub(crate) fn set_aside(&mut self, change: ChangeId, reason: Reason) {
        self.aside.insert(change, reason);
    }

    pub(crate) fn value(&self, place: &str) -> Option<Scalar> {
        self.reading().value(&place.parse().unwrap()).cloned()
    }

    pub(crate) fn standing(&self, change: ChangeId) -> Standing {
        let reading = self.reading();
        reading.log().iter().find(|logged| logged.change == change).unwrap().standing
    }
}

/// Devices that meet, each with each.
pub(crate) fn all_meet<const N: usize>(devices: [&mut Device; N]) {
    let mut all = devices[0].clone();
    for device in &devices {
        all.meet(device);
    }
    for device in devices {
        device.meet(&all);
    }
}

pub(crate) trait IntoScalar {
    fn into_scalar(self) -> Scalar;
}

impl IntoScalar for Scalar {
    fn into_scalar(self) -> Scalar {
        self
    }
}

impl IntoScalar for i64 {
    fn into_scalar(self) -> Scalar {
        Scalar::Int(self)
    }
}

impl IntoScalar for &str {
    fn into_scalar(self) -> Scalar {
        Scalar::Text(self.into())
    }
}

impl IntoScalar for () {
    fn into_scalar(self) -> Scalar {
        Scalar::Null
    }
}
