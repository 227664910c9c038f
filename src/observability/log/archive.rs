//! Rotated log files: compresses and deletes them, on a thread of its own so that lines never wait for gzip.
//!
//! What to do is read from the folder each time, so that whatever a crash left half done is finished at the next
//! start or rotation. A compressed file appears whole: it is written under a temporary name, then renamed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::file::Policy;

/// What a compressed file's name ends in, and one that is being compressed.
pub(super) const ZIPPED: &str = ".gz";
const PARTIAL: &str = ".gz.tmp";
/// So much is compressed between two looks whether there are more files to delete.
const CHUNK: u64 = 64 * 1024;
/// The thread runs when nobody else wants to: what it does can wait, requests cannot.
const NICENESS: i32 = 19;

/// The thread that tidies up after one log file. It ends with the handle, after what it was asked.
pub(super) struct Archive {
    orders: Sender<Policy>,
    notices: Receiver<String>,
}

impl Archive {
    pub(super) fn start(path: &Path, policy: Policy) -> io::Result<Self> {
        let (orders, ordered) = channel();
        let (notify, notices) = channel();
        let path = path.to_owned();
        thread::Builder::new().name("nano-log-gzip".to_owned()).spawn(move || {
            // Where the kernel has its reasons not to, it goes on as it is. (`None` is the calling thread.)
            let _ = rustix::process::setpriority_process(None, NICENESS);
            while let Ok(policy) = ordered.recv() {
                if let Err(error) = tidy(&path, policy, || ordered.try_iter().last()) {
                    // Nobody listens once the log file is closed, and nobody need know then.
                    let _ = notify.send(format!("cannot tidy up old files of {}: {error}", path.display()));
                }
            }
        })?;
        let archive = Self { orders, notices };
        archive.tidy(policy);
        Ok(archive)
    }

    /// Asks for the rotated files to be brought in order.
    pub(super) fn tidy(&self, policy: Policy) {
        // The thread is there for as long as this handle.
        let _ = self.orders.send(policy);
    }

    /// What went wrong since last asked.
    pub(super) fn notices(&self) -> impl Iterator<Item = String> {
        self.notices.try_iter()
    }
}

/// The time in a rotated file's name: sorts by age, and has no character that file systems or shells dislike.
pub(super) fn stamp(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string().trim_end_matches('Z').replace(':', "-")
}

/// Deletes all but the newest `keep` rotated files, then compresses those that are not, the newest first. Deleting comes
/// first: the disk may be full. `newer` gives what was ordered meanwhile: files that come faster than they can be
/// compressed are deleted as they are.
pub(super) fn tidy(path: &Path, mut policy: Policy, mut newer: impl FnMut() -> Option<Policy>) -> io::Result<()> {
    // Leftovers of a compression that was interrupted.
    for name in files(path, PARTIAL)? {
        fs::remove_file(path.with_file_name(name))?;
    }
    loop {
        discard(path, policy.keep)?;
        let plain = files(path, "")?.pop().filter(|_| policy.compress);
        let Some(plain) = plain.map(|name| path.with_file_name(name)) else { return Ok(()) };
        compress(&plain, || {
            if let Some(newer) = newer() {
                policy = newer;
                discard(path, policy.keep)?;
            }
            Ok(())
        })?;
    }
}

/// Deletes all but the newest `keep` rotated files.
fn discard(path: &Path, keep: usize) -> io::Result<()> {
    let mut rotated = files(path, "")?;
    rotated.extend(files(path, ZIPPED)?);
    rotated.sort_unstable();
    let gone = rotated.len().saturating_sub(keep);
    rotated.drain(..gone).try_for_each(|name| fs::remove_file(path.with_file_name(name)))
}

