//! What can happen to a node and what it does, as two closed enums. A peer's bytes become a
//! [`Frame`] by a pure and costly function that runs on any thread, before `handle` sees them.

use rukun_authority::{
    Refusal, Statement, StatementRefusal, VerifiedChange, VerifiedHeader, VerifiedStatement, Verifier,
};
use rukun_change::{ChangeId, DeviceKey, Digest, RecordId, StatementId, SubSls, SurveyId};
use rukun_wire::{Body, Message, WireError};

/// A connection to a peer, numbered by the driver, never twice in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

impl LinkId {
    /// What a bundle is taken in by. No driver has a link of this number.
    pub(crate) const BUNDLE: Self = Self(u64::MAX);
}

/// Something happened.
#[derive(Debug)]
pub enum Input {
    /// A connection stands, and the peer proved that it has this key.
    LinkOpened {
        /// The link.
        link: LinkId,
        /// Who is there.
        peer: DeviceKey,
        /// Whether we dialed.
        dialed: bool,
    },
    /// A frame came.
    Received {
        /// On which link.
        link: LinkId,
        /// What it says, checked as far as that needs no knowledge of ours.
        frame: Frame,
    },
    /// A connection ended.
    LinkClosed {
        /// The link.
        link: LinkId,
        /// Why, for people.
        reason: String,
    },
    /// The deadline has come.
    Tick,
}

/// Something is to be done. Nothing is given out before what it tells of is durable.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes, in this order.
    Send {
        /// On which link.
        link: LinkId,
        /// A whole frame.
        bytes: Vec<u8>,
    },
    /// Close the link, after what was sent.
    Close {
        /// The link.
        link: LinkId,
        /// Why, for both sides' logs.
        reason: String,
    },
    /// Tell whoever listens.
    Event(Event),
}

/// News for people and programs on this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A record has a new change.
    Changed {
        /// The record.
        record: RecordId,
        /// The change.
        change: ChangeId,
    },
    /// A record was erased: nothing of its answers is held any more.
    Erased {
        /// The record.
        record: RecordId,
    },
    /// Records that this device may read no more were taken out, since the district has them.
    Released {
        /// Of where.
        sub_sls: SubSls,
        /// Which.
        records: Vec<RecordId>,
    },
    /// A statement is held.
    Trusted {
        /// The statement.
        statement: StatementId,
    },
    /// A session with a peer has begun: both know each other's grants.
    PeerUp {
        /// The peer.
        peer: DeviceKey,
    },
    /// A session has ended.
    PeerDown {
        /// The peer.
        peer: DeviceKey,
        /// Why.
        reason: String,
    },
    /// The peer durably holds all that it may read of ours.
    InSync {
        /// The peer.
        peer: DeviceKey,
    },
    /// A receipt, this node's own ones too, was found to cover work that is held here.
    Proved {
        /// Where.
        sub_sls: SubSls,
        /// Who gave the receipt.
        issuer: DeviceKey,
    },
    /// A courier brought a bundle, and it was taken in.
    Brought {
        /// Who made it.
        sender: DeviceKey,
        /// Who brought it.
        courier: DeviceKey,
    },
    /// What became of a parcel is known here.
    Parcel {
        /// Which.
        digest: Digest,
    },
    /// A change waits at the peer until what it rests on has come there. That is nobody's fault.
    Waits {
        /// The peer.
        peer: DeviceKey,
        /// The change.
        change: ChangeId,
    },
    /// A change was not taken: by us from the peer, or by the peer from us.
    Refused {
        /// The peer.
        peer: DeviceKey,
        /// What and why.
        reason: String,
    },
}

impl Event {
    /// Whether it tells that a session with this peer begins or ends.
    pub(crate) fn is_of_session_with(&self, device: &DeviceKey) -> bool {
        matches!(self, Self::PeerUp { peer } | Self::PeerDown { peer, .. } if peer == device)
    }
}

/// What came from a peer, decoded, its signatures checked. Faults are inside: what to do about
/// them is decided by the replica.
#[derive(Debug)]
pub struct Frame {
    pub(crate) content: Box<Result<Content, WireError>>,
}

#[derive(Debug)]
pub(crate) enum Content {
    Message(Box<Message>),
    Changes { frame: u64, upto: Option<u64>, items: Vec<Checked> },
    Statements { items: Vec<CheckedStatement>, last: bool },
}

/// A change, or what is left of one, and what is wrong with it, if anything.
#[derive(Debug)]
pub(crate) enum Checked {
    Good(Arrived),
    Bad(ChangeId, Refusal),
}

/// A change whose signature held, whole or without its answers.
#[derive(Debug)]
pub(crate) enum Arrived {
    Change(Box<VerifiedChange>),
    Stub(Box<VerifiedHeader>),
}

impl Arrived {
    pub(crate) fn id(&self) -> ChangeId {
        match self {
            Self::Change(change) => change.id(),
            Self::Stub(stub) => stub.id(),
        }
    }

    pub(crate) fn record(&self) -> RecordId {
        match self {
            Self::Change(change) => change.change().record,
            Self::Stub(stub) => stub.header().record,
        }
    }
}

/// A statement and what is wrong with it, if anything.
#[derive(Debug)]
pub(crate) enum CheckedStatement {
    Good(Box<VerifiedStatement>),
    Bad(StatementRefusal),
    Malformed,
}

impl Frame {
    /// Decodes the body of a frame and checks the signatures in it. Without a survey nothing can be
    /// checked, and every change and statement in it is refused.
    pub fn check(body: &Body, survey: Option<&SurveyId>, verifier: &Verifier) -> Self {
        let survey = survey.copied().unwrap_or(SurveyId::from_bytes([0; 32]));
        let content = Message::of(body).map(|message| match message {
            Message::Changes(changes) => {
                let items = changes.items.into_iter().map(|signed| {
                    let message = signed.change.to_be_signed(&survey);
                    let id = ChangeId::of(message.as_deref().unwrap_or(&signed.change.body));
                    match verifier.verify(signed, &survey) {
                        Ok(change) => Checked::Good(Arrived::Change(Box::new(change))),
                        Err(refusal) => Checked::Bad(id, refusal),
                    }
                });
                Content::Changes { frame: changes.frame, upto: changes.upto, items: items.collect() }
            }
            Message::Stubs(stubs) => {
                let items = stubs.items.into_iter().map(|signed| {
                    let id = signed.header.id(&survey);
                    match VerifiedHeader::verify(signed, &survey) {
                        Ok(stub) => Checked::Good(Arrived::Stub(Box::new(stub))),
                        Err(refusal) => Checked::Bad(id, refusal),
                    }
                });
                Content::Changes { frame: stubs.frame, upto: stubs.upto, items: items.collect() }
            }
            Message::Statements { items, last } => {
                let items = items.iter().map(|bytes| match Statement::from_bytes(bytes) {
                    Ok(statement) => match verifier.verify_statement(statement, &survey) {
                        Ok(verified) => CheckedStatement::Good(Box::new(verified)),
                        Err(refusal) => CheckedStatement::Bad(refusal),
                    },
                    Err(_) => CheckedStatement::Malformed,
                });
                Content::Statements { items: items.collect(), last }
            }
            message => Content::Message(Box::new(message)),
        });
        Self { content: Box::new(content) }
    }

    /// A frame that could not even be cut out of the stream.
    pub fn broken(fault: WireError) -> Self {
        Self { content: Box::new(Err(fault)) }
    }
}
