//! A worker: one thread with one isolate. This is its face to other threads; its own side is the event loop.

use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::event_loop::EventLoop;
use super::faults::Failure;
use super::mailbox::{Mailbox, Message};
use super::memory::{self, Account, Buffers};
use super::native::{Counting, Native};
use super::park::Spot;
use super::platform::TaskSink;
use super::pool::Pool;
use super::realm::Engine;
use super::room::Share;
use super::turn::{Turns, Verdict};
use super::{RuntimeInner, realm};
use crate::event::ErrorCode;
use crate::event::wake::{self, Held};

/// Stack of a worker's thread. JavaScript may use 984 KiB of it (a V8 flag); the rest is for V8's own native frames
/// above that and costs nothing until touched.
const STACK: usize = 4 << 20;

/// What other threads see of a worker.
pub(super) struct Worker {
    /// Unique in the process, never 0, below 2³¹.
    pub(super) number: u32,
    pub(super) mailbox: Mailbox,
    pub(super) turns: Turns,
    /// Where its thread may be parked; the thread enters it once the isolate is there.
    pub(super) spot: Spot,
    /// What the isolate was last seen to use.
    pub(super) account: Account,
    pub(super) buffers: Arc<Buffers>,
    pub(super) native: Arc<Native>,
    memory_limit: AtomicUsize,
    /// What its thread has sent without waking the receiver yet; set by the thread.
    pub(super) held: OnceLock<Arc<Held>>,
    /// Set by the thread once the isolate is there.
    isolate: OnceLock<v8::IsolateHandle>,
    /// Set once, when the worker is given its app.
    pub(super) pool: OnceLock<Arc<Pool>>,
    pub(super) share: Share,
}

impl Worker {
    /// Starts a worker that waits for an app.
    ///
    /// # Errors
    /// The kernel's, where it gives no thread.
    pub(super) fn spawn(runtime: &Arc<RuntimeInner>, number: u32) -> std::io::Result<Arc<Self>> {
        let limit = runtime.largest_memory.load(Ordering::Relaxed);
        let worker = Arc::new(Self {
            number,
            mailbox: Mailbox::default(),
            turns: Turns::new(),
            spot: Spot::new(),
            account: Account::default(),
            buffers: Buffers::new(limit),
            native: Arc::default(),
            memory_limit: AtomicUsize::new(limit),
            held: OnceLock::new(),
            isolate: OnceLock::new(),
            pool: OnceLock::new(),
            share: Share::default(),
        });
        // Here, where the error can be returned: it takes a few file descriptors.
        // What JavaScript began goes on without the event loop, which flushes too.
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(wake::flush).build()?;
        let (mine, runtime) = (Arc::clone(&worker), Arc::clone(runtime));
        runtime.room.enter();
        let home = Arc::clone(&runtime);
        let thread = std::thread::Builder::new().name(format!("worker-{number}")).stack_size(STACK);
        let spawned = thread.spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| run(&mine, &runtime, tokio))).is_err() {
                // A fault of ours, and of no request's: at least nobody waits for this worker.
                tracing::error!(
                    app = mine.app(),
                    "a worker ended by a mistake of nano's own; its clients were answered"
                );
                runtime.watchdog.unwatch(&mine);
                mine.answer_for(ErrorCode::IsolateLost);
            }
            runtime.room.leave(&mine);
            runtime.room.tell();
            wake::flush();
        });
        match spawned {
            Ok(_) => Ok(worker),
            Err(error) => {
                home.room.leave(&worker);
                Err(error)
            }
        }
    }

    /// Bytes of heap and external memory together.
    pub(super) fn memory_limit(&self) -> usize {
        self.memory_limit.load(Ordering::Relaxed)
    }

    pub(super) fn set_memory_limit(&self, limit: usize) {
        self.memory_limit.store(limit, Ordering::Relaxed);
        self.buffers.set_limit(limit);
        self.native.set_limit(limit);
    }

    /// Condemns the isolate and ends what it runs. Called on its own thread or by the watchdog.
    pub(super) fn convict(&self, verdict: Verdict) {
        self.turns.condemn(verdict);
        self.terminate();
    }

    /// Ends the running turn at the next point where V8 looks, and notes whose code ran there.
    pub(super) fn terminate(&self) {
        self.interrupt(end_turn);
    }

    /// Has the running turn checked against the memory limit.
    pub(super) fn check_memory(&self) {
        self.interrupt(check_memory);
    }

    fn interrupt(&self, callback: unsafe extern "C" fn(v8::UnsafeRawIsolatePtr, *mut c_void)) {
        if let Some(isolate) = self.isolate.get() {
            // The isolate's thread holds an `Arc` of this worker until the isolate is gone, and drops the
            // interrupts that never came to pass with it.
            isolate.request_interrupt(callback, std::ptr::from_ref(self).cast_mut().cast());
        }
    }

    /// The thread is given up: others answer its clients, the request at fault with `code`.
    pub(super) fn answer_for(&self, code: ErrorCode) {
        if let Some(pool) = self.pool.get() {
            pool.lost(self, code, Failure::Lost);
        }
    }

    /// The name of its app; empty while it has none.
    pub(super) fn app(&self) -> &str {
        self.pool.get().map_or("", |pool| &*pool.app.name)
    }
}

