//! How long things took, counted by bounds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::exposition::Series;

/// From half a millisecond, what a warm app takes, to half a minute, the default wall limit; and as `le` shows them,
/// in seconds.
const BOUNDS: [(Duration, &str); 14] = [
    (Duration::from_micros(500), "0.0005"),
    (Duration::from_millis(1), "0.001"),
    (Duration::from_micros(2500), "0.0025"),
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(10), "0.01"),
    (Duration::from_millis(25), "0.025"),
    (Duration::from_millis(50), "0.05"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(250), "0.25"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_secs(1), "1"),
    (Duration::from_millis(2500), "2.5"),
    (Duration::from_secs(10), "10"),
    (Duration::from_secs(30), "30"),
];

/// A histogram of times.
#[derive(Default)]
pub(super) struct Histogram {
    /// Times up to each bound and over the one before; the last are over every bound.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, time: Duration) {
        let bucket = BOUNDS.iter().position(|(bound, _)| time <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos(time), Relaxed);
    }

    /// Writes its series, whose buckets hold what those before them hold, too.
    pub(super) fn write(&self, series: &mut Series<'_>) {
        let bounds = BOUNDS.iter().map(|(_, text)| *text).chain(["+Inf"]);
        let mut count = 0;
        for (bound, bucket) in bounds.zip(&self.buckets) {
            count += bucket.load(Relaxed);
            series.part("_bucket", &[("le", bound)], count);
        }
        series.part("_sum", &[], Duration::from_nanos(self.nanos.load(Relaxed)).as_secs_f64());
        series.part("_count", &[], count);
    }
}

/// A time as it is summed up: 584 years fit.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_rise_and_are_shown_in_seconds() {
        assert!(BOUNDS.is_sorted());
        for (bound, text) in BOUNDS {
            assert_eq!(bound.as_secs_f64().to_string(), text);
        }
    }

    #[test]
    fn a_bucket_holds_what_is_up_to_its_bound() {
        let histogram = Histogram::default();
        for micros in [0, 500, 501, 30_000_000, 30_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut text = Vec::new();
        histogram.write(&mut Series::new(&mut text, "t", "a"));
        let text = String::from_utf8(text).unwrap();
        for line in [
            r#"t_bucket{app="a",le="0.0005"} 2"#,
            r#"t_bucket{app="a",le="0.001"} 3"#,
            r#"t_bucket{app="a",le="10"} 3"#,
            r#"t_bucket{app="a",le="30"} 4"#,
            r#"t_bucket{app="a",le="+Inf"} 5"#,
            r#"t_sum{app="a"} 60.001002"#,
            r#"t_count{app="a"} 5"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from:\n{text}");
        }
    }
}
