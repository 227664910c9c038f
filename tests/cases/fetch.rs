//! `fetch()` over real sockets: what is sent and what comes back, redirects, bodies, connections, aborting.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::answers;
use crate::support::{Nano, PATIENCE, Peer, Secure, Setup, Upstream, ok};

/// What lets an app reach the servers of these tests.
const LOOPBACK: &str = "fetch { allow \"127.0.0.0/8\" \"localhost\"; }";

/// A nano whose app `a` answers with the value of a JavaScript expression.
fn app(expression: &str) -> Nano {
    Setup::new().app("a", LOOPBACK, &answers(expression)).start()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_request_is_sent_as_it_is_written() {
    let upstream = Upstream::echo();
    let url = upstream.url("/path?q=a%20b#fragment");
    let nano = app(&format!(
        "fetch({url:?}, {{ method: 'patch', body: 'hello', headers: {{ 'X-Own': 'a', Cookie: 'b=c', Host: 'evil.example',
            'Content-Length': '99', Connection: 'close', 'Transfer-Encoding': 'chunked', TE: 'x', Upgrade: 'y' }} }})
            .then(async (response) => ({{ url: response.url, type: response.type, ok: response.ok, status: response.status,
                redirected: response.redirected, statusText: response.statusText, echo: await response.json() }}))"
    ));
    let told = nano.get("a", "/").json();
    assert_eq!(told["url"], upstream.url("/path?q=a%20b"));
    assert_eq!((&told["type"], &told["status"], &told["statusText"]), (&"basic".into(), &200.into(), &"OK".into()));
    assert_eq!((&told["ok"], &told["redirected"]), (&true.into(), &false.into()));
    let echo = &told["echo"];
    assert_eq!((&echo["method"], &echo["target"]), (&"patch".into(), &"/path?q=a%20b".into()));
    assert_eq!(echo["body"], "hello");
    let expected = serde_json::json!({
        "x-own": "a", "cookie": "b=c", "host": format!("127.0.0.1:{}", upstream.port), "content-length": "5",
        "content-type": "text/plain;charset=UTF-8", "accept": "*/*", "user-agent": concat!("nano/", env!("CARGO_PKG_VERSION")),
        "accept-language": "*", "accept-encoding": "gzip, deflate, br, zstd",
    });
    assert_eq!(echo["headers"], expected);
}

#[test]
fn redirects_change_method_and_body_as_the_standard_says() {
    let upstream = Upstream::echo();
    for (status, method, then, body) in [
        (301, "POST", "GET", ""),
        (302, "POST", "GET", ""),
        (303, "POST", "GET", ""),
        (307, "POST", "POST", "hello"),
        (308, "POST", "POST", "hello"),
        (301, "PUT", "PUT", "hello"),
        (303, "PUT", "GET", ""),
    ] {
        let url = upstream.url(&format!("/redirect/{status}?/end%23x"));
        let nano = app(&format!(
            "fetch('{url}', {{ method: '{method}', body: 'hello', headers: {{ authorization: 'x' }} }})
                .then(async (r) => ({{ url: r.url, redirected: r.redirected, echo: await r.json() }}))"
        ));
        let told = nano.get("a", "/").json();
        assert_eq!(told["redirected"], true, "{status} {method}");
        assert_eq!(told["url"], upstream.url("/end%23x"));
        assert_eq!((&told["echo"]["method"], &told["echo"]["body"]), (&then.into(), &body.into()), "{status} {method}");
        let kept = body == "hello";
        assert_eq!(told["echo"]["headers"]["content-type"].is_string(), kept, "{status} {method}");
        // It stays at the same origin.
        assert_eq!(told["echo"]["headers"]["authorization"], "x");
    }
    assert_eq!(upstream.connections().0, 7, "the connection of a redirect is used again");
}

