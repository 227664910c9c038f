//! `nano check`: is the config good, and what would it serve? Binds nothing, starts nothing.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::CONFIG;
use crate::config::{Rule, show_size};
use crate::plan::egress::Egress;
use crate::plan::{AdminAddress, App, Limits, LogFormat, Plan, Rotate, SinkPlan};

/// Prints a summary of the plan to standard output, what is wrong or doubtful to standard error. The exit code is 0,
/// or 78 where the config is wrong.
pub fn run(path: &Path) -> ExitCode {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match Plan::load(path) {
        Ok((plan, warnings)) => {
            warnings.iter().for_each(|warning| eprint!("{}", warning.render(colour)));
            // Whoever closed the pipe has read enough.
            let _ = std::io::stdout().write_all(summary(path, &plan).as_bytes());
            ExitCode::SUCCESS
        }
        Err(report) => {
            eprint!("{}", report.render(colour));
            eprintln!("{}: {}", path.display(), counted(report.lines().count(), "error"));
            ExitCode::from(CONFIG)
        }
    }
}

/// The plan in words. Secrets stay out of it.
pub fn summary(path: &Path, plan: &Plan) -> String {
    let mut text = String::new();
    write(&mut text, path, plan).expect("writing to a String does not fail");
    text
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn write(text: &mut String, path: &Path, plan: &Plan) -> std::fmt::Result {
    let apps = counted(plan.apps.len(), "app");
    let listeners = counted(plan.listeners.len(), "listener");
    let files = plan.files.iter().filter(|file| !file.is_dir()).count();
    writeln!(text, "{} is good: {apps}, {listeners}, {}", path.display(), counted(files, "file"))?;
    writeln!(text, "\nlisteners")?;
    for listener in &plan.listeners {
        writeln!(text, "  {:<16} http://{}", listener.name, listener.address)?;
    }
    match &plan.admin {
        Some(AdminAddress::Tcp(address)) => write!(text, "  {:<16} http://{address}", "(admin)")?,
        Some(AdminAddress::Unix(path)) => write!(text, "  {:<16} unix:{}", "(admin)", path.display())?,
        None => write!(text, "  {:<16} none", "(admin)")?,
    }
    writeln!(text, "{}", if plan.admin_token.is_some() { ", asks for a token" } else { "" })?;
    writeln!(text, "\napps")?;
    for app in &plan.apps {
        write_app(text, plan, app)?;
    }
    writeln!(text, "\nlog: {} and above, {}", format!("{:?}", plan.log.level).to_lowercase(), access(plan.log.access))?;
    for sink in &plan.log.sinks {
        write_sink(text, sink)?;
    }
    writeln!(text, "\nstate in {}", plan.state_dir.display())?;
    let drain = humantime::format_duration(plan.drain);
    write!(text, "{}, {drain} to drain", counted(plan.io_threads, "I/O thread"))?;
    match plan.memory_total {
        Some(bytes) => writeln!(text, ", {} for all isolates", show_size(u64::try_from(bytes).unwrap_or(u64::MAX))),
        None => writeln!(text, ", 80 % of the memory for all isolates"),
    }
}

fn access(wanted: bool) -> &'static str {
    if wanted { "with a line per request" } else { "without a line per request" }
}

fn write_app(text: &mut String, plan: &Plan, app: &App) -> std::fmt::Result {
    writeln!(text, "  {}", app.name)?;
    writeln!(text, "    code     {}", app.folder.join(&app.entry).display())?;
    for claim in &app.claims {
        let listener = claim.listener.map_or("every listener", |index| &plan.listeners[index].name);
        let host = claim.host.as_deref().unwrap_or("every host");
        let path = claim.path.as_deref().unwrap_or("every path");
        writeln!(text, "    answers  {listener}, {host}, {path}")?;
    }
    let Limits { memory, cpu, wall, startup, wait_until, body, concurrency, queue, isolates } = app.limits;
    let time = humantime::format_duration;
    let memory = u64::try_from(memory).unwrap_or(u64::MAX);
    writeln!(
        text,
        "    limits   memory={} cpu={} wall={} startup={}",
        show_size(memory),
        time(cpu),
        time(wall),
        time(startup)
    )?;
    writeln!(text, "             wait-until={} body={}", time(wait_until), show_size(body))?;
    writeln!(text, "             concurrency={concurrency} queue={queue} isolates={isolates}")?;
    if app.fresh_context {
        writeln!(text, "    context  fresh")?;
    }
    if !app.replay {
        writeln!(text, "    replay   no")?;
    }
    write_egress(text, &app.egress)?;
    if !app.env.is_empty() {
        let names: Vec<_> = app.env.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        writeln!(text, "    env      {}", names.join(" "))?;
    }
    Ok(())
}

/// What the config says of `fetch`; nothing where that is nothing.
fn write_egress(text: &mut String, egress: &Egress) -> std::fmt::Result {
    let list = |rules: &[Rule]| rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut margin = "    fetch    ";
    for (what, rules) in [("allow", &egress.allow), ("deny", &egress.deny)] {
        if !rules.is_empty() {
            writeln!(text, "{margin}{what} {}", list(rules))?;
            margin = "             ";
        }
    }
    Ok(())
}

fn write_sink(text: &mut String, sink: &SinkPlan) -> std::fmt::Result {
    match sink {
        SinkPlan::Stdout { format: LogFormat::Json } => writeln!(text, "  standard output, as JSON"),
        SinkPlan::Stdout { format: LogFormat::Text } => writeln!(text, "  standard output, as text"),
        SinkPlan::File { path, rotate, max_size, keep, compress } => {
            write!(text, "  {}", path.display())?;
            match rotate {
                Rotate::Never => {}
                Rotate::Hourly => write!(text, ", hourly")?,
                Rotate::Daily => write!(text, ", daily")?,
            }
            if let Some(size) = max_size {
                write!(text, ", at {}", show_size(*size))?;
            }
            if *rotate != Rotate::Never || max_size.is_some() {
                write!(text, ", {keep} kept{}", if *compress { ", compressed" } else { "" })?;
            }
            writeln!(text)
        }
    }
}
