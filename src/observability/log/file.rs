//! A log file that rotates.
//!
//! Lines are appended to the path of the config. When it is time, or the next line would make the file too large, it
//! is renamed to `<name>.<UTC time of the rotation>` (`nano.jsonl.2026-11-22T00-00-00.000`) and a new one is opened;
//! compressing and deleting old ones is `archive`'s. Rotation happens only between whole lines, and only as a line
//! is about to be written: an idle file stays as it is. A rotation that fails loses nothing, the old file goes on.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::archive::{self, Archive};
use crate::plan::{Rotate, SinkPlan};

/// How long after a failed rotation it is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// When a file rotates and what becomes of the old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) rotate: Rotate,
    pub(super) max_size: Option<u64>,
    pub(super) keep: usize,
    pub(super) compress: bool,
}

impl Policy {
    /// A file sink's policy.
    pub(super) fn of(plan: &SinkPlan) -> Option<Self> {
        match *plan {
            SinkPlan::Stdout { .. } => None,
            SinkPlan::File { rotate, max_size, keep, compress, .. } => Some(Self { rotate, max_size, keep, compress }),
        }
    }

    /// The number of the hour or day that `at` is in.
    fn period(&self, at: SystemTime) -> u64 {
        let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match self.rotate {
            Rotate::Never => 0,
            Rotate::Hourly => seconds / 3600,
            Rotate::Daily => seconds / 86_400,
        }
    }
}

/// An open log file.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    policy: Policy,
    length: u64,
    /// When the file was last written, as far as rotation by time is concerned.
    written: SystemTime,
    /// `None` for what cannot rotate: a device, a pipe.
    archive: Option<Archive>,
    not_before: Option<SystemTime>,
}

impl LogFile {
    /// Opens `path` to append to it. A file that is there already keeps its age: if it was last written
    /// yesterday, a daily one rotates with the first line.
    pub(super) fn open(path: &Path, policy: Policy, now: SystemTime) -> io::Result<Self> {
        let file = append_to(path)?;
        let about = file.metadata()?;
        let archive = if about.is_file() { Some(Archive::start(path, policy)?) } else { None };
        let written = if about.len() > 0 { about.modified()? } else { now };
        let length = about.len();
        Ok(Self { path: path.to_owned(), file, policy, length, written, archive, not_before: None })
    }

    /// Rotates by other rules from now on.
    pub(super) fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.tidy();
    }

    /// Opens the path anew, after somebody moved the file away.
    pub(super) fn reopen(&mut self, now: SystemTime) -> io::Result<()> {
        self.use_file(append_to(&self.path)?, now)
    }

    /// What the archive could not do.
    pub(super) fn notices(&mut self) -> impl Iterator<Item = String> {
        self.archive.iter().flat_map(Archive::notices)
    }

    /// How many of `lines` (whole ones, not none) are to be written before `room` is asked again. Rotates if it is
    /// time to; what goes wrong with that is added to `notices`.
    pub(super) fn room(&mut self, lines: &[u8], now: SystemTime, notices: &mut Vec<String>) -> usize {
        if self.archive.is_none() {
            return lines.len();
        }
        let first = lines.iter().position(|&byte| byte == b'\n').map_or(lines.len(), |at| at + 1);
        let over = self.policy.max_size.is_some_and(|most| self.length + first as u64 > most);
        let aged = self.policy.period(now) > self.policy.period(self.written);
        if self.length > 0 && (over || aged) && self.not_before.is_none_or(|time| now >= time) {
            self.not_before = None;
            if let Err(error) = self.rotate(now) {
                self.not_before = Some(now + RETRY);
                notices.push(format!("cannot rotate the log file {}, going on in it: {error}", self.path.display()));
            }
        }
        self.written = now;
        match self.policy.max_size {
            Some(most) if self.not_before.is_none() => {
                let room = usize::try_from(most.saturating_sub(self.length)).unwrap_or(usize::MAX).min(lines.len());
                lines[..room].iter().rposition(|&byte| byte == b'\n').map_or(first, |at| at + 1)
            }
            _ => lines.len(),
        }
    }

    /// Writes some of `bytes`.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    /// Cuts the last `bytes` off again; whether that worked.
    pub(super) fn take_back(&mut self, bytes: usize) -> bool {
        if self.archive.is_none() {
            return false;
        }
        // The file's own length, not ours: somebody may have truncated it (`copytruncate`).
        let cut = self.file.metadata().and_then(|about| match about.len().checked_sub(bytes as u64) {
            Some(length) => self.file.set_len(length).map(|()| length),
            None => Err(io::ErrorKind::InvalidInput.into()),
        });
        match cut {
            Ok(length) => self.length = length,
            Err(_) => return false,
        }
        true
    }

    fn rotate(&mut self, now: SystemTime) -> io::Result<()> {
        let old = free_name(&self.path, now);
        match fs::rename(&self.path, &old) {
            // Somebody moved it away: all that is left is to begin anew.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.reopen(now),
            renamed => renamed?,
        }
        match append_to(&self.path) {
            Ok(file) => self.use_file(file, now)?,
            Err(error) => {
                // Back to where a reader expects the lines that follow.
                fs::rename(&old, &self.path)?;
                return Err(error);
            }
        }
        self.tidy();
        Ok(())
    }

    fn use_file(&mut self, file: File, now: SystemTime) -> io::Result<()> {
        self.length = file.metadata()?.len();
        (self.file, self.written, self.not_before) = (file, now, None);
        Ok(())
    }

    fn tidy(&self) {
        if let Some(archive) = &self.archive {
            archive.tidy(self.policy);
        }
    }
}

/// Opens a log file so that every write goes to its end. Not blocking, so that a pipe without a reader is an error
/// rather than a wait.
fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK).open(path)
}

/// The name a file rotated at `now` gets: later by as many milliseconds as it takes to be new.
fn free_name(path: &Path, mut now: SystemTime) -> PathBuf {
    loop {
        let mut name = OsString::from(path);
        name.push(".");
        name.push(archive::stamp(now));
        let mut zipped = name.clone();
        zipped.push(archive::ZIPPED);
        let taken = |name: &OsString| fs::symlink_metadata(name).is_ok();
        if !taken(&name) && !taken(&zipped) {
            return PathBuf::from(name);
        }
        now += Duration::from_millis(1);
    }
}
