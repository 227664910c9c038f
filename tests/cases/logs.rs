//! The log on disk: whole lines, all of them, through rotations, full disks and reopened files.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use rustix::process::Signal;
use serde_json::Value;

use super::says;
use crate::support::{Nano, Request, Setup, eventually, together};

/// Every line of the files in `folder` whose name begins with `nano`, unpacked where need be.
fn lines(folder: &Path) -> Vec<Value> {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "gz") {
            GzDecoder::new(bytes.as_slice()).read_to_string(&mut all).unwrap();
        } else {
            all.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
    assert!(all.is_empty() || all.ends_with('\n'), "the last line is whole");
    all.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Sends `count` requests to `a` on each of four connections and returns their ids.
fn requests(nano: &Nano, count: usize) -> HashSet<String> {
    let ids = together(4, |_| {
        let mut conn = nano.connect();
        let mut ask = |_| conn.send(&Request::get("a", "/")).header("x-request-id").unwrap().to_owned();
        (0..count).map(&mut ask).collect::<Vec<_>>()
    });
    ids.into_iter().flatten().collect()
}

fn access_ids(lines: &[Value]) -> Vec<String> {
    let access = lines.iter().filter(|line| line["kind"] == "access");
    access.map(|line| line["request_id"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn all_there(nano: &mut Nano, asked: &HashSet<String>) {
    assert_eq!(nano.metric("nano_log_lines_dropped_total", &[]), 0.0);
    assert_eq!(nano.term().code(), Some(0));
    let folder = nano.setup().path("logs");
    let found = access_ids(&lines(&folder));
    assert_eq!(found.len(), asked.len(), "a line per request");
    assert_eq!(found.into_iter().collect::<HashSet<_>>(), *asked);
}

fn logging(file: &str) -> Nano {
    let setup = Setup::new().file("logs/.keep", "");
    std::fs::remove_file(setup.path("logs/.keep")).unwrap();
    setup.log(file).app("a", "", &says("a")).start()
}

#[test]
fn no_line_is_lost_or_torn_across_rotations() {
    let mut nano = logging(r#"file "logs/nano.jsonl" max-size="256KiB" keep=1000 compress=#false"#);
    let asked = requests(&nano, 5000);
    all_there(&mut nano, &asked);
    let files = std::fs::read_dir(nano.setup().path("logs")).unwrap().count();
    assert!(files > 10, "{files} files: it did rotate");
}

#[test]
fn compressed_files_lose_nothing_either() {
    let mut nano = logging(r#"file "logs/nano.jsonl" max-size="64KiB" keep=1000 compress=#true"#);
    let asked = requests(&nano, 500);
    all_there(&mut nano, &asked);
    let packed = std::fs::read_dir(nano.setup().path("logs")).unwrap();
    let packed = packed.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "gz")).count();
    assert!(packed > 1, "{packed} files are compressed");
}

#[test]
fn only_so_many_rotated_files_are_kept() {
    let nano = logging(r#"file "logs/nano.jsonl" max-size="64KiB" keep=3 compress=#false"#);
    requests(&nano, 500);
    eventually("old files to be removed", || {
        let files = std::fs::read_dir(nano.setup().path("logs")).unwrap().count();
        (2..=4).contains(&files).then_some(())
    });
}

#[test]
fn a_renamed_file_is_reopened_by_sigusr1() {
    let mut nano = logging(r#"file "logs/nano.jsonl""#);
    let mut asked = requests(&nano, 100);
    let folder = nano.setup().path("logs");
    eventually("the lines to be written", || (access_ids(&lines(&folder)).len() == asked.len()).then_some(()));
    std::fs::rename(folder.join("nano.jsonl"), folder.join("nano.old")).unwrap();
    nano.signal(Signal::USR1);
    eventually("a new file", || folder.join("nano.jsonl").exists().then_some(()));
    asked.extend(requests(&nano, 100));
    all_there(&mut nano, &asked);
    assert!(std::fs::read_to_string(folder.join("nano.jsonl")).unwrap().contains("\"access\""));
}

#[test]
fn a_full_disk_stops_no_request_and_what_it_refuses_is_counted() {
    let setup = Setup::new().file("logs/.keep", "");
    let file = setup.path("logs/nano.jsonl");
    std::os::unix::fs::symlink("/dev/full", &file).unwrap();
    let nano = setup.log(r#"file "logs/nano.jsonl""#).app("a", "", &says("a")).start();
    let asked = requests(&nano, 100);
    assert_eq!(asked.len(), 400);
    eventually("the drops to be counted", || (nano.metric("nano_log_lines_dropped_total", &[]) >= 400.0).then_some(()));
    std::fs::remove_file(&file).unwrap();
    nano.signal(Signal::USR1);
    eventually("room again", || file.exists().then_some(()));
    requests(&nano, 1);
    eventually("a line that says how many are missing", || {
        let text = std::fs::read_to_string(&file).unwrap();
        (text.contains("dropped") && text.contains("\"access\"")).then_some(())
    });
}

#[test]
fn a_file_that_may_grow_no_more_ends_nothing_but_itself() {
    let mut nano = logging(r#"file "logs/nano.jsonl""#);
    let dropped = |nano: &Nano| nano.metric("nano_log_lines_dropped_total", &[("reason", "write_error")]);
    nano.get("a", "/").says("a");
    nano.limit_file_size(Some(4096));
    requests(&nano, 20);
    eventually("lines to be refused", || (dropped(&nano) > 0.0).then_some(()));
    nano.limit_file_size(None);
    eventually("a line to say so", || {
        nano.get("a", "/").says("a");
        let text = std::fs::read_to_string(nano.setup().path("logs/nano.jsonl")).unwrap();
        text.contains("write_error").then_some(())
    });
    assert_eq!(nano.term().code(), Some(0));
    lines(&nano.setup().path("logs"));
}

#[test]
fn an_access_line_says_what_happened() {
    let nano = Setup::new().app("a", r#"limits body="1KiB""#, &super::answers("request.text()")).start();
    let answer = nano.send(&Request::post("a", "/path?query=1", "twelve bytes").header("user-agent", "test"));
    answer.says("twelve bytes");
    let line = nano.access_of(&answer);
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name} in {line}")).to_owned();
    assert_eq!(text("level"), "info");
    assert_eq!(text("app"), "a");
    assert_eq!(text("method"), "POST");
    assert_eq!(text("host"), "a.test");
    assert!(text("path").starts_with("/path"));
    assert_eq!(text("client"), "127.0.0.1");
    assert_eq!(
        (line["status"].as_u64(), line["bytes_in"].as_u64(), line["bytes_out"].as_u64()),
        (Some(200), Some(12), Some(12))
    );
    assert!(line["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
    assert!(line["cpu_ms"].as_f64().is_some_and(|ms| ms >= 0.0), "{line}");
    assert!(line.get("error").is_none_or(Value::is_null), "{line}");
}

#[test]
fn refusals_have_a_line_too() {
    let nano = Setup::new().app("a", "", &says("a")).start();
    let answer = nano.get("nobody", "/");
    assert_eq!(nano.access_of(&answer)["error"], "no_route");
    let mut conn = nano.connect();
    conn.write("GARBAGE\r\n\r\n");
    let answer = conn.response();
    answer.fails(400, "bad_request");
    let line = nano.logged("the refusal", |line| line["error"] == "bad_request");
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!((line["status"].as_u64(), line["client"].as_str()), (Some(400), Some("127.0.0.1")));
    assert!(nano.metric("nano_errors_total", &[("code", "bad_request")]) >= 1.0);
}

#[test]
fn access_lines_can_be_left_out() {
    let nano = Setup::new().log("stdout\n    access #false").app("a", "", &says("a")).start();
    nano.get("a", "/").says("a");
    nano.get("a", "/").says("a");
    assert!(nano.log().iter().all(|line| line["kind"] != "access"));
}

#[test]
fn text_format_is_for_people() {
    let nano = Setup::new().log("stdout format=\"text\"").app(
        "a",
        "",
        &super::answers("(console.log(\"hi\\nforged\"), \"a\")"),
    );
    let nano = nano.start();
    nano.get("a", "/").says("a");
    eventually("the line", || nano.output().contains("hi").then_some(()));
    assert!(nano.log().is_empty(), "no line is JSON");
    assert!(!nano.output().lines().any(|line| line.trim() == "forged"), "a line break cannot forge a line here either");
}
