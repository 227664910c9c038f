//! A sink: a bounded queue and the thread that empties it into a file or standard output.
//!
//! Whoever logs appends a whole line to one buffer under a short lock; the thread takes the buffer whole and writes
//! it with few calls. So a slow or full disk holds up this thread alone, and what the queue cannot take is counted.
//! What is written is whole lines: a line that was written in part is truncated away or completed, never left.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io, mem, thread};

use prometheus::IntCounter;

use super::file::{LogFile, Policy};
use super::line::{Extra, Field, Kind, Line};
use crate::observability::metrics::Metrics;
use crate::plan::{Level, LogFormat, SinkPlan};

/// What a queue holds at most.
const MAX_LINES: u64 = 64 * 1024;
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// How long the thread lets lines gather before it writes them, unless there are many or somebody waits.
const GATHER: Duration = Duration::from_millis(5);
const MANY: usize = 256 * 1024;
/// A buffer larger than this is given back once it is empty.
const KEPT: usize = 1024 * 1024;
/// A failed write is tried again so often, and its lines given up after so long.
const RETRY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(1);

/// One sink. Dropping it lets the thread write what is queued and end.
pub(super) struct Sink {
    place: Place,
    queue: Arc<Queue>,
    quota: IntCounter,
}

#[derive(PartialEq, Eq)]
enum Place {
    Stdout,
    File(PathBuf),
}

/// The queue in front of a sink's thread.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes the sink's thread.
    wake: Condvar,
    /// Wakes who waits in [`Queue::settled`].
    done: Condvar,
    refused: IntCounter,
}

struct State {
    /// Whole lines.
    bytes: Vec<u8>,
    lines: u64,
    /// Lines that found no room since the last batch was taken.
    refused: u64,
    /// Lines ever taken in, and of those the ones that are written or counted as lost.
    accepted: u64,
    settled: u64,
    format: LogFormat,
    policy: Option<Policy>,
    reopen: bool,
    hurry: bool,
    closed: bool,
    ended: bool,
    /// The thread sleeps until there is something.
    idle: bool,
}

impl Sink {
    /// Opens what `plan` names and starts its thread.
    pub(super) fn open(plan: &SinkPlan, format: LogFormat, metrics: &Metrics) -> io::Result<Self> {
        let (place, output, name) = match plan {
            SinkPlan::Stdout { .. } => {
                let stdout = fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
                (Place::Stdout, Output::Stdout(stdout), "stdout".to_owned())
            }
            SinkPlan::File { path, .. } => {
                let file = LogFile::open(path, Policy::of(plan).expect("a file has a policy"), SystemTime::now())
                    .map_err(|error| named(error, path))?;
                (Place::File(path.clone()), Output::File(Box::new(file)), path.display().to_string())
            }
        };
        let queue = Arc::new(Queue {
            state: Mutex::new(State {
                bytes: Vec::new(),
                lines: 0,
                refused: 0,
                accepted: 0,
                settled: 0,
                format,
                policy: None,
                reopen: false,
                hurry: false,
                closed: false,
                ended: false,
                idle: false,
            }),
            wake: Condvar::new(),
            done: Condvar::new(),
            refused: metrics.lines_dropped(&name, "queue_full"),
        });
        let writer = Writer {
            queue: Arc::clone(&queue),
            output,
            lost: metrics.lines_dropped(&name, "write_error"),
            unfinished: Vec::new(),
            failing: None,
            untold: Untold::default(),
        };
        thread::Builder::new().name("nano-log".to_owned()).spawn(move || writer.run())?;
        Ok(Self { place, queue, quota: metrics.lines_dropped(&name, "quota") })
    }

    /// Whether this sink is where `plan` wants lines to go.
    pub(super) fn writes_to(&self, plan: &SinkPlan) -> bool {
        match (&self.place, plan) {
            (Place::Stdout, SinkPlan::Stdout { .. }) => true,
            (Place::File(path), SinkPlan::File { path: planned, .. }) => path == planned,
            _ => false,
        }
    }

    /// Takes a rendered line, or counts it as dropped.
    pub(super) fn push(&self, line: &[u8]) {
        self.queue.push(line);
    }

    /// Counts a line that an app's quota kept away.
    pub(super) fn over_quota(&self) {
        self.quota.inc();
    }

    /// Changes how the thread's own lines look and how its file rotates, from the next batch on.
    pub(super) fn configure(&self, format: LogFormat, policy: Option<Policy>) {
        let mut state = self.queue.lock();
        (state.format, state.policy) = (format, policy);
        self.queue.wake.notify_one();
    }

