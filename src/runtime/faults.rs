//! When an app that keeps failing is given a pause: three lost workers or ten limit faults within a minute stop it,
//! for a second at first, twice as long each further time, a minute at most.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);
const LIMIT_FAULTS: usize = 10;
const LOST_WORKERS: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What counts against an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// A CPU, memory or wall limit took an isolate down, or loading outlasted its limit.
    Limit,
    /// A worker's thread could not be had back.
    Lost,
}

/// An app's recent failures.
#[derive(Debug, Default)]
pub(super) struct Faults {
    limits: VecDeque<Instant>,
    lost: VecDeque<Instant>,
    pause: Option<Duration>,
    until: Option<Instant>,
}

impl Faults {
    /// Counts a failure; true if the app is stopped by it.
    pub(super) fn record(&mut self, failure: Failure, now: Instant) -> bool {
        let (times, most) = match failure {
            Failure::Limit => (&mut self.limits, LIMIT_FAULTS),
            Failure::Lost => (&mut self.lost, LOST_WORKERS),
        };
        times.push_back(now);
        while times.front().is_some_and(|&time| now.duration_since(time) > WINDOW) {
            times.pop_front();
        }
        if times.len() < most || self.remaining(now).is_some() {
            return false;
        }
        // A failure soon after a pause doubles it; after a quiet minute it starts small again.
        let recent = self.until.is_some_and(|until| now.duration_since(until) < WINDOW);
        let pause = match self.pause {
            Some(pause) if recent => (pause * 2).min(LONGEST_PAUSE),
            _ => FIRST_PAUSE,
        };
        self.pause = Some(pause);
        self.until = Some(now + pause);
        true
    }

    /// How long the app is still stopped.
    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        self.until.and_then(|until| until.checked_duration_since(now)).filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_limit_faults_within_a_minute_stop_the_app_for_longer_each_time() {
        let (mut faults, start) = (Faults::default(), Instant::now());
        assert!((0..9).all(|_| !faults.record(Failure::Limit, start)));
        assert!(faults.record(Failure::Limit, start));
        assert_eq!(faults.remaining(start), Some(FIRST_PAUSE));
        assert_eq!(faults.remaining(start + FIRST_PAUSE), None);
        let again = start + FIRST_PAUSE;
        assert!(faults.record(Failure::Limit, again));
        assert_eq!(faults.remaining(again), Some(2 * FIRST_PAUSE));
        let quiet = again + 2 * WINDOW;
        assert!(!faults.record(Failure::Limit, quiet), "the old ones have left the window");
    }

    #[test]
    fn three_lost_workers_stop_the_app() {
        let (mut faults, now) = (Faults::default(), Instant::now());
        assert!(!faults.record(Failure::Lost, now));
        assert!(!faults.record(Failure::Lost, now));
        assert!(faults.record(Failure::Lost, now));
    }

    #[test]
    fn slow_faults_never_stop_it() {
        let (mut faults, start) = (Faults::default(), Instant::now());
        assert!((0..100).all(|n| !faults.record(Failure::Limit, start + n * Duration::from_secs(7))));
    }

    #[test]
    fn the_pause_ends_at_a_minute() {
        let (mut faults, mut now) = (Faults::default(), Instant::now());
        for _ in 0..200 {
            faults.record(Failure::Lost, now);
            assert!(faults.remaining(now).is_none_or(|rest| rest <= LONGEST_PAUSE));
            now += Duration::from_secs(1);
        }
    }
}
