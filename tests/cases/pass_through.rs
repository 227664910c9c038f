//! Bodies that an app passes on as they come: all of them, or visibly not all, at hardly any cost to the app.

use crate::support::{Nano, Peer, Request, Setup, Upstream, ok};

const LOOPBACK: &str = "fetch { allow \"127.0.0.0/8\"; }\nlimits body=\"64MiB\" wall=\"60s\" cpu=\"30s\"";

/// An app whose `handle(request, upstream)` is `script`, `upstream` being a URL.
fn app(upstream: &Upstream, script: &str) -> Nano {
    let script = format!(
        "const upstream = {:?};\nconst handle = {script};\n\
         export default {{ fetch: (request) => handle(request, upstream) }};\n",
        upstream.url("/")
    );
    Setup::new().app("a", LOOPBACK, &script).start()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 % 251) as u8).collect()
}

/// What the app's own code has cost so far, in seconds.
fn cpu(nano: &Nano) -> f64 {
    nano.metric("nano_cpu_seconds_total", &[("app", "a")])
}

#[test]
fn a_fetched_body_passes_whole() {
    let body = pattern(5_000_000);
    let sent = body.clone();
    let upstream = Upstream::answering(move |_| ok("", &sent));
    let nano = app(&upstream, "(request, upstream) => fetch(upstream)");
    for _ in 0..3 {
        let answer = nano.get("a", "/");
        assert_eq!(answer.header("content-length"), Some("5000000"));
        assert!(answer.body == body);
    }
}

#[test]
fn a_requests_body_passes_whole() {
    let nano = app(&Upstream::echo(), "(request) => new Response(request.body, { headers: { 'x-own': 'yes' } })");
    for len in [0, 1, 70_000, 5_000_000] {
        let echo = nano.post("a", "/", pattern(len));
        assert!(echo.body == pattern(len), "{len} bytes came back as {}", echo.body.len());
        assert_eq!(echo.header("x-own"), Some("yes"));
    }
}

#[test]
fn no_script_runs_for_a_chunk() {
    const LEN: usize = 48 << 20;
    let upstream = Upstream::answering(|_| ok("", vec![1; LEN]));
    let script = "async (request, upstream) => {
        const response = await fetch(upstream);
        if (request.url.endsWith('/native')) return response;
        const reader = response.body.getReader();
        return new Response(new ReadableStream({ async pull(controller) {
            const { done, value } = await reader.read();
            if (done) controller.close();
            else controller.enqueue(value);
        } }));
    }";
    let nano = app(&upstream, script);
    let cost = |path: &str| {
        let before = cpu(&nano);
        assert_eq!(nano.get("a", path).body.len(), LEN);
        cpu(&nano) - before
    };
    cost("/native");
    let (scripted, native) = (cost("/scripted"), cost("/native"));
    assert!(native * 5.0 < scripted, "{native} s of CPU time against {scripted} s chunk by chunk");
}

#[test]
fn an_upstream_that_breaks_off_cuts_the_response() {
    let upstream = Upstream::start(|mut peer: Peer| {
        if peer.request().is_some() {
            peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let nano = app(&upstream, "(request, upstream) => fetch(upstream)");
    let mut client = nano.connect();
    client.write(Request::get("a", "/").bytes());
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().as_deref(), Some(&b"begun"[..]));
    assert!(client.try_chunk().is_err() || client.closed(), "the end is not said");
    nano.console("the response's stream broke: TypeError: fetch failed");
    nano.get("a", "/");
}

#[test]
fn a_fetch_aborted_by_the_app_cuts_the_response() {
    let upstream = Upstream::start(|mut peer: Peer| {
        if peer.request().is_some() {
            peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n");
            peer.request();
        }
    });
    let script = "(request, upstream) => {
        const controller = new AbortController();
        setTimeout(() => controller.abort(new Error('enough')), 100);
        return fetch(upstream, { signal: controller.signal });
    }";
    let nano = app(&upstream, script);
    let mut client = nano.connect();
    client.write(Request::get("a", "/").bytes());
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().as_deref(), Some(&b"begun"[..]));
    assert!(client.try_chunk().is_err(), "the end is not said");
    nano.console("the response's stream broke: Error: enough");
}

#[test]
fn a_client_that_leaves_ends_the_fetch_it_was_given() {
    let (gone, left) = std::sync::mpsc::channel();
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::start(move |mut peer: Peer| {
        if peer.request().is_some() {
            peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            while peer.write("5\r\nagain\r\n") {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            gone.lock().unwrap().send(()).unwrap();
        }
    });
    let nano = app(&upstream, "(request, upstream) => fetch(upstream)");
    let mut client = nano.connect();
    client.write(Request::get("a", "/").bytes());
    assert_eq!(client.head().status, 200);
    client.chunk();
    drop(client);
    left.recv_timeout(crate::support::PATIENCE).expect("the upstream is let go");
}
