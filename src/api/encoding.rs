//! UTF-8 and UTF-16 for `TextEncoder` and `TextDecoder` (Encoding Standard §8, §14), by the vectorised conversions that
//! come with V8. The legacy encodings are in [`legacy`].

mod legacy;

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::str;

use v8::fast_api::{CFunction, CFunctionInfo, FastApiOneByteString, Int64Representation, Type};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value, ValueViewData, WriteFlags, simdutf};

use self::legacy::{decoder_decode, decoder_new, encoding_of};
use super::{transcode, value};
use crate::runtime::{self, Op};

/// The native functions of `encoding.js`.
pub const OPS: &[Op] = crate::ops![
    utf8_encode,
    utf8_write or fast_utf8_write,
    utf8_write_part,
    utf8_decode,
    utf8_complete,
    utf16_decode,
    utf16_complete,
    encoding_of,
    decoder_new,
    decoder_decode,
];

/// Units of a short text.
const SHORT: usize = 4096;

/// `utf8_encode(string)`: its UTF-8 as an `ArrayBuffer`: V8's compiled code makes an array of it in half the time that a call
/// takes.
fn utf8_encode(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a string");
    };
    let units = string.length();
    // A unit is a byte at least. Asked first, for V8 may have to put the string together.
    if units > SHORT && !runtime::has_room(scope, units) {
        return value::throw_no_room(scope);
    }
    // A view must be gone before V8 allocates. A short text is written at once, and copied; of a long one the view counts the
    // bytes alone, and another writes them.
    let mut scratch = value::Scratch::new();
    let looked = match v8::ValueView::new(scope, string).data() {
        text if units > SHORT => Looked::Counted(utf8_length(&text)),
        ValueViewData::OneByte(text) if simdutf::validate_ascii(text) => Looked::Ascii,
        // SAFETY: no unit becomes more than three bytes.
        text => unsafe { utf8_fill(&text, scratch.room(units * 3)) }.map_or(Looked::Odd, Looked::Written),
    };
    let bytes = match looked {
        Looked::Ascii => runtime::buffer_with(scope, units, |scope, room| {
            string.write_one_byte_uninit_v2(scope, 0, room, WriteFlags::empty());
            // SAFETY: V8 has written each unit, and there is room for no more.
            unsafe { room.assume_init_mut() }
        }),
        Looked::Written(bytes) => runtime::buffer_of(scope, bytes),
        Looked::Counted(length) => {
            let mut is_whole = false;
            let bytes = runtime::buffer_with(scope, length, |scope, room| {
                // SAFETY: it is the text whose length was asked for.
                let written = unsafe { utf8_fill(&v8::ValueView::new(scope, string).data(), room) };
                is_whole = written.is_some();
                written.unwrap_or_default()
            });
            if bytes.is_some() && !is_whole { utf8_replaced(scope, string) } else { bytes }
        }
        Looked::Odd => utf8_replaced(scope, string),
    };
    match bytes {
        Some(bytes) => rv.set(bytes.into()),
        None => value::throw_no_room(scope),
    }
}

/// What a first look at a text to encode finds.
enum Looked<'a> {
    /// Its UTF-8 is what it is.
    Ascii,
    Written(&'a mut [u8]),
    /// Bytes, unless there are lone surrogates.
    Counted(usize),
    /// There are lone surrogates.
    Odd,
}

/// A string's UTF-8, lone surrogates replaced; `None` where the isolate's limit leaves no room.
fn utf8_replaced<'s>(
    scope: &mut PinScope<'s, '_>,
    string: Local<'_, v8::String>,
) -> Option<Local<'s, v8::ArrayBuffer>> {
    let length = string.utf8_length(scope);
    runtime::buffer_with(scope, length, |scope, room| {
        let written = string.write_utf8_uninit_v2(scope, room, WriteFlags::kReplaceInvalidUtf8, None);
        // SAFETY: V8 has written so many bytes.
        unsafe { room[..written].assume_init_mut() }
    })
}

