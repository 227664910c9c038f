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
