//! JavaScript exceptions as text for the log.

use super::limits::excerpt;

/// An exception with its stack, as the app's author wants to read it. Runs no code of the app's: a hostile getter or
/// `toString` is not asked.
pub(crate) fn describe(scope: &mut v8::PinScope<'_, '_>, exception: v8::Local<'_, v8::Value>) -> String {
    v8::tc_scope!(let scope, scope);
    let text = text_of(scope, exception);
    if scope.has_terminated() {
        // A limit struck in an accessor. Caught here it would be forgotten, and the code that threw would go on.
        scope.terminate_execution();
    }
    text
}

fn text_of(scope: &mut v8::PinScope<'_, '_>, exception: v8::Local<'_, v8::Value>) -> String {
    if !exception.is_native_error() {
        if exception.is_object() {
            return match own_text(scope, exception.cast(), "message") {
                Some(message) => format!("a thrown object: {message}"),
                None => "a thrown object that is not an Error".to_owned(),
            };
        }
        // A primitive: converting it runs no code.
        return match exception.to_detail_string(scope) {
            Some(text) => excerpt(scope, text),
            None => "a thrown value".to_owned(),
        };
    }
    let error: v8::Local<'_, v8::Object> = exception.cast();
    let mut text = own_text(scope, error, "stack")
        .or_else(|| own_text(scope, error, "message"))
        .unwrap_or_else(|| "an Error without a stack".to_owned());
    // A syntax error's stack does not say where in the file it is; V8's message does.
    let message = v8::Exception::create_message(scope, exception);
    if !text.contains("\n    at ")
        && let Some(name) = message.get_script_resource_name(scope).filter(|name| name.is_string())
        && let Some(line) = message.get_line_number(scope)
    {
        let (name, column) = (name.to_rust_string_lossy(scope), message.get_start_column() + 1);
        text.push_str(&format!("\n    at {name}:{line}:{column}"));
    }
    if let Some(cause) = own_value(scope, error, "cause")
        && cause.is_native_error()
        && cause != exception
        && let Some(stack) = own_text(scope, cause.cast(), "stack")
    {
        text.push_str(&format!("\ncaused by: {stack}"));
    }
    text
}

/// A data property that is a string. V8's own `stack` accessor counts as data.
fn own_text(scope: &mut v8::PinScope<'_, '_>, object: v8::Local<'_, v8::Object>, name: &str) -> Option<String> {
    let value = own_value(scope, object, name)?;
    let text = v8::Local::<v8::String>::try_from(value).ok()?;
    Some(excerpt(scope, text))
}

fn own_value<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'_, v8::Object>,
    name: &str,
) -> Option<v8::Local<'s, v8::Value>> {
    if object.is_proxy() {
        return None;
    }
    let key = v8::String::new(scope, name)?;
    object.get_real_named_property(scope, key.into())
}
