//! Runs apps: one isolate to a thread, a pool of them to an app, a watchdog over all.
//!
//! A [`Pool`] takes an app's events and hands each to one of its workers through that worker's mailbox. The worker's
//! event loop runs JavaScript a turn at a time; the watchdog ends turns that break a limit. The platform's native
//! functions (`api`) reach their worker through its [`State`].

mod allocator;
mod code_cache;
mod event_loop;
mod exception;
mod exchange;
mod extension;
mod fatal;
mod faults;
mod fetches;
mod icu;
mod limits;
mod mailbox;
mod memory;
mod modules;
mod native;
mod pages;
mod park;
mod parts;
mod platform;
mod pool;
mod priority;
mod realm;
mod realms;
mod rejections;
mod room;
mod scripts;
mod snapshot;
mod sources;
mod state;
#[cfg(test)]
pub(crate) mod testing;
mod timers;
mod turn;
mod unsent;
mod watchdog;
mod worker;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::egress;
use crate::observability::log::AppLog;
use crate::observability::metrics::{AppMetrics, Metrics, StartKind};
use crate::plan::App;
use code_cache::CodeCache;
use park::Signal;
use platform::Foreground;
use room::{Admission, Room};
use snapshot::Snapshot;
use watchdog::Watchdog;
use worker::Worker;

pub(crate) use exception::describe as describe_exception;
pub use extension::{Extension, Op, Part, Platform, callback, guard};
pub(crate) use fetches::{Arriving, Input};
pub(crate) use limits::{has_room, has_room_for, is_condemned};
pub(crate) use memory::{Charge, buffer_of, buffer_with, bytes, charge, charged, hasten_collection};
pub use pool::{LoadError, Pool};
pub(crate) use realm::request_of;
pub use snapshot::SnapshotError;
pub(crate) use state::{HeadRef, State, of as state, started};
pub use watchdog::Lost;

/// Workers kept ready for an app to need one.
const READY: usize = 2;

/// What the runtime must know before any app.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Where nano keeps its own files: the code cache has a folder there.
    pub state_dir: PathBuf,
    /// The folders of apps.
    pub folders: Vec<PathBuf>,
    /// The largest `memory` limit of any app, in bytes.
    pub largest_memory: usize,
    /// Isolates that may be live at once.
    pub max_isolates: usize,
    /// Memory mappings that all of them may take together.
    pub max_mappings: usize,
    /// Bytes that all of them may take together.
    pub memory_total: usize,
}

/// Why the runtime did not start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The platform's own scripts failed.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The kernel gave no thread, or not the descriptors that one needs.
    #[error(
        "cannot start a thread: {0}; raise `ulimit -n` and `ulimit -u`, or LimitNOFILE= and TasksMax= of the service"
    )]
    Thread(#[from] std::io::Error),
    /// No signal is left by which a thread could be parked.
    #[error("cannot take a real-time signal: {0}")]
    Signal(std::io::Error),
}

/// V8, the snapshot, the workers that are ready, the watchdog. One to a process.
#[derive(Clone)]
pub struct Runtime(Arc<RuntimeInner>);

struct RuntimeInner {
    room: Room,
    /// The largest `memory` limit seen so far: what new isolates are made for.
    largest_memory: AtomicUsize,
    foreground: Foreground,
    snapshot: Snapshot,
    code_cache: Arc<CodeCache>,
    watchdog: Arc<Watchdog>,
    egress: Arc<egress::Shared>,
    ready: Mutex<Vec<Arc<Worker>>>,
    last_number: AtomicU32,
}

