//! Where the sides of a contestant keep what they hold: folders, which are copied for each run, so that every run begins
//! from the same state. What is in them is the contestant's business.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

/// The folders of three sides.
#[derive(Clone, Debug)]
pub struct Scene {
    parent: PathBuf,
}

/// Who begins a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// This side.
    Dial,
    /// The other one.
    Listen,
}

impl Scene {
    /// The scene in this folder.
    pub fn at(parent: &Path) -> Self {
        Self { parent: parent.into() }
    }

    /// The officer in the field, who wrote all records.
    pub fn phone(&self) -> PathBuf {
        self.parent.join("phone")
    }

    /// The office.
    pub fn office(&self) -> PathBuf {
        self.parent.join("office")
    }

    /// Another officer, who has all records from the office and has never met the first one.
    pub fn twin(&self) -> PathBuf {
        self.parent.join("twin")
    }

    /// What the processes say when something goes wrong.
    pub fn log(&self) -> PathBuf {
        self.parent.join("log")
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.parent
    }

    /// The same sides in another folder, which must not be there yet.
    ///
    /// # Errors
    /// If it can't be copied.
    pub fn copy(&self, to: &Path) -> anyhow::Result<Self> {
        let copied = Command::new("cp").arg("-a").args([&self.parent, to]).status()?;
        ensure!(copied.success(), "{} can't be copied to {}", self.parent.display(), to.display());
        Ok(Self::at(to))
    }

    /// Throws it away.
    ///
    /// # Errors
    /// If it can't be.
    pub fn remove(self) -> anyhow::Result<()> {
        Ok(fs::remove_dir_all(self.parent)?)
    }
}
