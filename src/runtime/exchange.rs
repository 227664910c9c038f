//! One request under way, as the pool keeps it: its reply is won once, by the worker or by whoever answers in its
//! place when the worker is stuck.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::pool::Pool;
use crate::event::{self, ErrorCode, Exchange, Fault, Fetch, ReplySender, RequestBody, RequestHead, RequestId};

/// Chunks of a streamed response on their way to the client, and one place more for the fault that cuts it off.
const STREAM_DEPTH: usize = 4;

/// No worker has the request.
const UNASSIGNED: u32 = 0;
/// Set beside the worker's number once its code has seen the request.
const STARTED: u32 = 1 << 31;

/// A request under way.
pub(super) struct Ticket {
    /// Its id in logs and headers.
    pub(super) id: RequestId,
    /// Method, URL and headers.
    pub(super) head: RequestHead,
    /// When it was handed over.
    pub(super) queued: Instant,
    /// When the wall limit strikes.
    pub(super) deadline: Instant,
    /// What the worker that began it calls it.
    token: AtomicU32,
    /// Whether another attempt could be told from this one: it has a body, a method that is not safe, or it did
    /// something that lasts.
    unrepeatable: AtomicBool,
    replayed: AtomicBool,
    aborted: AtomicBool,
    cpu: AtomicU64,
    worker: AtomicU32,
    slots: Mutex<Slots>,
    pool: Weak<Pool>,
}

/// What is taken out of a ticket as it goes on.
struct Slots {
    body: Option<RequestBody>,
    reply: Option<ReplySender>,
    stream: Option<Stream>,
}

/// The app's end of a streamed response.
pub(super) struct Stream {
    /// Reserved from the start, so that cutting the response off never waits.
    cut: mpsc::OwnedPermit<Result<Bytes, Fault>>,
}

impl Stream {
    /// A stream, the sender its chunks are written to, and the body the gateway reads.
    pub(super) fn new(length: Option<u64>) -> (Self, mpsc::Sender<Result<Bytes, Fault>>, event::ResponseBody) {
        let (chunks, receiver) = mpsc::channel(STREAM_DEPTH + 1);
        let cut = chunks.clone().try_reserve_owned().expect("a new channel has room");
        (Self { cut }, chunks, event::ResponseBody::Stream { chunks: receiver, length })
    }
}

impl Ticket {
    /// Takes a request in.
    pub(super) fn new(fetch: Fetch, pool: Weak<Pool>) -> Arc<Self> {
        let safe = matches!(fetch.head.method(), "GET" | "HEAD" | "OPTIONS");
        Arc::new(Self {
            id: fetch.id,
            head: fetch.head,
            queued: fetch.queued,
            deadline: fetch.deadline,
            token: AtomicU32::new(0),
            unrepeatable: AtomicBool::new(!safe || fetch.body.is_some()),
            replayed: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            cpu: AtomicU64::new(0),
            worker: AtomicU32::new(UNASSIGNED),
            slots: Mutex::new(Slots { body: fetch.body, reply: Some(fetch.reply), stream: None }),
            pool,
        })
    }

    /// The body; `None` where there is none or it was taken before.
    pub(super) fn take_body(&self) -> Option<RequestBody> {
        self.lock().body.take()
    }

    /// Gives the request to a worker that has not begun it.
    pub(super) fn assign(&self, worker: u32) {
        self.worker.store(worker, Ordering::Release);
    }

    /// Marks it as begun by `worker`, which calls it `token`; false if it was aborted or taken away in the meantime.
    pub(super) fn begin(&self, worker: u32, token: u32) -> bool {
        let begun = !self.is_aborted()
            && self.worker.compare_exchange(worker, worker | STARTED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        // Not before: another worker may have it by now, and call it something else.
        if begun {
            self.token.store(token, Ordering::Release);
        }
        begun
    }

    /// What its worker calls it, once that has begun it.
    pub(super) fn token(&self) -> Option<u32> {
        self.is_started().then(|| self.token.load(Ordering::Relaxed))
    }

    /// The number of the worker that has it; 0 is none.
    pub(super) fn worker(&self) -> u32 {
        self.worker.load(Ordering::Acquire) & !STARTED
    }

    /// Takes it away from `worker` if that has not begun it.
    pub(super) fn reclaim(&self, worker: u32) -> bool {
        self.worker.compare_exchange(worker, UNASSIGNED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether a worker's code has seen it.
    pub(super) fn is_started(&self) -> bool {
        self.worker.load(Ordering::Acquire) & STARTED != 0
    }

    /// The client left, or was answered by someone else.
    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    /// It did something that a second attempt would repeat.
    pub(super) fn set_unrepeatable(&self) {
        self.unrepeatable.store(true, Ordering::Release);
    }

    /// Readies it for its one replay; false if it may have none.
    pub(super) fn replay(&self) -> bool {
        let again = !self.unrepeatable.load(Ordering::Acquire)
            && !self.is_aborted()
            && self.lock().reply.is_some()
            && !self.replayed.swap(true, Ordering::AcqRel);
        if again {
            self.worker.store(UNASSIGNED, Ordering::Release);
        }
        again
    }

    /// Charges CPU time.
    pub(super) fn charge(&self, time: Duration) {
        self.cpu.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Answers with the app's response, and for a streamed body the end the app writes to; false if someone else has
    /// answered.
    pub(super) fn respond(&self, response: event::Response, stream: Option<Stream>) -> bool {
        let reply = {
            let mut slots = self.lock();
            let reply = slots.reply.take();
            // In place before the gateway can see the head: a fault right after it finds what to cut.
            if reply.is_some() {
                slots.stream = stream;
            }
            reply
        };
        reply.is_some_and(|reply| reply.send(Ok(response)))
    }

    /// Ends it with a fault: the answer if there is none yet, the cut of a stream that is still open.
    /// Returns whether the fault is what the client gets.
    pub(super) fn fail(&self, fault: Fault) -> bool {
        let reply = self.lock().reply.take();
        if let Some(reply) = reply {
            return reply.send(Err(fault));
        }
        let stream = self.lock().stream.take();
        stream.map(|stream| stream.cut.send(Err(fault))).is_some()
    }

    /// Closes the streamed response after its last chunk.
    pub(super) fn close_stream(&self) {
        self.lock().stream = None;
    }

    /// Frees what the request held. Its reply, if none was given, is dropped.
    pub(super) fn finish(&self) {
        let mut slots = self.lock();
        let ended = Slots { body: slots.body.take(), reply: slots.reply.take(), stream: None };
        slots.stream = None;
        drop(slots);
        // Bodies and replies run others' code when they are dropped: not under the lock.
        drop(ended);
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange for Ticket {
    fn abort(&self, _cause: ErrorCode) {
        if self.aborted.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(pool) = self.pool.upgrade() {
            pool.abort(self);
        }
    }

    fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu.load(Ordering::Relaxed))
    }
}
