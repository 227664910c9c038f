//! One page on its way through `lol_html`, which calls handlers and does not know of waiting. It runs on a stack of its own,
//! a coroutine: a handler there stands still and hands an [`Event`] out, the script does what it likes for as long as it
//! likes, and the [`Command`] it ends with is what the handler goes on with. What a handler has never leaves that stack:
//! requests to it go in, answers come out.

use std::borrow::Cow;
use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use lol_html::errors::RewritingError;
use lol_html::html_content::{
    Comment, ContentType, Doctype, DocumentEnd, Element, StreamingHandler, StreamingHandlerSink, TextChunk,
};
use lol_html::{
    AsciiCompatibleEncoding, DocumentContentHandlers, ElementContentHandlers, HandlerResult, HtmlRewriter,
    MemorySettings, Selector, Settings,
};

use super::token::{Answer, Request, Token};
use crate::runtime::Charge;

/// Bytes of a coroutine's stack: nothing on it recurses. It is charged whole, though a page touches a tenth of it: each takes
/// two of the 65,000 mappings that the kernel gives a process.
pub(super) const STACK: usize = 128 << 10;
/// Bytes a page may make the parser keep: a tag that has not ended, and the elements that are open.
pub(super) const MEMORY: usize = 3 << 20;
/// Bytes of inserted content that are given on at once.
const PIECE: usize = 64 << 10;

/// What is to be done next.
pub(super) enum Command {
    /// More of the page.
    Write(Vec<u8>),
    /// More of the content that was asked for.
    Insert(Vec<u8>),
    /// That was all of the page.
    End,
    Ask(Request),
    /// The handler is done, or the content has ended.
    GoOn,
    Stop,
}

/// What has come of it.
pub(super) enum Event {
    /// It is done.
    Done,
    /// A handler's turn has come, by its number.
    Handle(Kind, u32),
    /// The content of a stream is to be written, by its number.
    Content(u32),
    /// There is enough output to be taken.
    Output,
    Answer(Answer),
    Failed(Failure),
}

#[derive(Debug)]
pub(super) enum Failure {
    /// The page makes the parser keep more than it may.
    Memory,
    Other(String),
}

/// What a handler is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Element,
    Comment,
    Text,
    Doctype,
    End,
    EndTag,
}

/// The handlers of one call of `on` or `onDocument`, whose number they are called by.
pub(super) struct Registration {
    /// Whose elements they are for; `None`: the document's.
    pub(super) selector: Option<Selector>,
    pub(super) kinds: Vec<Kind>,
}

/// Content that a handler inserts.
pub(super) enum Content {
    Text {
        text: String,
        kind: ContentType,
        /// Of its bytes, until they are written.
        charge: Charge,
    },
    /// Of the stream with this number.
    Stream(u32, ContentType),
}

pub(super) struct Rewriter {
    coroutine: Coroutine<Command, Event, Result<(), RewritingError>, DefaultStack>,
    output: Rc<RefCell<Vec<u8>>>,
}

impl Rewriter {
    /// # Errors
    ///
    /// If there is no memory for its stack.
    pub(super) fn new(registrations: Vec<Registration>, encoding: AsciiCompatibleEncoding) -> io::Result<Self> {
        let output = Rc::new(RefCell::new(Vec::new()));
        let coroutine = {
            let output = Rc::clone(&output);
            Coroutine::with_stack(DefaultStack::new(STACK)?, move |yielder, first| {
                let link = Link(yielder);
                let sink = |bytes: &[u8]| output.borrow_mut().extend_from_slice(bytes);
                rewrite(HtmlRewriter::new(settings(registrations, encoding, link), sink), link, first)
            })
        };
        Ok(Self { coroutine, output })
    }

    /// Goes on until something else is to be done. After an `End` that was done, and after a failure, nothing is.
    pub(super) fn resume(&mut self, command: Command) -> Event {
        if self.coroutine.done() {
            return Event::Failed(Failure::Other("the page has ended".to_owned()));
        }
        // A mistake of the parser's is an error of the page's; past V8 it would be the end of the process.
        match panic::catch_unwind(AssertUnwindSafe(|| self.coroutine.resume(command))) {
            Ok(CoroutineResult::Yield(event)) => event,
            Ok(CoroutineResult::Return(Ok(()))) => Event::Done,
            Ok(CoroutineResult::Return(Err(RewritingError::MemoryLimitExceeded(_)))) => Event::Failed(Failure::Memory),
            Ok(CoroutineResult::Return(Err(error))) => Event::Failed(Failure::Other(error.to_string())),
            Err(_) => Event::Failed(Failure::Other("the page is beyond the parser".to_owned())),
        }
    }

    /// Whether there is enough output to be taken.
    pub(super) fn is_full(&self) -> bool {
        self.output.borrow().len() >= PIECE
    }

