//! A key that signs whatever it is told: any number, any causes, any map, any ink. What comes out
//! has a good signature and a body within the document shape; whether it makes sense is not asked.

use automerge::transaction::{CommitOptions, Transactable as _};
use automerge::{AutoCommit, ObjId, ObjType, ROOT, ScalarValue};
use rukun_authority::{Keypair, sign};
use rukun_change::{
    Author, CauseHash, Change, Incarnation, Ink, MemberId, OpId, RecordId, Scalar, SignedChange, SurveyId,
};

use super::chunk::Chunk;

/// A device's key in one incarnation.
#[derive(Clone, Debug)]
pub struct Pen {
    /// The key.
    pub keypair: Keypair,
    /// The incarnation.
    pub incarnation: Incarnation,
    /// The survey that it signs for.
    pub survey: SurveyId,
}

/// Where a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// The family's own answers.
    Family,
    /// A member, in a map that the change itself makes.
    Member(MemberId),
    /// The map that this operation made, or is said to have made.
    Map(OpId),
}

/// What is to be signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The running number.
    pub n: u64,
    /// Which family.
    pub record: RecordId,
    /// In which ink.
    pub ink: Ink,
    /// What it says that it follows, ascending.
    pub deps: Vec<CauseHash>,
    /// What it says that its author saw, ascending.
    pub seen: Vec<CauseHash>,
    /// The sequence number.
    pub seq: u64,
    /// The counter of its first operation, from 1. Maps that it names must be below.
    pub start_op: u64,
    /// The time that it shows.
    pub time_ms: i64,
    /// What it writes; at least one.
    pub writes: Vec<(Spot, String, Scalar)>,
}

impl Draft {
    /// A first change of one family answer.
    pub fn new(n: u64, record: RecordId, ink: Ink, field: &str, value: Scalar) -> Self {
        let writes = vec![(Spot::Family, field.into(), value)];
        Self { n, record, ink, deps: Vec::new(), seen: Vec::new(), seq: 1, start_op: 1, time_ms: 0, writes }
    }
}

impl Pen {
    /// Whose work comes out.
    pub fn author(&self) -> Author {
        Author { device: self.keypair.key(), incarnation: self.incarnation }
    }

    /// A change of this draft, signed.
    ///
    /// # Panics
    /// If it writes nothing, or names a map that is not below its own operations.
    pub fn write(&self, draft: &Draft) -> SignedChange {
        let mut chunk = Chunk::of(&self.library_chunk(draft));
        chunk.deps.clone_from(&draft.deps);
        chunk.seq = draft.seq;
        self.sign(draft, chunk.to_bytes())
    }

    /// The same around any body.
    ///
    /// # Panics
    /// If the body is no whole chunk, of which nothing can be signed.
    pub fn sign(&self, draft: &Draft, body: Vec<u8>) -> SignedChange {
        let Draft { n, record, ink, .. } = *draft;
        let change = Change { author: self.author(), n, record, ink, seen: draft.seen.clone(), body };
        sign(&self.keypair, change, &self.survey).expect("the body is a chunk")
    }

    /// Automerge makes the operations, upon a document that has the named map and the right counter.
    fn library_chunk(&self, draft: &Draft) -> Vec<u8> {
        let own = automerge::ActorId::from(self.author().actor().as_bytes().as_slice());
        let named = draft.writes.iter().find_map(|(spot, _, _)| match spot {
            Spot::Map(op) => Some(*op),
            Spot::Family | Spot::Member(_) => None,
        });
        let base = named.map_or(vec![0xee; 16], |op| op.actor.as_bytes().to_vec());
        let mut doc = AutoCommit::new().with_actor(automerge::ActorId::from(base));
        let mut map = None;
        for counter in 1..draft.start_op {
            if named.is_some_and(|op| op.counter == counter) {
                map = Some(doc.put_object(ROOT, "map", ObjType::Map).expect("automerge makes a map"));
            } else {
                doc.put(ROOT, format!("fill{counter}"), 0).expect("automerge writes");
            }
        }
        assert!(named.is_none() || map.is_some(), "a map is named that is not below the change: {draft:?}");
        if draft.start_op > 1 {
            doc.commit();
        }
        doc.set_actor(own);
        let mut members: Vec<(MemberId, ObjId)> = Vec::new();
        for (spot, field, value) in &draft.writes {
            let object = match spot {
                Spot::Family => ROOT,
                Spot::Map(_) => map.clone().expect("the map was made above"),
                Spot::Member(member) => {
                    let made = members.iter().find(|(made, _)| made == member).map(|(_, map)| map.clone());
                    made.unwrap_or_else(|| {
                        let map = doc.put_object(ROOT, member.to_string(), ObjType::Map);
                        let map = map.expect("automerge makes a map");
                        members.push((*member, map.clone()));
                        map
                    })
                }
            };
            doc.put(&object, field.as_str(), scalar(value)).expect("automerge writes");
        }
        let options = CommitOptions::default().with_time(draft.time_ms);
        let hash = doc.commit_with(options).expect("a draft writes something");
        doc.get_change_by_hash(&hash).expect("the change was just made").raw_bytes().to_vec()
    }
}

fn scalar(value: &Scalar) -> ScalarValue {
    match value {
        Scalar::Null => ScalarValue::Null,
        Scalar::Int(number) => ScalarValue::Int(*number),
        Scalar::Text(text) => ScalarValue::Str(text.as_str().into()),
    }
}
