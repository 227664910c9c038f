//! What a connection and its requests tell each other about time. An HTTP/1 connection tells when a request came, and is
//! told until when it must be answered: its one timer does for that too. Of an HTTP/2 connection this says what it is
//! doing, as its timeouts see it: idle, handling requests, or blocked by a client that does not read.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep_until;

use crate::plan::Timeouts;

/// The state of one connection. Atomics only so that it may be shared: one thread writes it.
#[derive(Debug)]
pub(super) struct Activity {
    epoch: Instant,
    /// Whether it is an HTTP/2 connection, and the rest of this of any use.
    multiplexed: AtomicBool,
    /// When the first byte of the next request came, where that is known.
    arrived: Moment,
    /// Until when the app may take for the one request there is (HTTP/1).
    deadline: Moment,
    /// It took longer.
    struck: AtomicBool,
    in_flight: AtomicUsize,
    idle_since: Moment,
    /// The socket takes no more bytes.
    blocked_since: Moment,
    /// Response bodies that wait for the client rather than for their app: flow control holds a stream back while the
    /// socket itself is writable.
    offered: AtomicUsize,
    offered_moved: Moment,
}

/// What is to be done about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Look again then.
    Later(Instant),
    /// No request for too long.
    Idle,
    /// The client has not read for too long.
    Write,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            multiplexed: AtomicBool::new(false),
            arrived: Moment::default(),
            deadline: Moment::default(),
            struck: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            idle_since: Moment::default(),
            blocked_since: Moment::default(),
            offered: AtomicUsize::new(0),
            offered_moved: Moment::default(),
        }
    }

    /// The connection speaks HTTP/2 from here on.
    pub(super) fn multiplexes(&self) {
        self.multiplexed.store(true, Relaxed);
        self.idle_since.set(self, Instant::now());
    }

    /// The head of the next request began to arrive at `since`.
    pub(super) fn arrives(&self, since: Instant) {
        self.arrived.set(self, since);
        self.deadline.clear();
        self.struck.store(false, Relaxed);
    }

    /// Until when the request that arrived must be answered, if somebody has said so.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.get(self)
    }

    /// It was not. Whoever waits for it is to be polled again.
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

    /// A request's head is whole. Returns when its first byte came, or now where that is not known (HTTP/2).
    pub(super) fn begin(&self) -> Instant {
        if !self.multiplexed.load(Relaxed) {
            return self.arrived.get(self).unwrap_or_else(Instant::now);
        }
        self.in_flight.fetch_add(1, Relaxed);
        Instant::now()
    }

    /// A request is answered or cut.
    pub(super) fn end(&self) {
        if self.multiplexed.load(Relaxed) && self.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.idle_since.set(self, Instant::now());
        }
    }

    pub(super) fn in_flight(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
    }

    /// A response body has bytes for the client, or has moved on.
    pub(super) fn offer(&self, change: i8) {
        if !self.multiplexed.load(Relaxed) {
            return;
        }
        match change {
            1 => _ = self.offered.fetch_add(1, Relaxed),
            -1 => _ = self.offered.fetch_sub(1, Relaxed),
            _ => {}
        }
        self.offered_moved.set(self, Instant::now());
    }

    /// What is due at `now`. `closing` shortens the wait for another request to `linger`.
    pub(super) fn due(&self, now: Instant, timeouts: &Timeouts, closing: Option<Duration>) -> Due {
        let idle = closing.unwrap_or(timeouts.idle);
        let after = |since: Option<Instant>, limit: Duration, due: Due| match since {
            Some(since) if now >= since + limit => due,
            Some(since) => Due::Later(since + limit),
            None => Due::Later(now + limit),
        };
        let offered = (self.offered.load(Relaxed) > 0).then(|| self.offered_moved.get(self)).flatten();
        let due = if let Some(blocked) = self.blocked_since.get(self) {
            after(Some(blocked), timeouts.write, Due::Write)
        } else if offered.is_some() {
            after(offered, timeouts.write, Due::Write)
        } else if self.in_flight() {
            after(None, timeouts.write, Due::Write)
        } else {
            after(self.idle_since.get(self), idle, Due::Idle)
        };
        // A state that begins after this look may be due before this one is.
        let soonest = now + timeouts.write.min(idle);
        match due {
            Due::Later(at) => Due::Later(at.min(soonest)),
            due => due,
        }
    }

    fn wrote<T>(&self, result: &Poll<T>) {
        if result.is_ready() {
            self.blocked_since.clear();
        } else if self.blocked_since.get(self).is_none() {
            self.blocked_since.set(self, Instant::now());
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

/// A socket that keeps its [`Activity`] up to date, and gives out first what was read to tell the protocol.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) prefix: Bytes,
    pub(super) activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.has_remaining() {
            let len = self.prefix.remaining().min(buf.remaining());
            buf.put_slice(&self.prefix.split_to(len));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.activity.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.activity.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        body: Duration::from_secs(30),
        write: Duration::from_secs(20),
    };

    fn due_after(activity: &Activity, seconds: u64) -> Option<Due> {
        let now = Instant::now() + Duration::from_secs(seconds);
        let due = activity.due(now, &TIMEOUTS, None);
        (!matches!(due, Due::Later(_))).then_some(due)
    }

    fn multiplexed() -> Activity {
        let activity = Activity::new();
        activity.multiplexes();
        activity
    }

    #[test]
    fn each_state_has_its_own_timeout() {
        let activity = multiplexed();
        assert_eq!(due_after(&activity, 74), None);
        assert_eq!(due_after(&activity, 76), Some(Due::Idle));
        activity.begin();
        assert_eq!(due_after(&activity, 1000), None);
        activity.wrote::<()>(&Poll::Pending);
        assert_eq!(due_after(&activity, 21), Some(Due::Write));
        activity.wrote(&Poll::Ready(()));
        activity.offer(1);
        assert_eq!(due_after(&activity, 21), Some(Due::Write));
        activity.offer(-1);
        activity.end();
        assert_eq!(due_after(&activity, 74), None);
        assert_eq!(due_after(&activity, 76), Some(Due::Idle));
    }

    #[test]
    fn the_timer_looks_again_before_anything_can_be_due() {
        let activity = multiplexed();
        let now = Instant::now();
        assert_eq!(activity.due(now, &TIMEOUTS, None), Due::Later(now + TIMEOUTS.write));
    }

    #[test]
    fn a_closing_connection_waits_for_a_moment_only() {
        let activity = multiplexed();
        let soon = Instant::now() + Duration::from_secs(1);
        assert_eq!(activity.due(soon, &TIMEOUTS, Some(Duration::from_millis(500))), Due::Idle);
    }

    #[test]
    fn a_request_began_when_its_first_byte_came() {
        let activity = Activity::new();
        let since = Instant::now() + Duration::from_secs(3);
        activity.arrives(since);
        assert_eq!(activity.begin(), since);
    }
}
