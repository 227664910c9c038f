//! The life of a request: checked, routed, handed to its app, answered. Knows no HTTP library's server: whatever parses
//! heads calls [`answer`] with one and sends what it returns.

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, PROXY_AUTHORIZATION, SERVER, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderValue, Method, Version};
use http_body::Body;
use tokio::sync::oneshot;

use super::activity::Activity;
use super::body::{Content, Inbound, Intake, Outbound};
use super::connection::Connection;
use super::error::Refusal;
use super::flight::Flight;
use super::forwarded::X_REQUEST_ID;
use super::listener::Stage;
use super::request::{Head, Request};
use super::target;
use crate::event::{
    BodyError, ErrorCode, Event, Fault, Fetch, Fields, Reply, RequestBody, RequestHead, Response, ResponseBody,
    is_null_body,
};
use crate::plan::Level;

/// Fields that end at this connection (RFC 9110 §7.6.1), `trailer` among them: apps have no trailers.
static HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields that `Connection` may name. Each is looked up, on a thread that all share.
const NAMED: usize = 100;

/// How many fields nano adds to a request, and room for them: an id has 36 bytes, if nobody else gave it.
const ADDED: usize = 4;
const ADDED_BYTES: usize = 192;

/// Answers one request. Dropping the future, or the body of what it returns, says that the client has left.
///
/// Its app is asked at once, not when the future is first polled: what is left to hold is small.
pub(super) fn answer<B>(
    connection: Arc<Connection>,
    request: Request<B>,
) -> impl Future<Output = Response<Outbound>> + Send
where
    B: Body<Data = Bytes, Error: Into<BodyError>> + Send + Unpin + 'static,
{
    let asked = ask(&connection, request);
    async move {
        let Asked { flight, replied, intake, deadline } = match asked {
            Ok(asked) => asked,
            Err((flight, refusal)) => return refuse(flight, refusal),
        };
        match wait(replied, intake.as_deref(), &connection.activity, deadline).await {
            Outcome::Reply(Ok(response)) => respond(flight, response),
            Outcome::Reply(Err(fault)) => refuse(flight, fault.into()),
            Outcome::Ours(code) => {
                flight.abort(code);
                refuse(flight, code.into())
            }
        }
    }
}

/// A request that its app has.
struct Asked {
    flight: Box<Flight>,
    replied: oneshot::Receiver<Reply>,
    intake: Option<Arc<Intake>>,
    deadline: Instant,
}

/// Finds the app of a request and hands it over, or refuses it.
fn ask<B>(connection: &Arc<Connection>, request: Request<B>) -> Result<Asked, (Box<Flight>, Refusal)>
where
    B: Body<Data = Bytes, Error: Into<BodyError>> + Send + Unpin + 'static,
{
    let Request { head, body } = request;
    let mut flight = Flight::begin(connection, head);
    let (plan, settings) = (&flight.view.serving.plan, &connection.settings);
    let host = flight.host.as_deref().map_err(|malformed| *malformed);
    let app = match target::route(plan, flight.view.listener, &flight.head, host, settings.max_header) {
        Ok(app) => app,
        Err(refusal) => return Err((flight, refusal)),
    };
    flight.route(app);
    let Some(service) = flight.app() else { return Err((flight, ErrorCode::NoRoute.into())) };
    let limits = service.app.limits;
    if body.size_hint().lower() > limits.body {
        return Err((flight, ErrorCode::BodyTooLarge.into()));
    }
    // Only a request that has a body pays for one.
    let intake = (!body.is_end_stream()).then(Arc::<Intake>::default);
    let body = intake.as_ref().map(|intake| {
        // An HTTP/1 connection has a timer, and looks after its one body itself.
        let patience = (flight.head.version > Version::HTTP_11).then_some(settings.timeouts.body);
        let inbound = Inbound::new(body, intake, limits.body, patience);
        Box::pin(inbound) as RequestBody
    });
    if let Some(intake) = &intake {
        flight.reads(intake);
    }
    let queued = flight.complete;
    let deadline = queued + limits.wall;
    let head = match copy_head(&flight) {
        Ok(head) => head,
        Err(code) => return Err((flight, code.into())),
    };
    let (reply, replied) = connection.desk.expect();
    let fetch = Fetch { id: flight.id.clone(), head, body, queued, deadline, reply };
    let Some(service) = flight.app() else { return Err((flight, ErrorCode::NoRoute.into())) };
    let exchange = Arc::clone(&service.dispatch).dispatch(Event::Fetch(fetch));
    flight.runs(exchange);
    Ok(Asked { flight, replied, intake, deadline })
}

