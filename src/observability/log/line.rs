//! How a log line looks: one JSON object, or text for people.
//!
//! Whatever an app, a client or an error message contains, a line stays one line: control characters, and in text
//! those that reorder or break lines, are escaped.

use std::cell::RefCell;
use std::io::Write;
use std::time::{Duration, SystemTime};

use super::AccessRecord;
use crate::plan::{Level, LogFormat};

/// Bytes of a message that are written; the rest is cut off and said to be.
const LONGEST: usize = 64 * 1024;

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A request was answered.
    Access,
    /// An app said something.
    Console,
    /// nano did.
    Gateway,
}

/// A line before it is rendered.
pub(super) struct Line<'a> {
    pub(super) level: Level,
    pub(super) kind: Kind,
    pub(super) app: Option<&'a str>,
    pub(super) request: Option<&'a str>,
    pub(super) message: &'a str,
    pub(super) extra: Extra<'a>,
}

/// What a line has beyond its message.
pub(super) enum Extra<'a> {
    Access(&'a AccessRecord<'a>),
    Fields(&'a [(&'static str, Field)]),
}

/// A member of a gateway line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    text: String,
    /// Written as it stands: a number or a boolean.
    literal: bool,
}

impl Field {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), literal: false }
    }

    pub(super) fn number(number: u64) -> Self {
        Self::literal(number)
    }

    /// A value whose `Display` is JSON: an integer, a finite float, a boolean.
    pub(super) fn literal(value: impl ToString) -> Self {
        Self { text: value.to_string(), literal: true }
    }
}

impl Line<'_> {
    /// Appends the line and its newline.
    pub(super) fn render(&self, format: LogFormat, at: SystemTime, out: &mut Vec<u8>) {
        out.reserve(384 + self.message.len().min(LONGEST));
        match format {
            LogFormat::Json => self.json(at, out),
            LogFormat::Text => self.text(at, out),
        }
        out.push(b'\n');
    }

    fn json(&self, at: SystemTime, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"timestamp\":\"");
        timestamp(out, at);
        out.extend_from_slice(b"\",\"level\":\"");
        out.extend_from_slice(level_name(self.level).as_bytes());
        out.extend_from_slice(b"\",\"kind\":\"");
        out.extend_from_slice(kind_name(self.kind).as_bytes());
        out.push(b'"');
        if let Some(app) = self.app {
            member(out, ",\"app\":\"", app);
        }
        if let Some(request) = self.request {
            member(out, ",\"request_id\":\"", request);
        }
        let (message, cut) = shorten(self.message);
        out.extend_from_slice(b",\"message\":\"");
        escape_json(out, message);
        put_cut(out, cut);
        out.push(b'"');
        match self.extra {
            Extra::Access(record) => access_json(record, out),
            Extra::Fields(fields) => {
                for (name, field) in fields {
                    if field.literal {
                        put(out, format_args!(",\"{name}\":{}", field.text));
                    } else {
                        put(out, format_args!(",\"{name}\":\""));
                        escape_json(out, shorten(&field.text).0);
                        out.push(b'"');
                    }
                }
            }
        }
        out.push(b'}');
    }

    fn text(&self, at: SystemTime, out: &mut Vec<u8>) {
        timestamp(out, at);
        put(out, format_args!(" {:5} {:7}", level_name(self.level).to_ascii_uppercase(), kind_name(self.kind)));
        if let Some(app) = self.app {
            out.push(b' ');
            escape_text(out, app);
        }
        out.extend_from_slice(if self.kind == Kind::Access { b" " } else { b": " });
        match self.extra {
            Extra::Access(record) => access_text(record, out),
            Extra::Fields(fields) => {
                let (message, cut) = shorten(self.message);
                escape_text(out, message);
                put_cut(out, cut);
                for (name, field) in fields {
                    put(out, format_args!(" {name}="));
                    escape_text(out, shorten(&field.text).0);
                }
            }
        }
        if let Some(request) = self.request {
            out.extend_from_slice(b" request_id=");
            escape_text(out, request);
        }
    }
}

fn access_json(record: &AccessRecord<'_>, out: &mut Vec<u8>) {
    member(out, ",\"method\":\"", record.method);
    member(out, ",\"host\":\"", record.host);
    member(out, ",\"path\":\"", record.path);
    // Without the machinery of formatting: this runs for every request.
    number(out, ",\"status\":", record.status.into());
    millis(out, ",\"duration_ms\":", record.duration);
    millis(out, ",\"cpu_ms\":", record.cpu);
    number(out, ",\"bytes_in\":", record.bytes_in);
    number(out, ",\"bytes_out\":", record.bytes_out);
    member(out, ",\"client\":\"", record.client);
    if let Some(error) = record.error {
        member(out, ",\"error\":\"", error.as_str());
    }
}

