//! Takes `multipart/form-data` apart (RFC 7578, RFC 2046 §5.1), as strictly as browsers' tests ask for: what follows no
//! grammar is an error, never a guess, so that nobody in front of an app reads a form differently.
//!
//! The bytes are a stranger's. One pass looks at every byte a fixed number of times; parts, and the headers of each,
//! are bounded; a part is a range of the bytes, not a copy.

use std::borrow::Cow;

use memchr::memmem::Finder;
use memchr::{memchr, memchr2};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::mime::{MimeType, is_token, mime_extract};
use super::value;
use crate::runtime::{self, Op};

/// The native functions of `multipart.js`.
pub const OPS: &[Op] = crate::ops![mime_extract, multipart_parse];

/// Parts a form may have. An entry takes an app ten times the memory of the shortest part.
const PARTS: usize = 10_000;

/// Bytes of a part's headers. A name or file name is of the longest path there is, at most.
const HEADERS: usize = 16 << 10;

/// How many parts are made entries of between two looks at whether a limit has struck meanwhile.
const LOOK_EVERY: u32 = 256;

/// What is wrong with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Malformed {
    #[error("the form's boundary is missing or empty in the Content-Type")]
    NoBoundary,
    #[error("the form does not begin with its boundary")]
    Start,
    #[error("a boundary of the form stands on a line with something else")]
    Boundary,
    #[error("the form ends before its last boundary")]
    Cut,
    #[error("the headers of a part of the form are longer than 16 KiB")]
    Headers,
    #[error("a part of the form has a header without name, a stray line break or a NUL")]
    Header,
    #[error("a part of the form does not have one Content-Disposition: form-data with one name")]
    Disposition,
    #[error("the form has more than 10000 parts")]
    Parts,
}

/// A part of a form.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    name: Cow<'a, [u8]>,
    /// Name and type, if it is a file.
    file: Option<(Cow<'a, [u8]>, String)>,
    /// Where its bytes begin and end.
    start: usize,
    end: usize,
}

/// `multipart_parse(bytes, boundary)`: five values for each part: its name; its text, or its type if it is a file; the
/// file's name or `undefined`; where its bytes begin and end.
fn multipart_parse(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let mut buffer = value::buffer();
    let Some(boundary) = value::text(scope, &args, 1, &mut buffer) else { return };
    let Ok(view) = Local::<v8::ArrayBufferView>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a view of bytes");
    };
    let mut storage = [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP];
    let bytes = view.get_contents(&mut storage);
    // Twice: nothing is made of a form that turns out to be none, and there is room for all of it or it is not begun.
    let room = match Parts::new(bytes, &boundary).and_then(|mut parts| {
        parts.try_fold(0, |room, part| {
            part.map(|part| room + if part.file.is_none() { part.end - part.start } else { 0 })
        })
    }) {
        // A byte may become a unit of two, and three where it is replaced on the way.
        Ok(texts) => texts * 3,
        Err(error) => return value::throw_type_error(scope, &format!("formData: {error}")),
    };
    if !runtime::has_room(scope, room) {
        return value::throw_no_room(scope);
    }
    let list = v8::Array::new(scope, 0);
    // It inherits nothing, so that nobody's setters see what is put into it.
    let null = v8::null(scope).into();
    list.set_prototype(scope, null);
    let Ok(parts) = Parts::new(bytes, &boundary) else { return };
    for (index, part) in (0..).zip(parts.map_while(Result::ok)) {
        if index % LOOK_EVERY == 0 && runtime::is_condemned(scope) {
            return;
        }
        v8::scope!(let scope, scope);
        let undefined: Local<'_, Value> = v8::undefined(scope).into();
        let (text, file) = match &part.file {
            None => (string(scope, &bytes[part.start..part.end]), Some(undefined)),
            Some((name, kind)) => (string(scope, kind.as_bytes()), string(scope, name)),
        };
        let (Some(name), Some(text), Some(file)) = (string(scope, &part.name), text, file) else {
            return value::throw_range_error(scope, "a field of the form is too long");
        };
        let [start, end] = [part.start, part.end].map(|at| v8::Number::new(scope, at as f64).into());
        for (at, value) in (index * 5..).zip([name, text, file, start, end]) {
            list.set_index(scope, at, value);
        }
    }
    rv.set(list.into());
}

