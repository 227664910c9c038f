//! Logs over real files: what is accepted arrives, whole and once, whatever happens to the file.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

use super::file::{LogFile, Policy};
use super::{LogLayer, Logs};
use crate::event::RequestId;
use crate::observability::metrics::Metrics;
use crate::plan::{AppLogPlan, Level, LogPlan, Rotate, SinkPlan};

/// Far more than any of these tests takes.
const LONG: Duration = Duration::from_secs(60);

fn file(path: &Path) -> SinkPlan {
    SinkPlan::File { path: path.to_owned(), rotate: Rotate::Never, max_size: None, keep: 1000, compress: false }
}

fn plan(sinks: Vec<SinkPlan>) -> LogPlan {
    LogPlan { level: Level::Info, access: true, sinks }
}

fn start(sinks: Vec<SinkPlan>) -> (Logs, Arc<Metrics>) {
    let metrics = Metrics::new();
    (Logs::start(&plan(sinks), &metrics).unwrap(), metrics)
}

fn say(logs: &Logs, message: &str) {
    logs.gateway(Level::Info, None, None, message);
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{} ends within a line", path.display());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn messages(path: &Path) -> Vec<String> {
    lines(path).iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

/// Every line of a log and of its rotated files.
fn everything(path: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let mut text = String::new();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
        } else {
            text = String::from_utf8(bytes).unwrap();
        }
        assert!(text.ends_with('\n'));
        all.extend(text.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["message"].as_str().unwrap().to_owned()
        }));
    }
    all
}

#[test]
fn what_was_accepted_is_there_after_a_flush() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    let (logs, _) = start(vec![file(&path)]);
    let expected: Vec<_> = (0..1000).map(|n| format!("line {n}")).collect();
    expected.iter().for_each(|message| say(&logs, message));
    assert!(logs.flush(LONG));
    assert_eq!(messages(&path), expected);
}

#[test]
fn a_start_appends_to_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    fs::write(&path, "{\"message\":\"before\"}\n").unwrap();
    let (logs, _) = start(vec![file(&path)]);
    say(&logs, "after");
    assert!(logs.flush(LONG));
    assert_eq!(messages(&path), ["before", "after"]);
}

#[test]
fn a_sink_that_cannot_open_is_named() {
    let metrics = Metrics::new();
    let error = Logs::start(&plan(vec![file(Path::new("/nowhere/nano.jsonl"))]), &metrics).unwrap_err();
    assert!(error.to_string().contains("/nowhere/nano.jsonl"), "{error}");
}

#[test]
fn concurrent_writers_lose_and_tear_nothing_across_rotations() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    let sink = SinkPlan::File {
        path: path.clone(),
        rotate: Rotate::Never,
        max_size: Some(8 * 1024),
        keep: 100_000,
        compress: true,
    };
    let (logs, _) = start(vec![sink]);
    thread::scope(|scope| {
        for writer in 0..4 {
            let logs = &logs;
            scope.spawn(move || {
                for n in 0..2500 {
                    say(logs, &format!("{writer}:{n}:{}", "x".repeat(n % 50)));
                    // The test is of rotation, not of the bound on the queue.
                    if n % 500 == 0 {
                        assert!(logs.flush(LONG));
                    }
                }
            });
        }
    });
    assert!(logs.flush(LONG));
    // The thread that compresses may be at work: between its rename and its removal both files are there.
    let all: HashSet<_> = loop {
        let names = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let busy = names().any(|name| {
            let name = name.into_string().unwrap();
            name != "nano.jsonl" && !name.ends_with(".gz")
        });
        if !busy {
            let all = everything(&path);
            assert_eq!(all.len(), 10_000);
            break all.into_iter().collect();
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(all.len(), 10_000);
    assert!(fs::read_dir(folder.path()).unwrap().count() > 50);
    for entry in fs::read_dir(folder.path()).unwrap() {
        assert!(entry.unwrap().metadata().unwrap().len() <= 8 * 1024);
    }
}

/// A `LogFile` to turn the clock on.
fn daily(path: &Path, now: SystemTime) -> LogFile {
    let policy = Policy { rotate: Rotate::Daily, max_size: None, keep: 10, compress: false };
    LogFile::open(path, policy, now).unwrap()
}

fn put(file: &mut LogFile, line: &str, now: SystemTime) -> Vec<String> {
    let mut notices = Vec::new();
    assert_eq!(file.room(line.as_bytes(), now, &mut notices), line.len());
    assert_eq!(file.write(line.as_bytes()).unwrap(), line.len());
    notices
}

fn at(text: &str) -> SystemTime {
    humantime::parse_rfc3339(text).unwrap()
}

#[test]
fn a_daily_file_rotates_at_midnight() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    let mut file = daily(&path, at("2100-11-21T10:00:00Z"));
    put(&mut file, "first\n", at("2100-11-21T10:00:00Z"));
    put(&mut file, "second\n", at("2100-11-21T23:59:59Z"));
    put(&mut file, "third\n", at("2100-11-22T00:00:00Z"));
    let old = folder.path().join("nano.jsonl.2100-11-22T00-00-00.000");
    assert_eq!(fs::read_to_string(old).unwrap(), "first\nsecond\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "third\n");
}

#[test]
fn a_file_from_before_the_start_keeps_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    fs::write(&path, "old\n").unwrap();
    fs::File::options().append(true).open(&path).unwrap().set_modified(at("2100-11-21T23:00:00Z")).unwrap();
    let now = at("2100-11-22T08:00:00Z");
    put(&mut daily(&path, now), "new\n", now);
    assert_eq!(fs::read_to_string(folder.path().join("nano.jsonl.2100-11-22T08-00-00.000")).unwrap(), "old\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
}

#[test]
fn rotations_within_a_millisecond_get_names_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    let now = at("2100-11-22T08:00:00Z");
    let policy = Policy { rotate: Rotate::Never, max_size: Some(1), keep: 10, compress: false };
    let mut file = LogFile::open(&path, policy, now).unwrap();
    for line in ["a\n", "b\n", "c\n"] {
        put(&mut file, line, now);
    }
    for (millis, text) in [("000", "a\n"), ("001", "b\n")] {
        let name = format!("nano.jsonl.2100-11-22T08-00-00.{millis}");
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
    }
}

