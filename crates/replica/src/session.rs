//! The state of one link: who is there, how far the session has come, and what is known of the
//! peer. What moves it is in `link`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rukun_change::{
    ChangeId, DeviceKey, Digest, Fingerprint, Incarnation, Moment, Region, StatementId, SubSls,
};
use rukun_reconcile::sketch::{Encoder, SketchKey};
use rukun_reconcile::{Incoming, Outgoing, Violation};
use rukun_store::PeerState;
use rukun_wire::limits::EARLY_FRAMES_MAX;
use rukun_wire::{CloseCode, Framer, Hello, Parcel, Short, Sketch};

use crate::piece::Fetched;

/// How long a peer may take until both know each other's grants.
const GREETING_MS_MAX: u64 = 60_000;

/// A connection to a peer.
pub(crate) struct Link {
    pub(crate) peer: DeviceKey,
    pub(crate) dialed: bool,
    pub(crate) phase: Phase,
    pub(crate) framer: Framer,
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
    /// What the peer may read.
    pub(crate) reads: Vec<Region>,
    /// The statements that we held when we greeted.
    pub(crate) greeted_with: Fingerprint,
    /// The incarnation of the peer's store.
    pub(crate) their_epoch: Incarnation,
    /// The statements that the peer has said so far to hold; nothing once that is all.
    pub(crate) statements_listed: Option<BTreeSet<StatementId>>,
    /// The peer was told of all statements up to here in our log.
    pub(crate) statements_upto: u64,
    /// Behind which place there are some that the peer itself brought by a bundle: it may have lost them since it wrote
    /// that.
    pub(crate) statements_brought: Option<u64>,
    /// Where, with what is compared row by row, the peer was sent the receipts that our log does not bring it,
    /// since it is not sent from where the peer has it, or went before the peer might read there. Nothing if the
    /// log brings them all.
    pub(crate) receipts_shown: Option<BTreeSet<SubSls>>,
    /// Where in our log the receipts stand that were sent.
    pub(crate) receipts_sent: BTreeSet<u64>,
    /// The sum of what the peer has listed so far of places that it outgrew; nothing where it listed
    /// something that is not held.
    pub(crate) listed: BTreeMap<SubSls, Option<Listed>>,
    /// The sketch that waits for the peer's answer.
    pub(crate) drawn: Option<Drawn>,
    /// Of which places it is, and how many symbols went, if it went with our greeting.
    pub(crate) early_sent: Option<(BTreeSet<SubSls>, usize)>,
    /// The sketch that came with the peer's greeting, until trust is settled.
    pub(crate) early_came: Option<Box<Sketch>>,
    /// How many frames came with the peer's greeting and were passed over, since trust was to be settled first.
    pub(crate) early_passed: u64,
    pub(crate) questionnaire: Fetched,
    /// The parcels that the peer was told of.
    pub(crate) parcels_told: BTreeSet<Digest>,
    /// The parcels that the peer has for us, and were not asked for yet.
    pub(crate) parcels_due: VecDeque<Parcel>,
    /// The parcel that is coming.
    pub(crate) parcel: Option<Parcel>,
    pub(crate) state: PeerState,
    /// Whether [`PeerState`] differs from what the store has.
    pub(crate) state_is_news: bool,
    opened_ms: u64,
}

/// A sketch that waits for its answer.
pub(crate) struct Drawn {
    pub(crate) key: SketchKey,
    pub(crate) salt: u64,
    pub(crate) regions: Vec<Region>,
    /// What was held of these regions.
    pub(crate) fingerprint: Fingerprint,
    /// The receipts in it, and where in the log they stand.
    pub(crate) receipts: BTreeMap<Short, u64>,
    /// The set as it was, from the next symbol on, once the peer has asked for more.
    pub(crate) encoder: Option<Encoder>,
}

pub(crate) enum Phase {
    /// Our greeting is sent, the peer's has not come.
    Greeting,
    /// The peer's greeting has come, and statements are being exchanged.
    Trust(Box<Hello>),
    /// Everything else.
    Live,
}

impl Phase {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Greeting => "before the greeting",
            Self::Trust(_) => "before trust is settled",
            Self::Live => "after trust was settled",
        }
    }
}

/// What a peer has listed so far of one place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Listed {
    /// The sum of it.
    pub(crate) set: Fingerprint,
    last: Option<ChangeId>,
}

impl Listed {
    /// With this id, which comes after all before.
    pub(crate) fn and(mut self, id: &ChangeId) -> Option<Self> {
        let is_next = self.last < Some(*id);
        self.set.insert(id.as_bytes());
        self.last = Some(*id);
        is_next.then_some(self)
    }
}

impl Link {
    pub(crate) fn new(now: Moment, peer: DeviceKey, dialed: bool, state: PeerState) -> Self {
        Self {
            peer,
            dialed,
            phase: Phase::Greeting,
            framer: Framer::new(),
            outgoing: Outgoing::new(0, 0),
            incoming: Incoming::default(),
            reads: Vec::new(),
            greeted_with: Fingerprint::default(),
            their_epoch: Incarnation::from_bytes([0; 4]),
            statements_listed: Some(BTreeSet::new()),
            statements_upto: 0,
            statements_brought: None,
            receipts_shown: None,
            receipts_sent: BTreeSet::new(),
            listed: BTreeMap::new(),
            drawn: None,
            early_sent: None,
            early_came: None,
            early_passed: 0,
            questionnaire: Fetched::default(),
            parcels_told: BTreeSet::new(),
            parcels_due: VecDeque::new(),
            parcel: None,
            state,
            state_is_news: false,
            opened_ms: now.steady_ms,
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    /// Whether nothing is left to be said on it now: the peer holds all that it may read of ours, and has said that
    /// it has no more for us.
    pub(crate) fn is_agreed(&self) -> bool {
        self.is_live() && self.outgoing.agreed() && self.incoming.is_quiet()
    }

    /// Whether this parcel is coming by it.
    pub(crate) fn is_bringing(&self, digest: &Digest) -> bool {
        self.parcel.is_some_and(|parcel| parcel.digest == *digest)
    }

    /// Whether changes that come before trust is settled may have gone with the peer's greeting. They are passed over,
    /// and come again.
    pub(crate) fn passes_over_early(&mut self, upto: Option<u64>) -> bool {
        let may_be_early = !self.dialed && upto.is_none() && matches!(self.phase, Phase::Trust(_));
        let passes = may_be_early && self.early_passed < EARLY_FRAMES_MAX;
        self.early_passed += u64::from(passes);
        passes
    }

    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        (!self.is_live()).then_some(self.opened_ms + GREETING_MS_MAX)
    }
}

/// What a message leads to: nothing more, or the end of the link.
pub(crate) type Outcome = Result<(), Fault>;

/// The peer's fault, which ends the link.
pub(crate) struct Fault {
    pub(crate) code: CloseCode,
    pub(crate) text: String,
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self { code: CloseCode::Violation, text: violation.to_string() }
    }
}
