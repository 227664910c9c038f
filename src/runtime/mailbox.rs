//! What reaches a worker from other threads, in order. A push wakes the worker only when it sleeps.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::exchange::Ticket;
use super::pool::Pool;
use crate::event::wake;

/// One message to a worker.
pub(super) enum Message {
    /// The app a generic worker is to run.
    Bind(Arc<Pool>),
    /// A request to begin.
    Request(Arc<Ticket>),
    /// A request that is no longer wanted.
    Abort(Arc<Ticket>),
    /// A task of V8's, to be run after a delay.
    Task(v8::Task, Duration),
    /// Finish: nothing of the app's is under way any more.
    Retire,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Message>,
    /// Since when the oldest message waits that the worker has not dealt with; `None` while it sleeps.
    since: Option<Instant>,
    /// Set only while the worker sleeps.
    waker: Option<Waker>,
}

/// A worker's mailbox.
#[derive(Default)]
pub(super) struct Mailbox(Mutex<Inner>);

impl Mailbox {
    /// Adds a message, and wakes the worker if it sleeps (see [`wake`]).
    pub(super) fn push(&self, message: Message) {
        wake::wake(self.add(message));
    }

    /// Adds a message; whoever calls it must then call [`wake::wake`] with the result.
    #[must_use]
    pub(super) fn add(&self, message: Message) -> Option<Waker> {
        let mut inner = self.lock();
        inner.since.get_or_insert_with(Instant::now);
        inner.queue.push_back(message);
        inner.waker.take()
    }

    /// Moves every message to `into` (empty, its memory is reused), or registers the caller to be woken by the next.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>, into: &mut VecDeque<Message>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.queue.is_empty() {
            inner.since = None;
            if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                inner.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        inner.waker = None;
        // The batch is not dealt with before the next look in here.
        inner.since = Some(Instant::now());
        std::mem::swap(&mut inner.queue, into);
        Poll::Ready(())
    }

    /// How long the oldest message has waited, or the batch in hand has taken.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        self.lock().since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
