//! Innocent requests in an isolate that another request took down.

use crate::support::{Conn, Nano, Request, Setup, eventually};

/// `/spin` takes the isolate down; `/wait` waits for `/go` in the same isolate; `/write` has sent something outward.
const SCRIPT: &str = r#"
let go = false;
export default {
    async fetch(request, env, ctx) {
        switch (new URL(request.url).pathname) {
            case "/spin": for (;;) {}
            case "/go": go = true; return new Response("gone");
            case "/later": ctx.waitUntil(new Promise(() => {}));
        }
        console.log("waiting");
        while (!go) await new Promise((next) => setTimeout(next, 20));
        return new Response("waited");
    },
};
"#;

fn start(kdl: &str) -> Nano {
    let nano = Setup::new().app("a", &format!("limits cpu=\"150ms\" isolates=1\n    {kdl}"), SCRIPT).start();
    nano.get("a", "/go").says("gone");
    nano
}

/// Puts `request` into the isolate, takes that down, and gives back the connection the answer will come on.
fn struck(kdl: &str, request: &Request) -> (Nano, Conn) {
    let nano = Setup::new().app("a", &format!("limits cpu=\"150ms\" isolates=1\n    {kdl}"), SCRIPT).start();
    let mut innocent = nano.connect();
    innocent.write(request.bytes());
    nano.console("waiting");
    nano.post("a", "/spin", "").fails(503, "cpu_limit");
    (nano, innocent)
}

fn waits(nano: &Nano) -> usize {
    nano.log().iter().filter(|line| line["message"].as_str() == Some("waiting")).count()
}

#[test]
fn a_get_request_is_replayed_on_a_fresh_isolate() {
    let (nano, mut innocent) = struck("", &Request::get("a", "/wait"));
    eventually("the replay", || (waits(&nano) == 2).then_some(()));
    nano.get("a", "/go").says("gone");
    innocent.response().says("waited");
    assert_eq!(nano.metric("nano_replays_total", &[("app", "a")]), 1.0);
}

#[test]
fn a_post_request_is_not_replayed() {
    let (nano, mut innocent) = struck("", &Request::post("a", "/wait", "order"));
    innocent.response().fails(503, "isolate_lost");
    assert_eq!((waits(&nano), nano.metric("nano_replays_total", &[("app", "a")])), (1, 0.0));
}

#[test]
fn a_request_with_work_after_its_answer_is_not_replayed() {
    let (nano, mut innocent) = struck("", &Request::get("a", "/later"));
    innocent.response().fails(503, "isolate_lost");
    assert_eq!(nano.metric("nano_replays_total", &[("app", "a")]), 0.0);
}

#[test]
fn nothing_is_replayed_where_the_config_says_so() {
    let (nano, mut innocent) = struck("replay #false", &Request::get("a", "/wait"));
    innocent.response().fails(503, "isolate_lost");
    assert_eq!(nano.metric("nano_replays_total", &[("app", "a")]), 0.0);
}

#[test]
fn a_request_is_replayed_once_and_not_again() {
    let (nano, mut innocent) = struck("", &Request::get("a", "/wait"));
    eventually("the replay", || (waits(&nano) == 2).then_some(()));
    nano.post("a", "/spin", "").fails(503, "cpu_limit");
    innocent.response().fails(503, "isolate_lost");
}

#[test]
fn requests_still_in_the_queue_lose_nothing() {
    let nano = start("");
    let mut spinning = nano.connect();
    spinning.write(Request::post("a", "/spin", "").bytes());
    let answers = crate::support::together(8, |_| {
        let mut conn = nano.connect();
        conn.send(&Request::get("a", "/go"))
    });
    answers.iter().for_each(|answer| answer.says("gone"));
    spinning.response().fails(503, "cpu_limit");
}
