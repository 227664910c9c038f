//! What a nano is started with: a temporary folder of apps, and the config that names them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::nano::Nano;
use super::process::free_port;

/// A folder with apps and the config that serves them. Every app answers on the host `NAME.test`, so that any number
/// of them share a listener.
pub struct Setup {
    folder: TempDir,
    admin: u16,
    pub(super) listeners: Vec<Listener>,
    pub(super) variables: Vec<(String, String)>,
    apps: Vec<(String, String)>,
    log: String,
    config: String,
}

pub(super) struct Listener {
    pub(super) name: String,
    pub(super) port: u16,
    settings: String,
}

impl Setup {
    /// An empty folder, one listener called `web` as soon as nothing else is said.
    pub fn new() -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("nano-test-").tempdir().unwrap(),
            admin: free_port(),
            listeners: Vec::new(),
            variables: Vec::new(),
            apps: Vec::new(),
            log: "stdout format=\"json\"\n    level \"debug\"".into(),
            config: String::new(),
        }
    }

    /// Adds an app of one module. `kdl` is what stands in its block beside the host.
    pub fn app(self, name: &str, kdl: &str, script: &str) -> Self {
        self.file(&format!("{name}/index.js"), script).claim(name, &format!("host \"{name}.test\"\n    {kdl}"))
    }

    /// Adds an app without a host of its own: `kdl` is its whole block, its folder is called as it is.
    pub fn claim(mut self, name: &str, kdl: &str) -> Self {
        self.apps.retain(|(other, _)| other != name);
        self.apps.push((name.into(), kdl.into()));
        self
    }

    /// Takes an app out of the config; its folder stays.
    pub fn without(mut self, name: &str) -> Self {
        self.apps.retain(|(other, _)| other != name);
        self
    }

    /// Writes a file below the folder.
    pub fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Adds a listener on a free port.
    pub fn listener(mut self, name: &str, settings: &str) -> Self {
        self.listeners.push(Listener { name: name.into(), port: free_port(), settings: settings.into() });
        self
    }

    /// Takes a listener out of the config.
    pub fn without_listener(mut self, name: &str) -> Self {
        self.listeners.retain(|listener| listener.name != name);
        self
    }

    /// Replaces what stands in the `log` block.
    pub fn log(mut self, kdl: &str) -> Self {
        self.log = kdl.into();
        self
    }

    /// Replaces what stands at the end of the config, as written.
    pub fn config(mut self, kdl: &str) -> Self {
        self.config = kdl.into();
        self
    }

    /// Sets an environment variable for the process.
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// A path below the folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// The port of the admin address.
    pub fn admin_port(&self) -> u16 {
        self.admin
    }

    /// Where the config is written.
    pub fn config_file(&self) -> PathBuf {
        self.path("nano.kdl")
    }

    /// Starts nano and waits until it is ready.
    pub fn start(mut self) -> Nano {
        if self.listeners.is_empty() {
            self = self.listener("web", "");
        }
        Nano::start(self)
    }

    /// Writes the config as it is now: whole or not at all, for nano may be watching.
    pub(super) fn write(&self) {
        replace(&self.config_file(), &self.text());
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let state = self.path("state");
        writeln!(text, "state-dir {:?}\nadmin \"127.0.0.1:{}\"", state.to_str().unwrap(), self.admin).unwrap();
        writeln!(text, "log {{\n    {}\n}}", self.log).unwrap();
        for Listener { name, port, settings } in &self.listeners {
            writeln!(text, "listener \"{name}\" \"127.0.0.1:{port}\" {{\n    {settings}\n}}").unwrap();
        }
        for (name, kdl) in &self.apps {
            writeln!(text, "app \"{name}\" \"{name}\" {{\n    {kdl}\n}}").unwrap();
        }
        text + &self.config
    }
}

/// Replaces a file in one step.
pub(super) fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}
