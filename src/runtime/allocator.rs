//! What a worker's thread keeps of the process's allocator.
//!
//! mimalloc gives a thread pages of its own, each for blocks of one size. A worker at rest has some 10 KiB in blocks of
//! 20 sizes, on 120 KiB of pages; and there may be a thousand of them.

/// Lends the rest of this thread's pages to the other threads. For use before it sleeps for a while: what it allocates
/// next begins with pages that others have lent, or with new ones.
pub(super) fn lend() {
    // SAFETY: mimalloc does the same at a thread's end, after which destructors may still allocate and free: they find
    // the thread as it was before its first allocation. Blocks stay what they are. Where another allocator serves the
    // process, no thread has such pages, and nothing happens.
    unsafe { libmimalloc_sys::mi_thread_done() }
}
