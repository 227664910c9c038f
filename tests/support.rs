//! The harness: [`Setup`] writes apps and a config, [`Nano`] is the running process, [`Conn`] a connection with every
//! byte under control, [`H2`] one that speaks HTTP/2.

mod conn;
pub mod frames;
mod h2;
mod logs;
mod metrics;
mod nano;
mod packages;
mod process;
mod request;
mod setup;
mod upstream;

use std::time::{Duration, Instant};

pub use conn::{Conn, Response};
pub use h2::H2;
pub use nano::Nano;
pub use packages::bundled;
pub use process::free_port;
pub use request::Request;
pub use setup::Setup;
pub use upstream::{Peer, Secure, Upstream, ok};

/// How long a test waits for what must happen: far longer than it takes, for machines are noisy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `check` gives a value, and says what was missing if it never does.
#[track_caller]
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs `work` on `threads` threads at once, each told its number, and returns what they found.
pub fn together<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
