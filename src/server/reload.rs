//! Prepares a reload: everything that can go wrong, before anything changes.
//!
//! The config is read and checked, new sockets are bound, and what becomes of each app is decided: the same pool, a new
//! one that is loaded at the first request, or, where the app is warm, a new one whose code is loaded here.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use super::{Parts, generations};
use crate::gateway::{BindError, Bound};
use crate::observability::metrics::AppMetrics;
use crate::plan::{App, Level, Plan, PlanError};
use crate::runtime::Pool;

/// How long one app's new code may take to load before the reload goes on without it: whoever waits for something that
/// does not come holds up the other apps' changes.
const LOADING: Duration = Duration::from_secs(5);

/// Why a reload changes nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    #[error("{0}")]
    Plan(PlanError),
    #[error("{0}")]
    Bind(BindError),
    #[error("{0}")]
    Log(io::Error),
    #[error("reading the config failed: {0}")]
    Interrupted(tokio::task::JoinError),
}

/// One app being served.
#[derive(Clone)]
pub(super) struct Running {
    /// The plan value its pool was made from, but for what it claims.
    pub(super) app: Arc<App>,
    pub(super) pool: Arc<Pool>,
    pub(super) metrics: Arc<AppMetrics>,
}

impl Running {
    /// A pool without an isolate.
    pub(super) fn cold(parts: &Parts, app: &Arc<App>) -> Self {
        let metrics = parts.metrics.app(Arc::clone(&app.name));
        let log = parts.logs.app(&app.name, app.log);
        let pool = parts.runtime.pool(Arc::clone(app), log, Arc::clone(&metrics));
        Self { app: Arc::clone(app), pool, metrics }
    }
}

/// Those of `apps` whose pool serves none of `others`.
pub(super) fn apart(apps: &[Running], others: &[Running]) -> Vec<Running> {
    let pools: HashSet<_> = others.iter().map(|other| Arc::as_ptr(&other.pool)).collect();
    apps.iter().filter(|app| !pools.contains(&Arc::as_ptr(&app.pool))).cloned().collect()
}

/// A plan that is ready to be put in force.
pub(super) struct Next {
    pub(super) plan: Arc<Plan>,
    /// In the order of the plan.
    pub(super) apps: Vec<Running>,
    pub(super) bound: Bound,
    pub(super) summary: Summary,
}

/// What a reload did, in numbers of apps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Summary {
    added: usize,
    changed: usize,
    removed: usize,
    unchanged: usize,
    /// New code did not load, or could not be tried: served as before.
    failed: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, changed, removed, unchanged, failed } = self;
        write!(f, "apps: {added} added, {changed} changed, {removed} removed, {unchanged} unchanged")?;
        if *failed > 0 {
            write!(f, ", {failed} kept as they were because their new code could not be loaded")?;
        }
        Ok(())
    }
}

/// What becomes of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// There was none of this name.
    Add,
    /// Same plan, same sources: same pool.
    Keep,
    /// Changed, and nobody is using it: loaded at the first request.
    Replace,
    /// Changed and in use: loaded now.
    Warm,
}

/// A reload about to be prepared.
pub(super) struct Reload {
    parts: Parts,
    before: HashMap<Arc<str>, Running>,
}

impl Reload {
    pub(super) fn new(parts: Parts, before: Vec<Running>) -> Self {
        let before = before.into_iter().map(|running| (Arc::clone(&running.app.name), running)).collect();
        Self { parts, before }
    }

    /// Does all that can fail.
    pub(super) async fn prepare(self) -> Result<Next, ReloadError> {
        let (plan, fates) = self.read().await?;
        let bound = self.parts.gateway.bind(&plan).map_err(ReloadError::Bind)?;
        let known = fates.iter().filter(|fate| **fate != Fate::Add).count();
        let mut summary = Summary { removed: self.before.len() - known, ..Summary::default() };
        let mut apps = Vec::with_capacity(plan.apps.len());
        let mut warm = Vec::new();
        for (app, fate) in plan.apps.iter().zip(fates) {
            let running = match (fate, self.before.get(&app.name)) {
                (Fate::Keep, Some(before)) => Running { app: Arc::clone(app), ..before.clone() },
                _ => Running::cold(&self.parts, app),
            };
            match fate {
                Fate::Add => summary.added += 1,
                Fate::Keep => summary.unchanged += 1,
                Fate::Replace => summary.changed += 1,
                Fate::Warm => {
                    summary.changed += 1;
                    warm.push(apps.len());
                }
            }
            apps.push(running);
        }
        for (index, why) in load(warm.iter().map(|&index| (index, Arc::clone(&apps[index].pool)))).await {
            let name = Arc::clone(&apps[index].app.name);
            let message = format!("reload: the app is served as before, {why}");
            self.parts.logs.gateway(Level::Error, None, Some(&name), &message);
            let unfit = std::mem::replace(&mut apps[index], self.before[&name].clone());
            tokio::spawn(generations::drain([unfit.pool], Duration::ZERO));
            summary.changed -= 1;
            summary.failed += 1;
        }
        Ok(Next { plan, apps, bound, summary })
    }

