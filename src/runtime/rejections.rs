//! Promises rejected with no one to handle it: events of the global scope once the microtasks of the turn have had their
//! chance, and lines of the log where no listener prevents it (HTML §8.1.4.7).

use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::exception;
use super::state::State;
use crate::plan::Level;

/// A rejected promise and the request it happened in.
struct Rejection {
    /// Which of the turn's rejections it is.
    number: usize,
    promise: v8::Global<v8::Promise>,
    reason: v8::Global<v8::Value>,
    request: u32,
}

/// Rejections of the running turn.
#[derive(Default)]
pub(super) struct Rejections(RefCell<Open>);

#[derive(Default)]
struct Open {
    /// By the promise's hash, which is not quite unique: a turn may reject thousands and handle each late.
    by_hash: FxHashMap<i32, Vec<Rejection>>,
    last_number: usize,
    /// Handled, but not rejected in this turn.
    late: Vec<Rejection>,
}

/// V8 reports a rejection without a handler, or a handler that came late.
pub(super) unsafe extern "C" fn on_reject(message: v8::PromiseRejectMessage<'_>) {
    v8::callback_scope!(unsafe scope, &message);
    let Some(state) = scope.get_slot::<Rc<State>>().cloned() else { return };
    let promise = message.get_promise();
    match message.get_event() {
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler => {
            let Some(reason) = message.get_value() else { return };
            let mut open = state.rejections.0.borrow_mut();
            open.last_number += 1;
            let rejection = Rejection {
                number: open.last_number,
                promise: v8::Global::new(scope, promise),
                reason: v8::Global::new(scope, reason),
                request: super::realm::request_of(scope),
            };
            open.by_hash.entry(promise.get_identity_hash().get()).or_default().push(rejection);
        }
        v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject => {
            let mut open = state.rejections.0.borrow_mut();
            if let Entry::Occupied(mut same) = open.by_hash.entry(promise.get_identity_hash().get())
                && let Some(at) = same.get().iter().position(|rejection| rejection.promise == promise)
            {
                same.get_mut().swap_remove(at);
                if same.get().is_empty() {
                    same.remove();
                }
                return;
            }
            let late = Rejection {
                number: 0,
                promise: v8::Global::new(scope, promise),
                reason: v8::Global::new(scope, promise.result(scope)),
                request: super::realm::request_of(scope),
            };
            open.late.push(late);
        }
        // Settling a promise twice is no fault.
        v8::PromiseRejectEvent::PromiseRejectAfterResolved | v8::PromiseRejectEvent::PromiseResolveAfterResolved => {}
    }
}

impl Rejections {
    /// Tells the app of what is still unhandled, or handled late, and logs what that does not prevent. Listeners may
    /// reject promises too: ends when there are no more.
    pub(super) fn report(&self, scope: &mut v8::PinScope<'_, '_>, state: &State, entry: &super::realm::Entry) {
        loop {
            let open = self.0.take();
            if open.by_hash.is_empty() && open.late.is_empty() {
                return;
            }
            let mut rejections: Vec<_> = open.by_hash.into_values().flatten().collect();
            rejections.sort_unstable_by_key(|rejection| rejection.number);
            for rejection in rejections {
                // The listener to another may have handled it.
                let promise = v8::Local::new(scope, &rejection.promise);
                if !promise.has_handler() && tell(scope, state, entry, &rejection, false) {
                    let reason = v8::Local::new(scope, &rejection.reason);
                    let text = exception::describe(scope, reason);
                    state.log(Level::Error, rejection.request, &format!("unhandled rejection: {text}"));
                }
                if state.worker.turns.verdict().is_some() {
                    return;
                }
            }
            for rejection in open.late {
                tell(scope, state, entry, &rejection, true);
                if state.worker.turns.verdict().is_some() {
                    return;
                }
            }
        }
    }
}

/// Has the script dispatch an event; whether the rejection is to be logged.
fn tell(
    scope: &mut v8::PinScope<'_, '_>,
    state: &State,
    entry: &super::realm::Entry,
    rejection: &Rejection,
    is_late: bool,
) -> bool {
    super::realm::enter_request(scope, rejection.request);
    v8::tc_scope!(let scope, scope);
    let (promise, reason) = (v8::Local::new(scope, &rejection.promise), v8::Local::new(scope, &rejection.reason));
    let (function, undefined) = (v8::Local::new(scope, &entry.rejection), v8::undefined(scope).into());
    let is_late = v8::Boolean::new(scope, is_late).into();
    let answer = function.call(scope, undefined, &[promise.into(), reason, is_late]);
    let logs = answer.is_none_or(|answer| answer.is_true());
    scope.reset();
    if state.worker.turns.verdict().is_none() {
        scope.perform_microtask_checkpoint();
    }
    logs
}
