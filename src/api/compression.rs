//! The codecs of `CompressionStream` and `DecompressionStream`, each known to the script by a number. A call takes and gives
//! [`STEP`] bytes at most, so that neither a large chunk nor a small one that stands for a huge one keeps the thread for
//! long, and what a codec keeps in memory is charged before it is taken.

use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::io;
use std::rc::Rc;

use compression_codecs::brotli::params::EncoderParams;
use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{
    BrotliDecoder, BrotliEncoder, DecodeV2, DeflateDecoder, DeflateEncoder, EncodeV2, GzipDecoder, GzipEncoder,
    ZlibDecoder, ZlibEncoder,
};
use rustc_hash::FxHashMap;
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::value;
use crate::egress::{INFLATE, brotli_window};
use crate::runtime::{self, Charge, Op};

/// The native functions of `compression.js`.
pub const OPS: &[Op] = crate::ops![codec_open, codec_run, codec_finish, codec_close];

/// Bytes a call takes and gives.
const STEP: usize = 64 << 10;
/// What deflating takes: the window, and tables about it.
const DEFLATE: usize = 384 << 10;
/// Brotli's quality and window for bodies made on the fly: a megabyte costs about what it costs gzip.
const BROTLI_QUALITY: i32 = 5;
const BROTLI_WINDOW: i32 = 18;
/// What that takes: two windows, the tables of matches, and the commands of a block.
const BROTLI: usize = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Gzip,
    Deflate,
    DeflateRaw,
    Brotli,
}

struct Codec {
    work: Work,
    /// Held for its end.
    charge: Option<Charge>,
    /// Says when the script has let go of it.
    #[expect(dead_code, reason = "held for its end")]
    keeper: v8::Weak<v8::Object>,
}

enum Work {
    Compress(Box<dyn EncodeV2>),
    Decompress(Box<dyn DecodeV2>),
    /// How much memory it takes, its first byte says.
    Unbrotli,
}

/// The codecs of an isolate.
#[derive(Default)]
struct Codecs {
    open: RefCell<FxHashMap<u32, Codec>>,
    last: RefCell<u32>,
    /// Where all of them put what they give.
    output: RefCell<Vec<u8>>,
}

/// What a call came to.
#[derive(Debug, Default)]
struct Step {
    /// Bytes taken, and given.
    taken: usize,
    given: usize,
    /// The end was read or written.
    ended: bool,
    /// There may be more to give without anything to take.
    more: bool,
}

fn codecs(scope: &mut PinScope<'_, '_>) -> Rc<Codecs> {
    if let Some(codecs) = scope.get_slot::<Rc<Codecs>>() {
        return Rc::clone(codecs);
    }
    let codecs = Rc::new(Codecs::default());
    scope.set_slot(Rc::clone(&codecs));
    codecs
}

impl Format {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "deflate-raw" => Self::DeflateRaw,
            "brotli" => Self::Brotli,
            _ => return None,
        })
    }

    fn compress(self) -> (Work, usize) {
        let level = flate2::Compression::default().into();
        let (encoder, memory): (Box<dyn EncodeV2>, _) = match self {
            Self::Gzip => (Box::new(GzipEncoder::new(level)), DEFLATE),
            Self::Deflate => (Box::new(ZlibEncoder::new(level)), DEFLATE),
            Self::DeflateRaw => (Box::new(DeflateEncoder::new(level)), DEFLATE),
            Self::Brotli => {
                let quality = Level::Precise(BROTLI_QUALITY);
                let params = EncoderParams::default().quality(quality).window_size(BROTLI_WINDOW);
                (Box::new(BrotliEncoder::new(params)), BROTLI)
            }
        };
        (Work::Compress(encoder), memory)
    }

    fn decompress(self) -> (Work, usize) {
        match self {
            Self::Gzip => (Work::Decompress(Box::new(GzipDecoder::new())), INFLATE),
            Self::Deflate => (Work::Decompress(Box::new(ZlibDecoder::new())), INFLATE),
            Self::DeflateRaw => (Work::Decompress(Box::new(DeflateDecoder::new())), INFLATE),
            Self::Brotli => (Work::Unbrotli, 0),
        }
    }
}

