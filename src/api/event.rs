//! A request's way into JavaScript and the response's way out. A request is known by its token.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::sync::mpsc::error::TrySendError;
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::{encoding, value};
use crate::event::{BodyError, ErrorCode, Fields, RequestBody, Response, ResponseBody, is_null_body};
use crate::plan::Level;
use crate::runtime::{self, HeadRef, Op, State};

/// Fields a head may have, and the bytes of their names and values together.
const FIELDS: usize = 1000;
const HEAD: usize = 256 << 10;

pub(super) const UNTAKEN: &str =
    "the app's clients have not taken twice as much of its responses as its isolates may use";

/// The native functions of `event.js`, `request.js` and `body.js`.
pub const OPS: &[Op] = crate::ops![
    request_method,
    request_url,
    request_headers,
    request_header,
    request_has_body,
    request_read,
    request_text,
    respond,
    respond_stream,
    stream_write,
    stream_close,
    stream_error,
    fail,
    fail_exception,
    wait_until,
    finished,
];

fn token(args: &FunctionCallbackArguments<'_>) -> u32 {
    Local::<v8::Uint32>::try_from(args.get(0)).map_or(0, |token| token.value())
}

/// The head of the request whose token the first argument is; with a `TypeError` thrown if it is over: what was read of it by
/// then, JavaScript has.
fn request_head(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) -> Option<HeadRef> {
    let head = runtime::state(scope).head(token(args));
    if head.is_none() {
        value::throw_type_error(scope, "the request is over, and what was not read of it by then is gone");
    }
    head
}

/// `request_method(token)`
fn request_method(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    if let Some(head) = request_head(scope, &args) {
        value::return_text(scope, &mut rv, head.get().method());
    }
}

/// `request_url(token)`: scheme, host, and path and query as the client sent them.
fn request_url(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    if let Some(head) = request_head(scope, &args) {
        value::return_text(scope, &mut rv, head.get().url());
    }
}

/// `request_headers(token)`: `[name, value, …]`, names in lower case, values as Latin-1.
fn request_headers(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Some(head) = request_head(scope, &args) else { return };
    let fields = head.get().fields();
    let mut flat: Vec<Local<'_, Value>> = Vec::with_capacity(fields.len() * 2);
    for (name, value) in fields {
        for (bytes, kind) in [(name, v8::NewStringType::Internalized), (value, v8::NewStringType::Normal)] {
            // A head is far below the longest string V8 has.
            let Some(string) = v8::String::new_from_one_byte(scope, bytes, kind) else { return };
            flat.push(string.into());
        }
    }
    rv.set(v8::Array::new_with_elements(scope, &flat).into());
}

/// `request_header(token, name)`: the field's values together, as Latin-1, or null (Fetch §2.2.2 "get"); `name` is in lower
/// case.
fn request_header(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    rv.set_null();
    let Some(head) = request_head(scope, &args) else { return };
    let mut room = HEAD;
    let Some(name) = latin1(scope, args.get(1), &mut room, |bytes| Some(bytes.to_vec())) else { return };
    let mut values = head.get().fields().filter(|(other, _)| *other == name).map(|(_, value)| value);
    let Some(first) = values.next() else { return };
    let rest: Vec<&[u8]> = values.collect();
    let joined;
    let value = if rest.is_empty() {
        first
    } else {
        joined = [&[first], &*rest].concat().join(&b", "[..]);
        &joined
    };
    if let Some(string) = v8::String::new_from_one_byte(scope, value, v8::NewStringType::Normal) {
        rv.set(string.into());
    }
}

/// `request_has_body(token)`
fn request_has_body(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let token = token(&args);
    let body = runtime::state(scope).body(token);
    rv.set_bool(body.is_some_and(|body| body.borrow().is_some()));
}

/// `request_read(token)`: the next chunk as a `Uint8Array`, `undefined` after the last, or a promise of either.
fn request_read(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    read(scope, &args, &mut rv, false);
}

