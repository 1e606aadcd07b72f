//! What a world has seen: admissions, simulated time, and of each kind of fault how often it met
//! somebody. A fault that met nobody is not counted.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

/// A kind of fault that the world makes by itself. Lies have names of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A link was cut while frames were in flight on it.
    CutInFlight,
    /// A link was cut within a frame, some bytes of which had arrived.
    CutInFrame,
    /// A frame arrived more than five seconds late.
    Delayed,
    /// One end of a cut link learned of it late, or only by the link that took its place.
    HalfOpen,
    /// A pair of nodes had two links at once.
    TwoLinks,
    /// A partition cut a link or kept one from being made.
    Partition,
    /// A program was killed between two commits.
    Kill,
    /// A program was killed with something handled and not committed.
    KillBeforeCommit,
    /// A program was killed within a commit.
    KillInCommit,
    /// Power was lost within a commit, and all writes made it.
    PowerLossKept,
    /// Power was lost within a commit, and nothing unsynced made it.
    PowerLossLost,
    /// Power was lost within a commit, and writes made it in part.
    PowerLossTorn,
    /// Power was lost within a commit, and writes made it in another order.
    PowerLossReordered,
    /// A sync failed.
    FailedSync,
    /// A write found no room.
    FullDisk,
    /// A read failed.
    ReadError,
    /// A bit of a file had flipped, and the store said so.
    BitFlip,
    /// A device wrote with its clock years ahead.
    ClockAhead,
    /// A device wrote with its clock years behind.
    ClockBehind,
    /// A store was restored from an old backup, and said so to itself.
    Restored,
    /// A store was restored from an old backup, and nobody told it.
    RestoredSilently,
    /// A relay was rebuilt from nothing.
    RelayRebuilt,
    /// A device was lost and its officer got a new one.
    DeviceLost,
    /// A new device was enrolled by a code.
    Enrolled,
    /// A place went from one officer to another.
    HandedOver,
    /// A bundle was taken along on a third device.
    TakenAlong,
    /// A courier's device brought one.
    BroughtByCourier,
    /// An officer who had delivered was cut off, and her superior dialed her next.
    CutOffDelivered,
    /// A bundle was brought to whom it was for.
    Carried,
    /// A bundle had been changed on its way.
    CarriedChanged,
    /// A place went back to who had it before.
    HandedBack,
    /// An officer's last place went to another.
    HandedOverAll,
    /// A device was revoked by somebody above it.
    Revoked,
    /// A second one above it revoked it, too.
    RevokedTwice,
    /// A revoked device made a grant.
    GrantedOn,
    /// A device went on under another key.
    Rotated,
    /// The survey's root went over to another key.
    RootFollowed,
    /// The key that was root granted on where nobody knew that yet.
    OldRootGrantsOn,
    /// Work was upheld or dismissed.
    Settled,
    /// A family's record was moved to another place.
    Moved,
    /// A record was erased by the district.
    Erased,
    /// A node forgot a record that it held.
    Forgotten,
    /// A device came back after a day.
    Away1Day,
    /// A device came back after a month.
    Away30Days,
    /// A device came back after more than a year.
    Away400Days,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Self; 45] = [
        Self::CutInFlight,
        Self::CutInFrame,
        Self::Delayed,
        Self::HalfOpen,
        Self::TwoLinks,
        Self::Partition,
        Self::Kill,
        Self::KillBeforeCommit,
        Self::KillInCommit,
        Self::PowerLossKept,
        Self::PowerLossLost,
        Self::PowerLossTorn,
        Self::PowerLossReordered,
        Self::FailedSync,
        Self::FullDisk,
        Self::ReadError,
        Self::BitFlip,
        Self::ClockAhead,
        Self::ClockBehind,
        Self::Restored,
        Self::RestoredSilently,
        Self::RelayRebuilt,
        Self::DeviceLost,
        Self::Enrolled,
        Self::HandedOver,
        Self::HandedBack,
        Self::HandedOverAll,
        Self::Revoked,
        Self::RevokedTwice,
        Self::GrantedOn,
        Self::Rotated,
        Self::RootFollowed,
        Self::OldRootGrantsOn,
        Self::Settled,
        Self::Moved,
        Self::Erased,
        Self::Forgotten,
        Self::Away1Day,
        Self::Away30Days,
        Self::Away400Days,
        Self::CutOffDelivered,
        Self::Carried,
        Self::CarriedChanged,
        Self::TakenAlong,
        Self::BroughtByCourier,
    ];

    /// What it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::CutInFlight => "link cut with frames in flight",
            Self::CutInFrame => "link cut within a frame",
            Self::Delayed => "frame over 5 s late",
            Self::HalfOpen => "link half open",
            Self::TwoLinks => "two links of one pair",
            Self::Partition => "partition",
            Self::Kill => "kill between commits",
            Self::KillBeforeCommit => "kill before a commit",
            Self::KillInCommit => "kill within a commit",
            Self::PowerLossKept => "power loss, writes kept",
            Self::PowerLossLost => "power loss, writes lost",
            Self::PowerLossTorn => "power loss, writes torn",
            Self::PowerLossReordered => "power loss, writes reordered",
            Self::FailedSync => "failed sync",
            Self::FullDisk => "full disk",
            Self::ReadError => "read error",
            Self::BitFlip => "bit flip detected",
            Self::ClockAhead => "clock years ahead",
            Self::ClockBehind => "clock years behind",
            Self::Restored => "old backup restored",
            Self::RestoredSilently => "old backup put back silently",
            Self::RelayRebuilt => "relay rebuilt from nothing",
            Self::DeviceLost => "device lost and replaced",
            Self::Enrolled => "new device enrolled by code",
            Self::HandedOver => "place handed over",
            Self::TakenAlong => "bundle taken along",
            Self::BroughtByCourier => "bundle brought by a courier",
            Self::CutOffDelivered => "cut off when all was delivered",
            Self::Carried => "bundle brought",
            Self::CarriedChanged => "bundle changed on its way",
            Self::HandedBack => "place handed back",
            Self::HandedOverAll => "last place handed over",
            Self::RevokedTwice => "device revoked by two",
            Self::Revoked => "device revoked",
            Self::GrantedOn => "revoked device grants on",
            Self::Rotated => "key rotated",
            Self::RootFollowed => "root followed by another key",
            Self::OldRootGrantsOn => "old root grants on",
            Self::Settled => "work upheld or dismissed",
            Self::Moved => "record moved",
            Self::Erased => "record erased",
            Self::Forgotten => "erased record forgotten by a node",
            Self::Away1Day => "device away 1 day",
            Self::Away30Days => "device away 30 days",
            Self::Away400Days => "device away 400 days",
        }
    }
}

