//! Public sockets: binding them, and accepting from each on every I/O thread under one cap.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use prometheus::IntGauge;
use socket2::{Domain, SockFilter, SockRef, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Notify, watch};

use super::activity::Activity;
use super::connection::Connection;
use super::forwarded::Peer;
use super::target::LastHost;
use super::{Serving, Shared};
use crate::event::Desk;
use crate::plan::{Level, Listener};

/// Connections the kernel may queue for us (capped by `net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// A client that says nothing is asked after the first whether it is still there, and so often again after the second: one
/// that vanished without a word would hold a quiet stream for ever.
const PROBE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));

/// Unanswered probes that end a connection.
const PROBES: u32 = 4;

/// Pauses after an accept() that failed for want of descriptors or memory.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How long a handshake that has begun may take to end once a socket retires.
const HANDSHAKE: Duration = Duration::from_millis(500);

/// Failures this close together are one episode, and one line in the log.
const EPISODE: Duration = Duration::from_secs(10);

/// A socket that cannot be opened, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub struct BindError {
    /// `listener "web"` or `the admin interface`.
    pub(super) who: String,
    /// Where it was to listen.
    pub(super) address: String,
    #[source]
    pub(super) source: io::Error,
    /// What of this process has the address.
    pub(super) own: Option<SocketAddr>,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, address, source, own } = self;
        write!(f, "{who} cannot listen on {address}: {source}; ")?;
        match own {
            Some(own) if source.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "nano itself has {own} until the reload is over: restart it, or choose another port")
            }
            _ if source.kind() == io::ErrorKind::AddrInUse && address.starts_with("unix:") => f.write_str(
                "another process listens there, or what has this path is no socket: remove it, or choose another",
            ),
            _ if is_shortage(source) => f.write_str("raise LimitNOFILE= or `ulimit -n`, or lower max-connections"),
            _ => f.write_str(advice(source.kind())),
        }
    }
}

fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrInUse => {
            "another process (or another listener) has it: find it with `ss -ltnp`, or choose another port"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need `setcap cap_net_bind_service=+ep` on the nano binary \
             (or AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit); else choose a port above 1024, \
             or for a Unix socket a folder nano may write to"
        }
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address: see `ip address`",
        io::ErrorKind::NotFound => "the folder it is to be in does not exist",
        _ => "check the address in the config",
    }
}

/// Opens a public socket.
pub(super) fn bind(listener: &Listener, threads: usize) -> Result<Vec<StdListener>, BindError> {
    let bound = tcp(listener.address).and_then(|first| {
        let others = (1..threads).map(|_| first.try_clone()).collect::<io::Result<Vec<_>>>()?;
        Ok([first].into_iter().chain(others).collect())
    });
    bound.map_err(|source| BindError {
        who: format!("listener {:?}", listener.name),
        address: listener.address.to_string(),
        source,
        own: None,
    })
}

/// Opens a listening TCP socket, ready for a runtime.
pub(super) fn tcp(address: SocketAddr) -> io::Result<StdListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // A port is free as soon as its last listener is gone, whatever connections still linger.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` are two addresses, and a plan may have both.
        socket.set_only_v6(true)?;
    }
    // What is accepted here inherits it.
    let keepalive = TcpKeepalive::new().with_time(PROBE.0).with_interval(PROBE.1).with_retries(PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Lets handshakes that have begun end, and no other begin: a SYN goes unheard, and its sender tries again later.
/// Closing a socket resets what is in its queue, so a client must not get in between the last accept() and the close.
fn refuse_handshakes(listener: &TcpListener) -> io::Result<()> {
    // Classic BPF over the TCP header (RFC 9293 §3.1), whose byte 13 holds the flags.
    use libc::{BPF_ABS, BPF_B, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET};
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ALL: u32 = u32::MAX;
    // Every opcode fits its 16 bits (linux/bpf_common.h).
    let step = |code: u32, yes, no, operand| SockFilter::new(code as u16, yes, no, operand);
    SockRef::from(listener).attach_filter(&[
        step(BPF_LD | BPF_B | BPF_ABS, 0, 0, FLAGS),
        step(BPF_JMP | BPF_JSET | BPF_K, 0, 1, SYN),
        step(BPF_RET | BPF_K, 0, 0, 0),
        step(BPF_RET | BPF_K, 0, 0, ALL),
    ])
}

/// Where a socket is in its life, and with it every connection it accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Accepting.
    Serving,
    /// Accepts no more; finishes what is in flight.
    Retiring,
    /// What is left is dropped.
    Cut,
}