    /// Opens the file anew before the next batch.
    pub(super) fn reopen(&self) {
        self.queue.lock().reopen = true;
        self.queue.wake.notify_one();
    }

    pub(super) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.wake.notify_one();
    }
}

fn named(error: io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("cannot open the log file {}: {error}", path.display()))
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.lines >= MAX_LINES || state.bytes.len() + line.len() > MAX_BYTES {
            state.refused += 1;
            drop(state);
            self.refused.inc();
            return;
        }
        let before = state.bytes.len();
        state.bytes.extend_from_slice(line);
        state.lines += 1;
        state.accepted += 1;
        let many = before < MANY && state.bytes.len() >= MANY;
        if mem::take(&mut state.idle) || many {
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Asks for everything queued to be written now; gives the count to wait for with [`Queue::settled`].
    pub(super) fn hurry(&self) -> u64 {
        let mut state = self.lock();
        state.hurry = true;
        self.wake.notify_one();
        state.accepted
    }

    /// Waits until `goal` lines are written or lost; whether they were before `deadline`.
    pub(super) fn settled(&self, goal: u64, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = self.done.wait_timeout_while(self.lock(), left, |state| state.settled < goal && !state.ended);
        wait.unwrap_or_else(PoisonError::into_inner).0.settled >= goal
    }

    /// Whether the thread has written the last line there will be.
    pub(super) fn ended(&self) -> bool {
        self.lock().ended
    }

    /// Waits for something to do. `untold` is whether the thread has something to say itself, soon.
    fn take(&self, bytes: Vec<u8>, untold: bool) -> Taken {
        let mut state = self.lock();
        let nothing = |state: &mut State| {
            state.bytes.is_empty() && !state.reopen && state.policy.is_none() && !state.closed && !state.hurry
        };
        state.idle = true;
        state = if untold {
            let wait = self.wake.wait_timeout_while(state, PATIENCE, nothing);
            wait.unwrap_or_else(PoisonError::into_inner).0
        } else {
            self.wake.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner)
        };
        state.idle = false;
        let few = |state: &mut State| !state.closed && !state.hurry && state.bytes.len() < MANY;
        let wait = self.wake.wait_timeout_while(state, GATHER, few);
        state = wait.unwrap_or_else(PoisonError::into_inner).0;
        state.hurry = false;
        Taken {
            bytes: mem::replace(&mut state.bytes, bytes),
            lines: mem::take(&mut state.lines),
            refused: mem::take(&mut state.refused),
            format: state.format,
            policy: state.policy.take(),
            reopen: mem::take(&mut state.reopen),
            closed: state.closed,
        }
    }
}

/// What the thread took from its queue.
struct Taken {
    bytes: Vec<u8>,
    lines: u64,
    refused: u64,
    format: LogFormat,
    policy: Option<Policy>,
    reopen: bool,
    closed: bool,
}

/// The sink's thread.
struct Writer {
    queue: Arc<Queue>,
    output: Output,
    lost: IntCounter,
    /// The end of a line whose beginning is out already and could not be taken back.
    unfinished: Vec<u8>,
    /// Since when nothing could be written that stayed.
    failing: Option<Instant>,
    untold: Untold,
}

enum Output {
    Stdout(fs::File),
    File(Box<LogFile>),
}

/// What the thread has to say in its own log, once there is room.
#[derive(Default)]
struct Untold {
    refused: u64,
    lost: u64,
    notices: Vec<String>,
}

impl Writer {
    fn run(mut self) {
        let mut spare = Vec::new();
        loop {
            let mut taken = self.queue.take(spare, !self.untold.is_empty());
            self.untold.refused += taken.refused;
            self.prepare(&taken);
            let untold = mem::take(&mut self.untold);
            let own = untold.render(taken.format, &mut taken.bytes);
            let lost = self.write(&taken.bytes);
            if lost > 0 {
                // Our own lines were the last of the batch, so they are among the lost, to be said again.
                let lost = lost.saturating_sub(own);
                self.lost.inc_by(lost);
                self.untold.add(untold, lost);
            }
            self.settle(taken.lines);
            if taken.closed {
                break;
            }
            taken.bytes.clear();
            spare = if taken.bytes.capacity() > KEPT { Vec::new() } else { taken.bytes };
        }
        self.queue.lock().ended = true;
        self.queue.done.notify_all();
    }

    fn settle(&self, lines: u64) {
        self.queue.lock().settled += lines;
        self.queue.done.notify_all();
    }

