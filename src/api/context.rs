//! Which request the running code belongs to. V8 carries it along promises; everything else that runs later saves and
//! restores it with these. And where what nobody catches there goes.

use std::ffi::c_void;

use v8::fast_api::{CFunction, CFunctionInfo, CTypeInfo, FastApiCallbackOptions, Int64Representation, Type};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use crate::plan::Level;
use crate::runtime::{self, Op};

/// The native functions of `context.js`.
pub const OPS: &[Op] = crate::ops![request_token or fast_request_token, enter_request, report_exception];

/// `request_token()`: the request's token, 0 outside of one.
fn request_token(scope: &mut PinScope<'_, '_>, _args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    rv.set_uint32(runtime::request_of(scope));
}

/// It is asked for with every chunk of a stream and every listener.
fn fast_request_token() -> &'static [CFunction] {
    extern "C" fn request_token(_this: Local<'_, Value>, options: &FastApiCallbackOptions<'_>) -> u32 {
        // SAFETY: the options are those V8 has just called with.
        v8::callback_scope!(unsafe scope, options);
        runtime::request_of(scope)
    }
    const ARGUMENTS: &[CTypeInfo] = &[Type::V8Value.as_info(), Type::CallbackOptions.as_info()];
    const INFO: &CFunctionInfo = &CFunctionInfo::new(Type::Uint32.as_info(), ARGUMENTS, Int64Representation::Number);
    const { &[CFunction::new(request_token as *const c_void, INFO)] }
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
