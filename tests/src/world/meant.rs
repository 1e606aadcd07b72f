//! What somebody meant, and the change that came of it: the values at their places, in the ink of the role, with all
//! in sight that was to be read, and nothing else. Without this, whatever a node writes would be what it was told to
//! write, since the model learns of a change from the node that made it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rukun_authority::{Reason, Role, Standing};
use rukun_change::{ChangeId, DeviceKey, Ink, MemberId, Moment, RecordId, Scalar, SubSls};
use rukun_document::{Candidate, ConflictKind, Place, Reading};
use rukun_replica::Replica;

use super::model::compare::Facts;
use super::model::{Fact, Knowledge, written};
use super::sim::Checked;

/// What is to come of one act.
#[derive(Default)]
pub(super) struct Meant {
    /// Where a new family lives.
    pub(super) home: Option<SubSls>,
    /// In another ink than the usual one of the role.
    pub(super) ink: Option<Ink>,
    /// What its node read of the record before.
    pub(super) before: Option<Reading>,
    pub(super) writes: Vec<(Place, Scalar)>,
    /// Of the one new member.
    pub(super) member: Vec<(&'static str, Scalar)>,
    /// All candidates at the place that is settled.
    pub(super) settles: Vec<Candidate>,
}

/// A change, among all that its node holds of the record.
struct Made<'a> {
    known: Knowledge<'a>,
    at: usize,
    ink: Ink,
    reading: Reading,
    liars: &'a BTreeSet<DeviceKey>,
}

/// Without what stood there before, which takes pages.
impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { home, ink, writes, member, settles, .. } = self;
        write!(
            f,
            "writes {writes:?}, of a new member {member:?}, in {home:?}, in ink {ink:?}, settling {settles:?}"
        )
    }
}

impl Meant {
    /// Checks the changes that came of it, on the node that made them, before anything else comes there.
    pub(super) fn check(
        &self,
        replica: &Replica,
        (facts, liars): (&Facts, &BTreeSet<DeviceKey>),
        now: Moment,
        record: &RecordId,
        made: &[ChangeId],
    ) -> Checked {
        if made.is_empty() && self.writes.is_empty() && self.member.is_empty() {
            return Ok(());
        }
        let may = inks_at(replica, &record.home());
        let ink = self.ink.or(may.first().copied()).ok_or("somebody without a role wrote")?;
        if !may.contains(&ink) {
            return Err(format!("it came in {ink}, which is not theirs: {may:?} are"));
        }
        let [id] = made else {
            let nothing = made.is_empty() && self.member.is_empty() && self.settles.is_empty();
            return if nothing && self.writes.iter().all(|(place, value)| self.stood(ink, place, value)) {
                Ok(())
            } else {
                Err(format!("{} changes came of {self}", made.len()))
            };
        };
        let held = replica.changes_of(record).map_err(|error| error.to_string())?;
        let held = held.iter().map(|change| facts.get(&change.id()).map(AsRef::as_ref));
        let held: Vec<&Fact> = held.collect::<Option<_>>().ok_or("a change is held that nobody made")?;
        let known = Knowledge::of(&held);
        let at = known.order.iter().position(|fact| fact.id == *id).ok_or("it is not held")?;
        let reading = replica.reading(record).map_err(|error| error.to_string())?;
        let made = Made { known, at, ink, reading, liars };
        let fact = made.fact();
        if self.home.is_some_and(|home| fact.record.home() != home) || fact.record != *record {
            return Err(format!("{} is another place than {:?}", fact.record, self.home));
        }
        let said = (fact.author, fact.ink, fact.time_ms, fact.message.as_str());
        if said != (replica.author(), ink, now.wall_ms, &self.message()) {
            return Err(format!("in {ink} at {} was meant, and came as {said:?}", now.wall_ms));
        }
        self.check_writes(&made)?;
        made.check_causes()?;
        self.check_settled(&made, replica)
    }

    /// Whether it was there before, so that nothing had to be written.
    fn stood(&self, ink: Ink, place: &Place, value: &Scalar) -> bool {
        let answer = self.before.as_ref().and_then(|before| before.answer(place));
        match answer.map(|answer| answer.in_ink(ink)).unwrap_or_default() {
            [] => {
                let said = answer.is_some_and(|answer| answer.effective().value != Scalar::Null);
                *value == Scalar::Null && !said
            }
            [only] => only.value == *value,
            _ => false,
        }
    }

    fn message(&self) -> String {
        let ids: BTreeSet<String> = self.settles.iter().map(|one| one.change.to_string()).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        if ids.is_empty() { String::new() } else { format!("resolve {}", ids.join(",")) }
    }

