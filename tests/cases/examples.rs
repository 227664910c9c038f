//! What people copy works: the examples, the example config, and every config in the documentation.

use std::path::{Path, PathBuf};
use std::process::Command;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

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
             app \"webhook\" \"examples/webhook\" {\n\
                 host \"hooks.localhost\"; env { WEBHOOK_SECRET \"It's a Secret to Everybody\"; }\n\
             }\n\
             app \"upload\" \"examples/upload\" { host \"upload.localhost\"; limits body=\"1MiB\"; }\n\
             app \"markdown\" \"examples/markdown\" { host \"markdown.localhost\"; }\n\
             app \"rewrite\" \"examples/rewrite\" { host \"rewrite.localhost\"; }\n\
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
fn a_page_is_rewritten() {
    let nano = examples();
    let answer = nano.send(&Request::get("", "/").header("host", "rewrite.localhost"));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let page = answer.text();
    for part in [
        r#"<a href="https://example.com/" rel="noopener nofollow">elsewhere</a> ↗, this one <a href="/about">stays</a>"#,
        r#"<img src="cat.jpg" alt="A cat" loading="lazy">"#,
        "<p>Made at <time>20",
        "\n  What a slot without a filler shows.\n",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("authors") && !page.contains("slot name"), "{page}");
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

fn hook(header: &str, value: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::post("", "/", body).header("host", "hooks.localhost").header(header, value)
}

fn signature(message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"It's a Secret to Everybody").unwrap();
    mac.update(message);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_webhook_example_takes_what_is_signed() {
    let nano = examples();
    let mut conn = nano.connect();
    // The example in GitHub's documentation is signed right, but is no JSON.
    let documented = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(conn.send(&hook("x-hub-signature-256", documented, "Hello, World!")).status, 400);

    let body = "{\"type\": \"push\", \"by\": \"Zo\u{eb}\"}";
    let taken = conn.send(&hook("x-hub-signature-256", &format!("sha256={}", signature(body.as_bytes())), body));
    assert_eq!((taken.status, taken.json()["received"].as_str()), (202, Some("push")), "{}", taken.text());
}

#[test]
fn the_webhook_example_refuses_what_is_not() {
    let nano = examples();
    let mut conn = nano.connect();
    let body = "{\"type\": \"push\"}";
    let right = signature(body.as_bytes());
    for value in [
        format!("sha256={}", signature(b"{}")),
        format!("sha256={}", &right[..62]),
        format!("sha256={right}00"),
        format!("sha1={right}"),
        "sha256=".to_owned(),
        "sha256=xyz".to_owned(),
        right,
    ] {
        let answer = conn.send(&hook("x-hub-signature-256", &value, body));
        assert_eq!(answer.status, 401, "{value}");
        assert!(answer.json()["error"].as_str().unwrap().contains("signature"), "{}", answer.text());
    }
    assert_eq!(conn.send(&hook("x-something-else", "1", body)).status, 401);
    let get = conn.send(&Request::get("", "/").header("host", "hooks.localhost"));
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
}

#[test]
fn the_webhook_example_takes_a_signature_with_a_time_while_it_is_fresh() {
    let nano = examples();
    let mut conn = nano.connect();
    let body = "{\"type\": \"charge.succeeded\"}";
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let signed = |time: u64| format!("t={time},v1={}", signature(format!("{time}.{body}").as_bytes()));
    assert_eq!(conn.send(&hook("stripe-signature", &signed(now), body)).status, 202);
    let two = format!("{},v1={}", signed(now).replace("v1=", "v1=00"), signature(format!("{now}.{body}").as_bytes()));
    assert_eq!(conn.send(&hook("stripe-signature", &two, body)).status, 202);
    let stale = conn.send(&hook("stripe-signature", &signed(now - 3600), body));
    assert!(stale.status == 401 && stale.text().contains("older"), "{}", stale.text());
    let moved = signed(now - 3600).replace(&format!("t={}", now - 3600), &format!("t={now}"));
    assert_eq!(conn.send(&hook("stripe-signature", &moved, body)).status, 401);
    assert_eq!(conn.send(&hook("stripe-signature", "v1=00", body)).status, 401);
}

/// A request to one of the examples that a browser would send, with a form as its body.
fn browser(host: &str, target: &str, kind: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::post("", target, body).header("host", host).header("content-type", kind)
}

#[test]
fn the_upload_form_describes_what_a_browser_sends() {
    const KIND: &str = "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW";
    let nano = examples();
    let mut conn = nano.connect();
    let form = conn.send(&Request::get("", "/").header("host", "upload.localhost"));
    assert!(form.text().contains("enctype=\"multipart/form-data\""), "{}", form.text());
    let body = "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n\
                Content-Disposition: form-data; name=\"note\"\r\n\r\n\
                <script>alert('&')</script>\r\n\
                ------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n\
                Content-Disposition: form-data; name=\"file\"; filename=\"<b>ä%22.txt\"\r\n\
                Content-Type: text/plain\r\n\r\n\
                three\r\nlines\r\n\r\n\
                ------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n";
    let sum: String = Sha256::digest("three\r\nlines\r\n").iter().map(|byte| format!("{byte:02x}")).collect();
    let answer = conn.send(&browser("upload.localhost", "/", KIND, body));
    assert_eq!((answer.status, answer.header("x-content-type-options")), (200, Some("nosniff")));
    for cell in [
        "<td>note</td><td>text &#60;script&#62;alert(&#39;&#38;&#39;)&#60;/script&#62;</td><td>27 bytes</td>",
        "<td>file</td><td>file &#60;b&#62;ä%22.txt</td><td>14 bytes</td><td>text/plain</td>",
        &format!("<td>{sum}</td>"),
    ] {
        assert!(answer.text().contains(cell), "{cell} is in {}", answer.text());
    }
    let file = conn.send(&browser("upload.localhost", "/back", KIND, body));
    file.says("three\r\nlines\r\n");
    assert_eq!(file.header("content-type"), Some("application/octet-stream"));
    assert_eq!(file.header("content-disposition"), Some("attachment; filename*=UTF-8''%3Cb%3E%C3%A4%2522.txt"));
    for (kind, body) in [(KIND, &body[2..]), ("text/plain", body)] {
        assert_eq!(conn.send(&browser("upload.localhost", "/", kind, body)).status, 400);
    }
    nano.send(&browser("upload.localhost", "/", KIND, vec![b'x'; (1 << 20) + 1])).fails(413, "body_too_large");
}

#[test]
fn the_markdown_example_renders_and_trusts_nobody() {
    let nano = examples();
    let mut conn = nano.connect();
    let page = conn.send(&Request::get("", "/").header("host", "markdown.localhost"));
    assert!(page.text().contains("<td align=\"right\">1</td>"), "{}", page.text());
    let mut render = |kind: &str, text: &str| conn.send(&browser("markdown.localhost", "/", kind, text)).text();
    assert_eq!(render("text/markdown", "# Hi\n*there*"), "<h1>Hi</h1>\n<p><em>there</em></p>\n");
    let form = render("application/x-www-form-urlencoded", "text=**b**%0A%3C%2Ftextarea%3E");
    assert!(form.contains("<strong>b</strong>") && form.matches("</textarea>").count() == 1, "{form}");
    let link = render("text/markdown", "[a](http://x/?b=c&d=e) ![f](g.png)");
    assert_eq!(link, "<p><a href=\"http://x/?b=c&#38;d=e\">a</a> <img src=\"g.png\" alt=\"f\"></p>\n");
    for text in [
        "<script>x</script>",
        "a <img src=x onerror=y> b",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt&colon;alert(1))",
        "![a](data:text/html,x)",
        "[a]: vbscript:x\n\n[a]",
        "<javascript:alert(1)>",
        "[a](http://x/\"onclick=\"y)",
    ] {
        let html = render("text/markdown", text);
        let bad = ["<script", "<img src=x", "=\"javascript:", "=\"vbscript:", "=\"data:", "&colon", "\"onclick"];
        let lower = html.to_lowercase();
        assert!(bad.iter().all(|bad| !lower.contains(bad)), "{text}: {html}");
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
