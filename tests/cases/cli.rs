//! The command line.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::says;
use crate::support::{Conn, Request, Setup, eventually, free_port};

fn nano(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nano")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn check(config: &Path) -> Output {
    nano(&["check", "--config", config.to_str().unwrap()])
}

#[test]
fn check_accepts_a_good_config_and_sums_it_up() {
    let setup = Setup::new()
        .file("hello/index.js", says("hello"))
        .file("good.kdl", "app \"hello\" \"hello\" { host \"hello.example\"; path \"/api/*\"; }\n");
    let output = check(&setup.path("good.kdl"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary = text(&output.stdout);
    for part in ["hello", "hello.example", "/api/*"] {
        assert!(summary.contains(part), "{part} in {summary}");
    }
}

#[test]
fn check_points_at_every_mistake_of_a_bad_config() {
    let setup = Setup::new()
        .file("hello/index.js", says("hello"))
        .file("bad.kdl", "app \"hello\" \"hello\" {\n    limits cpu=\"0s\" memmory=\"1GiB\"\n    hots \"a.test\"\n}\n");
    let output = check(&setup.path("bad.kdl"));
    assert_eq!(output.status.code(), Some(78));
    let errors = text(&output.stderr);
    for part in ["bad.kdl", "0s", "memmory", "memory", "hots", "host"] {
        assert!(errors.contains(part), "{part} in {errors}");
    }
}

#[test]
fn a_bad_config_stops_the_start_with_the_same_code() {
    let setup = Setup::new().file("bad.kdl", "app\n");
    let output = nano(&["--config", setup.path("bad.kdl").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("bad.kdl"));
    assert_eq!(nano(&["--config", "/no/such/file.kdl"]).status.code(), Some(78));
}

#[test]
fn a_port_in_use_stops_the_start_but_not_the_check() {
    let port = free_port();
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let config = format!("listener \"web\" \"127.0.0.1:{port}\"\napp \"hello\" \"hello\"\n");
    let setup = Setup::new().file("hello/index.js", says("hello")).file("nano.kdl", config);
    assert_eq!(check(&setup.path("nano.kdl")).status.code(), Some(0));
    let output = nano(&["--config", setup.path("nano.kdl").to_str().unwrap()]);
    assert!(!output.status.success());
    let said = [text(&output.stdout), text(&output.stderr)].concat();
    assert!(said.contains(&port.to_string()), "{said}");
}

#[test]
fn version_and_help_are_worth_reading() {
    let version = nano(&["--version"]);
    assert!(version.status.success());
    assert!(text(&version.stdout).starts_with(concat!("nano ", env!("CARGO_PKG_VERSION"))));
    let help = nano(&["--help"]);
    assert!(help.status.success());
    for part in ["--config", "check", "FOLDER", "SIGHUP"] {
        assert!(text(&help.stdout).contains(part), "{part} in {}", text(&help.stdout));
    }
}

#[test]
fn a_wrong_option_is_a_usage_error() {
    let output = nano(&["--confg", "x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--config"), "it says what was meant");
}

#[test]
fn a_folder_alone_is_served_on_port_8080() {
    if TcpListener::bind("127.0.0.1:8080").is_err() {
        println!("127.0.0.1:8080 is taken by someone else: not tried");
        return;
    }
    let setup = Setup::new().file("app/index.js", says("no config at all"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_nano"))
        .arg(setup.path("app"))
        .current_dir(setup.path("."))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let answer = eventually("an answer", || {
        let mut conn = Conn::try_open(8080).ok()?;
        conn.try_write(Request::get("any", "/").bytes()).ok()?;
        conn.try_response_to("GET").ok()?
    });
    child.kill().unwrap();
    child.wait().unwrap();
    answer.says("no config at all");
}
