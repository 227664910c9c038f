//! An app's share of the log: so many lines a second, averaged over a second. A long line counts as several.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a quota may say what it dropped.
const TELL: Duration = Duration::from_secs(1);

/// So many bytes of a line count as another line.
const LONG: usize = 256;

/// A token bucket that holds one second's worth of lines.
pub(super) struct Quota {
    per_second: f64,
    state: Mutex<State>,
}

struct State {
    /// Below 0 after a line that was longer than the bucket is large.
    tokens: f64,
    at: Instant,
    /// Dropped and not yet told.
    dropped: u64,
    told: Instant,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is written, after saying that `dropped` others were not (0: nothing to say now).
    Write { dropped: u64 },
    /// It is not written, and counted.
    Drop,
}

impl Quota {
    pub(super) fn new(per_second: f64, now: Instant) -> Self {
        let tokens = per_second.max(1.0);
        Self { per_second, state: Mutex::new(State { tokens, at: now, dropped: 0, told: now }) }
    }

    /// Takes the tokens of a line of so many bytes.
    pub(super) fn take(&self, bytes: usize, now: Instant) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(state.at).as_secs_f64();
        // At least one line must fit, or a quota below 1/s would never let anything through.
        state.tokens = (state.tokens + passed * self.per_second).min(self.per_second.max(1.0));
        state.at = state.at.max(now);
        if state.tokens < 1.0 {
            state.dropped += 1;
            return Verdict::Drop;
        }
        state.tokens -= (1 + bytes / LONG) as f64;
        Verdict::Write { dropped: state.due(now) }
    }

    /// What was dropped, if it is time to say so.
    pub(super) fn due(&self, now: Instant) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).due(now)
    }

    /// What was dropped and never told.
    pub(super) fn rest(&self) -> u64 {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).dropped)
    }
}

impl State {
    fn due(&mut self, now: Instant) -> u64 {
        if self.dropped == 0 || now.saturating_duration_since(self.told) < TELL {
            return 0;
        }
        self.told = now;
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_passes_at_once_and_then_the_rate() {
        let start = Instant::now();
        let quota = Quota::new(10.0, start);
        let passed = (0..25).filter(|_| quota.take(1, start) != Verdict::Drop).count();
        assert_eq!(passed, 10);
        let half = start + Duration::from_millis(500);
        let passed = (0..25).filter(|_| quota.take(1, half) != Verdict::Drop).count();
        assert_eq!(passed, 5);
    }

    #[test]
    fn a_long_line_counts_as_several_and_one_too_long_is_made_up_for() {
        let start = Instant::now();
        let quota = Quota::new(10.0, start);
        let passed = |bytes, at| (0..25).filter(|_| quota.take(bytes, at) != Verdict::Drop).count();
        assert_eq!(passed(4 * LONG, start), 2);
        assert_eq!(passed(30 * LONG, start + Duration::from_secs(1)), 1);
        assert_eq!(passed(1, start + Duration::from_secs(3)), 0);
        assert_eq!(passed(1, start + Duration::from_secs(4)), 9);
    }

    #[test]
    fn what_was_dropped_is_told_once_a_second_at_most() {
        let start = Instant::now();
        let quota = Quota::new(1.0, start);
        assert_eq!(quota.take(1, start), Verdict::Write { dropped: 0 });
        assert_eq!(quota.take(1, start), Verdict::Drop);
        assert_eq!(quota.due(start + Duration::from_millis(900)), 0);
        assert_eq!(quota.take(1, start), Verdict::Drop);
        let later = start + Duration::from_secs(1);
        assert_eq!(quota.take(1, later), Verdict::Write { dropped: 2 });
        assert_eq!(quota.take(1, later), Verdict::Drop);
        assert_eq!(quota.due(later + Duration::from_millis(999)), 0);
        assert_eq!(quota.rest(), 1);
        assert_eq!(quota.rest(), 0);
    }
}
