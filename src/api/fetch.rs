//! `fetch()` below its standard's algorithms: one exchange over the network, known to the script by a number. Why one
//! fails is for the app's log; the app is told little, for whom it reached on whose behalf it may tell to others.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use data_url::DataUrl;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::mpsc::error::TrySendError;
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::event;
use super::value;
use crate::egress::{Answer, Charge, Decoded, Decoder, Failure, Target, Upload};
use crate::plan::Level;
use crate::runtime::{self, Arriving, Input, Op, State};

/// The native functions of `fetch.js`.
pub const OPS: &[Op] = crate::ops![
    fetch_id,
    fetch_send,
    fetch_write,
    fetch_read,
    fetch_discard,
    fetch_abort,
    fetch_user_agent,
    fetch_data_url,
];

fn id(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) -> u32 {
    args.get(0).uint32_value(scope).unwrap_or(0)
}

/// `fetch_id()`: a number for an exchange. A script could not count them: it has a realm to itself, the isolate may have many.
fn fetch_id(scope: &mut PinScope<'_, '_>, _: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    rv.set_uint32(runtime::state(scope).fetches.next_id());
}

/// `fetch_send(id, secure, host, port, path, method, body, ...headers)`: a promise of `[status, reason, headers, hasBody]`.
/// `body` is null, a string, a `Uint8Array`, or true if `fetch_write` sends it; `headers` are `name, value, …`.
fn fetch_send(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let id = id(scope, &args);
    let request = runtime::request_of(scope);
    let state = runtime::state(scope);
    if !state.goes_outside(request) {
        return value::throw_type_error(scope, "fetch: the request is over");
    }
    let (mut host, mut path, mut method) = (value::buffer(), value::buffer(), value::buffer());
    let Some(host) = value::text(scope, &args, 2, &mut host) else { return };
    let Some(path) = value::text(scope, &args, 4, &mut path) else { return };
    let Some(method) = value::text(scope, &args, 5, &mut method) else { return };
    let port = args.get(3).uint32_value(scope).and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
    let target = Target { secure: args.get(1).is_true(), host: host.into_owned(), port };
    let (Ok(path), Ok(method)) = (PathAndQuery::try_from(&*path), Method::from_bytes(method.as_bytes())) else {
        return value::throw_type_error(scope, "fetch: the URL is too long");
    };
    let mut headers = HeaderMap::new();
    let read = event::read_fields(scope, &args, 7, &event::REQUEST, |name, value| _ = headers.append(name, value));
    if read.is_none() {
        return;
    }
    let Some((upload, uploader)) = body(scope, &args) else { return };

    let given_up = state.fetches.begin(id, request, uploader);
    let client = state.fetches.client();
    let head = method == Method::HEAD;
    let shown = target.to_string();
    let sent = async move {
        tokio::select! {
            biased;
            _ = given_up => None,
            answer = client.send(&target, method, path, headers, upload) => Some(answer),
        }
    };
    let settle_state = Rc::clone(&state);
    let promise = state.promise(scope, request, sent, move |scope, answer| match answer {
        Some(Ok(answer)) => Ok(arrived(scope, &settle_state, id, answer, head)),
        Some(Err(failure)) => {
            settle_state.fetches.end(id);
            Err(failed(scope, &settle_state, request, &shown, &failure))
        }
        None => Err(v8::undefined(scope).into()),
    });
    match promise {
        Some(promise) => rv.set(promise.into()),
        None => state.fetches.end(id),
    }
}

/// Argument 6 as a body, and where its chunks go if they come later; `None`, with an exception, if there is no room.
fn body(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
) -> Option<(Upload, Option<crate::egress::Uploader>)> {
    let body = args.get(6);
    if body.is_true() {
        let (uploader, upload) = Upload::stream();
        return Some((upload, Some(uploader)));
    }
    let bytes = if let Ok(text) = Local::<v8::String>::try_from(body) {
        if !value::has_room_for(scope, text) {
            return None;
        }
        let length = text.utf8_length(scope);
        runtime::charged(scope, length, |scope| {
            let mut bytes = vec![0; length];
            text.write_utf8_v2(scope, &mut bytes, v8::WriteFlags::kReplaceInvalidUtf8, None);
            bytes
        })
    } else if body.is_null() {
        return Some((Upload::Empty, None));
    } else {
        view(scope, body)?
    };
    match bytes {
        Some(bytes) if bytes.is_empty() => Some((Upload::Empty, None)),
        Some(bytes) => Some((Upload::Full(Some(bytes)), None)),
        None => {
            value::throw_range_error(scope, "the app's memory limit leaves no room for the request body");
            None
        }
    }
}

