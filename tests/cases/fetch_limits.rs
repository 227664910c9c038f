//! What `fetch()` may take: connections, memory, time; and that one app's share is nobody else's.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{answers, says};
use crate::support::{Peer, Setup, Upstream, ok, together};

#[test]
fn over_max_connections_fetches_wait_and_all_succeed() {
    let upstream = Upstream::answering(|_| {
        std::thread::sleep(Duration::from_millis(20));
        ok("", "x")
    });
    let nano = Setup::new()
        .app(
            "a",
            "fetch { allow \"127.0.0.1\"; max-connections 2; }",
            &answers(&format!(
                "Promise.all(Array.from({{ length: 12 }}, () => fetch('{}').then((r) => r.text()))).then((all) => all.join(''))",
                upstream.url("/")
            )),
        )
        .start();
    nano.get("a", "/").says(&"x".repeat(12));
    assert_eq!(upstream.connections(), (2, 2), "they are handed on");
}

#[test]
fn idle_connections_make_room_for_those_that_are_wanted() {
    let (one, other) = (Upstream::echo(), Upstream::echo());
    let expression = format!(
        "(async () => {{
            let all = '';
            for (let i = 0; i < 3; i++) for (const url of ['{}', '{}']) all += (await (await fetch(url)).json()).target;
            return all;
        }})()",
        one.url("/1"),
        other.url("/2")
    );
    let nano = Setup::new()
        .app("a", "fetch { allow \"127.0.0.1\"; max-connections 1; }; limits wall=\"8s\"", &answers(&expression))
        .start();
    nano.get("a", "/").says("/1/2/1/2/1/2");
}

#[test]
fn isolates_of_an_app_share_its_connections() {
    let upstream = Upstream::answering(|_| {
        std::thread::sleep(Duration::from_millis(100));
        ok("", "x")
    });
    let busy = "{ const end = Date.now() + 20; while (Date.now() < end); }";
    let script = format!(
        "export default {{ async fetch() {{ {busy}; return new Response(await (await fetch('{}')).text()); }} }};",
        upstream.url("/")
    );
    let nano = Setup::new()
        .app("a", "fetch { allow \"127.0.0.1\"; max-connections 1; }; limits isolates=3 concurrency=2", &script)
        .start();
    together(6, |_| nano.get("a", "/").says("x"));
    assert_eq!(upstream.connections().1, 1);
}

#[test]
fn a_bomb_meets_the_memory_limit_and_nobody_else() {
    // 256 MiB of zeros in 256 KiB.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..256 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let upstream = Upstream::answering(move |_| ok("content-encoding: gzip\r\n", &bomb));
    let read = "async (r) => { let n = 0; for await (const chunk of r.body) n += chunk.length; return n; }";
    let nano = Setup::new()
        .app(
            "a",
            "fetch { allow \"127.0.0.1\"; }; limits memory=\"32MiB\"",
            &answers(&format!(
                "fetch('{}').then(url.pathname === '/whole' ? (r) => r.arrayBuffer() : {read}).catch((e) => e.name)",
                upstream.url("/")
            )),
        )
        .app("neighbour", "", &says("well"))
        .start();
    nano.get("a", "/piece-by-piece").says(&(256_u32 << 20).to_string());
    let before = nano.usage().memory;
    let answer = nano.get("a", "/whole");
    assert!(answer.outcome() == (503, "memory_limit".to_owned()) || answer.text() == "RangeError", "{}", answer.text());
    assert!(nano.usage().memory < before + (128 << 20));
    nano.get("neighbour", "/").says("well");
}

#[test]
fn a_server_that_says_nothing_is_cut_off_by_the_wall_limit() {
    let upstream = Upstream::start(|mut peer: Peer| {
        peer.request();
        peer.closed();
    });
    let nano = Setup::new()
        .app(
            "a",
            "fetch { allow \"127.0.0.1\"; }; limits wall=\"300ms\"",
            &answers(&format!("fetch('{}')", upstream.url("/"))),
        )
        .start();
    nano.get("a", "/").fails(504, "timeout");
}

#[test]
fn bodies_on_their_way_out_count_as_the_app_s_memory() {
    let upstream = Upstream::start(|mut peer: Peer| {
        peer.head();
        peer.closed();
    });
    let expression = format!(
        "(async () => {{
            const body = 'x'.repeat(4 << 20);
            const all = [];
            for (let i = 0; i < 64; i++) all.push(fetch('{}', {{ method: 'POST', body }}).catch((error) => error.name));
            return Promise.race(all);
        }})()",
        upstream.url("/")
    );
    let nano = Setup::new()
        .app("a", "fetch { allow \"127.0.0.1\"; }; limits memory=\"64MiB\" wall=\"60s\"", &answers(&expression))
        .app("neighbour", "", &says("well"))
        .start();
    let answer = nano.get("a", "/");
    assert!(answer.outcome() == (503, "memory_limit".to_owned()) || answer.text() == "RangeError", "{}", answer.text());
    nano.get("neighbour", "/").says("well");
}
