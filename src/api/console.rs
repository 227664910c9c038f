//! Where `console` and uncaught exceptions go: the app's log.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use super::value;
use crate::plan::Level;
use crate::runtime::{self, Op};

/// The native functions of `console.js`.
pub const OPS: &[Op] = crate::ops![log, report_exception, error_place];

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

/// `report_exception(error)`: an exception nobody caught (HTML §8.1.4.6).
fn report_exception(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let text = runtime::describe_exception(scope, args.get(0));
    let token = runtime::request_of(scope);
    runtime::state(scope).log(Level::Error, token, &format!("uncaught: {text}"));
}

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
