//! The gateway over real sockets, byte by byte, with an app made of Rust behind it.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::config::Secret;
use crate::event::ErrorCode;
use crate::plan::egress::Egress;
use crate::plan::routes::RouteTable;
use crate::plan::{App, AppLogPlan, Claim, Level, Limits, Listener, LogPlan, Plan};

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
        assert!(response.contains("\r\nx-request-id: "), "{response}");
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
fn a_broken_http_2_connection_is_logged() {
    let server = Server::start();
    let settings = "\0\0\0\u{4}\0\0\0\0\0";
    let data_on_no_stream = "\0\0\0\0\0\0\0\0\0";
    // Kept open: a client that leaves at once may be gone before its mistake is found.
    let mut client = server.connect();
    client.write(&format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{settings}{data_on_no_stream}"));
    eventually("a line", || server.lines().iter().any(|line| line["error"] == "bad_request"));
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
fn http_2_is_spoken_by_prior_knowledge() {
    let server = Server::start();
    runtime().block_on(async {
        let mut client = h2(&server).await;
        let uri = |path: &str| format!("http://test{path}");
        let ask = |request: Request<Full<Bytes>>| client.send_request(request);
        let mut ask = ask;
        let response = ask(Request::get(uri("/app/hello")).body(Full::default()).unwrap()).await.unwrap();
        assert_eq!((response.status(), response.version()), (200.try_into().unwrap(), http::Version::HTTP_2));
        assert_eq!(response.headers()["server"], "nano");
        assert_eq!(response.collect().await.unwrap().to_bytes(), "hello");
        let body = Full::from("over h2");
        let response = ask(Request::post(uri("/app/echo")).body(body).unwrap()).await.unwrap();
        assert_eq!(response.collect().await.unwrap().to_bytes(), "over h2");
        let response = ask(Request::post(uri("/app/echo")).body(Full::from(vec![0; 2000])).unwrap()).await.unwrap();
        assert_eq!(response.status(), 413);
        let response = ask(Request::head(uri("/app/length")).body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["content-length"], "12345");
        let response = ask(Request::get(uri("/app/lies")).body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(response.collect().await.unwrap().to_bytes(), "truth");
        let response = ask(Request::get(uri("/app/cut")).body(Full::default()).unwrap()).await.unwrap();
        assert!(response.collect().await.is_err());
        let big = Request::get(uri("/app/hello")).header("x-big", "x".repeat(9000)).body(Full::default()).unwrap();
        assert_eq!(ask(big).await.unwrap().status(), 431);
        let never = ask(Request::get(uri("/app/never")).body(Full::default()).unwrap());
        let asked = server.script.arrived() + 1;
        let never = tokio::spawn(never);
        while server.script.arrived() < asked {
            tokio::task::yield_now().await;
        }
        never.abort();
        let _ = never.await;
    });
    eventually("the app is told", || server.script.aborts().contains(&ErrorCode::ClientClosed));
}

#[test]
fn an_http_2_stream_that_is_not_read_is_reset_and_no_other() {
    let server = Server::with(|plan| change_listener(plan, |listener| listener.timeouts.write = SOON));
    runtime().block_on(async {
        // Windows that only reading opens again.
        let mut client = frames(&server, 1000).await;
        for path in ["endless", "large"] {
            let (unread, _) = client.send_request(get(path), true).unwrap();
            let mut unread = unread.await.unwrap().into_body();
            // The client goes on with other streams all the while.
            while server.access_lines().iter().all(|line| line["path"] != format!("/app/{path}")) {
                let (answer, _) = client.send_request(get("hello"), true).unwrap();
                assert_eq!(read(answer.await.unwrap().into_body()).await.unwrap(), b"hello");
                tokio::time::sleep(SOON / 10).await;
            }
            let reset = loop {
                // What had come before is still there; its window stays shut.
                if let Err(error) = unread.data().await.unwrap() {
                    break error;
                }
            };
            assert_eq!(reset.reason(), Some(h2::Reason::CANCEL));
        }
    });
    assert_eq!(server.script.aborts(), [ErrorCode::ClientClosed; 2]);
    let lines = server.access_lines();
    let unread: Vec<_> = lines.iter().filter(|line| line["path"] != "/app/hello").collect();
    assert_eq!(unread.len(), 2);
    assert!(unread.iter().all(|line| line["error"] == "client_closed"), "{unread:?}");
}

#[test]
fn an_http_2_body_nobody_reads_leaves_room_for_the_others() {
    let server = Server::start();
    runtime().block_on(async {
        let mut client = frames(&server, 1 << 20).await;
        let post = |path: &str| Request::post(format!("http://test/app/{path}")).body(()).unwrap();
        let (_unanswered, mut unread) = client.send_request(post("never"), false).unwrap();
        unread.send_data(Bytes::from(vec![0; 1 << 20]), true).unwrap();
        for _ in 0..20 {
            let (answer, mut body) = client.send_request(post("echo"), false).unwrap();
            body.send_data(Bytes::from(vec![b'x'; 1000]), true).unwrap();
            assert_eq!(read(answer.await.unwrap().into_body()).await.unwrap(), [b'x'; 1000]);
        }
    });
}

#[test]
fn an_http_2_request_that_ends_early_is_not_taken_for_whole() {
    let server = Server::start();
    runtime().block_on(async {
        let mut client = frames(&server, 1 << 20).await;
        let post = Request::post("http://test/app/read").body(()).unwrap();
        let (_unanswered, mut body) = client.send_request(post, false).unwrap();
        body.send_data(Bytes::from_static(b"half"), false).unwrap();
        while server.script.arrived() < 1 {
            tokio::time::sleep(SOON / 10).await;
        }
        body.send_reset(h2::Reason::CANCEL);
        while server.script.reads().is_empty() {
            tokio::time::sleep(SOON / 10).await;
        }
    });
    assert_eq!(server.script.reads(), [Err(crate::event::BodyError::Incomplete)]);
}

#[test]
fn cookies_in_pieces_are_one_field() {
    let server = Server::start();
    runtime().block_on(async {
        let request = Request::get("http://test/app/head").header("cookie", "a=1").header("cookie", "b=2");
        let response = h2(&server).await.send_request(request.body(Full::default()).unwrap()).await.unwrap();
        let seen = response.collect().await.unwrap().to_bytes();
        let seen = std::str::from_utf8(&seen).unwrap();
        assert!(seen.contains("\ncookie: a=1; b=2\n"), "{seen}");
    });
}

#[test]
fn draining_answers_what_is_in_flight_and_refuses_the_rest() {
    let server = Server::start();
    assert!(server.admin("/readyz").starts_with("HTTP/1.1 200 "));
    let mut idle = server.connect();
    idle.get("/app/hello");
    let mut busy = server.connect();
    busy.write("GET /app/gate HTTP/1.1\r\nhost: test\r\n\r\n");
    eventually("the gate is asked", || server.script.arrived() == 2);
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| server.drain(NEVER));
        eventually("not ready", || server.admin("/readyz").starts_with("HTTP/1.1 503 "));
        assert!(server.admin("/healthz").starts_with("HTTP/1.1 200 "));
        eventually("refused", || TcpStream::connect(server.address).is_err());
        assert_eq!(idle.rest(), "");
        server.script.release.notify_one();
        let response = busy.response();
        assert!(response.contains("connection: close\r\n") && response.ends_with("released"), "{response}");
        assert!(drained.join().unwrap());
    });
}

