//! URLs (URL Standard §4). A parsed URL crosses to the script as its text and the offsets of its components, so that the
//! getters of `URL` need not come back here.

mod form;
mod host;
mod parser;
mod percent;
mod plain;
mod record;
mod set;

use std::borrow::Cow;
use std::ffi::c_void;

use v8::fast_api::{CFunction, CFunctionInfo, FastApiOneByteString, Int64Representation, Type};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value, ValueView, ValueViewData};

use self::form::{form_decode, form_encode, form_parse};
use self::record::Offsets;
use super::value::{self, Buffer};
use crate::runtime::Op;

/// The native functions of `url.js`, `url_search_params.js` and `url_pattern`.
pub const OPS: &[Op] = crate::ops![
    url_is_plain or fast_url_is_plain,
    url_parse,
    url_set,
    url_component,
    form_decode,
    form_encode,
    form_parse,
];

/// The longest URL there is, as text that is parsed and in its normal form. Browsers' limits are near it.
const LONGEST: usize = 2 << 20;

/// `url_is_plain(input, offsets)`: whether the text is a URL in its normal form, as [`plain`] can tell; if so, `offsets` are
/// those of its parts, as with [`return_url`].
fn url_is_plain(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a string");
    };
    // A view puts the text together, which may be longer than there is memory for.
    if string.length() > LONGEST {
        return rv.set_bool(false);
    }
    let offsets = match ValueView::new(scope, string).data() {
        ValueViewData::OneByte(text) => plain::offsets(text),
        ValueViewData::TwoByte(_) => None,
    };
    rv.set_bool(offsets.is_some_and(|offsets| write_offsets(args.get(1), offsets)));
}

/// The same for a string that is one piece of Latin-1, as most are.
fn fast_url_is_plain() -> &'static [CFunction] {
    extern "C" fn url_is_plain(_this: Local<'_, Value>, text: &FastApiOneByteString, places: Local<'_, Value>) -> bool {
        let text = Some(text.as_bytes()).filter(|text| text.len() <= LONGEST);
        text.and_then(plain::offsets).is_some_and(|offsets| write_offsets(places, offsets))
    }
    const INFO: &CFunctionInfo =
        &CFunctionInfo::new(Type::Bool.as_info(), value::TEXT_AND_VALUE, Int64Representation::Number);
    const { &[CFunction::new(url_is_plain as *const c_void, INFO)] }
}

/// `url_parse(input, base, offsets)`: see [`return_url`]; `undefined` if there is no such URL.
fn url_parse(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let base = args.get(1);
    let (mut input_buffer, mut base_buffer) = (value::buffer(), value::buffer());
    let Some(input) = input(scope, &args, 0, &mut input_buffer) else { return };
    let base = if base.is_undefined() {
        None
    } else {
        let Some(base) = self::input(scope, &args, 1, &mut base_buffer) else { return };
        if let Some(url) = plain::resolve(&input, &base) {
            return_url(scope, &args, 2, &mut rv, url);
            return;
        }
        let Ok(base) = parser::parse(&base, None) else { return };
        Some(base)
    };
    // Without a base, the script has asked whether it is plain.
    let url = if base.is_none() { parser::parse_any(&input, None) } else { parser::parse(&input, base) };
    if let Ok(url) = url {
        return_url(scope, &args, 2, &mut rv, url.serialize());
    }
}

/// `url_set(href, part, value, offsets)`: the URL with one part changed as the setter named `part` does; `undefined` if the
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
    if !return_url(scope, &args, 3, &mut rv, url.serialize()) {
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

/// Returns a URL's text, having written into the `Uint32Array` at `index` where its parts are, as [`Offsets`] says; false if
/// it is too long. A URL is ASCII: bytes are UTF-16 units. (An array made here takes three times as long.)
fn return_url(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    index: i32,
    rv: &mut ReturnValue<'_, Value>,
    (href, offsets): (String, Offsets),
) -> bool {
    if href.len() > LONGEST {
        return false;
    }
    let Some(href) = v8::String::new_from_one_byte(scope, href.as_bytes(), v8::NewStringType::Normal) else {
        return false;
    };
    let is_written = write_offsets(args.get(index), offsets);
    if is_written {
        rv.set(href.into());
    }
    is_written
}

/// False if `places` is no view.
fn write_offsets(places: Local<'_, Value>, offsets: Offsets) -> bool {
    let written = value::view_mut(places, |bytes| {
        for (place, offset) in bytes.as_chunks_mut().0.iter_mut().zip(offsets) {
            *place = (offset as u32).to_ne_bytes();
        }
    });
    written.is_some()
}

#[cfg(test)]
mod tests;
