//! The same bytes for us and for hyper's HTTP/1 server: what we take for a request it takes for the same request, and
//! what it takes for one and we do not, we refuse on purpose. A difference between two servers in a row is how requests
//! are smuggled, so a difference must be a refusal.

use http_body_util::BodyExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::*;

/// What hyper sees in the same stream, up to where it gives up.
fn hyper_sees(bytes: &[u8]) -> Vec<Seen> {
    runtime().block_on(async {
        let (mut client, server) = duplex(1 << 20);
        let log = Log::default();
        let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
            let log = Arc::clone(&log);
            async move { Ok::<_, Infallible>(http::Response::new(note(ours(request), log).await.body)) }
        });
        let serving = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service);
        let talking = async {
            client.write_all(bytes).await.unwrap();
            client.shutdown().await.unwrap();
            // Whatever it says: the requests are what counts.
            let _ = client.read_to_end(&mut Vec::new()).await;
        };
        let _ = tokio::join!(serving, talking);
        std::mem::take(&mut *log.lock().unwrap())
    })
}

/// A request as ours are, with a body that fails as ours do.
fn ours(request: http::Request<hyper::body::Incoming>) -> Request<impl Body<Data = Bytes, Error = BodyError> + Unpin> {
    let (parts, body) = request.into_parts();
    let (method, uri, version) = (parts.method, parts.uri, parts.version);
    let head = request::Head { method, uri, version, fields: parts.headers.into() };
    Request { head, body: body.map_err(|_| BodyError::Malformed) }
}

/// The requests whose body was whole: how each of us reports another is its own affair.
fn whole(seen: Vec<Seen>) -> Vec<Seen> {
    seen.into_iter().take_while(|seen| seen.body.is_ok()).collect()
}

fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let told = tell(&[bytes]);
    let (ours, theirs) = (whole(told.seen), whole(hyper_sees(bytes)));
    let shown = String::from_utf8_lossy(bytes);
    let both = ours.len().min(theirs.len());
    prop_assert_eq!(&ours[..both], &theirs[..both], "in {:?}", shown);
    // hyper is lax in places, never stricter than we are.
    prop_assert_eq!(both, ours.len(), "hyper refuses what we serve: {:?}, {:?}", shown, &ours[both..]);
    Ok(())
}

#[test]
fn streams_of_requests_mean_to_us_what_they_mean_to_hyper() {
    for stream in STREAMS {
        agree(stream.as_bytes()).unwrap();
    }
    for (stream, requests) in STREAMS.iter().zip([1, 2, 2]) {
        assert_eq!(hyper_sees(stream.as_bytes()).len(), requests, "hyper is really asked");
    }
}

fn one_of(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(choices).prop_map(str::to_owned)
}

fn line() -> impl Strategy<Value = String> {
    one_of(&[
        "GET / HTTP/1.1",
        "GET /a?b HTTP/1.1",
        "POST /p HTTP/1.1",
        "POST /p HTTP/1.0",
        "PUT http://a/b HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "get / HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.2",
        "HEAD / HTTP/1.1",
    ])
}

fn field() -> impl Strategy<Value = String> {
    one_of(&[
        "Host: a",
        "Content-Length: 3",
        "Content-Length: 03",
        "Content-Length: 4",
        "content-length:3 ",
        "Content-Length: 3, 3",
        "Content-Length: +3",
        "Content-Length : 3",
        "Transfer-Encoding: chunked",
        "transfer-encoding: Chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: xchunked",
        "Connection: close",
        "Connection: keep-alive",
        "X: y\tz",
        "X:",
        "X: \u{fc}",
        " folded: yes",
    ])
}

fn body() -> impl Strategy<Value = String> {
    one_of(&[
        "",
        "abc",
        "abcd",
        "3\r\nabc\r\n0\r\n\r\n",
        "3;x\r\nabc\r\n0\r\nT: u\r\n\r\n",
        "3\nabc\n0\n\n",
        "03\r\nabc\r\n0\r\n\r\n",
        "0\r\n\r\n",
    ])
}

prop_compose! {
    fn message()(
        line in line(),
        fields in prop::collection::vec((field(), one_of(&["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r"])), 0..4),
        body in body(),
    ) -> String {
        let fields: String = fields.into_iter().map(|(field, end)| field + &end).collect();
        format!("{line}\r\n{fields}\r\n{body}")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_we_serve_is_what_hyper_would_serve(
        messages in prop::collection::vec(message(), 1..4),
        change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut bytes = messages.concat().into_bytes();
        if let Some((at, byte)) = change {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        agree(&bytes)?;
    }
}
