//! CPU and wall time. Whatever one app does, its neighbour's answers stay as they are and the process lives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{answers, says};
use crate::support::{Nano, Response, Setup, eventually};

/// An app that is fine, but for POST requests, which run `bad`.
pub(super) fn bad(bad: &str) -> String {
    format!(
        "export default {{\n  async fetch(request) {{\n    if (request.method !== \"POST\") return new Response(\"fine\");\n    \
         {bad}\n    return new Response(\"survived\");\n  }},\n}};\n"
    )
}

/// Runs `script` as [`bad`] beside a neighbour who is asked all the while, checks that both answer afterwards and
/// that it is the same process, and returns what the bad request got.
#[track_caller]
pub(super) fn beside_a_neighbour(limits: &str, script: &str) -> (Nano, Response) {
    let nano = Setup::new()
        .app("bad", &format!("limits isolates=1 {limits}"), &bad(script))
        .app("neighbour", "", &says("unharmed"))
        .start();
    nano.get("bad", "/").says("fine");
    nano.get("neighbour", "/").says("unharmed");
    let over = AtomicBool::new(false);
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                nano.get("neighbour", "/").says("unharmed");
                // A neighbour that takes a whole core, and another test's the other, would leave none to a long turn.
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let answer = nano.post("bad", "/", "");
        over.store(true, Ordering::Relaxed);
        asking.join().expect("the neighbour is unharmed");
        answer
    });
    let mut nano = nano;
    nano.lives();
    eventually("the app to answer again", || (nano.get("bad", "/").text() == "fine").then_some(()));
    nano.get("neighbour", "/").says("unharmed");
    (nano, answer)
}

/// Checks that `script` is ended in the middle of a turn, and the isolate with it: other requests' microtasks are gone.
#[track_caller]
fn ends_by_cpu_limit(script: &str) {
    let nano = is_over_its_cpu_time(script);
    assert_eq!(nano.metric("nano_isolate_terminations_total", &[("app", "bad"), ("reason", "cpu_limit")]), 1.0);
}

