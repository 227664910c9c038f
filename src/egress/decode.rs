//! Content codings of a response (RFC 9110 §8.4): gzip, deflate, br, zstd, or several of them. A [`Decoder`] gives at
//! most [`CHUNK`] bytes a step and works only when asked, so that a small body that stands for a huge one is as slow as
//! its reader; what a coding keeps in memory is charged before it is taken.

use std::any::Any;
use std::io;

use bytes::Bytes;
use compression_codecs::zstd::params::DParameter;
use compression_codecs::{BrotliDecoder, DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use compression_core::util::{PartialBuffer, WriteBuffer};

use super::failure::Failure;

/// Bytes of output a step has at most.
const CHUNK: usize = 64 << 10;
/// Codings a body may have over one another. More serve nobody but an attacker.
const CODINGS: usize = 3;
/// Rounds of work in one step.
const ROUNDS: u32 = 64;
/// zstd's window as a power of two: 8 MiB, the most that senders may ask for (RFC 9659 §3).
const ZSTD_WINDOW: u32 = 23;
/// What inflating takes.
pub(crate) const INFLATE: usize = 64 << 10;

/// Memory taken from the app's budget, given back when dropped.
pub type Charge = Box<dyn Any>;

/// What a step gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The next bytes.
    Chunk(Bytes),
    /// It needs more of the body.
    Starved,
    /// It has worked for long enough: another step.
    Again,
    /// That was all.
    End,
}

/// The codings of one body.
pub struct Decoder {
    /// The one applied last, and so undone first, in front.
    stages: Vec<Stage>,
    raw: Bytes,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

struct Stage {
    coding: Coding,
    /// Made of the first byte there is.
    codec: Option<(Box<dyn DecodeV2>, Charge)>,
    input: Bytes,
    /// Nothing more comes in.
    eof: bool,
    /// The output was full the last time: there may be more without input.
    full: bool,
    /// The coding's own end was read.
    done: bool,
}

impl Coding {
    fn parse(token: &str) -> Option<Self> {
        Some(match token.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The codec for a body that begins with `first`, and the memory it may take.
    fn codec(self, first: u8) -> (Box<dyn DecodeV2>, usize) {
        match self {
            Self::Gzip => (Box::new(GzipDecoder::new()), INFLATE),
            // What HTTP calls deflate is zlib (RFC 9110 §8.4.1.2); some senders leave its header out.
            Self::Deflate if first & 0x0f == 8 => (Box::new(ZlibDecoder::new()), INFLATE),
            Self::Deflate => (Box::new(DeflateDecoder::new()), INFLATE),
            Self::Brotli => (Box::new(BrotliDecoder::new()), brotli_window(first)),
            Self::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW);
                (Box::new(ZstdDecoder::new_with_params(&[window])), 1 << ZSTD_WINDOW)
            }
        }
    }
}

/// The window a brotli stream says it needs (RFC 7932 §9.1), from its first byte.
pub(crate) fn brotli_window(first: u8) -> usize {
    let bits = match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, more) => 8 + u32::from(more),
        (_, few, _) => 17 + u32::from(few),
    };
    1 << bits
}

impl Decoder {
    /// A decoder for the codings named, in the order they were applied; `None` where there is none to undo, or one that
    /// is unknown: then the body stays as it is (Fetch §2.2.4 "handle content codings").
    pub fn new<'v>(content_encoding: impl Iterator<Item = &'v str>) -> Option<Self> {
        let mut stages = Vec::new();
        for token in content_encoding.flat_map(|value| value.split(',')).map(str::trim) {
            if token.is_empty() || token.eq_ignore_ascii_case("identity") {
                continue;
            }
            let coding = Coding::parse(token)?;
            stages.push(Stage { coding, codec: None, input: Bytes::new(), eof: false, full: false, done: false });
        }
        stages.reverse();
        let some = (1..=CODINGS).contains(&stages.len());
        some.then_some(Self { stages, raw: Bytes::new(), ended: false })
    }

    /// Takes what has arrived; nothing more if `None`. Only when starved.
    pub fn feed(&mut self, data: Option<Bytes>) {
        match data {
            Some(data) => self.raw = data,
            None => self.ended = true,
        }
    }

    /// Goes on. `charge` asks for memory.
    ///
    /// # Errors
    /// Where the body is not what it is said to be, or there is no memory.
    pub fn step(&mut self, charge: &mut dyn FnMut(usize) -> Option<Charge>) -> Result<Decoded, Failure> {
        let mut rounds = ROUNDS;
        self.pull(self.stages.len() - 1, &mut rounds, charge)
    }

    /// Output of stage `at`.
    fn pull(
        &mut self,
        at: usize,
        rounds: &mut u32,
        charge: &mut dyn FnMut(usize) -> Option<Charge>,
    ) -> Result<Decoded, Failure> {
        loop {
            if *rounds == 0 {
                return Ok(Decoded::Again);
            }
            *rounds -= 1;
            let stage = &self.stages[at];
            if stage.input.is_empty() && !stage.eof && !stage.full {
                let more = match at {
                    0 if !self.raw.is_empty() => Decoded::Chunk(std::mem::take(&mut self.raw)),
                    0 if self.ended => Decoded::End,
                    0 => Decoded::Starved,
                    _ => self.pull(at - 1, rounds, charge)?,
                };
                match more {
                    Decoded::Chunk(data) => self.stages[at].input = data,
                    Decoded::End => self.stages[at].eof = true,
                    Decoded::Starved | Decoded::Again => return Ok(more),
                }
            }
            let stage = &mut self.stages[at];
            if let Some(output) = stage.run(charge)? {
                return Ok(Decoded::Chunk(output));
            }
            if stage.eof && stage.done {
                return Ok(Decoded::End);
            }
        }
    }
}

