//! The memory limit: V8's heap, buffers outside it, and wasm memories.

use std::time::Duration;

use super::answers;
use super::limits::beside_a_neighbour;
use crate::support::{Request, Setup, eventually};

const MEMORY: &str = r#"memory="48MiB" cpu="10s" wall="25s""#;

#[track_caller]
fn ends_by_memory_limit(script: &str) {
    let (nano, answer) = beside_a_neighbour(MEMORY, script);
    answer.fails(503, "memory_limit");
    assert_eq!(nano.access_of(&answer)["error"], "memory_limit");
    assert_eq!(nano.metric("nano_errors_total", &[("app", "bad"), ("code", "memory_limit")]), 1.0);
    assert_eq!(nano.metric("nano_isolate_terminations_total", &[("app", "bad"), ("reason", "memory_limit")]), 1.0);
}

/// The allocator's refusal is a `RangeError` the app may catch; the limit is the answer where it goes on regardless.
/// Either way the memory is never had.
#[track_caller]
fn never_gets_the_memory(script: &str) {
    let (nano, answer) = beside_a_neighbour(MEMORY, script);
    let outcome = answer.outcome();
    let expected = [(503, "memory_limit".to_owned()), (500, "app_error".to_owned())];
    assert!(expected.contains(&outcome), "{outcome:?}");
    let memory = nano.usage().memory >> 20;
    assert!(memory < 1024, "nano holds {memory} MiB");
}

#[test]
fn an_array_that_grows_ends() {
    ends_by_memory_limit("const all = []; for (;;) all.push({ n: all.length });");
}

