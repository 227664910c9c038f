//! The memory limit: V8's heap, ArrayBuffers and WebAssembly memories of one isolate, together.
//!
//! V8 limits its heap alone, and says so by a callback. ArrayBuffers pass through the allocator here, which refuses
//! what the limit does not leave room for; resizable buffers and WebAssembly memories are charged to the same account
//! as V8 takes their pages (`pages`). Heap and external memory are sampled after turns, after full collections, and by the watchdog during a turn.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libmimalloc_sys::{mi_free, mi_malloc, mi_zalloc};

use super::turn::Verdict;
use super::worker::Worker;
use crate::observability::metrics::{AppMetrics, MemoryKind};

/// V8 may still want to allocate one object of 1 GiB before a terminated turn unwinds; a second shortage is fatal.
const HEADROOM: usize = 1280 << 20;

/// Bytes of ArrayBuffers of one isolate, and how many there may be.
pub(super) struct Buffers {
    used: AtomicUsize,
    limit: AtomicUsize,
    /// Whether V8 has been refused a buffer since its last collection.
    refused: AtomicBool,
    /// Whether the next buffer need not be zeros: whoever has it made writes all of it before anybody sees it.
    unzeroed: AtomicBool,
    /// Bytes that no garbage has been made for yet, so that V8 would hasten.
    passing: AtomicUsize,
}

impl Buffers {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            refused: AtomicBool::new(false),
            unzeroed: AtomicBool::new(false),
            passing: AtomicUsize::new(0),
        })
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Makes room for `bytes`; false if the limit leaves none.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        self.used
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&after| after <= limit)
            })
            .is_ok()
    }

    /// Whether `bytes` more would fit.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.used.load(Ordering::Relaxed).saturating_add(bytes) <= self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// See [`hasten_collection`].
    fn hasten_collection(&self, scope: &mut v8::PinScope<'_, '_>, bytes: usize) {
        /// Garbage for so many bytes is an element of an array, of eight bytes.
        const BYTES: usize = 64;
        /// Beyond that V8 has other plans for an array.
        const ELEMENTS: usize = 8192;
        /// A smaller one would take longer to make than the buffers do.
        const WORTHWHILE: usize = 1024;
        let bytes = self.passing.load(Ordering::Relaxed) + bytes;
        let elements = (bytes / BYTES).min(ELEMENTS);
        if elements < WORTHWHILE {
            self.passing.store(bytes, Ordering::Relaxed);
        } else {
            self.passing.store(0, Ordering::Relaxed);
            v8::Array::new(scope, elements as i32);
        }
    }

    /// The allocator V8 uses for the isolate's ArrayBuffers.
    pub(super) fn allocator(self: &Arc<Self>) -> v8::UniqueRef<v8::Allocator> {
        // SAFETY: the pointer carries one reference of the `Arc`, which `drop` of the table takes back.
        unsafe { v8::new_rust_allocator(Arc::into_raw(Arc::clone(self)), &ALLOCATOR) }
    }
}

static ALLOCATOR: v8::RustAllocatorVtable<Buffers> =
    v8::RustAllocatorVtable { allocate, allocate_uninitialized, free, drop: drop_buffers };

unsafe extern "C" fn allocate(buffers: &Buffers, bytes: usize) -> *mut c_void {
    if !buffers.reserve(bytes) {
        buffers.refused.store(true, Ordering::Relaxed);
        return std::ptr::null_mut();
    }
    let allocate = if buffers.unzeroed.load(Ordering::Relaxed) { mi_malloc } else { mi_zalloc };
    // SAFETY: a null answer is V8's to handle.
    let data = unsafe { allocate(bytes.max(LEAST)) };
    if data.is_null() {
        buffers.release(bytes);
    }
    data
}

unsafe extern "C" fn allocate_uninitialized(buffers: &Buffers, bytes: usize) -> *mut c_void {
    if !buffers.reserve(bytes) {
        buffers.refused.store(true, Ordering::Relaxed);
        return std::ptr::null_mut();
    }
    // SAFETY: a null answer is V8's to handle.
    let data = unsafe { mi_malloc(bytes.max(LEAST)) };
    if data.is_null() {
        buffers.release(bytes);
    }
    data
}

/// V8 wants an address even for no bytes, and from this size on mimalloc's blocks are aligned for every kind of typed array
/// without being asked, which would take longer.
const LEAST: usize = 16;

