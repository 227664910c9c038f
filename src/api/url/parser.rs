//! The basic URL parser (URL Standard §4.4), state by state. It goes over the bytes of UTF-8: all that it looks for is
//! ASCII.

use std::borrow::Cow;

use super::host;
use super::percent::{self, Set};
use super::plain;
use super::record::{Record, default_port, is_drive, is_normalized_drive, is_special, starts_with_drive};

/// Where the parser is, and what a setter has it begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    SchemeStart,
    Scheme,
    NoScheme,
    SpecialRelativeOrAuthority,
    PathOrAuthority,
    Relative,
    RelativeSlash,
    SpecialAuthoritySlashes,
    SpecialAuthorityIgnoreSlashes,
    Authority,
    Host,
    Hostname,
    Port,
    File,
    FileSlash,
    FileHost,
    PathStart,
    Path,
    OpaquePath,
    Query,
    Fragment,
}

/// There is no such URL; of a setter, that it has changed nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure;

/// What a step comes to, if it is no failure.
enum Step {
    /// To the next code point, in this state.
    Next(State),
    /// The same code point again, in this state.
    Again(State),
    /// A setter has what it wanted.
    Done,
}

/// "Basic URL parser" of a whole URL.
pub(super) fn parse(input: &str, base: Option<Record>) -> Result<Record, Failure> {
    // What is plain is absolute.
    plain::record(input).map_or_else(|| parse_any(input, base), Ok)
}

/// "Basic URL parser" of a whole URL, for callers who know that it is not [`plain`], and tests.
pub(super) fn parse_any(input: &str, base: Option<Record>) -> Result<Record, Failure> {
    let input = input.trim_matches(|character: char| character <= ' ');
    let mut url = Record { path: String::with_capacity(input.len()), ..Record::default() };
    run(&without_breaks(input), base, &mut url, None)?;
    Ok(url)
}

/// "Basic URL parser" with a state override: changes a part of `url`.
pub(super) fn change(input: &str, url: &mut Record, state: State) -> Result<(), Failure> {
    run(&without_breaks(input), None, url, Some(state))
}

/// Step 3: "Remove all ASCII tab or newline from input."
fn without_breaks(input: &str) -> Cow<'_, str> {
    match memchr::memchr3(b'\t', b'\n', b'\r', input.as_bytes()) {
        Some(_) => input.replace(['\t', '\n', '\r'], "").into(),
        None => input.into(),
    }
}

/// Most segments of paths are no longer.
const BUFFER: usize = 64;

fn run(input: &str, base: Option<Record>, url: &mut Record, only: Option<State>) -> Result<(), Failure> {
    let mut parser = Parser {
        input,
        base,
        url,
        only,
        at: 0,
        buffer: String::with_capacity(BUFFER),
        from: 0,
        saw_at: false,
        is_in_brackets: false,
        saw_password: false,
    };
    let mut state = only.unwrap_or(State::SchemeStart);
    loop {
        let byte = input.as_bytes().get(parser.at).copied();
        match parser.step(state, byte)? {
            Step::Done => return Ok(()),
            Step::Again(next) => state = next,
            Step::Next(_) if byte.is_none() => return Ok(()),
            Step::Next(next) => {
                state = next;
                parser.at += 1;
            }
        }
    }
}

struct Parser<'a> {
    input: &'a str,
    /// None any more, once the URL has taken its parts.
    base: Option<Record>,
    url: &'a mut Record,
    /// The state override.
    only: Option<State>,
    /// "pointer"
    at: usize,
    /// "buffer" of the scheme and of path segments. That of other states is what lies between `from` and `at`.
    buffer: String,
    from: usize,
    /// "atSignSeen"
    saw_at: bool,
    /// "insideBrackets"
    is_in_brackets: bool,
    /// "passwordTokenSeen"
    saw_password: bool,
}