/// What a socket serves now: one load of it per request.
pub(super) struct View {
    pub(super) serving: Arc<Serving>,
    /// Index of the socket's listener in the plan of `serving`.
    pub(super) listener: usize,
}

impl View {
    fn settings(&self) -> &Arc<Listener> {
        &self.serving.plan.listeners[self.listener]
    }
}

/// A public socket. Its view outlives its place in the plan: connections that are left over are served to their end by
/// what they were accepted for.
pub(super) struct Socket {
    view: ArcSwap<View>,
    /// Where it really listens: the config may say port 0.
    pub(super) address: SocketAddr,
    pub(super) stage: watch::Sender<Stage>,
    slots: Slots,
    /// When accept() last failed, in milliseconds since `epoch`; 0 is never.
    failed: AtomicU64,
    epoch: Instant,
}

impl Socket {
    pub(super) fn new(address: SocketAddr, view: View) -> Self {
        let slots = Slots::new(view.settings().max_connections);
        Self {
            view: ArcSwap::from_pointee(view),
            address,
            stage: watch::Sender::new(Stage::Serving),
            slots,
            failed: AtomicU64::new(0),
            epoch: Instant::now(),
        }
    }

    pub(super) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Serves another plan from here on.
    pub(super) fn turn(&self, view: View) {
        self.slots.resize(view.settings().max_connections);
        self.view.store(Arc::new(view));
    }

    /// Stops accepting, and lets connections finish.
    pub(super) fn retire(&self) {
        self.stage.send_if_modified(|stage| {
            let serving = *stage == Stage::Serving;
            if serving {
                *stage = Stage::Retiring;
            }
            serving
        });
    }

    /// Accepts until the socket retires, then takes what the kernel has queued: those clients believe themselves
    /// connected.
    pub(super) async fn accept(self: Arc<Self>, listener: StdListener, shared: Arc<Shared>, desk: Arc<Desk>) {
        let mut stage = self.stage.subscribe();
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return self.complain(&shared, &error),
        };
        let mut pause = BACK_OFF.0;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stage.wait_for(|stage| *stage != Stage::Serving) => break,
                accepted = async { (self.slots.take().await, listener.accept().await) } => accepted,
            };
            match accepted {
                (slot, Ok((stream, peer))) => {
                    pause = BACK_OFF.0;
                    self.open(stream, peer, slot, &shared, &desk);
                    // Otherwise one thread would take a whole burst before another has woken.
                    tokio::task::yield_now().await;
                }
                (_, Err(error)) if is_shortage(&error) => {
                    self.complain(&shared, &error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACK_OFF.1);
                }
                // The client gave up while it was queued.
                (_, Err(_)) => tokio::task::yield_now().await,
            }
        }
        // A kernel that refuses leaves a window of microseconds, and nothing more can be done about it.
        let _ = refuse_handshakes(&listener);
        let mut last = pin!(tokio::time::sleep(HANDSHAKE));
        loop {
            tokio::select! {
                biased;
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.open(stream, peer, self.slots.force(), &shared, &desk),
                    Err(error) if is_shortage(&error) => tokio::time::sleep(BACK_OFF.0).await,
                    Err(_) => {}
                },
                () = last.as_mut() => return,
            }
        }
    }

    /// Serves a connection on the thread that accepted it.
    fn open(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, slot: Slot, shared: &Arc<Shared>, desk: &Arc<Desk>) {
        // Answers go out as they are; Nagle's algorithm would hold back the last piece of each. A socket that refuses
        // is closed already, which its first read will tell.
        let _ = stream.set_nodelay(true);
        let settings = Arc::clone(self.view.load().settings());
        let gauge = shared.metrics.connection_gauge(&settings.name);
        let connection = Arc::new(Connection {
            shared: Arc::clone(shared),
            desk: Arc::clone(desk),
            socket: Arc::clone(self),
            peer: Peer::new(peer, &settings.trust_proxy),
            settings,
            activity: Arc::new(Activity::new()),
            host: LastHost::default(),
            stage: self.stage.subscribe(),
            _open: Open::new(slot, gauge),
        });
        tokio::spawn(connection.serve(stream));
    }

    /// Says once per episode that accept() fails.
    fn complain(&self, shared: &Shared, error: &io::Error) {
        let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let last = self.failed.swap(now, Relaxed);
        if last == 0 || Duration::from_millis(now.saturating_sub(last)) > EPISODE {
            let view = self.view();
            let name = &view.settings().name;
            let message = format!(
                "listener {name:?} cannot accept connections: {error}; they wait until some close \
                 (raise LimitNOFILE= or `ulimit -n`, or lower max-connections)"
            );
            shared.logs.gateway(Level::Error, None, None, &message);
        }
    }
}

