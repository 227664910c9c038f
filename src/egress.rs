//! Outgoing connections: what an app's `fetch()` sends and receives over the network.
//!
//! [`Egress`] is one app's, for all of its isolates: what it may reach and how many connections it may have. A
//! [`Client`] is one isolate's, on that isolate's thread: its connections are made, kept and used there. Every address
//! is checked in [`connect`], after names are looked up, right before it is connected to. What is asked and what
//! becomes of the answer, redirects included, is the platform's to say (`api/fetch.js`).

mod body;
mod client;
mod connect;
mod decode;
mod failure;
mod lookup;
mod own;
mod pool;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::plan;
pub use body::{Download, Upload, Uploader};
pub use client::{Answer, Client, Target};
pub use decode::{Charge, Decoded, Decoder};
pub(crate) use decode::{INFLATE, brotli_window};
pub use failure::Failure;
pub use own::{OwnAddress, OwnAddresses};
pub use tls::Tls;

/// Names an app may have looked up at once: each lookup keeps a thread.
const LOOKUPS: usize = 8;

/// What all apps share.
#[derive(Default)]
pub struct Shared {
    /// Where nano itself listens.
    pub own: OwnAddresses,
    /// Certificates and sessions.
    pub tls: Tls,
}

/// One app's outgoing side.
pub struct Egress {
    rules: plan::egress::Egress,
    shared: Arc<Shared>,
    /// One for each connection that may still be opened.
    connections: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
    /// How many wait for a connection to be closed.
    waiting: AtomicUsize,
    /// Told when one more waits: connections that idle make room.
    wanted: Notify,
}

impl Egress {
    /// The outgoing side of an app with these rules.
    pub fn new(rules: plan::egress::Egress, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            connections: Arc::new(Semaphore::new(rules.max_connections)),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            waiting: AtomicUsize::new(0),
            wanted: Notify::new(),
            rules,
            shared,
        })
    }

    /// Leave to open a connection, as soon as there is one to open; held for as long as it is open.
    async fn permit(&self) -> OwnedSemaphorePermit {
        if let Some(permit) = self.permit_now() {
            return permit;
        }
        let _waiting = Waiting::new(self);
        self.wanted.notify_waiters();
        Arc::clone(&self.connections).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Leave to open a connection, if there is one to open.
    fn permit_now(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// Whether a connection that idles had better make room.
    fn is_short(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }
}

/// Counts someone who waits, for as long as it lives.
struct Waiting<'e>(&'e Egress);

impl<'e> Waiting<'e> {
    fn new(egress: &'e Egress) -> Self {
        egress.waiting.fetch_add(1, Ordering::SeqCst);
        Self(egress)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
