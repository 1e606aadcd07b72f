//! Inputs to start from: what honest programs write, and choices drawn from a fixed seed. They are
//! kept as files; made anew only where a format grows.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rukun_authority::{
    Closing, Decision, Drawn, EVIDENCE_TYPE, Erasure, Kept, KeptList, Receipt, Redrawing, Revocation,
    RootSuccession, Said, Transfer,
};
use rukun_change::cose::Sign1;
use rukun_change::{ChangeId, Digest, EncodedFingerprint, Fingerprint, Incarnation, StatementId};
use rukun_enrolment::{Fate, Invitation, granted, refused};
use rukun_wire::{
    Changes, CloseCode, CloseReason, Cursor, EnrolAnswer, EnrolRefusal, Exception, Hello, Message, Parcel,
    Short, Sketch, Stubs, Symbol,
};

use super::bundle::sealed_by_ani;
use super::chunk;
use super::enrolment;
use super::evidence::honest;
use super::input::piece;
use super::people::{self, ANI, MALLORY, QUESTIONNAIRE, SUPERVISOR};

type Seeds = Vec<(String, Vec<u8>)>;

/// Choices drawn by lot, each input of another length.
fn drawn(count: u64, bytes: usize) -> Seeds {
    let one = |seed: u64| {
        let mut drawn = vec![0; bytes / 2 + seed as usize * bytes / count as usize];
        ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut drawn);
        (format!("drawn-{seed:02}"), drawn)
    };
    (0..count).map(one).collect()
}

fn named<'a>(seeds: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Seeds {
    seeds.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

fn messages() -> Vec<Message> {
    let survey = people::survey();
    let work: Vec<_> = people::honest_work().iter().map(|(change, _)| change).collect();
    let ids: Vec<ChangeId> = work.iter().map(|change| change.id()).collect();
    let statements: Vec<Vec<u8>> = survey.grants.iter().map(rukun_authority::Statement::to_bytes).collect();
    let home = people::record(5).home();
    let fingerprint: Fingerprint = ids.iter().map(ChangeId::as_bytes).collect();
    let (digest, device) = (Digest::of(QUESTIONNAIRE), SUPERVISOR.key());
    let mut statement_ids: Vec<StatementId> =
        survey.grants.iter().map(|grant| survey.trust.statement_id(grant)).collect();
    statement_ids.sort_unstable();
    let hello = Hello {
        versions: (1, 1),
        survey: Some(survey.id),
        epoch: ANI.incarnation(),
        received: Some(Cursor { epoch: SUPERVISOR.incarnation(), seq: 3 }),
        held: 4,
        statements: Some(fingerprint),
        chain: statements.iter().take(2).cloned().collect(),
    };
    let items = work.iter().map(|change| change.signed().clone()).collect();
    let stubs = work.iter().map(|change| change.to_header().signed().clone()).collect();
    vec![
        Message::Hello(hello),
        Message::StatementIds(statement_ids),
        Message::Statements { items: statements, last: true },
        Message::BlobWant { digest, offset: 9 },
        Message::Blob { digest, offset: 9, total: 99, bytes: vec![7; 40] },
        Message::Changes(Changes { frame: 1, upto: Some(12), items }),
        Message::Stubs(Stubs { frame: 2, upto: None, items: stubs }),
        Message::Ack {
            frame: 1,
            exceptions: vec![(ids[0], Exception::Waiting), (ids[1], Exception::Refused("no".into()))],
        },
        Message::Summary(vec![(home, fingerprint)]),
        Message::Differ(vec![home]),
        Message::Ids { sub_sls: home, ids: ids.clone(), last: true },
        Message::Want(ids),
        Message::Sketch(Sketch {
            regions: vec![home.region()],
            fingerprint,
            salt: 0,
            symbols: vec![Symbol { sum: 7, check: 8, count: 1 }; 3],
        }),
        Message::More(16),
        Message::Symbols(vec![Symbol::default(); 2]),
        Message::Lack(vec![Short(7), Short(9)]),
        Message::Unclear { again: true },
        Message::Parcels(vec![Parcel {
            digest,
            sender: device,
            recipient: device,
            bytes: 9,
            is_answer: true,
        }]),
        Message::ParcelEnd { digest, refused: Some("no".into()) },
        Message::Close(CloseReason { code: CloseCode::Done, text: "done".into() }),
    ]
}

