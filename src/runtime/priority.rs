//! Who runs first where processors are short: a turn that has run for a while gives way to those that have not, and to the
//! gateway. Without that, sixteen apps that compute leave a seventeenth its seventeenth, and it may need no more than a
//! millisecond now and then.

use std::io;

use rustix::process::{getpriority_process, setpriority_process};

/// What the kernel calls the thread that runs after all others.
const LAST: i32 = 19;

/// The nice value of this process, to which a thread can return that gave way; `None` where the kernel lets nobody return
/// (that takes CAP_SYS_NICE, or RLIMIT_NICE at the process's own value: `LimitNICE=` in a unit).
pub(super) fn normal() -> Option<i32> {
    // On a thread of its own: if it is not allowed to return, nothing is lost.
    let tried = std::thread::spawn(|| {
        let normal = getpriority_process(None)?;
        setpriority_process(None, LAST)?;
        setpriority_process(None, normal)?;
        io::Result::Ok(normal)
    });
    tried.join().ok()?.ok().filter(|normal| *normal < LAST)
}

/// Has the calling thread run as `normal` says again.
pub(super) fn restore(normal: i32) {
    // It worked when it was tried.
    let _ = setpriority_process(None, normal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_returns_where_it_may() {
        let Some(normal) = normal() else { return };
        let seen = std::thread::spawn(move || {
            setpriority_process(None, LAST).unwrap();
            restore(normal);
            getpriority_process(None).unwrap()
        });
        assert_eq!(seen.join().unwrap(), normal);
        assert_eq!(getpriority_process(None).unwrap(), normal, "another thread's is its own");
    }
}
