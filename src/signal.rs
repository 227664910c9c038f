//! What tells a running nano to do something, in one enum: signals, and changes of the config files.
//!
//! SIGHUP reloads, SIGTERM and SIGINT stop, SIGUSR1 reopens log files. SIGPIPE is ignored, as the standard library
//! has it from the start: a write to a closed pipe is an error of that write. So is one beyond the largest size of a
//! file (SIGXFSZ, which would end the process). Files are watched in `watch`.

mod watch;

use std::io;
use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};

use watch::Watch;

/// Something nano is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Read the config again.
    Reload(Cause),
    /// Stop; the second time, at once.
    Stop,
    /// Open log files anew.
    ReopenLogs,
}

/// Why a reload is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// SIGHUP.
    Signal,
    /// A config file changed.
    Files,
}

/// Every source of [`Control`]s. What comes while nobody asks is kept, once of each kind.
pub struct Controls {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    user1: Signal,
    /// Never asked: that somebody listens is enough.
    _too_large: Signal,
    watch: Watch,
}

impl Controls {
    /// Takes the signals over, and takes down when: to be called before the config is first read. Must be called within
    /// a tokio runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            user1: signal(SignalKind::user_defined1())?,
            _too_large: signal(SignalKind::from_raw(libc::SIGXFSZ))?,
            watch: Watch::new(),
        })
    }

    /// Watches these config files from now on. After an error, files are not watched; signals still are.
    pub fn watch(&mut self, files: &[PathBuf]) -> notify::Result<()> {
        self.watch.files(files)
    }

    /// Waits for the next one. Nothing is lost if the wait is given up.
    pub async fn next(&mut self) -> Control {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Control::Stop,
            _ = self.interrupt.recv() => Control::Stop,
            _ = self.user1.recv() => Control::ReopenLogs,
            _ = self.hangup.recv() => {
                self.watch.looked();
                Control::Reload(Cause::Signal)
            }
            () = self.watch.changed() => Control::Reload(Cause::Files),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    #[test]
    fn each_signal_is_its_control() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut controls = Controls::new().unwrap();
            // One at a time: the kernel may hand signals to different threads, in any order.
            for (signal, control) in [
                (Signal::HUP, Control::Reload(Cause::Signal)),
                (Signal::USR1, Control::ReopenLogs),
                (Signal::TERM, Control::Stop),
                (Signal::INT, Control::Stop),
            ] {
                kill_process(getpid(), signal).unwrap();
                assert_eq!(controls.next().await, control);
            }
        });
    }
}
