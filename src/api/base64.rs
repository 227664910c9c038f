//! Base64: between binary strings, whose characters are bytes, for `atob` and `btoa` (HTML §8.3), and between bytes and
//! its URL-safe form (RFC 4648 §5) for JSON Web Keys.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{self, GeneralPurpose, GeneralPurposeConfig};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value, WriteFlags};

use super::value;
use crate::runtime::{self, Op};

/// The native functions of `base64.js`, and those for JSON Web Keys.
pub const OPS: &[Op] = crate::ops![base64_encode, base64_decode, base64_url_encode, base64_url_decode];

const BARE: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone)
    .with_decode_allow_trailing_bits(true);
/// What is left to decode once white space and padding are off.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(&STANDARD, BARE);
/// As JSON Web Keys have it.
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, BARE);

/// `base64_encode(string)`: `undefined` if it contains a character beyond U+00FF.
fn base64_encode(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a string");
    };
    // The bytes, and four thirds of them twice: as text, and as the string that is returned.
    if !runtime::has_room(scope, string.length() * 4) {
        return value::throw_no_room(scope);
    }
    if !string.contains_only_onebyte() {
        return;
    }
    let mut bytes = vec![0; string.length()];
    string.write_one_byte_v2(scope, 0, &mut bytes, WriteFlags::empty());
    value::return_text(scope, &mut rv, &general_purpose::STANDARD.encode(bytes));
}

/// `base64_decode(string)`: `undefined` if it is no base64.
fn base64_decode(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a string");
    };
    if !runtime::has_room(scope, string.length() * 4) {
        return value::throw_no_room(scope);
    }
    if !string.contains_only_onebyte() {
        return;
    }
    let mut text = vec![0; string.length()];
    string.write_one_byte_v2(scope, 0, &mut text, WriteFlags::empty());
    let Some(bytes) = forgiving_decode(&text) else { return };
    match v8::String::new_from_one_byte(scope, &bytes, v8::NewStringType::Normal) {
        Some(string) => rv.set(string.into()),
        None => value::throw_range_error(scope, "the string is too long"),
    }
}

/// Infra Standard §7 "forgiving-base64 decode".
fn forgiving_decode(text: &[u8]) -> Option<Vec<u8>> {
    let is_space = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ');
    let mut data = Cow::Borrowed(text);
    if text.iter().any(is_space) {
        data.to_mut().retain(|byte| !is_space(byte));
    }
    let mut data = &*data;
    if data.len() % 4 == 0 {
        data = data.strip_suffix(b"==").or_else(|| data.strip_suffix(b"=")).unwrap_or(data);
    }
    FORGIVING.decode(data).ok()
}

/// `base64_url_encode(bytes)`.
fn base64_url_encode(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let Ok(view) = Local::<v8::ArrayBufferView>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a view of bytes");
    };
    if !runtime::has_room(scope, view.byte_length() * 3) {
        return value::throw_no_room(scope);
    }
    if let Some(text) = value::bytes(scope, &args, 0, |bytes| URL.encode(bytes)) {
        value::return_text(scope, &mut rv, &text);
    }
}

/// `base64_url_decode(string)`: a `Uint8Array`; `undefined` if it is none.
fn base64_url_decode(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let mut buffer = value::buffer();
    let Some(text) = value::text(scope, &args, 0, &mut buffer) else { return };
    let Ok(bytes) = URL.decode(text.as_bytes()) else { return };
    match runtime::bytes(scope, &bytes) {
        Some(bytes) => rv.set(bytes.into()),
        None => value::throw_no_room(scope),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_decode() {
        for (text, data) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(forgiving_decode(text.as_bytes()).as_deref(), Some(data.as_bytes()), "{text}");
        }
    }

    #[test]
    fn decoding_forgives_what_the_standard_forgives() {
        for text in ["Zg", "Zh==", " Z\tg\n=\x0c=\r"] {
            assert_eq!(forgiving_decode(text.as_bytes()).as_deref(), Some(&b"f"[..]), "{text:?}");
        }
        for text in ["Z", "Zg=", "Zg===", "=", "====", "Z=g=", "Zm9v=", "Z\u{b}g", "-_", "Z\0"] {
            assert_eq!(forgiving_decode(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_whatever_white_space_is_put_in(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            spaces in proptest::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"\t\n\x0c\r ".to_vec())), 0..5),
            padded in any::<bool>(),
        ) {
            let mut text = general_purpose::STANDARD.encode(&bytes).into_bytes();
            if !padded {
                text.retain(|byte| *byte != b'=');
            }
            for (at, space) in spaces {
                text.insert(at.index(text.len() + 1), space);
            }
            prop_assert_eq!(forgiving_decode(&text), Some(bytes));
        }

        #[test]
        fn no_text_is_too_strange(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = forgiving_decode(&text);
        }
    }
}
