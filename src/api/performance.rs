//! The clock of High Resolution Time: monotonic, in milliseconds, from the moment the isolate got its app.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use crate::runtime::{self, Op};

/// The native functions of `performance_entry.js` and `performance.js`.
pub const OPS: &[Op] = crate::ops![now, time_origin];

/// `now()`: milliseconds since the time origin, to the nearest 5 µs (High Resolution Time §4.1 asks for a coarse
/// clock where timing attacks between neighbours are to be feared).
fn now(scope: &mut PinScope<'_, '_>, _args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let microseconds = runtime::state(scope).started().elapsed().as_micros() as u64;
    rv.set_double((microseconds - microseconds % 5) as f64 / 1000.0);
}

/// `time_origin()`: the time origin in milliseconds since the Unix epoch.
fn time_origin(scope: &mut PinScope<'_, '_>, _args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    rv.set_double(runtime::state(scope).time_origin().as_micros() as f64 / 1000.0);
}