    /// What is asked of the file besides writing.
    fn prepare(&mut self, taken: &Taken) {
        let Output::File(file) = &mut self.output else { return };
        if let Some(policy) = taken.policy {
            file.set_policy(policy);
        }
        if taken.reopen
            && let Err(error) = file.reopen(SystemTime::now())
        {
            self.untold.notices.push(format!("cannot reopen the log file, going on with the old one: {error}"));
        }
        self.untold.notices.extend(file.notices());
    }

    /// Writes whole lines; returns how many were lost.
    fn write(&mut self, bytes: &[u8]) -> u64 {
        let unfinished = mem::take(&mut self.unfinished);
        if let Err(at) = self.write_chunk(&unfinished) {
            self.unfinished = unfinished[at..].to_vec();
            return lines(bytes);
        }
        let mut done = 0;
        while done < bytes.len() {
            let rest = &bytes[done..];
            let chunk = match &mut self.output {
                Output::Stdout(_) => rest,
                Output::File(file) => &rest[..file.room(rest, SystemTime::now(), &mut self.untold.notices)],
            };
            if let Err(at) = self.write_chunk(chunk) {
                let torn = at > 0 && chunk[at - 1] != b'\n';
                let line_end = if torn { at + line_length(&chunk[at..]) } else { at };
                self.unfinished = chunk[at..line_end].to_vec();
                return lines(&rest[line_end..]);
            }
            done += chunk.len();
        }
        0
    }

    /// Writes all of `chunk`, trying again for as long as there is patience. The error is how much of it is out.
    fn write_chunk(&mut self, chunk: &[u8]) -> Result<(), usize> {
        let (mut done, mut kept) = (0, 0);
        while done < chunk.len() {
            let error = match self.output.write(&chunk[done..]) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(written) => {
                    done += written;
                    if done == chunk.len() {
                        self.failing = None;
                    }
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A pipe or terminal that somebody made non-blocking: full, not broken.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(RETRY / 10);
                    continue;
                }
                Err(error) => error,
            };
            // A nearly full disk takes a part of a line each time: only what stays is a success.
            done = self.output.take_back(chunk, done);
            if done > kept {
                (kept, self.failing) = (done, None);
            }
            if self.give_up(&error) {
                return Err(done);
            }
        }
        Ok(())
    }

    /// After a failed write: waits a little, or says that it is enough.
    fn give_up(&mut self, error: &io::Error) -> bool {
        let since = *self.failing.get_or_insert_with(Instant::now);
        if error.kind() == io::ErrorKind::BrokenPipe {
            return true;
        }
        thread::sleep(RETRY);
        since.elapsed() >= PATIENCE
    }
}

impl Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(file) => io::Write::write(file, bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    /// Takes a partly written line back from the file's end, if that can be. Returns how much of `chunk` is out then.
    fn take_back(&mut self, chunk: &[u8], done: usize) -> usize {
        let whole = chunk[..done].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        match self {
            Self::File(file) => {
                if whole < done && file.take_back(done - whole) {
                    whole
                } else {
                    done
                }
            }
            Self::Stdout(_) => done,
        }
    }
}

impl Untold {
    fn is_empty(&self) -> bool {
        self.refused == 0 && self.lost == 0 && self.notices.is_empty()
    }

    /// Takes back what could not be said, together with the lines lost on that occasion.
    fn add(&mut self, other: Self, lost: u64) {
        self.refused += other.refused;
        self.lost += other.lost + lost;
        self.notices.splice(0..0, other.notices);
    }

    /// Appends the lines that say it; returns how many.
    fn render(&self, format: LogFormat, out: &mut Vec<u8>) -> u64 {
        let mut own = 0;
        let mut say = |level, message: &str, fields: &[(&'static str, Field)]| {
            let extra = Extra::Fields(fields);
            let line = Line { level, kind: Kind::Gateway, app: None, request: None, message, extra };
            line.render(format, SystemTime::now(), out);
            own += 1;
        };
        for (lines, reason, why) in [
            (self.refused, "queue_full", "the queue of this log was full"),
            (self.lost, "write_error", "this log could not be written"),
        ] {
            if lines > 0 {
                let fields = [("reason", Field::text(reason)), ("lines", Field::number(lines))];
                say(Level::Warn, &format!("{lines} lines dropped: {why}"), &fields);
            }
        }
        self.notices.iter().for_each(|notice| say(Level::Error, notice, &[]));
        own
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Bytes up to and with the first newline.
fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1)
}
