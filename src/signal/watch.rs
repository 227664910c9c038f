//! Watches the config files.
//!
//! Folders are watched rather than files: editors replace a file by renaming another over it, and a watch on the
//! file itself would stay with the old one. Something that happens in those folders only makes us look; what counts
//! is whether the files differ from when we last looked, so swap files, log files beside the config and a
//! `..data` link that is switched are all told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// How long things must have been quiet before we look: an editor's save is several events.
const QUIET: Duration = Duration::from_millis(300);

/// A watch on a set of files; on none at first.
pub(super) struct Watch {
    files: BTreeSet<PathBuf>,
    seen: Seen,
    /// The files are read after this moment, on the clock that files are stamped with.
    read_after: i128,
    live: Option<Live>,
    /// When to look.
    due: Option<Instant>,
}

struct Live {
    events: mpsc::UnboundedReceiver<()>,
    folders: Folders,
    /// Ends the events when dropped.
    _watcher: RecommendedWatcher,
}

/// The folders that are watched, each with its device and inode: a watch stays with a folder that is moved away.
type Folders = BTreeMap<PathBuf, (u64, u64)>;

/// What each file was like; `None` if missing.
type Seen = BTreeMap<PathBuf, Option<State>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    size: u64,
    /// When it was last written, or renamed to what it is called now, in nanoseconds.
    changed: i128,
}

impl Watch {
    /// To be made before the files are first read: what changes after that counts as a change.
    pub(super) fn new() -> Self {
        Self { files: BTreeSet::new(), seen: Seen::new(), read_after: file_time(), live: None, due: None }
    }

    /// Watches `files` (absolute) and, in the folders they are in or are, `.kdl` files that come and go. Which files these
    /// are is known only once they are read, so one that has changed since that began may have been read as it was
    /// before: it counts as changed.
    pub(super) fn files(&mut self, files: &[PathBuf]) -> notify::Result<()> {
        let files: BTreeSet<_> = files.iter().cloned().collect();
        let folders = folders(&files);
        if files == self.files && self.live.as_ref().is_some_and(|live| live.folders == folders) {
            return Ok(());
        }
        self.files = files;
        self.live = None;
        if self.files.is_empty() {
            return Ok(());
        }
        let (send, events) = mpsc::unbounded_channel();
        let known = self.files.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error (an overflowed queue) may stand for anything.
            if event.is_err() || event.is_ok_and(|event| concerns(&known, &event)) {
                // Nobody listens once the watch is being replaced.
                let _ = send.send(());
            }
        })?;
        for folder in folders.keys() {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        self.live = Some(Live { events, folders, _watcher: watcher });
        self.seen = look(&self.files);
        for state in self.seen.values_mut() {
            if state.take_if(|state| state.changed >= self.read_after).is_some() {
                self.due = Some(Instant::now() + QUIET);
            }
        }
        Ok(())
    }

    /// Takes the files as they are now for known: they are about to be read anyhow.
    pub(super) fn looked(&mut self) {
        self.read_after = file_time();
        if self.live.is_some() {
            self.seen = look(&self.files);
        }
    }

    /// Waits until the files have changed, and for it to be over. May be dropped and called again.
    pub(super) async fn changed(&mut self) {
        loop {
            let Some(live) = &mut self.live else { return std::future::pending().await };
            let look_at = self.due.unwrap_or_else(Instant::now);
            tokio::select! {
                event = live.events.recv() => match event {
                    Some(()) => self.due = Some(Instant::now() + QUIET),
                    None => self.live = None,
                },
                () = sleep_until(look_at), if self.due.is_some() => {
                    self.due = None;
                    let read_after = file_time();
                    let now = look(&self.files);
                    if now != self.seen {
                        self.seen = now;
                        self.read_after = read_after;
                        return;
                    }
                }
            }
        }
    }
}

/// Whether an event may mean that `files` have changed: writing does for themselves, coming and going for all.
fn concerns(files: &BTreeSet<PathBuf>, event: &Event) -> bool {
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => true,
        _ => event.need_rescan() || event.paths.iter().any(|path| files.contains(path) || is_kdl(path)),
    }
}

/// The folders to watch: where the files are, and where those that are links lead.
fn folders(files: &BTreeSet<PathBuf>) -> Folders {
    let real = files.iter().filter_map(|file| file.canonicalize().ok());
    let known = |folder: PathBuf| {
        let about = fs::metadata(&folder).ok().filter(fs::Metadata::is_dir)?;
        Some((folder, (about.dev(), about.ino())))
    };
    files.iter().cloned().chain(real).filter_map(|file| folder(&file)).filter_map(known).collect()
}