/// `request_text(token)`: all of the body as text, if it is there in one piece, which small ones are: a buffer would cost
/// as much as its text. Otherwise the same as `request_read`.
fn request_text(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    read(scope, &args, &mut rv, true);
}

fn read(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    rv: &mut ReturnValue<'_, Value>,
    as_text: bool,
) {
    let token = token(args);
    let state = runtime::state(scope);
    let Some(body) = state.body(token) else { return };
    // What has arrived is taken at once, but now and then others get their turn in between.
    if state.may_go_on() {
        let mut cx = Context::from_waker(Waker::noop());
        let read = poll_read(&mut body.borrow_mut(), &mut cx);
        if let Poll::Ready(read) = read {
            if as_text
                && let Some(Ok(data)) = &read
                && body.borrow_mut().take_if(|body| body.is_end_stream()).is_some()
            {
                return encoding::return_utf8(scope, rv, data, false);
            }
            match chunk(scope, read) {
                Ok(chunk) => rv.set(chunk),
                Err(error) => drop(scope.throw_exception(error)),
            }
            return;
        }
    }
    let read = std::future::poll_fn(move |cx| poll_read(&mut body.borrow_mut(), cx));
    if let Some(promise) = state.promise(scope, token, read, chunk) {
        rv.set(promise.into());
    }
}

/// The next data frame; `None` at the end, and again after it.
pub(super) fn poll_read(
    body: &mut Option<RequestBody>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, BodyError>>> {
    loop {
        let Some(open) = body else { return Poll::Ready(None) };
        let frame = match open.as_mut().poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(frame) => frame.map(|frame| frame.map(http_body::Frame::into_data)),
        };
        match frame {
            Some(Ok(Ok(data))) if data.is_empty() => {}
            Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(data))),
            // Trailers: Fetch has no place for them.
            Some(Ok(Err(_))) => {}
            Some(Err(error)) => {
                *body = None;
                return Poll::Ready(Some(Err(error)));
            }
            None => {
                *body = None;
                return Poll::Ready(None);
            }
        }
    }
}

fn chunk<'s>(
    scope: &mut PinScope<'s, '_>,
    read: Option<Result<Bytes, BodyError>>,
) -> Result<Local<'s, Value>, Local<'s, Value>> {
    match read {
        None => Ok(v8::undefined(scope).into()),
        Some(Ok(data)) => {
            let array = runtime::bytes(scope, &data);
            array.map(Into::into).ok_or_else(|| {
                error(scope, "the app's memory limit leaves no room for the request body", v8::Exception::range_error)
            })
        }
        Some(Err(failure)) => Err(unreadable(scope, failure)),
    }
}

/// Why an app cannot read the body, as it is told.
pub(super) fn unreadable<'s>(scope: &mut PinScope<'s, '_>, failure: BodyError) -> Local<'s, Value> {
    error(scope, &failure.to_string(), v8::Exception::type_error)
}

pub(super) fn error<'s>(
    scope: &mut PinScope<'s, '_>,
    message: &str,
    class: impl FnOnce(&PinScope<'s, '_>, Local<'_, v8::String>) -> Local<'s, Value>,
) -> Local<'s, Value> {
    match v8::String::new(scope, message) {
        Some(message) => class(scope, message),
        None => v8::undefined(scope).into(),
    }
}

/// `respond(token, status, body, ...headers)`: the whole response; `headers` are `name, value, …`, `body` is a string, a
/// `Uint8Array` or null.
fn respond(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let token = token(&args);
    let state = runtime::state(scope);
    let Some(mut response) = head(scope, &args) else { return };
    let body = args.get(2);
    let mut whole = None;
    if let Ok(text) = Local::<v8::String>::try_from(body) {
        if !value::has_room_for(scope, text) {
            return;
        }
        let mut bytes = vec![0; text.utf8_length(scope)];
        text.write_utf8_v2(scope, &mut bytes, v8::WriteFlags::kReplaceInvalidUtf8, None);
        whole = Some(bytes);
    } else if !body.is_null() {
        whole = value::bytes(scope, &args, 2, <[u8]>::to_vec);
        if whole.is_none() {
            return;
        }
    }
    if let Some(bytes) = whole {
        let Some(bytes) = state.charge_unsent(bytes) else {
            return refuse_untaken(&state, token);
        };
        response.body = ResponseBody::Full(bytes);
    }
    state.respond(token, response, None);
}

