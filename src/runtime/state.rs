//! What the platform's native functions see of their worker: the requests under way, timers, and work that JavaScript
//! began and waits for.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::exchange::{Stream, Ticket};
use super::fetches::Fetches;
use super::pool::Pool;
use super::rejections::Rejections;
use super::scripts::Scripts;
use super::timers::Timers;
use super::worker::Worker;
use crate::event::{ErrorCode, Fault, Held, RequestBody, RequestHead, Response};
use crate::plan::Level;

/// Reads and writes in a row before others get their turn.
const LONGEST_STREAK: u32 = 16;

/// A worker's own state, once it has its app. Found in the isolate's slot.
pub(crate) struct State {
    pub(super) worker: Arc<Worker>,
    pub(super) pool: Arc<Pool>,
    pub(super) scripts: Scripts,
    pub(super) rejections: Rejections,
    pub(super) timers: RefCell<Timers>,
    /// Outgoing exchanges.
    pub(crate) fetches: Fetches,
    requests: RefCell<FxHashMap<u32, Request>>,
    last_token: Cell<u32>,
    /// The token of a realm that waits for its request; 0 for none.
    prepared: Cell<u32>,
    begun: Cell<bool>,
    /// What the running turn answers, sent when it has ended well.
    outbox: RefCell<Vec<(Arc<Ticket>, Outgoing)>>,
    /// Requests that ended in the running turn.
    ended: RefCell<Vec<u32>>,
    /// Work that is done and waits for its turn.
    done: RefCell<Vec<Done>>,
    waker: Cell<Option<Waker>>,
    tasks: Cell<usize>,
    /// Reads and writes done on the spot since the last that waited.
    streak: Cell<u32>,
    started: Instant,
    time_origin: Duration,
}

/// Settles a promise for work that is done, in a turn of its request.
type Settle = Box<dyn FnOnce(&mut v8::PinScope<'_, '_>)>;

/// Work that is done.
pub(super) struct Done {
    pub(super) request: u32,
    pub(super) settle: Settle,
}

enum Outgoing {
    Response(Response, Option<Stream>),
    Fault(Fault),
    /// The end of a streamed response.
    End,
}

/// One request under way.
pub(crate) struct Request {
    ticket: Arc<Ticket>,
    body: Option<Rc<RefCell<Option<RequestBody>>>>,
    chunks: Option<mpsc::Sender<Result<Bytes, Fault>>>,
    waits: bool,
    answered: bool,
    aborted: bool,
    /// CPU time used since the budget was last renewed.
    used: Duration,
    renewed: Instant,
    work: Vec<AbortHandle>,
}

impl State {
    pub(super) fn new(worker: &Arc<Worker>, pool: &Arc<Pool>) -> Rc<Self> {
        Rc::new(Self {
            worker: Arc::clone(worker),
            pool: Arc::clone(pool),
            scripts: Scripts::default(),
            rejections: Rejections::default(),
            timers: RefCell::default(),
            fetches: Fetches::new(Arc::clone(&pool.egress)),
            requests: RefCell::default(),
            last_token: Cell::new(0),
            prepared: Cell::new(0),
            begun: Cell::new(false),
            outbox: RefCell::default(),
            ended: RefCell::default(),
            done: RefCell::default(),
            waker: Cell::new(None),
            tasks: Cell::new(0),
            streak: Cell::new(0),
            started: Instant::now(),
            time_origin: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
        })
    }

    // What the event loop does.

    /// A token that no request has, for the realm of one that is yet to come.
    pub(super) fn prepare(&self) -> u32 {
        self.prepared.set(self.next_token());
        self.prepared.get()
    }

    /// Takes a request in, with the prepared token if there is one; `None` if it is no longer this worker's to begin.
    pub(super) fn begin(&self, ticket: &Arc<Ticket>, now: Instant) -> Option<u32> {
        let prepared = self.prepared.get();
        let token = if prepared == 0 { self.next_token() } else { prepared };
        if !ticket.begin(self.worker.number, token) {
            return None;
        }
        self.prepared.set(0);
        self.begun.set(true);
        let request = Request {
            ticket: Arc::clone(ticket),
            body: ticket.take_body().map(|body| Rc::new(RefCell::new(Some(body)))),
            chunks: None,
            waits: false,
            answered: false,
            aborted: false,
            used: Duration::ZERO,
            renewed: now,
            work: Vec::new(),
        };
        self.requests.borrow_mut().insert(token, request);
        Some(token)
    }