/// A file's folder; a folder's (that of a glob) is itself.
fn folder(file: &Path) -> Option<PathBuf> {
    if file.is_dir() { Some(file.to_owned()) } else { file.parent().map(Path::to_owned) }
}

fn look(files: &BTreeSet<PathBuf>) -> Seen {
    let beside = files.iter().filter_map(|file| folder(file)).collect::<BTreeSet<_>>();
    let beside = beside.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let beside = beside.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_kdl(path));
    let state = |path: &Path| {
        let about = fs::metadata(path).ok()?;
        let changed = nanoseconds(about.ctime(), about.ctime_nsec());
        Some(State { device: about.dev(), inode: about.ino(), size: about.size(), changed })
    };
    let files = files.iter().filter(|file| !file.is_dir()).cloned();
    files.chain(beside).map(|path| (path.clone(), state(&path))).collect()
}

/// Now, as the kernel stamps files: by its last tick, which lags behind the clock by milliseconds.
fn file_time() -> i128 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    nanoseconds(now.tv_sec, now.tv_nsec)
}

fn nanoseconds(seconds: i64, rest: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(rest)
}

fn is_kdl(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "kdl")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watch on a config file in a folder of its own.
    fn watch() -> (tempfile::TempDir, PathBuf, Watch) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nano.kdl");
        fs::write(&file, "one").unwrap();
        let mut watch = Watch::new();
        watch.files(std::slice::from_ref(&file)).unwrap();
        (folder, file, watch)
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn a_write_is_noticed() {
        let (_folder, file, mut watch) = watch();
        fs::write(&file, "longer").unwrap();
        block_on(watch.changed());
    }

    #[test]
    fn a_write_between_the_first_read_and_the_watch_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nano.kdl");
        let mut watch = Watch::new();
        fs::write(&file, "written after it was read").unwrap();
        watch.files(&[file]).unwrap();
        block_on(watch.changed());
    }

    #[test]
    fn a_write_between_a_later_read_and_the_new_watch_is_noticed() {
        let (folder, file, mut watch) = watch();
        let more = folder.path().join("more.conf");
        fs::write(&file, "includes another").unwrap();
        block_on(watch.changed());
        fs::write(&more, "written after it was read").unwrap();
        watch.files(&[file, more]).unwrap();
        block_on(watch.changed());
    }

    #[test]
    fn a_file_renamed_over_it_is_noticed_and_so_is_the_next() {
        let (folder, file, mut watch) = watch();
        for _ in 0..2 {
            let new = folder.path().join("nano.kdl~");
            fs::write(&new, "two").unwrap();
            fs::rename(&new, &file).unwrap();
            block_on(watch.changed());
        }
    }

    #[test]
    fn a_config_file_that_appears_beside_it_is_noticed() {
        let (folder, _, mut watch) = watch();
        fs::write(folder.path().join("more.kdl"), "").unwrap();
        block_on(watch.changed());
    }

    #[test]
    fn a_folder_that_takes_the_place_of_another_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["conf.d", "next"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("a.kdl"), name).unwrap();
        }
        let files = [at("nano.kdl"), at("conf.d"), at("conf.d/a.kdl")];
        let mut watch = Watch::new();
        watch.files(&files).unwrap();
        fs::rename(at("conf.d"), at("old")).unwrap();
        fs::rename(at("next"), at("conf.d")).unwrap();
        block_on(watch.changed());
        watch.files(&files).unwrap();
        fs::write(at("conf.d/a.kdl"), "changed again").unwrap();
        block_on(watch.changed());
    }

    #[test]
    fn a_switched_link_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("nano.kdl"), version).unwrap();
        }
        std::os::unix::fs::symlink("v1", at("data")).unwrap();
        std::os::unix::fs::symlink("data/nano.kdl", at("nano.kdl")).unwrap();
        let mut watch = Watch::new();
        watch.files(&[at("nano.kdl")]).unwrap();
        std::os::unix::fs::symlink("v2", at("data2")).unwrap();
        fs::rename(at("data2"), at("data")).unwrap();
        block_on(watch.changed());
    }

    #[test]
    fn other_files_are_other_files() {
        let (folder, file, _) = watch();
        let files = BTreeSet::from([file.clone()]);
        let modify = |path: PathBuf| Event::new(EventKind::Modify(ModifyKind::Any)).add_path(path);
        assert!(concerns(&files, &modify(file.clone())));
        assert!(!concerns(&files, &modify(folder.path().join("nano.jsonl"))));
        let before = look(&files);
        fs::write(folder.path().join(".nano.kdl.swp"), "").unwrap();
        assert_eq!(look(&files), before);
    }
}
