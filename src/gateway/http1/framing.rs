//! How a request says where its body ends (RFC 9112 §6). Whatever two recipients could read in two ways is refused: the
//! one in front of us may have taken the other reading, and what we took for the next request was then never checked
//! by it. That is request smuggling, and the reason why nothing here is repaired.

use http::Version;

use super::flaw::Flaw;

/// Digits of a length: more would not fit 64 bits, nor be meant.
const DIGITS: usize = 19;

/// Where a request's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// After so many bytes; never 0.
    Length(u64),
    /// After the last chunk.
    Chunked,
}

/// Gathers the framing fields of one head.
#[derive(Debug, Default)]
pub(super) struct FramingFields {
    length: Option<u64>,
    coded: bool,
    chunked: bool,
    /// A coding that is not `chunked`, applied before it.
    unknown: bool,
}

impl FramingFields {
    /// A `Content-Length` line. A second one is refused even where it says the same: nobody honest sends it, a list of
    /// equal lengths is the client of a bug or of an attack, and RFC 9112 §6.3 leaves the choice to us.
    pub(super) fn length(&mut self, value: &[u8]) -> Result<(), Flaw> {
        let digits = (1..=DIGITS).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
        if !digits || self.length.is_some() {
            return Err(Flaw::Malformed);
        }
        let length = value.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0'));
        self.length = Some(length);
        Ok(())
    }

    /// A `Transfer-Encoding` line; several lines are one list.
    pub(super) fn coding(&mut self, value: &[u8]) -> Result<(), Flaw> {
        self.coded = true;
        for coding in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            // `chunked` comes last and once; what follows it would hide where the message ends.
            if coding.is_empty() || self.chunked {
                return Err(Flaw::Malformed);
            }
            if coding.eq_ignore_ascii_case(b"chunked") {
                self.chunked = true;
            } else {
                self.unknown = true;
            }
        }
        Ok(())
    }

    /// What they say together (RFC 9112 §6.3).
    pub(super) fn framing(&self, version: Version) -> Result<Framing, Flaw> {
        match (self.coded, self.length) {
            (false, None | Some(0)) => Ok(Framing::Empty),
            (false, Some(length)) => Ok(Framing::Length(length)),
            // Either could be the truth. So could both: HTTP/1.0 knows no codings, and whoever sends one speaks for
            // somebody who does not know either.
            (true, Some(_)) => Err(Flaw::Malformed),
            (true, None) if version == Version::HTTP_10 || !self.chunked => Err(Flaw::Malformed),
            (true, None) if self.unknown => Err(Flaw::Coding),
            (true, None) => Ok(Framing::Chunked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: Version, lengths: &[&str], codings: &[&str]) -> Result<Framing, Flaw> {
        let mut fields = FramingFields::default();
        lengths.iter().try_for_each(|value| fields.length(value.as_bytes()))?;
        codings.iter().try_for_each(|value| fields.coding(value.as_bytes()))?;
        fields.framing(version)
    }

    #[test]
    fn a_body_ends_in_one_way_or_the_request_is_refused() {
        use Flaw::{Coding, Malformed};
        type Case = (&'static [&'static str], &'static [&'static str], Result<Framing, Flaw>);
        let table: &[Case] = &[
            (&[], &[], Ok(Framing::Empty)),
            (&["0"], &[], Ok(Framing::Empty)),
            (&["7"], &[], Ok(Framing::Length(7))),
            (&["007"], &[], Ok(Framing::Length(7))),
            (&["9999999999999999999"], &[], Ok(Framing::Length(9_999_999_999_999_999_999))),
            (&["10000000000000000000"], &[], Err(Malformed)),
            (&[""], &[], Err(Malformed)),
            (&["+7"], &[], Err(Malformed)),
            (&["-7"], &[], Err(Malformed)),
            (&["0x7"], &[], Err(Malformed)),
            (&["7 7"], &[], Err(Malformed)),
            (&["7.0"], &[], Err(Malformed)),
            (&["7,7"], &[], Err(Malformed)),
            (&["7", "7"], &[], Err(Malformed)),
            (&["7", "8"], &[], Err(Malformed)),
            (&[], &["chunked"], Ok(Framing::Chunked)),
            (&[], &["CHUNKED"], Ok(Framing::Chunked)),
            (&[], &[""], Err(Malformed)),
            (&[], &["gzip"], Err(Malformed)),
            (&[], &["identity"], Err(Malformed)),
            (&[], &["xchunked"], Err(Malformed)),
            (&[], &["chunked;q=1"], Err(Malformed)),
            (&[], &["\"chunked\""], Err(Malformed)),
            (&[], &["\u{b}chunked"], Err(Malformed)),
            (&[], &["chunked,"], Err(Malformed)),
            (&[], &[",chunked"], Err(Malformed)),
            (&[], &["chunked, gzip"], Err(Malformed)),
            (&[], &["chunked, chunked"], Err(Malformed)),
            (&[], &["chunked", "chunked"], Err(Malformed)),
            (&[], &["chunked", "identity"], Err(Malformed)),
            (&[], &["gzip, chunked"], Err(Coding)),
            (&[], &["gzip", "chunked"], Err(Coding)),
            (&["7"], &["chunked"], Err(Malformed)),
            (&["0"], &["chunked"], Err(Malformed)),
        ];
        for (lengths, codings, expected) in table {
            assert_eq!(read(Version::HTTP_11, lengths, codings), *expected, "{lengths:?} {codings:?}");
        }
        assert_eq!(read(Version::HTTP_10, &["7"], &[]), Ok(Framing::Length(7)));
        assert_eq!(read(Version::HTTP_10, &[], &["chunked"]), Err(Malformed));
    }
}
