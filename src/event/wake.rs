//! Wake-ups in batches. A thread that hands many messages to another wakes it once for all of them, when it has no more
//! or when some have gathered: on a busy machine that saves two switches of the processor for every request.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

/// Messages that may wait for one another: few enough that a receiver on another processor starts soon.
const GATHERED: usize = 64;

thread_local! {
    static MINE: RefCell<Option<Arc<Held>>> = const { RefCell::new(None) };
}

/// The wake-ups one thread holds back.
#[derive(Default)]
pub struct Held(Mutex<List>);

#[derive(Default)]
struct List {
    wakers: Vec<Waker>,
    messages: usize,
}

impl Held {
    /// Wakes everyone. Another thread may do so in place of one that is busy for longer.
    pub fn flush(&self) {
        let wakers = {
            let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            list.messages = 0;
            std::mem::take(&mut list.wakers)
        };
        // Not under the lock: whom we wake may run code of its own.
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Adds one; true if enough have gathered.
    fn add(&self, waker: Option<Waker>) -> bool {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.messages += 1;
        list.wakers.extend(waker);
        list.messages >= GATHERED
    }
}

/// Has this thread hold its wake-ups back from now on. It must [`flush`] whenever it has nothing more to do.
pub fn hold_back() -> Arc<Held> {
    let held = Arc::<Held>::default();
    MINE.set(Some(Arc::clone(&held)));
    held
}

/// A message went out; `waker` is its receiver's, if that sleeps. Wakes it: at once, or on a thread that holds back,
/// with the next [`flush`].
pub fn wake(waker: Option<Waker>) {
    let held = MINE.with_borrow(Option::clone);
    match held {
        Some(held) => {
            if held.add(waker) {
                held.flush();
            }
        }
        None => waker.into_iter().for_each(Waker::wake),
    }
}

/// Wakes everyone who was held back on this thread.
pub fn flush() {
    let held = MINE.with_borrow(Option::clone);
    if let Some(held) = held {
        held.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wake_ups_wait_for_a_flush_only_where_they_are_held_back() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let woken = || count.0.load(Ordering::Relaxed);
        let waker = || Some(Waker::from(Arc::clone(&count)));
        wake(waker());
        assert_eq!(woken(), 1);
        let held = hold_back();
        wake(waker());
        wake(None);
        assert_eq!(woken(), 1);
        flush();
        assert_eq!(woken(), 2);
        wake(waker());
        std::thread::spawn(move || held.flush()).join().unwrap();
        assert_eq!(woken(), 3, "another thread may do it");
        wake(waker());
        (1..GATHERED).for_each(|_| wake(None));
        assert_eq!(woken(), 4, "enough messages have gathered");
    }
}
