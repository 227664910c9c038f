//! Response heads, and how a response says where its body ends (RFC 9112 §6).

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{Method, StatusCode, Version};

use super::output::Output;
use crate::event::Fields;
use crate::gateway::date;

/// How a response's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// There is none, whatever its head says: HEAD, 204, 304.
    Nothing,
    /// By the length in its head.
    Length,
    /// Chunk by chunk.
    Chunks,
    /// By the end of the connection: all that HTTP/1.0 knows for a body of unknown length.
    Close,
}

impl Delimiter {
    /// For a body of `length` bytes, or of nobody knows how many.
    pub(super) fn of(method: &Method, status: StatusCode, version: Version, length: Option<u64>) -> Self {
        if *method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            return Self::Nothing;
        }
        match length {
            Some(_) => Self::Length,
            None if version == Version::HTTP_10 => Self::Close,
            None => Self::Chunks,
        }
    }
}

/// Writes a response's head. `keep` says whether the connection is to stay; the head may object, and what comes of it is
/// returned.
pub(super) fn write_head(
    out: &mut Vec<u8>,
    status: StatusCode,
    fields: &Fields,
    delimiter: Delimiter,
    length: Option<u64>,
    version: Version,
    keep: bool,
) -> bool {
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let mut keep = keep && delimiter != Delimiter::Close;
    let mut dated = false;
    for (name, value) in fields.iter() {
        if *name == CONNECTION {
            // Said below, once, as it turns out.
            keep = keep && !value.as_bytes().eq_ignore_ascii_case(b"close");
            continue;
        }
        if *name == TRANSFER_ENCODING || (*name == CONTENT_LENGTH && delimiter != Delimiter::Nothing) {
            continue;
        }
        dated |= *name == DATE;
        field(out, name.as_str().as_bytes(), value.as_bytes());
    }
    match (delimiter, length) {
        (Delimiter::Length, Some(length)) => {
            field(out, b"content-length", itoa::Buffer::new().format(length).as_bytes());
        }
        (Delimiter::Chunks, _) => field(out, b"transfer-encoding", b"chunked"),
        _ => {}
    }
    if !keep {
        field(out, b"connection", b"close");
    } else if version == Version::HTTP_10 {
        // Its clients must hear that they got what they asked for.
        field(out, b"connection", b"keep-alive");
    }
    if !dated {
        out.extend_from_slice(b"date: ");
        date::write(out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    keep
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a piece of a body.
pub(super) fn write_data(out: &mut Output, delimiter: Delimiter, data: Bytes) {
    match delimiter {
        Delimiter::Nothing => {}
        Delimiter::Length | Delimiter::Close => out.push(data),
        // An empty chunk would be the last one.
        Delimiter::Chunks if data.is_empty() => {}
        Delimiter::Chunks => {
            write_size(out.small(), data.len());
            out.push(data);
            out.small().extend_from_slice(b"\r\n");
        }
    }
}

/// Writes a body's end.
pub(super) fn write_end(out: &mut Output, delimiter: Delimiter) {
    if delimiter == Delimiter::Chunks {
        out.small().extend_from_slice(b"0\r\n\r\n");
    }
}

fn write_size(out: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 2 * size_of::<usize>()];
    let mut at = text.len();
    let mut left = size;
    while left > 0 {
        at -= 1;
        text[at] = DIGITS[left & 15];
        left >>= 4;
    }
    out.extend_from_slice(&text[at..]);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn head(status: u16, given: &[(&'static str, &'static str)], version: Version, length: Option<u64>) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let mut fields = Fields::default();
        for (name, value) in [&[("date", "now")], given].concat() {
            fields.push(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let delimiter = Delimiter::of(&Method::GET, status, version, length);
        let mut out = Vec::new();
        let keep = write_head(&mut out, status, &fields, delimiter, length, version, true);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(keep, !text.contains("connection: close"), "{text}");
        text.replace("date: now\r\n", "").replace("\r\n", "|")
    }

    #[test]
    fn a_head_says_how_its_body_ends_and_whether_the_connection_stays() {
        const OLD: Version = Version::HTTP_10;
        const NEW: Version = Version::HTTP_11;
        assert_eq!(head(200, &[("a", "b")], NEW, Some(3)), "HTTP/1.1 200 OK|a: b|content-length: 3||");
        assert_eq!(head(404, &[], NEW, None), "HTTP/1.1 404 Not Found|transfer-encoding: chunked||");
        assert_eq!(head(599, &[], NEW, Some(0)), "HTTP/1.1 599 |content-length: 0||");
        assert_eq!(head(200, &[], OLD, Some(3)), "HTTP/1.1 200 OK|content-length: 3|connection: keep-alive||");
        assert_eq!(head(200, &[], OLD, None), "HTTP/1.1 200 OK|connection: close||");
        assert_eq!(head(204, &[], NEW, Some(0)), "HTTP/1.1 204 No Content||");
        assert_eq!(head(304, &[("content-length", "9")], NEW, None), "HTTP/1.1 304 Not Modified|content-length: 9||");
        let close = head(200, &[("connection", "close")], NEW, Some(1));
        assert_eq!(close, "HTTP/1.1 200 OK|content-length: 1|connection: close||");
        let lies = head(200, &[("content-length", "9"), ("transfer-encoding", "gzip")], NEW, Some(1));
        assert_eq!(lies, "HTTP/1.1 200 OK|content-length: 1||");
    }

    #[test]
    fn chunks_carry_their_size_in_hexadecimal() {
        for size in [1, 15, 16, 255, 4096, 65_536] {
            let mut out = Output::default();
            write_data(&mut out, Delimiter::Chunks, Bytes::from(vec![b'x'; size]));
            assert_eq!(out.len(), format!("{size:x}").len() + 2 + size + 2);
            let mut text = Vec::new();
            write_size(&mut text, size);
            assert_eq!(text, format!("{size:x}\r\n").into_bytes());
        }
    }
}
