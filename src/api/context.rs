//! Where an exception goes that nobody catches.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use crate::plan::Level;
use crate::runtime::{self, Op};

/// The native functions of `context.js`.
pub const OPS: &[Op] = crate::ops![report_exception];

/// `report_exception(error)`: an exception nobody caught (HTML §8.1.4.6).
fn report_exception(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let text = runtime::describe_exception(scope, args.get(0));
    let token = runtime::request_of(scope);
    runtime::state(scope).log(Level::Error, token, &format!("uncaught: {text}"));
}
