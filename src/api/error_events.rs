//! What V8 knows of an exception, for the events that tell of it.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use crate::runtime::Op;

/// The native functions of `error_events.js`.
pub const OPS: &[Op] = crate::ops![error_place];

/// `error_place(error)`: `[message, filename, line, column]` of an exception, as far as V8 knows (HTML §8.1.4.6 "extract
/// error"); it runs none of the app's code.
fn error_place(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let message = v8::Exception::create_message(scope, args.get(0));
    let empty = v8::String::empty(scope);
    let name = message.get_script_resource_name(scope).filter(|name| name.is_string());
    let line = message.get_line_number(scope).unwrap_or_default();
    let column = if line == 0 { 0 } else { message.get_start_column() + 1 };
    let place = [
        message.get(scope).into(),
        name.unwrap_or(empty.into()),
        v8::Integer::new_from_unsigned(scope, line as u32).into(),
        v8::Integer::new_from_unsigned(scope, column as u32).into(),
    ];
    rv.set(v8::Array::new_with_elements(scope, &place).into());
}
