//! Log lines: made here, written by sinks.
//!
//! This file owns which lines are written (levels, the access switch, an app's quota) and to which sinks.
//! How a line looks is `line`'s, the queue and the thread behind it `sink`'s, files and their rotation `file`'s, and
//! `layer` brings in what the process says by way of `tracing`.

mod archive;
mod file;
mod layer;
mod line;
mod quota;
mod sink;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;

use crate::event::{ErrorCode, RequestId};
use crate::observability::metrics::Metrics;
use crate::plan::{AppLogPlan, Level, LogFormat, LogPlan, SinkPlan};
pub use layer::LogLayer;
use line::{Extra, Field, Kind, Line};
use quota::{Quota, Verdict};
use sink::Sink;

/// The most bytes that are kept for a thread's next line.
const KEPT: usize = 4 * 1024;

thread_local! {
    /// Where a line is rendered.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The handle every part of nano logs through. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

struct Inner {
    metrics: Arc<Metrics>,
    setup: ArcSwap<Setup>,
    /// Sinks that left the plan and may still be writing; also what serialises [`Logs::reconfigure`].
    retired: Mutex<Vec<Arc<sink::Queue>>>,
    /// The apps' quotas, to say what was dropped even where an app has gone silent since.
    quotas: Mutex<Vec<Weak<AppInner>>>,
}

/// What the `log` block asks for, in force.
struct Setup {
    level: Level,
    access: bool,
    targets: Vec<Target>,
}

#[derive(Clone)]
struct Target {
    format: LogFormat,
    sink: Arc<Sink>,
}

/// One answered request, for its access line.
#[derive(Debug)]
pub struct AccessRecord<'a> {
    /// The app that answered; `None` where no app claims the request.
    pub app: Option<&'a str>,
    /// The request's id.
    pub request_id: &'a RequestId,
    /// As sent.
    pub method: &'a str,
    /// As routed: lower case, without port.
    pub host: &'a str,
    /// As sent, without the query.
    pub path: &'a str,
    /// What the client saw, or 499 if it was gone.
    pub status: u16,
    /// From the end of the request head to the end of the response.
    pub duration: Duration,
    /// CPU time charged to the request.
    pub cpu: Duration,
    /// Bytes of request body.
    pub bytes_in: u64,
    /// Bytes of response body.
    pub bytes_out: u64,
    /// The client, as `trust-proxy` allows to know it.
    pub client: &'a str,
    /// Why the answer is not the app's own.
    pub error: Option<ErrorCode>,
}

impl AccessRecord<'_> {
    /// Appends the line as a sink of `format` has it.
    pub fn render(&self, format: LogFormat, at: SystemTime, out: &mut Vec<u8>) {
        self.line().render(format, at, out);
    }

    fn line(&self) -> Line<'_> {
        Line {
            level: if self.status >= 500 { Level::Error } else { Level::Info },
            kind: Kind::Access,
            app: self.app,
            request: Some(self.request_id.as_str()),
            message: "request",
            extra: Extra::Access(self),
        }
    }
}

impl Logs {
    /// Opens the sinks of `plan` and starts their threads. The error names the sink.
    pub fn start(plan: &LogPlan, metrics: &Arc<Metrics>) -> io::Result<Self> {
        let targets = targets(plan, &[], metrics)?;
        Ok(Self(Arc::new(Inner {
            metrics: Arc::clone(metrics),
            setup: ArcSwap::from_pointee(Setup { level: plan.level, access: plan.access, targets }),
            retired: Mutex::default(),
            quotas: Mutex::default(),
        })))
    }

    /// Puts another `log` block in force. New sinks are opened first: either all open and the change is whole, or
    /// nothing changes. A sink that stays (the same file, or stdout) keeps its queue and its open file.
    pub fn reconfigure(&self, plan: &LogPlan) -> io::Result<()> {
        let mut retired = self.0.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.0.setup.load_full();
        let targets = targets(plan, &before.targets, &self.0.metrics)?;
        for (target, plan) in targets.iter().zip(&plan.sinks) {
            target.sink.configure(target.format, file::Policy::of(plan));
        }
        retired.retain(|queue| !queue.ended());
        let leaving = before.targets.iter().filter(|old| !targets.iter().any(|new| Arc::ptr_eq(&new.sink, &old.sink)));
        retired.extend(leaving.map(|target| target.sink.queue()));
        self.0.setup.store(Arc::new(Setup { level: plan.level, access: plan.access, targets }));
        Ok(())
    }

    /// Opens every log file anew, by its path: what has been moved away is let go of.
    pub fn reopen(&self) {
        self.0.setup.load().targets.iter().for_each(|target| target.sink.reopen());
    }

    /// Waits until everything accepted so far is written, or has been counted as lost, or `timeout` is over.
    /// Returns whether all of it is.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.tell_quotas(true);
        let deadline = Instant::now() + timeout;
        let mut queues: Vec<_> = self.0.setup.load().targets.iter().map(|target| target.sink.queue()).collect();
        queues.extend(self.0.retired.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        let goals: Vec<_> = queues.iter().map(|queue| queue.hurry()).collect();
        queues.iter().zip(goals).fold(true, |all, (queue, goal)| queue.settled(goal, deadline) && all)
    }

    /// Says what quotas dropped, where that is due. To be called about once a second.
    pub fn tick(&self) {
        self.tell_quotas(false);
    }

