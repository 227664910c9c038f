//! Copies of objects, as whole as V8 can make them: private fields and accessors too, which nothing a script can call takes
//! over.

use std::ffi::c_void;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, UnsafeRawIsolatePtr, Value};

use super::value;
use crate::runtime::Op;

/// The native functions of `event_target.js`.
pub const OPS: &[Op] = crate::ops![copy_object];

unsafe extern "C" {
    /// `v8::Object::Clone(v8::Isolate*)`, which the `v8` crate does not bind.
    #[link_name = "_ZN2v86Object5CloneEPNS_7IsolateE"]
    fn clone(object: *const c_void, isolate: UnsafeRawIsolatePtr) -> *const c_void;
}

/// `copy_object(object)`: another with the same prototype and the same properties and private fields. None of them may be a
/// number that V8 keeps in a box of its own (any but a small integer): the two would share the box.
fn copy_object(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(object) = Local::<Object>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not an object");
    };
    // SAFETY: a `Local` is the address of what V8 knows by it, in V8's own API too, and never null; the one that comes back
    // lives in the scope that V8 has made for this call.
    let copy = unsafe {
        let object = std::mem::transmute::<Local<'_, Object>, *const c_void>(object);
        std::mem::transmute::<*const c_void, Local<'_, Value>>(clone(object, scope.as_raw_isolate_ptr()))
    };
    rv.set(copy);
}
