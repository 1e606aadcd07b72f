//! Who takes part while fuzzing: honest devices with a little finished work, and dishonest ones of
//! every role, whose keys sign whatever the bytes say.

use std::sync::LazyLock;

use rukun_authority::{
    AdmittedChange, Charter, Grant, Keypair, Role, Said, Standing, Statement, StatementVerdict, Trust,
    Verdict, VerifiedChange, sign,
};
use rukun_change::{
    Author, Change, DeviceKey, Digest, Incarnation, Ink, MemberId, RecordId, SignedChange, StatementId,
    SurveyId,
};
use rukun_document::{Draft, Questionnaire, Reading, Writer, edit};
use serde_json::{Value, json};

pub(super) const QUESTIONNAIRE: &[u8] = b"variable,block,level,label_id,label_en,kind,min,max,required_when
r108,I,family,Nama kepala keluarga,Name of family head,text,,,always
r110,I,family,Nomor bangunan,Building number,integer,1,999,optional
r111,I,family,Nomor keluarga,Family number,integer,1,999,optional
r112,I,family,Jumlah anggota keluarga,Number of family members,integer,1,,always
r114,I,family,Nomor kartu keluarga,Family card number,digits16,,,optional
r304,III,family,Jenis dinding terluas,Wall material,integer,1,7,always
r305,III,family,Jenis atap terluas,Roof material,integer,1,8,optional
r402,IV,member,Nama,Name,text,,,always
r403,IV,member,NIK,National identity number,digits16,,,optional
r407,IV,member,Umur,Age,integer,0,98,always
k_members,IV,family,Jumlah anggota tidak sama,Members differ from r112,rule,,,count of members = r112
";

/// A device in one of its incarnations, told by its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    seed: u8,
    incarnation: u8,
}

pub(super) const ROOT: Device = Device::new(1);
pub(super) const OFFICE: Device = Device::new(2);
pub(super) const SUPERVISOR: Device = Device::new(3);
pub(super) const ANI: Device = Device::new(4);
pub(super) const MALLORY: Device = Device::new(5);
const LAST: Device = Device::new(10);

/// Those who sign what the bytes say: an enumerator twice, officers of each higher role, an
/// enumerator of another neighbourhood, and one whom nobody granted anything.
pub(super) const LIARS: [Device; 7] = [
    MALLORY,
    Device { seed: 5, incarnation: 55 },
    Device::new(6),
    Device::new(7),
    Device::new(8),
    Device::new(9),
    LAST,
];

/// Who grants what to whom.
const GRANTS: [(Device, Device, Role, &str); 8] = [
    (ROOT, OFFICE, Role::District, "1811"),
    (OFFICE, SUPERVISOR, Role::Supervisor, "1811010005"),
    (SUPERVISOR, ANI, Role::Enumerator, "18110100050003"),
    (SUPERVISOR, MALLORY, Role::Enumerator, "18110100050003"),
    (OFFICE, Device::new(6), Role::Supervisor, "1811010005"),
    (OFFICE, Device::new(7), Role::Coordinator, "1811010"),
    (ROOT, Device::new(8), Role::District, "1811"),
    (SUPERVISOR, Device::new(9), Role::Enumerator, "18110100050004"),
];

impl Device {
    const fn new(seed: u8) -> Self {
        Self { seed, incarnation: seed }
    }

    pub(super) fn keypair(self) -> &'static Keypair {
        static KEYS: LazyLock<Vec<Keypair>> =
            LazyLock::new(|| (0..=LAST.seed).map(|seed| Keypair::from_seed(&[seed; 32])).collect());
        &KEYS[usize::from(self.seed)]
    }

    pub(super) fn seed(self) -> [u8; 32] {
        [self.seed; 32]
    }

    pub(super) fn incarnation(self) -> Incarnation {
        Incarnation::from_bytes([self.incarnation; 4])
    }

    pub(super) fn key(self) -> DeviceKey {
        self.author().device
    }

    pub(super) fn author(self) -> Author {
        static DEVICES: LazyLock<Vec<DeviceKey>> =
            LazyLock::new(|| (0..=LAST.seed).map(|seed| Device::new(seed).keypair().key()).collect());
        Author { device: DEVICES[usize::from(self.seed)], incarnation: self.incarnation() }
    }

    pub(super) fn say(self, n: u64, said: Said) -> Statement {
        Statement::sign(self.keypair(), self.incarnation(), n, Some(&survey().id), said)
    }
}

/// The survey and what is known of its devices.
pub(super) struct Survey {
    pub(super) id: SurveyId,
    pub(super) charter: Statement,
    pub(super) grants: Vec<Statement>,
    pub(super) trust: Trust,
}

