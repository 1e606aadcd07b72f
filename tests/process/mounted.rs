//! A small file system in memory, which fills, and can be made larger. Where nothing may be mounted there is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system of its own, until it is dropped.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// Nothing where that takes a right which is not there.
    pub(crate) fn try_new(at: &Path, bytes: u64) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let options = format!("size={bytes},mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "rukun-test"]).arg(at).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(at.into()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn resize(&self, bytes: u64) {
        let options = format!("remount,size={bytes}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a failing test may leave a daemon that is only just ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
