//! Lies, told to nodes in the middle of everything else: two enumerators and two supervisors with bad
//! intent, and strangers. The node must react as it must, at once; what may enter its set is known.

use rukun_authority::{Keypair, Role};
use rukun_change::{Author, Fingerprint, Ink, SignedChange, StatementId, SubSls};
use rukun_replica::{Input, LinkId};
use rukun_wire::{Exception, Hello, Message};

use super::delivery::LIAR;
use super::liar::{Expect, Liar, Telling, Truth};
use super::mallory::Mallory;
use super::model::Fact;
use super::sim::{Checked, World};
use super::{Chance, NODES};

use super::liar::Lie;

/// Who grants those who lie which role and where; a place in it, and one where they have none.
const PLACES: [(usize, Role, &str, &str, &str); 4] = [
    (4, Role::Enumerator, "18110100050003", "1811010005000300", "1811040003000100"),
    (5, Role::Enumerator, "18110400030001", "1811040003000100", "1811010005000300"),
    (2, Role::Supervisor, "1811010005", "1811010005000400", "1811040003000200"),
    (3, Role::Supervisor, "1811040003", "1811040003000200", "1811010005000400"),
];

impl World {
    /// Officers are granted something who should not be trusted.
    pub(super) fn hire_liars(&mut self) -> Checked {
        for (granter, role, region, home, far) in PLACES {
            let liar = Liar::new(Keypair::from_seed(&self.chance.bytes()));
            self.grant(granter, false, liar.key(), role, &[region])?;
            let Some(replica) = self.nodes[granter].replica.as_ref() else { return Ok(()) };
            let wanted = replica.trust().map(|trust| trust.chain(&liar.key())).unwrap_or_default();
            let held = replica.statements_held().map_err(|error| error.to_string())?;
            let chain = held
                .iter()
                .filter(|bytes| self.truth.id_of_statement(bytes).is_some_and(|id| wanted.contains(&id)))
                .cloned()
                .collect();
            let place = |code: &str| code.parse().expect("a sub-SLS of this world");
            self.liars.insert(liar.key());
            self.mallories.push(Mallory { liar, chain, home: place(home), far: place(far) });
        }
        Ok(())
    }

    /// An enumerator who lies becomes a supervisor too. What it wrote in red before, set aside at every node,
    /// is in good standing from then on.
    pub(super) fn promote_a_liar(&mut self, chance: &mut Chance) -> Checked {
        let at = chance.below(2);
        let (granter, region) = (2 + at, PLACES[at].2);
        let key = self.mallories[at].liar.key();
        self.come_up(granter)?;
        self.grant(granter, false, key, Role::Supervisor, &[region])
    }

    /// A peer lies to a node, or to the next one that can hear this lie. What nobody can hear now is told
    /// with the next lie.
    pub(super) fn lie(&mut self, victim: usize, lie: Lie, luck: u64) -> Checked {
        self.lie_again(victim)?;
        self.lie_to_some(victim, lie, luck)
    }

    /// What nobody could hear is told once more.
    pub(super) fn lie_again(&mut self, victim: usize) -> Checked {
        for (lie, luck) in std::mem::take(&mut self.untold) {
            self.lie_to_some(victim, lie, luck)?;
        }
        Ok(())
    }

    fn lie_to_some(&mut self, victim: usize, lie: Lie, luck: u64) -> Checked {
        for victim in (victim..victim + NODES).map(|at| at % NODES) {
            self.come_up(victim)?;
            let mut chance = Chance::new(luck);
            let Some((own, mallory, in_far)) = self.who_lies_to(victim, &mut chance) else { continue };
            let honest = self.readable(victim, mallory.home);
            if honest.is_empty() {
                continue;
            }
            let truth = Truth {
                survey: self.truth.survey,
                victim: own,
                honest: &honest,
                corrected: self.corrected(victim, mallory.home),
                statements: &mallory.chain,
                home: mallory.home,
                far: mallory.far,
                victim_in_far: in_far,
            };
            let telling = mallory.liar.tell(lie, &mut chance, &truth);
            let greeting = if telling.greet { self.greeting(&truth) } else { Vec::new() };
            if self.tell(victim, lie, &telling, &greeting)? {
                return Ok(());
            }
            break;
        }
        self.untold.push((lie, luck));
        Ok(())
    }

