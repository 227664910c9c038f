//! The text that Prometheus reads, made as it is sent: of 10,000 apps it is 35 MB.

use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use bytes::Bytes;

use super::app::{AppMetrics, OF_ISOLATES, OF_REQUESTS};

/// A piece ends where it is this long. To make one takes a fraction of a millisecond, for which other connections of
/// the thread wait.
const PIECE: usize = 16 * 1024;

/// A family whose series are apps' own.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    /// Writes one app's series.
    pub(super) write: fn(&AppMetrics, &mut Series<'_>),
}

pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// All metrics in the text format, a piece at a time. Each number is as it is when its piece is made.
pub struct Exposition {
    text: Vec<u8>,
    /// Sorted by name: the first is for what no app claims.
    apps: Vec<Arc<AppMetrics>>,
    family: usize,
    app: usize,
}

impl Exposition {
    /// Begins with the text of the process's own metrics.
    pub(super) fn new(process: Vec<u8>, apps: Vec<Arc<AppMetrics>>) -> Self {
        Self { text: process, apps, family: 0, app: 0 }
    }
}

impl Iterator for Exposition {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.text.len() < PIECE
            && let Some(family) = OF_REQUESTS.iter().chain(&OF_ISOLATES).nth(self.family)
        {
            if self.app == 0 {
                family.write_head(&mut self.text);
            }
            let Some(app) = self.apps.get(self.app) else {
                (self.family, self.app) = (self.family + 1, 0);
                continue;
            };
            // No isolate ever runs for what no app claims.
            if self.family < OF_REQUESTS.len() || !app.name().is_empty() {
                (family.write)(app, &mut Series::new(&mut self.text, family.name, app.name()));
            }
            self.app += 1;
        }
        (!self.text.is_empty()).then(|| std::mem::take(&mut self.text).into())
    }
}

impl Family {
    fn write_head(&self, text: &mut Vec<u8>) {
        let Self { name, help, .. } = self;
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        put(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }
}

/// One app's series of one family, being written.
pub(super) struct Series<'a> {
    text: &'a mut Vec<u8>,
    family: &'static str,
    app: &'a str,
}

impl<'a> Series<'a> {
    pub(super) fn new(text: &'a mut Vec<u8>, family: &'static str, app: &'a str) -> Self {
        Self { text, family, app }
    }

    /// A sample with labels beside `app`.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.part("", labels, value);
    }

    /// A sample for each value of one label.
    pub(super) fn samples<const N: usize>(&mut self, label: &str, values: [&str; N], numbers: &[impl Number; N]) {
        for (value, number) in values.iter().zip(numbers) {
            self.sample(&[(label, value)], number.load());
        }
    }

    /// A sample of a histogram, whose parts have a suffix.
    pub(super) fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        // Names of apps, and what labels are given here, hold nothing that would have to be escaped.
        for part in [self.family, suffix, "{app=\"", self.app, "\""] {
            self.text.extend_from_slice(part.as_bytes());
        }
        for (label, text) in labels {
            for part in [",", label, "=\"", text, "\""] {
                self.text.extend_from_slice(part.as_bytes());
            }
        }
        put(self.text, format_args!("}} {value}\n"));
    }
}

/// What counts.
pub(super) trait Number {
    fn load(&self) -> impl Display;
}

impl Number for AtomicU64 {
    fn load(&self) -> impl Display {
        self.load(Relaxed)
    }
}

impl Number for AtomicI64 {
    fn load(&self) -> impl Display {
        self.load(Relaxed)
    }
}

fn put(text: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("memory takes what is written");
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::super::Metrics;

    #[test]
    fn pieces_are_short_and_make_every_series_once() {
        let metrics = Metrics::new();
        let apps: Vec<_> = (0..300).map(|app| metrics.app(format!("app{app}"))).collect();
        let pieces: Vec<_> = metrics.render().collect();
        assert!(pieces.iter().all(|piece| piece.len() < 2 * super::PIECE));
        let text = String::from_utf8(pieces.concat()).unwrap();
        let samples: Vec<_> = text.lines().filter_map(|line| line.split_once("} ")).map(|(series, _)| series).collect();
        assert_eq!(samples.iter().collect::<HashSet<_>>().len(), samples.len());
        let mut by_app = HashMap::new();
        for app in samples.iter().filter_map(|series| series.split('"').nth(1)).filter(|app| app.starts_with("app")) {
            *by_app.entry(app).or_insert(0) += 1;
        }
        assert_eq!(by_app.len(), apps.len());
        assert!(by_app.values().all(|count| *count == by_app["app0"]), "{by_app:?}");
        for line in ["# TYPE nano_http_requests_total counter", "# TYPE nano_replays_total counter"] {
            assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line}");
        }
    }
}