impl Runtime {
    /// Starts V8, makes the snapshot from `platform`, readies a few workers. Must be called once, on the main thread, before
    /// any other thread is started that will run JavaScript.
    ///
    /// # Errors
    /// See [`RuntimeError`].
    pub fn start(
        config: RuntimeConfig,
        platform: &'static Platform,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, RuntimeError> {
        let foreground = platform::initialize(config.largest_memory);
        let (code_cache, snapshot) = CodeCache::start(&config.state_dir, &config.folders, platform)?;
        let inner = Arc::new(RuntimeInner {
            room: Room::new(&config),
            largest_memory: AtomicUsize::new(config.largest_memory),
            foreground,
            code_cache,
            snapshot,
            watchdog: Watchdog::start(Arc::clone(metrics), Signal::install().map_err(RuntimeError::Signal)?)?,
            egress: Arc::default(),
            ready: Mutex::default(),
            last_number: AtomicU32::new(0),
        });
        inner.make_ready()?;
        Ok(Self(inner))
    }

    /// A pool for one generation of an app. No worker starts before the first request.
    pub fn pool(&self, app: Arc<App>, log: AppLog, metrics: Arc<AppMetrics>) -> Arc<Pool> {
        self.0.code_cache.keep_out_of(&app.folder);
        Pool::new(Arc::clone(&self.0), app, log, metrics)
    }

    /// Where nano itself listens from now on: apps are kept away from there.
    pub fn set_own_addresses(&self, addresses: Vec<egress::OwnAddress>) {
        self.0.egress.own.set(addresses);
    }

    /// How much memory all isolates may take together from now on, in bytes.
    pub fn set_memory_total(&self, bytes: usize) {
        self.0.room.resize(bytes);
    }

    /// The threads that V8 has not given back.
    pub fn lost(&self) -> watch::Receiver<Lost> {
        self.0.watchdog.lost()
    }
}

impl RuntimeInner {
    /// A worker without an app whose isolate may have `memory` bytes: one that is ready, else a new one. `None` where the
    /// kernel gives no thread.
    fn take_worker(self: &Arc<Self>, memory: usize, admission: &Admission<'_>) -> Option<(Arc<Worker>, StartKind)> {
        // A reload may have brought an app larger than any before. V8 lowers an isolate's limit but never raises it.
        let largest = self.largest_memory.fetch_max(memory, Ordering::Relaxed);
        let ready = if memory > largest { self.retire_ready() } else { self.pop_ready() };
        let taken = match ready {
            Some(worker) => Ok((worker, StartKind::Generic)),
            None => self.spawn().map(|worker| (worker, StartKind::Cold)),
        };
        taken.iter().for_each(|(worker, _)| self.room.serves(worker, admission));
        taken.inspect_err(|error| tracing::error!("cannot start a worker: {error}")).ok()
    }

    /// Has one more worker ready in place of one that was taken. Not as soon as it is: to start one takes as long as most
    /// apps take to load, and a client waits for that.
    fn replace_worker(self: &Arc<Self>) {
        if let Err(error) = self.make_ready() {
            tracing::error!("cannot start a worker: {error}");
        }
    }

    fn pop_ready(&self) -> Option<Arc<Worker>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Ends the workers that are ready; gives none.
    fn retire_ready(&self) -> Option<Arc<Worker>> {
        let ready = std::mem::take(&mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner));
        ready.iter().for_each(|worker| worker.mailbox.push(mailbox::Message::Retire));
        None
    }

    /// Sees to it that a few workers are ready, where there is room for them.
    fn make_ready(self: &Arc<Self>) -> std::io::Result<()> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        while ready.len() < READY && self.room.is_there() {
            ready.push(self.spawn()?);
        }
        Ok(())
    }

    fn spawn(self: &Arc<Self>) -> std::io::Result<Arc<Worker>> {
        const NUMBERS: u32 = (1 << 31) - 1;
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) % NUMBERS + 1;
        Worker::spawn(self, number)
    }
}

/// Ends the process at once. Exit handlers are left out: they would take V8 apart under threads that may still be in it
/// (those given up, and workers that have not noticed the end).
pub fn end_process(code: u8) -> ! {
    // SAFETY: takes a number and does not return.
    unsafe { libc::_exit(code.into()) }
}
