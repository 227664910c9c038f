//! One connection from its first byte to its last: which protocol it speaks, [`http1`](super::http1) or
//! [`http2`](super::http2), and how it ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use super::Shared;
use super::activity::Activity;
use super::body::Outbound;
use super::error::{self, Refusal};
use super::forwarded::Peer;
use super::http1::{self, End};
use super::http2::{self, Broken};
use super::listener::{Open, Reset, Socket, Stage};
use super::request::Request;
use super::target::LastHost;
use crate::event::{BodyError, Desk, ErrorCode, RequestId, Response};
use crate::plan::{Listener, Timeouts};

/// How long a connection between requests is still listened to once it is to close: a request may be on its way.
pub(super) const LINGER: Duration = Duration::from_millis(500);

/// How long bytes nobody wants are read, so that the client sees the answer before the connection's end.
const DISCARD: Duration = Duration::from_secs(2);

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
    pub(super) host: LastHost,
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
pub(super) async fn drive<S, V>(stream: S, terms: Terms, activity: &Activity, stage: watch::Receiver<Stage>, service: V)
where
    S: AsyncRead + AsyncWrite + Reset + Unpin + Send + 'static,
    V: Service,
{
    let answer = |request| service.clone().answer(request);
    // What few connections come to has memory of its own: room for it in each would be several times what the rest takes.
    match http1::serve(stream, terms, activity, stage.clone(), answer).await {
        End::Closed => {}
        End::Cut(stream) => stream.reset(),
        End::Answered(stream) => Box::pin(discard(stream)).await,
        End::Refused(stream, flaw) => Box::pin(refuse(stream, flaw.into(), &service)).await,
        End::Http2(stream, first) => {
            activity.multiplexes();
            let answer = |request| service.clone().answer(request);
            if let Err(Broken) = Box::pin(http2::serve(stream, first, terms, stage, answer)).await {
                // The frame that told the client has no place for an id.
                service.refused(ErrorCode::BadRequest.into(), &RequestId::new());
            }
        }
    }
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
