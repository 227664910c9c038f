//! How the web platform reaches into a snapshot: scripts and the native functions they call.

use v8::{FunctionCallback, MapFnTo};

/// One script of the platform and its native functions.
pub struct Extension {
    /// The script's name in stack traces.
    pub name: &'static str,
    /// A classic script whose completion value is a function of the internal `nano` object. ASCII, comments aside: V8
    /// reads it where it is.
    pub source: &'static str,
    /// Native functions, found by the script under `nano.ops`.
    pub ops: &'static [Op],
}

/// A native function.
pub struct Op {
    /// Its name under `nano.ops`.
    pub name: &'static str,
    callback: fn() -> FunctionCallback,
}

impl Op {
    /// An op of that name. [`ops!`](crate::ops) takes the name from the function.
    pub const fn new(name: &'static str, callback: fn() -> FunctionCallback) -> Self {
        Self { name, callback }
    }

    /// The address V8 calls.
    pub(super) fn callback(&self) -> FunctionCallback {
        (self.callback)()
    }
}

/// Turns a function item into the address V8 calls.
pub fn callback<F: MapFnTo<FunctionCallback>>(function: F) -> FunctionCallback {
    function.map_fn_to()
}

/// `ops![now, log]`: a `&'static [Op]` of the functions named.
#[macro_export]
macro_rules! ops {
    ($($function:ident),* $(,)?) => {
        &[$($crate::runtime::Op::new(stringify!($function), || $crate::runtime::callback($function))),*]
    };
}
