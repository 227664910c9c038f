//! One app's series.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::Families;
use super::exposition::{Family, Kind};
use super::histogram::{Histogram, nanos};
use crate::event::ErrorCode;

/// What an isolate is doing, for `nano_isolates{state}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolateState {
    /// Loading its app.
    Starting,
    /// Answering requests.
    Busy,
    /// Loaded, without a request.
    Idle,
}

/// How an isolate came to be, for `nano_isolate_starts_total{kind}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartKind {
    /// From a generic worker that was ready.
    Generic,
    /// From nothing but the snapshot.
    Cold,
}

/// A kind of memory, for `nano_isolate_memory_bytes{kind}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryKind {
    /// V8's heap.
    Heap,
    /// ArrayBuffers, wasm memories and other memory outside the heap.
    External,
}

/// Label values, in the order of the enums above.
const STATES: [&str; 3] = ["starting", "busy", "idle"];
pub(super) const STARTS: [&str; 2] = ["generic", "cold"];
const MEMORY: [&str; 2] = ["heap", "external"];
/// Methods told apart (RFC 9110 §9.1, RFC 5789); every other counts as `other`, for clients choose them.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
/// Reasons an isolate is terminated for in the usual course: shown even before it has happened.
const REASONS: [ErrorCode; 3] = [ErrorCode::CpuLimit, ErrorCode::MemoryLimit, ErrorCode::Timeout];

/// Requests by method (a place in [`METHODS`], or one past them) and status, those seen so far, sorted.
type Requests = Vec<((usize, u16), Arc<AtomicU64>)>;

/// One app's series, or those of the requests that no app claims.
pub struct AppMetrics {
    name: Arc<str>,
    families: Arc<Families>,
    requests: ArcSwap<Requests>,
    duration: Histogram,
    queue_wait: Histogram,
    in_flight: AtomicI64,
    errors: [AtomicU64; ErrorCode::ALL.len()],
    cpu_nanos: AtomicU64,
    isolates: [AtomicI64; STATES.len()],
    starts: [AtomicU64; STARTS.len()],
    memory: [AtomicI64; MEMORY.len()],
    terminations: [AtomicU64; ErrorCode::ALL.len()],
    replays: AtomicU64,
}

/// The families of an app's requests.
pub(super) static OF_REQUESTS: [Family; 4] = [
    Family {
        name: "nano_http_requests_total",
        help: "Requests answered.",
        kind: Kind::Counter,
        write: |app, series| {
            for ((method, status), count) in app.requests.load().iter() {
                let method = METHODS.get(*method).copied().unwrap_or("other");
                series.sample(
                    &[("method", method), ("status", itoa::Buffer::new().format(*status))],
                    count.load(Relaxed),
                );
            }
        },
    },
    Family {
        name: "nano_http_request_duration_seconds",
        help: "From the end of a request's head to the end of its response.",
        kind: Kind::Histogram,
        write: |app, series| app.duration.write(series),
    },
    Family {
        name: "nano_http_in_flight",
        help: "Requests being answered.",
        kind: Kind::Gauge,
        write: |app, series| series.sample(&[], app.in_flight.load(Relaxed)),
    },
    Family {
        name: "nano_errors_total",
        help: "Answers that are not the app's own.",
        kind: Kind::Counter,
        write: |app, series| series.samples("code", ErrorCode::ALL.map(ErrorCode::as_str), &app.errors),
    },
];

/// The families of an app's isolates. None runs for what no app claims.
pub(super) static OF_ISOLATES: [Family; 7] = [
    Family {
        name: "nano_queue_wait_seconds",
        help: "From a request's arrival at its app until its handler is called.",
        kind: Kind::Histogram,
        write: |app, series| app.queue_wait.write(series),
    },
    Family {
        name: "nano_cpu_seconds_total",
        help: "CPU time charged to an app.",
        kind: Kind::Counter,
        write: |app, series| {
            series.sample(&[], Duration::from_nanos(app.cpu_nanos.load(Relaxed)).as_secs_f64());
        },
    },
    Family {
        name: "nano_isolates",
        help: "Isolates of an app.",
        kind: Kind::Gauge,
        write: |app, series| series.samples("state", STATES, &app.isolates),
    },
    Family {
        name: "nano_isolate_starts_total",
        help: "Isolates started.",
        kind: Kind::Counter,
        write: |app, series| series.samples("kind", STARTS, &app.starts),
    },
    Family {
        name: "nano_isolate_memory_bytes",
        help: "Memory of an app's isolates.",
        kind: Kind::Gauge,
        write: |app, series| series.samples("kind", MEMORY, &app.memory),
    },
    Family {
        name: "nano_isolate_terminations_total",
        help: "Isolates ended for breaking a limit.",
        kind: Kind::Counter,
        write: |app, series| {
            for (reason, count) in ErrorCode::ALL.iter().zip(&app.terminations) {
                let count = count.load(Relaxed);
                if count > 0 || REASONS.contains(reason) {
                    series.sample(&[("reason", reason.as_str())], count);
                }
            }
        },
    },
    Family {
        name: "nano_replays_total",
        help: "Requests replayed on a fresh isolate.",
        kind: Kind::Counter,
        write: |app, series| series.sample(&[], app.replays.load(Relaxed)),
    },
];

