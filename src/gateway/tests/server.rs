//! A gateway with one app made of Rust: what a request's path says, it does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::{Notify, mpsc};

use crate::event::{
    BodyError, Dispatch, ErrorCode, Event, Exchange, Fault, Fetch, Fields, Reply, Response, ResponseBody,
};
use crate::gateway::{AppService, Gateway, Serving};
use crate::observability::log::Logs;
use crate::observability::metrics::Metrics;
use crate::plan::{Listener, LogPlan, Plan, Rotate, SinkPlan, Timeouts};

/// Longer than anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than any test runs, for timeouts that shall not strike.
pub(super) const NEVER: Duration = Duration::from_secs(600);

/// Short, for timeouts that shall.
pub(super) const SOON: Duration = Duration::from_millis(150);

/// What the app was told and tells.
#[derive(Default)]
pub(super) struct Script {
    aborts: Mutex<Vec<ErrorCode>>,
    arrived: Mutex<usize>,
    /// What `/app/read` made of its body.
    reads: Mutex<Vec<Result<Bytes, BodyError>>>,
    /// Opens `/app/gate`.
    pub(super) release: Notify,
}

impl Script {
    pub(super) fn aborts(&self) -> Vec<ErrorCode> {
        self.aborts.lock().unwrap().clone()
    }

    pub(super) fn reads(&self) -> Vec<Result<Bytes, BodyError>> {
        self.reads.lock().unwrap().clone()
    }

    pub(super) fn arrived(&self) -> usize {
        *self.arrived.lock().unwrap()
    }
}

struct Scripted(Arc<Script>);

struct Running(Arc<Script>);

impl Exchange for Running {
    fn abort(&self, cause: ErrorCode) {
        self.0.aborts.lock().unwrap().push(cause);
    }

    fn cpu(&self) -> Duration {
        Duration::from_millis(7)
    }
}

impl Dispatch for Scripted {
    fn dispatch(self: Arc<Self>, event: Event) -> Arc<dyn Exchange> {
        let Event::Fetch(fetch) = event;
        let script = Arc::clone(&self.0);
        *script.arrived.lock().unwrap() += 1;
        tokio::spawn(act(fetch, Arc::clone(&script)));
        Arc::new(Running(script))
    }
}

