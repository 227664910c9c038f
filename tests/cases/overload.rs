//! More requests than an app may have at once, and an app that fails too often.

use super::limits::bad;
use super::{answers, says};
use crate::support::{Conn, Nano, Request, Setup, eventually, together};

/// Long enough for a test to look at what happens meanwhile.
const HELD: &str = "new Promise((done) => setTimeout(() => done(\"held\"), 3000))";

fn in_flight(nano: &Nano, app: &str, count: f64) {
    eventually("the requests to be under way", || {
        (nano.metric("nano_http_in_flight", &[("app", app)]) == count).then_some(())
    });
}

#[test]
fn what_the_queue_does_not_hold_is_refused_at_once() {
    let nano = Setup::new()
        .app("held", r#"limits concurrency=1 queue=1 isolates=1"#, &answers(HELD))
        .app("neighbour", "", &says("unharmed"))
        .start();
    let mut waiting = [nano.connect(), nano.connect()];
    for conn in &mut waiting {
        conn.write(Request::get("held", "/").bytes());
    }
    in_flight(&nano, "held", 2.0);
    let refused = nano.get("held", "/");
    refused.fails(503, "overloaded");
    let seconds = refused.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "Retry-After says when to come again");
    nano.get("neighbour", "/").says("unharmed");
    for conn in &mut waiting {
        conn.response().says("held");
    }
}

#[test]
fn the_wall_limit_counts_the_time_in_the_queue() {
    let limits = r#"limits concurrency=1 queue=10 isolates=1 wall="1500ms""#;
    let nano = Setup::new().app("held", limits, &answers("new Promise(() => {})")).start();
    let codes = together(3, |_| nano.get("held", "/").outcome());
    assert!(codes.iter().all(|outcome| *outcome == (504, "timeout".into())), "{codes:?}");
}