    /// What has been written since this was last asked.
    pub(super) fn take_output(&self) -> Vec<u8> {
        mem::take(&mut self.output.borrow_mut())
    }
}

impl Drop for Rewriter {
    /// A coroutine that stands still in the middle would be unwound by a panic; this one returns.
    fn drop(&mut self) {
        while !self.coroutine.done() {
            self.resume(Command::Stop);
        }
    }
}

fn rewrite(
    mut rewriter: HtmlRewriter<'_, impl FnMut(&[u8])>,
    link: Link,
    first: Command,
) -> Result<(), RewritingError> {
    let mut command = first;
    loop {
        match command {
            Command::Write(bytes) => rewriter.write(&bytes)?,
            Command::End => return rewriter.end(),
            // Nobody is there to answer.
            Command::Insert(_) | Command::Ask(_) | Command::GoOn => {}
            Command::Stop => return Ok(()),
        }
        command = link.suspend(Event::Done);
    }
}

fn settings(
    registrations: Vec<Registration>,
    encoding: AsciiCompatibleEncoding,
    link: Link,
) -> Settings<'static, 'static> {
    let memory = MemorySettings::new().with_max_allowed_memory_usage(MEMORY);
    let mut settings = Settings::new().with_encoding(encoding).with_memory_settings(memory).with_strict(true);
    for (number, Registration { selector, kinds }) in (0..).zip(registrations) {
        settings = match selector {
            Some(selector) => {
                let mut handlers = ElementContentHandlers::default();
                for kind in kinds {
                    let event = move || Event::Handle(kind, number);
                    handlers = match kind {
                        Kind::Element => {
                            handlers.element(move |token: &mut Element<'_, '_>| link.serve(event(), token))
                        }
                        Kind::Comment => handlers.comments(move |token: &mut Comment<'_>| link.serve(event(), token)),
                        Kind::Text => handlers.text(move |token: &mut TextChunk<'_>| link.serve(event(), token)),
                        Kind::Doctype | Kind::End | Kind::EndTag => handlers,
                    };
                }
                settings.append_element_content_handler((Cow::Owned(selector), handlers))
            }
            None => {
                let mut handlers = DocumentContentHandlers::default();
                for kind in kinds {
                    let event = move || Event::Handle(kind, number);
                    handlers = match kind {
                        Kind::Doctype => handlers.doctype(move |token: &mut Doctype<'_>| link.serve(event(), token)),
                        Kind::Comment => handlers.comments(move |token: &mut Comment<'_>| link.serve(event(), token)),
                        Kind::Text => handlers.text(move |token: &mut TextChunk<'_>| link.serve(event(), token)),
                        Kind::End => handlers.end(move |token: &mut DocumentEnd<'_>| link.serve(event(), token)),
                        Kind::Element | Kind::EndTag => handlers,
                    };
                }
                settings.append_document_content_handler(handlers)
            }
        };
    }
    settings
}

/// The way out of the coroutine for what runs on it.
#[derive(Clone, Copy)]
pub(super) struct Link(*const Yielder<Command, Event>);

// SAFETY: `lol_html` wants content handlers to be `Send`. A rewriter with all its handlers lives and dies on the stack of a
// coroutine, which is not `Send`.
unsafe impl Send for Link {}

impl Link {
    fn suspend(self, event: Event) -> Command {
        // SAFETY: the coroutine keeps its yielder to its end, and whatever has a link is on its stack.
        unsafe { &*self.0 }.suspend(event)
    }

    /// Stands still for a handler: answers what is asked of the token until it is done with it.
    pub(super) fn serve(self, event: Event, token: &mut impl Token) -> HandlerResult {
        let mut command = self.suspend(event);
        loop {
            command = match command {
                Command::Ask(request) => {
                    let answer = token.answer(request, self);
                    self.suspend(Event::Answer(answer))
                }
                Command::GoOn => return Ok(()),
                Command::Write(_) | Command::Insert(_) | Command::End | Command::Stop => return Err(Stopped.into()),
            };
        }
    }
}

/// Content on its way to its place.
pub(super) struct Inserted {
    pub(super) content: Content,
    pub(super) link: Link,
}

impl StreamingHandler for Inserted {
    fn write_all(self: Box<Self>, sink: &mut StreamingHandlerSink<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Self { content, link } = *self;
        match content {
            Content::Text { text, kind, charge } => {
                let mut rest = &text[..];
                while rest.len() > PIECE {
                    let (piece, others) = rest.split_at(rest.floor_char_boundary(PIECE));
                    sink.write_str(piece, kind);
                    let Command::GoOn = link.suspend(Event::Output) else { return Err(Stopped.into()) };
                    rest = others;
                }
                sink.write_str(rest, kind);
                drop(charge);
            }
            Content::Stream(number, kind) => {
                let mut command = link.suspend(Event::Content(number));
                loop {
                    command = match command {
                        Command::Insert(bytes) => {
                            sink.write_utf8_chunk(&bytes, kind)?;
                            link.suspend(Event::Done)
                        }
                        Command::GoOn => break,
                        Command::Write(_) | Command::Ask(_) | Command::End | Command::Stop => {
                            return Err(Stopped.into());
                        }
                    };
                }
            }
        }
        Ok(())
    }
}

/// The script has no use for the page any more.
#[derive(Debug)]
struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the page was given up")
    }
}

impl Error for Stopped {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::token::Place;
    use super::*;

    /// What comes of a page in pieces where each `a` is followed by its end tag's name, or why nothing does.
    fn rewritten<'a>(selector: &str, pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, String> {
        let kinds = vec![Kind::Element, Kind::Comment, Kind::Text];
        let registrations = vec![
            Registration { selector: Some(selector.parse().unwrap()), kinds },
            Registration { selector: None, kinds: vec![Kind::Doctype, Kind::End] },
        ];
        let mut rewriter = Rewriter::new(registrations, AsciiCompatibleEncoding::utf_8()).unwrap();
        for piece in pieces {
            work(&mut rewriter, Command::Write(piece.to_vec()))?;
        }
        work(&mut rewriter, Command::End)?;
        Ok(rewriter.take_output())
    }

    fn work(rewriter: &mut Rewriter, command: Command) -> Result<(), String> {
        let mut event = rewriter.resume(command);
        loop {
            match event {
                Event::Done => return Ok(()),
                Event::Failed(failure) => return Err(format!("{failure:?}")),
                Event::Handle(Kind::Element, number) => {
                    rewriter.resume(Command::Ask(Request::SetAttribute("seen".to_owned(), "1".to_owned())));
                    let content = Content::Stream(number, ContentType::Text);
                    rewriter.resume(Command::Ask(Request::Insert(Place::Append, content)));
                    rewriter.resume(Command::Ask(Request::OnEndTag(number)));
                }
                Event::Content(_) => {
                    let Event::Done = rewriter.resume(Command::Insert(b"<inserted>".to_vec())) else { panic!() };
                }
                Event::Handle(..) | Event::Output | Event::Answer(_) => {}
            }
            event = rewriter.resume(Command::GoOn);
        }
    }

    /// Pages that may break off anywhere, of pieces that mean something.
    fn page() -> impl Strategy<Value = Vec<u8>> {
        let pieces: &[&str] = &[
            "<a>",
            "</a>",
            "<a href=",
            "\"x\"",
            "<b",
            ">",
            "<!--",
            "-->",
            "<!doctype html>",
            "<script>",
            "</script>",
            "<svg>",
            "</svg>",
            "<select>",
            "<template>",
            "<table>",
            "<textarea>",
            "<![CDATA[",
            "]]>",
            "text",
            "&amp;",
            "\0",
            "é",
            "<",
            "/",
            "<a/>",
            "<math><mi>",
            "<br>",
            "<p>",
            "</p>",
            "<plaintext>",
            "<frameset>",
            "=",
            "'",
            " ",
        ];
        let piece = prop_oneof![
            9 => prop::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..8),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_page_comes_to_the_same_in_one_piece_and_in_many(page in page(), size in 1_usize..20) {
            for selector in ["*", "a", "p > a[href]", "a:not(.x):nth-child(2)"] {
                let whole = rewritten(selector, std::iter::once(&page[..]));
                let pieces = rewritten(selector, page.chunks(size));
                prop_assert!(!whole.as_ref().is_err_and(|error| error.contains("beyond")), "{:?}", whole);
                prop_assert_eq!(whole, pieces);
            }
        }
    }

    #[test]
    fn a_page_that_nobody_wants_any_more_ends_wherever_it_stands() {
        let registrations = || vec![Registration { selector: Some("*".parse().unwrap()), kinds: vec![Kind::Element] }];
        let new = || Rewriter::new(registrations(), AsciiCompatibleEncoding::utf_8()).unwrap();
        drop(new());
        let mut rewriter = new();
        assert!(matches!(rewriter.resume(Command::Write(b"<a>".to_vec())), Event::Handle(Kind::Element, 0)));
        drop(rewriter);
        let mut rewriter = new();
        rewriter.resume(Command::Write(b"<a>".to_vec()));
        let content = Content::Stream(7, ContentType::Html);
        rewriter.resume(Command::Ask(Request::Insert(Place::Before, content)));
        assert!(matches!(rewriter.resume(Command::GoOn), Event::Content(7)));
        drop(rewriter);
        let mut rewriter = new();
        assert!(matches!(rewriter.resume(Command::Stop), Event::Done));
        assert!(matches!(rewriter.resume(Command::GoOn), Event::Failed(Failure::Other(_))));
    }
}
