//! What a service manager is told (sd_notify(3)).

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::says;
use crate::support::{Nano, PATIENCE, Setup, eventually};

/// Starts nano with a notification socket of the test's own.
fn notified(watchdog: Option<&str>) -> (Nano, UnixDatagram) {
    let setup = Setup::new().app("a", "", &says("a"));
    let path = setup.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let setup = setup.variable("NOTIFY_SOCKET", path.to_str().unwrap());
    let setup = watchdog.into_iter().fold(setup, |setup, usec| setup.variable("WATCHDOG_USEC", usec));
    (setup.start(), socket)
}

/// Reads messages until one has this line, and returns it.
#[track_caller]
fn told(socket: &UnixDatagram, line: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let size = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{error} while waiting for {line}"));
        let message = String::from_utf8_lossy(&buffer[..size]).into_owned();
        if message.lines().any(|other| other == line) {
            return message;
        }
    }
}

#[test]
fn ready_reloading_and_stopping_are_announced() {
    let (mut nano, socket) = notified(None);
    told(&socket, "READY=1");
    nano.reload();
    let reloading = told(&socket, "RELOADING=1");
    let since = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("the time of it");
    assert!(since.parse::<u64>().is_ok_and(|usec| usec > 0), "{since}");
    told(&socket, "READY=1");
    nano.term();
    told(&socket, "STOPPING=1");
}

#[test]
fn a_rejected_reload_ends_ready_as_well() {
    let (mut nano, socket) = notified(None);
    told(&socket, "READY=1");
    assert!(!nano.change(|setup| setup.config("app {")));
    told(&socket, "RELOADING=1");
    told(&socket, "READY=1");
}

#[test]
fn the_watchdog_is_fed_when_it_is_asked_for() {
    let (_nano, socket) = notified(Some("1000000"));
    told(&socket, "WATCHDOG=1");
    told(&socket, "WATCHDOG=1");
}

#[test]
fn a_service_manager_that_does_not_hear_is_no_reason_to_repeat_oneself() {
    let nano = Setup::new()
        .app("a", "", &says("a"))
        .variable("NOTIFY_SOCKET", "/nowhere/notify")
        .variable("WATCHDOG_USEC", "100000")
        .start();
    let lines = || {
        nano.log()
            .iter()
            .filter(|line| line["message"].as_str().is_some_and(|text| text.contains("service manager")))
            .count()
    };
    eventually("a line", || (lines() > 0).then_some(()));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(lines(), 1);
}

#[test]
fn a_watchdog_of_no_time_is_none() {
    let nano = Setup::new().app("a", "", &says("a")).variable("WATCHDOG_USEC", "0").start();
    nano.get("a", "/").says("a");
}
