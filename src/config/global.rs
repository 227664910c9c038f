//! The top of a file: the settings of the process, and which section decodes which node.

use std::time::Duration;

use super::decode::{Fields, home, repeated, suggestion};
use super::report::Problem;
use super::source::{Span, Spanned};
use super::value::{Text, Value};
use super::{App, Config, Listener, Log, Settings};

/// Everything a file may hold at its top.
const NAMES: [&str; 12] = [
    "app",
    "listener",
    "defaults",
    "log",
    "admin",
    "include",
    "state-dir",
    "io-threads",
    "memory-total",
    "drain",
    "lost-threads",
    "watch",
];

/// A day: what is meant to end should end within it.
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 3600);

/// Where those that may stand once were seen.
#[derive(Default)]
pub(super) struct Seen(Vec<(&'static str, Span)>);

/// `admin`
#[derive(Debug)]
pub struct Admin {
    /// An address and port, or `unix:` and a path.
    pub address: Option<Spanned<String>>,
    /// The folder a relative Unix path starts from.
    pub folder: std::path::PathBuf,
    /// Asked of whoever connects.
    pub token: Option<Spanned<Text>>,
}

/// Decodes one node of the top into `config`.
pub(super) fn decode(config: &mut Config, seen: &mut Seen, fields: Fields<'_>) {
    let written = fields.name();
    let Some(name) = NAMES.into_iter().find(|name| *name == written) else {
        let help = home(written).unwrap_or_else(|| suggestion(written, &NAMES));
        let problem = Problem::error(format!("unknown name `{written}`")).at(fields.name_span(), "not known here");
        return fields.cx.push(problem.help(help));
    };
    match name {
        "app" => return config.apps.extend(App::decode(fields)),
        "listener" => return config.listeners.extend(Listener::decode(fields)),
        _ => {}
    }
    if let Some((_, first)) = seen.0.iter().find(|(seen, _)| *seen == name) {
        return fields.cx.push(repeated(name, fields.name_span(), *first));
    }
    seen.0.push((name, fields.name_span()));
    match name {
        "log" => config.log = Some(Log::decode(fields)),
        "defaults" => config.defaults = Some(defaults(fields)),
        "admin" => config.admin = Some(Admin::decode(fields)),
        "state-dir" => config.state_dir = only(fields, "a path", |value| value.path("a path")),
        "io-threads" => config.io_threads = only(fields, "a count", |value| value.count(1..=1024)),
        "memory-total" => {
            config.memory_total = only(fields, "a size", |value| value.size(64 << 20..=1 << 50));
        }
        "drain" => {
            config.drain = only(fields, "a duration", |value| value.duration(Duration::ZERO..=LONGEST_DRAIN));
        }
        "lost-threads" => config.lost_threads = only(fields, "a count", |value| value.count(1..=10_000)),
        _ => config.watch = only(fields, "#true or #false", Value::bool),
    }
}

/// A node that is one value and nothing else.
pub(super) fn only<'a, T>(mut fields: Fields<'a>, what: &str, read: impl FnOnce(&Value<'a>) -> Option<T>) -> Option<T> {
    let value = fields.argument(what).and_then(|value| read(&value));
    fields.finish();
    value
}

fn defaults(fields: Fields<'_>) -> Settings {
    // An app's settings by another name: what is not available there is not available here.
    let mut fields = fields.placed("app");
    let settings = Settings::decode(&mut fields);
    fields.finish();
    settings
}

impl Admin {
    fn decode(mut fields: Fields<'_>) -> Self {
        let expected = "an address such as \"127.0.0.1:9090\" or \"unix:/run/nano/admin.sock\"";
        let address = fields.argument("an address").and_then(|value| value.string(expected));
        let token = fields.child("token").and_then(|fields| only(fields, "a secret", |value| value.secret("a string")));
        let folder = fields.cx.folder(fields.file);
        fields.finish();
        Self { address, folder, token }
    }
}