#[test]
fn a_rotation_that_fails_goes_on_in_the_old_file_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs/nano.jsonl");
    fs::create_dir(folder.path().join("logs")).unwrap();
    let mut file = daily(&path, at("2100-11-21T10:00:00Z"));
    put(&mut file, "first\n", at("2100-11-21T10:00:00Z"));
    // Without its folder the file can be neither renamed nor opened anew, root or not.
    let moved = folder.path().join("moved");
    fs::rename(folder.path().join("logs"), &moved).unwrap();
    let notices = put(&mut file, "second\n", at("2100-11-22T10:00:00Z"));
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("going on in it"));
    assert!(put(&mut file, "third\n", at("2100-11-22T10:00:01Z")).is_empty());
    assert_eq!(fs::read_to_string(moved.join("nano.jsonl")).unwrap(), "first\nsecond\nthird\n");
}

#[test]
fn a_partly_written_line_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    let now = at("2100-11-21T10:00:00Z");
    let mut file = daily(&path, now);
    put(&mut file, "whole\n", now);
    file.write(b"par").unwrap();
    assert!(file.take_back(3));
    put(&mut file, "next\n", now);
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole\nnext\n");
}

#[test]
fn reopening_follows_a_file_that_was_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("nano.jsonl"), folder.path().join("nano.jsonl.1"));
    let (logs, _) = start(vec![file(&path)]);
    say(&logs, "one");
    assert!(logs.flush(LONG));
    fs::rename(&path, &moved).unwrap();
    logs.reopen();
    say(&logs, "two");
    assert!(logs.flush(LONG));
    assert_eq!((messages(&moved), messages(&path)), (vec!["one".to_owned()], vec!["two".to_owned()]));
}

#[test]
fn a_full_disk_counts_what_it_refuses_and_harms_no_other_sink() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    let (logs, metrics) = start(vec![file(Path::new("/dev/full")), file(&path)]);
    (0..10).for_each(|n| say(&logs, &format!("line {n}")));
    assert!(logs.flush(LONG));
    assert_eq!(metrics.lines_dropped("/dev/full", "write_error").get(), 10);
    assert_eq!(messages(&path).len(), 10);
}

