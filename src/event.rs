//! What passes between the gateway and the runtime: an [`Event`] goes in by way of [`Dispatch`], its [`Reply`]
//! comes back through the sender the event carries. Neither side knows anything else of the other.

mod fields;
mod head;
mod reply;
pub mod wake;

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use tokio::sync::mpsc;

pub use fields::Fields;
pub use head::RequestHead;
pub use reply::{Desk, ReplySender};

/// Something an app is asked to handle.
pub enum Event {
    /// An HTTP request: `fetch(request, env, ctx)`.
    Fetch(Fetch),
}

/// One HTTP request on its way to an app.
pub struct Fetch {
    /// The id in `x-request-id` and in every log line of this request.
    pub id: RequestId,
    /// Method, URL and headers.
    pub head: RequestHead,
    /// The body, or `None` where the request has none (RFC 9112 §6.3). It may be polled on any thread;
    /// limits and timeouts are already inside it.
    pub body: Option<RequestBody>,
    /// When the request was handed over.
    pub queued: Instant,
    /// When the wall limit strikes: counted from that moment.
    pub deadline: Instant,
    /// Where the one reply goes. Dropped unsent only if the process is going down.
    pub reply: ReplySender,
}

/// A request body: data frames only, bounded and timed by whoever made it.
pub type RequestBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>;

/// Why a request body ended early. The app sees a `TypeError`; the client the status of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than the app's `body` limit.
    #[error("the request body is larger than the app's limit")]
    TooLarge,
    /// Nothing arrived for the listener's `body` timeout.
    #[error("the client sent no part of the request body in time")]
    Timeout,
    /// The connection ended before the body did.
    #[error("the connection ended before the request body did")]
    Incomplete,
    /// Its framing broke: what follows cannot be told.
    #[error("the client broke off the request body's framing")]
    Malformed,
}

/// What comes back for an event: a response, or the reason there is none.
pub type Reply = Result<Response, Fault>;

/// A response: as the app made it, or with another body, as it goes out. Names and values are valid HTTP; framing fields
/// are the gateway's to set.
#[derive(Debug)]
pub struct Response<B = ResponseBody> {
    /// 200–599; 101 is the gateway's own.
    pub status: StatusCode,
    /// As the app set them; the gateway takes out what frames the message or ends at this hop (RFC 9110 §7.6.1).
    pub fields: Fields,
    /// What a large head costs its app for as long as it waits to be sent.
    pub held: Held,
    /// The body.
    pub body: B,
}

/// Something to be dropped when what it belongs to is gone.
pub type Held = Option<Box<dyn Any + Send>>;

/// Statuses whose response ends with its head (RFC 9110 §6.4.1).
pub fn is_null_body(status: StatusCode) -> bool {
    status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

/// A response body.
#[derive(Debug)]
pub enum ResponseBody {
    /// A null body.
    Empty,
    /// Known whole: sent with its length.
    Full(Bytes),
    /// Chunk by chunk.
    Stream {
        /// The channel is the back-pressure; it closes after the last chunk, and an `Err` cuts the response off.
        chunks: mpsc::Receiver<Result<Bytes, Fault>>,
        /// How many bytes will come, if that is known: sent as the length.
        length: Option<u64>,
    },
}

/// Why an event has no answer of the app's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The cause, as clients, logs and metrics name it.
    pub code: ErrorCode,
    /// For `Retry-After`, where waiting helps.
    pub retry_after: Option<Duration>,
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Self { code, retry_after: None }
    }
}

/// Every cause of an answer that is not the app's own, by its public name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No app claims host and path.
    NoRoute,
    /// The handler threw, rejected, or returned no `Response`.
    AppError,
    /// The app's code does not load.
    AppLoad,
    /// Over the CPU limit.
    CpuLimit,
    /// Over the memory limit.
    MemoryLimit,
    /// Over the wall limit.
    Timeout,
    /// The app's queue is full, or too much of its answers waits for clients.
    Overloaded,
    /// The app failed too often and pauses.
    AppStopped,
    /// Another request's fault took the isolate down.
    IsolateLost,
    /// Body over the app's limit.
    BodyTooLarge,
    /// Head over the listener's limit.
    HeaderTooLarge,
    /// Request target over 16 KiB.
    UriTooLong,
    /// Head or body slower than its timeout.
    RequestTimeout,
    /// Malformed HTTP.
    BadRequest,
    /// The client left before the answer did. In the log only.
    ClientClosed,
}

impl ErrorCode {
    /// Every code, in the order of the error table.
    pub const ALL: [Self; 15] = [
        Self::NoRoute,
        Self::AppError,
        Self::AppLoad,
        Self::CpuLimit,
        Self::MemoryLimit,
        Self::Timeout,
        Self::Overloaded,
        Self::AppStopped,
        Self::IsolateLost,
        Self::BodyTooLarge,
        Self::HeaderTooLarge,
        Self::UriTooLong,
        Self::RequestTimeout,
        Self::BadRequest,
        Self::ClientClosed,
    ];

    /// The name clients, logs and metrics use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::AppError => "app_error",
            Self::AppLoad => "app_load",
            Self::CpuLimit => "cpu_limit",
            Self::MemoryLimit => "memory_limit",
            Self::Timeout => "timeout",
            Self::Overloaded => "overloaded",
            Self::AppStopped => "app_stopped",
            Self::IsolateLost => "isolate_lost",
            Self::BodyTooLarge => "body_too_large",
            Self::HeaderTooLarge => "header_too_large",
            Self::UriTooLong => "uri_too_long",
            Self::RequestTimeout => "request_timeout",
            Self::BadRequest => "bad_request",
            Self::ClientClosed => "client_closed",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Takes events for one app. Implemented by the runtime's pool; never blocks.
pub trait Dispatch: Send + Sync {
    /// Accepts `event`. The reply arrives through the event's own sender, exactly once.
    fn dispatch(self: Arc<Self>, event: Event) -> Arc<dyn Exchange>;
}

/// The dispatcher's side of one event under way.
pub trait Exchange: Send + Sync {
    /// Ends it early: `request.signal` aborts, its timers and streams are cancelled, what it held is freed.
    /// Must be called when the reply or the rest of the response body is no longer wanted; harmless afterwards.
    fn abort(&self, cause: ErrorCode);

    /// CPU time charged to the event so far.
    fn cpu(&self) -> Duration;
}

/// A request's id: printable ASCII, cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Id);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Id {
    Ours([u8; uuid::fmt::Hyphenated::LENGTH]),
    Given(Arc<str>),
}

impl RequestId {
    /// A fresh UUIDv7 (RFC 9562 §5.7). Ids of the same few milliseconds are in no order.
    pub fn new() -> Self {
        // Coarse is milliseconds, and a glance.
        let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let at = uuid::Timestamp::from_unix(uuid::NoContext, seconds, now.tv_nsec as u32);
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        uuid::Uuid::new_v7(at).hyphenated().encode_lower(&mut text);
        Self(Id::Ours(text))
    }

    /// An id someone else gave, if it is 1–128 bytes of visible ASCII.
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(Id::Given(text.into())))
    }

    /// The id as a header value.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).expect("an id is printable ASCII")
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Id::Ours(text) => std::str::from_utf8(text).expect("a UUID is ASCII"),
            Id::Given(text) => text,
        }
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}
