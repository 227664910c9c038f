//! The gateway over real sockets, byte by byte, with an app made of Rust behind it.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::config::Secret;
use crate::event::ErrorCode;
use crate::plan::egress::Egress;
use crate::plan::routes::RouteTable;
use crate::plan::{App, AppLogPlan, Claim, Level, Limits, Listener, LogPlan, Plan};

mod http2;
mod lifecycle;
mod server;

use server::{Client, NEVER, SOON, Server, eventually, listener};

/// One listener, one app that claims `/app/*`.
fn plan(folder: &Path) -> Plan {
    let app = App {
        name: "shop".into(),
        folder: folder.to_owned(),
        entry: "index.js".to_owned(),
        limits: Limits {
            memory: 0,
            cpu: NEVER,
            wall: NEVER,
            startup: NEVER,
            wait_until: NEVER,
            body: 1024,
            concurrency: 1,
            queue: 1,
            isolates: 1,
        },
        idle: NEVER,
        replay: false,
        fresh_context: false,
        egress: Egress { allow: Vec::new(), deny: Vec::new(), max_connections: 1 },
        env: BTreeMap::new(),
        log: AppLogPlan { level: Level::Info, max_lines: 1.0 },
        claims: vec![Claim { listener: None, host: None, path: Some("/app/*".to_owned()) }],
    };
    let routes = RouteTable::new(app.claims.iter().map(|claim| (claim, 0)));
    Plan {
        state_dir: folder.to_owned(),
        io_threads: 2,
        memory_total: None,
        drain: NEVER,
        lost_threads: 1,
        admin: None,
        admin_token: None,
        log: LogPlan { level: Level::Info, access: true, sinks: Vec::new() },
        listeners: vec![Arc::new(listener())],
        apps: vec![Arc::new(app)],
        routes,
        files: Vec::new(),
    }
}

fn change_listener(plan: &mut Plan, change: impl FnOnce(&mut Listener)) {
    change(Arc::make_mut(&mut plan.listeners[0]));
}

fn change_limits(plan: &mut Plan, change: impl FnOnce(&mut Limits)) {
    change(&mut Arc::make_mut(&mut plan.apps[0]).limits);
}

fn status(response: &str) -> &str {
    response.split(' ').nth(1).unwrap_or(response)
}

