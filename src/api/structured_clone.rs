//! `structuredClone` over V8's serialiser, whose format never leaves the call.

use std::cell::RefCell;

use v8::{
    ArrayBuffer, FunctionCallbackArguments, Global, Local, PinScope, ReturnValue, Value, ValueDeserializer,
    ValueDeserializerHelper, ValueDeserializerImpl, ValueSerializer, ValueSerializerHelper, ValueSerializerImpl,
};

use super::value;
use crate::runtime::Op;

/// The native functions of `structured_clone.js`.
pub const OPS: &[Op] = crate::ops![structured_clone];

/// `structured_clone(value, fail, is_platform_object, copy)`: a deep copy. `fail(message)` throws what a value that cannot
/// be cloned throws; `is_platform_object(object)` says which objects V8 would take for plain ones, and `copy(object)` gives
/// a copy of such an object or `undefined`.
///
/// With `buffers` and `move` behind them, what is transferred: `buffers` are ArrayBuffers to move, checked by the script;
/// `move()` transfers what else is to be, once the value is serialised.
fn structured_clone(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (Ok(fail), Ok(is_platform_object), Ok(copy)) = (
        Local::<v8::Function>::try_from(args.get(1)),
        Local::<v8::Function>::try_from(args.get(2)),
        Local::<v8::Function>::try_from(args.get(3)),
    ) else {
        return value::throw_type_error(scope, "not three functions");
    };
    let mut buffers = Vec::new();
    if let Ok(list) = Local::<v8::Array>::try_from(args.get(4)) {
        for index in 0..list.length() {
            let buffer = list.get_index(scope, index).and_then(|buffer| Local::<ArrayBuffer>::try_from(buffer).ok());
            let Some(buffer) = buffer else { return value::throw_type_error(scope, "not an ArrayBuffer") };
            buffers.push(buffer);
        }
    }

    let context = scope.get_current_context();
    let Some(plain) = v8::Object::new(scope).get_prototype(scope) else { return };
    let (copies, modules) = (Copies::default(), Modules::default());
    let writer = Writer { fail, is_platform_object, copy, copies: &copies, modules: &modules, plain };
    let serializer = ValueSerializer::new(scope, Box::new(writer));
    serializer.write_header();
    for (id, buffer) in (0..).zip(&buffers) {
        serializer.transfer_array_buffer(id, *buffer);
    }
    if serializer.write_value(context, args.get(0)) != Some(true) {
        return;
    }
    let data = serializer.release();

    // A getter may have detached one meanwhile.
    if buffers.iter().any(|buffer| buffer.was_detached()) {
        if let Some(message) = v8::String::new(scope, "an ArrayBuffer of the transfer list is detached") {
            throw(scope, fail, message);
        }
        return;
    }
    // A WebAssembly memory keeps its own.
    if buffers.iter().any(|buffer| !buffer.is_detachable()) {
        return value::throw_type_error(scope, "an ArrayBuffer of the transfer list cannot be detached");
    }
    if let Ok(move_others) = Local::<v8::Function>::try_from(args.get(5)) {
        let undefined = v8::undefined(scope).into();
        if move_others.call(scope, undefined, &[]).is_none() {
            return;
        }
    }
    let moved: Vec<_> = buffers.iter().map(|buffer| buffer.get_backing_store()).collect();
    for buffer in &buffers {
        buffer.detach(None);
    }
    let deserializer = ValueDeserializer::new(scope, Box::new(Reader { copies: &copies, modules: &modules }), &data);
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

/// Copies of the platform's objects, which the serialised form has as their indices.
type Copies = RefCell<Vec<Global<v8::Object>>>;

/// WebAssembly modules, likewise.
type Modules = RefCell<Vec<v8::CompiledWasmModule>>;

fn throw(scope: &mut PinScope<'_, '_>, fail: Local<'_, v8::Function>, message: Local<'_, v8::String>) {
    let undefined = v8::undefined(scope).into();
    // It throws, and the exception stays pending for the script that called.
    fail.call(scope, undefined, &[message.into()]);
}

struct Writer<'a> {
    fail: Local<'a, v8::Function>,
    is_platform_object: Local<'a, v8::Function>,
    copy: Local<'a, v8::Function>,
    copies: &'a Copies,
    modules: &'a Modules,
    /// What plain objects inherit from.
    plain: Local<'a, Value>,
}

impl ValueSerializerImpl for Writer<'_> {
    fn throw_data_clone_error<'s>(&self, scope: &mut PinScope<'s, '_>, message: Local<'s, v8::String>) {
        throw(scope, self.fail, message);
    }

    fn has_custom_host_object(&self, _isolate: &v8::Isolate) -> bool {
        true
    }

    fn is_host_object<'s>(&self, scope: &mut PinScope<'s, '_>, object: Local<'s, v8::Object>) -> Option<bool> {
        let prototype = object.get_prototype(scope)?;
        if prototype == self.plain || prototype.is_null() {
            return Some(false);
        }
        let undefined = v8::undefined(scope).into();
        self.is_platform_object.call(scope, undefined, &[object.into()]).map(|answer| answer.is_true())
    }

    fn write_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        object: Local<'s, v8::Object>,
        serializer: &dyn ValueSerializerHelper,
    ) -> Option<bool> {
        let undefined = v8::undefined(scope).into();
        let copy = self.copy.call(scope, undefined, &[object.into()])?;
        if let Ok(copy) = Local::<v8::Object>::try_from(copy) {
            let mut copies = self.copies.borrow_mut();
            serializer.write_uint32(copies.len() as u32);
            copies.push(Global::new(scope, copy));
            return Some(true);
        }
        let name = object.get_constructor_name();
        let message = v8::String::new(scope, " object could not be cloned")?;
        let message = v8::String::concat(scope, name, message)?;
        self.throw_data_clone_error(scope, message);
        None
    }

    /// §2.7.3 step 14: there is no second agent to share it with.
    fn get_shared_array_buffer_id<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        _buffer: Local<'s, v8::SharedArrayBuffer>,
    ) -> Option<u32> {
        let message = v8::String::new(scope, "a SharedArrayBuffer cannot be cloned")?;
        self.throw_data_clone_error(scope, message);
        None
    }

    /// WebAssembly Web API §3: a module is serialisable.
    fn get_wasm_module_transfer_id(
        &self,
        _scope: &mut PinScope<'_, '_>,
        module: Local<'_, v8::WasmModuleObject>,
    ) -> Option<u32> {
        let mut modules = self.modules.borrow_mut();
        modules.push(module.get_compiled_module());
        u32::try_from(modules.len() - 1).ok()
    }
}

struct Reader<'a> {
    copies: &'a Copies,
    modules: &'a Modules,
}

impl ValueDeserializerImpl for Reader<'_> {
    fn read_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<Local<'s, v8::Object>> {
        let mut index = 0;
        if !deserializer.read_uint32(&mut index) {
            return None;
        }
        self.copies.borrow().get(index as usize).map(|copy| Local::new(scope, copy))
    }

    fn get_wasm_module_from_id<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        id: u32,
    ) -> Option<Local<'s, v8::WasmModuleObject>> {
        v8::WasmModuleObject::from_compiled_module(scope, self.modules.borrow().get(id as usize)?)
    }
}