#[track_caller]
fn is_over_its_cpu_time(script: &str) -> Nano {
    let (nano, answer) = beside_a_neighbour(r#"cpu="100ms""#, script);
    answer.fails(503, "cpu_limit");
    let access = nano.access_of(&answer);
    assert_eq!((access["status"].as_u64(), access["error"].as_str()), (Some(503), Some("cpu_limit")));
    assert!(access["cpu_ms"].as_f64().is_some_and(|cpu| cpu >= 90.0), "its CPU time was counted: {access}");
    assert_eq!(nano.metric("nano_errors_total", &[("app", "bad"), ("code", "cpu_limit")]), 1.0);
    assert_eq!(nano.metric("nano_errors_total", &[("app", "neighbour")]), 0.0);
    nano
}

#[test]
fn an_infinite_loop_ends() {
    ends_by_cpu_limit("for (;;) {}");
}

/// V8 has a loop of its own in there, to fill the array, and took the check of the outer one for that one's.
#[test]
fn an_infinite_loop_around_arrays_of_a_fixed_length_gives_its_thread_back() {
    let nano = is_over_its_cpu_time("const kept = []; for (let n = 0; ; n = (n + 1) % 500) kept[n] = new Array(1000);");
    assert_eq!(nano.metric("nano_lost_threads", &[]), 0.0);
}

#[test]
fn an_infinite_loop_that_catches_everything_ends() {
    ends_by_cpu_limit("for (;;) { try { for (;;) {} } catch {} finally { continue; } }");
}

#[test]
fn a_catastrophic_regular_expression_ends() {
    ends_by_cpu_limit(r#"/^(a+)+$/.test("a".repeat(64) + "b");"#);
}

#[test]
fn a_flood_of_promises_ends() {
    ends_by_cpu_limit("const again = () => Promise.resolve().then(again); await again();");
}

#[test]
fn a_flood_of_awaits_that_catch_everything_ends() {
    ends_by_cpu_limit("for (;;) { try { await null; } catch {} }");
}

/// Many short turns: the request is over, and its timers with it, but no turn had to be ended, so the isolate lives.
#[test]
fn a_flood_of_timers_ends() {
    let nano = is_over_its_cpu_time(
        "for (let n = 0; n < 500; n++) setTimeout(function again() { for (let i = 0; i < 1e4; i++); \
         setTimeout(again, 0); }, 0); await new Promise(() => {});",
    );
    assert_eq!(nano.metric("nano_isolate_terminations_total", &[("app", "bad")]), 0.0);
    let used = || nano.metric("nano_cpu_seconds_total", &[("app", "bad")]);
    let after = used();
    std::thread::sleep(Duration::from_millis(500));
    assert!(used() - after < 0.1, "its timers are gone");
}

#[test]
fn the_cpu_time_of_timers_that_no_request_set_is_the_apps() {
    let works = "const end = performance.now() + 30; while (performance.now() < end);";
    let script = format!("setInterval(() => {{ {works} }}, 50);\n") + &says("a");
    let nano = Setup::new().app("a", "", &script).start();
    nano.get("a", "/").says("a");
    eventually("it to be counted", || (nano.metric("nano_cpu_seconds_total", &[("app", "a")]) > 0.5).then_some(()));
}

#[test]
fn a_loop_in_a_microtask_ends() {
    ends_by_cpu_limit("queueMicrotask(() => { for (;;) {} }); await new Promise(() => {});");
}

#[test]
fn a_loop_in_a_getter_the_gateway_reads_ends() {
    ends_by_cpu_limit(r#"return new Response("", { get status() { for (;;) {} } });"#);
}

#[test]
fn a_loop_in_a_stream_ends_and_cuts_the_response() {
    let (nano, answer) = beside_a_neighbour(
        r#"cpu="100ms""#,
        "return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(10)); }, \
         async pull() { await new Promise((go) => setTimeout(go, 50)); for (;;) {} } }));",
    );
    assert_eq!((answer.status, answer.cut), (200, true));
    assert_eq!(nano.access_of(&answer)["error"], "cpu_limit");
}

#[test]
fn a_long_digest_ends_in_the_middle() {
    let nano = is_over_its_cpu_time(
        "const data = new Uint8Array(96 << 20);\n    for (;;) await crypto.subtle.digest(\"SHA-512\", data);",
    );
    // Whole, it would take longer than the watchdog waits before it gives a thread up.
    assert!(!nano.output().contains("a thread is lost"));
}

#[test]
fn the_cpu_limit_counts_cpu_time_and_not_waiting() {
    let wait = "new Promise((done) => setTimeout(() => done(\"rested\"), 400))";
    let nano = Setup::new().app("patient", r#"limits cpu="100ms""#, &answers(wait)).start();
    nano.get("patient", "/").says("rested");
}

#[test]
fn cpu_time_is_counted_over_all_turns_of_a_request() {
    let (_, answer) = beside_a_neighbour(
        r#"cpu="200ms""#,
        "for (let n = 0; n < 200; n++) { const end = performance.now() + 20; while (performance.now() < end); \
         await new Promise((go) => setTimeout(go, 1)); }",
    );
    answer.fails(503, "cpu_limit");
}

#[test]
fn one_request_does_not_pay_for_the_cpu_time_of_another() {
    let script = "export default { async fetch() { for (let n = 0; n < 3; n++) { \
                  for (let i = 0; i < 1e6; i++); await new Promise((go) => setTimeout(go, 10)); } \
                  return new Response(\"paid\"); } };";
    let nano = Setup::new().app("many", r#"limits cpu="500ms" isolates=1 concurrency=64"#, script).start();
    for texts in crate::support::together(8, |_| (0..40).map(|_| nano.get("many", "/").text()).collect::<Vec<_>>()) {
        assert!(texts.iter().all(|text| text == "paid"), "{texts:?}");
    }
}

#[test]
fn an_answer_that_never_comes_is_given_up_by_the_wall_limit() {
    let (nano, answer) = beside_a_neighbour(r#"wall="500ms""#, "await new Promise(() => {});");
    answer.fails(504, "timeout");
    assert_eq!(nano.access_of(&answer)["error"], "timeout");
}

#[test]
fn the_wall_limit_ends_a_running_turn_too() {
    let (_, answer) = beside_a_neighbour(r#"wall="500ms" cpu="1h""#, "for (;;) {}");
    answer.fails(504, "timeout");
}

#[test]
fn the_wall_limit_ends_with_the_response_head() {
    let slow = r#"export default { fetch: () => new Response(new ReadableStream({
        async start(controller) {
            for (let n = 0; n < 10; n++) {
                controller.enqueue(new TextEncoder().encode(String(n)));
                await new Promise((go) => setTimeout(go, 100));
            }
            controller.close();
        },
    })) };"#;
    let nano = Setup::new().app("slow", r#"limits wall="500ms""#, slow).start();
    nano.get("slow", "/").says("0123456789");
}

#[test]
fn atomics_wait_cannot_block_a_worker() {
    let script = r#"(() => {
        const outcome = (attempt) => { try { return attempt(); } catch (error) { return "refused"; } };
        return [
            typeof SharedArrayBuffer,
            outcome(() => Atomics.wait(new Int32Array(new ArrayBuffer(8)), 0, 0)),
            outcome(() => {
                const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
                return Atomics.wait(new Int32Array(memory.buffer), 0, 0);
            }),
        ].join(" ");
    })()"#;
    let nano = Setup::new().app("a", "", &answers(script)).start();
    nano.get("a", "/").says("undefined refused refused");
}

#[test]
fn an_app_that_throws_fails_alone_and_goes_on() {
    for script in [
        "throw new Error(\"boom\");",
        "await Promise.reject(7);",
        "return 7;",
        "return;",
        "null.x;",
        "throw undefined;",
    ] {
        let (nano, answer) = beside_a_neighbour("", script);
        answer.fails(500, "app_error");
        assert_eq!(answer.json()["error"]["app"], "bad");
        assert_eq!(nano.metric("nano_isolate_terminations_total", &[("app", "bad")]), 0.0, "{script}");
    }
}

#[test]
fn endless_recursion_is_the_apps_own_error() {
    let (_, answer) = beside_a_neighbour("", "const deeper = () => deeper() + 1; deeper();");
    answer.fails(500, "app_error");
}

#[test]
fn wait_until_goes_on_after_the_answer_but_not_for_ever() {
    let script = r#"export default { fetch(request, env, ctx) {
        ctx.waitUntil(new Promise((done) => setTimeout(() => { console.log("done later"); done(); }, 200)));
        ctx.waitUntil(new Promise((done) => setTimeout(() => { console.log("too late"); done(); }, 1500)));
        return new Response("first");
    } };"#;
    let nano = Setup::new().app("later", r#"limits wait-until="700ms""#, script).start();
    let answer = nano.get("later", "/");
    answer.says("first");
    assert_eq!(nano.console("done later")["request_id"].as_str(), answer.header("x-request-id"));
    std::thread::sleep(Duration::from_secs(2)); // nothing to poll for: the line must not come
    assert!(!nano.output().contains("too late"));
}
