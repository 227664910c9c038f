//! ICU, by which V8 normalises texts, changes their case and speaks languages: its data, and its memory, of which V8
//! counts nothing. `"\uFDFA".repeat(n).normalize("NFKC")` makes 36 bytes of two there before V8 sees one of them.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::worker;

/// Blocks from here on must fit into the memory limit of the isolate they are for. The smaller ones are many, and soon
/// given back.
const LARGE: usize = 1 << 20;

type Allocate = unsafe extern "C" fn(context: *const c_void, size: usize) -> *mut c_void;
type Reallocate = unsafe extern "C" fn(context: *const c_void, block: *mut c_void, size: usize) -> *mut c_void;
type Free = unsafe extern "C" fn(context: *const c_void, block: *mut c_void);

unsafe extern "C" {
    #[link_name = "u_setMemoryFunctions_78"]
    fn set_memory_functions(
        context: *const c_void,
        allocate: Allocate,
        reallocate: Reallocate,
        free: Free,
        status: *mut c_int,
    );
}

/// Gives ICU its data and an allocator that knows limits. For use before V8 is started, which makes first use of it.
pub(super) fn initialize() {
    let mut status = 0;
    // SAFETY: the three are an allocator, nothing of ICU is allocated yet, and no other thread knows of it.
    unsafe { set_memory_functions(ptr::null(), allocate, reallocate, free, &raw mut status) };
    assert!(status <= 0, "ICU takes an allocator as long as it has used none: {status}");
    v8::icu::set_common_data_78(deno_core_icudata::ICU_DATA).expect("the ICU data is of the version V8 was built with");
}

/// Whether the isolate of this thread, if it is one's, may have a block of so many bytes for a while. It is not charged:
/// one text at a time is at work on a thread.
fn may_have(size: usize) -> bool {
    size < LARGE || worker::current_buffers().is_none_or(|buffers| buffers.has_room(size))
}

unsafe extern "C" fn allocate(_context: *const c_void, size: usize) -> *mut c_void {
    if !may_have(size) {
        return ptr::null_mut();
    }
    // SAFETY: any size will do.
    unsafe { libc::malloc(size) }
}

unsafe extern "C" fn reallocate(_context: *const c_void, block: *mut c_void, size: usize) -> *mut c_void {
    if !may_have(size) {
        return ptr::null_mut();
    }
    // SAFETY: ICU's blocks come from here and from `allocate`.
    unsafe { libc::realloc(block, size) }
}

unsafe extern "C" fn free(_context: *const c_void, block: *mut c_void) {
    // SAFETY: as above.
    unsafe { libc::free(block) }
}