#[test]
fn draining_under_load_answers_every_connection_it_accepts() {
    let server = Server::start();
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (server, answered) = (&server, &answered);
            // Half of them ask for a new connection each time, so that some are in the kernel's queue at the end.
            let close = if client % 2 == 0 { "connection: close\r\n" } else { "" };
            scope.spawn(move || {
                while let Some(mut client) = Client::try_connect(server.address) {
                    loop {
                        client.write(&format!("GET /app/hello HTTP/1.1\r\nhost: test\r\n{close}\r\n"));
                        let response = client.response();
                        assert!(response.ends_with("hello"), "{response}");
                        answered.fetch_add(1, Relaxed);
                        if response.contains("connection: close\r\n") {
                            break;
                        }
                    }
                }
            });
        }
        eventually("all are busy", || answered.load(Relaxed) > 500);
        assert!(server.drain(NEVER));
    });
}

#[test]
fn draining_lets_http_2_streams_finish() {
    let server = Server::start();
    runtime().block_on(async {
        let mut client = h2(&server).await;
        let gate = Request::get("http://test/app/gate").body(Full::default()).unwrap();
        let gate = tokio::spawn(client.send_request(gate));
        while server.script.arrived() < 1 {
            tokio::task::yield_now().await;
        }
        let release = async {
            while !server.gateway.addresses().is_empty() {
                tokio::task::yield_now().await;
            }
            server.script.release.notify_one();
            let response = gate.await.unwrap().unwrap();
            assert_eq!(response.collect().await.unwrap().to_bytes(), "released");
        };
        let (drained, ()) = tokio::join!(server.gateway.drain(NEVER), release);
        assert!(drained);
    });
}

