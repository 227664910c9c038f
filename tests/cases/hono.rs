//! Hono as it ships: routing and what handlers do, its middleware, its JSX.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use serde_json::json;

use super::packages::serve;
use crate::support::{Conn, Nano, Request, Response, Upstream, ok};

/// The entity tag of "tagged": its SHA-1.
const TAG: &str = "\"8e1ec218dc7ecaadd65388fba9b6723ce114268a\"";

fn app() -> Option<Nano> {
    serve("hono", "env { GREETING \"hello\"; SECRET \"of this test\"; }")
}

fn middleware() -> Option<Nano> {
    serve("hono_middleware", "")
}

/// What an app's block says so that it knows and reaches a server.
fn reaching(upstream: &Upstream) -> String {
    format!("env {{ UPSTREAM {:?}; }}\n    fetch {{ allow \"127.0.0.1\"; }}", upstream.url(""))
}

/// A GET with one header field.
fn with(nano: &Nano, target: &str, name: &str, value: &str) -> Response {
    nano.send(&Request::get("app", target).header(name, value))
}

fn form(target: &str, body: &str) -> Request {
    Request::post("app", target, body).header("content-type", "application/x-www-form-urlencoded")
}

/// The pieces of a body as they come.
fn chunks(conn: &mut Conn) -> Vec<String> {
    std::iter::from_fn(|| conn.chunk()).map(|chunk| String::from_utf8(chunk).unwrap()).collect()
}