fn access_text(record: &AccessRecord<'_>, out: &mut Vec<u8>) {
    escape_text(out, record.method);
    out.push(b' ');
    escape_text(out, record.host);
    escape_text(out, record.path);
    number(out, " ", record.status.into());
    millis(out, " ", record.duration);
    millis(out, "ms cpu=", record.cpu);
    number(out, "ms in=", record.bytes_in);
    number(out, " out=", record.bytes_out);
    out.extend_from_slice(b" client=");
    out.extend_from_slice(record.client.as_bytes());
    if let Some(error) = record.error {
        put(out, format_args!(" error={error}"));
    }
}

#[inline]
fn number(out: &mut Vec<u8>, before: &str, number: u64) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Milliseconds, to the microsecond.
#[inline]
fn millis(out: &mut Vec<u8>, before: &str, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    number(out, before, micros / 1000);
    let [hundreds, tens, ones] = [100, 10, 1].map(|place| b'0' + (micros / place % 10) as u8);
    out.extend_from_slice(&[b'.', hundreds, tens, ones]);
}

/// RFC 3339 in UTC, to the microsecond. The date and time of the current second are made once a second and thread.
fn timestamp(out: &mut Vec<u8>, at: SystemTime) {
    thread_local! {
        static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != since.as_secs() {
            let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs());
            *text = humantime::format_rfc3339_seconds(whole).to_string();
            text.truncate(text.len() - "Z".len());
            *second = since.as_secs();
        }
        out.extend_from_slice(text.as_bytes());
    });
    let micros = since.subsec_micros();
    let digits = [100_000, 10_000, 1000, 100, 10, 1].map(|place| b'0' + (micros / place % 10) as u8);
    out.push(b'.');
    out.extend_from_slice(&digits);
    out.push(b'Z');
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Access => "access",
        Kind::Console => "console",
        Kind::Gateway => "gateway",
    }
}

fn put(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to memory does not fail");
}

/// A member that is text; `before` is all that stands before the text, in one piece.
#[inline]
fn member(out: &mut Vec<u8>, before: &str, value: &str) {
    out.extend_from_slice(before.as_bytes());
    escape_json(out, value);
    out.push(b'"');
}

/// The part of a text that is written, and the length of the whole where something is missing.
fn shorten(text: &str) -> (&str, Option<usize>) {
    if text.len() <= LONGEST {
        return (text, None);
    }
    (&text[..text.floor_char_boundary(LONGEST)], Some(text.len()))
}

fn put_cut(out: &mut Vec<u8>, whole: Option<usize>) {
    if let Some(whole) = whole {
        put(out, format_args!("… [cut: {whole} bytes in all]"));
    }
}

/// RFC 8259 §7, and besides it DEL and the C1 controls, which some terminals obey.
fn escape_json(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Nearly every text is plain, and a look without branches is many bytes at a time.
    let plain = |byte: u8| (0x20..0x7F).contains(&byte) & (byte != b'"') & (byte != b'\\');
    if bytes.iter().fold(true, |all, &byte| all & plain(byte)) {
        return out.extend_from_slice(bytes);
    }
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let c1 = byte == 0xC2 && bytes[at + 1] < 0xA0;
        if byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7F && !c1 {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        done = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0xC2 => {
                put(out, format_args!("\\u{:04x}", bytes[at + 1]));
                done += 1;
            }
            _ => put(out, format_args!("\\u{byte:04x}")),
        }
    }
    out.extend_from_slice(&bytes[done..]);
}

