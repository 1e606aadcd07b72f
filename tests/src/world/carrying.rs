//! Bundles are carried: written by one node for another, and brought at once, late, twice, changed on the way, to
//! somebody else, or by a third node's device. Whoever carries them can do no more harm than to lose them.

use rukun_replica::{BundleError, BundleOpenError, CourierError};

use super::links::Carried;
use super::sim::{Checked, World};
use super::tally::Fault;
use super::watch::is_honest_reason;
use super::{Chance, NODES};

/// How many are on their way at most.
const CARRIED_MAX: usize = 6;

impl World {
    /// One node writes a bundle for another, and one of those that are on their way is brought.
    pub(super) fn carry(&mut self, from: usize, to: usize, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        self.write_bundle(from, to)?;
        let Some(at) = chance.place(self.carried.len()) else { return Ok(()) };
        // What was brought once may be brought again.
        let carried = if chance.one_in(3) { self.carried[at].clone() } else { self.carried.swap_remove(at) };
        let to = (0..NODES).find(|node| self.nodes[*node].key == carried.recipient);
        match (chance.below(8), to) {
            (0, _) => self.bring_to_another(chance.below(NODES), &carried),
            (1, Some(to)) => self.bring_changed(to, carried, &mut chance),
            (2 | 3, Some(_)) => self.take_along(chance.below(NODES), &carried),
            (_, Some(to)) => self.bring(to, &carried),
            // Its device is no more.
            (_, None) => Ok(()),
        }
    }

    fn write_bundle(&mut self, from: usize, to: usize) -> Checked {
        self.come_up(from)?;
        let recipient = self.nodes[to].key;
        let Some(replica) = self.nodes[from].replica.as_mut() else { return Ok(()) };
        let written = replica.write_bundle(&recipient);
        self.trace.note((from, to, written.is_ok()), || match &written {
            Ok(written) => format!("{from} writes {} changes for {to} into a bundle", written.changes),
            Err(error) => format!("{from} writes no bundle for {to}: {error}"),
        });
        match written {
            Ok(written) => {
                self.carried.push(Carried { recipient, bytes: written.bytes });
                if self.carried.len() > CARRIED_MAX {
                    self.carried.remove(0);
                }
            }
            Err(BundleError::Replica(error)) => return self.disk_failed(from, &error.to_string()),
            Err(BundleError::NoCharter | BundleError::NotGranted { .. } | BundleError::Myself) => {}
            Err(error) => return Err(format!("{from} can't write a bundle for {to}: {error}")),
        }
        self.commit(from)
    }

    fn bring(&mut self, to: usize, carried: &Carried) -> Checked {
        match self.take_bundle(to, &carried.bytes)? {
            None => Ok(()),
            Some(Ok(())) => {
                self.tally.hit(Fault::Carried);
                Ok(())
            }
            Some(Err(BundleError::Refused { why, .. })) if is_honest_reason(&why) => Ok(()),
            Some(Err(error)) => Err(format!("{to} does not take in a bundle that is for it: {error}")),
        }
    }

    /// Somebody's device takes it along, and gives it where it is for when both are linked.
    fn take_along(&mut self, courier: usize, carried: &Carried) -> Checked {
        self.come_up(courier)?;
        let now = self.nodes[courier].clock(self.now_ms);
        let Some(replica) = self.nodes[courier].replica.as_mut() else { return Ok(()) };
        let taken = replica.carry(now, &carried.bytes);
        self.trace.note((courier, carried.bytes.len(), taken.is_ok()), || {
            format!("{courier} takes a bundle along: {taken:?}")
        });
        match taken {
            Ok(_) => self.tally.hit(Fault::TakenAlong),
            Err(CourierError::Replica(error)) => return self.disk_failed(courier, &error.to_string()),
            Err(
                CourierError::NoCharter
                | CourierError::ForThis
                | CourierError::FromThis
                | CourierError::NotGranted { .. }
                | CourierError::Full { .. },
            ) => {}
            Err(error) => return Err(format!("{courier} can't take a bundle along: {error}")),
        }
        self.commit(courier)
    }

    fn bring_to_another(&mut self, to: usize, carried: &Carried) -> Checked {
        if self.nodes[to].key == carried.recipient {
            return Ok(());
        }
        match self.take_bundle(to, &carried.bytes)? {
            None | Some(Err(BundleError::Open(BundleOpenError::ForAnother { .. }))) => Ok(()),
            Some(other) => Err(format!("{to} was brought a bundle for another, and it is {other:?}")),
        }
    }

    fn bring_changed(&mut self, to: usize, carried: Carried, chance: &mut Chance) -> Checked {
        let mut bytes = carried.bytes;
        if chance.one_in(3) {
            bytes.truncate(chance.below(bytes.len()));
        } else {
            let at = chance.below(bytes.len());
            bytes[at] ^= 1 << chance.below(8);
        }
        let before = self.nodes[to].replica.as_ref().and_then(|replica| replica.change_ids().ok());
        let taken = self.take_bundle(to, &bytes)?;
        let after = self.nodes[to].replica.as_ref().and_then(|replica| replica.change_ids().ok());
        match taken {
            Some(Ok(())) => Err(format!("{to} took in a bundle that was changed on its way")),
            // It may have died before it committed that it took nothing.
            Some(Err(_)) if after.is_some() && before != after => {
                Err(format!("{to} refused a bundle that was changed, and took something of it"))
            }
            _ => {
                self.tally.hit(Fault::CarriedChanged);
                Ok(())
            }
        }
    }

    /// What a node says of a bundle, once it is committed; nothing if it is down, or its disk failed.
    fn take_bundle(&mut self, to: usize, bytes: &[u8]) -> Result<Option<Result<(), BundleError>>, String> {
        self.come_up(to)?;
        let now = self.nodes[to].clock(self.now_ms);
        let Some(replica) = self.nodes[to].replica.as_mut() else { return Ok(None) };
        let taken = replica.take_bundle(now, bytes);
        self.trace.note((to, bytes.len(), taken.is_ok()), || format!("{to} is brought a bundle: {taken:?}"));
        if let Err(BundleError::Replica(error)) = &taken {
            self.disk_failed(to, &error.to_string())?;
            return Ok(None);
        }
        self.commit(to)?;
        Ok(Some(taken.map(drop)))
    }
}
