//! Parks a thread that V8 does not give back: it stands still for good and costs its memory, but no CPU time.
//!
//! Nobody can stop a thread from outside at just any point, for it may hold a lock that the whole process needs: the
//! allocator's, or one of V8's. So it is asked, by a signal, and its own handler looks where the signal found it. Code
//! that V8 has generated (its builtins, and what it compiles) holds no lock: there the handler never returns. Anywhere
//! else it returns, and is asked again.
//!
//! Some builtins are loops in C++ (`indexOf` and `fill`, where an array is not one, or `String.raw`). Whatever such a
//! loop does with an object may run a getter, a setter or a proxy's trap, any JavaScript at all, so no lock is held there
//! either: the linker (`build.rs`) leads the functions for it here, and a thread that is wanted parks before one of them.
//! Not before the first: code that has come out of something long passes a few before V8 looks whether it is to end.
//!
//! The handler looks at nothing but its own thread's [`Spot`], and parks only while that is wanted. A signal that comes
//! late, or to another thread than was meant, finds no such spot and changes nothing.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The thread runs as it likes.
const FREE: u8 = 0;
/// It is to park where it can.
const WANTED: u8 = 1;
/// It is parked.
const PARKED: u8 = 2;
/// It is out of V8's code for good.
const LEFT: u8 = 3;

/// So many looks at an object, one after the other, are a loop.
const LOOP: u32 = 10_000;

/// Addresses of code.
type Code = Range<usize>;

unsafe extern "C" {
    /// `v8::Isolate::GetEmbeddedCodeRange(const void**, size_t*)`, which needs no isolate in truth: where the builtins
    /// lie that all isolates share.
    #[link_name = "_ZN2v87Isolate20GetEmbeddedCodeRangeEPPKvPm"]
    fn get_embedded_code_range(isolate: *mut c_void, start: *mut *const c_void, length: *mut usize);
    /// `v8::Isolate::GetCodeRange(void**, size_t*)`: where an isolate has the code that V8 compiles for it. Builtins run
    /// there as well, in a copy, where the shared ones are too far away for a short call and the heap may be large.
    #[link_name = "_ZN2v87Isolate12GetCodeRangeEPPvPm"]
    fn get_code_range(isolate: *mut c_void, start: *mut *mut c_void, length: *mut usize);
    #[link_name = "__real__ZN2v88internal10JSReceiver11HasPropertyEPNS0_14LookupIteratorE"]
    fn has_property(at: *mut c_void) -> usize;
    #[link_name = "__real__ZN2v88internal6Object11GetPropertyEPNS0_14LookupIteratorEb"]
    fn get_property(at: *mut c_void, is_global: usize) -> usize;
    #[link_name = "__real__ZN2v88internal6Object15ConvertToStringINS0_12DirectHandleEQsr3stdE16is_convertible_vIT_IS1_ENS3_IS1_EEEEENS4_INS0_6StringEE9MaybeTypeEPNS0_7IsolateES5_"]
    fn convert_to_string(isolate: *mut c_void, input: usize) -> usize;
    #[link_name = "__real__ZN2v88internal6Object15ConvertToStringINS0_6HandleEQsr3stdE16is_convertible_vIT_IS1_ENS0_12DirectHandleIS1_EEEEENS4_INS0_6StringEE9MaybeTypeEPNS0_7IsolateES5_"]
    fn convert_handle_to_string(isolate: *mut c_void, input: usize) -> usize;
    #[link_name = "__real__ZN2v88internal6Object11SetPropertyEPNS0_14LookupIteratorENS0_12DirectHandleIS1_EENS0_11StoreOriginENS_5MaybeINS0_11ShouldThrowEEE"]
    fn set_property(at: *mut c_void, value: usize, origin: usize, should_throw: usize) -> usize;
}

thread_local! {
    /// The calling thread's spot. Constant at first and never dropped: the handler may read it at any time.
    static HERE: Cell<*const Spot> = const { Cell::new(null()) };
}

/// Stands for `v8::internal::JSReceiver::HasProperty(LookupIterator*)`. Its `Maybe<bool>` fits a register.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap__ZN2v88internal10JSReceiver11HasPropertyEPNS0_14LookupIteratorE(at: *mut c_void) -> usize {
    park_in_loop();
    // SAFETY: V8's own arguments go on to V8's own function; likewise below.
    unsafe { has_property(at) }
}

