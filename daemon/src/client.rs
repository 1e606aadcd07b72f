//! The command line's side of the daemon's HTTP interface: a data folder becomes a [`Client`] if a
//! daemon runs there, and a verb becomes an answer. Blocking; nothing is retried.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::disk::{DaemonNote, DiskError, Folder};

const CONNECT_MAX: Duration = Duration::from_secs(2);
const PING_MAX: Duration = Duration::from_secs(10);
/// An import of a whole district takes minutes.
const ANSWER_MAX: Duration = Duration::from_hours(1);
const ANSWER_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// A daemon that runs.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    note: DaemonNote,
}

impl Client {
    /// The daemon that runs in this folder; nothing if none does. The note of one that was killed
    /// counts as none.
    ///
    /// # Errors
    /// If one seems to run but does not answer.
    pub fn find(folder: &Folder) -> Result<Option<Self>, ClientError> {
        let Some(note) = folder.note()? else { return Ok(None) };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_MAX));
        let client = Self { agent: config.build().new_agent(), note };
        Ok(client.lives()?.then_some(client))
    }

    /// The process that runs the daemon.
    pub fn pid(&self) -> u32 {
        self.note.pid
    }

    /// Asks for a verb; `body` holds the verb's own fields.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if the daemon says no, else if it can't be spoken to.
    pub fn call(&self, verb: &str, body: &Value) -> Result<Value, ClientError> {
        let request = self.agent.post(self.url(verb)).header("authorization", self.bearer());
        let request = request.config().timeout_global(Some(ANSWER_MAX)).build();
        answer(request.send_json(body)?)
    }

    /// What happens at the node from now on, one JSON object an event, until the daemon stops.
    ///
    /// # Errors
    /// If the daemon says no, or can't be spoken to; so may each event.
    pub fn events(&self) -> Result<impl Iterator<Item = Result<Value, ClientError>> + use<>, ClientError> {
        let response = self.agent.get(self.url("events")).header("authorization", self.bearer()).call()?;
        if !response.status().is_success() {
            return answer(response).map(|_| Events::new(Body::builder().data("")));
        }
        Ok(Events::new(response.into_body()))
    }

    fn lives(&self) -> Result<bool, ClientError> {
        let request = self.agent.get(self.url("ping")).header("authorization", self.bearer());
        match request.config().timeout_global(Some(PING_MAX)).build().call() {
            // Another program may have the port by now: it does not know the token or the pid.
            Ok(response) => {
                Ok(answer(response).is_ok_and(|said| said.get("pid") == Some(&Value::from(self.note.pid))))
            }
            Err(ureq::Error::Timeout(_)) => Err(ClientError::Mute { pid: self.note.pid }),
            Err(_) => Ok(false),
        }
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}/v1/{name}", self.note.http)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.note.token)
    }
}

struct Events {
    lines: std::io::Lines<BufReader<ureq::BodyReader<'static>>>,
}

impl Events {
    fn new(body: Body) -> Self {
        Self { lines: BufReader::new(body.into_reader()).lines() }
    }
}

impl Iterator for Events {
    type Item = Result<Value, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(ureq::Error::Io(error).into())),
            };
            // The other lines of server-sent events are comments and blanks.
            if let Some(data) = line.strip_prefix("data:") {
                return Some(serde_json::from_str(data).map_err(|_| ClientError::Answer));
            }
        }
    }
}

fn answer(mut response: Response<Body>) -> Result<Value, ClientError> {
    let status = response.status().as_u16();
    let read = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
    let said: Value = serde_json::from_slice(&read).map_err(|_| ClientError::Answer)?;
    if (200..300).contains(&status) {
        return Ok(said);
    }
    let text = |name| said.get(name).and_then(Value::as_str).map(String::from);
    let message = text("error").ok_or(ClientError::Answer)?;
    Err(ClientError::Refused { message, remedy: text("remedy"), status })
}

/// Why the daemon gave no answer, or which.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The daemon says no.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// What to do about it.
        remedy: Option<String>,
        /// The kind of no, as in HTTP.
        status: u16,
    },
    /// The daemon runs, and says nothing.
    #[error("the daemon (pid {pid}) does not answer")]
    Mute {
        /// Its process.
        pid: u32,
    },
    /// What speaks there is no daemon of rukun, or another version of it.
    #[error("the daemon's answer makes no sense; is it another version?")]
    Answer,
    /// The daemon went away, or the connection to it.
    #[error("the daemon cannot be spoken to: {0}")]
    Http(#[from] ureq::Error),
    /// The data folder.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl ClientError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Refused { remedy, .. } => remedy.clone(),
            Self::Mute { .. } => Some("see its log, or stop it and start it again".into()),
            Self::Answer => Some("run the daemon and the command line of one version".into()),
            Self::Http(_) => Some("see whether the daemon still runs, and its log".into()),
            Self::Disk(error) => error.remedy(),
        }
    }
}
