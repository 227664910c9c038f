//! HTTP/2 as a server speaks it (RFC 9113): the `h2` crate frames it, and what a client may take its time for is decided
//! here. Like [`http1`](super::http1) it knows no app and no error code.
//!
//! Each stream is a task of the connection's thread. A stream whose client takes none of it is reset and harms no other;
//! a socket that takes nothing ends the connection.

use std::any::Any;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderValue, Version};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::connection::{LINGER, Terms};
use super::date;
use super::forwarded::X_REQUEST_ID;
use super::listener::Stage;
use super::request::{Head, Request};
use crate::event::{BodyError, Fields, Response};

/// Requests a client may have under way on one connection.
const STREAMS: u32 = 128;

/// Bytes of one request's body that may wait to be read.
const STREAM_WINDOW: u32 = 128 * 1024;

/// Bytes of all of them: some bodies that nobody reads must leave room for the others'.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes of a response that may wait for the socket: with many streams on a slow one each still moves.
const SEND_BUFFER: usize = 64 * 1024;

/// Heads this much over the limit still reach us: h2's limit is on its buffer, ours on what the head says.
const HEAD_SLACK: usize = 16 * 1024;

/// The client broke the protocol, and was told so in a GOAWAY frame (§5.4.1).
#[derive(Debug)]
pub(super) struct Broken;

/// Serves a connection that began with `first` until it ends, or until `stage` says so.
pub(super) async fn serve<S, F, R, B>(
    stream: S,
    first: Bytes,
    terms: Terms,
    mut stage: watch::Receiver<Stage>,
    service: F,
) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<Incoming>) -> R,
    R: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let timeouts = terms.timeouts;
    let blocked = Blocked::default();
    let socket = Watched { stream, prefix: first, blocked: blocked.clone() };
    let Ok(Ok(mut connection)) = timeout(timeouts.header, handshake(socket, terms)).await else { return Ok(()) };
    let mut streams = JoinSet::new();
    let mut idle_since = Instant::now();
    let mut closing = false;
    let mut timer = pin!(sleep(Duration::ZERO));
    loop {
        tokio::select! {
            biased;
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    let answering = service(Incoming::of(request));
                    streams.spawn(answer(answering, respond, timeouts.write));
                    continue;
                }
                Some(Err(error)) if error.is_library() => return Err(Broken),
                Some(Err(_)) | None => return Ok(()),
            },
            Some(_) = streams.join_next() => {
                idle_since = Instant::now();
                continue;
            }
            () = timer.as_mut() => {}
            _ = stage.changed() => {}
        }
        let now = Instant::now();
        match *stage.borrow_and_update() {
            Stage::Serving => {}
            Stage::Retiring if closing => {}
            Stage::Retiring => {
                (closing, idle_since) = (true, now);
                connection.graceful_shutdown();
            }
            Stage::Cut => return Ok(()),
        }
        if blocked.since().is_some_and(|since| since + timeouts.write <= now) {
            return Ok(());
        }
        // What the last answer left with h2 may still wait for the socket.
        let idle = streams.is_empty() && blocked.since().is_none();
        let patience = if closing { LINGER } else { timeouts.idle };
        if idle && idle_since + patience <= now {
            if closing {
                return Ok(());
            }
            (closing, idle_since) = (true, now);
            connection.graceful_shutdown();
        }
        // Whatever begins after this look is not due before the next one.
        let patience = if closing { LINGER } else { timeouts.idle };
        let due = [blocked.since().map(|since| since + timeouts.write), idle.then_some(idle_since + patience)];
        let soonest = now + patience.min(timeouts.write);
        timer.as_mut().reset(due.into_iter().flatten().fold(soonest, Instant::min).into());
    }
}

/// Exchanges the prefaces (§3.4).
async fn handshake<S>(socket: S, terms: Terms) -> Result<Connection<S, Bytes>, h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Builder::new()
        .max_concurrent_streams(STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(terms.max_header + HEAD_SLACK).unwrap_or(u32::MAX))
        .handshake(socket)
        .await
}