#[test]
fn a_drain_over_its_limit_cuts_what_is_left() {
    let server = Server::start();
    let mut client = server.connect();
    client.write("GET /app/never HTTP/1.1\r\nhost: test\r\n\r\n");
    eventually("the app is asked", || server.script.arrived() == 1);
    assert!(!server.drain(SOON));
    assert_eq!(client.rest(), "");
    assert_eq!(server.script.aborts().len(), 1);
}

#[test]
fn a_reload_keeps_sockets_and_connections_that_stay() {
    let server = Server::start();
    let mut kept = server.connect();
    kept.get("/app/hello");
    let mut plan = server.plan.clone();
    // Another listener comes first: the one that stays has another index now.
    let new = Listener { name: "new".to_owned(), address: free_address(), ..listener() };
    let new_address = new.address;
    plan.listeners.insert(0, Arc::new(new));
    server.serve(plan);
    assert!(kept.get("/app/hello").ends_with("hello"));
    let mut added = Client::connect(new_address);
    assert!(added.get("/app/hello").ends_with("hello"));
    added.write("GET /app/gate HTTP/1.1\r\nhost: test\r\n\r\n");
    eventually("the gate is asked", || server.script.arrived() == 4);

    server.serve(server.plan.clone());
    eventually("refused", || TcpStream::connect(new_address).is_err());
    server.script.release.notify_one();
    let response = added.response();
    assert!(response.contains("connection: close\r\n") && response.ends_with("released"), "{response}");
    assert_eq!(added.rest(), "");
    assert!(kept.get("/app/hello").ends_with("hello"));
}

#[test]
fn the_cap_holds_connections_back_until_one_closes() {
    let server = Server::with(|plan| change_listener(plan, |listener| listener.max_connections = 1));
    let mut first = server.connect();
    first.get("/app/hello");
    let mut second = server.connect();
    second.write("GET /app/hello HTTP/1.1\r\nhost: test\r\n\r\n");
    first.get("/app/hello");
    assert_eq!(server.script.arrived(), 2);
    drop(first);
    assert!(second.response().ends_with("hello"));
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let server = Server::start();
    let mut plan = server.plan.clone();
    let taken = server.address;
    plan.listeners.push(Arc::new(Listener { name: "again".to_owned(), address: taken, ..listener() }));
    let error = server.gateway.bind(&plan).err().unwrap().to_string();
    for part in ["listener \"again\"", &taken.to_string(), "os error 98", "ss -ltnp"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_admin_interface_serves_metrics_and_nothing_else() {
    let server = Server::start();
    let metrics = server.admin("/metrics");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4\r\n"), "{metrics}");
    let other = server.admin("/app/hello");
    assert_eq!((status(&other), code(&other).as_str()), ("404", "not_found"));
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

async fn h2(server: &Server) -> hyper::client::conn::http2::SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A client that sees frames, and whose streams have a window of `window` bytes.
async fn frames(server: &Server, window: u32) -> h2::client::SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::Builder::new().initial_window_size(window).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://test/app/{path}")).body(()).unwrap()
}

async fn read(mut body: h2::RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        bytes.extend_from_slice(&data?);
    }
    Ok(bytes)
}

/// An address nobody listens on just now.
fn free_address() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
