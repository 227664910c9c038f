//! V8's code cache: what compiling a module gave, kept on disk, so that a cold app only deserialises its code.
//!
//! V8 believes what it deserialises: a file that somebody else has made could do anything. So the files lie in a folder
//! that only nano's user may write to and that is in no app's folder (`folder`), and each says what it is and, by a
//! digest, that it is whole (`file`).
//!
//! Code refers to objects of the read-only heap by where they lie in it. That heap is part of the snapshot, and no two
//! snapshots have the same one, for V8 gives each symbol a random hash. So the snapshot is kept too, and nano starts from
//! it, and sooner for that. A file's name is a hash of everything its code depends on: nano, V8 and its flags, the
//! snapshot, and the module's source, all by SHA-256, so that no app comes by another's code. The module's name is not
//! among them, for V8 sets it anew: apps that share a source share its file.
//!
//! Files are read on the worker's thread, as the source is, and written on a thread of the cache's own. Whatever goes
//! wrong is logged and then costs time only: the code is compiled from its source.

mod file;
mod folder;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};

use super::extension::Platform;
use super::memory::Charge;
use super::snapshot::{Snapshot, SnapshotError};
pub(super) use file::Key;
use folder::{Bounds, Folder};

/// The folder in the state folder.
const FOLDER: &str = "code-cache";
/// What the names of files begin with.
const CODE: &str = "code-";
const SNAPSHOT: &str = "snapshot-";
/// What may lie in the folder.
const BOUNDS: Bounds = Bounds { bytes: 256 << 20, file: 32 << 20, unused: Duration::from_secs(30 * 24 * 3600) };
/// Modules whose code may wait to be written; that of one more is not kept.
const QUEUE: usize = 256;
/// After a failed write, no code is serialised for so long.
const PAUSE: Duration = Duration::from_secs(60);

/// The code cache of the process.
pub(super) struct CodeCache {
    path: PathBuf,
    /// Hash of what all code depends on.
    base: [u8; 32],
    /// `None` where the folder is not to be had.
    open: Option<Open>,
    /// Lies within an app's folder.
    exposed: AtomicBool,
    /// Files that were refused, each with the app that it was for: where it cannot be made anew, every start finds it.
    refused: Mutex<HashSet<(Option<Box<str>>, Key)>>,
}

/// The folder, and the thread that writes to it.
struct Open {
    folder: Arc<Folder>,
    failed: Arc<Failed>,
    writer: SyncSender<Job>,
}

/// When writing last failed.
#[derive(Default)]
struct Failed(Mutex<Option<Instant>>);

/// A file to be written.
struct Job {
    kind: &'static str,
    key: Key,
    content: Cow<'static, [u8]>,
    /// What it takes of its app's memory until then.
    _charge: Option<Charge>,
}

/// Code that was kept, and what it takes of the app's memory while it is deserialised.
pub(super) struct Kept {
    file: Vec<u8>,
    _charge: Charge,
}

impl Kept {
    /// As V8 once gave it.
    pub(super) fn code(&self) -> &[u8] {
        &self.file[file::HEADER..]
    }
}

impl CodeCache {
    /// The cache in `state_dir`, and the snapshot that isolates are made from: the one that is kept there, or a new one.
    /// Nothing is kept inside of the `folders` of apps. To be called once V8 has its flags.
    pub(super) fn start(
        state_dir: &Path,
        folders: &[PathBuf],
        platform: &'static Platform,
    ) -> Result<(Arc<Self>, Snapshot), SnapshotError> {
        let (path, key) = (resolve(state_dir).join(FOLDER), key_of(platform));
        let mut cache =
            Self { path, base: key, open: None, exposed: AtomicBool::new(false), refused: Mutex::default() };
        folders.iter().for_each(|folder| cache.keep_out_of(folder));
        if !cache.exposed.load(Ordering::Relaxed) {
            let opened = Open::new(&cache.path, name(SNAPSHOT, &key));
            cache.open = opened.inspect_err(|error| complain(&cache.path, "used", error)).ok();
        }
        let snapshot = match cache.kept_snapshot(&key, platform) {
            Some(snapshot) => snapshot,
            None => {
                let snapshot = Snapshot::build(platform)?;
                cache.write_file(SNAPSHOT, &key, Cow::Borrowed(snapshot.blob()), None);
                snapshot
            }
        };
        cache.base = Sha256::new().chain_update(key).chain_update(Sha256::digest(snapshot.blob())).finalize().into();
        Ok((Arc::new(cache), snapshot))
    }

