//! Where `console` writes: the app's log.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use super::value;
use crate::plan::Level;
use crate::runtime::{self, Op};

/// The native functions of `console.js`.
pub const OPS: &[Op] = crate::ops![log];

/// `log(level, message)`: one line; 0 debug, 1 info, 2 warn, 3 error.
fn log(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let level = match args.get(0).uint32_value(scope) {
        Some(0) => Level::Debug,
        Some(2) => Level::Warn,
        Some(3) => Level::Error,
        _ => Level::Info,
    };
    let (token, mut buffer) = (runtime::request_of(scope), value::buffer());
    if let Some(message) = value::text(scope, &args, 1, &mut buffer) {
        runtime::state(scope).log(level, token, &message);
    }
}
