//! Request heads: from bytes to an [`http::Request`] (RFC 9112 §2–5). [`Scan`] finds where a head ends, looking at
//! every byte once however slowly they come; [`read`] takes it apart.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri, Version};
use memchr::memchr;

use super::flaw::Flaw;
use super::framing::{Framing, FramingFields};
use crate::event::Fields;
use crate::gateway::request;

/// Header fields of one head, at most.
const MAX_FIELDS: usize = 100;

/// Empty lines before a request line that are let pass, though a client has no reason for one (RFC 9112 §2.2).
const MAX_EMPTY_LINES: usize = 4;

/// Request lines up to here are short enough for somebody else to judge their target.
const LONG_LINE: usize = 16 * 1024;

/// The longest target a [`Uri`] can hold.
const MAX_URI: usize = (u16::MAX - 1) as usize;

/// A request's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) request: request::Head,
    pub(super) framing: Framing,
    /// The client would send another request on this connection (RFC 9112 §9.3).
    pub(super) persistent: bool,
    /// It waits for `100 Continue` before it sends its body.
    pub(super) expects: bool,
}

/// What the search for a head's end has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A head of so many bytes.
    Head(usize),
    /// So many bytes of empty lines before it.
    Empty(usize),
    /// Only its beginning.
    Part,
}

/// A search for the end of one head, which goes on where it stopped.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Bytes looked at.
    at: usize,
    /// Where the line that `at` is in begins.
    line: usize,
    first_line: Option<usize>,
    empty_lines: usize,
}

impl Scan {
    /// Looks at the bytes of `input` that are new. A line that ends in LF alone is refused here: some recipients take
    /// it for the end of a line, others do not.
    pub(super) fn look(&mut self, input: &[u8]) -> Result<Found, Flaw> {
        let (fresh, line) = (self.at == 0, self.line);
        while let Some(next) = memchr(b'\n', &input[self.at..]) {
            let end = self.at + next;
            if end == self.line || input[end - 1] != b'\r' {
                return Err(Flaw::Malformed);
            }
            let empty = end - self.line == 1;
            self.at = end + 1;
            self.line = end + 1;
            if empty && self.first_line.is_some() {
                return Ok(Found::Head(end + 1));
            }
            if empty {
                self.empty_lines += 1;
                (self.at, self.line) = (0, 0);
                let tolerable = self.empty_lines <= MAX_EMPTY_LINES;
                return if tolerable { Ok(Found::Empty(end + 1)) } else { Err(Flaw::Malformed) };
            }
            self.first_line.get_or_insert(end + 1);
        }
        self.at = input.len();
        // Not for every byte: a line is soon enough, and there are not many.
        if fresh || self.line > line {
            refuse_nonsense(input)?;
        }
        Ok(Found::Part)
    }

    /// What to say of a head that has grown too large.
    pub(super) fn too_large(&self) -> Flaw {
        match self.first_line {
            Some(line) if line <= LONG_LINE => Flaw::FieldsTooLarge,
            _ => Flaw::TargetTooLong,
        }
    }
}

/// Tells from the beginning of a head that it will never be one: another protocol may be spoken, and its speaker wait
/// for us.
pub(super) fn refuse_nonsense(input: &[u8]) -> Result<(), Flaw> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    match httparse::Request::new(&mut []).parse_with_uninit_headers(input, &mut fields) {
        Ok(_) => Ok(()),
        Err(error) => Err(flaw(error)),
    }
}

fn flaw(error: httparse::Error) -> Flaw {
    if error == httparse::Error::TooManyHeaders { Flaw::FieldsTooLarge } else { Flaw::Malformed }
}

/// Takes apart a head that [`Scan`] has found, lines and all.
pub(super) fn read(head: &Bytes) -> Result<Head, Flaw> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let end = parsed.parse_with_uninit_headers(head, &mut lines).map_err(flaw)?;
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Flaw::Malformed);
    };
    // Whoever finds another end reads another message.
    if end != httparse::Status::Complete(head.len()) {
        return Err(Flaw::Malformed);
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Flaw::Malformed)?;
    let uri = self::target(head, &method, target)?;
    let version = if version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut fields = Fields::with_capacity(parsed.headers.len());
    let mut framing = FramingFields::default();
    let mut connection = Connection::default();
    let mut expects = false;
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Flaw::Malformed)?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| Flaw::Malformed)?;
        if name == CONTENT_LENGTH {
            framing.length(field.value)?;
        } else if name == TRANSFER_ENCODING {
            framing.coding(field.value)?;
        } else if name == CONNECTION {
            connection.read(field.value);
        } else if name == EXPECT && version == Version::HTTP_11 {
            if !field.value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Flaw::Expectation);
            }
            expects = true;
        }
        fields.push(name, value);
    }
    let framing = framing.framing(version)?;
    Ok(Head {
        request: request::Head { method, uri, version, fields },
        framing,
        persistent: connection.persists(version),
        expects: expects && framing != Framing::Empty,
    })
}

