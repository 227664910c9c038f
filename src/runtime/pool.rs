//! One app's workers, in one generation: who takes a request, who waits, who is refused, and who answers when a
//! worker cannot.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::code_cache::CodeCache;
use super::exchange::Ticket;
use super::faults::{Failure, Faults};
use super::mailbox::Message;
use super::sources::Sources;
use super::unsent::Unsent;
use super::worker::Worker;
use super::{RuntimeInner, StartKind};
use crate::egress::Egress;
use crate::event::wake;
use crate::event::{Dispatch, ErrorCode, Event, Exchange, Fault};
use crate::observability::log::AppLog;
use crate::observability::metrics::{AppMetrics, IsolateState};
use crate::plan::App;

/// A worker whose mailbox has waited for so long is busy: another isolate may start.
pub(super) const PATIENCE: Duration = Duration::from_millis(5);
/// After a failed load the answer stands for so long; then the next request tries again.
const LOAD_RETRY: Duration = Duration::from_secs(1);

/// Why an app's code could not be loaded; for its log, not for its clients.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(pub(super) String);

/// The workers of one app and the requests they have.
pub struct Pool {
    pub(super) app: Arc<App>,
    pub(super) log: AppLog,
    pub(super) metrics: Arc<AppMetrics>,
    pub(super) sources: Sources,
    pub(super) code_cache: Arc<CodeCache>,
    pub(super) unsent: Arc<Unsent>,
    pub(super) egress: Arc<Egress>,
    runtime: Arc<RuntimeInner>,
    /// Bytes an isolate of the app held when one was last measured; 0 before that.
    held: AtomicUsize,
    state: Mutex<State>,
    /// Told whenever the last request in flight has ended.
    idle: Notify,
    me: Weak<Self>,
}

#[derive(Default)]
struct State {
    workers: Vec<Member>,
    queue: VecDeque<Arc<Ticket>>,
    faults: Faults,
    load_failed: Option<(Instant, LoadError)>,
    waiting: Vec<oneshot::Sender<Result<(), LoadError>>>,
    /// There was no room for an isolate: [`Pool::resume`] will be called.
    asked: bool,
    draining: bool,
}

/// A worker and what it was given.
struct Member {
    worker: Arc<Worker>,
    active: Vec<Arc<Ticket>>,
    state: IsolateState,
    started: Instant,
    kind: StartKind,
}