/// Fails a request whose answer is more than its app may have waiting.
fn refuse_untaken(state: &State, token: u32) {
    state.log(Level::Error, token, UNTAKEN);
    state.fail(token, ErrorCode::MemoryLimit.into());
}

/// `respond_stream(token, status, length, ...headers)`: the head, and how many bytes the body has, if that is known; true
/// where `stream_write` is to send the body, false where the response has none.
fn respond_stream(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let token = token(&args);
    let Some(response) = head(scope, &args) else { return };
    let state = runtime::state(scope);
    let head_only = state.head(token).is_some_and(|head| head.get().method() == "HEAD");
    let streams = !head_only && !is_null_body(response.status);
    // A whole number that a double can tell from its neighbours.
    let length = args.get(2).number_value(scope).filter(|length| (0.0..=9_007_199_254_740_991.0).contains(length));
    state.respond(token, response, streams.then_some(length.map(|length| length as u64)));
    rv.set_bool(streams);
}

/// The status, argument 1, and the headers from argument 3 on; a `TypeError` where they could not be sent.
fn head(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) -> Option<Response> {
    let status = args.get(1).uint32_value(scope).and_then(|status| u16::try_from(status).ok());
    let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) else {
        value::throw_type_error(scope, "not a response head");
        return None;
    };
    // With room for what the gateway adds.
    let mut fields = Fields::with_capacity(count(args, 3) + 3);
    let size = read_fields(scope, args, 3, &RESPONSE, |name, value| fields.push(name, value))?;
    let state = runtime::state(scope);
    let Some(held) = state.charge_unsent_head(size) else {
        refuse_untaken(&state, token(args));
        return None;
    };
    Some(Response { status, fields, held, body: ResponseBody::Empty })
}

/// How a head is refused that is too large.
pub(super) struct Words {
    fields: &'static str,
    size: &'static str,
}

const RESPONSE: Words =
    Words { fields: "a response has 1000 headers at most", size: "a response's headers have 256 KiB at most" };

/// Of a request that goes out.
pub(super) const REQUEST: Words =
    Words { fields: "a request has 1000 headers at most", size: "a request's headers have 256 KiB at most" };

/// How many fields the arguments from `first` on are.
fn count(args: &FunctionCallbackArguments<'_>, first: i32) -> usize {
    usize::try_from(args.length() - first).unwrap_or_default() / 2
}

/// Gives the arguments from `first` on, `name, value, …`, to `push` as header fields, and returns their size in bytes; a
/// `TypeError` where they could not be sent. They come as arguments, for an array's elements take V8 ten times as long to find.
pub(super) fn read_fields(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    first: i32,
    words: &Words,
    mut push: impl FnMut(HeaderName, HeaderValue),
) -> Option<usize> {
    if count(args, first) > FIELDS {
        value::throw_type_error(scope, words.fields);
        return None;
    }
    let mut room = HEAD + 1;
    for index in (first..args.length()).step_by(2) {
        let name = latin1(scope, args.get(index), &mut room, |bytes| HeaderName::from_bytes(bytes).ok());
        let value = latin1(scope, args.get(index + 1), &mut room, |bytes| HeaderValue::from_bytes(bytes).ok());
        if room == 0 {
            value::throw_type_error(scope, words.size);
            return None;
        }
        // By Fetch, Headers takes control characters, which no field may have on its way (RFC 9110 §5.5).
        let Some(name) = name else {
            value::throw_type_error(scope, "not a header");
            return None;
        };
        let Some(value) = value else {
            value::throw_type_error(scope, &format!("the header {name} has a control character, as none may"));
            return None;
        };
        push(name, value);
    }
    Some(HEAD + 1 - room)
}

