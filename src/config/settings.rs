//! What an app may use and how it runs: the part of `app` that `defaults` may hold too.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::decode::{Fields, repeated, spanned_name};
use super::global::only;
use super::log::{LEVELS, Level};
use super::report::Problem;
use super::rule::Rule;
use super::source::Spanned;
use super::value::{Text, Value};

const MS: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Memory of one isolate: below, V8 cannot start; above, it is a mistyped unit.
const MEMORY: RangeInclusive<u64> = 4 << 20..=64 << 30;

/// Settings of an app, or of every app.
#[derive(Debug, Default)]
pub struct Settings {
    /// `limits`
    pub limits: Limits,
    /// `idle`
    pub idle: Option<Spanned<Duration>>,
    /// `replay`
    pub replay: Option<Spanned<bool>>,
    /// `context`: whether every request has a global scope of its own
    pub fresh_context: Option<Spanned<bool>>,
    /// `env`
    pub env: Vec<EnvVar>,
    /// `log`
    pub log: AppLog,
    /// `fetch`
    pub fetch: Fetch,
    /// `rate-limit`
    pub rate_limit: Option<RateLimit>,
    /// `cache`, in bytes
    pub cache: Option<Spanned<u64>>,
}

/// `limits`
#[derive(Debug, Default, Clone)]
pub struct Limits {
    /// `memory`, in bytes
    pub memory: Option<Spanned<u64>>,
    /// `cpu`
    pub cpu: Option<Spanned<Duration>>,
    /// `wall`
    pub wall: Option<Spanned<Duration>>,
    /// `startup`
    pub startup: Option<Spanned<Duration>>,
    /// `wait-until`
    pub wait_until: Option<Spanned<Duration>>,
    /// `body`, in bytes
    pub body: Option<Spanned<u64>>,
    /// `concurrency`
    pub concurrency: Option<Spanned<usize>>,
    /// `queue`
    pub queue: Option<Spanned<usize>>,
    /// `isolates`
    pub isolates: Option<Spanned<usize>>,
}

/// One name of `env`.
#[derive(Debug, Clone)]
pub struct EnvVar {
    /// What the app reads.
    pub name: Spanned<String>,
    /// What it finds.
    pub value: EnvVarValue,
}

/// A value of `env`.
#[derive(Debug, Clone)]
pub enum EnvVarValue {
    /// A string, perhaps a secret.
    Text(Text),
    /// A number JavaScript can hold.
    Number(f64),
    /// `#true` or `#false`.
    Bool(bool),
    /// `#null`.
    Null,
}

/// An app's `log`.
#[derive(Debug, Default)]
pub struct AppLog {
    /// `level`
    pub level: Option<Spanned<Level>>,
    /// `max-lines`, per second
    pub max_lines: Option<Spanned<f64>>,
}

/// `fetch`: what an app may reach.
#[derive(Debug, Default, Clone)]
pub struct Fetch {
    /// `allow`; `None` where nothing was said
    pub allow: Option<Vec<Spanned<Rule>>>,
    /// `deny`; `None` where nothing was said
    pub deny: Option<Vec<Spanned<Rule>>>,
    /// `max-connections`
    pub max_connections: Option<Spanned<usize>>,
}

/// `rate-limit`
#[derive(Debug)]
pub struct RateLimit {
    /// Requests per second.
    pub rate: Spanned<f64>,
    /// `burst`
    pub burst: Option<Spanned<usize>>,
    /// `by`
    pub by: Option<Spanned<RateKey>>,
}

/// What a rate is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateKey {
    /// The client's address.
    Client,
    /// The whole app.
    App,
}

impl Settings {
    pub(super) fn decode(fields: &mut Fields<'_>) -> Self {
        let context = [("shared", false), ("fresh", true)];
        Self {
            limits: fields.child("limits").map(Limits::decode).unwrap_or_default(),
            idle: fields
                .child("idle")
                .and_then(|fields| only(fields, "a duration", |value| value.duration(MS..=30 * DAY))),
            replay: fields.child("replay").and_then(|fields| only(fields, "#true or #false", Value::bool)),
            fresh_context: fields
                .child("context")
                .and_then(|fields| only(fields, "\"shared\" or \"fresh\"", |value| value.word(&context))),
            env: fields.child("env").map(env).unwrap_or_default(),
            log: fields.child("log").map(AppLog::decode).unwrap_or_default(),
            fetch: fields.child("fetch").map(Fetch::decode).unwrap_or_default(),
            rate_limit: fields.child("rate-limit").and_then(RateLimit::decode),
            cache: fields
                .child("cache")
                .and_then(|fields| only(fields, "a size", |value| value.size(1 << 20..=1 << 40))),
        }
    }
}

