//! Promises rejected with no one to handle it, reported once the microtasks of the turn have had their chance.

use std::cell::RefCell;
use std::rc::Rc;

use super::exception;
use super::state::State;
use crate::plan::Level;

/// A rejected promise and the request it happened in.
struct Rejection {
    promise: v8::Global<v8::Promise>,
    reason: v8::Global<v8::Value>,
    request: u32,
}

/// Rejections of the running turn.
#[derive(Default)]
pub(super) struct Rejections(RefCell<Vec<Rejection>>);

/// V8 reports a rejection without a handler, or a handler that came late.
pub(super) unsafe extern "C" fn on_reject(message: v8::PromiseRejectMessage<'_>) {
    v8::callback_scope!(unsafe scope, &message);
    let Some(state) = scope.get_slot::<Rc<State>>().cloned() else { return };
    let promise = message.get_promise();
    match message.get_event() {
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler => {
            let Some(reason) = message.get_value() else { return };
            let rejection = Rejection {
                promise: v8::Global::new(scope, promise),
                reason: v8::Global::new(scope, reason),
                request: super::realm::request_of(scope),
            };
            state.rejections.0.borrow_mut().push(rejection);
        }
        v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject => {
            state.rejections.0.borrow_mut().retain(|rejection| rejection.promise != promise);
        }
        // Settling a promise twice is no fault.
        v8::PromiseRejectEvent::PromiseRejectAfterResolved | v8::PromiseRejectEvent::PromiseResolveAfterResolved => {}
    }
}

impl Rejections {
    /// Logs what is still unhandled.
    pub(super) fn report(&self, scope: &mut v8::PinScope<'_, '_>, state: &State) {
        for rejection in self.0.take() {
            if state.worker.turns.verdict().is_some() {
                return;
            }
            let reason = v8::Local::new(scope, &rejection.reason);
            let text = exception::describe(scope, reason);
            state.log(Level::Error, rejection.request, &format!("unhandled rejection: {text}"));
        }
    }
}
