//! `fetch()` from servers that change their mind, say too much, or never come to the point.

use super::answers;
use crate::support::frames::{CONTINUATION, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, Link, OK, RST_STREAM};
use crate::support::{Nano, Peer, Setup, Upstream};

/// A nano whose app `a` fetches from `server` with a POST, and says what came of it.
fn posting_to(server: &Frames, body: &str) -> Nano {
    let script = answers(&format!(
        "fetch('{}', {{ method: 'POST', duplex: 'half', body: {body} }}).then((r) => `${{r.status}} ${{r.headers.get('a')}}`, String)",
        server.url("/")
    ));
    let setup = Setup::new().app("a", "fetch { allow \"127.0.0.0/8\" \"localhost\"; }", &script);
    let file = setup.path("trusted.pem");
    setup.file("trusted.pem", &server.certificate).variable("SSL_CERT_FILE", file.to_str().unwrap()).start()
}

/// REFUSED_STREAM (RFC 9113 §7).
const REFUSED: &[u8] = &[0, 0, 0, 7];

/// No stream was processed, and there is no error.
const NONE_PROCESSED: &[u8] = &[0; 8];

fn refuse(link: &mut Link, stream: u32) {
    link.send(RST_STREAM, 0, stream, REFUSED);
}

#[test]
fn a_request_that_was_not_processed_is_sent_again_over_another_connection() {
    let refuses: fn(&mut Link, u32) = refuse;
    let goes_away: fn(&mut Link, u32) = |link, _| link.send(GOAWAY, 0, 0, NONE_PROCESSED);
    for decline in [refuses, goes_away] {
        let server = Frames::start(move |number, mut link| {
            let Some(stream) = link.request() else { return };
            if number == 0 {
                decline(&mut link, stream);
                while link.frame().is_some() {}
            } else {
                link.answer(stream);
            }
        });
        posting_to(&server, "'again'").get("a", "/").says("200 null");
        assert_eq!(server.connections(), 2);
        // What it was is gone.
        let server = Frames::start(move |_, mut link| {
            let Some(stream) = link.request() else { return };
            decline(&mut link, stream);
            while link.frame().is_some() {}
        });
        posting_to(&server, "new Response('once').body").get("a", "/").says("TypeError: fetch failed");
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn a_request_that_is_always_refused_fails() {
    let server = Frames::start(|_, mut link| {
        while let Some(stream) = link.request() {
            refuse(&mut link, stream);
        }
    });
    posting_to(&server, "'x'").get("a", "/").says("TypeError: fetch failed");
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_head_over_64_kib_is_an_error() {
    let whole = 64 << 10;
    let frame = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\na: \r\n\r\n".len();
    for (length, answer) in
        [(whole, "200"), (whole + 1, "TypeError: fetch failed"), (3 * whole, "TypeError: fetch failed")]
    {
        let upstream = Upstream::start(move |mut peer: Peer| {
            peer.request();
            let value = "x".repeat(length - frame);
            peer.write(format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\na: {value}\r\n\r\n"));
            peer.closed();
        });
        let script = answers(&format!("fetch('{}').then((r) => String(r.status), String)", upstream.url("/")));
        let nano = Setup::new().app("a", "fetch { allow \"127.0.0.1\"; }", &script).start();
        nano.get("a", "/").says(answer);
        if answer != "200" {
            nano.console("fields take more than 64 KiB");
        }
    }
}

/// A field `a` of so many bytes (RFC 7541 §6.2.2: a literal that is not indexed).
fn field(length: usize) -> Vec<u8> {
    let mut block = vec![OK, 0, 1, b'a', 0x7f];
    let mut rest = length - 0x7f;
    while rest >= 0x80 {
        block.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.push(rest as u8);
    block.resize(block.len() + length, b'x');
    block
}

#[test]
fn a_head_over_64_kib_is_an_error_by_http_2_as_well() {
    // Each field counts for 32 bytes more than its name and value.
    let frame = ":status".len() + "200".len() + 32 + "a".len() + 32;
    for (length, passes) in [((64 << 10) - frame - 1, true), ((64 << 10) - frame, false), (100 << 10, false)] {
        let server = Frames::start(move |_, mut link| {
            let Some(stream) = link.request() else { return };
            let block = field(length);
            let pieces: Vec<_> = block.chunks(16 << 10).collect();
            for (place, piece) in pieces.iter().enumerate() {
                let (kind, begins) = if place == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
                let ends = if place + 1 == pieces.len() { END_HEADERS } else { 0 };
                link.send(kind, begins | ends, stream, piece);
            }
            while link.frame().is_some() {}
        });
        let nano = posting_to(&server, "'x'");
        if passes {
            nano.get("a", "/").says(&format!("200 {}", "x".repeat(length)));
        } else {
            nano.get("a", "/").says("TypeError: fetch failed");
            nano.console("fields take more than 64 KiB");
            assert_eq!(server.connections(), 1, "it was processed");
        }
    }
}

#[test]
fn informational_heads_are_not_read_for_ever() {
    let upstream = Upstream::start(|mut peer: Peer| {
        peer.request();
        while peer.write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n") {}
    });
    let script = answers(&format!("fetch('{}').catch(String)", upstream.url("/")));
    let nano = Setup::new().app("a", "fetch { allow \"127.0.0.1\"; }", &script).start();
    nano.get("a", "/").says("TypeError: fetch failed");
    nano.console("informational heads without end");
}

#[test]
fn a_few_informational_heads_are_passed_over() {
    let upstream = Upstream::answering(|_| {
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(20);
        format!("{hints}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell").into_bytes()
    });
    let script = answers(&format!("fetch('{}').then((r) => r.text())", upstream.url("/")));
    let nano = Setup::new().app("a", "fetch { allow \"127.0.0.1\"; }", &script).start();
    nano.get("a", "/").says("well");
}
