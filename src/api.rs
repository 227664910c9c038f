//! The web platform: one standard, one pair of files, `name.rs` with its native functions and `name.js` with the rest.
//!
//! [`PLATFORM`] is the one place that says what there is, when it is run and in which order.

mod base64;
mod compression;
mod console;
#[allow(unsafe_code)]
mod context;
#[allow(unsafe_code)]
mod crypto;
#[allow(unsafe_code)]
mod encoding;
mod error_events;
mod event;
#[allow(unsafe_code)]
mod event_target;
mod fetch;
#[allow(unsafe_code)]
mod held;
mod html_rewriter;
mod inspect;
mod mime;
mod multipart;
mod performance;
mod pipe;
mod structured_clone;
#[allow(unsafe_code)]
mod timers;
#[allow(unsafe_code)]
mod transcode;
#[allow(unsafe_code)]
mod url;
#[allow(unsafe_code)]
mod value;
mod webidl;

use crate::runtime::{Extension, Part, Platform};

/// `extension!("name", OPS, …)`: the script `api/name.js` with the native functions it needs.
macro_rules! extension {
    ($name:literal $(, $ops:expr)*) => {
        Extension { name: concat!("nano:", $name), source: include_str!(concat!("api/", $name, ".js")), ops: &[$($ops),*] }
    };
}

/// The platform's scripts. Each is a function of the internal object `nano`, which no app ever sees: `nano.ops` are all
/// native functions, `nano.entry` is what Rust calls, and each script leaves there what others need. The first one adds
/// `nano.primordials`, the second `nano.expose`.
pub static PLATFORM: Platform = Platform { core: CORE, parts: PARTS, warm_up: extension!("warm_up") };

/// What nearly every request needs, in the order it is run while the snapshot is made.
const CORE: &[Extension] = &[
    extension!("primordials"),
    extension!("webidl", webidl::OPS),
    extension!("context", context::OPS),
    extension!("dom_exception"),
    extension!("timers", timers::OPS),
    extension!("encoding", encoding::OPS),
    extension!("url", url::OPS),
    extension!("url_search_params"),
    extension!("headers"),
    extension!("body", pipe::OPS),
    extension!("request"),
    extension!("response"),
    extension!("event", event::OPS),
    extension!("scope"),
];

