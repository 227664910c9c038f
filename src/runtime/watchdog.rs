//! One thread that watches all workers: terminates a turn that is over its limit, gives up a thread that V8 does not
//! give back and has it parked, relieves a worker that is behind. Sleeps while no worker runs anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::park::{Asked, Signal};
use super::pool::PATIENCE;
use super::priority;
use super::turn::{LONG, Running, Verdict};
use super::worker::Worker;
use crate::observability::metrics::Metrics;

/// How often running workers are looked at.
const TICK: Duration = Duration::from_millis(4);
/// How often a running turn's memory is sampled.
const SAMPLE: Duration = Duration::from_millis(10);
/// A turn told to end has so long, on the wall and on its own CPU clock (this machine may be busy with others).
const GRACE: Duration = Duration::from_millis(50);
const GRACE_CPU: Duration = Duration::from_millis(20);
/// What broke the memory limit is collected first, which no one can interrupt.
const GRACE_COLLECTION: Duration = Duration::from_millis(500);
/// So long on the wall is too much whatever the CPU clock says: the thread may be blocked.
const GRACE_BLOCKED: Duration = Duration::from_secs(2);
/// CPU time in which a thread given up may still come back by itself: one that is parked keeps its memory for good.
const GRACE_PARKING: Duration = Duration::from_millis(200);
/// Where others leave it hardly any, so much time must do.
const GRACE_STARVED: Duration = Duration::from_secs(5);
/// A thread that is neither parked nor back after so long is looked at more rarely.
const EAGER: Duration = Duration::from_secs(10);
/// How often, then.
const RARELY: Duration = Duration::from_millis(250);
/// Ticks without a running turn before the watchdog sleeps.
const QUIET_TICKS: u32 = 25;

/// The watchdog.
pub(super) struct Watchdog {
    watched: Mutex<Vec<Watched>>,
    asleep: AtomicBool,
    alarm: Condvar,
    lost: watch::Sender<Lost>,
    metrics: Arc<Metrics>,
    /// How threads run whose turns are short; `None` where all run alike.
    normal: Option<i32>,
    /// By which threads are asked to park.
    pub(super) signal: Signal,
}

/// Threads that V8 has not given back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lost {
    /// How many.
    pub threads: usize,
    /// Bytes that those among them keep which never will be.
    pub memory: usize,
}

struct Watched {
    worker: Arc<Worker>,
    sampled: Option<(Running, Instant)>,
}

/// A worker whose thread was given up, and has neither come back nor been parked.
struct Stuck {
    worker: Arc<Worker>,
    /// Its CPU time when it was given up, and when that was.
    cpu: Duration,
    since: Instant,
    /// When it was last looked at.
    looked: Instant,
}