pub(super) fn survey() -> &'static Survey {
    static SURVEY: LazyLock<Survey> = LazyLock::new(found);
    &SURVEY
}

fn found() -> Survey {
    let said = Said::Charter(charter());
    let charter = Statement::sign(ROOT.keypair(), ROOT.incarnation(), 1, None, said);
    let mut trust = Trust::found(&charter).unwrap();
    let id = *trust.survey();
    let mut grants = Vec::new();
    let mut ids: Vec<(Device, StatementId)> = vec![(ROOT, StatementId::from_bytes(*id.as_bytes()))];
    for (n, (issuer, subject, role, region)) in (2..).zip(GRANTS) {
        let (_, parent) = *ids.iter().find(|(device, _)| *device == issuer).unwrap();
        let regions = vec![region.parse().unwrap()];
        let name = format!("{role} {}", subject.seed);
        let grant = Grant { parent, subject: subject.key(), role, regions, serial: 1, name };
        let said = Said::Grant(grant);
        let statement = Statement::sign(issuer.keypair(), issuer.incarnation(), n, Some(&id), said);
        let StatementVerdict::Admit(grant) = trust.judge_statement(&statement) else {
            panic!("the survey's own grants are admitted")
        };
        ids.push((subject, grant));
        grants.push(statement);
    }
    Survey { id, charter, grants, trust }
}

pub(super) fn charter() -> Charter {
    Charter {
        name: "Regsosek 2022".into(),
        code: "regsosek22-1811".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(QUESTIONNAIRE),
        dictionary: None,
    }
}

pub(super) fn questionnaire() -> &'static Questionnaire {
    static PARSED: LazyLock<Questionnaire> = LazyLock::new(|| Questionnaire::parse(QUESTIONNAIRE).unwrap());
    &PARSED
}

/// A record in the neighbourhood of Ani and Mallory.
pub(super) fn record(salt: u8) -> RecordId {
    RecordId::new("1811010005000300".parse().unwrap(), [salt; 8])
}

/// Changes held, and how they stand.
pub(super) type Held = Vec<(AdmittedChange, Standing)>;

/// A finished interview, its correction and what the office knew before.
pub(super) fn honest_work() -> &'static Held {
    static WORK: LazyLock<Held> = LazyLock::new(|| {
        let mut held = Vec::new();
        let mut write = |device: Device, n, ink, patch: Value| {
            let reading = Reading::read(record(5), &held);
            let mut members = 0;
            let mut new_member = || {
                members += 1;
                MemberId::from_bytes([members; 8])
            };
            let writer = writer(device, ink);
            let draft = edit(&reading, &held, questionnaire(), &writer, &patch, &mut new_member);
            let change = judged(signed(device, n, ink, draft.unwrap().unwrap()), &held).unwrap();
            held.push((change, Standing::Good));
        };
        write(OFFICE, 1, Ink::Printed, json!({"r108": "Siti", "r114": "1811010101100001"}));
        let members = json!({"+1": {"r402": "Siti Aminah", "r407": 34}, "+2": {"r402": "Budi", "r407": 9}});
        write(ANI, 1, Ink::Pencil, json!({"r108": "Siti Aminah", "r112": 2, "r304": 3, "members": members}));
        write(ANI, 2, Ink::Pencil, json!({"r305": 2, "members": {"m:0101010101010101": {"r407": 35}}}));
        write(SUPERVISOR, 1, Ink::Red, json!({"r304": 4, "members": {"m:0202020202020202": {"r407": 10}}}));
        held
    });
    &WORK
}

pub(super) fn writer(device: Device, ink: Ink) -> Writer {
    Writer { author: device.author(), ink, time_ms: 1_666_000_000_000 }
}

pub(super) fn signed(device: Device, n: u64, ink: Ink, draft: Draft) -> SignedChange {
    let (author, record) = (device.author(), record(5));
    let change = Change { author, n, record, ink, seen: draft.seen, body: draft.body };
    sign(device.keypair(), change, &survey().id).unwrap()
}

/// The change once the gate has let it in.
pub(super) fn judged(claim: SignedChange, held: &Held) -> Option<AdmittedChange> {
    let verified = VerifiedChange::verify(claim, &survey().id).ok()?;
    let record = verified.change().record;
    let holds = |ink, cause: &_| {
        let is_it = |change: &AdmittedChange| {
            change.change().record == record && change.change().ink == ink && change.body().hash == *cause
        };
        Ok::<bool, ()>(held.iter().any(|(change, _)| is_it(change)))
    };
    match survey().trust.judge(verified, holds).unwrap() {
        Verdict::Admit(change) => Some(*change),
        Verdict::Wait(..) => None,
    }
}
