//! One value of the config, read as what it should be: a string, a count, a size, a duration, a rate, a word of a
//! few. Whatever it is not is reported with what was expected.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use kdl::{KdlEntry, KdlValue};

use super::decode::{nearest, span_of};
use super::report::Problem;
use super::rule::Rule;
use super::source::{Span, Spanned};
use super::{Context, file};

/// A secret file is a key or a password; more MiB than this are a mistake.
const LARGEST_SECRET: u64 = 1;

/// A value in its place, not yet read.
pub(super) struct Value<'a> {
    pub(super) cx: &'a Context,
    pub(super) place: String,
    pub(super) entry: &'a KdlEntry,
    pub(super) span: Span,
}

/// A string of the config, or one that a file or the environment holds and nobody may see.
#[derive(Debug, Clone)]
pub enum Text {
    /// Written in the config.
    Plain(String),
    /// Read from where `(file)` or `(env)` pointed.
    Secret(Secret),
}

/// A string that is never logged or shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The string itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

impl Text {
    /// The string itself, secret or not.
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

impl<'a> Value<'a> {
    fn spanned<T>(&self, value: T) -> Option<Spanned<T>> {
        Some(Spanned { value, span: self.span })
    }

    fn wrong<T>(&self, message: impl Into<String>, expected: &str, help: Option<String>) -> Option<T> {
        self.cx.push(Problem::error(message).at(self.span, format!("expected {expected}")).maybe_help(help));
        None
    }

    /// What was written, as a noun: "the number 5".
    fn found(&self) -> String {
        match self.entry.value() {
            KdlValue::String(text) => format!("the string {text:?}"),
            KdlValue::Integer(number) => format!("the number {number}"),
            KdlValue::Float(number) => format!("the number {number}"),
            KdlValue::Bool(value) => format!("#{value}"),
            KdlValue::Null => "#null".to_owned(),
        }
    }

    fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        let help = match self.entry.value() {
            KdlValue::Integer(number) if expected.starts_with("a size") => {
                let size = match u64::try_from(*number) {
                    Ok(bytes) if bytes >= 1 << 16 => show_size(bytes),
                    _ => format!("{number}MiB"),
                };
                Some(format!("with a unit, in quotes: \"{size}\""))
            }
            KdlValue::Integer(number) if expected.starts_with("a duration") => {
                Some(format!("with a unit, in quotes: \"{number}s\""))
            }
            KdlValue::Integer(number) if expected.starts_with("a rate") => {
                Some(format!("with a unit, in quotes: \"{number}/s\""))
            }
            KdlValue::Integer(number) if expected.starts_with("a string, ") || expected.contains("name") => {
                Some(format!("in quotes: \"{number}\""))
            }
            KdlValue::String(text) if expected.starts_with("a whole number") && text.parse::<i128>().is_ok() => {
                Some(format!("without quotes: {text}"))
            }
            KdlValue::String(text) if expected.starts_with("#true") => match text.as_str() {
                "true" | "yes" | "on" => Some("without quotes: #true".to_owned()),
                "false" | "no" | "off" => Some("without quotes: #false".to_owned()),
                _ => None,
            },
            _ => None,
        };
        self.wrong(format!("{} cannot stand here", self.found()), expected, help)
    }

    fn no_type(&self) {
        if let Some(ty) = self.entry.ty() {
            let problem = Problem::error(format!("({}) cannot stand here", ty.value()))
                .at(span_of(self.span.file, ty.span()), "not expected here")
                .help("(file) and (env) are for values of `env`, for `token` and for `store`");
            self.cx.push(problem);
        }
    }

