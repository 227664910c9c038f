//! Bodies on their way: [`Upload`] is what a request sends, [`Download`] what a response brings. Neither is read ahead of
//! whoever reads it by more than a few chunks.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::failure::Failure;
use super::pool::Lease;

/// Chunks of a streamed request body that wait for the network.
const DEPTH: usize = 2;

/// Bytes of a body nobody wants that are read for the sake of the connection, and for how long.
const DISCARDED: usize = 64 << 10;
const DISCARD: Duration = Duration::from_secs(1);

/// The body of a request.
#[derive(Debug)]
pub enum Upload {
    /// None, or one of no bytes.
    Empty,
    /// Known whole: sent with its length, and once more where that is safe.
    Full(Option<Bytes>),
    /// Chunk by chunk; `None` is the end. Without that, the request is cut off.
    Stream(mpsc::Receiver<Option<Bytes>>),
}

/// Where the chunks of a streamed request body go.
pub type Uploader = mpsc::Sender<Option<Bytes>>;

/// A streamed request body ended before its end was said: the app gave up.
#[derive(Debug, thiserror::Error)]
#[error("the request body was given up")]
pub struct GivenUp;

impl Upload {
    /// A body that is what its uploader sends.
    pub fn stream() -> (Uploader, Self) {
        let (sender, receiver) = mpsc::channel(DEPTH);
        (sender, Self::Stream(receiver))
    }

    /// A body with the same bytes, for a second attempt; `None` where it is a stream.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Full(bytes) => Some(Self::Full(bytes.clone())),
            Self::Stream(_) => None,
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Poll::Ready(match &mut *self {
            Self::Empty => None,
            Self::Full(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Self::Stream(chunks) => match ready!(chunks.poll_recv(cx)) {
                Some(Some(chunk)) => Some(Ok(Frame::data(chunk))),
                Some(None) => {
                    *self = Self::Empty;
                    None
                }
                None => Some(Err(GivenUp)),
            },
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty | Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Full(None) => SizeHint::with_exact(0),
            Self::Full(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// The body of a response as it comes over the network. Dropped before its end, it takes its connection along, or its
/// stream of one.
pub struct Download {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl Download {
    pub(super) fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut download = Self { incoming, lease: Some(lease) };
        if download.incoming.is_end_stream() {
            download.finish();
        }
        download
    }

    /// The next bytes; `None` at the end, and again after it.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            if self.lease.is_none() {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                // Trailers: Fetch has no place for them.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                    _ => {}
                },
                Some(Err(error)) => {
                    self.lease = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => self.finish(),
            }
        }
    }

    /// Lets go of the body; a short one is read, so that the connection can be used again.
    pub fn discard(mut self) {
        // What is there by now may be all.
        let mut cx = Context::from_waker(Waker::noop());
        let mut left = DISCARDED;
        while let Poll::Ready(data) = self.poll_data(&mut cx) {
            let Some(Ok(data)) = data else { return };
            let Some(rest) = left.checked_sub(data.len()) else { return };
            left = rest;
        }
        spawn_local(async {
            // However that goes, nobody wants to know.
            let _ = timeout(DISCARD, self.read_out()).await;
        });
    }

    async fn read_out(mut self) {
        let mut left = DISCARDED;
        while let Some(Ok(data)) = std::future::poll_fn(|cx| self.poll_data(cx)).await {
            let Some(rest) = left.checked_sub(data.len()) else { return };
            left = rest;
        }
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}
