//! Connections in memory: every byte, every cut between two reads, every moment is the test's own.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::DATE;
use http::{HeaderValue, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::{End, Flaw, serve};
use crate::event::{BodyError, Fields, Response};
use crate::gateway::activity::Activity;
use crate::gateway::connection::Terms;
use crate::gateway::listener::Stage;
use crate::gateway::request::{self, Request};
use crate::plan::Timeouts;

mod against_hyper;

const NEVER: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_millis(80);

const TERMS: Terms =
    Terms { timeouts: Timeouts { header: NEVER, idle: NEVER, body: NEVER, write: NEVER }, max_header: 8 * 1024 };

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// A request as its service saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    line: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Result<Vec<u8>, BodyError>,
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// Reads a request to its end, notes it, and answers with the number of its body's bytes.
async fn note<B: Body<Data = Bytes, Error: Into<BodyError>>>(request: Request<B>, log: Log) -> Answer {
    let Request { head, body } = request;
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).map_err(Into::into);
    let len = body.as_ref().map_or(0, Vec::len);
    // hyper's map keeps fields of one name together: their order beside others means nothing (RFC 9110 §5.3).
    let mut fields: Vec<_> =
        head.fields.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    let line = format!("{} {} {:?}", head.method, head.uri, head.version);
    log.lock().unwrap().push(Seen { line, fields, body });
    full(format!("{len}"))
}

fn full(text: impl Into<Bytes>) -> Answer {
    ok(Full::new(text.into()).boxed())
}

fn ok(body: BoxBody<Bytes, Infallible>) -> Answer {
    let mut fields = Fields::default();
    fields.push(DATE, HeaderValue::from_static("now"));
    Response { status: StatusCode::OK, fields, held: None, body }
}

/// What a connection came to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    seen: Vec<Seen>,
    said: String,
    flaw: Option<Flaw>,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sends pieces one read at a time, then closes, and tells what came of it.
fn tell(pieces: &[&[u8]]) -> Told {
    runtime().block_on(async {
        let (mut client, server) = duplex(1 << 20);
        let log = Log::default();
        let (_stage, stage) = watch::channel(Stage::Serving);
        let activity = Activity::new();
        let serving = async {
            let end = serve(server, TERMS, &activity, stage, |request| note(request, Arc::clone(&log))).await;
            match end {
                End::Refused(_, flaw) => Some(flaw),
                _ => None,
            }
        };
        let talking = async {
            for piece in pieces {
                // What is refused is not read.
                let _ = client.write_all(piece).await;
                for _ in 0..3 {
                    yield_now().await;
                }
            }
            let _ = client.shutdown().await;
            let mut said = Vec::new();
            client.read_to_end(&mut said).await.unwrap();
            String::from_utf8(said).unwrap()
        };
        let (flaw, said) = tokio::join!(serving, talking);
        let seen = std::mem::take(&mut *log.lock().unwrap());
        Told { seen, said, flaw }
    })
}

/// Streams of requests, good and bad, for tests that hold for any.
const STREAMS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\nGET /n HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX",
    "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nA: b\nHost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
];