/// "UTF-8 decode without BOM"; `None` if V8 cannot hold a string so long.
fn string<'s>(scope: &mut PinScope<'s, '_>, bytes: &[u8]) -> Option<Local<'s, Value>> {
    let text = String::from_utf8_lossy(bytes);
    v8::String::new_from_utf8(scope, text.as_bytes(), v8::NewStringType::Normal).map(Into::into)
}

/// The parts of a form, one after the other; after an error there are none.
struct Parts<'a> {
    bytes: &'a [u8],
    /// A line break and the boundary.
    delimiter: Finder<'a>,
    /// Behind a boundary.
    at: usize,
    left: usize,
    ended: bool,
}

impl<'a> Parts<'a> {
    fn new(bytes: &'a [u8], boundary: &str) -> Result<Self, Malformed> {
        if boundary.is_empty() {
            return Err(Malformed::NoBoundary);
        }
        let delimiter = format!("\r\n--{boundary}");
        // The first needs no line break before it, but RFC 2046 has one in its grammar.
        let start = [&delimiter[2..], &delimiter].into_iter().find(|start| bytes.starts_with(start.as_bytes()));
        let at = start.ok_or(Malformed::Start)?.len();
        Ok(Self { bytes, delimiter: Finder::new(delimiter.as_bytes()).into_owned(), at, left: PARTS, ended: false })
    }

    fn part(&mut self) -> Result<Option<Part<'a>>, Malformed> {
        let rest = &self.bytes[self.at..];
        let last = rest.starts_with(b"--");
        let padded = &rest[if last { 2 } else { 0 }..];
        let padding = padded.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let line_end = &padded[padding..];
        if last {
            let ends = line_end.is_empty() || line_end.starts_with(b"\r\n");
            return if ends { Ok(None) } else { Err(Malformed::Boundary) };
        }
        if !line_end.starts_with(b"\r\n") {
            return Err(if b"\r\n".starts_with(line_end) { Malformed::Cut } else { Malformed::Boundary });
        }
        self.left = self.left.checked_sub(1).ok_or(Malformed::Parts)?;
        let headers = self.at + padding + 2;
        let (disposition, kind, length) = headers_of(&self.bytes[headers..])?;
        let start = headers + length;
        // The empty line's own break may be the delimiter's: a part without anything (RFC 2046 §5.1.1, body-part).
        let found = self.delimiter.find(&self.bytes[start - 2..]).ok_or(Malformed::Cut)? + start - 2;
        self.at = found + self.delimiter.needle().len();
        let (name, file_name) = disposition;
        let file = file_name.map(|name| (name, kind.unwrap_or_else(|| "text/plain".to_owned())));
        Ok(Some(Part { name, file, start, end: found.max(start) }))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let part = self.part().transpose();
        self.ended = !matches!(part, Some(Ok(_)));
        part
    }
}

/// What a Content-Disposition says: a name, and perhaps a file's.
type Disposition<'a> = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>);