/// Who decides the answer.
enum Outcome {
    /// The app, or the pool in its stead.
    Reply(Reply),
    /// The gateway; the app must stop.
    Ours(ErrorCode),
}

async fn wait(
    mut replied: oneshot::Receiver<Reply>,
    intake: Option<&Intake>,
    activity: &Activity,
    deadline: Instant,
) -> Outcome {
    let struck = poll_fn(|cx| intake.map_or(Poll::Pending, |intake| intake.poll_struck(cx)));
    let reply = tokio::select! {
        biased;
        fault = struck => return Outcome::Ours(body_code(fault)),
        reply = &mut replied => reply,
        () = activity.until(deadline) => return Outcome::Ours(ErrorCode::Timeout),
    };
    // Unsent only if the process is going down, and the isolate with it.
    Outcome::Reply(reply.unwrap_or(Err(Fault::from(ErrorCode::IsolateLost))))
}

fn body_code(fault: BodyError) -> ErrorCode {
    match fault {
        BodyError::TooLarge => ErrorCode::BodyTooLarge,
        BodyError::Timeout => ErrorCode::RequestTimeout,
        BodyError::Malformed => ErrorCode::BadRequest,
        BodyError::Incomplete => ErrorCode::ClientClosed,
    }
}

/// The head as the app sees it: what the client sent, less what concerns this connection alone, and with the client's
/// origin as far as nano vouches for it.
fn copy_head(flight: &Flight) -> Result<RequestHead, ErrorCode> {
    let Flight { connection, head, .. } = flight;
    let (fields, peer) = (&head.fields, &connection.peer);
    let scheme = peer.scheme(fields);
    let target = target::path_and_query(head);
    // HTTP/1.0 may name no host; a URL needs one.
    let address;
    let authority = match target::authority(head) {
        Ok(Some(authority)) => authority,
        _ => {
            address = connection.socket.address.to_string();
            &address
        }
    };
    let bytes = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    let url = [scheme, "://", authority, target];
    let mut copy = RequestHead::new(head.method.as_str(), &url, fields.count() + ADDED, bytes + ADDED_BYTES);
    let named = named_by_connection(fields).ok_or(ErrorCode::BadRequest)?;
    let cookies = joined_cookies(head);
    for (name, value) in fields.iter() {
        let ends_here = HOP_BY_HOP.contains(name) || *name == PROXY_AUTHORIZATION || named.contains(name);
        if !ends_here && peer.may_send(name) && (cookies.is_none() || *name != COOKIE) {
            copy.push(name.as_str(), value.as_bytes());
        }
    }
    if let Some(cookies) = &cookies {
        copy.push("cookie", cookies);
    }
    if head.version == Version::HTTP_2 && fields.get(&HOST).is_none() {
        // What HTTP/1 says in `Host` stands in `:authority` (RFC 9113 §8.3.1): an app need not know which it is.
        copy.push("host", authority.as_bytes());
    }
    let chain = peer.chain(fields);
    copy.push("x-forwarded-for", chain.as_deref().unwrap_or_else(|| peer.text().as_bytes()));
    copy.push("x-forwarded-proto", scheme.as_bytes());
    copy.push("x-request-id", flight.id.as_str().as_bytes());
    Ok(copy)
}

/// HTTP/2 may send a cookie field in pieces, which are one field to everybody else (RFC 9113 §8.2.3).
fn joined_cookies(head: &Head) -> Option<Vec<u8>> {
    let mut pieces = head.fields.get_all(&COOKIE);
    let (first, second) = (pieces.next()?, pieces.next()?);
    let pieces: Vec<_> = [first, second].into_iter().chain(pieces).map(HeaderValue::as_bytes).collect();
    (head.version == Version::HTTP_2).then(|| pieces.join(&b"; "[..]))
}

