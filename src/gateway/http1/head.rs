//! Request heads: from bytes to an [`http::Request`] (RFC 9112 §2–5). [`Scan`] finds where a head ends, looking at
//! every byte once however slowly they come; [`read`] takes it apart.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use super::flaw::Flaw;
use super::framing::{Fields, Framing};

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
    pub(super) request: Request<()>,
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
        let fresh = self.at == 0 && !input.is_empty();
        while let Some(next) = input[self.at..].iter().position(|byte| *byte == b'\n') {
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
        if fresh {
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

/// Tells from the beginning of a head that it will never be one: another protocol is spoken, and its speaker may be
/// waiting for us.
fn refuse_nonsense(input: &[u8]) -> Result<(), Flaw> {
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
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let end = parsed.parse_with_uninit_headers(head, &mut fields).map_err(flaw)?;
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(Flaw::Malformed);
    };
    // Whoever finds another end reads another message.
    if end != httparse::Status::Complete(head.len()) {
        return Err(Flaw::Malformed);
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Flaw::Malformed)?;
    let target = self::target(head, &method, target)?;
    let version = if version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    let mut framing = Fields::default();
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
        headers.append(name, value);
    }
    let framing = framing.framing(version)?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    Ok(Head { request, framing, persistent: connection.persists(version), expects: expects && framing != Framing::Empty })
}

/// The request target in one of its four forms (RFC 9112 §3.2); which host and path it means is for routing to say.
fn target(head: &Bytes, method: &Method, target: &str) -> Result<Uri, Flaw> {
    if target == "/" {
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