#[test]
fn credentials_do_not_follow_a_redirect_to_another_origin() {
    let (one, other) = (Upstream::echo(), Upstream::echo());
    let url = one.url(&format!("/redirect/307?{}", other.url("/end")));
    let nano = app(&format!(
        "fetch('{url}', {{ headers: {{ authorization: 'x', cookie: 'x', 'proxy-authorization': 'x', 'x-own': 'x' }} }})
            .then((r) => r.json())"
    ));
    let headers = &nano.get("a", "/").json()["headers"];
    assert_eq!(headers["x-own"], "x");
    for gone in ["authorization", "cookie", "proxy-authorization"] {
        assert!(headers[gone].is_null(), "{gone}");
    }
    assert_eq!(one.seen()[0].header("authorization"), Some("x"));
}

#[test]
fn redirects_that_cannot_be_followed_are_errors() {
    let upstream = Upstream::answering(|_| {
        b"HTTP/1.1 302 Go\r\nlocation: /again\r\nset-cookie: a\r\ncontent-length: 0\r\n\r\n".to_vec()
    });
    let echo = Upstream::echo();
    let stream = "{ method: 'POST', duplex: 'half', body: new Response('x').body }";
    for (url, init, result) in [
        (upstream.url("/"), "{}", "TypeError: fetch: more than 20 redirects"),
        (
            upstream.url("/"),
            "{ redirect: 'error' }",
            "TypeError: fetch: a redirect (302) came, and redirect is \"error\"",
        ),
        (upstream.url("/"), "{ redirect: 'manual' }", "302 /again"),
        (
            echo.url("/redirect/302?file:///etc/passwd"),
            "{}",
            "TypeError: fetch: a redirect leads to no http or https URL",
        ),
        (echo.url("/redirect/302?http://["), "{}", "TypeError: fetch: a redirect's location is not a URL"),
        (
            echo.url("/redirect/302?http://me:pw@localhost/"),
            "{}",
            "TypeError: fetch: a redirect leads to a URL with a user name or password",
        ),
        (
            echo.url("/redirect/307?/end"),
            stream,
            "TypeError: fetch: a redirect wants the body again, which was a stream",
        ),
    ] {
        let nano = app(&format!(
            "fetch({url:?}, {init}).then((r) => r.status + ' ' + r.headers.get('location'), (error) => String(error))"
        ));
        nano.get("a", "/").says(result);
    }
    assert_eq!(upstream.seen().iter().filter(|asked| asked.target == "/again").count(), 20);
}

#[test]
fn a_body_is_decoded_as_its_content_encoding_says() {
    let upstream = Upstream::answering(|asked| {
        let whole = gzip(b"hello, hello, hello");
        match asked.target.as_str() {
            "/good" => ok("content-encoding: gzip\r\nx-own: 1\r\n", whole),
            "/cut" => ok("content-encoding: gzip\r\n", &whole[..whole.len() - 4]),
            "/bad" => ok("content-encoding: gzip\r\n", "this is not gzip"),
            "/unknown" => ok("content-encoding: unheard-of\r\n", "as it is"),
            _ => ok("content-encoding: gzip\r\n", ""),
        }
    });
    let nano = app(&format!(
        "fetch('{}' + url.pathname, {{ method: url.searchParams.get('method') ?? 'GET' }}).then(async (r) => {{
            const has = (name) => r.headers.has(name);
            return `${{has('content-encoding')}} ${{has('content-length')}} ${{await r.text()}}`;
        }}).catch((error) => String(error))",
        upstream.url("")
    ));
    nano.get("a", "/good").says("false false hello, hello, hello");
    nano.get("a", "/cut").says("TypeError: fetch failed");
    nano.console("the body is not gzip");
    nano.get("a", "/bad").says("TypeError: fetch failed");
    nano.get("a", "/unknown").says("true true as it is");
    nano.get("a", "/empty").says("false false ");
}

