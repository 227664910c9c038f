//! Some of what an app can ask of V8 (`"x".repeat(2 ** 28).split("")`) is too large for it, and V8 would end the process
//! over it, though it says itself that no memory is corrupt. The linker (`build.rs`) leads that one function of V8's
//! here: the worker is lost instead, and every other app goes on. V8's other fatal errors still end the process, as they
//! must.

use std::ffi::c_char;

use super::turn::Verdict;
use super::worker;

/// Stands for `v8::base::FatalNoSecurityImpact(const char* format, ...)`. What follows the format is not looked at.
#[unsafe(no_mangle)]
extern "C" fn __wrap__ZN2v84base21FatalNoSecurityImpactEPKcz(_format: *const c_char) -> ! {
    worker::lose_current(Verdict::Memory)
}
