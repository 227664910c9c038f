//! Bodies that flow: back-pressure, bounded memory, clients that leave.

use std::io::Write;
use std::time::Duration;

use super::answers;
use crate::support::{Nano, Request, Setup, eventually};

const MIB: u64 = 1 << 20;
const TOTAL: u64 = 400 * MIB;

/// `/down` streams `TOTAL` bytes; `/up` reads a body after `/go`; both say at `/seen` how far they are. `/echo` and
/// `/through` answer what they get.
const SCRIPT: &str = r#"
let seen = 0, go;
const gone = new Promise((resolve) => { go = resolve; });
export default {
    async fetch(request) {
        switch (new URL(request.url).pathname) {
            case "/seen": return new Response(String(seen));
            case "/go": go(); return new Response("gone");
            case "/echo": return new Response(request.body);
            case "/through": return new Response(request.body.pipeThrough(new TransformStream()));
            case "/up": {
                await gone;
                for await (const chunk of request.body) seen += chunk.byteLength;
                return new Response(String(seen));
            }
        }
        const chunk = new Uint8Array(65536).fill(120);
        return new Response(new ReadableStream({
            pull(controller) {
                controller.enqueue(chunk.slice());
                seen += chunk.byteLength;
                if (seen === 400 << 20) controller.close();
            },
        }));
    },
};
"#;

fn start() -> Nano {
    let limits = r#"limits body="500MiB" memory="64MiB" cpu="60s" isolates=1"#;
    let nano = Setup::new().listener("web", r#"timeouts body="60s" write="60s""#).app("flow", limits, SCRIPT).start();
    nano.get("flow", "/seen").says("0");
    nano
}

/// Waits until a number has stopped growing.
fn settled(mut number: impl FnMut() -> u64) -> u64 {
    let mut last = number();
    eventually("the flow to stop", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = number();
        (std::mem::replace(&mut last, now) == now).then_some(now)
    })
}

#[track_caller]
fn grew_little(nano: &Nano, before: u64) {
    let grown = nano.usage().memory.saturating_sub(before) / MIB;
    // V8 collects an app's chunks in time, and the allocator keeps freed pages for a moment; nano's own buffers are small.
    assert!(grown < 48, "nano grew by {grown} MiB while {} MiB went through", TOTAL / MIB);
}

#[test]
fn a_large_response_waits_for_a_slow_reader() {
    let nano = start();
    let before = nano.usage().memory;
    let mut conn = nano.connect();
    conn.write(Request::get("flow", "/down").bytes());
    assert_eq!(conn.head().status, 200);
    let ahead = settled(|| nano.get("flow", "/seen").text().parse().unwrap());
    assert!(ahead < 30 * MIB, "the app made {ahead} bytes nobody read");
    let mut read = 0;
    while let Some(chunk) = conn.chunk() {
        assert!(chunk.iter().all(|byte| *byte == b'x'));
        read += chunk.len() as u64;
    }
    assert_eq!(read, TOTAL);
    grew_little(&nano, before);
}

#[test]
fn a_large_upload_waits_for_the_app_to_read() {
    let nano = start();
    let before = nano.usage().memory;
    let mut conn = nano.connect();
    let mut socket = conn.socket();
    let sent = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let head = format!("POST /up HTTP/1.1\r\nhost: flow.test\r\ncontent-length: {TOTAL}\r\n\r\n");
            socket.write_all(head.as_bytes()).unwrap();
            let piece = vec![b'x'; 65536];
            for _ in 0..TOTAL / 65536 {
                socket.write_all(&piece).unwrap();
                sent.fetch_add(65536, std::sync::atomic::Ordering::Relaxed);
            }
        });
        let ahead = settled(|| sent.load(std::sync::atomic::Ordering::Relaxed));
        assert!(ahead < 30 * MIB, "nano took {ahead} bytes the app did not read");
        nano.get("flow", "/go").says("gone");
        conn.response().says(&TOTAL.to_string());
    });
    grew_little(&nano, before);
}

