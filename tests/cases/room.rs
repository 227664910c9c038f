//! `memory-total`: what all apps may take together, who gives way, and who waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Nano, Request, Setup, eventually, together};

use super::answers;

/// Takes memory for as long as its isolate lives: five of these are more than 64 MiB.
const LARGE: &str = "(globalThis.kept ??= new Uint8Array(14 << 20).fill(1)).length >> 20";
const TOTAL: &str = "memory-total \"64MiB\"";

fn with_apps(names: &[&str], expression: &str) -> Setup {
    names
        .iter()
        .fold(Setup::new().config(TOTAL), |setup, app| setup.app(app, "limits isolates=1", &answers(expression)))
}

fn isolates(nano: &Nano, app: &str) -> f64 {
    nano.metric("nano_isolates", &[("app", app)])
}

/// The log has said that there is no room.
fn full(nano: &Nano) {
    nano.logged("that there is no room", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("no room for more isolates"))
    });
}

#[test]
fn more_apps_than_fit_are_served_by_turns() {
    let apps = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let nano = with_apps(&apps, LARGE).start();
    for _ in 0..3 {
        apps.iter().for_each(|app| nano.get(app, "/").says("14"));
    }
    let live: f64 = apps.iter().map(|app| isolates(&nano, app)).sum();
    assert!((2.0..=4.0).contains(&live), "{live} isolates of 15 MiB and more are live under 64 MiB");
    full(&nano);
}

/// The most that the isolates of all apps held while `work` ran, in MiB, as their metrics say it.
fn most_held(nano: &Nano, work: impl FnOnce()) -> f64 {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = 0_f64;
            while !over.load(Ordering::Relaxed) {
                let memory =
                    nano.metrics().into_iter().filter(|sample| sample.matches("nano_isolate_memory_bytes", &[]));
                most = most.max(memory.map(|sample| sample.value).sum());
                std::thread::sleep(Duration::from_millis(2));
            }
            most / f64::from(1 << 20)
        });
        work();
        over.store(true, Ordering::Relaxed);
        watching.join().unwrap()
    })
}

#[test]
fn apps_that_start_at_once_do_not_all_take_the_same_room() {
    let names: Vec<_> = (0..24).map(|number| format!("app{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let held = format!("{LARGE} && new Promise((done) => setTimeout(done, 300)).then(() => {LARGE})");
    let nano = with_apps(&names, &held).start();
    // The first time, nobody knows what they take.
    for most in [96.0, 84.0] {
        let held = most_held(&nano, || {
            let answers = together(names.len(), |number| nano.get(names[number], "/").text());
            assert!(answers.iter().all(|answer| answer == "14"), "{answers:?}");
        });
        assert!(held < most, "{held} MiB were taken of 64 MiB");
    }
}

#[test]
fn the_isolate_unused_for_longest_gives_way() {
    let nano = with_apps(&["old", "used", "other", "new"], LARGE).start();
    for app in ["used", "old", "other", "used", "other", "new"] {
        nano.get(app, "/").says("14");
    }
    eventually("the one unused for longest to end", || (isolates(&nano, "old") == 0.0).then_some(()));
    assert_eq!(isolates(&nano, "used") + isolates(&nano, "other"), 2.0);
}

#[test]
fn what_is_at_work_never_gives_way_and_the_others_wait() {
    let held = format!("new Promise((done) => setTimeout(done, 1500)).then(() => {LARGE})");
    let names = ["a", "b", "c", "d", "e", "f"];
    let nano = with_apps(&names, &format!("{LARGE} && {held}")).start();
    let answers = together(names.len(), |number| nano.get(names[number], "/").text());
    assert_eq!(answers, ["14"; 6]);
    for app in names {
        assert_eq!(nano.metric("nano_isolate_terminations_total", &[("app", app)]), 0.0);
    }
}

#[test]
fn a_request_waits_no_longer_than_its_wall_limit() {
    let busy = format!("{LARGE} && new Promise((done) => setTimeout(done, 4000)).then(() => 'done')");
    let nano = with_apps(&["a", "b", "c", "d"], &busy)
        .app("late", "limits wall=\"500ms\" isolates=1", &answers(LARGE))
        .app("queueless", "limits queue=0 isolates=1", &answers(LARGE))
        .start();
    let mut under_way: Vec<_> = ["a", "b", "c", "d"].map(|app| (app, nano.connect())).into();
    for (app, conn) in &mut under_way {
        conn.write(Request::get(app, "/").bytes());
    }
    eventually("them to have what room there is", || {
        (nano.metric("nano_isolates", &[("state", "busy")]) >= 4.0).then_some(())
    });
    full(&nano);
    eventually("all to be under way", || (nano.metric("nano_http_in_flight", &[]) == 4.0).then_some(()));
    nano.get("late", "/").fails(504, "timeout");
    nano.get("queueless", "/").fails(503, "overloaded");
    for (_, mut conn) in under_way {
        conn.response().says("done");
    }
}

#[test]
fn a_reload_makes_room() {
    let mut nano = with_apps(&["a", "b", "c", "d", "e", "f"], LARGE).start();
    for app in ["a", "b", "c", "d", "e", "f"] {
        nano.get(app, "/").says("14");
    }
    assert!(nano.change(|setup| setup.config("memory-total \"1GiB\"")));
    for app in ["a", "b", "c", "d", "e", "f"] {
        nano.get(app, "/").says("14");
    }
    let live: f64 = ["a", "b", "c", "d", "e", "f"].iter().map(|app| isolates(&nano, app)).sum();
    assert_eq!(live, 6.0);
}

#[test]
fn a_reload_that_finds_no_room_does_not_blame_the_code() {
    let busy = format!("{LARGE} && new Promise((done) => setTimeout(done, 9000)).then(() => 'done')");
    let names = ["a", "b", "c", "d"];
    let mut nano = with_apps(&names, &busy).start();
    let mut under_way = names.map(|app| (app, nano.connect()));
    for (app, conn) in &mut under_way {
        conn.write(Request::get(app, "/").bytes());
    }
    eventually("all to be at work", || {
        (nano.metric("nano_isolates", &[("state", "busy")]) == names.len() as f64).then_some(())
    });
    assert!(nano.change(|setup| setup.app("a", "limits isolates=1", &answers("'new'"))));
    let line = nano.logged("that the code could not be tried", |line| {
        line["app"] == "a" && line["message"].as_str().is_some_and(|text| text.contains("served as before"))
    });
    assert!(line["message"].as_str().unwrap().contains("no room for an isolate"), "{line}");
    for (_, conn) in &mut under_way {
        conn.response().says("done");
    }
    assert!(nano.reload());
    eventually("the new code", || (nano.get("a", "/").text() == "new").then_some(()));
}
