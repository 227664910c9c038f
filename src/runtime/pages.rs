//! Memory of resizable buffers and of WebAssembly, which V8 takes from the kernel by pages and counts nowhere.
//!
//! The linker (`build.rs`) leads the three functions by which V8's buffers take pages here. They are charged to the
//! isolate of the calling thread; a refusal reaches the app as a `RangeError`. Each isolate's buffers are taken,
//! grown and freed on its own thread, so that the table of them is the thread's own.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::memory::Buffers;
use super::worker;

/// What each reservation costs by itself: the kernel has room for some 65,000 mappings in a process.
const MAPPING: usize = 256 << 10;
/// A reservation costs this part of its size: the process has 128 TiB of addresses.
const ADDRESSES: usize = 1024;
/// `v8::PageAllocator::Permission::kNoAccess`
const NO_ACCESS: c_int = 0;

/// Pages taken for one buffer.
struct Region {
    buffers: Arc<Buffers>,
    /// What is charged for the reservation.
    fixed: usize,
    /// Bytes that may be used.
    committed: usize,
}

thread_local! {
    static REGIONS: RefCell<FxHashMap<usize, Region>> = RefCell::default();
}

unsafe extern "C" {
    #[link_name = "__real__ZN2v88internal13AllocatePagesEPNS_13PageAllocatorEmmNS1_10PermissionENS1_14AllocationHintE"]
    fn allocate_pages(allocator: *mut c_void, size: usize, alignment: usize, access: c_int, hint: Hint) -> *mut c_void;
    #[link_name = "__real__ZN2v88internal14SetPermissionsEPNS_13PageAllocatorEPvmNS1_10PermissionE"]
    fn set_permissions(allocator: *mut c_void, start: *mut c_void, size: usize, access: c_int) -> bool;
    #[link_name = "__real__ZN2v88internal9FreePagesEPNS_13PageAllocatorEPvm"]
    fn free_pages(allocator: *mut c_void, start: *mut c_void, size: usize);
}

/// `v8::PageAllocator::AllocationHint`, passed on as it is.
#[repr(C)]
struct Hint {
    address: *mut c_void,
    flags: usize,
}

/// Stands for `v8::internal::AllocatePages`; null where the isolate's limit leaves no room.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap__ZN2v88internal13AllocatePagesEPNS_13PageAllocatorEmmNS1_10PermissionENS1_14AllocationHintE(
    allocator: *mut c_void,
    size: usize,
    alignment: usize,
    access: c_int,
    hint: Hint,
) -> *mut c_void {
    let buffers = if access == NO_ACCESS { worker::current_buffers() } else { None };
    let fixed = MAPPING + size / ADDRESSES;
    if buffers.as_ref().is_some_and(|buffers| !buffers.reserve(fixed)) {
        return std::ptr::null_mut();
    }
    // SAFETY: V8's own arguments go on to V8's own function.
    let start = unsafe { allocate_pages(allocator, size, alignment, access, hint) };
    if let Some(buffers) = buffers {
        if start.is_null() {
            buffers.release(fixed);
        } else {
            let region = Region { buffers, fixed, committed: 0 };
            REGIONS.with_borrow_mut(|regions| regions.insert(start.addr(), region));
        }
    }
    start
}

/// Stands for `v8::internal::SetPermissions`; false where the isolate's limit leaves no room for more.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap__ZN2v88internal14SetPermissionsEPNS_13PageAllocatorEPvmNS1_10PermissionE(
    allocator: *mut c_void,
    start: *mut c_void,
    size: usize,
    access: c_int,
) -> bool {
    let more = REGIONS.with_borrow_mut(|regions| {
        let region = regions.get_mut(&start.addr()).filter(|_| access != NO_ACCESS);
        let Some(region) = region else { return Some(0) };
        let more = size.saturating_sub(region.committed);
        if !region.buffers.reserve(more) {
            return None;
        }
        region.committed += more;
        Some(more)
    });
    let Some(more) = more else { return false };
    // SAFETY: as above.
    let done = unsafe { set_permissions(allocator, start, size, access) };
    if !done {
        REGIONS.with_borrow_mut(|regions| {
            if let Some(region) = regions.get_mut(&start.addr()) {
                region.committed -= more;
                region.buffers.release(more);
            }
        });
    }
    done
}

/// Stands for `v8::internal::FreePages`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap__ZN2v88internal9FreePagesEPNS_13PageAllocatorEPvm(
    allocator: *mut c_void,
    start: *mut c_void,
    size: usize,
) {
    // A thread that ends has no table any more, and its isolate's account has gone with it.
    let region = REGIONS.try_with(|regions| regions.borrow_mut().remove(&start.addr())).ok().flatten();
    if let Some(region) = region {
        region.buffers.release(region.fixed + region.committed);
    }
    // SAFETY: as above.
    unsafe { free_pages(allocator, start, size) }
}
