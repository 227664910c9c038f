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
    hash: [u8; 32],
}

/// What an app has loaded so far, by path relative to its folder.
pub(super) struct Sources {
    folder: PathBuf,
    loaded: Mutex<FxHashMap<String, Arc<Source>>>,
}

impl Sources {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), loaded: Mutex::default() }
    }

    /// The file at `path`, `/`-separated and relative to the folder.
    ///
    /// # Errors
    /// The kernel's; `EXDEV` where the path leads out of the folder, by `..` or by a link.
    pub(super) fn load(&self, path: &str) -> io::Result<Arc<Source>> {
        if let Some(source) = self.lock().get(path) {
            return Ok(Arc::clone(source));
        }
        let bytes = self.read(path)?;
        let source = Arc::new(Source { hash: Sha256::digest(&bytes).into(), bytes });
        // Another isolate of the generation may have been quicker: what it runs is what all run.
        Ok(Arc::clone(self.lock().entry(path.to_owned()).or_insert(source)))
    }

    /// Whether any loaded file is different now, or gone.
    pub(super) fn changed(&self) -> bool {
        let loaded: Vec<_> = self.lock().iter().map(|(path, source)| (path.clone(), source.hash)).collect();
        loaded
            .iter()
            .any(|(path, hash)| !self.read(path).is_ok_and(|bytes| <[u8; 32]>::from(Sha256::digest(&bytes)) == *hash))
    }

    /// Unpins everything.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
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
        let mut file = File::from(file);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<String, Arc<Source>>> {
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
        let sources = Sources::new(folder.path());
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
        let sources = Sources::new(&app);
        for path in ["../secret", "link.js", "dir/secret", "/etc/passwd", "x/../../secret"] {
            assert!(sources.load(path).is_err(), "{path}");
        }
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
        let sources = Sources::new(folder.path());
        assert!(sources.load("d").is_err());
        assert!(sources.load("p").is_err());
    }
}
