//! A new config or new code, swapped whole or not at all, without losing a request.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{answers, says};
use crate::support::{Conn, Nano, Request, Setup, eventually, free_port};

/// Counts its requests in a global: a new isolate begins at 1.
const COUNTS: &str = "let count = 0;\nexport default { fetch: () => new Response(String(++count)) };\n";

fn starts(nano: &Nano, app: &str) -> f64 {
    nano.metric("nano_isolate_starts_total", &[("app", app)])
}

#[test]
fn an_unchanged_app_keeps_its_warm_isolate() {
    let mut nano = Setup::new().app("same", "", COUNTS).start();
    nano.get("same", "/").says("1");
    assert!(nano.change(|setup| setup.app("new", "", &says("new"))));
    nano.get("new", "/").says("new");
    nano.get("same", "/").says("2");
    assert_eq!(starts(&nano, "same"), 1.0);
}

#[test]
fn changed_code_is_taken_up_at_the_reload_and_not_before() {
    let mut nano = Setup::new().app("a", "", &says("old")).start();
    nano.get("a", "/").says("old");
    std::fs::write(nano.setup().path("a/index.js"), says("new")).unwrap();
    nano.get("a", "/").says("old");
    assert!(nano.reload());
    eventually("the new code", || (nano.get("a", "/").text() == "new").then_some(()));
}

#[test]
fn a_change_in_any_file_an_app_loaded_is_a_change_of_the_app() {
    let script = "import { text } from \"./text.js\";\nexport default { fetch: () => new Response(text) };";
    let mut nano = Setup::new().app("a", "", script).file("a/text.js", "export const text = \"old\";").start();
    nano.get("a", "/").says("old");
    assert!(nano.change(|setup| setup.file("a/text.js", "export const text = \"new\";").file("a/unused.js", "1")));
    eventually("the new code", || (nano.get("a", "/").text() == "new").then_some(()));
}

#[test]
fn a_generation_sees_the_files_it_began_with() {
    let script = answers("import(\"./page.js\").then((page) => page.default)");
    let nano = Setup::new().app("a", "limits isolates=1", &script).file("a/page.js", "export default \"old\";").start();
    nano.get("a", "/").says("old");
    std::fs::write(nano.setup().path("a/page.js"), "export default \"new\";").unwrap();
    nano.get("a", "/").says("old");
}

