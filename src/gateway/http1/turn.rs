//! One request of a connection, from its head to the end of its answer: its body goes to the app as the app reads it, the
//! answer goes out as the app makes it, and in the end it is clear whether another request may follow.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{Method, Version};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::{self, Delimiter};
use super::chunked::{Decoded, Decoder};
use super::flaw::Flaw;
use super::framing::Framing;
use super::head::Head;
use super::payload::{Feed, Payload};
use super::{Driver, Ending, HIGH, READ};
use crate::event::{BodyError, Response};
use crate::gateway::request::Request;

/// The largest read of a body.
const READ_BODY: usize = 64 * 1024;

/// Bytes of further requests that are read while one is answered.
const PIPELINED: usize = 16 * 1024;

/// Bytes of a body that nobody reads that are passed over so that the connection may stay.
const SWALLOWED: usize = 64 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A request being answered.
pub(super) struct Turn<B> {
    method: Method,
    version: Version,
    /// Another request may follow.
    pub(super) keep: bool,
    /// The client waits to be told to send its body.
    expects: bool,
    /// The answer wants the connection closed.
    closes: bool,
    pub(super) receiving: Receiving,
    answer: Answer<B>,
    /// When the timer last looked after the body.
    pub(super) looked: Instant,
}

impl<B> Turn<B> {
    /// Whether there is no answer yet.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(self.answer, Answer::Awaited)
    }
}

/// Where the request's body is.
pub(super) enum Receiving {
    Done,
    /// It will never be whole: what follows on the connection cannot be told.
    Broken,
    Open(Feed, Source),
}

pub(super) enum Source {
    /// So many bytes are missing.
    Length(u64),
    Chunked(Decoder),
}

/// Where the answer is.
enum Answer<B> {
    Awaited,
    /// Its head is out. For a body of known length, the bytes that are missing.
    Body {
        body: B,
        delimiter: Delimiter,
        left: Option<u64>,
    },
    Done,
}

