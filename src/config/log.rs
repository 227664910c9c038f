//! `log`: nano's own log.

use std::path::PathBuf;

use super::decode::Fields;
use super::global::only;
use super::source::Spanned;
use super::value::Value;

/// Words for a level.
pub(super) const LEVELS: [(&str, Level); 4] =
    [("debug", Level::Debug), ("info", Level::Info), ("warn", Level::Warn), ("error", Level::Error)];

/// `log`
#[derive(Debug, Default)]
pub struct Log {
    /// `level`
    pub level: Option<Spanned<Level>>,
    /// `access`
    pub access: Option<Spanned<bool>>,
    /// `file`
    pub files: Vec<File>,
    /// `stdout`
    pub stdout: Vec<Stdout>,
    /// `syslog`
    pub syslog: Vec<Syslog>,
}

/// A file that rotates.
#[derive(Debug)]
pub struct File {
    /// Its path.
    pub path: Spanned<PathBuf>,
    /// `rotate`
    pub rotate: Option<Spanned<Rotate>>,
    /// `max-size`, in bytes
    pub max_size: Option<Spanned<u64>>,
    /// `keep`
    pub keep: Option<Spanned<usize>>,
    /// `compress`
    pub compress: Option<Spanned<bool>>,
}

/// Standard output.
#[derive(Debug)]
pub struct Stdout {
    /// `format`
    pub format: Option<Spanned<LogFormat>>,
    /// The node's name.
    pub span: super::Span,
}

/// The system's log.
#[derive(Debug)]
pub struct Syslog {
    /// Its socket.
    pub socket: Spanned<PathBuf>,
}

impl Log {
    pub(super) fn decode(mut fields: Fields<'_>) -> Self {
        let log = Self {
            level: fields.child("level").and_then(|fields| only(fields, "a level", |value| value.word(&LEVELS))),
            access: fields.child("access").and_then(|fields| only(fields, "#true or #false", Value::bool)),
            files: fields.children("file").into_iter().filter_map(File::decode).collect(),
            stdout: fields.children("stdout").into_iter().map(Stdout::decode).collect(),
            syslog: fields.children("syslog").into_iter().filter_map(Syslog::decode).collect(),
        };
        fields.finish();
        log
    }
}

impl File {
    fn decode(mut fields: Fields<'_>) -> Option<Self> {
        let path = fields.argument("a path").and_then(|value| value.path("a path"));
        let words = [("never", Rotate::Never), ("hourly", Rotate::Hourly), ("daily", Rotate::Daily)];
        let rotate = fields.property("rotate").and_then(|value| value.word(&words));
        let max_size = fields.property("max-size").and_then(|value| value.size(64 << 10..=1 << 40));
        let keep = fields.property("keep").and_then(|value| value.count(0..=10_000));
        let compress = fields.property("compress").and_then(|value| value.bool());
        fields.finish();
        Some(Self { path: path?, rotate, max_size, keep, compress })
    }
}

impl Stdout {
    fn decode(mut fields: Fields<'_>) -> Self {
        let words = [("json", LogFormat::Json), ("text", LogFormat::Text)];
        let format = fields.property("format").and_then(|value| value.word(&words));
        let span = fields.name_span();
        fields.finish();
        Self { format, span }
    }
}

impl Syslog {
    fn decode(fields: Fields<'_>) -> Option<Self> {
        only(fields, "the path of its socket", |value| value.path("a path such as \"/dev/log\""))
            .map(|socket| Self { socket })
    }
}

/// Severity of a log line, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `console.debug`.
    Debug,
    /// `console.log`, `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`.
    Error,
}

/// How a sink writes a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Text,
}

/// When a log file rotates by time (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotate {
    /// By size alone.
    Never,
    /// On the hour.
    Hourly,
    /// At midnight.
    Daily,
}
