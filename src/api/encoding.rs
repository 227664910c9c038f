//! UTF-8 for `TextEncoder` and `TextDecoder` (Encoding Standard §8). Buffers are made by the script, whose
//! allocations count against the app's memory; this side only fills or reads them.

use std::str;

use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value, WriteFlags};

use super::value;
use crate::runtime::{self, Op};

/// The native functions of `encoding.js`.
pub const OPS: &[Op] = crate::ops![utf8_length, utf8_write, utf8_decode, utf8_complete];

/// `utf8_length(string)`: its length in UTF-8.
fn utf8_length(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    match Local::<v8::String>::try_from(args.get(0)) {
        Ok(string) if value::has_room_for(scope, string) => rv.set_double(string.utf8_length(scope) as f64),
        Ok(_) => {}
        Err(_) => value::throw_type_error(scope, "not a string"),
    }
}

/// `utf8_write(string, bytes)`: writes as much of the string as fits in whole characters; `[read, written]` in
/// UTF-16 units and bytes.
fn utf8_write(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a string");
    };
    let Some((read, written)) = value::bytes_mut(scope, &args, 1, |scope, bytes| {
        let mut read = 0;
        let written = string.write_utf8_v2(scope, bytes, WriteFlags::kReplaceInvalidUtf8, Some(&mut read));
        (read, written)
    }) else {
        return;
    };
    let counts = [v8::Number::new(scope, read as f64).into(), v8::Number::new(scope, written as f64).into()];
    rv.set(v8::Array::new_with_elements(scope, &counts).into());
}

/// `utf8_decode(bytes, fatal)`: the text, or `undefined` if `fatal` and the bytes are not UTF-8.
fn utf8_decode(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let fatal = args.get(1).is_true();
    let Ok(view) = Local::<v8::ArrayBufferView>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a view of bytes");
    };
    let mut storage = [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP];
    let bytes = view.get_contents(&mut storage);
    match str::from_utf8(bytes) {
        Ok(text) => value::return_text(scope, &mut rv, text),
        Err(_) if fatal => {}
        // Each byte may become U+FFFD.
        Err(_) if !runtime::has_room(scope, bytes.len() * 3) => value::throw_no_room(scope),
        Err(_) => value::return_text(scope, &mut rv, &String::from_utf8_lossy(bytes)),
    }
}

/// `utf8_complete(bytes)`: how many bytes come before a character that only the next chunk can complete.
fn utf8_complete(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    if let Some(length) = value::bytes(scope, &args, 0, complete) {
        rv.set_double(length as f64);
    }
}

/// The length of `bytes` without an incomplete, so far valid, sequence at its end.
fn complete(bytes: &[u8]) -> usize {
    // A sequence is at most four bytes: its lead byte is among the last three if it is incomplete.
    let tail = bytes.len().saturating_sub(3);
    let lead = bytes[tail..].iter().rposition(|byte| byte & 0b1100_0000 != 0b1000_0000);
    let Some(lead) = lead.map(|at| tail + at) else { return bytes.len() };
    match str::from_utf8(&bytes[lead..]) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => lead,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn an_incomplete_character_waits_for_the_next_chunk() {
        for (bytes, length) in [
            (&b""[..], 0),
            (b"abc", 3),
            (b"ab\xc3", 2),
            (b"a\xc3\xa4", 3),
            (b"\xe2\x82", 0),
            (b"\xf0\x9f\x98", 0),
            (b"x\xf0\x9f\x98\x80", 5),
            // Already wrong, so that waiting cannot help.
            (b"\xe0\x80", 2),
            (b"\xff", 1),
            (b"\x80\x80\x80\x80", 4),
            (b"\xf5\x80", 2),
        ] {
            assert_eq!(complete(bytes), length, "{bytes:x?}");
        }
    }
}
