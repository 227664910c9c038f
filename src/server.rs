//! A nano process: from a plan to sockets and pools, from plan to plan, and down again.
//!
//! Everything here runs on the main thread, in one loop: what nano is told to do (`signal`), a reload under way
//! (`reload` prepares it, the loop puts it in force), the clock, and the runtime's count of lost threads. Requests never
//! come by; they live between gateway and runtime.

mod capacity;
mod generations;
mod reload;
mod systemd;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tracing_subscriber::layer::SubscriberExt;

use crate::api;
use crate::egress::OwnAddress;
use crate::gateway::{AppService, BindError, Bound, Gateway, Serving};
use crate::observability::log::{LogLayer, Logs};
use crate::observability::metrics::Metrics;
use crate::plan::egress::Own;
use crate::plan::{AdminAddress, Level, Plan, PlanError, Warning};
use crate::runtime::{Lost, Runtime, RuntimeConfig, RuntimeError};
use crate::signal::{Cause, Control, Controls};
use generations::Generations;
use reload::{Next, Reload, ReloadError, Running};

/// How often the loop looks after what has no event of its own.
const TICK: Duration = Duration::from_secs(1);
/// How long a thread that read files for a reload is kept for another.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// How long the last log lines may take to be written.
const FLUSH: Duration = Duration::from_secs(5);
/// How long they may take if we are to stop at once.
const FLUSH_AT_ONCE: Duration = Duration::from_millis(250);

/// What lost threads keep may be this part of the memory that all isolates may take.
const LOST_SHARE: usize = 4;

/// Where the plan comes from, each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A config file.
    Config(PathBuf),
    /// A folder that holds one app.
    Folder(PathBuf),
}

impl Source {
    /// Reads and checks it. Blocks on files.
    pub fn load(&self) -> Result<(Plan, Vec<Warning>), PlanError> {
        match self {
            Self::Config(path) => Plan::load(path),
            Self::Folder(path) => Plan::for_folder(path),
        }
    }
}

/// Why nano does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Every problem of the config, shown where it is.
    #[error("{0}")]
    Plan(PlanError),
    /// A log sink does not open, or its thread does not start.
    #[error("{0}")]
    Log(io::Error),
    /// V8 does not start.
    #[error("{0}")]
    Runtime(RuntimeError),
    /// The I/O threads or the main loop do not start.
    #[error("cannot start serving: {0}")]
    Io(io::Error),
    /// A socket cannot be bound.
    #[error("{0}")]
    Bind(BindError),
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Told to stop, and everything was answered or had its time.
    Stopped,
    /// Told twice: something may have been cut.
    Cut,
    /// Too many threads are lost to V8; a fresh process is needed.
    Worn,
}

/// Serves what `source` says until told to stop. To be called on the main thread, before any other runs.
pub fn run(source: Source) -> Result<Ended, StartError> {
    let main = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(KEEP_ALIVE)
        .build()
        .map_err(StartError::Io)?;
    // Before anything else: a signal that comes during the start is acted on after it, and kills nobody.
    let controls = {
        let _within = main.enter();
        Controls::new().map_err(StartError::Io)?
    };
    let (plan, warnings) = source.load().map_err(StartError::Plan)?;
    let plan = Arc::new(plan);
    let metrics = Metrics::new();
    let logs = Logs::start(&plan.log, &metrics).map_err(StartError::Log)?;
    // Only an embedder can have set another one; then that one hears nano's events.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(LogLayer::new(logs.clone())));

    let ended = start(source, &plan, &warnings, metrics, &logs).map(|(parts, bound)| {
        // Within the runtime: the server's clock is its own.
        main.block_on(async { Server::start(parts, plan, bound, controls).run().await })
    });
    logs.flush(if matches!(ended, Ok(Ended::Cut)) { FLUSH_AT_ONCE } else { FLUSH });
    ended
}

/// Everything that serves, and the plan's sockets, bound but not yet served.
fn start(
    source: Source,
    plan: &Plan,
    warnings: &[Warning],
    metrics: Arc<Metrics>,
    logs: &Logs,
) -> Result<(Parts, Bound), StartError> {
    let largest_memory = plan.apps.iter().map(|app| app.limits.memory).max().unwrap_or(0);
    let config = RuntimeConfig {
        state_dir: plan.state_dir.clone(),
        folders: plan.apps.iter().map(|app| app.folder.clone()).collect(),
        largest_memory,
        max_isolates: capacity::max_isolates(plan),
        max_mappings: capacity::max_mappings(),
        memory_total: capacity::memory_total(plan),
    };
    let runtime = Runtime::start(config, &api::PLATFORM, &metrics).map_err(StartError::Runtime)?;
    let gateway = Gateway::start(plan.io_threads, logs.clone(), Arc::clone(&metrics)).map_err(StartError::Io)?;
    let bound = gateway.bind(plan).map_err(StartError::Bind)?;
    warnings.iter().for_each(|warning| logs.gateway(Level::Warn, None, None, &warning.to_string()));
    Ok((Parts { source, metrics, logs: logs.clone(), runtime, gateway: Arc::new(gateway) }, bound))
}

