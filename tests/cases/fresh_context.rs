//! `context "fresh"`: a global scope for every request.

use std::time::Duration;

use super::answers;
use crate::support::{Nano, Request, Setup, Upstream, ok};

fn fresh(kdl: &str, script: &str) -> Nano {
    Setup::new().app("a", &format!("context \"fresh\"\n{kdl}"), script).start()
}

#[test]
fn nothing_is_left_of_the_request_before() {
    let script = r#"
        let count = 0;
        const patched = Array.prototype.map;
        export default { fetch() {
            const seen = [++count, typeof globalThis.left, Array.prototype.map === patched, "tagged" in Object.prototype];
            globalThis.left = true;
            Array.prototype.map = null;
            Object.prototype.tagged = true;
            Response.prototype.constructor = null;
            return new Response(seen.join());
        } };"#;
    let nano = fresh("", script);
    for _ in 0..20 {
        nano.get("a", "/").says("1,undefined,true,false");
    }
    let shared = Setup::new().app("a", "context \"shared\"; limits isolates=1", script).start();
    shared.get("a", "/").says("1,undefined,true,false");
    shared.get("a", "/").says("2,boolean,false,true");
}

#[test]
fn requests_at_once_share_no_globals_and_keep_their_own_over_time() {
    let script = answers(
        "(globalThis.mine = url.pathname, await new Promise((go) => setTimeout(go, 100)), globalThis.mine + (globalThis.n = (globalThis.n ?? 0) + 1))",
    );
    let nano = fresh("limits isolates=1", &script);
    std::thread::scope(|scope| {
        for n in 0..16 {
            let nano = &nano;
            scope.spawn(move || nano.get("a", &format!("/{n}")).says(&format!("/{n}1")));
        }
    });
}

#[test]
fn requests_at_once_get_what_each_has_fetched() {
    let upstream = Upstream::answering(|asked| {
        std::thread::sleep(Duration::from_millis(100));
        ok("", &asked.target)
    });
    let script = answers(&format!("(await fetch({:?} + url.pathname)).text()", upstream.url("")));
    let nano = fresh("limits isolates=1\nfetch { allow \"127.0.0.0/8\"; }", &script);
    std::thread::scope(|scope| {
        for n in 0..16 {
            let nano = &nano;
            scope.spawn(move || nano.get("a", &format!("/{n}")).says(&format!("/{n}")));
        }
    });
}

#[test]
fn modules_are_evaluated_for_each_request_whatever_their_kind() {
    let script = r#"
        import data from "./data.json" with { type: "json" };
        import { count } from "./lib.js";
        await new Promise((go) => setTimeout(go, 5));
        data.list.push("x");
        export default { async fetch() {
            const { count: again } = await import("./lib.js");
            return new Response([data.list.length, count(), again(), import.meta.url].join());
        } };"#;
    let lib = format!("let n = 0;\nexport const count = () => ++n;\n// {}\n", "long ".repeat(1000));
    let nano = Setup::new()
        .app("a", "context \"fresh\"", script)
        .file("a/lib.js", lib)
        .file("a/data.json", r#"{"list": []}"#)
        .start();
    for _ in 0..5 {
        nano.get("a", "/").says("1,1,2,file:///index.js");
    }
}

#[test]
fn streams_bodies_and_wait_until_work_in_a_scope_of_their_own() {
    let script = r#"
        export default { async fetch(request, env, ctx) {
            globalThis.late = request.url;
            ctx.waitUntil(new Promise((go) => setTimeout(go, 30)).then(() => console.log(`late ${globalThis.late}`)));
            const text = await request.text();
            let n = 0;
            return new Response(new ReadableStream({ async pull(controller) {
                await new Promise((go) => setTimeout(go, 1));
                if (n++ === 3) controller.close();
                else controller.enqueue(new TextEncoder().encode(text + n));
            } }));
        } };"#;
    let nano = fresh("", script);
    nano.post("a", "/x", "body").says("body1body2body3");
    nano.console("late http://a.test/x");
}

#[test]
fn scopes_that_are_done_with_are_given_back() {
    let script = answers("(globalThis.kept = new Array(20000).fill(url.href), 'ok')");
    let nano = fresh("limits memory=\"24MiB\" isolates=1 cpu=\"10s\"", &script);
    for _ in 0..600 {
        nano.get("a", "/").says("ok");
    }
    assert_eq!(nano.metric("nano_isolate_starts_total", &[("app", "a")]), 1.0);
}

#[test]
fn a_scope_whose_client_has_left_ends() {
    let script = r#"export default { fetch(request) {
        console.log("asked");
        request.signal.addEventListener("abort", () => console.log("gone"));
        return new Promise(() => setInterval(() => {}, 10));
    } };"#;
    let nano = fresh("", script);
    let mut client = nano.connect();
    client.write(Request::get("a", "/").bytes());
    nano.console("asked");
    drop(client);
    nano.console("gone");
}

#[test]
fn limits_hold_in_a_scope_of_its_own() {
    let script = answers(
        "(url.pathname === '/spin' ? (() => { for (;;); })() : url.pathname === '/eat' ? (() => { for (const all = [];;) all.push(new Array(1000).fill(1)); })() : 'ok')",
    );
    let nano = fresh("limits cpu=\"100ms\" memory=\"32MiB\"", &script);
    nano.get("a", "/").says("ok");
    nano.get("a", "/spin").fails(503, "cpu_limit");
    nano.get("a", "/").says("ok");
    nano.get("a", "/eat").fails(503, "memory_limit");
    nano.get("a", "/").says("ok");
}

#[test]
fn code_that_does_not_load_is_told_as_ever() {
    let nano = fresh("", "throw new Error('no such luck');");
    nano.get("a", "/").fails(500, "app_load");
    let slow = fresh("limits startup=\"100ms\"", "for (;;);");
    slow.get("a", "/").fails(500, "app_load");
}
