//! The gateway: sockets in, events out. It accepts connections, speaks HTTP, routes by the plan, holds clients to their
//! limits, and turns what apps answer into responses. What an app is, and how it runs, it leaves to whoever implements
//! [`Dispatch`].
//!
//! Every I/O thread is a single-threaded runtime and accepts from every socket; a connection stays on the thread that
//! accepted it. Each request loads what its socket serves once, so a reload is one pointer swap per socket.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::config::Secret;
use crate::event::{Desk, Dispatch, wake};
use crate::observability::log::Logs;
use crate::observability::metrics::{AppMetrics, Metrics};
use crate::plan::{AdminAddress, App, Plan, overlap};

mod activity;
mod admin;
mod body;
mod connection;
mod date;
mod error;
mod flight;
mod forwarded;
mod http1;
mod http2;
mod listener;
mod request;
mod service;
mod target;
#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use http1::read_head;
pub use listener::{BindError, Bound};

use listener::{Socket, Stage, View};

/// How long connections may take to notice that they are cut.
const CUT: Duration = Duration::from_secs(1);

/// A plan together with what answers for its apps.
pub struct Serving {
    /// The plan.
    pub plan: Arc<Plan>,
    /// By the app's index in the plan.
    pub apps: Vec<AppService>,
}

/// One app as the gateway sees it.
pub struct AppService {
    /// Name and limits.
    pub app: Arc<App>,
    /// Takes its requests.
    pub dispatch: Arc<dyn Dispatch>,
    /// Its series.
    pub metrics: Arc<AppMetrics>,
}

/// All sockets of a process, and the threads that serve them. Dropping it ends both at once; see [`Gateway::drain`].
pub struct Gateway {
    shared: Arc<Shared>,
    threads: Vec<IoThread>,
    open: Mutex<Sockets>,
}

/// What every connection may need.
struct Shared {
    logs: Logs,
    metrics: Arc<Metrics>,
    /// What the admin interface asks for; `None` until a plan is served.
    admission: ArcSwapOption<Admission>,
    draining: AtomicBool,
}

/// Who may use the admin interface.
struct Admission {
    token: Option<Secret>,
}

#[derive(Default)]
struct Sockets {
    /// By the address in the plan.
    public: HashMap<SocketAddr, Arc<Socket>>,
    /// Out of the plan, with connections left.
    retired: Vec<Arc<Socket>>,
    admin: Option<(AdminAddress, Arc<watch::Sender<Stage>>)>,
}

impl Sockets {
    /// Notes what of this process has an address that is taken.
    fn blame(&self, error: BindError) -> BindError {
        let admin = self.admin.iter().filter_map(|(address, _)| match address {
            AdminAddress::Tcp(address) => Some(*address),
            AdminAddress::Unix(_) => None,
        });
        let own = error
            .address
            .parse()
            .ok()
            .and_then(|wanted| self.public.keys().copied().chain(admin).find(|open| overlap(*open, wanted)));
        BindError { own, ..error }
    }
}

