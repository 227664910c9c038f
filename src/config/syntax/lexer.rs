//! Reads a file token by token before the parser does: finds braces and strings that are not closed, KDL 1 habits,
//! and words that need quotes, and says so better than a grammar can. What it reports it also mends, byte for byte,
//! in a copy: so the rest of the file is still parsed and its errors come in the same report, at their true places.

mod blocks;

use blocks::{Block, Suspect};

use crate::config::Context;
use crate::config::report::Problem;
use crate::config::source::Span;

/// Blocks and comments may nest so deep; the grammar needs four.
const DEEPEST: usize = 32;

/// Reports what is wrong and returns the text with it mended, or `None` where the rest would make no sense.
pub(super) fn mend(cx: &Context, file: usize, text: &str) -> Option<String> {
    let mut lexer = Lexer {
        cx,
        file,
        text,
        at: 0,
        mended: text.as_bytes().to_vec(),
        last: Last::Start,
        last_end: 0,
        slashdash: false,
        blocks: Vec::new(),
        suspect: None,
        early: None,
        closed_last: None,
    };
    lexer.characters();
    lexer.run().ok()?;
    lexer.end().ok()?;
    String::from_utf8(lexer.mended).ok()
}

/// Nothing after this point can be understood.
struct Lost;

/// What the last token of the node was.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// None: a name must follow.
    Start,
    /// The node's name, or a type before it.
    Name,
    /// An argument that could also be a property's name.
    Argument,
    /// `=`
    Equals,
    /// The value of a property.
    Property,
    /// `(type)`, and what was before it.
    Type(Before),
    /// `}`
    Close,
}

#[derive(Clone, Copy, PartialEq)]
enum Before {
    Name,
    Argument,
    Property,
}

struct Lexer<'a> {
    cx: &'a Context,
    file: usize,
    text: &'a str,
    at: usize,
    mended: Vec<u8>,
    last: Last,
    last_end: usize,
    /// Whether the next part of a node is commented out: after `/-`
    slashdash: bool,
    blocks: Vec<Block>,
    /// Where a brace was probably forgotten.
    suspect: Option<Suspect>,
    /// A `}` after which nodes are indented as if still inside: one too many, perhaps.
    early: Option<usize>,
    /// The last `}`.
    closed_last: Option<usize>,
}

fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}')
}

fn is_space(c: char) -> bool {
    c.is_whitespace() && !is_newline(c) || c == '\u{feff}'
}

