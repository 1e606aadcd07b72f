//! Running a node until it is stopped.

use std::process::ExitCode;
use std::time::Duration;

use super::output::Output;
use crate::args::Daemon;
use crate::disk::{DiskError, Folder};
use crate::run::{self, RunOptions};
use crate::verbs::VerbError;

pub(super) fn daemon(daemon: Daemon, folder: &Folder, output: Output) -> ExitCode {
    let options = RunOptions {
        folder: folder.clone(),
        listen: daemon.listen,
        http: daemon.http,
        keep_alive: Duration::from_secs(daemon.keep_alive),
        lan: !daemon.no_lan,
        budget_bytes: daemon.budget_bytes(),
        peers: daemon.peer,
    };
    // One thread for sockets and timers: the work is done on the core's and on those that check frames. Of two each wakes
    // the other, to look for work that is not there.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let ran = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run::run(options)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let remedy = error.downcast_ref().and_then(DiskError::remedy).unwrap_or_default();
            output.fail(&VerbError::new(run::last_words(&error), remedy));
            ExitCode::from(run::exit_code(&error))
        }
    }
}