#[test]
fn cookies_stay_apart_and_any_header_is_shown() {
    let upstream = Upstream::answering(|_| {
        ok("set-cookie: a=1, b\r\nset-cookie: c=2\r\nx-a: 1\r\nx-a: 2\r\nx-latin: caf\u{e9}\r\n", "")
    });
    let nano = app(&format!(
        "fetch('{}').then((r) => [r.headers.getSetCookie(), r.headers.get('x-a'),
            (() => {{ try {{ r.headers.set('a', 'b'); }} catch (error) {{ return error.name; }} }})()])",
        upstream.url("/")
    ));
    assert_eq!(nano.get("a", "/").json(), serde_json::json!([["a=1, b", "c=2"], "1, 2", "TypeError"]));
}

#[test]
fn a_header_that_cannot_be_sent_is_named() {
    let nano = app("fetch('http://127.0.0.1/', { headers: { good: 'a\\tb', bad: 'a\\x01b' } }).catch(String)");
    nano.get("a", "/").says("TypeError: the header bad has a control character, as none may");
}

#[test]
fn connections_are_used_again() {
    let upstream = Upstream::echo();
    let nano = app(&format!("fetch('{}').then((r) => r.json()).then((r) => r.target)", upstream.url("/x")));
    for _ in 0..5 {
        nano.get("a", "/").says("/x");
    }
    assert_eq!(upstream.connections().0, 1);
}

#[test]
fn a_connection_that_was_closed_while_idle_is_replaced() {
    // Each connection answers once, and closes without a word.
    let upstream = Upstream::start(|mut peer: Peer| {
        if peer.request().is_some() {
            peer.write(ok("", "x"));
        }
    });
    let nano = app(&format!(
        "(async () => {{ let all = ''; for (let i = 0; i < 20; i++) all += await (await fetch('{}')).text(); return all; }})()",
        upstream.url("/")
    ));
    nano.get("a", "/").says(&"x".repeat(20));
}

#[test]
fn a_misdirected_request_is_sent_once_more_over_another_connection() {
    // Each connection is asked once, and the first one refuses.
    let serve = |refusals: usize| {
        let asked = AtomicUsize::new(0);
        Upstream::answering(move |_| match asked.fetch_add(1, Ordering::SeqCst) < refusals {
            true => b"HTTP/1.1 421 Misdirected Request\r\ncontent-length: 2\r\n\r\nno".to_vec(),
            false => ok("", "yes"),
        })
    };
    let ask = |upstream: &Upstream, body: &str| {
        let init = format!("{{ method: 'POST', duplex: 'half', body: {body} }}");
        let answer = "then(async (r) => `${r.status} ${await r.text()}`)";
        app(&format!("fetch('{}', {init}).{answer}", upstream.url("/"))).get("a", "/").text()
    };
    for (refusals, body, told, connections) in [
        (1, "'x'", "200 yes", 2),
        (2, "'x'", "421 no", 2),
        // What it was is gone.
        (1, "new Blob(['x']).stream()", "421 no", 1),
    ] {
        let upstream = serve(refusals);
        assert_eq!(ask(&upstream, body), told, "{body}");
        assert_eq!(upstream.connections().0, connections, "{body}");
    }
}

#[test]
fn a_length_that_is_said_twice_is_one_length() {
    let upstream = Upstream::answering(|_| ok("content-length: 5\r\n", "hello"));
    let nano = app(&format!(
        "fetch('{}').then(async (r) => `${{r.headers.get('content-length')}} ${{await r.text()}}`)",
        upstream.url("/")
    ));
    nano.get("a", "/").says("5, 5 hello");
}

#[test]
fn a_response_that_breaks_off_is_an_error_after_what_came() {
    let upstream = Upstream::start(|mut peer: Peer| {
        peer.request();
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello");
    });
    let nano = app(&format!(
        "fetch('{}').then(async (r) => {{
            const reader = r.body.getReader();
            const first = new TextDecoder().decode((await reader.read()).value);
            return first + ' ' + await reader.read().catch((error) => String(error));
        }})",
        upstream.url("/")
    ));
    nano.get("a", "/").says("hello TypeError: fetch failed");
    nano.console("fetch response:");
}