impl AppMetrics {
    pub(super) fn new(name: Arc<str>, families: Arc<Families>) -> Self {
        Self {
            name,
            families,
            requests: ArcSwap::default(),
            duration: Histogram::default(),
            queue_wait: Histogram::default(),
            in_flight: AtomicI64::default(),
            errors: Default::default(),
            cpu_nanos: AtomicU64::default(),
            isolates: Default::default(),
            starts: Default::default(),
            memory: Default::default(),
            terminations: Default::default(),
            replays: AtomicU64::default(),
        }
    }

    /// The label `app`: empty for what no app claims.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Counts a request that was answered with `status`, `duration` after its head was read.
    pub fn request(&self, method: &str, status: u16, duration: Duration) {
        let method = METHODS.iter().position(|name| *name == method).unwrap_or(METHODS.len());
        let key = (method, status);
        let known = self.requests.load();
        match known.binary_search_by_key(&key, |entry| entry.0) {
            Ok(at) => known[at].1.fetch_add(1, Relaxed),
            Err(_) => self.first(key).fetch_add(1, Relaxed),
        };
        self.duration.observe(duration);
    }

    /// Notes how long a request waited for its handler to be called: in a queue, or for an isolate to start.
    pub fn queue_wait(&self, time: Duration) {
        self.queue_wait.observe(time);
    }

    /// The counter of a method and status not seen before.
    fn first(&self, key: (usize, u16)) -> Arc<AtomicU64> {
        let mut counter = Arc::default();
        self.requests.rcu(|known| {
            let mut known = Vec::clone(known);
            match known.binary_search_by_key(&key, |entry| entry.0) {
                // Another thread was faster.
                Ok(at) => counter = Arc::clone(&known[at].1),
                Err(at) => known.insert(at, (key, Arc::clone(&counter))),
            }
            known
        });
        counter
    }

    /// Adds to (or takes from) the requests being answered.
    pub fn in_flight(&self, delta: i64) {
        self.in_flight.fetch_add(delta, Relaxed);
    }

    /// Counts an error answer.
    pub fn error(&self, code: ErrorCode) {
        self.errors[place(code)].fetch_add(1, Relaxed);
    }

    /// Adds CPU time.
    pub fn cpu(&self, time: Duration) {
        self.cpu_nanos.fetch_add(nanos(time), Relaxed);
    }

    /// Counts an isolate start and how long it took until the app was loaded.
    pub fn isolate_started(&self, kind: StartKind, took: Duration) {
        self.starts[kind as usize].fetch_add(1, Relaxed);
        self.families.isolate_start[kind as usize].observe(took.as_secs_f64());
    }

    /// Moves an isolate from one state to another; `None` is before its start or after its end.
    pub fn isolate_state(&self, from: Option<IsolateState>, to: Option<IsolateState>) {
        if let Some(from) = from {
            self.isolates[from as usize].fetch_sub(1, Relaxed);
        }
        if let Some(to) = to {
            self.isolates[to as usize].fetch_add(1, Relaxed);
        }
    }

    /// Adds to (or takes from) the memory in use.
    pub fn memory(&self, kind: MemoryKind, delta: i64) {
        self.memory[kind as usize].fetch_add(delta, Relaxed);
    }

    /// Counts an isolate that was terminated, by reason.
    pub fn terminated(&self, reason: ErrorCode) {
        self.terminations[place(reason)].fetch_add(1, Relaxed);
    }

    /// Counts a replayed request.
    pub fn replayed(&self) {
        self.replays.fetch_add(1, Relaxed);
    }
}

/// Where a code's counter is.
fn place(code: ErrorCode) -> usize {
    ErrorCode::ALL.iter().position(|known| *known == code).expect("ALL holds every code")
}

