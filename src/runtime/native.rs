//! Memory that V8's C++ takes outside its heap, of which V8 itself counts little: what a parser keeps of `"[".repeat(n)`,
//! a compiler of a regular expression, ICU of a `Collator`, the engine of a WebAssembly module.
//!
//! mimalloc serves all of the process, which makes V8's buffers and copies a tenth faster than the system's allocator did.
//! The linker (`build.rs`) leads `malloc` and its kin here first, from all that is not Rust. A worker's thread counts what it
//! takes and gives back. That is not exact: what one thread takes another may give back, and the count is 0 at least.
//! Hence [`ALLOWANCE`] goes free; a turn sees the rest like any other memory. Where V8 does not look whether its turn is
//! to end, and takes more and more, it comes no further than the ceiling: there the thread is lost.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::turn::Verdict;
use super::worker;

/// So much is nobody's business: compilers have more than that at times, and the count is no better.
const ALLOWANCE: usize = 32 << 20;

/// Beyond the limit. A stranger's body of 10 MB, all of it `[`, takes 700 MiB as it is parsed, and gives them back: that
/// must not cost the app a thread.
const HEADROOM: usize = 1280 << 20;

/// A block that may find the ceiling reached. A lock that all isolates share may be held where smaller ones are taken,
/// which a lost thread would never give back.
const LARGE: usize = 8 << 10;

/// Over so much at a thread's end, what is free goes back to the kernel at once.
const MUCH: usize = 16 << 20;

/// What one worker's thread has taken. Only that thread writes it.
#[derive(Debug, Default)]
pub(super) struct Native {
    used: AtomicUsize,
    most: AtomicUsize,
    /// 0 for none.
    ceiling: AtomicUsize,
}

impl Native {
    /// Bytes its thread has.
    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Those of them that count for the isolate.
    pub(super) fn counted(&self) -> usize {
        self.used().saturating_sub(ALLOWANCE)
    }

    /// What an isolate that may take `limit` bytes never has.
    pub(super) fn set_limit(&self, limit: usize) {
        self.ceiling.store(limit.saturating_add(HEADROOM), Relaxed);
    }

    fn takes(&self, bytes: usize) {
        let used = self.used() + bytes;
        self.used.store(used, Relaxed);
        if used > self.most.load(Relaxed) {
            self.most.store(used, Relaxed);
        }
    }

    fn gives(&self, bytes: usize) {
        self.used.store(self.used().saturating_sub(bytes), Relaxed);
    }

    fn is_full(&self, bytes: usize) -> bool {
        let ceiling = self.ceiling.load(Relaxed);
        ceiling != 0 && self.used().saturating_add(bytes) > ceiling
    }
}

thread_local! {
    /// The account of this thread: a reference of its own, if it is a worker's.
    static ACCOUNT: Cell<*const Native> = const { Cell::new(ptr::null()) };
}

/// The calling thread counts for `native` until this is dropped.
pub(super) struct Counting(());

impl Counting {
    pub(super) fn start(native: &Arc<Native>) -> Self {
        ACCOUNT.set(Arc::into_raw(Arc::clone(native)));
        Self(())
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let account = ACCOUNT.replace(ptr::null());
        // SAFETY: it is the reference that `start` made, and nobody else has it any more.
        let native = unsafe { Arc::from_raw(account) };
        if native.most.load(Relaxed) > MUCH {
            // SAFETY: it takes a flag.
            unsafe { libmimalloc_sys::mi_collect(true) };
        }
    }
}

/// What `look` says of the calling thread's account; nothing where it has none.
fn with_account<T>(look: impl FnOnce(&Native) -> T) -> Option<T> {
    let account = ACCOUNT.get();
    if account.is_null() {
        return None;
    }
    // SAFETY: `Counting` keeps it alive until it takes it away, on this very thread.
    Some(look(unsafe { &*account }))
}

