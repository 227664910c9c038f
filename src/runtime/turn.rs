//! What a worker shows the watchdog: its turn word, its CPU clock, its limits.
//!
//! A turn is one entry into JavaScript with the microtasks that follow. The worker moves the word from idle to
//! `Running(n)`; the watchdog moves `Running(n)` to `Terminating(n)` before it terminates. A termination that comes too
//! late for turn n thus finds another word, and never hits turn n + 1. An isolate whose turn was terminated is
//! condemned; that is remembered here, for V8 forgets once the stack has unwound.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::event::ErrorCode;

/// A turn that soon ends by itself costs nobody the isolate: the client has its answer from the gateway.
const WALL_GRACE: Duration = Duration::from_millis(100);

/// CPU time after which a turn gives way to others.
pub(super) const LONG: Duration = Duration::from_millis(5);

const IDLE: u64 = 0;
const RUNNING: u64 = 1;
const TERMINATING: u64 = 2;
const STATE: u64 = 3;

/// What one worker publishes.
pub(super) struct Turns {
    /// Number of the turn, and its state in the low bits.
    word: AtomicU64,
    /// The thread's CPU clock; 0 until the thread has started.
    clock: AtomicU32,
    /// CPU time (ns, by `clock`) at which the running turn began.
    cpu_began: AtomicU64,
    /// CPU time at which it is over its limit.
    cpu_deadline: AtomicU64,
    /// Wall time (ns since `epoch`) at which the running turn is over its limit.
    wall_deadline: AtomicU64,
    /// Wall time (ns since `epoch`) when the running turn was told to end.
    terminated_at: AtomicU64,
    /// CPU time when the running turn was told to end.
    terminated_cpu: AtomicU64,
    /// Why the isolate is condemned: a [`Verdict`] plus one, or 0.
    verdict: AtomicU8,
    /// The request the running turn began for; 0 is none.
    request: AtomicU32,
    /// The request blamed: the one whose code ran when the limit struck.
    blamed: AtomicU32,
    /// Whether `blamed` was set.
    has_blamed: AtomicBool,
    /// Its thread runs after all others, for the turn took long.
    gave_way: AtomicBool,
    /// Given up: its clients were answered by others.
    lost: AtomicBool,
    epoch: Instant,
}

/// Why an isolate is condemned: the limit that a turn broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Cpu,
    Memory,
    Wall,
    /// None: a native function panicked.
    Fault,
}

impl Verdict {
    /// Its public name.
    pub(super) fn code(self) -> ErrorCode {
        match self {
            Self::Cpu => ErrorCode::CpuLimit,
            Self::Memory => ErrorCode::MemoryLimit,
            Self::Wall => ErrorCode::Timeout,
            Self::Fault => ErrorCode::IsolateLost,
        }
    }
}

