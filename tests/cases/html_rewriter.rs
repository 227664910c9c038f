//! HTMLRewriter under the app's limits: what a page or a handler makes it keep is the app's own affair.

use super::limits::beside_a_neighbour;
use crate::support::{Nano, Setup};

const MIB: usize = 1 << 20;

fn rewriting(limits: &str, script: &str) -> Nano {
    let script = format!(
        "export default {{ async fetch(request) {{ \
           if (request.method === \"GET\") return new Response(\"fine\"); {script} }} }};"
    );
    let nano = Setup::new().app("html", &format!("limits isolates=1 {limits}"), &script).start();
    nano.get("html", "/").says("fine");
    nano
}

#[test]
fn a_page_that_makes_the_parser_keep_too_much_fails_alone() {
    let nano = rewriting(
        r#"memory="48MiB" cpu="20s" body="32MiB""#,
        "const handlers = { element() {} }; \
         return new Response(await new HTMLRewriter().on(\"b\", handlers).transform(new Response(request.body)).text());",
    );
    for page in ["<b>".repeat(2 * MIB), format!("<b {}", "a".repeat(8 * MIB))] {
        let answer = nano.post("html", "/", page);
        assert_eq!(answer.status, 500, "{:?}", answer.outcome());
        nano.console("too long a tag, or too many open ones");
    }
    nano.get("html", "/").says("fine");
}

#[test]
fn what_handlers_insert_is_charged_until_it_is_written() {
    for insert in ["b.append(text)", "b.setAttribute(\"a\" + n, text)", "b.before(text)"] {
        let script = format!(
            "const text = \"x\".repeat(1 << 20); \
             const element = (b) => {{ for (let n = 0; n < 2000; n++) {insert}; }}; \
             await new HTMLRewriter().on(\"b\", {{ element }}).transform(new Response(\"<b></b>\")).text();"
        );
        let (nano, answer) = beside_a_neighbour(r#"memory="48MiB" cpu="20s""#, &script);
        assert!(answer.status == 500 || answer.code() == "memory_limit", "{insert}: {:?}", answer.outcome());
        let memory = nano.usage().memory as usize / MIB;
        assert!(memory < 250, "{insert}: nano holds {memory} MiB");
    }
}

#[test]
fn pages_are_charged_and_end_with_their_streams() {
    let open = "new HTMLRewriter().on(\"b\", { element() {} }).transform(new Response(\"<b>\"))";
    let kept = format!("globalThis.kept = []; for (let n = 0; n < 10000; n++) kept.push({open});");
    let (_, answer) = beside_a_neighbour(r#"memory="48MiB" cpu="20s""#, &kept);
    assert!(answer.status == 500 || answer.code() == "memory_limit", "{:?}", answer.outcome());

    let forgotten = format!("for (let n = 0; n < 3000; n++) await {open}.type; return new Response(\"done\");");
    let nano = rewriting(r#"memory="48MiB" cpu="20s""#, &forgotten);
    nano.post("html", "/", "").says("done");
    let before = nano.usage().memory;
    for _ in 0..3 {
        nano.post("html", "/", "").says("done");
    }
    let grown = nano.usage().memory.saturating_sub(before) as usize / MIB;
    assert!(grown < 30, "nano grew by {grown} MiB");
}
