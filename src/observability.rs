//! What nano tells about itself: log lines to sinks, metrics to Prometheus.

pub mod log;
pub mod metrics;
