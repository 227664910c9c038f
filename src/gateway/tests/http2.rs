//! HTTP/2: what differs from HTTP/1 for clients and apps.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

#[test]
fn a_broken_http_2_connection_is_logged() {
    let server = Server::start();
    let settings = "\0\0\0\u{4}\0\0\0\0\0";
    let data_on_no_stream = "\0\0\0\0\0\0\0\0\0";
    // Kept open: a client that leaves at once may be gone before its mistake is found.
    let mut client = server.connect();
    client.write(&format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{settings}{data_on_no_stream}"));
    eventually("a line", || server.lines().iter().any(|line| line["error"] == "bad_request"));
}
#[test]
fn http_2_is_spoken_by_prior_knowledge() {
    let server = Server::start();
    runtime().block_on(async {
        let mut client = h2(&server).await;
        let uri = |path: &str| format!("http://test{path}");
        let ask = |request: Request<Full<Bytes>>| client.send_request(request);
        let mut ask = ask;
        let response = ask(Request::get(uri("/app/hello")).body(Full::default()).unwrap()).await.unwrap();
        assert_eq!((response.status(), response.version()), (200.try_into().unwrap(), http::Version::HTTP_2));
        assert_eq!(response.headers()["server"], "nano");
        assert_eq!(response.collect().await.unwrap().to_bytes(), "hello");
        let body = Full::from("over h2");
        let response = ask(Request::post(uri("/app/echo")).body(body).unwrap()).await.unwrap();
        assert_eq!(response.collect().await.unwrap().to_bytes(), "over h2");
        let response = ask(Request::post(uri("/app/echo")).body(Full::from(vec![0; 2000])).unwrap()).await.unwrap();
        assert_eq!(response.status(), 413);
        let response = ask(Request::head(uri("/app/length")).body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["content-length"], "12345");
        let response = ask(Request::get(uri("/app/lies")).body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(response.collect().await.unwrap().to_bytes(), "truth");
        let response = ask(Request::get(uri("/app/cut")).body(Full::default()).unwrap()).await.unwrap();
        assert!(response.collect().await.is_err());
        let big = Request::get(uri("/app/hello")).header("x-big", "x".repeat(9000)).body(Full::default()).unwrap();
        assert_eq!(ask(big).await.unwrap().status(), 431);
        for padded in [" x", "x ", "\tx", " "] {
            let padded = Request::get(uri("/app/hello")).header("x-padded", padded).body(Full::default()).unwrap();
            assert_eq!(ask(padded).await.unwrap().status(), 400);
        }
        let never = ask(Request::get(uri("/app/never")).body(Full::default()).unwrap());
        let asked = server.script.arrived() + 1;
        let never = tokio::spawn(never);
        while server.script.arrived() < asked {
            tokio::task::yield_now().await;
        }
        never.abort();
        let _ = never.await;
    });
    eventually("the app is told", || server.script.aborts().contains(&ErrorCode::ClientClosed));
}
#[test]
fn an_http_2_stream_that_is_not_read_is_reset_and_no_other() {
    let server = Server::with(|plan| change_listener(plan, |listener| listener.timeouts.write = SOON));
    runtime().block_on(async {
        // Windows that only reading opens again.
        let mut client = frames(&server, 1000).await;
        for path in ["endless", "large"] {
            let (unread, _) = client.send_request(get(path), true).unwrap();
            let mut unread = unread.await.unwrap().into_body();
            // The client goes on with other streams all the while.
            while server.access_lines().iter().all(|line| line["path"] != format!("/app/{path}")) {
                let (answer, _) = client.send_request(get("hello"), true).unwrap();
                assert_eq!(read(answer.await.unwrap().into_body()).await.unwrap(), b"hello");
                tokio::time::sleep(SOON / 10).await;
            }
            let reset = loop {
                // What had come before is still there; its window stays shut.
                if let Err(error) = unread.data().await.unwrap() {
                    break error;
                }
            };
            assert_eq!(reset.reason(), Some(h2::Reason::CANCEL));
        }
    });
    assert_eq!(server.script.aborts(), [ErrorCode::ClientClosed; 2]);
    let lines = server.access_lines();
    let unread: Vec<_> = lines.iter().filter(|line| line["path"] != "/app/hello").collect();
    assert_eq!(unread.len(), 2);
    assert!(unread.iter().all(|line| line["error"] == "client_closed"), "{unread:?}");
}
#[test]
fn an_http_2_body_nobody_reads_leaves_room_for_the_others() {
    let server = Server::start();
    runtime().block_on(async {
        let mut client = frames(&server, 1 << 20).await;
        let post = |path: &str| Request::post(format!("http://test/app/{path}")).body(()).unwrap();
        let (_unanswered, mut unread) = client.send_request(post("never"), false).unwrap();
        unread.send_data(Bytes::from(vec![0; 1 << 20]), true).unwrap();
        for _ in 0..20 {
            let (answer, mut body) = client.send_request(post("echo"), false).unwrap();
            body.send_data(Bytes::from(vec![b'x'; 1000]), true).unwrap();
            assert_eq!(read(answer.await.unwrap().into_body()).await.unwrap(), [b'x'; 1000]);
        }
    });
}
#[test]
fn an_http_2_request_that_ends_early_is_not_taken_for_whole() {
    let server = Server::start();
    runtime().block_on(async {
        let mut client = frames(&server, 1 << 20).await;
        let post = Request::post("http://test/app/read").body(()).unwrap();
        let (_unanswered, mut body) = client.send_request(post, false).unwrap();
        body.send_data(Bytes::from_static(b"half"), false).unwrap();
        while server.script.arrived() < 1 {
            tokio::time::sleep(SOON / 10).await;
        }
        body.send_reset(h2::Reason::CANCEL);
        while server.script.reads().is_empty() {
            tokio::time::sleep(SOON / 10).await;
        }
    });
    assert_eq!(server.script.reads(), [Err(crate::event::BodyError::Incomplete)]);
}
#[test]
fn cookies_in_pieces_are_one_field() {
    let server = Server::start();
    runtime().block_on(async {
        let request = Request::get("http://test/app/head").header("cookie", "a=1").header("cookie", "b=2");
        let response = h2(&server).await.send_request(request.body(Full::default()).unwrap()).await.unwrap();
        let seen = response.collect().await.unwrap().to_bytes();
        let seen = std::str::from_utf8(&seen).unwrap();
        assert!(seen.contains("\ncookie: a=1; b=2\n"), "{seen}");
    });
}
#[test]
fn draining_lets_http_2_streams_finish() {
    let server = Server::start();
    runtime().block_on(async {
        let mut client = h2(&server).await;
        let gate = Request::get("http://test/app/gate").body(Full::default()).unwrap();
        let gate = tokio::spawn(client.send_request(gate));
        while server.script.arrived() < 1 {
            tokio::task::yield_now().await;
        }
        let release = async {
            while !server.gateway.addresses().is_empty() {
                tokio::task::yield_now().await;
            }
            server.script.release.notify_one();
            let response = gate.await.unwrap().unwrap();
            assert_eq!(response.collect().await.unwrap().to_bytes(), "released");
        };
        let (drained, ()) = tokio::join!(server.gateway.drain(NEVER), release);
        assert!(drained);
    });
}
async fn h2(server: &Server) -> hyper::client::conn::http2::SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}
/// A client that sees frames, and whose streams have a window of `window` bytes.
async fn frames(server: &Server, window: u32) -> h2::client::SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::Builder::new().initial_window_size(window).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}
async fn read(mut body: h2::RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        bytes.extend_from_slice(&data?);
    }
    Ok(bytes)
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://test/app/{path}")).body(()).unwrap()
}
