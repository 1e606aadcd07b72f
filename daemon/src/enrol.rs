//! Enrolment: a code and a relay's address become a device that is in the survey; at the relay,
//! a connection becomes a question to the core and its answer. One message each way, each a whole
//! stream of bounded length, under one deadline. Who is granted what is the core's to say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use data_encoding::HEXLOWER;
use rukun_authority::Keypair;
use rukun_change::{DeviceKey, SurveyId};
use rukun_replica::limits::{ENROL_ANSWER_BYTES_MAX, ENROL_ASK_BYTES_MAX};
use rukun_replica::{
    Code, EnrolAnswer, EnrolAsk, EnrolError, EnrolRefusal, Enrolled, Replica, Session, ask, believe,
};
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::attempt::{ATTEMPT_MAX, ConnectError};
use crate::client::Client;
use crate::connection::{CloseCode, Connection, Peer, Sending};
use crate::disk::{Folder, random};
use crate::drive::Core;
use crate::endpoint::Endpoint;
use crate::verbs::{self, EnrolRequest, EnrolledShape, Request, VerbError, rfc3339};

/// The most addresses of one name that are tried in turn.
const RESOLVED_MAX: usize = 4;
/// How long the other end may take to hear the end.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// How long an answer may take to arrive, with what is lost of it on the way: as long as the device waits for it.
const DELIVERY_MAX: Duration = ATTEMPT_MAX;

/// Answers, as the node of the key `relay`, a device that wants to be enrolled, on its connection `from`
/// this address. Gives what came of it, for the log.
pub async fn serve(peer: &Peer, relay: DeviceKey, from: IpAddr, core: &Core) -> String {
    match timeout(ATTEMPT_MAX, answer(peer, relay, from, core)).await {
        Ok(Ok((outcome, mut send))) => {
            // Who was answered closes.
            let _ = timeout(DELIVERY_MAX, send.delivered()).await;
            outcome
        }
        Ok(Err(fault)) => {
            peer.connection.close(CloseCode::Fault, "no enrolment");
            fault.to_string()
        }
        Err(_) => {
            peer.connection.close(CloseCode::Fault, "no question in time");
            "no question in time".into()
        }
    }
}

async fn answer(
    peer: &Peer,
    relay: DeviceKey,
    from: IpAddr,
    core: &Core,
) -> anyhow::Result<(String, Sending)> {
    let (mut send, mut recv) = peer.connection.stream(false).await?;
    let ask = EnrolAsk::decode(&recv.read_to_end(ENROL_ASK_BYTES_MAX).await?)?;
    let session = Session { exported: exported(&peer.connection)?, device: peer.key, relay };
    // The answer comes after the commit of what it tells.
    let answered = core.ask(Request::Enrol(EnrolRequest { from, session, ask })).await?;
    let bytes = HEXLOWER.decode(answered.as_str().unwrap_or_default().as_bytes())?;
    let outcome = match EnrolAnswer::decode(&bytes)? {
        EnrolAnswer::Granted { .. } => "granted".into(),
        EnrolAnswer::Refused { refusal, .. } => format!("refused: {refusal}"),
    };
    say(&mut send, &bytes).await?;
    Ok((outcome, send))
}

/// Enrols the device of this folder, a new one if there is none, with a code that its officer was given.
/// Blocks until that is done and durable.
///
/// # Errors
/// If a daemon runs there, the relay does not answer, or it refuses.
pub fn join(folder: &Folder, code: &Code, relay: &str) -> Result<EnrolledShape, VerbError> {
    if let Some(client) = Client::find(folder)? {
        let pid = client.pid();
        let message = format!("a daemon runs in this folder (pid {pid}), and enrolment is done without it");
        return Err(
            VerbError::new(message, format!("stop it first (kill {pid}), then try again")).with_status(409)
        );
    }
    let store = if folder.has_store() { folder.open_store()? } else { folder.create_store()? };
    let keypair = Keypair::from_seed(store.device_seed());
    let mut replica = Replica::open(store, *random()?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| VerbError::new(error, "").with_status(500))?;
    let (device, enrolled) = runtime.block_on(call(&keypair, replica.survey(), code, relay))?;
    let joined = verbs::take_enrolment(&mut replica, &device, &enrolled, relay)?;
    replica.commit()?;
    Ok(joined)
}

/// Asks a relay to enrol the device of this key, which is in a survey already or not. Gives the relay's
/// device and what it gave.
///
/// # Errors
/// If it does not answer or refuses.
pub async fn call(
    keypair: &Keypair,
    survey: Option<SurveyId>,
    code: &Code,
    relay: &str,
) -> Result<(DeviceKey, Enrolled), EnrolFailure> {
    let resolved = timeout(ATTEMPT_MAX, lookup_host(relay)).await;
    let resolved = resolved.map_err(|_| EnrolFailure::Name("the name takes too long".into()))?;
    let resolved: Vec<SocketAddr> =
        resolved.map_err(|error| EnrolFailure::Name(error.to_string()))?.take(RESOLVED_MAX).collect();
    let mut failed = EnrolFailure::Name("it has no address".into());
    for address in resolved {
        match call_at(keypair, survey, code, address).await {
            Err(error @ EnrolFailure::Unreachable { .. }) => failed = error,
            settled => return settled,
        }
    }
    Err(failed)
}