/// Code points KDL 2 refuses everywhere: controls, and those that change the direction of text.
fn is_refused(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start, end }
    }

    fn report(&self, start: usize, end: usize, message: impl Into<String>, label: &str, help: impl Into<String>) {
        let help = help.into();
        let problem = Problem::error(message).at(self.span(start, end), label);
        self.cx.push(if help.is_empty() { problem } else { problem.help(help) });
    }

    /// Reports, and keeps whatever the decoder might say of the same place to itself.
    fn report_blind(&self, start: usize, end: usize, message: impl Into<String>, label: &str, help: impl Into<String>) {
        self.report(start, end, message, label, help);
        self.cx.blind(self.span(start, end));
    }

    fn mend(&mut self, start: usize, end: usize, with: u8) {
        self.mended[start..end].fill(with);
    }

    /// Puts something of the same length in quotes, so that the parser sees some string.
    fn mend_quoted(&mut self, start: usize, end: usize) {
        if end - start < 2 {
            return self.mend(start, end, b'0');
        }
        self.mend(start, end, b'_');
        self.mended[start] = b'"';
        self.mended[end - 1] = b'"';
    }

    fn characters(&mut self) {
        let text = self.text;
        for (at, c) in text.char_indices().filter(|&(at, c)| is_refused(c) && !(at == 0 && c == '\u{feff}')) {
            let end = at + c.len_utf8();
            let name = format!("the invisible character U+{:04X} is not allowed", u32::from(c));
            let help = format!("delete it; in a string it can be written \\u{{{:X}}}", u32::from(c));
            self.report_blind(at, end, name, "here", help);
            self.mend(at, end, b'_');
        }
    }

    fn run(&mut self) -> Result<(), Lost> {
        while let Some(c) = self.rest().chars().next() {
            let start = self.at;
            if self.last == Last::Start && !c.is_whitespace() && !matches!(c, '/' | '}' | '{' | ';' | '\\') {
                self.node(start);
            }
            match c {
                c if is_newline(c) => {
                    self.at += c.len_utf8();
                    if !self.slashdash {
                        self.last = Last::Start;
                    }
                    continue;
                }
                c if is_space(c) => {
                    self.at += c.len_utf8();
                    continue;
                }
                '/' if self.rest().starts_with("//") => {
                    self.line_comment();
                    continue;
                }
                '/' if self.rest().starts_with("/*") => {
                    self.block_comment()?;
                    continue;
                }
                '/' if self.rest().starts_with("/-") => {
                    self.at += 2;
                    self.slashdash = true;
                    if self.last == Last::Close {
                        self.last = Last::Property;
                    }
                    continue;
                }
                ';' => {
                    self.at += 1;
                    self.last = Last::Start;
                }
                '\\' if self.continues_line() => continue,
                '{' => self.open()?,
                '}' => self.close()?,
                _ if self.last == Last::Close => {
                    let help = "a node ends with its block: begin the next one on a line of its own";
                    self.report(
                        start,
                        start + c.len_utf8(),
                        "something follows a closing `}`",
                        "not expected here",
                        help,
                    );
                    return Err(Lost);
                }
                '"' => self.string()?,
                '#' => self.hash()?,
                '(' => self.annotation()?,
                '=' => self.equals()?,
                '[' | ']' | ',' | ')' => self.stray(c),
                _ => self.word(),
            }
            self.slashdash = false;
            self.last_end = self.at;
        }
        Ok(())
    }

    /// A value or a name has been read.
    fn value(&mut self) {
        self.last = match self.last {
            Last::Start | Last::Type(Before::Name) => Last::Name,
            Last::Equals | Last::Type(Before::Property) => Last::Property,
            _ => Last::Argument,
        };
    }

    fn line_comment(&mut self) {
        self.at += self.rest().find(is_newline).unwrap_or(self.rest().len());
    }

    fn block_comment(&mut self) -> Result<(), Lost> {
        let start = self.at;
        let mut depth = 0;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
            } else if let Some(c) = rest.chars().next() {
                self.at += c.len_utf8();
            } else {
                self.report(start, start + 2, "this comment is never closed", "opened here", "close it with */");
                return Err(Lost);
            }
            if depth == 0 {
                return Ok(());
            }
            if depth > DEEPEST {
                self.report(self.at - 2, self.at, "comments are nested too deep", "here", "");
                return Err(Lost);
            }
        }
    }

    /// `\` and the line's end: the node goes on.
    fn continues_line(&mut self) -> bool {
        let after = self.rest()[1..].trim_start_matches(is_space);
        let newline = after.starts_with(is_newline);
        if !(newline || after.is_empty() || after.starts_with("//")) {
            return false;
        }
        self.at = self.text.len() - after.len();
        if !newline {
            self.line_comment();
        }
        self.at +=
            if self.rest().starts_with("\r\n") { 2 } else { self.rest().chars().next().map_or(0, char::len_utf8) };
        true
    }

    fn string(&mut self) -> Result<(), Lost> {
        let start = self.at;
        let multiline = self.rest().starts_with("\"\"\"");
        let quote = if multiline { "\"\"\"" } else { "\"" };
        self.at += quote.len();
        let begins_on_line = multiline && !self.rest().starts_with(is_newline);
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                break;
            }
            match rest.chars().next() {
                Some('\\') => self.escape(start),
                Some(c) if multiline || !is_newline(c) => self.at += c.len_utf8(),
                _ if multiline => {
                    let help = "close it with \"\"\" on a line of its own";
                    self.report(start, start + 3, "this string is never closed", "opened here", help);
                    return Err(Lost);
                }
                _ => {
                    self.unclosed(start);
                    break;
                }
            }
        }
        if begins_on_line {
            let help = "of one line: \"…\"; of several: a new line after the first \"\"\" and before the last";
            let message = "text follows \"\"\" on the same line";
            self.report_blind(start, self.at, message, "expected a new line after \"\"\"", help);
            self.mend_quoted(start, self.at);
        }
        self.value();
        self.separate();
        Ok(())
    }

    /// A string that began at `start` and is not closed on its line: it was meant to end there, or before a `{`.
    fn unclosed(&mut self, start: usize) {
        let line = self.text[start..self.at].trim_end();
        let end = start + line.strip_suffix('{').map_or(line, str::trim_end).len();
        self.report_blind(
            start,
            end,
            "this string is never closed",
            "opened here",
            "close it with \" on the same line",
        );
        self.mend_quoted(start, end);
        self.at = end;
    }

    /// A backslash in a string that began at `string`.
    fn escape(&mut self, string: usize) {
        let at = self.at;
        let rest = &self.rest()[1..];
        let after = rest.trim_start_matches(char::is_whitespace);
        if after.len() < rest.len() {
            self.at = self.text.len() - after.len();
            return;
        }
        let Some(c) = rest.chars().next() else {
            self.at += 1;
            return;
        };
        self.at += 1 + c.len_utf8();
        if matches!(c, 'n' | 'r' | 't' | 'b' | 'f' | 's' | '"' | '\\') {
            return;
        }
        let digits = rest.strip_prefix("u{").and_then(|rest| rest.split_once('}')).map(|(digits, _)| digits);
        if let (true, Some(digits)) = (c == 'u', digits)
            && digits.len() <= 6
            && u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).is_some()
        {
            return;
        }
        let message = format!("`\\{c}` is no escape");
        let help = "write a backslash as \\\\, or the string raw: #\"…\"#";
        self.report(at, self.at, message, "not understood", help);
        self.cx.blind(self.span(string, self.at));
        self.mend(at, at + 1, b'_');
    }

    /// After a string: what follows must be apart from it.
    fn separate(&mut self) {
        let at = self.at;
        match self.rest().chars().next() {
            Some(',') => self.comma(at),
            Some(c) if c == '"' || c == '#' || c == '(' || c.is_alphanumeric() => {
                let end = at + c.len_utf8();
                self.report_blind(at - 1, end, "a space is missing", "between these two", "");
                // Both ends are lost to the decoder anyway: what stands before becomes one string with it.
            }
            _ => {}
        }
    }

    fn comma(&mut self, at: usize) {
        self.report(at, at + 1, "values are not separated by commas", "delete this", "a space is enough: \"a\" \"b\"");
        self.mend(at, at + 1, b' ');
        self.at = at + 1;
    }

    fn stray(&mut self, c: char) {
        let at = self.at;
        self.at += 1;
        match c {
            ',' => self.comma(at),
            ')' => {
                self.report(at, at + 1, "this `)` closes nothing", "here", "");
                self.mend(at, at + 1, b' ');
            }
            _ => {
                let help = "a list is its values one after another: \"a\" \"b\"";
                self.report(at, at + 1, "there are no brackets in KDL", "delete this", help);
                self.mend(at, at + 1, b' ');
            }
        }
    }

    /// `#"raw"#` or a keyword.
    fn hash(&mut self) -> Result<(), Lost> {
        let start = self.at;
        let hashes = self.rest().len() - self.rest().trim_start_matches('#').len();
        let after = &self.rest()[hashes..];
        if after.starts_with('"') {
            let quotes = if after.starts_with("\"\"\"") { 3 } else { 1 };
            let close = "\"".repeat(quotes) + &"#".repeat(hashes);
            let Some(length) = after[quotes..].find(&close) else {
                let help = format!("close it with {close}");
                self.report(start, start + hashes + quotes, "this raw string is never closed", "opened here", help);
                return Err(Lost);
            };
            self.at += hashes + quotes + length + close.len();
            self.value();
            self.separate();
            return Ok(());
        }
        let word = self.take_word();
        if !matches!(word, "#true" | "#false" | "#null" | "#nan" | "#inf" | "#-inf") {
            let help = "the words with # are #true, #false and #null";
            self.report_blind(
                start,
                self.at,
                format!("`{word}` is not a value"),
                "expected #true, #false or #null",
                help,
            );
            self.mend_quoted(start, self.at);
        }
        self.value();
        Ok(())
    }

    fn annotation(&mut self) -> Result<(), Lost> {
        let start = self.at;
        let end = self.rest().find(|c: char| c == ')' || is_newline(c) || c == '{' || c == '"');
        let closed = end.filter(|&end| self.rest()[end..].starts_with(')'));
        let Some(end) = closed else {
            let help = "a type before a value is written (file)\"…\"";
            self.report(start, start + 1, "this `(` is never closed", "opened here", help);
            return Err(Lost);
        };
        let inside = self.rest()[1..end].trim();
        let plain = !inside.is_empty() && inside.chars().all(|c| c.is_ascii_alphabetic() || c == '-' || c == '_');
        self.at += end + 1;
        let before = match self.last {
            Last::Start => Before::Name,
            Last::Equals => Before::Property,
            Last::Type(_) | Last::Close => return self.no_value_after_type(start),
            Last::Name | Last::Argument | Last::Property => Before::Argument,
        };
        let next = self.rest().trim_start_matches(is_space).chars().next();
        if !plain || next.is_none_or(|c| is_newline(c) || matches!(c, ';' | '{' | '}' | '(' | ')' | '=' | '\\')) {
            return self.no_value_after_type(start);
        }
        self.last = Last::Type(before);
        Ok(())
    }

    fn no_value_after_type(&mut self, start: usize) -> Result<(), Lost> {
        let help = "the types are (file) and (env), right before a string: (file)\"/run/secrets/key\"";
        self.report(start, self.at, "this type stands before no value", "expected (file)\"…\" or (env)\"…\"", help);
        Err(Lost)
    }

    fn equals(&mut self) -> Result<(), Lost> {
        let at = self.at;
        self.at += 1;
        let next = self.rest().trim_start_matches(is_space).chars().next();
        let no_value = next.is_none_or(|c| is_newline(c) || matches!(c, ';' | '{' | '}' | '=' | ')'));
        match self.last {
            Last::Name => {
                let name =
                    self.text[..at].trim_end().rsplit(|c: char| c.is_whitespace() || c == '{' || c == ';').next();
                let name = name.unwrap_or_default().to_owned();
                let help = format!("a node's value follows its name after a space: {name} \"…\"");
                self.report(at, at + 1, format!("no `=` follows the name `{name}`"), "delete this", help);
                self.mend(at, at + 1, b' ');
                Ok(())
            }
            Last::Argument if no_value => {
                let word = self.text[..at].trim_end();
                let start = word.rfind(|c: char| c.is_whitespace()).map_or(0, |space| space + 1);
                let start = self.text.ceil_char_boundary(start);
                self.report_blind(start, at + 1, "a value is missing after `=`", "expected key=value", "");
                self.mend(at, at + 1, b' ');
                Ok(())
            }
            Last::Argument => {
                self.last = Last::Equals;
                Ok(())
            }
            _ => {
                self.report(at, at + 1, "this `=` follows no property name", "expected key=value", "");
                Err(Lost)
            }
        }
    }

    /// A run of characters up to a space or a token's beginning.
    fn take_word(&mut self) -> &'a str {
        let start = self.at;
        let mut slash = false;
        while let Some(c) = self.rest().chars().next() {
            if c.is_whitespace() || matches!(c, '{' | '}' | '(' | ')' | ';' | '=' | '"') {
                break;
            }
            let rest = self.rest();
            let comment = rest.starts_with("//") || rest.starts_with("/*");
            if comment && self.at > start && !slash && !self.text[start..self.at].ends_with(':') {
                break;
            }
            slash |= c == '/';
            self.at += c.len_utf8();
        }
        &self.text[start..self.at]
    }

    fn word(&mut self) {
        let start = self.at;
        let raw = self.rest().strip_prefix('r').map(|rest| rest.trim_start_matches('#').starts_with('"'));
        if raw == Some(true) {
            self.report(
                start,
                start + 1,
                "this is a raw string of KDL 1",
                "delete this `r`",
                "raw strings are written #\"…\"#",
            );
            self.mend(start, start + 1, b' ');
            self.at += 1;
            return;
        }
        let word = self.take_word();
        let mut end = self.at;
        let bare = word.trim_end_matches(',');
        if bare.len() < word.len() && !bare.is_empty() {
            end = start + bare.len();
            self.comma(end);
            self.mend(end, start + word.len(), b' ');
            self.at = start + word.len();
        }
        let digits = bare.trim_start_matches(['+', '-', '.']);
        if matches!(bare, "true" | "false" | "null" | "inf" | "-inf" | "nan") {
            let message = format!("`{bare}` is written `#{bare}`");
            let help = "KDL 2 puts a # before true, false and null";
            self.report_blind(start, end, message, &format!("expected #{bare}"), help);
            self.mend_quoted(start, end);
        } else if digits.starts_with(|c: char| c.is_ascii_digit()) && !is_number(bare)
            || bare.contains(['/', '\\', '[', ']', '#'])
        {
            let message = format!("`{bare}` needs quotes");
            self.report_blind(
                start,
                end,
                message,
                &format!("expected \"{bare}\""),
                "only plain words and numbers go without",
            );
            self.mend_quoted(start, end);
        }
        if self.rest().starts_with('"') {
            self.report_blind(self.at - 1, self.at + 1, "a space is missing", "between these two", "");
        }
        self.value();
    }
}

/// Whether a bare word is a number of KDL 2 §3.14–3.18.
fn is_number(word: &str) -> bool {
    let digits = |text: &str, radix: u32| {
        text.starts_with(|c: char| c.is_digit(radix)) && text.chars().all(|c| c.is_digit(radix) || c == '_')
    };
    let word = word.strip_prefix(['+', '-']).unwrap_or(word);
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = word.strip_prefix(prefix) {
            return digits(rest, radix);
        }
    }
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (word, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole, 10) && fraction.is_none_or(|text| digits(text, 10)) && exponent.is_none_or(|text| digits(text, 10))
}