    /// Reads the plan, and decides about each of its apps. Files are read on a thread that may wait for them.
    async fn read(&self) -> Result<(Arc<Plan>, Vec<Fate>), ReloadError> {
        let source = self.parts.source.clone();
        let before = self.before.clone();
        let read = move || {
            let (plan, warnings) = source.load()?;
            let fate = |app: &Arc<App>| match before.get(&app.name) {
                None => Fate::Add,
                Some(running) => {
                    fate(same_pool(&running.app, app), || running.pool.sources_changed(), || running.pool.is_warm())
                }
            };
            let fates = plan.apps.iter().map(fate).collect();
            Ok((Arc::new(plan), fates, warnings))
        };
        let (plan, fates, warnings) =
            spawn_blocking(read).await.map_err(ReloadError::Interrupted)?.map_err(ReloadError::Plan)?;
        warnings.iter().for_each(|warning| self.parts.logs.gateway(Level::Warn, None, None, &warning.to_string()));
        Ok((plan, fates))
    }
}

/// Lets go of the pools of a reload that is not to be.
pub(super) fn abandon(apps: &[Running], before: &[Running]) {
    let fresh = apart(apps, before).into_iter().map(|app| app.pool);
    tokio::spawn(generations::drain(fresh, Duration::ZERO));
}

/// Loads pools' code, as many at a time as there are processors. Gives those that failed, and why.
async fn load(pools: impl Iterator<Item = (usize, Arc<Pool>)>) -> Vec<(usize, String)> {
    let turns = Arc::new(Semaphore::new(thread::available_parallelism().map_or(1, usize::from)));
    let mut loads = JoinSet::new();
    for (index, pool) in pools {
        let turns = Arc::clone(&turns);
        loads.spawn(async move {
            let _turn = turns.acquire().await;
            let loaded = match timeout(LOADING, pool.warm()).await {
                Ok(loaded) => loaded.map_err(|error| format!("its new code does not load: {error}")),
                Err(_) if pool.waits_for_room() => {
                    Err(format!("for {LOADING:?} there was no room for an isolate to load its new code; reload again"))
                }
                Err(_) => Err(format!("its new code was still loading after {LOADING:?}")),
            };
            (index, loaded)
        });
    }
    let loaded = loads.join_all().await;
    loaded.into_iter().filter_map(|(index, loaded)| Some((index, loaded.err()?))).collect()
}

fn fate(same_plan: bool, sources_changed: impl FnOnce() -> bool, is_warm: impl FnOnce() -> bool) -> Fate {
    if same_plan && !sources_changed() {
        Fate::Keep
    } else if is_warm() {
        Fate::Warm
    } else {
        Fate::Replace
    }
}

/// Whether two plans of an app ask for the same pool. What it claims is the route table's matter. Every field is
/// named, so that a new one has to be thought of here.
fn same_pool(one: &App, other: &App) -> bool {
    let App { name, folder, entry, limits, idle, replay, fresh_context, egress, env, log, claims: _ } = one;
    *name == other.name
        && *folder == other.folder
        && *entry == other.entry
        && *limits == other.limits
        && *idle == other.idle
        && *replay == other.replay
        && *fresh_context == other.fresh_context
        && *egress == other.egress
        && *env == other.env
        && *log == other.log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_keeps_its_pool_only_if_nothing_changed() {
        let rows = [
            (true, false, true, Fate::Keep),
            (true, false, false, Fate::Keep),
            (true, true, true, Fate::Warm),
            (false, false, true, Fate::Warm),
            (false, false, false, Fate::Replace),
        ];
        for (same, changed, warm, expected) in rows {
            assert_eq!(fate(same, || changed, || warm), expected, "same={same} changed={changed} warm={warm}");
        }
    }

    #[test]
    fn a_summary_tells_of_failures_only_where_there_are_some() {
        let mut summary = Summary { added: 1, changed: 2, removed: 0, unchanged: 7, failed: 0 };
        assert_eq!(summary.to_string(), "apps: 1 added, 2 changed, 0 removed, 7 unchanged");
        summary.failed = 1;
        assert!(summary.to_string().ends_with("1 kept as they were because their new code could not be loaded"));
    }
}
