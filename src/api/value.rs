//! What native functions share: reading their arguments, and answering with strings and errors.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use v8::fast_api::{CTypeInfo, Type};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use crate::runtime;

/// What a fast API call takes after its receiver: a string that is one piece of Latin-1, and any value.
pub(super) const TEXT_AND_VALUE: &[CTypeInfo] =
    &[Type::V8Value.as_info(), Type::SeqOneByteString.as_info(), Type::V8Value.as_info()];

/// Room on the stack for strings that need not reach the heap.
pub(super) type Buffer = [MaybeUninit<u8>; 512];

/// A stack buffer for [`text`].
pub(super) const fn buffer() -> Buffer {
    [MaybeUninit::uninit(); 512]
}

/// Argument `index` as UTF-8, lone surrogates replaced; `None`, with the exception thrown, if it is no string or the
/// app's memory limit leaves no room for it.
pub(super) fn text<'a>(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    index: i32,
    buffer: &'a mut Buffer,
) -> Option<Cow<'a, str>> {
    match Local::<v8::String>::try_from(args.get(index)) {
        Ok(string) => has_room_for(scope, string).then(|| string.to_rust_cow_lossy(scope, buffer)),
        Err(_) => {
            throw_type_error(scope, "not a string");
            None
        }
    }
}

/// Whether `string` may be copied as UTF-8; if not, a `RangeError` is thrown.
pub(super) fn has_room_for(scope: &mut PinScope<'_, '_>, string: Local<'_, v8::String>) -> bool {
    let room = runtime::has_room_for(scope, string);
    if !room {
        throw_no_room(scope);
    }
    room
}

/// Throws what an app gets whose memory limit leaves no room for a copy of its text.
pub(super) fn throw_no_room(scope: &mut PinScope<'_, '_>) {
    throw_range_error(scope, "the app's memory limit leaves no room for the text");
}

/// Calls `read` with the bytes of the view at `index`; `None`, with a `TypeError` thrown, if it is no view.
pub(super) fn bytes<R>(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    index: i32,
    read: impl FnOnce(&[u8]) -> R,
) -> Option<R> {
    match Local::<v8::ArrayBufferView>::try_from(args.get(index)) {
        Ok(view) => Some(read(view.get_contents(&mut [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP]))),
        Err(_) => {
            throw_type_error(scope, "not a view of bytes");
            None
        }
    }
}

/// Calls `write`, which must run no script, with the bytes of the view at `index`, to change; `None`, with a `TypeError`
/// thrown, if it is none.
pub(super) fn bytes_mut<R>(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    index: i32,
    write: impl FnOnce(&mut PinScope<'_, '_>, &mut [u8]) -> R,
) -> Option<R> {
    let written = view_mut(args.get(index), |bytes| write(scope, bytes));
    if written.is_none() {
        throw_type_error(scope, "not a view of bytes");
    }
    written
}

/// Calls `write`, which must run no script, with the bytes of a view, to change; `None` if `value` is none. Throws nothing
/// and allocates nothing on V8's heap, so that fast calls may use it.
pub(super) fn view_mut<R>(value: Local<'_, Value>, write: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
    // Or else it would be a copy that is changed.
    const { assert!(v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP == 0) };
    let view = Local::<v8::ArrayBufferView>::try_from(value).ok()?;
    // SAFETY: no bytes are copied into the empty slice, as none are on V8's heap.
    let (data, length) = unsafe { view.get_contents_raw_parts(&mut []) };
    if length == 0 {
        return Some(write(&mut []));
    }
    // SAFETY: `data` is the start of the view's `length` bytes, in a buffer that the value keeps alive. Nobody else reaches
    // them meanwhile: no script runs that could detach the buffer, and even that of a shared WebAssembly memory never leaves
    // its isolate, which has one thread.
    Some(write(unsafe { std::slice::from_raw_parts_mut(data, length) }))
}

/// Room for bytes that are soon copied: on the stack, if they are few.
pub(super) struct Scratch {
    few: [MaybeUninit<u8>; Self::FEW],
    many: Vec<u8>,
}

impl Scratch {
    const FEW: usize = 4096;

    pub(super) const fn new() -> Self {
        Self { few: [MaybeUninit::uninit(); Self::FEW], many: Vec::new() }
    }

    /// Room for so many.
    pub(super) fn room(&mut self, bytes: usize) -> &mut [MaybeUninit<u8>] {
        if bytes <= Self::FEW {
            &mut self.few[..bytes]
        } else {
            self.many.reserve(bytes);
            &mut self.many.spare_capacity_mut()[..bytes]
        }
    }
}

/// Returns `text` to the script; a `RangeError` if V8 cannot hold a string so long.
pub(super) fn return_text(scope: &mut PinScope<'_, '_>, rv: &mut ReturnValue<'_, Value>, text: &str) {
    let string = if text.is_ascii() {
        v8::String::new_from_one_byte(scope, text.as_bytes(), v8::NewStringType::Normal)
    } else {
        v8::String::new_from_utf8(scope, text.as_bytes(), v8::NewStringType::Normal)
    };
    match string {
        Some(string) => rv.set(string.into()),
        None => throw_range_error(scope, "the string is too long"),
    }
}

/// Throws a `TypeError`.
pub(super) fn throw_type_error(scope: &mut PinScope<'_, '_>, message: &str) {
    if let Some(message) = v8::String::new(scope, message) {
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
    }
}

/// Throws a `RangeError`.
pub(super) fn throw_range_error(scope: &mut PinScope<'_, '_>, message: &'static str) {
    if let Some(message) = v8::String::new(scope, message) {
        let error = v8::Exception::range_error(scope, message);
        scope.throw_exception(error);
    }
}
