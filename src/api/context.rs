//! Which request the running code belongs to. V8 carries it along promises; everything else that runs later saves and
//! restores it with these. And where what nobody catches there goes.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use crate::plan::Level;
use crate::runtime::{self, Op};

/// The native functions of `context.js`.
pub const OPS: &[Op] = crate::ops![request_token, enter_request, report_exception];

/// `request_token()`: the request's token, 0 outside of one.
fn request_token(scope: &mut PinScope<'_, '_>, _args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    rv.set_uint32(runtime::request_of(scope));
}

/// `enter_request(token)`: what runs from now on belongs to that request; returns the one before.
fn enter_request(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let token = args.get(0).uint32_value(scope).unwrap_or(0);
    rv.set_uint32(runtime::request_of(scope));
    runtime::enter_request(scope, token);
}

/// `report_exception(error)`: an exception nobody caught (HTML §8.1.4.6).
fn report_exception(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let text = runtime::describe_exception(scope, args.get(0));
    let token = runtime::request_of(scope);
    runtime::state(scope).log(Level::Error, token, &format!("uncaught: {text}"));
}