#[test]
fn a_changed_limit_is_a_change_of_its_app_alone() {
    let mut nano = Setup::new().app("a", "", COUNTS).app("b", "", COUNTS).start();
    nano.get("a", "/").says("1");
    nano.get("b", "/").says("1");
    assert!(nano.change(|setup| setup.app("a", r#"limits memory="64MiB""#, COUNTS)));
    eventually("a fresh isolate", || (starts(&nano, "a") == 2.0).then_some(()));
    nano.get("b", "/").says("2");
    assert_eq!(starts(&nano, "b"), 1.0);
}

#[test]
fn apps_come_and_go() {
    let mut nano = Setup::new().app("stays", "", &says("stays")).app("goes", "", &says("goes")).start();
    nano.get("goes", "/").says("goes");
    assert!(nano.change(|setup| setup.without("goes").app("comes", "", &says("comes"))));
    nano.get("goes", "/").fails(404, "no_route");
    nano.get("comes", "/").says("comes");
    nano.get("stays", "/").says("stays");
}

#[test]
fn code_that_no_longer_loads_leaves_the_previous_generation_in_place() {
    let mut nano = Setup::new().app("a", "", &says("old")).app("b", "", &says("old")).start();
    nano.get("a", "/").says("old");
    nano.get("b", "/").says("old");
    assert!(nano.change(|setup| setup.file("a/index.js", "export default {").file("b/index.js", says("new"))));
    eventually("the other app's new code", || (nano.get("b", "/").text() == "new").then_some(()));
    nano.logged("that the old code stays", |line| line["app"] == "a" && line["level"] == "error");
    for _ in 0..5 {
        nano.get("a", "/").says("old");
    }
    assert!(nano.change(|setup| setup.file("a/index.js", says("mended"))));
    eventually("the mended code", || (nano.get("a", "/").text() == "mended").then_some(()));
}

#[test]
fn code_that_never_finishes_loading_does_not_hold_up_the_reload() {
    let mut nano = Setup::new().app("a", "", &says("old")).app("b", "", &says("old")).start();
    nano.get("a", "/").says("old");
    nano.get("b", "/").says("old");
    let waits = "await new Promise(() => {});\nexport default {};";
    assert!(nano.change(|setup| setup.file("a/index.js", waits).file("b/index.js", says("new"))));
    nano.get("a", "/").says("old");
    nano.get("b", "/").says("new");
}

/// Checks that a plan is rejected and the running one goes on.
#[track_caller]
fn rejected(edit: impl FnOnce(Setup) -> Setup) {
    let mut nano = Setup::new().app("a", "", COUNTS).start();
    nano.get("a", "/").says("1");
    assert!(!nano.change(edit), "the plan is rejected");
    nano.logged("the rejection", |line| line["kind"] == "gateway" && line["level"] == "error");
    nano.get("a", "/").says("2");
    assert!(nano.metric("nano_config_last_reload_success_timestamp_seconds", &[]) > 1e9);
    assert!(nano.change(|setup| setup.without("broken").config("")), "a good plan is taken again");
    nano.get("a", "/").says("3");
}

#[test]
fn a_config_that_does_not_parse_is_rejected() {
    rejected(|setup| setup.config("app \"unclosed\" {"));
}

#[test]
fn an_app_without_its_folder_or_entry_is_rejected() {
    rejected(|setup| setup.config("app \"broken\" \"no-such-folder\"\n"));
    rejected(|setup| setup.file("broken/readme.txt", "no entry").claim("broken", "host \"broken.test\""));
}

#[test]
fn a_secret_that_cannot_be_read_is_rejected() {
    rejected(|setup| setup.app("broken", "env { KEY (file)\"no-such-file\"; }", &says("x")));
}

#[test]
fn a_port_in_use_is_rejected() {
    let port = free_port();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    rejected(|setup| setup.config(&format!("listener \"taken\" \"127.0.0.1:{port}\"\n")));
}

#[test]
fn listeners_come_and_go_and_an_unchanged_one_keeps_its_connections() {
    let mut nano = Setup::new().file("any/index.js", COUNTS).claim("any", "").start();
    let mut kept = nano.connect();
    kept.send(&Request::get("any", "/")).says("1");
    assert!(nano.change(|setup| setup.listener("second", "")));
    Conn::open(nano.port_of("second")).send(&Request::get("any", "/")).says("2");
    kept.send(&Request::get("any", "/")).says("3");
    let second = nano.port_of("second");
    assert!(nano.change(|setup| setup.without_listener("second")));
    eventually("the port to be closed", || Conn::try_open(second).err());
    kept.send(&Request::get("any", "/")).says("4");
}

#[test]
fn a_changed_config_file_is_taken_up_without_a_signal() {
    let nano = Setup::new().app("a", "", &says("a")).file("late/index.js", says("late")).start();
    let more = "\napp \"late\" \"late\" {\n    host \"late.test\"\n}\n";
    let config = std::fs::read_to_string(nano.setup().config_file()).unwrap();
    std::fs::write(nano.setup().config_file(), config + more).unwrap();
    eventually("the new app", || (nano.get("late", "/").text() == "late").then_some(()));
}

#[test]
fn a_changed_included_file_is_taken_up_too() {
    let app = |text: &str| format!("app \"late\" \"../late\" {{ host \"late.test\"; env {{ TEXT \"{text}\"; }}; }}\n");
    let nano = Setup::new()
        .config("include \"conf.d/*.kdl\"\n")
        .file("conf.d/late.kdl", app("old"))
        .file("late/index.js", answers("env.TEXT"))
        .start();
    nano.get("late", "/").says("old");
    std::fs::write(nano.setup().path("conf.d/late.kdl"), app("new")).unwrap();
    eventually("the new value", || (nano.get("late", "/").text() == "new").then_some(()));
}

#[test]
fn an_address_that_overlaps_one_of_its_own_is_blamed_on_nobody_else() {
    let mut nano = Setup::new().app("a", "", &says("a")).start();
    let port = nano.port();
    let everywhere = format!("listener \"everywhere\" \"0.0.0.0:{port}\"\n");
    assert!(!nano.change(|setup| setup.without_listener("web").config(&everywhere)));
    let blame = format!("nano itself has 127.0.0.1:{port} until the reload is over");
    nano.logged("why", |line| line["message"].as_str().is_some_and(|message| message.contains(&blame)));
    let admin = nano.setup().admin_port();
    let taken = format!("listener \"taken\" \"127.0.0.1:{admin}\"\n");
    let text = std::fs::read_to_string(nano.setup().config_file()).unwrap();
    let moved = text.replace(&format!("admin \"127.0.0.1:{admin}\""), "").replace(&everywhere, &taken);
    std::fs::write(nano.setup().config_file(), moved).unwrap();
    let blame = format!("nano itself has 127.0.0.1:{admin} until the reload is over");
    nano.logged("why", |line| line["message"].as_str().is_some_and(|message| message.contains(&blame)));
    nano.lives();
}

#[test]
fn a_listener_that_not_every_thread_can_accept_from_rejects_the_reload() {
    let mut nano = Setup::new().app("a", "", &says("a")).config("io-threads 16\n").start();
    nano.get("a", "/").says("a");
    nano.limit_files(nano.usage().files as u64 + 6);
    assert!(!nano.change(|setup| setup.listener("more", "")));
    nano.logged("why", |line| {
        let parts = ["listener \"more\" cannot listen", "Too many open files", "raise LimitNOFILE="];
        line["message"].as_str().is_some_and(|message| parts.iter().all(|part| message.contains(part)))
    });
    nano.get("a", "/").says("a");
}

#[test]
fn the_first_file_of_an_included_folder_is_taken_up_too() {
    let app = "app \"late\" \"../late\" { host \"late.test\"; }\n";
    let nano = Setup::new()
        .app("a", "", &says("a"))
        .config("include \"conf.d/*.kdl\"\n")
        .file("late/index.js", says("late"))
        .start();
    let (folder, reloads) = (nano.setup().path("conf.d"), nano.metric("nano_reloads_total", &[]));
    std::fs::create_dir(&folder).unwrap();
    eventually("the folder to be noticed", || (nano.metric("nano_reloads_total", &[]) > reloads).then_some(()));
    std::fs::write(folder.join("late.kdl"), app).unwrap();
    eventually("the app of the first file", || (nano.get("late", "/").text() == "late").then_some(()));
    std::fs::remove_file(folder.join("late.kdl")).unwrap();
    eventually("the app to go with it", || (nano.get("late", "/").status == 404).then_some(()));
    std::fs::write(folder.join("late.kdl"), app).unwrap();
    eventually("the app to come back", || (nano.get("late", "/").text() == "late").then_some(()));
}

#[test]
fn requests_in_flight_finish_in_the_generation_they_began_in() {
    let slow = |text: &str| answers(&format!("new Promise((done) => setTimeout(() => done({text:?}), 1000))"));
    let mut nano = Setup::new().app("a", "", &slow("old")).start();
    nano.get("a", "/").says("old"); // its code is loaded when first needed: now
    let mut conn = nano.connect();
    conn.write(Request::get("a", "/").bytes());
    eventually("the request to run", || (nano.metric("nano_http_in_flight", &[("app", "a")]) == 1.0).then_some(()));
    assert!(nano.change(|setup| setup.app("a", "", &slow("new"))));
    eventually("the new code", || (nano.get("a", "/").text() == "new").then_some(()));
    conn.response().says("old");
}

#[test]
fn a_request_in_flight_outlives_its_app_and_the_old_generation_ends() {
    let script = answers("new Promise((done) => setTimeout(() => done(\"done\"), 800))");
    let mut nano = Setup::new().app("stays", "", &says("stays")).app("goes", "", &script).start();
    let threads = nano.usage().threads;
    nano.get("goes", "/").says("done");
    nano.get("stays", "/").says("stays");
    // Each took a thread that was ready, and another is made in its place.
    eventually("a thread for each app", || (nano.usage().threads == threads + 2).then_some(()));
    let mut conn = nano.connect();
    conn.write(Request::get("goes", "/").bytes());
    eventually("the request to run", || (nano.metric("nano_http_in_flight", &[("app", "goes")]) == 1.0).then_some(()));
    assert!(nano.change(|setup| setup.without("goes")));
    nano.get("goes", "/").fails(404, "no_route");
    conn.response().says("done");
    eventually("its isolate to end", || (nano.usage().threads <= threads + 1).then_some(()));
}

#[test]
fn an_old_generation_ends_with_the_drain_at_the_latest() {
    let script = answers("url.pathname === \"/warm\" ? \"warm\" : new Promise(() => {})");
    let mut nano = Setup::new().config("drain \"500ms\"\n").app("a", "", &script).start();
    nano.get("a", "/warm").says("warm");
    let mut conn = nano.connect();
    conn.write(Request::post("a", "/", "").bytes());
    eventually("the request to run", || (nano.metric("nano_http_in_flight", &[("app", "a")]) == 1.0).then_some(()));
    assert!(nano.change(|setup| setup.app("a", "", &says("new"))));
    eventually("the new code", || (nano.get("a", "/").text() == "new").then_some(()));
    conn.response().fails(503, "isolate_lost");
}

/// Asks the apps that are always there, on connections that live for a while, and counts what is not as it should be.
fn ask_until(nano_port: u16, over: &AtomicBool) -> (usize, Vec<String>) {
    let (mut asked, mut failed) = (0, Vec::new());
    while !over.load(Ordering::Relaxed) {
        let mut conn = Conn::open(nano_port);
        for _ in 0..25 {
            for app in ["steady", "changing"] {
                let answer = conn.send(&Request::get(app, "/"));
                asked += 1;
                if answer.status != 200 || !answer.text().starts_with(app) {
                    failed.push(format!("{app}: {} {}", answer.status, answer.text()));
                }
            }
        }
    }
    (asked, failed)
}

#[test]
fn two_hundred_reloads_under_load_lose_nothing_and_leave_nothing_behind() {
    let mut nano = Setup::new()
        .app("steady", "limits isolates=1", &says("steady"))
        .app("changing", "", &says("changing 0"))
        .start();
    let port = nano.port();
    let over = AtomicBool::new(false);
    let mut early = None;
    let asked = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..3).map(|_| scope.spawn(|| ask_until(port, &over))).collect();
        for n in 1..=200 {
            if n == 50 {
                early = Some(nano.usage());
            }
            let broken = n % 10 == 0;
            let text = says(&format!("changing {n}"));
            let taken = nano.change(|setup| {
                let setup = setup.config(if broken { "app {" } else { "" }).file("guest/index.js", says("guest"));
                match n % 4 {
                    0 => setup.claim("guest", "host \"guest.test\""),
                    1 => setup.without("guest"),
                    2 => setup.app("changing", "", &text),
                    _ => setup.app("changing", &format!("env {{ N {n}; }}"), &text),
                }
            });
            assert_eq!(taken, !broken, "reload {n}");
        }
        over.store(true, Ordering::Relaxed);
        asking.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for (asked, failed) in asked {
        assert!(asked > 0 && failed.is_empty(), "{} of {asked} failed: {:?}", failed.len(), failed.first());
    }
    assert!(nano.get("changing", "/").text().starts_with("changing 19"), "the last good code");
    assert_eq!(starts(&nano, "steady"), 1.0, "its isolate was warm all the while");
    let early = early.unwrap();
    eventually("threads, files and memory to be given back", || {
        let now = nano.usage();
        let less = now.threads <= early.threads + 6 && now.files <= early.files + 12;
        (less && now.memory <= early.memory + (80 << 20)).then_some(())
    });
}