/// What one world has seen, or many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Worlds that ran to their end.
    pub worlds: u64,
    /// Simulated time.
    pub simulated_ms: u64,
    /// Changes that passed a gate, counted at each node.
    pub admissions: u64,
    /// Changes that people wrote.
    pub written: u64,
    /// Changes lost with the only device that held them.
    pub lost_with_device: u64,
    /// The longest time to converge once faults had ended.
    pub converged_ms_max: u64,
    /// Receipts that were given.
    pub receipts: u64,
    /// Changes taken out by nodes that may read them no more.
    pub released: u64,
    /// Changes shown at a tier by receipts at the end, counted at each node.
    pub proved: u64,
    /// How often each kind of fault met somebody, by its name.
    pub hits: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// A fault has met somebody.
    pub fn hit(&mut self, fault: Fault) {
        self.hit_named(fault.name());
    }

    /// A lie has been told to somebody.
    pub fn hit_named(&mut self, name: &'static str) {
        *self.hits.entry(name).or_default() += 1;
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.simulated_ms += other.simulated_ms;
        self.admissions += other.admissions;
        self.written += other.written;
        self.lost_with_device += other.lost_with_device;
        self.receipts += other.receipts;
        self.released += other.released;
        self.proved += other.proved;
        self.converged_ms_max = self.converged_ms_max.max(other.converged_ms_max);
        for (name, count) in &other.hits {
            *self.hits.entry(name).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.simulated_ms / 86_400_000;
        writeln!(f, "{:>12}  worlds", self.worlds)?;
        writeln!(f, "{days:>12}  simulated days")?;
        writeln!(f, "{:>12}  changes written", self.written)?;
        writeln!(f, "{:>12}  admissions", self.admissions)?;
        writeln!(f, "{:>12}  changes lost with the only device that held them", self.lost_with_device)?;
        writeln!(f, "{:>12}  receipts given", self.receipts)?;
        writeln!(f, "{:>12}  changes released by nodes that may read them no more", self.released)?;
        writeln!(f, "{:>12}  changes proved by receipts to be at a tier, in the end", self.proved)?;
        writeln!(f, "{:>12}  ms, the longest time to converge without faults", self.converged_ms_max)?;
        for (name, count) in &self.hits {
            writeln!(f, "{count:>12}  {name}")?;
        }
        Ok(())
    }
}