unsafe extern "C" fn free(buffers: &Buffers, data: *mut c_void, bytes: usize) {
    // SAFETY: V8 gives back what one of the two functions above returned, once.
    unsafe { mi_free(data) };
    buffers.release(bytes);
}

unsafe extern "C" fn drop_buffers(buffers: *const Buffers) {
    // SAFETY: takes back the reference that `allocator` leaked; V8 calls this once, last.
    drop(unsafe { Arc::from_raw(buffers) });
}

/// Makes V8 collect its young garbage about once for every 8 MiB that this is told of, bytes of buffers that are not long
/// for this world. It would wait for 64 MiB of them: what decides is how much of its own heap is new, and a chunk of a
/// stream takes nearly nothing there. In that time no buffer comes back while it is still in a cache.
pub(crate) fn hasten_collection(scope: &mut v8::PinScope<'_, '_>, bytes: usize) {
    super::state::of(scope).worker.buffers.hasten_collection(scope, bytes);
}

/// A `Uint8Array` of a copy of `data`; `None` if the isolate's limit leaves no room.
pub(crate) fn bytes<'s>(scope: &mut v8::PinScope<'s, '_>, data: &[u8]) -> Option<v8::Local<'s, v8::Uint8Array>> {
    let buffer = buffer_of(scope, data)?;
    v8::Uint8Array::new(scope, buffer, 0, data.len())
}

/// The same as an `ArrayBuffer`.
pub(crate) fn buffer_of<'s>(scope: &mut v8::PinScope<'s, '_>, data: &[u8]) -> Option<v8::Local<'s, v8::ArrayBuffer>> {
    let buffer = buffer(scope, data.len())?;
    if let Some(start) = buffer.data() {
        // SAFETY: the buffer has `data.len()` bytes from `start`, and nobody else has it yet.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), start.as_ptr().cast(), data.len()) };
    }
    Some(buffer)
}

/// An `ArrayBuffer` of `length` bytes. `fill` says what it has written at their start; the rest are zeros. `None` if the
/// isolate's limit leaves no room.
pub(crate) fn buffer_with<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    length: usize,
    fill: impl for<'b> FnOnce(&mut v8::PinScope<'s, 'i>, &'b mut [MaybeUninit<u8>]) -> &'b mut [u8],
) -> Option<v8::Local<'s, v8::ArrayBuffer>> {
    let buffer = buffer(scope, length)?;
    if let Some(start) = buffer.data() {
        // SAFETY: the buffer has `length` bytes from `start`, and nobody else has it yet.
        let room = unsafe { std::slice::from_raw_parts_mut(start.as_ptr().cast::<MaybeUninit<u8>>(), length) };
        let written = fill(scope, room);
        // What is somewhere else is nothing written there.
        let written = if written.as_ptr() == start.as_ptr().cast() { written.len() } else { 0 };
        room[written..].fill(MaybeUninit::new(0));
    }
    Some(buffer)
}

/// A buffer of `length` bytes, to be written before anybody sees them: they are what somebody else left there. `None` if the
/// isolate's limit leaves no room. (V8's own way to make a buffer ends the process where the allocator refuses.) Made by V8,
/// it counts towards its next collection of young garbage, as a buffer of ours would not.
fn buffer<'s>(scope: &mut v8::PinScope<'s, '_>, length: usize) -> Option<v8::Local<'s, v8::ArrayBuffer>> {
    let state = super::state::of(scope);
    let buffers = &state.worker.buffers;
    if !buffers.has_room(length) {
        scope.low_memory_notification();
        if !buffers.has_room(length) {
            return None;
        }
    }
    buffers.hasten_collection(scope, length);
    // What V8 allocates meanwhile is this very buffer, be it that it tries again after a collection.
    buffers.unzeroed.store(true, Ordering::Relaxed);
    let buffer = v8::ArrayBuffer::new(scope, length);
    buffers.unzeroed.store(false, Ordering::Relaxed);
    Some(buffer)
}

/// A part of the isolate's memory limit that native code has taken; given back when dropped.
pub(crate) struct Charge {
    buffers: Arc<Buffers>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.buffers.release(self.bytes);
    }
}

/// Takes `bytes` of the isolate's limit; `None` if that leaves no room, even after what is garbage is collected.
pub(crate) fn charge(scope: &mut v8::PinScope<'_, '_>, bytes: usize) -> Option<Charge> {
    let buffers = Arc::clone(&super::state::of(scope).worker.buffers);
    if !buffers.reserve(bytes) {
        scope.low_memory_notification();
        if !buffers.reserve(bytes) {
            return None;
        }
    }
    Some(Charge { buffers, bytes })
}

