//! The command line: what is asked for, and the exit code for how it went. A file per subcommand.

pub mod check;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::runtime::end_process;
use crate::server::{self, Ended, Source, StartError};

/// Looked for, in this order, where no config is named.
const DEFAULT_CONFIGS: [&str; 2] = ["nano.kdl", "/etc/nano/nano.kdl"];

/// Exit codes, after `sysexits.h` where it has one.
const SUCCESS: u8 = 0;
const FAILURE: u8 = 1;
const SOFTWARE: u8 = 70;
const CONFIG: u8 = 78;

/// Hosts many isolated JavaScript apps in one process, behind one gateway, from one config file.
#[derive(Debug, Parser)]
#[command(name = "nano", after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP, max_term_width = 100)]
struct Args {
    /// Serve this folder, which holds one app, on 127.0.0.1:8080: no config needed
    #[arg(value_name = "FOLDER", conflicts_with = "config")]
    folder: Option<PathBuf>,

    /// The config file [default: ./nano.kdl, else /etc/nano/nano.kdl]
    #[arg(short, long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    /// Print the versions of nano and of V8
    #[arg(short = 'V', long)]
    version: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the config and show what it means, without serving it
    ///
    /// Prints every problem of every file with its place and exits with 78, or a summary of what would be served. No
    /// socket is bound.
    Check,
}

const AFTER_HELP: &str = "Examples, signals and exit codes: nano --help";

const AFTER_LONG_HELP: &str = "\
Examples:
  nano ./my-app                    serve one app, by its folder, on http://127.0.0.1:8080
  nano                             serve ./nano.kdl, else /etc/nano/nano.kdl
  nano --config /srv/nano.kdl      serve another config
  nano check --config new.kdl      is it valid, and what does it mean?
  kill -HUP $(pidof nano)          put an edited config in force without losing a request

The smallest config serves a folder like the first example does:
  app \"hello\" \"/srv/hello\"

Files:
  ./nano.kdl, /etc/nano/nano.kdl   the config, where none is named; it is watched, and so is what it includes
  $STATE_DIRECTORY, else ./.nano   nano's own state, unless the config says `state-dir`

Signals:
  SIGHUP                           reload: config, changed apps; a config with an error changes nothing
  SIGTERM, SIGINT                  stop when what is in flight is finished; the second time, at once
  SIGUSR1                          reopen log files, after something else has moved them

Exit codes:
   0  stopped as told
   1  could not start (a socket is taken, a log cannot be opened), or was told to stop twice
   2  the command line makes no sense
  70  too many threads are lost to code that cannot be stopped: start nano again (systemd does)
  78  the config has errors";

impl Args {
    fn parse_checked() -> Result<Self, clap::Error> {
        Self::checked(std::env::args_os())
    }

    fn checked(
        arguments: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let args = Self::try_parse_from(arguments)?;
        if args.command.is_some() && args.folder.is_some() {
            let message = "a folder is served, a config is checked: name one of the two\n";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, message));
        }
        Ok(args)
    }
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let args = match Args::parse_checked() {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    if args.version {
        return print(&format!("nano {} (V8 {})\n", env!("CARGO_PKG_VERSION"), v8::VERSION_STRING));
    }
    let source = match source(args.folder, args.config, |path| path.exists()) {
        Ok(source) => source,
        Err(message) => return fail(CONFIG, &message),
    };
    match (args.command, source) {
        (Some(Command::Check), Source::Config(path)) => check::run(&path),
        (_, source) => serve(source),
    }
}

fn serve(source: Source) -> ExitCode {
    match server::run(source) {
        Ok(Ended::Stopped) => end_process(SUCCESS),
        Ok(Ended::Cut) => end_process(FAILURE),
        Ok(Ended::Worn) => end_process(SOFTWARE),
        Err(StartError::Plan(error)) => fail(CONFIG, &error.to_string()),
        Err(error) => fail(FAILURE, &format!("nano: {error}")),
    }
}

/// What to serve; the error is what to tell who asked.
fn source(folder: Option<PathBuf>, config: Option<PathBuf>, exists: impl Fn(&Path) -> bool) -> Result<Source, String> {
    if let Some(folder) = folder {
        if folder.is_file() {
            let shown = folder.display();
            return Err(format!("nano: {shown} is a file: `nano --config {shown}` if it is a config"));
        }
        return Ok(Source::Folder(folder));
    }
    if let Some(config) = config {
        return Ok(Source::Config(config));
    }
    let default = DEFAULT_CONFIGS.iter().map(PathBuf::from).find(|path| exists(path));
    default.map(Source::Config).ok_or_else(|| {
        let [here, there] = DEFAULT_CONFIGS;
        format!(
            "nano: nothing to serve: there is no ./{here} and no {there}\n\n  \
             nano FOLDER          serves the app in a folder\n  \
             nano --config FILE   serves what a config says\n  \
             nano --help          says more"
        )
    })
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILURE),
    }
}

fn fail(code: u8, message: &str) -> ExitCode {
    // If even this cannot be said, there is still the code.
    let _ = writeln!(io::stderr(), "{}", message.trim_end());
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::checked(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn check_is_a_command_before_it_is_a_folder() {
        let args = parse("nano check").unwrap();
        assert!(args.command.is_some() && args.folder.is_none());
        assert_eq!(parse("nano ./check").unwrap().folder, Some(PathBuf::from("./check")));
    }

    #[test]
    fn the_config_may_stand_before_or_after_the_command() {
        for line in ["nano check --config a.kdl", "nano --config a.kdl check", "nano -c a.kdl"] {
            assert_eq!(parse(line).unwrap().config, Some(PathBuf::from("a.kdl")), "{line}");
        }
    }

    #[test]
    fn a_folder_goes_with_neither_a_config_nor_a_command() {
        for line in ["nano app --config a.kdl", "nano app check"] {
            assert_eq!(parse(line).unwrap_err().kind(), ErrorKind::ArgumentConflict, "{line}");
        }
    }

    #[test]
    fn without_a_word_the_config_here_comes_before_the_system_s() {
        let only = |name: &'static str| source(None, None, move |path| path == Path::new(name));
        assert_eq!(only("nano.kdl"), Ok(Source::Config("nano.kdl".into())));
        assert_eq!(only("/etc/nano/nano.kdl"), Ok(Source::Config("/etc/nano/nano.kdl".into())));
        assert_eq!(source(None, None, |_| true), Ok(Source::Config("nano.kdl".into())));
        assert!(only("elsewhere").unwrap_err().contains("nothing to serve"));
    }
}
