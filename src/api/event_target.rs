//! Copies of objects, as whole as V8 can make them: private fields and accessors too, which nothing a script can call takes
//! over.

use std::ffi::c_void;

use v8::{FunctionCallbackArguments, Local, Object, PinScope, ReturnValue, UnsafeRawIsolatePtr, Value};

use super::value;
use crate::runtime::Op;

/// The native functions of `event_target.js`.
pub const OPS: &[Op] = crate::ops![copies_of];

unsafe extern "C" {
    /// `v8::Object::Clone(v8::Isolate*)`, which the `v8` crate does not bind.
    #[link_name = "_ZN2v86Object5CloneEPNS_7IsolateE"]
    fn clone(object: *const c_void, isolate: UnsafeRawIsolatePtr) -> *const c_void;
}

/// The most copies that are made at once.
const MOST: usize = 64;

/// `copies_of(object, count)`: a list of others with the same prototype and the same properties and private fields. None of
/// those may be a number that V8 keeps in a box of its own (any but a small integer): all of them would share the box.
fn copies_of(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(object) = Local::<Object>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not an object");
    };
    let count = args.get(1).uint32_value(scope).map_or(0, |count| count as usize);
    let mut copies = [args.get(0); MOST];
    let Some(copies) = copies.get_mut(..count) else {
        return value::throw_range_error(scope, "too many copies");
    };
    for copy in &mut *copies {
        // SAFETY: a `Local` is the address of what V8 knows by it, in V8's own API too, and never null; the one that comes
        // back lives in the scope that V8 has made for this call.
        *copy = unsafe {
            let object = std::mem::transmute::<Local<'_, Object>, *const c_void>(object);
            std::mem::transmute::<*const c_void, Local<'_, Value>>(clone(object, scope.as_raw_isolate_ptr()))
        };
    }
    rv.set(v8::Array::new_with_elements(scope, copies).into());
}
