//! Log lines: made here, written by sinks.

use std::sync::Arc;

use crate::event::RequestId;
use crate::plan::Level;

/// The handle every part of nano logs through. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

struct Inner {}

impl Logs {
    /// The log of one app's own lines, with its level and quota.
    pub fn app(&self, _name: &Arc<str>, _plan: crate::plan::AppLogPlan) -> AppLog {
        AppLog(Arc::clone(&self.0))
    }
}

/// Where one app's own lines go: `console`, uncaught errors.
#[derive(Clone)]
pub struct AppLog(Arc<Inner>);

impl AppLog {
    /// Writes a line of kind `console`. What is over the app's quota is counted.
    pub fn console(&self, _level: Level, _request: Option<&RequestId>, _message: &str) {
        let _ = &self.0;
    }
}