    fn check_writes(&self, made: &Made<'_>) -> Checked {
        let mut found: BTreeMap<Place, Scalar> = written(&made.known, made.at)
            .into_iter()
            .map(|((member, field), value)| (Place { member, field: field.into() }, value.clone()))
            .collect();
        let had = |member: &MemberId| {
            self.before.as_ref().is_some_and(|before| before.all_members().contains(member))
        };
        let new = made.fact().maps.iter().map(|map| map.member).filter(|member| !had(member));
        let new: Vec<MemberId> = new.collect();
        if new.len() != usize::from(!self.member.is_empty()) {
            return Err(format!("{} members were made by {self}", new.len()));
        }
        let of_new = new
            .iter()
            .flat_map(|new| self.member.iter().map(|(field, value)| (Place::of(*new, *field), value)));
        let all = self.writes.iter().map(|(place, value)| (place.clone(), value)).chain(of_new);
        for (place, value) in all {
            match found.remove(&place) {
                Some(written) if written == *value => {}
                None if self.settles.is_empty()
                    && !place.is_gone()
                    && self.stood(made.ink, &place, value) => {}
                other => return Err(format!("{place}: {value:?} was meant, and {other:?} is written")),
            }
        }
        if found.is_empty() { Ok(()) } else { Err(format!("nobody meant {found:?}")) }
    }

    /// Where it is what the office reads, no conflict is left that it could end.
    fn check_settled(&self, made: &Made<'_>, replica: &Replica) -> Checked {
        let ([(place, _)], Some(top)) = (&self.writes[..], self.settles.iter().map(|one| one.ink).max())
        else {
            return Ok(());
        };
        // Only the inks that say what their author saw reach what is below them.
        let reaches = top <= made.ink && made.ink >= Ink::Red
            || self.settles.iter().all(|candidate| candidate.ink == made.ink);
        let id = made.fact().id;
        // Of a fork one branch alone is read, and it need not be this one.
        if !made.is_plain() || !made.is_good(&id) {
            return Ok(());
        }
        let Some(answer) = made.reading.answer(place) else { return Err(format!("{place} is not read")) };
        if !reaches || answer.effective().ink != made.ink {
            return Ok(());
        }
        let is_open = |reading: &Reading| {
            reading.conflicts(replica.questionnaire()).into_iter().any(|open| {
                open.place.as_ref() == Some(place)
                    && matches!(open.kind, ConflictKind::Field | ConflictKind::Stale | ConflictKind::Presence)
            })
        };
        // Where nothing but set aside work was shown, a new answer may be at odds with what is above it.
        let was_open = self.before.as_ref().is_some_and(is_open);
        if answer.effective().change != id || was_open && is_open(&made.reading) {
            return Err(format!("{place} is not settled by {id:.12}"));
        }
        Ok(())
    }
}

impl Made<'_> {
    fn fact(&self) -> &Fact {
        self.known.order[self.at]
    }

    fn is_good(&self, id: &ChangeId) -> bool {
        self.reading.log().iter().any(|logged| logged.change == *id && logged.standing.is_good())
    }

    /// Whether nobody forked anything in its ink: of a fork one branch alone can be followed.
    fn is_plain(&self) -> bool {
        let in_ink = || self.known.order.iter().filter(|fact| fact.ink == self.ink);
        let places: BTreeSet<_> = in_ink().map(|fact| (fact.actor, fact.seq)).collect();
        places.len() == in_ink().count() && !in_ink().any(|fact| self.is_liars(fact))
    }

    fn is_liars(&self, fact: &Fact) -> bool {
        self.liars.contains(&fact.author.device)
    }

    /// Whoever wrote it saw all that was to be read below and beside it, and nothing that was not.
    fn check_causes(&self) -> Checked {
        let (order, own) = (&self.known.order, self.fact().author.device);
        let stands = self.reading.log().iter().find(|logged| logged.change == self.fact().id);
        let stands = stands.map(|logged| logged.standing);
        if !matches!(stands, Some(Standing::Good | Standing::SetAside(Reason::Fork))) {
            return Err(format!("it was taken at the keyboard, and stands {stands:?}"));
        }
        let lies = order.iter().any(|fact| self.is_liars(fact));
        for (other, fact) in order.iter().enumerate().filter(|(other, _)| *other != self.at) {
            let knew = self.known.knew(self.at, other);
            let was_to_be_seen =
                fact.ink < self.ink && self.ink >= Ink::Red || fact.ink == self.ink && self.is_plain();
            if self.is_good(&fact.id) && was_to_be_seen && !knew {
                return Err(format!("it did not see {:.12}", fact.id));
            }
            let counts = |fact: &Fact| self.is_good(&fact.id) || fact.author.device == own;
            let through = order.iter().enumerate().any(|(between, one)| {
                counts(one) && self.known.knew(self.at, between) && self.known.knew(between, other)
            });
            if knew && !counts(fact) && !through && !lies {
                return Err(format!("it replaces {:.12}, which nobody could read", fact.id));
            }
        }
        Ok(())
    }
}

/// The inks that this device may write there, the usual one first.
pub(super) fn inks_at(replica: &Replica, home: &SubSls) -> Vec<Ink> {
    let roles = replica.trust().map(|trust| trust.roles_at(&replica.device(), home)).unwrap_or_default();
    let inks = roles.into_iter().flat_map(|role| match role {
        Role::District => &[Ink::Black, Ink::Printed][..],
        Role::Coordinator => &[Ink::Green],
        Role::Supervisor => &[Ink::Red],
        Role::Enumerator => &[Ink::Pencil],
    });
    inks.copied().collect()
}

pub(super) fn text(text: &str) -> Scalar {
    Scalar::Text(text.into())
}

pub(super) fn int(value: u64) -> Scalar {
    Scalar::Int(value.cast_signed())
}