#[test]
fn what_a_failing_disk_dropped_is_said_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let (logs, metrics) = start(vec![file(&path)]);
    (0..5).for_each(|n| say(&logs, &format!("lost {n}")));
    assert!(logs.flush(LONG));
    fs::remove_file(&path).unwrap();
    logs.reopen();
    say(&logs, "written");
    assert!(logs.flush(LONG));
    let name = path.display().to_string();
    assert_eq!(metrics.lines_dropped(&name, "write_error").get(), 5);
    let lines = lines(&path);
    assert_eq!(lines[0]["message"], "written");
    assert_eq!((&lines[1]["reason"], &lines[1]["lines"]), (&"write_error".into(), &5.into()));
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_blocked_sink_holds_up_nobody_and_its_overflow_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // A reader that never reads.
    let reader = fs::File::options().read(true).write(true).open(&path).unwrap();
    let (logs, metrics) = start(vec![file(&path)]);
    let long = "x".repeat(60 * 1024);
    (0..2000).for_each(|_| say(&logs, &long));
    let dropped = metrics.lines_dropped(&path.display().to_string(), "queue_full").get();
    assert!(dropped > 1000, "{dropped}");
    assert!(!logs.flush(Duration::from_millis(50)));
    drop(reader);
}

#[test]
fn an_app_s_quota_counts_and_says_what_it_drops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    let (logs, metrics) = start(vec![file(&path)]);
    let app = logs.app(&Arc::from("chatty"), AppLogPlan { level: Level::Info, max_lines: 0.001 });
    (0..10).for_each(|n| app.console(Level::Info, None, &format!("line {n}")));
    drop(app);
    assert!(logs.flush(LONG));
    assert_eq!(metrics.lines_dropped(&path.display().to_string(), "quota").get(), 9);
    let lines = lines(&path);
    assert_eq!((&lines[0]["kind"], &lines[0]["message"]), (&"console".into(), &"line 0".into()));
    assert_eq!(
        (&lines[1]["kind"], &lines[1]["app"], &lines[1]["lines"]),
        (&"gateway".into(), &"chatty".into(), &9.into())
    );
    assert_eq!(lines.len(), 2);
}

#[test]
fn levels_are_the_app_s_for_console_and_the_plan_s_for_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    let (logs, _) = start(vec![file(&path)]);
    let app = logs.app(&Arc::from("a"), AppLogPlan { level: Level::Debug, max_lines: 100.0 });
    app.console(Level::Debug, Some(&RequestId::new()), "app debug");
    logs.gateway(Level::Debug, None, None, "gateway debug");
    let quiet = logs.app(&Arc::from("b"), AppLogPlan { level: Level::Error, max_lines: 100.0 });
    quiet.console(Level::Warn, None, "app warn");
    logs.gateway(Level::Warn, None, None, "gateway warn");
    assert!(logs.flush(LONG));
    assert_eq!(messages(&path), ["app debug", "gateway warn"]);
}

#[test]
fn reconfiguring_swaps_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let (logs, _) = start(vec![file(&one)]);
    say(&logs, "a");
    let impossible = plan(vec![file(&two), file(Path::new("/nowhere/log"))]);
    assert!(logs.reconfigure(&impossible).is_err());
    say(&logs, "b");
    logs.reconfigure(&plan(vec![file(&two)])).unwrap();
    say(&logs, "c");
    assert!(logs.flush(LONG));
    logs.reconfigure(&LogPlan { level: Level::Error, ..plan(vec![file(&two), file(&one)]) }).unwrap();
    say(&logs, "below the level");
    logs.gateway(Level::Error, None, None, "d");
    assert!(logs.flush(LONG));
    assert_eq!(
        (messages(&one), messages(&two)),
        (vec!["a".into(), "b".into(), "d".into()], vec!["c".to_owned(), "d".into()])
    );
}

#[test]
fn tracing_events_become_gateway_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.jsonl");
    let (logs, _) = start(vec![file(&path)]);
    let subscriber = tracing_subscriber::registry().with(LogLayer::new(logs.clone()));
    tracing::subscriber::with_default(subscriber, || {
        tracing::warn!(app = "shop", request_id = %"r1", attempts = 3, why = ?"x\n", "gave up");
        tracing::info!(target: "h2::codec", "a dependency's chatter");
        tracing::debug!("below the level");
    });
    assert!(logs.flush(LONG));
    let lines = lines(&path);
    assert_eq!(lines.len(), 1);
    let mut line = lines[0].clone();
    line.as_object_mut().unwrap().remove("timestamp");
    let expected = serde_json::json!({
        "level": "warn", "kind": "gateway", "app": "shop", "request_id": "r1", "message": "gave up",
        "attempts": 3, "why": "\"x\\n\"",
    });
    assert_eq!(line, expected);
}