pub(super) fn frame() -> Seeds {
    let mut seeds = Seeds::new();
    let mut all = vec![0];
    for message in messages() {
        let frame = message.encode();
        seeds.push((message.name().to_owned(), [&[0][..], &frame].concat()));
        let kind = match message {
            Message::Statements { .. } => 0,
            Message::Changes(_) => 1,
            Message::Stubs(_) => 2,
            _ => {
                all.extend(frame);
                continue;
            }
        };
        let fields = zstd::bulk::decompress(&frame[5..], 1 << 20).unwrap();
        seeds.push((format!("{}-plain", message.name()), [&[1, kind][..], &fields].concat()));
    }
    seeds.push(("all".into(), all));
    seeds.extend(named([
        ("http", b"\0GET / HTTP/1.1\r\n".to_vec()),
        ("too-long", vec![0, 255, 255, 255, 255]),
    ]));
    seeds
}

pub(super) fn body() -> Seeds {
    let work = people::honest_work().iter().enumerate();
    work.map(|(at, (change, _))| (format!("work-{at}"), chunk::contents(&change.change().body).to_vec()))
        .collect()
}

/// One change in the grammar of the target: liar, ink, number, record, causes, what was seen; then
/// operations that follow in order, each in one place of the family.
fn step(liar: u8, ink: u8, n: u8, causes: &[u8], seen: &[u8], fields: &[[u8; 2]]) -> Vec<u8> {
    let operations: Vec<u8> = fields.iter().flat_map(|[field, value]| [0, 0, 4, *field, *value]).collect();
    let count = fields.len() as u8;
    [&head(liar, ink, n, causes, seen)[..], &[1, 0, 0, count], &operations, &[0; 5]].concat()
}

fn head(liar: u8, ink: u8, n: u8, causes: &[u8], seen: &[u8]) -> Vec<u8> {
    // Inks that name nothing seen say once more whether they do all the same.
    let honest: &[u8] = if ink < 2 { &[0] } else { &[] };
    [&[liar, ink, n, 0], causes, seen, honest].concat()
}

pub(super) fn change() -> Seeds {
    let (none, all, last): (&[u8], &[u8], &[u8]) = (&[0], &[6, 0, 1, 2], &[4, 9, 9, 9]);
    let pencil = step(0, 1, 1, all, none, &[[0, 5], [1, 6]]);
    let beside = step(0, 1, 1, none, none, &[[0, 5]]);
    let fork = [pencil.clone(), step(0, 1, 1, all, none, &[[0, 7]])].concat();
    let reds = [step(2, 2, 1, last, all, &[[0, 2]]), step(3, 3, 1, none, all, &[[0, 3]])].concat();
    let red = [pencil.clone(), reds].concat();
    let wrong_ink = step(0, 4, 1, none, all, &[[5, 1]]);
    let chain: Vec<u8> = (1..6).flat_map(|n| step(0, 1, n, last, none, &[[n, n]])).collect();
    let stranger = step(6, 1, 1, none, none, &[[0, 5]]);
    let after = head(0, 1, 1, all, none);
    let member = [&after[..], &[1, 0, 0, 2], &[0, 0, 0, 9], &[2, 2, 0, 4, 3, 7], &[0; 5]].concat();
    let replaces = [&after[..], &[1, 0, 0, 1], &[0, 2, 1, 1, 2, 2, 1, 0, 4, 0, 6], &[0; 5]].concat();
    let work = &people::honest_work()[1].0;
    // Past the count of causes (none), the actor's length and the actor.
    let raw = piece(&chunk::contents(&work.change().body)[18..]);
    let raw = [&head(0, 1, 1, none, none)[..], &[0], &raw].concat();
    let mut seeds = named([
        ("pencil", pencil),
        ("beside", beside),
        ("fork", fork),
        ("red", red),
        ("wrong-ink", wrong_ink),
        ("chain", chain),
        ("stranger", stranger),
        ("member", member),
        ("replaces", replaces),
        ("raw", raw),
    ]);
    seeds.extend(drawn(16, 400));
    seeds
}