/// `utf8_write(string, bytes)`: writes all of the string, and says how many bytes that is; -1 where they are too few, or
/// lone surrogates are to be replaced.
fn utf8_write(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a string");
    };
    let written =
        value::bytes_mut(scope, &args, 1, |scope, bytes| write(&v8::ValueView::new(scope, string).data(), bytes));
    if let Some(written) = written {
        rv.set_double(written);
    }
}

/// The same for a string that is one piece of Latin-1, as most are.
fn fast_utf8_write() -> &'static [CFunction] {
    extern "C" fn utf8_write(_this: Local<'_, Value>, text: &FastApiOneByteString, bytes: Local<'_, Value>) -> f64 {
        let text = ValueViewData::OneByte(text.as_bytes());
        value::view_mut(bytes, |bytes| write(&text, bytes)).unwrap_or(-1.0)
    }
    const INFO: &CFunctionInfo =
        &CFunctionInfo::new(Type::Float64.as_info(), value::TEXT_AND_VALUE, Int64Representation::Number);
    const { &[CFunction::new(utf8_write as *const c_void, INFO)] }
}

/// What `utf8_write` gives.
fn write(text: &ValueViewData<'_>, bytes: &mut [u8]) -> f64 {
    let units = match text {
        ValueViewData::OneByte(text) if text.len() <= bytes.len() && text.is_ascii() => {
            bytes[..text.len()].copy_from_slice(text);
            return text.len() as f64;
        }
        ValueViewData::OneByte(text) => text.len(),
        ValueViewData::TwoByte(text) => text.len(),
    };
    // No unit becomes more than three bytes.
    if bytes.len() / 3 < units && utf8_length(text) > bytes.len() {
        return -1.0;
    }
    // SAFETY: the text fits, as was just seen; it is bytes that are written over the bytes.
    let written = unsafe { utf8_fill(text, &mut *(&raw mut *bytes as *mut [MaybeUninit<u8>])) };
    written.map_or(-1.0, |written| written.len() as f64)
}

/// `utf8_write_part(string, bytes)`: writes as much of the string as fits in whole characters, lone surrogates replaced;
/// `[read, written]` in UTF-16 units and bytes.
fn utf8_write_part(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
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

/// The length of a string in UTF-8; whatever it may be where there are lone surrogates to be replaced.
fn utf8_length(text: &ValueViewData<'_>) -> usize {
    match text {
        ValueViewData::OneByte(text) => simdutf::utf8_length_from_latin1(text),
        ValueViewData::TwoByte(text) => simdutf::utf8_length_from_utf16le(text),
    }
}

/// Writes a string as UTF-8 to the start of `room`; `None` where there are lone surrogates to be replaced.
/// A quarter of the time V8's own way takes for 1 MB beyond ASCII, as this is vectorised.
///
/// # Safety
/// There is room for all of it, as [`utf8_length`] says.
unsafe fn utf8_fill<'a>(text: &ValueViewData<'_>, room: &'a mut [MaybeUninit<u8>]) -> Option<&'a mut [u8]> {
    match text {
        // Each unit is a byte, then.
        ValueViewData::OneByte(text) if text.len() == room.len() => Some(room.write_copy_of_slice(text)),
        // SAFETY: the caller has seen to it that the text fits.
        ValueViewData::OneByte(text) => Some(unsafe { transcode::latin1_to_utf8(text, room) }),
        ValueViewData::TwoByte(text) => utf16_fill(text, room),
    }
}

/// The same of UTF-16, which nobody has to have looked through before: as much is converted at once as fits whatever it is,
/// which is about half of what is left each time, and the end by way of another place. `None` too where there is no room.
fn utf16_fill<'a>(text: &[u16], room: &'a mut [MaybeUninit<u8>]) -> Option<&'a mut [u8]> {
    /// Units.
    const LAST: usize = 64;
    let (mut read, mut written) = (0, 0);
    while read < text.len() {
        let (rest, room) = (&text[read..], &mut room[written..]);
        let most = room.len() / 3;
        let is_last = most < rest.len() && most < LAST;
        let mut units = rest.len().min(if is_last { LAST } else { most });
        // The two of a pair are not taken apart.
        if units < rest.len() && matches!(rest[units - 1], 0xd800..=0xdbff) {
            units -= 1;
        }
        written += if is_last {
            let mut place = [MaybeUninit::uninit(); LAST * 3];
            let end = transcode::utf16_to_utf8(&rest[..units], &mut place)?;
            room.get_mut(..end.len())?.write_copy_of_slice(end).len()
        } else {
            transcode::utf16_to_utf8(&rest[..units], room)?.len()
        };
        read += units;
    }
    // SAFETY: so many have been written, one piece behind the other.
    Some(unsafe { room[..written].assume_init_mut() })
}

