//! Everything nano counts, and the text in which Prometheus reads it.
//!
//! The series of the process are in a registry of the `prometheus` crate. Those of an app are plain numbers in `app`:
//! counting a request looks no label up, and an app that nobody asks for is some hundred bytes of zeros. With a handle
//! for each of its 40 series in that registry it was 13 KiB. `exposition` writes both.

mod app;
mod exposition;
mod histogram;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::{Atomic, Collector, GenericCounterVec};
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use app::STARTS;
pub use app::{AppMetrics, IsolateState, MemoryKind, StartKind};
pub use exposition::Exposition;

/// From binding a ready isolate to loading a large app. Seconds.
const START_SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5];

/// All metrics of the process.
pub struct Metrics {
    families: Arc<Families>,
    unrouted: Arc<AppMetrics>,
}

/// The families of the process, and the apps there are.
struct Families {
    registry: Registry,
    /// The apps whose series exist, by name.
    apps: Mutex<HashMap<Arc<str>, Weak<AppMetrics>>>,
    isolate_start: [Histogram; STARTS.len()],
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
        let unrouted = Arc::new(AppMetrics::new("".into(), Arc::clone(&families)));
        let metrics = Self { families, unrouted };
        metrics.reload_succeeded();
        Arc::new(metrics)
    }

    /// The series of one app. They end when the last handle is dropped; until then, whoever asks for the same name
    /// shares them.
    pub fn app(&self, name: impl Into<Arc<str>>) -> Arc<AppMetrics> {
        let name = name.into();
        let mut apps = self.families.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(app) = apps.get(&name).and_then(Weak::upgrade) {
            return app;
        }
        let app = Arc::new(AppMetrics::new(Arc::clone(&name), Arc::clone(&self.families)));
        apps.insert(name, Arc::downgrade(&app));
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

    /// Ends the series of a listener that has left the plan, whatever connections it has left.
    pub fn forget_listener(&self, listener: &str) {
        // Without a connection there never was one.
        let _ = self.families.connections.remove_label_values(&[listener]);
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

    /// Everything, in the text format 0.0.4 (`text/plain; version=0.0.4`), piece by piece: of many apps it is long.
    pub fn render(&self) -> Exposition {
        let mut process = Vec::new();
        TextEncoder::new()
            .encode(&self.families.registry.gather(), &mut process)
            .expect("what the registry took can be written to memory");
        let mut apps: Vec<_> = {
            let apps = self.families.apps.lock().unwrap_or_else(PoisonError::into_inner);
            apps.values().filter_map(Weak::upgrade).collect()
        };
        apps.push(Arc::clone(&self.unrouted));
        apps.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        Exposition::new(process, apps)
    }
}

impl Families {
    fn new() -> Self {
        let registry = Registry::new();
        let new = Registrar(&registry);
        let starts = new.histogram(
            "nano_isolate_start_seconds",
            "From the order for an isolate until its app is loaded.",
            &["kind"],
            &START_SECONDS,
        );
        let families = Self {
            isolate_start: STARTS.map(|kind| starts.with_label_values(&[kind])),
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