impl Stage {
    /// Some output, or `None` if there was none this time.
    fn run(&mut self, charge: &mut dyn FnMut(usize) -> Option<Charge>) -> Result<Option<Bytes>, Failure> {
        let encoding = self.coding.name();
        let wrong = |source| Failure::Decode { encoding, source };
        if self.codec.is_none() {
            let Some(&first) = self.input.first() else {
                // Nothing at all stands for nothing.
                self.done = true;
                return Ok(None);
            };
            let (codec, memory) = self.coding.codec(first);
            self.codec = Some((codec, charge(memory).ok_or(Failure::NoRoom)?));
        }
        let Some((codec, _)) = &mut self.codec else { return Ok(None) };
        if self.done {
            // Some codings may begin again (RFC 1952 §2.2, RFC 8878 §3.1); what else follows the end is left out.
            match (self.coding, self.input.first()) {
                (Coding::Gzip, Some(0x1f)) | (Coding::Zstd, Some(0x28 | 0x50..=0x5f)) => {
                    codec.reinit().map_err(wrong)?;
                    self.done = false;
                }
                _ => {
                    self.input.clear();
                    return Ok(None);
                }
            }
        }
        let mut output = vec![0; CHUNK];
        let mut written = WriteBuffer::new_initialized(&mut output);
        if self.input.is_empty() && !self.full {
            // At the end of what comes in.
            self.done = codec.finish(&mut written).map_err(wrong)?;
            if !self.done && written.written_len() == 0 {
                return Err(wrong(io::ErrorKind::UnexpectedEof.into()));
            }
        } else {
            let mut input = PartialBuffer::new(&self.input[..]);
            let ended = match codec.decode(&mut input, &mut written) {
                // Without input and without output: it only had nothing left.
                Err(_) if self.input.is_empty() && written.written_len() == 0 => Ok(false),
                ended => ended,
            };
            let taken = input.written_len();
            self.done = ended.map_err(wrong)?;
            self.full = !self.done && written.has_no_spare_space();
            let _ = self.input.split_to(taken);
        }
        let length = written.written_len();
        output.truncate(length);
        Ok((length > 0).then(|| output.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(data: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn encoded(mut encoder: impl compression_codecs::EncodeV2, data: &[u8]) -> Vec<u8> {
        let mut space = vec![0; data.len() * 2 + (1 << 16)];
        let mut output = WriteBuffer::new_initialized(&mut space);
        let mut input = PartialBuffer::new(data);
        while !input.unwritten().is_empty() {
            encoder.encode(&mut input, &mut output).unwrap();
        }
        assert!(encoder.finish(&mut output).unwrap());
        output.written().to_vec()
    }

    fn brotli(data: &[u8]) -> Vec<u8> {
        encoded(compression_codecs::BrotliEncoder::new(Default::default()), data)
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        encoded(compression_codecs::ZstdEncoder::new(3), data)
    }

    /// Decodes `data`, which arrives `piece` bytes at a time.
    fn decode(encoding: &str, data: &[u8], piece: usize) -> Result<Vec<u8>, Failure> {
        let mut decoder = Decoder::new([encoding].into_iter()).expect("known codings");
        let mut pieces = data.chunks(piece).map(Bytes::copy_from_slice);
        let mut whole = Vec::new();
        loop {
            match decoder.step(&mut |_| Some(Box::new(())))? {
                Decoded::Chunk(chunk) => {
                    assert!(chunk.len() <= CHUNK);
                    whole.extend_from_slice(&chunk);
                }
                Decoded::Starved => decoder.feed(pieces.next()),
                Decoded::Again => {}
                Decoded::End => return Ok(whole),
            }
        }
    }

    fn text() -> Vec<u8> {
        (0..60_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect()
    }

    #[test]
    fn every_coding_is_undone_however_it_arrives() {
        let data = text();
        for (encoding, body) in [
            ("gzip", gzip(&data)),
            ("x-gzip", gzip(&data)),
            ("GZIP", gzip(&data)),
            ("deflate", zlib(&data)),
            ("deflate", deflate(&data)),
            ("br", brotli(&data)),
            ("zstd", zstd(&data)),
            ("gzip, br", brotli(&gzip(&data))),
            ("br, identity, gzip", gzip(&brotli(&data))),
        ] {
            for piece in [1, 7, 4096, usize::MAX] {
                assert!(decode(encoding, &body, piece).unwrap() == data, "{encoding} by {piece}");
            }
        }
    }

    #[test]
    fn long_runs_of_one_byte_come_out_whole() {
        let zeros = vec![0; 5 << 20];
        for (encoding, body) in
            [("gzip", gzip(&zeros)), ("deflate", zlib(&zeros)), ("br", brotli(&zeros)), ("zstd", zstd(&zeros))]
        {
            for piece in [1, 1000, usize::MAX] {
                assert!(decode(encoding, &body, piece).unwrap() == zeros, "{encoding} by {piece}");
            }
        }
    }

    #[test]
    fn members_follow_one_another_and_what_else_follows_is_left_out() {
        assert_eq!(decode("gzip", &[gzip(b"one "), gzip(b"two")].concat(), 3).unwrap(), b"one two");
        assert_eq!(decode("zstd", &[zstd(b"one "), zstd(b"two")].concat(), 3).unwrap(), b"one two");
        assert_eq!(decode("gzip", &[&gzip(b"one")[..], b"\0\0\0"].concat(), 2).unwrap(), b"one");
        assert_eq!(decode("br", &[&brotli(b"one")[..], b"rest"].concat(), 2).unwrap(), b"one");
    }

    #[test]
    fn nothing_stands_for_nothing() {
        for encoding in ["gzip", "deflate", "br", "zstd", "gzip, br"] {
            assert_eq!(decode(encoding, b"", 1).unwrap(), b"", "{encoding}");
        }
    }

    #[test]
    fn what_is_cut_off_or_broken_is_an_error() {
        let data = text();
        for (encoding, body) in
            [("gzip", gzip(&data)), ("deflate", zlib(&data)), ("br", brotli(&data)), ("zstd", zstd(&data))]
        {
            for end in [1, body.len() / 2, body.len() - 1] {
                assert!(decode(encoding, &body[..end], 4096).is_err(), "{encoding} cut at {end}");
            }
            assert!(decode(encoding, b"this is none of them at all", 4096).is_err(), "{encoding}");
        }
        let mut wrong = gzip(&data);
        let checksum = wrong.len() - 6;
        wrong[checksum] ^= 1;
        assert!(decode("gzip", &wrong, 4096).is_err());
    }

    #[test]
    fn unknown_codings_and_too_many_are_left_alone() {
        for encoding in ["", "identity", "compress", "gzip, unheard-of", "gzip, gzip, gzip, gzip"] {
            assert!(Decoder::new([encoding].into_iter()).is_none(), "{encoding}");
        }
        assert!(Decoder::new(["gzip", "br"].into_iter()).is_some());
    }

    #[test]
    fn memory_is_asked_for_before_it_is_taken() {
        let body = brotli(&text());
        let mut decoder = Decoder::new(["br"].into_iter()).unwrap();
        decoder.feed(Some(body.clone().into()));
        let mut asked = 0;
        let refused = decoder.step(&mut |bytes| {
            asked = bytes;
            None
        });
        assert!(matches!(refused, Err(Failure::NoRoom)));
        assert_eq!(asked, brotli_window(body[0]));
        for (first, window) in [(0x0, 1 << 16), (0x1, 1 << 17), (0x0b, 1 << 22), (0x0f, 1 << 24), (0x21, 1 << 10)] {
            assert_eq!(brotli_window(first), window, "{first:#x}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_go_on_for_ever(data in any::<Vec<u8>>(), piece in 1..64usize) {
            for encoding in ["gzip", "deflate", "br", "zstd", "zstd, gzip"] {
                let _ = decode(encoding, &data, piece);
            }
        }
    }
}
