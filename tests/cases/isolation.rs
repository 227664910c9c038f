//! Apps and what they cannot see of each other.

use super::answers;
use crate::support::{Nano, Setup, eventually, together};

#[test]
fn apps_share_no_globals_and_no_prototypes() {
    let sets = "(globalThis.mark = \"mine\", Object.prototype.polluted = 1, Array.prototype.map = null, mark)";
    let sees = "[typeof mark, typeof ({}).polluted, typeof [].map].join()";
    let nano = Setup::new().app("a", "", &answers(sets)).app("b", "", &answers(sees)).start();
    nano.get("b", "/").says("undefined,undefined,function");
    nano.get("a", "/").says("mine");
    nano.get("b", "/").says("undefined,undefined,function");
}

#[test]
fn an_app_that_breaks_the_globals_still_answers() {
    let breaks = r#"
        for (const name of ["Promise", "Response", "Request", "Headers", "JSON", "Array", "Map", "Symbol"]) {
            for (const key of Object.getOwnPropertyNames(globalThis[name].prototype ?? {})) {
                try { globalThis[name].prototype[key] = undefined; } catch {}
            }
        }
        Array.prototype[Symbol.iterator] = () => { throw new Error("no"); };
        Object.prototype.then = (resolve) => resolve();
        delete Object.prototype.then;
        export default { fetch: () => new Response("whole", { headers: { "x-a": "1" } }) };
    "#;
    let nano = Setup::new().app("a", "", breaks).start();
    nano.get("a", "/").says("whole");
}

const ENV: &str = "Object.entries(env).map(([name, value]) => `${name}=${typeof value}:${value}`).sort().join(\" \")";

fn with_secrets() -> Nano {
    Setup::new()
        .file("secrets/key", "from-a-file-7319\n")
        .variable("NANO_TEST_TOKEN", "from-the-environment-7319")
        .app(
            "a",
            "env {\n        GREETING \"hello\"\n        COUNT 3\n        YES #true\n        NOTHING #null\n        \
             KEY (file)\"secrets/key\"\n        TOKEN (env)\"NANO_TEST_TOKEN\"\n    }",
            &answers(ENV),
        )
        .app("b", "env {\n        OTHER \"other\"\n    }", &answers(ENV))
        .start()
}

#[test]
fn each_app_sees_its_own_env_and_no_other() {
    let nano = with_secrets();
    nano.get("a", "/").says(
        "COUNT=number:3 GREETING=string:hello KEY=string:from-a-file-7319 NOTHING=object:null \
         TOKEN=string:from-the-environment-7319 YES=boolean:true",
    );
    nano.get("b", "/").says("OTHER=string:other");
}

#[test]
fn secrets_are_neither_logged_nor_shown() {
    let mut nano = with_secrets();
    nano.get("a", "/");
    assert!(nano.reload());
    let shown = [nano.output(), nano.admin("/metrics").text(), check(&nano)].concat();
    assert!(!shown.contains("7319"), "{shown}");
}

fn check(nano: &Nano) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nano"))
        .args(["check", "--config"])
        .arg(nano.setup().config_file())
        .env("NANO_TEST_TOKEN", "from-the-environment-7319")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn the_environment_of_the_process_is_no_apps_business() {
    let script = answers("typeof process + typeof Deno + typeof require + Object.keys(env).length");
    let nano = Setup::new().variable("NANO_TEST_TOKEN", "x").app("a", "", &script).start();
    nano.get("a", "/").says("undefinedundefinedundefined0");
}

#[test]
fn hundreds_of_apps_share_the_process() {
    const APPS: usize = 300;
    let setup = (0..APPS).fold(Setup::new().config("defaults { idle \"1s\"; }\n"), |setup, n| {
        setup.app(&format!("app{n}"), "", &answers(&format!("globalThis.n = (globalThis.n ?? {n}) + 1")))
    });
    let nano = setup.start();
    together(8, |thread| {
        for n in (thread..APPS).step_by(8) {
            nano.get(&format!("app{n}"), "/").says(&format!("{}", n + 1));
        }
    });
    eventually("unused isolates to end", || (nano.metric("nano_isolates", &[]) == 0.0).then_some(()));
    nano.get("app7", "/").says("8");
}
