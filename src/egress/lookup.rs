//! Names to addresses, by the system's own resolver: whatever `/etc/hosts`, `nsswitch.conf` and the search list say
//! holds for apps too. It blocks, so each lookup has a thread of its own for that long. An app has a few at once and no
//! more, however slow its names: it keeps nobody waiting but itself.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

/// Looks `name` up: IPv6 and IPv4 in the order the system prefers.
pub(super) async fn addresses(lookups: &Arc<Semaphore>, name: &str) -> io::Result<Vec<IpAddr>> {
    let turn = Arc::clone(lookups).acquire_owned().await.map_err(io::Error::other)?;
    let name = name.to_owned();
    let found = on_thread("lookup", move || {
        let found = (name.as_str(), 0).to_socket_addrs().map(|all| all.map(|address| address.ip()).collect());
        // Whoever wanted it may be gone: the place is free only now.
        drop(turn);
        found
    });
    let mut addresses: Vec<IpAddr> = found.await??;
    let mut seen = Vec::with_capacity(addresses.len());
    addresses.retain(|address| {
        let new = !seen.contains(address);
        seen.push(*address);
        new
    });
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    }
    Ok(addresses)
}

/// Runs `work`, which blocks, on a thread of its own.
pub(super) async fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, done) = oneshot::channel();
    let run = move || {
        // Nobody may want it any more.
        let _ = sender.send(work());
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
    done.await.map_err(|_| io::Error::other("the thread ended early"))
}
