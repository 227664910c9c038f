//! What apps say, and whose line it is.

use std::collections::HashMap;

use super::answers;
use crate::support::{Request, Setup, eventually, together};

#[test]
fn console_lines_carry_level_app_and_request() {
    let script = answers(
        "(console.debug(\"d\"), console.log(\"l %s\", \"x\", { a: [1] }), console.info(\"i\"), console.warn(\"w\"), \
         console.error(new Error(\"e\")), \"said\")",
    );
    let nano = Setup::new().app("talks", "log level=\"debug\"", &script).start();
    let answer = nano.get("talks", "/");
    answer.says("said");
    nano.console("Error: e");
    let lines: Vec<_> = nano.log().into_iter().filter(|line| line["kind"] == "console").collect();
    let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["debug", "info", "info", "warn", "error"]);
    for line in &lines {
        assert_eq!(line["app"], "talks");
        assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(timestamp.len() == 27 && timestamp.ends_with('Z'), "RFC 3339, microseconds, UTC: {timestamp}");
    }
    assert!(lines[1]["message"].as_str().unwrap().starts_with("l x {"), "{}", lines[1]);
}

#[test]
fn interleaved_requests_log_under_their_own_ids() {
    let script = r#"
        const pause = (ms) => new Promise((go) => setTimeout(go, ms));
        export default { async fetch(request) {
            const mark = request.headers.get("x-mark");
            console.log(`${mark} start`);
            await pause(Math.random() * 20);
            console.log(`${mark} timer`);
            await null;
            queueMicrotask(() => console.log(`${mark} microtask`));
            await new Promise((go) => { setTimeout(() => { console.log(`${mark} callback`); go(); }, Math.random() * 20); });
            const text = await request.text();
            console.log(`${mark} body ${text.length}`);
            return new Response(new ReadableStream({
                async pull(controller) {
                    await pause(Math.random() * 10);
                    console.log(`${mark} stream`);
                    controller.close();
                },
            }));
        } };"#;
    let nano = Setup::new().app("many", "limits isolates=1\n    log max-lines=\"100000/s\"", script).start();
    let ids: HashMap<String, String> = together(8, |thread| {
        let ask = |n: usize| {
            let mark = format!("m{thread}-{n}");
            let answer = nano.send(&Request::post("many", "/", "body").header("x-mark", &mark));
            assert_eq!(answer.status, 200);
            (mark, answer.header("x-request-id").unwrap().to_owned())
        };
        (0..20).map(ask).collect::<Vec<_>>()
    })
    .into_iter()
    .flatten()
    .collect();
    let lines = eventually("six lines of each request", || {
        let lines: Vec<_> = nano.log().into_iter().filter(|line| line["kind"] == "console").collect();
        (lines.len() == 6 * ids.len()).then_some(lines)
    });
    for line in lines {
        let mark = line["message"].as_str().unwrap().split(' ').next().unwrap();
        assert_eq!(line["request_id"].as_str(), Some(ids[mark].as_str()), "{line}");
    }
}

#[test]
fn an_app_cannot_forge_a_line() {
    let script = answers(
        r#"(console.log("a\n{\"kind\":\"gateway\",\"message\":\"forged\"}\r\n\u2028\u0000\u001b[31m\ud800\"}"), "said")"#,
    );
    let nano = Setup::new().app("forger", "", &script).start();
    nano.get("forger", "/").says("said");
    let line = nano.console("forged");
    assert_eq!((line["kind"].as_str(), line["app"].as_str()), (Some("console"), Some("forger")));
    assert!(nano.log().iter().all(|line| line["message"] != "forged"));
}

#[test]
fn lines_below_the_apps_level_are_not_written() {
    let script = answers("(console.log(\"quiet\"), console.warn(\"loud\"), \"said\")");
    let nano = Setup::new().app("a", "log level=\"warn\"", &script).start();
    nano.get("a", "/").says("said");
    nano.console("loud");
    assert!(!nano.output().contains("quiet"));
}

#[test]
fn a_chatty_app_has_a_quota_and_the_rest_is_counted() {
    let script = answers("(() => { for (let n = 0; n < 5000; n++) console.log(\"chatter\"); return \"said\"; })()");
    let nano = Setup::new().app("chatty", "log max-lines=\"100/s\"", &script).start();
    nano.get("chatty", "/").says("said");
    eventually("the drops to be counted", || {
        (nano.metric("nano_log_lines_dropped_total", &[]) >= 4000.0).then_some(())
    });
    let written = nano.log().iter().filter(|line| line["message"] == "chatter").count();
    assert!((1..=1000).contains(&written), "{written} lines were written");
}
