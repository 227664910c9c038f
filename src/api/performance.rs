//! When an app's time began (High Resolution Time §6).

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use crate::runtime::{self, Op};

/// The native functions of `performance.js`.
pub const OPS: &[Op] = crate::ops![time_origin];

/// `time_origin()`: the time origin in milliseconds since the Unix epoch.
fn time_origin(scope: &mut PinScope<'_, '_>, _args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    rv.set_double(runtime::state(scope).time_origin().as_micros() as f64 / 1000.0);
}
