//! One app's series, each resolved once.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::{Counter, Histogram, IntCounter, IntGauge};

use super::Families;
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
const STARTS: [&str; 2] = ["generic", "cold"];
const MEMORY: [&str; 2] = ["heap", "external"];
/// Methods told apart (RFC 9110 §9.1, RFC 5789); every other counts as `other`, for clients choose them.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
/// Reasons an isolate is terminated for in the usual course: there from the start.
const REASONS: [ErrorCode; 3] = [ErrorCode::CpuLimit, ErrorCode::MemoryLimit, ErrorCode::Timeout];

/// One app's series.
pub struct AppMetrics {
    name: String,
    families: Arc<Families>,
    /// `nano_http_requests_total` by (method, status) seen so far, sorted.
    requests: ArcSwap<Vec<((usize, u16), IntCounter)>>,
    duration: Histogram,
    queue_wait: Histogram,
    in_flight: IntGauge,
    errors: [IntCounter; ErrorCode::ALL.len()],
    cpu: Counter,
    isolates: [IntGauge; STATES.len()],
    starts: [(IntCounter, Histogram); STARTS.len()],
    memory: [IntGauge; MEMORY.len()],
    replays: IntCounter,
}

impl AppMetrics {
    pub(super) fn new(name: &str, families: Arc<Families>) -> Self {
        let app = &[name];
        for reason in REASONS {
            families.terminations.with_label_values(&[name, reason.as_str()]);
        }
        Self {
            requests: ArcSwap::default(),
            duration: families.duration.with_label_values(app),
            queue_wait: families.queue_wait.with_label_values(app),
            in_flight: families.in_flight.with_label_values(app),
            errors: ErrorCode::ALL.map(|code| families.errors.with_label_values(&[name, code.as_str()])),
            cpu: families.cpu.with_label_values(app),
            isolates: STATES.map(|state| families.isolates.with_label_values(&[name, state])),
            starts: STARTS.map(|kind| {
                let count = families.isolate_starts.with_label_values(&[name, kind]);
                (count, families.isolate_start.with_label_values(&[kind]))
            }),
            memory: MEMORY.map(|kind| families.isolate_memory.with_label_values(&[name, kind])),
            replays: families.replays.with_label_values(app),
            name: name.to_owned(),
            families,
        }
    }

    /// Counts a request that was answered with `status`, `duration` after its head was read.
    pub fn request(&self, method: &str, status: u16, duration: Duration) {
        let method = METHODS.iter().position(|name| *name == method).unwrap_or(METHODS.len());
        let key = (method, status);
        let known = self.requests.load();
        match known.binary_search_by_key(&key, |entry| entry.0) {
            Ok(at) => known[at].1.inc(),
            Err(_) => self.first(key).inc(),
        }
        self.duration.observe(duration.as_secs_f64());
    }

    /// Notes how long a request waited for its handler to be called: in a queue, or for an isolate to start.
    pub fn queue_wait(&self, time: Duration) {
        self.queue_wait.observe(time.as_secs_f64());
    }

    /// The counter of a method and status not seen before.
    fn first(&self, key: (usize, u16)) -> IntCounter {
        let method = METHODS.get(key.0).copied().unwrap_or("other");
        let counter = self.families.requests.with_label_values(&[&self.name, method, &key.1.to_string()]);
        self.requests.rcu(|known| {
            let mut known = Vec::clone(known);
            if let Err(at) = known.binary_search_by_key(&key, |entry| entry.0) {
                known.insert(at, (key, counter.clone()));
            }
            known
        });
        counter
    }

    /// Adds to (or takes from) the requests being answered.
    pub fn in_flight(&self, delta: i64) {
        self.in_flight.add(delta);
    }

    /// Counts an error answer.
    pub fn error(&self, code: ErrorCode) {
        let at = ErrorCode::ALL.iter().position(|known| *known == code).expect("ALL holds every code");
        self.errors[at].inc();
    }

    /// Adds CPU time.
    pub fn cpu(&self, time: Duration) {
        self.cpu.inc_by(time.as_secs_f64());
    }

    /// Counts an isolate start and how long it took until the app was loaded.
    pub fn isolate_started(&self, kind: StartKind, took: Duration) {
        let (count, seconds) = &self.starts[kind as usize];
        count.inc();
        seconds.observe(took.as_secs_f64());
    }

    /// Moves an isolate from one state to another; `None` is before its start or after its end.
    pub fn isolate_state(&self, from: Option<IsolateState>, to: Option<IsolateState>) {
        if let Some(from) = from {
            self.isolates[from as usize].dec();
        }
        if let Some(to) = to {
            self.isolates[to as usize].inc();
        }
    }

    /// Adds to (or takes from) the memory in use.
    pub fn memory(&self, kind: MemoryKind, delta: i64) {
        self.memory[kind as usize].add(delta);
    }

    /// Counts an isolate that was terminated, by reason.
    pub fn terminated(&self, reason: ErrorCode) {
        self.families.terminations.with_label_values(&[self.name.as_str(), reason.as_str()]).inc();
    }

    /// Counts a replayed request.
    pub fn replayed(&self) {
        self.replays.inc();
    }

    /// Takes the series of requests out of their families. That one is missing is no error: some appear on demand.
    fn requests_leave(&self) {
        let (families, name) = (&*self.families, self.name.as_str());
        for ((method, status), _) in self.requests.load().iter() {
            let method = METHODS.get(*method).copied().unwrap_or("other");
            let _ = families.requests.remove_label_values(&[name, method, &status.to_string()]);
        }
        for code in ErrorCode::ALL {
            let _ = families.errors.remove_label_values(&[name, code.as_str()]);
        }
        let _ = families.duration.remove_label_values(&[name]);
        let _ = families.in_flight.remove_label_values(&[name]);
    }

    /// Takes the series of isolates out of their families.
    pub(super) fn isolates_leave(&self) {
        let (families, name) = (&*self.families, self.name.as_str());
        for code in ErrorCode::ALL {
            let _ = families.terminations.remove_label_values(&[name, code.as_str()]);
        }
        for state in STATES {
            let _ = families.isolates.remove_label_values(&[name, state]);
        }
        for kind in STARTS {
            let _ = families.isolate_starts.remove_label_values(&[name, kind]);
        }
        for kind in MEMORY {
            let _ = families.isolate_memory.remove_label_values(&[name, kind]);
        }
        let _ = families.cpu.remove_label_values(&[name]);
        let _ = families.queue_wait.remove_label_values(&[name]);
        let _ = families.replays.remove_label_values(&[name]);
    }
}

impl Drop for AppMetrics {
    fn drop(&mut self) {
        let families = Arc::clone(&self.families);
        let mut apps = families.apps.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have asked for the name after the last handle went and before this: the series are theirs now.
        if apps.get(&self.name).is_some_and(|app| app.strong_count() == 0) {
            apps.remove(&self.name);
            self.requests_leave();
            self.isolates_leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    fn text(metrics: &Metrics) -> String {
        String::from_utf8(metrics.render()).unwrap()
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
