//! What a connection is doing, as its timeouts see it: waiting for a head, in the middle of one, handling requests, or
//! blocked by a client that does not read. Written by the socket wrapper and by requests, read by the driver's one
//! timer, so that no request arms a timer of its own for any of this.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::plan::Timeouts;

/// The state of one connection. Atomics only so that it may be shared: one thread writes it.
#[derive(Debug)]
pub(super) struct Activity {
    epoch: Instant,
    /// Whether bytes read outside a request begin a head (HTTP/1), or may be anything (HTTP/2).
    heads: AtomicBool,
    in_flight: AtomicUsize,
    head_since: Moment,
    idle_since: Moment,
    /// The socket takes no more bytes.
    blocked_since: Moment,
    /// Response bodies that wait for the client rather than for their app: HTTP/2 flow control holds a stream back
    /// while the socket itself is writable.
    offered: AtomicUsize,
    offered_moved: Moment,
    /// A response went out before its request's body was read.
    unread: AtomicBool,
    /// A request came whose answer is not flushed yet.
    answering: AtomicBool,
    /// The HTTP library answered a head by itself, and was not heard.
    muted: AtomicBool,
}

/// What the driver is to do about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Look again then.
    Later(Instant),
    /// A head began and did not end in time.
    Head,
    /// No request for too long.
    Idle,
    /// The client has not read for too long.
    Write,
}

impl Activity {
    pub(super) fn new() -> Self {
        let activity = Self {
            epoch: Instant::now(),
            heads: AtomicBool::new(true),
            in_flight: AtomicUsize::new(0),
            head_since: Moment::default(),
            idle_since: Moment::default(),
            blocked_since: Moment::default(),
            offered: AtomicUsize::new(0),
            offered_moved: Moment::default(),
            unread: AtomicBool::new(false),
            answering: AtomicBool::new(false),
            muted: AtomicBool::new(false),
        };
        activity.idle_since.set(&activity);
        activity
    }

    /// From here on bytes are frames, and a head's beginning cannot be told.
    pub(super) fn speaks_frames(&self) {
        self.heads.store(false, Relaxed);
        self.head_since.clear();
    }

    /// A request's head is whole. Returns when its first byte came, or now where that is not known (HTTP/2, and heads
    /// that arrived behind another request).
    pub(super) fn begin(&self) -> Instant {
        self.in_flight.fetch_add(1, Relaxed);
        self.unread.store(false, Relaxed);
        self.answering.store(true, Relaxed);
        let began = self.head_since.get(self).unwrap_or_else(Instant::now);
        self.head_since.clear();
        began
    }

    /// A request is answered or cut; `unread` says that its body was not read to the end.
    pub(super) fn end(&self, unread: bool) {
        if unread {
            self.unread.store(true, Relaxed);
        }
        if self.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.idle_since.set(self);
        }
    }

    pub(super) fn in_flight(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
    }

    pub(super) fn unread(&self) -> bool {
        self.unread.load(Relaxed)
    }

    /// Whether a head was refused and the client is still to be told: the HTTP library's own words, a status and no
    /// more, are not let through.
    pub(super) fn muted(&self) -> bool {
        self.muted.load(Relaxed)
    }

    /// A response body has bytes for the client, or has moved on.
    pub(super) fn offer(&self, change: i8) {
        match change {
            1 => _ = self.offered.fetch_add(1, Relaxed),
            -1 => _ = self.offered.fetch_sub(1, Relaxed),
            _ => {}
        }
        self.offered_moved.set(self);
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
        } else if let Some(began) = self.head_since.get(self) {
            after(Some(began), timeouts.header, Due::Head)
        } else {
            after(self.idle_since.get(self), idle, Due::Idle)
        };
        // A state that begins after this look may be due before this one is.
        let soonest = now + timeouts.header.min(timeouts.write).min(idle);
        match due {
            Due::Later(at) => Due::Later(at.min(soonest)),
            due => due,
        }
    }

    fn read(&self) {
        if self.heads.load(Relaxed) && !self.in_flight() && !self.unread() && self.head_since.get(self).is_none() {
            self.head_since.set(self);
        }
    }

    /// Before a write: whether these are the words of the HTTP library alone, no request waiting for an answer.
    fn mutes(&self) -> bool {
        let mutes = self.heads.load(Relaxed) && !self.answering.load(Relaxed);
        if mutes {
            self.muted.store(true, Relaxed);
        }
        mutes
    }

    fn flushed<T>(&self, result: &Poll<T>) {
        if result.is_ready() && !self.in_flight() {
            self.answering.store(false, Relaxed);
        }
    }

    fn wrote<T>(&self, result: &Poll<T>) {
        if result.is_ready() {
            self.blocked_since.clear();
        } else if self.blocked_since.get(self).is_none() {
            self.blocked_since.set(self);
        }
    }
}

/// Nanoseconds since the connection's epoch; 0 is never.
#[derive(Debug, Default)]
struct Moment(AtomicU64);

impl Moment {
    fn set(&self, activity: &Activity) {
        let nanos = activity.epoch.elapsed().as_nanos();
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

/// A socket that keeps its [`Activity`] up to date, gives out first what was read to tell the protocol, and swallows
/// what the HTTP library says by itself.
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
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.read();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.activity.mutes() {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.activity.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.activity.mutes() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.activity.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.activity.flushed(&result);
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.activity.muted() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The first bytes of a connection are known to begin a head.
pub(super) fn watch<S>(stream: S, prefix: Bytes, activity: &Arc<Activity>) -> Watched<S> {
    activity.read();
    Watched { stream, prefix, activity: Arc::clone(activity) }
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

    #[test]
    fn each_state_has_its_own_timeout() {
        let activity = Activity::new();
        assert_eq!(due_after(&activity, 74), None);
        assert_eq!(due_after(&activity, 76), Some(Due::Idle));
        activity.read();
        assert_eq!(due_after(&activity, 9), None);
        assert_eq!(due_after(&activity, 11), Some(Due::Head));
        activity.begin();
        assert_eq!(due_after(&activity, 1000), None);
        activity.wrote::<()>(&Poll::Pending);
        assert_eq!(due_after(&activity, 21), Some(Due::Write));
        activity.wrote(&Poll::Ready(()));
        activity.offer(1);
        assert_eq!(due_after(&activity, 21), Some(Due::Write));
        activity.offer(-1);
        activity.end(false);
        assert_eq!(due_after(&activity, 74), None);
        assert_eq!(due_after(&activity, 76), Some(Due::Idle));
    }

    #[test]
    fn a_body_left_unread_is_no_new_head() {
        let activity = Activity::new();
        activity.begin();
        activity.end(true);
        activity.read();
        assert_eq!(due_after(&activity, 11), None);
    }

    #[test]
    fn the_driver_looks_again_before_anything_can_be_due() {
        let activity = Activity::new();
        let now = Instant::now();
        assert_eq!(activity.due(now, &TIMEOUTS, None), Due::Later(now + TIMEOUTS.header));
    }

    #[test]
    fn a_closing_connection_waits_for_a_moment_only() {
        let activity = Activity::new();
        let soon = Instant::now() + Duration::from_secs(1);
        assert_eq!(activity.due(soon, &TIMEOUTS, Some(Duration::from_millis(500))), Due::Idle);
    }
}