/// The request target in one of its four forms (RFC 9112 §3.2); which host and path it means is for routing to say.
fn target(head: &Bytes, method: &Method, target: &str) -> Result<Uri, Flaw> {
    if target == "/" && *method != Method::CONNECT {
        return Ok(Uri::default());
    }
    if target.len() > MAX_URI {
        return Err(Flaw::TargetTooLong);
    }
    // A fragment never leaves a client; what one means to a server was never said.
    if target.contains('#') {
        return Err(Flaw::Malformed);
    }
    let origin = target.starts_with('/');
    let uri = Uri::from_maybe_shared(head.slice_ref(target.as_bytes())).map_err(|_| Flaw::Malformed)?;
    let absolute = uri.scheme_str().is_some_and(|scheme| scheme == "http" || scheme == "https");
    // An empty path is `/` (RFC 9110 §4.2.3), and a URL says so.
    let uri = match uri.path_and_query() {
        Some(query) if absolute && query.as_str().starts_with('?') => {
            let path = PathAndQuery::try_from(query.to_string()).map_err(|_| Flaw::TargetTooLong)?;
            let mut parts = uri.into_parts();
            parts.path_and_query = Some(path);
            Uri::from_parts(parts).map_err(|_| Flaw::Malformed)?
        }
        _ => uri,
    };
    let form = match *method {
        // Its target is a host and a port, and no other method's is.
        Method::CONNECT => uri.scheme().is_none() && uri.authority().is_some(),
        Method::OPTIONS if target == "*" => true,
        _ => origin || absolute,
    };
    if form { Ok(uri) } else { Err(Flaw::Malformed) }
}

/// What `Connection` says of the connection itself.
#[derive(Debug, Default)]
struct Connection {
    close: bool,
    keep_alive: bool,
}