    fn text(&self, expected: &str) -> Option<&'a str> {
        self.no_type();
        match self.entry.value() {
            KdlValue::String(text) => Some(text),
            _ => self.wrong_type(expected),
        }
    }

    /// A string, not empty.
    pub(super) fn string(&self, expected: &str) -> Option<Spanned<String>> {
        let text = self.text(expected)?;
        if text.is_empty() {
            return self.wrong("an empty string cannot stand here", expected, None);
        }
        self.spanned(text.to_owned())
    }

    /// A path; a relative one starts at the folder of the file it is written in.
    pub(super) fn path(&self, expected: &str) -> Option<Spanned<PathBuf>> {
        let text = self.string(expected)?;
        if text.value.contains('\0') {
            return self.wrong("a path cannot hold a NUL", expected, None);
        }
        let folder = self.cx.folder(self.span.file);
        self.spanned(folder.join(text.value))
    }

    /// `#true` or `#false`.
    pub(super) fn bool(&self) -> Option<Spanned<bool>> {
        self.no_type();
        match self.entry.value() {
            KdlValue::Bool(value) => {
                self.refuse_unavailable(if *value { "#true" } else { "#false" });
                self.spanned(*value)
            }
            _ => self.wrong_type("#true or #false"),
        }
    }

    /// Whether it is `#false`, for nodes where that says "none".
    pub(super) fn is_false(&self) -> bool {
        matches!(self.entry.value(), KdlValue::Bool(false))
    }

    /// A whole number within `range`.
    pub(super) fn count(&self, range: RangeInclusive<usize>) -> Option<Spanned<usize>> {
        self.no_type();
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let KdlValue::Integer(number) = self.entry.value() else {
            return self.wrong_type(&expected);
        };
        match usize::try_from(*number).ok().filter(|number| range.contains(number)) {
            Some(number) => self.spanned(number),
            None if *number < *range.start() as i128 => self.wrong(format!("{number} is too small"), &expected, None),
            None => self.wrong(format!("{number} is too large"), &expected, None),
        }
    }

    /// A size in bytes within `range`, such as `"128MiB"`.
    pub(super) fn size(&self, range: RangeInclusive<u64>) -> Option<Spanned<u64>> {
        let text = self.text("a size such as \"128MiB\"")?;
        let Some(bytes) = parse_size(text) else {
            let help = "a number and a unit: B, KiB, MiB, GiB, TiB (of 1024) or KB, MB, GB, TB (of 1000)";
            return self.wrong(format!("{text:?} is not a size"), "a size such as \"128MiB\"", Some(help.into()));
        };
        let bounds = format!("{} to {}", show_size(*range.start()), show_size(*range.end()));
        match u64::try_from(bytes).ok().filter(|bytes| range.contains(bytes)) {
            Some(bytes) => self.spanned(bytes),
            None if bytes < u128::from(*range.start()) => self.wrong(format!("{text:?} is too small"), &bounds, None),
            None => self.wrong(format!("{text:?} is too large"), &bounds, None),
        }
    }

    /// A duration within `range`, such as `"1m 30s"`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Spanned<Duration>> {
        let expected = "a duration such as \"500ms\", \"30s\" or \"5m\"";
        let text = self.text("a duration such as \"30s\"")?;
        let Ok(duration) = humantime::parse_duration(text) else {
            let lacks_unit = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
            let help = if lacks_unit {
                format!("it needs a unit: \"{text}s\" or \"{text}ms\"")
            } else {
                "a number and a unit: ms, s, m, h or day; several are added: \"1m 30s\"".to_owned()
            };
            return self.wrong(format!("{text:?} is not a duration"), expected, Some(help));
        };
        let show = |duration: &Duration| humantime::format_duration(*duration).to_string();
        let bounds = format!("{} to {}", show(range.start()), show(range.end()));
        if duration < *range.start() {
            let message = if duration.is_zero() {
                format!("{text:?} is no time at all")
            } else {
                format!("{text:?} is too short")
            };
            return self.wrong(message, &bounds, None);
        }
        if duration > *range.end() {
            return self.wrong(format!("{text:?} is too long"), &bounds, None);
        }
        self.spanned(duration)
    }

    /// Events per second, such as `"100/s"`, `"30/m"`.
    pub(super) fn rate(&self) -> Option<Spanned<f64>> {
        let expected = "a rate such as \"100/s\"";
        let text = self.text(expected)?;
        let rate = text.split_once('/').and_then(|(count, unit)| {
            let count = count.trim().parse::<u32>().ok().filter(|count| *count > 0)?;
            let seconds = match unit.trim() {
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
            Some(f64::from(count) / seconds)
        });
        match rate {
            Some(rate) => self.spanned(rate),
            None => {
                let help = "a whole number above 0, a slash, and s, m or h";
                self.wrong(format!("{text:?} is not a rate"), expected, Some(help.into()))
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<Spanned<T>> {
        let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
        let expected = either(&names);
        let text = self.text(&expected)?;
        match words.iter().find(|(name, _)| *name == text) {
            Some((name, value)) => {
                self.refuse_unavailable(name);
                self.spanned(*value)
            }
            None => {
                let help = nearest(text, &names).map(|name| format!("did you mean \"{name}\"?"));
                self.wrong(format!("{text:?} is not known here"), &expected, help)
            }
        }
    }

    /// An IP address and port.
    pub(super) fn address(&self) -> Option<Spanned<SocketAddr>> {
        let expected = "an IP address and a port such as \"127.0.0.1:8080\"";
        if let KdlValue::Integer(port) = self.entry.value() {
            let help = format!("with the address to listen on: \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for all");
            return self.wrong(format!("{port} is a port alone"), expected, Some(help));
        }
        let text = self.text(expected)?;
        if let Ok(address) = text.parse() {
            return self.spanned(address);
        }
        let help = match text.rsplit_once(':') {
            Some(("localhost", port)) => Some(format!("a name could mean several addresses: \"127.0.0.1:{port}\"")),
            Some(("" | "*", port)) => {
                Some(format!("for every address of the machine: \"0.0.0.0:{port}\" or \"[::]:{port}\""))
            }
            Some((_, port))
                if !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_err() =>
            {
                Some(format!("the port {port} is above 65535"))
            }
            _ if text.parse::<std::net::Ipv4Addr>().is_ok() => Some(format!("the port is missing: \"{text}:8080\"")),
            _ if text.parse::<std::net::Ipv6Addr>().is_ok() => {
                Some(format!("in brackets, with a port: \"[{text}]:8080\""))
            }
            _ => None,
        };
        self.wrong(format!("{text:?} is not an address"), expected, help)
    }

    /// A network such as `"10.0.0.0/8"`, or one address.
    pub(super) fn network(&self) -> Option<Spanned<ipnet::IpNet>> {
        let expected = "a network such as \"10.0.0.0/8\" or \"::1/128\"";
        let text = self.text(expected)?;
        let network = text.parse().or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()));
        match network {
            Ok(network) => self.spanned(network),
            Err(_) => self.wrong(format!("{text:?} is not a network"), expected, None),
        }
    }

    /// What `fetch` may name: a network, an address or a host, with or without a port.
    pub(super) fn rule(&self) -> Option<Spanned<Rule>> {
        let expected = "a network, a host, or a host and port, such as \"10.0.0.0/8\" or \"*.example.com:443\"";
        let text = self.string(expected)?.value;
        match text.parse() {
            Ok(rule) => self.spanned(rule),
            Err(error) => self.wrong(format!("{text:?} is not a rule: {error}"), expected, error.help()),
        }
    }

    /// When `scheduled()` runs: five fields, as crontab has them.
    pub(super) fn schedule(&self) -> Option<Spanned<String>> {
        let expected = "a schedule such as \"*/5 * * * *\"";
        let text = self.string(expected)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | ',' | '-' | '?');
        let fields = text.value.split_whitespace().filter(|field| field.chars().all(fits)).count();
        if fields == 5 && text.value.split_whitespace().count() == 5 {
            return Some(text);
        }
        let help = "five fields: minute, hour, day of the month, month, day of the week";
        self.wrong(format!("{:?} is not a schedule", text.value), expected, Some(help.into()))
    }

    /// A string that may be kept elsewhere: `(file)"/run/secrets/key"`, `(env)"KEY"`.
    pub(super) fn secret(&self, expected: &str) -> Option<Spanned<Text>> {
        let KdlValue::String(text) = self.entry.value() else {
            return self.wrong_type(expected);
        };
        let text = match self.entry.ty().map(|ty| ty.value()) {
            None => Text::Plain(text.clone()),
            Some("file") => Text::Secret(self.secret_file(text)?),
            Some("env") => Text::Secret(self.secret_variable(text)?),
            Some(other) => {
                let ty = self.entry.ty().map_or(self.span, |ty| span_of(self.span.file, ty.span()));
                let help = nearest(other, &["file", "env"]).map(|name| format!("did you mean ({name})?"));
                self.cx.push(
                    Problem::error(format!("unknown type ({other})")).at(ty, "expected file or env").maybe_help(help),
                );
                return None;
            }
        };
        self.spanned(text)
    }

    fn secret_file(&self, text: &str) -> Option<Secret> {
        let path = self.cx.folder(self.span.file).join(text);
        let shown = path.display();
        let bytes = match file::read(&path, LARGEST_SECRET) {
            Ok(bytes) => bytes,
            Err(error) => {
                return self.wrong(
                    format!("cannot read the secret: {}", plain(&error)),
                    "a file nano may read",
                    Some(format!("looked for {shown}")),
                );
            }
        };
        match String::from_utf8(bytes) {
            Ok(mut text) => {
                // Editors and `echo` end a file with a newline that is no part of the secret.
                if text.ends_with('\n') {
                    text.truncate(text.len() - if text.ends_with("\r\n") { 2 } else { 1 });
                }
                Some(Secret(text))
            }
            Err(_) => self.wrong("the secret is not UTF-8", "a text file", Some("encode it, in base64 say".into())),
        }
    }

    fn secret_variable(&self, name: &str) -> Option<Secret> {
        match std::env::var(name) {
            Ok(value) => Some(Secret(value)),
            Err(std::env::VarError::NotPresent) => self.wrong(
                format!("the environment variable {name} is not set"),
                "one that is set where nano starts",
                None,
            ),
            Err(std::env::VarError::NotUnicode(_)) => {
                self.wrong(format!("the environment variable {name} is not UTF-8"), "text", None)
            }
        }
    }
}