#[test]
fn whoever_waits_for_the_end_of_a_response_hears_of_it_without_reading_on() {
    for (length, end) in [(100, "TypeError: fetch failed"), (5, "closed")] {
        let upstream = Upstream::start(move |mut peer: Peer| {
            peer.request();
            peer.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nhello"));
        });
        let nano = app(&format!(
            "fetch('{}').then(async (r) => {{
                const reader = r.body.getReader();
                await reader.read();
                return reader.closed.then(() => 'closed', String);
            }})",
            upstream.url("/")
        ));
        nano.get("a", "/").says(end);
    }
}

#[test]
fn what_is_no_http_is_an_error() {
    for bytes in [
        "",
        "hello\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let upstream = Upstream::start(move |mut peer: Peer| {
            peer.request();
            peer.write(bytes);
        });
        let nano =
            app(&format!("fetch('{}').then((r) => r.text()).catch((error) => String(error))", upstream.url("/")));
        nano.get("a", "/").says("TypeError: fetch failed");
    }
}

#[test]
fn endless_heads_are_cut_off() {
    let upstream = Upstream::start(|mut peer: Peer| {
        peer.request();
        peer.write("HTTP/1.1 200 OK\r\n");
        while peer.write(format!("x-more: {}\r\n", "y".repeat(1000))) {}
    });
    let nano = app(&format!("fetch('{}').catch((error) => String(error))", upstream.url("/")));
    nano.get("a", "/").says("TypeError: fetch failed");
}

#[test]
fn fetch_can_be_aborted_at_every_moment() {
    let (sender, closed) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let upstream = Upstream::start(move |mut peer: Peer| {
        let Some(asked) = peer.head() else { return };
        if asked.target == "/body" {
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello");
        }
        let closed = peer.closed();
        sender.lock().unwrap().send((asked.target, closed)).unwrap();
    });
    let nano = app(&format!(
        "(async () => {{
            const controller = new AbortController();
            const {{ signal }} = controller;
            const soon = () => setTimeout(() => controller.abort('enough'), 50);
            const to = (path, init) => fetch('{}' + path, {{ signal, ...init }});
            switch (url.pathname) {{
                case '/before': controller.abort('enough'); return to('/never');
                case '/at-once': {{ const p = to('/never'); controller.abort('enough'); return p; }}
                case '/head': soon(); return to('/head');
                case '/timeout': return fetch('{}/timeout', {{ signal: AbortSignal.timeout(50) }});
                case '/sending': {{
                    soon();
                    let cancelled;
                    const body = new ReadableStream({{ pull(c) {{ c.enqueue(new Uint8Array(1000)); }}, cancel(r) {{ cancelled = r; }} }});
                    return to('/sending', {{ method: 'POST', body, duplex: 'half' }}).catch((error) => {{ throw `${{error}} ${{cancelled}}`; }});
                }}
                case '/body': {{ soon(); const r = await to('/body'); return r.text(); }}
            }}
        }})().then(() => 'no error', (error) => error?.name ?? error)",
        upstream.url(""),
        upstream.url("")
    ));
    for (path, reason, reaches) in [
        ("/before", "enough", false),
        ("/at-once", "enough", false),
        ("/head", "enough", true),
        ("/timeout", "TimeoutError", true),
        ("/sending", "enough enough", true),
        ("/body", "enough", true),
    ] {
        nano.get("a", path).says(reason);
        if reaches {
            let end = closed.recv_timeout(PATIENCE).unwrap();
            assert_eq!(end, (path.to_owned(), true), "the server sees it end");
        }
    }
}