/// What lasts as long as the process.
#[derive(Clone)]
struct Parts {
    source: Source,
    metrics: Arc<Metrics>,
    logs: Logs,
    runtime: Runtime,
    gateway: Arc<Gateway>,
}

/// A plan in force, and what it takes to put another in its place.
struct Server {
    parts: Parts,
    controls: Controls,
    lost: watch::Receiver<Lost>,
    clock: Interval,
    /// What this process cannot change any more.
    io_threads: usize,
    state_dir: PathBuf,
    serving: Arc<Serving>,
    /// In the order of the plan.
    apps: Vec<Running>,
    old: Generations,
    /// What the system may be too small for, as last said.
    shortages: Vec<String>,
}

/// A reload under way.
type Preparing = Pin<Box<dyn Future<Output = Result<Next, ReloadError>>>>;

impl Server {
    /// Puts the first plan in force. Apps load when first asked for.
    fn start(parts: Parts, plan: Arc<Plan>, bound: Bound, controls: Controls) -> Self {
        let apps: Vec<_> = plan.apps.iter().map(|app| Running::cold(&parts, app)).collect();
        let serving = serving(Arc::clone(&plan), &apps);
        parts.gateway.serve(Arc::clone(&serving), bound);
        keep_apart(&parts, &plan);
        let mut clock = interval(systemd::watchdog().map_or(TICK, |often| often.min(TICK)));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut server = Self {
            lost: parts.runtime.lost(),
            controls,
            clock,
            io_threads: plan.io_threads,
            state_dir: plan.state_dir.clone(),
            serving,
            apps,
            old: Generations::default(),
            shortages: Vec::new(),
            parts,
        };
        server.check_capacity();
        server.watch_files(Vec::new());
        server.announce(&HashSet::new());
        systemd::ready(&server.status());
        server
    }

    /// Serves until told to stop.
    async fn run(mut self) -> Ended {
        let mut preparing: Option<Preparing> = None;
        // Asked for during a reload: however often, one more is what it takes.
        let mut again = false;
        loop {
            if preparing.is_none() && std::mem::take(&mut again) {
                systemd::reloading();
                preparing = Some(Box::pin(Reload::new(self.parts.clone(), self.apps.clone()).prepare()));
            }
            tokio::select! {
                control = self.controls.next() => match control {
                    Control::Reload(cause) => {
                        self.say(Level::Info, match cause {
                            Cause::Signal => "reload: asked for by SIGHUP",
                            Cause::Files => "reload: a config file has changed",
                        });
                        again = true;
                    }
                    Control::ReopenLogs => self.parts.logs.reopen(),
                    Control::Stop => return self.stop(Ended::Stopped, "stopping").await,
                },
                prepared = finish(&mut preparing) => {
                    preparing = None;
                    let done = prepared.and_then(|next| self.swap(next));
                    self.report(done);
                }
                _ = self.clock.tick() => self.tick(),
                Ok(()) = self.lost.changed() => {
                    let Lost { threads, memory } = *self.lost.borrow_and_update();
                    let plan = &self.serving.plan;
                    if threads > plan.lost_threads || memory > capacity::memory_total(plan) / LOST_SHARE {
                        let why = format!(
                            "{threads} threads are lost to code that V8 cannot stop, with {} MiB: restarting", memory >> 20
                        );
                        self.say(Level::Error, &why);
                        return self.stop(Ended::Worn, &why).await;
                    }
                }
            }
        }
    }

    /// Puts a prepared plan in force, whole; or, if the logs refuse, leaves everything as it is.
    fn swap(&mut self, next: Next) -> Result<String, ReloadError> {
        let Next { plan, apps, bound, summary } = next;
        if plan.log != self.serving.plan.log
            && let Err(error) = self.parts.logs.reconfigure(&plan.log)
        {
            reload::abandon(&apps, &self.apps);
            return Err(ReloadError::Log(error));
        }
        self.warn_of_restart(&plan);
        let addresses = self.addresses();
        let serving = serving(Arc::clone(&plan), &apps);
        self.parts.gateway.serve(Arc::clone(&serving), bound);
        self.parts.runtime.set_memory_total(capacity::memory_total(&plan));
        keep_apart(&self.parts, &plan);
        let before = std::mem::replace(&mut self.serving, serving);
        let old = std::mem::replace(&mut self.apps, apps);
        self.old.retire(reload::apart(&old, &self.apps), before, plan.drain);
        self.announce(&addresses);
        self.check_capacity();
        Ok(summary.to_string())
    }