/// What `read` makes of a string's characters as bytes; `None` if it is no string of U+0000 to U+00FF, or longer than there
/// is `room`, of which nothing is left then.
fn latin1<T>(
    scope: &mut PinScope<'_, '_>,
    value: Local<'_, Value>,
    room: &mut usize,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Option<T> {
    let string = Local::<v8::String>::try_from(value).ok()?;
    *room = room.saturating_sub(string.length());
    if *room == 0 {
        return None;
    }
    match v8::ValueView::new(scope, string).data() {
        v8::ValueViewData::OneByte(bytes) => read(bytes),
        v8::ValueViewData::TwoByte(units) => {
            let bytes: Result<Vec<u8>, _> = units.iter().map(|unit| u8::try_from(*unit)).collect();
            read(&bytes.ok()?)
        }
    }
}

/// `stream_write(token, bytes)`: true once there is room for the next chunk, false if the client is gone; or a promise
/// of that.
fn stream_write(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let token = token(&args);
    let Some(bytes) = value::bytes(scope, &args, 1, <[u8]>::to_vec) else { return };
    // It was the last that anybody needed the chunk for.
    runtime::hasten_collection(scope, bytes.len());
    let state = runtime::state(scope);
    let Some(chunks) = state.chunks(token) else { return rv.set_bool(false) };
    if bytes.is_empty() {
        return rv.set_bool(true);
    }
    let Some(bytes) = state.charge_unsent(bytes) else { return value::throw_range_error(scope, UNTAKEN) };
    let mut rest = Ok(bytes);
    if state.may_go_on() {
        match chunks.try_send(rest) {
            Ok(()) => return rv.set_bool(true),
            Err(TrySendError::Closed(_)) => return rv.set_bool(false),
            Err(TrySendError::Full(back)) => rest = back,
        }
    }
    let write = async move {
        let sent = chunks.send(rest).await.is_ok();
        // The gateway and the other requests come first.
        tokio::task::yield_now().await;
        sent
    };
    if let Some(promise) = state.promise(scope, token, write, |scope, sent| Ok(v8::Boolean::new(scope, sent).into())) {
        rv.set(promise.into());
    }
}

/// `stream_close(token)`: that was the last chunk.
fn stream_close(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let token = token(&args);
    runtime::state(scope).close_stream(token);
}

/// `stream_error(token, error)`: the app's stream broke; the response is cut off.
fn stream_error(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let token = token(&args);
    let text = runtime::describe_exception(scope, args.get(1));
    let state = runtime::state(scope);
    state.log(Level::Error, token, &format!("the response's stream broke: {text}"));
    state.fail(token, ErrorCode::AppError.into());
}

/// `fail(token, message)`: there is no response, for that reason.
fn fail(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let (token, mut buffer) = (token(&args), value::buffer());
    let Some(message) = value::text(scope, &args, 1, &mut buffer) else { return };
    let state = runtime::state(scope);
    state.log(Level::Error, token, &message);
    state.fail(token, ErrorCode::AppError.into());
}

/// `fail_exception(token, error)`: the handler threw or rejected.
fn fail_exception(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let token = token(&args);
    let text = runtime::describe_exception(scope, args.get(1));
    let state = runtime::state(scope);
    state.log(Level::Error, token, &format!("the handler threw: {text}"));
    state.fail(token, ErrorCode::AppError.into());
}

/// `wait_until(token)`: the request lives on after its response until `finished`.
fn wait_until(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let token = token(&args);
    runtime::state(scope).wait_until(token);
}

/// `finished(token)`: the response is out and every `waitUntil` promise settled.
fn finished(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let token = token(&args);
    runtime::state(scope).finished(token);
}
