//! HTTP/1 as a server speaks it (RFC 9112): one connection, its requests one after another, from the first byte to the
//! last. It knows no app and no error code: `service` answers requests, and a head that is no request comes back to the
//! caller with its [`Flaw`].
//!
//! [`Driver`] is a state machine that is polled; it reads once and writes once for a request that comes whole. Answers
//! leave in the order of their requests. A connection has one timer, which is moved when something falls due sooner and
//! otherwise looks, when it strikes, what has become of what it was set for: a request that is quick costs none.
//!
//! A client that closes its side while its request is answered has left, as far as anybody can tell, and the answer is
//! given up (nginx does the same).

mod answer;
mod chunked;
mod flaw;
mod framing;
mod head;
mod output;
mod payload;
#[cfg(test)]
mod tests;
mod turn;

use std::any::Any;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep_until};

use self::head::{Found, Scan};
use self::output::Output;
use self::turn::{Receiving, Turn};
use super::activity::Activity;
use super::connection::{LINGER, Terms};
use super::listener::Stage;
use super::request::Request;
use crate::event::{BodyError, Response};

pub(super) use self::flaw::Flaw;
pub(super) use self::payload::Payload;

/// A head as a connection reads it, where it has come whole. For `benches/`.
#[doc(hidden)]
pub fn read_head(input: &Bytes) -> Option<impl Sized + use<>> {
    let Ok(Found::Head(end)) = Scan::default().look(input) else { return None };
    head::read(&input.slice(..end)).ok().map(|head| head.request)
}

/// How every HTTP/2 connection begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a head may be over its limit before it is refused unread: whether it is over the limit is judged by what it
/// says, and who judges it can then answer for the request it is.
const HEAD_SLACK: usize = 16 * 1024;

/// A read that is not for a body.
const READ: usize = 16 * 1024;

thread_local! {
    /// Where heads are read to. A connection that waits, as most do at any time, has no memory of its own for what may come,
    /// and what comes is looked at while it is in the processor's cache.
    static PLACE: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// With so much to write no more is made.
const HIGH: usize = 64 * 1024;

/// How a connection ended, and what is left to do.
pub(super) enum End<S> {
    /// Nothing.
    Closed,
    /// The last answer is to end with the connection, and is not whole: a mere close would say that it is.
    Cut(S),
    /// The last answer is sent, and the client may not have read it: closing now, with bytes of its own unread, would
    /// take it away again.
    Answered(S),
    /// A head was refused. All answers before it are sent; it wants one, and then the connection is over.
    Refused(S, Flaw),
    /// The client began to speak HTTP/2, with these bytes. A protocol that takes over a connection later (`Upgrade`,
    /// RFC 9110 §7.8) would leave the same way: with the stream and what is read of it already.
    Http2(S, Bytes),
}

/// Serves a connection until it ends, or until `stage` says so. `activity` is told when a request's first byte came
/// before `service` is asked, and may be told until when there must be an answer: then `service` is polled again.
pub(super) async fn serve<S, F, R, B>(
    stream: S,
    terms: Terms,
    activity: &Activity,
    mut stage: watch::Receiver<Stage>,
    service: F,
) -> End<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<Payload>) -> R,
    R: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + Unpin,
{
    let mut driver = Driver::new(stream, terms, activity, service);
    let mut timer = pin!(sleep_until(driver.armed.into()));
    let mut changes = stage.clone();
    loop {
        match *stage.borrow_and_update() {
            Stage::Serving => {}
            Stage::Retiring => driver.retire(),
            Stage::Cut => return driver.close(),
        }
        let mut change = pin!(changes.changed());
        let mut bell: Option<Arc<Bell>> = None;
        let ending = poll_fn(|cx| {
            let bell = match &mut bell {
                Some(bell) if bell.task.will_wake(cx.waker()) => bell,
                none => none.insert(Arc::new(Bell { rung: AtomicBool::new(true), task: cx.waker().clone() })),
            };
            let rung = bell.has_rung();
            if rung && let Poll::Ready(change) = bell.poll(change.as_mut()) {
                // Without a socket there is nobody left to serve for.
                return Poll::Ready(change.err().map(|_| Ending::Drop));
            }
            driver.poll(cx, timer.as_mut(), bell, rung).map(Some)
        });
        match ending.await {
            None => {}
            Some(Ending::Drop | Ending::Close) => return driver.close(),
            Some(Ending::Answered) => return End::Answered(driver.stream),
            Some(Ending::Refused(flaw)) => return End::Refused(driver.stream, flaw),
            Some(Ending::Http2) => return End::Http2(driver.stream, driver.input.freeze()),
        }
    }
}

/// Tells a change of stage and the timer from all else that wakes a connection. Asking for changes takes a lock that all
/// connections share, and the timer costs as much: both are asked when the bell has rung, and not for every request.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Bell {
    fn has_rung(&self) -> bool {
        self.rung.load(Relaxed) && self.rung.swap(false, Acquire)
    }

    /// Polls what is to ring it.
    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Release);
        self.task.wake_by_ref();
    }
}