/// `utf8_decode(bytes, fatal)`: the text, or `undefined` if `fatal` and the bytes are not UTF-8.
fn utf8_decode(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let fatal = args.get(1).is_true();
    let Ok(view) = Local::<v8::ArrayBufferView>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a view of bytes");
    };
    let mut storage = [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP];
    let bytes = view.get_contents(&mut storage);
    return_utf8(scope, &mut rv, bytes, fatal);
}

/// Returns `bytes` as text to the script, U+FFFD where they are no UTF-8, or `undefined` if that is `fatal`; throws a
/// `RangeError` if there is no room for it.
pub(super) fn return_utf8(scope: &mut PinScope<'_, '_>, rv: &mut ReturnValue<'_, Value>, bytes: &[u8], fatal: bool) {
    let kind = v8::NewStringType::Normal;
    let ascii = simdutf::validate_ascii_with_errors(bytes);
    let string = if ascii.is_ok() {
        v8::String::new_from_one_byte(scope, bytes, kind)
    } else if !runtime::has_room(scope, bytes.len() * 3) {
        // Each byte may become a unit of two, or U+FFFD of three.
        return value::throw_no_room(scope);
    } else if bytes[ascii.count] <= LAST_LATIN1_LEAD
        && let Some(latin1) = transcode::utf8_to_latin1(bytes)
    {
        v8::String::new_from_one_byte(scope, &latin1, kind)
    } else if let Some(utf16) = transcode::utf8_to_utf16(bytes) {
        v8::String::new_from_two_byte(scope, &utf16, kind)
    } else if fatal {
        return;
    } else {
        return value::return_text(scope, rv, &String::from_utf8_lossy(bytes));
    };
    match string {
        Some(string) => rv.set(string.into()),
        None => value::throw_range_error(scope, "the string is too long"),
    }
}

/// The first byte of the last characters of Latin-1. As often as not the first character beyond ASCII says that a text is not
/// Latin-1.
const LAST_LATIN1_LEAD: u8 = 0xc3;

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

/// What stands for what is no character.
const REPLACEMENT: u16 = 0xfffd;

/// `utf16_decode(bytes, fatal, big_endian)`: the text, or `undefined` if `fatal` and the bytes are not UTF-16.
fn utf16_decode(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (fatal, big_endian) = (args.get(1).is_true(), args.get(2).is_true());
    let Ok(view) = Local::<v8::ArrayBufferView>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a view of bytes");
    };
    // The units twice: here, and in the string.
    if !runtime::has_room(scope, view.byte_length().saturating_mul(2)) {
        return value::throw_no_room(scope);
    }
    let mut storage = [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP];
    let (units, valid) = utf16_units(view.get_contents(&mut storage), big_endian);
    if fatal && !valid {
        return;
    }
    match v8::String::new_from_two_byte(scope, &units, v8::NewStringType::Normal) {
        Some(string) => rv.set(string.into()),
        None => value::throw_range_error(scope, "the string is too long"),
    }
}

