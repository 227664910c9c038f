//! WebAssembly modules whose bytes are still to come, each known to the script by a number.

use std::cell::{Cell, RefCell};

use rustc_hash::FxHashMap;
use v8::WasmStreaming;

use super::{modules, state};

/// Compilations that wait for bytes.
#[derive(Default)]
pub(crate) struct Compilations {
    waiting: RefCell<FxHashMap<u32, WasmStreaming<false>>>,
    last: Cell<u32>,
}

impl Compilations {
    fn add(&self, streaming: WasmStreaming<false>) -> u32 {
        let id = self.last.get().wrapping_add(1);
        self.last.set(id);
        self.waiting.borrow_mut().insert(id, streaming);
        id
    }

    /// The compilation of that number, which is no longer waiting then.
    pub(crate) fn take(&self, id: u32) -> Option<WasmStreaming<false>> {
        self.waiting.borrow_mut().remove(&id)
    }
}

/// V8 has a source for a compilation: the script says what its bytes are.
pub(super) fn on_source(
    scope: &mut v8::PinScope<'_, '_>,
    source: v8::Local<'_, v8::Value>,
    streaming: WasmStreaming<false>,
) {
    let id = state::of(scope).compilations.add(streaming);
    let Some(function) = modules::wasm_entry(scope) else { return };
    let (undefined, id) = (v8::undefined(scope).into(), v8::Integer::new_from_unsigned(scope, id).into());
    // It catches what it throws.
    function.call(scope, undefined, &[source, id]);
}
