//! An app's modules: what can be imported, what cannot, and what errors say.

use super::{answers, says};
use crate::support::{Nano, Setup};

/// A module that exports `add(a, b)`.
const ADD: &[u8] = b"\0asm\x01\0\0\0\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f\x03\x02\x01\0\x07\x07\x01\x03add\0\0\
    \x0a\x09\x01\x07\0\x20\0\x20\x01\x6a\x0b";

/// An app `a` with these files, beside a file `secret.js` outside its folder.
fn app(files: &[(&str, &str)]) -> Setup {
    let setup = Setup::new().claim("a", r#"host "a.test""#).file("secret.js", "export default \"secret\";");
    files.iter().fold(setup, |setup, (path, text)| setup.file(&format!("a/{path}"), text))
}

fn answer(files: &[(&str, &str)]) -> String {
    app(files).start().get("a", "/").text()
}

#[test]
fn relative_imports_are_found_from_the_importing_file() {
    let files = [
        ("index.js", "import { name } from \"./lib/name.js\";\nexport default { fetch: () => new Response(name) };"),
        (
            "lib/name.js",
            "import first from \"./parts/first.mjs\";\nexport const name = first + last();\nimport { last } from \"../last.js\";",
        ),
        ("lib/parts/first.mjs", "export default \"Ada \";"),
        ("last.js", "export const last = () => \"Lovelace\";"),
    ];
    assert_eq!(answer(&files), "Ada Lovelace");
}

#[test]
fn json_text_and_bytes_are_imported_by_attribute() {
    let script = r#"
        import config from "./config.json" with { type: "json" };
        import text from "./note.txt" with { type: "text" };
        import bytes from "./note.txt" with { type: "bytes" };
        export default { fetch: () => new Response([config.list[1], text, bytes instanceof Uint8Array, bytes.length].join()) };
    "#;
    let files = [("index.js", script), ("config.json", r#"{"list": [1, 2]}"#), ("note.txt", "caf\u{e9}")];
    assert_eq!(answer(&files), "2,caf\u{e9},true,5");
}

#[test]
fn a_wasm_import_is_a_compiled_module() {
    let script = r#"import add from "./add.wasm";
        const instance = new WebAssembly.Instance(add);
        export default { fetch: () => new Response(`${add instanceof WebAssembly.Module} ${instance.exports.add(2, 3)}`) };"#;
    let nano = app(&[("index.js", script)]).file("a/add.wasm", ADD).start();
    nano.get("a", "/").says("true 5");
}

#[test]
fn wasm_is_compiled_for_a_promise_too() {
    let script = answers(&format!(
        "WebAssembly.compile(new Uint8Array({ADD:?})).then((add) => WebAssembly.instantiate(add)) \
         .then((instance) => instance.exports.add(2, 3))"
    ));
    assert_eq!(answer(&[("index.js", &script)]), "5");
}

#[test]
fn modules_are_imported_while_running_too() {
    let script = answers("import(`./pages${url.pathname}.js`).then((page) => page.default, (error) => error.name)");
    let nano = app(&[("index.js", &script), ("pages/home.js", "export default \"home\";")]).start();
    nano.get("a", "/home").says("home");
    nano.get("a", "/home").says("home");
    nano.get("a", "/none").says("TypeError");
}

#[test]
fn top_level_await_and_cycles_work() {
    let files = [
        (
            "index.js",
            "import { b } from \"./b.js\";\nexport const a = await Promise.resolve(\"a\");\nexport default { fetch: () => new Response(a + b()) };",
        ),
        ("b.js", "import { a } from \"./index.js\";\nexport const b = () => \"b\" + a;"),
    ];
    assert_eq!(answer(&files), "aba");
}

#[test]
fn a_module_knows_where_it_is_and_runs_once() {
    let files = [
        (
            "index.js",
            "import { count } from \"./count.js\";\nimport \"./other.js\";\nexport default { fetch: () => new Response(`${count.n} ${import.meta.url.endsWith(\"index.js\")}`) };",
        ),
        ("other.js", "import { count } from \"./count.js\"; count.n++;"),
        ("count.js", "export const count = { n: 0 }; count.n++;"),
    ];
    assert_eq!(answer(&files), "2 true");
}

#[test]
fn a_file_name_may_have_brackets_and_dots() {
    let files = [
        ("index.js", "import page from \"./pages/[...slug].js\";\nexport default { fetch: () => new Response(page) };"),
        ("pages/[...slug].js", "export default \"any page\";"),
    ];
    assert_eq!(answer(&files), "any page");
}

#[test]
fn package_json_names_the_entry() {
    let files = [
        ("package.json", r#"{"name": "a", "main": "./src/main.js"}"#),
        ("src/main.js", &says("main")),
        ("index.js", &says("index")),
    ];
    assert_eq!(answer(&files), "main");
}

#[test]
fn fetch_events_work_as_well_as_a_default_export() {
    let script = r#"addEventListener("fetch", (event) => {
        event.respondWith(new Response(`event for ${new URL(event.request.url).pathname}`));
    });"#;
    let nano = app(&[("index.js", script)]).start();
    nano.get("a", "/x").says("event for /x");
}

/// Checks that an app with this entry does not load, and that its neighbour does not mind.
#[track_caller]
fn does_not_load(setup: Setup, reason: &str) {
    let nano = setup.app("neighbour", "", &says("unharmed")).start();
    nano.get("a", "/").fails(500, "app_load");
    nano.get("neighbour", "/").says("unharmed");
    nano.logged(&format!("the reason, {reason:?}"), |line| {
        line["app"] == "a" && line["message"].as_str().is_some_and(|message| message.contains(reason))
    });
}

#[test]
fn code_that_does_not_load_says_why_in_the_log() {
    does_not_load(app(&[("index.js", "export default {")]), "index.js:1");
    does_not_load(app(&[("index.js", "import \"./missing.js\";")]), "missing.js");
    does_not_load(app(&[("index.js", "\n\nthrow new Error(\"at the top\");")]), "index.js:3");
    does_not_load(app(&[("index.js", "export default 7;")]), "fetch");
    does_not_load(app(&[("index.js", "import { x } from \"./b.js\";"), ("b.js", "")]), "'x'");
    does_not_load(
        app(&[("index.js", "import j from \"./j.json\" with { type: \"json\" };"), ("j.json", "{")]),
        "j.json",
    );
}

#[test]
fn code_that_never_finishes_loading_is_given_up_with_the_wall_limit() {
    let limits = r#"limits wall="500ms" isolates=1"#;
    let nano = Setup::new().app("a", limits, "await new Promise(() => {});").app("b", "", &says("unharmed")).start();
    let answer = nano.get("a", "/");
    let given_up = [(504, "timeout".to_owned()), (500, "app_load".to_owned())]; // both are due at the same moment
    assert!(given_up.contains(&answer.outcome()), "{}", answer.text());
    nano.logged("the reason", |line| line["app"] == "a" && line["message"].to_string().contains("top-level await"));
    nano.get("b", "/").says("unharmed");
}

#[test]
fn code_that_takes_too_long_to_load_is_given_up() {
    let setup = Setup::new().app("a", r#"limits startup="200ms""#, "for (;;) {}");
    does_not_load(setup, "startup");
}

#[test]
fn nothing_outside_the_folder_can_be_imported() {
    for path in ["../secret.js", "./x/../../secret.js", "./%2e%2e/secret.js", "/secret.js", "file:///etc/hostname"] {
        let script = answers(&format!("import({path:?}).then((m) => m.default, (error) => \"refused\")"));
        assert_eq!(answer(&[("index.js", &script)]), "refused", "{path}");
    }
    does_not_load(app(&[("index.js", "import \"../secret.js\";")]), "secret.js");
}

#[test]
fn links_out_of_the_folder_are_refused_and_links_inside_are_not() {
    let script = answers("import(`.${url.pathname}`).then((m) => m.default, () => \"refused\")");
    let setup = app(&[("index.js", &script), ("real.js", "export default \"inside\";")]);
    for (name, target) in [("out.js", "../secret.js"), ("far.js", "/etc/hostname"), ("in.js", "real.js"), ("up", "..")]
    {
        std::os::unix::fs::symlink(target, setup.path(&format!("a/{name}"))).unwrap();
    }
    let nano = setup.start();
    nano.get("a", "/out.js").says("refused");
    nano.get("a", "/far.js").says("refused");
    nano.get("a", "/up/secret.js").says("refused");
    nano.get("a", "/in.js").says("inside");
}

#[test]
fn code_from_strings_is_refused() {
    let attempts = [
        "eval(\"1\")",
        "new Function(\"return 1\")()",
        "(0, eval)(\"1\")",
        "(async () => {}).constructor(\"return 1\")",
        "setTimeout(\"1\", 0)",
    ];
    for attempt in attempts {
        let script =
            answers(&format!("(() => {{ try {{ {attempt}; return \"ran\"; }} catch (e) {{ return e.name; }} }})()"));
        assert_ne!(answer(&[("index.js", &script)]), "ran", "{attempt}");
    }
}

fn failing() -> Nano {
    let files = [
        (
            "index.js",
            "import { deep } from \"./lib/deep.js\";\nexport default {\n  fetch() {\n    return deep();\n  },\n};",
        ),
        ("lib/deep.js", "// a comment\nexport function deep() {\n  throw new Error(\"deep down\");\n}"),
    ];
    app(&files).start()
}

#[test]
fn a_stack_trace_names_the_apps_own_files_and_lines() {
    let nano = failing();
    let answer = nano.get("a", "/");
    answer.fails(500, "app_error");
    let line = nano.logged("the stack", |line| {
        line["app"] == "a" && line["message"].as_str().is_some_and(|message| message.contains("deep down"))
    });
    let message = line["message"].as_str().unwrap();
    assert!(message.contains("lib/deep.js:3:") && message.contains("index.js:4:"), "{message}");
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!(line["level"], "error");
}

#[test]
fn a_rejection_nobody_handles_is_logged() {
    let script =
        "export default { fetch() { Promise.reject(new Error(\"lost and found\")); return new Response(\"ok\"); } };";
    let nano = app(&[("index.js", script)]).start();
    let answer = nano.get("a", "/");
    answer.says("ok");
    let line = nano.logged("the rejection", |line| {
        line["app"] == "a" && line["message"].as_str().is_some_and(|message| message.contains("lost and found"))
    });
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));
}

#[test]
fn a_handled_rejection_is_not_logged() {
    let script = "export default { async fetch() { const late = Promise.reject(new Error(\"handled\")); \
                  await null; await late.catch(() => {}); return new Response(\"ok\"); } };";
    let nano = app(&[("index.js", script)]).start();
    nano.get("a", "/").says("ok");
    nano.get("a", "/").says("ok");
    assert!(!nano.output().contains("handled"));
}