impl Work {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<Step> {
        let mut read = PartialBuffer::new(input);
        let mut written = WriteBuffer::new_initialized(output);
        let ended = match self {
            Self::Compress(encoder) => encoder.encode(&mut read, &mut written).map(|()| false),
            Self::Decompress(decoder) => match decoder.decode(&mut read, &mut written) {
                // Without input and without output: it only had nothing left.
                Err(_) if input.is_empty() && written.written_len() == 0 => Ok(false),
                ended => ended,
            },
            Self::Unbrotli => Ok(false),
        }?;
        let more = !ended && matches!(self, Self::Decompress(_)) && written.has_no_spare_space();
        Ok(Step { taken: read.written_len(), given: written.written_len(), ended, more })
    }

    fn finish(&mut self, output: &mut [u8]) -> io::Result<Step> {
        let mut written = WriteBuffer::new_initialized(output);
        let ended = match self {
            Self::Compress(encoder) => encoder.finish(&mut written)?,
            Self::Decompress(_) | Self::Unbrotli => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        Ok(Step { taken: 0, given: written.written_len(), ended, more: !ended })
    }
}

impl Codecs {
    /// Has a codec work; `None` if it is not there.
    fn step(&self, id: u32, work: impl FnOnce(&mut Work, &mut [u8]) -> io::Result<Step>) -> Option<io::Result<Step>> {
        let mut open = self.open.borrow_mut();
        let codec = open.get_mut(&id)?;
        let mut output = self.output.borrow_mut();
        output.resize(STEP, 0);
        Some(work(&mut codec.work, &mut output))
    }
}

fn id(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) -> u32 {
    args.get(0).uint32_value(scope).unwrap_or(0)
}

/// `codec_open(format, decompress, keeper)`: a codec's number. It ends with the object `keeper`, or by `codec_close`.
fn codec_open(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let mut buffer = value::buffer();
    let Some(name) = value::text(scope, &args, 0, &mut buffer) else { return };
    let (Some(format), Ok(keeper)) = (Format::parse(&name), Local::<v8::Object>::try_from(args.get(2))) else {
        return value::throw_type_error(scope, "not a format and an object");
    };
    let (work, memory) = if args.get(1).is_true() { format.decompress() } else { format.compress() };
    let Some(charge) = runtime::charge(scope, memory) else { return no_room(scope) };
    let codecs = codecs(scope);
    let id = codecs.last.borrow().wrapping_add(1);
    codecs.last.replace(id);
    let finalizer = {
        let codecs = Rc::clone(&codecs);
        Box::new(move || codecs.close(id))
    };
    let keeper = v8::Weak::with_guaranteed_finalizer(scope, keeper, finalizer);
    codecs.open.borrow_mut().insert(id, Codec { work, charge: Some(charge), keeper });
    rv.set_uint32(id);
}

impl Codecs {
    fn close(&self, id: u32) {
        // It is dropped once the table can be had again.
        let closed = self.open.borrow_mut().remove(&id);
        drop(closed);
    }
}

/// `codec_run(id, bytes, from)`: `[taken, ended, more, output]`: how many of the bytes from there on were taken, whether the
/// end was read, whether it is to be called again even without bytes, and what came out, a `Uint8Array` or `undefined`.
/// Throws a `TypeError` if the bytes are not of the format.
fn codec_run(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let id = id(scope, &args);
    let from = args.get(2).uint32_value(scope).unwrap_or(0) as usize;
    let codecs = codecs(scope);
    if !begin(scope, &args, &codecs, id, from) {
        return;
    }
    let stepped = value::bytes(scope, &args, 1, |bytes| {
        let rest = bytes.get(from..).unwrap_or_default();
        codecs.step(id, |work, output| work.run(&rest[..rest.len().min(STEP)], output))
    });
    if let Some(stepped) = stepped {
        answer(scope, &codecs, stepped, &mut rv);
    }
}

/// Makes a brotli decoder once its first byte is there; false if something was thrown.
fn begin(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    codecs: &Codecs,
    id: u32,
    from: usize,
) -> bool {
    let waits = codecs.open.borrow().get(&id).is_some_and(|codec| matches!(codec.work, Work::Unbrotli));
    if !waits {
        return true;
    }
    let Some(first) = value::bytes(scope, args, 1, |bytes| bytes.get(from).copied()) else { return false };
    let Some(first) = first else { return true };
    let Some(charge) = runtime::charge(scope, brotli_window(first)) else {
        no_room(scope);
        return false;
    };
    if let Entry::Occupied(mut codec) = codecs.open.borrow_mut().entry(id) {
        let codec = codec.get_mut();
        codec.work = Work::Decompress(Box::new(BrotliDecoder::new()));
        codec.charge = Some(charge);
    }
    true
}

/// `codec_finish(id)`: the same where nothing is to be taken any more; to be called until it has ended.
fn codec_finish(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let id = id(scope, &args);
    let codecs = codecs(scope);
    let stepped = codecs.step(id, |work, output| work.finish(output));
    answer(scope, &codecs, stepped, &mut rv);
}

fn answer(
    scope: &mut PinScope<'_, '_>,
    codecs: &Codecs,
    stepped: Option<io::Result<Step>>,
    rv: &mut ReturnValue<'_, Value>,
) {
    let step = match stepped {
        Some(Ok(step)) => step,
        Some(Err(_)) => {
            return value::throw_type_error(scope, "the data is not of the stream's format, or ends too soon");
        }
        None => return value::throw_type_error(scope, "the codec is closed"),
    };
    let output = if step.given == 0 {
        v8::undefined(scope).into()
    } else {
        let output = codecs.output.borrow();
        match runtime::bytes(scope, &output[..step.given]) {
            Some(array) => array.into(),
            None => return no_room(scope),
        }
    };
    let parts = [
        v8::Number::new(scope, step.taken as f64).into(),
        v8::Boolean::new(scope, step.ended).into(),
        v8::Boolean::new(scope, step.more).into(),
        output,
    ];
    rv.set(v8::Array::new_with_elements(scope, &parts).into());
}

/// `codec_close(id)`: it is not wanted any more.
fn codec_close(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _: ReturnValue<'_, Value>) {
    let id = id(scope, &args);
    codecs(scope).close(id);
}

fn no_room(scope: &mut PinScope<'_, '_>) {
    value::throw_range_error(scope, "the app's memory limit leaves no room for the data");
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [Format; 4] = [Format::Gzip, Format::Deflate, Format::DeflateRaw, Format::Brotli];

    fn compressed(format: Format, mut data: &[u8]) -> Vec<u8> {
        let (mut work, _) = format.compress();
        let (mut result, mut output) = (Vec::new(), vec![0; STEP]);
        while !data.is_empty() {
            let step = work.run(&data[..data.len().min(STEP)], &mut output).unwrap();
            data = &data[step.taken..];
            result.extend_from_slice(&output[..step.given]);
        }
        loop {
            let step = work.finish(&mut output).unwrap();
            result.extend_from_slice(&output[..step.given]);
            if step.ended {
                return result;
            }
        }
    }

    fn decoder(format: Format) -> Work {
        match format.decompress() {
            (Work::Unbrotli, _) => Work::Decompress(Box::new(BrotliDecoder::new())),
            (work, _) => work,
        }
    }

    #[test]
    fn a_step_gives_no_more_than_its_bytes_however_much_the_input_stands_for() {
        let zeros = vec![0; 50 * STEP];
        for format in FORMATS {
            let data = compressed(format, &zeros);
            let (mut work, mut output, mut left, mut given) = (decoder(format), vec![0; STEP], &data[..], 0);
            loop {
                let step = work.run(left, &mut output).unwrap();
                left = &left[step.taken..];
                given += step.given;
                if step.ended {
                    break;
                }
                assert!(step.more || !left.is_empty(), "{format:?} ends early");
            }
            assert_eq!((given, left.len()), (zeros.len(), 0), "{format:?}");
        }
    }

    #[test]
    fn what_follows_the_end_is_left() {
        for format in FORMATS {
            let mut data = compressed(format, b"text");
            data.extend_from_slice(b"rest");
            let step = decoder(format).run(&data, &mut vec![0; STEP]).unwrap();
            assert!(step.ended, "{format:?}");
            assert_eq!((step.given, data.len() - step.taken), (4, 4), "{format:?}");
        }
    }
}