async fn call_at(
    keypair: &Keypair,
    survey: Option<SurveyId>,
    code: &Code,
    address: SocketAddr,
) -> Result<(DeviceKey, Enrolled), EnrolFailure> {
    let any =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    let unreachable = |source| EnrolFailure::Unreachable { address, source };
    let endpoint = Endpoint::dialing(SocketAddr::new(any, 0), keypair).map_err(unreachable)?;
    let peer = endpoint.reach_to_enrol(address).await.map_err(unreachable)?;
    if peer.key == endpoint.key() {
        return Err(EnrolFailure::Myself { address });
    }
    let session = exported(&peer.connection);
    let session = session.map(|exported| Session { exported, device: endpoint.key(), relay: peer.key });
    let session = session.map_err(|_| EnrolFailure::Mute { address })?;
    let answered = timeout(ATTEMPT_MAX, converse(&peer.connection, &ask(code, &session, survey))).await;
    let answered = answered.map_err(|_| EnrolFailure::Mute { address })?;
    let answer = answered.map_err(|_| EnrolFailure::Mute { address })?;
    peer.connection.close(CloseCode::Session, "done");
    let _ = timeout(FAREWELL_MAX, endpoint.close(CloseCode::Session, "done")).await;
    Ok((peer.key, believe(code, &session, answer)?))
}

async fn converse(connection: &Connection, ask: &EnrolAsk) -> anyhow::Result<EnrolAnswer> {
    let (mut send, mut recv) = connection.stream(true).await?;
    say(&mut send, &ask.encode()).await?;
    Ok(EnrolAnswer::decode(&recv.read_to_end(ENROL_ANSWER_BYTES_MAX).await?)?)
}

async fn say(send: &mut Sending, message: &[u8]) -> anyhow::Result<()> {
    send.write_all(message).await?;
    send.finish().await;
    Ok(())
}

/// What both ends of a connection know and nobody else.
fn exported(connection: &Connection) -> anyhow::Result<[u8; 32]> {
    connection.exported().context("the session exports no keys")
}

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolFailure {
    /// The relay's name leads nowhere.
    #[error("the relay's address leads nowhere: {0}")]
    Name(String),
    /// Nobody answers there.
    #[error("no relay answers at {address}: {source}")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// What was tried and failed.
        source: ConnectError,
    },
    /// It leads back to this device.
    #[error("{address} leads to this device itself")]
    Myself {
        /// The address.
        address: SocketAddr,
    },
    /// Somebody answers there, and says nothing that makes sense.
    #[error("the node at {address} was reached and gave no answer")]
    Mute {
        /// Where.
        address: SocketAddr,
    },
    /// It answered, and nothing came of it.
    #[error(transparent)]
    Answered(#[from] EnrolError),
}

impl EnrolFailure {
    /// What to do about it.
    fn remedy(&self) -> String {
        match self {
            Self::Name(_) | Self::Myself { .. } => {
                "type the address after --relay as it stands on the card".into()
            }
            Self::Unreachable { .. } => {
                "is this device online, and the address as on the card? then try again; the \
                                         code is not used up"
                    .into()
            }
            Self::Mute { .. } => {
                "try again on this device, for which the code is not used up; if that does not \
                                  help, one of the two runs another version of rukun"
                    .into()
            }
            Self::Answered(EnrolError::Impostor) => {
                "compare the address after --relay with the card, and tell the \
                                                     office; the code is not used up"
                    .into()
            }
            Self::Answered(EnrolError::Refused(refusal)) => remedy_of(*refusal),
        }
    }
}

fn remedy_of(refusal: EnrolRefusal) -> String {
    let another = "ask the office for another card";
    match refusal {
        EnrolRefusal::Unknown => {
            "compare code and address with the card; after five wrong codes in an hour the \
                                  relay hears nobody from here for an hour"
                .into()
        }
        EnrolRefusal::Guessed { until_ms } => {
            format!("try again after {}; the relay hears nobody from here until then", rfc3339(until_ms))
        }
        EnrolRefusal::Used { at_ms } => {
            format!("it was used on {}; if that was not you, tell the office at once", rfc3339(at_ms))
        }
        EnrolRefusal::Expired { at_ms } => format!("it was good until {}; {another}", rfc3339(at_ms)),
        EnrolRefusal::Withdrawn { at_ms } => format!("it was taken back on {}; {another}", rfc3339(at_ms)),
        EnrolRefusal::NotGranted => format!("tell the office; {another}"),
        EnrolRefusal::HasOther => {
            "use the code on the device of the officer whose it is; who is to have both asks the office \
             (rukun grant, with all regions); the code is not used up"
                .into()
        }
        EnrolRefusal::OtherSurvey => {
            "use another data folder for another survey: --dir DIR; the code is not used up".into()
        }
    }
}

impl From<EnrolFailure> for VerbError {
    fn from(error: EnrolFailure) -> Self {
        let remedy = error.remedy();
        Self::new(error, remedy)
    }
}