impl Connection {
    fn read(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn persists(&self, version: Version) -> bool {
        !self.close && (self.keep_alive || version == Version::HTTP_11)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Finds and reads a head as the connection does; `None` where more is needed.
    fn parse(bytes: &[u8]) -> Result<Option<Head>, Flaw> {
        let (mut scan, mut rest) = (Scan::default(), bytes);
        loop {
            match scan.look(rest)? {
                Found::Empty(len) => rest = &rest[len..],
                Found::Head(len) => return read(&Bytes::copy_from_slice(&rest[..len])).map(Some),
                Found::Part => return Ok(None),
            }
        }
    }

    fn outcome(bytes: &str) -> Result<bool, Flaw> {
        parse(bytes.as_bytes()).map(|head| head.is_some())
    }

    #[test]
    fn what_is_no_head_is_refused() {
        use Flaw::{Expectation, FieldsTooLarge, Malformed};
        let table = [
            ("GET / HTTP/1.1\r\n\r\n", Ok(true)),
            ("GET / HTTP/1.0\r\n\r\n", Ok(true)),
            ("GET / HTTP/1.1\r\nA: b\r\n\r", Ok(false)),
            ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", Ok(true)),
            ("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", Err(Malformed)),
            ("\nGET / HTTP/1.1\r\n\r\n", Err(Malformed)),
            ("\r", Ok(false)),
            ("GET / HTTP/1.1\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA: b\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA: b\r\n\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA: b\rB: c\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\rA: b\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\n\rA: b\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\n A: b\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA : b\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA\t: b\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\n: b\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA b\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA[]: b\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA: \u{7}\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA: \0\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA: \u{7f}\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nA:\r\nB: \t \r\nC:c\r\n\r\n", Ok(true)),
            ("GET / HTTP/1.1\r\nA: \u{fc}\r\n\r\n", Ok(true)),
            ("GET  / HTTP/1.1\r\n\r\n", Err(Malformed)),
            ("GET /  HTTP/1.1\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1 \r\n\r\n", Err(Malformed)),
            (" GET / HTTP/1.1\r\n\r\n", Err(Malformed)),
            ("GET\t/ HTTP/1.1\r\n\r\n", Err(Malformed)),
            ("G\u{e4}T / HTTP/1.1\r\n\r\n", Err(Malformed)),
            ("GET /\r\n\r\n", Err(Malformed)),
            ("GET / \r\n\r\n", Err(Malformed)),
            ("GET / HTTP/0.9\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.2\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/2.0\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.10\r\n\r\n", Err(Malformed)),
            ("GET / http/1.1\r\n\r\n", Err(Malformed)),
            ("GET / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n", Ok(true)),
            ("GET / HTTP/1.1\r\nExpect: a-miracle\r\n\r\n", Err(Expectation)),
            ("GET / HTTP/1.1\r\nExpect: 100-continue, more\r\n\r\n", Err(Expectation)),
            ("GET / HTTP/1.0\r\nExpect: a-miracle\r\n\r\n", Ok(true)),
        ];
        for (bytes, expected) in table {
            assert_eq!(outcome(bytes), expected, "{bytes:?}");
        }
        let fields = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert_eq!(outcome(&fields(MAX_FIELDS)), Ok(true));
        assert_eq!(outcome(&fields(MAX_FIELDS + 1)), Err(FieldsTooLarge));
    }

    #[test]
    fn a_target_has_one_of_the_forms_its_method_allows() {
        use Flaw::{Malformed, TargetTooLong};
        let table = [
            ("GET", "/a?b=%20", Ok(true)),
            ("GET", "//a", Ok(true)),
            ("GET", "/\u{fc}", Ok(true)),
            ("GET", "/a#b", Err(Malformed)),
            ("GET", "http://a/b#c", Err(Malformed)),
            ("GET", "http://a:80/", Ok(true)),
            ("GET", "https://a", Ok(true)),
            ("GET", "ftp://a/", Err(Malformed)),
            ("GET", "javascript:alert(1)", Err(Malformed)),
            ("GET", "a", Err(Malformed)),
            ("GET", "a/b", Err(Malformed)),
            ("GET", "a:80", Err(Malformed)),
            ("GET", "?a", Err(Malformed)),
            ("GET", "*", Err(Malformed)),
            ("GET", "/\u{1}", Err(Malformed)),
            ("OPTIONS", "*", Ok(true)),
            ("OPTIONS", "*/a", Err(Malformed)),
            ("OPTIONS", "/", Ok(true)),
            ("CONNECT", "a:80", Ok(true)),
            ("CONNECT", "/", Err(Malformed)),
            ("CONNECT", "http://a:80", Err(Malformed)),
        ];
        for (method, target, expected) in table {
            assert_eq!(outcome(&format!("{method} {target} HTTP/1.1\r\n\r\n")), expected, "{method} {target}");
        }
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
        assert_eq!(outcome(&long), Err(TargetTooLong));
    }

    #[test]
    fn a_connection_persists_as_version_and_options_say() {
        let table = [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: Upgrade, CLOSE\r\n", false),
            ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
        ];
        for (version, fields, expected) in table {
            let head = parse(format!("GET / HTTP/{version}\r\n{fields}\r\n").as_bytes()).unwrap().unwrap();
            assert_eq!(head.persistent, expected, "{version} {fields}");
        }
    }

    #[test]
    fn what_grew_too_large_is_named() {
        let mut scan = Scan::default();
        scan.look(&[b"GET /".as_slice(), &[b'a'; 20_000]].concat()).unwrap();
        assert_eq!(scan.too_large(), Flaw::TargetTooLong);
        let mut scan = Scan::default();
        scan.look(&[b"GET / HTTP/1.1\r\nA: ".as_slice(), &[b'a'; 20_000]].concat()).unwrap();
        assert_eq!(scan.too_large(), Flaw::FieldsTooLarge);
    }

    proptest! {
        #[test]
        fn no_bytes_upset_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = parse(&[b"GET / HTTP/1.1\r\n".as_slice(), &bytes, b"\r\n\r\n"].concat());
        }

        #[test]
        fn what_is_read_is_what_was_sent(
            fields in prop::collection::vec(("[a-z-]{1,12}", "[!-~]{0,3}( [!-~]{1,20})?"), 0..12),
        ) {
            let lines: String = fields.iter().map(|(name, value)| format!("x{name}: {value}\r\n")).collect();
            let head = parse(format!("GET /p HTTP/1.1\r\n{lines}\r\n").as_bytes()).unwrap().unwrap();
            let read: Vec<_> = head.request.fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let sent: Vec<_> = fields.iter().map(|(name, value)| (format!("x{name}"), value.trim())).collect();
            prop_assert_eq!(read, sent.iter().map(|(name, value)| (&**name, value.as_bytes())).collect::<Vec<_>>());
        }
    }
}
