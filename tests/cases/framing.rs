//! HTTP/1.1 messages: where they begin and end, and what is refused.

use serde_json::Value;

use super::{answers, says};
use crate::support::{Nano, Request, Setup, eventually};

const BODY: &str = "request.text().catch((error) => { console.log(\"rejected\", error.name); throw error; })";

fn echo() -> Nano {
    Setup::new().app("echo", r#"limits body="1KiB""#, &answers(BODY)).start()
}

/// Sends bytes that are to be refused as the error table says, the connection closed after it.
#[track_caller]
fn refused(nano: &Nano, bytes: impl AsRef<[u8]>, status: u16, code: &str) {
    let shown = String::from_utf8_lossy(bytes.as_ref()).chars().take(200).collect::<String>();
    let mut conn = nano.connect();
    let _ = conn.try_write(bytes); // nano may refuse before it has read everything
    let answer = conn.response();
    answer.fails(status, code);
    assert!(conn.closed(), "the connection ends with the refusal of {shown:?}");
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    let nano = Setup::new().app("a", "", &says("four")).start();
    let mut conn = nano.connect();
    let head = conn.send(&Request::new("HEAD", "a", "/"));
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("4"), 0));
    conn.send(&Request::get("a", "/")).says("four");
}

#[test]
fn statuses_without_a_body_have_none() {
    let script = r#"export default { fetch(request) {
        const status = Number(new URL(request.url).pathname.slice(1));
        return new Response(null, { status, headers: { "content-length": "5" } });
    } };"#;
    let nano = Setup::new().app("bare", "", script).start();
    let mut conn = nano.connect();
    for status in [204, 304] {
        let answer = conn.send(&Request::get("bare", &format!("/{status}")));
        assert_eq!((answer.status, answer.body.len()), (status, 0));
        assert_eq!(answer.header("transfer-encoding"), None);
    }
    assert_eq!(conn.send(&Request::get("bare", "/204")).header("content-length"), None, "RFC 9110 §8.6");
    assert_eq!(conn.send(&Request::get("bare", "/200")).header("content-length"), Some("0"));
}

#[test]
fn one_connection_serves_many_requests_until_it_is_to_close() {
    let nano = echo();
    let mut conn = nano.connect();
    conn.send(&Request::post("echo", "/", "one")).says("one");
    conn.send(&Request::post("echo", "/", "")).says("");
    conn.send(&Request::post("echo", "/", "two").header("connection", "close")).says("two");
    assert!(conn.closed());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let slow_first = "new Promise((done) => setTimeout(() => done(url.pathname), url.pathname === \"/1\" ? 200 : 0))";
    let nano = Setup::new().app("a", "", &answers(slow_first)).start();
    let mut conn = nano.connect();
    let targets = ["/1", "/2", "/3", "/4"];
    conn.write(targets.iter().flat_map(|target| Request::get("a", target).bytes()).collect::<Vec<_>>());
    for target in targets {
        conn.response().says(target);
    }
}

#[test]
fn http_1_0_closes_after_the_answer_and_needs_no_host() {
    let stream = r#"export default { fetch: () => new Response(new ReadableStream({ start(controller) {
        controller.enqueue(new TextEncoder().encode("streamed"));
        controller.close();
    } })) };"#;
    let nano = Setup::new().file("any/index.js", stream).claim("any", "").start();
    let mut conn = nano.connect();
    conn.write("GET / HTTP/1.0\r\n\r\n");
    let answer = conn.response();
    answer.says("streamed");
    assert_eq!(answer.header("transfer-encoding"), None, "HTTP/1.0 knows no chunks");
    assert!(conn.closed());
}

#[test]
fn an_answer_without_length_that_is_cut_off_ends_in_a_reset() {
    let script = r#"export default { fetch(request) {
        const broken = new URL(request.url).pathname === "/broken";
        return new Response(new ReadableStream({ pull(controller) {
            controller.enqueue(new Uint8Array(64 << 10));
            if (broken) controller.error(new Error("broken"));
        } }));
    } };"#;
    let nano = Setup::new().listener("web", r#"timeouts write="300ms""#).app("a", "", script).start();
    for target in ["/broken", "/endless"] {
        let mut conn = nano.connect();
        conn.write(format!("GET {target} HTTP/1.0\r\nHost: a.test\r\n\r\n"));
        // Of the endless one nothing is read until nano has given up.
        let code = if target == "/broken" { "app_error" } else { "client_closed" };
        nano.logged(target, |line| line["path"] == target && line["error"] == code);
        assert!(conn.response().cut, "{target}");
    }
}

#[test]
fn a_chunked_body_arrives_whole() {
    let nano = echo();
    let mut conn = nano.connect();
    conn.write("POST / HTTP/1.1\r\nhost: echo.test\r\ntransfer-encoding: chunked\r\n\r\n");
    conn.write("3\r\none\r\n");
    conn.write("4;name=value\r\n two\r\n0\r\nx-trailer: 1\r\n\r\n");
    conn.response().says("one two");
    conn.send(&Request::post("echo", "/", "next")).says("next");
}

