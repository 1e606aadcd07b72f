//! Statements mutated and then signed: whoever is granted anything holds no more than those it came
//! from, whatever order the statements came in.

use std::collections::BTreeMap;

use rukun_authority::{
    Drawn, Grant, Redrawing, Role, RootSuccession, Said, Statement, StatementVerdict, Trust,
};
use rukun_change::{DeviceKey, Region, StatementId, SubSls};

use super::input::Input;
use super::people::{self, ANI, Device, LIARS, MALLORY, OFFICE, SUPERVISOR};

const STATEMENTS_MAX: usize = 16;
const REGIONS: [&str; 10] = [
    "18",
    "1811",
    "1811010",
    "1811010005",
    "18110100050003",
    "1811010005000300",
    "18110100050004",
    "1811020",
    "1805",
    "1811010006",
];

/// Sub-SLS in and outside of what is granted.
const PLACES: [&str; 9] = [
    "1811010005000300",
    "1811010005000301",
    "1811010005000400",
    "1811010006000100",
    "1805010005000300",
    "1811010005000302",
    "1811010005000303",
    "1811010005000304",
    "1811010005000305",
];

/// Statements one after another: grants and redrawings whose parts are chosen, or any statement by its
/// bytes.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let survey = people::survey();
    let root = StatementId::from_bytes(*survey.id.as_bytes());
    let mut statements = survey.grants.clone();
    for _ in 0..STATEMENTS_MAX {
        if input.is_empty() {
            break;
        }
        let ids: Vec<StatementId> =
            [root].into_iter().chain(statements.iter().map(|one| survey.trust.statement_id(one))).collect();
        let statement = match input.below(8) {
            0 | 4 => any(input.piece()),
            7 => Some(redrawing(&mut input, &ids)),
            _ => Some(grant(&mut input, &ids)),
        };
        let Some(statement) = statement else { continue };
        if let Ok(read) = Statement::from_bytes(&statement.to_bytes()) {
            assert_eq!(read, statement);
        }
        statements.push(statement);
    }
    let trust = judged(statements.iter());
    let backwards = judged(statements.iter().rev());
    assert_eq!(trust.grants(), backwards.grants(), "the order of arrival shows");
    assert_eq!(trust.roots(), backwards.roots(), "the order of arrival shows");
    let devices: Vec<DeviceKey> = trust.grants().iter().map(|grant| grant.subject).collect();
    for device in &devices {
        assert_eq!(trust.reads(device), backwards.reads(device), "the order of arrival shows");
    }
    nobody_reads_more_than_those_above(&trust);
    who_leaves_a_retired_place_comes_to_one_in_use(&trust, &backwards);
    show(&trust, &devices);
}

/// A statement by its bytes, under a key that we have.
fn any(bytes: &[u8]) -> Option<Statement> {
    let read = Statement::from_bytes(bytes).ok()?;
    assert_eq!(read.to_bytes(), bytes, "a statement has two spellings");
    let issuer = devices().into_iter().find(|device| device.key() == read.issuer.device).unwrap_or(MALLORY);
    let said = match read.said {
        // A consent can't be guessed, so whoever is named consents.
        Said::RootSuccession(RootSuccession { parent, successor, statements, .. }) => {
            let next = devices().into_iter().find(|device| device.key() == successor).unwrap_or(MALLORY);
            let (next, old, survey) = (next.keypair(), issuer.key(), &people::survey().id);
            Said::RootSuccession(RootSuccession::consented(parent, next, statements, &old, survey))
        }
        said => said,
    };
    Some(issuer.say(read.n, said))
}

fn grant(input: &mut Input<'_>, ids: &[StatementId]) -> Statement {
    let issuer = input.pick(&devices());
    let said = Grant {
        parent: input.pick(ids),
        subject: input.pick(&devices()).key(),
        role: input.pick(&Role::ALL),
        regions: regions(input),
        serial: match input.byte() {
            255 => u64::MAX,
            serial => serial.into(),
        },
        name: if input.below(16) == 15 { "\u{1b}[2J".into() } else { "device".into() },
    };
    issuer.say(u64::from(input.byte()), Said::Grant(said))
}

