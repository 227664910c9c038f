//! Config → plan: runs every check, then decides.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::routes::RouteTable;
use super::{LogFormat, LogPlan, Plan, PlanError, Rotate, SinkPlan, Warning, admin, app, claims, listeners};
use crate::config::{self, Config, Context, Level, Problem, Spanned};

const DRAIN: Duration = Duration::from_secs(30);
const LOST_THREADS: usize = 16;
const ROTATED_FILES_KEPT: usize = 14;

impl Plan {
    /// Reads a config file and all it includes. Beside the plan comes what is doubtful in it: warnings, often none.
    ///
    /// # Errors
    /// Everything that is wrong, of every file.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), PlanError> {
        let cx = Context::new();
        let config = Config::read(&cx, path);
        finish(cx, &config)
    }

    /// Serves one folder on 127.0.0.1:8080 with every default, named after the folder.
    ///
    /// # Errors
    /// Where the folder is none, or holds no app.
    pub fn for_folder(folder: &Path) -> Result<(Self, Vec<Warning>), PlanError> {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name: String = name.chars().map(|c| if app::fits_name(c) { c } else { '-' }).collect();
        let name = name.trim_start_matches(['-', '.']).to_owned();
        let name = if name.is_empty() { "app".to_owned() } else { name };
        let config = Config { apps: vec![config::App::bare(name, folder.to_owned())], ..Config::default() };
        finish(Context::new(), &config)
    }
}

fn finish(cx: Context, config: &Config) -> Result<(Plan, Vec<Warning>), PlanError> {
    let plan = build(&cx, config);
    let warnings = cx.finish()?;
    Ok((plan, warnings))
}

/// The plan as far as it could be made: worthless if `cx` holds an error by now.
fn build(cx: &Context, config: &Config) -> Plan {
    let listeners = listeners::plan(cx, config);
    let log = log(cx, config.log.as_ref());
    let mut claimed = claims::Claims::new(cx, config, &listeners);
    let mut apps = Vec::new();
    for written in app::unique(cx, &config.apps) {
        let claims = claimed.of(written);
        apps.extend(app::plan(cx, config, written, log.level, claims).map(Arc::new));
    }
    claimed.warn_of_unused();
    let routes = RouteTable::new(
        apps.iter().enumerate().flat_map(|(index, app)| app.claims.iter().map(move |claim| (claim, index))),
    );
    Plan {
        state_dir: absolute(&config.state_dir.as_ref().map_or_else(state_dir, |dir| dir.value.clone())),
        io_threads: value(&config.io_threads).unwrap_or_else(cores),
        memory_total: value(&config.memory_total).map(|size| usize::try_from(size).unwrap_or(usize::MAX)),
        drain: value(&config.drain).unwrap_or(DRAIN),
        lost_threads: value(&config.lost_threads).unwrap_or(LOST_THREADS),
        admin: config.admin.as_ref().and_then(|admin| admin::address(cx, admin, config, &listeners)),
        admin_token: config.admin.as_ref().and_then(|admin| admin::token(cx, admin)),
        log,
        listeners: listeners.into_iter().map(Arc::new).collect(),
        apps,
        routes,
        files: cx.files(),
    }
}

pub(super) fn value<T: Copy>(written: &Option<Spanned<T>>) -> Option<T> {
    written.as_ref().map(|written| written.value)
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What systemd gives, of several folders the first; else one here.
fn state_dir() -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY");
    let first = given.as_deref().and_then(|given| std::env::split_paths(given).next());
    first.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from(".nano"))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn log(cx: &Context, written: Option<&config::Log>) -> LogPlan {
    let standard = SinkPlan::Stdout { format: LogFormat::Json };
    let Some(written) = written else {
        return LogPlan { level: Level::Info, access: true, sinks: vec![standard] };
    };
    let mut sinks = Vec::new();
    let mut first: Option<config::Span> = None;
    for stdout in &written.stdout {
        if let Some(first) = first {
            let problem = Problem::warning("every line is printed twice")
                .at(stdout.span, "standard output again")
                .at(first, "first here");
            cx.push(problem);
        }
        first = Some(stdout.span);
        sinks.push(SinkPlan::Stdout { format: value(&stdout.format).unwrap_or(LogFormat::Json) });
    }
    let mut paths: Vec<(PathBuf, config::Span)> = Vec::new();
    for file in &written.files {
        let path = absolute(&file.path.value);
        if let Some((_, first)) = paths.iter().find(|(known, _)| *known == path) {
            let problem =
                Problem::error("two logs share a file").at(file.path.span, "again here").at(*first, "first here");
            cx.push(problem);
        }
        paths.push((path.clone(), file.path.span));
        sinks.push(SinkPlan::File {
            path,
            rotate: value(&file.rotate).unwrap_or(Rotate::Never),
            max_size: value(&file.max_size),
            keep: value(&file.keep).unwrap_or(ROTATED_FILES_KEPT),
            compress: value(&file.compress).unwrap_or(false),
        });
    }
    if sinks.is_empty() {
        sinks.push(standard);
    }
    LogPlan {
        level: value(&written.level).unwrap_or(Level::Info),
        access: value(&written.access).unwrap_or(true),
        sinks,
    }
}
