//! Bodies that pass through: what a request or an outgoing exchange brings goes out as a response's body, chunk by chunk,
//! without a script in between.

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::{event, fetch};
use crate::runtime::{self, Input, Op, State};

/// The native functions by which `event.js` has a body pass through.
pub const OPS: &[Op] = crate::ops![pipe_request, pipe_fetch];

/// Why a body does not arrive whole.
enum Broken<E> {
    /// Its source failed.
    Source(E),
    /// The app's clients have too much yet to take.
    Untaken,
}

/// `pipe_request(to, from)`: the body of request `from` becomes that of the response to `to`, whose head is out. A promise
/// of true after the last chunk, of false if the client has left.
fn pipe_request(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let to = args.get(0).uint32_value(scope).unwrap_or(0);
    let from = args.get(1).uint32_value(scope).unwrap_or(0);
    let state = runtime::state(scope);
    let Some(body) = state.body(from) else { return };
    let read = move |cx: &mut Context<'_>| event::poll_read(&mut body.borrow_mut(), cx);
    pipe(scope, &state, to, read, &mut rv, event::unreadable);
}

/// `pipe_fetch(to, id)`: the same for the response of an exchange; `undefined` where its body is to be decoded first.
fn pipe_fetch(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let to = args.get(0).uint32_value(scope).unwrap_or(0);
    let id = args.get(1).uint32_value(scope).unwrap_or(0);
    let state = runtime::state(scope);
    let Some(arriving) = state.fetches.arriving(id).filter(|arriving| !arriving.borrow().is_encoded()) else { return };
    let read = move |cx: &mut Context<'_>| {
        arriving.borrow_mut().poll_input(cx).map(|input| match input {
            Ok(Input::Data(data)) => data.map(Ok),
            // Only a decoder is.
            Ok(Input::Busy) => None,
            Err(failure) => Some(Err(failure)),
        })
    };
    pipe(scope, &state, to, read, &mut rv, move |scope, failure| {
        fetch::failed(scope, &runtime::state(scope), to, "response", &failure)
    });
}

fn pipe<E: 'static>(
    scope: &mut PinScope<'_, '_>,
    state: &Rc<State>,
    to: u32,
    mut read: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<Bytes, E>>> + 'static,
    rv: &mut ReturnValue<'_, Value>,
    explain: impl for<'a> FnOnce(&mut PinScope<'a, '_>, E) -> Local<'a, Value> + 'static,
) {
    let Some(chunks) = state.chunks(to) else { return rv.set_bool(false) };
    let account = Rc::clone(state);
    let work = async move {
        while let Some(data) = std::future::poll_fn(&mut read).await {
            let data = account.charge_unsent(data.map_err(Broken::Source)?).ok_or(Broken::Untaken)?;
            if chunks.send(Ok(data)).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let promise = state.promise(scope, to, work, |scope, piped| match piped {
        Ok(whole) => Ok(v8::Boolean::new(scope, whole).into()),
        Err(Broken::Source(failure)) => Err(explain(scope, failure)),
        Err(Broken::Untaken) => Err(event::error(scope, event::UNTAKEN, v8::Exception::range_error)),
    });
    if let Some(promise) = promise {
        rv.set(promise.into());
    }
}
