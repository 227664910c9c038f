//! What a request is for: its host and path as routing sees them, and what makes a head unacceptable.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::HOST;
use http::uri::Authority;
use http::{Method, Version};

use super::error::Refusal;
use super::request::Head;
use crate::event::ErrorCode;
use crate::plan::Plan;
use crate::plan::target::{normalize_host, normalize_path};

/// Longest request target, in bytes.
const MAX_TARGET: usize = 16 * 1024;

/// What a field line costs beyond its name and value: `: ` and CRLF.
const FIELD_OVERHEAD: usize = 4;

/// The app that answers, by index.
pub(super) fn route(
    plan: &Plan,
    listener: usize,
    head: &Head,
    host: Result<&str, Malformed>,
    max_header: usize,
) -> Result<usize, Refusal> {
    let target = path_and_query(head);
    if target.len() > MAX_TARGET {
        return Err(ErrorCode::UriTooLong.into());
    }
    if size(head, target) > max_header {
        return Err(ErrorCode::HeaderTooLarge.into());
    }
    if head.method == Method::CONNECT || head.method == Method::TRACE || head.method.as_str() == "TRACK" {
        return Err(Refusal::method());
    }
    // An HTTP/1 parser takes it off; HTTP/2 forbids it (RFC 9113 §8.2.1).
    if head.version == Version::HTTP_2 && head.fields.iter().any(|(_, value)| is_padded(value.as_bytes())) {
        return Err(ErrorCode::BadRequest.into());
    }
    let host = host?;
    // `OPTIONS *` asks about the server, which is no app: refused, as nginx does.
    if !target.starts_with('/') {
        return Err(ErrorCode::BadRequest.into());
    }
    let path = normalize_path(head.uri.path()).map_err(|_| ErrorCode::BadRequest)?;
    plan.routes.lookup(listener, host, &path).ok_or_else(|| ErrorCode::NoRoute.into())
}

/// The authority that a connection's last request named, and the host it is: hardly any client names another.
#[derive(Debug, Default)]
pub(super) struct LastHost(Mutex<Option<(Box<str>, Arc<str>)>>);

impl LastHost {
    /// The host of a request as routing sees it; empty where HTTP/1.0 names none.
    pub(super) fn of(&self, head: &Head) -> Result<Arc<str>, Malformed> {
        let Some(authority) = authority(head)? else { return Ok(Arc::from("")) };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((same, host)) = &*last
            && **same == *authority
        {
            return Ok(Arc::clone(host));
        }
        let host: Arc<str> = normalize_host(authority).map_err(|_| Malformed)?.into();
        *last = Some((authority.into(), Arc::clone(&host)));
        Ok(host)
    }
}

/// The host is missing, ambiguous or not a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Malformed> for Refusal {
    fn from(Malformed: Malformed) -> Self {
        ErrorCode::BadRequest.into()
    }
}

/// Host and port as sent. An absolute target and `:authority` win over `Host`, but may not differ from it
/// (RFC 9112 §3.2, RFC 9113 §8.3.1). Only HTTP/1.0 may do without.
pub(super) fn authority(head: &Head) -> Result<Option<&str>, Malformed> {
    let mut hosts = head.fields.get_all(&HOST);
    let named = hosts.next().map(|host| host.to_str().map_err(|_| Malformed)).transpose()?;
    if hosts.next().is_some() {
        return Err(Malformed);
    }
    if named.is_none() && head.version == Version::HTTP_11 {
        return Err(Malformed);
    }
    let authority = match (head.uri.authority().map(Authority::as_str), named) {
        (Some(target), Some(named)) if !same(target, named) => return Err(Malformed),
        (Some(target), _) => target,
        (None, Some(named)) => named,
        (None, None) if head.version <= Version::HTTP_10 => return Ok(None),
        (None, None) => return Err(Malformed),
    };
    // User information has no place in a request (RFC 9110 §4.2.4).
    if authority.contains('@') { Err(Malformed) } else { Ok(Some(authority).filter(|authority| !authority.is_empty())) }
}

/// Path and query as sent.
pub(super) fn path_and_query(head: &Head) -> &str {
    head.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// Hosts are compared without case, and port 80 is the same as none.
fn same(a: &str, b: &str) -> bool {
    let bare = |host: &str| host.strip_suffix(":80").unwrap_or(host).len();
    a.as_bytes()[..bare(a)].eq_ignore_ascii_case(&b.as_bytes()[..bare(b)])
}

fn is_padded(value: &[u8]) -> bool {
    [value.first(), value.last()].into_iter().flatten().any(|byte| matches!(byte, b' ' | b'\t'))
}

/// Bytes of the request line and the field lines, near enough for a limit.
fn size(head: &Head, target: &str) -> usize {
    let fields = head.fields.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD);
    head.method.as_str().len() + target.len() + " HTTP/1.1  \r\n".len() + fields.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::event::Fields;

    fn head(version: Version, uri: &str, hosts: &[&'static str]) -> Head {
        let mut fields = Fields::default();
        hosts.iter().for_each(|host| fields.push(HOST, HeaderValue::from_static(host)));
        Head { method: Method::GET, uri: uri.parse().unwrap(), version, fields }
    }

    #[test]
    fn the_host_is_found_or_refused() {
        use Version as V;
        type Case = (Version, &'static str, &'static [&'static str], Result<Option<&'static str>, Malformed>);
        let table: &[Case] = &[
            (V::HTTP_11, "/", &["a.com"], Ok(Some("a.com"))),
            (V::HTTP_11, "/", &["A.com:8080"], Ok(Some("A.com:8080"))),
            (V::HTTP_11, "/", &[], Err(Malformed)),
            (V::HTTP_11, "/", &[""], Ok(None)),
            (V::HTTP_11, "/", &["a.com", "a.com"], Err(Malformed)),
            (V::HTTP_11, "/", &["u@a.com"], Err(Malformed)),
            (V::HTTP_11, "http://a.com/", &["a.com"], Ok(Some("a.com"))),
            (V::HTTP_11, "http://a.com:80/", &["A.COM"], Ok(Some("a.com:80"))),
            (V::HTTP_11, "http://a.com/", &["b.com"], Err(Malformed)),
            (V::HTTP_11, "http://a.com/", &["a.com:81"], Err(Malformed)),
            (V::HTTP_11, "http://a.com/", &[], Err(Malformed)),
            (V::HTTP_10, "/", &[], Ok(None)),
            (V::HTTP_2, "http://a.com/", &[], Ok(Some("a.com"))),
            (V::HTTP_2, "http://a.com/", &["b.com"], Err(Malformed)),
            (V::HTTP_2, "/", &[], Err(Malformed)),
        ];
        for (version, uri, hosts, expected) in table {
            assert_eq!(authority(&head(*version, uri, hosts)), *expected, "{version:?} {uri} {hosts:?}");
        }
    }
}