impl Drop for AppMetrics {
    fn drop(&mut self) {
        let mut apps = self.families.apps.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have asked for the name after the last handle went and before this: the place is theirs now.
        if apps.get(&self.name).is_some_and(|app| app.strong_count() == 0) {
            apps.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    fn text(metrics: &Metrics) -> String {
        String::from_utf8(metrics.render().flatten().collect()).unwrap()
    }

    /// The value of one series, as text.
    fn value(metrics: &Metrics, series: &str) -> Option<String> {
        let text = text(metrics);
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
    }

    #[test]
    fn every_family_is_there_from_the_start() {
        let metrics = Metrics::new();
        let app = metrics.app("shop");
        app.request("GET", 200, Duration::from_millis(3));
        metrics.connection_gauge("web").inc();
        metrics.lines_dropped("stdout", "quota");
        let text = text(&metrics);
        for series in [
            r#"nano_http_requests_total{app="shop",method="GET",status="200"} 1"#,
            r#"nano_http_request_duration_seconds_count{app="shop"} 1"#,
            r#"nano_queue_wait_seconds_count{app="shop"} 0"#,
            r#"nano_http_in_flight{app="shop"} 0"#,
            r#"nano_errors_total{app="shop",code="cpu_limit"} 0"#,
            r#"nano_errors_total{app="",code="no_route"} 0"#,
            r#"nano_cpu_seconds_total{app="shop"} 0"#,
            r#"nano_isolates{app="shop",state="busy"} 0"#,
            r#"nano_isolate_starts_total{app="shop",kind="cold"} 0"#,
            r#"nano_isolate_start_seconds_count{kind="generic"} 0"#,
            r#"nano_isolate_memory_bytes{app="shop",kind="heap"} 0"#,
            r#"nano_isolate_terminations_total{app="shop",reason="memory_limit"} 0"#,
            r#"nano_replays_total{app="shop"} 0"#,
            "nano_lost_threads 0",
            r#"nano_reloads_total{result="failure"} 0"#,
            "nano_config_last_reload_successful 1",
            "nano_config_last_reload_success_timestamp_seconds ",
            r#"nano_log_lines_dropped_total{reason="quota",sink="stdout"} 0"#,
            r#"nano_connections{listener="web"} 1"#,
            "nano_build_info{v8=",
            "process_resident_memory_bytes ",
        ] {
            assert!(text.lines().any(|line| line.starts_with(series)), "{series} is missing from:\n{text}");
        }
        assert!(!text.contains(r#"nano_isolates{app="","#), "what no app claims has no isolates");
    }

    #[test]
    fn requests_are_told_apart_by_method_and_status() {
        let metrics = Metrics::new();
        let app = metrics.app("a");
        for (method, status) in [("GET", 200), ("POST", 200), ("GET", 200), ("BREW", 418), ("get", 200)] {
            app.request(method, status, Duration::ZERO);
        }
        let count = |method, status| {
            value(&metrics, &format!("nano_http_requests_total{{app=\"a\",method=\"{method}\",status=\"{status}\"}}"))
        };
        assert_eq!(count("GET", 200).as_deref(), Some("2"));
        assert_eq!(count("POST", 200).as_deref(), Some("1"));
        assert_eq!(count("other", 418).as_deref(), Some("1"));
        assert_eq!(count("other", 200).as_deref(), Some("1"));
    }

    #[test]
    fn an_isolate_is_in_one_state_at_a_time() {
        let metrics = Metrics::new();
        let app = metrics.app("a");
        app.isolate_state(None, Some(IsolateState::Starting));
        app.isolate_state(Some(IsolateState::Starting), Some(IsolateState::Idle));
        let states =
            || STATES.map(|state| value(&metrics, &format!("nano_isolates{{app=\"a\",state=\"{state}\"}}")).unwrap());
        assert_eq!(states(), ["0", "0", "1"]);
        app.isolate_state(Some(IsolateState::Idle), None);
        assert_eq!(states(), ["0", "0", "0"]);
    }

    #[test]
    fn an_app_that_leaves_takes_its_series_along() {
        let metrics = Metrics::new();
        let app = metrics.app("gone");
        app.request("GET", 200, Duration::ZERO);
        app.terminated(ErrorCode::IsolateLost);
        app.error(ErrorCode::AppError);
        let stays = metrics.app("stays");
        drop(app);
        let text = text(&metrics);
        assert!(!text.contains("gone"), "{text}");
        assert!(text.contains("stays"));
        drop(stays);
    }

    #[test]
    fn generations_of_an_app_share_its_series() {
        let metrics = Metrics::new();
        let old = metrics.app("a");
        old.replayed();
        let new = metrics.app("a");
        drop(old);
        new.replayed();
        assert_eq!(value(&metrics, r#"nano_replays_total{app="a"}"#).as_deref(), Some("2"));
        drop(new);
        assert_eq!(value(&metrics, r#"nano_replays_total{app="a"}"#), None);
        metrics.app("a").replayed();
    }

    #[test]
    fn a_failed_reload_leaves_the_time_of_the_last_good_one() {
        let metrics = Metrics::new();
        let at = value(&metrics, "nano_config_last_reload_success_timestamp_seconds");
        metrics.reload(false);
        assert_eq!(value(&metrics, "nano_config_last_reload_successful").as_deref(), Some("0"));
        assert_eq!(value(&metrics, "nano_config_last_reload_success_timestamp_seconds"), at);
        metrics.reload(true);
        assert_eq!(value(&metrics, "nano_config_last_reload_successful").as_deref(), Some("1"));
        assert_eq!(value(&metrics, r#"nano_reloads_total{result="failure"}"#).as_deref(), Some("1"));
    }
}
