//! `structuredClone` over V8's serialiser, whose format never leaves the call.

use v8::{
    ArrayBuffer, FunctionCallbackArguments, Global, Local, PinScope, ReturnValue, Value, ValueDeserializer,
    ValueDeserializerHelper, ValueDeserializerImpl, ValueSerializer, ValueSerializerHelper, ValueSerializerImpl,
};

use super::value;
use crate::runtime::Op;

/// The native functions of `structured_clone.js`.
pub const OPS: &[Op] = crate::ops![structured_clone];

/// `structured_clone(value, buffers, fail)`: a deep copy. `buffers` are ArrayBuffers to move, checked by the script;
/// `fail(message)` throws what a value that cannot be cloned throws.
fn structured_clone(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (Ok(list), Ok(fail)) =
        (Local::<v8::Array>::try_from(args.get(1)), Local::<v8::Function>::try_from(args.get(2)))
    else {
        return value::throw_type_error(scope, "not a list and a function");
    };
    let mut buffers = Vec::new();
    for index in 0..list.length() {
        let buffer = list.get_index(scope, index).and_then(|buffer| Local::<ArrayBuffer>::try_from(buffer).ok());
        let Some(buffer) = buffer else { return value::throw_type_error(scope, "not an ArrayBuffer") };
        buffers.push(buffer);
    }

    let context = scope.get_current_context();
    let serializer = ValueSerializer::new(scope, Box::new(Delegate { fail: Global::new(scope, fail) }));
    serializer.write_header();
    for (id, buffer) in (0..).zip(&buffers) {
        serializer.transfer_array_buffer(id, *buffer);
    }
    if serializer.write_value(context, args.get(0)) != Some(true) {
        return;
    }
    let data = serializer.release();

    let moved: Vec<_> = buffers.iter().map(|buffer| buffer.get_backing_store()).collect();
    for buffer in &buffers {
        buffer.detach(None);
    }
    let deserializer = ValueDeserializer::new(scope, Box::new(Delegate { fail: Global::new(scope, fail) }), &data);
    if deserializer.read_header(context) != Some(true) {
        return;
    }
    for (id, store) in (0..).zip(&moved) {
        let buffer = ArrayBuffer::with_backing_store(scope, store);
        deserializer.transfer_array_buffer(id, buffer);
    }
    if let Some(copy) = deserializer.read_value(context) {
        rv.set(copy);
    }
}

struct Delegate {
    fail: Global<v8::Function>,
}

impl ValueSerializerImpl for Delegate {
    fn throw_data_clone_error<'s>(&self, scope: &mut PinScope<'s, '_>, message: Local<'s, v8::String>) {
        let (fail, undefined) = (Local::new(scope, &self.fail), v8::undefined(scope).into());
        // It throws, and the exception stays pending for the script that called.
        fail.call(scope, undefined, &[message.into()]);
    }
}

impl ValueDeserializerImpl for Delegate {}