impl Parser<'_> {
    fn step(&mut self, state: State, byte: Option<u8>) -> Result<Step, Failure> {
        match state {
            State::SchemeStart => self.scheme_start(byte),
            State::Scheme => self.scheme(byte),
            State::NoScheme => self.no_scheme(byte),
            State::SpecialRelativeOrAuthority | State::SpecialAuthoritySlashes => {
                if self.rest().starts_with(b"//") {
                    self.at += 1;
                    return Ok(Step::Next(State::SpecialAuthorityIgnoreSlashes));
                }
                Ok(Step::Again(match state {
                    State::SpecialAuthoritySlashes => State::SpecialAuthorityIgnoreSlashes,
                    _ => State::Relative,
                }))
            }
            State::PathOrAuthority if byte == Some(b'/') => Ok(self.begin(State::Authority)),
            State::PathOrAuthority => Ok(Step::Again(State::Path)),
            State::Relative => Ok(self.relative(byte)),
            State::RelativeSlash => Ok(self.relative_slash(byte)),
            State::SpecialAuthorityIgnoreSlashes if matches!(byte, Some(b'/' | b'\\')) => Ok(Step::Next(state)),
            State::SpecialAuthorityIgnoreSlashes => {
                self.from = self.at;
                Ok(Step::Again(State::Authority))
            }
            State::Authority => self.authority(byte),
            State::Host | State::Hostname => self.host(state, byte),
            State::Port => self.port(byte),
            State::File => Ok(self.file(byte)),
            State::FileSlash => Ok(self.file_slash(byte)),
            State::FileHost => self.file_host(byte),
            State::PathStart => Ok(self.path_start(byte)),
            State::Path => Ok(self.path(byte)),
            State::OpaquePath => Ok(self.opaque_path(byte)),
            State::Query => Ok(self.query(byte)),
            State::Fragment => {
                percent::encode(&self.input[self.at..], &Set::FRAGMENT, self.url.fragment.get_or_insert_default());
                Ok(Step::Done)
            }
        }
    }

    /// What is to come, the current code point first.
    fn rest(&self) -> &[u8] {
        &self.input.as_bytes()[self.at..]
    }

    /// The buffer of the states that look for the end of a part.
    fn part(&self) -> &str {
        // Both are at ASCII characters, or at the ends.
        &self.input[self.from..self.at]
    }

    /// Goes on after this code point, with an empty buffer.
    fn begin(&mut self, state: State) -> Step {
        self.from = self.at + 1;
        Step::Next(state)
    }

    fn is_special_backslash(&self, byte: Option<u8>) -> bool {
        byte == Some(b'\\') && self.url.is_special()
    }

    /// Whether the part before a path ends here.
    fn ends_authority(&self, byte: Option<u8>) -> bool {
        matches!(byte, None | Some(b'/' | b'?' | b'#')) || self.is_special_backslash(byte)
    }

    /// Goes on to what may end the authority, or matters otherwise.
    fn skip(&mut self, matters: impl Fn(u8) -> bool) {
        let rest = self.rest();
        let ends = |byte: &u8| matches!(byte, b'/' | b'?' | b'#' | b'\\') || matters(*byte);
        // This one is none of them, a backslash aside.
        let length = rest.iter().skip(1).position(ends).map_or(rest.len(), |at| at + 1);
        self.at += length;
    }

    fn begin_query(&mut self) -> Step {
        self.url.query = Some(String::new());
        self.begin(State::Query)
    }

    fn begin_fragment(&mut self) -> Step {
        self.url.fragment = Some(String::new());
        self.begin(State::Fragment)
    }

    fn scheme_start(&mut self, byte: Option<u8>) -> Result<Step, Failure> {
        match byte {
            Some(letter) if letter.is_ascii_alphabetic() => {
                self.buffer.push(letter.to_ascii_lowercase().into());
                Ok(Step::Next(State::Scheme))
            }
            _ if self.only.is_none() => Ok(Step::Again(State::NoScheme)),
            _ => Err(Failure),
        }
    }

    fn scheme(&mut self, byte: Option<u8>) -> Result<Step, Failure> {
        match byte {
            Some(byte) if is_in_scheme(byte) => {
                let rest = self.rest();
                let length = rest.iter().position(|byte| !is_in_scheme(*byte)).unwrap_or(rest.len());
                self.buffer.push_str(&self.input[self.at..self.at + length]);
                self.buffer.make_ascii_lowercase();
                self.at += length;
                Ok(Step::Again(State::Scheme))
            }
            Some(b':') => Ok(self.end_scheme()),
            _ if self.only.is_none() => {
                self.buffer.clear();
                self.at = 0;
                Ok(Step::Again(State::NoScheme))
            }
            _ => Err(Failure),
        }
    }

    fn end_scheme(&mut self) -> Step {
        let scheme = self.buffer.clone();
        self.buffer.clear();
        if self.only.is_some() {
            let url = &mut *self.url;
            let is_kept = is_special(&scheme) != url.is_special()
                || scheme == "file" && (url.has_credentials() || url.port.is_some())
                || url.scheme == "file" && url.host.as_deref() == Some("");
            if !is_kept {
                url.scheme = scheme;
                url.port = url.port.filter(|port| default_port(&url.scheme) != Some(*port));
            }
            return Step::Done;
        }
        self.url.scheme = scheme;
        if self.url.scheme == "file" {
            Step::Next(State::File)
        } else if self.url.is_special() {
            Step::Next(match &self.base {
                Some(base) if base.scheme == self.url.scheme => State::SpecialRelativeOrAuthority,
                _ => State::SpecialAuthoritySlashes,
            })
        } else if self.rest().get(1) == Some(&b'/') {
            self.at += 1;
            Step::Next(State::PathOrAuthority)
        } else {
            self.url.is_opaque = true;
            Step::Next(State::OpaquePath)
        }
    }

    fn no_scheme(&mut self, byte: Option<u8>) -> Result<Step, Failure> {
        let base = self.base.as_ref().ok_or(Failure)?;
        if base.is_opaque {
            if byte != Some(b'#') {
                return Err(Failure);
            }
            *self.url = Record { fragment: None, ..self.base.take().unwrap_or_default() };
            return Ok(self.begin_fragment());
        }
        Ok(Step::Again(if base.scheme == "file" { State::File } else { State::Relative }))
    }

    fn relative(&mut self, byte: Option<u8>) -> Step {
        let Some(base) = &self.base else { return Step::Done };
        self.url.scheme.clone_from(&base.scheme);
        if byte == Some(b'/') || self.is_special_backslash(byte) {
            return Step::Next(State::RelativeSlash);
        }
        *self.url = Record { fragment: None, ..self.base.take().unwrap_or_default() };
        self.relative_to_path(byte, true)
    }

    /// What follows where a URL has the base's path and query.
    fn relative_to_path(&mut self, byte: Option<u8>, shortens: bool) -> Step {
        match byte {
            Some(b'?') => self.begin_query(),
            Some(b'#') => self.begin_fragment(),
            None => Step::Done,
            Some(_) => {
                self.url.query = None;
                if shortens {
                    self.url.shorten();
                } else {
                    self.url.path.clear();
                }
                Step::Again(State::Path)
            }
        }
    }

    fn relative_slash(&mut self, byte: Option<u8>) -> Step {
        if self.url.is_special() && matches!(byte, Some(b'/' | b'\\')) {
            return Step::Next(State::SpecialAuthorityIgnoreSlashes);
        }
        if byte == Some(b'/') {
            return self.begin(State::Authority);
        }
        if let Some(base) = &self.base {
            self.url.username.clone_from(&base.username);
            self.url.password.clone_from(&base.password);
            self.url.host.clone_from(&base.host);
            self.url.port = base.port;
        }
        Step::Again(State::Path)
    }

    fn authority(&mut self, byte: Option<u8>) -> Result<Step, Failure> {
        if byte == Some(b'@') {
            let part = &self.input[self.from..self.at];
            let url = &mut *self.url;
            if self.saw_at {
                if self.saw_password { &mut url.password } else { &mut url.username }.push_str("%40");
            }
            self.saw_at = true;
            let (name, password) = match part.split_once(':') {
                Some(parts) if !self.saw_password => {
                    self.saw_password = true;
                    (parts.0, parts.1)
                }
                _ if self.saw_password => ("", part),
                _ => (part, ""),
            };
            percent::encode(name, &Set::USERINFO, &mut url.username);
            percent::encode(password, &Set::USERINFO, &mut url.password);
            return Ok(self.begin(State::Authority));
        }
        if !self.ends_authority(byte) {
            self.skip(|byte| byte == b'@');
            return Ok(Step::Again(State::Authority));
        }
        if self.saw_at && self.from == self.at {
            return Err(Failure);
        }
        self.at = self.from;
        Ok(Step::Again(State::Host))
    }

    fn host(&mut self, state: State, byte: Option<u8>) -> Result<Step, Failure> {
        if self.only.is_some() && self.url.scheme == "file" {
            return Ok(Step::Again(State::FileHost));
        }
        if byte == Some(b':') && !self.is_in_brackets {
            if self.part().is_empty() || self.only == Some(State::Hostname) {
                return Err(Failure);
            }
            self.url.host = Some(host::parse(self.part(), !self.url.is_special()).ok_or(Failure)?);
            return Ok(self.begin(State::Port));
        }
        if self.ends_authority(byte) {
            let is_empty = self.part().is_empty();
            if is_empty && self.url.is_special() {
                return Err(Failure);
            }
            if is_empty && self.only.is_some() && (self.url.has_credentials() || self.url.port.is_some()) {
                return Err(Failure);
            }
            self.url.host = Some(host::parse(self.part(), !self.url.is_special()).ok_or(Failure)?);
            return Ok(if self.only.is_some() { Step::Done } else { Step::Again(State::PathStart) });
        }
        match byte {
            Some(b'[') => self.is_in_brackets = true,
            Some(b']') => self.is_in_brackets = false,
            _ => {
                self.skip(|byte| matches!(byte, b':' | b'[' | b']'));
                return Ok(Step::Again(state));
            }
        }
        Ok(Step::Next(state))
    }

    fn port(&mut self, byte: Option<u8>) -> Result<Step, Failure> {
        if byte.is_some_and(|byte| byte.is_ascii_digit()) {
            return Ok(Step::Next(State::Port));
        }
        if !self.ends_authority(byte) && self.only.is_none() {
            return Err(Failure);
        }
        if !self.part().is_empty() {
            let port: u16 = self.part().parse().map_err(|_| Failure)?;
            self.url.port = Some(port).filter(|_| default_port(&self.url.scheme) != Some(port));
            if self.only.is_some() {
                return Ok(Step::Done);
            }
        }
        if self.only.is_some() { Err(Failure) } else { Ok(Step::Again(State::PathStart)) }
    }

    fn file(&mut self, byte: Option<u8>) -> Step {
        "file".clone_into(&mut self.url.scheme);
        self.url.host = Some(String::new());
        match (byte, self.base.as_ref().filter(|base| base.scheme == "file")) {
            (Some(b'/' | b'\\'), _) => Step::Next(State::FileSlash),
            (_, Some(base)) => {
                self.url.host.clone_from(&base.host);
                self.url.path.clone_from(&base.path);
                self.url.query.clone_from(&base.query);
                let shortens = !starts_with_drive(self.rest());
                self.relative_to_path(byte, shortens)
            }
            (_, None) => Step::Again(State::Path),
        }
    }

    fn file_slash(&mut self, byte: Option<u8>) -> Step {
        if matches!(byte, Some(b'/' | b'\\')) {
            return self.begin(State::FileHost);
        }
        if let Some(base) = self.base.as_ref().filter(|base| base.scheme == "file") {
            self.url.host.clone_from(&base.host);
            let first = base.path.split('/').nth(1).unwrap_or_default();
            if !starts_with_drive(self.rest()) && is_normalized_drive(first) {
                self.url.path.push('/');
                self.url.path.push_str(first);
            }
        }
        Step::Again(State::Path)
    }

    fn file_host(&mut self, byte: Option<u8>) -> Result<Step, Failure> {
        if !matches!(byte, None | Some(b'/' | b'\\' | b'?' | b'#')) {
            return Ok(Step::Next(State::FileHost));
        }
        let part = self.part();
        if self.only.is_none() && is_drive(part.as_bytes()) {
            // It is used in the path state.
            self.buffer = part.to_owned();
            return Ok(Step::Again(State::Path));
        }
        let host =
            if part.is_empty() { String::new() } else { host::parse(part, !self.url.is_special()).ok_or(Failure)? };
        self.url.host = Some(if host == "localhost" { String::new() } else { host });
        Ok(if self.only.is_some() { Step::Done } else { Step::Again(State::PathStart) })
    }

    fn path_start(&mut self, byte: Option<u8>) -> Step {
        match byte {
            Some(b'/') => Step::Next(State::Path),
            Some(b'\\') if self.url.is_special() => Step::Next(State::Path),
            _ if self.url.is_special() => Step::Again(State::Path),
            Some(b'?') if self.only.is_none() => self.begin_query(),
            Some(b'#') if self.only.is_none() => self.begin_fragment(),
            Some(_) => Step::Again(State::Path),
            None => {
                if self.only.is_some() && self.url.host.is_none() {
                    self.url.path.push('/');
                }
                Step::Done
            }
        }
    }

    fn path(&mut self, byte: Option<u8>) -> Step {
        let is_slash = byte == Some(b'/') || self.is_special_backslash(byte);
        if !is_slash && byte.is_some() && (self.only.is_some() || !matches!(byte, Some(b'?' | b'#'))) {
            let is_special = self.url.is_special();
            let ends = |byte: &u8| match byte {
                b'/' => true,
                b'\\' => is_special,
                b'?' | b'#' => self.only.is_none(),
                _ => false,
            };
            let rest = &self.input.as_bytes()[self.at..];
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            percent::encode(&self.input[self.at..self.at + length], &Set::PATH, &mut self.buffer);
            self.at += length;
            return Step::Again(State::Path);
        }
        let url = &mut *self.url;
        if is_double_dot(&self.buffer) {
            url.shorten();
            if !is_slash {
                url.path.push('/');
            }
        } else if is_single_dot(&self.buffer) {
            if !is_slash {
                url.path.push('/');
            }
        } else {
            url.path.push('/');
            if url.scheme == "file" && url.path.len() == 1 && is_drive(self.buffer.as_bytes()) {
                self.buffer.replace_range(1.., ":");
            }
            url.path.push_str(&self.buffer);
        }
        self.buffer.clear();
        match byte {
            Some(b'?') => self.begin_query(),
            Some(b'#') => self.begin_fragment(),
            _ => Step::Next(State::Path),
        }
    }

    fn opaque_path(&mut self, byte: Option<u8>) -> Step {
        match byte {
            Some(b'?') => return self.begin_query(),
            Some(b'#') => return self.begin_fragment(),
            None => return Step::Done,
            Some(b' ') if matches!(self.rest().get(1), Some(b'?' | b'#')) => self.url.path.push_str("%20"),
            Some(b' ') => self.url.path.push(' '),
            Some(byte) => percent::encode_bytes(&[byte], &Set::C0_CONTROL, &mut self.url.path),
        }
        Step::Next(State::OpaquePath)
    }

    fn query(&mut self, byte: Option<u8>) -> Step {
        if byte.is_some() && (self.only.is_some() || byte != Some(b'#')) {
            let rest = self.rest();
            let end = if self.only.is_some() { None } else { memchr::memchr(b'#', rest) };
            self.at += end.unwrap_or(rest.len());
            return Step::Again(State::Query);
        }
        let set = if self.url.is_special() { &Set::SPECIAL_QUERY } else { &Set::QUERY };
        let part = &self.input[self.from..self.at];
        percent::encode(part, set, self.url.query.get_or_insert_default());
        if byte.is_some() { self.begin_fragment() } else { Step::Done }
    }
}

fn is_in_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// "Single-dot URL path segment".
fn is_single_dot(segment: &str) -> bool {
    segment == "." || segment.eq_ignore_ascii_case("%2e")
}

/// "Double-dot URL path segment".
fn is_double_dot(segment: &str) -> bool {
    match segment.len() {
        2 => segment == "..",
        4 => segment.eq_ignore_ascii_case(".%2e") || segment.eq_ignore_ascii_case("%2e."),
        6 => segment.eq_ignore_ascii_case("%2e%2e"),
        _ => false,
    }
}