fn code(response: &str) -> String {
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("no error body: {response}"));
    body["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_connection_carries_many_requests() {
    let server = Server::start();
    let mut client = server.connect();
    for _ in 0..3 {
        let response = client.get("/app/hello");
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert!(response.ends_with("\r\n\r\nhello"), "{response}");
        assert!(response.contains("\r\nserver: nano\r\n"), "{response}");
        assert!(response.contains("\r\ndate: "), "{response}");
        assert!(response.contains("\r\nx-request-id: "), "{response}");
    }
    assert_eq!(server.access_lines().len(), 3);
    assert!(server.admin("/metrics").contains(r#"nano_connections{listener="web"} 1"#));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    let request = |path: &str| format!("GET /app/{path} HTTP/1.1\r\nhost: test\r\n\r\n");
    client.write(&[request("null"), request("hello"), request("busy"), request("hello")].concat());
    assert!(client.response().contains("content-length: 0\r\n"));
    assert!(client.response().ends_with("hello"));
    assert_eq!(status(&client.response()), "503");
    assert!(client.response().ends_with("hello"));
}

#[test]
fn requests_are_refused_with_a_code_and_a_body() {
    let server = Server::start();
    let head = |line: &str| format!("{line}\r\nhost: test\r\nconnection: close\r\n\r\n");
    let table = [
        (head("GET /nowhere HTTP/1.1"), "404", "no_route"),
        (head(&format!("GET /app/{} HTTP/1.1", "x".repeat(17_000))), "414", "uri_too_long"),
        (head(&format!("GET /app/a HTTP/1.1\r\nx-big: {}", "x".repeat(9_000))), "431", "header_too_large"),
        (head("POST /app/echo HTTP/1.1\r\ncontent-length: 1025"), "413", "body_too_large"),
        (head("TRACE /app/a HTTP/1.1"), "405", "bad_request"),
        (head("TRACK /app/a HTTP/1.1"), "405", "bad_request"),
        (head("CONNECT test:80 HTTP/1.1"), "405", "bad_request"),
        (head("OPTIONS * HTTP/1.1"), "400", "bad_request"),
        (head("GET /app/%00 HTTP/1.1"), "400", "bad_request"),
        (head("GET http://other/app/a HTTP/1.1"), "400", "bad_request"),
        (head("GET /app/a HTTP/1.1\r\nhost: test"), "400", "bad_request"),
        ("GET /app/a HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), "400", "bad_request"),
        (head(&format!("GET /app/a HTTP/1.1\r\nconnection: x{}", ",x".repeat(100))), "400", "bad_request"),
        (head("GET /app/names HTTP/1.1"), "500", "app_error"),
        (head("GET /app/cpu HTTP/1.1"), "503", "cpu_limit"),
        (head("GET /app/gone HTTP/1.1"), "503", "isolate_lost"),
        (head("GET /app/101 HTTP/1.1"), "500", "app_error"),
    ];
    for (request, expected, name) in &table {
        let response = server.send(request);
        assert_eq!(status(&response), *expected, "{response}");
        assert_eq!(code(&response), *name);
        assert!(response.contains("\r\ncontent-type: application/json\r\n"), "{response}");
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    }
    let why = "the response's Connection names more than 100 fields";
    assert!(server.lines().iter().any(|line| line["message"] == why && line["app"] == "shop"));
    let lines = server.access_lines();
    let logged: Vec<_> = lines.iter().map(|line| (line["status"].to_string(), line["error"].as_str())).collect();
    let expected: Vec<_> = table.iter().map(|(_, status, name)| ((*status).to_owned(), Some(*name))).collect();
    assert_eq!(logged, expected);
}

#[test]
fn heads_that_are_refused_are_answered_logged_and_counted_like_others() {
    let server = Server::start();
    let get = "GET /app/hello HTTP/1.1\r\nhost: test\r\n";
    let table = [
        ("not http at all\r\n\r\n".to_owned(), "400", "bad_request"),
        (format!("{get}content-length: 1\r\ncontent-length: 2\r\n\r\n"), "400", "bad_request"),
        (format!("{get}x-big: {}\r\n\r\n", "x".repeat(40_000)), "431", "header_too_large"),
    ];
    for (request, expected, name) in &table {
        let response = server.send(request);
        assert_eq!((status(&response), code(&response).as_str()), (*expected, *name), "{response}");
        assert!(response.contains("\r\nx-request-id: ") && response.contains(" GMT\r\n"), "{response}");
    }
    eventually("counted", || {
        let metrics = server.admin("/metrics");
        metrics.contains(r#"nano_errors_total{app="",code="bad_request"} 2"#)
            && metrics.contains(r#"nano_errors_total{app="",code="header_too_large"} 1"#)
    });
    let refused = server.lines().into_iter().filter(|line| line["error"].is_string());
    let refused = refused.map(|line| (line["status"].to_string(), line["error"].as_str().unwrap().to_owned()));
    let expected = table.map(|(_, status, name)| (status.to_owned(), name.to_owned()));
    assert_eq!(refused.collect::<Vec<_>>(), expected);
}

#[test]
fn a_malformed_head_behind_a_good_one_ends_the_connection_after_both_answers() {
    let server = Server::start();
    let answers = server.send("GET /app/hello HTTP/1.1\r\nhost: test\r\n\r\nGARBAGE\r\n\r\n");
    let (first, second) = answers.split_once("hello").unwrap();
    assert_eq!(status(first), "200");
    assert_eq!((status(second), code(second).as_str()), ("400", "bad_request"));
}

#[test]
fn an_overloaded_app_says_when_to_come_back() {
    let server = Server::start();
    let response = server.connect().get("/app/busy");
    assert_eq!((status(&response), code(&response).as_str()), ("503", "overloaded"));
    assert!(response.contains("\r\nretry-after: 3\r\n"), "{response}");
    assert!(response.contains(r#""app":"shop""#), "{response}");
}

#[test]
fn answers_without_a_body_have_none_on_the_wire() {
    let server = Server::start();
    let mut client = server.connect();
    let mut head = |path: &str| {
        client.write(&format!(
            "HEAD /app/{path} HTTP/1.1\r\nhost: test\r\n\r\nGET /app/hello HTTP/1.1\r\nhost: t\r\n\r\n"
        ));
        let text = client.head();
        assert!(client.response().ends_with("\r\n\r\nhello"), "after HEAD {path}");
        text
    };
    assert!(head("hello").contains("content-length: 5\r\n"));
    assert!(head("length").contains("content-length: 12345\r\n"));
    assert!(head("busy").contains("HTTP/1.1 503 "));
    assert!(!head("stream").contains("content-length"));
    assert!(!head("204").contains("content-length"));
    for path in ["/app/204", "/app/304"] {
        let response = client.get(path);
        assert!(response.ends_with("\r\n\r\n") && !response.contains("content-length"), "{response}");
    }
    assert!(client.get("/app/length").contains("content-length: 0\r\n"));
}

#[test]
fn framing_and_hop_by_hop_fields_of_an_app_never_reach_the_wire() {
    let server = Server::start();
    let response = server.connect().get("/app/lies");
    assert!(response.contains("\r\ncontent-length: 5\r\n") && response.ends_with("\r\n\r\ntruth"), "{response}");
    for name in ["transfer-encoding", "connection", "x-secret", "keep-alive", "upgrade", "forged", ": 999"] {
        assert!(!response.contains(name), "{name} in {response}");
    }
    assert!(response.contains("\r\nserver: app\r\n") && response.contains("\r\nx-kept: yes\r\n"), "{response}");
}

#[test]
fn an_app_sees_the_request_less_what_is_the_connections_own() {
    let server = Server::start();
    let mut client = server.connect();
    client.write(
        "GET /app/head?a=%20b HTTP/1.1\r\nHost: Test:8080\r\nX-Twice: 1\r\nX-Twice: 2\r\nConnection: x-mine, keep-alive\r\n\
         X-Mine: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nKeep-Alive: 5\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\n\
         X-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nX-Request-Id: mine\r\n\r\n",
    );
    let response = client.response();
    let (_, seen) = response.split_once("\r\n\r\n").unwrap();
    assert!(seen.starts_with("GET http://Test:8080/app/head?a=%20b\n"), "{seen}");
    assert!(seen.contains("x-twice: 1\nx-twice: 2\n"), "{seen}");
    assert!(seen.contains("x-forwarded-for: 127.0.0.1\nx-forwarded-proto: http\nx-request-id: "), "{seen}");
    for name in ["x-mine", "te:", "upgrade", "keep-alive", "connection", "6.6.6.6", "evil", "https", "mine"] {
        assert!(!seen.contains(name), "{name} in {seen}");
    }
}

#[test]
fn a_trusted_proxy_is_believed() {
    let server = Server::with(|plan| {
        change_listener(plan, |listener| listener.trust_proxy.push("127.0.0.0/8".parse().unwrap()));
    });
    let mut client = server.connect();
    client.write(
        "GET /app/head HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 6.6.6.6, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n\
         X-Request-Id: from-proxy\r\n\r\n",
    );
    let response = client.response();
    assert!(response.contains("\r\nx-request-id: from-proxy\r\n"), "{response}");
    assert!(response.contains("GET https://test/app/head\n"), "{response}");
    assert!(response.contains("x-forwarded-for: 6.6.6.6, 198.51.100.7, 127.0.0.1\n"), "{response}");
    let line = &server.access_lines()[0];
    assert_eq!((line["client"].as_str(), line["request_id"].as_str()), (Some("198.51.100.7"), Some("from-proxy")));
}

#[test]
fn http_1_0_may_name_no_host() {
    let server = Server::start();
    let response = server.send("GET /app/head HTTP/1.0\r\n\r\n");
    assert!(response.contains(&format!("GET http://{}/app/head\n", server.address)), "{response}");
}

#[test]
fn an_access_line_says_what_happened() {
    let server = Server::start();
    let mut client = server.connect();
    client.write("POST /app/echo?secret=1 HTTP/1.1\r\nhost: Test.:80\r\ncontent-length: 4\r\n\r\nbody");
    assert!(client.response().ends_with("\r\n\r\nbody"));
    let lines = server.access_lines();
    let line = &lines[0];
    for (name, value) in [("app", "shop"), ("method", "POST"), ("host", "test"), ("path", "/app/echo")] {
        assert_eq!(line[name], value);
    }
    for (name, value) in [("status", 200), ("bytes_in", 4), ("bytes_out", 4)] {
        assert_eq!(line[name], value);
    }
    assert_eq!(line["cpu_ms"].as_f64(), Some(7.0));
}

#[test]
fn a_body_over_the_limit_is_413_whatever_the_app_says() {
    let server = Server::start();
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    let response = server.send(&format!(
        "POST /app/echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}{chunk}0\r\n\r\n"
    ));
    assert_eq!((status(&response), code(&response).as_str()), ("413", "body_too_large"));
    assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    assert_eq!(server.script.aborts(), [ErrorCode::BodyTooLarge]);
}

#[test]
fn an_expected_100_continue_is_sent_when_the_body_is_read() {
    let server = Server::start();
    let mut client = server.connect();
    client.write("POST /app/echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
    assert!(client.response().starts_with("HTTP/1.1 100 "));
    client.write("ok");
    assert!(client.response().ends_with("\r\n\r\nok"));
}

#[test]
fn slow_heads_bodies_and_apps_are_told_so() {
    let server = Server::with(|plan| {
        change_listener(plan, |listener| (listener.timeouts.header, listener.timeouts.body) = (SOON, SOON));
        change_limits(plan, |limits| limits.wall = SOON * 4);
    });
    let response = server.send("GET /app/hello HTTP/1.1\r\nhost: te");
    assert_eq!((status(&response), code(&response).as_str()), ("408", "request_timeout"));
    let response = server.send("PRI * HTTP/2");
    assert_eq!((status(&response), code(&response).as_str()), ("408", "request_timeout"));
    let response = server.send("POST /app/echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf");
    assert_eq!((status(&response), code(&response).as_str()), ("408", "request_timeout"));
    let response = server.connect().get("/app/never");
    assert_eq!((status(&response), code(&response).as_str()), ("504", "timeout"));
    assert_eq!(server.script.aborts(), [ErrorCode::RequestTimeout, ErrorCode::Timeout]);
    eventually("heads counted", || {
        server.admin("/metrics").contains(r#"nano_errors_total{app="",code="request_timeout"} 2"#)
    });
}

#[test]
fn a_late_second_head_is_told_so_too() {
    let server = Server::with(|plan| change_listener(plan, |listener| listener.timeouts.header = SOON));
    let mut client = server.connect();
    client.get("/app/hello");
    client.write("GET /app/he");
    assert_eq!(status(&client.rest()), "408");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let server = Server::with(|plan| change_listener(plan, |listener| listener.timeouts.idle = SOON));
    let mut client = server.connect();
    client.get("/app/hello");
    assert_eq!(client.rest(), "");
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let server = Server::with(|plan| change_listener(plan, |listener| listener.timeouts.write = SOON));
    let mut client = server.connect();
    client.write("GET /app/endless HTTP/1.1\r\nhost: test\r\n\r\n");
    eventually("the app is told", || server.script.aborts() == [ErrorCode::ClientClosed]);
    assert_eq!(server.access_lines()[0]["status"], 499);
}

#[test]
fn a_client_that_leaves_aborts_its_request() {
    let server = Server::start();
    for (path, gone) in [("/app/never", 1), ("/app/endless", 2)] {
        let mut client = server.connect();
        client.write(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
        eventually("the app is asked", || server.script.arrived() == gone);
        drop(client);
        eventually("the app is told", || server.script.aborts() == vec![ErrorCode::ClientClosed; gone]);
    }
    let lines = server.access_lines();
    assert!(lines.iter().all(|line| line["status"] == 499 && line["error"] == "client_closed"), "{lines:?}");
    assert!(server.admin("/metrics").contains(r#"nano_http_in_flight{app="shop"} 0"#));
}

#[test]
fn streams_end_whole_or_visibly_cut() {
    let server = Server::start();
    let request = |path: &str| format!("GET /app/{path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    let whole = server.send(&request("stream"));
    assert!(whole.ends_with("4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"), "{whole}");
    let cut = server.send(&request("cut"));
    assert!(cut.starts_with("HTTP/1.1 200") && !cut.ends_with("0\r\n\r\n"), "{cut}");
    assert_eq!(server.script.aborts(), []);
    eventually("both are logged", || server.access_lines().len() == 2);
    let lines = server.access_lines();
    assert_eq!((&lines[0]["bytes_out"], &lines[0]["error"]), (&13.into(), &serde_json::Value::Null));
    assert_eq!((&lines[1]["status"], &lines[1]["error"]), (&200.into(), &"cpu_limit".into()));
}

#[test]
fn the_admin_interface_serves_metrics_and_nothing_else() {
    let server = Server::start();
    let metrics = server.admin("/metrics");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4\r\n"), "{metrics}");
    let other = server.admin("/app/hello");
    assert_eq!((status(&other), code(&other).as_str()), ("404", "not_found"));
    let twice = server.admin("/healthz HTTP/1.1\r\nhost: a\r\nx:");
    assert_eq!((status(&twice), code(&twice).as_str()), ("400", "bad_request"));
}

#[test]
fn metrics_ask_for_the_token_and_health_does_not() {
    let server = Server::with(|plan| plan.admin_token = Some(Secret::new("s3cret".to_owned())));
    assert_eq!(status(&server.admin("/metrics")), "401");
    assert_eq!(status(&server.admin("/metrics HTTP/1.1\r\nauthorization: Bearer s3cret\r\nx-rest:")), "200");
    assert_eq!(status(&server.admin("/healthz")), "200");
}

#[test]
fn a_client_that_still_sends_sees_why_it_is_refused() {
    let server = Server::start();
    let mut client = server.connect();
    client.write("POST /app/echo HTTP/1.1\r\nhost: test\r\ncontent-length: 4000000\r\n\r\n");
    let chunk = "x".repeat(100_000);
    for _ in 0..40 {
        client.write(&chunk);
    }
    assert_eq!(status(&client.rest()), "413");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