impl TaskSink for Worker {
    fn post(&self, task: v8::Task, delay: Duration) {
        self.mailbox.push(Message::Task(task, delay));
    }
}

unsafe extern "C" fn end_turn(isolate: v8::UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: see `interrupt`; V8 passes the isolate it has interrupted, entered on this thread.
    let (worker, mut isolate) = unsafe { (&*data.cast::<Worker>(), v8::Isolate::from_raw_isolate_ptr(isolate)) };
    worker.turns.blame(realm::current_request(&mut isolate));
    isolate.terminate_execution();
}

unsafe extern "C" fn check_memory(isolate: v8::UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: see `interrupt`; V8 passes the isolate it has interrupted, entered on this thread.
    let (worker, mut isolate) = unsafe { (&*data.cast::<Worker>(), v8::Isolate::from_raw_isolate_ptr(isolate)) };
    if !memory::sample(&mut isolate, worker, 0).1 {
        worker.turns.condemn(Verdict::Memory);
        worker.turns.blame(realm::current_request(&mut isolate));
        isolate.terminate_execution();
    }
}

thread_local! {
    /// The worker of this thread, for where nobody says which isolate it is about: where V8, or an allocator it calls, asks for
    /// memory or is out of it, and where a native function has panicked.
    static CURRENT: RefCell<Option<(Arc<Worker>, Arc<RuntimeInner>)>> = const { RefCell::new(None) };
}

/// The account that buffers made on the calling thread are charged to; `None` on a thread without a worker.
pub(super) fn current_buffers() -> Option<Arc<Buffers>> {
    CURRENT.with_borrow(|current| current.as_ref().map(|(worker, _)| Arc::clone(&worker.buffers)))
}

/// Condemns the isolate of the calling thread, if it is a worker's.
pub(super) fn convict_current(verdict: Verdict) {
    CURRENT.with_borrow(|current| current.iter().for_each(|(worker, _)| worker.convict(verdict)));
}

/// Gives up the worker of the calling thread, in the middle of whatever V8 was doing, and parks the thread for good: its
/// isolate cannot go on, the others can. On a thread without a worker there is nothing to save: the process ends.
pub(super) fn lose_current(verdict: Verdict) -> ! {
    CURRENT.with_borrow(|current| match current {
        Some((worker, runtime)) => {
            // It stands still as it is: V8 may be in the middle of anything.
            worker.spot.leave();
            worker.turns.condemn(verdict);
            runtime.watchdog.lose(worker, verdict);
            runtime.watchdog.keeps(worker);
            wake::flush();
        }
        None => end_process(),
    });
    loop {
        std::thread::park();
    }
}

#[expect(clippy::disallowed_methods, reason = "V8 would have done the same")]
fn end_process() -> ! {
    std::process::abort()
}

fn run(worker: &Arc<Worker>, runtime: &Arc<RuntimeInner>, tokio: tokio::runtime::Runtime) {
    worker.turns.adopt_thread();
    worker.held.get_or_init(wake::hold_back);
    CURRENT.set(Some((Arc::clone(worker), Arc::clone(runtime))));
    let mut engine = Engine::new(runtime, worker);
    // What every isolate has is not the app's.
    let counting = Counting::start(&worker.native);
    let spot = worker.spot.enter(runtime.watchdog.signal, &mut engine.isolate);
    worker.isolate.get_or_init(|| engine.isolate.thread_safe_handle());
    let tasks = tokio::task::LocalSet::new();
    let engine = tasks.block_on(&tokio, async { EventLoop::new(engine, worker, runtime).run().await });
    // What JavaScript began goes before the isolate does: it holds handles.
    drop(tasks);
    drop(engine);
    drop(counting);
    drop(spot);
    if worker.turns.is_lost() {
        runtime.watchdog.found();
    }
    CURRENT.set(None);
}