#[test]
fn a_body_is_sent_back_as_it_arrives() {
    is_sent_back("/echo");
}

#[test]
fn a_body_goes_through_a_transform_as_it_arrives() {
    is_sent_back("/through");
}

fn is_sent_back(path: &str) {
    let nano = start();
    let before = nano.usage().memory;
    let mut conn = nano.connect();
    let mut socket = conn.socket();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let head = format!("POST {path} HTTP/1.1\r\nhost: flow.test\r\ncontent-length: {TOTAL}\r\n\r\n");
            socket.write_all(head.as_bytes()).unwrap();
            let piece = vec![b'y'; 65536];
            (0..TOTAL / 65536).for_each(|_| socket.write_all(&piece).unwrap());
        });
        assert_eq!(conn.head().status, 200);
        let mut read = 0;
        while let Some(chunk) = conn.chunk() {
            assert!(chunk.iter().all(|byte| *byte == b'y'));
            read += chunk.len() as u64;
        }
        assert_eq!(read, TOTAL);
    });
    grew_little(&nano, before);
}

#[test]
fn events_reach_the_client_as_they_happen() {
    let script = r#"let sink; export default { fetch(request) {
        const path = new URL(request.url).pathname;
        if (path === "/events") {
            const body = new ReadableStream({ start(controller) { sink = controller; } });
            return new Response(body, { headers: { "content-type": "text/event-stream" } });
        }
        if (path === "/end") sink.close();
        else sink.enqueue(new TextEncoder().encode(`data: ${path}\n\n`));
        return new Response("sent");
    } };"#;
    let nano = Setup::new().app("sse", "limits isolates=1", script).start();
    let mut events = nano.connect();
    events.write(Request::get("sse", "/events").bytes());
    assert_eq!(events.head().header("content-type"), Some("text/event-stream"));
    for event in ["/one", "/two"] {
        nano.get("sse", event).says("sent");
        assert_eq!(events.chunk().unwrap(), format!("data: {event}\n\n").into_bytes());
    }
    nano.get("sse", "/end").says("sent");
    assert_eq!(events.chunk(), None);
}

#[test]
fn a_client_that_leaves_before_the_answer_aborts_the_requests_signal() {
    let script = r#"export default { async fetch(request) {
        request.signal.addEventListener("abort", () => console.log("aborted", request.signal.reason.name));
        console.log("waiting");
        await new Promise((done) => setTimeout(done, 20000));
        console.log("went on");
    } };"#;
    let nano = Setup::new().app("a", "", script).start();
    let mut conn = nano.connect();
    conn.write(Request::get("a", "/left").bytes());
    nano.console("waiting");
    drop(conn);
    nano.console("aborted AbortError");
    let access = nano.logged("the access line", |line| line["kind"] == "access" && line["app"] == "a");
    assert_eq!((access["status"].as_u64(), access["error"].as_str()), (Some(499), Some("client_closed")));
    assert_eq!(nano.metric("nano_http_in_flight", &[("app", "a")]), 0.0);
}

#[test]
fn a_client_that_leaves_during_the_answer_cancels_its_stream() {
    let script = r#"export default { fetch(request) {
        request.signal.addEventListener("abort", () => console.log("aborted"));
        return new Response(new ReadableStream({
            async pull(controller) {
                await new Promise((go) => setTimeout(go, 20));
                controller.enqueue(new TextEncoder().encode("tick"));
            },
            cancel() { console.log("cancelled"); },
        }));
    } };"#;
    let nano = Setup::new().app("a", "", script).start();
    let mut conn = nano.connect();
    conn.write(Request::get("a", "/").bytes());
    conn.head();
    assert!(conn.chunk().is_some());
    drop(conn);
    nano.console("aborted");
    nano.console("cancelled");
    let access = nano.logged("the access line", |line| line["kind"] == "access" && line["app"] == "a");
    assert_eq!(access["error"], "client_closed");
}

