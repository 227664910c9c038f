//! The only place where an [`ErrorCode`] becomes a status, a message and a response of nano's own. Nothing an app
//! threw, no path and no secret passes through here: messages are fixed.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::date;
use super::http1::Flaw;
use crate::event::{ErrorCode, Fault, Fields, RequestId};

/// What the log says of a request whose client left. Not an IANA status; never sent.
pub(super) const CLIENT_CLOSED: u16 = 499;

/// The status a client sees, or the log alone for [`ErrorCode::ClientClosed`].
pub(super) const fn status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::BadRequest => 400,
        ErrorCode::NoRoute => 404,
        ErrorCode::RequestTimeout => 408,
        ErrorCode::BodyTooLarge => 413,
        ErrorCode::UriTooLong => 414,
        ErrorCode::HeaderTooLarge => 431,
        ErrorCode::ClientClosed => CLIENT_CLOSED,
        ErrorCode::AppError | ErrorCode::AppLoad => 500,
        ErrorCode::CpuLimit
        | ErrorCode::MemoryLimit
        | ErrorCode::Overloaded
        | ErrorCode::AppStopped
        | ErrorCode::IsolateLost => 503,
        ErrorCode::Timeout => 504,
    }
}

/// One sentence for the person at the client.
pub(super) const fn message(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NoRoute => "no app answers this host and path",
        ErrorCode::AppError => "the app failed to answer; its log says why",
        ErrorCode::AppLoad => "the app's code does not load; its log says why",
        ErrorCode::CpuLimit => "the request used more CPU time than the app may",
        ErrorCode::MemoryLimit => "the request used more memory than the app may",
        ErrorCode::Timeout => "the app did not answer in time",
        ErrorCode::Overloaded => "the app has too many requests waiting; try again shortly",
        ErrorCode::AppStopped => "the app failed too often and pauses; try again later",
        ErrorCode::IsolateLost => "the app was restarted while it handled this request; try again",
        ErrorCode::BodyTooLarge => "the request body is larger than the app accepts",
        ErrorCode::HeaderTooLarge => "the request's header fields are larger than this server accepts",
        ErrorCode::UriTooLong => "the request target is longer than 16 KiB",
        ErrorCode::RequestTimeout => "the request did not arrive in time",
        ErrorCode::BadRequest => "this is not a valid HTTP request",
        ErrorCode::ClientClosed => "the client left before the answer did",
    }
}

/// A request that nano answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Why, and how long to wait.
    pub(super) fault: Fault,
    special: Option<Special>,
}

/// A bad request for which HTTP has a status of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Special {
    Method,
    Expectation,
    Coding,
}

impl Special {
    const fn answer(self) -> (StatusCode, &'static str) {
        match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "this method is not served here"),
            Self::Expectation => (StatusCode::EXPECTATION_FAILED, "the only expectation that is met is 100-continue"),
            Self::Coding => (StatusCode::NOT_IMPLEMENTED, "the only transfer coding that is understood is chunked"),
        }
    }
}

impl Refusal {
    /// CONNECT, TRACE and TRACK: the Fetch standard lets no `Request` have them, and nginx answers 405 too.
    pub(super) fn method() -> Self {
        Self { fault: ErrorCode::BadRequest.into(), special: Some(Special::Method) }
    }

    /// The status a client sees, and a sentence for the person there.
    pub(super) fn status(self) -> (StatusCode, &'static str) {
        let code = self.fault.code;
        let own = || {
            let status = StatusCode::from_u16(status(code)).expect("every code maps to a three-digit status");
            (status, message(code))
        };
        self.special.map_or_else(own, Special::answer)
    }

    /// Status, headers and body of the answer.
    pub(super) fn answer(self, app: Option<&str>, id: &RequestId) -> (StatusCode, Fields, Bytes) {
        let mut fields = Fields::with_capacity(5);
        fields.push(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.fault.retry_after {
            // Whole seconds, rounded up: a client told 0 would come back at once.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            fields.push(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.special == Some(Special::Method) {
            // RFC 9110 §15.5.6: a 405 names what is allowed.
            fields.push(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        }
        let (status, message) = self.status();
        (status, fields, body(self.fault.code, message, app, id))
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, special: None }
    }
}

impl From<Flaw> for Refusal {
    fn from(flaw: Flaw) -> Self {
        let (code, special) = match flaw {
            Flaw::Malformed => (ErrorCode::BadRequest, None),
            Flaw::FieldsTooLarge => (ErrorCode::HeaderTooLarge, None),
            Flaw::TargetTooLong => (ErrorCode::UriTooLong, None),
            Flaw::Late => (ErrorCode::RequestTimeout, None),
            Flaw::Coding => (ErrorCode::BadRequest, Some(Special::Coding)),
            Flaw::Expectation => (ErrorCode::BadRequest, Some(Special::Expectation)),
        };
        Self { fault: code.into(), special }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Fault::from(code).into()
    }
}

/// A whole HTTP/1.1 answer in bytes, for a connection whose request never became one.
pub(super) fn raw(refusal: Refusal, id: &RequestId) -> Vec<u8> {
    let (status, _, body) = refusal.answer(None, id);
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\
         server: nano\r\nx-request-id: {}\r\ndate: ",
        body.len(),
        id.as_str(),
    )
    .into_bytes();
    date::write(&mut bytes);
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes.extend_from_slice(&body);
    bytes
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    request_id: &'a str,
}

fn body(code: ErrorCode, message: &'static str, app: Option<&str>, id: &RequestId) -> Bytes {
    let detail = Detail { code: code.as_str(), message, app, request_id: id.as_str() };
    serde_json::to_vec(&Envelope { error: detail }).expect("strings always serialize").into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn statuses_are_those_of_the_error_table() {
        let table = [404, 500, 500, 503, 503, 504, 503, 503, 503, 413, 431, 414, 408, 400, 499];
        assert_eq!(ErrorCode::ALL.map(status), table);
    }

    #[test]
    fn an_answer_names_code_app_and_request() {
        let id = RequestId::parse(&HeaderValue::from_static("abc")).unwrap();
        let (status, fields, body) = Refusal::from(ErrorCode::CpuLimit).answer(Some("a\"b"), &id);
        assert_eq!(status, 503);
        assert_eq!(fields.get(&RETRY_AFTER), None);
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["error"]["code"], "cpu_limit");
        assert_eq!(json["error"]["app"], "a\"b");
        assert_eq!(json["error"]["request_id"], "abc");
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        for (wait, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (60_000, "60")] {
            let fault = Fault { code: ErrorCode::Overloaded, retry_after: Some(Duration::from_millis(wait)) };
            let (_, fields, _) = Refusal::from(fault).answer(None, &RequestId::new());
            assert_eq!(fields.get(&RETRY_AFTER).unwrap(), seconds, "{wait} ms");
        }
    }
}