    /// One who lies and is granted something where the victim may read; and whether the victim may read
    /// where that one may not. Nobody if the victim is down or of two minds about it.
    fn who_lies_to(&self, victim: usize, chance: &mut Chance) -> Option<(Author, &Mallory, bool)> {
        let replica = self.nodes[victim].replica.as_ref()?;
        let (trust, own) = (replica.trust()?, replica.author());
        let may_read = |place| trust.may_read(&own.device, place);
        let near: Vec<&Mallory> = self.mallories.iter().filter(|one| may_read(&one.home)).collect();
        let mallory = *near.get(chance.place(near.len())?)?;
        let in_far = trust.ever_covered(&own.device, &mallory.far);
        (in_far == may_read(&mallory.far)).then_some((own, mallory, in_far))
    }

    /// Gives whether the victim lived to react.
    fn tell(
        &mut self,
        victim: usize,
        lie: Lie,
        telling: &Telling,
        greeting: &[Vec<u8>],
    ) -> Result<bool, String> {
        for signed in &telling.admitted {
            let id = Fact::in_survey(signed, &self.truth.survey).map_err(|error| format!("{error:?}"))?.id;
            self.truth.made(id, signed, false)?;
            self.truth.holders.entry(id).or_default().insert(LIAR);
        }
        self.trace.note((victim, lie.name()), || format!("{victim} is told a lie: {}", lie.name()));
        let link = self.link_by_hand(victim, telling.key)?;
        for frame in greeting {
            self.say(victim, link, frame)?;
        }
        if !self.heard.contains_key(&(victim, link)) && telling.greet && self.nodes[victim].replica.is_some()
        {
            return Err(format!(
                "{victim} does not take the greeting of a granted device before {}",
                lie.name()
            ));
        }
        for frame in &telling.lead {
            self.say(victim, link, frame)?;
        }
        if let Some(heard) = self.heard.get_mut(&(victim, link)) {
            heard.clear();
        }
        let heard = self.say(victim, link, &telling.frames.concat())?;
        if self.nodes[victim].replica.is_none() {
            // The victim died of something else, before it could react.
            return Ok(false);
        }
        reacted(telling, heard.as_deref()).map_err(|found| {
            format!("{victim} reacts wrongly to {}: {found}, not {:?}", lie.name(), telling.expect)
        })?;
        self.tally.hit_named(class(lie));
        self.hang_up(victim, link)?;
        Ok(true)
    }

    fn hang_up(&mut self, victim: usize, link: LinkId) -> Checked {
        self.ears.remove(&(victim, link));
        if self.heard.remove(&(victim, link)).is_some() {
            self.handle(victim, Input::LinkClosed { link, reason: "cut".into() })?;
            self.commit(victim)?;
        }
        Ok(())
    }

    /// A greeting that knows all statements already, so that none are sent.
    fn greeting(&self, truth: &Truth<'_>) -> Vec<Vec<u8>> {
        let ids: Vec<StatementId> = self.truth.statement_ids.iter().copied().collect();
        let hello = Hello {
            versions: (1, 1),
            survey: Some(truth.survey),
            epoch: rukun_change::Incarnation::from_bytes([0x66; 4]),
            received: None,
            // One who holds something and has no cursor is sent nothing before it asks.
            held: 1,
            statements: Some(Fingerprint::default()),
            chain: truth.statements.to_vec(),
        };
        let items = Vec::new();
        let said =
            [Message::Hello(hello), Message::StatementIds(ids), Message::Statements { items, last: true }];
        said.iter().map(Message::encode).collect()
    }

    /// The last of what a node holds at a place in another ink than pencil.
    fn corrected(&self, node: usize, home: SubSls) -> Option<&SignedChange> {
        let is_there =
            |signed: &SignedChange| signed.change.record.home() == home && signed.change.ink != Ink::Pencil;
        let held = |signed: &SignedChange| {
            self.truth.id_of(signed).is_some_and(|id| self.truth.held[node].contains(&id))
        };
        self.truth.signed.iter().rev().find(|signed| is_there(signed) && held(signed))
    }

    /// Some honest changes that a node holds at a place.
    fn readable(&self, node: usize, home: SubSls) -> Vec<SignedChange> {
        let held = &self.truth.held[node];
        let of_home = self.truth.signed.iter().filter(|signed| signed.change.record.home() == home);
        let held = of_home.filter(|signed| self.truth.id_of(signed).is_some_and(|id| held.contains(&id)));
        // What was erased there can't be told from what comes back.
        let trust = self.nodes[node].replica.as_ref().and_then(|replica| replica.trust());
        let erased = |record| trust.is_some_and(|trust| trust.erased_by(record).is_some());
        held.filter(|signed| !erased(&signed.change.record)).take(6).cloned().collect()
    }
}

