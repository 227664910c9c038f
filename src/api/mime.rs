//! MIME types (MIME Sniffing §4), and what a Content-Type field says of them (Fetch §2.2.2 "extract a MIME type"). Time
//! and memory are linear in the text, which may be a stranger's.

use std::collections::HashSet;
use std::fmt;

use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::value;

/// `mime_extract(value)`: what a Content-Type field, its values joined by commas, says: `[essence, serialization,
/// boundary?]`; `undefined` if it names no type.
pub(super) fn mime_extract(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let mut buffer = value::buffer();
    let Some(text) = value::text(scope, &args, 0, &mut buffer) else { return };
    let Some(mime) = MimeType::extract(&text) else { return };
    let mut parts: [Local<'_, Value>; 3] = [v8::undefined(scope).into(); 3];
    let serialization = mime.to_string();
    let texts = [Some(mime.essence.as_str()), Some(serialization.as_str()), mime.parameter("boundary")];
    for (part, text) in parts.iter_mut().zip(texts) {
        let Some(text) = text else { continue };
        let Some(string) = v8::String::new(scope, text) else {
            return value::throw_range_error(scope, "the Content-Type is too long");
        };
        *part = string.into();
    }
    rv.set(v8::Array::new_with_elements(scope, &parts).into());
}

/// A MIME type record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MimeType {
    /// Type and subtype, in lower case.
    essence: String,
    /// In the order given, each name once and in lower case.
    parameters: Vec<(String, String)>,
}

impl MimeType {
    /// §4.4 "parse a MIME type".
    fn parse(input: &str) -> Option<Self> {
        let input = input.trim_matches(is_whitespace);
        let (kind, rest) = input.split_once('/')?;
        let (subtype, mut rest) = split_at_char(rest, ';');
        let subtype = subtype.trim_end_matches(is_whitespace);
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let essence = format!("{kind}/{subtype}").to_ascii_lowercase();
        let (mut parameters, mut seen) = (Vec::new(), HashSet::new());
        // `rest` begins with the semicolon before a parameter.
        while let Some(parameter) = rest.strip_prefix(';') {
            let parameter = parameter.trim_start_matches(is_whitespace);
            let end = parameter.find([';', '=']).unwrap_or(parameter.len());
            let (name, after) = parameter.split_at(end);
            let Some(text) = after.strip_prefix('=') else {
                rest = after;
                continue;
            };
            let value = if text.starts_with('"') {
                let (value, length) = quoted_string(text);
                rest = split_at_char(&text[length..], ';').1;
                value
            } else {
                let (value, after) = split_at_char(text, ';');
                rest = after;
                let value = value.trim_end_matches(is_whitespace);
                if value.is_empty() {
                    continue;
                }
                value.to_owned()
            };
            let name = name.to_ascii_lowercase();
            if is_token(&name) && value.chars().all(is_quotable) && seen.insert(name.clone()) {
                parameters.push((name, value));
            }
        }
        Some(Self { essence, parameters })
    }

    /// Fetch §2.2.2 "extract a MIME type", of a field's values joined by commas.
    pub(super) fn extract(values: &str) -> Option<Self> {
        let mut found: Option<Self> = None;
        let mut charset: Option<String> = None;
        for value in split(values) {
            let Some(mut mime) = Self::parse(value).filter(|mime| mime.essence != "*/*") else { continue };
            if found.as_ref().is_none_or(|found| found.essence != mime.essence) {
                charset = mime.parameter("charset").map(str::to_owned);
            } else if let Some(charset) = &charset
                && mime.parameter("charset").is_none()
            {
                mime.parameters.push(("charset".to_owned(), charset.clone()));
            }
            found = Some(mime);
        }
        found
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// §4.5 "serialize a MIME type".
impl fmt::Display for MimeType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.essence)?;
        for (name, value) in &self.parameters {
            if is_token(value) {
                write!(out, ";{name}={value}")?;
            } else {
                write!(out, ";{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))?;
            }
        }
        Ok(())
    }
}

/// Fetch §2.2.2 "get, decode, and split": at commas outside of quoted strings.
fn split(input: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(input);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut at = 0;
        loop {
            match text[at..].find(['"', ',']).map(|found| at + found) {
                None => {
                    rest = None;
                    return Some(text);
                }
                Some(quote) if text[quote..].starts_with('"') => at = quote + quoted_string(&text[quote..]).1,
                Some(comma) => {
                    rest = Some(&text[comma + 1..]);
                    return Some(&text[..comma]);
                }
            }
        }
    })
}

