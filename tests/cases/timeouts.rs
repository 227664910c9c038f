//! Clients that are slow, and connections that are many.

use super::{answers, says};
use crate::support::{Conn, Nano, Request, Setup, eventually};

fn hurried(timeouts: &str) -> Nano {
    Setup::new().listener("web", &format!("timeouts {timeouts}")).app("echo", "", &answers("request.text()")).start()
}

#[test]
fn a_client_that_leaves_unheard_is_let_go_in_the_end() {
    let silent = "export default { fetch() { return new Response(new ReadableStream({ start(c) { \
                  c.enqueue(new TextEncoder().encode('first')); } })); } };";
    let nano = Setup::new().listener("web", r#"timeouts idle="1s""#).app("silent", "", silent).start();
    let request = "GET / HTTP/1.1\r\nhost: silent.test\r\n\r\n";
    let upload =
        format!("POST / HTTP/1.1\r\nhost: silent.test\r\ncontent-length: 200000\r\n\r\n{}", "x".repeat(200_000));
    for bytes in [request.repeat(1000), upload] {
        let mut conn = nano.connect();
        conn.write(bytes);
        eventually("the request to be under way", || (nano.metric("nano_http_in_flight", &[]) == 1.0).then_some(()));
        drop(conn);
        eventually("it to be given up", || (nano.metric("nano_http_in_flight", &[]) == 0.0).then_some(()));
    }
}

#[test]
fn a_head_that_takes_too_long_is_given_up() {
    let nano = hurried(r#"header="300ms""#);
    let mut conn = nano.connect();
    conn.write("GET / HTTP/1.1\r\nhost: echo.te");
    assert_eq!(conn.response().status, 408);
    assert!(conn.closed());
}

#[test]
fn a_head_that_trickles_is_given_up_too() {
    let nano = hurried(r#"header="500ms""#);
    let mut conn = nano.connect();
    conn.write("GET / HTTP/1.1\r\n");
    eventually("the trickle to be cut off", || conn.try_write("x: y\r\n").err());
}

#[test]
fn a_body_that_stops_is_given_up() {
    let nano = hurried(r#"body="300ms""#);
    let mut conn = nano.connect();
    conn.write("POST / HTTP/1.1\r\nhost: echo.test\r\ncontent-length: 10\r\n\r\nhalf");
    conn.response().fails(408, "request_timeout");
}

#[test]
fn a_body_may_be_slow_as_long_as_it_goes_on() {
    let nano = hurried(r#"body="3s""#);
    let mut conn = nano.connect();
    conn.write("POST / HTTP/1.1\r\nhost: echo.test\r\ncontent-length: 8\r\n\r\n");
    for _ in 0..8 {
        std::thread::sleep(std::time::Duration::from_millis(500));
        conn.write("x");
    }
    conn.response().says("xxxxxxxx");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let nano = hurried(r#"idle="300ms" header="5s""#);
    let mut conn = nano.connect();
    conn.send(&Request::post("echo", "/", "once")).says("once");
    assert!(conn.closed());
}

#[test]
fn a_client_that_stops_reading_is_let_go() {
    let endless = r#"export default { fetch: () => new Response(new ReadableStream({
        pull(controller) { controller.enqueue(new Uint8Array(65536)); },
        cancel() { console.log("cancelled"); },
    })) };"#;
    let nano = Setup::new().listener("web", r#"timeouts write="500ms""#).app("endless", "", endless).start();
    let mut conn = nano.connect();
    conn.write(Request::get("endless", "/").bytes());
    assert_eq!(conn.head().status, 200);
    nano.console("cancelled");
    eventually("the request to end", || {
        (nano.metric("nano_http_in_flight", &[("app", "endless")]) == 0.0).then_some(())
    });
}

#[test]
fn a_listener_takes_no_more_connections_than_it_may_and_the_rest_wait() {
    let nano = Setup::new().listener("web", "max-connections 2").app("a", "", &says("a")).start();
    let (mut first, mut second) = (nano.connect(), nano.connect());
    first.send(&Request::get("a", "/")).says("a");
    second.send(&Request::get("a", "/")).says("a");
    let mut third = Conn::open(nano.port());
    third.write(Request::get("a", "/").bytes());
    assert_eq!(nano.metric("nano_connections", &[("listener", "web")]), 2.0);
    drop(first);
    third.response().says("a");
}
