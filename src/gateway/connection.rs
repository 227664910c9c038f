//! One connection from its first byte to its last: which protocol it speaks, and how it ends. HTTP/1 is
//! [`http1`](super::http1)'s; HTTP/2 is hyper's, here and nowhere else, under timeouts of our own.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use super::Shared;
use super::activity::{Activity, Due, Watched};
use super::body::Outbound;
use super::error::{self, Refusal};
use super::forwarded::Peer;
use super::http1::{self, End};
use super::listener::{Open, Reset, Socket, Stage};
use crate::event::{BodyError, Desk, ErrorCode, RequestId};
use crate::plan::{Listener, Timeouts};

/// How long a connection between requests is still listened to once it is to close: a request may be on its way.
const LINGER: Duration = Duration::from_millis(500);

/// How long bytes nobody wants are read, so that the client sees the answer before the connection's end.
const DISCARD: Duration = Duration::from_secs(2);

/// Heads this much over the limit still reach us: hyper's limit is on its buffer, ours on what the head says.
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

/// What answers the requests of a connection.
pub(super) trait Service: Clone + Send + 'static {
    /// Answers one request. Dropping the future, or the body of what it returns, says that the client has left.
    fn answer<B>(self, request: Request<B>) -> impl Future<Output = Response<Outbound>> + Send
    where
        B: Body<Data = Bytes, Error: Into<BodyError>> + Send + Unpin + 'static;

    /// Notes a request whose head never became one, and the id its client was given.
    fn refused(&self, refusal: Refusal, id: &RequestId);
}

impl Service for Arc<Connection> {
    fn answer<B>(self, request: Request<B>) -> impl Future<Output = Response<Outbound>> + Send
    where
        B: Body<Data = Bytes, Error: Into<BodyError>> + Send + Unpin + 'static,
    {
        super::service::answer(self, request)
    }

    fn refused(&self, refusal: Refusal, id: &RequestId) {
        let code = refusal.fault.code;
        let (status, why) = refusal.status();
        self.shared.metrics.unrouted().error(code);
        let message = format!("listener {:?} refused a request: {why}", self.settings.name);
        self.shared.logs.refusal(id, status.as_u16(), self.peer.text(), code, &message);
    }
}

impl Connection {
    /// Speaks HTTP on `stream` until it ends.
    pub(super) async fn serve<S: AsyncRead + AsyncWrite + Reset + Unpin + Send + 'static>(self: Arc<Self>, stream: S) {
        let terms = Terms { timeouts: self.settings.timeouts, max_header: self.settings.max_header };
        let (activity, stage) = (Arc::clone(&self.activity), self.stage.clone());
        drive(stream, terms, &activity, stage, self).await;
    }
}

/// The limits a connection is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) timeouts: Timeouts,
    pub(super) max_header: usize,
}

/// Runs a connection to its end.
pub(super) async fn drive<S, V>(
    stream: S,
    terms: Terms,
    activity: &Arc<Activity>,
    stage: watch::Receiver<Stage>,
    service: V,
) where
    S: AsyncRead + AsyncWrite + Reset + Unpin + Send + 'static,
    V: Service,
{
    let answer = |request| service.clone().answer(request);
    match http1::serve(stream, terms, activity, stage.clone(), answer).await {
        End::Closed => {}
        End::Cut(stream) => stream.reset(),
        End::Answered(stream) => discard(stream).await,
        End::Refused(stream, flaw) => refuse(stream, flaw.into(), &service).await,
        End::Http2(stream, first) => multiplex(stream, first, terms, activity, stage, service).await,
    }
}

/// Speaks HTTP/2 on a connection that began with `first`.
async fn multiplex<S, V>(
    stream: S,
    first: Bytes,
    terms: Terms,
    activity: &Arc<Activity>,
    mut stage: watch::Receiver<Stage>,
    service: V,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: Service,
{
    activity.multiplexes();
    let io = TokioIo::new(Watched { stream, prefix: first, activity: Arc::clone(activity) });
    let answer = {
        let service = service.clone();
        service_fn(move |request| {
            let answer = service.clone().answer::<hyper::body::Incoming>(request);
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let list = u32::try_from(terms.max_header + HEAD_SLACK).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let mut connection = pin!(builder.max_header_list_size(list).serve_connection(io, answer));
    let mut closing = false;
    let mut timer = pin!(sleep(Duration::ZERO));
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                if result.is_err_and(|error| is_refusal(&error)) {
                    // hyper has told the client, in a GOAWAY frame that has no place for an id.
                    service.refused(ErrorCode::BadRequest.into(), &RequestId::new());
                }
                return;
            }
            () = timer.as_mut() => {}
            _ = stage.changed() => {}
        }
        match *stage.borrow_and_update() {
            Stage::Serving => {}
            Stage::Retiring if closing => {}
            Stage::Retiring => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
            Stage::Cut => return,
        }
        let now = Instant::now();
        match activity.due(now, &terms.timeouts, closing.then_some(LINGER)) {
            Due::Later(at) => timer.as_mut().reset(at.into()),
            Due::Idle if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
                timer.as_mut().reset((now + LINGER).into());
            }
            Due::Idle | Due::Write => return,
        }
    }
}

/// Whether an error of a connection (RFC 9113 §5.4.1) is one that our side detected: only its text tells it from one
/// that the client detected or caused by leaving. Everything else is in the books of the connection's requests.
fn is_refusal(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    error.is_parse() || cause.starts_with("connection error detected")
}

/// Answers a head that did not become a request.
async fn refuse<S>(mut stream: S, refusal: Refusal, service: &impl Service)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let id = RequestId::new();
    service.refused(refusal, &id);
    if let Ok(Ok(())) = timeout(DISCARD, stream.write_all(&error::raw(refusal, &id))).await {
        discard(stream).await;
    }
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