/// The names of `path`'s rotated files that end in `suffix`, oldest first.
fn files(path: &Path, suffix: &str) -> io::Result<Vec<OsString>> {
    let base = path.file_name().unwrap_or_default();
    let mut names = Vec::new();
    for entry in fs::read_dir(path.parent().unwrap_or(Path::new("/")))? {
        let name = entry?.file_name();
        if suffix_of(base, &name) == Some(suffix) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// What follows the time in a rotated file's name; `None` if it is not one.
fn suffix_of<'a>(base: &OsStr, name: &'a OsStr) -> Option<&'a str> {
    const SHAPE: &[u8] = b"0000-00-00T00-00-00.000";
    let rest = name.as_encoded_bytes().strip_prefix(base.as_encoded_bytes())?.strip_prefix(b".")?;
    let (time, suffix) = rest.split_at_checked(SHAPE.len())?;
    let fits = time.iter().zip(SHAPE).all(|(have, shape)| match shape {
        b'0' => have.is_ascii_digit(),
        _ => have == shape,
    });
    if fits { std::str::from_utf8(suffix).ok() } else { None }
}

/// Replaces a file by a compressed one, unless `between`, called now and then, deletes it.
fn compress(plain: &Path, mut between: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let with = |suffix: &str| {
        let mut name = OsString::from(plain);
        name.push(suffix);
        PathBuf::from(name)
    };
    let partial = with(PARTIAL);
    let mut zip = || -> io::Result<bool> {
        let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&partial)?;
        let (mut encoder, mut file) = (GzEncoder::new(out, Compression::default()), File::open(plain)?);
        while io::copy(&mut file.by_ref().take(CHUNK), &mut encoder)? > 0 {
            between()?;
            if !plain.try_exists()? {
                return Ok(false);
            }
        }
        // On disk before the plain one goes.
        encoder.finish()?.sync_all()?;
        fs::rename(&partial, with(ZIPPED)).map(|()| true)
    };
    let zipped = zip();
    // Whichever of the two is not wanted any more.
    fs::remove_file(if matches!(zipped, Ok(true)) { plain } else { &partial })?;
    zipped.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Rotate;

    const POLICY: Policy = Policy { rotate: Rotate::Daily, max_size: None, keep: 2, compress: true };

    #[test]
    fn the_oldest_go_and_the_rest_is_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nano.jsonl");
        for name in [
            "nano.jsonl",
            "nano.jsonl.2026-11-20T00-00-00.000.gz",
            "nano.jsonl.2026-11-21T00-00-00.000",
            "nano.jsonl.2026-11-22T00-00-00.000",
            "nano.jsonl.2026-11-22T00-00-00.000.gz.tmp",
            "nano.jsonl.1",
            "nano.jsonl.2026-11-22T00-00-00.00",
            "other.jsonl.2026-11-20T00-00-00.000",
        ] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        tidy(&path, POLICY, || None).unwrap();
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [
                "nano.jsonl",
                "nano.jsonl.1",
                "nano.jsonl.2026-11-21T00-00-00.000.gz",
                "nano.jsonl.2026-11-22T00-00-00.00",
                "nano.jsonl.2026-11-22T00-00-00.000.gz",
                "other.jsonl.2026-11-20T00-00-00.000",
            ]
        );
        let zipped = File::open(folder.path().join("nano.jsonl.2026-11-21T00-00-00.000.gz")).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(zipped).read_to_string(&mut text).unwrap();
        assert_eq!(text, "nano.jsonl.2026-11-21T00-00-00.000");
    }

    #[test]
    fn files_that_come_faster_than_they_are_compressed_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nano.jsonl");
        let rotate = |second: u32| {
            let name = format!("nano.jsonl.2026-11-22T00-00-{second:02}.000");
            fs::write(folder.path().join(name), vec![b'x'; 3 * CHUNK as usize]).unwrap();
        };
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort_unstable();
            names
        };
        rotate(0);
        let (mut second, mut most) = (0, 0);
        tidy(&path, POLICY, || {
            most = most.max(names().len());
            second += 1;
            (second <= 20).then(|| rotate(second)).map(|()| POLICY)
        })
        .unwrap();
        assert_eq!(names(), ["nano.jsonl.2026-11-22T00-00-19.000.gz", "nano.jsonl.2026-11-22T00-00-20.000.gz"]);
        assert!(most <= POLICY.keep + 1, "{most} files were there at once, the unfinished one among them");
    }

    #[test]
    fn a_stamp_sorts_and_is_recognised() {
        let text = stamp(SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_007));
        assert_eq!(text, "2023-11-14T22-13-20.007");
        assert_eq!(suffix_of(OsStr::new("a"), OsStr::new(&format!("a.{text}.gz"))), Some(".gz"));
    }
}
