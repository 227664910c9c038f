//! CompressionStream and DecompressionStream under the app's limits: what a small body stands for is the app's own affair.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::limits::beside_a_neighbour;
use crate::support::{Nano, Request, Setup};

const MIB: usize = 1 << 20;

/// So many MiB of zeros, compressed.
fn bomb(mib: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; MIB];
    (0..mib).for_each(|_| encoder.write_all(&zeros).unwrap());
    encoder.finish().unwrap()
}

/// An app that does `script` with `stream`, what the request's body stands for.
fn inflating(limits: &str, script: &str) -> Nano {
    let script = format!(
        "export default {{ async fetch(request) {{ \
           if (request.method === \"GET\") return new Response(\"fine\"); \
           const stream = request.body.pipeThrough(new DecompressionStream(\"gzip\")); {script} }} }};"
    );
    let nano = Setup::new().app("zip", &format!("limits isolates=1 {limits}"), &script).start();
    nano.get("zip", "/").says("fine");
    nano
}

#[test]
fn a_bomb_that_is_kept_is_the_apps_own_error() {
    let nano = inflating(r#"memory="48MiB" cpu="20s""#, "return new Response(await new Response(stream).bytes());");
    let before = nano.usage().memory;
    let answer = nano.post("zip", "/", bomb(400));
    assert!(answer.status == 500 || answer.code() == "memory_limit", "{:?}", answer.outcome());
    let grown = nano.usage().memory.saturating_sub(before) as usize / MIB;
    assert!(grown < 100, "nano grew by {grown} MiB");
    nano.get("zip", "/").says("fine");
}

#[test]
fn a_bomb_costs_its_app_cpu_time() {
    let script =
        "let bytes = 0; for await (const chunk of stream) bytes += chunk.length; return new Response(String(bytes));";
    inflating(r#"memory="48MiB" cpu="20s""#, script).post("zip", "/", bomb(20)).says(&(20 * MIB).to_string());
    let nano = inflating(r#"memory="48MiB" cpu="50ms""#, script);
    nano.post("zip", "/", bomb(900)).fails(503, "cpu_limit");
    nano.get("zip", "/").says("fine");
}

#[test]
fn a_bomb_that_goes_on_to_a_client_is_as_slow_as_that() {
    const SENT: usize = 200;
    let nano = inflating(r#"memory="48MiB" cpu="20s""#, "return new Response(stream);");
    let before = nano.usage().memory;
    let mut conn = nano.connect();
    conn.write(Request::post("zip", "/", bomb(SENT)).bytes());
    assert_eq!(conn.head().status, 200);
    let mut read = 0;
    while let Some(chunk) = conn.chunk() {
        read += chunk.len();
    }
    assert_eq!(read, SENT * MIB);
    let grown = nano.usage().memory.saturating_sub(before) as usize / MIB;
    assert!(grown < 100, "nano grew by {grown} MiB");
}

#[test]
fn codecs_are_charged_and_end_with_their_streams() {
    for format in ["gzip", "brotli"] {
        let kept = format!(
            "globalThis.kept = []; for (let n = 0; n < 1000; n++) kept.push(new CompressionStream({format:?}));"
        );
        let (nano, answer) = beside_a_neighbour(r#"memory="48MiB" cpu="20s""#, &kept);
        assert!(answer.status == 500 || answer.code() == "memory_limit", "{:?}", answer.outcome());
        let memory = nano.usage().memory as usize / MIB;
        assert!(memory < 200, "nano holds {memory} MiB");

        // What a stream does first, it does after the code that made it.
        let dropped = format!(
            "for (let n = 0; n < 300; n++) {{ \
               new CompressionStream({format:?}).writable.getWriter().write(new Uint8Array(9)); \
               await new Promise((done) => setTimeout(done, 0)); \
             }} \
             return new Response(\"made\");"
        );
        beside_a_neighbour(r#"memory="48MiB" cpu="20s""#, &dropped).1.says("made");
    }
}