/// A copy made by `copy` of `length` bytes at most, that leaves the isolate's limit when it is dropped, on whatever
/// thread.
pub(crate) fn charged(
    scope: &mut v8::PinScope<'_, '_>,
    length: usize,
    copy: impl FnOnce(&mut v8::PinScope<'_, '_>) -> Vec<u8>,
) -> Option<bytes::Bytes> {
    struct Owner(Vec<u8>, #[expect(dead_code, reason = "held for its end")] Charge);

    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    let charge = charge(scope, length)?;
    hasten_collection(scope, length);
    Some(bytes::Bytes::from_owner(Owner(copy(scope), charge)))
}

unsafe extern "C" {
    #[link_name = "__real_v8__ValueSerializer__Delegate__ReallocateBufferMemory"]
    fn reallocate_serialized(delegate: *mut c_void, old: *mut c_void, bytes: usize, got: *mut usize) -> *mut c_void;
}

/// Stands for how the `v8` crate's serialiser makes room for what it writes: a text of which an object has a thousand
/// references is there a thousand times. Null, which V8 makes a `DataCloneError` of, where the limit leaves no room for it.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_v8__ValueSerializer__Delegate__ReallocateBufferMemory(
    delegate: *mut c_void,
    old: *mut c_void,
    bytes: usize,
    got: *mut usize,
) -> *mut c_void {
    if super::worker::current_buffers().is_some_and(|buffers| !buffers.has_room(bytes)) {
        return std::ptr::null_mut();
    }
    // SAFETY: V8's own arguments go on to the function it meant.
    unsafe { reallocate_serialized(delegate, old, bytes, got) }
}

/// Bytes of the texts of the platform's core, which V8 counts in each isolate though all share them. In a slot of it.
pub(super) struct SharedTexts(pub(super) usize);

/// Bytes one isolate uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) heap: usize,
    pub(super) external: usize,
    /// What the process holds for it: V8 gives pages back late.
    pub(super) held: usize,
}

impl Usage {
    fn read(isolate: &mut v8::Isolate, worker: &Worker) -> Self {
        let statistics = isolate.get_heap_statistics();
        let shared = isolate.get_slot::<SharedTexts>().map_or(0, |texts| texts.0);
        // V8 counts some buffers, we count some, and most both do.
        let external = statistics.external_memory().saturating_sub(shared);
        let external = external.max(worker.buffers.used.load(Ordering::Relaxed)) + worker.native.counted();
        Self { heap: statistics.used_heap_size(), external, held: statistics.total_physical_size() + external }
    }

    fn total(self) -> usize {
        self.heap.saturating_add(self.external)
    }
}

/// What one isolate was last seen to use, as the metrics of its app say it.
#[derive(Default)]
pub(super) struct Account(Mutex<Option<Published>>);

struct Published {
    metrics: Arc<AppMetrics>,
    usage: Usage,
}

impl Account {
    /// Counts the isolate for an app from now on.
    pub(super) fn open(&self, metrics: &Arc<AppMetrics>) {
        *self.lock() = Some(Published { metrics: Arc::clone(metrics), usage: Usage::default() });
    }

    /// Bytes of heap it was last seen to use.
    pub(super) fn heap(&self) -> usize {
        self.lock().as_ref().map_or(0, |published| published.usage.heap)
    }

    /// Says what it uses now.
    pub(super) fn publish(&self, usage: Usage) {
        if let Some(published) = self.lock().as_mut() {
            published.change(usage);
        }
    }

    /// Says that it has so many bytes of buffers at least, whatever V8 counted when it was last asked; returns what it
    /// uses then.
    pub(super) fn publish_buffers(&self, buffers: &Buffers) -> Usage {
        let mut published = self.lock();
        let Some(published) = published.as_mut() else { return Usage::default() };
        let Usage { heap, external, held } = published.usage;
        let more = buffers.used.load(Ordering::Relaxed).saturating_sub(external);
        published.change(Usage { heap, external: external + more, held: held + more });
        published.usage
    }