/// How a connection is to end. All but the first wait until everything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// At once.
    Drop,
    Close,
    Answered,
    Refused(Flaw),
    Http2,
}

/// What a connection may take too long for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Idle,
    Head,
    Body,
    Answer,
    Write,
}

/// A connection: what it reads and writes, and what it waits for. What happens within a request is [`turn`]'s.
struct Driver<'a, S, F, R, B> {
    stream: S,
    terms: Terms,
    activity: &'a Activity,
    service: F,
    /// The future that makes the answer, in a place that all requests of the connection share.
    answering: Pin<Box<Option<R>>>,
    turn: Option<Turn<B>>,
    input: BytesMut,
    output: Output,
    /// What the heads in `output` cost until it is written.
    held: Vec<Box<dyn Any + Send>>,
    scan: Scan,
    /// Nothing has told yet which protocol this is.
    fresh: bool,
    /// Nothing more will be asked of this connection.
    closing: bool,
    /// Only the connection's end says where the answer ends, and the answer is not all written yet.
    unended: bool,
    ending: Option<Ending>,
    idle_since: Instant,
    /// When bytes of a head last came.
    read_at: Instant,
    /// When the first byte of the head that is being read came.
    head_since: Option<Instant>,
    /// Since when the client has taken none of what is to be written.
    blocked_since: Option<Instant>,
    /// Since when nothing can be heard of the client, for what it sends has no room, and nothing was sent to it either.
    deaf_since: Option<Instant>,
    /// The client did not take at once what was to be written.
    stalled: bool,
    /// When the timer strikes.
    armed: Instant,
}