/// §14.2.1: the code units of `bytes`, what is no character replaced, and whether nothing had to be.
fn utf16_units(bytes: &[u8], big_endian: bool) -> (Vec<u16>, bool) {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut units: Vec<u16> = pairs.iter().map(|pair| unit(*pair, big_endian)).collect();
    let (mut valid, mut at) = (true, 0);
    while at < units.len() {
        match units[at] {
            0xd800..=0xdbff if matches!(units.get(at + 1), Some(0xdc00..=0xdfff)) => at += 1,
            0xd800..=0xdfff => {
                units[at] = REPLACEMENT;
                valid = false;
                // With half a unit behind it the text ends in one mistake, not in two.
                if at + 1 == units.len() && is_lead(pairs[at], big_endian) {
                    return (units, false);
                }
            }
            _ => {}
        }
        at += 1;
    }
    if !odd.is_empty() {
        units.push(REPLACEMENT);
    }
    (units, valid && odd.is_empty())
}

const fn unit(pair: [u8; 2], big_endian: bool) -> u16 {
    if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
}

/// Whether a code unit is the first half of a character.
const fn is_lead(pair: [u8; 2], big_endian: bool) -> bool {
    matches!(unit(pair, big_endian), 0xd800..=0xdbff)
}

/// `utf16_complete(bytes, big_endian)`: how many bytes come before a character that only the next chunk can complete.
fn utf16_complete(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let big_endian = args.get(1).is_true();
    let length = value::bytes(scope, &args, 0, |bytes| {
        let (pairs, _) = bytes.as_chunks::<2>();
        let halved = pairs.last().is_some_and(|pair| is_lead(*pair, big_endian));
        2 * (pairs.len() - usize::from(halved))
    });
    if let Some(length) = length {
        rv.set_double(length as f64);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MaybeUninit, complete, utf16_fill, utf16_units};

    proptest! {
        #[test]
        fn utf_16_becomes_utf_8_in_a_place_of_any_size(
            text in proptest::collection::vec(prop_oneof![any::<char>(), prop::char::range('a', 'z')], 0..400),
            more in 0_usize..700,
        ) {
            let text: String = text.into_iter().collect();
            let units: Vec<u16> = text.encode_utf16().collect();
            let mut room = vec![MaybeUninit::uninit(); text.len() + more];
            let filled = utf16_fill(&units, &mut room);
            prop_assert_eq!(filled.as_deref(), Some(text.as_bytes()));
        }

        #[test]
        fn what_is_no_utf_16_becomes_no_utf_8(
            mut units in proptest::collection::vec(0x20..0x3000_u16, 1..400),
            at in any::<prop::sample::Index>(),
            room in 0_usize..1300,
        ) {
            let at = at.index(units.len());
            units[at] = 0xd900;
            let mut room = vec![MaybeUninit::uninit(); room];
            prop_assert_eq!(utf16_fill(&units, &mut room), None);
        }

        #[test]
        fn utf_16_is_decoded_as_the_standard_library_does(units in proptest::collection::vec(0xd700..=0xe010_u16, 0..12)) {
            let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            let (decoded, valid) = utf16_units(&bytes, true);
            prop_assert_eq!(decoded, String::from_utf16_lossy(&units).encode_utf16().collect::<Vec<_>>());
            prop_assert_eq!(valid, String::from_utf16(&units).is_ok());
        }
    }

    #[test]
    fn what_is_no_utf_16_is_replaced() {
        for (bytes, text, valid) in [
            (&b""[..], "", true),
            (b"a\0\x3d\xd8\0\xde", "a\u{1f600}", true),
            (b"\x3d\xd8", "\u{fffd}", false),
            (b"\x3d\xd8a\0", "\u{fffd}a", false),
            (b"\0\xdea\0", "\u{fffd}a", false),
            (b"\x3d\xd8\x3d\xd8\0\xde", "\u{fffd}\u{1f600}", false),
            (b"a\0b", "a\u{fffd}", false),
            (b"\x3d\xd8b", "\u{fffd}", false),
            (b"\0\xdeb", "\u{fffd}\u{fffd}", false),
        ] {
            let units: Vec<u16> = text.encode_utf16().collect();
            assert_eq!(utf16_units(bytes, false), (units.clone(), valid), "{bytes:x?}");
            let swapped: Vec<u8> = bytes.chunks(2).flat_map(|pair| pair.iter().rev()).copied().collect();
            assert_eq!(utf16_units(&swapped, true), (units, valid), "{swapped:x?}");
        }
    }

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
