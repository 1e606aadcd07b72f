//! The contestants by name: what is asked of one becomes a call into its module. All are asked the same four things.

use std::net::IpAddr;
use std::path::Path;

use crate::child::Parent;
use crate::counting::Carrier;
use crate::families::Editor;
use crate::post::{self, Sends};
use crate::scene::{Scene, Way};
use crate::{ours, samod, subduction};

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Contestant {
    /// This project.
    Ours,
    /// The Automerge project's Rust repository library.
    Samod,
    /// Its authors' newer engine, with signed commits.
    Subduction,
    /// One HTTPS POST of all records.
    PostAll,
    /// One HTTPS POST of the records changed since a timestamp.
    PostChanged,
}

/// What a side's process is to do before any meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Act {
    /// Write all records on the phone; the office has none yet.
    Prepare,
    /// Let the twin have all that the office holds.
    FillTwin,
    /// Edit on the phone.
    EditPhone,
    /// Edit at the office.
    EditOffice,
}

impl Contestant {
    /// How tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "rukun",
            Self::Samod => "samod 0.16",
            Self::Subduction => "subduction_core 0.20",
            Self::PostAll => "POST, all records",
            Self::PostChanged => "POST, changed records",
        }
    }

    /// What it goes over.
    pub fn carrier(self) -> Carrier {
        match self {
            Self::Ours => Carrier::Udp,
            Self::Samod | Self::Subduction => Carrier::TcpMessages,
            Self::PostAll | Self::PostChanged => Carrier::TcpTls,
        }
    }

    /// Does what comes before a meeting.
    ///
    /// # Errors
    /// If it can't be done.
    pub async fn act(self, act: Act, scene: &Scene, records: usize) -> anyhow::Result<()> {
        let (dir, editor) = match act {
            Act::Prepare => return self.prepare(scene, records).await,
            Act::FillTwin => return self.fill_twin(scene).await,
            Act::EditPhone => (scene.phone(), Editor::Phone),
            Act::EditOffice => (scene.office(), Editor::Office),
        };
        match self {
            Self::Ours => ours::edit(&dir, records, editor),
            Self::Samod => samod::edit(&dir, records, editor).await,
            Self::Subduction => subduction::edit(&dir, records, editor).await,
            Self::PostAll | Self::PostChanged => post::edit(&dir, records, editor),
        }
    }

    async fn prepare(self, scene: &Scene, records: usize) -> anyhow::Result<()> {
        match self {
            Self::Ours => ours::prepare(scene, records).await,
            Self::Samod => samod::prepare(scene, records).await,
            Self::Subduction => subduction::prepare(scene, records).await,
            Self::PostAll | Self::PostChanged => post::prepare(scene, records),
        }
    }

    async fn fill_twin(self, scene: &Scene) -> anyhow::Result<()> {
        match self {
            Self::Ours => ours::fill_twin(scene).await,
            Self::Samod => samod::fill_twin(scene),
            Self::Subduction => subduction::fill_twin(scene),
            Self::PostAll | Self::PostChanged => post::fill_twin(scene),
        }
    }

    /// Is one side of a meeting. Those that meet on bad links as well are reached at this address.
    ///
    /// # Errors
    /// If it can't be.
    pub async fn serve(self, dir: &Path, way: Way, at: IpAddr) -> anyhow::Result<()> {
        let mut parent = Parent::new();
        match self {
            Self::Ours => ours::serve(dir, way, at, &mut parent).await,
            Self::Samod => samod::serve(dir, way, at, &mut parent).await,
            Self::Subduction => subduction::serve(dir, way, &mut parent).await,
            Self::PostAll => post::serve(dir, way, Sends::All, &mut parent).await,
            Self::PostChanged => post::serve(dir, way, Sends::Changed, &mut parent).await,
        }
    }
}
