//! What a device carries for others, as its own people see it: they give it bundles that it can't open, look at the
//! list, take one by hand, or off the list. How parcels go over links is in `courier`.

use std::collections::BTreeSet;

use rukun_bundle::{EnvelopeError, SealedBundle};
use rukun_change::{DeviceKey, Digest, Moment};
use rukun_wire::Parcel;
use rukun_wire::limits::{BLOB_BYTES_MAX, PARCELS_MAX};

use crate::parcels::{ParcelLine, ParcelState, read, write};
use crate::replica::{Replica, ReplicaError};

/// Under which name the list is kept.
const PARCELS: &str = "parcels";
/// What is said of a bundle that is on the list and not on the device.
const UNSAVED: &str =
    "it was damaged on this device, and the repair could not save it; its sender can write another";
/// The most bytes of all that one device carries.
const CARRIED_BYTES_MAX: u64 = 4 * BLOB_BYTES_MAX;

impl Replica {
    /// Takes a bundle along for another device. One that is carried already stays as it is.
    ///
    /// # Errors
    /// If it is no bundle, is for a device that nothing was granted to, for this one or from it, or does not fit
    /// beside what is carried.
    pub fn carry(&mut self, now: Moment, bundle: &[u8]) -> Result<ParcelLine, CourierError> {
        let sealed = SealedBundle::from_bytes(bundle).map_err(CourierError::Envelope)?;
        let trust = self.trust.as_ref().ok_or(CourierError::NoCharter)?;
        let SealedBundle { recipient, sender, .. } = sealed;
        if recipient == self.device() {
            return Err(CourierError::ForThis);
        }
        if sender == self.device() {
            return Err(CourierError::FromThis);
        }
        if !trust.ever_granted(&recipient) {
            return Err(CourierError::NotGranted { recipient });
        }
        let (digest, bytes) = (Digest::of(bundle), bundle.len() as u64);
        // What was refused may have been cut off on its way here, and goes once more.
        let known = self.parcels.get(&digest).filter(|line| !line.is_refused());
        if let Some(line) = known {
            return Ok(line.clone());
        }
        if bytes > BLOB_BYTES_MAX {
            return Err(CourierError::TooLong { bytes });
        }
        let parcel = Parcel { digest, sender, recipient, bytes, is_answer: false };
        let line = ParcelLine { parcel, since_ms: now.wall_ms, state: ParcelState::Carried };
        let gone = BTreeSet::new();
        if !self.has_room(&line, &gone) {
            let (parcels, bytes) = self.taken_up(false, &gone);
            return Err(CourierError::Full { parcels, bytes });
        }
        self.store.put_blob(&digest, 0, bytes, bundle).map_err(ReplicaError::from)?;
        self.note_parcel(line.clone())?;
        Ok(line)
    }

    /// The bundle of a parcel, to be brought by hand.
    ///
    /// # Errors
    /// If it is not carried, or not whole yet.
    pub fn carried(&self, digest: &Digest) -> Result<Vec<u8>, CourierError> {
        let bundle = self.parcels.get(digest).filter(|line| line.has_bundle());
        let bundle = bundle.map(|_| self.store.blob(digest)).transpose().map_err(ReplicaError::from)?;
        bundle.flatten().ok_or(CourierError::NotCarried { digest: *digest })
    }

    /// Carries a parcel no longer. Gives what was known of it.
    ///
    /// # Errors
    /// If it is not on the list.
    pub fn drop_parcel(&mut self, digest: &Digest) -> Result<ParcelLine, CourierError> {
        let line = self.parcels.get(digest).cloned();
        let line = line.ok_or(CourierError::NotCarried { digest: *digest })?;
        self.forget_parcel(digest)?;
        Ok(line)
    }

    /// Everything that is carried, or was and is not forgotten yet, the oldest first.
    pub fn parcels(&self) -> Vec<&ParcelLine> {
        let mut lines: Vec<&ParcelLine> = self.parcels.values().collect();
        lines.sort_by_key(|line| (line.since_ms, line.parcel.digest));
        lines
    }