/// A copy of a view's bytes, charged to the app; the inner `None` is for want of room.
fn view(scope: &mut PinScope<'_, '_>, value: Local<'_, Value>) -> Option<Option<bytes::Bytes>> {
    let Ok(view) = Local::<v8::ArrayBufferView>::try_from(value) else {
        value::throw_type_error(scope, "not a view of bytes");
        return None;
    };
    let copy = |_: &mut PinScope<'_, '_>| view.get_contents(&mut [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP]).to_vec();
    Some(runtime::charged(scope, view.byte_length(), copy))
}

/// A response's head, as the script takes it; the body waits to be read.
fn arrived<'s>(scope: &mut PinScope<'s, '_>, state: &State, id: u32, answer: Answer, head: bool) -> Local<'s, Value> {
    let Answer { status, reason, mut headers, body } = answer;
    // Fetch §2.2.3 "null body status"; 101 is none of ours.
    let empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    if head || empty {
        body.discard();
        state.fetches.end(id);
    } else {
        let decoder = decoder(&headers);
        if decoder.is_some() {
            // What is decoded has neither. An app that passes the response on would say of it what is not so.
            headers.remove(header::CONTENT_ENCODING);
            headers.remove(header::CONTENT_LENGTH);
        }
        state.fetches.arrived(id, body, decoder);
    }
    let mut flat: Vec<Local<'_, Value>> = Vec::with_capacity(headers.len() * 2);
    for (name, value) in &headers {
        flat.push(latin1(scope, name.as_str().as_bytes()));
        flat.push(latin1(scope, value.as_bytes()));
    }
    let parts = [
        v8::Integer::new(scope, i32::from(status.as_u16())).into(),
        latin1(scope, &reason),
        v8::Array::new_with_elements(scope, &flat).into(),
        v8::Boolean::new(scope, !(head || empty)).into(),
    ];
    v8::Array::new_with_elements(scope, &parts).into()
}

fn decoder(headers: &HeaderMap) -> Option<Decoder> {
    let values = headers.get_all(header::CONTENT_ENCODING);
    Decoder::new(values.iter().map(|value| value.to_str().unwrap_or("?")))
}

fn latin1<'s>(scope: &mut PinScope<'s, '_>, bytes: &[u8]) -> Local<'s, Value> {
    // A head is far below the longest string V8 has.
    match v8::String::new_from_one_byte(scope, bytes, v8::NewStringType::Normal) {
        Some(text) => text.into(),
        None => v8::String::empty(scope).into(),
    }
}

/// Logs why, and makes what the app gets.
pub(super) fn failed<'s>(
    scope: &mut PinScope<'s, '_>,
    state: &State,
    request: u32,
    target: &str,
    failure: &Failure,
) -> Local<'s, Value> {
    state.log(Level::Warn, request, &format!("fetch {target}: {failure}"));
    let no_room = matches!(failure, Failure::NoRoom);
    let text = if no_room { "the app's memory limit leaves no room for the response body" } else { "fetch failed" };
    match v8::String::new(scope, text) {
        Some(text) if no_room => v8::Exception::range_error(scope, text),
        Some(text) => v8::Exception::type_error(scope, text),
        None => v8::undefined(scope).into(),
    }
}

/// `fetch_write(id, bytes)`: true once there is room for the next chunk, false if nobody wants it; or a promise of that.
/// Without bytes: that was the last.
fn fetch_write(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let id = id(scope, &args);
    let state = runtime::state(scope);
    let Some(upload) = state.fetches.upload(id) else { return rv.set_bool(false) };
    let chunk = if args.get(1).is_undefined() {
        state.fetches.uploaded(id);
        None
    } else {
        let Some(copied) = view(scope, args.get(1)) else { return };
        let Some(bytes) = copied else {
            return value::throw_range_error(scope, "the app's memory limit leaves no room for the request body");
        };
        if bytes.is_empty() {
            return rv.set_bool(true);
        }
        Some(bytes)
    };
    let mut rest = chunk;
    if state.may_go_on() {
        match upload.try_send(rest) {
            Ok(()) => return rv.set_bool(true),
            Err(TrySendError::Closed(_)) => return rv.set_bool(false),
            Err(TrySendError::Full(back)) => rest = back,
        }
    }
    let request = runtime::request_of(scope);
    let write = async move { upload.send(rest).await.is_ok() };
    if let Some(promise) = state.promise(scope, request, write, |scope, sent| Ok(v8::Boolean::new(scope, sent).into()))
    {
        rv.set(promise.into());
    }
}

