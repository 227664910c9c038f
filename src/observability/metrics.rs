//! The metrics of DESIGN §8.

use std::sync::Arc;
use std::time::Duration;

use crate::event::ErrorCode;

/// All metrics of the process.
pub struct Metrics {}

impl Metrics {
    /// The series of one app. They leave the registry when the last handle is dropped.
    pub fn app(self: &Arc<Self>, _name: &str) -> Arc<AppMetrics> {
        Arc::new(AppMetrics {})
    }

    /// Sets `nano_lost_threads`.
    pub fn lost_threads(&self, _count: usize) {}
}

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

/// One app's series.
pub struct AppMetrics {}

impl AppMetrics {
    /// Counts an error answer.
    pub fn error(&self, _code: ErrorCode) {}

    /// Adds CPU time.
    pub fn cpu(&self, _time: Duration) {}

    /// Counts an isolate start and how long it took until the app was loaded.
    pub fn isolate_started(&self, _kind: StartKind, _took: Duration) {}

    /// Moves an isolate from one state to another; `None` is before its start or after its end.
    pub fn isolate_state(&self, _from: Option<IsolateState>, _to: Option<IsolateState>) {}

    /// Adds to (or takes from) the memory in use.
    pub fn memory(&self, _kind: MemoryKind, _delta: i64) {}

    /// Counts an isolate that was terminated, by reason.
    pub fn terminated(&self, _reason: ErrorCode) {}

    /// Counts a replayed request.
    pub fn replayed(&self) {}
}