impl Pool {
    pub(super) fn new(runtime: Arc<RuntimeInner>, app: Arc<App>, log: AppLog, metrics: Arc<AppMetrics>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            sources: Sources::new(&app.folder, app.limits.memory),
            code_cache: Arc::clone(&runtime.code_cache),
            unsent: Unsent::new(app.limits.memory.saturating_mul(app.limits.isolates)),
            egress: Egress::new(app.egress.clone(), Arc::clone(&runtime.egress)),
            app,
            log,
            metrics,
            runtime,
            held: AtomicUsize::new(0),
            state: Mutex::default(),
            idle: Notify::new(),
            me: me.clone(),
        })
    }

    /// Starts an isolate and loads the app's code, unless one is there.
    ///
    /// # Errors
    /// What the code's author needs to see: the exception and its stack.
    pub async fn warm(&self) -> Result<(), LoadError> {
        let loaded = {
            let mut state = self.lock();
            if state.workers.iter().any(|member| member.state != IsolateState::Starting) {
                return Ok(());
            }
            if state.workers.is_empty() && self.start(&mut state).is_none() && !state.asked {
                return Err(LoadError("no isolate could be started".to_owned()));
            }
            let (sender, loaded) = oneshot::channel();
            state.waiting.push(sender);
            loaded
        };
        loaded.await.unwrap_or_else(|_| Err(LoadError("the worker ended while it was loading".to_owned())))
    }

    /// Whether an isolate is live.
    pub fn is_warm(&self) -> bool {
        !self.lock().workers.is_empty()
    }

    /// Whether there is no isolate because there is no room for one.
    pub fn waits_for_room(&self) -> bool {
        let state = self.lock();
        state.asked && state.workers.is_empty()
    }

    /// Whether any file the app has loaded differs from what is on disk now. Reads files.
    pub fn sources_changed(&self) -> bool {
        self.sources.changed()
    }

    /// Waits until every request has ended, then retires the workers; what outlasts `limit` is cut. A request that
    /// arrives even later, sent by someone who knew this generation, is served.
    pub async fn drain(&self, limit: Duration) {
        self.lock().draining = true;
        let _ = tokio::time::timeout(limit, async {
            loop {
                let idle = self.idle.notified();
                if self.lock().in_flight() == 0 {
                    return;
                }
                idle.await;
            }
        })
        .await;
        let (members, queue) = {
            let mut state = self.lock();
            let ended = LoadError("the app was replaced while it was loading".to_owned());
            state.waiting.drain(..).for_each(|waiting| drop(waiting.send(Err(ended.clone()))));
            let left = (std::mem::take(&mut state.workers), std::mem::take(&mut state.queue));
            self.waits_for_nothing(&mut state);
            left
        };
        queue.iter().for_each(|ticket| self.refuse(ticket, ErrorCode::IsolateLost.into()));
        for member in members {
            self.metrics.isolate_state(Some(member.state), None);
            member.active.iter().for_each(|ticket| self.refuse(ticket, ErrorCode::IsolateLost.into()));
            member.worker.mailbox.push(Message::Retire);
        }
    }

    /// A worker, an event-loop turn away from the next request, has ended one.
    pub(super) fn finished(&self, worker: &Worker, ticket: &Arc<Ticket>) {
        let mut state = self.lock();
        let Some(at) = state.position(worker) else { return };
        let member = &mut state.workers[at];
        let Some(index) = member.active.iter().position(|other| Arc::ptr_eq(other, ticket)) else { return };
        member.active.swap_remove(index);
        if let Some(next) = state.queue.pop_front() {
            let waker = state.workers[at].assign(next);
            drop(state);
            wake::wake(waker);
            return;
        }
        self.waits_for_nothing(&mut state);
        // One that still loads the app says itself when it has.
        if state.workers[at].active.is_empty() && state.workers[at].state != IsolateState::Starting {
            self.rests(&mut state, at);
        }
        self.tell_drained(&state);
    }

    /// A worker has loaded the app. True if there is no request for it.
    pub(super) fn loaded(&self, worker: &Worker) -> bool {
        let mut state = self.lock();
        state.waiting.drain(..).for_each(|waiting| drop(waiting.send(Ok(()))));
        let Some(at) = state.position(worker) else { return true };
        let member = &mut state.workers[at];
        self.metrics.isolate_started(member.kind, member.started.elapsed());
        let unasked = member.active.is_empty();
        if unasked {
            self.rests(&mut state, at);
        } else {
            self.set_state(member, IsolateState::Busy);
        }
        unasked
    }

    /// A worker could not load the app and ends.
    pub(super) fn load_failed(&self, worker: &Worker, error: LoadError, over_limit: bool) {
        self.log.console(crate::plan::Level::Error, None, &format!("the app could not be loaded: {error}"));
        let refused = {
            let mut state = self.lock();
            let Some(member) = self.remove(&mut state, worker) else { return };
            state.waiting.drain(..).for_each(|waiting| drop(waiting.send(Err(error.clone()))));
            let mut refused = member.active;
            if state.workers.is_empty() {
                // Nothing runs that the next attempt would have to agree with.
                self.sources.forget();
                state.load_failed = Some((Instant::now(), error));
                refused.extend(state.queue.drain(..));
            }
            if over_limit {
                self.record(&mut state, Failure::Limit, &mut refused);
            }
            refused
        };
        refused.iter().for_each(|ticket| self.refuse(ticket, ErrorCode::AppLoad.into()));
        self.idle.notify_waiters();
    }

    /// Takes a worker out whose isolate is condemned, or whose thread is stuck, and answers for it: the culprit gets
    /// `code`, the others another isolate where that is safe.
    pub(super) fn lost(&self, worker: &Worker, code: ErrorCode, failure: Failure) {
        let (culprit, mut refused, mut cut) = (worker.turns.culprit(), Vec::new(), Vec::new());
        if failure == Failure::Lost {
            self.runtime.room.lose(worker);
            self.runtime.room.tell();
        }
        {
            let mut state = self.lock();
            let Some(member) = self.remove(&mut state, worker) else { return };
            self.metrics.terminated(code);
            if member.state == IsolateState::Starting {
                let loading = LoadError(format!("its isolate was ended while it was loading: {code}"));
                state.waiting.drain(..).for_each(|waiting| drop(waiting.send(Err(loading.clone()))));
            }
            self.record(&mut state, failure, &mut refused);
            for ticket in member.active {
                if member.state == IsolateState::Starting {
                    cut.push((ticket, ErrorCode::AppLoad));
                } else if ticket.token() == Some(culprit) {
                    if failure == Failure::Lost {
                        // The turn that would charge it may never end.
                        ticket.charge(worker.turns.turn_cpu());
                    }
                    cut.push((ticket, code));
                } else if !ticket.is_started() && ticket.reclaim(worker.number) {
                    state.queue.push_back(ticket);
                } else if self.app.replay && ticket.replay() {
                    self.metrics.replayed();
                    state.queue.push_back(ticket);
                } else {
                    cut.push((ticket, ErrorCode::IsolateLost));
                }
            }
            self.serve_queue(&mut state);
        }
        for (ticket, code) in cut {
            self.refuse(&ticket, code.into());
        }
        for ticket in refused {
            self.refuse(&ticket, self.stopped().unwrap_or(ErrorCode::AppStopped.into()));
        }
        self.idle.notify_waiters();
    }

    /// A request used its CPU time up over many turns; it was answered, and the isolate is well.
    pub(super) fn exhausted(&self) {
        let mut refused = Vec::new();
        self.record(&mut self.lock(), Failure::Limit, &mut refused);
        for ticket in refused {
            self.refuse(&ticket, self.stopped().unwrap_or(ErrorCode::AppStopped.into()));
        }
        self.idle.notify_waiters();
    }

    /// Whether the worker has nothing and may end now; it is out of the pool then.
    pub(super) fn retire(&self, worker: &Worker) -> bool {
        let mut state = self.lock();
        match state.position(worker) {
            Some(at) if !state.workers[at].active.is_empty() => false,
            Some(_) => self.remove(&mut state, worker).is_some(),
            None => true,
        }
    }

    /// What an isolate of the app holds once it is at work.
    pub(super) fn measured(&self, bytes: usize) {
        self.held.store(bytes, Ordering::Relaxed);
    }

    /// The isolate of a worker that cannot say so itself takes `bytes`.
    pub(super) fn takes(&self, worker: &Worker, bytes: usize) {
        self.runtime.room.takes(worker, bytes);
    }

    /// There may be room for an isolate again.
    pub(super) fn resume(&self) {
        let mut state = self.lock();
        state.asked = false;
        if !state.waiting.is_empty() && state.workers.is_empty() {
            self.start(&mut state);
        }
        self.serve_queue(&mut state);
    }

    /// The worker's mailbox waits too long: what it has not begun goes to another, if there may be one more.
    pub(super) fn relieve(&self, worker: &Worker) {
        let mut state = self.lock();
        let Some(at) = state.position(worker) else { return };
        if state.workers.len() >= self.app.limits.isolates
            || !state.workers[at].is_behind(Instant::now())
            || !state.workers[at].active.iter().any(|ticket| !ticket.is_started())
        {
            return;
        }
        let Some(fresh) = self.start(&mut state) else { return };
        let Some(at) = state.position(worker) else { return };
        let (begun, waiting) =
            state.workers[at].active.drain(..).partition::<Vec<_>, _>(|ticket| !ticket.reclaim(worker.number));
        state.workers[at].active = begun;
        waiting.into_iter().for_each(|ticket| wake::wake(state.workers[fresh].assign(ticket)));
        // The turn it is at may be nobody's.
        if state.workers[at].active.is_empty() {
            self.set_state(&mut state.workers[at], IsolateState::Idle);
        }
    }

    /// The gateway no longer wants an answer.
    pub(super) fn abort(&self, ticket: &Ticket) {
        let mut state = self.lock();
        if let Some(index) = state.queue.iter().position(|other| std::ptr::eq(Arc::as_ptr(other), ticket)) {
            let ticket = state.queue.remove(index);
            self.waits_for_nothing(&mut state);
            self.tell_drained(&state);
            drop(state);
            ticket.iter().for_each(|ticket| ticket.finish());
            return;
        }
        let number = ticket.worker();
        let member = state.workers.iter().find(|member| member.worker.number == number);
        let found = member.and_then(|member| {
            let ticket = member.active.iter().find(|other| std::ptr::eq(Arc::as_ptr(other), ticket))?;
            Some((&member.worker, Arc::clone(ticket)))
        });
        if let Some((worker, ticket)) = found {
            worker.mailbox.push(Message::Abort(ticket));
        }
    }

    fn place(&self, ticket: Arc<Ticket>) {
        let admitted = {
            let mut state = self.lock();
            self.admit(&mut state, &ticket, ticket.queued)
        };
        match admitted {
            // Not under the lock: the worker, once awake, soon wants it too.
            Ok(waker) => wake::wake(waker),
            Err(fault) => self.refuse(&ticket, fault),
        }
    }

    /// Finds the request a worker, which may have to be woken, or a place in the queue; else says why not.
    fn admit(&self, state: &mut State, ticket: &Arc<Ticket>, now: Instant) -> Result<Option<Waker>, Fault> {
        if let Some(rest) = state.faults.remaining(now) {
            return Err(Fault { code: ErrorCode::AppStopped, retry_after: Some(rest) });
        }
        if state.load_failed.as_ref().is_some_and(|(at, _)| now.duration_since(*at) < LOAD_RETRY) {
            return Err(ErrorCode::AppLoad.into());
        }
        let overloaded = Fault { code: ErrorCode::Overloaded, retry_after: Some(Duration::from_secs(1)) };
        if self.unsent.is_plenty() {
            return Err(overloaded);
        }
        if let Some(at) = self.choose(state, now) {
            if state.workers[at].active.is_empty() && state.workers[at].state == IsolateState::Idle {
                self.set_state(&mut state.workers[at], IsolateState::Busy);
            }
            Ok(state.workers[at].assign(Arc::clone(ticket)))
        } else if state.queue.len() < self.app.limits.queue && (state.asked || !state.workers.is_empty()) {
            state.queue.push_back(Arc::clone(ticket));
            Ok(None)
        } else {
            Err(overloaded)
        }
    }

    /// The first worker that has room and keeps up: it takes messages in larger batches, and the others may go idle.
    /// Else a fresh one, else the least busy of those with room.
    fn choose(&self, state: &mut State, now: Instant) -> Option<usize> {
        let room = |member: &Member| member.active.len() < self.app.limits.concurrency;
        let keeps_up = state.workers.iter().position(|member| room(member) && !member.is_behind(now));
        if keeps_up.is_some() {
            return keeps_up;
        }
        let fresh = if state.workers.len() < self.app.limits.isolates { self.start(state) } else { None };
        fresh.or_else(|| {
            let free = (0..state.workers.len()).filter(|&at| room(&state.workers[at]));
            free.min_by_key(|&at| state.workers[at].active.len())
        })
    }

    fn start(&self, state: &mut State) -> Option<usize> {
        let (held, limit) = (self.held.load(Ordering::Relaxed), self.app.limits.memory);
        let admission = if state.asked { None } else { self.runtime.room.ask(&self.me, held, limit) };
        state.asked = admission.is_none();
        let admission = admission?;
        let started = Instant::now();
        let (worker, kind) = self.runtime.take_worker(limit, &admission)?;
        worker.mailbox.push(Message::Bind(self.me.upgrade()?));
        self.metrics.isolate_state(None, Some(IsolateState::Starting));
        state.workers.push(Member { worker, active: Vec::new(), state: IsolateState::Starting, started, kind });
        Some(state.workers.len() - 1)
    }

    /// Gives what waits to whoever has room, and starts workers for the rest.
    fn serve_queue(&self, state: &mut State) {
        while !state.queue.is_empty() {
            let Some(at) = self.choose(state, Instant::now()) else { return };
            let Some(ticket) = state.queue.pop_front() else { return };
            if state.workers[at].state == IsolateState::Idle {
                self.set_state(&mut state.workers[at], IsolateState::Busy);
            }
            wake::wake(state.workers[at].assign(ticket));
        }
    }

    fn record(&self, state: &mut State, failure: Failure, refused: &mut Vec<Arc<Ticket>>) {
        let now = Instant::now();
        if state.faults.record(failure, now) {
            let pause = state.faults.remaining(now).unwrap_or_default();
            tracing::warn!(app = &*self.app.name, "app stopped for {pause:?}: it broke its limits too often");
            refused.extend(state.queue.drain(..));
        }
    }

    fn stopped(&self) -> Option<Fault> {
        let retry_after = self.lock().faults.remaining(Instant::now());
        retry_after.map(|_| Fault { code: ErrorCode::AppStopped, retry_after })
    }

    fn refuse(&self, ticket: &Arc<Ticket>, fault: Fault) {
        ticket.fail(fault);
        ticket.finish();
    }

    fn remove(&self, state: &mut State, worker: &Worker) -> Option<Member> {
        let at = state.position(worker)?;
        let member = state.workers.swap_remove(at);
        self.metrics.isolate_state(Some(member.state), None);
        Some(member)
    }

    /// A worker has nothing to do.
    fn rests(&self, state: &mut State, at: usize) {
        self.set_state(&mut state.workers[at], IsolateState::Idle);
        if state.draining {
            state.workers[at].worker.mailbox.push(Message::Retire);
        }
    }

    /// Where room was asked for, it is not needed any more if nobody waits.
    fn waits_for_nothing(&self, state: &mut State) {
        if state.queue.is_empty() && state.waiting.is_empty() && std::mem::take(&mut state.asked) {
            self.runtime.room.forget(&self.me);
        }
    }

    fn tell_drained(&self, state: &State) {
        if state.draining && state.in_flight() == 0 {
            self.idle.notify_waiters();
        }
    }

    fn set_state(&self, member: &mut Member, to: IsolateState) {
        if member.state == to {
            return;
        }
        self.metrics.isolate_state(Some(member.state), Some(to));
        member.state = to;
        if to == IsolateState::Busy {
            self.runtime.room.works(&member.worker);
        } else if self.runtime.room.idles(&member.worker) {
            member.worker.mailbox.push(Message::Retire);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Requests that a worker has or that wait for one.
    fn in_flight(&self) -> usize {
        self.queue.len() + self.workers.iter().map(|member| member.active.len()).sum::<usize>()
    }

    fn position(&self, worker: &Worker) -> Option<usize> {
        self.workers.iter().position(|member| member.worker.number == worker.number)
    }
}

impl Member {
    /// Whether what it was given waits for too long. A worker that loads the app is expected to take its time.
    fn is_behind(&self, now: Instant) -> bool {
        self.state != IsolateState::Starting && self.worker.mailbox.waited(now) > PATIENCE
    }

    /// Gives the worker a request; see [`Mailbox::add`](super::mailbox::Mailbox::add).
    fn assign(&mut self, ticket: Arc<Ticket>) -> Option<Waker> {
        ticket.assign(self.worker.number);
        self.active.push(Arc::clone(&ticket));
        self.worker.mailbox.add(Message::Request(ticket))
    }
}

impl Dispatch for Pool {
    fn dispatch(self: Arc<Self>, event: Event) -> Arc<dyn Exchange> {
        let Event::Fetch(fetch) = event;
        let ticket = Ticket::new(fetch, Arc::downgrade(&self));
        self.place(Arc::clone(&ticket));
        ticket
    }
}
