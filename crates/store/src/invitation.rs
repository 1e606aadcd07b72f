//! Invitations to take part, by their ids, and which of them is a person's latest. They are kept sealed,
//! and whom they name stands in no key. What they say, and what became of them, is the caller's.

use rukun_change::InvitationId;

use crate::fault::StoreError;
use crate::store::Store;
use crate::tables::{INVITATION, INVITED};

impl Store {
    /// Keeps an invitation in the place of what was kept under its id, as the latest of this person.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn put_invitation(
        &mut self,
        id: &InvitationId,
        person: &[u8],
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        self.write(|txn, vault, _| {
            let sealed = vault.keys.invitation.seal(&mut vault.entropy, &INVITATION, id.as_bytes(), bytes);
            txn.open_table(INVITATION)?.insert(id.as_bytes(), sealed.as_slice())?;
            txn.open_table(INVITED)?.insert(&vault.keys.person_tag(person), id.as_bytes())?;
            Ok(())
        })
    }

    /// An invitation.
    ///
    /// # Errors
    /// If the medium fails or the row is damaged.
    pub fn invitation(&self, id: &InvitationId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(INVITATION)?;
            let sealed = table.get(id.as_bytes())?;
            sealed.map(|sealed| self.unseal_invitation(id.as_bytes(), sealed.value())).transpose()
        })
    }

    /// All invitations, by id.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn invitations(&self) -> Result<Vec<(InvitationId, Vec<u8>)>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(INVITATION)?;
            let all = table.all()?.map(|row| {
                let (id, sealed) = row?;
                let bytes = self.unseal_invitation(id.value(), sealed.value())?;
                Ok((InvitationId::from_bytes(*id.value()), bytes))
            });
            all.collect()
        })
    }

    /// The latest invitation of a person.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn invitation_of(&self, person: &[u8]) -> Result<Option<InvitationId>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(INVITED)?;
            let id = table.get(&self.vault.keys.person_tag(person))?;
            Ok(id.map(|id| InvitationId::from_bytes(*id.value())))
        })
    }

    fn unseal_invitation(&self, row: &[u8; 16], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.vault.keys.invitation.open(&INVITATION, row, sealed)
    }
}