#[test]
fn timers_of_a_request_end_with_it() {
    let script = r#"export default { fetch(request) {
        setInterval(() => console.log("still here"), 50);
        return new Response("done");
    } };"#;
    let nano = Setup::new().app("a", "", script).start();
    nano.get("a", "/").says("done");
    std::thread::sleep(Duration::from_millis(500)); // nothing to poll for: the lines must not come
    assert!(!nano.output().contains("still here"));
}

#[test]
fn a_stream_that_breaks_cuts_the_response() {
    let script = r#"export default { fetch: () => new Response(new ReadableStream({
        start(controller) { controller.enqueue(new TextEncoder().encode("begun")); },
        async pull() { await new Promise((go) => setTimeout(go, 100)); throw new Error("broken on the way"); },
    })) };"#;
    let nano = Setup::new().app("a", "", script).start();
    let answer = nano.get("a", "/");
    assert_eq!((answer.status, answer.text().as_str(), answer.cut), (200, "begun", true));
    assert_eq!(nano.access_of(&answer)["error"], "app_error");
    nano.logged("the reason", |line| line["message"].as_str().is_some_and(|m| m.contains("broken on the way")));
}

#[test]
fn an_answer_does_not_wait_for_a_body_the_app_leaves_unread() {
    let nano = Setup::new().app("a", "", &answers("\"unread\"")).start();
    let mut conn = nano.connect();
    conn.write("POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 1000000\r\n\r\n");
    conn.response().says("unread");
}

#[test]
fn a_stream_that_is_closed_at_once_ends_before_wait_until_does() {
    let script = r#"export default { fetch(request, env, ctx) {
        ctx.waitUntil(new Promise(() => {}));
        return new Response(new ReadableStream({
            start(controller) {
                controller.enqueue(new Uint8Array([104, 105]));
                controller.close();
            },
        }));
    } };"#;
    let nano = Setup::new().app("flow", r#"limits wait-until="1h""#, script).start();
    nano.get("flow", "/").says("hi");
}

#[test]
fn a_stream_that_no_client_will_read_is_cancelled_and_the_request_is_not_aborted() {
    let script = r#"
        export default {
            async fetch(request, env, ctx) {
                request.signal.addEventListener("abort", () => console.log("aborted"));
                ctx.waitUntil(new Promise((done) => setTimeout(done, 200)).then(() => console.log("done")));
                const cancel = (reason) => console.log("cancelled: " + reason.name);
                return new Response(new ReadableStream({ cancel }), { headers: { "content-length": "7" } });
            },
        };
    "#;
    let nano = Setup::new().app("a", "", script).start();
    let answer = nano.send(&Request::new("HEAD", "a", "/"));
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("7")));
    nano.console("cancelled: AbortError");
    nano.console("done");
    let aborted = nano.log().iter().any(|line| line["message"] == "aborted");
    assert!(!aborted);
}

#[test]
fn a_streamed_body_of_known_length_has_its_length() {
    let script = r#"
        const send = (announced, sent) => {
            const { readable, writable } = new FixedLengthStream(announced);
            const writer = writable.getWriter();
            writer.write(new Uint8Array(sent).fill(97)).then(() => writer.close()).catch(() => {});
            return new Response(readable);
        };
        export default { fetch(request) {
            switch (new URL(request.url).pathname) {
                case "/whole": return send(5, 5);
                case "/short": return send(5, 3);
                case "/blob": return new Response(new Blob([new Uint8Array(3 << 20)]));
                case "/used": return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(2)); c.close(); } }));
            }
        } };"#;
    let nano = Setup::new().app("a", "limits cpu=\"2s\"", script).start();
    let response = nano.get("a", "/whole");
    assert_eq!((response.header("content-length"), &*response.text(), response.cut), (Some("5"), "aaaaa", false));
    assert_eq!(response.header("transfer-encoding"), None);
    let short = nano.get("a", "/short");
    assert_eq!((short.header("content-length"), short.cut), (Some("5"), true));
    assert_eq!(nano.get("a", "/blob").header("content-length"), Some("3145728"));
    assert_eq!(nano.get("a", "/used").header("content-length"), None);
}