/// Fields that `Connection` says end at this connection too; `None` if it names more than may be.
fn named_by_connection(fields: &Fields) -> Option<HashSet<HeaderName>> {
    let options = fields.get_all(&CONNECTION).flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut named = HashSet::new();
    for (count, option) in options.map(<[u8]>::trim_ascii).enumerate() {
        if count == NAMED {
            return None;
        }
        // The common ones name no field, and cost nothing here.
        if !option.eq_ignore_ascii_case(b"keep-alive") && !option.eq_ignore_ascii_case(b"close") {
            named.extend(HeaderName::from_bytes(option));
        }
    }
    Some(named)
}

/// An answer of nano's own.
fn refuse(mut flight: Box<Flight>, refusal: Refusal) -> Response<Outbound> {
    let code = refusal.fault.code;
    let app = flight.app().map(|app| &*app.app.name);
    let (status, fields, body) = refusal.answer(app, &flight.id);
    flight.fail(code);
    // What follows on the connection may be the rest of a body nobody reads, or not HTTP at all.
    let close = matches!(
        code,
        ErrorCode::BadRequest
            | ErrorCode::BodyTooLarge
            | ErrorCode::HeaderTooLarge
            | ErrorCode::UriTooLong
            | ErrorCode::RequestTimeout
    );
    send(flight, Response { status, fields, held: None, body: Content::Full(body) }, close)
}

/// The app's answer, with what it may not say taken out.
fn respond(flight: Box<Flight>, response: Response) -> Response<Outbound> {
    let Response { status, mut fields, held, body } = response;
    if !(200..=599).contains(&status.as_u16()) {
        flight.abort(ErrorCode::AppError);
        return refuse(flight, ErrorCode::AppError.into());
    }
    let Some(named) = named_by_connection(&fields) else {
        let app = flight.app().map(|app| &*app.app.name);
        let message = format!("the response's Connection names more than {NAMED} fields");
        flight.connection.shared.logs.gateway(Level::Error, Some(&flight.id), app, &message);
        flight.abort(ErrorCode::AppError);
        return refuse(flight, ErrorCode::AppError.into());
    };
    fields.retain(|name| !HOP_BY_HOP.contains(name) && !named.contains(name));
    let claimed = fields.remove(&CONTENT_LENGTH);
    let content = match body {
        ResponseBody::Empty => Content::Empty,
        ResponseBody::Full(bytes) => Content::Full(bytes),
        ResponseBody::Stream { chunks, length } => Content::Stream { chunks, left: length },
    };
    if !matches!(content, Content::Full(_))
        && flight.head.method == Method::HEAD
        && let Some(length) = claimed.filter(is_length)
    {
        // What GET would have sent, as the app says (RFC 9110 §8.6).
        fields.push(CONTENT_LENGTH, length);
    }
    send(flight, Response { status, fields, held, body: content }, false)
}

fn is_length(value: &HeaderValue) -> bool {
    let digits = value.as_bytes();
    (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

/// What every response has.
fn send(mut flight: Box<Flight>, response: Response<Content>, close: bool) -> Response<Outbound> {
    let Response { status, mut fields, held, body: content } = response;
    fields.set(X_REQUEST_ID, flight.id.header());
    if fields.get(&SERVER).is_none() {
        fields.push(SERVER, HeaderValue::from_static("nano"));
    }
    let retiring = || *flight.connection.stage.borrow() != Stage::Serving;
    if flight.head.version <= Version::HTTP_11 && (close || retiring()) {
        fields.set(CONNECTION, HeaderValue::from_static("close"));
    }
    let content = if is_null_body(status) {
        fields.remove(&CONTENT_LENGTH);
        Content::Empty
    } else if flight.head.method == Method::HEAD {
        if let Content::Full(bytes) = &content {
            fields.set(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        Content::Empty
    } else {
        content
    };
    flight.answers(status.as_u16());
    Response { status, fields, held, body: Outbound::new(content, flight) }
}
