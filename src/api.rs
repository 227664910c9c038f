//! The web platform: one standard, one pair of files, `name.rs` with its native functions and `name.js` with the rest.
//!
//! [`REGISTRY`] is the one place that says what there is and in which order it is run.

mod console;
mod context;
mod event;
mod performance;
mod timers;
#[allow(unsafe_code)]
mod value;

use crate::runtime::Extension;

/// `extension!("name", [ops…])`: the script `api/name.js` with its native functions.
macro_rules! extension {
    ($name:literal, $ops:expr) => {
        Extension { name: concat!("nano:", $name), source: include_str!(concat!("api/", $name, ".js")), ops: $ops }
    };
}

/// The platform's scripts, in the order they run while the snapshot is made. Each is a function of the internal
/// object `nano`, which no app ever sees: `nano.ops` are all native functions, `nano.entry` is what Rust calls, and
/// each script leaves there what later ones need. The first one adds `nano.primordials` and `nano.expose`.
pub const REGISTRY: &[Extension] = &[];
