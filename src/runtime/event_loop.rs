//! A worker's own side: takes its messages in batches, runs JavaScript a turn at a time, settles what is done, fires
//! what is due. Ends when the worker is retired or its isolate condemned.

mod loading;
mod turns;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::RuntimeInner;
use super::allocator;
use super::exchange::Ticket;
use super::faults::Failure;
use super::mailbox::Message;
use super::memory;
use super::pool::{LoadError, Pool};
use super::realm::Engine;
use super::realms::Realms;
use super::scripts;
use super::state::{Done, State};
use super::timers::Due;
use super::turn::{self, Verdict};
use super::worker::Worker;
use crate::event::{ErrorCode, wake};
use crate::plan::Level;
pub(super) use loading::Evaluation;
use loading::Phase;
use turns::call;

/// After so long without a request, there is time to see to the code cache.
const QUIET: Duration = Duration::from_millis(100);

/// After so long without a request, an isolate whose heap has grown by so much gives back what is garbage.
const REST: Duration = Duration::from_secs(2);
const GROWN: usize = 1 << 20;

/// A worker that has had its app for so long without ever being quiet takes any moment without a request.
const NEVER_QUIET: Duration = Duration::from_secs(10);

/// Far enough for a timer that stands for none.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Why the loop ends.
enum End {
    /// Nothing is left to do.
    Retired,
    /// The isolate broke a limit.
    Condemned(Verdict),
    /// The app's code does not load.
    Unloadable(LoadError),
}

/// The loop of a worker.
pub(super) struct EventLoop {
    worker: Arc<Worker>,
    runtime: Arc<RuntimeInner>,
    inbox: VecDeque<Message>,
    /// V8's tasks that are not due yet. Dropped before the isolate.
    tasks: Vec<(Instant, v8::Task)>,
    /// CPU time of this thread when it was last read.
    cpu: Duration,
    alarm: Pin<Box<Sleep>>,
    engine: Engine,
}

impl EventLoop {
    /// A loop for a worker without an app, on the worker's thread.
    pub(super) fn new(engine: Engine, worker: &Arc<Worker>, runtime: &Arc<RuntimeInner>) -> Self {
        Self {
            worker: Arc::clone(worker),
            runtime: Arc::clone(runtime),
            inbox: VecDeque::new(),
            tasks: Vec::new(),
            cpu: Duration::ZERO,
            alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
            engine,
        }
    }

    /// Runs until the worker ends; gives the isolate back to be disposed of last.
    pub(super) async fn run(mut self) -> Engine {
        if let Some(pool) = self.app().await {
            let mut app = AppLoop::new(self, pool);
            let end = app.run().await;
            self = app.end(end);
        }
        self.tasks.clear();
        self.engine
    }

    /// Waits for the app.
    async fn app(&mut self) -> Option<Arc<Pool>> {
        loop {
            let (worker, inbox) = (&self.worker, &mut self.inbox);
            std::future::poll_fn(|cx| worker.mailbox.poll_drain(cx, inbox)).await;
            while let Some(message) = self.inbox.pop_front() {
                match message {
                    Message::Bind(pool) => return Some(pool),
                    Message::Retire => return None,
                    Message::Task(task, delay) => self.tasks.push((Instant::now() + delay, task)),
                    // Without an app there are none.
                    Message::Request(_) | Message::Abort(_) => {}
                }
            }
        }
    }
}

/// The loop once the worker has its app.
struct AppLoop {
    base: EventLoop,
    pool: Arc<Pool>,
    state: Rc<State>,
    realms: Realms,
    phase: Phase,
    /// The entry module, and the promise of its evaluation: modules may await.
    evaluation: Option<Evaluation>,
    /// The app has been ready once.
    loaded: bool,
    /// There is another worker without an app in place of this one.
    replaced: bool,
    /// Requests that wait for the app to load.
    waiting: VecDeque<Arc<Ticket>>,
    /// Since when no request is under way.
    idle_since: Instant,
    /// The value of `idle_since` for which the allocator's memory was lent.
    lent: Option<Instant>,
    turns: u32,
    /// Bytes of heap when it last rested, or the fewest since.
    rested: usize,
}

