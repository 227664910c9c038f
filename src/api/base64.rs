//! Base64: between binary strings, whose characters are bytes, for `atob` and `btoa` (HTML §8.3), and between bytes and
//! its URL-safe form (RFC 4648 §5) for JSON Web Keys. The former is vectorised, by what comes with V8.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value, ValueViewData};

use super::transcode;
use super::value::{self, Scratch};
use crate::runtime::{self, Op};

/// The native functions of `base64.js`, and those for JSON Web Keys.
pub const OPS: &[Op] = crate::ops![base64_encode, base64_decode, base64_url_encode, base64_url_decode];

const BARE: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone)
    .with_decode_allow_trailing_bits(true);
/// As JSON Web Keys have it.
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, BARE);

/// `base64_encode(string)`: `undefined` if it contains a character beyond U+00FF.
fn base64_encode(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let mut scratch = Scratch::new();
    if let Some(text) = converted(scope, &args, |bytes| Some(encode(bytes, &mut scratch))) {
        return_bytes(scope, &mut rv, text);
    }
}

/// `base64_decode(string)`: `undefined` if it is no base64.
fn base64_decode(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let mut scratch = Scratch::new();
    if let Some(bytes) = converted(scope, &args, |text| forgiving_decode(text, &mut scratch)) {
        return_bytes(scope, &mut rv, bytes);
    }
}

/// What `convert` makes of a string's characters, which are bytes; `None` where they are not, or with an exception thrown.
fn converted<'a>(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    convert: impl FnOnce(&[u8]) -> Option<&'a [u8]>,
) -> Option<&'a [u8]> {
    let Ok(string) = Local::<v8::String>::try_from(args.get(0)) else {
        value::throw_type_error(scope, "not a string");
        return None;
    };
    // The bytes, and four thirds of them twice: converted, and as the string that is returned.
    if !runtime::has_room(scope, string.length() * 4) {
        value::throw_no_room(scope);
        return None;
    }
    match v8::ValueView::new(scope, string).data() {
        ValueViewData::OneByte(bytes) => convert(bytes),
        ValueViewData::TwoByte(units) => {
            let bytes: Result<Vec<u8>, _> = units.iter().map(|unit| u8::try_from(*unit)).collect();
            convert(&bytes.ok()?)
        }
    }
}

fn return_bytes(scope: &mut PinScope<'_, '_>, rv: &mut ReturnValue<'_, Value>, bytes: &[u8]) {
    match v8::String::new_from_one_byte(scope, bytes, v8::NewStringType::Normal) {
        Some(string) => rv.set(string.into()),
        None => value::throw_range_error(scope, "the string is too long"),
    }
}

fn encode<'a>(bytes: &[u8], scratch: &'a mut Scratch) -> &'a [u8] {
    transcode::to_base64(bytes, scratch.room(transcode::base64_length(bytes.len())))
}

/// Infra Standard §7 "forgiving-base64 decode".
fn forgiving_decode<'a>(text: &[u8], scratch: &'a mut Scratch) -> Option<&'a [u8]> {
    transcode::from_base64(text, scratch.room(transcode::bytes_of_base64(text))).map(|bytes| &*bytes)
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

    fn decoded(text: &[u8]) -> Option<Vec<u8>> {
        forgiving_decode(text, &mut Scratch::new()).map(<[u8]>::to_vec)
    }

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
            assert_eq!(decoded(text.as_bytes()).as_deref(), Some(data.as_bytes()), "{text}");
        }
    }

    #[test]
    fn decoding_forgives_what_the_standard_forgives() {
        for text in ["Zg", "Zh==", " Z\tg\n=\x0c=\r"] {
            assert_eq!(decoded(text.as_bytes()).as_deref(), Some(&b"f"[..]), "{text:?}");
        }
        for text in ["Z", "Zg=", "Zg===", "=", "====", "Z=g=", "Zm9v=", "Z\u{b}g", "-_", "Z\0"] {
            assert_eq!(decoded(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_whatever_white_space_is_put_in(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            spaces in proptest::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"\t\n\x0c\r ".to_vec())), 0..5),
            padded in any::<bool>(),
        ) {
            let mut text = encode(&bytes, &mut Scratch::new()).to_vec();
            if !padded {
                text.retain(|byte| *byte != b'=');
            }
            for (at, space) in spaces {
                text.insert(at.index(text.len() + 1), space);
            }
            prop_assert_eq!(decoded(&text), Some(bytes));
        }

        #[test]
        fn no_text_is_too_strange(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decoded(&text);
        }
    }
}