/// Gives the thread up if its account has no room for a block of so many bytes.
fn ask(bytes: usize) {
    if bytes >= LARGE && with_account(|native| native.is_full(bytes)) == Some(true) {
        worker::lose_current(Verdict::Memory);
    }
}

/// Counts a block that the allocator has given.
fn took(block: *mut c_void) -> *mut c_void {
    // SAFETY: a block of that allocator, or null, of which the size is 0.
    with_account(|native| native.takes(unsafe { libc::malloc_usable_size(block) }));
    block
}

/// Counts one that it is about to get back.
fn gives(block: *mut c_void) {
    // SAFETY: as above.
    with_account(|native| native.gives(unsafe { libc::malloc_usable_size(block) }));
}

unsafe extern "C" {
    #[link_name = "__real_malloc"]
    fn malloc(bytes: usize) -> *mut c_void;
    #[link_name = "__real_calloc"]
    fn calloc(count: usize, bytes: usize) -> *mut c_void;
    #[link_name = "__real_realloc"]
    fn realloc(block: *mut c_void, bytes: usize) -> *mut c_void;
    #[link_name = "__real_free"]
    fn free(block: *mut c_void);
    #[link_name = "__real_posix_memalign"]
    fn posix_memalign(place: *mut *mut c_void, alignment: usize, bytes: usize) -> c_int;
    #[link_name = "__real_aligned_alloc"]
    fn aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void;
}

// Each passes on what it is given to the function it stands for.

#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_malloc(bytes: usize) -> *mut c_void {
    ask(bytes);
    // SAFETY: see above.
    took(unsafe { malloc(bytes) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_calloc(count: usize, bytes: usize) -> *mut c_void {
    ask(count.saturating_mul(bytes));
    // SAFETY: see above.
    took(unsafe { calloc(count, bytes) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_realloc(block: *mut c_void, bytes: usize) -> *mut c_void {
    ask(bytes);
    gives(block);
    // SAFETY: see above.
    let moved = unsafe { realloc(block, bytes) };
    // One that cannot grow is still there.
    took(if moved.is_null() && bytes != 0 { block } else { moved });
    moved
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_free(block: *mut c_void) {
    gives(block);
    // SAFETY: see above.
    unsafe { free(block) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_posix_memalign(place: *mut *mut c_void, alignment: usize, bytes: usize) -> c_int {
    ask(bytes);
    // SAFETY: see above.
    let failed = unsafe { posix_memalign(place, alignment, bytes) };
    if failed == 0 {
        // SAFETY: it has put a block there.
        took(unsafe { *place });
    }
    failed
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void {
    ask(bytes);
    // SAFETY: see above.
    took(unsafe { aligned_alloc(alignment, bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_counts_what_it_takes_and_gives_back() {
        let native = Arc::new(Native::default());
        let used = || native.used();
        let counting = Counting::start(&native);
        // SAFETY: blocks are given back once, to the allocator they are of.
        unsafe {
            let block = libc::calloc(1 << 10, 1 << 10);
            assert!((1 << 20..2 << 20).contains(&used()), "{}", used());
            let block = libc::realloc(block, 3 << 20);
            assert!((3 << 20..4 << 20).contains(&used()), "{}", used());
            libc::free(block);
            assert_eq!(used(), 0);
            let mut aligned = ptr::null_mut();
            assert_eq!(libc::posix_memalign(&raw mut aligned, 64, 1 << 20), 0);
            assert!(used() >= 1 << 20);
            drop(counting);
            libc::free(aligned);
        }
        assert!(used() >= 1 << 20, "it counts no more");
        assert_eq!(native.counted(), 0);
    }

    #[test]
    fn an_account_is_full_at_its_ceiling_if_it_has_one() {
        let native = Native::default();
        native.takes(1 << 40);
        assert!(!native.is_full(1 << 40));
        native.set_limit(48 << 20);
        assert!(native.is_full(0));
        native.gives(1 << 41);
        assert!(!native.is_full(HEADROOM + (48 << 20)));
        assert!(native.is_full(HEADROOM + (48 << 20) + 1));
    }
}
