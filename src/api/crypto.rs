//! What `crypto` computes: random bytes here, each family of algorithms in a file of its own.

pub(super) mod hmac;
pub(super) mod sha;

use uuid::Uuid;
use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use super::value;
use crate::runtime::{self, Op};

/// The native functions of `crypto.js`.
pub const OPS: &[Op] = crate::ops![random_fill, random_uuid, random_uuids];

/// So much is computed between two looks at whether a limit has struck meanwhile: a millisecond or two.
const PIECE: usize = 1 << 20;

/// So many UUIDs are made at a time. One that an app keeps keeps the text of all.
const UUIDS: usize = 8;

/// `random_fill(view)`: fills it with random bytes.
fn random_fill(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _: ReturnValue<'_, Value>) {
    let filled = value::bytes_mut(scope, &args, 0, |scope, bytes| {
        bytes.chunks_mut(PIECE).all(|piece| !runtime::is_condemned(scope) && fill(piece))
    });
    if filled == Some(false) && !runtime::is_condemned(scope) {
        value::throw_type_error(scope, "the system has no random bytes");
    }
}

/// `random_uuid()`: a UUID of version 4. Its bits are of a generator which the kernel seeds, and again now and then: asked
/// for each, the kernel takes most of the time.
fn random_uuid(scope: &mut PinScope<'_, '_>, _: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    value::return_text(scope, &mut rv, Uuid::new_v4().hyphenated().encode_lower(&mut text));
}

/// `random_uuids()`: a few of them, one right behind the other. The crossing and the string take more time than a UUID does.
fn random_uuids(scope: &mut PinScope<'_, '_>, _: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let mut texts = [[0; uuid::fmt::Hyphenated::LENGTH]; UUIDS];
    for text in &mut texts {
        Uuid::new_v4().hyphenated().encode_lower(text);
    }
    let string = v8::String::new_from_one_byte(scope, texts.as_flattened(), v8::NewStringType::Normal);
    rv.set(string.expect("the text is far below V8's limit").into());
}

fn fill(mut bytes: &mut [u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: the pointer and length are those of `bytes`.
        let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        match usize::try_from(filled) {
            Ok(filled) => bytes = &mut bytes[filled..],
            Err(_) if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn every_byte_is_filled() {
        let mut bytes = [0; 4096];
        assert!(fill(&mut bytes));
        // The odds of 64 zeros in a row by chance are 2^-512.
        assert!(bytes.chunks(64).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }
}