pub(super) fn statement() -> Seeds {
    let survey = people::survey();
    let parent = survey.trust.statement_id(&survey.grants[0]);
    let change = people::honest_work()[1].0.id();
    let (record, other) = (people::record(5), people::record(6));
    let kept = vec![Kept { incarnation: Incarnation::from_bytes([4; 4]), n_max: 7 }];
    let said = [
        Said::Revocation(Revocation {
            parent,
            subject: MALLORY.key(),
            reason: "lost".into(),
            kept,
            lists: vec![(record.home(), KeptList::digest(&[change]))],
            statements: vec![parent],
        }),
        Said::Closing(Closing { parent, regions: vec!["1811".parse().unwrap()] }),
        Said::Decision(Decision {
            parent,
            sub_sls: record.home(),
            upheld: true,
            changes: vec![change],
            supersedes: Vec::new(),
        }),
        Said::Transfer(Transfer { parent, from: record, to: other }),
        Said::Erasure(Erasure { parent, record, reason: "asked".into() }),
        Said::Receipt(Receipt {
            parent,
            sub_sls: record.home(),
            fingerprint: EncodedFingerprint::from(&[change.as_bytes()].into_iter().collect::<Fingerprint>()),
        }),
        Said::Redrawing(Redrawing {
            parent,
            from: vec![record.home()],
            to: ["1811010005000300", "1811010005001500"]
                .map(|code| Drawn { sub_sls: code.parse().unwrap(), name: "RT 003".into() })
                .into(),
            serial: 1,
        }),
    ];
    let said = said.into_iter().map(|said| people::OFFICE.say(9, said));
    let charter = StatementId::from_bytes(*survey.id.as_bytes());
    let root = |kept: Vec<StatementId>| {
        let (next, old) = (MALLORY.keypair(), people::ROOT.key());
        let said = RootSuccession::consented(charter, next, kept, &old, &survey.id);
        people::ROOT.say(9, Said::RootSuccession(said))
    };
    let said = said.chain([root(vec![parent]), root(Vec::new())]);
    let all: Vec<_> = [survey.charter.clone()]
        .into_iter()
        .chain(survey.grants.iter().take(3).cloned())
        .chain(said)
        .collect();
    let mut seeds: Seeds = Vec::new();
    for (at, statement) in all.iter().enumerate() {
        let bytes = statement.to_bytes();
        seeds.push((format!("said-{at}"), [&[0][..], &piece(&bytes)].concat()));
    }
    // Issuer, parent, subject, role, regions, serial, name, number.
    let narrower = vec![1, 2, 2, 6, 3, 1, 4, 0, 2, 0, 1];
    let wider = vec![1, 2, 2, 6, 3, 1, 0, 0, 3, 0, 2];
    let again = vec![1, 1, 1, 2, 1, 1, 2, 0, 9, 0, 3];
    // Issuer, parent, places before, places after with a name or without, serial, number.
    let split = [7, 1, 1, 1, 5, 2, 5, 1, 6, 0, 1, 4];
    let merge = [7, 1, 1, 2, 5, 6, 1, 7, 1, 2, 5];
    let across = [7, 1, 1, 2, 5, 7, 2, 6, 0, 7, 0, 3, 6];
    let redrawn = [&split[..], &merge, &across].concat();
    seeds.extend(named([("narrower", narrower), ("wider", wider), ("again", again), ("redrawn", redrawn)]));
    seeds.extend(drawn(12, 240));
    seeds
}