    fn kept_snapshot(&self, key: &Key, platform: &'static Platform) -> Option<Snapshot> {
        let file = self.read_file(SNAPSHOT, key, None, |length| length <= BOUNDS.file)?;
        Snapshot::of_another_process(&file[file::HEADER..], platform)
    }

    /// An app's files lie beneath `folder`, which is without links. If the cache does too, it is not used from now on:
    /// whoever fills that folder could have filled the cache as well.
    pub(super) fn keep_out_of(&self, folder: &Path) {
        if self.path.starts_with(folder) && !self.exposed.swap(true, Ordering::Relaxed) {
            let (path, folder) = (self.path.display(), folder.display());
            tracing::info!("no code cache: its place, {path}, is inside an app's folder, {folder}; see `state-dir`");
        }
    }

    /// The name under which the code of a source is kept, given the SHA-256 of that source.
    pub(super) fn key(&self, source: &[u8; 32]) -> Key {
        Sha256::new().chain_update(self.base).chain_update(source).finalize().into()
    }

    /// What was kept under `key`, if `app` has the memory, by `charge`, to have it read.
    pub(super) fn read(&self, app: &str, key: &Key, charge: impl FnOnce(usize) -> Option<Charge>) -> Option<Kept> {
        let mut charged = None;
        let file = self.read_file(CODE, key, Some(app), |length| {
            let length = usize::try_from(length).ok().filter(|_| length <= BOUNDS.file);
            charged = length.and_then(charge);
            charged.is_some()
        })?;
        Some(Kept { file, _charge: charged? })
    }

    /// A file is of no use to an app; true if that is new.
    pub(super) fn refuses(&self, app: Option<&str>, key: &Key) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert((app.map(Box::from), *key))
    }

    /// Whether what is handed to [`write`](Self::write) has a chance.
    pub(super) fn is_writable(&self) -> bool {
        self.open().is_some_and(|open| !open.failed.lately())
    }

    /// Has `code` kept under `key`, some time soon. Gives false where it is not.
    pub(super) fn write(&self, key: &Key, code: Vec<u8>, charge: Charge) -> bool {
        self.write_file(CODE, key, Cow::Owned(code), Some(charge))
    }

    /// The file for `key`, header included, if it is as it was written.
    fn read_file(&self, kind: &str, key: &Key, app: Option<&str>, room: impl FnOnce(u64) -> bool) -> Option<Vec<u8>> {
        let name = name(kind, key);
        let refused = match self.open()?.folder.read(&name, room) {
            Ok(None) => return None,
            Ok(Some(file)) => match file::content(key, &file) {
                Ok(_) => return Some(file),
                Err(refused) => refused.to_string(),
            },
            Err(error) => error.to_string(),
        };
        if self.refuses(app, key) {
            tracing::warn!(app, "a file of the code cache is not used, but made anew: {name}: {refused}");
        }
        None
    }

    fn write_file(&self, kind: &'static str, key: &Key, content: Cow<'static, [u8]>, charge: Option<Charge>) -> bool {
        let fits = content.len() as u64 <= BOUNDS.file - file::HEADER as u64;
        let job = Job { kind, key: *key, content, _charge: charge };
        fits && self.open().is_some_and(|open| open.writer.try_send(job).is_ok())
    }

    fn open(&self) -> Option<&Open> {
        self.open.as_ref().filter(|_| !self.exposed.load(Ordering::Relaxed))
    }
}

impl Open {
    /// `spared` is the name of a file that stays however long it is not read.
    fn new(path: &Path, spared: String) -> io::Result<Self> {
        let folder = Arc::new(Folder::open(path)?);
        let failed = Arc::<Failed>::default();
        let (writer, jobs) = sync_channel(QUEUE);
        let (theirs, told, path) = (Arc::clone(&folder), Arc::clone(&failed), path.to_owned());
        let thread = thread::Builder::new().name("code-cache".to_owned());
        thread.spawn(move || write_all(&theirs, &path, &spared, &told, &jobs))?;
        Ok(Self { folder, failed, writer })
    }
}

impl Failed {
    fn lately(&self) -> bool {
        self.lock().is_some_and(|at| at.elapsed() < PAUSE)
    }

