//! Room for isolates, over all apps: how many may be live, and how much memory they may take together (`memory-total`, and
//! what the kernel allows in mappings).
//!
//! Where there is none for another, the isolates that idle give way, the one unused for longest first; those at work never
//! do. Whoever finds no room even so waits, and is told when an isolate has ended or takes less. One isolate may always
//! run, however little room there is.
//!
//! What an isolate takes shows only once its app has been loaded and has had a request. Until then it counts as what the
//! app took when it was last measured, and where it never was, as its limit or a good part of the room there is: many
//! that start at the same time would each find the room that is left for one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::RuntimeConfig;
use super::mailbox::Message;
use super::pool::Pool;
use super::worker::Worker;

/// What an isolate takes before its app has said anything: a bare one and its thread were measured at 1.26 MB.
const BARE: usize = 1 << 20;
/// What a small app adds. Whoever starts while no other does is let in if so much is left.
const SMALL_APP: usize = 1 << 20;
/// An app never measured counts as this part of `memory-total` at most: a limit is seldom used up.
const UNKNOWN: usize = 4;
/// Mappings of an isolate and its thread beside its heap: 15 were counted.
const MAPPINGS: usize = 16;
/// V8 takes its heap from the kernel in pieces of this size, and each may be a mapping.
const PIECE: usize = 256 << 10;
/// How often the log says that there is no room.
const EPISODE: Duration = Duration::from_secs(60);

/// What may be taken, and what is.
pub(super) struct Room {
    max_isolates: usize,
    max_mappings: usize,
    memory_total: AtomicUsize,
    /// Isolates there are, those without an app among them.
    live: AtomicUsize,
    /// Bytes that all of them take, as far as is known.
    used: AtomicUsize,
    /// Isolates with an app of which is not known what it takes.
    starting: AtomicUsize,
    /// Held from the look whether there is room until it is taken.
    door: Mutex<()>,
    /// The workers that have an app, and whose threads are not lost.
    serving: Mutex<Vec<Arc<Worker>>>,
    /// Who is to be told once there is room, in order.
    waiting: Mutex<VecDeque<Weak<Pool>>>,
    /// Whether `waiting` holds any.
    awaited: AtomicBool,
    /// The clock of [`Share::idle_since`]: how often a worker has begun to idle.
    last_idle: AtomicU64,
    /// When the log last said that there is no room.
    complained: Mutex<Option<Instant>>,
}

/// One worker's part of it.
#[derive(Default)]
pub(super) struct Share {
    /// Bytes it counts as.
    bytes: AtomicUsize,
    /// Bytes it counts as at least, until it is known what it takes; 0 from then on.
    expected: AtomicUsize,
    /// When it began to idle, by a clock that counts such events; 0 while it is at work or has been asked to end.
    idle_since: AtomicU64,
}

/// That an isolate may be there to serve an app. Nobody else is let in before this is dropped.
pub(super) struct Admission<'a> {
    /// What it counts as at first.
    bytes: usize,
    _door: MutexGuard<'a, ()>,
}

impl Share {
    /// Whether it is not known yet what the isolate takes.
    pub(super) fn is_expected(&self) -> bool {
        self.expected.load(Ordering::Relaxed) != 0
    }
}

impl Room {
    pub(super) fn new(config: &RuntimeConfig) -> Self {
        Self {
            max_isolates: config.max_isolates,
            max_mappings: config.max_mappings,
            memory_total: AtomicUsize::new(config.memory_total),
            live: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            starting: AtomicUsize::new(0),
            door: Mutex::default(),
            serving: Mutex::default(),
            waiting: Mutex::default(),
            awaited: AtomicBool::new(false),
            last_idle: AtomicU64::new(0),
            complained: Mutex::default(),
        }
    }

    /// Whether another isolate with a small app may be there.
    pub(super) fn is_there(&self) -> bool {
        self.live.load(Ordering::Relaxed) < self.max_isolates && self.excess(1, SMALL_APP) == 0
    }

    /// An isolate is about to be there.
    pub(super) fn enter(&self) {
        self.live.fetch_add(1, Ordering::Relaxed);
        self.used.fetch_add(BARE, Ordering::Relaxed);
    }

