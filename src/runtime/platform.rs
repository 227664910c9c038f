//! V8's platform: process-wide flags, and the way V8's foreground tasks reach the thread of their isolate.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::icu;

/// Takes the tasks V8 posts for one isolate, from any thread.
pub(super) trait TaskSink: Send + Sync {
    /// Has the isolate's thread run `task` once `delay` is over.
    fn post(&self, task: v8::Task, delay: Duration);
}

/// Which isolate's tasks go where. A task for an isolate that is not (or no longer) listed is dropped, as V8 allows.
#[derive(Clone, Default)]
pub(super) struct Foreground(Arc<Mutex<FxHashMap<usize, Weak<dyn TaskSink>>>>);

impl Foreground {
    /// Sends the tasks of the isolate at `isolate` to `sink` from now on.
    pub(super) fn register(&self, isolate: *mut c_void, sink: Weak<dyn TaskSink>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(isolate as usize, sink);
    }

    /// Forgets an isolate.
    pub(super) fn unregister(&self, isolate: *mut c_void) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(isolate as usize));
    }

    fn post(&self, isolate: *mut c_void, task: v8::Task, delay: f64) {
        let sink =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(isolate as usize)).and_then(Weak::upgrade);
        // Without a sink the task is dropped here, outside the lock: its destructor is V8's code.
        if let Some(sink) = sink {
            sink.post(task, Duration::try_from_secs_f64(delay).unwrap_or_default());
        }
    }
}

impl v8::PlatformImpl for Foreground {
    fn post_task(&self, isolate: *mut c_void, task: v8::Task) {
        self.post(isolate, task, 0.0);
    }

    fn post_non_nestable_task(&self, isolate: *mut c_void, task: v8::Task) {
        self.post(isolate, task, 0.0);
    }

    fn post_delayed_task(&self, isolate: *mut c_void, task: v8::Task, delay: f64) {
        self.post(isolate, task, delay);
    }

    fn post_non_nestable_delayed_task(&self, isolate: *mut c_void, task: v8::Task, delay: f64) {
        self.post(isolate, task, delay);
    }

    // Idle tasks are not enabled; V8 posts none.
    fn post_idle_task(&self, _isolate: *mut c_void, task: v8::IdleTask) {
        drop(task);
    }
}

/// Starts V8. Call once, on the thread that starts every thread which will run JavaScript: V8 guards its code pages
/// with memory protection keys, which threads inherit. Tests run on threads of their harness, so they go without.
///
/// `max_wasm_memory` is the most bytes one WebAssembly memory may have.
pub(super) fn initialize(max_wasm_memory: usize) -> Foreground {
    const WASM_PAGE: usize = 64 * 1024;
    let flags = [
        // V8's helper threads serve every app and escape a worker's CPU clock: the collector stays on the thread
        // that made the garbage.
        "--single-threaded-gc".to_owned(),
        // In every isolate V8 keeps 2.7 KiB for each thread that it might mark with, seven of them. There is none.
        "--concurrent-marking-max-worker-num=1".to_owned(),
        "--wasm-num-compilation-tasks=1".to_owned(),
        format!("--wasm-max-mem-pages={}", max_wasm_memory.div_ceil(WASM_PAGE).clamp(1, 65536)),
        // The pages of an isolate that has ended go back to the kernel, not to a pool that nobody empties.
        "--no-memory-pool-share-memory-on-teardown".to_owned(),
        // Per context means by an embedder's callback, and there is none: no SharedArrayBuffer anywhere.
        "--enable-sharedarraybuffer-per-context".to_owned(),
        // With it, V8 leaves out the check by which code is ended in a loop around one it made itself: around
        // `new Array(1000)`, say. Nothing ends such a loop.
        "--no-turboshaft-loop-unrolling".to_owned(),
        // Stack of JavaScript in KiB; the workers' threads are given four times as much.
        "--stack-size=984".to_owned(),
    ];
    // V8 takes the first word for the program's name, and gives it back with what it does not know.
    let unknown = v8::V8::set_flags_from_command_line([vec!["nano".to_owned()], flags.to_vec()].concat());
    assert_eq!(unknown, ["nano"], "V8 knows its flags");
    icu::initialize();
    let foreground = Foreground::default();
    let platform = v8::new_custom_platform(1, false, cfg!(test), foreground.clone()).make_shared();
    v8::V8::initialize_platform(platform);
    v8::V8::initialize();
    foreground
}