#[test]
fn it_does_not_matter_where_reads_are_cut() {
    for stream in STREAMS {
        let whole = tell(&[stream.as_bytes()]);
        for cut in 1..stream.len() {
            let (first, second) = stream.as_bytes().split_at(cut);
            assert_eq!(tell(&[first, second]), whole, "{stream:?} cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(tell(&bytes), whole, "{stream:?} byte by byte");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_and_in_one_write() {
    let answers = "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 1\r\n\r\n0".repeat(3);
    assert_eq!(tell(&["GET / HTTP/1.1\r\n\r\n".repeat(3).as_bytes()]).said, answers);
    runtime().block_on(async {
        let (mut client, server, counts, _stage) = counted(|_| async { full("hello") });
        client.write_all("GET / HTTP/1.1\r\n\r\n".repeat(50).as_bytes()).await.unwrap();
        tokio::spawn(server);
        let mut said = vec![0; 50 * "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 5\r\n\r\nhello".len()];
        client.read_exact(&mut said).await.unwrap();
        assert_eq!((counts.reads.load(Relaxed), counts.writes.load(Relaxed)), (1, 1));
    });
}

#[test]
fn a_request_costs_one_read_and_one_write() {
    runtime().block_on(async {
        let (mut client, server, counts, _stage) = counted(|request| async move {
            request.body.collect().await.unwrap();
            yield_now().await;
            full("hello")
        });
        tokio::spawn(server);
        let mut said = vec![0; "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 5\r\n\r\nhello".len()];
        for _ in 0..500 {
            client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await.unwrap();
            client.read_exact(&mut said).await.unwrap();
        }
        let (reads, writes) = (counts.reads.load(Relaxed), counts.writes.load(Relaxed));
        assert_eq!(writes, 500);
        assert!(reads < 520, "{reads} reads: now and then the buffer ends within a request");
    });
}

#[test]
fn a_large_answer_is_sent_from_where_it_is() {
    let large = "x".repeat(3_000_000);
    let said = converse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", {
        let large = large.clone();
        move |_| std::future::ready(full(large.clone()))
    });
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-length: 3000000") && body == large);
}

#[test]
fn a_stream_is_chunked_or_ends_with_the_connection() {
    let chunks = ["one", "", "two", &"x".repeat(9000)].map(|text| Bytes::from(text.to_owned()));
    let answer = move |_| {
        let body = Pieces(chunks.clone().into()).boxed();
        std::future::ready(ok(body))
    };
    let said = converse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", answer.clone());
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert_eq!(head, "HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\nconnection: close");
    assert_eq!(body, format!("3\r\none\r\n3\r\ntwo\r\n2328\r\n{}\r\n0\r\n\r\n", "x".repeat(9000)));
    let said = converse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", answer);
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert_eq!(head, "HTTP/1.1 200 OK\r\ndate: now\r\nconnection: close");
    assert_eq!(body, format!("onetwo{}", "x".repeat(9000)));
}

#[test]
fn a_client_is_told_to_go_on_once_the_body_is_wanted_and_never_else() {
    const HEAD: &str = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n";
    let collect = |request: Request<super::Payload>| async move {
        let body = request.body.collect().await;
        full(body.map_or_else(|error| error.to_string(), |body| format!("{:?}", body.to_bytes())))
    };
    runtime().block_on(async {
        let (mut client, server, ..) = counted(collect);
        tokio::spawn(server);
        client.write_all(format!("{HEAD}\r\n").as_bytes()).await.unwrap();
        assert_eq!(read_until(&mut client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"ok").await.unwrap();
        assert!(read_until(&mut client, "b\"ok\"").await.starts_with("HTTP/1.1 200 OK\r\n"));
    });
    let said = converse(&format!("{HEAD}Connection: close\r\n\r\nok"), collect);
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("b\"ok\""), "sent already: {said}");
    let said = converse(&format!("{HEAD}\r\n"), |_| async { full("no") });
    assert!(said.contains("connection: close") && said.ends_with("no"), "what follows may be anything: {said}");
}

#[test]
fn a_client_that_leaves_ends_its_request() {
    runtime().block_on(async {
        for bytes in
            ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\nGE"]
        {
            let gone = Arc::new(Notify::new());
            let dropped = Arc::clone(&gone);
            let (mut client, server, ..) = counted(move |_| {
                let notice = OnDrop(Arc::clone(&dropped));
                async move {
                    std::future::pending::<()>().await;
                    drop(notice);
                    full("")
                }
            });
            let server = tokio::spawn(server);
            client.write_all(bytes.as_bytes()).await.unwrap();
            client.shutdown().await.unwrap();
            timeout(NEVER, gone.notified()).await.unwrap();
            assert!(matches!(server.await.unwrap(), End::Closed), "{bytes:?}");
            let mut said = Vec::new();
            client.read_to_end(&mut said).await.unwrap();
            assert_eq!(said, b"", "half a request behind a whole one is no garbage");
        }
    });
}

#[test]
fn a_client_that_leaves_ends_a_request_whose_body_nobody_reads() {
    runtime().block_on(async {
        let (mut client, server, ..) = counted(|_| std::future::pending());
        let server = tokio::spawn(server);
        client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
        tokio::time::sleep(SOON / 4).await;
        drop(client);
        assert!(matches!(timeout(Duration::from_secs(20), server).await.unwrap().unwrap(), End::Closed));
    });
}

#[test]
fn tiny_chunks_are_not_hoarded() {
    runtime().block_on(async {
        let (mut client, server, counts, _stage) = counted(|request| async move {
            let body = request.body;
            std::future::pending::<()>().await;
            drop(body);
            full("")
        });
        tokio::spawn(server);
        client.write_all(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        let _ = timeout(SOON, client.write_all(&b"1\r\nx\r\n".repeat(1 << 20))).await;
        let read = counts.bytes.load(Relaxed);
        assert!(read < 100_000, "{read} bytes, {} chunks", read / 6);
    });
}

#[test]
fn no_more_of_a_body_is_read_than_there_is_room_for() {
    runtime().block_on(async {
        let go = Arc::new(Notify::new());
        let gate = Arc::clone(&go);
        let (mut client, server, counts, _stage) = counted(move |request: Request<super::Payload>| {
            let gate = Arc::clone(&gate);
            async move {
                let mut body = request.body;
                gate.notified().await;
                let first = body.frame().await.unwrap().unwrap().into_data().unwrap().len();
                gate.notified().await;
                let rest = body.collect().await.unwrap().to_bytes().len();
                full(format!("{}", first + rest))
            }
        });
        tokio::spawn(server);
        const BODY: usize = 4_000_000;
        client.write_all(format!("POST / HTTP/1.1\r\nContent-Length: {BODY}\r\n\r\n").as_bytes()).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(client);
        let sent = tokio::spawn(async move { writer.write_all(&vec![b'x'; BODY]).await });
        tokio::time::sleep(SOON).await;
        let unasked = counts.bytes.load(Relaxed);
        assert!(unasked < 100_000, "{unasked} bytes that nobody asked for");
        go.notify_one();
        tokio::time::sleep(SOON).await;
        let ahead = counts.bytes.load(Relaxed);
        assert!(ahead < 250_000, "{ahead} bytes ahead of the app");
        go.notify_one();
        sent.await.unwrap().unwrap();
        let mut said = vec![0; "HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 7\r\n\r\n4000000".len()];
        reader.read_exact(&mut said).await.unwrap();
        assert!(said.ends_with(b"4000000"));
    });
}

#[test]
fn a_body_the_app_leaves_does_not_become_the_next_request() {
    let ignore = |_| async { full("ignored") };
    let post = |len: usize| format!("POST / HTTP/1.1\r\nContent-Length: {len}\r\n\r\n");
    // All of it is here: it is passed over.
    let said =
        converse(&format!("{}{}GET / HTTP/1.1\r\nConnection: close\r\n\r\n", post(9000), "x".repeat(9000)), ignore);
    assert_eq!(said.matches("ignored").count(), 2, "{said}");
    // Some is missing: what follows cannot be trusted.
    let said = converse(&format!("{}GET / HTTP/1.1\r\n\r\n", post(1_000_000)), ignore);
    assert_eq!((said.matches("ignored").count(), said.matches("connection: close").count()), (1, 1), "{said}");
}

#[test]
fn each_phase_has_its_own_patience() {
    let hurried = |change: fn(&mut Timeouts)| {
        let mut terms = TERMS;
        change(&mut terms.timeouts);
        terms
    };
    let run = |terms: Terms, bytes: &'static str| {
        runtime().block_on(async move {
            let (mut client, server) = duplex(1 << 16);
            let (_stage, stage) = watch::channel(Stage::Serving);
            let log = Log::default();
            let activity = Activity::new();
            let server = serve(server, terms, &activity, stage, |request| note(request, Arc::clone(&log)));
            client.write_all(bytes.as_bytes()).await.unwrap();
            let end = timeout(Duration::from_secs(20), server).await.expect("the timer strikes");
            let fault = log.lock().unwrap().first().and_then(|seen| seen.body.clone().err());
            (matches!(end, End::Closed), matches!(end, End::Refused(_, Flaw::Late)), fault)
        })
    };
    let head = hurried(|timeouts| timeouts.header = SOON);
    assert_eq!(run(head, ""), (true, false, None), "a client that says nothing hears nothing");
    assert_eq!(run(head, "GET / HT"), (false, true, None));
    assert_eq!(run(head, "PRI * HTTP/2.0\r\n"), (false, true, None));
    assert_eq!(run(head, "GET / HTTP/1.1\r\n\r\nGET /"), (false, true, None));
    let idle = hurried(|timeouts| timeouts.idle = SOON);
    assert_eq!(run(idle, "GET / HTTP/1.1\r\n\r\n"), (true, false, None));
    assert_eq!(run(idle, "GET / HTTP/1.1\r\n\r\n\r\n"), (true, false, None), "an empty line begins no head");
    let body = hurried(|timeouts| timeouts.body = SOON);
    let (_, late, fault) = run(body, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf");
    assert_eq!((late, fault), (false, Some(BodyError::Timeout)));
    runtime().block_on(async {
        let (client, server) = duplex(64);
        let (mut client, (_stage, stage)) = (client, watch::channel(Stage::Serving));
        let terms = hurried(|timeouts| timeouts.write = SOON);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let activity = Activity::new();
        let server = serve(server, terms, &activity, stage, |_| async { full("x".repeat(1000)) });
        assert!(matches!(timeout(Duration::from_secs(20), server).await.unwrap(), End::Closed));
    });
}

#[test]
fn a_service_that_said_so_is_told_when_its_time_is_up() {
    runtime().block_on(async {
        let (mut client, server) = duplex(1000);
        let (_stage, stage) = watch::channel(Stage::Serving);
        let activity = Activity::new();
        let server = serve(server, TERMS, &activity, stage, |_| async {
            activity.until(Instant::now() + SOON).await;
            full("late")
        });
        client.write_all(b"GET / HTTP/1.1\r\n\r\n".repeat(2).as_slice()).await.unwrap();
        let talking = async {
            let began = Instant::now();
            for times in 1..=2 {
                read_until(&mut client, "late").await;
                assert!(began.elapsed() >= SOON * times, "each request has its own time");
            }
            drop(client);
        };
        tokio::join!(server, talking);
    });
}

#[test]
fn a_reader_that_is_slow_but_reads_is_not_cut_off() {
    runtime().block_on(async {
        let (mut client, server) = duplex(1000);
        let (_stage, stage) = watch::channel(Stage::Serving);
        let mut terms = TERMS;
        (terms.timeouts.idle, terms.timeouts.write) = (SOON * 2, SOON * 2);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        tokio::spawn(async move {
            serve(server, terms, &Activity::new(), stage, |_| async { full("x".repeat(20_000)) }).await;
        });
        let (mut buffer, mut read) = ([0; 1000], 0);
        while read < 20_000 {
            tokio::time::sleep(SOON / 4).await;
            let len = client.read(&mut buffer).await.unwrap();
            assert_ne!(len, 0, "cut off after {read} bytes");
            read += len;
        }
    });
}

#[test]
fn a_retiring_connection_answers_what_it_has_and_closes() {
    runtime().block_on(async {
        let (mut client, server, _, stage) = counted(|_| async {
            tokio::time::sleep(SOON).await;
            full("late")
        });
        let server = tokio::spawn(server);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        tokio::time::sleep(SOON / 2).await;
        stage.send_replace(Stage::Retiring);
        let said = read_until(&mut client, "late").await;
        assert!(said.contains("connection: close\r\n"), "{said}");
        assert!(matches!(server.await.unwrap(), End::Closed));

        let (_client, server, _, stage) = counted(|_| async { full("") });
        let server = tokio::spawn(server);
        yield_now().await;
        stage.send_replace(Stage::Cut);
        assert!(matches!(server.await.unwrap(), End::Closed), "at once");
    });
}

#[test]
fn no_change_of_stage_is_missed_however_close_to_another() {
    // The sender is another thread: what it says may arrive while the connection still deals with what it said before.
    for _ in 0..300 {
        let (client, server) = duplex(100);
        let (stage, retired) = watch::channel(Stage::Serving);
        let connection = std::thread::spawn(move || {
            runtime().block_on(async {
                let activity = Activity::new();
                let serving = serve(server, TERMS, &activity, retired, |_| std::future::pending::<Answer>());
                timeout(Duration::from_secs(20), serving).await.is_ok()
            })
        });
        runtime().block_on(async {
            let mut client = client;
            client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            stage.send_replace(Stage::Retiring);
            tokio::time::sleep(Duration::from_millis(1)).await;
            stage.send_replace(Stage::Cut);
            assert!(connection.join().unwrap(), "the connection was not cut");
        });
    }
}

#[test]
fn http_2_is_handed_over_with_every_byte() {
    runtime().block_on(async {
        let (mut client, server, ..) = counted(|_| async { full("") });
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n and more").await.unwrap();
        let End::Http2(_, bytes) = server.await else { panic!("not taken for HTTP/2") };
        assert_eq!(bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n and more");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_stream_of_bytes_upsets_a_connection(
        stream in prop::sample::select(STREAMS),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in 1usize..40,
    ) {
        let mut bytes = stream.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
        prop_assert_eq!(tell(&pieces), tell(&[&bytes]));
    }
}

/// Says `bytes`, and returns all that is answered until the connection ends.
fn converse<F, R>(bytes: &str, service: F) -> String
where
    F: Fn(Request<super::Payload>) -> R,
    R: Future<Output = Answer>,
{
    runtime().block_on(async {
        let (mut client, server, ..) = counted(service);
        client.write_all(bytes.as_bytes()).await.unwrap();
        let listening = async {
            let mut said = String::new();
            client.read_to_string(&mut said).await.unwrap();
            said
        };
        let ((), said) = tokio::join!(async { drop(server.await) }, listening);
        said
    })
}

async fn read_until(client: &mut DuplexStream, end: &str) -> String {
    let mut said = String::new();
    while !said.ends_with(end) {
        said.push(char::from(client.read_u8().await.unwrap()));
    }
    said
}

#[derive(Default)]
struct Counts {
    reads: AtomicUsize,
    bytes: AtomicUsize,
    writes: AtomicUsize,
}

/// A stream that counts what a system call would be.
struct Counted(DuplexStream, Arc<Counts>);

/// A connection whose system calls are counted, and what tells it to stop.
fn counted<F, R>(service: F) -> (DuplexStream, impl Future<Output = End<Counted>>, Arc<Counts>, watch::Sender<Stage>)
where
    F: Fn(Request<super::Payload>) -> R,
    R: Future<Output = Answer>,
{
    let (client, server) = duplex(1 << 18);
    let (stage, retired) = watch::channel(Stage::Serving);
    let counts = Arc::<Counts>::default();
    let server = Counted(server, Arc::clone(&counts));
    // The tests that drop the sender would else end the connection with it.
    let keep = stage.clone();
    let serving = async move {
        let _keep = keep;
        serve(server, TERMS, &Activity::new(), retired, service).await
    };
    (client, serving, counts, stage)
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.0).poll_read(cx, buf);
        if result.is_ready() {
            self.1.reads.fetch_add(1, Relaxed);
            self.1.bytes.fetch_add(buf.filled().len() - before, Relaxed);
        }
        result
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.0).poll_write(cx, bytes);
        self.1.writes.fetch_add(usize::from(result.is_ready()), Relaxed);
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A body of unknown length.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