impl Watchdog {
    /// Starts the thread.
    ///
    /// # Errors
    /// The kernel's, where it gives no thread.
    pub(super) fn start(metrics: Arc<Metrics>, signal: Signal) -> std::io::Result<Arc<Self>> {
        let watchdog = Arc::new(Self {
            watched: Mutex::default(),
            asleep: AtomicBool::new(false),
            alarm: Condvar::new(),
            lost: watch::Sender::default(),
            metrics,
            normal: priority::normal(),
            signal,
        });
        if watchdog.normal.is_none() {
            tracing::debug!(
                "long turns cannot give way to short ones: this process may not set priorities (LimitNICE=)"
            );
        }
        let mine = Arc::clone(&watchdog);
        std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || mine.run())?;
        Ok(watchdog)
    }

    /// The threads that V8 has not given back.
    pub(super) fn lost(&self) -> watch::Receiver<Lost> {
        self.lost.subscribe()
    }

    /// Looks at a worker from now on.
    pub(super) fn watch(&self, worker: &Arc<Worker>) {
        self.lock().push(Watched { worker: Arc::clone(worker), sampled: None });
    }

    /// Looks at it no more.
    pub(super) fn unwatch(&self, worker: &Worker) {
        self.lock().retain(|watched| watched.worker.number != worker.number);
    }

    /// A turn begins. Costs one load while the watchdog is awake.
    pub(super) fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            // Under the lock, or the notice could fall between the watchdog's last look and its sleep.
            let _watched = self.lock();
            self.alarm.notify_one();
        }
    }

    /// The calling thread, which is `worker`'s, gives way no more: its last turn was short, or long ago. One that makes a
    /// habit of long turns begins the next where it ended the last.
    pub(super) fn readmit(&self, worker: &Worker) {
        if let Some(normal) = self.normal
            && worker.turns.end_giving_way()
        {
            priority::restore(normal);
        }
    }

    /// Gives a worker's thread up: answers its clients, has the kernel run it last, counts it.
    pub(super) fn lose(&self, worker: &Worker, verdict: Verdict) {
        let mut first = false;
        // Counted in the same step: the thread may come back at once, and is counted out then.
        self.change_lost(|lost| {
            first = worker.turns.give_up();
            lost.threads += usize::from(first);
        });
        if !first {
            return;
        }
        worker.answer_for(verdict.code());
        // Until it is back or parked, it may at least take nothing from the others.
        worker.spot.run_last();
        tracing::warn!(
            app = worker.app(),
            "a thread is lost: V8 did not end its code after a {} fault; its clients were answered",
            verdict.code()
        );
    }

    /// A thread given up has ended after all.
    pub(super) fn found(&self) {
        self.change_lost(|lost| lost.threads -= 1);
    }

    /// A lost thread stands still for good.
    pub(super) fn keeps(&self, worker: &Worker) {
        let held = worker.account.publish_buffers(&worker.buffers).held + worker.native.used();
        if let Some(pool) = worker.pool.get() {
            pool.takes(worker, held);
        }
        self.change_lost(|lost| lost.memory += held);
        tracing::warn!(
            app = worker.app(),
            "the lost thread is parked: it takes no more CPU time, but keeps its memory until nano ends ({} MiB when last \
             measured)",
            held >> 20
        );
    }

    fn change_lost(&self, change: impl FnOnce(&mut Lost)) {
        self.lost.send_modify(change);
        self.metrics.lost_threads(self.lost.borrow().threads);
    }

    fn run(&self) {
        let (mut quiet, mut stuck) = (0, Vec::<Stuck>::new());
        loop {
            let (mut busy, mut overstayed, mut behind) = (false, Vec::new(), Vec::new());
            {
                let mut watched = self.lock();
                let now = Instant::now();
                for watched in watched.iter_mut().filter(|watched| watched.worker.turns.is_running()) {
                    busy = true;
                    look(watched, now, self.normal.is_some(), &mut overstayed);
                    if watched.worker.mailbox.waited(now) > PATIENCE {
                        behind.push(Arc::clone(&watched.worker));
                    }
                }
            }
            for (worker, verdict) in overstayed {
                self.lose(&worker, verdict);
                self.unwatch(&worker);
                stuck.push(Stuck::new(worker));
            }
            stuck.retain_mut(|stuck| stuck.park(self));
            busy |= stuck.iter().any(Stuck::is_eager);
            for worker in behind {
                if let Some(pool) = worker.pool.get() {
                    pool.relieve(&worker);
                }
            }
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet > QUIET_TICKS {
                self.sleep(!stuck.is_empty());
                quiet = 0;
            } else {
                std::thread::sleep(TICK);
            }
        }
    }

    /// Until a turn begins, or with `stuck` threads for a while at most.
    fn sleep(&self, stuck: bool) {
        let watched = self.lock();
        self.asleep.store(true, Ordering::SeqCst);
        // A turn that began before the store has not rung: look once more.
        if watched.iter().any(|watched| watched.worker.turns.is_running()) {
            self.asleep.store(false, Ordering::SeqCst);
            return;
        }
        let limit = if stuck { RARELY } else { Duration::MAX };
        let asleep = |_: &mut Vec<Watched>| self.asleep.load(Ordering::SeqCst);
        drop(self.alarm.wait_timeout_while(watched, limit, asleep).unwrap_or_else(PoisonError::into_inner));
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn look(watched: &mut Watched, now: Instant, gives_way: bool, overstayed: &mut Vec<(Arc<Worker>, Verdict)>) {
    let worker = &watched.worker;
    let Some(turn) = worker.turns.running() else {
        let verdict = worker.turns.verdict().unwrap_or(Verdict::Cpu);
        let grace = if verdict == Verdict::Memory { GRACE_COLLECTION } else { GRACE_CPU };
        if let Some((wall, cpu)) = worker.turns.overstayed()
            && (wall > GRACE && cpu > grace || wall > GRACE_BLOCKED)
        {
            overstayed.push((Arc::clone(worker), verdict));
        }
        return;
    };
    if let Some(verdict) = worker.turns.overdue() {
        if worker.turns.condemn_running(turn, verdict) {
            worker.terminate();
        }
        return;
    }
    match watched.sampled {
        Some((sampled, at)) if sampled == turn => {
            // A turn that takes its time: what was sent before it should not wait.
            worker.held.get().inspect(|held| held.flush());
            if gives_way && !worker.turns.gives_way() && worker.turns.turn_cpu() >= LONG {
                worker.spot.run_last();
                // Last: should the turn have ended meanwhile, the end of the next one finds it.
                worker.turns.give_way();
            }
            if now.duration_since(at) >= SAMPLE {
                worker.check_memory();
                watched.sampled = Some((turn, now));
            }
        }
        _ => watched.sampled = Some((turn, now)),
    }
}

impl Stuck {
    fn new(worker: Arc<Worker>) -> Self {
        let (cpu, now) = (worker.turns.cpu(), Instant::now());
        Self { worker, cpu, since: now, looked: now }
    }

    /// Whether it is looked at in every tick.
    fn is_eager(&self) -> bool {
        self.since.elapsed() < EAGER
    }

    /// Has the thread parked, if it can be; false once there is nothing more to do.
    fn park(&mut self, watchdog: &Watchdog) -> bool {
        let spot = &self.worker.spot;
        if spot.is_left() {
            return false;
        }
        if !self.is_eager() && self.looked.elapsed() < RARELY {
            return true;
        }
        self.looked = Instant::now();
        if !self.has_had_its_chance() {
            return true;
        }
        match spot.ask(watchdog.signal) {
            Asked::Now | Asked::Before => true,
            Asked::Left => false,
            Asked::Parked => {
                watchdog.keeps(&self.worker);
                false
            }
        }
    }

    /// Whether the thread could have come back.
    fn has_had_its_chance(&self) -> bool {
        let cpu = self.worker.turns.cpu().saturating_sub(self.cpu);
        cpu > GRACE_PARKING || cpu > GRACE_CPU && self.since.elapsed() > GRACE_STARVED
    }
}