struct IoThread {
    runtime: Handle,
    /// Where the replies to its requests arrive.
    desk: Arc<Desk>,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts the I/O threads. Nothing listens yet.
    pub fn start(io_threads: usize, logs: Logs, metrics: Arc<Metrics>) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { logs, metrics, admission: ArcSwapOption::empty(), draining: AtomicBool::new(false) });
        let threads = (0..io_threads.max(1)).map(IoThread::start).collect::<io::Result<_>>()?;
        Ok(Self { shared, threads, open: Mutex::default() })
    }

    /// Opens the sockets of `plan` that are not open yet. Nothing changes until they are served: dropping what this
    /// returns closes them again.
    pub fn bind(&self, plan: &Plan) -> Result<Bound, BindError> {
        let open = self.sockets();
        let new = plan.listeners.iter().filter(|listener| !open.public.contains_key(&listener.address));
        let public = new
            .map(|listener| Ok((listener.address, listener::bind(listener, self.threads.len())?)))
            .collect::<Result<_, _>>();
        let current = open.admin.as_ref().map(|(address, _)| address);
        let admin = plan.admin.as_ref().filter(|address| Some(*address) != current);
        let public = public.map_err(|error| open.blame(error))?;
        let admin = admin.map(admin::bind).transpose().map_err(|error| open.blame(error))?;
        Ok(Bound { public, admin })
    }

    /// Serves `serving` from here on: its new sockets accept, those that stay turn to it between two requests, and those
    /// it has not got any more finish what is in flight (under its `drain`) and close.
    pub fn serve(&self, serving: Arc<Serving>, bound: Bound) {
        let plan = &serving.plan;
        let mut open = self.sockets();
        let before: Vec<_> = open.public.values().map(|socket| socket.view()).collect();
        let mut fresh: HashMap<_, _> = bound.public.into_iter().collect();
        let mut public = HashMap::with_capacity(plan.listeners.len());
        for (index, settings) in plan.listeners.iter().enumerate() {
            let view = View { serving: Arc::clone(&serving), listener: index };
            if let Some(socket) = open.public.remove(&settings.address) {
                socket.turn(view);
                public.insert(settings.address, socket);
            } else if let Some(listeners) = fresh.remove(&settings.address) {
                let actual = listeners.first().and_then(|listener| listener.local_addr().ok());
                let socket = Arc::new(Socket::new(actual.unwrap_or(settings.address), view));
                self.accept(&socket, listeners);
                public.insert(settings.address, socket);
            }
        }
        open.retired.retain(|socket| !socket.stage.is_closed());
        for (_, socket) in std::mem::replace(&mut open.public, public) {
            socket.retire();
            self.threads[0].runtime.spawn(cut_late(Arc::clone(&socket), plan.drain));
            open.retired.push(socket);
        }
        if let Some(listening) = bound.admin {
            let stage = Arc::new(watch::Sender::new(Stage::Serving));
            let old = open.admin.replace((listening.address.clone(), Arc::clone(&stage)));
            retire_admin(old);
            self.threads[0].runtime.spawn(admin::accept(listening, stage, Arc::clone(&self.shared)));
        } else if plan.admin.is_none() {
            retire_admin(open.admin.take());
        }
        for view in before {
            let name = &view.serving.plan.listeners[view.listener].name;
            if plan.listeners.iter().all(|listener| listener.name != *name) {
                self.shared.metrics.forget_listener(name);
            }
        }
        self.shared.admission.store(Some(Arc::new(Admission { token: plan.admin_token.clone() })));
    }

    /// Where each address of the plan is really listened on: they differ where the plan says port 0.
    pub fn addresses(&self) -> Vec<(SocketAddr, SocketAddr)> {
        self.sockets().public.iter().map(|(planned, socket)| (*planned, socket.address)).collect()
    }

    /// Stops accepting, finishes what is in flight and what the kernel has queued, and closes every public socket.
    /// After `limit` the rest is cut: then it returns false. The admin interface stays, and `/readyz` says no.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.shared.draining.store(true, Relaxed);
        let sockets: Vec<_> = {
            let mut open = self.sockets();
            let public = std::mem::take(&mut open.public).into_values();
            public.chain(std::mem::take(&mut open.retired)).collect()
        };
        for socket in &sockets {
            socket.retire();
        }
        let all_closed = async {
            for socket in &sockets {
                socket.stage.closed().await;
            }
        };
        if timeout(limit, all_closed).await.is_ok() {
            return true;
        }
        for socket in &sockets {
            cut(socket).await;
        }
        false
    }

    fn accept(&self, socket: &Arc<Socket>, listeners: Vec<TcpListener>) {
        for (thread, listener) in self.threads.iter().zip(listeners) {
            let (shared, desk) = (Arc::clone(&self.shared), Arc::clone(&thread.desk));
            let accept = Arc::clone(socket).accept(listener, shared, desk);
            thread.runtime.spawn(accept);
        }
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        for thread in &mut self.threads {
            drop(thread.stop.take());
        }
        for thread in &mut self.threads {
            if let Some(thread) = thread.thread.take() {
                // A thread that panicked has ended too.
                let _ = thread.join();
            }
        }
    }
}

impl IoThread {
    fn start(index: usize) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(wake::flush).build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let desk = Arc::<Desk>::default();
        let run = {
            let desk = Arc::clone(&desk);
            move || {
                wake::hold_back();
                runtime.block_on(async {
                    tokio::select! {
                        // It is the sender's end that is waited for: nothing is ever sent.
                        _ = stopped => {}
                        () = desk.run() => {}
                    }
                });
            }
        };
        let thread = std::thread::Builder::new().name(format!("nano-io-{index}")).spawn(run)?;
        Ok(Self { runtime: handle, desk, stop: Some(stop), thread: Some(thread) })
    }
}

/// Gives a socket that left the plan `limit` to finish.
async fn cut_late(socket: Arc<Socket>, limit: Duration) {
    if timeout(limit, socket.stage.closed()).await.is_err() {
        cut(&socket).await;
    }
}

async fn cut(socket: &Socket) {
    socket.stage.send_replace(Stage::Cut);
    // A connection that does not notice dies with its thread.
    let _ = timeout(CUT, socket.stage.closed()).await;
}

fn retire_admin(admin: Option<(AdminAddress, Arc<watch::Sender<Stage>>)>) {
    if let Some((_, stage)) = admin {
        stage.send_replace(Stage::Retiring);
    }
}
