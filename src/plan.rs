//! What nano is to serve, checked and immutable. Made from a [`Config`](crate::config::Config) by every
//! cross-check there is, compared by value on reload. [`Plan::load`] is the way from a file to a plan.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

mod admin;
mod app;
mod build;
mod claims;
mod diff;
pub mod egress;
mod entry;
mod listeners;
pub mod routes;
pub mod target;

use crate::config::Secret;
pub use crate::config::{Level, LogFormat, Report as PlanError, Rotate, Warning};
pub use diff::{Changes, Diff};
use egress::Egress;
pub(crate) use listeners::overlap;
use routes::RouteTable;

/// Everything a running nano needs to know. Compared by value, an app at a time, on reload.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where nano keeps its own files, absolute.
    pub state_dir: PathBuf,
    /// Threads that accept and speak HTTP.
    pub io_threads: usize,
    /// Bytes that the isolates of all apps may take together; `None` is most of what the system has.
    pub memory_total: Option<usize>,
    /// How long a stop or an old generation may take.
    pub drain: Duration,
    /// Threads V8 may keep before nano restarts itself.
    pub lost_threads: usize,
    /// Where metrics and health are served.
    pub admin: Option<AdminAddress>,
    /// What the admin interface asks for, if anything.
    pub admin_token: Option<Secret>,
    /// Sinks and levels.
    pub log: LogPlan,
    /// In the order of the config; routes name them by index.
    pub listeners: Vec<Arc<Listener>>,
    /// In the order of the config; routes name them by index.
    pub apps: Vec<Arc<App>>,
    /// Which app answers what.
    pub routes: RouteTable,
    /// Every config file read, and every folder that more may come to, absolute: what to watch.
    pub files: Vec<PathBuf>,
}

/// Where the admin interface listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// A loopback address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A public socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name in the config.
    pub name: String,
    /// Where it binds.
    pub address: SocketAddr,
    /// Connections at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Bytes of request line and header fields.
    pub max_header: usize,
    /// Header, idle, body and write timeouts.
    pub timeouts: Timeouts,
    /// Peers whose `X-Forwarded-*` and `X-Request-Id` are believed.
    pub trust_proxy: Vec<IpNet>,
}

/// A listener's timeouts. `body` and `write` are between two reads or writes; `header` is for the whole head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the whole request head.
    pub header: Duration,
    /// For a connection between requests.
    pub idle: Duration,
    /// Between two reads of a body.
    pub body: Duration,
    /// Between two writes of a response.
    pub write: Duration,
}

/// One app.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// Its name in the config, unique.
    pub name: Arc<str>,
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// Its first module, relative to the folder, `/`-separated.
    pub entry: String,
    /// What it may use.
    pub limits: Limits,
    /// An isolate unused for so long is given back.
    pub idle: Duration,
    /// Whether innocent requests of a lost isolate are replayed.
    pub replay: bool,
    /// Whether every request has a global scope of its own.
    pub fresh_context: bool,
    /// What it may reach by `fetch()`.
    pub egress: Egress,
    /// `env`, by name.
    pub env: BTreeMap<String, EnvValue>,
    /// Its own log settings.
    pub log: AppLogPlan,
    /// What it answers, as written: shown by `nano check`.
    pub claims: Vec<Claim>,
}

/// One combination of listener, host and path that an app claims.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Index into [`Plan::listeners`]; `None` is every listener.
    pub listener: Option<usize>,
    /// A host name in lower case, `*.` in front for a wildcard; `None` is every host.
    pub host: Option<String>,
    /// `/exact` or `/prefix/*`; `None` is every path.
    pub path: Option<String>,
}

/// What an app may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of V8 heap, buffers and wasm memory, per isolate.
    pub memory: usize,
    /// CPU time per request.
    pub cpu: Duration,
    /// Wall time from queueing to the response head.
    pub wall: Duration,
    /// CPU time for loading.
    pub startup: Duration,
    /// Wall time `waitUntil` may go on after the response.
    pub wait_until: Duration,
    /// Bytes of a request body.
    pub body: u64,
    /// Requests at once in one isolate.
    pub concurrency: usize,
    /// Requests waiting for one.
    pub queue: usize,
    /// Isolates at most.
    pub isolates: usize,
}

/// A value of `env`.
#[derive(Clone, PartialEq)]
pub enum EnvValue {
    /// A string, and whether it is a secret (never logged or shown).
    String {
        /// What the app reads.
        value: String,
        /// Came from a file or the environment.
        secret: bool,
    },
    /// A number.
    Number(f64),
    /// `#true` or `#false`.
    Bool(bool),
    /// `#null`.
    Null,
}

/// The `log` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlan {
    /// Lines below it are not written.
    pub level: Level,
    /// A line per request.
    pub access: bool,
    /// Where lines go.
    pub sinks: Vec<SinkPlan>,
}

/// One sink of the `log` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkPlan {
    /// Standard output.
    Stdout {
        /// JSON lines or text for people.
        format: LogFormat,
    },
    /// A file that rotates.
    File {
        /// Absolute.
        path: PathBuf,
        /// By time.
        rotate: Rotate,
        /// By size, in bytes.
        max_size: Option<u64>,
        /// Rotated files kept.
        keep: usize,
        /// Whether rotated files are gzipped.
        compress: bool,
    },
}

/// An app's own `log` settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AppLogPlan {
    /// Its `console` lines below it are not written.
    pub level: Level,
    /// Lines per second it may write, averaged over a second.
    pub max_lines: f64,
}

impl std::fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::String { secret: true, .. } => f.write_str("<secret>"),
            Self::String { value, .. } => write!(f, "{value:?}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "#{value}"),
            Self::Null => f.write_str("#null"),
        }
    }
}
