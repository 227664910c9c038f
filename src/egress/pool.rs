//! One isolate's connections, by where they go. An HTTP/1.1 connection has one exchange at a time, and afterwards idles
//! for a while; an HTTP/2 connection is shared. Whoever finds the app at its `max-connections` waits for one to be
//! closed, or to become free on this thread; connections that idle are closed for whoever waits, on whatever thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, spawn_local, yield_now};
use tokio::time::{Instant, sleep_until, timeout};

use super::Egress;
use super::body::Upload;
use super::client::Target;
use super::connect::{Stream, connect};
use super::failure::Failure;

/// A connection nobody uses is closed after so long.
const IDLE: Duration = Duration::from_secs(10);
/// How long the rest of a request may take to leave once its response is read.
const SETTLE: Duration = Duration::from_secs(1);
/// How often to let others go first while a connection settles.
const YIELDS: usize = 4;
/// Bytes read ahead on a connection.
const BUFFER: usize = 64 << 10;
/// Bytes of a response's head, or of its trailers: as they are sent (HTTP/1), or with 32 more for each field (HTTP/2,
/// RFC 9113 §10.5.1).
pub(super) const FIELDS_SIZE: usize = 64 << 10;
/// Fields of a response (HTTP/1).
const FIELDS: usize = 256;
/// HTTP/2: bytes a server may send ahead, on a stream and on a connection.
const WINDOWS: (u32, u32) = (256 << 10, 1 << 20);
/// HTTP/2: how often a connection in use is asked whether it still is one, and how long the answer may take.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// One isolate's connections.
pub(super) struct Pool {
    egress: Arc<Egress>,
    idle: RefCell<FxHashMap<Target, Vec<Idle>>>,
    shared: RefCell<FxHashMap<Target, Rc<Many>>>,
    /// Who waits for a connection, in order.
    waiting: RefCell<FxHashMap<Target, VecDeque<oneshot::Sender<One>>>>,
    /// How many connections are on their way back.
    settling: Cell<usize>,
    /// Whether a task looks after what idles.
    tended: Cell<bool>,
}

/// An HTTP/1.1 connection.
struct One {
    sender: http1::SendRequest<Upload>,
    _driver: Driver,
}

struct Idle {
    one: One,
    until: Instant,
}

/// An HTTP/2 connection.
pub(super) struct Many {
    sender: http2::SendRequest<Upload>,
    users: Cell<usize>,
    until: Cell<Instant>,
    _driver: Driver,
}

/// The task that does a connection's I/O; the connection ends with this.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs HTTP/2's tasks on this thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// A connection for one exchange. Dropped, it ends the exchange: with its connection, or its stream.
pub(super) struct Lease {
    pool: Rc<Pool>,
    target: Target,
    /// Whether it was used before: the server may have closed it meanwhile.
    pub(super) reused: bool,
    kind: Kind,
}

enum Kind {
    One(Option<One>),
    Many(Rc<Many>),
}

impl Pool {
    pub(super) fn new(egress: Arc<Egress>) -> Rc<Self> {
        Rc::new(Self {
            egress,
            idle: RefCell::default(),
            shared: RefCell::default(),
            waiting: RefCell::default(),
            settling: Cell::new(0),
            tended: Cell::new(false),
        })
    }

    /// A connection to `target`: with `fresh`, one that nobody has used.
    pub(super) async fn lease(self: &Rc<Self>, target: &Target, fresh: bool) -> Result<Lease, Failure> {
        for _ in 0..YIELDS {
            if !fresh && let Some(kind) = self.known(target) {
                return Ok(self.lend(target, kind, true));
            }
            // One fetch often follows another to the same place: the connection may be about to be free.
            if fresh || self.settling.get() == 0 {
                break;
            }
            yield_now().await;
        }
        let permit = match self.egress.permit_now() {
            Some(permit) => permit,
            None if fresh => self.egress.permit().await,
            None => {
                let (sender, handed) = oneshot::channel();
                self.wait(target, sender);
                tokio::select! {
                    biased;
                    Ok(one) = handed => return Ok(self.lend(target, Kind::One(Some(one)), true)),
                    permit = self.egress.permit() => permit,
                }
            }
        };
        let stream = connect(&self.egress, target, permit).await?;
        let kind = if stream.is_http2() { self.share(target, stream).await? } else { one(stream).await? };
        Ok(self.lend(target, kind, false))
    }

    fn lend(self: &Rc<Self>, target: &Target, kind: Kind, reused: bool) -> Lease {
        if let Kind::Many(many) = &kind {
            many.users.set(many.users.get() + 1);
        }
        Lease { pool: Rc::clone(self), target: target.clone(), reused, kind }
    }

    /// A connection that is there and can be used at once.
    fn known(&self, target: &Target) -> Option<Kind> {
        if let Some(many) = self.shared.borrow().get(target).filter(|many| !many.sender.is_closed()) {
            return Some(Kind::Many(Rc::clone(many)));
        }
        let mut idle = self.idle.borrow_mut();
        let idle = idle.get_mut(target)?;
        while let Some(Idle { one, .. }) = idle.pop() {
            if one.sender.is_ready() {
                return Some(Kind::One(Some(one)));
            }
        }
        None
    }

