//! Promises rejected with no one to handle it, reported once the microtasks of the turn have had their chance.

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
            if let Entry::Occupied(mut same) =
                state.rejections.0.borrow_mut().by_hash.entry(promise.get_identity_hash().get())
            {
                same.get_mut().retain(|rejection| rejection.promise != promise);
                if same.get().is_empty() {
                    same.remove();
                }
            }
        }
        // Settling a promise twice is no fault.
        v8::PromiseRejectEvent::PromiseRejectAfterResolved | v8::PromiseRejectEvent::PromiseResolveAfterResolved => {}
    }
}

impl Rejections {
    /// Logs what is still unhandled.
    pub(super) fn report(&self, scope: &mut v8::PinScope<'_, '_>, state: &State) {
        let mut rejections: Vec<_> = self.0.take().by_hash.into_values().flatten().collect();
        rejections.sort_unstable_by_key(|rejection| rejection.number);
        for rejection in rejections {
            if state.worker.turns.verdict().is_some() {
                return;
            }
            let reason = v8::Local::new(scope, &rejection.reason);
            let text = exception::describe(scope, reason);
            state.log(Level::Error, rejection.request, &format!("unhandled rejection: {text}"));
        }
    }
}
