//! A statement has one spelling: what is written is read back, and bytes that say the same
//! otherwise, or nothing, are refused without a panic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rukun_authority::{
    Charter, Closing, Decision, Drawn, Erasure, ForkProof, Grant, Kept, KeptList, Keypair, Receipt,
    Redrawing, Revocation, Role, RootSuccession, Said, Statement, StatementError, Succession, Transfer,
};
use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::cose::protected_header;
use rukun_change::limits::STATEMENT_BYTES_MAX;
use rukun_change::{
    ChangeId, DeviceKey, Digest, EncodedFingerprint, Fingerprint, Incarnation, RecordId, Region, StatementId,
    SubSls, SurveyId,
};

const SURVEY: SurveyId = SurveyId::from_bytes([0x11; 32]);
const STATEMENT_TYPE: &str = "application/rukun-statement; v=1";

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        charter(),
        (statement_id(), any::<[u8; 32]>(), select(Role::ALL.to_vec()), regions(), any::<u64>(), line())
            .prop_map(|(parent, subject, role, regions, serial, name)| {
                let subject = DeviceKey::from_bytes(subject);
                Said::Grant(Grant { parent, subject, role, regions, serial, name })
            }),
        revocation(),
        (statement_id(), vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..300))
            .prop_map(|(parent, first, second)| Said::ForkProof(ForkProof { parent, first, second })),
        (statement_id(), regions()).prop_map(|(parent, regions)| Said::Closing(Closing { parent, regions })),
        (statement_id(), sub_sls(), any::<bool>(), changes(), statement_ids()).prop_map(
            |(parent, sub_sls, upheld, changes, supersedes)| {
                Said::Decision(Decision { parent, sub_sls, upheld, changes, supersedes })
            }
        ),
        (statement_id(), record(), record()).prop_map(|(parent, from, to)| Said::Transfer(Transfer {
            parent,
            from,
            to
        })),
        (statement_id(), record(), line()).prop_map(|(parent, record, reason)| Said::Erasure(Erasure {
            parent,
            record,
            reason
        })),
        (statement_id(), sub_sls(), changes()).prop_map(|(revocation, sub_sls, changes)| {
            Said::KeptList(KeptList { revocation, sub_sls, changes })
        }),
        (statement_id(), any::<[u8; 32]>(), vec(any::<u8>(), 64)).prop_map(|(parent, successor, consent)| {
            let consent = consent.try_into().expect("64 bytes");
            Said::Succession(Succession { parent, successor: DeviceKey::from_bytes(successor), consent })
        }),
        (statement_id(), any::<[u8; 32]>(), vec(any::<u8>(), 64), statement_ids()).prop_map(
            |(parent, successor, consent, statements)| {
                let consent = consent.try_into().expect("64 bytes");
                let successor = DeviceKey::from_bytes(successor);
                Said::RootSuccession(RootSuccession { parent, successor, consent, statements })
            }
        ),
        (statement_id(), sub_sls(), vec(any::<[u8; 32]>(), 0..3)).prop_map(|(parent, sub_sls, ids)| {
            let fingerprint = EncodedFingerprint::from(&ids.iter().collect::<Fingerprint>());
            Said::Receipt(Receipt { parent, sub_sls, fingerprint })
        }),
        redrawing(),
    ]
}

fn charter() -> impl Strategy<Value = Said> {
    let digests = (any::<[u8; 32]>(), any::<Option<[u8; 32]>>());
    (line(), line(), (line(), line()), digests).prop_map(
        |(name, code, period, (questionnaire, dictionary))| {
            let questionnaire = Digest::from_bytes(questionnaire);
            let dictionary = dictionary.map(Digest::from_bytes);
            Said::Charter(Charter { name, code, period, questionnaire, dictionary })
        },
    )
}

fn revocation() -> impl Strategy<Value = Said> {
    let kept = btree_map(any::<[u8; 4]>(), any::<u64>(), 0..5);
    let lists = btree_map(sub_sls(), any::<[u8; 32]>(), 0..5);
    (statement_id(), any::<[u8; 32]>(), line(), kept, lists, statement_ids()).prop_map(
        |(parent, subject, reason, kept, lists, statements)| {
            let kept = kept.into_iter().map(|(incarnation, n_max)| Kept {
                incarnation: Incarnation::from_bytes(incarnation),
                n_max,
            });
            Said::Revocation(Revocation {
                parent,
                subject: DeviceKey::from_bytes(subject),
                reason,
                kept: kept.collect(),
                lists: lists
                    .into_iter()
                    .map(|(sub_sls, digest)| (sub_sls, Digest::from_bytes(digest)))
                    .collect(),
                statements,
            })
        },
    )
}

