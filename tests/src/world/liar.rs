//! Peers that lie: what a device with a grant and bad intent, or a stranger, can put on a wire, and
//! how the node that hears it must react. Pure makers of frames: no link, no clock, and no node is
//! asked; what the liar may know of the survey it is given as its [`Truth`].

use rukun_authority::Keypair;
use rukun_change::{Author, DeviceKey, Fingerprint, Incarnation, SignedChange, SubSls, SurveyId};
use rukun_wire::{Changes, Hello, Message};

use super::Chance;

mod bytes;

mod changes;

mod chunk;
pub use chunk::Chunk;

mod kind;
pub use kind::Lie;

mod pen;
pub use pen::{Draft, Pen, Spot};

mod session;

mod statements;

/// One who lies, under a device key that may have a grant.
#[derive(Clone, Debug)]
pub struct Liar {
    keypair: Keypair,
}

/// What a liar knows.
#[derive(Clone, Copy, Debug)]
pub struct Truth<'a> {
    /// The survey.
    pub survey: SurveyId,
    /// Whom it lies to: the device and the incarnation in which that greets.
    pub victim: Author,
    /// Changes that it could read, all held by the victim. At least one.
    pub honest: &'a [SignedChange],
    /// What somebody wrote there in a higher ink than pencil, if the victim holds any such.
    pub corrected: Option<&'a SignedChange>,
    /// Statements that it holds, as they travel: the charter and its own grants at the least, in an
    /// order in which they can be admitted.
    pub statements: &'a [Vec<u8>],
    /// Where both it and the victim may read now.
    pub home: SubSls,
    /// Where it was never granted anything.
    pub far: SubSls,
    /// Whether the victim was ever granted anything there, and may read there now.
    pub victim_in_far: bool,
}

/// What is said on one link.
#[derive(Clone, Debug)]
pub struct Telling {
    /// The key that the link is opened with.
    pub key: DeviceKey,
    /// Whether [`Liar::greeting`] goes first. If not, these frames are all that is said.
    pub greet: bool,
    /// What brings the victim to where it can be lied to: said frame by frame, an answer waited for each time.
    pub lead: Vec<Vec<u8>>,
    /// The frames with their lengths, one after the other; the last may be cut off.
    pub frames: Vec<Vec<u8>>,
    /// How the victim must react.
    pub expect: Expect,
    /// All that may enter the set by it. Whether it counts is for the model to say.
    pub admitted: Vec<SignedChange>,
}

/// How a victim reacts. In every case nothing enters any set but what is listed as admitted, and
/// nothing else that the victim does is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The link ends with a reason.
    LinkCloses,
    /// So many changes are refused in the acknowledgement; the link stays.
    Refused(usize),
    /// So many changes are said to wait in the acknowledgement; the link stays.
    Waits(usize),
    /// All changes are acknowledged without exception; the link stays.
    Admitted,
    /// So many statements are refused and counted; the link stays.
    StatementsRefused(usize),
    /// Nothing, and whether the link stays is not said.
    Harmless,
}

impl Liar {
    /// One with this key.
    pub fn new(keypair: Keypair) -> Self {
        Self { keypair }
    }

    /// Its key.
    pub fn key(&self) -> DeviceKey {
        self.keypair.key()
    }

    /// What an honest device would say first: it holds no changes, and its statements go along. The
    /// session is live when the victim has read this.
    pub fn greeting(&self, truth: &Truth<'_>) -> Vec<Vec<u8>> {
        let hello = Message::Hello(hello(truth));
        let items = truth.statements.to_vec();
        let ids = Message::StatementIds(Vec::new());
        [hello, ids, Message::Statements { items, last: true }].iter().map(Message::encode).collect()
    }

    /// What it says to tell this lie.
    pub fn tell(&self, lie: Lie, chance: &mut Chance, truth: &Truth<'_>) -> Telling {
        let pen = Pen {
            keypair: self.keypair.clone(),
            incarnation: Incarnation::from_bytes(chance.bytes()),
            survey: truth.survey,
        };
        let mut telling = changes::tell(lie, chance, truth, &pen)
            .or_else(|| statements::tell(lie, chance, truth, &pen))
            .or_else(|| session::tell(lie, chance, truth))
            .or_else(|| bytes::tell(lie, chance, truth))
            .expect("every lie is told somewhere");
        if telling.key == NOBODY {
            telling.key = self.key();
        }
        telling
    }
}

/// Stands for the liar's own key until the telling is whole.
const NOBODY: DeviceKey = DeviceKey::from_bytes([0; 32]);

impl Telling {
    /// Said after a greeting.
    fn greeted(frames: Vec<Vec<u8>>, expect: Expect) -> Self {
        Self { key: NOBODY, greet: true, lead: Vec::new(), frames, expect, admitted: Vec::new() }
    }

    /// Said instead of one.
    fn instead(frames: Vec<Vec<u8>>, expect: Expect) -> Self {
        Self { greet: false, ..Self::greeted(frames, expect) }
    }

    fn admits(self, admitted: Vec<SignedChange>) -> Self {
        Self { admitted, ..self }
    }
}

/// A greeting of one who holds nothing but its statements.
fn hello(truth: &Truth<'_>) -> Hello {
    Hello {
        versions: (1, 1),
        survey: Some(truth.survey),
        epoch: Incarnation::from_bytes([0x66; 4]),
        received: None,
        held: 0,
        statements: Some(Fingerprint::default()),
        chain: truth.statements.iter().take(16).cloned().collect(),
    }
}

/// A frame of changes that says nothing of any log.
fn frame_of(frame: u64, items: Vec<SignedChange>) -> Vec<u8> {
    Message::Changes(Changes { frame, upto: None, items }).encode()
}
