//! The chunked coding (RFC 9112 §7.1), read to the letter: every line ends in CRLF, sizes are hexadecimal digits and
//! nothing else, extensions and trailers are bounded, checked and dropped.

use bytes::{Buf, Bytes, BytesMut};

use super::flaw::Flaw;

/// Digits of a chunk's size.
const SIZE_DIGITS: u8 = 16;

/// Bytes of chunk extensions over a whole body. Nobody uses any; without a bound a body of nothing else is free of the
/// body limit.
const MAX_EXTENSIONS: usize = 16 * 1024;

/// Bytes of the trailer section.
const MAX_TRAILERS: usize = 16 * 1024;

/// Fields of the trailer section.
const MAX_TRAILER_FIELDS: usize = 100;

/// Decodes one body.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
    /// The size being read, or the bytes left of its chunk.
    left: u64,
    digits: u8,
    extensions: usize,
    trailers: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    /// White space after the size, which only an extension may follow.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    End,
}

/// What decoding came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// Bytes of the body.
    Data(Bytes),
    /// All of the input is used up.
    Starved,
    /// The body is whole; what is left of the input belongs to the next message.
    End,
}

impl Decoder {
    /// Takes from `input` up to the next `most` bytes of the body.
    pub(super) fn decode(&mut self, input: &mut BytesMut, most: usize) -> Result<Decoded, Flaw> {
        loop {
            match self.state {
                State::End => return Ok(Decoded::End),
                State::Data => {
                    let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len()).min(most);
                    if len == 0 {
                        return Ok(Decoded::Starved);
                    }
                    self.left -= len as u64;
                    if self.left == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Decoded::Data(input.split_to(len).freeze()));
                }
                _ => {}
            }
            let Some(byte) = input.first().copied() else { return Ok(Decoded::Starved) };
            self.step(byte)?;
            input.advance(1);
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), Flaw> {
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if self.digits < SIZE_DIGITS => {
                self.digits += 1;
                self.left = self.left << 4 | u64::from((byte as char).to_digit(16).ok_or(Flaw::Malformed)?);
                State::Size
            }
            // Signs, `0x`, an empty size, one digit too many: nothing else continues or ends it.
            (State::Size, _) if self.digits == 0 => return Err(Flaw::Malformed),
            (State::Size | State::Extension, b'\r') => State::SizeLf,
            (State::Size | State::Space, b' ' | b'\t') => self.extend(State::Space)?,
            (State::Size | State::Space, b';') => self.extend(State::Extension)?,
            (State::Extension, b'\t' | b' '..=0x7e | 0x80..) => self.extend(State::Extension)?,
            (State::SizeLf, b'\n') => {
                self.digits = 0;
                if self.left == 0 { State::Trailers } else { State::Data }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size,
            (State::Trailers, _) => self.trailer(byte)?,
            _ => return Err(Flaw::Malformed),
        };
        Ok(())
    }

    fn extend(&mut self, state: State) -> Result<State, Flaw> {
        self.extensions += 1;
        if self.extensions > MAX_EXTENSIONS { Err(Flaw::Malformed) } else { Ok(state) }
    }

    fn trailer(&mut self, byte: u8) -> Result<State, Flaw> {
        let after_cr = self.trailers.last() == Some(&b'\r');
        if after_cr != (byte == b'\n') || self.trailers.len() == MAX_TRAILERS {
            return Err(Flaw::Malformed);
        }
        self.trailers.push(byte);
        if self.trailers == b"\r\n" {
            return Ok(State::End);
        }
        if !self.trailers.ends_with(b"\r\n\r\n") {
            return Ok(State::Trailers);
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILER_FIELDS];
        let well_formed = httparse::parse_headers(&self.trailers, &mut fields).is_ok_and(|status| status.is_complete());
        self.trailers = Vec::new();
        if well_formed { Ok(State::End) } else { Err(Flaw::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes pieces as they come: the body, and how much of the last piece is left.
    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, most: usize) -> Result<Option<(Vec<u8>, usize)>, Flaw> {
        let (mut decoder, mut input, mut body) = (Decoder::default(), BytesMut::new(), Vec::new());
        for piece in pieces {
            input.extend_from_slice(piece);
            loop {
                match decoder.decode(&mut input, most)? {
                    Decoded::Data(data) => {
                        assert!(!data.is_empty() && data.len() <= most);
                        body.extend_from_slice(&data);
                    }
                    Decoded::Starved => break,
                    Decoded::End => return Ok(Some((body, input.len()))),
                }
            }
        }
        Ok(None)
    }

    #[test]
    fn a_body_is_taken_to_the_letter() {
        const BROKEN: Result<Option<(&str, usize)>, Flaw> = Err(Flaw::Malformed);
        let table = [
            ("0\r\n\r\n", Ok(Some(("", 0)))),
            ("3\r\nabc\r\n0\r\n\r\nGET", Ok(Some(("abc", 3)))),
            ("A\r\n0123456789\r\n00\r\n\r\n", Ok(Some(("0123456789", 0)))),
            ("0000000000000003\r\nabc\r\n0\r\n\r\n", Ok(Some(("abc", 0)))),
            ("00000000000000003\r\nabc\r\n0\r\n\r\n", BROKEN),
            ("3;a\r\nabc\r\n0;b=c;d=\"e;f\"\r\n\r\n", Ok(Some(("abc", 0)))),
            ("3 ;a\r\nabc\r\n0\r\n\r\n", Ok(Some(("abc", 0)))),
            ("3 \r\nabc\r\n0\r\n\r\n", BROKEN),
            (" 3\r\nabc\r\n0\r\n\r\n", BROKEN),
            ("3;a\rb\r\nabc\r\n0\r\n\r\n", BROKEN),
            ("3;a\nabc\r\n0\r\n\r\n", BROKEN),
            ("3;\u{1}\r\nabc\r\n0\r\n\r\n", BROKEN),
            ("3\nabc\r\n0\r\n\r\n", BROKEN),
            ("3\rabc\r\n0\r\n\r\n", BROKEN),
            ("3\r\nabc\n0\r\n\r\n", BROKEN),
            ("3\r\nabcd\r\n0\r\n\r\n", BROKEN),
            ("3\r\nabc0\r\n\r\n", BROKEN),
            ("3\r\nab\r\n0\r\n\r\n", BROKEN),
            ("\r\n", BROKEN),
            (";a\r\n", BROKEN),
            ("+3\r\nabc\r\n", BROKEN),
            ("-1\r\n", BROKEN),
            ("0x3\r\nabc\r\n", BROKEN),
            ("3_\r\nabc\r\n", BROKEN),
            ("g\r\n", BROKEN),
            ("0\r\nA: b\r\nC:\r\n\r\n", Ok(Some(("", 0)))),
            ("0\r\nA: b\n\r\n", BROKEN),
            ("0\r\nA: b\rC\r\n\r\n", BROKEN),
            ("0\r\nA : b\r\n\r\n", BROKEN),
            ("0\r\n A: b\r\n\r\n", BROKEN),
            ("0\r\nA: b\r\n c\r\n\r\n", BROKEN),
            ("0\r\nnothing\r\n\r\n", BROKEN),
            ("0\r\n\n", BROKEN),
            ("0\r\n", Ok(None)),
            ("3\r\nab", Ok(None)),
        ];
        for (bytes, expected) in table {
            let expected = expected.map(|whole| whole.map(|(body, left)| (body.as_bytes().to_vec(), left)));
            assert_eq!(decode([bytes.as_bytes()], usize::MAX), expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_dropped_is_bounded() {
        let extension = |len: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(len));
        assert!(decode([extension(MAX_EXTENSIONS - 1).as_bytes()], 9).is_ok());
        assert_eq!(decode([extension(MAX_EXTENSIONS).as_bytes()], 9), Err(Flaw::Malformed));
        let many = "1;x\r\na\r\n".repeat(MAX_EXTENSIONS);
        assert_eq!(decode([many.as_bytes()], 9), Err(Flaw::Malformed));
        let trailers = |len: usize| format!("0\r\nA: {}\r\n\r\n", "x".repeat(len));
        assert!(decode([trailers(MAX_TRAILERS - 7).as_bytes()], 9).is_ok());
        assert_eq!(decode([trailers(MAX_TRAILERS).as_bytes()], 9), Err(Flaw::Malformed));
        let fields = |count: usize| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert!(decode([fields(MAX_TRAILER_FIELDS).as_bytes()], 9).is_ok());
        assert_eq!(decode([fields(MAX_TRAILER_FIELDS + 1).as_bytes()], 9), Err(Flaw::Malformed));
    }

    proptest! {
        #[test]
        fn chunks_come_together_however_they_are_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cut in 1usize..50,
            most in 1usize..50,
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend_from_slice(format!("{:X};e=1\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\nT: v\r\n\r\n");
            prop_assert_eq!(decode(bytes.chunks(cut), most), Ok(Some((chunks.concat(), 0))));
        }

        #[test]
        fn no_bytes_upset_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..100), cut in 1usize..9) {
            let _ = decode(bytes.chunks(cut), 7);
        }
    }
}