/// Stands for `v8::internal::Object::GetProperty(LookupIterator*, bool)`. Its `MaybeHandle<Object>` is a pointer.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap__ZN2v88internal6Object11GetPropertyEPNS0_14LookupIteratorEb(
    at: *mut c_void,
    is_global: usize,
) -> usize {
    park_in_loop();
    // SAFETY: as above.
    unsafe { get_property(at, is_global) }
}

/// Stands for `v8::internal::Object::SetProperty(LookupIterator*, DirectHandle<Object>, StoreOrigin,
/// Maybe<ShouldThrow>)`, where each argument and the `Maybe<bool>` fit a register.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap__ZN2v88internal6Object11SetPropertyEPNS0_14LookupIteratorENS0_12DirectHandleIS1_EENS0_11StoreOriginENS_5MaybeINS0_11ShouldThrowEEE(
    at: *mut c_void,
    value: usize,
    origin: usize,
    should_throw: usize,
) -> usize {
    park_in_loop();
    // SAFETY: as above.
    unsafe { set_property(at, value, origin, should_throw) }
}

/// Stands for `v8::internal::Object::ConvertToString<DirectHandle>(Isolate*, DirectHandle<Object>)`, where the handle
/// and the `MaybeDirectHandle<String>` fit a register.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap__ZN2v88internal6Object15ConvertToStringINS0_12DirectHandleEQsr3stdE16is_convertible_vIT_IS1_ENS3_IS1_EEEEENS4_INS0_6StringEE9MaybeTypeEPNS0_7IsolateES5_(
    isolate: *mut c_void,
    input: usize,
) -> usize {
    park_in_loop();
    // SAFETY: as above.
    unsafe { convert_to_string(isolate, input) }
}

/// Stands for the same of `Handle`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap__ZN2v88internal6Object15ConvertToStringINS0_6HandleEQsr3stdE16is_convertible_vIT_IS1_ENS0_12DirectHandleIS1_EEEEENS4_INS0_6StringEE9MaybeTypeEPNS0_7IsolateES5_(
    isolate: *mut c_void,
    input: usize,
) -> usize {
    park_in_loop();
    // SAFETY: as above.
    unsafe { convert_handle_to_string(isolate, input) }
}

/// Parks the calling thread, which holds no lock, if that is wanted and it is in a loop.
fn park_in_loop() {
    // SAFETY: `HERE` is null or points to what an `Entered` of this thread borrows.
    if let Some(spot) = unsafe { HERE.get().as_ref() }
        && spot.state.load(Ordering::Relaxed) == WANTED
        && spot.looks.fetch_add(1, Ordering::Relaxed) >= LOOP
    {
        spot.park();
    }
}

/// The signal by which threads are asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signal(c_int);

impl Signal {
    /// Takes a real-time signal that nobody has, from the end where few look for one. To be called once, before any
    /// worker starts.
    ///
    /// # Errors
    /// The kernel's. Without a free signal, `AddrInUse`.
    pub(super) fn install() -> io::Result<Self> {
        for number in (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev() {
            if !is_free(number)? {
                continue;
            }
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
            // SAFETY: all zeros are a valid `sigaction`.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler as libc::sighandler_t;
            // System calls that it finds under way go on.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            // SAFETY: the set is a valid place for the answer; the handler is of the kind that the flags announce, and
            // keeps to what a handler may do.
            let failed = unsafe {
                // Nothing else runs on top of it.
                libc::sigfillset(&mut action.sa_mask);
                libc::sigaction(number, &action, null_mut())
            };
            return if failed == 0 { Ok(Self(number)) } else { Err(io::Error::last_os_error()) };
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// Lets the calling thread take it, whatever nano's parent has left blocked.
    fn unblock(self) {
        let mut set = MaybeUninit::uninit();
        // SAFETY: the first call makes the set what the others need; the mask is the calling thread's own.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), self.0);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), null_mut());
        }
    }
}

fn is_free(signal: c_int) -> io::Result<bool> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call only writes the present one; if it does not fail, it has.
    let handler = unsafe {
        if libc::sigaction(signal, null(), action.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        action.assume_init().sa_sigaction
    };
    Ok(handler == libc::SIG_DFL || handler == libc::SIG_IGN)
}

/// Where one thread may be parked.
pub(super) struct Spot {
    state: AtomicU8,
    /// A signal is on its way. One at a time: the kernel keeps a number of them for the whole user, and a thread that
    /// is not run takes none.
    asked: AtomicBool,
    /// The kernel's id of the thread while it is there: ids are used again, so that nobody may use this one but under
    /// the lock.
    thread: Mutex<Option<libc::pid_t>>,
    /// How often it was about to look at an object since it was wanted.
    looks: AtomicU32,
    /// Where the thread holds no lock.
    code: OnceLock<[Code; 2]>,
}

/// What became of asking a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is parked.
    Parked,
    /// It has come back, or was never there.
    Left,
    /// It was sent a signal.
    Now,
    /// It has not taken the last signal yet.
    Before,
}

impl Spot {
    pub(super) const fn new() -> Self {
        Self {
            state: AtomicU8::new(FREE),
            asked: AtomicBool::new(false),
            looks: AtomicU32::new(0),
            thread: Mutex::new(None),
            code: OnceLock::new(),
        }
    }