async fn act(mut fetch: Fetch, script: Arc<Script>) {
    let url = fetch.head.url().to_owned();
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let body = fetch.body.take();
    let reply: Reply = match path {
        "app/echo" => match body {
            Some(body) => match body.collect().await {
                Ok(body) => Ok(full(200, body.to_bytes())),
                Err(_) => Ok(full(200, "the body failed, and the app does not care")),
            },
            None => Ok(full(200, "no body")),
        },
        "app/read" => {
            let read = body.unwrap().collect().await.map(|body| body.to_bytes());
            script.reads.lock().unwrap().push(read);
            Ok(full(200, ""))
        }
        "app/large" => Ok(full(200, vec![b'x'; 1 << 20])),
        "app/head" => {
            let mut text = format!("{} {}\n", fetch.head.method(), fetch.head.url());
            for (name, value) in fetch.head.fields() {
                text.push_str(&format!("{}: {}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
            }
            Ok(full(200, text))
        }
        "app/never" => std::future::pending().await,
        "app/gate" => {
            script.release.notified().await;
            Ok(full(200, "released"))
        }
        "app/busy" => Err(Fault { code: ErrorCode::Overloaded, retry_after: Some(Duration::from_secs(3)) }),
        "app/cpu" => Err(ErrorCode::CpuLimit.into()),
        "app/gone" => return,
        "app/null" => Ok(respond(200, ResponseBody::Empty)),
        "app/204" => Ok(full(204, "not for the wire")),
        "app/304" => Ok(full(304, "not for the wire")),
        "app/101" => Ok(full(101, "")),
        "app/lies" => {
            let mut response = full(200, "truth");
            for (name, value) in [
                ("content-length", "999"),
                ("transfer-encoding", "gzip"),
                ("connection", "x-secret, close"),
                ("x-secret", "1"),
                ("keep-alive", "timeout=5"),
                ("upgrade", "h3"),
                ("x-request-id", "forged"),
                ("server", "app"),
                ("x-kept", "yes"),
            ] {
                response.fields.push(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            Ok(response)
        }
        "app/names" => {
            let mut response = full(200, "");
            response.fields.push(CONNECTION, HeaderValue::from_str(&"x,".repeat(100)).unwrap());
            Ok(response)
        }
        "app/length" => {
            let mut response = respond(200, ResponseBody::Empty);
            response.fields.set(CONTENT_LENGTH, HeaderValue::from_static("12345"));
            Ok(response)
        }
        "app/stream" => Ok(stream(vec![Ok("one "), Ok(""), Ok("two "), Ok("three")])),
        "app/cut" => Ok(stream(vec![Ok("one "), Err(ErrorCode::CpuLimit)])),
        "app/endless" => {
            let (chunks, body) = mpsc::channel(1);
            tokio::spawn(async move { while chunks.send(Ok(Bytes::from(vec![b'x'; 65536]))).await.is_ok() {} });
            Ok(respond(200, ResponseBody::Stream { chunks: body, length: None }))
        }
        _ => Ok(full(200, "hello")),
    };
    let _ = fetch.reply.send(reply);
}

fn respond(status: u16, body: ResponseBody) -> Response {
    let mut fields = Fields::default();
    fields.push(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Response { status: StatusCode::from_u16(status).unwrap(), fields, held: None, body }
}

fn full(status: u16, body: impl Into<Bytes>) -> Response {
    respond(status, ResponseBody::Full(body.into()))
}

fn stream(chunks: Vec<Result<&'static str, ErrorCode>>) -> Response {
    let (sender, body) = mpsc::channel(chunks.len());
    for chunk in chunks {
        sender.try_send(chunk.map(Bytes::from).map_err(Fault::from)).unwrap();
    }
    respond(200, ResponseBody::Stream { chunks: body, length: None })
}

/// A gateway on a port of its own.
pub(super) struct Server {
    pub(super) gateway: Gateway,
    pub(super) address: SocketAddr,
    pub(super) script: Arc<Script>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) plan: Plan,
    logs: Logs,
    folder: tempfile::TempDir,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::with(|_| {})
    }

    /// With `change` made to the plan first.
    pub(super) fn with(change: impl FnOnce(&mut Plan)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = super::plan(folder.path());
        plan.admin = Some(crate::plan::AdminAddress::Unix(folder.path().join("admin.sock")));
        plan.log = LogPlan {
            level: crate::plan::Level::Info,
            access: true,
            sinks: vec![SinkPlan::File {
                path: folder.path().join("log"),
                rotate: Rotate::Never,
                max_size: None,
                keep: 1,
                compress: false,
            }],
        };
        change(&mut plan);
        let metrics = Metrics::new();
        let logs = Logs::start(&plan.log, &metrics).unwrap();
        let gateway = Gateway::start(2, logs.clone(), Arc::clone(&metrics)).unwrap();
        let script = Arc::new(Script::default());
        let mut server =
            Self { gateway, address: ([127, 0, 0, 1], 0).into(), script, metrics, plan: plan.clone(), logs, folder };
        server.serve(plan);
        server.address = server.gateway.addresses()[0].1;
        server
    }

    /// Serves `plan`, every app of it being the scripted one.
    pub(super) fn serve(&self, plan: Plan) {
        let bound = self.gateway.bind(&plan).unwrap();
        let apps = plan.apps.iter().map(|app| AppService {
            app: Arc::clone(app),
            dispatch: Arc::new(Scripted(Arc::clone(&self.script))),
            metrics: self.metrics.app(Arc::clone(&app.name)),
        });
        let apps = apps.collect();
        self.gateway.serve(Arc::new(Serving { plan: Arc::new(plan), apps }), bound);
    }

    pub(super) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends `bytes` on a connection of their own and returns all that comes back.
    pub(super) fn send(&self, bytes: &str) -> String {
        let mut client = self.connect();
        client.write(bytes);
        client.rest()
    }

    /// Every log line so far.
    pub(super) fn lines(&self) -> Vec<serde_json::Value> {
        assert!(self.logs.flush(PATIENCE));
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every access line so far.
    pub(super) fn access_lines(&self) -> Vec<serde_json::Value> {
        self.lines().into_iter().filter(|line| line["kind"] == "access").collect()
    }

    /// What the admin interface says.
    pub(super) fn admin(&self, path: &str) -> String {
        let mut socket = std::os::unix::net::UnixStream::connect(self.folder.path().join("admin.sock")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    }

    /// Drains on a runtime of its own.
    pub(super) fn drain(&self, limit: Duration) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.gateway.drain(limit))
    }
}

/// Waits until `condition` holds.
pub(super) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A client that speaks bytes.
pub(super) struct Client(BufReader<TcpStream>);

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    /// `None` where nobody listens.
    pub(super) fn try_connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Some(Self(BufReader::new(stream)))
    }

    pub(super) fn write(&mut self, bytes: &str) {
        self.0.get_mut().write_all(bytes.as_bytes()).unwrap();
    }

    /// A request without a body; the connection stays.
    pub(super) fn get(&mut self, path: &str) -> String {
        self.write(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
        self.response()
    }

    /// One response whose length is known: head and body.
    pub(super) fn response(&mut self) -> String {
        let mut text = self.head();
        if ["HTTP/1.1 204", "HTTP/1.1 304"].iter().any(|bodiless| text.starts_with(bodiless)) {
            return text;
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).unwrap();
        text.push_str(std::str::from_utf8(&body).unwrap());
        text
    }

    /// A response's head alone.
    pub(super) fn head(&mut self) -> String {
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut text).unwrap(), 0, "connection ended in a head: {text:?}");
        }
        text
    }

    /// Everything until the connection ends.
    pub(super) fn rest(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

/// A listener that never runs out of patience, on a port the kernel chooses.
pub(super) fn listener() -> Listener {
    Listener {
        name: "web".to_owned(),
        address: ([127, 0, 0, 1], 0).into(),
        max_connections: 100,
        max_header: 8 * 1024,
        timeouts: Timeouts { header: NEVER, idle: NEVER, body: NEVER, write: NEVER },
        trust_proxy: Vec::new(),
    }
}