#[test]
fn a_request_that_ends_takes_its_fetches_along() {
    let (sender, closed) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let upstream = Upstream::start(move |mut peer: Peer| {
        let Some(asked) = peer.request() else { return };
        if asked.target == "/unread" {
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello");
        }
        let closed = peer.closed();
        sender.lock().unwrap().send(closed).unwrap();
    });
    let nano = app(&format!(
        "(async () => {{
            if (url.pathname === '/unread') await fetch('{0}/unread');
            else fetch('{0}/waiting');
            await new Promise((done) => setTimeout(done, 50));
            return 'done';
        }})()",
        upstream.url("")
    ));
    for path in ["/unread", "/waiting"] {
        nano.get("a", path).says("done");
        assert!(closed.recv_timeout(PATIENCE).unwrap(), "{path}");
    }
}

#[test]
fn a_client_that_leaves_ends_what_is_fetched_for_it() {
    let (sender, closed) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let upstream = Upstream::start(move |mut peer: Peer| {
        peer.request();
        sender.lock().unwrap().send("asked").unwrap();
        peer.closed();
        sender.lock().unwrap().send("closed").unwrap();
    });
    let nano = app(&format!("fetch('{}')", upstream.url("/")));
    let mut conn = nano.connect();
    conn.write(crate::support::Request::get("a", "/").bytes());
    assert_eq!(closed.recv_timeout(PATIENCE), Ok("asked"));
    drop(conn);
    assert_eq!(closed.recv_timeout(PATIENCE), Ok("closed"));
}

#[test]
fn a_hundred_megabytes_stream_both_ways_in_little_memory() {
    const CHUNK: usize = 64 << 10;
    const CHUNKS: usize = 1600;
    // Answers with what it is sent, as it is sent.
    let upstream = Upstream::start(|mut peer: Peer| {
        peer.head();
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while let Some(chunk) = peer.chunk() {
            peer.write(format!("{:x}\r\n", chunk.len()));
            peer.write(chunk);
            peer.write("\r\n");
        }
        peer.write("0\r\n\r\n");
    });
    let script = format!(
        "let made = 0;
         const body = () => new ReadableStream({{
             pull(c) {{ if (made++ === {CHUNKS}) c.close(); else c.enqueue(new Uint8Array({CHUNK}).fill(made)); }},
         }});
         export default {{
             async fetch() {{
                 const response = await fetch('{}', {{ method: 'POST', body: body(), duplex: 'half' }});
                 let length = 0, furthest = 0;
                 for await (const chunk of response.body) {{
                     length += chunk.length;
                     furthest = Math.max(furthest, made * {CHUNK} - length);
                 }}
                 return Response.json([length, furthest]);
             }},
         }};",
        upstream.url("/")
    );
    let nano = Setup::new().app("a", &format!("{LOOPBACK}; limits memory=\"32MiB\""), &script).start();
    let answer = nano.get("a", "/");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told[0], CHUNK * CHUNKS);
    // What is under way is in four socket buffers of the kernel's, of up to 6 MiB and more, and a few chunks.
    assert!(told[1].as_u64().unwrap() < 48 << 20, "{told}");
}

#[test]
fn a_sender_waits_for_a_reader_that_is_slow() {
    let (sender, sent) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let upstream = Upstream::start(move |mut peer: Peer| {
        peer.request();
        peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        let begun = Instant::now();
        let mut total = 0_u64;
        while total < 64 << 20 && begun.elapsed() < PATIENCE && peer.write([0; 64 << 10]) {
            total += 64 << 10;
        }
        sender.lock().unwrap().send(total).unwrap();
    });
    let nano = app(&format!(
        "fetch('{}').then(async (r) => {{
            const reader = r.body.getReader();
            await reader.read();
            await new Promise((done) => setTimeout(done, 500));
            await reader.cancel();
            return 'read a little';
        }})",
        upstream.url("/")
    ));
    nano.get("a", "/").says("read a little");
    let total = sent.recv_timeout(PATIENCE).unwrap();
    assert!(total < 32 << 20, "{total} bytes were taken in advance");
}