pub(super) fn evidence() -> Seeds {
    let file = honest();
    let payload = Sign1::from_bytes(&file, EVIDENCE_TYPE).unwrap().payload.unwrap();
    let mut seeds = named([
        ("file", [&[0][..], &file].concat()),
        ("payload", [&[1][..], payload].concat()),
        ("cut", [&[0][..], &file[..200]].concat()),
    ]);
    // Who vouches, what is done to which two parts; then lies as in the target `change`.
    for act in 0..8 {
        seeds.push((format!("spoilt-{act}"), vec![2, 0, act, 2, 1]));
    }
    let with_lies =
        |(at, lies): (usize, Vec<u8>)| (format!("lies-{at}"), [&[2, at as u8, 6, 3, 4][..], &lies].concat());
    let lies = change().into_iter().map(|(_, bytes)| bytes).take(8);
    seeds.extend(lies.enumerate().map(with_lies));
    seeds.extend(drawn(4, 400));
    seeds
}

pub(super) fn bundle() -> Seeds {
    let file = [&[0][..], &sealed_by_ani().to_bytes().unwrap()].concat();
    // Who seals how many frames, each a message like those of a session: a greeting, all statements, changes.
    let greeting = [1, 0, 1, 0, 0, 1, 0, 0, 0, 0];
    let seeds = [
        ("file", file.clone()),
        ("cut", file[..100].to_vec()),
        ("greeting", [&[1, 0, 1][..], &greeting].concat()),
        ("changes", [&[1, 0, 3][..], &greeting, &[1, 3, 1, 0], &[1, 6, 1, 0, 1, 1]].concat()),
        ("any", vec![1, 3, 2, 0, 5, 1, 2, 3, 4, 5, 1, 7, 0]),
    ];
    let mut seeds = named(seeds);
    seeds.extend(drawn(14, 200).into_iter().map(|(name, bytes)| (name, [&[1][..], &bytes].concat())));
    seeds
}

pub(super) fn session() -> Seeds {
    // A link by Mallory, who greets as one who holds nothing; then trust is settled.
    let open = [0, 0, 0, 0];
    let hello = [0, 5, 0, 1, 0, 0, 1, 0, 0, 0];
    let trust = [0, 7, 0, 0, 8, 0, 0];
    let begun = [&open[..], &hello, &trust].concat();
    let with = |more: &[u8]| [&begun[..], more].concat();
    let mut seeds = named([
        ("greeted", begun.clone()),
        ("changes", with(&[0, 11, 9, 0, 1, 1])),
        ("changes-again", with(&[0, 11, 9, 0, 1, 1, 0, 12, 9, 0, 2, 1])),
        ("summary", with(&[0, 15, 1, 0, 16, 1, 0, 17, 0, 1, 0, 0, 18, 1])),
        ("blob", with(&[0, 9, 0, 0, 0, 10, 0, 0, 9, 0, 1, 7])),
        ("ack", with(&[0, 14, 0, 1, 0, 14, 1, 2])),
        ("close", with(&[0, 19, 0])),
        // For the node, from Mallory; then its bytes, and an end.
        ("parcel", with(&[0, 25, 0, 1, 7, 0, 4, 1, 0, 26, 0, 1, 7, 0, 27, 0, 0])),
        ("liars-grants", with(&[0, 8, 1, 0, 0, 11, 9, 0, 1, 1])),
        ("late", [&open[..], &[0, 2, 70, 0, 0, 0, 0, 0, 0, 0, 0]].concat()),
    ]);
    for message in messages() {
        let frame = [&[0, 3][..], &piece(&message.encode()[4..])].concat();
        seeds.push((format!("frame-{}", message.name()), with(&frame)));
    }
    seeds
}

pub(super) fn patch() -> Seeds {
    let patches = [
        r#"{"r304": 5}"#,
        r#"{"r304": null, "r305": 2, "r108": "Siti Rahayu"}"#,
        r#"{"members": {"m:0101010101010101": {"r407": 36, "r402": null}}}"#,
        r#"{"members": {"+": {"r402": "Ketut", "r407": 0, "r403": "1811014107850001"}}}"#,
        r#"{"members": {"+1": {}, "+2": {"r407": 3}, "m:0202020202020202": null}}"#,
        r#"{"r114": "1811010101100001", "r112": 3}"#,
        r#"{"r112": -1, "r999": true, "members": []}"#,
        r#"[1, 2.5, "\u0000"]"#,
    ];
    let who =
        |(at, patch): (usize, &str)| (format!("patch-{at}"), [&[at as u8][..], patch.as_bytes()].concat());
    patches.into_iter().enumerate().map(who).collect()
}