    /// What was known of parcels. Of a bundle that a repair of the store could not save the list says so.
    pub(crate) fn recall_parcels(&mut self) -> Result<(), ReplicaError> {
        if let Some(bytes) = self.store.setting(PARCELS)? {
            self.parcels = read(&bytes).map_err(|_| ReplicaError::Parcels)?;
        }
        for line in self.parcels.values_mut() {
            let was_whole = matches!(line.state, ParcelState::Carried | ParcelState::Waiting { .. });
            if was_whole && self.store.blob_offset(&line.parcel.digest)? != line.parcel.bytes {
                line.state = ParcelState::Refused { why: UNSAVED.into() };
            }
        }
        Ok(())
    }

    /// Puts a parcel on the list, in the place of what it said of it.
    pub(crate) fn note_parcel(&mut self, line: ParcelLine) -> Result<(), ReplicaError> {
        if !line.has_bundle() {
            self.store.forget_blob(&line.parcel.digest)?;
        }
        self.parcels.insert(line.parcel.digest, line);
        self.keep_parcels()
    }

    /// Takes a parcel off the list, and its bundle off the device. What still comes of it is passed over.
    pub(crate) fn forget_parcel(&mut self, digest: &Digest) -> Result<(), ReplicaError> {
        for open in self.links.values_mut().filter(|open| open.is_bringing(digest)) {
            open.parcel = None;
        }
        self.store.forget_blob(digest)?;
        self.parcels.remove(digest);
        self.keep_parcels()
    }

    fn keep_parcels(&mut self) -> Result<(), ReplicaError> {
        let bytes = (!self.parcels.is_empty()).then(|| write(&self.parcels));
        Ok(self.store.set_setting(PARCELS, bytes.as_deref())?)
    }

    /// Whether there is room for a new line once these are gone. What is coming is not counted among what is kept: it
    /// leaves the list when it has come, or takes the place of what it answers.
    pub(crate) fn has_room(&self, line: &ParcelLine, gone: &BTreeSet<Digest>) -> bool {
        let (parcels, bytes) = self.taken_up(line.is_coming(), gone);
        parcels < PARCELS_MAX && bytes + line.parcel.bytes <= CARRIED_BYTES_MAX
    }

    /// How many parcels are coming, or else are kept, and how long all are together, once these are gone.
    fn taken_up(&self, coming: bool, gone: &BTreeSet<Digest>) -> (usize, u64) {
        let lines = || self.parcels.values().filter(|line| !gone.contains(&line.parcel.digest));
        let bytes = lines().filter(|line| line.has_bundle()).map(|line| line.parcel.bytes).sum();
        (lines().filter(|line| line.is_coming() == coming).count(), bytes)
    }
}

/// Why a bundle is not carried.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// It is no bundle.
    #[error(transparent)]
    Envelope(EnvelopeError),
    /// The charter has not come yet.
    #[error(
        "the survey's charter is not here yet; it comes by a link, or by a bundle from a node that has it"
    )]
    NoCharter,
    /// It is for this device.
    #[error("it is for this device itself")]
    ForThis,
    /// This device made it.
    #[error("this device made it")]
    FromThis,
    /// The device that it is for was never granted anything.
    #[error("it is for device {recipient}, which was granted nothing that is known here")]
    NotGranted {
        /// The device.
        recipient: DeviceKey,
    },
    /// It is longer than what one device carries for another.
    #[error("it has {bytes} bytes; a courier carries at most {BLOB_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: u64,
    },
    /// There is no room.
    #[error(
        "{parcels} bundles with {bytes} bytes are carried; no more than {PARCELS_MAX}, and {CARRIED_BYTES_MAX} bytes, are"
    )]
    Full {
        /// How many there are.
        parcels: usize,
        /// How long they are together.
        bytes: u64,
    },
    /// No such bundle is here.
    #[error("no bundle {digest:.12} is carried here")]
    NotCarried {
        /// Which.
        digest: Digest,
    },
    /// The disk's fault: the process must stop.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}
