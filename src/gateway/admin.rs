//! The admin interface: metrics and health, on a socket of its own that no app can be reached through.

use std::io;
use std::net::TcpListener as StdTcp;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdUnix, UnixStream as StdUnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, SERVER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use http_body::Body;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::Shared;
use super::activity::Activity;
use super::body::Outbound;
use super::connection::{Service, Terms, drive};
use super::error::Refusal;
use super::listener::{self, BindError, Reset, SocketFile, Stage};
use super::request::Request;
use super::target;
use crate::event::{BodyError, Fields, RequestId, Response};
use crate::plan::{AdminAddress, Timeouts};

/// An admin client is a probe or a scraper nearby: quick, small, and never many.
const TERMS: Terms = Terms {
    timeouts: Timeouts {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        body: Duration::from_secs(10),
        write: Duration::from_secs(30),
    },
    max_header: 16 * 1024,
};

/// How long to wait after an accept() that failed.
const BACK_OFF: Duration = Duration::from_millis(200);

/// A bound admin socket.
pub(super) struct Listening {
    pub(super) address: AdminAddress,
    socket: Socket,
}

enum Socket {
    Tcp(StdTcp),
    Unix(StdUnix, SocketFile),
}

/// Opens the admin socket.
pub(super) fn bind(address: &AdminAddress) -> Result<Listening, BindError> {
    let (shown, socket) = match address {
        AdminAddress::Tcp(address) => (address.to_string(), listener::tcp(*address).map(Socket::Tcp)),
        AdminAddress::Unix(path) => (format!("unix:{}", path.display()), unix(path)),
    };
    let socket = socket.map_err(|source| BindError {
        who: "the admin interface".to_owned(),
        address: shown,
        source,
        own: None,
    })?;
    Ok(Listening { address: address.clone(), socket })
}

fn unix(path: &Path) -> io::Result<Socket> {
    // A socket nobody listens on was left by a process that was killed.
    let stale = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && StdUnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if stale {
        std::fs::remove_file(path)?;
    }
    let socket = StdUnix::bind(path)?;
    let file = SocketFile(path.to_owned());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    socket.set_nonblocking(true)?;
    Ok(Socket::Unix(socket, file))
}

/// Accepts until `stage` leaves [`Stage::Serving`].
pub(super) async fn accept(listening: Listening, stage: Arc<watch::Sender<Stage>>, shared: Arc<Shared>) {
    let mut retired = stage.subscribe();
    let accepting = async {
        match listening.socket {
            Socket::Tcp(socket) => {
                let socket = TcpListener::from_std(socket)?;
                loop {
                    open(socket.accept().await.map(|(stream, _)| stream), &stage, &shared).await;
                }
            }
            Socket::Unix(socket, _file) => {
                let socket = UnixListener::from_std(socket)?;
                loop {
                    open(socket.accept().await.map(|(stream, _)| stream), &stage, &shared).await;
                }
            }
        }
        #[expect(unreachable_code, reason = "names the error type of the block")]
        io::Result::Ok(())
    };
    tokio::select! {
        _ = retired.wait_for(|stage| *stage != Stage::Serving) => {}
        _ = accepting => {}
    }
}

async fn open<S>(accepted: io::Result<S>, stage: &Arc<watch::Sender<Stage>>, shared: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Reset + Send + Unpin + 'static,
{
    let Ok(stream) = accepted else { return tokio::time::sleep(BACK_OFF).await };
    let (stage, shared) = (Arc::clone(stage), Arc::clone(shared));
    tokio::spawn(async move {
        drive(stream, TERMS, &Activity::new(), stage.subscribe(), Admin { shared }).await;
    });
}

#[derive(Clone)]
struct Admin {
    shared: Arc<Shared>,
}

impl Service for Admin {
    fn answer<B>(self, request: Request<B>) -> impl Future<Output = Response<Outbound>> + Send
    where
        B: Body<Data = Bytes, Error: Into<BodyError>> + Send + Unpin + 'static,
    {
        std::future::ready(answer(&self.shared, &request))
    }

    /// What is no HTTP here is nobody's request: its answer is all there is to say.
    fn refused(&self, _: Refusal, _: &RequestId) {}
}

fn answer<B>(shared: &Shared, request: &Request<B>) -> Response<Outbound> {
    let admission = shared.admission.load();
    let admitted = match admission.as_ref().map(|admission| &admission.token) {
        Some(Some(token)) => bearer(&request.head.fields).is_some_and(|given| same(given, token.expose().as_bytes())),
        _ => true,
    };
    let readable = request.head.method == Method::GET || request.head.method == Method::HEAD;
    let addressed = target::authority(&request.head).is_ok();
    let (status, kind, body) = match request.head.uri.path() {
        _ if !addressed => (StatusCode::BAD_REQUEST, JSON, error("bad_request", "no host, or more than one")),
        _ if !readable => (StatusCode::METHOD_NOT_ALLOWED, JSON, error("method_not_allowed", "only GET and HEAD")),
        // Probes carry no token, and health is no secret.
        "/metrics" if !admitted => (StatusCode::UNAUTHORIZED, JSON, error("unauthorized", "a bearer token is needed")),
        "/metrics" => (StatusCode::OK, "text/plain; version=0.0.4", Outbound::pieces(shared.metrics.render())),
        "/healthz" => (StatusCode::OK, TEXT, text("ok\n")),
        "/readyz" if shared.draining.load(Relaxed) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, text("draining\n")),
        "/readyz" if admission.is_none() => (StatusCode::SERVICE_UNAVAILABLE, TEXT, text("starting\n")),
        "/readyz" => (StatusCode::OK, TEXT, text("ok\n")),
        _ => (StatusCode::NOT_FOUND, JSON, error("not_found", "there is /metrics, /healthz and /readyz")),
    };
    let length = body.size_hint().exact();
    let body = if request.head.method == Method::HEAD { text("") } else { body };
    let mut fields = Fields::with_capacity(6);
    fields.push(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(length) = length {
        fields.push(CONTENT_LENGTH, HeaderValue::from(length));
    }
    fields.push(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.push(SERVER, HeaderValue::from_static("nano"));
    if status == StatusCode::UNAUTHORIZED {
        fields.push(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if !readable {
        fields.push(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Response { status, fields, held: None, body }
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1).
fn bearer(fields: &Fields) -> Option<&[u8]> {
    let (scheme, token) = fields.get(&AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Compares digests: how long it takes says nothing of where two tokens part.
fn same(given: &[u8], token: &[u8]) -> bool {
    let (given, token) = (Sha256::digest(given), Sha256::digest(token));
    given.iter().zip(&token).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

fn text(text: &'static str) -> Outbound {
    Outbound::plain(Bytes::from_static(text.as_bytes()))
}

fn error(code: &str, message: &str) -> Outbound {
    Outbound::plain(serde_json::json!({ "error": { "code": code, "message": message } }).to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_and_compared_whole() {
        let table = [
            ("Bearer secret", true),
            ("bearer  secret ", true),
            ("Bearer secre", false),
            ("Bearer secrets", false),
            ("Bearer ", false),
            ("Basic secret", false),
            ("", false),
        ];
        for (header, admitted) in table {
            let mut fields = Fields::default();
            fields.push(AUTHORIZATION, HeaderValue::from_static(header));
            assert_eq!(bearer(&fields).is_some_and(|given| same(given, b"secret")), admitted, "{header:?}");
        }
    }
}