#[test]
fn a_body_is_asked_for_when_the_app_wants_it() {
    let back = "export default { fetch: (request) => new Response(request.body) };";
    let nano =
        Setup::new().app("echo", "", &answers(BODY)).app("back", "", back).app("deaf", "", &says("no, thanks")).start();
    let head =
        |app| format!("POST / HTTP/1.1\r\nhost: {app}.test\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    let mut conn = nano.connect();
    conn.write(head("echo"));
    assert_eq!(conn.head().status, 100);
    conn.write("hello");
    conn.response().says("hello");
    // An app that answers with the body wants it, whether it reads or answers first.
    for _ in 0..20 {
        let mut conn = nano.connect();
        conn.write(head("back"));
        assert_eq!(conn.head().status, 100);
        conn.write("hello");
        conn.response().says("hello");
    }
    let mut conn = nano.connect();
    conn.write(head("deaf"));
    conn.response().says("no, thanks");
}

#[test]
fn a_body_that_ends_early_is_an_error_for_the_app() {
    let nano = echo();
    let mut conn = nano.connect();
    conn.write("POST / HTTP/1.1\r\nhost: echo.test\r\ncontent-length: 10\r\n\r\nhalf");
    conn.finish();
    nano.console("rejected TypeError");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_is_no_fault_of_the_app() {
    let back = "export default { fetch: (request) => new Response(request.body) };";
    let text = "export default { fetch: async (request) => new Response(await request.text()) };";
    let nano = Setup::new().app("text", "", text).app("back", "", back).start();
    for (app, head) in [
        ("text", "content-length: 10\r\n\r\nhalf"),
        ("text", "transfer-encoding: chunked\r\n\r\n5\r\nhalf"),
        ("back", "content-length: 10\r\n\r\nhalf"),
    ] {
        let mut conn = nano.connect();
        conn.write(format!("POST / HTTP/1.1\r\nhost: {app}.test\r\n{head}"));
        drop(conn);
    }
    let access = |line: &Value| line["kind"] == "access";
    eventually("every access line", || (nano.log().iter().filter(|line| access(line)).count() == 3).then_some(()));
    for line in nano.log().into_iter().filter(access) {
        assert_eq!((line["status"].as_u64(), line["error"].as_str()), (Some(499), Some("client_closed")), "{line}");
    }
    assert_eq!(nano.metric("nano_errors_total", &[("code", "app_error")]), 0.0);
}

#[test]
fn a_broken_chunk_is_an_error_for_the_app() {
    let nano = echo();
    let mut conn = nano.connect();
    conn.write("POST / HTTP/1.1\r\nhost: echo.test\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\nnot hex\r\n");
    nano.console("rejected TypeError");
}

#[test]
fn a_malformed_head_is_refused() {
    let nano = echo();
    for head in [
        "GARBAGE\r\n\r\n",
        "GET / HTTP/9.9\r\nhost: echo.test\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: echo.test\r\nna me: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : echo.test\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: echo.test\r\nx: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: echo.test\r\nno colon\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\nhost: echo.test\r\n\r\n",
    ] {
        refused(&nano, head, 400, "bad_request");
    }
    nano.get("echo", "/").says("");
}

#[test]
fn a_host_must_be_there_once() {
    let nano = Setup::new().file("any/index.js", says("any")).claim("any", "").start();
    refused(&nano, "GET / HTTP/1.1\r\n\r\n", 400, "bad_request");
    refused(&nano, "GET / HTTP/1.1\r\nhost: a.test\r\nhost: b.test\r\n\r\n", 400, "bad_request");
    refused(&nano, "GET / HTTP/1.1\r\nhost: a.test/../b\r\n\r\n", 400, "bad_request");
}

#[test]
fn ambiguous_lengths_are_refused_and_nothing_is_smuggled() {
    let nano = echo();
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: echo.test\r\n\r\n";
    for fields in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "content-length: 4\r\ncontent-length: 4",
        "content-length: 4\r\ncontent-length: 5",
        "content-length: 4, 5",
        "content-length: +4",
        "content-length: 0x4",
        "content-length: -1",
        "transfer-encoding: gzip",
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked, gzip",
    ] {
        refused(
            &nano,
            format!("POST / HTTP/1.1\r\nhost: echo.test\r\n{fields}\r\n\r\n0\r\n\r\n{smuggled}"),
            400,
            "bad_request",
        );
    }
    // Lines are written in order: once this one is there, those before it are.
    nano.access_of(&nano.get("echo", "/last"));
    assert!(!nano.output().contains("/smuggled"), "the second request was never one");
}

#[test]
fn a_head_or_target_that_is_too_long_is_refused() {
    let nano = Setup::new()
        .listener("web", "")
        .listener("tight", r#"max-header "8KiB""#)
        .file("any/index.js", says("any"))
        .claim("any", "")
        .start();
    let with = |bytes: usize| Request::get("any", "/").header("x-long", &"x".repeat(bytes));
    nano.send(&with(40 << 10)).says("any");
    assert_eq!(nano.send(&with(80 << 10)).status, 431);
    let mut tight = crate::support::Conn::open(nano.port_of("tight"));
    let _ = tight.try_write(with(9 << 10).bytes());
    assert_eq!(tight.response().status, 431);
    nano.get("any", &format!("/{}", "x".repeat(15 << 10))).says("any");
    assert_eq!(nano.get("any", &format!("/{}", "x".repeat(17 << 10))).status, 414);
}

#[test]
fn a_body_over_the_limit_is_refused_by_its_length_before_it_is_sent() {
    let nano = echo();
    let mut conn = nano.connect();
    conn.write("POST / HTTP/1.1\r\nhost: echo.test\r\nexpect: 100-continue\r\ncontent-length: 2000\r\n\r\n");
    conn.response().fails(413, "body_too_large");
}

#[test]
fn a_body_over_the_limit_is_refused_as_it_arrives() {
    let nano = echo();
    let mut conn = nano.connect();
    conn.write("POST / HTTP/1.1\r\nhost: echo.test\r\ntransfer-encoding: chunked\r\n\r\n");
    let _ = conn.try_write(format!("800\r\n{}\r\n", "x".repeat(0x800)));
    conn.response().fails(413, "body_too_large");
    nano.post("echo", "/", "x".repeat(1024)).says(&"x".repeat(1024));
}