/// Reads the headers that `bytes` begin with: the disposition, the type if there is a Content-Type (empty if that is
/// none), and how long the headers are, with the empty line behind them.
fn headers_of(bytes: &[u8]) -> Result<(Disposition<'_>, Option<String>, usize), Malformed> {
    let window = &bytes[..bytes.len().min(HEADERS)];
    let (mut disposition, mut kinds) = (None, None::<String>);
    let mut at = 0;
    loop {
        let rest = &window[at..];
        let cut = if bytes.len() > HEADERS { Malformed::Headers } else { Malformed::Cut };
        let end = memchr2(b'\r', b'\n', rest).filter(|end| end + 1 < rest.len()).ok_or(cut)?;
        let line = &rest[..end];
        if &rest[end..end + 2] != b"\r\n" || memchr(0, line).is_some() {
            return Err(Malformed::Header);
        }
        at += end + 2;
        if line.is_empty() {
            let disposition = disposition.ok_or(Malformed::Disposition)?;
            let kind = kinds.map(|kinds| MimeType::extract(&kinds).map_or_else(String::new, |mime| mime.to_string()));
            return Ok((disposition, kind, at));
        }
        let colon = memchr(b':', line).ok_or(Malformed::Header)?;
        let (name, value) = (trim(&line[..colon]), trim(&line[colon + 1..]));
        if !std::str::from_utf8(name).is_ok_and(is_token) {
            return Err(Malformed::Header);
        }
        if name.eq_ignore_ascii_case(b"content-disposition") {
            let parsed = parse_disposition(value).ok_or(Malformed::Disposition)?;
            if disposition.replace(parsed).is_some() {
                return Err(Malformed::Disposition);
            }
        } else if name.eq_ignore_ascii_case(b"content-type") {
            // As header values are everywhere in Fetch: a byte is a code point.
            let value = value.iter().copied().map(char::from);
            match &mut kinds {
                None => kinds = Some(value.collect()),
                Some(kinds) => kinds.extend([',', ' '].into_iter().chain(value)),
            }
        }
    }
}

/// RFC 7578 §4.2: `form-data; name="…"; filename="…"`. Other parameters are passed over, `filename*` too: no browser
/// reads it, and that section forbids it.
fn parse_disposition(value: &[u8]) -> Option<Disposition<'_>> {
    let end = memchr(b';', value).unwrap_or(value.len());
    if !trim(&value[..end]).eq_ignore_ascii_case(b"form-data") {
        return None;
    }
    let (mut name, mut file_name) = (None, None);
    let mut rest = &value[end..];
    while let Some(parameter) = rest.strip_prefix(b";") {
        let parameter = parameter.trim_ascii_start();
        let equals = memchr(b'=', parameter)?;
        let (key, text) = (&parameter[..equals], &parameter[equals + 1..]);
        let (value, after) = if let Some(quoted) = text.strip_prefix(b"\"") {
            unquote(quoted)?
        } else {
            let (token, rest) = text.split_at(memchr(b';', text).unwrap_or(text.len()));
            let token = trim(token);
            (std::str::from_utf8(token).is_ok_and(is_token).then_some(Cow::Borrowed(token))?, rest)
        };
        rest = after;
        let known = if key.eq_ignore_ascii_case(b"name") {
            &mut name
        } else if key.eq_ignore_ascii_case(b"filename") {
            &mut file_name
        } else if std::str::from_utf8(key).is_ok_and(is_token) {
            continue;
        } else {
            return None;
        };
        if known.replace(value).is_some() {
            return None;
        }
    }
    rest.is_empty().then_some((name?, file_name))
}

/// The text up to the closing quote, and what follows it from the next semicolon on. Browsers write a quote as `%22`
/// and leave backslashes as they are; others write a quote as `\"`: that is one where the parameter does not end with
/// it.
fn unquote(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut value = Cow::Borrowed(&text[..0]);
    let mut from = 0;
    let mut at = 0;
    loop {
        let quote = at + memchr(b'"', &text[at..])?;
        let rest = text[quote + 1..].trim_ascii_start();
        if rest.is_empty() || rest.starts_with(b";") {
            let last = &text[from..quote];
            if from == 0 {
                value = Cow::Borrowed(last);
            } else {
                value.to_mut().extend_from_slice(last);
            }
            return Some((value, rest));
        }
        if quote == from || text[quote - 1] != b'\\' {
            return None;
        }
        value.to_mut().extend_from_slice(&text[from..quote - 1]);
        // The quote itself belongs to what comes next.
        from = quote;
        at = quote + 1;
    }
}

/// `text` without the spaces and tabs around it.
fn trim(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

#[cfg(test)]
mod tests;