pub(super) fn questionnaire() -> Seeds {
    let heading = "variable,block,level,label_id,label_en,kind,min,max,required_when\n";
    let with = |rows: &str| format!("{heading}{rows}").into_bytes();
    let shipped = rukun::survey::BUILT_IN.1;
    let shipped: Vec<u8> =
        shipped.split_inclusive(|byte| *byte == b'\n').take(24).flatten().copied().collect();
    named([
        ("small", QUESTIONNAIRE.to_vec()),
        ("shipped", shipped),
        ("rules", with(
            "a,I,family,a,a,integer,0,9,always\nb,I,family,b,b,integer,0,a,a in (1 2) or not (a > 3)\n\
             m,IV,member,m,m,integer,,,optional\nn,IV,member,n,n,digits16,,,m between 1 and a\n\
             r,I,family,r,r,rule,,,count of members with m = 1 <= b + 2\ns,I,family,s,s,rule,,,members differ in n\n\
             t,IV,member,t,t,rule,,,any of m..n in (1)\n",
        )),
        ("expressions", b"a = 1 and b != 2 or not (c >= 3)\nany of a..b in (1 2 3)\nmembers differ in a\na between 1 and b - 2\ncount of members with a = 2 = b\nalways\noptional\n".to_vec()),
        ("quoted", with("\"a\",I,family,\"a, \"\"b\"\"\",a,text,,,always\r\n")),
    ])
}

pub(super) fn prelist() -> Seeds {
    named([
        ("good", b"region,r108,r110,r111,r114\n1811010005000300,Siti Aminah,1,1,1811010101100001\n1811010005000300,Budi,1,2,\n".to_vec()),
        ("bad", b"region,r108,r110,r111,r114\n1811010005000300,Budi,dua,2,1811010101100002\r\n\r\n18110100050003,Joko,3,3,1811010101100003\n1805010005000300,Ujang,1,1,1805010101100001\n1811010005000300,Made,5\n".to_vec()),
        ("semicolons", b"\xef\xbb\xbfregion;r108;r110\n1811010005000300;Siti;1\n1811010005000301;Ren\xe9;2\n".to_vec()),
        ("quoted", b"region,r108\n1811010005000300,\"Siti\nAminah\"\"\"\n".to_vec()),
        ("unknown", b"region,r1088\n1811010005000300,x\n".to_vec()),
    ])
}

pub(super) fn enrolment() -> Seeds {
    let (code, here) = (enrolment::code(), enrolment::session(1, 1));
    let (key, survey) = (code.proof_key(), people::survey());
    let with = |mode: u8, bytes: &[u8]| [&[mode][..], bytes].concat();
    let statements = [&survey.charter].into_iter().chain(survey.grants.iter().take(2));
    let statements = statements.map(rukun_authority::Statement::to_bytes).collect();
    let used = Fate::Used { device: here.device, grant: StatementId::from_bytes([9; 32]), at_ms: 9 };
    let unknown = EnrolAnswer::Refused { proof: None, refusal: EnrolRefusal::Unknown };
    let expired = EnrolRefusal::Expired { at_ms: -9 };
    let held = enrolment::invitation();
    // Minutes in eighths, device, session, address, what is asked.
    let honest = [0, 0, 0, 0, 0];
    let (guess, overheard, reflected) = ([8, 0, 0, 0, 2, 9], [8, 0, 0, 0, 3], [8, 0, 0, 0, 4]);
    let guesses = guess.repeat(6);
    let mut seeds = named([
        ("ask", with(0, &enrolment::ask(&code, &here).encode())),
        ("granted", with(1, &granted(&key, &here, survey.id, statements).encode())),
        ("refused", with(1, &refused(&key, &here, expired).encode())),
        ("unknown", with(1, &unknown.encode())),
        ("typed", with(2, code.text().as_bytes())),
        ("typed-loosely", with(2, code.text().to_lowercase().replace('-', " ").as_bytes())),
        ("open", with(3, &held.to_bytes())),
        ("used", with(3, &Invitation { fate: used, ..held.clone() }.to_bytes())),
        ("withdrawn", with(3, &Invitation { fate: Fate::Withdrawn { at_ms: 9 }, ..held }.to_bytes())),
        ("twice", with(4, &[&honest[..], &honest, &[0, 1, 0, 0, 0]].concat())),
        ("guessed", with(4, &[&guesses[..], &honest, &[0, 0, 0, 1, 0], &[255, 0, 0, 0, 0]].concat())),
        ("between", with(4, &[&overheard[..], &reflected, &[8, 0, 0, 0, 5], &[3; 32], &honest].concat())),
        ("late", with(4, &[&[255, 2, 0, 0, 2, 1].repeat(12)[..], &honest].concat())),
    ]);
    seeds.extend(drawn(6, 120).into_iter().map(|(name, bytes)| (name, with(4, &bytes))));
    seeds
}

