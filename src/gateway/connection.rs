//! One connection from its first byte to its last: which protocol it speaks, its timeouts, and how it ends when its
//! socket retires. HTTP itself is hyper's here and nowhere else, behind one `service` function.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use super::Shared;
use super::activity::{Activity, Due, watch};
use super::body::Outbound;
use super::error;
use super::forwarded::Peer;
use super::listener::{Open, Socket, Stage};
use crate::event::{Desk, ErrorCode, RequestId};
use crate::plan::{Level, Listener, Timeouts};

/// How every HTTP/2 connection begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a connection between requests is still listened to once it is to close: a request may be on its way.
const LINGER: Duration = Duration::from_millis(500);

/// How long bytes nobody wants are read, so that the client sees the answer before the connection's end.
const DISCARD: Duration = Duration::from_secs(2);

/// Heads this much over the limit still reach us, and get an answer with a body; larger ones get hyper's bare one.
const HEAD_SLACK: usize = 16 * 1024;

/// What the requests of one public connection share.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    /// Where the replies to its requests arrive: its thread's.
    pub(super) desk: Arc<Desk>,
    pub(super) socket: Arc<Socket>,
    /// The listener as it was when the connection was accepted.
    pub(super) settings: Arc<Listener>,
    pub(super) peer: Peer,
    pub(super) activity: Arc<Activity>,
    /// While any of these lives the socket counts as in use.
    pub(super) stage: watch::Receiver<Stage>,
    /// Its place among the listener's connections.
    pub(super) _open: Open,
}

impl Connection {
    /// Speaks HTTP on `stream` until it ends, answering with [`service::answer`](super::service::answer).
    pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self: Arc<Self>, stream: S) {
        let terms = Terms { timeouts: self.settings.timeouts, max_header: self.settings.max_header };
        let (activity, stage) = (Arc::clone(&self.activity), self.stage.clone());
        let service = {
            let connection = Arc::clone(&self);
            move |request| super::service::answer(Arc::clone(&connection), request)
        };
        if let Err(code) = drive(stream, terms, &activity, stage, service).await {
            self.refused(code);
        }
    }

    /// Notes a request whose head never became one.
    fn refused(&self, code: ErrorCode) {
        self.shared.metrics.unrouted().error(code);
        let (status, listener, client) = (error::status(code), &self.settings.name, self.peer.text());
        let message = format!("listener {listener:?} answered {status} {code} to {client}: {}", error::message(code));
        self.shared.logs.gateway(Level::Info, None, None, &message);
    }
}

/// The limits a connection is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) timeouts: Timeouts,
    pub(super) max_header: usize,
}