    /// The token of a request under way.
    pub(super) fn token_of(&self, ticket: &Arc<Ticket>) -> Option<u32> {
        let token = ticket.token()?;
        self.requests.borrow().get(&token).is_some_and(|request| Arc::ptr_eq(&request.ticket, ticket)).then_some(token)
    }

    /// Whether no request is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.borrow().is_empty()
    }

    /// Whether a request has been under way.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.get()
    }

    /// How many requests are under way.
    pub(super) fn live(&self) -> usize {
        self.requests.borrow().len()
    }

    /// Whether the request is under way.
    pub(super) fn is_live(&self, token: u32) -> bool {
        self.requests.borrow().contains_key(&token)
    }

    /// Whether what is done for `token` still matters to anyone: 0 is nobody's, and goes on.
    pub(super) fn is_wanted(&self, token: u32) -> bool {
        token == 0 || token == self.prepared.get() || self.is_live(token)
    }

    /// CPU time that is left for the request's next turn, and whether the wall limit holds for that: while it has no
    /// answer.
    pub(super) fn budget(&self, token: u32) -> (Duration, bool) {
        let limit = self.pool.app.limits.cpu;
        match self.requests.borrow_mut().get_mut(&token) {
            Some(request) => {
                // A response that streams may go on for hours: its budget is per second.
                if request.answered && request.renewed.elapsed() >= Duration::from_secs(1) {
                    request.renewed = Instant::now();
                    request.used = Duration::ZERO;
                }
                (limit.saturating_sub(request.used), !request.answered && !request.aborted)
            }
            None => (limit, false),
        }
    }

    /// Charges a turn's CPU time to the request it began for.
    pub(super) fn charge(&self, token: u32, time: Duration) {
        self.pool.metrics.cpu(time);
        if let Some(request) = self.requests.borrow_mut().get_mut(&token) {
            request.used += time;
            request.ticket.charge(time);
        }
    }

    /// Sends what a turn has answered and frees what it has ended.
    pub(super) fn flush(&self) {
        let mut outbox = self.outbox.borrow_mut();
        for (ticket, outgoing) in outbox.drain(..) {
            match outgoing {
                Outgoing::Response(response, stream) => {
                    ticket.respond(response, stream);
                }
                Outgoing::Fault(fault) => {
                    ticket.fail(fault);
                }
                Outgoing::End => ticket.close_stream(),
            }
        }
        drop(outbox);
        loop {
            let Some(token) = self.ended.borrow_mut().pop() else { return };
            self.end(token);
        }
    }

    /// Ends a request: its timers, fetches, reads and writes go, what it held is freed.
    pub(super) fn end(&self, token: u32) {
        let Some(request) = self.requests.borrow_mut().remove(&token) else { return };
        self.timers.borrow_mut().cancel_request(token);
        request.work.iter().for_each(AbortHandle::abort);
        self.fetches.end_request(token);
        request.ticket.finish();
        self.pool.finished(&self.worker, &request.ticket);
    }

    /// The client is gone: returns whether the request has something left to wait for.
    pub(super) fn abort(&self, token: u32) -> bool {
        let mut requests = self.requests.borrow_mut();
        let Some(request) = requests.get_mut(&token) else { return false };
        request.aborted = true;
        request.chunks = None;
        if request.waits && !request.answered {
            request.answered = true;
            self.timers.borrow_mut().limit_wait_until(token, self.pool.app.limits.wait_until);
        }
        request.waits
    }

    /// A request without CPU time left gets its fault, without harm to the isolate; false if it has some.
    pub(super) fn exhausted(&self, token: u32) -> bool {
        if !self.is_live(token) || !self.budget(token).0.is_zero() {
            return false;
        }
        let ticket = self.requests.borrow().get(&token).map(|request| Arc::clone(&request.ticket));
        if let Some(ticket) = ticket {
            ticket.fail(ErrorCode::CpuLimit.into());
            let limit = self.pool.app.limits.cpu;
            self.log(Level::Error, token, &format!("the request took more CPU time than limits cpu ({limit:?})"));
            self.pool.exhausted();
        }
        true
    }

    /// Work that is done, or registers the event loop to be woken by the next.
    pub(super) fn poll_done(&self, cx: &mut Context<'_>) -> Poll<Vec<Done>> {
        if self.done.borrow().is_empty() {
            self.waker.set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        Poll::Ready(self.done.take())
    }

    /// Whether work is under way that the event loop must leave time for.
    pub(super) fn has_tasks(&self) -> bool {
        self.tasks.get() > 0
    }

    // What native functions do.

    /// Writes a line to the app's log, with the id of the request.
    pub(crate) fn log(&self, level: Level, token: u32, message: &str) {
        let requests = self.requests.borrow();
        let id = requests.get(&token).map(|request| &request.ticket.id);
        self.pool.log.console(level, id, message);
    }

    /// The request is about to do something that others can see: it is not to be done again. False if it is over.
    pub(crate) fn goes_outside(&self, token: u32) -> bool {
        let requests = self.requests.borrow();
        let request = requests.get(&token);
        request.inspect(|request| request.ticket.set_unrepeatable());
        self.is_wanted(token)
    }

    /// Since when this isolate has its app.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// That moment as time since the Unix epoch.
    pub(crate) fn time_origin(&self) -> Duration {
        self.time_origin
    }

    /// Starts a timer of `token`'s; returns its id.
    pub(crate) fn start_timer(&self, token: u32, delay: Duration) -> u32 {
        self.timers.borrow_mut().start(token, delay)
    }

    /// Stops a timer.
    pub(crate) fn cancel_timer(&self, id: u32) {
        self.timers.borrow_mut().cancel(id);
    }

    /// The head of a request under way.
    pub(crate) fn head(&self, token: u32) -> Option<HeadRef> {
        self.requests.borrow().get(&token).map(|request| HeadRef(Arc::clone(&request.ticket)))
    }

    /// The body of a request under way.
    pub(crate) fn body(&self, token: u32) -> Option<Rc<RefCell<Option<RequestBody>>>> {
        self.requests.borrow().get(&token).and_then(|request| request.body.clone())
    }

    /// Where the chunks of a request's response go.
    pub(crate) fn chunks(&self, token: u32) -> Option<mpsc::Sender<Result<Bytes, Fault>>> {
        self.requests.borrow().get(&token).and_then(|request| request.chunks.clone())
    }

    /// `data` as part of a response; `None` if the app's clients have too much yet to take.
    pub(crate) fn charge_unsent(&self, data: impl Into<Bytes>) -> Option<Bytes> {
        self.pool.unsent.charge(data.into())
    }

    /// A response's head of so many bytes, charged until what is returned is dropped; the outer `None` as above.
    pub(crate) fn charge_unsent_head(&self, size: usize) -> Option<Held> {
        let charge = self.pool.unsent.charge_size(size)?;
        Some(charge.map(|charge| Box::new(charge) as Box<dyn Any + Send>))
    }

    /// Answers a request when the running turn has ended. With `streamed`, the body is what is written afterwards, and
    /// perhaps it is known how many bytes that will be.
    pub(crate) fn respond(&self, token: u32, mut response: Response, streamed: Option<Option<u64>>) {
        let mut requests = self.requests.borrow_mut();
        let Some(request) = requests.get_mut(&token).filter(|request| !request.answered) else { return };
        let mut stream = None;
        if let Some(length) = streamed {
            let (end, chunks, body) = Stream::new(length);
            (stream, request.chunks, response.body) = (Some(end), Some(chunks), body);
        }
        self.answered(token, request);
        self.outbox.borrow_mut().push((Arc::clone(&request.ticket), Outgoing::Response(response, stream)));
    }

    /// Answers a request with a fault when the running turn has ended.
    pub(crate) fn fail(&self, token: u32, fault: Fault) {
        let mut requests = self.requests.borrow_mut();
        let Some(request) = requests.get_mut(&token) else { return };
        self.answered(token, request);
        request.chunks = None;
        self.outbox.borrow_mut().push((Arc::clone(&request.ticket), Outgoing::Fault(fault)));
    }

    /// Whether a read or write that can be done on the spot may be: a long row of them would keep the turn from ending.
    pub(crate) fn may_go_on(&self) -> bool {
        self.streak.set((self.streak.get() + 1) % LONGEST_STREAK);
        self.streak.get() != 0
    }

    /// Closes a response after its last chunk.
    pub(crate) fn close_stream(&self, token: u32) {
        if let Some(request) = self.requests.borrow_mut().get_mut(&token) {
            request.chunks = None;
            // After the head, which may leave with this turn too.
            self.outbox.borrow_mut().push((Arc::clone(&request.ticket), Outgoing::End));
        }
    }

    /// The app wants the request kept alive past its response.
    pub(crate) fn wait_until(&self, token: u32) {
        if let Some(request) = self.requests.borrow_mut().get_mut(&token) {
            request.waits = true;
            request.ticket.set_unrepeatable();
            if request.answered {
                self.timers.borrow_mut().limit_wait_until(token, self.pool.app.limits.wait_until);
            }
        }
    }

    /// The request and all it waited for have ended.
    pub(crate) fn finished(&self, token: u32) {
        self.ended.borrow_mut().push(token);
    }

    /// Begins work for `token` on this thread. The promise returned is settled by `settle`, in a turn of that request,
    /// with a value or an exception; never if the request ends first.
    pub(crate) fn promise<'s, T: 'static>(
        self: &Rc<Self>,
        scope: &mut v8::PinScope<'s, '_>,
        token: u32,
        work: impl Future<Output = T> + 'static,
        settle: impl for<'a> FnOnce(
            &mut v8::PinScope<'a, '_>,
            T,
        ) -> Result<v8::Local<'a, v8::Value>, v8::Local<'a, v8::Value>>
        + 'static,
    ) -> Option<v8::Local<'s, v8::Promise>> {
        let resolver = v8::PromiseResolver::new(scope)?;
        let promise = resolver.get_promise(scope);
        let resolver = v8::Global::new(scope, resolver);
        let state = Rc::clone(self);
        self.tasks.set(self.tasks.get() + 1);
        let under_way = UnderWay(Rc::clone(self));
        let task = tokio::task::spawn_local(async move {
            let result = work.await;
            drop(under_way);
            let settle: Settle = Box::new(move |scope| {
                let resolver = v8::Local::new(scope, resolver);
                match settle(scope, result) {
                    Ok(value) => fulfill(scope, resolver, value),
                    Err(error) => _ = resolver.reject(scope, error),
                }
            });
            state.done.borrow_mut().push(Done { request: token, settle });
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        });
        if let Some(request) = self.requests.borrow_mut().get_mut(&token) {
            request.work.retain(|task| !task.is_finished());
            request.work.push(task.abort_handle());
        }
        Some(promise)
    }

    fn answered(&self, token: u32, request: &mut Request) {
        request.answered = true;
        if request.waits {
            self.timers.borrow_mut().limit_wait_until(token, self.pool.app.limits.wait_until);
        }
    }

    fn next_token(&self) -> u32 {
        loop {
            let token = self.last_token.get().wrapping_add(1);
            self.last_token.set(token);
            if token != 0 && !self.is_live(token) {
                return token;
            }
        }
    }
}

