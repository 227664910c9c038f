//! Apps that mean harm: none may take the process, a thread or a neighbour along.

use super::limits::beside_a_neighbour;
use crate::support::{Conn, Peer, Response, Setup, Upstream, eventually};

/// `count` headers, each with a name of six bytes and a value of `length`.
fn headers(count: usize, length: usize) -> String {
    format!(
        "return new Response(\"\", {{ headers: Array.from({{ length: {count} }}, \
         (_, n) => [\"x-\" + (1000 + n % 4), \"v\".repeat({length})]) }});"
    )
}

#[test]
fn a_response_may_have_many_headers() {
    for (count, length) in [(999, 1), (2, 100_000)] {
        let (_, answer) = beside_a_neighbour("", &headers(count, length));
        let sent = (1000..1004).map(|n| answer.header_all(&format!("x-{n}")).len()).sum::<usize>();
        assert_eq!((answer.status, sent), (200, count));
    }
}

#[test]
fn more_headers_than_a_head_may_have_are_the_apps_own_error() {
    for (count, length) in [(1001, 1), (100_000, 1), (3, 100_000), (1, 1 << 23)] {
        let (_, answer) = beside_a_neighbour("", &headers(count, length));
        answer.fails(500, "app_error");
    }
}

#[test]
fn imports_that_never_end_do_not_outlive_their_end() {
    let script = "export default { async fetch() { for (;;) import(\"./loop.js\").catch(() => {}); } };";
    let nano =
        Setup::new().app("bad", r#"limits cpu="100ms" isolates=1"#, script).file("bad/loop.js", "for (;;);").start();
    nano.post("bad", "/", "").fails(503, "cpu_limit");
    eventually("the thread to come back", || (nano.metric("nano_lost_threads", &[]) == 0.0).then_some(()));
}

#[test]
fn a_stack_that_is_a_loop_is_not_forgotten_after_its_end() {
    let script = "const error = new Error(); Object.defineProperty(error, \"stack\", { get() { for (;;); } }); \
                  const target = new EventTarget(); target.addEventListener(\"x\", () => { throw error; }); \
                  for (;;) target.dispatchEvent(new Event(\"x\"));";
    let (nano, answer) = beside_a_neighbour(r#"cpu="100ms""#, script);
    answer.fails(503, "cpu_limit");
    eventually("the thread to come back", || (nano.metric("nano_lost_threads", &[]) == 0.0).then_some(()));
}

/// Runs `script` twice in one isolate and says what nano holds then, in MiB, and in how many mappings.
#[track_caller]
fn held(script: &str) -> (u64, usize) {
    let (nano, _) = beside_a_neighbour(r#"memory="48MiB" cpu="5s""#, script);
    let mappings = std::fs::read_to_string(format!("/proc/{}/maps", nano.pid())).unwrap().lines().count();
    (nano.usage().memory >> 20, mappings)
}

#[test]
fn wasm_memories_that_are_kept_are_charged() {
    let script = "globalThis.kept = []; for (let n = 0; n < 20; n++) { const memory = new WebAssembly.Memory({ initial: 1 }); \
                  memory.grow(640); new Uint8Array(memory.buffer).fill(1); kept.push(memory); }";
    let (memory, _) = held(script);
    assert!(memory < 512, "nano holds {memory} MiB");
}

#[test]
fn buffers_that_reserve_addresses_leave_some_to_others() {
    let script = "globalThis.kept = []; for (let n = 0; n < 20000; n++) \
                  kept.push(new ArrayBuffer(1, { maxByteLength: 8192 }));";
    let (_, mappings) = held(script);
    assert!(mappings < 5000, "nano has {mappings} mappings");
}

/// Runs `script` and checks that nano never held much for it.
#[track_caller]
fn takes_little_memory(script: &str) -> Response {
    let (nano, answer) = beside_a_neighbour(r#"memory="64MiB""#, script);
    let status = std::fs::read_to_string(format!("/proc/{}/status", nano.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak >> 10 < 400, "nano held {} MiB", peak >> 10);
    answer
}

#[test]
fn texts_larger_than_memory_are_not_copied() {
    let script = r#"
        const huge = "x".repeat(2 ** 29 - 24);
        const wide = "\u1234".repeat(2 ** 29 - 100);
        const outcome = (attempt) => { try { attempt(); return "done"; } catch (error) { return error.name; } };
        const url = new URL("http://x/");
        return new Response([
            outcome(() => console.log(huge)),
            outcome(() => new URL(`http://x/#${wide}`)),
            outcome(() => { url.search = "\u1234".repeat(2 ** 20); }),
            outcome(() => { url.hash = wide; }),
            outcome(() => new TextEncoder().encode(huge)),
            outcome(() => String(new URLSearchParams({ huge }))),
            outcome(() => String(new URLSearchParams(Array(400).fill(["x", "\u1234".repeat(2 ** 20)])))),
            url.href,
        ].join(" "));"#;
    let answer = takes_little_memory(script);
    answer.says("done TypeError TypeError TypeError RangeError RangeError RangeError http://x/");
}

#[test]
fn an_answer_larger_than_memory_is_the_apps_own_error() {
    takes_little_memory(r#"return new Response("x".repeat(2 ** 29 - 24));"#).fails(500, "app_error");
}

#[test]
fn an_exception_larger_than_memory_is_not_copied() {
    let thrown = r#"Object.defineProperty(new Error(), "stack", { value: "x".repeat(2 ** 28) })"#;
    for thrown in [thrown, r#""x".repeat(2 ** 28)"#] {
        takes_little_memory(&format!("throw {thrown};")).fails(500, "app_error");
    }
}

#[test]
fn a_hundred_thousand_late_handlers_take_no_time() {
    let script = "const late = Array.from({ length: 1e5 }, () => Promise.reject(1)); \
                  for (const promise of late) promise.catch(() => {});";
    let (nano, answer) = beside_a_neighbour(r#"cpu="2s""#, script);
    answer.says("survived");
    assert!(!nano.output().contains("unhandled"));
}

#[test]
fn form_data_without_end_are_ended() {
    let script = r#"for (;;) new URLSearchParams("&x".repeat(2 ** 22));"#;
    let (nano, answer) = beside_a_neighbour(r#"cpu="100ms" memory="512MiB""#, script);
    answer.fails(503, "cpu_limit");
    assert!(!nano.output().contains("a thread is lost"));
}

#[test]
fn modules_without_end_are_not_compiled_to_the_end() {
    let many = 20_000;
    let imports = |to: usize| (0..to).map(|n| format!("import \"./m{n}.js\";\n")).collect::<String>();
    let entry = imports(many) + "export default { fetch: () => new Response(\"loaded\") };";
    let mut setup = Setup::new().app("bad", r#"limits startup="100ms" isolates=1"#, &entry);
    for n in 0..many {
        setup = setup.file(&format!("bad/m{n}.js"), "export {};");
    }
    let nano = setup.start();
    nano.get("bad", "/").fails(500, "app_load");
    // A thread that is lost cannot say so.
    nano.logged("the reason", |line| line["message"].to_string().contains("limits startup"));
}

#[test]
fn what_an_app_does_to_promises_does_not_make_it_wait() {
    // Each comes late and in pieces, so that it is waited for.
    let upstream = Upstream::start(|mut peer: Peer| {
        peer.request();
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for piece in ["5\r\nhello\r\n", "0\r\n\r\n"] {
            std::thread::sleep(std::time::Duration::from_millis(50));
            peer.write(piece);
        }
        peer.closed();
    });
    let post = |mut conn: Conn, target: &str| {
        conn.write(format!("POST {target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n"));
        for piece in ["he", "llo"] {
            std::thread::sleep(std::time::Duration::from_millis(50));
            // Who does not read it closes.
            let _ = conn.try_write(piece);
        }
        conn.response()
    };
    let never = "function () {}";
    let mine = "{ configurable: true, get() { throw new Error('mine'); } }";
    for (patch, fetches) in [
        (format!("Object.defineProperty(Promise.prototype, 'constructor', {mine})"), true),
        (format!("Object.defineProperty(Promise, Symbol.species, {mine})"), true),
        (format!("Object.defineProperty(Promise, Symbol.species, {{ value: {never} }})"), true),
        (format!("Promise.prototype.then = {never}"), true),
        (format!("Array.prototype.then = {never}"), true),
        (format!("Uint8Array.prototype.then = {never}"), true),
        // A promise of a response asks it for a `then`, by the language.
        (format!("Object.prototype.then = {never}"), false),
    ] {
        let script = format!(
            "{patch}; export default {{ fetch(request) {{
                 if (request.url.endsWith('/fetch')) return fetch('{}');
                 if (request.url.endsWith('/own')) return new Response(new ReadableStream({{
                     async pull(controller) {{ controller.enqueue(new Uint8Array([104, 105])); controller.close(); }},
                 }}));
                 return new Response(request.body);
             }} }};",
            upstream.url("/")
        );
        let settings = "fetch { allow \"127.0.0.1\"; }; limits wall=\"5s\"";
        let nano = Setup::new().app("a", settings, &script).start();
        for (target, answer) in [("/echo", "hello"), ("/own", "hi"), ("/fetch", "hello")] {
            if fetches || target != "/fetch" {
                let response = post(nano.connect(), target);
                assert_eq!(
                    (response.status, &*response.text(), response.cut),
                    (200, answer, false),
                    "{patch} {target}"
                );
            }
        }
    }
}

#[test]
fn modules_are_imported_whatever_becomes_of_promises() {
    for patch in [
        "Object.defineProperty(Promise.prototype, 'constructor', { get() { throw new Error('mine'); } })",
        "Object.defineProperty(Promise, Symbol.species, { value: function () {} })",
        "Promise.prototype.then = function () {}",
    ] {
        let script = format!(
            "const {{ then }} = Promise.prototype; let loaded = 'nothing'; {patch}; const other = import('./other.js');
             Object.defineProperty(other, 'constructor', {{ value: undefined }});
             then.call(other, (module) => {{ loaded = module.default; }});
             export default {{ fetch: () => new Response(loaded) }};"
        );
        let nano = Setup::new().app("a", "", &script).file("a/other.js", "export default 'loaded';").start();
        nano.get("a", "/").says("loaded");
    }
}

#[test]
fn a_promise_that_cannot_be_waited_for_is_the_apps_own_error() {
    let script = "Object.defineProperty(Promise.prototype, 'constructor', { get() { throw new Error('mine'); } });
                  export default { fetch: () => Object.freeze(new Promise(() => {})) };";
    Setup::new().app("a", "", script).start().get("a", "/").fails(500, "app_error");
}
