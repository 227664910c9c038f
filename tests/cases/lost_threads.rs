//! Threads that V8 does not give back, for they run builtins of its own that never look whether they are to end. Such a
//! thread costs its memory, and no CPU time.

use std::time::{Duration, Instant};

use super::limits::{bad, beside_a_neighbour};
use super::says;
use crate::support::{Nano, PATIENCE, Setup, eventually};

const LIMITS: &str = r#"cpu="100ms" wall="25s""#;
const ENDLESS: &str = "Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);";

/// Part of one core that a process at rest may take.
const REST: f64 = 0.3;

fn wait_for_rest(nano: &Nano) {
    eventually("nano to come to rest", || {
        let (before, began) = (nano.usage().cpu, Instant::now());
        std::thread::sleep(Duration::from_secs(1)); // what is measured is an interval
        let used = nano.usage().cpu - before;
        (used.as_secs_f64() < REST * began.elapsed().as_secs_f64()).then_some(())
    });
}

fn wait_until_parked(nano: &Nano) {
    nano.logged("the thread is parked", |line| line["message"].to_string().contains("the lost thread is parked"));
}

/// Checks that the client of `script` is answered, that its thread is parked, and that nano ends in order all the same.
#[track_caller]
fn is_parked(limits: &str, script: &str) -> Nano {
    let (mut nano, answer) = beside_a_neighbour(limits, script);
    answer.fails(503, "cpu_limit");
    wait_until_parked(&nano);
    wait_for_rest(&nano);
    assert_eq!(nano.metric("nano_lost_threads", &[]), 1.0);
    nano.lives();
    nano.get("neighbour", "/").says("unharmed");
    nano.get("bad", "/").says("fine");
    nano
}

#[track_caller]
fn is_parked_and_nano_ends(script: &str) {
    let mut nano = is_parked(LIMITS, script);
    assert_eq!(nano.term().code(), Some(0));
}

#[test]
fn a_search_from_the_end_is_parked() {
    is_parked_and_nano_ends(ENDLESS);
}

#[test]
fn a_search_from_the_start_is_parked() {
    is_parked_and_nano_ends("Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);");
    is_parked_and_nano_ends("Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);");
}

#[test]
fn a_reversal_is_parked() {
    is_parked_and_nano_ends("Array.prototype.reverse.call({ length: 2 ** 53 - 1 });");
}

#[test]
fn a_loop_over_nothing_is_parked() {
    is_parked_and_nano_ends("Array.prototype.forEach.call({ length: 2 ** 53 - 1 }, () => {});");
}

#[test]
fn elements_that_move_are_parked() {
    is_parked_and_nano_ends("Array.prototype.shift.call({ length: 2 ** 53 - 1 });");
    is_parked_and_nano_ends("Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1);");
}

#[test]
fn a_join_is_parked() {
    is_parked_and_nano_ends("Array.prototype.join.call({ length: 3e8 });");
}

#[test]
fn sorting_holes_is_parked() {
    is_parked_and_nano_ends("new Array(4294967295).sort();");
    is_parked_and_nano_ends("const array = []; array[4e9] = 1; array.sort();");
}

#[test]
fn filling_what_is_no_array_is_parked() {
    is_parked_and_nano_ends("Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 1);");
}

#[test]
fn a_text_without_end_is_parked() {
    is_parked_and_nano_ends("String.raw({ raw: { length: 2 ** 53 - 1 } });");
}

#[test]
fn memory_of_a_parked_thread_counts_for_its_app() {
    let script = format!("const kept = new Array(2 ** 24).fill(0.5); {ENDLESS}");
    let nano = is_parked(r#"cpu="2s" wall="25s" memory="1GiB""#, &script);
    assert!(nano.metric("nano_isolate_memory_bytes", &[("app", "bad")]) > f64::from(100 << 20));
}

/// In C++, between an object and the next: parked, or at its end soon.
#[test]
fn arrays_too_large_for_a_list_come_to_rest() {
    for script in [
        "new Array(2 ** 27).fill(0).map((element) => element);",
        "new Array(2 ** 27).fill(0).slice();",
        "const array = new Array(2 ** 26).fill(0); array.concat(array);",
    ] {
        let (mut nano, answer) = beside_a_neighbour(LIMITS, script);
        assert_eq!(answer.status, 503, "{}", answer.text());
        wait_for_rest(&nano);
        nano.lives();
        assert_eq!(nano.term().code(), Some(0));
    }
}

#[test]
fn a_thread_that_comes_back_late_is_not_parked() {
    let script = r#"JSON.parse("[" + "1,".repeat(2e7) + "1]");"#;
    let (nano, answer) = beside_a_neighbour(r#"cpu="50ms" memory="1GiB" wall="25s""#, script);
    answer.fails(503, "cpu_limit");
    eventually("the thread to come back", || (nano.metric("nano_lost_threads", &[]) == 0.0).then_some(()));
    assert!(!nano.output().contains("is parked"));
}

#[test]
fn a_client_does_not_wait_for_its_lost_thread() {
    let start = Instant::now();
    let (nano, answer) = beside_a_neighbour(r#"cpu="100ms""#, ENDLESS);
    answer.fails(503, "cpu_limit");
    assert!(start.elapsed() < PATIENCE);
    let access = nano.access_of(&answer);
    assert!(access["cpu_ms"].as_f64().is_some_and(|cpu| cpu >= 90.0), "its CPU time was counted: {access}");
    eventually("the lost thread to be counted", || (nano.metric("nano_lost_threads", &[]) == 1.0).then_some(()));
}

#[test]
fn an_app_with_a_parked_thread_can_be_reloaded_and_removed() {
    let mut nano = is_parked(LIMITS, ENDLESS);
    assert!(nano.change(|setup| setup.app("bad", "", &says("mended"))));
    nano.get("bad", "/").says("mended");
    assert!(nano.change(|setup| setup.without("bad")));
    nano.get("bad", "/").fails(404, "no_route");
    nano.get("neighbour", "/").says("unharmed");
    assert_eq!(nano.term().code(), Some(0));
}

#[test]
fn too_many_lost_threads_end_the_process_in_order() {
    let mut nano = Setup::new()
        .config("lost-threads 1\ndrain \"2s\"\n")
        .app("bad", r#"limits cpu="50ms" isolates=1"#, &bad(ENDLESS))
        .app("neighbour", "", &says("unharmed"))
        .start();
    nano.post("bad", "/", "").fails(503, "cpu_limit");
    nano.get("neighbour", "/").says("unharmed");
    wait_until_parked(&nano);
    eventually("a fresh isolate", || (nano.get("bad", "/").text() == "fine").then_some(()));
    nano.post("bad", "/", "").fails(503, "cpu_limit");
    assert_eq!(nano.wait().code(), Some(70), "the service manager is to start it again");
}

#[test]
fn lost_threads_that_keep_too_much_end_the_process_too() {
    let script = format!("const kept = new Array(2 ** 24).fill(0.5); {ENDLESS}");
    let mut nano = Setup::new()
        .config("memory-total \"400MiB\"\ndrain \"2s\"\n")
        .app("bad", r#"limits cpu="1s" memory="256MiB" isolates=1"#, &bad(&script))
        .start();
    nano.post("bad", "/", "").fails(503, "cpu_limit");
    assert_eq!(nano.wait().code(), Some(70), "the service manager is to start it again");
}