#[test]
fn one_giant_array_ends() {
    let (_, answer) = beside_a_neighbour(r#"memory="48MiB" cpu="2s" wall="25s""#, "new Array(1e8).fill(0);");
    let (_, code) = answer.outcome();
    // Whichever comes first: the kernel may take its time to give 800 MB.
    assert!(["memory_limit", "cpu_limit", "timeout"].contains(&code.as_str()), "{code}");
}

#[test]
fn a_map_that_grows_ends() {
    ends_by_memory_limit("const all = new Map(); for (let n = 0; ; n++) all.set(n, [n]);");
}

#[test]
fn strings_that_grow_end() {
    ends_by_memory_limit("const all = []; for (let n = 0; ; n++) all.push(JSON.stringify(\"x\".repeat(1e5) + n));");
}

#[test]
fn a_string_that_doubles_is_the_apps_own_error() {
    let (_, answer) = beside_a_neighbour(MEMORY, r#"let text = "x"; for (;;) text += text;"#);
    answer.fails(500, "app_error");
}

#[test]
fn a_string_split_into_more_than_v8_can_hold_does_not_take_the_process_along() {
    let (_, answer) = beside_a_neighbour(MEMORY, r#""x".repeat(2 ** 28).split("");"#);
    assert_eq!(answer.status, 503, "{}", answer.text());
}

#[test]
fn a_buffer_beyond_the_limit_is_a_range_error() {
    let script = "let errors = 0; for (const bytes of [2 ** 26, 2 ** 30, 2 ** 32]) { \
                  try { new ArrayBuffer(bytes) } catch (error) { errors += error instanceof RangeError } } return errors;";
    let app = answers(&format!("(() => {{ {script} }})()"));
    let nano = Setup::new().app("bad", &format!("limits isolates=1 {MEMORY}"), &app).start();
    for _ in 0..3 {
        nano.get("bad", "/").says("3");
    }
    assert_eq!(nano.metric("nano_isolate_terminations_total", &[("app", "bad"), ("reason", "memory_limit")]), 0.0);
}

#[test]
fn array_buffers_that_grow_end() {
    never_gets_the_memory("const all = []; for (;;) all.push(new Uint8Array(4 << 20).fill(1));");
}

#[test]
fn array_buffers_that_grow_end_even_if_every_refusal_is_caught() {
    let script = "const all = []; for (;;) { try { all.push(new Uint8Array(4 << 20).fill(1)); } catch {} }";
    let (nano, answer) = beside_a_neighbour(r#"memory="48MiB" cpu="1s""#, script);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(nano.usage().memory < 1 << 30);
}

#[test]
fn resizable_buffers_that_grow_end() {
    never_gets_the_memory(
        "const all = []; for (;;) { const buffer = new ArrayBuffer(0, { maxByteLength: 64 << 20 }); \
         all.push(buffer); for (let size = 1 << 20; size <= 64 << 20; size += 1 << 20) { buffer.resize(size); \
         new Uint8Array(buffer).fill(1); } }",
    );
}

#[test]
fn wasm_memories_that_grow_end() {
    never_gets_the_memory(
        "const all = []; for (;;) { const memory = new WebAssembly.Memory({ initial: 1 }); all.push(memory); \
         for (let n = 0; n < 64; n++) { memory.grow(16); new Uint8Array(memory.buffer, n << 20).fill(1); } }",
    );
}

#[test]
fn a_body_read_whole_counts() {
    let script = "const all = []; for (;;) { const stream = new Response(\"x\".repeat(1 << 20)); \
                  all.push(await stream.arrayBuffer()); }";
    never_gets_the_memory(script);
}

/// ICU has it before V8 does: 300 MB that no limit of V8's ever saw.
#[test]
fn a_text_that_grows_as_it_is_normalised_ends() {
    let (nano, answer) = beside_a_neighbour(MEMORY, r#""\uFDFA".repeat(2 ** 23).normalize("NFKC");"#);
    answer.fails(500, "app_error");
    eventually("the log line", || nano.output().contains("Internal error. Icu error.").then_some(()));
}

/// What V8's C++ takes for itself, and would take on and on: no limit on a heap ever sees it.
#[test]
fn a_json_text_of_brackets_without_end_ends() {
    let (nano, answer) =
        beside_a_neighbour(r#"memory="48MiB" cpu="10s" wall="25s""#, r#"JSON.parse("[".repeat(2 ** 26));"#);
    answer.fails(503, "memory_limit");
    let memory = nano.usage().memory >> 20;
    assert!(memory < 2048, "nano holds {memory} MiB");
}

/// A stranger may send as much, and should cost the app no thread.
#[test]
fn a_body_of_brackets_is_a_syntax_error() {
    let script =
        "try { return new Response(await request.json()); } catch (error) { return new Response(error.name); }";
    let nano = Setup::new().app("a", "", &format!("export default {{ async fetch(request) {{ {script} }} }};")).start();
    nano.post("a", "/", "[".repeat(10_000_000)).says("SyntaxError");
    assert_eq!(nano.metric("nano_lost_threads", &[]), 0.0);
}

#[test]
fn a_copy_much_larger_than_what_it_is_of_is_refused() {
    let script = "const text = \"x\".repeat(1 << 20); const flat = text.slice(1); \
                  try { structuredClone(Array(20000).fill(flat)); } catch (error) { return new Response(error.name); }";
    let (nano, answer) = beside_a_neighbour(MEMORY, script);
    answer.says("DataCloneError");
    let memory = nano.usage().memory >> 20;
    assert!(memory < 500, "nano holds {memory} MiB");
}

#[test]
fn objects_that_icu_makes_count() {
    ends_by_memory_limit(
        "const all = []; for (;;) { const collator = new Intl.Collator(\"de\", { numeric: true }); \
         collator.compare(\"ä\", \"b\"); all.push(collator, new Intl.DateTimeFormat(\"de\")); }",
    );
}

#[test]
fn memory_that_is_given_up_again_is_no_fault() {
    let (_, answer) = beside_a_neighbour(
        MEMORY,
        "for (let n = 0; n < 200; n++) { new Uint8Array(4 << 20).fill(1); \"x\".repeat(1e5) + n; await null; }",
    );
    answer.says("survived");
}

#[test]
fn the_memory_of_an_unused_isolate_goes_back_to_the_system() {
    let keep = "(globalThis.kept = [new Uint8Array(20 << 20).fill(1), Array.from({ length: 1e6 }, () => ({}))]).length";
    let apps = ["a", "b", "c"];
    let limits = "limits memory=\"128MiB\" startup=\"10s\" cpu=\"10s\"\n    idle \"4s\"";
    let nano = apps.iter().fold(Setup::new(), |setup, app| setup.app(app, limits, &answers(keep))).start();
    let before = nano.usage();
    apps.iter().for_each(|app| nano.get(app, "/").says("2"));
    let during = nano.usage();
    assert!(during.memory > before.memory + (90 << 20), "they hold some: {before:?} {during:?}");
    eventually("isolates, threads and memory to be given back", || {
        let now = nano.usage();
        let gone = nano.metric("nano_isolates", &[]) == 0.0 && now.threads <= before.threads;
        (gone && now.memory < before.memory + (during.memory - before.memory) / 2).then_some(())
    });
    assert_eq!(nano.metric("nano_isolate_memory_bytes", &[]), 0.0);
}

#[test]
fn signals_that_follow_a_lasting_one_do_not_pile_up() {
    let script = r#"
        const lasting = new AbortController();
        export default { async fetch() {
            for (let i = 0; i < 2000; i++) AbortSignal.any([lasting.signal]);
            return new Response("said");
        } };"#;
    // A turn keeps what its weak references name until it ends: few of them in each, many in all.
    let nano = Setup::new().app("follows", "limits memory=\"16MiB\" isolates=1", script).start();
    let mut conn = nano.connect();
    for _ in 0..300 {
        conn.send(&Request::get("follows", "/")).says("said");
    }
    assert_eq!(nano.metric("nano_isolate_terminations_total", &[("app", "follows")]), 0.0);
}

#[test]
fn an_idle_isolate_gives_back_what_is_garbage() {
    let script =
        answers("(globalThis.last = Array.from({ length: 300000 }, (_, n) => ({ n })), globalThis.last = 0, 'done')");
    let nano = Setup::new().app("a", "limits isolates=1 cpu=\"10s\"\n    idle \"1h\"", &script).start();
    let heap = || nano.metric("nano_isolate_memory_bytes", &[("app", "a"), ("kind", "heap")]);
    nano.get("a", "/").says("done");
    let after = heap();
    assert!(after > f64::from(8 << 20), "{after} bytes");
    eventually("its heap to shrink", || (heap() < f64::from(4 << 20)).then_some(()));
    nano.get("a", "/").says("done");
    assert_eq!(nano.metric("nano_isolate_starts_total", &[("app", "a")]), 1.0);
}

#[test]
fn an_app_answers_as_before_after_every_rest() {
    let script = answers("(globalThis.all ??= []).push(await request.text()) && all.map((text) => text.length).join()");
    let nano = Setup::new().app("a", "limits isolates=1", &script).start();
    let mut lengths = Vec::new();
    for length in [10, 100_000, 1000, 1] {
        lengths.push(length.to_string());
        nano.post("a", "/", vec![b'x'; length]).says(&lengths.join(","));
        // By then its worker has given up the memory it allocates from.
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(nano.metric("nano_isolate_starts_total", &[("app", "a")]), 1.0);
}