impl<'a, S, F, R, B> Driver<'a, S, F, R, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<Payload>) -> R,
    R: Future<Output = Response<B>>,
    B: Body<Data = Bytes> + Unpin,
{
    fn new(stream: S, terms: Terms, activity: &'a Activity, service: F) -> Self {
        let now = Instant::now();
        Self {
            stream,
            terms,
            activity,
            service,
            answering: Box::pin(None),
            turn: None,
            input: BytesMut::new(),
            output: Output::default(),
            held: Vec::new(),
            scan: Scan::default(),
            fresh: true,
            closing: false,
            unended: false,
            ending: None,
            idle_since: now,
            read_at: now,
            head_since: None,
            blocked_since: None,
            deaf_since: None,
            stalled: false,
            armed: now + terms.timeouts.header,
        }
    }

    /// Answers what is under way, and then closes.
    fn retire(&mut self) {
        if !self.closing {
            self.closing = true;
            self.idle_since = Instant::now();
            if let Some(turn) = &mut self.turn {
                turn.keep = false;
            }
        }
    }

    /// The timer rings `bell`, and is asked only where it `rung`, or has to be set.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        bell: &Arc<Bell>,
        mut rung: bool,
    ) -> Poll<Ending> {
        loop {
            if let Poll::Ready(ending) = self.advance(cx) {
                return Poll::Ready(ending);
            }
            let due = self.due();
            if let Some((at, _)) = due.filter(|(at, _)| *at < self.armed) {
                self.arm(at, timer.as_mut());
                rung = true;
            }
            if !rung {
                return Poll::Pending;
            }
            ready!(bell.poll(timer.as_mut()));
            let now = Instant::now();
            match due {
                Some((at, due)) if at <= now => self.expire(due, now),
                Some((at, _)) => self.arm(at, timer.as_mut()),
                None => self.arm(now + self.terms.timeouts.idle, timer.as_mut()),
            }
        }
    }

    fn arm(&mut self, at: Instant, timer: Pin<&mut Sleep>) {
        self.armed = at;
        timer.reset(at.into());
    }

    /// What falls due next.
    fn due(&self) -> Option<(Instant, Due)> {
        let timeouts = &self.terms.timeouts;
        let write = self.blocked_since.map(|since| (since + timeouts.write, Due::Write));
        let other = match &self.turn {
            Some(Turn { receiving: Receiving::Open(..), looked, .. }) => Some((*looked + timeouts.body, Due::Body)),
            // How long a stream may be silent is not for the connection to say.
            Some(_) => None,
            // Nobody is idle while an answer is on its way.
            None if self.ending.is_some() || self.stalled => None,
            None => match self.head_since {
                Some(since) => Some((since + timeouts.header, Due::Head)),
                None => Some((self.idle_since + self.patience(), Due::Idle)),
            },
        };
        let awaited = self.turn.as_ref().is_some_and(Turn::is_awaited);
        let answer = if awaited { self.activity.deadline().map(|at| (at, Due::Answer)) } else { None };
        // But then it must hear the client leave.
        let deaf = self.deaf_since.map(|since| (since + timeouts.idle, Due::Idle));
        [write, other, answer, deaf].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// How long the next request is waited for.
    fn patience(&self) -> Duration {
        let timeouts = &self.terms.timeouts;
        let patience = if self.fresh { timeouts.header } else { timeouts.idle };
        if self.closing { patience.min(LINGER) } else { patience }
    }

    fn expire(&mut self, due: Due, now: Instant) {
        match due {
            Due::Idle | Due::Write => self.ending = Some(Ending::Drop),
            Due::Head => self.ending = Some(Ending::Refused(Flaw::Late)),
            Due::Answer => self.activity.strike(),
            Due::Body => {
                let Some(turn) = &mut self.turn else { return };
                let Receiving::Open(feed, _) = &turn.receiving else { return };
                match feed.hungry() {
                    Some(since) if since + self.terms.timeouts.body <= now => {
                        feed.fail(BodyError::Timeout);
                        turn.receiving = Receiving::Broken;
                    }
                    // An app that does not read has no right to be impatient.
                    since => turn.looked = since.unwrap_or(now),
                }
            }
        }
    }

    /// Goes on until nothing more can be done now.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        loop {
            if let Some(ending) = self.ending {
                return self.poll_end(ending, cx);
            }
            if self.turn.is_some() {
                ready!(self.poll_turn(cx));
            } else {
                ready!(self.poll_head(cx));
            }
        }
    }

    fn poll_end(&mut self, ending: Ending, cx: &mut Context<'_>) -> Poll<Ending> {
        if ending != Ending::Drop && ready!(self.poll_flush(cx)).is_err() {
            return Poll::Ready(Ending::Drop);
        }
        if ending != Ending::Drop && self.turn.is_none() {
            self.unended = false;
        }
        if ending == Ending::Close && !self.unended {
            // A client that is gone already needs no goodbye.
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        }
        Poll::Ready(ending)
    }

    /// Between requests. Ready as soon as there is a turn, or an ending.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.output.len() >= HIGH && ready!(self.poll_flush(cx)).is_err() {
                return self.end(Ending::Drop);
            }
            if !self.input.is_empty() && !self.may_be_http2() {
                match self.scan.look(&self.input) {
                    Ok(Found::Head(len)) => {
                        self.scan = Scan::default();
                        let head = self.input.split_to(len).freeze();
                        match head::read(&head) {
                            Ok(head) => self.begin(head),
                            Err(flaw) => self.ending = Some(Ending::Refused(flaw)),
                        }
                        return Poll::Ready(());
                    }
                    Ok(Found::Empty(len)) => {
                        self.input.advance(len);
                        if self.input.is_empty() {
                            self.head_since = None;
                        }
                        continue;
                    }
                    Ok(Found::Part) if self.input.len() < self.terms.max_header + HEAD_SLACK => {}
                    Ok(Found::Part) => return self.end(Ending::Refused(self.scan.too_large())),
                    Err(flaw) => return self.end(Ending::Refused(flaw)),
                }
            } else if self.input.len() >= PREFACE.len() {
                return self.end(Ending::Http2);
            }
            // What is answered goes out before more is waited for. If it cannot, the timer sees to that.
            if let Poll::Ready(Err(_)) = self.poll_flush(cx) {
                return self.end(Ending::Drop);
            }
            match ready!(self.poll_read(cx)) {
                // Nothing, or a part of a head, which nobody waits to see answered; but nonsense is called by its name.
                Ok(0) => {
                    let nonsense = if self.input.is_empty() { Ok(()) } else { head::refuse_nonsense(&self.input) };
                    return self.end(nonsense.map_or_else(Ending::Refused, |()| Ending::Close));
                }
                Ok(_) => {
                    self.read_at = Instant::now();
                    self.head_since.get_or_insert(self.read_at);
                }
                Err(_) => return self.end(Ending::Drop),
            }
        }
    }

    /// Nothing more goes out.
    fn close(self) -> End<S> {
        if self.unended { End::Cut(self.stream) } else { End::Closed }
    }

    fn end(&mut self, ending: Ending) -> Poll<()> {
        self.ending = Some(ending);
        Poll::Ready(())
    }

    /// Whether all that has come on this connection is the beginning, or the whole, of HTTP/2's preface.
    fn may_be_http2(&mut self) -> bool {
        let len = self.input.len().min(PREFACE.len());
        self.fresh = self.fresh && self.input[..len] == PREFACE[..len];
        self.fresh
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (stream, blocked, deaf) = (Pin::new(&mut self.stream), &mut self.blocked_since, &mut self.deaf_since);
        let flushed = self.output.poll_flush(stream, cx, || (*blocked, *deaf) = (None, None));
        if flushed.is_pending() {
            self.stalled = true;
            self.blocked_since.get_or_insert_with(Instant::now);
            return flushed;
        }
        self.held.clear();
        if self.stalled {
            self.stalled = false;
            self.idle_since = Instant::now();
            self.head_since = self.head_since.map(|_| self.idle_since);
        }
        flushed
    }

    /// Reads once: into what room there is, if it is worth it, or by way of [`PLACE`].
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() - self.input.len() >= READ / 4 {
            return pin!(self.stream.read_buf(&mut self.input)).poll(cx);
        }
        PLACE.with_borrow_mut(|place| {
            let mut read = ReadBuf::new(place);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            self.input.extend_from_slice(read.filled());
            Poll::Ready(Ok(read.filled().len()))
        })
    }
}
