//! Config files → [`Config`]: what was written, decoded and typed, every value with its place. A file per section of
//! the language. Whether the parts fit each other and the machine is the [plan](crate::plan)'s to say.
//!
//! Nothing stops at the first mistake: problems gather in a [`Context`] while every file is read to its end.

mod app;
mod bindings;
mod decode;
mod file;
mod global;
mod include;
mod listener;
mod log;
mod report;
mod rule;
mod settings;
mod source;
mod syntax;
mod unavailable;
mod value;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use app::{App, Listen};
pub use bindings::{Cron, Kv, Service, Sqlite};
pub use global::Admin;
pub use listener::{Listener, Timeouts, Tls};
pub use log::{File, Level, Log, LogFormat, Rotate, Stdout, Syslog};
pub use report::{Problem, Report, Warning};
pub use rule::{Peer, Rule};
pub use settings::{AppLog, EnvVar, EnvVarValue, Fetch, Limits, RateKey, RateLimit, Settings};
pub use source::{Source, Span, Spanned};
pub use value::{Secret, Text};

pub(crate) use decode::{refuse_unavailable, suggestion};
pub(crate) use file::{LARGEST, read};
pub(crate) use value::{plain, show_size};

/// Everything the config files say, in the order they say it.
#[derive(Debug, Default)]
pub struct Config {
    /// `state-dir`
    pub state_dir: Option<Spanned<PathBuf>>,
    /// `io-threads`
    pub io_threads: Option<Spanned<usize>>,
    /// `memory-total`, in bytes
    pub memory_total: Option<Spanned<u64>>,
    /// `drain`
    pub drain: Option<Spanned<Duration>>,
    /// `lost-threads`
    pub lost_threads: Option<Spanned<usize>>,
    /// `watch`
    pub watch: Option<Spanned<bool>>,
    /// `admin`
    pub admin: Option<Admin>,
    /// `log`
    pub log: Option<Log>,
    /// `defaults`
    pub defaults: Option<Settings>,
    /// `listener`
    pub listeners: Vec<Listener>,
    /// `app`
    pub apps: Vec<App>,
}

impl Config {
    /// Reads `path` and what it includes. What is wrong is left in `cx`; the config is what could be read.
    pub fn read(cx: &Context, path: &Path) -> Self {
        let mut config = Self::default();
        include::Reading::new(cx, &mut config).main(path);
        config
    }
}

/// The files read so far and what was found wrong with them.
#[derive(Debug, Default)]
pub struct Context {
    sources: RefCell<Vec<Source>>,
    problems: RefCell<Vec<Problem>>,
    /// Places already reported that hold nothing to decode.
    blind: RefCell<Vec<Span>>,
    /// Folders that patterns look into, absolute.
    folders: RefCell<Vec<PathBuf>>,
}

impl Context {
    /// Nothing read, nothing wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a problem.
    pub fn push(&self, problem: Problem) {
        let blind = self.blind.borrow();
        if problem.span().is_some_and(|span| blind.iter().any(|blind| blind.touches(&span))) {
            return;
        }
        self.problems.borrow_mut().push(problem);
    }

    /// How many problems there are.
    pub fn problems(&self) -> usize {
        self.problems.borrow().len()
    }

    /// The errors if there is one, else the warnings: what is doubtful can wait for what is wrong.
    pub fn finish(self) -> Result<Vec<Warning>, Report> {
        let mut problems = self.problems.into_inner();
        let failed = problems.iter().any(Problem::is_error);
        if failed {
            problems.retain(Problem::is_error);
        }
        let report = Report::new(problems, self.sources.into_inner());
        if failed { Err(report) } else { Ok(report.into_warnings()) }
    }

    /// Every file read so far, and every folder that more may come to, absolute: what to watch for changes.
    pub fn files(&self) -> Vec<PathBuf> {
        let sources = self.sources.borrow();
        let files = sources.iter().map(|source| source.path.clone());
        files.chain(self.folders.borrow().iter().cloned()).collect()
    }

    /// Says nothing more of a place: a report about it is already there.
    fn blind(&self, span: Span) {
        self.blind.borrow_mut().push(span);
    }

    /// A pattern looks for files here, whether there are any or not.
    fn look_in(&self, folder: &Path) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        self.folders.borrow_mut().extend(std::path::absolute(folder));
    }

    fn add(&self, source: Source) -> usize {
        let mut sources = self.sources.borrow_mut();
        sources.push(source);
        sources.len() - 1
    }

    fn text(&self, file: usize) -> Arc<str> {
        self.sources.borrow()[file].text.clone()
    }

    fn folder(&self, file: usize) -> PathBuf {
        self.sources.borrow()[file].folder().to_owned()
    }
}
