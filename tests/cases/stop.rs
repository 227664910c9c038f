//! The end: everything accepted is answered, then the process leaves with 0.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use super::{answers, says};
use crate::support::{Conn, Nano, Request, Setup, eventually, free_port};

const SLOW: &str = "new Promise((done) => setTimeout(() => done(\"slow\"), 1500))";

fn under_way(nano: &Nano, app: &str, count: usize) -> Vec<Conn> {
    let conns = (0..count).map(|_| {
        let mut conn = nano.connect();
        conn.write(Request::get(app, "/").bytes());
        conn
    });
    let conns = conns.collect();
    eventually("the requests to be under way", || {
        (nano.metric("nano_http_in_flight", &[("app", app)]) == count as f64).then_some(())
    });
    conns
}

#[test]
fn every_accepted_request_is_answered_before_the_process_ends() {
    let mut nano = Setup::new().app("slow", "", &answers(SLOW)).start();
    let conns = under_way(&nano, "slow", 48);
    nano.signal(Signal::TERM);
    for mut conn in conns {
        conn.response().says("slow");
    }
    assert_eq!(nano.wait().code(), Some(0));
    let answered = nano.log().iter().filter(|line| line["kind"] == "access" && line["status"] == 200).count();
    assert_eq!(answered, 48, "their log lines were written too");
}

#[test]
fn nothing_new_is_accepted_meanwhile_and_idle_connections_end() {
    let mut nano = Setup::new().app("slow", "", &answers(SLOW)).app("a", "", &says("a")).start();
    let mut idle = nano.connect();
    idle.send(&Request::get("a", "/")).says("a");
    let mut busy = under_way(&nano, "slow", 1);
    nano.signal(Signal::TERM);
    assert!(idle.closed());
    eventually("the port to be closed", || Conn::try_open(nano.port()).err());
    busy[0].response().says("slow");
    assert_eq!(nano.wait().code(), Some(0));
}

#[test]
fn a_stop_under_load_answers_every_request_it_began_to_read() {
    let quick = "new Promise((done) => setTimeout(() => done(\"quick\"), 20))";
    let mut nano = Setup::new().app("quick", "", &answers(quick)).start();
    let port = nano.port();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(move || {
                    let mut answered = 0;
                    // A fresh connection for each request: what is refused was never accepted.
                    while let Ok(mut conn) = Conn::try_open(port) {
                        if conn.try_write(Request::get("quick", "/").bytes()).is_err() {
                            break;
                        }
                        match conn.try_response_to("GET") {
                            Ok(Some(answer)) => answer.says("quick"),
                            Ok(None) | Err(_) => break,
                        }
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        eventually("some answers", || {
            (nano.metric("nano_http_requests_total", &[("app", "quick")]) > 50.0).then_some(())
        });
        assert_eq!(nano.term().code(), Some(0));
        let answered: usize = asking.into_iter().map(|thread| thread.join().unwrap()).sum();
        let logged = nano.log().iter().filter(|line| line["kind"] == "access" && line["status"] == 200).count();
        assert_eq!(logged, answered, "a request that was begun was answered");
    });
}

#[test]
fn what_does_not_end_by_itself_is_cut_when_the_drain_is_over() {
    let endless = r#"export default { fetch: () => new Response(new ReadableStream({
        async pull(controller) {
            await new Promise((go) => setTimeout(go, 50));
            controller.enqueue(new Uint8Array(1));
        },
    })) };"#;
    let mut nano = Setup::new().config("drain \"500ms\"\n").app("endless", "", endless).start();
    let mut conn = nano.connect();
    conn.write(Request::get("endless", "/").bytes());
    conn.head();
    assert_eq!(nano.term().code(), Some(0));
    while let Ok(piece) = conn.try_chunk() {
        assert!(piece.is_some(), "the response is cut, not ended");
    }
}

#[test]
fn sigint_stops_like_sigterm() {
    let mut nano = Setup::new().app("a", "", &says("a")).start();
    nano.signal(Signal::INT);
    assert_eq!(nano.wait().code(), Some(0));
}

#[test]
fn a_second_sigterm_stops_at_once() {
    let mut nano = Setup::new().app("stuck", "", &answers("new Promise(() => {})")).start();
    let _conns = under_way(&nano, "stuck", 1);
    nano.signal(Signal::TERM);
    nano.logged("that it is stopping", |line| {
        line["kind"] == "gateway" && line["message"].as_str().is_some_and(|message| message.contains("stopping"))
    });
    nano.signal(Signal::TERM);
    assert_eq!(nano.wait().code(), Some(1));
}

#[test]
fn a_signal_during_the_start_is_acted_on_after_it() {
    let setup = Setup::new().file("a/index.js", says("a"));
    let config = setup.path("slow.kdl");
    mknodat(CWD, &config, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut nano = Command::new(env!("CARGO_BIN_EXE_nano"))
        .arg("--config")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Opens once nano reads it, and nano goes on once it is written.
    let mut writer = std::fs::OpenOptions::new().write(true).open(&config).unwrap();
    for signal in [Signal::HUP, Signal::USR1, Signal::TERM] {
        kill_process(Pid::from_child(&nano), signal).unwrap();
    }
    let state = setup.path("state");
    write!(
        writer,
        "state-dir {:?}\nlistener \"web\" \"127.0.0.1:{}\"\napp \"a\" \"a\"\n",
        state.to_str().unwrap(),
        free_port()
    )
    .unwrap();
    drop(writer);
    let ended = eventually("nano to end", || nano.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
}