/// A running turn, as the watchdog found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Running(u64);

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            word: AtomicU64::new(IDLE),
            clock: AtomicU32::new(0),
            cpu_began: AtomicU64::new(0),
            cpu_deadline: AtomicU64::new(u64::MAX),
            wall_deadline: AtomicU64::new(u64::MAX),
            terminated_at: AtomicU64::new(0),
            terminated_cpu: AtomicU64::new(0),
            verdict: AtomicU8::new(0),
            request: AtomicU32::new(0),
            blamed: AtomicU32::new(0),
            has_blamed: AtomicBool::new(false),
            gave_way: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            epoch: Instant::now(),
        }
    }

    /// Publishes the calling thread's clock. Called once, by the worker's own thread.
    pub(super) fn adopt_thread(&self) {
        let mut clock: libc::clockid_t = 0;
        // SAFETY: the calling thread exists, and `clock` is a valid place for the answer.
        let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) };
        assert_eq!(failed, 0, "a running thread has a CPU clock");
        self.clock.store(clock as u32, Ordering::Release);
    }

    /// Begins a turn for `request` that may use `cpu` more CPU time and must have ended by `wall`.
    /// `now` is the thread's CPU time.
    pub(super) fn begin(&self, request: u32, now: Duration, cpu: Duration, wall: Option<Instant>) {
        self.request.store(request, Ordering::Relaxed);
        self.cpu_began.store(nanos(now), Ordering::Relaxed);
        self.cpu_deadline.store(nanos(now.saturating_add(cpu)), Ordering::Relaxed);
        let wall = wall.map_or(u64::MAX, |wall| nanos((wall + WALL_GRACE).saturating_duration_since(self.epoch)));
        self.wall_deadline.store(wall, Ordering::Relaxed);
        let turn = (self.word.load(Ordering::Relaxed) & !STATE) + STATE + 1;
        // In one order with the watchdog's flag: either it sees the turn before it sleeps, or the turn sees it asleep.
        self.word.store(turn | RUNNING, Ordering::SeqCst);
    }

    /// Ends the turn; an error if the isolate is condemned.
    pub(super) fn end(&self) -> Result<(), Verdict> {
        let word = self.word.load(Ordering::Relaxed);
        if word & STATE == RUNNING {
            let _ = self.word.compare_exchange(word, word & !STATE, Ordering::AcqRel, Ordering::Acquire);
        }
        self.verdict().map_or(Ok(()), Err)
    }

    /// The running turn, if there is one that was not yet told to end.
    pub(super) fn running(&self) -> Option<Running> {
        let word = self.word.load(Ordering::Acquire);
        (word & STATE == RUNNING).then_some(Running(word))
    }

    /// Whether a turn is running, told to end or not.
    pub(super) fn is_running(&self) -> bool {
        self.word.load(Ordering::SeqCst) & STATE != IDLE
    }

    /// Which limit the running turn is over.
    pub(super) fn overdue(&self) -> Option<Verdict> {
        if nanos(self.epoch.elapsed()) > self.wall_deadline.load(Ordering::Relaxed) {
            return Some(Verdict::Wall);
        }
        (nanos(self.cpu()) > self.cpu_deadline.load(Ordering::Relaxed)).then_some(Verdict::Cpu)
    }

    /// Condemns the isolate for a turn found running; false if that turn has ended meanwhile.
    pub(super) fn condemn_running(&self, turn: Running, verdict: Verdict) -> bool {
        let terminating = (turn.0 & !STATE) | TERMINATING;
        self.terminated_at.store(nanos(self.epoch.elapsed()), Ordering::Relaxed);
        self.terminated_cpu.store(nanos(self.cpu()), Ordering::Relaxed);
        let won = self.word.compare_exchange(turn.0, terminating, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if won {
            self.set_verdict(verdict);
        }
        won
    }

    /// Condemns the isolate from its own thread, in the middle of a turn.
    pub(super) fn condemn(&self, verdict: Verdict) {
        self.set_verdict(verdict);
        if let Some(turn) = self.running() {
            self.condemn_running(turn, verdict);
        }
    }

    /// The first limit broken, if any was.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match self.verdict.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Verdict::Cpu),
            2 => Some(Verdict::Memory),
            3 => Some(Verdict::Wall),
            _ => Some(Verdict::Fault),
        }
    }

    /// Names the request whose code was running when the limit struck; the first naming stays.
    pub(super) fn blame(&self, request: u32) {
        if !self.has_blamed.swap(true, Ordering::AcqRel) {
            self.blamed.store(request, Ordering::Release);
        }
    }

    /// The request at fault: the one blamed, or where V8 could not say, the one the turn began for.
    pub(super) fn culprit(&self) -> u32 {
        let blamed = self.has_blamed.load(Ordering::Acquire);
        if blamed { self.blamed.load(Ordering::Acquire) } else { self.request.load(Ordering::Relaxed) }
    }

    /// How long ago the running turn was told to end, and the CPU time it took since.
    pub(super) fn overstayed(&self) -> Option<(Duration, Duration)> {
        if self.word.load(Ordering::Acquire) & STATE != TERMINATING {
            return None;
        }
        let wall = nanos(self.epoch.elapsed()).saturating_sub(self.terminated_at.load(Ordering::Relaxed));
        let cpu = nanos(self.cpu()).saturating_sub(self.terminated_cpu.load(Ordering::Relaxed));
        Some((Duration::from_nanos(wall), Duration::from_nanos(cpu)))
    }

    /// The thread runs after all others from now on.
    pub(super) fn give_way(&self) {
        self.gave_way.store(true, Ordering::Release);
    }

    /// Whether the thread runs after all others.
    pub(super) fn gives_way(&self) -> bool {
        self.gave_way.load(Ordering::Relaxed)
    }

    /// The thread gives way no more. True if it did: then it is for the caller to have it run like the others again.
    pub(super) fn end_giving_way(&self) -> bool {
        self.gives_way() && self.gave_way.swap(false, Ordering::Acquire)
    }

    /// Gives the thread up, once; the first caller gets true.
    pub(super) fn give_up(&self) -> bool {
        !self.lost.swap(true, Ordering::AcqRel)
    }

    /// Whether the thread was given up.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// CPU time of the worker's thread so far, read from any thread.
    pub(super) fn cpu(&self) -> Duration {
        clock(self.clock.load(Ordering::Acquire) as libc::clockid_t)
    }

    /// CPU time of the running turn so far, read from any thread.
    pub(super) fn turn_cpu(&self) -> Duration {
        self.cpu().saturating_sub(Duration::from_nanos(self.cpu_began.load(Ordering::Relaxed)))
    }

    fn set_verdict(&self, verdict: Verdict) {
        let value = match verdict {
            Verdict::Cpu => 1,
            Verdict::Memory => 2,
            Verdict::Wall => 3,
            Verdict::Fault => 4,
        };
        let _ = self.verdict.compare_exchange(0, value, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// CPU time of the calling thread.
pub(super) fn thread_cpu() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer. An id of a thread that has ended gives an error and no time.
    unsafe { libc::clock_gettime(id, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> Turns {
        let turns = Turns::new();
        turns.adopt_thread();
        turns
    }

    #[test]
    fn a_late_termination_misses_the_next_turn() {
        let turns = turns();
        turns.begin(1, thread_cpu(), Duration::from_secs(1), None);
        let first = turns.running().unwrap();
        assert_eq!(turns.end(), Ok(()));
        turns.begin(1, thread_cpu(), Duration::from_secs(1), None);
        assert!(!turns.condemn_running(first, Verdict::Cpu));
        assert_eq!(turns.end(), Ok(()));
    }

    #[test]
    fn a_terminated_turn_condemns_for_good_with_its_first_cause() {
        let turns = turns();
        turns.begin(1, thread_cpu(), Duration::ZERO, None);
        while turns.overdue().is_none() {}
        assert!(turns.condemn_running(turns.running().unwrap(), Verdict::Cpu));
        turns.condemn(Verdict::Memory);
        assert_eq!(turns.end(), Err(Verdict::Cpu));
        assert!(turns.overstayed().is_some());
    }

    #[test]
    fn the_first_request_blamed_stays() {
        let turns = turns();
        turns.begin(1, thread_cpu(), Duration::from_secs(1), None);
        assert_eq!(turns.culprit(), 1);
        turns.blame(7);
        turns.blame(8);
        assert_eq!(turns.culprit(), 7);
    }
}
