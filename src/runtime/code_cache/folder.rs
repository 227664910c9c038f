//! The folder the code cache lies in: nano's own, of a bounded size, every file in it whole or not there.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};

use super::file::HEADER;

/// A file is used, for all that the folder knows, if it was within so long: reading need not write each time.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// A file being written that is older was left by a process that ended meanwhile.
const UNFINISHED: Duration = Duration::from_secs(3600);
/// What the name of a file being written begins with.
const TEMPORARY: &str = "new-";

/// The open folder.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// How much may lie in the folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of all files together.
    pub(super) bytes: u64,
    /// Bytes of one.
    pub(super) file: u64,
    /// A file that was not used for so long goes.
    pub(super) unused: Duration,
}

impl Folder {
    /// Opens the folder, making it where there is none.
    ///
    /// # Errors
    /// The kernel's; `PermissionDenied` where others than this user could have put something into it; `NotADirectory`
    /// where a link leads elsewhere.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        if path.canonicalize()? != path {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is a link"));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        let about = rustix::fs::fstat(&folder)?;
        let mode = Mode::from_raw_mode(about.st_mode);
        if about.st_uid != rustix::process::geteuid().as_raw() || mode.intersects(Mode::WGRP | Mode::WOTH) {
            let why = "somebody else owns it or may write to it; remove it, and nano makes one of its own";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        if mode.intersects(Mode::RWXG | Mode::RWXO) {
            rustix::fs::fchmod(&folder, Mode::RWXU)?;
        }
        Ok(Self(folder))
    }

    /// The bytes of the file called `name`, if `room(length)` says that there is room; `None` where there is no file, or no room.
    ///
    /// # Errors
    /// The kernel's; `InvalidData` for what is no file of ours.
    pub(super) fn read(&self, name: &str, room: impl FnOnce(u64) -> bool) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
        }
        if !room(metadata.len()) {
            return Ok(None);
        }
        touch(&file, &metadata);
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1);
        file.take(metadata.len() + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Writes the file called `name`, whole or not at all, in place of one that is there. `number` is the writer's own.
    pub(super) fn write(&self, name: &str, number: u64, header: &[u8; HEADER], content: &[u8]) -> io::Result<()> {
        let temporary = format!("{TEMPORARY}{}-{number}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.0, &temporary, flags, Mode::RUSR | Mode::WUSR)?);
        // No fsync: after a crash of the machine, the digest tells.
        let written = file
            .write_all(header)
            .and_then(|()| file.write_all(content))
            .and_then(|()| Ok(rustix::fs::renameat(&self.0, &temporary, &self.0, name)?));
        if written.is_err() {
            // It may be gone as well; else the sweep removes it.
            let _ = rustix::fs::unlinkat(&self.0, &temporary, AtFlags::empty());
        }
        written
    }

    /// Removes what nobody used for long, what was never finished, and the longest unused of the rest until it fits, but
    /// never the file called `spared`. Gives the bytes that are left.
    pub(super) fn sweep(&self, bounds: Bounds, spared: &str, now: SystemTime) -> io::Result<u64> {
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let Some(patience) = entry.file_name().to_str().ok().and_then(|name| patience(name, bounds)) else {
                continue;
            };
            // Another process may sweep too.
            let Ok(about) = rustix::fs::statat(&self.0, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(about.st_mtime).unwrap_or_default());
            let size = u64::try_from(about.st_size).unwrap_or_default();
            if entry.file_name().to_bytes() == spared.as_bytes() {
                bytes += size;
            } else if now.duration_since(used).is_ok_and(|age| age > patience) || size > bounds.file {
                self.remove(entry.file_name());
            } else {
                kept.push((used, size, entry.file_name().to_owned()));
            }
        }
        kept.sort_unstable_by_key(|(used, ..)| *used);
        bytes += kept.iter().map(|(_, size, _)| size).sum::<u64>();
        if bytes > bounds.bytes {
            // Somewhat more than must go, lest the next file to be written call for another sweep.
            for (_, size, name) in kept {
                if bytes <= bounds.bytes / 8 * 7 {
                    break;
                }
                self.remove(&name);
                bytes -= size;
            }
        }
        Ok(bytes)
    }

    fn remove(&self, name: &std::ffi::CStr) {
        // What does not go is counted again by the next sweep.
        let _ = rustix::fs::unlinkat(&self.0, name, AtFlags::empty());
    }
}

