//! Timers (HTML §8.7) and the clock of High Resolution Time: monotonic, from the moment the isolate got its app. What a
//! timer runs is the script's.

use std::ffi::c_void;
use std::time::Duration;

use v8::fast_api::{CFunction, CFunctionInfo, CTypeInfo, FastApiCallbackOptions, Int64Representation, Type};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use crate::runtime::{self, Op};

/// The native functions of `timers.js`.
pub const OPS: &[Op] = crate::ops![now or fast_now, timer_start, timer_cancel];

/// `now()`: milliseconds since the time origin, to the nearest 5 µs (High Resolution Time §4.1 asks for a coarse
/// clock where timing attacks between neighbours are to be feared).
fn now(scope: &mut PinScope<'_, '_>, _args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    rv.set_double(milliseconds(scope));
}

fn milliseconds(isolate: &v8::Isolate) -> f64 {
    let elapsed = runtime::started(isolate).elapsed();
    let steps = elapsed.as_secs() * 200_000 + u64::from(elapsed.subsec_nanos()) / 5_000;
    steps as f64 / 200.0
}

/// It is asked for with every event. It makes nothing on V8's heap, and so takes no scope, which would cost as much as a look at
/// the clock.
fn fast_now() -> &'static [CFunction] {
    extern "C" fn now(_this: Local<'_, Value>, options: &FastApiCallbackOptions<'_>) -> f64 {
        // SAFETY: the options are those V8 has just called with.
        milliseconds(unsafe { options.isolate_unchecked() })
    }
    const ARGUMENTS: &[CTypeInfo] = &[Type::V8Value.as_info(), Type::CallbackOptions.as_info()];
    const INFO: &CFunctionInfo = &CFunctionInfo::new(Type::Float64.as_info(), ARGUMENTS, Int64Representation::Number);
    const { &[CFunction::new(now as *const c_void, INFO)] }
}

/// `timer_start(milliseconds)`: a timer of the running request's; its id, never 0. `nano.entry.timer(id)` is called
/// when it is due.
fn timer_start(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let delay = args.get(0).number_value(scope).unwrap_or(0.0).max(0.0);
    let delay = Duration::try_from_secs_f64(delay / 1000.0).unwrap_or(Duration::MAX);
    rv.set_uint32(runtime::state(scope).start_timer(runtime::request_of(scope), delay));
}

/// `timer_cancel(id)`: it will not fire.
fn timer_cancel(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _rv: ReturnValue<'_, Value>) {
    let id = args.get(0).uint32_value(scope).unwrap_or(0);
    runtime::state(scope).cancel_timer(id);
}
