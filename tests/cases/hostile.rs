//! Apps that mean harm: none may take the process, a thread or a neighbour along.

use super::limits::beside_a_neighbour;
use crate::support::{Setup, eventually};

#[test]
fn more_headers_than_can_be_held_are_the_apps_own_error() {
    let script = "return new Response(\"\", { headers: Array.from({ length: 40000 }, (_, n) => [`x-${n}`, \"v\"]) });";
    let (_, answer) = beside_a_neighbour("", script);
    answer.fails(500, "app_error");
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