/// Settles a promise with `value` itself. One that is resolved with an object asks it for a `then`, and would find what
/// an app has put into a prototype: for as long as it asks, the object has one of its own that is none.
fn fulfill(
    scope: &mut v8::PinScope<'_, '_>,
    resolver: v8::Local<'_, v8::PromiseResolver>,
    value: v8::Local<'_, v8::Value>,
) {
    let object = v8::Local::<v8::Object>::try_from(value).ok();
    let shield = object.and_then(|object| {
        let then = v8::String::new(scope, "then")?;
        let none = v8::undefined(scope).into();
        object.create_data_property(scope, then.into(), none)?;
        Some((object, then))
    });
    resolver.resolve(scope, value);
    if let Some((object, then)) = shield {
        object.delete(scope, then.into());
    }
}

/// The state of the worker whose isolate this is.
pub(crate) fn of(isolate: &v8::Isolate) -> Rc<State> {
    Rc::clone(borrowed(isolate))
}

/// When the worker got its app.
pub(crate) fn started(isolate: &v8::Isolate) -> Instant {
    borrowed(isolate).started()
}

fn borrowed(isolate: &v8::Isolate) -> &Rc<State> {
    isolate.get_slot::<Rc<State>>().expect("the platform's functions run only once the worker has its app")
}

/// Counts work under way for as long as it lives.
struct UnderWay(Rc<State>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.tasks.set(self.0.tasks.get() - 1);
    }
}

/// A request's head, held while it is read.
pub(crate) struct HeadRef(Arc<Ticket>);

impl HeadRef {
    /// The head.
    pub(crate) fn get(&self) -> &RequestHead {
        &self.0.head
    }
}