    /// It is gone, or never came to be. Whoever waits for its room is to be told.
    pub(super) fn leave(&self, worker: &Worker) {
        self.lose(worker);
        self.used.fetch_sub(BARE + worker.share.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        self.live.fetch_sub(1, Ordering::Relaxed);
    }

    /// An app's pool asks for an isolate. The app may take `limit` bytes, and took `held` when it was last measured (0:
    /// never). Where there is no room, some that idle are asked to end, and `pool` will be told.
    pub(super) fn ask(&self, pool: &Weak<Pool>, held: usize, limit: usize) -> Option<Admission<'_>> {
        let door = lock(&self.door);
        let unknown = || limit.min(self.memory_total.load(Ordering::Relaxed) / UNKNOWN);
        let bytes = if held > 0 { held } else { unknown() }.max(SMALL_APP);
        let admission = Admission { bytes, _door: door };
        if self.admits(bytes) {
            return Some(admission);
        }
        self.complain(self.needed(bytes));
        {
            let mut waiting = lock(&self.waiting);
            waiting.push_back(Weak::clone(pool));
            self.awaited.store(true, Ordering::SeqCst);
        }
        self.give_way(self.excess(1, self.needed(bytes)).max(1));
        // Whoever ended before `pool` was on the list has not told it.
        let admitted = self.admits(bytes);
        if admitted {
            self.forget(pool);
        }
        admitted.then_some(admission)
    }

    /// Whether one that is expected to take `bytes` may be there.
    fn admits(&self, bytes: usize) -> bool {
        let fits = self.live.load(Ordering::Relaxed) < self.max_isolates && self.excess(1, self.needed(bytes)) == 0;
        fits || lock(&self.serving).is_empty()
    }

    /// How much must be left for one that is expected to take `bytes`. One alone cannot go far beyond what there is.
    fn needed(&self, bytes: usize) -> usize {
        if self.starting.load(Ordering::Relaxed) == 0 { SMALL_APP } else { bytes }
    }

    /// `pool` no longer waits for room.
    pub(super) fn forget(&self, pool: &Weak<Pool>) {
        let mut waiting = lock(&self.waiting);
        waiting.retain(|other| !other.ptr_eq(pool));
        self.awaited.store(!waiting.is_empty(), Ordering::SeqCst);
    }

    /// A worker begins to serve an app.
    pub(super) fn serves(&self, worker: &Arc<Worker>, admission: &Admission<'_>) {
        self.starting.fetch_add(1, Ordering::Relaxed);
        worker.share.expected.store(admission.bytes, Ordering::Relaxed);
        worker.share.bytes.store(admission.bytes, Ordering::Relaxed);
        self.used.fetch_add(admission.bytes, Ordering::Relaxed);
        lock(&self.serving).push(Arc::clone(worker));
    }

    /// A worker's thread will not end. What it takes, it takes for good; whoever waits for another's room is to be told.
    pub(super) fn lose(&self, worker: &Worker) {
        lock(&self.serving).retain(|other| other.number != worker.number);
        self.expect_nothing_of(worker);
    }

    /// A worker takes `bytes` now, and is not likely to take much more. Like `takes` and `tell`.
    pub(super) fn settles(&self, worker: &Worker, bytes: usize) {
        let was_expected = self.expect_nothing_of(worker);
        self.takes(worker, bytes);
        if was_expected {
            self.shrink();
            self.tell();
        }
    }

    /// True for the first who does it.
    fn expect_nothing_of(&self, worker: &Worker) -> bool {
        let expected = worker.share.expected.swap(0, Ordering::Relaxed) != 0;
        if expected {
            self.starting.fetch_sub(1, Ordering::Relaxed);
        }
        expected
    }

    /// A worker takes `bytes` now.
    pub(super) fn takes(&self, worker: &Worker, bytes: usize) {
        let bytes = bytes.max(worker.share.expected.load(Ordering::Relaxed));
        let before = worker.share.bytes.swap(bytes, Ordering::Relaxed);
        if bytes > before {
            self.used.fetch_add(bytes - before, Ordering::Relaxed);
            self.shrink();
        } else if bytes < before {
            self.used.fetch_sub(before - bytes, Ordering::Relaxed);
            self.tell();
        }
    }

    /// A worker has nothing to do from here on. True if it is to end, for somebody waits for its room.
    pub(super) fn idles(&self, worker: &Worker) -> bool {
        let now = self.last_idle.fetch_add(1, Ordering::Relaxed) + 1;
        // Before the look: whoever begins to wait after it finds this worker among the idle ones.
        worker.share.idle_since.store(now, Ordering::SeqCst);
        self.awaited.load(Ordering::SeqCst) && worker.share.idle_since.swap(0, Ordering::SeqCst) != 0
    }

