//! Everything nano counts, in a Prometheus registry of its own.
//!
//! This file owns the families, by name and labels, and the series of the process. An app's series are in `app`,
//! resolved once, so that counting a request looks no label up.

mod app;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::{Atomic, Collector, GenericCounterVec};
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    CounterVec, Encoder, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

pub use app::{AppMetrics, IsolateState, MemoryKind, StartKind};

/// From half a millisecond, what a warm app takes, to half a minute, the default wall limit. Seconds.
const REQUEST_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// From binding a ready isolate to loading a large app. Seconds.
const START_SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5];

/// All metrics of the process.
pub struct Metrics {
    families: Arc<Families>,
    unrouted: AppMetrics,
}

/// Every family there is.
struct Families {
    registry: Registry,
    /// The apps whose series exist, by name.
    apps: Mutex<HashMap<String, Weak<AppMetrics>>>,
    requests: IntCounterVec,
    duration: HistogramVec,
    queue_wait: HistogramVec,
    in_flight: IntGaugeVec,
    errors: IntCounterVec,
    cpu: CounterVec,
    isolates: IntGaugeVec,
    isolate_starts: IntCounterVec,
    isolate_start: HistogramVec,
    isolate_memory: IntGaugeVec,
    terminations: IntCounterVec,
    replays: IntCounterVec,
    lost_threads: IntGauge,
    reloads: IntCounterVec,
    reload_ok: IntGauge,
    reload_at: Gauge,
    lines_dropped: IntCounterVec,
    connections: IntGaugeVec,
}

impl Metrics {
    /// A registry with every family in it. A process that counts has a configuration that works: the last reload
    /// is taken to have been now, and successful.
    pub fn new() -> Arc<Self> {
        let families = Arc::new(Families::new());
        let unrouted = AppMetrics::new("", Arc::clone(&families));
        // No isolate ever runs for those.
        unrouted.isolates_leave();
        let metrics = Self { families, unrouted };
        metrics.reload_succeeded();
        Arc::new(metrics)
    }

    /// The series of one app. They leave the registry when the last handle is dropped; until then, whoever asks for
    /// the same name shares them.
    pub fn app(self: &Arc<Self>, name: &str) -> Arc<AppMetrics> {
        let mut apps = self.families.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(app) = apps.get(name).and_then(Weak::upgrade) {
            return app;
        }
        let app = Arc::new(AppMetrics::new(name, Arc::clone(&self.families)));
        apps.insert(name.to_owned(), Arc::downgrade(&app));
        app
    }

    /// The series of requests that no app claims: their `app` label is empty.
    pub fn unrouted(&self) -> &AppMetrics {
        &self.unrouted
    }

    /// Open connections of a listener, by its name.
    pub fn connection_gauge(&self, listener: &str) -> IntGauge {
        self.families.connections.with_label_values(&[listener])
    }

    /// Sets `nano_lost_threads`.
    pub fn lost_threads(&self, count: usize) {
        self.families.lost_threads.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a reload.
    pub fn reload(&self, ok: bool) {
        self.families.reloads.with_label_values(&[if ok { "success" } else { "failure" }]).inc();
        if ok {
            self.reload_succeeded();
        } else {
            self.families.reload_ok.set(0);
        }
    }

    fn reload_succeeded(&self) {
        self.families.reload_ok.set(1);
        self.families.reload_at.set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    }

    /// Log lines that a sink did not write, by reason: `queue_full`, `write_error` or `quota`.
    pub fn lines_dropped(&self, sink: &str, reason: &str) -> IntCounter {
        self.families.lines_dropped.with_label_values(&[sink, reason])
    }

    /// Everything, in the text format 0.0.4 (`text/plain; version=0.0.4`).
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.families.registry.gather(), &mut text)
            .expect("what the registry took can be written to memory");
        text
    }
}

impl Families {
    fn new() -> Self {
        let registry = Registry::new();
        let new = Registrar(&registry);
        let families = Self {
            requests: new.counter("nano_http_requests_total", "Requests answered.", &["app", "method", "status"]),
            duration: new.histogram(
                "nano_http_request_duration_seconds",
                "From the end of a request's head to the end of its response.",
                &["app"],
                &REQUEST_SECONDS,
            ),
            queue_wait: new.histogram(
                "nano_queue_wait_seconds",
                "From a request's arrival at its app until its handler is called.",
                &["app"],
                &REQUEST_SECONDS,
            ),
            in_flight: new.gauge("nano_http_in_flight", "Requests being answered.", &["app"]),
            errors: new.counter("nano_errors_total", "Answers that are not the app's own.", &["app", "code"]),
            cpu: new.add(CounterVec::new(opts("nano_cpu_seconds_total", "CPU time charged to an app."), &["app"])),
            isolates: new.gauge("nano_isolates", "Isolates of an app.", &["app", "state"]),
            isolate_starts: new.counter("nano_isolate_starts_total", "Isolates started.", &["app", "kind"]),
            isolate_start: new.histogram(
                "nano_isolate_start_seconds",
                "From the order for an isolate until its app is loaded.",
                &["kind"],
                &START_SECONDS,
            ),
            isolate_memory: new.gauge("nano_isolate_memory_bytes", "Memory of an app's isolates.", &["app", "kind"]),
            terminations: new.counter(
                "nano_isolate_terminations_total",
                "Isolates ended for breaking a limit.",
                &["app", "reason"],
            ),
            replays: new.counter("nano_replays_total", "Requests replayed on a fresh isolate.", &["app"]),
            lost_threads: new.add(IntGauge::new("nano_lost_threads", "Threads that V8 never gave back.")),
            reloads: new.counter("nano_reloads_total", "Reloads of the configuration.", &["result"]),
            reload_ok: new.add(IntGauge::new(
                "nano_config_last_reload_successful",
                "Whether the last attempt to load the configuration succeeded.",
            )),
            reload_at: new.add(Gauge::new(
                "nano_config_last_reload_success_timestamp_seconds",
                "When the configuration was last loaded with success.",
            )),
            lines_dropped: new.counter(
                "nano_log_lines_dropped_total",
                "Log lines a sink did not write.",
                &["sink", "reason"],
            ),
            connections: new.gauge("nano_connections", "Open connections.", &["listener"]),
            apps: Mutex::default(),
            registry: registry.clone(),
        };
        let build = new.gauge("nano_build_info", "What is running: always 1.", &["version", "v8"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), v8::VERSION_STRING]).set(1);
        for result in ["success", "failure"] {
            families.reloads.with_label_values(&[result]);
        }
        registry.register(Box::new(ProcessCollector::for_self())).expect("the name is registered once");
        families
    }
}

/// Makes families. Names are fixed and distinct, so nothing here can fail.
struct Registrar<'a>(&'a Registry);

impl Registrar<'_> {
    fn add<C: Collector + Clone + 'static>(&self, collector: prometheus::Result<C>) -> C {
        let collector = collector.expect("the name and labels are valid");
        self.0.register(Box::new(collector.clone())).expect("the name is registered once");
        collector
    }

    fn counter<P: Atomic + 'static>(&self, name: &str, help: &str, labels: &[&str]) -> GenericCounterVec<P> {
        self.add(GenericCounterVec::new(opts(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(opts(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        self.add(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help)
}
