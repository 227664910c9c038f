//! URLs (URL Standard §4). A parsed URL crosses to the script as its text and the offsets of its components, so that the
//! getters of `URL` need not come back here.

mod form;
mod host;
mod parser;
mod percent;
mod record;
mod set;

use std::borrow::Cow;

use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use self::form::{form_parse, form_serialize};
use self::record::Record;
use super::value::{self, Buffer};
use crate::runtime::Op;

/// The native functions of `url.js`, `url_search_params.js` and `url_pattern`.
pub const OPS: &[Op] = crate::ops![url_parse, url_set, url_component, form_parse, form_serialize];

/// The longest URL there is, as text that is parsed and in its normal form. Browsers' limits are near it.
const LONGEST: usize = 2 << 20;

/// `url_parse(input, base?)`: see [`return_url`]; `undefined` if there is no such URL.
fn url_parse(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (mut input_buffer, mut base_buffer) = (value::buffer(), value::buffer());
    let Some(input) = input(scope, &args, 0, &mut input_buffer) else { return };
    let base = if args.get(1).is_undefined() {
        None
    } else {
        let Some(base) = self::input(scope, &args, 1, &mut base_buffer) else { return };
        let Ok(base) = parser::parse(&base, None) else { return };
        Some(base)
    };
    if let Ok(url) = parser::parse(&input, base.as_ref()) {
        return_url(scope, &mut rv, &url);
    }
}

/// `url_set(href, part, value)`: the URL with one part changed as the setter named `part` does; `undefined` if the
/// setter leaves it as it is, a `TypeError` if it would become too long.
fn url_set(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (mut buffers, mut part_buffer) = ((value::buffer(), value::buffer()), value::buffer());
    let Some(href) = value::text(scope, &args, 0, &mut buffers.0) else { return };
    let Some(part) = value::text(scope, &args, 1, &mut part_buffer) else { return };
    let Some(text) = input(scope, &args, 2, &mut buffers.1) else {
        return value::throw_type_error(scope, "Invalid URL");
    };
    let Ok(mut url) = parser::parse(&href, None) else { return };
    set::set(&mut url, &part, &text);
    if !return_url(scope, &mut rv, &url) {
        value::throw_type_error(scope, "Invalid URL");
    }
}

/// `url_component(part, value, scheme)`: how `value` is written as that part of a URL (URL Pattern Standard §3.1);
/// `undefined` if it cannot be one. `"opaque"` is the path of a URL that has no segments.
fn url_component(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (mut buffers, mut part_buffer) = ((value::buffer(), value::buffer()), value::buffer());
    let Some(part) = value::text(scope, &args, 0, &mut part_buffer) else { return };
    let Some(text) = input(scope, &args, 1, &mut buffers.0) else { return };
    let Some(scheme) = input(scope, &args, 2, &mut buffers.1) else { return };
    if let Some(component) = set::component(&part, &text, &scheme) {
        value::return_text(scope, &mut rv, &component);
    }
}

/// Argument `index`; `None` if it is longer than any URL here.
fn input<'a>(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    index: i32,
    buffer: &'a mut Buffer,
) -> Option<Cow<'a, str>> {
    let fits = Local::<v8::String>::try_from(args.get(index)).is_ok_and(|string| string.length() <= LONGEST);
    fits.then(|| value::text(scope, args, index, buffer)).flatten()
}

/// Returns `[href, …offsets]`, the latter as [`record::Offsets`] says; false if it is too long. A URL is ASCII: bytes are
/// UTF-16 units.
fn return_url(scope: &mut PinScope<'_, '_>, rv: &mut ReturnValue<'_, Value>, url: &Record) -> bool {
    let (href, offsets) = url.serialize();
    if href.len() > LONGEST {
        return false;
    }
    let Some(href) = v8::String::new_from_one_byte(scope, href.as_bytes(), v8::NewStringType::Normal) else {
        return false;
    };
    let mut parts: [Local<'_, Value>; 11] = [href.into(); 11];
    for (part, offset) in parts[1..].iter_mut().zip(offsets) {
        *part = v8::Integer::new_from_unsigned(scope, offset as u32).into();
    }
    rv.set(v8::Array::new_with_elements(scope, &parts).into());
    true
}

#[cfg(test)]
mod tests;