impl AppLoop {
    fn new(mut base: EventLoop, pool: Arc<Pool>) -> Self {
        let limits = &pool.app.limits;
        base.worker.pool.get_or_init(|| Arc::clone(&pool));
        base.worker.set_memory_limit(limits.memory);
        memory::lower_limit(&mut base.engine.isolate, &base.worker, limits.memory);
        base.worker.account.open(&pool.metrics);
        base.runtime.watchdog.watch(&base.worker);
        let state = State::new(&base.worker, &pool);
        base.engine.isolate.set_slot(Rc::clone(&state));
        base.cpu = turn::thread_cpu();
        Self {
            realms: Realms::new(pool.app.fresh_context),
            phase: Phase::Ready,
            evaluation: None,
            base,
            pool,
            state,
            loaded: false,
            replaced: false,
            waiting: VecDeque::new(),
            idle_since: Instant::now(),
            lent: None,
            turns: 0,
            rested: 0,
        }
    }

    async fn run(&mut self) -> End {
        match self.serve().await {
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    async fn serve(&mut self) -> Result<Infallible, End> {
        self.load()?;
        let mut done = Vec::new();
        loop {
            for done in done {
                self.settle(done)?;
            }
            // The first time round, what came together with the app.
            let mut inbox = std::mem::take(&mut self.base.inbox);
            while let Some(message) = inbox.pop_front() {
                self.handle(message)?;
            }
            self.base.inbox = inbox;
            self.run_due()?;
            self.check_loaded()?;
            self.begin_waiting()?;
            if !self.state.is_idle() || !self.waiting.is_empty() {
                self.idle_since = Instant::now();
            } else if self.idle_since.elapsed() >= self.pool.app.idle && self.pool.retire(&self.base.worker) {
                return Err(End::Retired);
            }
            wake::flush();
            if self.loaded && !std::mem::replace(&mut self.replaced, true) {
                self.base.runtime.replace_worker();
            }
            if self.realms.are_short() && self.waiting.is_empty() {
                // Nobody waits for it yet.
                self.load()?;
            }
            if self.offer_at().is_some_and(|at| at <= Instant::now()) {
                self.offer_code(scripts::offer_next);
            }
            if self.rest_at().is_some_and(|at| at <= Instant::now()) {
                self.rest();
            }
            if self.lend_at().is_some_and(|at| at <= Instant::now()) {
                self.lent = Some(self.idle_since);
                allocator::lend();
            }
            if self.state.has_tasks() {
                // What JavaScript began runs on this thread too.
                tokio::task::yield_now().await;
            }
            done = self.wait().await;
        }
    }

    /// Sleeps until there is something to do; what is done comes back, messages are in the inbox.
    async fn wait(&mut self) -> Vec<Done> {
        let next = self.next_deadline();
        let armed = self.base.alarm.deadline().into_std();
        // A timer that is too early only wakes the loop once in vain.
        if next < armed || armed <= Instant::now() {
            self.base.alarm.as_mut().reset(next.into());
        }
        let (base, state) = (&mut self.base, &self.state);
        std::future::poll_fn(|cx| {
            let mail = base.worker.mailbox.poll_drain(cx, &mut base.inbox).is_ready();
            let alarm = base.alarm.as_mut().poll(cx).is_ready();
            match state.poll_done(cx) {
                Poll::Ready(done) => Poll::Ready(done),
                Poll::Pending if mail || alarm => Poll::Ready(Vec::new()),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn next_deadline(&self) -> Instant {
        let timer = self.state.timers.borrow_mut().next();
        let task = self.base.tasks.iter().map(|(at, _)| *at).min();
        let loading = match self.phase {
            Phase::Loading { deadline, .. } => Some(deadline),
            Phase::Ready => None,
        };
        let idle = self.state.is_idle().then(|| self.idle_since + self.pool.app.idle);
        [timer, task, loading, idle, self.offer_at(), self.rest_at(), self.lend_at()]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + NEVER)
    }

    /// When the code of a module is to be offered to the cache: after the app's first answer, for by then what it needs is
    /// compiled, and at a moment without a request, for to serialise a large module takes milliseconds.
    fn offer_at(&self) -> Option<Instant> {
        let due = self.state.scripts.are_left()
            && self.state.has_begun()
            && self.state.is_idle()
            && self.pool.code_cache.is_writable();
        due.then(|| (self.idle_since + QUIET).min(self.state.started() + NEVER_QUIET))
    }

    /// When the thread is to lend what it has of the allocator's memory: at a quiet moment, with nothing left to be done in
    /// it. A thousand hello apps at rest hold 1.46 MiB each with this, 1.55 without.
    fn lend_at(&self) -> Option<Instant> {
        let rests = self.state.is_idle() && self.waiting.is_empty() && self.offer_at().is_none();
        (rests && self.lent != Some(self.idle_since)).then(|| self.idle_since + QUIET)
    }

    /// When the isolate is to give back memory: once it has rested for a while, and grown since it last did.
    fn rest_at(&self) -> Option<Instant> {
        let due = self.state.is_idle() && self.base.worker.account.heap() > self.rested + GROWN;
        due.then(|| self.idle_since + REST)
    }

    /// Has what is garbage by now collected, bit by bit, in turns of nobody's: a request that comes need not wait for it.
    fn rest(&mut self) {
        self.rested = self.base.worker.account.heap();
        self.base.engine.isolate.memory_pressure_notification(v8::MemoryPressureLevel::Moderate);
    }

    /// Has code serialised for the cache. No turn: none of the app's code runs, nothing could end it, and its time is no
    /// request's.
    fn offer_code(&mut self, offer: impl FnOnce(&mut v8::PinScope<'_, '_>, &State)) {
        {
            v8::scope_with_context!(let scope, &mut self.base.engine.isolate, &self.base.engine.realm.context);
            offer(scope, &self.state);
        }
        let now = turn::thread_cpu();
        self.state.charge(0, now.saturating_sub(self.base.cpu));
        self.base.cpu = now;
    }

    fn handle(&mut self, message: Message) -> Result<(), End> {
        match message {
            Message::Request(ticket) => {
                self.waiting.push_back(ticket);
                self.begin_waiting()?;
            }
            Message::Abort(ticket) => self.abort(&ticket)?,
            Message::Task(task, Duration::ZERO) => self.turn(0, |_, _| task.run())?,
            Message::Task(task, delay) => self.base.tasks.push((Instant::now() + delay, task)),
            Message::Retire if self.pool.retire(&self.base.worker) => return Err(End::Retired),
            Message::Retire | Message::Bind(_) => {}
        }
        Ok(())
    }

    /// Begins what has waited, as far as there is a realm for it.
    fn begin_waiting(&mut self) -> Result<(), End> {
        while let Some(ticket) = self.waiting.pop_front() {
            if self.realms.are_short() && matches!(self.phase, Phase::Ready) {
                self.load()?;
            }
            if let Phase::Loading { .. } = self.phase {
                self.waiting.push_front(ticket);
                return Ok(());
            }
            self.begin(&ticket)?;
        }
        Ok(())
    }

    fn begin(&mut self, ticket: &Arc<Ticket>) -> Result<(), End> {
        let now = Instant::now();
        if now.duration_since(self.idle_since) > QUIET {
            // What it did then is forgotten.
            self.base.runtime.watchdog.readmit(&self.base.worker);
        }
        self.idle_since = now;
        // What has waited until its time is up is not begun: its client is gone, and others wait.
        let in_time = ticket.deadline > self.idle_since;
        let Some(token) = in_time.then(|| self.state.begin(ticket, now)).flatten() else {
            // It may also have been taken away, or be under way: given, taken and given again, it has come twice.
            if ticket.reclaim(self.base.worker.number) {
                ticket.fail(ErrorCode::Timeout.into());
                self.pool.finished(&self.base.worker, ticket);
            }
            return Ok(());
        };
        self.pool.metrics.queue_wait(now.saturating_duration_since(ticket.queued));
        self.realms.begin();
        self.turn_from(now, token, |scope, entry| call(scope, &entry.fetch, token))
    }

    fn abort(&mut self, ticket: &Arc<Ticket>) -> Result<(), End> {
        if let Some(index) = self.waiting.iter().position(|other| Arc::ptr_eq(other, ticket)) {
            self.waiting.remove(index);
            self.pool.finished(&self.base.worker, ticket);
            return Ok(());
        }
        let Some(token) = self.state.token_of(ticket) else { return Ok(()) };
        let goes_on = self.state.abort(token);
        self.turn(token, |scope, entry| call(scope, &entry.abort, token))?;
        if goes_on { Ok(()) } else { self.end_request(token) }
    }

    /// Ends a request that JavaScript has not ended itself. What is left of it there goes in a turn of nobody's, or with its
    /// realm.
    fn end_request(&mut self, token: u32) -> Result<(), End> {
        self.state.end(token);
        if self.realms.end(token) {
            return Ok(());
        }
        self.turn(0, |scope, entry| call(scope, &entry.drop, token))
    }

    fn settle(&mut self, done: Done) -> Result<(), End> {
        if !self.state.is_wanted(done.request) {
            return Ok(());
        }
        self.turn(done.request, |scope, _| (done.settle)(scope))
    }

    fn run_due(&mut self) -> Result<(), End> {
        let now = Instant::now();
        while let Some(index) = self.base.tasks.iter().position(|(at, _)| *at <= now) {
            let (_, task) = self.base.tasks.swap_remove(index);
            self.turn(0, |_, _| task.run())?;
        }
        loop {
            let due = self.state.timers.borrow_mut().pop_due(now);
            match due {
                Some((token, Due::App(id))) => self.turn(token, |scope, entry| call(scope, &entry.timer, id))?,
                Some((token, Due::WaitUntil)) => {
                    let limit = self.pool.app.limits.wait_until;
                    let text = format!("waitUntil() was cut off {limit:?} after the response");
                    self.state.log(Level::Warn, token, &text);
                    self.end_request(token)?;
                }
                None => return Ok(()),
            }
        }
    }

    /// Says goodbye to the pool; gives back what is left of the worker.
    fn end(mut self, end: End) -> EventLoop {
        let worker = Arc::clone(&self.base.worker);
        worker.spot.leave();
        if !self.replaced {
            self.base.runtime.replace_worker();
        }
        match end {
            // What later requests needed is compiled too by now.
            End::Retired => {
                let runtime = Arc::clone(&self.base.runtime);
                self.offer_code(|scope, state| scripts::offer_grown(scope, state, || !runtime.room.is_awaited()));
            }
            End::Unloadable(error) => self.pool.load_failed(&worker, error, false),
            End::Condemned(verdict) if worker.turns.is_lost() => {
                tracing::info!(app = &*self.pool.app.name, "a lost thread came back after a {} fault", verdict.code());
            }
            End::Condemned(verdict) => {
                let (limits, culprit) = (&self.pool.app.limits, worker.turns.culprit());
                let text = match verdict {
                    Verdict::Cpu if matches!(self.phase, Phase::Loading { .. }) && !self.state.is_live(culprit) => {
                        format!("loading took more CPU time than limits startup ({:?})", limits.startup)
                    }
                    Verdict::Cpu => format!("a request took more CPU time than limits cpu ({:?})", limits.cpu),
                    Verdict::Memory => format!("more memory than limits memory ({} bytes)", limits.memory),
                    Verdict::Wall => format!("code was still running after limits wall ({:?})", limits.wall),
                    Verdict::Fault => "a mistake of nano's own, of which standard error says more".to_owned(),
                };
                self.state.log(Level::Error, culprit, &format!("{text}; the isolate was ended"));
                self.pool.lost(&worker, verdict.code(), Failure::Limit);
            }
        }
        self.base.runtime.watchdog.unwatch(&worker);
        worker.account.close();
        self.base.runtime.room.settles(&worker, 0);
        self.base.engine.isolate.remove_slot::<Rc<State>>();
        self.base
    }
}
