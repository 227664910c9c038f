//! What is to be written: small pieces gathered into one buffer, large ones sent from where they are, so that an answer
//! is one system call.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// From this size on a piece is not copied: a second buffer for the system call is then the cheaper way.
const LARGE: usize = 8 * 1024;

/// Pieces for one system call.
const GATHER: usize = 16;

/// A buffer that has grown beyond this is not kept.
const KEPT: usize = 16 * 1024;

/// Bytes on their way out, in order.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// What goes out before `small`.
    queue: VecDeque<Bytes>,
    /// The small pieces since the last large one, copied together.
    small: Vec<u8>,
    /// Bytes of `small` that are written; 0 unless `queue` is empty.
    written: usize,
    queued: usize,
    /// Everything is written, but the stream may still hold some of it.
    flushing: bool,
}

impl Output {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.queued + self.small.len() - self.written
    }

    /// Where small pieces are written.
    pub(super) fn small(&mut self) -> &mut Vec<u8> {
        &mut self.small
    }

    /// Adds a piece of any size.
    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.len() < LARGE {
            return self.small.extend_from_slice(&piece);
        }
        if self.written < self.small.len() {
            let mut small = Bytes::from(std::mem::take(&mut self.small));
            small.advance(self.written);
            self.queued += small.len();
            self.queue.push_back(small);
        }
        self.small.clear();
        self.written = 0;
        self.queued += piece.len();
        self.queue.push_back(piece);
    }

    /// Writes until nothing is left. `progress` is told of each write that took bytes.
    pub(super) fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        mut progress: impl FnMut(),
    ) -> Poll<io::Result<()>> {
        while self.len() > 0 {
            let written = if self.queue.is_empty() {
                ready!(stream.as_mut().poll_write(cx, &self.small[self.written..]))?
            } else {
                let mut slices = [IoSlice::new(&[]); GATHER];
                let pieces = self.queue.iter().map(|piece| &piece[..]).chain([&self.small[..]]);
                let mut count = 0;
                for (slice, piece) in slices.iter_mut().zip(pieces) {
                    *slice = IoSlice::new(piece);
                    count += 1;
                }
                ready!(stream.as_mut().poll_write_vectored(cx, &slices[..count]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            progress();
            self.advance(written);
            self.flushing = true;
        }
        if self.flushing {
            self.written = 0;
            self.small.clear();
            self.small.shrink_to(KEPT);
            ready!(stream.poll_flush(cx))?;
            self.flushing = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(piece) = self.queue.front_mut() {
            let taken = written.min(piece.len());
            piece.advance(taken);
            self.queued -= taken;
            written -= taken;
            if !piece.is_empty() {
                return;
            }
            self.queue.pop_front();
        }
        self.written += written;
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes so many bytes at a time.
    struct Narrow(usize, Vec<u8>);

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let taken = self.0.min(bytes.len());
            self.1.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn pieces_of_every_size_leave_in_order_however_little_is_taken() {
        for taken in [1, 7, LARGE - 1, LARGE, 1 << 20] {
            let (mut output, mut expected) = (Output::default(), Vec::new());
            let mut stream = Narrow(taken, Vec::new());
            for round in 0..3 {
                for size in [1, LARGE, 3, 5, LARGE * 2, LARGE - 1, 0, LARGE] {
                    let piece = vec![b'a' + round + (size % 19) as u8; size];
                    expected.extend_from_slice(&piece);
                    output.push(Bytes::from(piece));
                }
                output.small().extend_from_slice(b"\r\n");
                expected.extend_from_slice(b"\r\n");
                let mut cx = Context::from_waker(Waker::noop());
                assert!(matches!(output.poll_flush(Pin::new(&mut stream), &mut cx, || {}), Poll::Ready(Ok(()))));
                assert_eq!(output.len(), 0);
            }
            assert!(stream.1 == expected, "{taken} bytes at a time");
        }
    }
}