/// In order and with a serial of their own, as an honest issuer spells them, or not.
fn redrawing(input: &mut Input<'_>, ids: &[StatementId]) -> Statement {
    let (issuer, parent) = (input.pick(&devices()), input.pick(ids));
    let mut from: Vec<SubSls> = (0..input.below(4)).map(|_| place(input)).collect();
    let drawn = |input: &mut Input<'_>| {
        let sub_sls = place(input);
        Drawn { sub_sls, name: ["", "RT 001", "RT 002"][input.below(3)].into() }
    };
    let mut to: Vec<Drawn> = (0..input.below(4)).map(|_| drawn(input)).collect();
    let serial = input.byte();
    if serial < 224 {
        from.sort_unstable();
        from.dedup();
        to.sort_unstable_by_key(|drawn| drawn.sub_sls);
        to.dedup_by_key(|drawn| drawn.sub_sls);
    }
    let said = Redrawing { parent, from, to, serial: serial.into() };
    let spelled = issuer.say(u64::from(input.byte()), Said::Redrawing(said.clone()));
    let number = spelled.n > 0;
    assert!(!number || said.check().is_ok() == Statement::from_bytes(&spelled.to_bytes()).is_ok());
    spelled
}

fn place(input: &mut Input<'_>) -> SubSls {
    input.pick(&PLACES).parse().expect("a sub-SLS")
}

/// In order and apart, as an honest issuer spells them, or not.
fn regions(input: &mut Input<'_>) -> Vec<Region> {
    let mut regions: Vec<Region> =
        (0..input.below(4)).map(|_| input.pick(&REGIONS).parse().expect("a region")).collect();
    if input.below(8) != 7 {
        regions.sort_unstable();
        regions.dedup_by(|after, before| before.covers(after));
    }
    regions
}

fn devices() -> Vec<Device> {
    [people::ROOT, OFFICE, SUPERVISOR, ANI].into_iter().chain(LIARS).collect()
}

/// The trust that comes of these statements, those that must wait judged again.
fn judged<'a>(statements: impl Iterator<Item = &'a Statement>) -> Trust {
    let mut trust = Trust::found(&people::survey().charter).expect("the charter founds the survey");
    let mut waiting: Vec<&Statement> = statements.collect();
    loop {
        let before = waiting.len();
        waiting.retain(|statement| matches!(trust.judge_statement(statement), StatementVerdict::Wait(_)));
        if waiting.len() == before {
            return trust;
        }
    }
}

/// Every region that a device reads, someone who granted it anything reads too, or is the root.
fn nobody_reads_more_than_those_above(trust: &Trust) {
    let mut issuers: BTreeMap<DeviceKey, Vec<DeviceKey>> = BTreeMap::new();
    for view in trust.grants() {
        assert!(
            view.in_force.iter().all(|region| view.regions.iter().any(|wide| wide.covers(region))),
            "a grant is in force where it does not say so"
        );
        issuers.entry(view.subject).or_default().push(view.issuer);
    }
    for (device, issuers) in &issuers {
        for region in trust.reads(device) {
            let above = issuers.iter().any(|issuer| {
                trust.was_root(issuer) || trust.reads(issuer).iter().any(|wide| wide.covers(&region))
            });
            assert!(above, "a device reads {region}, which nobody above it does");
        }
    }
}

/// Whatever was said of places, by whom and in which order.
fn who_leaves_a_retired_place_comes_to_one_in_use(trust: &Trust, backwards: &Trust) {
    assert_eq!(trust.redrawings(), backwards.redrawings(), "the order of arrival shows");
    for home in PLACES.map(|code| code.parse::<SubSls>().expect("a sub-SLS")) {
        let into = trust.redrawn_into(&home);
        assert_eq!(into, backwards.redrawn_into(&home), "the order of arrival shows");
        assert_eq!(trust.place_name(&home), backwards.place_name(&home), "the order of arrival shows");
        let Some(into) = into else { continue };
        assert!(!into.is_empty(), "a retired place leads nowhere");
        assert!(into.iter().all(|place| trust.redrawn_into(place).is_none()), "it leads to a retired place");
    }
}

fn show(trust: &Trust, devices: &[DeviceKey]) {
    let home = people::record(5).home();
    for device in devices {
        let reads = trust.reads(device);
        assert_eq!(trust.may_read(device, &home), reads.iter().any(|region| region.covers_sub_sls(&home)));
        assert!(!trust.may_read(device, &home) || trust.ever_covered(device, &home));
        for role in trust.roles_at(device, &home) {
            assert!(role.inks().iter().all(|ink| trust.ever_wrote(device, &home, *ink)));
        }
        drop((trust.name_of(device), trust.grants_of(device)));
        let chain = trust.chain(device);
        for role in Role::ALL {
            if let Some(parent) = trust.grant_to_rest_on(device, role, &reads) {
                assert!(trust.next_serial_on(&parent, &MALLORY.key()) > 0);
            }
        }
        assert!(!chain.is_empty());
    }
}
