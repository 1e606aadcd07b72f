//! The local HTTP interface: `POST /v1/<verb>` becomes a request to the core, and its answer JSON;
//! `GET /v1/events` tells what happens as server-sent events. For programs of the same user on the
//! same device: loopback only, a token for all but the proof that this is the daemon which has it, no other web
//! page's scripts. Tokens and bodies are never logged.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request as HttpRequest, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use data_encoding::HEXLOWER_PERMISSIVE;
use rukun_change::DeviceKey;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use crate::drive::Core;
use crate::network::Network;
use crate::proof::{self, NONCE_BYTES};
use crate::verbs::{Request, VerbError};

mod visit;
use visit::{Door, Guest, PATIENCE};

/// The longest body of a request: a prelist of a whole district fits.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What there is.
const PLACES: &str = "POST /v1/VERB, GET /v1/events or GET /v1/ping";

#[derive(Debug)]
struct Interface {
    core: Core,
    device: DeviceKey,
    network: Network,
    token: String,
}

/// Answers for this node whoever comes to this listener and shows this token.
///
/// # Errors
/// Never: it goes on until it is dropped.
pub async fn serve(
    listener: TcpListener,
    core: Core,
    device: DeviceKey,
    network: Network,
    token: String,
) -> io::Result<()> {
    serve_patiently(listener, PATIENCE, router(core, device, network, token)).await
}

async fn serve_patiently(listener: TcpListener, patience: Duration, router: Router) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<Guest>();
    axum::serve(Door::new(listener, patience), service).await
}

fn router(core: Core, device: DeviceKey, network: Network, token: String) -> Router {
    let interface = Arc::new(Interface { core, device, network, token });
    let behind_the_token = Router::new()
        .route("/v1/ping", get(ping))
        .route("/v1/events", get(events))
        .route("/v1/{verb}", post(verb))
        .fallback(nowhere)
        .method_not_allowed_fallback(otherwise)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&interface), guard));
    Router::new()
        .route("/v1/proof/{nonce}", get(prove))
        .method_not_allowed_fallback(otherwise)
        .merge(behind_the_token)
        .layer(middleware::from_fn(keep_strangers_out))
        .with_state(interface)
}

/// Lets in who names a loopback host: a page that rebinds its own name to 127.0.0.1 names another.
async fn keep_strangers_out(request: HttpRequest, next: Next) -> Response {
    let named = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if request.uri().host().or(named).is_some_and(is_loopback) {
        return next.run(request).await;
    }
    let error = VerbError::new("this interface is for programs on this device", "ask 127.0.0.1");
    refusal(error.with_status(403))
}

/// Lets in who shows the token.
async fn guard(
    State(interface): State<Arc<Interface>>,
    ConnectInfo(guest): ConnectInfo<Guest>,
    request: HttpRequest,
    next: Next,
) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.strip_prefix("Bearer "));
    if shown.is_some_and(|shown| same(shown.as_bytes(), interface.token.as_bytes())) {
        guest.welcome();
        return next.run(request).await;
    }
    let remedy = "send Authorization: Bearer and the token in daemon.json";
    refusal(VerbError::new("the token is missing or wrong", remedy).with_status(401))
}

/// Who has the note can tell by it that this is the daemon which wrote it, before he shows the token.
async fn prove(State(interface): State<Arc<Interface>>, Path(nonce): Path<String>) -> Response {
    let nonce = HEXLOWER_PERMISSIVE.decode(nonce.as_bytes()).ok().and_then(|nonce| nonce.try_into().ok());
    let Some(nonce) = nonce else {
        let message = format!("a proof is asked for with {} hexadecimal digits", 2 * NONCE_BYTES);
        return refusal(VerbError::new(message, "draw them anew each time"));
    };
    let pid = std::process::id();
    Json(json!({ "pid": pid, "proof": proof::prove(&interface.token, pid, &nonce) })).into_response()
}

async fn ping(State(interface): State<Arc<Interface>>) -> Json<Value> {
    let version = env!("CARGO_PKG_VERSION");
    Json(json!({
        "pid": std::process::id(),
        "device": interface.device.to_string(),
        "version": version,
    }))
}