    /// Makes this the calling thread's spot, for as long as what is returned lives. `isolate` is the only one of which
    /// the thread will run code.
    pub(super) fn enter(&self, signal: Signal, isolate: &mut v8::Isolate) -> Entered<'_> {
        self.enter_with(signal, generated_code(isolate))
    }

    fn enter_with(&self, signal: Signal, code: [Code; 2]) -> Entered<'_> {
        self.code.get_or_init(|| code);
        HERE.set(self);
        signal.unblock();
        // Last: now it may be asked.
        *self.thread() = Some(rustix::thread::gettid().as_raw_nonzero().get());
        Entered { spot: self, thread: PhantomData }
    }

    /// The thread is out of V8's code for good: it is not asked any more, nor parked.
    pub(super) fn leave(&self) {
        self.state.store(LEFT, Ordering::Release);
        *self.thread() = None;
    }

    /// Whether the thread is out of V8's code for good.
    pub(super) fn is_left(&self) -> bool {
        self.thread().is_none()
    }

    /// Asks the thread to park.
    pub(super) fn ask(&self, signal: Signal) -> Asked {
        let thread = self.thread();
        let Some(id) = *thread else { return Asked::Left };
        let state = self.state.compare_exchange(FREE, WANTED, Ordering::AcqRel, Ordering::Acquire);
        if state == Err(PARKED) {
            return Asked::Parked;
        }
        if self.asked.swap(true, Ordering::AcqRel) {
            return Asked::Before;
        }
        // SAFETY: takes plain numbers. The thread is there: it would have to take the lock to leave.
        let failed = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id, signal.0) };
        if failed != 0 {
            self.asked.store(false, Ordering::Release);
        }
        Asked::Now
    }

    /// Gives the thread the lowest priority. Not `SCHED_IDLE`, which is lower still: it may hold a lock that others wait
    /// for, be it the kernel's for the memory of the process, and would not be run for seconds.
    pub(super) fn run_last(&self) {
        let thread = self.thread();
        let Some(id) = *thread else { return };
        // SAFETY: takes plain numbers. The thread is there, as above.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, id as libc::id_t, 19) };
    }

    /// What the handler does, interrupted at `counter`: it calls nothing that a handler may not call, and where it
    /// returns it has called nothing at all, so that `errno` is as it was.
    fn signalled(&self, counter: usize) {
        if self.code.get().is_some_and(|code| code.iter().any(|code| code.contains(&counter))) {
            self.park();
        }
        self.asked.store(false, Ordering::Release);
    }

    /// Parks the calling thread for good, if that is wanted.
    fn park(&self) {
        if self.state.compare_exchange(WANTED, PARKED, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return;
        }
        let mut all = MaybeUninit::uninit();
        // SAFETY: the first call makes the set what the second needs. None of the three takes anything, or is anything
        // a handler may not call.
        unsafe {
            // It takes no signal away from the threads that can act on it.
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), null_mut());
            loop {
                libc::pause();
            }
        }
    }

    fn thread(&self) -> MutexGuard<'_, Option<libc::pid_t>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread on its spot.
pub(super) struct Entered<'a> {
    spot: &'a Spot,
    /// Must be dropped by the same thread.
    thread: PhantomData<*const ()>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.spot.leave();
        HERE.set(null());
    }
}

extern "C" fn on_signal(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: `HERE` is null or points to what an `Entered` of this thread borrows.
    if let Some(spot) = unsafe { HERE.get().as_ref() } {
        // SAFETY: the kernel hands a `SA_SIGINFO` handler the interrupted thread's context.
        spot.signalled(unsafe { program_counter(context) });
    }
}

/// Where the thread was interrupted.
#[cfg(target_arch = "x86_64")]
unsafe fn program_counter(context: *const c_void) -> usize {
    // SAFETY: see the caller.
    unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RIP as usize] as usize }
}