/// Runs a connection. The error is why a head was refused that never reached `service`.
pub(super) async fn drive<S, F, R>(
    mut stream: S,
    terms: Terms,
    activity: &Arc<Activity>,
    stage: watch::Receiver<Stage>,
    service: F,
) -> Result<(), ErrorCode>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>) -> R + Send + 'static,
    R: Future<Output = Response<Outbound>> + Send + 'static,
{
    let (first, speaks_h2) = match detect(&mut stream, terms.timeouts.header, stage.clone()).await {
        First::Http1(bytes) => (bytes, false),
        First::Http2(bytes) => (bytes, true),
        First::Late => return late(stream).await,
        First::Nothing => return Ok(()),
    };
    let io = TokioIo::new(watch(stream, first, activity));
    let service = service_fn(move |request| {
        let answer = service(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    if speaks_h2 {
        activity.speaks_frames();
        let list = u32::try_from(terms.max_header + HEAD_SLACK).unwrap_or(u32::MAX);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let mut connection = pin!(builder.max_header_list_size(list).serve_connection(io, service));
        let retire = |connection: Pin<&mut _>| http2::Connection::graceful_shutdown(connection);
        run(connection.as_mut(), retire, true, terms.timeouts, activity, stage).await;
        return Ok(());
    }
    // Timeouts are ours: hyper's only one closes without an answer, and does not tell an idle connection from a head
    // that is late. `pipeline_flush` stays off: with it hyper never sends the last answer of a connection that it closes
    // with bytes unread, which is what every refusal is.
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(terms.max_header + HEAD_SLACK)
        .serve_connection(io, service);
    let retire = |connection: Pin<&mut _>| http1::Connection::graceful_shutdown(connection);
    let end = run(Pin::new(&mut connection), retire, false, terms.timeouts, activity, stage).await;
    let stream = connection.into_parts().io.into_inner().stream;
    match end {
        End::Late => late(stream).await,
        End::Closed(refused) => {
            if activity.unread() || refused.is_err() {
                discard(stream).await;
            }
            refused
        }
        End::Cut => Ok(()),
    }
}

/// How a connection ended.
enum End {
    /// By itself; hyper may have refused its last head.
    Closed(Result<(), ErrorCode>),
    /// A head took too long.
    Late,
    /// By us, without another word.
    Cut,
}

/// Polls a connection to its end, under its timeouts and its socket's stage.
async fn run<C: Future<Output = hyper::Result<()>>>(
    mut connection: Pin<&mut C>,
    retire: impl Fn(Pin<&mut C>),
    multiplexed: bool,
    timeouts: Timeouts,
    activity: &Activity,
    mut stage: watch::Receiver<Stage>,
) -> End {
    let mut closing = false;
    let mut timer = pin!(sleep(Duration::ZERO));
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => return End::Closed(refusal(result)),
            () = timer.as_mut() => {}
            _ = stage.changed() => {}
        }
        match *stage.borrow_and_update() {
            Stage::Serving => {}
            Stage::Retiring if closing => {}
            Stage::Retiring => {
                closing = true;
                // Between requests hyper would close HTTP/1 at once; `LINGER` and `connection: close` do it gently.
                if multiplexed || activity.in_flight() {
                    retire(connection.as_mut());
                }
            }
            Stage::Cut => return End::Cut,
        }
        let now = Instant::now();
        match activity.due(now, &timeouts, closing.then_some(LINGER)) {
            Due::Later(at) => timer.as_mut().reset(at.into()),
            Due::Head => return End::Late,
            Due::Idle if multiplexed && !closing => {
                closing = true;
                retire(connection.as_mut());
                timer.as_mut().reset((now + LINGER).into());
            }
            Due::Idle | Due::Write => return End::Cut,
        }
    }
}

/// What hyper refused, if it did. Everything else that ends a connection early is in its requests' own books.
fn refusal(result: hyper::Result<()>) -> Result<(), ErrorCode> {
    match result {
        Err(error) if error.is_parse_too_large() => {
            // One question for two answers of hyper's: 431, and 414 beyond 64 KiB.
            let target = error.to_string().contains("URI");
            Err(if target { ErrorCode::UriTooLong } else { ErrorCode::HeaderTooLarge })
        }
        Err(error) if error.is_parse() => Err(ErrorCode::BadRequest),
        _ => Ok(()),
    }
}

/// The first bytes of a connection.
enum First {
    Http1(Bytes),
    Http2(Bytes),
    /// Some came, and then no more in time.
    Late,
    /// None came.
    Nothing,
}

/// Reads until the protocol is certain.
async fn detect<S: AsyncRead + Unpin>(stream: &mut S, limit: Duration, mut stage: watch::Receiver<Stage>) -> First {
    let mut bytes = BytesMut::with_capacity(4096);
    let mut deadline = pin!(sleep(limit));
    let mut closing = false;
    loop {
        let matching = bytes.len().min(PREFACE.len());
        if bytes[..matching] != PREFACE[..matching] {
            return First::Http1(bytes.freeze());
        }
        if matching == PREFACE.len() {
            return First::Http2(bytes.freeze());
        }
        let nothing = bytes.is_empty();
        tokio::select! {
            biased;
            read = stream.read_buf(&mut bytes) => match read {
                Ok(0) if nothing => return First::Nothing,
                // hyper says what is wrong with it.
                Ok(0) => return First::Http1(bytes.freeze()),
                Ok(_) => {}
                Err(_) => return First::Nothing,
            },
            () = deadline.as_mut() => return if nothing { First::Nothing } else { First::Late },
            _ = stage.wait_for(|stage| *stage != Stage::Serving), if !closing => {
                closing = true;
                deadline.as_mut().reset((Instant::now() + limit.min(LINGER)).into());
            }
        }
    }
}

/// Answers 408 to a head that did not come whole.
async fn late<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Result<(), ErrorCode> {
    let answer = error::raw(ErrorCode::RequestTimeout, &RequestId::new());
    if let Ok(Ok(())) = timeout(DISCARD, stream.write_all(&answer)).await {
        discard(stream).await;
    }
    Err(ErrorCode::RequestTimeout)
}

/// Ends our side and reads on for a while: closing with bytes unread would reset the connection, and the client would
/// lose the answer that told it why.
async fn discard<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let deadline = tokio::time::Instant::now() + DISCARD;
    let swallow = async {
        stream.shutdown().await?;
        let mut bytes = vec![0; 16 * 1024];
        while stream.read(&mut bytes).await? > 0 {}
        io::Result::Ok(())
    };
    tokio::select! {
        // Either end will do: the client has closed, or has had its time.
        _ = swallow => {}
        () = sleep_until(deadline) => {}
    }
}