impl<S, F, R, B> Driver<'_, S, F, R, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<Payload>) -> R,
    R: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + Unpin,
{
    /// A request is here.
    pub(super) fn begin(&mut self, head: Head) {
        let Head { request, framing, persistent, expects } = head;
        let began = self.head_since.take().unwrap_or(self.read_at);
        let (payload, receiving) = match framing {
            Framing::Empty => (Payload::whole(Bytes::new()), Receiving::Done),
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= self.input.len() => {
                    (Payload::whole(self.input.split_to(length).freeze()), Receiving::Done)
                }
                _ => {
                    let (feed, payload) = Payload::pipe(Some(length));
                    (payload, Receiving::Open(feed, Source::Length(length)))
                }
            },
            Framing::Chunked => {
                let (feed, payload) = Payload::pipe(None);
                (payload, Receiving::Open(feed, Source::Chunked(Decoder::default())))
            }
        };
        self.turn = Some(Turn {
            method: request.method.clone(),
            version: request.version,
            keep: persistent && !self.closing,
            // Who has sent some of it does not wait (RFC 9110 §10.1.1).
            expects: expects && self.input.is_empty() && !matches!(receiving, Receiving::Done),
            closes: false,
            receiving,
            answer: Answer::Awaited,
            looked: began,
        });
        self.activity.arrives(began, self.read_at);
        let answering = (self.service)(Request { head: request, body: payload });
        self.answering.as_mut().set(Some(answering));
    }

    /// During a request. Ready when it is over, or when the connection is to end.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.receive(cx);
        if self.ending.is_some() || self.poll_answer(cx).is_ready() {
            return Poll::Ready(());
        }
        if let Poll::Ready(Err(_)) = self.poll_flush(cx) {
            return self.end(Ending::Drop);
        }
        // Where a body is still being read, its reading tells.
        let listening = match self.turn.as_ref().map(|turn| &turn.receiving) {
            Some(Receiving::Done) => true,
            Some(Receiving::Open(feed, _)) => feed.is_gone(),
            _ => false,
        };
        if listening && self.poll_left(cx).is_ready() {
            return self.end(Ending::Drop);
        }
        let deaf = match &self.turn {
            // The app has its wall limit.
            Some(turn) if turn.is_awaited() => false,
            Some(Turn { receiving: Receiving::Open(feed, _), .. }) if !listening => feed.room(cx) == 0,
            Some(Turn { receiving: Receiving::Broken, .. }) => true,
            _ => self.input.len() >= PIPELINED,
        };
        self.deaf_since = if deaf { self.deaf_since.or_else(|| Some(Instant::now())) } else { None };
        Poll::Pending
    }

    /// Ready when the client has left. Further requests are kept for later.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.input.len() < PIPELINED {
            match ready!(self.poll_read(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        Poll::Pending
    }

    /// Takes in what the body's reader has room for.
    fn receive(&mut self, cx: &mut Context<'_>) {
        loop {
            let Some(Turn { receiving, expects, answer, .. }) = &mut self.turn else { return };
            let Receiving::Open(feed, source) = receiving else { return };
            let room = feed.room(cx);
            // What nobody reads stays where it is.
            if room == 0 || feed.is_gone() {
                return;
            }
            match source.take(&mut self.input, room) {
                Ok(Decoded::Data(data)) => {
                    feed.push(data);
                    continue;
                }
                Ok(Decoded::End) => {
                    feed.end();
                    *receiving = Receiving::Done;
                    return;
                }
                Ok(Decoded::Starved) => {}
                Err(_) => {
                    feed.fail(BodyError::Malformed);
                    *receiving = Receiving::Broken;
                    return;
                }
            }
            if *expects && feed.poll_asked(cx) {
                *expects = false;
                // A client that has its answer waits for nothing.
                if let Answer::Awaited = answer {
                    self.output.small().extend_from_slice(CONTINUE);
                }
            }
            let wanted = source.expected().min(room).min(READ_BODY);
            if wanted > READ && self.input.capacity() - self.input.len() < READ_BODY / 4 {
                self.input.reserve(wanted);
            }
            let read = self.poll_read(cx);
            let Some(Turn { receiving, expects, .. }) = &mut self.turn else { return };
            let Receiving::Open(feed, _) = receiving else { return };
            match read {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) if !*expects => {
                    // The app is told, and may still have something to say to a client that closed its side alone.
                    feed.fail(BodyError::Incomplete);
                    *receiving = Receiving::Broken;
                    return;
                }
                Poll::Ready(Ok(0) | Err(_)) => return self.ending = Some(Ending::Drop),
                Poll::Ready(Ok(_)) => *expects = false,
            }
        }
    }

    /// Ready when the request is over, or when the connection is to end.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(turn) = &mut self.turn else { return Poll::Ready(()) };
            match &mut turn.answer {
                Answer::Awaited => {
                    let Some(answering) = self.answering.as_mut().as_pin_mut() else {
                        return self.end(Ending::Drop);
                    };
                    let response = ready!(answering.poll(cx));
                    self.answering.as_mut().set(None);
                    self.swallow(cx);
                    self.respond(response);
                }
                Answer::Body { .. } if self.output.len() >= HIGH => {
                    if ready!(self.poll_flush(cx)).is_err() {
                        return self.end(Ending::Drop);
                    }
                }
                Answer::Body { body, delimiter, left } => {
                    let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                    let more = match frame {
                        Some(Ok(frame)) => {
                            let Ok(data) = frame.into_data() else { continue };
                            if let Some(left) = left {
                                let Some(rest) = left.checked_sub(data.len() as u64) else {
                                    return self.end(Ending::Close);
                                };
                                *left = rest;
                            }
                            answer::write_data(&mut self.output, *delimiter, data);
                            !body.is_end_stream()
                        }
                        None => false,
                        // What is missing must show: no last chunk, fewer bytes than were promised, or a reset.
                        Some(Err(_)) => return self.end(Ending::Close),
                    };
                    if !more {
                        if left.is_some_and(|left| left > 0) {
                            return self.end(Ending::Close);
                        }
                        answer::write_end(&mut self.output, *delimiter);
                        turn.answer = Answer::Done;
                    }
                }
                Answer::Done => {
                    ready!(self.poll_rest(cx));
                    self.finish();
                    return Poll::Ready(());
                }
            }
        }
    }

    /// The answer has come: its head goes out.
    fn respond(&mut self, response: Response<B>) {
        let Some(turn) = &mut self.turn else { return };
        let Response { status, fields, held, body } = response;
        self.held.extend(held);
        let length = body.size_hint().exact();
        let delimiter = Delimiter::of(&turn.method, status, turn.version, length);
        let unread = match &turn.receiving {
            Receiving::Done => false,
            Receiving::Broken => true,
            // Whether a client that was not told to send its body sends it cannot be known.
            Receiving::Open(feed, _) if feed.is_gone() => true,
            // The app answers before it has read: after this head it is too late to ask for the body.
            Receiving::Open(..) => {
                if std::mem::take(&mut turn.expects) {
                    self.output.small().extend_from_slice(CONTINUE);
                }
                false
            }
        };
        turn.keep = turn.keep && !self.closing && !unread;
        let asked = turn.keep;
        turn.keep = answer::write_head(self.output.small(), status, &fields, delimiter, length, turn.version, asked);
        turn.closes = asked && !turn.keep && delimiter != Delimiter::Close;
        self.unended = delimiter == Delimiter::Close;
        turn.answer = if delimiter == Delimiter::Nothing || length == Some(0) {
            Answer::Done
        } else {
            Answer::Body { body, delimiter, left: length }
        };
    }

    /// The answer is out. Ready when nothing more of the request is to come.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.swallow(cx);
        match &self.turn {
            // The app reads on after it has answered.
            Some(Turn { receiving: Receiving::Open(feed, _), .. }) if !feed.poll_gone(cx) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Passes over a body that nobody reads, as far as it has arrived and is not large: then it stands in nobody's way.
    fn swallow(&mut self, cx: &mut Context<'_>) {
        let mut swallowed = 0;
        loop {
            let Some(Turn { receiving, expects: false, .. }) = &mut self.turn else { return };
            let Receiving::Open(feed, source) = receiving else { return };
            if !feed.is_gone() {
                return;
            }
            match source.take(&mut self.input, usize::MAX) {
                Ok(Decoded::Data(data)) => swallowed += data.len(),
                Ok(Decoded::End) => return *receiving = Receiving::Done,
                Err(_) => return *receiving = Receiving::Broken,
                Ok(Decoded::Starved) => {
                    let more = swallowed < SWALLOWED && matches!(self.poll_read(cx), Poll::Ready(Ok(1..)));
                    if !more {
                        return;
                    }
                }
            }
        }
    }

    /// The request is over.
    fn finish(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        self.deaf_since = None;
        let whole = matches!(turn.receiving, Receiving::Done);
        if !turn.keep || !whole {
            let clean = whole && self.input.is_empty() && !turn.closes;
            self.ending = Some(if clean { Ending::Close } else { Ending::Answered });
            return;
        }
        self.idle_since = Instant::now();
        if !self.input.is_empty() {
            self.read_at = self.idle_since;
            self.head_since = Some(self.idle_since);
        } else {
            self.input = BytesMut::new();
        }
    }
}

impl Source {
    /// Takes up to `most` bytes of the body out of `input`.
    fn take(&mut self, input: &mut BytesMut, most: usize) -> Result<Decoded, Flaw> {
        match self {
            Self::Chunked(decoder) => decoder.decode(input, most),
            Self::Length(0) => Ok(Decoded::End),
            Self::Length(left) => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len()).min(most);
                if len == 0 {
                    return Ok(Decoded::Starved);
                }
                *left -= len as u64;
                Ok(Decoded::Data(input.split_to(len).freeze()))
            }
        }
    }

    /// How many bytes are worth reading at once.
    fn expected(&self) -> usize {
        match self {
            Self::Chunked(_) => READ_BODY,
            Self::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
        }
    }
}
