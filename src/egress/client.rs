//! One exchange: a request over a connection of the pool's, and once more over a fresh one where the server had closed
//! the first behind our back, or says that it did nothing with the request or is not the one to ask (421).

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use hyper::ext::ReasonPhrase;
use tokio::sync::Notify;

use super::Egress;
use super::body::{Download, Upload};
use super::failure::Failure;
use super::pool::{Lease, Pool};

/// Informational heads before a response: one or two are in use (RFC 9110 §15.2).
const INFORMATIONAL: usize = 32;

/// Where a request goes: connections to the same are interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Whether by TLS.
    pub secure: bool,
    /// As URLs have it: a name in its ASCII form, an address, an IPv6 one in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Target {
    /// The address, where the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host);
        bare.parse().ok()
    }

    /// The host as rules name it.
    pub(super) fn name(&self) -> &str {
        self.host.strip_suffix('.').unwrap_or(&self.host)
    }

    fn scheme(&self) -> Scheme {
        if self.secure { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// Host, and port where it is not the scheme's own (Fetch §4.6, RFC 9110 §7.2).
    fn authority(&self) -> String {
        match (self.secure, self.port) {
            (false, 80) | (true, 443) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

/// A response.
pub struct Answer {
    /// Its status; never informational.
    pub status: StatusCode,
    /// The reason phrase; HTTP/2 has none.
    pub reason: Bytes,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Download,
}

/// One isolate's way out. Its futures run on that isolate's thread.
#[derive(Clone)]
pub struct Client(Rc<Pool>);

impl Client {
    /// A client of `egress`, without a connection.
    pub fn new(egress: Arc<Egress>) -> Self {
        Self(Pool::new(egress))
    }

    /// Sends `method` for `path` to `target`. `headers` are the app's, without what frames the message.
    ///
    /// # Errors
    /// Where there is no response.
    pub async fn send(
        &self,
        target: &Target,
        method: Method,
        path: PathAndQuery,
        headers: HeaderMap,
        mut body: Upload,
    ) -> Result<Answer, Failure> {
        let mut fresh = false;
        loop {
            let mut lease = self.0.lease(target, fresh).await?;
            let again = body.again();
            let mut request = request(target, &method, &path, &headers, body, lease.is_http2());
            let endless = informational(&mut request);
            let sent = tokio::select! {
                biased;
                sent = lease.send(request) => sent,
                () = endless.notified() => return Err(Failure::Informational),
            };
            let mut error = match sent {
                Ok(response) => {
                    let answer = answer(response, lease)?;
                    match again {
                        // Fetch §4.6 "HTTP-network-or-cache fetch" step 12: it may be the connection that is misdirected.
                        Some(again) if answer.status == StatusCode::MISDIRECTED_REQUEST && !fresh => {
                            answer.body.discard();
                            (body, fresh) = (again, true);
                            continue;
                        }
                        _ => return Ok(answer),
                    }
                }
                Err(error) => error,
            };
            // A connection that was used before may have been closed just when it was used again: what was not sent at
            // all can be sent by another, and what was, if doing it twice does no harm (RFC 9110 §9.2.2).
            let unsent = error.take_message().map(Request::into_body);
            let repeatable = || {
                let cause = error.error();
                // One that was refused is refused for good the second time.
                !fresh && is_unprocessed(cause) || lease.reused && method.is_idempotent() && is_lost(cause)
            };
            body = match (unsent, again) {
                (Some(unsent), _) if lease.reused => unsent,
                (None, Some(again)) if repeatable() => again,
                _ => return Err(error.into_error().into()),
            };
            fresh = true;
        }
    }
}

/// Whether the other side has closed the connection: before it read the request, or without answering it.
fn is_lost(error: &hyper::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed()
        || io.is_some_and(|io| matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset))
}

/// Whether the server says that it did nothing with the request, so that even one that is not idempotent may be sent
/// again (RFC 9113 §8.7). A stream that we refuse ourselves, for what it brings, is none of these.
fn is_unprocessed(error: &hyper::Error) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    error.filter(|error| error.is_remote()).is_some_and(|error| match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
        Some(h2::Reason::NO_ERROR) => error.is_go_away(),
        _ => false,
    })
}

/// Counts the informational heads that answer a request: told when they are too many, for they could go on for ever.
/// HTTP/2 drops them unseen.
fn informational(request: &mut Request<Upload>) -> Arc<Notify> {
    let endless = Arc::new(Notify::new());
    let (told, seen) = (Arc::clone(&endless), AtomicUsize::new(0));
    hyper::ext::on_informational(request, move |_| {
        if seen.fetch_add(1, Ordering::Relaxed) == INFORMATIONAL {
            told.notify_one();
        }
    });
    endless
}

fn request(
    target: &Target,
    method: &Method,
    path: &PathAndQuery,
    headers: &HeaderMap,
    body: Upload,
    http2: bool,
) -> Request<Upload> {
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    *request.headers_mut() = headers.clone();
    let authority = target.authority();
    if http2 {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(target.scheme());
        uri.authority = Authority::try_from(authority).ok();
        uri.path_and_query = Some(path.clone());
        *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
    } else {
        *request.uri_mut() = path.clone().into();
        if let Ok(host) = HeaderValue::try_from(authority) {
            request.headers_mut().insert(header::HOST, host);
        }
    }
    // Fetch §4.6 "HTTP-network-or-cache fetch" step 8.5.
    if matches!(request.body(), Upload::Empty) && (method == Method::POST || method == Method::PUT) {
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request
}

fn answer(response: http::Response<hyper::body::Incoming>, lease: Lease) -> Result<Answer, Failure> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::Switched);
    }
    let http2 = lease.is_http2();
    let (parts, incoming) = response.into_parts();
    let reason = match parts.extensions.get::<ReasonPhrase>() {
        Some(reason) => Bytes::copy_from_slice(reason.as_bytes()),
        None if http2 => Bytes::new(),
        None => parts.status.canonical_reason().map(Bytes::from).unwrap_or_default(),
    };
    Ok(Answer { status: parts.status, reason, headers: parts.headers, body: Download::new(incoming, lease) })
}
