//! What a connection and its requests tell each other about time. An HTTP/1 connection tells when a request came, and is
//! told until when it must be answered: its one timer does for that too. The requests of an HTTP/2 connection look after
//! themselves.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

/// The state of one connection. Atomics only so that it may be shared: one thread writes it.
#[derive(Debug)]
pub(super) struct Activity {
    epoch: Instant,
    /// Whether the connection speaks HTTP/2: its requests do not use the rest of this.
    multiplexed: AtomicBool,
    /// When the first byte of the next request came, where that is known.
    arrived: Moment,
    /// When its head was whole.
    complete: Moment,
    /// Until when the app may take for the one request there is (HTTP/1).
    deadline: Moment,
    /// The app took longer.
    struck: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            multiplexed: AtomicBool::new(false),
            arrived: Moment::default(),
            complete: Moment::default(),
            deadline: Moment::default(),
            struck: AtomicBool::new(false),
        }
    }

    /// The connection speaks HTTP/2 from here on.
    pub(super) fn multiplexes(&self) {
        self.multiplexed.store(true, Relaxed);
    }

    /// The head of the next request began to arrive at `since`, and was whole at `complete`.
    pub(super) fn arrives(&self, since: Instant, complete: Instant) {
        self.arrived.set(self, since);
        self.complete.set(self, complete);
        self.deadline.clear();
        self.struck.store(false, Relaxed);
    }

    /// Until when the request that arrived must be answered, if somebody has said so.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.get(self)
    }

    /// The deadline has passed. Whoever waits for it is to be polled again.
    pub(super) fn strike(&self) {
        self.deadline.clear();
        self.struck.store(true, Relaxed);
    }

    /// Resolves when `deadline` has passed.
    pub(super) async fn until(&self, deadline: Instant) {
        if self.multiplexed.load(Relaxed) {
            // Each of many requests needs a timer of its own.
            return sleep_until(deadline.into()).await;
        }
        self.deadline.set(self, deadline);
        poll_fn(|_| if self.struck.load(Relaxed) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// When the first byte of the request came, and when its head was whole; now where that is not known (HTTP/2).
    pub(super) fn began(&self) -> (Instant, Instant) {
        match (self.arrived.get(self), self.complete.get(self)) {
            (Some(arrived), Some(complete)) => (arrived, complete),
            _ => {
                let now = Instant::now();
                (now, now)
            }
        }
    }
}

/// Nanoseconds since the connection's epoch; 0 is never.
#[derive(Debug, Default)]
struct Moment(AtomicU64);

impl Moment {
    fn set(&self, activity: &Activity, at: Instant) {
        let nanos = at.saturating_duration_since(activity.epoch).as_nanos();
        self.0.store(u64::try_from(nanos).unwrap_or(u64::MAX).max(1), Relaxed);
    }

    fn clear(&self) {
        self.0.store(0, Relaxed);
    }

    fn get(&self, activity: &Activity) -> Option<Instant> {
        let nanos = self.0.load(Relaxed);
        (nanos != 0).then(|| activity.epoch + Duration::from_nanos(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_began_when_its_first_byte_came() {
        let activity = Activity::new();
        let since = Instant::now() + Duration::from_secs(3);
        let whole = since + Duration::from_secs(1);
        activity.arrives(since, whole);
        assert_eq!(activity.began(), (since, whole));
    }
}