async fn verb(
    State(interface): State<Arc<Interface>>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request = match body {
        Ok(body) => read(&name, &body),
        Err(error) => Err(VerbError::new(error.body_text(), "").with_status(error.status().as_u16())),
    };
    let answered = match request {
        Ok(Request::Network(news)) => Ok(json!(interface.network.tell(news))),
        Ok(request) => interface.core.ask(request).await,
        Err(error) => Err(error),
    };
    answered.map_or_else(refusal, |answer| Json(answer).into_response())
}

async fn events(State(interface): State<Arc<Interface>>) -> impl IntoResponse {
    let events = BroadcastStream::new(interface.core.subscribe()).map(|event| {
        let event = event.unwrap_or_else(
            |BroadcastStreamRecvError::Lagged(missed)| json!({ "event": "lagged", "missed": missed }),
        );
        Ok::<_, Infallible>(Event::default().data(event.to_string()))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn nowhere() -> Response {
    refusal(VerbError::new("there is nothing here", PLACES).with_status(404))
}

/// There is something here, which is asked for otherwise.
async fn otherwise(request: HttpRequest) -> Response {
    let path = request.uri().path();
    let is_read = ["/v1/ping", "/v1/events"].contains(&path) || path.starts_with("/v1/proof/");
    let method = if is_read { "GET" } else { "POST" };
    let message = format!("{} is not how {path} is asked for", request.method());
    refusal(VerbError::new(message, format!("{method} {path}")).with_status(405))
}

/// A verb's name and its fields as a request.
fn read(name: &str, body: &[u8]) -> Result<Request, VerbError> {
    let mut fields: Map<String, Value> = if body.is_empty() {
        Map::new()
    } else {
        let said = |error| {
            let message = format!("the body is no JSON object: {error}");
            VerbError::new(message, "send the verb's fields as an object, or nothing").with_status(400)
        };
        serde_json::from_slice(body).map_err(said)?
    };
    fields.insert("verb".into(), name.into());
    serde_json::from_value(Value::Object(fields)).map_err(|error| {
        let error = error.to_string();
        if error.starts_with("unknown variant") {
            return VerbError::new(error, "POST /v1/VERB with one of these verbs").with_status(404);
        }
        VerbError::new(error, "send the verb's fields as they are called and of their types").with_status(422)
    })
}

fn refusal(error: VerbError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(error)).into_response()
}

fn is_loopback(host: &str) -> bool {
    let name = match host.parse::<SocketAddr>() {
        Ok(address) => return address.ip().is_loopback(),
        Err(_) => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Equality in a time that tells nothing about where the two differ.
fn same(shown: &[u8], expected: &[u8]) -> bool {
    let differ = shown.iter().zip(expected).fold(0, |differ, (a, b)| differ | (a ^ b));
    std::hint::black_box(differ) == 0 && shown.len() == expected.len()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use rukun_replica::Replica;
    use tempfile::TempDir;

    use super::*;
    use crate::client::{Client, ClientError};
    use crate::disk::{DaemonNote, Folder};
    use crate::drive::{self, Driven};

    const TOKEN: &str = "5ec2e7";

    struct Served {
        folder: Folder,
        address: SocketAddr,
        driven: Driven,
        _parent: TempDir,
    }

    async fn served() -> Served {
        served_with(PATIENCE).await
    }

    async fn served_with(patience: Duration) -> Served {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::at(parent.path().join("data"));
        let replica = Replica::open(folder.create_store().unwrap(), [1; 32]).unwrap();
        let device = replica.device();
        let driven = drive::start(replica).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(driven.core.clone(), device, Network::default(), TOKEN.into());
        tokio::spawn(serve_patiently(listener, patience, router));
        let pid = std::process::id();
        let note = DaemonNote { pid, http: address, quic: address, token: TOKEN.into() };
        folder.write_note(&note).unwrap();
        Served { folder, address, driven, _parent: parent }
    }

    async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let done = tokio::task::spawn_blocking(work);
        tokio::time::timeout(Duration::from_secs(15), done).await.unwrap().unwrap()
    }

    async fn client(served: &Served) -> Client {
        let folder = served.folder.clone();
        blocking(move || Client::find(&folder).unwrap().expect("a daemon runs")).await
    }

    /// The status line and the body that a request as raw text gets.
    async fn raw(served: &Served, request: String) -> String {
        let address = served.address;
        blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
        .await
    }

    fn post(host: &str, token: &str) -> String {
        format!(
            "POST /v1/id HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\ncontent-length: 0\r\n\r\n"
        )
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_verb_is_answered_to_who_shows_the_token() {
        let served = served().await;
        let client = client(&served).await;
        let answer = blocking(move || client.call("id", &json!({})).unwrap()).await;
        assert!(answer.get("device").is_some_and(Value::is_string), "{answer}");
        let right = raw(&served, post("localhost", TOKEN)).await;
        assert!(right.starts_with("HTTP/1.1 200"), "{right}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_wrong_token_and_another_host_are_refused() {
        let served = served().await;
        for token in ["", "5ec2e", "5ec2e8", "5ec2e77"] {
            let wrong = raw(&served, post("127.0.0.1", token)).await;
            assert!(wrong.starts_with("HTTP/1.1 401"), "{wrong}");
            assert!(!wrong.contains(TOKEN));
        }
        for host in ["rebound.example", "localhost.example:80", "10.0.0.1"] {
            let foreign = raw(&served, post(host, TOKEN)).await;
            assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
        }
        for host in ["127.0.0.1:80", "[::1]:80", "localhost:80", "[::1]"] {
            assert!(raw(&served, post(host, TOKEN)).await.starts_with("HTTP/1.1 200"), "{host}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_unknown_verb_is_told_the_known_ones() {
        let served = served().await;
        let client = client(&served).await;
        let refused = blocking(move || client.call("frobnicate", &json!({})).unwrap_err()).await;
        let ClientError::Refused { message, status: 404, remedy: Some(remedy) } = refused else {
            panic!("{refused:?}")
        };
        assert!(message.contains("frobnicate") && message.contains("record-show"), "{message}");
        assert!(remedy.contains("POST /v1/VERB"), "{remedy}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_verb_that_is_asked_for_by_another_method_is_told_which() {
        let served = served().await;
        let got = raw(&served, post("localhost", TOKEN).replace("POST /v1/id", "GET /v1/status")).await;
        assert!(got.starts_with("HTTP/1.1 405") && got.contains("\"POST /v1/status\""), "{got}");
        let posted = raw(&served, post("localhost", TOKEN).replace("/v1/id", "/v1/ping")).await;
        assert!(posted.starts_with("HTTP/1.1 405") && posted.contains("\"GET /v1/ping\""), "{posted}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_network_is_told_field_by_field_and_nothing_is_guessed() {
        let served = served().await;
        let told = client(&served).await;
        let now = blocking(move || told.call("network", &json!({ "battery_low": true })).unwrap()).await;
        assert_eq!(
            (&now["battery_low"], &now["up"], &now["links"]),
            (&json!(true), &json!(true), &json!("at-need"))
        );
        for body in [json!({ "batery_low": false }), json!({ "up": "yes" }), json!({ "metered": 1 })] {
            let asking = client(&served).await;
            let refused = blocking(move || asking.call("network", &body).unwrap_err()).await;
            let ClientError::Refused { message, status: 422, .. } = refused else { panic!("{refused:?}") };
            assert!(
                message.contains("unknown field `batery_low`") || message.contains("expected a boolean"),
                "{message}"
            );
        }
        let asked = client(&served).await;
        assert_eq!(blocking(move || asked.call("network", &json!({})).unwrap()).await, now);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_note_of_a_daemon_that_was_killed_counts_as_none() {
        let served = served().await;
        let address = "127.0.0.1:9".parse().unwrap();
        let (here, folder) = (served.address, served.folder.clone());
        let note = move |pid, http| DaemonNote { pid, http, quic: address, token: TOKEN.into() };
        blocking(move || {
            folder.write_note(&note(1, address)).unwrap();
            assert!(Client::find(&folder).unwrap().is_none(), "nobody listens");
            folder.write_note(&note(1, here)).unwrap();
            assert!(Client::find(&folder).unwrap().is_none(), "another process has the port");
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_took_a_dead_daemons_port_is_told_no_token_and_not_believed() {
        let served = served().await;
        let folder = served.folder.clone();
        blocking(move || {
            let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let (pid, http) = (std::process::id(), taken.local_addr().unwrap());
            folder.write_note(&DaemonNote { pid, http, quic: http, token: TOKEN.into() }).unwrap();
            let liar = std::thread::spawn(move || {
                let mut stream = taken.accept().unwrap().0;
                let mut heard = vec![0; 4096];
                let count = stream.read(&mut heard).unwrap();
                let body = json!({ "pid": pid, "proof": "00".repeat(32) }).to_string();
                let length = body.len();
                let head =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
                write!(stream, "{head} {length}\r\n\r\n{body}").unwrap();
                heard.truncate(count);
                String::from_utf8(heard).unwrap()
            });
            assert!(Client::find(&folder).unwrap().is_none());
            let heard = liar.join().unwrap();
            assert!(heard.starts_with("GET /v1/") && !heard.contains(TOKEN), "{heard}");
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_port_that_says_nothing_counts_as_no_daemon() {
        let served = served().await;
        let folder = served.folder.clone();
        blocking(move || {
            let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let (pid, http) = (std::process::id(), mute.local_addr().unwrap());
            folder.write_note(&DaemonNote { pid, http, quic: http, token: TOKEN.into() }).unwrap();
            assert!(Client::find(&folder).unwrap().is_none());
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_proof_is_given_to_who_has_no_token_and_names_a_loopback_host() {
        let served = served().await;
        let ask = |host: &str, nonce: &str| {
            raw(
                &served,
                format!("GET /v1/proof/{nonce} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
            )
        };
        let given = ask("localhost", &"0a".repeat(32)).await;
        let expected = proof::prove(TOKEN, std::process::id(), &[10; 32]);
        assert!(given.starts_with("HTTP/1.1 200") && given.contains(&expected), "{given}");
        assert!(ask("rebound.example", &"0a".repeat(32)).await.starts_with("HTTP/1.1 403"));
        assert!(ask("localhost", "0a").await.starts_with("HTTP/1.1 422"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_connects_and_shows_no_token_keeps_nobody_out() {
        // Nobody's patience ends while this test runs.
        let served = served_with(Duration::from_hours(1)).await;
        let address = served.address;
        let _flood = blocking(move || {
            let idle = (0..300).map(|_| TcpStream::connect(address).unwrap());
            let mut idle: Vec<TcpStream> = idle.collect();
            // Of some half a request is there, and some ask without a token.
            for half in idle.iter_mut().step_by(3) {
                half.write_all(b"POST /v1/id HTTP/1.1\r\nhost:").unwrap();
            }
            let asking = post("localhost", "").replace("connection: close\r\n", "");
            for asks in idle.iter_mut().skip(1).step_by(3) {
                asks.write_all(asking.as_bytes()).unwrap();
            }
            idle
        })
        .await;
        let right = raw(&served, post("localhost", TOKEN)).await;
        assert!(right.starts_with("HTTP/1.1 200"), "{right}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_has_shown_the_token_may_be_slow() {
        let patience = Duration::from_millis(500);
        let served = served_with(patience).await;
        let address = served.address;
        blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let mut events = TcpStream::connect(address).unwrap();
            let asking = post("localhost", TOKEN).replace("connection: close\r\n", "");
            let listening = asking.replace("POST /v1/id", "GET /v1/events");
            events.write_all(listening.as_bytes()).unwrap();
            for _ in 0..2 {
                stream.write_all(asking.as_bytes()).unwrap();
                let mut answer = [0; 1024];
                let read = stream.read(&mut answer).unwrap();
                assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
                std::thread::sleep(patience * 3);
            }
            events.set_nonblocking(true).unwrap();
            let mut heard = Vec::new();
            let goes_on = events.read_to_end(&mut heard).unwrap_err();
            assert_eq!(goes_on.kind(), io::ErrorKind::WouldBlock, "{}", String::from_utf8_lossy(&heard));
            assert!(heard.starts_with(b"HTTP/1.1 200"));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stopped_node_ends_what_it_tells_and_answers_no_more() {
        let served = served().await;
        let listening = client(&served).await;
        let client = client(&served).await;
        let events = blocking(move || listening.events().unwrap()).await;
        let Driven { core, ended, stop, linker: _linker } = served.driven;
        stop.send(()).unwrap();
        ended.await.unwrap().unwrap();
        // The program that answers goes on: what it told must end all the same.
        blocking(move || assert_eq!(events.map(drop).count(), 0)).await;
        assert_eq!(core.ask(Request::Id).await.unwrap_err().status, 503);
        let refused = blocking(move || client.call("id", &json!({})).unwrap_err()).await;
        assert!(matches!(refused, ClientError::Refused { status: 503, .. }), "{refused:?}");
    }
}
