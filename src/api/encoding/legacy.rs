//! The legacy encodings (Encoding Standard §9 to §14), which the `encoding_rs` crate knows. A decoder that goes on from
//! one chunk to the next is the content of an ArrayBuffer which only `encoding.js` holds, so that it is counted and
//! collected as one.

use std::ffi::c_void;

use encoding_rs::{Decoder, DecoderResult, Encoding, REPLACEMENT};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::value;
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

/// `decoder_new(name)`: a decoder for [`decoder_decode`].
pub(super) fn decoder_new(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let Ok(name) = Local::<v8::String>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a string");
    };
    let Some(decoder) = decoder(scope, name) else { return };
    let decoder = Box::into_raw(Box::new(decoder)).cast::<c_void>();
    // SAFETY: the box is `drop_decoder`'s to free, once the buffer is collected; its bytes are read by nobody else.
    let store = unsafe {
        v8::ArrayBuffer::new_backing_store_from_ptr(decoder, size_of::<Decoder>(), drop_decoder, std::ptr::null_mut())
    };
    rv.set(v8::ArrayBuffer::with_backing_store(scope, &store.make_shared()).into());
}

unsafe extern "C" fn drop_decoder(decoder: *mut c_void, _length: usize, _data: *mut c_void) {
    // SAFETY: `decoder_new` leaked this box, and V8 calls this once.
    drop(unsafe { Box::from_raw(decoder.cast::<Decoder>()) });
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
    } else if let Ok(buffer) = Local::<v8::ArrayBuffer>::try_from(args.get(0))
        && let Some(decoder) = buffer.data()
    {
        // SAFETY: a buffer here is one that `decoder_new` made: no app ever holds one, and nothing detaches it. It is
        // alive as an argument, and nobody else looks into it meanwhile.
        unsafe { decoder.cast::<Decoder>().as_mut() }
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