/// `fetch_read(id)`: the next chunk of the response as a `Uint8Array`, `undefined` after the last, null if it is to be
/// asked for again; or a promise of one of these.
fn fetch_read(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let id = id(scope, &args);
    let state = runtime::state(scope);
    let Some(arriving) = state.fetches.arriving(id) else { return };
    let request = runtime::request_of(scope);
    // What has arrived is taken at once, but now and then others get their turn in between.
    if state.may_go_on() {
        let input = arriving.borrow_mut().poll_input(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(input) = input {
            match chunk(scope, &state, id, request, &arriving, input) {
                Ok(chunk) => rv.set(chunk),
                Err(error) => drop(scope.throw_exception(error)),
            }
            return;
        }
    }
    let waiting = Rc::clone(&arriving);
    let read = std::future::poll_fn(move |cx| waiting.borrow_mut().poll_input(cx));
    let settle_state = Rc::clone(&state);
    let promise = state
        .promise(scope, request, read, move |scope, input| chunk(scope, &settle_state, id, request, &arriving, input));
    if let Some(promise) = promise {
        rv.set(promise.into());
    }
}

/// What a read gives. Decoding happens here, in a turn of the app's own: it is charged and can be ended.
fn chunk<'s>(
    scope: &mut PinScope<'s, '_>,
    state: &State,
    id: u32,
    request: u32,
    arriving: &Rc<RefCell<Arriving>>,
    input: Result<Input, Failure>,
) -> Result<Local<'s, Value>, Local<'s, Value>> {
    let decoded = input.and_then(|input| {
        let mut charge = |bytes| runtime::charge(scope, bytes).map(|charge| -> Charge { Box::new(charge) });
        arriving.borrow_mut().decode(input, &mut charge)
    });
    match decoded {
        Ok(Decoded::Chunk(data)) => match runtime::bytes(scope, &data) {
            Some(array) => Ok(array.into()),
            None => {
                state.fetches.end(id);
                Err(failed(scope, state, request, "response", &Failure::NoRoom))
            }
        },
        Ok(Decoded::Starved | Decoded::Again) => Ok(v8::null(scope).into()),
        Ok(Decoded::End) => {
            state.fetches.end(id);
            Ok(v8::undefined(scope).into())
        }
        Err(failure) => {
            state.fetches.end(id);
            Err(failed(scope, state, request, "response", &failure))
        }
    }
}

/// `fetch_discard(id)`: the response is not wanted, its connection is.
fn fetch_discard(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let id = id(scope, &args);
    runtime::state(scope).fetches.discard(id);
}

/// `fetch_abort(id)`: none of it is wanted any more.
fn fetch_abort(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let id = id(scope, &args);
    runtime::state(scope).fetches.end(id);
}

/// `fetch_user_agent()`: what requests say that are not told to say otherwise.
fn fetch_user_agent(scope: &mut PinScope<'_, '_>, _: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    value::return_text(scope, &mut rv, concat!("nano/", env!("CARGO_PKG_VERSION")));
}

/// `fetch_data_url(url)`: `[type, bytes]` (Fetch §6 "data: URL processor"); `undefined` if it is none.
fn fetch_data_url(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let mut buffer = value::buffer();
    let Some(text) = value::text(scope, &args, 0, &mut buffer) else { return };
    let Ok(url) = DataUrl::process(&text) else { return };
    let Ok((bytes, _)) = url.decode_to_vec() else { return };
    let mime = url.mime_type().to_string();
    let Some(array) = runtime::bytes(scope, &bytes) else { return value::throw_no_room(scope) };
    let mime = latin1(scope, mime.as_bytes());
    rv.set(v8::Array::new_with_elements(scope, &[mime, array.into()]).into());
}