pub(super) fn officers() -> Seeds {
    named([
        ("good", b"name,role,regions,phone\nSiti Aminah,PPL,18110100050003 18110100050004,0812-3456-7890\nSri Lestari,PML,1811010005;1811010006,\n".to_vec()),
        ("bad", b"phone,name,role,region\n0812,Siti,PPL,1805\n8.12E+11,Budi,petugas,18110\r\n\r\n,,district,1811\n1,Wayan\n0812,siti,enumerator,1811010\n0812, SITI ,PPL,1811010\n".to_vec()),
        ("semicolons", b"\xef\xbb\xbfname;role;regions;phone\nSiti;Koseka;1811010;\nRen\xe9;PPL;1811010005;1\n".to_vec()),
        ("quoted", b"name,role,regions,phone\n\"Siti\nAminah\",PPL,1811010005,1\n\"<b>\",PML,\"1811010,1811020\",2\n".to_vec()),
        ("unknown", b"nama,role,regions,phone\nSiti,PPL,1811,1\n".to_vec()),
    ])
}

pub(super) fn survey() -> Seeds {
    named([
        ("good", b"name = \"Regsosek 2022 Kabupaten Mesuji\"\ncode = \"regsosek22-1811\"\n[period]\nstart = 2022-10-15\nend = \"2022-11-14\"\n[office]\nname = \"BPS Kabupaten Mesuji\"\nregion = \"1811\"\n".to_vec()),
        ("own", b"name = 'x'\ncode = 'y'\nquestionnaire = \"own.csv\"\nperiod = { start = 2022-10-15, end = 2022-10-15 }\noffice = { name = \"a\", region = \"18110100050003\" }\n".to_vec()),
        ("days", b"name = ''\ncode = 1\n[period]\nstart = 2022-10-15T07:32:00-08:00\nend = +2022-W01-1\n".to_vec()),
    ])
}

pub(super) fn store() -> Seeds {
    let mut seeds = named([
        ("whole", Vec::new()),
        ("head", vec![0, 0, 0, 9, 1]),
        ("page", vec![0, 4, 3, 9, 5, 1]),
        ("cut", vec![0, 6, 9, 9, 0]),
        ("swapped", vec![0, 7, 3, 9, 5, 4]),
        ("lock", vec![1, 0, 4, 4, 0, 1]),
        ("no-row", vec![1, 0, 0, 0]),
        ("log", vec![1, 3, 1, 4, 9, 1]),
        ("entry", vec![1, 4, 1, 2, 9]),
        ("record", vec![1, 5, 0, 4, 9, 1]),
        ("fingerprint", vec![1, 7, 0, 9, 9]),
        ("index", vec![1, 8, 0, 3]),
    ]);
    seeds.extend(drawn(8, 40));
    seeds
}