/// An I/O error without its number.
pub(crate) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// `"a", "b" or "c"`
fn either(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

const UNITS: [(&str, u128); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Bytes of `"128MiB"`; fractions such as `"1.5GiB"` are rounded down. `None` where it is no size at all.
fn parse_size(text: &str) -> Option<u128> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = (text[..at].trim_end(), &text[at..]);
    let (_, unit) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let whole = whole.parse::<u128>().ok()?.checked_mul(*unit)?;
    whole.checked_add(fraction.parse::<u128>().ok()? * unit / scale)
}

/// A size in the largest unit of 1024 that divides it: `128MiB`.
pub(crate) fn show_size(bytes: u64) -> String {
    let units = UNITS[..5].iter().rev();
    let fits = |unit: &&(&str, u128)| bytes != 0 && u128::from(bytes).is_multiple_of(unit.1);
    let (name, unit) = units.into_iter().find(fits).unwrap_or(&UNITS[0]);
    format!("{}{name}", u128::from(bytes) / unit)
}

#[cfg(test)]
mod tests {
    use super::{parse_size, show_size};

    #[test]
    fn sizes_are_read_in_either_kind_of_unit() {
        for (text, bytes) in [
            ("0B", Some(0)),
            ("128MiB", Some(128 << 20)),
            ("64 KiB", Some(64 << 10)),
            ("1.5GiB", Some(3 << 29)),
            ("10kb", Some(10_000)),
            ("1TB", Some(1_000_000_000_000)),
            ("99999999999999999999TiB", Some(99_999_999_999_999_999_999 << 40)),
            ("128", None),
            ("MiB", None),
            ("-1MiB", None),
            ("1e3MiB", None),
            ("1.MiB", None),
            ("128Mib ", None),
            ("128MiBs", None),
            ("999999999999999999999MiB", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_unit_that_divides_them() {
        for (bytes, text) in [(0, "0B"), (1, "1B"), (1 << 10, "1KiB"), (128 << 20, "128MiB"), (1_000_000, "1000000B")] {
            assert_eq!(show_size(bytes), text);
        }
    }
}