impl Limits {
    fn decode(mut fields: Fields<'_>) -> Self {
        let time = |value: Value<'_>| value.duration(MS..=DAY);
        let limits = Self {
            memory: fields.property("memory").and_then(|value| value.size(MEMORY)),
            cpu: fields.property("cpu").and_then(time),
            wall: fields.property("wall").and_then(time),
            startup: fields.property("startup").and_then(time),
            wait_until: fields.property("wait-until").and_then(|value| value.duration(Duration::ZERO..=DAY)),
            body: fields.property("body").and_then(|value| value.size(0..=1 << 40)),
            concurrency: fields.property("concurrency").and_then(|value| value.count(1..=100_000)),
            queue: fields.property("queue").and_then(|value| value.count(0..=1_000_000)),
            isolates: fields.property("isolates").and_then(|value| value.count(1..=1024)),
        };
        fields.finish();
        limits
    }

    /// These where they are given, else those of `defaults`.
    pub fn over(&self, defaults: &Self) -> Self {
        Self {
            memory: self.memory.or(defaults.memory),
            cpu: self.cpu.or(defaults.cpu),
            wall: self.wall.or(defaults.wall),
            startup: self.startup.or(defaults.startup),
            wait_until: self.wait_until.or(defaults.wait_until),
            body: self.body.or(defaults.body),
            concurrency: self.concurrency.or(defaults.concurrency),
            queue: self.queue.or(defaults.queue),
            isolates: self.isolates.or(defaults.isolates),
        }
    }
}

fn env(mut fields: Fields<'_>) -> Vec<EnvVar> {
    let mut all: Vec<EnvVar> = Vec::new();
    for mut child in fields.any_children() {
        let name = spanned_name(&child);
        if let Some(first) = all.iter().find(|known| known.name.value == name.value) {
            child.cx.push(repeated(&name.value, name.span, first.name.span));
            continue;
        }
        let value = child.argument("a value").and_then(|value| value.env());
        child.finish();
        all.extend(value.map(|value| EnvVar { name, value }));
    }
    fields.finish();
    all
}

impl Value<'_> {
    fn env(&self) -> Option<EnvVarValue> {
        use kdl::KdlValue;

        let expected = "a string, a number, #true, #false or #null";
        if let (Some(_), false) = (self.entry.ty(), matches!(self.entry.value(), KdlValue::String(_))) {
            return self.secret("a path or a name in quotes").map(|text| EnvVarValue::Text(text.value));
        }
        match self.entry.value() {
            KdlValue::String(_) => self.secret(expected).map(|text| EnvVarValue::Text(text.value)),
            KdlValue::Integer(number) if number.unsigned_abs() <= 1 << 53 => Some(EnvVarValue::Number(*number as f64)),
            KdlValue::Integer(number) => {
                self.cx.push(
                    Problem::error(format!("JavaScript has no exact number {number}"))
                        .at(self.span, "expected at most 9007199254740992")
                        .help(format!("as a string it stays exact: \"{number}\"")),
                );
                None
            }
            KdlValue::Float(number) => Some(EnvVarValue::Number(*number)),
            KdlValue::Bool(value) => Some(EnvVarValue::Bool(*value)),
            KdlValue::Null => Some(EnvVarValue::Null),
        }
    }
}

impl AppLog {
    fn decode(mut fields: Fields<'_>) -> Self {
        let log = Self {
            level: fields.property("level").and_then(|value| value.word(&LEVELS)),
            max_lines: fields.property("max-lines").and_then(|value| value.rate()),
        };
        fields.finish();
        log
    }
}

impl Fetch {
    fn decode(mut fields: Fields<'_>) -> Self {
        let fetch = Self {
            allow: rules(&mut fields, "allow"),
            deny: rules(&mut fields, "deny"),
            max_connections: fields
                .child("max-connections")
                .and_then(|fields| only(fields, "a count", |value| value.count(1..=100_000))),
        };
        fields.finish();
        fetch
    }
}

/// The rules of every child called `name`, or `None` where there is no such child.
fn rules(fields: &mut Fields<'_>, name: &'static str) -> Option<Vec<Spanned<Rule>>> {
    let nodes = fields.children(name);
    let said = !nodes.is_empty();
    let mut all = Vec::new();
    for mut node in nodes {
        all.extend(node.arguments("a rule").iter().filter_map(Value::rule));
        node.finish();
    }
    said.then_some(all)
}

impl RateLimit {
    fn decode(mut fields: Fields<'_>) -> Option<Self> {
        let rate = fields.argument("a rate").and_then(|value| value.rate());
        let burst = fields.property("burst").and_then(|value| value.count(1..=1_000_000));
        let by =
            fields.property("by").and_then(|value| value.word(&[("client", RateKey::Client), ("app", RateKey::App)]));
        fields.finish();
        Some(Self { rate: rate?, burst, by })
    }
}