/// How long a file of this name may lie there unused; `None` for what is none of ours.
fn patience(name: &str, bounds: Bounds) -> Option<Duration> {
    if name.starts_with(TEMPORARY) {
        return Some(UNFINISHED);
    }
    let key = name.strip_prefix(super::CODE).or_else(|| name.strip_prefix(super::SNAPSHOT))?;
    (key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(bounds.unused)
}

/// Notes that the file is in use. That it cannot be noted is no reason not to use it.
fn touch(file: &File, metadata: &std::fs::Metadata) {
    let used = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(metadata.mtime()).unwrap_or_default());
    let now = SystemTime::now();
    if now.duration_since(used).is_ok_and(|age| age > FRESH) {
        let _ = file.set_modified(now);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::super::file::{Key, content, header};
    use super::super::{CODE, SNAPSHOT};
    use super::*;

    const BOUNDS: Bounds = Bounds { bytes: 1000, file: 1 << 20, unused: Duration::from_secs(100 * 24 * 3600) };

    fn folder() -> (tempfile::TempDir, PathBuf, Folder) {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().canonicalize().unwrap().join("state/code");
        let folder = Folder::open(&path).unwrap();
        (temporary, path, folder)
    }

    fn name(key: &Key) -> String {
        super::super::name(CODE, key)
    }

    fn write(folder: &Folder, key: &Key, code: &[u8]) {
        folder.write(&name(key), 1, &header(key, code), code).unwrap();
    }

    fn read(folder: &Folder, key: &Key, room: u64) -> io::Result<Option<Vec<u8>>> {
        folder.read(&name(key), |length| length <= room)
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            path.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn age(path: &Path, days: u64) {
        let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_replaced_whole() {
        let (_temporary, path, folder) = folder();
        assert_eq!(read(&folder, &[1; 32], u64::MAX).unwrap(), None);
        for text in [&b"first"[..], b"second, longer"] {
            write(&folder, &[1; 32], text);
            let bytes = read(&folder, &[1; 32], u64::MAX).unwrap().unwrap();
            assert_eq!(content(&[1; 32], &bytes), Ok(text));
        }
        assert_eq!(names(&path), [name(&[1; 32])], "nothing else is left");
        assert_eq!(read(&folder, &[1; 32], 80).unwrap(), None, "there is no room for it");
    }

    #[test]
    fn only_its_user_can_get_at_it() {
        let (_temporary, path, folder) = folder();
        write(&folder, &[1; 32], b"x");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join(name(&[1; 32])))), (0o700, 0o600));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Folder::open(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn a_folder_others_may_write_to_is_refused_and_so_is_a_link() {
        let (_temporary, path, _) = folder();
        for mode in [0o770, 0o702] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(Folder::open(&path).unwrap_err().kind(), io::ErrorKind::PermissionDenied, "{mode:o}");
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        let link = path.with_file_name("link");
        symlink(&path, &link).unwrap();
        assert_eq!(Folder::open(&link).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let (_temporary, path, folder) = folder();
        std::fs::write(path.join("elsewhere"), "x").unwrap();
        symlink("elsewhere", path.join(name(&[1; 32]))).unwrap();
        assert!(read(&folder, &[1; 32], u64::MAX).is_err());
        write(&folder, &[1; 32], b"code");
        assert!(read(&folder, &[1; 32], u64::MAX).unwrap().is_some(), "it is replaced");
        assert_eq!(std::fs::read(path.join("elsewhere")).unwrap(), b"x");
    }

    #[test]
    fn the_longest_unused_files_go_when_there_are_too_many() {
        let (_temporary, path, folder) = folder();
        for key in 1..=5 {
            write(&folder, &[key; 32], &[0; 170]);
            age(&path.join(name(&[key; 32])), u64::from(key));
        }
        // Used by now, and so the last to go.
        read(&folder, &[5; 32], u64::MAX).unwrap();
        std::fs::write(path.join("not-ours"), [0; 2000]).unwrap();
        assert_eq!(folder.sweep(BOUNDS, "", SystemTime::now()).unwrap(), 750);
        assert_eq!(names(&path), [name(&[1; 32]), name(&[2; 32]), name(&[5; 32]), "not-ours".into()]);
    }

    #[test]
    fn files_nobody_uses_go_and_so_do_those_that_were_never_finished() {
        let (_temporary, path, folder) = folder();
        for key in 1..=2 {
            write(&folder, &[key; 32], b"x");
        }
        age(&path.join(name(&[1; 32])), 101);
        for name in ["new-1-1", "new-1-2"] {
            std::fs::write(path.join(name), "x").unwrap();
        }
        age(&path.join("new-1-1"), 1);
        folder.sweep(BOUNDS, "", SystemTime::now()).unwrap();
        assert_eq!(names(&path), [name(&[2; 32]), "new-1-2".into()]);
    }

    #[test]
    fn the_snapshot_in_use_stays() {
        let (_temporary, path, folder) = folder();
        let (mine, other) = (super::super::name(SNAPSHOT, &[1; 32]), super::super::name(SNAPSHOT, &[2; 32]));
        for name in [&mine, &other] {
            folder.write(name, 1, &header(&[1; 32], &[0; 2000]), &[0; 2000]).unwrap();
            age(&path.join(name), 200);
        }
        assert_eq!(folder.sweep(BOUNDS, &mine, SystemTime::now()).unwrap(), 2080);
        assert_eq!(names(&path), [mine]);
    }
}
