//! Which member a map stands for. Every ink has its own map for a member, and two devices that
//! meet a member at the same time make two; a write names the map, reading wants the member.

use std::collections::BTreeMap;

use rukun_authority::AdmittedChange;
use rukun_change::{Ink, MapRef, MemberId, OpId, Scalar};

use crate::causes::{Causes, MASK_FROM, first_common, put};
use crate::place::Place;

/// All member maps of a record, by the operation that made them. One that several changes claim is
/// the work of a device that used one number twice.
pub(crate) struct Makers(BTreeMap<(Ink, OpId), Made>);

#[derive(Default)]
struct Made {
    by: Vec<(usize, MemberId)>,
    mask: Option<Vec<u64>>,
}

impl Makers {
    /// The member maps that these changes make, which are in causal order.
    pub(crate) fn of(changes: &[&AdmittedChange], causes: &Causes) -> Self {
        let mut makers: BTreeMap<(Ink, OpId), Made> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            for map in &change.body().maps {
                makers.entry((change.change().ink, map.op)).or_default().by.push((at, map.member));
            }
        }
        for made in makers.values_mut().filter(|made| made.by.len() > MASK_FROM) {
            let mut mask = causes.empty_row();
            made.by.iter().for_each(|(at, _)| put(&mut mask, *at));
            made.mask = Some(mask);
        }
        Self(makers)
    }

    /// What the change at this place in the causal order writes, each place once, by place; nothing
    /// if it writes into a map that neither it nor a change before it made.
    pub(crate) fn writes(
        &self,
        causes: &Causes,
        at: usize,
        change: &AdmittedChange,
    ) -> (Vec<(Place, Scalar)>, bool) {
        let ink = change.change().ink;
        let mut last: Option<(OpId, Option<MemberId>)> = None;
        let mut dangling = false;
        let mut writes = Vec::with_capacity(change.body().writes.len());
        for write in &change.body().writes {
            let member = match (write.map, last) {
                (MapRef::Root, _) => None,
                (MapRef::Made(op), Some((before, member))) if op == before => member,
                (MapRef::Made(op), _) => {
                    let member = self.member(causes, at, ink, op);
                    last = Some((op, member));
                    member
                }
            };
            if write.map != MapRef::Root && member.is_none() {
                dangling = true;
            } else {
                writes.push((member, write));
            }
        }
        writes.sort_by(|(member, write), (other, than)| (member, &write.field).cmp(&(other, &than.field)));
        let places = writes.chunk_by(|one, other| (one.0, &one.1.field) == (other.0, &other.1.field));
        let standing = places.filter_map(<[_]>::last).map(|(member, write)| {
            (Place { member: *member, field: write.field.clone() }, write.value.clone())
        });
        (standing.collect(), dangling)
    }

    fn member(&self, causes: &Causes, at: usize, ink: Ink, op: OpId) -> Option<MemberId> {
        let made = self.0.get(&(ink, op))?;
        let own = |at: usize| {
            let index = made.by.binary_search_by_key(&at, |(by, _)| *by).ok()?;
            made.by.get(index).map(|(_, member)| *member)
        };
        own(at).or_else(|| match &made.mask {
            Some(mask) => own(first_common(mask, causes.before(at))?),
            None => made.by.iter().find(|(by, _)| causes.knew(at, *by)).map(|(_, member)| *member),
        })
    }
}
