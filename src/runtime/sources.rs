//! An app's files, read beneath its folder only, and pinned: every isolate of a generation runs the same code.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use sha2::{Digest, Sha256};

/// One file as it was when first loaded.
pub(super) struct Source {
    pub(super) bytes: Vec<u8>,
    /// SHA-256 of them.
    pub(super) hash: [u8; 32],
}

/// What an app has loaded so far.
pub(super) struct Sources {
    folder: PathBuf,
    /// Bytes of all files together, at most.
    limit: usize,
    loaded: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    /// By path relative to the folder.
    files: FxHashMap<String, Arc<Source>>,
    bytes: usize,
}

impl Sources {
    /// Files beneath `folder`, `limit` bytes of them together at most: they are kept outside of V8, which has limits
    /// of its own.
    pub(super) fn new(folder: &Path, limit: usize) -> Self {
        Self { folder: folder.to_owned(), limit, loaded: Mutex::default() }
    }

    /// The file at `path`, `/`-separated and relative to the folder.
    ///
    /// # Errors
    /// The kernel's; `EXDEV` where the path leads out of the folder, by `..` or by a link; `FileTooLarge` where all
    /// files together would be larger than the limit.
    pub(super) fn load(&self, path: &str) -> io::Result<Arc<Source>> {
        let room = {
            let loaded = self.lock();
            if let Some(source) = loaded.files.get(path) {
                return Ok(Arc::clone(source));
            }
            self.limit.saturating_sub(loaded.bytes)
        };
        let bytes = self.read(path, room)?;
        let source = Arc::new(Source { hash: Sha256::digest(&bytes).into(), bytes });
        let mut loaded = self.lock();
        // Another isolate of the generation may have been quicker: what it runs is what all run.
        if let Some(source) = loaded.files.get(path) {
            return Ok(Arc::clone(source));
        }
        loaded.bytes += source.bytes.len();
        loaded.files.insert(path.to_owned(), Arc::clone(&source));
        Ok(source)
    }

    /// Whether any loaded file is different now, or gone.
    pub(super) fn changed(&self) -> bool {
        let loaded: Vec<_> = self.lock().files.iter().map(|(path, source)| (path.clone(), source.hash)).collect();
        loaded.iter().any(|(path, hash)| {
            !self.read(path, self.limit).is_ok_and(|bytes| <[u8; 32]>::from(Sha256::digest(&bytes)) == *hash)
        })
    }

    /// Unpins everything.
    pub(super) fn forget(&self) {
        *self.lock() = Loaded::default();
    }

    fn read(&self, path: &str, room: usize) -> io::Result<Vec<u8>> {
        let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "larger than the app's memory limit allows");
        let folder = rustix::fs::open(&self.folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // Not blocking: a pipe in the folder must not hold the worker up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file: OwnedFd = rustix::fs::openat2(
            &folder,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        )?;
        let file = File::from(file);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let length = usize::try_from(metadata.len()).ok().filter(|&length| length <= room).ok_or_else(too_large)?;
        let mut bytes = Vec::with_capacity(length + 1);
        // It may grow meanwhile.
        file.take(room as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > room { Err(too_large()) } else { Ok(bytes) }
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_pinned_and_changes_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("[...slug].js");
        std::fs::write(&path, "1").unwrap();
        let sources = Sources::new(folder.path(), 1 << 20);
        assert_eq!(sources.load("[...slug].js").unwrap().bytes, b"1");
        assert!(!sources.changed());
        std::fs::write(&path, "2").unwrap();
        assert_eq!(sources.load("[...slug].js").unwrap().bytes, b"1");
        assert!(sources.changed());
        sources.forget();
        assert_eq!(sources.load("[...slug].js").unwrap().bytes, b"2");
    }

    #[test]
    fn nothing_outside_the_folder_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        let app = folder.path().join("app");
        std::fs::create_dir(&app).unwrap();
        std::os::unix::fs::symlink("../secret", app.join("link.js")).unwrap();
        std::os::unix::fs::symlink(folder.path(), app.join("dir")).unwrap();
        let sources = Sources::new(&app, 1 << 20);
        for path in ["../secret", "link.js", "dir/secret", "/etc/passwd", "x/../../secret"] {
            assert!(sources.load(path).is_err(), "{path}");
        }
    }

    #[test]
    fn files_that_are_too_large_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        // A file may say that it is larger than any memory.
        File::create(folder.path().join("sparse.js")).unwrap().set_len(1 << 42).unwrap();
        for name in ["a", "b"] {
            std::fs::write(folder.path().join(name), [b'x'; 60]).unwrap();
        }
        let sources = Sources::new(folder.path(), 100);
        assert!(sources.load("sparse.js").is_err());
        assert!(sources.load("a").is_ok());
        assert!(sources.load("b").is_err(), "together they are");
        assert!(sources.load("a").is_ok());
    }

    #[test]
    fn a_folder_or_a_pipe_is_no_module() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("d")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("p"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        let sources = Sources::new(folder.path(), 1 << 20);
        assert!(sources.load("d").is_err());
        assert!(sources.load("p").is_err());
    }
}
