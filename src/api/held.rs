//! Rust values that the platform's scripts hold. Each is the content of an ArrayBuffer that no app ever sees, and is counted
//! and collected as one.

use std::ffi::c_void;

use v8::{ArrayBuffer, Local, PinScope, Value};

/// A buffer whose content is `value`. V8 may end it on any thread.
pub(super) fn hold<'s, T: Send>(scope: &PinScope<'s, '_>, value: T) -> Local<'s, ArrayBuffer> {
    let value = Box::into_raw(Box::new(value)).cast::<c_void>();
    // SAFETY: the box is `end`'s to free, once the buffer is collected; its bytes are read by nobody else.
    let store =
        unsafe { ArrayBuffer::new_backing_store_from_ptr(value, size_of::<T>(), end::<T>, std::ptr::null_mut()) };
    ArrayBuffer::with_backing_store(scope, &store.make_shared())
}

unsafe extern "C" fn end<T>(value: *mut c_void, _length: usize, _data: *mut c_void) {
    // SAFETY: `hold` leaked this box, and V8 calls this once.
    drop(unsafe { Box::from_raw(value.cast::<T>()) });
}

/// The value in a buffer that [`hold`] made; `None` if `held` is no buffer of that size.
///
/// # Safety
/// Where `held` is a buffer of that size, `hold::<T>` made it; and nobody else has its value for as long as the caller has.
pub(super) unsafe fn held<'a, T>(held: Local<'a, Value>) -> Option<&'a mut T> {
    let buffer = Local::<ArrayBuffer>::try_from(held).ok().filter(|buffer| buffer.byte_length() == size_of::<T>())?;
    // SAFETY: by the caller it is the box that `hold` leaked, which lives as long as the buffer does.
    Some(unsafe { buffer.data()?.cast::<T>().as_mut() })
}
