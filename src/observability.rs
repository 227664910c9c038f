//! What nano tells about itself: log lines to sinks, metrics to Prometheus.
//!
//! Both stand below everything else: whoever has something to say holds a handle ([`log::Logs`], [`log::AppLog`],
//! [`metrics::Metrics`], [`metrics::AppMetrics`]) and never waits for a disk or a lock that is held for long.

pub mod log;
pub mod metrics;
