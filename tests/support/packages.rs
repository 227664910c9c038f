//! Packages from npm, in the apps of `tests/packages`: installed once, and bundled as people bundle theirs.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/packages");

/// What npm fails with where there is no network.
const OFFLINE: &[&str] = &[
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ENOTFOUND",
    "ERR_SOCKET_TIMEOUT",
    "ETIMEDOUT",
];

/// The module that an app of `tests/packages` becomes with all it imports; none where packages cannot be had.
pub fn bundled(app: &str) -> Option<&'static str> {
    static BUNDLES: OnceLock<Option<HashMap<String, String>>> = OnceLock::new();
    let bundles = BUNDLES.get_or_init(|| install().then(bundle)).as_ref()?;
    Some(&bundles[app])
}

fn bundle() -> HashMap<String, String> {
    let node = Command::new("node").arg("bundle.mjs").current_dir(FOLDER).output().unwrap();
    assert!(node.status.success(), "{}", String::from_utf8_lossy(&node.stderr));
    serde_json::from_slice(&node.stdout).unwrap()
}

/// Installs what the lock file names, unless it is there. Only where there is no npm, or no way to its registry, do the
/// tests do without: anything else is a mistake.
fn install() -> bool {
    let lock_file = Path::new(FOLDER).join("package-lock.json");
    let installed = Path::new(FOLDER).join("node_modules/installed.json");
    let lock = File::open(&lock_file).unwrap();
    lock.lock().unwrap(); // against other test processes, until it is dropped
    let wanted = fs::read(&lock_file).unwrap();
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return true;
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"])
        .args(["--fetch-retries=1", "--fetch-retry-mintimeout=1000"])
        .current_dir(FOLDER)
        .output();
    let npm = match npm {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return skip("npm is not installed"),
        npm => npm.unwrap(),
    };
    if !npm.status.success() {
        let said = String::from_utf8_lossy(&npm.stderr);
        let code = said.lines().find_map(|line| line.strip_prefix("npm error code ")).unwrap_or_default();
        assert!(OFFLINE.contains(&code) || is_refusal(code), "{said}");
        return skip(&format!("npm cannot reach its registry: {code}"));
    }
    fs::write(installed, wanted).unwrap();
    true
}

/// Whether a registry, or a proxy before it, has answered with an HTTP error.
fn is_refusal(code: &str) -> bool {
    matches!(code.as_bytes(), [b'E', b'4' | b'5', rest @ ..] if rest.iter().all(u8::is_ascii_digit))
}

/// Says why where `eprintln!` would not: it is captured while a test passes.
fn skip(why: &str) -> bool {
    let line = format!("the tests of npm packages are skipped: {why}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
    false
}