    fn wait(&self, target: &Target, sender: oneshot::Sender<One>) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|_, waiting| {
            waiting.retain(|sender| !sender.is_closed());
            !waiting.is_empty()
        });
        waiting.entry(target.clone()).or_default().push_back(sender);
    }

    async fn share(self: &Rc<Self>, target: &Target, stream: Stream) -> Result<Kind, Failure> {
        let mut builder = http2::Builder::new(Local);
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .max_header_list_size(FIELDS_SIZE as u32)
            .max_send_buf_size(BUFFER)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        let driver = drive(connection);
        let many = Rc::new(Many { sender, users: Cell::new(0), until: Cell::new(Instant::now()), _driver: driver });
        let mut shared = self.shared.borrow_mut();
        // Several may have been opened at once: the first is kept for others.
        let known = shared.get(target).is_some_and(|known| !known.sender.is_closed());
        if !known {
            shared.insert(target.clone(), Rc::clone(&many));
        }
        Ok(Kind::Many(many))
    }

    /// Takes a connection back whose exchange is over: whoever waits for one to there gets it.
    async fn take_back(self: &Rc<Self>, target: Target, mut one: One, settling: Settling) {
        let settled = timeout(SETTLE, one.sender.ready()).await;
        drop(settling);
        if !matches!(settled, Ok(Ok(()))) {
            return;
        }
        if let Some(waiting) = self.waiting.borrow_mut().get_mut(&target) {
            while let Some(next) = waiting.pop_front() {
                match next.send(one) {
                    Ok(()) => return,
                    Err(back) => one = back,
                }
            }
        }
        if !self.egress.is_short() {
            let idle = Idle { one, until: Instant::now() + IDLE };
            self.idle.borrow_mut().entry(target).or_default().push(idle);
            self.tend();
        }
    }

    /// Sees to it that what idles is closed in time.
    fn tend(self: &Rc<Self>) {
        if !self.tended.replace(true) {
            spawn_local(tend(Rc::downgrade(self), Arc::clone(&self.egress)));
        }
    }

    /// Closes what has idled for too long, and where the app is short of connections, what idles at all. Returns when to
    /// look again, if anything is left.
    fn sweep(&self) -> Option<Instant> {
        let now = Instant::now();
        let short = self.egress.is_short();
        let keeps = |until: Instant| !short && until > now;
        let mut idle = self.idle.borrow_mut();
        idle.retain(|_, idle| {
            idle.retain(|idle| !idle.one.sender.is_closed() && keeps(idle.until));
            !idle.is_empty()
        });
        let mut shared = self.shared.borrow_mut();
        shared.retain(|_, many| !many.sender.is_closed() && (many.users.get() > 0 || keeps(many.until.get())));
        let ones = idle.values().flatten().map(|idle| idle.until);
        let manies = shared.values().filter(|many| many.users.get() == 0).map(|many| many.until.get());
        ones.chain(manies).min()
    }
}

/// Counts a connection on its way back, for as long as it lives.
struct Settling(Rc<Pool>);

impl Settling {
    fn new(pool: &Rc<Pool>) -> Self {
        pool.settling.set(pool.settling.get() + 1);
        Self(Rc::clone(pool))
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        self.0.settling.set(self.0.settling.get() - 1);
    }
}

/// Looks after what idles, until nothing does.
async fn tend(pool: Weak<Pool>, egress: Arc<Egress>) {
    loop {
        let mut wanted = pin!(egress.wanted.notified());
        // From here on it hears of whoever begins to wait; of those before, `sweep` asks.
        wanted.as_mut().enable();
        let next = {
            let Some(pool) = pool.upgrade() else { return };
            let Some(next) = pool.sweep() else {
                pool.tended.set(false);
                return;
            };
            next
        };
        tokio::select! {
            () = wanted => {}
            () = sleep_until(next) => {}
        }
    }
}

async fn one(stream: Stream) -> Result<Kind, Failure> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(BUFFER).max_headers(FIELDS).max_header_size(FIELDS_SIZE);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    Ok(Kind::One(Some(One { sender, _driver: drive(connection) })))
}

/// Does a connection's I/O. How it ends, those learn who use it.
fn drive(connection: impl Future<Output = hyper::Result<()>> + 'static) -> Driver {
    let task = spawn_local(async {
        let _ = connection.await;
    });
    Driver(task.abort_handle())
}

impl Lease {
    /// Whether the exchange is by HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.kind, Kind::Many(_))
    }

    /// Sends a request, for which the connection must be leased anew each time.
    pub(super) async fn send(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        match &mut self.kind {
            Kind::One(one) => one.as_mut().expect("given back only by value").sender.try_send_request(request).await,
            Kind::Many(many) => many.sender.clone().try_send_request(request).await,
        }
    }

    /// The exchange is over, and well.
    pub(super) fn give_back(mut self) {
        if let Kind::One(one) = &mut self.kind
            && let Some(one) = one.take()
        {
            let (pool, target) = (Rc::clone(&self.pool), self.target.clone());
            let settling = Settling::new(&pool);
            spawn_local(async move { pool.take_back(target, one, settling).await });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Kind::Many(many) = &self.kind {
            many.users.set(many.users.get() - 1);
            many.until.set(Instant::now() + IDLE);
            self.pool.tend();
        }
    }
}