/// Whether a victim reacted as it must: what it said, or nothing if it ended the link.
fn reacted(telling: &Telling, heard: Option<&[Message]>) -> Result<(), String> {
    let Some(heard) = heard else {
        return match telling.expect {
            Expect::LinkCloses | Expect::Harmless => Ok(()),
            _ => Err("the link ended".into()),
        };
    };
    let mut acks = heard.iter().filter_map(|message| match message {
        Message::Ack { exceptions, .. } => Some(exceptions),
        _ => None,
    });
    let acknowledged = acks.clone().next().is_some();
    let exceptions: Vec<&Exception> = acks.by_ref().flatten().map(|(_, exception)| exception).collect();
    let waits = exceptions.iter().filter(|one| matches!(one, Exception::Waiting)).count();
    let refused = exceptions.len() - waits;
    let as_expected = match telling.expect {
        Expect::Harmless | Expect::StatementsRefused(_) => true,
        Expect::LinkCloses => false,
        Expect::Refused(count) => acknowledged && (refused, waits) == (count, 0),
        Expect::Waits(count) => acknowledged && (refused, waits) == (0, count),
        Expect::Admitted => acknowledged && exceptions.is_empty(),
    };
    if as_expected {
        Ok(())
    } else {
        Err(format!("acknowledged: {acknowledged}, {refused} refused, {waits} wait"))
    }
}

/// The kinds of lies of the fault model, as they are counted, and what is told of each.
pub(super) const CLASSES: [(&str, &[Lie]); 14] = [
    (
        "lie: forged signature",
        &[Lie::ForgedSignature, Lie::ChangedField, Lie::ForgedGrant, Lie::OtherSurveysChange],
    ),
    (
        "lie: frame in the wrong state",
        &[
            Lie::BeforeGreeting,
            Lie::WrongState,
            Lie::FrameOrder,
            Lie::FalseDiffer,
            Lie::UnwantedIds,
            Lie::UnwantedWant,
            Lie::UnaskedSketch,
            Lie::HugeLog,
        ],
    ),
    ("lie: another's number or actor", &[Lie::OthersNumber, Lie::OthersActor]),
    ("lie: one change signed twice", &[Lie::TwoRecords, Lie::TwoNumbers, Lie::Replay]),
    ("lie: fork", &[Lie::Fork, Lie::ForkInRecord, Lie::Gap, Lie::HugeNumber, Lie::NumberZero]),
    ("lie: out of scope", &[Lie::OutOfScope, Lie::OthersInk, Lie::FalseDecision]),
    (
        "lie: grant wider than its issuer's",
        &[
            Lie::WidenedGrant,
            Lie::WidenedGrant,
            Lie::WidenedGrant,
            Lie::WidenedGrant,
            Lie::OtherCharter,
            Lie::OtherCharter,
            Lie::MalformedStatement,
            Lie::FutureStatement,
            Lie::StatementFlood,
            Lie::FalseErasure,
        ],
    ),
    ("lie: counts of 2^63", &[Lie::HugeCount, Lie::HugeCountInChange, Lie::HugeFrame, Lie::Bomb]),
    (
        "lie: false acknowledgement or fingerprint",
        &[
            Lie::FalseAck,
            Lie::BlindAck,
            Lie::FalseFingerprint,
            Lie::WildSketch,
            Lie::FalseReceipt,
            Lie::FalseCursor,
            Lie::EndlessIds,
            Lie::FalseBlob,
            Lie::FalseParcel,
        ],
    ),
    ("lie: compressed chunk", &[Lie::Compressed]),
    ("lie: malformed chunk", &[Lie::Malformed, Lie::SeenInPencil]),
    ("lie: causes that are not there", &[Lie::Dangling, Lie::NoCause, Lie::NoHead, Lie::StubUnasked]),
    ("lie: stranger", &[Lie::StrangerHello, Lie::WrongSurvey, Lie::WrongVersion]),
    ("lie: bytes without meaning", &[Lie::GarbageBytes, Lie::TruncatedFrame, Lie::ControlText]),
];

/// What a lie is counted as.
fn class(lie: Lie) -> &'static str {
    let known = CLASSES.iter().find(|(_, lies)| lies.contains(&lie));
    known.map(|(name, _)| *name).expect("every lie has a kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lie_is_of_some_kind() {
        assert!(Lie::ALL.iter().all(|lie| class(*lie).starts_with("lie: ")));
    }
}
