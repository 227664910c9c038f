//! Bodies, both ways. [`Inbound`] bounds and times what a client sends and tells the waiting request when it must be
//! refused; [`Outbound`] hands an app's chunks to the connection and closes the request's books.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::flight::Flight;
use crate::event::{BodyError, ErrorCode, Fault};

/// What is whole goes out in pieces of this size, so that the books say how far it came.
const SLICE: usize = 64 * 1024;

/// What a request knows of its body while somebody else reads it.
#[derive(Debug, Default)]
pub(super) struct Intake {
    bytes: AtomicU64,
    fault: OnceLock<BodyError>,
    /// Of the one who waits for a fault.
    waker: Mutex<Option<Waker>>,
}

impl Intake {
    /// Bytes that have arrived.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Why reading failed, if it did.
    pub(super) fn fault(&self) -> Option<BodyError> {
        self.fault.get().copied()
    }

    /// Ready when reading has failed for a reason the client is told. Wakes whoever asked last.
    pub(super) fn poll_struck(&self, cx: &mut Context<'_>) -> Poll<BodyError> {
        // Registered before the look, so that no strike falls in between.
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        drop(waker);
        match self.fault() {
            Some(fault @ (BodyError::TooLarge | BodyError::Timeout | BodyError::Malformed)) => Poll::Ready(fault),
            _ => Poll::Pending,
        }
    }

    fn strike(&self, fault: BodyError) -> BodyError {
        let fault = *self.fault.get_or_init(|| fault);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        waker.into_iter().for_each(Waker::wake);
        fault
    }
}

/// A request body as the app may read it: counted, limited, timed.
pub(super) struct Inbound<B> {
    body: Option<B>,
    intake: Arc<Intake>,
    limit: u64,
    /// `None` where the connection times the body itself.
    patience: Option<Patience>,
}

struct Patience {
    limit: Duration,
    /// Made on the I/O thread, whose clock it runs on; polled wherever the body is.
    timer: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<B> Inbound<B> {
    pub(super) fn new(body: B, intake: &Arc<Intake>, limit: u64, patience: Option<Duration>) -> Self {
        let patience = patience.map(|limit| {
            let timer = Box::pin(tokio::time::sleep(limit));
            Patience { limit, timer, waiting: false }
        });
        Self { body: Some(body), intake: Arc::clone(intake), limit, patience }
    }

    fn fail(&mut self, fault: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.body = None;
        Poll::Ready(Some(Err(self.intake.strike(fault))))
    }
}

impl<B: Body<Data = Bytes, Error: Into<BodyError>> + Unpin> Body for Inbound<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let this = &mut *self;
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(patience) = &mut this.patience {
                        patience.waiting = false;
                    }
                    // Trailers are no part of the body; nobody reads them.
                    let Ok(data) = frame.into_data() else { continue };
                    let len = data.len() as u64;
                    let total = this.intake.bytes.fetch_add(len, Relaxed) + len;
                    if total > this.limit {
                        return this.fail(BodyError::TooLarge);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(Some(Err(fault))) => return this.fail(fault.into()),
                Poll::Ready(None) => {
                    this.body = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    let Some(patience) = &mut this.patience else { return Poll::Pending };
                    if !patience.waiting {
                        patience.waiting = true;
                        patience.timer.as_mut().reset(Instant::now() + patience.limit);
                    }
                    ready!(patience.timer.as_mut().poll(cx));
                    return this.fail(BodyError::Timeout);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// A response body on its way out. It carries the request's books and closes them when the last byte is handed over,
/// or when the connection drops it.
pub(super) struct Outbound {
    content: Content,
    flight: Option<Box<Flight>>,
}

/// What is left to send.
pub(super) enum Content {
    /// Nothing.
    Empty,
    /// One chunk.
    Full(Bytes),
    /// One chunk after the other, each made when the connection can take it.
    Pieces(Box<dyn Iterator<Item = Bytes> + Send>),
    /// As the app makes them; `left` bytes, if that is known.
    Stream { chunks: mpsc::Receiver<Result<Bytes, Fault>>, left: Option<u64> },
}

impl Content {
    fn or_empty(self) -> Self {
        match self {
            Self::Full(bytes) if bytes.is_empty() => Self::Empty,
            content => content,
        }
    }
}

/// The response ends here without its end: an HTTP/1 connection is closed, an HTTP/2 stream reset.
#[derive(Debug, thiserror::Error)]
#[error("the response was cut off")]
pub(super) struct Cut;

impl Outbound {
    pub(super) fn new(content: Content, mut flight: Box<Flight>) -> Self {
        let content = content.or_empty();
        if let Content::Empty = content {
            flight.deliver();
        }
        Self { content, flight: Some(flight) }
    }

    /// A body outside any request's books.
    pub(super) fn plain(bytes: Bytes) -> Self {
        Self { content: Content::Full(bytes).or_empty(), flight: None }
    }

    /// A body outside any request's books, made as it is sent.
    pub(super) fn pieces(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self { content: Content::Pieces(Box::new(pieces)), flight: None }
    }

    /// Closes the books: all is handed over, or what is missing has been noted.
    fn close(&mut self) {
        self.content = Content::Empty;
        if let Some(mut flight) = self.flight.take() {
            flight.deliver();
        }
    }
}

/// A chunk of a body that has `left` bytes left, if that is known: neither more nor less may come.
fn within(next: Option<Result<Bytes, Fault>>, left: &mut Option<u64>) -> Option<Result<Bytes, Fault>> {
    let Some(left) = left else { return next };
    let rest = match &next {
        Some(Ok(chunk)) => left.checked_sub(chunk.len() as u64),
        Some(Err(_)) => return next,
        None => (*left == 0).then_some(0),
    };
    let Some(rest) = rest else { return Some(Err(ErrorCode::AppError.into())) };
    *left = rest;
    next
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            let next = match &mut self.content {
                Content::Empty => None,
                Content::Full(bytes) => Some(Ok(bytes.split_to(bytes.len().min(SLICE)))),
                Content::Pieces(pieces) => pieces.next().map(Ok),
                Content::Stream { chunks, left } => within(ready!(chunks.poll_recv(cx)), left),
            };
            match next {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    if let Some(flight) = &mut self.flight {
                        flight.sent(chunk.len());
                    }
                    if let Content::Full(bytes) = &self.content
                        && bytes.is_empty()
                    {
                        self.close();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(chunk))));
                }
                Some(Err(fault)) => {
                    if let Some(flight) = &mut self.flight {
                        flight.fail(fault.code);
                    }
                    self.close();
                    return Poll::Ready(Some(Err(Cut)));
                }
                None => {
                    self.close();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Pieces(_) => SizeHint::default(),
            Content::Stream { left, .. } => left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
