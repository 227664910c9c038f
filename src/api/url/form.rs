//! `application/x-www-form-urlencoded` (URL Standard §5), over the `form_urlencoded` crate.

use url::form_urlencoded;
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use crate::api::value;
use crate::runtime;

/// How many parts of form data are gone through between two looks at whether a limit has struck meanwhile.
const LOOK_EVERY: u32 = 1024;

/// `form_decode(text)`: a name or value of a text, percent-decoded, its plus signs as spaces (§5.1).
pub(super) fn form_decode(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let mut buffer = value::buffer();
    let Some(text) = value::text(scope, &args, 0, &mut buffer) else { return };
    // Each byte may become U+FFFD.
    if !runtime::has_room(scope, text.len() * 3) {
        return value::throw_no_room(scope);
    }
    let spaced = text.replace('+', " ");
    value::return_text(scope, &mut rv, &percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy());
}

/// `form_parse(input, most?)`: names and values in turn (§5.1) of a text or bytes; a `TypeError` if they are more than
/// `most`.
pub(super) fn form_parse(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let (mut buffer, mut storage) = (value::buffer(), [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP]);
    let view = Local::<v8::ArrayBufferView>::try_from(args.get(0));
    let text;
    let bytes = match &view {
        Ok(view) => view.get_contents(&mut storage),
        Err(_) => {
            let Some(string) = value::text(scope, &args, 0, &mut buffer) else { return };
            text = string;
            text.as_bytes()
        }
    };
    let most = args.get(1).uint32_value(scope).filter(|_| args.length() > 1).unwrap_or(u32::MAX);
    let strings = v8::Array::new(scope, 0);
    // It inherits nothing, so that nobody's setters see what is put into it.
    let null = v8::null(scope).into();
    strings.set_prototype(scope, null);
    let parts = form_urlencoded::parse(bytes).flat_map(|(name, text)| [name, text]);
    for (index, part) in (0..).zip(parts) {
        if index % LOOK_EVERY == 0 && runtime::is_condemned(scope) {
            return;
        }
        if index == most {
            return value::throw_type_error(scope, "formData: the form has too many entries");
        }
        v8::scope!(let scope, scope);
        // No part is longer than the string it came from, but for U+FFFD in place of broken bytes.
        let Some(part) = v8::String::new(scope, &part) else {
            return value::throw_range_error(scope, "the form data are too long");
        };
        strings.set_index(scope, index, part.into());
    }
    rv.set(strings.into());
}

/// `form_encode(text)`: a name or value, percent-encoded, its spaces as plus signs (§5.2).
pub(super) fn form_encode(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let mut buffer = value::buffer();
    let Some(text) = value::text(scope, &args, 0, &mut buffer) else { return };
    // Each byte may become three.
    if !runtime::has_room(scope, text.len() * 3) {
        return value::throw_no_room(scope);
    }
    let mut form = String::with_capacity(text.len() * 3);
    form.extend(form_urlencoded::byte_serialize(text.as_bytes()));
    value::return_text(scope, &mut rv, &form);
}
