//! The legacy encodings (Encoding Standard §9 to §14), which the `encoding_rs` crate knows.

use encoding_rs::{Decoder, DecoderResult, Encoding, REPLACEMENT};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use crate::api::{held, value};
use crate::runtime;

/// `encoding_of(label)`: §4.2 "get an encoding", its name in lower case; `undefined` if there is none, or if it decodes
/// nothing.
pub(super) fn encoding_of(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let mut buffer = value::buffer();
    let Some(label) = value::text(scope, &args, 0, &mut buffer) else { return };
    if let Some(encoding) = Encoding::for_label(label.as_bytes()).filter(|encoding| *encoding != REPLACEMENT) {
        value::return_text(scope, &mut rv, &encoding.name().to_ascii_lowercase());
    }
}

fn decoder(scope: &mut PinScope<'_, '_>, name: Local<'_, v8::String>) -> Option<Decoder> {
    let name = name.to_rust_string_lossy(scope);
    Some(Encoding::for_label(name.as_bytes())?.new_decoder_without_bom_handling())
}

/// `decoder_new(name)`: a decoder that goes on from one chunk to the next, for `encoding.js` to hold.
pub(super) fn decoder_new(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let Ok(name) = Local::<v8::String>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a string");
    };
    let Some(decoder) = decoder(scope, name) else { return };
    rv.set(held::hold(scope, decoder).into());
}

/// `decoder_decode(decoder or name, bytes, fatal, more)`: the text, or `undefined` if `fatal` and the bytes are wrong.
/// `more` says that others follow.
pub(super) fn decoder_decode(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let (fatal, last) = (args.get(2).is_true(), !args.get(3).is_true());
    let mut fresh;
    let decoder = if let Ok(name) = Local::<v8::String>::try_from(args.get(0)) {
        let Some(decoder) = decoder(scope, name) else { return };
        fresh = decoder;
        &mut fresh
    // SAFETY: what `encoding.js` gives here is what `decoder_new` gave it. Nobody else looks into it meanwhile.
    } else if let Some(decoder) = unsafe { held::held::<Decoder>(args.get(0)) } {
        decoder
    } else {
        return value::throw_type_error(scope, "not a decoder");
    };
    let Ok(view) = Local::<v8::ArrayBufferView>::try_from(args.get(1)) else {
        return value::throw_type_error(scope, "not a view of bytes");
    };
    let most = decoder.max_utf16_buffer_length(view.byte_length());
    // The units twice: here, and in the string.
    let Some(most) = most.filter(|most| runtime::has_room(scope, most.saturating_mul(4))) else {
        return value::throw_no_room(scope);
    };
    let mut storage = [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP];
    let bytes = view.get_contents(&mut storage);
    let mut units = vec![0; most];
    let written = if fatal {
        match decoder.decode_to_utf16_without_replacement(bytes, &mut units, last) {
            (DecoderResult::InputEmpty, _, written) => written,
            _ => return,
        }
    } else {
        decoder.decode_to_utf16(bytes, &mut units, last).2
    };
    match v8::String::new_from_two_byte(scope, &units[..written], v8::NewStringType::Normal) {
        Some(string) => rv.set(string.into()),
        None => value::throw_range_error(scope, "the string is too long"),
    }
}
