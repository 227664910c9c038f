//! Pools that are not served any more, until their last request has ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

use super::reload::Running;
use crate::gateway::Serving;
use crate::runtime::Pool;

/// Generations that may be draining at once. One more, and the oldest is cut: reloads must not pile up memory.
const MOST: usize = 8;
/// How often to look whether a request is still about to be handed to an old pool.
const LOOK: Duration = Duration::from_millis(10);

/// The old generations, oldest first.
#[derive(Default)]
pub(super) struct Generations(VecDeque<Generation>);

struct Generation {
    pools: Vec<Arc<Pool>>,
    /// Dropped to cut the generation.
    patience: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Generations {
    /// Lets the pools of `apps` finish within `limit`. `before` is what was served with them.
    pub(super) fn retire(&mut self, apps: Vec<Running>, before: Arc<Serving>, limit: Duration) {
        if apps.is_empty() {
            return;
        }
        self.sweep();
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.pop_front()
        {
            tracing::warn!(pools = oldest.pools.len(), "too many old generations are draining: the oldest is cut");
            drop(oldest.patience);
        }
        let pools: Vec<_> = apps.iter().map(|app| Arc::clone(&app.pool)).collect();
        let (patience, impatience) = oneshot::channel();
        let task = tokio::spawn(finish(apps, before, limit, impatience));
        self.0.push_back(Generation { pools, patience, task });
    }

    /// Forgets those that are done.
    pub(super) fn sweep(&mut self) {
        self.0.retain(|generation| !generation.task.is_finished());
    }

    /// The pools that are left, for the end of the process.
    pub(super) fn into_pools(self) -> impl Iterator<Item = Arc<Pool>> {
        self.0.into_iter().flat_map(|generation| {
            generation.task.abort();
            generation.pools
        })
    }
}

/// Sees a generation through to its end. It holds the apps' metrics that long, for what is still counted.
async fn finish(apps: Vec<Running>, before: Arc<Serving>, limit: Duration, impatience: oneshot::Receiver<()>) {
    let deadline = Instant::now() + limit;
    let pools = || apps.iter().map(|app| Arc::clone(&app.pool));
    let orderly = async {
        // A request that was routed just before the swap has yet to reach its pool, and must find it open.
        let routed = async {
            while Arc::strong_count(&before) > 1 {
                sleep(LOOK).await;
            }
        };
        // However that ends, there is `drain` below.
        let _ = timeout_at(deadline, routed).await;
        drain(pools(), deadline.saturating_duration_since(Instant::now())).await;
    };
    tokio::select! {
        () = orderly => {}
        _ = impatience => drain(pools(), Duration::ZERO).await,
    }
}

/// Lets `pools` finish, all at the same time; what outlasts `limit` is cut.
pub(super) async fn drain(pools: impl IntoIterator<Item = Arc<Pool>>, limit: Duration) {
    let mut drains = JoinSet::new();
    for pool in pools {
        drains.spawn(async move { pool.drain(limit).await });
    }
    drains.join_all().await;
}