/// Fetch §2.2 "collect an HTTP quoted string": the value, and how much of `text`, which begins with a quote, it took.
fn quoted_string(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut at = 1;
    loop {
        let Some(found) = text[at..].find(['"', '\\']) else {
            value.push_str(&text[at..]);
            return (value, text.len());
        };
        value.push_str(&text[at..at + found]);
        at += found + 1;
        if text[..at].ends_with('"') {
            return (value, at);
        }
        match text[at..].chars().next() {
            Some(escaped) => {
                value.push(escaped);
                at += escaped.len_utf8();
            }
            None => {
                value.push('\\');
                return (value, at);
            }
        }
    }
}

/// `text` up to the first `separator`, and from there on.
fn split_at_char(text: &str, separator: char) -> (&str, &str) {
    text.split_at(text.find(separator).unwrap_or(text.len()))
}

/// HTTP whitespace.
fn is_whitespace(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' ')
}

/// Whether `text` is an HTTP token (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// HTTP quoted-string token code points.
fn is_quotable(c: char) -> bool {
    matches!(c, '\t' | '\x20'..='\x7e' | '\u{80}'..='\u{ff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn extracted(values: &str) -> Option<String> {
        MimeType::extract(values).map(|mime| mime.to_string())
    }

    #[test]
    fn types_are_parsed_and_written_as_mime_sniffing_says() {
        for (input, output) in [
            ("text/html;charset=gbk", Some("text/html;charset=gbk")),
            ("TEXT/HTML;CHARSET=GBK", Some("text/html;charset=GBK")),
            (" \t\r\ntext/html \n;\r charset=gbk ", Some("text/html;charset=gbk")),
            ("text/html;charset=gbk;charset=windows-1255", Some("text/html;charset=gbk")),
            ("text/html;charset=gbk(;charset=x", Some("text/html;charset=\"gbk(\"")),
            ("text/html;;;;charset=gbk", Some("text/html;charset=gbk")),
            ("text/html;charset", Some("text/html")),
            ("text/html;charset=", Some("text/html")),
            ("text/html;charset=\"\"", Some("text/html;charset=\"\"")),
            ("text/html;charset=\"gbk", Some("text/html;charset=gbk")),
            ("text/html;charset=\"\\g\\\"b\\", Some("text/html;charset=\"g\\\"b\\\\\"")),
            ("text/html;charset=\"shift_jis\"iso-2022-jp;a=b", Some("text/html;charset=shift_jis;a=b")),
            ("text/html;c=é", Some("text/html;c=\"é\"")),
            ("text/html;c=€;d=e", Some("text/html;d=e")),
            ("text/html ; a = b", Some("text/html")),
            ("text", None),
            ("text/", None),
            ("/html", None),
            ("te xt/html", None),
            ("text/ht ml", None),
            ("é/x", None),
            ("", None),
        ] {
            assert_eq!(MimeType::parse(input).map(|mime| mime.to_string()).as_deref(), output, "{input:?}");
        }
    }

    #[test]
    fn of_several_types_the_last_valid_one_counts() {
        for (input, output) in [
            ("text/plain;charset=gbk, text/html", Some("text/html")),
            ("text/html;charset=gbk;a=b, text/html;x=y", Some("text/html;x=y;charset=gbk")),
            ("text/html;charset=gbk, x/x, text/html;x=y", Some("text/html;x=y")),
            ("text/html, cannot-parse", Some("text/html")),
            ("text/html, */*", Some("text/html")),
            ("text/html, ", Some("text/html")),
            ("text/html;a=\"b,c/d\"", Some("text/html;a=\"b,c/d\"")),
            (", ,", None),
        ] {
            assert_eq!(extracted(input).as_deref(), output, "{input:?}");
        }
    }

    #[test]
    fn many_parameters_take_no_quadratic_time() {
        let text = (0..60_000).fold("a/b".to_owned(), |text, n| format!("{text};p{n}=1"));
        assert_eq!(MimeType::parse(&text).expect("a type").parameters.len(), 60_000);
    }

    proptest! {
        #[test]
        fn any_text_is_a_type_or_not(text in r#"[a-z/;="\\, \r\né€]*"#) {
            // What is written is read as the same type.
            if let Some(mime) = MimeType::extract(&text) {
                prop_assert_eq!(MimeType::extract(&mime.to_string()), Some(mime));
            }
        }
    }
}
