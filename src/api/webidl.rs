//! What script can only find out about a value by running code of the value's own.

use std::ffi::c_void;

use v8::fast_api::{CFunction, CFunctionInfo, CTypeInfo, Int64Representation, Type};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::value;
use crate::runtime::Op;

/// The native functions of `webidl.js`.
pub const OPS: &[Op] = crate::ops![is_proxy or fast_is_proxy, kind_of];

/// `is_proxy(value)`: whether the value is a proxy, whatever it stands for.
fn is_proxy(_: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    rv.set_bool(args.get(0).is_proxy());
}

fn fast_is_proxy() -> &'static [CFunction] {
    extern "C" fn is_proxy(_this: Local<'_, Value>, value: Local<'_, Value>) -> bool {
        value.is_proxy()
    }
    const ARGUMENTS: &[CTypeInfo] = &[Type::V8Value.as_info(), Type::V8Value.as_info()];
    const INFO: &CFunctionInfo = &CFunctionInfo::new(Type::Bool.as_info(), ARGUMENTS, Int64Representation::Number);
    const { &[CFunction::new(is_proxy as *const c_void, INFO)] }
}

/// `kind_of(value)`: the name of the value's built-in kind, or `"object"`.
fn kind_of(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let value = args.get(0);
    // A proxy is one first, whatever it stands for.
    let kind = if value.is_proxy() {
        "proxy"
    } else if value.is_function() {
        "function"
    } else if value.is_array() {
        "array"
    } else if value.is_native_error() {
        "error"
    } else if value.is_map() {
        "map"
    } else if value.is_set() {
        "set"
    } else if value.is_date() {
        "date"
    } else if value.is_reg_exp() {
        "regexp"
    } else if value.is_promise() {
        "promise"
    } else if value.is_typed_array() {
        "typed array"
    } else if value.is_array_buffer() {
        "buffer"
    } else if value.is_shared_array_buffer() {
        "shared buffer"
    } else if value.is_number_object()
        || value.is_string_object()
        || value.is_boolean_object()
        || value.is_big_int_object()
        || value.is_symbol_object()
    {
        "boxed"
    } else {
        "object"
    };
    value::return_text(scope, &mut rv, kind);
}
