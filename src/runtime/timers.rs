//! A worker's timers, by due time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

/// The longest delay: HTML's timers take a signed 32-bit number of milliseconds.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// What a due timer stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// A timer of the app's, by its id.
    App(u32),
    /// The end of a request's `waitUntil` time.
    WaitUntil,
}

/// Timers that have not fired.
#[derive(Default)]
pub(super) struct Timers {
    /// Cancelled ones stay here until they come up.
    heap: BinaryHeap<Reverse<(Instant, u32)>>,
    live: FxHashMap<u32, (u32, Due)>,
    last: u32,
}

impl Timers {
    /// Starts a timer of `request`'s; returns its id, never 0.
    pub(super) fn start(&mut self, request: u32, delay: Duration) -> u32 {
        self.add(request, delay, Due::App)
    }

    /// Has the time of `request`'s `waitUntil` end after `delay`.
    pub(super) fn limit_wait_until(&mut self, request: u32, delay: Duration) {
        self.add(request, delay, |_| Due::WaitUntil);
    }

    /// Stops a timer; nothing happens if it has fired.
    pub(super) fn cancel(&mut self, id: u32) {
        self.live.remove(&id);
        self.tidy();
    }

    /// Stops all timers of a request.
    pub(super) fn cancel_request(&mut self, request: u32) {
        if !self.live.is_empty() {
            self.live.retain(|_, (owner, _)| *owner != request);
        }
        self.tidy();
    }

    /// When the next one is due.
    pub(super) fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, id))) = self.heap.peek() {
            if self.live.contains_key(id) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes out one timer that is due: its request and what it stands for.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(u32, Due)> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, id)) = self.heap.pop()?;
        self.live.remove(&id)
    }

    /// Drops cancelled timers once they are more than the others: an app may start and cancel any number of far ones.
    fn tidy(&mut self) {
        if self.heap.len() > 2 * self.live.len() {
            self.heap.retain(|Reverse((_, id))| self.live.contains_key(id));
        }
    }

    fn add(&mut self, request: u32, delay: Duration, due: impl FnOnce(u32) -> Due) -> u32 {
        // Ids are reused only after four thousand million others.
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.live.contains_key(&self.last) {
                break;
            }
        }
        self.heap.push(Reverse((Instant::now() + delay.min(LONGEST), self.last)));
        self.live.insert(self.last, (request, due(self.last)));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_up_in_order_and_only_if_still_wanted() {
        let mut timers = Timers::default();
        let late = timers.start(1, Duration::from_secs(2));
        let soon = timers.start(1, Duration::from_secs(1));
        let never = timers.start(1, Duration::ZERO);
        timers.start(2, Duration::ZERO);
        timers.cancel(never);
        timers.cancel_request(2);
        let now = Instant::now();
        assert_eq!(timers.pop_due(now), None);
        let later = now + Duration::from_secs(3);
        assert_eq!(timers.pop_due(later), Some((1, Due::App(soon))));
        assert_eq!(timers.pop_due(later), Some((1, Due::App(late))));
        assert_eq!(timers.pop_due(later), None);
    }

    #[test]
    fn cancelled_timers_take_no_room() {
        let mut timers = Timers::default();
        timers.start(0, Duration::from_secs(60));
        for _ in 0..1000 {
            let id = timers.start(0, Duration::from_secs(60));
            timers.cancel(id);
        }
        assert!(timers.heap.len() <= 2, "{} are kept", timers.heap.len());
    }

    #[test]
    fn the_end_of_wait_until_goes_with_its_request() {
        let mut timers = Timers::default();
        timers.limit_wait_until(3, Duration::ZERO);
        assert_eq!(timers.pop_due(Instant::now()), Some((3, Due::WaitUntil)));
        timers.limit_wait_until(3, Duration::ZERO);
        timers.cancel_request(3);
        assert_eq!(timers.next(), None);
    }
}
