//! Who knew what: the transitive closure of causes within one record. A cause is a change of the
//! same ink that a change directly follows, or a head of a lower ink that its author saw.

use super::Fact;

/// The changes of one record in causal order, and what each of them knew.
#[derive(Clone, Debug)]
pub struct Knowledge<'a> {
    /// The changes: each after all that it knew, and of those that could come next the least id.
    pub order: Vec<&'a Fact>,
    /// Whether the first knew the second, both by their place in the order.
    knew: Vec<Vec<bool>>,
}

impl<'a> Knowledge<'a> {
    /// The closure over these changes of one record.
    ///
    /// # Panics
    /// If causes form a ring, which hashes can't.
    pub fn of(record: &[&'a Fact]) -> Self {
        let mut left: Vec<&Fact> = record.to_vec();
        left.sort_by_key(|fact| fact.id);
        let mut knowledge = Self { order: Vec::new(), knew: Vec::new() };
        while !left.is_empty() {
            let is_free = |fact: &&Fact| !left.iter().any(|other| is_cause(other, fact));
            let next = left.iter().position(is_free).expect("causes form no ring");
            let next = left.remove(next);
            let mut knew = vec![false; record.len()];
            for (at, earlier) in knowledge.order.iter().enumerate() {
                if is_cause(earlier, next) {
                    knew[at] = true;
                    let before = &knowledge.knew[at];
                    knew.iter_mut().zip(before).for_each(|(knew, before)| *knew |= before);
                }
            }
            knowledge.order.push(next);
            knowledge.knew.push(knew);
        }
        knowledge
    }

    /// Whether the author of one change knew another when making it; both by their place.
    pub fn knew(&self, later: usize, earlier: usize) -> bool {
        self.knew[later][earlier]
    }
}

/// Whether one change is a direct cause of another. Several changes can have one hash: the work of
/// a device that signed one edit twice. The hash then stands for all of them.
fn is_cause(earlier: &Fact, later: &Fact) -> bool {
    if earlier.ink == later.ink {
        later.deps.contains(&earlier.hash)
    } else {
        earlier.ink < later.ink && later.seen.contains(&earlier.hash)
    }
}