    /// Whether somebody waits for an isolate to end.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::SeqCst)
    }

    /// A worker has something to do.
    pub(super) fn works(&self, worker: &Worker) {
        worker.share.idle_since.store(0, Ordering::Relaxed);
    }

    /// Another plan is in force.
    pub(super) fn resize(&self, memory_total: usize) {
        self.memory_total.store(memory_total, Ordering::Relaxed);
        let excess = self.excess(0, 0);
        if excess > 0 {
            self.give_way(excess);
        }
        self.tell();
    }

    /// By how many bytes `isolates` more, with `bytes` of their apps', would be too much.
    fn excess(&self, isolates: usize, bytes: usize) -> usize {
        let live = self.live.load(Ordering::Relaxed) + isolates;
        let used = self.used.load(Ordering::Relaxed).saturating_add(isolates * BARE + bytes);
        let mappings = live * MAPPINGS + used / PIECE;
        let pieces = mappings.saturating_sub(self.max_mappings);
        used.saturating_sub(self.memory_total.load(Ordering::Relaxed)).max(pieces.saturating_mul(PIECE))
    }

    /// Where more is taken than may be, some give way.
    fn shrink(&self) {
        let excess = self.excess(0, 0);
        if excess > 0 {
            self.complain(SMALL_APP);
            self.give_way(excess);
        }
    }

    /// Asks isolates that idle to end, until they make up for `bytes` or there are no more. One that gets a request
    /// before it has ended stays.
    fn give_way(&self, bytes: usize) {
        let mut serving: Vec<_> = lock(&self.serving).clone();
        let idle_since = |worker: &Arc<Worker>| worker.share.idle_since.load(Ordering::SeqCst);
        serving.retain(|worker| idle_since(worker) != 0);
        serving.sort_by_cached_key(idle_since);
        let mut found = 0;
        for worker in serving {
            if found >= bytes {
                return;
            }
            let since = idle_since(&worker);
            let asked = worker.share.idle_since.compare_exchange(since, 0, Ordering::SeqCst, Ordering::SeqCst);
            if since != 0 && asked.is_ok() {
                found += BARE + worker.share.bytes.load(Ordering::Relaxed);
                worker.mailbox.push(Message::Retire);
            }
        }
    }

    /// Tells those who wait, as long as there is room. Takes the locks of their pools: the caller must hold none.
    pub(super) fn tell(&self) {
        if !self.awaited.load(Ordering::SeqCst) {
            return;
        }
        // Who finds none after all waits anew in its old place, and is not told twice.
        let (waiting, mut again) = (lock(&self.waiting).len(), 0);
        for _ in 0..waiting {
            if !self.is_there() && !lock(&self.serving).is_empty() {
                return;
            }
            let next = {
                let mut waiting = lock(&self.waiting);
                let next = waiting.remove(again);
                self.awaited.store(!waiting.is_empty(), Ordering::SeqCst);
                next
            };
            let Some(next) = next else { return };
            if let Some(pool) = next.upgrade() {
                pool.resume();
            }
            let mut waiting = lock(&self.waiting);
            if let Some(at) = waiting.iter().rposition(|other| other.ptr_eq(&next)).filter(|&at| at >= again) {
                waiting.remove(at);
                waiting.insert(again, next);
                again += 1;
            }
        }
    }

    /// Says that there is no room for one that needs so much.
    fn complain(&self, needed: usize) {
        let mut complained = lock(&self.complained);
        if complained.is_some_and(|at| at.elapsed() < EPISODE) {
            return;
        }
        *complained = Some(Instant::now());
        let (live, used) = (self.live.load(Ordering::Relaxed), self.used.load(Ordering::Relaxed));
        let limit = if live >= self.max_isolates {
            format!("the system has open files or threads for {}", self.max_isolates)
        } else if used.saturating_add(BARE + needed) > self.memory_total.load(Ordering::Relaxed) {
            format!("memory-total is {} MiB", self.memory_total.load(Ordering::Relaxed) >> 20)
        } else {
            format!("the system has {} memory mappings for them (`sysctl vm.max_map_count`)", self.max_mappings)
        };
        tracing::warn!(
            "no room for more isolates: there are {live}, they take {} MiB, and {limit}; those that idle end, and requests \
             that need a new one wait",
            used >> 20,
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
