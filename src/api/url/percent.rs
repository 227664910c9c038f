//! Percent-encoding (URL Standard §1.3): the sets, and bytes in and out.

use std::borrow::Cow;

/// Which bytes are encoded; those beyond ASCII always are.
pub(super) struct Set([bool; 256]);

impl Set {
    /// The C0 control percent-encode set.
    pub(super) const C0_CONTROL: Self = {
        let mut set = [false; 256];
        let mut at = 0;
        while at < 256 {
            set[at] = at < 0x20 || at >= 0x7f;
            at += 1;
        }
        Self(set)
    };
    pub(super) const FRAGMENT: Self = Self::C0_CONTROL.with(b" \"<>`");
    pub(super) const QUERY: Self = Self::C0_CONTROL.with(b" \"#<>");
    pub(super) const SPECIAL_QUERY: Self = Self::QUERY.with(b"'");
    pub(super) const PATH: Self = Self::QUERY.with(b"?^`{}");
    pub(super) const USERINFO: Self = Self::PATH.with(b"/:;=@[\\]|");

    pub(super) const fn with(mut self, more: &[u8]) -> Self {
        let mut at = 0;
        while at < more.len() {
            self.0[more[at] as usize] = true;
            at += 1;
        }
        self
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }
}

/// "UTF-8 percent-encode": appends `text` to `output`. All of `output` stays ASCII.
pub(super) fn encode(text: &str, set: &Set, output: &mut String) {
    // Most has nothing to encode, and is known to be UTF-8.
    if text.bytes().any(|byte| set.has(byte)) {
        encode_bytes(text.as_bytes(), set, output);
    } else {
        output.push_str(text);
    }
}

/// Appends part of a text's UTF-8, percent-encoded as in [`encode`].
pub(super) fn encode_bytes(bytes: &[u8], set: &Set, output: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| set.has(*byte)) {
        push_ascii(&rest[..at], output);
        let byte = usize::from(rest[at]);
        output.push('%');
        output.push(DIGITS[byte >> 4].into());
        output.push(DIGITS[byte & 15].into());
        rest = &rest[at + 1..];
    }
    push_ascii(rest, output);
}

fn push_ascii(bytes: &[u8], output: &mut String) {
    debug_assert!(bytes.is_ascii());
    output.push_str(std::str::from_utf8(bytes).unwrap_or_default());
}

/// "Percent-decode".
pub(super) fn decode(text: &str) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode_str(text).into()
}