#[test]
fn hono_routes() {
    let Some(nano) = app() else { return };
    nano.get("app", "/").says("hello from GET /");
    assert_eq!(nano.get("app", "/books?page=2&tag=a&tag=b%20c").json(), json!({ "page": "2", "tags": ["a", "b c"] }));
    assert_eq!(nano.get("app", "/books/12").json(), json!({ "id": 12 }));
    assert_eq!(nano.get("app", "/books/1/chapters").json(), json!({ "id": "1" }));
    assert_eq!(nano.get("app", "/books/1/chapters/zo%C3%AB%20b").json(), json!({ "id": "1", "name": "zoë b" }));
    nano.get("app", "/files/a%20/b").says("/files/a /b");
    nano.send(&Request::new("DELETE", "app", "/two")).says("DELETE /two");
    for request in [Request::get("app", "/books/x"), Request::new("PATCH", "app", "/two")] {
        assert_eq!(nano.send(&request).status, 404);
    }
    assert_eq!(nano.get("app", "/nothing").json(), json!({ "missing": "/nothing" }));
    let head = nano.send(&Request::new("HEAD", "app", "/"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    let old = nano.get("app", "/old");
    assert_eq!((old.status, old.header("location")), (301, Some("/new")));
    with(&nano, "/negotiated", "accept-language", "fr, de;q=0.8").says("de");
}

#[test]
fn hono_reads_and_validates_bodies() {
    let Some(nano) = app() else { return };
    let book = |body: &str| nano.send(&Request::post("app", "/books", body).header("content-type", "application/json"));
    let made = book(r#"{"title": "Zoë & co"}"#);
    assert_eq!((made.status, made.header("location")), (201, Some("/books/Zo%C3%AB%20%26%20co")));
    let wrong = book("{}");
    assert_eq!((wrong.status, wrong.json()), (400, json!({ "error": "a book has a title" })));
    assert_eq!((book("{").status, book("{").text()), (400, "Malformed JSON in request body".into()));

    assert_eq!(nano.send(&form("/form", "a=1&a=2&b=%C3%AB+")).json(), json!({ "a": ["1", "2"], "b": "ë " }));
    let parts = "--x\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nfirst\r\n\
        --x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
        content-type: text/plain\r\n\r\ntext\r\n--x--\r\n";
    let upload = Request::post("app", "/upload", parts).header("content-type", "multipart/form-data; boundary=x");
    let taken = json!({ "note": "first", "name": "a.txt", "type": "text/plain", "text": "text" });
    assert_eq!(nano.send(&upload).json(), taken);
    let echo = nano.send(&Request::post("app", "/echo", "as it is").header("content-type", "text/x-own"));
    assert_eq!((echo.text().as_str(), echo.header("content-type")), ("as it is", Some("text/x-own")));
}

#[test]
fn hono_escapes_html() {
    let Some(nano) = app() else { return };
    let page = nano.get("app", "/page/%3Cb%3E");
    assert_eq!(page.header("content-type"), Some("text/html; charset=UTF-8"));
    page.says("<!doctype html><p>Hello, &lt;b&gt;</p>");
}

#[test]
fn hono_sets_and_signs_cookies() {
    let Some(nano) = app() else { return };
    let answer = with(&nano, "/cookies", "cookie", "a=1; b=%20x; c=\"q\"");
    assert_eq!(answer.json(), json!({ "a": "1", "b": " x", "c": "q" }));
    let set = [
        "theme=dark%20side; Max-Age=60; Path=/; HttpOnly; SameSite=Lax",
        "__Host-id=1; Path=/; Secure",
        "old=; Max-Age=0; Path=/",
    ];
    assert_eq!(answer.header_all("set-cookie"), set);

    let signed = nano.get("app", "/signed/set");
    let (cookie, _) = signed.header("set-cookie").unwrap().split_once(';').unwrap();
    assert_eq!(with(&nano, "/signed", "cookie", cookie).json(), json!({ "user": "zoë" }));
    let forged = cookie.replacen("zo%C3%AB", "eve", 1);
    assert_eq!(with(&nano, "/signed", "cookie", &forged).json(), json!({ "user": false }));
}

#[test]
fn hono_passes_through_middleware_of_its_own_and_works_on_after_the_answer() {
    let Some(nano) = app() else { return };
    let answer = nano.get("app", "/counted");
    answer.says("counted");
    assert_eq!(answer.header("x-count"), Some("2"));
    nano.console("counted later");
}

#[test]
fn hono_turns_what_is_thrown_into_an_answer() {
    let Some(nano) = app() else { return };
    let teapot = nano.get("app", "/teapot");
    assert_eq!((teapot.status, teapot.text().as_str()), (418, "short and stout"));
    let broken = nano.get("app", "/broken");
    let error = json!({ "error": "Cannot read properties of null (reading 'broken')", "kind": "TypeError" });
    assert_eq!((broken.status, broken.json()), (500, error));
}

#[test]
fn hono_streams() {
    let Some(nano) = app() else { return };
    let mut conn = nano.connect();
    conn.write(Request::get("app", "/stream/text").bytes());
    assert_eq!(conn.head().header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(chunks(&mut conn), ["one\n", "two\n", "three\n"]);

    let events = conn.send(&Request::get("app", "/stream/events"));
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let tick = |id: u32| format!("event: tick\ndata: first\ndata: second {id}\nid: {id}\n\n");
    events.says(&format!("{}{}event: error\ndata: no third\n\n", tick(1), tick(2)));
    nano.console("stream: no third");

    let body = "passed on ".repeat(100_000);
    conn.send(&Request::post("app", "/stream/piped", body.as_str())).says(&body);
}

#[test]
fn hono_streams_events_over_http2() {
    let Some(nano) = app() else { return };
    let request = http::Request::get("http://app.test/stream/events").body(Bytes::new()).unwrap();
    let events = nano.connect_h2().send(request).unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    // Hono says both of every such stream; HTTP/2 has neither (RFC 9113 §8.2.2).
    assert!(!events.headers().contains_key("transfer-encoding") && !events.headers().contains_key("connection"));
    assert!(events.body().ends_with(b"event: error\ndata: no third\n\n"));
}

#[test]
fn hono_notices_that_the_reader_of_a_stream_has_left() {
    let Some(nano) = app() else { return };
    let mut conn = nano.connect();
    conn.write(Request::get("app", "/stream/endless").bytes());
    assert_eq!(conn.head().status, 200);
    assert_eq!(conn.chunk().unwrap(), b"more\n");
    drop(conn);
    nano.console("the client has left");
}

#[test]
fn hono_proxies() {
    let upstream = Upstream::echo();
    let Some(nano) = serve("hono", &reaching(&upstream)) else { return };
    let request =
        Request::post("app", "/proxied/a?b=c", "hello").header("authorization", "secret").header("x-own", "1");
    let echo = nano.send(&request).json();
    assert_eq!((&echo["method"], &echo["target"], &echo["body"]), (&"POST".into(), &"/a".into(), &"hello".into()));
    let headers = &echo["headers"];
    assert_eq!((&headers["x-own"], &headers["x-forwarded-host"]), (&"1".into(), &"app.test".into()));
    assert_eq!(headers["authorization"], json!(null));
}

#[test]
fn hono_shares_across_origins() {
    let Some(nano) = middleware() else { return };
    let from = |method: &str, origin: &str| nano.send(&Request::new(method, "app", "/cors").header("origin", origin));
    let shared = from("GET", "https://admin.example");
    shared.says("shared");
    assert_eq!(shared.header("access-control-allow-origin"), Some("https://admin.example"));
    assert_eq!(shared.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(shared.header("access-control-expose-headers"), Some("Content-Length"));
    assert_eq!(shared.header("vary"), Some("Origin"));
    assert_eq!(from("GET", "https://evil.example").header("access-control-allow-origin"), None);
    let preflight = from("OPTIONS", "https://app.example");
    assert_eq!((preflight.status, preflight.body.len()), (204, 0));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET,HEAD,PUT,POST,DELETE,PATCH,QUERY"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("X-Token"));
    assert_eq!(preflight.header("access-control-max-age"), Some("600"));
    assert_eq!(preflight.header("vary"), Some("Origin, Access-Control-Request-Headers"));
}

#[test]
fn hono_lets_in_who_may() {
    let Some(nano) = middleware() else { return };
    let basic = |credentials: &str| with(&nano, "/basic", "authorization", &format!("Basic {credentials}")).status;
    assert_eq!((basic("em/DqzpwOnNz"), basic("em/DqzpwOg==")), (200, 401)); // zoë:p:ss and zoë:p:
    let asked = nano.get("app", "/basic");
    assert_eq!((asked.status, asked.header("www-authenticate")), (401, Some("Basic realm=\"Secure Area\"")));

    let bearer = |token: &str| with(&nano, "/bearer", "authorization", &format!("Bearer {token}"));
    bearer("two").says("bearer");
    assert_eq!(bearer("three").header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    assert_eq!((bearer("three").status, bearer("a b").status, nano.get("app", "/bearer").status), (401, 400, 401));

    with(&nano, "/some", "authorization", "Bearer one").says("some");
    with(&nano, "/some", "authorization", "Basic YTpi").says("some"); // a:b
    assert_eq!(with(&nano, "/some", "authorization", "Basic YTpj").status, 401);

    for (address, status) in [("10.1.2.3", 200), ("11.1.2.3", 403), ("fd12::1", 200), ("fe80::1", 403)] {
        assert_eq!(with(&nano, "/inside", "x-from", address).status, status, "{address}");
    }
}

#[test]
fn hono_issues_and_verifies_tokens() {
    let Some(nano) = middleware() else { return };
    let login =
        |expires: i32| nano.post("app", "/login", json!({ "user": "zoë", "expires": expires }).to_string()).text();
    let with = |token: &str| with(&nano, "/jwt", "authorization", &format!("Bearer {token}"));
    let token = login(60);
    with(&token).says("zoë");
    for wrong in [login(-60), format!("{token}A"), "eyJhbGciOiJub25lIn0.e30.".into()] {
        let answer = with(&wrong);
        assert_eq!(answer.status, 401, "{wrong}");
        assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
}

#[test]
fn hono_refuses_forged_forms() {
    let Some(nano) = middleware() else { return };
    let post = |name: &str, value: &str| nano.send(&form("/csrf", "a=1").header(name, value)).status;
    assert_eq!((post("origin", "https://app.example"), post("origin", "https://evil.example")), (200, 403));
    assert_eq!((post("sec-fetch-site", "same-origin"), post("sec-fetch-site", "cross-site")), (200, 403));
}

#[test]
fn hono_secures_pages() {
    let Some(nano) = middleware() else { return };
    let answer = nano.get("app", "/secure");
    let policy = format!("default-src 'self'; script-src 'nonce-{}'", answer.text());
    assert_eq!((answer.body.len(), answer.header("content-security-policy")), (24, Some(&*policy)));
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("origin-agent-cluster", "?1"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=15552000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-xss-protection", "0"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_ne!(nano.get("app", "/secure").text(), answer.text());
}

#[test]
fn hono_tags_what_it_sends() {
    let Some(nano) = middleware() else { return };
    let tagged = nano.get("app", "/etag");
    tagged.says("tagged");
    assert_eq!(tagged.header("etag"), Some(TAG));
    let same = with(&nano, "/etag", "if-none-match", &format!("\"x\", W/{TAG}"));
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some(TAG)));
    with(&nano, "/etag", "if-none-match", "\"x\"").says("tagged");
}

#[test]
fn hono_compresses() {
    let Some(nano) = middleware() else { return };
    let plain = "nano ".repeat(1000);
    for target in ["/compressed", "/compressed/tagged"] {
        let answer = with(&nano, target, "accept-encoding", "br, gzip");
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), (Some("gzip"), Some("Accept-Encoding")));
        assert!(answer.body.len() < 200, "{}", answer.body.len());
        let mut text = String::new();
        GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, plain);
    }
    nano.get("app", "/compressed").says(&plain);
}

#[test]
fn hono_shapes_answers() {
    let Some(nano) = middleware() else { return };
    nano.get("app", "/pretty").says("{\"a\":[1]}");
    nano.get("app", "/pretty?pretty").says("{\n  \"a\": [\n    1\n  ]\n}");
    assert_eq!(nano.get("app", "/powered").header("x-powered-by"), Some("nano"));
    let slash = nano.get("app", "/powered/");
    assert_eq!((slash.status, slash.header("location")), (301, Some("http://app.test/powered")));

    let german = with(&nano, "/language", "accept-language", "fr, de-AT;q=0.9");
    german.says("de");
    let kept = "language=de; Max-Age=31536000; Path=/; HttpOnly; Secure; SameSite=Strict";
    assert_eq!(german.header("set-cookie"), Some(kept));
    with(&nano, "/language?lang=en", "cookie", "language=de").says("en");

    nano.send(&form("/overridden", "id=7")).says("posted");
    nano.send(&form("/overridden", "_method=DELETE&id=7")).says("deleted 7");
}

#[test]
fn hono_watches_over_requests() {
    let Some(nano) = middleware() else { return };
    nano.get("app", "/logged/a?b=c").says("logged");
    nano.console("<-- GET /logged/a?b=c");
    nano.console("--> GET /logged/a?b=c \u{1b}[32m200\u{1b}[0m "); // in green

    let id = nano.get("app", "/id");
    assert_eq!((id.status, id.header("x-request-id")), (200, Some(&*id.text())));

    let timed = nano.get("app", "/timed");
    let metrics: Vec<_> = timed.header("server-timing").unwrap().split(',').collect();
    let [region, work, total] = metrics[..] else { panic!("{metrics:?}") };
    assert_eq!(region, "region;desc=\"here\"");
    assert!(work.strip_prefix("work;dur=").unwrap().parse::<f64>().unwrap() >= 4.9, "{work}");
    assert!(total.starts_with("total;dur=") && total.ends_with(";desc=\"all of it\""), "{total}");

    let slow = nano.get("app", "/slow");
    assert_eq!((slow.status, slow.text().as_str()), (504, "Gateway Timeout"));
}

#[test]
fn hono_adds_headers_to_what_was_fetched() {
    let upstream =
        Upstream::answering(|_| ok("content-type: text/x-own\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n", "tagged"));
    let Some(nano) = serve("hono_middleware", &reaching(&upstream)) else { return };
    let answer = nano.get("app", "/fetched");
    answer.says("tagged");
    assert_eq!(answer.header("content-type"), Some("text/x-own"));
    assert_eq!(answer.header_all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.header("etag"), Some(TAG));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"));
}

#[test]
fn hono_limits_bodies() {
    let Some(nano) = middleware() else { return };
    let put = |body: &str| nano.send(&Request::post("app", "/limited", body).method("PUT"));
    put("12345678").says("12345678");
    assert_eq!(put("123456789").status, 413);
    let put_in_chunks = |body: &str| {
        let mut conn = nano.connect();
        conn.write(Request::new("PUT", "app", "/limited").header("transfer-encoding", "chunked").bytes());
        conn.write(body);
        conn.response()
    };
    put_in_chunks("4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n").says("12345678");
    assert_eq!(put_in_chunks("4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n").status, 413);
}

#[test]
fn hono_does_without_a_cache() {
    let Some(nano) = middleware() else { return };
    nano.get("app", "/cached").says("cached");
    nano.console("Cache Middleware is not enabled because caches is not defined.");
}

#[test]
fn hono_renders_jsx() {
    let Some(nano) = serve("hono_jsx", "") else { return };
    nano.get("app", "/page").says(
        "<!DOCTYPE html><html><head><title>A page</title><style id=\"hono-css\"></style></head>\
         <body><p data-theme=\"dark\">a &lt; b</p></body></html>",
    );
    let styled = nano.get("app", "/styled").text();
    let (_, class) = styled.split_once("<h1 class=\"").unwrap();
    let (class, _) = class.split_once('"').unwrap();
    assert!(styled.contains(&format!("<style id=\"hono-css\">.{class}{{color:red}}</style>")), "{styled}");
    nano.get("app", "/async").says("<main><b>late</b></main>");
    nano.get("app", "/caught").says("<i>caught</i>");

    let mut conn = nano.connect();
    conn.write(Request::get("app", "/suspended").bytes());
    conn.head();
    let [early, late] = &chunks(&mut conn)[..] else { panic!("two chunks") };
    assert!(early.contains("<i>wait</i>") && !early.contains("<b>"), "{early}");
    assert!(late.contains("<b>late</b>"), "{late}");
}