/// Where the thread was interrupted.
#[cfg(target_arch = "aarch64")]
unsafe fn program_counter(context: *const c_void) -> usize {
    // SAFETY: see the caller.
    unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.pc as usize }
}

/// The builtins, and what V8 compiles for the isolate.
fn generated_code(isolate: &mut v8::Isolate) -> [Code; 2] {
    let isolate = super::realm::address(isolate);
    let (mut shared, mut shared_length, mut own, mut own_length) = (null(), 0, null_mut(), 0);
    // SAFETY: the isolate is live, and the others are valid places for the answers.
    unsafe {
        get_embedded_code_range(isolate, &mut shared, &mut shared_length);
        get_code_range(isolate, &mut own, &mut own_length);
    }
    [(shared.addr(), shared_length), (own.addr(), own_length)].map(|(start, length)| start..start + length)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::{Arc, LazyLock};
    use std::time::{Duration, Instant};

    use super::*;

    const ANYWHERE: [Code; 2] = [0..usize::MAX, 0..0];
    const NOWHERE: [Code; 2] = [0..0, 0..0];

    fn signal() -> Signal {
        static SIGNAL: LazyLock<Signal> = LazyLock::new(|| Signal::install().unwrap());
        *SIGNAL
    }

    /// A thread that counts as fast as it can.
    #[derive(Default)]
    struct Busy {
        count: AtomicU64,
        stop: AtomicBool,
    }

    impl Busy {
        fn start(spot: &Arc<Spot>, code: [Code; 2]) -> Arc<Self> {
            let (busy, spot, signal) = (Arc::<Self>::default(), Arc::clone(spot), signal());
            let mine = Arc::clone(&busy);
            std::thread::spawn(move || {
                let entered = spot.enter_with(signal, code);
                while !mine.stop.load(Ordering::Relaxed) {
                    mine.count.fetch_add(1, Ordering::Relaxed);
                }
                drop(entered);
                mine.stop.store(false, Ordering::Relaxed);
            });
            wait_until(|| busy.count.load(Ordering::Relaxed) > 0);
            busy
        }

        fn goes_on(&self) {
            let before = self.count.load(Ordering::Relaxed);
            wait_until(|| self.count.load(Ordering::Relaxed) > before);
        }
    }

    #[track_caller]
    fn wait_until(mut is: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !is() {
            assert!(Instant::now() < end, "waited too long");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_thread_in_generated_code_parks_and_runs_no_more() {
        let spot = Arc::new(Spot::new());
        let busy = Busy::start(&spot, ANYWHERE);
        wait_until(|| spot.ask(signal()) == Asked::Parked);
        let before = busy.count.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(50)); // nothing to poll for: it must not go on
        assert_eq!(busy.count.load(Ordering::Relaxed), before);
    }

    #[test]
    fn a_thread_elsewhere_takes_the_signals_and_goes_on() {
        let spot = Arc::new(Spot::new());
        let busy = Busy::start(&spot, NOWHERE);
        let mut taken = 0;
        wait_until(|| {
            taken += u32::from(spot.ask(signal()) == Asked::Now);
            taken == 20
        });
        busy.goes_on();
        busy.stop.store(true, Ordering::Relaxed);
        wait_until(|| spot.ask(signal()) == Asked::Left);
        wait_until(|| !busy.stop.load(Ordering::Relaxed));
    }

    #[test]
    fn a_signal_that_was_not_asked_for_parks_nobody() {
        let spot = Arc::new(Spot::new());
        let busy = Busy::start(&spot, ANYWHERE);
        let id = spot.thread().unwrap();
        let send = || {
            // SAFETY: plain numbers; at worst no such thread is left.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id, signal().0) }
        };
        for _ in 0..20 {
            send();
            busy.goes_on();
        }
        // Nor does one that comes after the thread has left.
        spot.state.store(WANTED, Ordering::Relaxed);
        spot.leave();
        send();
        busy.goes_on();
        assert_eq!(spot.ask(signal()), Asked::Left);
        busy.stop.store(true, Ordering::Relaxed);
        wait_until(|| !busy.stop.load(Ordering::Relaxed));
    }

    #[test]
    fn a_thread_without_a_spot_takes_the_signal_in_its_stride() {
        // SAFETY: plain numbers, and the calling thread exists.
        let failed = unsafe {
            let signal = signal();
            libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal.0)
        };
        assert_eq!(failed, 0);
    }
}