    fn report(&mut self, done: Result<String, ReloadError>) {
        self.parts.metrics.reload(done.is_ok());
        match done {
            Ok(summary) => {
                self.watch_files(Vec::new());
                self.say(Level::Info, &format!("reload: done, {summary}"));
            }
            Err(ReloadError::Plan(problems)) => {
                // The repair may be made in a file that is not in force yet.
                self.watch_files(problems.files());
                for problem in problems.lines() {
                    self.say(
                        Level::Error,
                        &format!("reload: rejected, the configuration from before stays: {problem}"),
                    );
                }
            }
            Err(error) => {
                self.say(Level::Error, &format!("reload: rejected, the configuration from before stays: {error}"));
            }
        }
        systemd::ready(&self.status());
    }

    fn tick(&mut self) {
        systemd::alive();
        self.parts.logs.tick();
        self.old.sweep();
    }

    /// Stops accepting, finishes what is in flight, ends every worker.
    async fn stop(mut self, how: Ended, why: &str) -> Ended {
        systemd::stopping(why);
        self.say(Level::Info, "stopping: finishing what is in flight");
        let drain = self.serving.plan.drain;
        let (gateway, apps) = (Arc::clone(&self.parts.gateway), std::mem::take(&mut self.apps));
        let old = std::mem::take(&mut self.old);
        let mut draining = Box::pin(async move {
            let deadline = Instant::now() + drain;
            let all = gateway.drain(drain).await;
            let pools = apps.into_iter().map(|app| app.pool).chain(old.into_pools());
            generations::drain(pools, deadline.saturating_duration_since(Instant::now())).await;
            all
        });
        loop {
            tokio::select! {
                all = &mut draining => {
                    if all {
                        self.say(Level::Info, "stopped: everything in flight was finished");
                    } else {
                        self.say(Level::Warn, "stopped: what outlasted the drain time was cut");
                    }
                    return how;
                }
                control = self.controls.next() => match control {
                    Control::Stop => {
                        self.say(Level::Warn, "stopped: told to twice, what was in flight is cut");
                        return Ended::Cut;
                    }
                    Control::ReopenLogs => self.parts.logs.reopen(),
                    Control::Reload(_) => {}
                },
                _ = self.clock.tick() => self.tick(),
            }
        }
    }

    /// Watches the files of the plan in force, and `more`.
    fn watch_files(&mut self, mut more: Vec<PathBuf>) {
        more.extend_from_slice(&self.serving.plan.files);
        if let Err(error) = self.controls.watch(&more) {
            let why = format!("config files are not watched, reload with SIGHUP: {error}");
            self.say(Level::Warn, &why);
        }
    }

    /// Warns of what the plan may need and the system does not allow, unless that is known.
    fn check_capacity(&mut self) {
        let shortages = capacity::check(&self.serving.plan);
        if shortages != self.shortages {
            shortages.iter().for_each(|shortage| self.say(Level::Warn, shortage));
            self.shortages = shortages;
        }
    }

    fn warn_of_restart(&self, plan: &Plan) {
        if plan.io_threads != self.io_threads {
            self.say(Level::Warn, "reload: the new io-threads takes effect at the next restart");
        }
        if plan.state_dir != self.state_dir {
            self.say(Level::Warn, "reload: the new state-dir takes effect at the next restart");
        }
    }

    /// Says where there is a new socket.
    fn announce(&self, before: &HashSet<String>) {
        let mut new: Vec<_> = self.addresses().difference(before).cloned().collect();
        new.sort_unstable();
        new.iter().for_each(|url| self.say(Level::Info, &format!("listening on {url}")));
    }

    fn addresses(&self) -> HashSet<String> {
        self.parts.gateway.addresses().into_iter().map(|(_, actual)| format!("http://{actual}")).collect()
    }

    fn status(&self) -> String {
        let plan = &self.serving.plan;
        format!("serving; apps: {}, listeners: {}", plan.apps.len(), plan.listeners.len())
    }

    fn say(&self, level: Level, message: &str) {
        self.parts.logs.gateway(level, None, None, message);
    }
}

/// The reload's result; never, while there is none under way.
async fn finish(preparing: &mut Option<Preparing>) -> Result<Next, ReloadError> {
    match preparing {
        Some(preparing) => preparing.await,
        None => std::future::pending().await,
    }
}

/// Tells the runtime where nano listens, lest an app come there by `fetch`.
fn keep_apart(parts: &Parts, plan: &Plan) {
    let own = |address, own| OwnAddress { address, own };
    let listeners = parts.gateway.addresses().into_iter().map(|(_, actual)| own(actual, Own::Listener));
    let admin = match plan.admin {
        Some(AdminAddress::Tcp(address)) => Some(own(address, Own::Admin)),
        Some(AdminAddress::Unix(_)) | None => None,
    };
    parts.runtime.set_own_addresses(listeners.chain(admin).collect());
}

/// What the gateway needs to know of a plan and its pools.
fn serving(plan: Arc<Plan>, apps: &[Running]) -> Arc<Serving> {
    let apps = apps.iter().map(|running| AppService {
        app: Arc::clone(&running.app),
        dispatch: running.pool.clone(),
        metrics: Arc::clone(&running.metrics),
    });
    Arc::new(Serving { apps: apps.collect(), plan })
}
