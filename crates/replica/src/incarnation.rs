//! When this device goes on under another incarnation: where its store is an old copy, as a peer's cursor shows, and
//! where changes that it made were released. It would else use numbers twice, and fork itself.

use rukun_change::{Incarnation, Moment, SubSls};
use rukun_reconcile::Violation;
use rukun_wire::{CloseCode, Hello};

use crate::input::LinkId;
use crate::replica::{Replica, ReplicaError};
use crate::session::{Fault, Outcome};

/// The setting that says that another incarnation is to be drawn before anything is written.
const DUE: &str = "incarnation_due";

impl Replica {
    /// The place past the end of our log, in its present incarnation, up to which a peer says it has it.
    pub(crate) fn claimed_beyond(&self, hello: &Hello) -> Option<u64> {
        let head = if cfg!(planted = "restore-unnoticed") { u64::MAX } else { self.store.head() };
        let cursor = hello.received.filter(|cursor| cursor.epoch == self.store.incarnation())?;
        (cursor.seq > head).then_some(cursor.seq)
    }

    /// A peer that has more of our log than there is got it before we lost it: going on under the same
    /// incarnation would use numbers twice. It is believed without proof, since to doubt it would cost
    /// work and to believe it costs a comparison; but once only. A store is not restored under a running
    /// process, so of an incarnation drawn since the start nobody honest has more than there is.
    pub(crate) fn go_on_after_restore(
        &mut self,
        now: Moment,
        link: LinkId,
        claimed: u64,
    ) -> Result<Outcome, ReplicaError> {
        if self.incarnation_is_new {
            return Ok(Err(Violation::CursorBeyond { claimed, head: self.store.head() }.into()));
        }
        self.draw_incarnation()?;
        let text = "this store was restored from a backup; it greets anew under another incarnation";
        self.greet_anew(now, Some(link), text)?;
        Ok(Err(Fault { code: CloseCode::Done, text: text.into() }))
    }

    /// What is held of a place is about to be released. Where the present author made some of it, its numbers there are
    /// forgotten, and would be given again if that place came back before its changes did.
    pub(crate) fn note_released_work(&mut self, home: &SubSls) -> Result<(), ReplicaError> {
        let present = self.store.incarnation();
        let made = self.store.changes_by(&self.device())?;
        let is_there = |incarnation: &Incarnation, place: SubSls| *incarnation == present && place == *home;
        if made.iter().any(|(incarnation, _, _, record)| is_there(incarnation, record.home())) {
            self.store.set_setting(DUE, Some(&[1]))?;
        }
        Ok(())
    }

    /// Draws an incarnation if one is due, before something is written under the old one.
    pub(crate) fn renew_incarnation(&mut self, now: Moment) -> Result<(), ReplicaError> {
        if self.store.setting(DUE)?.is_some() {
            self.draw_incarnation()?;
            self.greet_anew(
                now,
                None,
                "this device goes on under another incarnation, since it released its work",
            )?;
        }
        Ok(())
    }

    fn draw_incarnation(&mut self) -> Result<(), ReplicaError> {
        let incarnation = Incarnation::from_bytes(self.random());
        self.store.set_incarnation(incarnation)?;
        self.store.set_setting(DUE, None)?;
        self.incarnation_is_new = true;
        Ok(())
    }

    /// Whoever was greeted under the old one would take our places in the log for places in that one's.
    fn greet_anew(&mut self, now: Moment, but: Option<LinkId>, text: &str) -> Result<(), ReplicaError> {
        let others: Vec<LinkId> = self.links.keys().copied().filter(|other| Some(*other) != but).collect();
        others.into_iter().try_for_each(|other| self.close(now, other, CloseCode::Done, text))
    }
}
