//! The command line's side of the daemon's HTTP interface: a data folder becomes a [`Client`] if a
//! daemon runs there, and a verb becomes an answer. Blocking; nothing is retried.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::disk::{DaemonNote, DiskError, Folder, random};
use crate::proof;

const CONNECT_MAX: Duration = Duration::from_secs(2);
const PROOF_MAX: Duration = Duration::from_secs(10);
/// Whoever has the port may say anything, and as much as it likes.
const PROOF_BYTES_MAX: u64 = 4096;
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
    /// counts as none, and so does one that does not prove that it is there: whether the store is in use then, its
    /// lock says.
    ///
    /// # Errors
    /// If the note can't be read.
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
        answer(request.send_json(body)?, ANSWER_BYTES_MAX)
    }

    /// What happens at the node from now on, one JSON object an event, until the daemon stops.
    ///
    /// # Errors
    /// If the daemon says no, or can't be spoken to; so may each event.
    pub fn events(&self) -> Result<impl Iterator<Item = Result<Value, ClientError>> + use<>, ClientError> {
        let response = self.agent.get(self.url("events")).header("authorization", self.bearer()).call()?;
        if !response.status().is_success() {
            return answer(response, ANSWER_BYTES_MAX).map(|_| Events::new(Body::builder().data("")));
        }
        Ok(Events::new(response.into_body()))
    }

    /// Whether the daemon of the note is there. Until that is proved the token is not shown, for another program may
    /// have the port by now.
    fn lives(&self) -> Result<bool, ClientError> {
        let nonce = random::<{ proof::NONCE_BYTES }>()?;
        let request = self.agent.get(self.url(&format!("proof/{}", HEXLOWER.encode(&*nonce))));
        let response = request.config().timeout_global(Some(PROOF_MAX)).build().call();
        let said = response.map_err(Into::into).and_then(|response| answer(response, PROOF_BYTES_MAX));
        let shown = said.as_ref().ok().and_then(|said| said.get("proof")).and_then(Value::as_str);
        Ok(shown.is_some_and(|shown| proof::holds(shown, &self.note.token, self.note.pid, &nonce)))
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

fn answer(mut response: Response<Body>, bytes_max: u64) -> Result<Value, ClientError> {
    let status = response.status().as_u16();
    let read = response.body_mut().with_config().limit(bytes_max).read_to_vec()?;
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
            Self::Answer => Some("run the daemon and the command line of one version".into()),
            Self::Http(_) => Some("see whether the daemon still runs, and its log".into()),
            Self::Disk(error) => error.remedy(),
        }
    }
}