/// One into several, or the other way round, or one under another name.
fn redrawing() -> impl Strategy<Value = Said> {
    let several = btree_map(sub_sls(), line(), 2..6);
    (statement_id(), several, (sub_sls(), "\\PC{1,60}"), any::<u64>(), 0..3).prop_map(
        |(parent, several, one, serial, kind)| {
            let single = vec![one];
            let several: Vec<(SubSls, String)> = several.into_iter().collect();
            let (from, to) = match kind {
                0 => (&single, &several),
                1 => (&several, &single),
                _ => (&single, &single),
            };
            let from = from.iter().map(|(sub_sls, _)| *sub_sls).collect();
            let drawn = |(sub_sls, name): &(SubSls, String)| Drawn { sub_sls: *sub_sls, name: name.clone() };
            Said::Redrawing(Redrawing { parent, from, to: to.iter().map(drawn).collect(), serial })
        },
    )
}

fn line() -> impl Strategy<Value = String> {
    "\\PC{0,60}"
}

fn statement_id() -> impl Strategy<Value = StatementId> {
    any::<[u8; 32]>().prop_map(StatementId::from_bytes)
}

fn statement_ids() -> impl Strategy<Value = Vec<StatementId>> {
    btree_set(any::<[u8; 32]>(), 0..5).prop_map(|ids| ids.into_iter().map(StatementId::from_bytes).collect())
}

fn changes() -> impl Strategy<Value = Vec<ChangeId>> {
    btree_set(any::<[u8; 32]>(), 0..5).prop_map(|ids| ids.into_iter().map(ChangeId::from_bytes).collect())
}

fn sub_sls() -> impl Strategy<Value = SubSls> {
    (0..10_000_000_000_000_000_u64).prop_map(|code| format!("{code:016}").parse().unwrap())
}

fn record() -> impl Strategy<Value = RecordId> {
    (sub_sls(), any::<[u8; 8]>()).prop_map(|(home, salt)| RecordId::new(home, salt))
}

/// Ascending, none inside another.
fn regions() -> impl Strategy<Value = Vec<Region>> {
    let region = (sub_sls(), select(vec![2_usize, 4, 7, 10, 14, 16]))
        .prop_map(|(code, digits)| code.to_string()[..digits].parse::<Region>().unwrap());
    vec(region, 0..6).prop_map(|mut regions| {
        regions.sort_unstable();
        regions.dedup_by(|inner, outer| outer.covers(inner));
        regions
    })
}

fn statement() -> impl Strategy<Value = Statement> {
    (any::<[u8; 32]>(), any::<[u8; 4]>(), 1..=u64::MAX, said()).prop_map(|(seed, incarnation, n, said)| {
        Statement::sign(
            &Keypair::from_seed(&seed),
            Incarnation::from_bytes(incarnation),
            n,
            survey(&said),
            said,
        )
    })
}

fn survey(said: &Said) -> Option<&'static SurveyId> {
    if matches!(said, Said::Charter(_)) { None } else { Some(&SURVEY) }
}

fn payload_of(statement: &Statement) -> Vec<u8> {
    let bytes = statement.to_bytes();
    let mut reader = Reader::new(&bytes);
    reader.tag(18).unwrap();
    reader.tuple(4).unwrap();
    reader.bytes(128).unwrap();
    reader.map(0).unwrap();
    reader.bytes(STATEMENT_BYTES_MAX).unwrap().to_vec()
}

fn enclose(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Writer::new();
    bytes.tag(18).array(4).bytes(&protected_header(STATEMENT_TYPE)).map(0).bytes(payload).bytes(&[0; 64]);
    bytes.finish()
}

