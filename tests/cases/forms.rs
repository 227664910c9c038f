//! Forms over sockets: what browsers and other clients upload, however it arrives, and what it may cost.

use super::limits::beside_a_neighbour;
use super::{answers, says};
use crate::support::{Nano, Request, Setup, eventually};

const KIND: &str = "multipart/form-data; boundary=------------------------d74496d66958873e";
const BOUNDARY: &str = "------------------------d74496d66958873e";

/// Answers with the form's entries: a text, or name, type, size and sum of the bytes of a file.
const ENTRIES: &str = r#"(async () => {
    const entries = [];
    for (const [name, value] of await request.formData()) {
        if (typeof value === "string") entries.push([name, value]);
        else entries.push([name, value.name, value.type, value.size, (await value.bytes()).reduce((a, b) => a + b, 0)]);
    }
    return entries;
})()"#;

fn start(limits: &str) -> Nano {
    Setup::new().app("form", limits, &answers(ENTRIES)).start()
}

/// A part as it is sent, its headers but for the disposition's kind as given.
fn part(headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {headers}\r\n\r\n").as_bytes(), body, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), format!("--{BOUNDARY}--\r\n").into_bytes()].concat()
}

fn upload(body: Vec<u8>) -> Request {
    Request::post("form", "/", body).header("content-type", KIND)
}

#[test]
fn a_form_arrives_as_clients_send_it() {
    let body = form(&[
        part("name=\"text\"", "häh".as_bytes()),
        part("name=\"file\"; filename=\"a b.png\"\r\nContent-Type: image/png", &[0xff, 0, 1]),
        // A quote as browsers write it and as Go does, a path as old browsers sent it, an empty file field.
        part("name=\"q%22\"; filename=\"C:\\a\\b.txt\"", b""),
        part("name=\"\\\"q\\\"\"", b"1"),
        part("name=\"none\"; filename=\"\"\r\nContent-Type: application/octet-stream", b""),
        // RFC 7578 §4.2 forbids `filename*`, and browsers do not read it.
        part("name=\"star\"; filename=\"plain\"; filename*=UTF-8''other", b"x"),
        part("name=\"lines\"", b"\r\n--\r\n\n"),
    ]);
    let nano = start("");
    let entries = serde_json::json!([
        ["text", "häh"],
        ["file", "a b.png", "image/png", 3, 256],
        ["q%22", "C:\\a\\b.txt", "text/plain", 0, 0],
        ["\"q\"", "1"],
        ["none", "", "application/octet-stream", 0, 0],
        ["star", "plain", "text/plain", 1, 120],
        ["lines", "\r\n--\r\n\n"],
    ]);
    assert_eq!(nano.send(&upload(body.clone())).json(), entries);
    // However it is cut into pieces.
    let request = upload(body).bytes();
    let mut conn = nano.connect();
    for piece in request.chunks(7) {
        conn.write(piece);
    }
    assert_eq!(conn.response().json(), entries);
}

