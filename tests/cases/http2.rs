//! HTTP/2 by prior knowledge.

use std::time::Instant;

use bytes::Bytes;
use http::{Request, Version};

use super::{answers, says};
use crate::support::Setup;

fn get(host: &str, path: &str) -> Request<Bytes> {
    Request::get(format!("http://{host}{path}")).version(Version::HTTP_2).body(Bytes::new()).unwrap()
}

#[test]
fn authority_chooses_the_app() {
    let nano = Setup::new().app("a", "", &says("a")).app("b", "", &says("b")).start();
    let h2 = nano.connect_h2();
    for app in ["a", "b"] {
        let answer = h2.send(get(&format!("{app}.test"), "/")).unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, app.as_bytes()));
        assert_eq!(answer.headers()["server"], "nano");
        assert!(answer.headers().contains_key("x-request-id"));
    }
    assert_eq!(h2.send(get("c.test", "/")).unwrap().status(), 404);
}

#[test]
fn an_app_finds_the_authority_in_host_as_with_http_1() {
    let nano = Setup::new().app("a", "", &answers("request.headers.get('host')")).start();
    let h2 = nano.connect_h2();
    assert_eq!(h2.send(get("a.test:8080", "/")).unwrap().body().as_ref(), b"a.test:8080");
    let mut both = get("a.test", "/");
    both.headers_mut().insert("host", "A.test".parse().unwrap());
    assert_eq!(h2.send(both).unwrap().body().as_ref(), b"A.test");
}

#[test]
fn requests_of_one_connection_do_not_wait_for_each_other() {
    let slow = "new Promise((done) => setTimeout(() => done(url.pathname), 500))";
    let nano = Setup::new().app("slow", "", &answers(slow)).start();
    let paths: Vec<_> = (0..40).map(|n| format!("/{n}")).collect();
    let start = Instant::now();
    let answers = nano.connect_h2().send_all(paths.iter().map(|path| get("slow.test", path)));
    for (answer, path) in answers.into_iter().zip(&paths) {
        assert_eq!(answer.unwrap().body(), path.as_bytes());
    }
    assert!(start.elapsed().as_secs() < 15, "40 answers of 0.5 s each take 20 s one by one");
}

#[test]
fn bodies_and_their_limit_work_as_in_http_1() {
    let nano = Setup::new().app("echo", r#"limits body="1KiB""#, &answers("request.text()")).start();
    let post = |size: usize| Request::post("http://echo.test/").body(Bytes::from(vec![b'x'; size])).unwrap();
    let h2 = nano.connect_h2();
    assert_eq!(h2.send(post(1024)).unwrap().body().len(), 1024);
    let refused = h2.send(post(1025)).unwrap();
    assert_eq!(refused.status(), 413);
    assert!(String::from_utf8_lossy(refused.body()).contains("body_too_large"));
}

#[test]
fn a_response_that_breaks_resets_its_stream_and_no_other() {
    let breaks = r#"export default { fetch: () => new Response(new ReadableStream({
        start(controller) { controller.enqueue(new TextEncoder().encode("begun")); },
        async pull() { await new Promise((go) => setTimeout(go, 100)); throw new Error("broken"); },
    })) };"#;
    let nano = Setup::new().app("breaks", "", breaks).app("a", "", &says("a")).start();
    let h2 = nano.connect_h2();
    let error = h2.send(get("breaks.test", "/")).expect_err("the stream is reset");
    assert!(!error.is_timeout(), "{error:?}");
    assert_eq!(h2.send(get("a.test", "/")).unwrap().body().as_ref(), b"a");
}