/// A stream that can end so that the other side cannot take it for a good end.
pub(super) trait Reset {
    /// Ends it at once; what is not sent yet is lost (RFC 9293 §3.10.5, "abort").
    fn reset(self);
}

impl Reset for TcpStream {
    fn reset(self) {
        // A socket that refuses is closed already.
        let _ = SockRef::from(&self).set_linger(Some(Duration::ZERO));
    }
}

impl Reset for UnixStream {
    /// A Unix socket has no way to say it.
    fn reset(self) {}
}

/// Out of descriptors or memory: trying again at once would spin.
fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// A connection that is counted until it is dropped.
pub(super) struct Open {
    gauge: IntGauge,
    _slot: Slot,
}

impl Open {
    fn new(slot: Slot, gauge: IntGauge) -> Self {
        gauge.inc();
        Self { gauge, _slot: slot }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// The connections a listener may have, over all threads. Not a semaphore: the cap may change under it.
#[derive(Clone)]
struct Slots(Arc<Counts>);

struct Counts {
    taken: AtomicUsize,
    cap: AtomicUsize,
    freed: Notify,
}

/// One of a listener's [`Slots`], given back when dropped.
struct Slot(Slots);

impl Slots {
    fn new(cap: usize) -> Self {
        Self(Arc::new(Counts { taken: AtomicUsize::new(0), cap: AtomicUsize::new(cap), freed: Notify::new() }))
    }

    fn resize(&self, cap: usize) {
        self.0.cap.store(cap, Relaxed);
        self.0.freed.notify_waiters();
    }

    /// Waits for a free slot.
    async fn take(&self) -> Slot {
        loop {
            // Registered before the look, so that no slot is given back in between.
            let mut freed = pin!(self.0.freed.notified());
            freed.as_mut().enable();
            let cap = self.0.cap.load(Relaxed);
            if self.0.taken.fetch_update(Relaxed, Relaxed, |taken| (taken < cap).then_some(taken + 1)).is_ok() {
                return Slot(self.clone());
            }
            freed.await;
        }
    }

    /// Takes one over the cap.
    fn force(&self) -> Slot {
        self.0.taken.fetch_add(1, Relaxed);
        Slot(self.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.taken.fetch_sub(1, Relaxed);
        self.0.0.freed.notify_one();
    }
}

/// Sockets that were opened for a plan and wait to be served.
pub struct Bound {
    /// Each as often as there are threads to accept from it.
    pub(super) public: Vec<(SocketAddr, Vec<StdListener>)>,
    pub(super) admin: Option<super::admin::Listening>,
}

/// A Unix socket's path, removed when nobody listens there any more.
pub(super) struct SocketFile(pub(super) PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}