    /// Writes a request's access line, if the plan wants those. Its level is `error` for a 5xx, else `info`.
    pub fn access(&self, record: &AccessRecord<'_>) {
        if !self.0.setup.load().access {
            return;
        }
        self.0.write(&record.line());
    }

    /// Writes the line of a request that was refused before it became one: there is no method and no path to tell of.
    pub fn refusal(&self, request: &RequestId, status: u16, client: &str, error: ErrorCode, message: &str) {
        let fields = [
            ("status", Field::number(status.into())),
            ("client", Field::text(client)),
            ("error", Field::text(error.as_str())),
        ];
        self.event(Level::Info, Some(request.as_str()), None, message, &fields);
    }

    /// Writes a line of nano's own, unless it is below the plan's level.
    pub fn gateway(&self, level: Level, request: Option<&RequestId>, app: Option<&str>, message: &str) {
        self.event(level, request.map(RequestId::as_str), app, message, &[]);
    }

    fn event(
        &self,
        level: Level,
        request: Option<&str>,
        app: Option<&str>,
        message: &str,
        fields: &[(&'static str, Field)],
    ) {
        if level >= self.0.setup.load().level {
            self.0.write(&Line { level, kind: Kind::Gateway, app, request, message, extra: Extra::Fields(fields) });
        }
    }

    /// The log of one app's own lines, with its level and quota.
    pub fn app(&self, name: &Arc<str>, plan: AppLogPlan) -> AppLog {
        let app = Arc::new(AppInner {
            logs: self.clone(),
            name: Arc::clone(name),
            level: plan.level,
            quota: Quota::new(plan.max_lines, Instant::now()),
        });
        self.0.quotas.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&app));
        AppLog(app)
    }

    fn tell_quotas(&self, all: bool) {
        // Upgraded handles are let go of outside the lock: the last one's drop writes a line of its own.
        let apps: Vec<_> = {
            let mut quotas = self.0.quotas.lock().unwrap_or_else(PoisonError::into_inner);
            quotas.retain(|quota| quota.strong_count() > 0);
            quotas.iter().filter_map(Weak::upgrade).collect()
        };
        let now = Instant::now();
        for app in apps {
            let dropped = if all { app.quota.rest() } else { app.quota.due(now) };
            app.tell(dropped);
        }
    }
}

impl Inner {
    /// Renders a line once per format and hands it to every sink.
    fn write(&self, line: &Line<'_>) {
        let setup = self.setup.load();
        let now = SystemTime::now();
        let mut bytes = LINE.take();
        for format in [LogFormat::Json, LogFormat::Text] {
            let mut targets = setup.targets.iter().filter(|target| target.format == format).peekable();
            if targets.peek().is_none() {
                continue;
            }
            bytes.clear();
            line.render(format, now, &mut bytes);
            targets.for_each(|target| target.sink.push(&bytes));
        }
        if bytes.capacity() <= KEPT {
            LINE.set(bytes);
        }
    }
}

/// The sinks `plan` names: those of `before` that stay, and new ones opened.
fn targets(plan: &LogPlan, before: &[Target], metrics: &Metrics) -> io::Result<Vec<Target>> {
    let mut targets: Vec<Target> = Vec::with_capacity(plan.sinks.len());
    for sink_plan in &plan.sinks {
        let format = match sink_plan {
            SinkPlan::Stdout { format } => *format,
            SinkPlan::File { .. } => LogFormat::Json,
        };
        let same = before.iter().chain(&targets).find(|target| target.sink.writes_to(sink_plan));
        let sink = match same {
            Some(target) => Arc::clone(&target.sink),
            None => Arc::new(Sink::open(sink_plan, format, metrics)?),
        };
        targets.push(Target { format, sink });
    }
    Ok(targets)
}

/// Where one app's own lines go: `console`, uncaught errors.
#[derive(Clone)]
pub struct AppLog(Arc<AppInner>);

struct AppInner {
    logs: Logs,
    name: Arc<str>,
    level: Level,
    quota: Quota,
}

impl AppLog {
    /// Writes a line of kind `console`. What is over the app's quota is counted.
    pub fn console(&self, level: Level, request: Option<&RequestId>, message: &str) {
        let app = &*self.0;
        if level < app.level {
            return;
        }
        match app.quota.take(message.len(), Instant::now()) {
            Verdict::Write { dropped } => {
                app.tell(dropped);
                app.logs.0.write(&Line {
                    level,
                    kind: Kind::Console,
                    app: Some(&app.name),
                    request: request.map(RequestId::as_str),
                    message,
                    extra: Extra::Fields(&[]),
                });
            }
            Verdict::Drop => {
                app.logs.0.setup.load().targets.iter().for_each(|target| target.sink.over_quota());
            }
        }
    }
}

impl AppInner {
    /// Says how many of the app's lines were dropped, if any.
    fn tell(&self, dropped: u64) {
        if dropped > 0 {
            let message = format!("{dropped} lines dropped: the app logs more than its max-lines");
            let fields = [("reason", Field::text("quota")), ("lines", Field::number(dropped))];
            self.logs.event(Level::Warn, None, Some(&self.name), &message, &fields);
        }
    }
}

impl Drop for AppInner {
    fn drop(&mut self) {
        let rest = self.quota.rest();
        self.tell(rest);
    }
}

impl std::fmt::Debug for Logs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logs").field("sinks", &self.0.setup.load().targets.len()).finish_non_exhaustive()
    }
}
