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

/// What a script writes to its console, a line each: level and message.
#[track_caller]
fn written(script: &str) -> Vec<String> {
    let script = answers(&format!("(() => {{ {script}; console.log(\"the end\"); return \"said\"; }})()"));
    let nano = Setup::new().app("talks", "log level=\"debug\"", &script).start();
    nano.get("talks", "/").says("said");
    nano.console("the end");
    let lines = nano.log().into_iter().filter(|line| line["kind"] == "console");
    let mut lines: Vec<_> = lines
        .map(|line| format!("{} {}", line["level"].as_str().unwrap(), line["message"].as_str().unwrap()))
        .collect();
    lines.pop();
    lines
}

#[test]
fn format_specifiers_stand_for_the_arguments() {
    let lines = written(
        r#"
        console.log("%s|%s|%s|%s", "a", 1, null, Symbol("s"), "rest", 2);
        console.log("%d|%i|%f|%d|%i|%d", "12.7px", -3.9, "1.5e1x", {}, Symbol(), 9n);
        console.log("%o|%O", [1], { a: { b: 2 } });
        console.log("%cstyled%c %% %x %", "color: red", "", "kept");
        console.log("%s %s", "one");
        console.log("100%");
        console.log(1, "%s", "x");
        console.warn("%s", "w");
        "#,
    );
    assert_eq!(
        lines,
        [
            "info a|1|null|Symbol(s) rest 2",
            "info 12|-3|15|NaN|NaN|9n",
            "info [ 1 ]|{ a: { b: 2 } }",
            "info styled % %x % kept",
            "info one %s",
            "info 100%",
            "info 1 %s x",
            "warn w",
        ]
    );
}

#[test]
fn what_a_listener_prevents_is_not_logged() {
    let script = r#"
        addEventListener("error", (event) => event.error === "prevented" && event.preventDefault());
        onunhandledrejection = (event) => event.reason !== "prevented";
        export default {
          async fetch() {
            for (const value of ["prevented", "logged"]) {
              setTimeout(() => { throw value; });
              Promise.reject(value);
            }
            await new Promise((done) => setTimeout(done, 20));
            console.log("the end");
            return new Response("said");
          },
        };
    "#;
    let nano = Setup::new().app("talks", "", script).start();
    nano.get("talks", "/").says("said");
    nano.console("the end");
    let lines: Vec<_> = nano.log().into_iter().filter(|line| line["kind"] == "console").collect();
    let texts: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(texts, ["unhandled rejection: logged", "uncaught: logged", "the end"]);
    assert!(lines.iter().all(|line| line["request_id"].is_string()), "{lines:?}");
}

#[test]
fn a_large_array_costs_what_is_shown_of_it() {
    let script = answers(
        "(() => { const list = new Array(4e6).fill(0); list.name = \"n\"; console.log(list); \
         console.log(new Uint8Array(4e6)); return \"said\"; })()",
    );
    let nano = Setup::new().app("talks", "limits memory=\"64MiB\"", &script).start();
    nano.get("talks", "/").says("said");
    nano.console("Uint8Array(4000000)");
    let lines: Vec<_> = nano.log().into_iter().filter(|line| line["kind"] == "console").collect();
    let list = lines[0]["message"].as_str().unwrap();
    assert!(list.contains("… 3999900 more") && list.contains("name: \"n\""), "{list}");
}

#[test]
fn every_method_of_the_console_writes_its_line() {
    let lines = written(
        r#"
        console.assert(true, "not this");
        console.assert(false);
        console.assert(0, "n is %d", 3);
        console.assert(null, { a: 1 });
        console.count(); console.count("x"); console.count(); console.countReset(); console.count();
        console.countReset("none");
        console.dir({ a: { b: {} } }, { depth: 0 });
        console.dirxml("a", [1]);
        console.log(); console.group(); console.groupEnd();
        console.timeLog("none"); console.timeEnd("none");
        console.table([{ a: 1, b: "x" }, { b: 2 }]);
        console.table([{ a: 1, b: "x" }], ["b"]);
        console.table(["p", "q"]);
        console.table("plain");
        try { console.table([], 1); } catch (error) { console.log(error.name); }
        "#,
    );
    assert_eq!(
        lines,
        [
            "error Assertion failed",
            "error Assertion failed: n is 3",
            "error Assertion failed { a: 1 }",
            "info default: 1",
            "info x: 1",
            "info default: 2",
            "info default: 1",
            "warn Count for \"none\" does not exist",
            "info { a: [Object] }",
            "info a [ 1 ]",
            "warn Timer \"none\" does not exist",
            "warn Timer \"none\" does not exist",
            "info (index) | a | b\n0       | 1 | \"x\"\n1       |   | 2",
            "info (index) | b\n0       | \"x\"",
            "info (index) | Values\n0       | \"p\"\n1       | \"q\"",
            "info plain",
            "info TypeError",
        ]
    );
}

#[test]
fn timers_of_the_console_say_how_long_it_took() {
    let lines = written(
        r#"console.time("t"); console.time("t"); console.timeLog("t", "%s", { a: 1 }); console.timeEnd("t"); console.trace("at %s", "x")"#,
    );
    assert_eq!(lines[0], "warn Timer \"t\" already exists");
    assert!(lines[1].starts_with("info t: ") && lines[1].ends_with("ms %s { a: 1 }"), "{}", lines[1]);
    assert!(lines[2].starts_with("info t: ") && lines[2].ends_with("ms"), "{}", lines[2]);
    assert!(lines[3].starts_with("info Trace: at x\n    at ") && lines[3].contains("index.js"), "{}", lines[3]);
}

#[test]
fn groups_indent_what_is_in_them_and_end_with_their_request() {
    let script = answers(
        r#"(console.group("outer"), console.groupCollapsed("inner"), console.warn("deep\nline"), console.groupEnd(),
            console.log("shallow"), "said")"#,
    );
    let nano = Setup::new().app("groups", "limits isolates=1", &script).start();
    for _ in 0..2 {
        nano.get("groups", "/").says("said");
    }
    let lines = eventually("both requests' lines", || {
        let lines: Vec<_> = nano.log().into_iter().filter(|line| line["kind"] == "console").collect();
        (lines.len() == 8).then_some(lines)
    });
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let once = ["outer", "  inner", "    deep\n    line", "  shallow"];
    assert_eq!(messages, [once, once].concat());
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
    nano.console("chatter");
    let written = nano.log().iter().filter(|line| line["message"] == "chatter").count();
    assert!((1..=1000).contains(&written), "{written} lines were written");
}