/// For people: a backslash stays, what is not to be seen is escaped as Rust would, and so are the characters that
/// break or reorder a line (Unicode's line separators and directional controls).
fn escape_text(out: &mut Vec<u8>, text: &str) {
    let mut done = 0;
    for (at, char) in text.char_indices() {
        let forges = matches!(char, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if !char.is_control() && !forges {
            continue;
        }
        out.extend_from_slice(&text.as_bytes()[done..at]);
        done = at + char.len_utf8();
        put(out, format_args!("{}", char.escape_debug()));
    }
    out.extend_from_slice(&text.as_bytes()[done..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ErrorCode, RequestId};
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn console(message: &str) -> Line<'_> {
        let extra = Extra::Fields(&[]);
        Line { level: Level::Warn, kind: Kind::Console, app: Some("shop"), request: Some("r1"), message, extra }
    }

    fn render(line: &Line<'_>, format: LogFormat) -> String {
        let mut out = Vec::new();
        line.render(format, SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_042), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_console_line_has_the_common_members() {
        let text = render(&console("hi"), LogFormat::Json);
        let value: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "timestamp": "2023-11-14T22:13:20.000042Z", "level": "warn", "kind": "console", "app": "shop",
            "request_id": "r1", "message": "hi",
        });
        assert_eq!(value, expected);
        assert!(text.ends_with("}\n"));
    }

    fn record<'a>(id: &'a RequestId, path: &'a str) -> AccessRecord<'a> {
        AccessRecord {
            app: None,
            request_id: id,
            method: "GET",
            host: "a.example",
            path,
            status: 404,
            duration: Duration::from_micros(1_234),
            cpu: Duration::from_nanos(60_999),
            bytes_in: 0,
            bytes_out: 17,
            client: "::1",
            error: Some(ErrorCode::NoRoute),
        }
    }

    #[test]
    fn an_access_line_has_all_its_members() {
        let id = RequestId::parse(&HeaderValue::from_static("id-1")).unwrap();
        let record = record(&id, "/a\"b");
        let line = Line {
            level: Level::Info,
            kind: Kind::Access,
            app: None,
            request: Some("id-1"),
            message: "request",
            extra: Extra::Access(&record),
        };
        let value: Value = serde_json::from_str(&render(&line, LogFormat::Json)).unwrap();
        let expected = json!({
            "timestamp": "2023-11-14T22:13:20.000042Z", "level": "info", "kind": "access", "request_id": "id-1",
            "message": "request", "method": "GET", "host": "a.example", "path": "/a\"b", "status": 404,
            "duration_ms": 1.234, "cpu_ms": 0.060, "bytes_in": 0, "bytes_out": 17, "client": "::1",
            "error": "no_route",
        });
        assert_eq!(value, expected);
        assert_eq!(
            render(&line, LogFormat::Text),
            "2023-11-14T22:13:20.000042Z INFO  access  GET a.example/a\"b 404 1.234ms cpu=0.060ms in=0 out=17 \
             client=::1 error=no_route request_id=id-1\n"
        );
    }

    #[test]
    fn fields_are_members_of_their_own() {
        let fields = [("lines", Field::number(3)), ("why", Field::text("a \"b\"\n"))];
        let extra = Extra::Fields(&fields);
        let line = Line { level: Level::Error, kind: Kind::Gateway, app: None, request: None, message: "m", extra };
        let value: Value = serde_json::from_str(&render(&line, LogFormat::Json)).unwrap();
        assert_eq!((&value["lines"], &value["why"]), (&json!(3), &json!("a \"b\"\n")));
        assert_eq!(
            render(&line, LogFormat::Text),
            "2023-11-14T22:13:20.000042Z ERROR gateway: m lines=3 why=a \"b\"\\n\n"
        );
    }

    #[test]
    fn a_long_message_is_cut_between_characters_and_says_so() {
        let long = format!("{}é{}", "x".repeat(LONGEST - 1), "y".repeat(100));
        let value: Value = serde_json::from_str(&render(&console(&long), LogFormat::Json)).unwrap();
        let expected = format!("{}… [cut: {} bytes in all]", "x".repeat(LONGEST - 1), long.len());
        assert_eq!(value["message"], Value::String(expected));
    }

    #[test]
    fn text_shows_no_terminal_sequences_and_no_forged_lines() {
        let text = render(&console("a\n2023 ERROR\u{1b}[31m\u{9b}x\u{202e}\u{2028}\rz"), LogFormat::Text);
        let expected = "2023-11-14T22:13:20.000042Z WARN  console shop: \
                        a\\n2023 ERROR\\u{1b}[31m\\u{9b}x\\u{202e}\\u{2028}\\rz request_id=r1\n";
        assert_eq!(text, expected);
    }

    proptest! {
        #[test]
        fn json_gives_back_any_message_on_one_line(message in any::<String>()) {
            let text = render(&console(&message), LogFormat::Json);
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["message"].as_str().unwrap(), message);
            prop_assert!(!text[..text.len() - 1].chars().any(char::is_control));
        }

        #[test]
        fn text_is_one_line_whatever_the_message(message in any::<String>()) {
            let text = render(&console(&message), LogFormat::Text);
            prop_assert!(!text[..text.len() - 1].chars().any(char::is_control));
        }
    }
}
