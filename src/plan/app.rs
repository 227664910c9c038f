//! An app of the plan: its folder and entry found, its settings laid over the defaults.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::build::value;
use super::egress::Egress;
use super::{App, AppLogPlan, Claim, EnvValue, Level, Limits, entry};
use crate::config::{self, Config, Context, EnvVarValue, Problem, Settings, Spanned, Text, plain};

const IDLE: Duration = Duration::from_secs(5 * 60);
const LINES_PER_SECOND: f64 = 1000.0;
const OUTGOING_CONNECTIONS: usize = 64;
const LONGEST_NAME: usize = 64;

/// The apps, each name once; whoever comes second is reported.
pub(super) fn unique<'c>(cx: &Context, apps: &'c [config::App]) -> Vec<&'c config::App> {
    let mut names = FxHashMap::default();
    let mut unique = Vec::new();
    for app in apps {
        check_name(cx, "app", &app.name);
        match names.entry(app.name.value.as_str()) {
            Entry::Vacant(free) => {
                free.insert(app.name.span);
                unique.push(app);
            }
            Entry::Occupied(first) => cx.push(
                Problem::error(format!("two apps are called `{}`", app.name.value))
                    .at(app.name.span, "again here")
                    .at(*first.get(), "first here"),
            ),
        }
    }
    unique
}

/// Whether a name of ours may hold `c`: they are labels of metrics and names of folders.
pub(super) fn fits_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

pub(super) fn check_name(cx: &Context, what: &str, name: &Spanned<String>) {
    let text = name.value.as_str();
    if !text.chars().all(fits_name) || text.starts_with(['.', '-']) {
        cx.push(
            Problem::error(format!("{text:?} cannot be the name of {what}", what = article(what)))
                .at(name.span, "expected letters, digits, - _ and .")
                .help("it appears in logs, metrics and file names"),
        );
    } else if text.len() > LONGEST_NAME {
        cx.push(
            Problem::error(format!("the name has {} characters", text.len()))
                .at(name.span, format!("expected at most {LONGEST_NAME}")),
        );
    }
}

fn article(what: &str) -> String {
    format!("{} {what}", if what.starts_with('a') { "an" } else { "a" })
}

/// One app, or `None` where its folder or entry is missing.
pub(super) fn plan(
    cx: &Context,
    config: &Config,
    written: &config::App,
    log_level: Level,
    claims: Vec<Claim>,
) -> Option<App> {
    let none = Settings::default();
    let defaults = config.defaults.as_ref().unwrap_or(&none);
    let settings = &written.settings;
    let folder = folder(cx, written.folder.as_ref()?)?;
    let entry = entry::find(cx, written, &folder)?;
    Some(App {
        name: written.name.value.as_str().into(),
        folder,
        entry,
        limits: limits(&settings.limits.over(&defaults.limits)),
        idle: value(&settings.idle).or(value(&defaults.idle)).unwrap_or(IDLE),
        replay: value(&settings.replay).or(value(&defaults.replay)).unwrap_or(true),
        fresh_context: value(&settings.fresh_context).or(value(&defaults.fresh_context)).unwrap_or(false),
        egress: egress(&defaults.fetch, &settings.fetch),
        env: env(&defaults.env, &settings.env),
        log: AppLogPlan {
            level: value(&settings.log.level).or(value(&defaults.log.level)).unwrap_or(log_level),
            max_lines: value(&settings.log.max_lines).or(value(&defaults.log.max_lines)).unwrap_or(LINES_PER_SECOND),
        },
        claims,
    })
}

/// The folder without links: a generation keeps its own even when a link is turned to the next release.
fn folder(cx: &Context, written: &Spanned<PathBuf>) -> Option<PathBuf> {
    let path = &written.value;
    let found = path.canonicalize().and_then(|real| std::fs::metadata(&real).map(|metadata| (real, metadata)));
    let problem = match found {
        Ok((real, metadata)) if metadata.is_dir() => return Some(real),
        Ok(_) => Problem::error(format!("{} is not a folder", path.display()))
            .at(written.span, "expected a folder")
            .help("an app is a folder; which file of it comes first is for `entry` to say"),
        Err(error) => {
            let place = std::env::current_dir().ok().filter(|_| path.is_relative());
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            let problem = Problem::error(if missing {
                format!("the folder {} does not exist", path.display())
            } else {
                format!("the folder {} cannot be read: {}", path.display(), plain(&error))
            })
            .at(written.span, "expected a folder");
            match place {
                Some(_) if written.span != config::Span::NOWHERE => {
                    problem.help("a relative path starts at the folder of this file")
                }
                _ => problem,
            }
        }
    };
    cx.push(problem);
    None
}

fn limits(written: &config::Limits) -> Limits {
    let seconds = Duration::from_secs;
    Limits {
        memory: value(&written.memory).and_then(|size| size.try_into().ok()).unwrap_or(128 << 20),
        cpu: value(&written.cpu).unwrap_or(seconds(5)),
        wall: value(&written.wall).unwrap_or(seconds(30)),
        startup: value(&written.startup).unwrap_or(seconds(1)),
        wait_until: value(&written.wait_until).unwrap_or(seconds(30)),
        body: value(&written.body).unwrap_or(10 << 20),
        concurrency: value(&written.concurrency).unwrap_or(64),
        queue: value(&written.queue).unwrap_or(256),
        isolates: value(&written.isolates).unwrap_or(2),
    }
}

/// The app's own list of each kind, else the defaults'.
fn egress(defaults: &config::Fetch, own: &config::Fetch) -> Egress {
    let rules = |own: &Option<Vec<Spanned<config::Rule>>>, defaults: &Option<Vec<Spanned<config::Rule>>>| {
        let said = own.as_ref().or(defaults.as_ref()).into_iter().flatten();
        said.map(|rule| rule.value.clone()).collect()
    };
    Egress {
        allow: rules(&own.allow, &defaults.allow),
        deny: rules(&own.deny, &defaults.deny),
        max_connections: value(&own.max_connections)
            .or(value(&defaults.max_connections))
            .unwrap_or(OUTGOING_CONNECTIONS),
    }
}

/// The defaults' names, then the app's own over them.
fn env(defaults: &[config::EnvVar], own: &[config::EnvVar]) -> BTreeMap<String, EnvValue> {
    let value = |value: &EnvVarValue| match value {
        EnvVarValue::Text(text) => {
            EnvValue::String { value: text.expose().to_owned(), secret: matches!(text, Text::Secret(_)) }
        }
        EnvVarValue::Number(number) => EnvValue::Number(*number),
        EnvVarValue::Bool(value) => EnvValue::Bool(*value),
        EnvVarValue::Null => EnvValue::Null,
    };
    defaults.iter().chain(own).map(|var| (var.name.value.clone(), value(&var.value))).collect()
}