/// Each is at work for a while without pause, so most begin only when their wall time is nearly over.
#[test]
fn requests_that_begin_late_are_no_fault_of_their_app() {
    let works = "const end = performance.now() + 180; while (performance.now() < end);";
    let script = format!("export default {{ fetch() {{ {works} return new Response(\"done\"); }} }};");
    let nano = Setup::new().app("busy", r#"limits isolates=1 wall="500ms" queue=1000"#, &script).start();
    nano.get("busy", "/").says("done");
    let outcomes: Vec<_> = together(24, |_| [(); 3].map(|()| nano.get("busy", "/").outcome())).concat();
    let done = outcomes.iter().filter(|(status, _)| *status == 200).count();
    assert!(done > 0, "{outcomes:?}");
    let late = outcomes.iter().filter(|outcome| **outcome == (504, "timeout".into())).count();
    assert_eq!(done + late, outcomes.len(), "{outcomes:?}");
    assert_eq!(nano.metric("nano_isolate_terminations_total", &[("app", "busy")]), 0.0);
    eventually("the app to keep up again", || (nano.get("busy", "/").text() == "done").then_some(()));
}

#[test]
fn concurrent_requests_share_an_isolate_up_to_its_concurrency_and_then_start_another() {
    let script = "let here = 0; export default { async fetch() { const most = ++here; \
                  await new Promise((go) => setTimeout(go, 300)); here--; return new Response(String(most)); } };";
    let nano = Setup::new().app("a", "limits concurrency=4 isolates=2", script).start();
    let most = together(8, |_| nano.get("a", "/").text().parse::<u32>().unwrap()).into_iter().max();
    assert!(most <= Some(4), "{most:?} requests were in one isolate at once");
    let isolates: f64 = nano.metric("nano_isolates", &[("app", "a")]);
    assert_eq!(isolates, 2.0);
}

#[test]
fn an_isolate_whose_first_client_left_goes_on_starting() {
    let waits = "await new Promise((done) => setTimeout(done, 2000));\n".to_owned() + &says("there");
    let nano = Setup::new().app("slow", "", &waits).start();
    let isolates = |state| nano.metric("nano_isolates", &[("app", "slow"), ("state", state)]);
    let mut conn = nano.connect();
    conn.write(Request::get("slow", "/").bytes());
    in_flight(&nano, "slow", 1.0);
    drop(conn);
    in_flight(&nano, "slow", 0.0);
    std::thread::sleep(std::time::Duration::from_millis(100)); // nothing to poll for: it must not change
    assert_eq!((isolates("starting"), isolates("idle")), (1.0, 0.0));
    nano.get("slow", "/").says("there");
    eventually("it to have nothing to do", || (isolates("idle") == 1.0).then_some(()));
}

#[test]
fn an_isolate_that_is_asked_now_and_then_is_not_idle() {
    let counts = "let count = 0;\nexport default { fetch: () => new Response(String(++count)) };";
    let nano = Setup::new().app("a", r#"idle "2s""#, counts).start();
    for count in 1..=16 {
        nano.get("a", "/").says(&count.to_string());
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn an_unused_isolate_is_given_back_and_started_again_when_needed() {
    let nano = Setup::new().app("a", r#"idle "300ms""#, &says("a")).start();
    nano.get("a", "/").says("a");
    eventually("the isolate to end", || (nano.metric("nano_isolates", &[("app", "a")]) == 0.0).then_some(()));
    nano.get("a", "/").says("a");
    assert_eq!(nano.metric("nano_isolate_starts_total", &[("app", "a")]), 2.0);
}

#[test]
fn an_app_that_hits_its_limits_again_and_again_pauses_and_comes_back() {
    let nano = Setup::new()
        .app("bad", r#"limits cpu="30ms" isolates=1"#, &bad("for (;;) {}"))
        .app("neighbour", "", &says("unharmed"))
        .start();
    let stopped = eventually("the app to be stopped", || {
        let answer = nano.post("bad", "/", "");
        (answer.code() != "cpu_limit").then_some(answer)
    });
    stopped.fails(503, "app_stopped");
    assert!(stopped.header("retry-after").is_some());
    assert!(nano.metric("nano_errors_total", &[("app", "bad"), ("code", "cpu_limit")]) >= 10.0);
    nano.get("neighbour", "/").says("unharmed");
    eventually("the app to come back", || (nano.get("bad", "/").text() == "fine").then_some(()));
}

#[test]
fn an_app_that_throws_is_never_stopped() {
    let nano = Setup::new().app("bad", "", &bad("throw new Error(\"boom\");")).start();
    for _ in 0..40 {
        nano.post("bad", "/", "").fails(500, "app_error");
    }
    nano.get("bad", "/").says("fine");
}

#[test]
fn an_app_that_loses_three_workers_pauses() {
    let script = bad("Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);");
    let nano = Setup::new().app("bad", r#"limits cpu="30ms" isolates=1"#, &script).start();
    let stopped = eventually("the app to be stopped", || {
        let answer = nano.post("bad", "/", "");
        (answer.code() != "cpu_limit").then_some(answer)
    });
    stopped.fails(503, "app_stopped");
    assert_eq!(nano.metric("nano_lost_threads", &[]), 3.0);
}

#[test]
fn an_app_whose_clients_do_not_take_its_answers_gets_no_more_requests() {
    let nano = Setup::new()
        .app("large", r#"limits memory="32MiB" isolates=1"#, &answers("\"x\".repeat(12 << 20)"))
        .app("neighbour", "", &says("unharmed"))
        .start();
    let mut slow: Vec<Conn> = (0..3).map(|_| nano.connect()).collect();
    for (count, conn) in slow.iter_mut().enumerate() {
        conn.write(Request::get("large", "/").bytes());
        in_flight(&nano, "large", (count + 1) as f64);
    }
    let refused = eventually("the account to be full", || {
        let answer = nano.get("large", "/");
        (answer.status != 200).then_some(answer)
    });
    refused.fails(503, "overloaded");
    assert!(refused.header("retry-after").is_some());
    nano.get("neighbour", "/").says("unharmed");
    drop(slow);
    eventually("the app to be asked again", || (nano.get("large", "/").status == 200).then_some(()));
}

#[test]
fn without_file_descriptors_connections_wait_until_there_are_some() {
    let nano = Setup::new().app("a", "", &says("a")).start();
    nano.get("a", "/").says("a");
    let mut kept = nano.connect();
    kept.send(&Request::get("a", "/")).says("a");
    nano.limit_files(nano.usage().files as u64 + 3);
    let mut conns: Vec<Conn> = (0..12).map(|_| nano.connect()).collect();
    for conn in &mut conns {
        conn.write(Request::get("a", "/").bytes());
    }
    nano.logged("that files are short", |line| {
        line["kind"] == "gateway" && line["message"].to_string().contains("open files")
    });
    for _ in 0..20 {
        kept.send(&Request::get("a", "/")).says("a");
    }
    let used = nano.usage().cpu;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let spent = nano.usage().cpu - used;
    assert!(spent.as_millis() < 500, "accepting is tried again after a pause, not in a loop that took {spent:?}");
    for mut conn in conns {
        conn.response().says("a"); // and closes: the next one's turn
    }
}