/// A statement of this kind with these fields, unsigned.
fn spell(kind: u64, fields: impl FnOnce(&mut Writer)) -> Result<Statement, StatementError> {
    let mut payload = Writer::new();
    payload.array(5).uint(kind).bytes(&[1; 32]).bytes(&[2; 4]).uint(1);
    fields(&mut payload);
    Statement::from_bytes(&enclose(&payload.finish()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_statement_is_read_back_and_still_signed(statement in statement()) {
        let read = Statement::from_bytes(&statement.to_bytes()).unwrap();
        prop_assert_eq!(&read, &statement);
        let survey = survey(&read.said);
        prop_assert!(read.verify(survey));
        prop_assert!(!read.verify(Some(&SurveyId::from_bytes([0x12; 32]))));
        prop_assert_eq!(read.id(survey), statement.id(survey));
    }

    #[test]
    fn a_cut_anywhere_is_refused(statement in statement(), at: Index) {
        let bytes = statement.to_bytes();
        prop_assert!(Statement::from_bytes(&bytes[..at.index(bytes.len())]).is_err());
        let payload = payload_of(&statement);
        prop_assert!(Statement::from_bytes(&enclose(&payload[..at.index(payload.len())])).is_err());
    }

    #[test]
    fn more_behind_it_is_refused(statement in statement(), more in vec(any::<u8>(), 1..9)) {
        prop_assert!(Statement::from_bytes(&[statement.to_bytes(), more.clone()].concat()).is_err());
        prop_assert!(Statement::from_bytes(&enclose(&[payload_of(&statement), more].concat())).is_err());
    }

    #[test]
    fn a_flipped_bit_is_refused_or_breaks_the_signature(statement in statement(), flips in vec(any::<Index>(), 8)) {
        let bytes = statement.to_bytes();
        for flip in flips {
            let at = flip.index(8 * bytes.len());
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            if let Ok(other) = Statement::from_bytes(&flipped) {
                prop_assert_eq!(other.to_bytes(), flipped);
                prop_assert!(!other.verify(survey(&other.said)));
            }
        }
    }

    #[test]
    fn what_can_be_read_has_one_spelling(bytes in vec(any::<u8>(), 0..200), statement in statement(), at: Index) {
        prop_assert!(Statement::from_bytes(&bytes).is_err());
        let mut payload = payload_of(&statement);
        let at = at.index(payload.len());
        payload.splice(at.., bytes);
        let spelled = enclose(&payload);
        if let Ok(read) = Statement::from_bytes(&spelled) {
            prop_assert_eq!(read.to_bytes(), spelled);
        }
    }
}

#[test]
fn another_envelope_is_refused() {
    let good = enclose(&payload_of(&charter_of("Regsosek")));
    assert!(Statement::from_bytes(&good).is_ok());
    assert!(Statement::from_bytes(&good[1..]).is_err(), "without its tag");
    let payload = payload_of(&charter_of("Regsosek"));
    let envelope = |protected: &[u8], unprotected: &dyn Fn(&mut Writer)| {
        let mut bytes = Writer::new();
        bytes.tag(18).array(4).bytes(protected);
        unprotected(&mut bytes);
        bytes.bytes(&payload).bytes(&[0; 64]);
        Statement::from_bytes(&bytes.finish())
    };
    let none = |bytes: &mut Writer| _ = bytes.map(0);
    assert!(envelope(&protected_header(STATEMENT_TYPE), &none).is_ok());
    let other_type = protected_header("application/rukun-change; v=1");
    assert_eq!(envelope(&other_type, &none), Err(StatementError::Header));
    assert_eq!(envelope(&[0xa0], &none), Err(StatementError::Header));
    let unprotected = envelope(&protected_header(STATEMENT_TYPE), &|bytes| _ = bytes.map(1).uint(4).uint(1));
    assert!(matches!(unprotected, Err(StatementError::Cbor(_))));
}

#[test]
fn lists_that_do_not_ascend_are_refused() {
    let ids = |to: &mut Writer, ids: &[u8]| {
        to.array(ids.len());
        for id in ids {
            to.bytes(&[*id; 32]);
        }
    };
    let decision = |changes: &[u8], supersedes: &[u8]| {
        spell(6, |to| {
            to.array(5).bytes(&[3; 32]).bytes(&[0; 8]).uint(1);
            ids(to, changes);
            ids(to, supersedes);
        })
    };
    assert!(decision(&[1, 2], &[1, 2]).is_ok());
    for wrong in [[2, 1], [1, 1]] {
        assert_eq!(decision(&wrong, &[]), Err(StatementError::Order));
        assert_eq!(decision(&[], &wrong), Err(StatementError::Order));
    }
    let closing = |regions: &[&str]| {
        spell(5, |to| {
            to.array(2).bytes(&[3; 32]).array(regions.len());
            for region in regions {
                to.text(region);
            }
        })
    };
    assert!(closing(&["1811010", "1811020"]).is_ok());
    for wrong in [["1811020", "1811010"], ["1811", "1811"], ["1811", "1811010"]] {
        assert_eq!(closing(&wrong), Err(StatementError::Order));
    }
    assert!(matches!(closing(&["181"]), Err(StatementError::Region(_))));
    let revocation = |kept: [u8; 2], places: [u8; 2], statements: [u8; 2]| {
        spell(3, |to| {
            to.array(6).bytes(&[3; 32]).bytes(&[4; 32]).text("stolen").array(2);
            for incarnation in kept {
                to.array(2).bytes(&[incarnation; 4]).uint(9);
            }
            to.array(2);
            for place in places {
                to.array(2).bytes(&[place; 8]).bytes(&[5; 32]);
            }
            ids(to, &statements);
        })
    };
    assert!(revocation([1, 2], [1, 2], [1, 2]).is_ok());
    for wrong in [[2, 1], [1, 1]] {
        assert_eq!(revocation(wrong, [1, 2], [1, 2]), Err(StatementError::Order));
        assert_eq!(revocation([1, 2], wrong, [1, 2]), Err(StatementError::Order));
        assert_eq!(revocation([1, 2], [1, 2], wrong), Err(StatementError::Order));
    }
    let root_succession = |consent: &[u8], statements: &[u8]| {
        spell(13, |to| {
            to.array(4).bytes(&[3; 32]).bytes(&[4; 32]).bytes(consent);
            ids(to, statements);
        })
    };
    assert!(root_succession(&[5; 64], &[1, 2]).is_ok() && root_succession(&[5; 64], &[]).is_ok());
    for wrong in [[2, 1], [1, 1]] {
        assert_eq!(root_succession(&[5; 64], &wrong), Err(StatementError::Order));
    }
    for consent in [&[5; 63][..], &[5; 65]] {
        assert!(matches!(root_succession(consent, &[]), Err(StatementError::Cbor(_))));
    }
}

#[test]
fn what_there_is_not_is_refused() {
    assert_eq!(spell(0, |to| _ = to.array(0)), Err(StatementError::Kind { kind: 0 }));
    assert_eq!(spell(14, |to| _ = to.array(0)), Err(StatementError::Kind { kind: 14 }));
    let granted = |role: u64| {
        spell(2, |to| {
            to.array(6).bytes(&[3; 32]).bytes(&[4; 32]).uint(role).array(0).uint(1).text("");
        })
    };
    assert!(granted(4).is_ok());
    for role in [0, 5] {
        assert_eq!(granted(role), Err(StatementError::Role { role }));
    }
    let upheld =
        |yes: u64| spell(6, |to| _ = to.array(5).bytes(&[3; 32]).bytes(&[0; 8]).uint(yes).array(0).array(0));
    assert!(upheld(0).is_ok() && upheld(1).is_ok() && upheld(2).is_err());
    let packed = |home: u8| spell(9, |to| _ = to.array(3).bytes(&[0; 32]).bytes(&[home; 8]).array(0));
    assert!(packed(0x99).is_ok());
    assert!(matches!(packed(0x9a), Err(StatementError::Region(_))));
}

/// A redrawing of places by one byte each, the names the same for all.
fn redraw(from: &[u8], to: &[u8], name: &str) -> Result<Statement, StatementError> {
    spell(12, |bytes| {
        bytes.array(4).bytes(&[3; 32]).array(from.len());
        for place in from {
            bytes.bytes(&[*place; 8]);
        }
        bytes.array(to.len());
        for place in to {
            bytes.array(2).bytes(&[*place; 8]).text(name);
        }
        bytes.uint(1);
    })
}

#[test]
fn a_redrawing_is_a_split_a_merge_or_a_rename() {
    for (from, to) in [(&[1][..], &[1, 2][..]), (&[1], &[2, 3]), (&[1, 2], &[2]), (&[1, 2], &[3])] {
        assert!(redraw(from, to, "").is_ok() && redraw(from, to, "RT 003").is_ok(), "{from:?} {to:?}");
    }
    assert!(redraw(&[1], &[1], "RT 003").is_ok());
    assert_eq!(redraw(&[1], &[1], ""), Err(StatementError::Redrawing), "a rename to nothing");
    for (from, to) in [(&[1, 2][..], &[3, 4][..]), (&[1, 2], &[1, 2]), (&[1], &[2]), (&[], &[1]), (&[1], &[])]
    {
        assert_eq!(redraw(from, to, "RT 003"), Err(StatementError::Redrawing), "{from:?} {to:?}");
    }
    for wrong in [[2, 1], [1, 1]] {
        assert_eq!(redraw(&wrong, &[3], ""), Err(StatementError::Order));
        assert_eq!(redraw(&[3], &wrong, ""), Err(StatementError::Order));
    }
    assert!(matches!(redraw(&[0x0a], &[1, 2], ""), Err(StatementError::Region(_))));
    assert!(matches!(redraw(&[1], &[1, 0xa0], ""), Err(StatementError::Region(_))));
    assert_eq!(redraw(&[1], &[1, 2], "a\nb"), Err(StatementError::ControlCharacter));
}

#[test]
fn a_redrawing_names_at_most_64_places_on_either_side() {
    let places = |count: u8| (0..count).map(|place| place / 10 * 16 + place % 10).collect::<Vec<u8>>();
    assert!(redraw(&[0x99], &places(64), "").is_ok() && redraw(&places(64), &[0x99], "").is_ok());
    let many = Err(StatementError::Cbor(CborError::TooMany { items: 65, max: 64 }));
    assert_eq!(redraw(&[0x99], &places(65), ""), many);
    assert_eq!(redraw(&places(65), &[0x99], ""), many);
}

#[test]
fn texts_are_one_line_within_their_limit() {
    let read = |name: &str| Statement::from_bytes(&charter_of(name).to_bytes()).map(|_| ());
    assert_eq!(read(&"x".repeat(256)), Ok(()));
    let long = CborError::TooMany { items: 257, max: 256 };
    assert_eq!(read(&"x".repeat(257)), Err(StatementError::Cbor(long)));
    for name in ["a\nb", "a\u{1b}[31mb", "a\u{0}", "a\u{9b}31mb", "a\u{7f}"] {
        assert_eq!(read(name), Err(StatementError::ControlCharacter), "{name:?}");
    }
}

#[test]
fn numbers_start_at_one() {
    let Statement { said, .. } = charter_of("Regsosek");
    let statement =
        Statement::sign(&Keypair::from_seed(&[1; 32]), Incarnation::from_bytes([1; 4]), 0, None, said);
    assert_eq!(Statement::from_bytes(&statement.to_bytes()), Err(StatementError::Number));
}

#[test]
fn a_statement_over_its_limit_is_refused_and_a_claim_of_more_costs_nothing() {
    let list = |count: usize| {
        let id = |at: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&(at as u64).to_be_bytes());
            ChangeId::from_bytes(id)
        };
        let sub_sls = "1811010005000300".parse().unwrap();
        let revocation = StatementId::from_bytes([1; 32]);
        let said = Said::KeptList(KeptList { revocation, sub_sls, changes: (0..count).map(id).collect() });
        Statement::sign(
            &Keypair::from_seed(&[1; 32]),
            Incarnation::from_bytes([1; 4]),
            1,
            Some(&SURVEY),
            said,
        )
    };
    let fits = list(STATEMENT_BYTES_MAX / 34 - 8);
    assert_eq!(Statement::from_bytes(&fits.to_bytes()), Ok(fits));
    let long = list(STATEMENT_BYTES_MAX / 34).to_bytes();
    assert!(long.len() > STATEMENT_BYTES_MAX);
    assert!(matches!(Statement::from_bytes(&long), Err(StatementError::Cbor(CborError::TooMany { .. }))));
    let claim = spell(9, |to| _ = to.array(3).bytes(&[0; 32]).bytes(&[0; 8]).array(usize::MAX >> 1));
    assert!(matches!(claim, Err(StatementError::Cbor(CborError::TooMany { .. }))));
}

fn charter_of(name: &str) -> Statement {
    let said = Said::Charter(Charter {
        name: name.into(),
        code: "regsosek".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(b"questionnaire"),
        dictionary: None,
    });
    Statement::sign(&Keypair::from_seed(&[1; 32]), Incarnation::from_bytes([1; 4]), 1, None, said)
}
