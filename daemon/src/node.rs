//! Where the command line's requests are answered: by the daemon that runs in the data folder, or,
//! when none does, by this process, which opens the store itself.

use rukun_replica::Replica;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::{Client, ClientError};
use crate::clock;
use crate::disk::{self, DiskError, Folder};
use crate::verbs::{self, Request, VerbError};

/// A node that can be asked.
pub enum Node {
    /// A daemon that runs.
    Daemon(Client),
    /// The store, opened here.
    Here(Box<Replica>),
}

impl Node {
    /// The node of this folder.
    ///
    /// # Errors
    /// If there is none, or it can't be opened or spoken to.
    pub fn open(folder: &Folder) -> Result<Self, VerbError> {
        match Client::find(folder)? {
            Some(client) => Ok(Self::Daemon(client)),
            None => Self::here(folder.open_store()?),
        }
    }

    /// The node of this folder; a new device if there is none yet.
    ///
    /// # Errors
    /// If it can't be made, opened or spoken to.
    pub fn open_or_make(folder: &Folder) -> Result<Self, VerbError> {
        if folder.has_store() { Self::open(folder) } else { Self::here(folder.create_store()?) }
    }

    /// Asks, and reads the answer in its shape.
    ///
    /// # Errors
    /// If the request can't be carried out.
    pub fn ask<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, VerbError> {
        let answer = self.answer(request)?;
        serde_json::from_value(answer).map_err(|error| {
            let remedy = "run the daemon and the command line of one version";
            VerbError::new(format!("the answer has another shape than expected: {error}"), remedy)
        })
    }

    /// Asks; what was written is durable when the answer is there.
    ///
    /// # Errors
    /// If the request can't be carried out.
    pub fn answer(&mut self, request: Request) -> Result<Value, VerbError> {
        match self {
            Self::Daemon(client) => {
                let (verb, body) = request.into_call();
                Ok(client.call(&verb, &body)?)
            }
            Self::Here(replica) => {
                let answer = verbs::answer(replica, clock::now(), request)?;
                commit(replica)?;
                Ok(answer)
            }
        }
    }

    /// Does what needs the root key, which never leaves this process.
    ///
    /// # Errors
    /// If a daemon has the store, or it can't be done.
    pub fn with_root<T>(
        &mut self,
        act: impl FnOnce(&mut Replica) -> Result<T, VerbError>,
    ) -> Result<T, VerbError> {
        match self {
            Self::Daemon(client) => {
                let pid = client.pid();
                let message =
                    format!("the root key is never given to a daemon, and one runs here (pid {pid})");
                Err(VerbError::new(message, format!("stop it first (kill {pid}), then try again"))
                    .with_status(409))
            }
            Self::Here(replica) => {
                let done = act(replica)?;
                commit(replica)?;
                Ok(done)
            }
        }
    }

    fn here(store: rukun_replica::Store) -> Result<Self, VerbError> {
        Ok(Self::Here(Box::new(Replica::open(store, *disk::random()?)?)))
    }
}

/// Nobody is linked, so what the replica would send goes nowhere.
fn commit(replica: &mut Replica) -> Result<(), VerbError> {
    replica.commit()?;
    while replica.poll().is_some() {}
    Ok(())
}

impl From<DiskError> for VerbError {
    fn from(error: DiskError) -> Self {
        let remedy = error.remedy().unwrap_or_default();
        Self::new(error, remedy).with_status(500)
    }
}

impl From<ClientError> for VerbError {
    fn from(error: ClientError) -> Self {
        let status = if let ClientError::Refused { status, .. } = error { status } else { 500 };
        let remedy = error.remedy().unwrap_or_default();
        Self::new(error, remedy).with_status(status)
    }
}
