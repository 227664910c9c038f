//! What native functions ask before they do much: V8 can neither count their memory nor end them.

use super::{memory, state};

/// So many bytes are always there: asking would cost more than the copy.
const SMALL: usize = 64 << 10;
/// An excerpt is cut at so many bytes.
const EXCERPT: usize = 64 << 10;
/// UTF-16 units of the longest string that an excerpt is taken of: V8 may have to put it together first.
const EXCERPTED: usize = 16 << 20;

/// Whether the app's memory limit leaves room for `bytes`. What is garbage is collected first, where that may help.
pub(crate) fn has_room(scope: &mut v8::PinScope<'_, '_>, bytes: usize) -> bool {
    if bytes <= SMALL {
        return true;
    }
    let state = state::of(scope);
    memory::sample(scope, &state.worker, bytes).1
}

/// Whether the app's memory limit leaves room for a copy of `string` in UTF-8.
pub(crate) fn has_room_for(scope: &mut v8::PinScope<'_, '_>, string: v8::Local<'_, v8::String>) -> bool {
    // A unit is a byte at least. Asked first, for V8 may have to put the string together to count them.
    has_room(scope, string.length())
        && (string.length() <= SMALL / 3 || {
            let bytes = string.utf8_length(scope);
            has_room(scope, bytes)
        })
}

/// Whether a limit has struck: whatever runs is to come to its end.
pub(crate) fn is_condemned(scope: &v8::PinScope<'_, '_>) -> bool {
    state::of(scope).worker.turns.verdict().is_some()
}

/// The beginning of `string`, up to 64 KiB of it, lone surrogates replaced.
pub(crate) fn excerpt(scope: &mut v8::PinScope<'_, '_>, string: v8::Local<'_, v8::String>) -> String {
    let length = string.length();
    if length > EXCERPTED {
        return format!("(a text of {length} characters)");
    }
    if length <= EXCERPT / 3 {
        return string.to_rust_string_lossy(scope);
    }
    let mut bytes = vec![0; EXCERPT];
    let written = string.write_utf8_v2(scope, &mut bytes, v8::WriteFlags::kReplaceInvalidUtf8, None);
    bytes.truncate(written);
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
