//! The web platform: one standard, one pair of files, `name.rs` with its native functions and `name.js` with the rest.
//!
//! [`REGISTRY`] is the one place that says what there is and in which order it is run.

mod base64;
mod compression;
mod console;
mod context;
#[allow(unsafe_code)]
mod crypto;
mod encoding;
mod event;
mod fetch;
mod inspect;
mod mime;
mod multipart;
mod performance;
mod pipe;
mod structured_clone;
mod timers;
mod url;
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
pub const REGISTRY: &[Extension] = &[
    extension!("primordials", &[]),
    extension!("webidl", &[]),
    extension!("context", context::OPS),
    extension!("dom_exception", &[]),
    extension!("quota_exceeded_error", &[]),
    extension!("event_target", &[]),
    extension!("abort", &[]),
    extension!("timers", timers::OPS),
    extension!("performance", performance::OPS),
    extension!("inspect", inspect::OPS),
    extension!("console", console::OPS),
    extension!("encoding", encoding::OPS),
    extension!("url", url::OPS),
    extension!("url_search_params", &[]),
    extension!("structured_clone", structured_clone::OPS),
    extension!("base64", base64::OPS),
    extension!("crypto/algorithms", &[]),
    extension!("crypto/key", &[]),
    extension!("crypto/sha", crypto::sha::OPS),
    extension!("crypto/hmac", crypto::hmac::OPS),
    extension!("crypto/subtle", &[]),
    extension!("crypto", crypto::OPS),
    extension!("queuing_strategy", &[]),
    extension!("readable_stream", &[]),
    extension!("byte_stream", &[]),
    extension!("tee", &[]),
    extension!("writable_stream", &[]),
    extension!("pipe_to", &[]),
    extension!("byte_stream_classes", &[]),
    extension!("readable_stream_classes", &[]),
    extension!("writable_stream_classes", &[]),
    extension!("transform_stream", &[]),
    extension!("transform_stream_classes", &[]),
    extension!("text_streams", &[]),
    extension!("compression", compression::OPS),
    extension!("headers", &[]),
    extension!("blob", &[]),
    extension!("form_data", &[]),
    extension!("multipart", multipart::OPS),
    extension!("body", &[]),
    extension!("request", &[]),
    extension!("response", &[]),
    extension!("integrity", &[]),
    extension!("fetch", fetch::OPS),
    extension!("pipe", pipe::OPS),
    extension!("event", event::OPS),
    extension!("scope", &[]),
];

/// Runs after the others, in a context of its own: see there.
pub const WARM_UP: Extension = extension!("warm_up", &[]);
