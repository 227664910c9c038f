//! The vectorised conversions of text that come with V8, into room that nobody has written to yet. The `v8` crate's own
//! functions for them want it initialised first, which takes a tenth of the time of a conversion.

use std::mem::MaybeUninit;

use v8::simdutf::{
    Base64Options, LastChunkHandling, base64_length_from_binary, maximal_binary_length_from_base64,
    utf8_length_from_latin1,
};

/// How a conversion ended: with error 0 after `count` units of output, or else at unit `count` of the input.
#[repr(C)]
struct Outcome {
    error: i32,
    count: usize,
}

// As the `v8` crate declares them for itself; each takes the start and length of its input, and the start of its output.
unsafe extern "C" {
    fn simdutf__convert_latin1_to_utf8(text: *const u8, length: usize, room: *mut u8) -> usize;
    fn simdutf__convert_utf16le_to_utf8_with_errors(text: *const u16, length: usize, room: *mut u8) -> Outcome;
    fn simdutf__convert_utf8_to_latin1_with_errors(text: *const u8, length: usize, room: *mut u8) -> Outcome;
    fn simdutf__convert_utf8_to_utf16le_with_errors(text: *const u8, length: usize, room: *mut u16) -> Outcome;
    fn simdutf__binary_to_base64(bytes: *const u8, length: usize, room: *mut u8, options: u64) -> usize;
    fn simdutf__base64_to_binary(text: *const u8, length: usize, room: *mut u8, options: u64, last: u64) -> Outcome;
}

/// Latin-1 as UTF-8.
///
/// # Safety
/// There is room for all of it: [`utf8_length_from_latin1`] says how much that takes, two bytes a unit at most.
pub(super) unsafe fn latin1_to_utf8<'a>(text: &[u8], room: &'a mut [MaybeUninit<u8>]) -> &'a mut [u8] {
    debug_assert!(utf8_length_from_latin1(text) <= room.len());
    // SAFETY: the caller has seen to the room, of which the first so many bytes are written then.
    unsafe {
        let count = simdutf__convert_latin1_to_utf8(text.as_ptr(), text.len(), room.as_mut_ptr().cast());
        room[..count].assume_init_mut()
    }
}

/// UTF-16 as UTF-8, for which there must be room for three bytes a unit; `None` where there are lone surrogates.
pub(super) fn utf16_to_utf8<'a>(text: &[u16], room: &'a mut [MaybeUninit<u8>]) -> Option<&'a mut [u8]> {
    assert!(text.len() <= room.len() / 3);
    // SAFETY: no unit becomes more than three bytes; it writes whole characters up to where it ends.
    unsafe {
        let outcome = simdutf__convert_utf16le_to_utf8_with_errors(text.as_ptr(), text.len(), room.as_mut_ptr().cast());
        outcome.written(room)
    }
}

/// UTF-8 as Latin-1; `None` if not all of it is that.
pub(super) fn utf8_to_latin1(text: &[u8]) -> Option<Vec<u8>> {
    let mut units = Vec::with_capacity(text.len());
    // SAFETY: no character of Latin-1 takes more bytes than in UTF-8.
    unsafe {
        let outcome = simdutf__convert_utf8_to_latin1_with_errors(text.as_ptr(), text.len(), units.as_mut_ptr());
        outcome.filled(units)
    }
}

/// UTF-8 as UTF-16; `None` if it is not valid.
pub(super) fn utf8_to_utf16(text: &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::with_capacity(text.len());
    // SAFETY: no character takes more units in UTF-16 than bytes in UTF-8.
    unsafe {
        let outcome = simdutf__convert_utf8_to_utf16le_with_errors(text.as_ptr(), text.len(), units.as_mut_ptr());
        outcome.filled(units)
    }
}

/// The length of the base64, padding included, of so many bytes.
pub(super) fn base64_length(bytes: usize) -> usize {
    base64_length_from_binary(bytes, Base64Options::Default)
}

/// Bytes as base64, padded, for which there must be room for [`base64_length`].
pub(super) fn to_base64<'a>(bytes: &[u8], room: &'a mut [MaybeUninit<u8>]) -> &'a mut [u8] {
    assert!(base64_length(bytes.len()) <= room.len());
    // SAFETY: the text has the length that the bytes need.
    unsafe {
        let options = Base64Options::Default as u64;
        let count = simdutf__binary_to_base64(bytes.as_ptr(), bytes.len(), room.as_mut_ptr().cast(), options);
        room[..count].assume_init_mut()
    }
}

/// The most bytes that may come of a base64 text.
pub(super) fn bytes_of_base64(text: &[u8]) -> usize {
    maximal_binary_length_from_base64(text)
}

/// Infra Standard §7 "forgiving-base64 decode", for which there must be room for [`bytes_of_base64`]; `None` if it is none.
pub(super) fn from_base64<'a>(text: &[u8], room: &'a mut [MaybeUninit<u8>]) -> Option<&'a mut [u8]> {
    assert!(bytes_of_base64(text) <= room.len());
    let (options, last) = (Base64Options::Default as u64, LastChunkHandling::Loose as u64);
    // SAFETY: there is room for the longest that may come of it.
    unsafe {
        let outcome = simdutf__base64_to_binary(text.as_ptr(), text.len(), room.as_mut_ptr().cast(), options, last);
        outcome.written(room)
    }
}

impl Outcome {
    /// `units` with what a conversion into their room has written; `None` if it came to no good end.
    ///
    /// # Safety
    /// It is the outcome of a conversion to the start of that room.
    unsafe fn filled<T>(self, mut units: Vec<T>) -> Option<Vec<T>> {
        if self.error != 0 {
            return None;
        }
        // SAFETY: without an error, so many units have been written.
        unsafe { units.set_len(self.count) };
        Some(units)
    }

    /// What a conversion into `room` has written; `None` if it came to no good end.
    ///
    /// # Safety
    /// It is the outcome of a conversion to the start of `room`.
    unsafe fn written<T>(self, room: &mut [MaybeUninit<T>]) -> Option<&mut [T]> {
        // SAFETY: without an error, so many units have been written.
        (self.error == 0).then(|| unsafe { room[..self.count].assume_init_mut() })
    }
}