#[test]
fn a_form_arrives_in_chunks() {
    let body = form(&[part("name=\"a\"", b"1"), part("name=\"b\"; filename=\"c\"", b"\x02")]);
    let nano = start("");
    let mut conn = nano.connect();
    conn.write(format!(
        "POST / HTTP/1.1\r\nhost: form.test\r\ncontent-type: {KIND}\r\ntransfer-encoding: chunked\r\n\r\n"
    ));
    for piece in body.chunks(50) {
        conn.write([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    conn.write("0\r\n\r\n");
    assert_eq!(conn.response().json(), serde_json::json!([["a", "1"], ["b", "c", "text/plain", 1, 2]]));
}

#[test]
fn an_urlencoded_form_arrives() {
    let nano = start("");
    let body =
        Request::post("form", "/", "a=b+c&a=%C3%A4&d").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(nano.send(&body).json(), serde_json::json!([["a", "b c"], ["a", "ä"], ["d", ""]]));
}

#[test]
fn a_malformed_form_is_the_handlers_to_refuse() {
    let setup =
        Setup::new().app("form", "", &answers("request.formData().then(() => \"a form\", (error) => `${error}`)"));
    let nano = setup.start();
    let whole = form(&[part("name=\"a\"", b"1")]);
    nano.send(&upload(whole.clone())).says("a form");
    nano.send(&upload(whole[..whole.len() - 5].to_vec()))
        .says("TypeError: formData: the form ends before its last boundary");
    nano.send(&upload(whole[2..].to_vec())).says("TypeError: formData: the form does not begin with its boundary");
    nano.send(&Request::post("form", "/", whole)).says(
        "TypeError: formData: the Content-Type is neither multipart/form-data nor application/x-www-form-urlencoded",
    );
    let many = form(&vec![part("name=a", b""); 10_001]);
    nano.send(&upload(many)).says("TypeError: formData: the form has more than 10000 parts");
}

#[test]
fn eight_mebibytes_fit_into_an_app_of_32() {
    let nano = start("limits memory=\"32MiB\" body=\"9MiB\" cpu=\"10s\"");
    let body = form(&[part("name=\"file\"; filename=\"large\"", &vec![1; 8 << 20])]);
    let expected = serde_json::json!([["file", "large", "text/plain", 8 << 20, 8 << 20]]);
    for _ in 0..3 {
        assert_eq!(nano.send(&upload(body.clone())).json(), expected);
    }
    let larger = form(&[part("name=\"file\"; filename=\"large\"", &vec![1; 9 << 20])]);
    nano.send(&upload(larger)).fails(413, "body_too_large");
}

#[test]
fn forms_that_an_app_has_no_memory_for_are_its_own_affair() {
    let limits = "limits memory=\"24MiB\" body=\"64MiB\" cpu=\"10s\" isolates=1";
    let nano = Setup::new().app("form", limits, &answers(ENTRIES)).app("neighbour", "", &says("unharmed")).start();
    let small = form(&[part("name=\"a\"", b"1")]);
    let text = "x".repeat(20 << 20);
    for body in [
        form(&[part("name=\"file\"; filename=\"f\"", text.as_bytes())]),
        form(&[part("name=\"text\"", text.as_bytes())]),
        form(&vec![part("name=\"text\"", &text.as_bytes()[..1 << 20]); 18]),
    ] {
        let answer = nano.send(&upload(body));
        let outcome = answer.outcome();
        let expected = [(503, "memory_limit".to_owned()), (500, "app_error".to_owned())];
        assert!(expected.contains(&outcome), "{outcome:?}");
        nano.get("neighbour", "/").says("unharmed");
        eventually("the app to answer again", || (nano.send(&upload(small.clone())).status == 200).then_some(()));
    }
    let mut nano = nano;
    nano.lives();
}

#[test]
fn an_app_that_makes_huge_forms_harms_itself_alone() {
    let limits = r#"memory="48MiB" cpu="10s" wall="25s""#;
    let (_, answer) = beside_a_neighbour(
        limits,
        "const form = new FormData(); \
         for (;;) form.append(\"x\".repeat(1e5), new Blob([new Uint8Array(1e6).fill(1)]));",
    );
    assert!([500, 503].contains(&answer.status), "{}", answer.text());
    let (_, answer) = beside_a_neighbour(
        limits,
        "let blob = new Blob([new Uint8Array(1 << 20)]); for (;;) blob = new Blob([blob, blob]);",
    );
    assert!([500, 503].contains(&answer.status), "{}", answer.text());
}

#[test]
fn a_large_blob_is_streamed_to_its_client() {
    let blob = "new Blob(new Array(64).fill(new Blob([new Uint8Array(1 << 20).fill(97)])), { type: \"text/a\" })";
    let script = format!("export default {{ fetch() {{ return new Response({blob}); }} }};\n");
    // As one buffer it would be more than the app may have.
    let nano = Setup::new().app("blob", "limits memory=\"32MiB\" cpu=\"10s\"", &script).start();
    let answer = nano.get("blob", "/");
    assert_eq!((answer.status, answer.header("content-type"), answer.cut), (200, Some("text/a"), false));
    assert_eq!(answer.body.len(), 64 << 20);
    assert!(answer.body.iter().all(|byte| *byte == 97));
}
