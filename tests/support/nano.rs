//! The process under test.

use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

use super::logs::Lines;
use super::metrics::{Sample, parse};
use super::process::{Usage, usage};
use super::{Conn, H2, Request, Response, Setup, eventually};

/// A running nano. Dropping it ends the process; a test that fails prints the log.
pub struct Nano {
    child: Child,
    setup: Option<Setup>,
    stdout: Lines,
    stderr: Lines,
}

impl Nano {
    pub(super) fn start(setup: Setup) -> Self {
        setup.write();
        let mut child = Command::new(env!("CARGO_BIN_EXE_nano"))
            .arg("--config")
            .arg(setup.config_file())
            .envs(setup.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        let mut nano = Self { child, setup: Some(setup), stdout, stderr };
        eventually("nano to be ready", || {
            let ended = nano.child.try_wait().unwrap();
            assert!(ended.is_none(), "nano ended before it was ready: {ended:?}");
            let mut conn = Conn::try_open(nano.setup().admin_port()).ok()?;
            conn.try_write(Request::get("admin", "/readyz").bytes()).ok()?;
            conn.try_response_to("GET").ok()??.status.eq(&200).then_some(())
        });
        nano
    }

    /// What it was started with.
    pub fn setup(&self) -> &Setup {
        self.setup.as_ref().expect("only change() takes it, and gives it back")
    }

    /// The port of the first listener.
    pub fn port(&self) -> u16 {
        self.setup().listeners[0].port
    }

    /// The port of a listener.
    pub fn port_of(&self, listener: &str) -> u16 {
        self.setup().listeners.iter().find(|other| other.name == listener).expect("a listener of this name").port
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Opens a connection to the first listener.
    #[track_caller]
    pub fn connect(&self) -> Conn {
        Conn::open(self.port())
    }

    /// Opens an HTTP/2 connection to the first listener.
    pub fn connect_h2(&self) -> H2 {
        H2::open(self.port())
    }

    /// Sends a request on a connection of its own.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        self.connect().send(request)
    }

    #[track_caller]
    pub fn get(&self, app: &str, target: &str) -> Response {
        self.send(&Request::get(app, target))
    }

    #[track_caller]
    pub fn post(&self, app: &str, target: &str, body: impl Into<Vec<u8>>) -> Response {
        self.send(&Request::post(app, target, body))
    }

    /// Asks the admin address.
    #[track_caller]
    pub fn admin(&self, target: &str) -> Response {
        Conn::open(self.setup().admin_port()).send(&Request::get("admin", target))
    }

    /// Every log line so far.
    pub fn log(&self) -> Vec<Value> {
        self.stdout.json()
    }

    /// Everything written to standard output and standard error.
    pub fn output(&self) -> String {
        [self.stdout.text(), self.stderr.text()].concat().join("\n")
    }

    /// Waits for a log line.
    #[track_caller]
    pub fn logged(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("a log line: {what}"), || self.log().into_iter().find(|line| is(line)))
    }

    /// Waits for the access line of an answer.
    #[track_caller]
    pub fn access_of(&self, response: &Response) -> Value {
        let id = response.header("x-request-id").expect("every response carries its request's id");
        self.logged("the request's access line", |line| line["kind"] == "access" && line["request_id"] == id)
    }

    /// Waits for a console line whose message contains `text`.
    #[track_caller]
    pub fn console(&self, text: &str) -> Value {
        self.logged(&format!("console line {text:?}"), |line| {
            line["kind"] == "console" && line["message"].as_str().is_some_and(|message| message.contains(text))
        })
    }

    /// Every metric now.
    #[track_caller]
    pub fn metrics(&self) -> Vec<Sample> {
        let answer = self.admin("/metrics");
        assert_eq!(answer.status, 200);
        parse(&answer.text())
    }

    /// The sum of all series of this name that have these labels.
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.metrics().iter().filter(|sample| sample.matches(name, labels)).map(|sample| sample.value).sum()
    }

    /// What the process holds.
    pub fn usage(&self) -> Usage {
        usage(self.pid())
    }

    /// Lets the process open no more than `files` file descriptors at once.
    pub fn limit_files(&self, files: u64) {
        let limit = Rlimit { current: Some(files), maximum: Some(files) };
        prlimit(self.process(), Resource::Nofile, limit).expect("a limit may be lowered");
    }

    /// Lets the process write no file beyond so many bytes; `None` lets it again.
    pub fn limit_file_size(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(self.process(), Resource::Fsize, limit).expect("the hard limit stays");
    }

    /// Reloads, and waits until that is over; says whether it succeeded.
    #[track_caller]
    pub fn reload(&mut self) -> bool {
        self.change(|setup| setup)
    }

    /// Rewrites the config or the apps, reloads, and waits until that is over; says whether it succeeded.
    #[track_caller]
    pub fn change(&mut self, edit: impl FnOnce(Setup) -> Setup) -> bool {
        let before = self.metric("nano_reloads_total", &[]);
        self.setup = self.setup.take().map(edit);
        self.setup().write();
        // Twice: the first reload to end may have begun before the change, for config files are watched as well.
        for ended in 1..=2 {
            self.signal(Signal::HUP);
            eventually("the reload to end", || {
                (self.metric("nano_reloads_total", &[]) >= before + f64::from(ended)).then_some(())
            });
        }
        self.metric("nano_config_last_reload_successful", &[]) == 1.0
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.process().expect("a process id is positive"), signal).expect("the process is alive");
    }

    fn process(&self) -> Option<Pid> {
        Pid::from_raw(self.pid() as i32)
    }

    /// Asks it to stop and waits until it has.
    pub fn term(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Stops it and starts it again.
    pub fn restart(mut self) -> Self {
        self.term();
        let setup = self.setup.take().expect("only change() takes it, and gives it back");
        drop(self);
        Self::start(setup)
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("nano to end", || self.child.try_wait().unwrap())
    }

    /// Checks that it has not ended: the same process still runs.
    #[track_caller]
    pub fn lives(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "nano ended: {ended:?}");
    }
}

impl Drop for Nano {
    fn drop(&mut self) {
        if std::thread::panicking() {
            const SHOWN: usize = 80;
            for lines in [self.stdout.text(), self.stderr.text()] {
                lines[lines.len().saturating_sub(SHOWN)..].iter().for_each(|line| eprintln!("nano: {line}"));
            }
        }
        let _ = self.child.kill(); // fails only if it has ended already
        let _ = self.child.wait();
    }
}
