//! Running a node until it is stopped.

use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::output::Output;
use crate::args::Daemon;
use crate::disk::{DiskError, Folder};
use crate::run::{self, RunOptions};
use crate::verbs::{VerbError, check_address};

/// How long is waited for threads that block. Looking up a name can't be called off, and may take half a minute.
const BLOCKED_MAX: Duration = Duration::from_secs(1);

pub(super) fn daemon(daemon: Daemon, folder: &Folder, output: Output) -> Result<ExitCode, VerbError> {
    daemon.peer.iter().try_for_each(|peer| check_address(peer))?;
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
    let ran = runtime.map_err(Into::into).and_then(|runtime| to_its_end(runtime, run::run(options)));
    Ok(match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let remedy = error.downcast_ref().and_then(DiskError::remedy).unwrap_or_default();
            output.fail(&VerbError::new(run::last_words(&error), remedy));
            ExitCode::from(run::exit_code(&error))
        }
    })
}

fn to_its_end<T>(runtime: Runtime, work: impl Future<Output = T>) -> T {
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(BLOCKED_MAX);
    done
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};

    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    #[test]
    fn a_peer_without_a_port_is_refused_as_peer_add_does() {
        let said = Cli::try_parse_from(["rukun", "daemon", "--peer", "kantor.example.id"]).unwrap();
        let Verb::Daemon(told) = said.verb else { panic!("{said:?}") };
        let parent = tempfile::tempdir().unwrap();
        let error = daemon(told, &Folder::at(parent.path()), Output::new(false)).unwrap_err();
        assert!(error.message.contains("no HOST:PORT") && error.remedy.contains("7811"), "{error}");
    }

    #[test]
    fn a_name_that_is_still_looked_up_does_not_hold_up_the_end() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (answer, answered) = mpsc::channel::<()>();
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&has_ended);
        let looking_up = move || {
            let _ = answered.recv_timeout(Duration::from_mins(1));
            ended.store(true, Ordering::SeqCst);
        };
        to_its_end(runtime, async move { drop(tokio::task::spawn_blocking(looking_up)) });
        assert!(!has_ended.load(Ordering::SeqCst), "it was waited for until nobody answered");
        drop(answer);
    }
}
