//! WebAssembly modules compiled from responses: which compilation a response's bytes are for.

use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use super::value;
use crate::runtime::{self, Op};

/// The native functions of `wasm_streaming.js`.
pub const OPS: &[Op] = crate::ops![wasm_finish, wasm_abort];

/// `wasm_finish(id, bytes)`: those are all of the module's bytes.
fn wasm_finish(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let id = args.get(0).uint32_value(scope).unwrap_or(0);
    let Some(mut streaming) = runtime::state(scope).compilations.take(id) else { return };
    let length = v8::Local::<v8::ArrayBufferView>::try_from(args.get(1)).map_or(0, |view| view.byte_length());
    if !runtime::has_room(scope, length) {
        let message = v8::String::new(scope, "the app's memory limit leaves no room for the module");
        let error = message.map(|message| v8::Exception::range_error(scope, message));
        return streaming.abort(error);
    }
    if value::bytes(scope, &args, 1, |bytes| streaming.on_bytes_received(bytes)).is_some() {
        streaming.finish();
    }
}

/// `wasm_abort(id, error)`: there is no module, for that reason.
fn wasm_abort(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let id = args.get(0).uint32_value(scope).unwrap_or(0);
    if let Some(streaming) = runtime::state(scope).compilations.take(id) {
        streaming.abort(Some(args.get(1)));
    }
}