    /// Notes how a write went; true if it is the first to fail after one that did not.
    fn note(&self, failed: bool) -> bool {
        let mut at = self.lock();
        let first = failed && at.is_none();
        *at = failed.then(Instant::now);
        first
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cache's own thread.
fn write_all(folder: &Folder, path: &Path, spared: &str, failed: &Failed, jobs: &Receiver<Job>) {
    // What cannot be listed counts as full, and is looked at again with the next file.
    let sweep = || folder.sweep(BOUNDS, spared, SystemTime::now()).unwrap_or(u64::MAX);
    let mut bytes = sweep();
    for (number, job) in (0..).zip(jobs) {
        let header = file::header(&job.key, &job.content);
        let written = folder.write(&name(job.kind, &job.key), number, &header, &job.content);
        // One that replaces another is counted twice: the sweep will know better.
        bytes = bytes.saturating_add((header.len() + job.content.len()) as u64);
        if bytes > BOUNDS.bytes {
            bytes = sweep();
        }
        if failed.note(written.is_err())
            && let Err(error) = written
        {
            complain(path, "written", &error);
        }
    }
}

fn complain(path: &Path, what: &str, error: &io::Error) {
    let path = path.display();
    tracing::warn!("the code cache in {path} cannot be {what}: {error}; apps start all the same, but slower");
}

/// What a file of code or the snapshot is called: the kind of file, then its key.
fn name(kind: &str, key: &Key) -> String {
    key.iter().fold(kind.to_owned(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}"); // a `String` takes everything
        name
    })
}

/// Hash of what a snapshot depends on: nano, its scripts and native functions; V8, how it was built and its flags.
fn key_of(platform: &'static Platform) -> Key {
    unsafe extern "C" {
        // V8's hashes of the functions built into it: of their data, of their code, and of the layout of heaps they know.
        static v8_Default_embedded_blob_data_: [u8; 24];
    }
    // SAFETY: a constant of V8's, of many more bytes.
    let built_in = unsafe { &v8_Default_embedded_blob_data_ };
    let tag = v8::script_compiler::cached_data_version_tag().to_le_bytes();
    // How the scripts are run, too: a snapshot knows functions and texts by their place in a list made there.
    let makers = [include_bytes!("snapshot.rs").as_slice(), include_bytes!("parts.rs"), include_bytes!("extension.rs")];
    let about = [env!("CARGO_PKG_VERSION").as_bytes(), v8::VERSION_STRING.as_bytes(), &tag, built_in];
    let scripts = platform.scripts().chain([&platform.warm_up]).flat_map(|script| {
        let ops = script.ops().map(|op| op.name.as_bytes());
        [script.name.as_bytes(), script.source.as_bytes()].into_iter().chain(ops)
    });
    let names = platform.parts.iter().flat_map(|part| [part.interfaces, part.operations, part.inherited, part.members]);
    let names = names.flat_map(|names| names.iter().map(|name| name.as_bytes()).chain([&b""[..]]));
    let pieces = makers.into_iter().chain(about).chain(scripts).chain(names);
    let hash = pieces
        .fold(Sha256::new(), |hash, part| hash.chain_update((part.len() as u64).to_le_bytes()).chain_update(part));
    hash.finalize().into()
}

/// The path without links, as far as it is there.
fn resolve(path: &Path) -> PathBuf {
    let resolved = path.ancestors().find_map(|ancestor| {
        let real = ancestor.canonicalize().ok()?;
        let rest = path.strip_prefix(ancestor).ok()?;
        Some(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
    });
    resolved.unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_resolved_as_far_as_there_is_something() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("app")).unwrap();
        std::os::unix::fs::symlink("app", real.join("link")).unwrap();
        assert_eq!(resolve(&real.join("link/new/state")), real.join("app/new/state"));
        assert_eq!(resolve(&real.join("link")), real.join("app"));
        assert_eq!(resolve(&real.join("new")), real.join("new"));
    }

    #[test]
    fn a_failure_is_said_once_until_something_is_written() {
        let failed = Failed::default();
        assert!(!failed.lately());
        assert!(failed.note(true));
        assert!(failed.lately());
        assert!(!failed.note(true));
        assert!(!failed.note(false));
        assert!(!failed.lately());
        assert!(failed.note(true));
    }
}