    /// Counts it no more.
    pub(super) fn close(&self) {
        if let Some(mut published) = self.lock().take() {
            published.change(Usage::default());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Published>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Published {
    fn change(&mut self, to: Usage) {
        self.metrics.memory(MemoryKind::Heap, to.heap as i64 - self.usage.heap as i64);
        self.metrics.memory(MemoryKind::External, to.external as i64 - self.usage.external as i64);
        self.usage = to;
    }
}

/// Reads how much the isolate uses, and whether the limit leaves room for `more` bytes. What is garbage is collected
/// first, where that may help.
pub(super) fn sample(isolate: &mut v8::Isolate, worker: &Worker, more: usize) -> (Usage, bool) {
    let Some(limit) = worker.memory_limit().checked_sub(more) else { return (Usage::read(isolate, worker), false) };
    let usage = Usage::read(isolate, worker);
    if usage.total() <= limit {
        return (usage, true);
    }
    isolate.low_memory_notification();
    let usage = Usage::read(isolate, worker);
    (usage, usage.total() <= limit)
}

/// Has V8 report to `worker`, which must outlive the isolate, when its heap is nearly full.
pub(super) fn watch(isolate: &mut v8::Isolate, worker: &Arc<Worker>) {
    let data = Arc::as_ptr(worker).cast_mut().cast::<c_void>();
    isolate.add_near_heap_limit_callback(near_heap_limit, data);
    isolate.add_gc_epilogue_callback(collected, data, v8::GCType::kGCTypeAll);
    isolate.set_oom_error_handler(out_of_memory);
}

/// Lowers the heap limit of a watched isolate to `limit` bytes.
pub(super) fn lower_limit(isolate: &mut v8::Isolate, worker: &Arc<Worker>, limit: usize) {
    // V8 lowers a limit only as a callback is removed.
    isolate.remove_near_heap_limit_callback(near_heap_limit, limit);
    isolate.add_near_heap_limit_callback(near_heap_limit, Arc::as_ptr(worker).cast_mut().cast::<c_void>());
}

unsafe extern "C" fn near_heap_limit(data: *mut c_void, current: usize, _initial: usize) -> usize {
    // SAFETY: `data` is the isolate's worker, which outlives it.
    let worker = unsafe { &*data.cast::<Worker>() };
    if worker.buffers.refused.load(Ordering::Relaxed) {
        // The heap may be as good as empty: this is V8's last attempt to make room for a buffer, before a `RangeError`.
        return current;
    }
    worker.convict(Verdict::Memory);
    current.saturating_add(HEADROOM)
}

/// After a collection. If it was a full one, what is left is in use.
unsafe extern "C" fn collected(
    isolate: v8::UnsafeRawIsolatePtr,
    kind: v8::GCType,
    _flags: v8::GCCallbackFlags,
    data: *mut c_void,
) {
    // SAFETY: `data` is the isolate's worker, which outlives it; V8 passes its live isolate.
    let (worker, isolate) = unsafe { (&*data.cast::<Worker>(), v8::Isolate::ref_from_raw_isolate_ptr(&isolate)) };
    worker.buffers.refused.store(false, Ordering::Relaxed);
    if kind != v8::GCType::kGCTypeMarkSweepCompact {
        return;
    }
    // SAFETY: reading statistics changes nothing that the collector, which is done, relies on.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate.as_raw_isolate_ptr()) };
    let usage = Usage::read(&mut isolate, worker);
    // A thread that V8 does not give back may say so nowhere else.
    worker.account.publish(usage);
    if usage.total() > worker.memory_limit() {
        worker.convict(Verdict::Memory);
    }
}

/// V8 is about to end the process, for a heap that is full despite all headroom.
unsafe extern "C" fn out_of_memory(_location: *const c_char, _details: &v8::OomDetails) {
    super::worker::lose_current(Verdict::Memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_aligns_buffers_of_every_size_without_being_asked() {
        for bytes in (LEAST..4096).chain([1 << 16, (1 << 20) + 1, 1 << 26]) {
            // SAFETY: each block is given back once.
            unsafe {
                let block = mi_malloc(bytes);
                assert_eq!(block.addr() % 16, 0, "{bytes} bytes");
                mi_free(block);
            }
        }
    }

    #[test]
    fn buffers_stop_at_the_limit_and_come_back() {
        let buffers = Buffers::new(100);
        assert!(buffers.reserve(60));
        assert!(!buffers.reserve(41));
        assert!(buffers.reserve(40));
        buffers.release(60);
        assert!(buffers.reserve(60));
        assert!(!buffers.reserve(usize::MAX));
    }
}
