//! Runs apps: one isolate to a thread, a pool of them to an app, a watchdog over all.

mod extension;
mod platform;
mod snapshot;

pub use extension::{Extension, Op, callback};

#[cfg(test)]
pub(crate) mod testing;