#[test]
fn an_app_can_pass_on_what_it_fetches() {
    let upstream = Upstream::answering(|asked| match asked.target.as_str() {
        "/zipped" => ok("content-encoding: gzip\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n", gzip(b"hello")),
        _ => b"HTTP/1.1 404 Nothing Here\r\nx-own: 1\r\ncontent-length: 4\r\n\r\nnone".to_vec(),
    });
    let script = format!(
        "export default {{ fetch: (request) => fetch('{}' + new URL(request.url).pathname) }};",
        upstream.url("")
    );
    let nano = Setup::new().app("a", LOOPBACK, &script).start();
    let answer = nano.get("a", "/zipped");
    answer.says("hello");
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.header_all("set-cookie"), ["a=1", "b=2"]);
    let answer = nano.get("a", "/none");
    assert_eq!((answer.status, answer.text().as_str(), answer.header("x-own")), (404, "none", Some("1")));
}

#[test]
fn https_speaks_either_version_and_only_to_whom_it_trusts() {
    let (both, old, stranger) =
        (Secure::start(&["h2", "http/1.1"]), Secure::start(&["http/1.1"]), Secure::start(&["h2"]));
    let expression =
        "Promise.all([1, 2].map(() => fetch(url.searchParams.get('url')).then((r) => r.text()))).catch(String)";
    let setup = Setup::new().app("a", LOOPBACK, &answers(expression));
    let file = setup.path("trusted.pem");
    let nano = setup
        .file("trusted.pem", format!("{}{}", both.certificate, old.certificate))
        .variable("SSL_CERT_FILE", file.to_str().unwrap())
        .start();
    let ask = |server: &Secure| nano.get("a", &format!("/?url={}", server.url("/x")));
    for _ in 0..3 {
        let told = ask(&both).json();
        assert_eq!(told[0], format!("HTTP/2.0 {} None", both.url("/x")));
        assert_eq!(told[0], told[1]);
    }
    assert!(both.connections() <= 2, "{} connections", both.connections());
    assert_eq!(ask(&old).json()[0], format!("HTTP/1.1 /x Some(\"localhost:{}\")", old.port));
    ask(&stranger).says("TypeError: fetch failed");
    nano.console("TLS: invalid peer certificate");
}

#[test]
fn a_fetch_outside_of_requests_serves_the_module() {
    let upstream = Upstream::answering(|_| ok("", "at the start"));
    let script = format!(
        "const text = await (await fetch('{}')).text();\nexport default {{ fetch: () => new Response(text) }};",
        upstream.url("/")
    );
    let nano = Setup::new().app("a", LOOPBACK, &script).start();
    nano.get("a", "/").says("at the start");
}

#[test]
fn a_request_that_fetched_is_not_replayed() {
    let upstream = Upstream::answering(|_| ok("", "x"));
    let script = format!(
        "export default {{ async fetch(request) {{
            if (new URL(request.url).pathname === '/die') for (;;);
            await (await fetch('{}')).text();
            await new Promise((done) => setTimeout(done, 20000));
            return new Response('late');
        }} }};",
        upstream.url("/")
    );
    let nano = Setup::new().app("a", &format!("{LOOPBACK}; limits cpu=\"50ms\" isolates=1"), &script).start();
    let mut conn = nano.connect();
    conn.write(crate::support::Request::get("a", "/").bytes());
    crate::support::eventually("the fetch", || (!upstream.seen().is_empty()).then_some(()));
    std::thread::sleep(Duration::from_millis(50));
    nano.get("a", "/die").fails(503, "cpu_limit");
    conn.response().fails(503, "isolate_lost");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn a_redirects_bytes_stay_what_they_are() {
    let upstream = Upstream::answering(|asked| match &*asked.target {
        "/" => b"HTTP/1.1 302 Found\r\nlocation: /to/\xe2\x98\x83?\xff%e2\r\ncontent-length: 0\r\n\r\n".to_vec(),
        target => ok("", target),
    });
    let script = answers(&format!("fetch('{}').then((response) => response.text())", upstream.url("/")));
    let nano = Setup::new().app("a", "fetch { allow \"127.0.0.1\"; }", &script).start();
    nano.get("a", "/").says("/to/%E2%98%83?%FF%e2");
}