/// Answers one request. `patience` is how long the client may take none of the answer.
async fn answer<R, B>(answering: R, mut respond: SendResponse<Bytes>, patience: Duration)
where
    R: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + Unpin,
{
    let response = {
        let mut answering = pin!(answering);
        poll_fn(|cx| match respond.poll_reset(cx) {
            // The client has left.
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => answering.as_mut().poll(cx).map(Some),
        })
        .await
    };
    let Some(response) = response else { return };
    let Response { status, mut fields, held, body } = response;
    if let Some(held) = held {
        hold(&mut fields, held);
    }
    let mut head = http::Response::new(());
    *head.status_mut() = status;
    *head.version_mut() = Version::HTTP_2;
    *head.headers_mut() = fields.into();
    head.headers_mut().entry(DATE).or_insert_with(date::value);
    let ended = body.is_end_stream();
    if let Some(length) = body.size_hint().exact().filter(|_| !ended) {
        head.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    // Fails if the client has left, which needs no answer.
    let Ok(stream) = respond.send_response(head, ended) else { return };
    if !ended {
        send(body, stream, patience).await;
    }
}

/// Has `held` dropped when h2 has done with a head, which it may keep for long: it is part of one of its values from here on.
fn hold(fields: &mut Fields, held: Box<dyn Any + Send>) {
    struct Value {
        text: HeaderValue,
        _held: Box<dyn Any + Send>,
    }
    impl AsRef<[u8]> for Value {
        fn as_ref(&self) -> &[u8] {
            self.text.as_bytes()
        }
    }
    let Some(text) = fields.remove(&X_REQUEST_ID) else { return };
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(Value { text: text.clone(), _held: held }));
    fields.push(X_REQUEST_ID, value.unwrap_or(text));
}

/// Sends a response's body as the client takes it.
async fn send<B: Body<Data = Bytes> + Unpin>(mut body: B, mut stream: SendStream<Bytes>, patience: Duration) {
    loop {
        let frame = poll_fn(|cx| match stream.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => Pin::new(&mut body).poll_frame(cx).map(Some),
        });
        let Some(frame) = frame.await else { return };
        let mut data = match frame.map(|frame| frame.map(Frame::into_data).ok()) {
            Some(Some(Ok(data))) => data,
            // There are no trailers.
            Some(Some(Err(_))) => continue,
            Some(None) => {
                // A reset overtakes what waits to be sent; the connection shall have its turn before.
                yield_now().await;
                return stream.send_reset(Reason::INTERNAL_ERROR);
            }
            None => {
                // Fails if the client has left.
                let _ = stream.send_data(Bytes::new(), true);
                return;
            }
        };
        let last = body.is_end_stream();
        while data.has_remaining() {
            stream.reserve_capacity(data.len());
            let room = match timeout(patience, poll_fn(|cx| stream.poll_capacity(cx))).await {
                Ok(Some(Ok(room))) => room,
                Ok(_) => return,
                Err(_) => return stream.send_reset(Reason::CANCEL),
            };
            let piece = data.split_to(room.min(data.len()));
            let end = last && data.is_empty();
            if stream.send_data(piece, end).is_err() || end {
                return;
            }
        }
    }
}

/// A request's body as it comes in.
pub(super) struct Incoming {
    stream: RecvStream,
    /// As the head says; h2 holds the client to it.
    length: Option<u64>,
}

impl Incoming {
    /// A request as h2 gives it, as ours.
    fn of(request: http::Request<RecvStream>) -> Request<Self> {
        let (parts, stream) = request.into_parts();
        let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let head = Head { method: parts.method, uri: parts.uri, version: parts.version, fields: parts.headers.into() };
        Request { head, body: Self { stream, length } }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // All that can go wrong is that the client ends the stream.
        let data = match ready!(self.stream.poll_data(cx)).transpose() {
            Ok(data) => data,
            Err(_) => return Poll::Ready(Some(Err(BodyError::Incomplete))),
        };
        if let Some(data) = &data {
            // Fails if the stream is over, and then nobody waits for room.
            let _ = self.stream.flow_control().release_capacity(data.len());
        }
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length),
            None if self.is_end_stream() => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }
}

/// Since when a socket takes no more bytes.
#[derive(Debug, Clone, Default)]
struct Blocked(Arc<Mutex<Option<Instant>>>);

impl Blocked {
    fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrote<T>(&self, result: &Poll<T>) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *since = if result.is_ready() { None } else { since.or_else(|| Some(Instant::now())) };
    }
}

/// A socket whose writes tell whether it is [`Blocked`], and that gives out first what was read to tell the protocol.
struct Watched<S> {
    stream: S,
    prefix: Bytes,
    blocked: Blocked,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.has_remaining() {
            let len = self.prefix.remaining().min(buf.remaining());
            buf.put_slice(&self.prefix.split_to(len));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.blocked.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.blocked.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_a_head_holds_goes_when_h2_has_let_go_of_it() {
        let held = Arc::new(());
        let mut fields = Fields::default();
        fields.push(X_REQUEST_ID, HeaderValue::from_static("id"));
        hold(&mut fields, Box::new(Arc::clone(&held)));
        let map = http::HeaderMap::from(fields);
        assert_eq!(map[X_REQUEST_ID], "id");
        assert_eq!(Arc::strong_count(&held), 2);
        drop(map);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
