//! What people copy works: the examples, the example config, and every config in the documentation.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Conn, Nano, Peer, Request, Setup, Upstream, free_port};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Adds a copy of the examples to a setup.
fn with_examples(mut setup: Setup) -> Setup {
    let mut folders = vec![root("examples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root("")).unwrap().to_str().unwrap().to_owned();
            setup = setup.file(&name, std::fs::read(path).unwrap());
        }
    }
    setup
}

/// The example config's apps on listeners of this test's own.
fn examples() -> Nano {
    with_examples(Setup::new())
        .listener("web", "")
        .listener("stream", "")
        .config(
            "app \"hello\" \"examples/hello\"\n\
             app \"json-api\" \"examples/json-api\" { host \"api.localhost\"; path \"/api/*\"; limits isolates=1; }\n\
             app \"stream\" \"examples/stream\" { listen \"stream\"; }\n",
        )
        .start()
}

fn api(method: &str, target: &str, body: &str) -> Request {
    Request::post("", target, body).method(method).header("host", "api.localhost")
}

#[test]
fn hello_greets() {
    let answer = examples().get("anything", "/");
    assert_eq!(answer.status, 200);
    assert!(answer.text().to_lowercase().contains("hello"));
}

#[test]
fn the_json_api_keeps_notes() {
    let nano = examples();
    let mut conn = nano.connect();
    let made = conn.send(&api("POST", "/api/notes", r#"{"text": "buy milk"}"#));
    assert_eq!(made.status, 201, "{}", made.text());
    let place = made.header("location").unwrap().to_owned();
    assert_eq!(conn.send(&api("GET", &place, "")).json()["text"], "buy milk");
    let found = conn.send(&api("GET", "/api/notes?q=MILK", ""));
    assert_eq!(found.json().as_array().unwrap().len(), 1);
    assert_eq!(conn.send(&api("GET", "/api/notes?q=tea", "")).json().as_array().unwrap().len(), 0);
    assert_eq!(conn.send(&api("PUT", &place, r#"{"text": "buy tea"}"#)).json()["text"], "buy tea");
    assert_eq!(conn.send(&api("DELETE", &place, "")).status, 204);
    assert_eq!(conn.send(&api("GET", &place, "")).status, 404);
}

#[test]
fn the_json_api_says_what_is_wrong() {
    let nano = examples();
    let mut conn = nano.connect();
    for (method, target, body, status) in [
        ("POST", "/api/notes", "{not json", 400),
        ("POST", "/api/notes", r#"{"words": 1}"#, 400),
        ("GET", "/api/notes/none", "", 404),
        ("GET", "/api/nothing", "", 404),
        ("PATCH", "/api/notes", "", 405),
    ] {
        let answer = conn.send(&api(method, target, body));
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        assert!(answer.json()["error"].is_string());
        assert_eq!(answer.header("allow").is_some(), status == 405);
    }
}

#[test]
fn the_stream_example_ticks_counts_and_echoes() {
    let nano = examples();
    let port = nano.port_of("stream");
    let mut events = Conn::open(port);
    events.write(Request::get("any", "/events").bytes());
    assert_eq!(events.head().header("content-type"), Some("text/event-stream"));
    for _ in 0..2 {
        let event = String::from_utf8(events.chunk().unwrap()).unwrap();
        assert!(event.contains("data: ") && event.ends_with("\n\n"), "{event:?}");
    }
    let mut conn = Conn::open(port);
    conn.send(&Request::get("any", "/count?n=3")).says("1\n2\n3\n");
    conn.send(&Request::post("any", "/echo", "echo, echo")).says("echo, echo");
    assert!(conn.send(&Request::get("any", "/")).text().contains("EventSource"));
    assert_eq!(conn.send(&Request::get("any", "/none")).status, 404);
}

/// The proxy example before a server on `port`.
fn proxy(port: u16) -> Nano {
    with_examples(Setup::new())
        .config(&format!(
            "app \"proxy\" \"examples/proxy\" {{\n env {{ UPSTREAM \"http://127.0.0.1:{port}/base/\"; TIMEOUT_MS 300; }}\n \
             fetch {{ allow \"127.0.0.1:{port}\"; }}\n}}\n"
        ))
        .start()
}

#[test]
fn the_proxy_passes_messages_on_without_what_ends_at_this_hop() {
    let upstream = Upstream::echo();
    let nano = proxy(upstream.port);
    let request = Request::post("shop", "//other.example/x?y=z", "hello")
        .header("x-own", "1")
        .header("connection", "x-private")
        .header("x-private", "2")
        .header("x-forwarded-for", "made up")
        .header("te", "trailers");
    let told = nano.send(&request).json();
    assert_eq!((&told["method"], &told["target"]), (&"POST".into(), &"/base//other.example/x?y=z".into()));
    assert_eq!(told["body"], "hello");
    let headers = &told["headers"];
    assert_eq!((&headers["x-own"], &headers["x-forwarded-host"]), (&"1".into(), &"shop.test".into()));
    for gone in ["x-private", "x-forwarded-for", "te"] {
        assert!(headers[gone].is_null(), "{gone}");
    }
    let redirect = nano.get("shop", "/../redirect/302?/elsewhere");
    assert_eq!(redirect.status, 200, "the path stays below the base: {}", redirect.text());
}

#[test]
fn the_proxy_streams_both_ways() {
    let upstream = Upstream::start(|mut peer: Peer| {
        peer.head();
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while let Some(chunk) = peer.chunk() {
            peer.write(format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8(chunk).unwrap()));
        }
        peer.write("0\r\n\r\n");
    });
    let nano = proxy(upstream.port);
    let mut conn = nano.connect();
    conn.write("POST / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(conn.head().status, 200);
    for word in ["one", "two", "three"] {
        conn.write(format!("{:x}\r\n{word}\r\n", word.len()));
        assert_eq!(conn.chunk().unwrap(), word.as_bytes());
    }
    conn.write("0\r\n\r\n");
    assert_eq!(conn.chunk(), None);
}

#[test]
fn the_proxy_says_when_there_is_no_answer() {
    assert_eq!(proxy(free_port()).get("a", "/").status, 502);
    let silent = Upstream::start(|mut peer: Peer| {
        peer.request();
        peer.closed();
    });
    assert_eq!(proxy(silent.port).get("a", "/").status, 504);
}

/// Checks a config as if it lay at the root of the checkout, its ports and paths untouched.
#[track_caller]
fn checks(name: &str, config: &str) {
    let app =
        if config.lines().any(|line| line.starts_with("app ")) { "" } else { "app \"hello\" \"examples/hello\"\n" };
    let setup = with_examples(Setup::new()).file("nano.kdl", format!("{config}\n{app}"));
    let output =
        Command::new(env!("CARGO_BIN_EXE_nano")).args(["check", "--config"]).arg(setup.config_file()).output().unwrap();
    assert!(output.status.success(), "{name}\n{config}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_example_config_is_valid() {
    checks("nano.kdl.example", &std::fs::read_to_string(root("nano.kdl.example")).unwrap());
}

/// The texts between a line `begin` and the next line `end`.
fn blocks(text: &str, begin: &str, end: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.any(|line| line == begin) {
        blocks
            .push(lines.by_ref().take_while(|line| *line != end).fold(String::new(), |text, line| text + line + "\n"));
    }
    blocks
}

#[test]
fn every_config_in_the_documentation_is_valid() {
    let readme = blocks(&std::fs::read_to_string(root("README.md")).unwrap(), "```kdl", "```");
    let manual = blocks(&std::fs::read_to_string(root("man/nano.kdl.5")).unwrap(), ".EX", ".EE");
    assert!(!readme.is_empty() && !manual.is_empty());
    readme.iter().for_each(|block| checks("README.md", block));
    manual
        .iter()
        .for_each(|block| checks("nano.kdl.5", &block.replace("\\e", "\\").replace("\\-", "-").replace("\\(dq", "\"")));
}