/// The rest, each part as it is first asked for.
const PARTS: &[Part] = &[
    Part {
        scripts: &[
            extension!("event_target", event_target::OPS),
            extension!("error_events", error_events::OPS),
            extension!("abort"),
            extension!("fetch_event"),
        ],
        interfaces: &[
            "AbortController",
            "AbortSignal",
            "CustomEvent",
            "ErrorEvent",
            "Event",
            "EventTarget",
            "FetchEvent",
            "PromiseRejectionEvent",
        ],
        operations: &["reportError"],
        inherited: &["addEventListener", "dispatchEvent", "removeEventListener"],
        members: &["abort", "events", "fetchEvents"],
        ..Part::NONE
    },
    Part {
        scripts: &[
            extension!("queuing_strategy"),
            extension!("readable_stream"),
            extension!("byte_stream"),
            extension!("tee"),
            extension!("byte_stream_classes"),
            extension!("readable_stream_classes"),
            extension!("pipe"),
        ],
        interfaces: &[
            "ByteLengthQueuingStrategy",
            "CountQueuingStrategy",
            "ReadableByteStreamController",
            "ReadableStream",
            "ReadableStreamBYOBReader",
            "ReadableStreamBYOBRequest",
            "ReadableStreamDefaultController",
            "ReadableStreamDefaultReader",
        ],
        members: &["pipe", "queuing", "streams"],
        ..Part::NONE
    },
    Part {
        scripts: &[
            extension!("writable_stream"),
            extension!("pipe_to"),
            extension!("writable_stream_classes"),
            extension!("transform_stream"),
            extension!("transform_stream_classes"),
            extension!("identity_stream"),
        ],
        interfaces: &[
            "FixedLengthStream",
            "IdentityTransformStream",
            "TransformStream",
            "TransformStreamDefaultController",
            "WritableStream",
            "WritableStreamDefaultController",
            "WritableStreamDefaultWriter",
        ],
        members: &["pipeTo", "transforms", "writable"],
        ..Part::NONE
    },
    Part {
        scripts: &[extension!("text_streams")],
        interfaces: &["TextDecoderStream", "TextEncoderStream"],
        members: &["decodeStream"],
        ..Part::NONE
    },
    Part {
        scripts: &[extension!("compression", compression::OPS)],
        interfaces: &["CompressionStream", "DecompressionStream"],
        ..Part::NONE
    },
    Part {
        scripts: &[
            extension!("blob"),
            extension!("blob_url", crypto::OPS),
            extension!("progress_event"),
            extension!("file_reader", base64::OPS),
            extension!("form_data"),
            extension!("multipart", multipart::OPS),
        ],
        interfaces: &["Blob", "File", "FileReader", "FormData", "ProgressEvent"],
        members: &["blobs", "forms"],
        ..Part::NONE
    },
    Part {
        scripts: &[extension!("integrity", base64::OPS, crypto::sha::OPS), extension!("fetch", fetch::OPS)],
        operations: &["fetch"],
        ..Part::NONE
    },
    Part {
        scripts: &[
            extension!("url_pattern/tokenizer"),
            extension!("url_pattern/component"),
            extension!("url_pattern/constructor_string"),
            extension!("url_pattern"),
        ],
        interfaces: &["URLPattern"],
        ..Part::NONE
    },
    Part {
        scripts: &[extension!("inspect", inspect::OPS), extension!("console", console::OPS)],
        interfaces: &["console"],
        ..Part::NONE
    },
    Part {
        scripts: &[extension!("structured_clone", structured_clone::OPS), extension!("stream_transfer")],
        operations: &["structuredClone"],
        members: &["serializable", "structured", "structuredClone", "transferable"],
        ..Part::NONE
    },
    Part {
        scripts: &[extension!("message_event"), extension!("message_channel"), extension!("broadcast_channel")],
        interfaces: &["BroadcastChannel", "MessageChannel", "MessageEvent", "MessagePort"],
        members: &["messages"],
        ..Part::NONE
    },
    Part { scripts: &[extension!("scheduler")], interfaces: &["Scheduler"], members: &["scheduler"], ..Part::NONE },
    Part { scripts: &[extension!("html_rewriter", html_rewriter::OPS)], interfaces: &["HTMLRewriter"], ..Part::NONE },
    Part { scripts: &[extension!("base64", base64::OPS)], operations: &["atob", "btoa"], ..Part::NONE },
    Part {
        scripts: &[
            extension!("performance_entry", performance::OPS),
            extension!("performance_observer"),
            extension!("performance"),
        ],
        interfaces: &[
            "Performance",
            "PerformanceEntry",
            "PerformanceMark",
            "PerformanceMeasure",
            "PerformanceObserver",
            "PerformanceObserverEntryList",
        ],
        members: &["performance"],
        ..Part::NONE
    },
    Part {
        scripts: &[extension!("quota_exceeded_error")],
        interfaces: &["QuotaExceededError"],
        members: &["QuotaExceededError", "quota"],
        ..Part::NONE
    },
    Part {
        scripts: &[
            extension!("crypto/algorithms"),
            extension!("crypto/key"),
            extension!("crypto/sha", crypto::sha::OPS),
            extension!("crypto/hmac", base64::OPS, crypto::hmac::OPS),
            extension!("crypto/subtle"),
            extension!("crypto", crypto::OPS),
        ],
        interfaces: &["Crypto", "CryptoKey", "SubtleCrypto"],
        members: &["crypto", "cryptoAlgorithms", "cryptoHashes"],
        ..Part::NONE
    },
    Part { scripts: &[extension!("wasm_compile"), extension!("wasm_objects")], late: &["WebAssembly"], ..Part::NONE },
    Part { scripts: &[extension!("crypto/digest_stream", crypto::sha::OPS)], members: &["DigestStream"], ..Part::NONE },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every script, with the part that it is of; the core is none.
    fn scripts() -> impl Iterator<Item = (&'static [Extension], &'static Extension)> {
        let core = CORE.iter().map(|script| (&[][..], script));
        core.chain(PARTS.iter().flat_map(|part| part.scripts.iter().map(|script| (part.scripts, script))))
    }

    #[test]
    fn every_script_has_the_native_functions_it_calls() {
        for (part, script) in scripts() {
            let ops: Vec<_> = CORE.iter().chain(part).flat_map(|script| script.ops()).map(|op| op.name).collect();
            for (at, call) in script.source.match_indices("ops.") {
                let rest = &script.source[at + call.len()..];
                let name = rest.split(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default();
                assert!(ops.contains(&name), "{} calls ops.{name}", script.name);
            }
        }
    }

    #[test]
    fn only_comments_go_beyond_ascii() {
        for (_, Extension { name, source, .. }) in scripts() {
            for line in source.lines().filter(|line| !line.is_ascii()) {
                let code = line.split("//").next().unwrap_or_default().trim_start();
                assert!(code.is_ascii() || code.starts_with(['*', '/']), "{name}: {line}");
            }
        }
    }
}
