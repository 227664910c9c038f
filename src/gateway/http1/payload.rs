//! A request's body between the connection that receives it and the app that reads it, usually on another thread. What
//! lies between them is bounded: beyond it nothing is read from the socket, so that a client waits for the app.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::event::{BodyError, wake};

/// Bytes that may lie ready for an app that reads.
const AHEAD: usize = 64 * 1024;

/// Bytes that may lie ready before the app has begun to read: enough for most bodies whole.
const AHEAD_UNASKED: usize = 16 * 1024;

/// What a chunk takes beside its bytes.
const CHUNK: usize = 64;

/// The body as its reader sees it.
#[derive(Debug)]
pub(in crate::gateway) struct Payload {
    source: Source,
    /// Bytes still to come, where the head says how many.
    left: Option<u64>,
}

#[derive(Debug)]
enum Source {
    /// All there is; empty once it is read.
    Whole(Bytes),
    Pipe(Arc<Pipe>),
}

/// The end of a pipe that the connection holds. Dropping it before [`Feed::end`] fails the body.
#[derive(Debug)]
pub(super) struct Feed(Arc<Pipe>);

#[derive(Debug, Default)]
struct Pipe(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Bytes>,
    /// What `chunks` count for.
    queued: usize,
    ended: Option<Result<(), BodyError>>,
    /// The reader has begun to read.
    asked: bool,
    /// Since when it waits with nothing to read.
    hungry: Option<Instant>,
    /// The reader was dropped.
    gone: bool,
    reader: Option<Waker>,
    /// Set only while the connection waits for the reader.
    feeder: Option<Waker>,
}

impl Payload {
    /// A body that is there already, or is none.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { left: Some(bytes.len() as u64), source: Source::Whole(bytes) }
    }

    /// A body that is still to come, of this length if that is known.
    pub(super) fn pipe(length: Option<u64>) -> (Feed, Self) {
        let pipe = Arc::<Pipe>::default();
        (Feed(Arc::clone(&pipe)), Self { source: Source::Pipe(pipe), left: length })
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let next = match &mut this.source {
            Source::Whole(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Source::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::Pipe(pipe) => match pipe.poll_next(cx) {
                Poll::Ready(next) => next,
                Poll::Pending => return Poll::Pending,
            },
        };
        if let (Some(Ok(chunk)), Some(left)) = (&next, &mut this.left) {
            *left -= chunk.len() as u64;
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Pipe(pipe) => {
                let state = pipe.lock();
                state.chunks.is_empty() && state.ended == Some(Ok(()))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if let Source::Pipe(pipe) = &self.source {
            let feeder = {
                let mut state = pipe.lock();
                state.gone = true;
                state.hungry = None;
                state.reader = None;
                (state.chunks, state.queued) = (VecDeque::new(), 0);
                state.feeder.take()
            };
            wake_one(feeder);
        }
    }
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let mut state = self.lock();
        let next = match state.chunks.pop_front() {
            Some(chunk) => {
                state.queued -= cost(&chunk);
                Poll::Ready(Some(Ok(chunk)))
            }
            None => match state.ended {
                Some(Ok(())) => Poll::Ready(None),
                Some(Err(fault)) => {
                    // Said once; what comes after an error is nothing.
                    state.ended = Some(Ok(()));
                    Poll::Ready(Some(Err(fault)))
                }
                None => {
                    state.hungry.get_or_insert_with(Instant::now);
                    if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                        state.reader = Some(cx.waker().clone());
                    }
                    Poll::Pending
                }
            },
        };
        state.asked = true;
        let feeder = state.feeder.take();
        drop(state);
        wake_one(feeder);
        next
    }
}

impl Feed {
    /// How many bytes may be added now. If none, the reader wakes the connection once that changes.
    pub(super) fn room(&self, cx: &mut Context<'_>) -> usize {
        let mut state = self.0.lock();
        let most = if state.asked { AHEAD } else { AHEAD_UNASKED };
        let room = most.saturating_sub(state.queued);
        state.feeder = (room == 0 && !state.gone).then(|| cx.waker().clone());
        room
    }

    pub(super) fn push(&self, chunk: Bytes) {
        self.change(|state| {
            state.hungry = None;
            if !state.gone {
                state.queued += cost(&chunk);
                state.chunks.push_back(chunk);
            }
        });
    }

    /// The body is whole.
    pub(super) fn end(&self) {
        self.fail_or_end(Ok(()));
    }

    /// The body will never be whole.
    pub(super) fn fail(&self, fault: BodyError) {
        self.fail_or_end(Err(fault));
    }

    fn fail_or_end(&self, end: Result<(), BodyError>) {
        self.change(|state| {
            state.ended.get_or_insert(end);
            state.hungry = None;
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let reader = {
            let mut state = self.0.lock();
            change(&mut state);
            state.reader.take()
        };
        wake_one(reader);
    }

    /// Whether the reader has begun to read; if not, it wakes the connection when it does.
    pub(super) fn poll_asked(&self, cx: &mut Context<'_>) -> bool {
        let mut state = self.0.lock();
        if !state.asked {
            state.feeder = Some(cx.waker().clone());
        }
        state.asked
    }

    /// Since when the reader waits for bytes.
    pub(super) fn hungry(&self) -> Option<Instant> {
        self.0.lock().hungry
    }

    /// Whether nobody will read what comes.
    pub(super) fn is_gone(&self) -> bool {
        self.0.lock().gone
    }

    /// Whether nobody will read what comes; if somebody will, they wake the connection when they read on or leave.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> bool {
        let mut state = self.0.lock();
        if !state.gone {
            state.feeder = Some(cx.waker().clone());
        }
        state.gone
    }
}

/// What a chunk counts for: a body of tiny ones must not take many times its size.
fn cost(chunk: &Bytes) -> usize {
    chunk.len() + CHUNK
}

fn wake_one(waker: Option<Waker>) {
    if waker.is_some() {
        wake::wake(waker);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.fail(BodyError::Incomplete);
    }
}
