//! The native functions of `html_rewriter.js`. A page on its way is known to the script by a number; what comes of working on
//! it, [`Event`], by another: its kind, [`FULL`] if there is output to be taken, and above them the number of the handler or
//! stream that it is about.

#[allow(unsafe_code)]
mod rewriter;
mod token;

use std::cell::RefCell;
use std::rc::Rc;

use encoding_rs::{Encoding, UTF_8};
use lol_html::{AsciiCompatibleEncoding, Selector};
use rustc_hash::FxHashMap;
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use self::rewriter::{Command, Content, Event, Failure, Kind, MEMORY, Registration, Rewriter, STACK};
use self::token::{Answer, Place, Property, Request, content_type};
use super::mime::MimeType;
use super::value;
use crate::runtime::{self, Charge, Op};

pub const OPS: &[Op] = crate::ops![
    rewriter_selector,
    rewriter_open,
    rewriter_write,
    rewriter_end,
    rewriter_insert,
    rewriter_go_on,
    rewriter_output,
    rewriter_close,
    token_get,
    token_set,
    token_attributes,
    token_attribute,
    token_has_attribute,
    token_set_attribute,
    token_remove_attribute,
    token_insert,
    token_remove,
    token_on_end_tag
];

/// What a byte of the page may make the parser keep: an element that is open takes a hundred, its tag three at least.
const KEPT: usize = 16;
/// What a byte of its selectors may take, and a handler.
const COMPILED: usize = 32;
const HANDLER: usize = 256;
/// Brackets in brackets that a selector may have: its parser calls itself for each.
const DEPTH: usize = 64;
/// Steps in which what a page takes is charged.
const STEP: usize = 64 << 10;

/// A bit of an event, and where its number begins.
const FULL: u32 = 16;
const NUMBER: u32 = 5;

/// A page on its way.
struct Page {
    rewriter: Rewriter,
    /// Bytes of it so far.
    length: usize,
    /// What of it is charged, and the charges.
    charged: usize,
    charges: Vec<Charge>,
    /// For what the handler whose turn it is has given its token.
    given: Vec<Charge>,
    /// Says when the script has let go of it.
    #[expect(dead_code, reason = "held for its end")]
    keeper: v8::Weak<v8::Object>,
}

/// The pages of an isolate.
#[derive(Default)]
struct Pages {
    open: RefCell<FxHashMap<u32, Page>>,
    last: RefCell<u32>,
}

fn pages(scope: &mut PinScope<'_, '_>) -> Rc<Pages> {
    if let Some(pages) = scope.get_slot::<Rc<Pages>>() {
        return Rc::clone(pages);
    }
    let pages = Rc::new(Pages::default());
    scope.set_slot(Rc::clone(&pages));
    pages
}

impl Pages {
    fn close(&self, id: u32) {
        // It is dropped once the table can be had again.
        let closed = self.open.borrow_mut().remove(&id);
        drop(closed);
    }

    fn resume(&self, id: u32, command: Command) -> Event {
        match self.open.borrow_mut().get_mut(&id) {
            Some(page) => page.rewriter.resume(command),
            None => Event::Failed(Failure::Other("the page was given up".to_owned())),
        }
    }

    /// Adds a charge to those of the page, or to those of the token.
    fn keep(&self, id: u32, charge: Charge, is_tokens: bool) {
        if let Some(page) = self.open.borrow_mut().get_mut(&id) {
            let charges = if is_tokens { &mut page.given } else { &mut page.charges };
            charges.push(charge);
        }
    }

    /// Notes that so many bytes more are to be parsed; what is to be charged for that.
    fn grow(&self, id: u32, bytes: usize) -> usize {
        let mut open = self.open.borrow_mut();
        let Some(page) = open.get_mut(&id) else { return 0 };
        page.length = page.length.saturating_add(bytes);
        let needed = STACK + page.length.saturating_mul(KEPT).min(MEMORY);
        let more = needed.saturating_sub(page.charged).next_multiple_of(STEP);
        page.charged += more;
        more
    }
}

fn id(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) -> u32 {
    args.get(0).uint32_value(scope).unwrap_or(0)
}

/// `rewriter_selector(text)`: throws a `TypeError` that says why if it is no selector.
fn rewriter_selector(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _: ReturnValue<'_, Value>) {
    let mut buffer = value::buffer();
    let Some(text) = value::text(scope, &args, 0, &mut buffer) else { return };
    if depth(&text) > DEPTH {
        return value::throw_type_error(
            scope,
            &format!("HTMLRewriter: more than {DEPTH} brackets are open in a selector"),
        );
    }
    if let Err(error) = text.parse::<Selector>() {
        value::throw_type_error(scope, &format!("HTMLRewriter: \"{text}\" is not a selector: {error}"));
    }
}

/// How many brackets are open at once, those in strings too.
fn depth(selector: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for byte in selector.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// `rewriter_open(registrations, contentType, keeper)`: a page's number. It ends with the object `keeper`, or by
/// `rewriter_close`. The registrations are selectors, or null for the document's, each followed by the bits of the kinds
/// that there are handlers for. Throws a `TypeError` if the page's encoding is unknown, or is no superset of ASCII.
fn rewriter_open(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (Ok(list), Ok(keeper)) =
        (Local::<v8::Array>::try_from(args.get(0)), Local::<v8::Object>::try_from(args.get(2)))
    else {
        return value::throw_type_error(scope, "not a list and an object");
    };
    let Some(encoding) = encoding(scope, &args) else { return };
    let Some((registrations, length)) = registrations(scope, list) else {
        return value::throw_type_error(scope, "not a list of registrations");
    };
    let pages = pages(scope);
    let compiled = COMPILED * length + HANDLER * registrations.len();
    let Some(charge) = runtime::charge(scope, STACK + compiled) else { return no_room(scope) };
    let rewriter = match Rewriter::new(registrations, encoding) {
        Ok(rewriter) => rewriter,
        Err(error) => return value::throw_type_error(scope, &format!("HTMLRewriter: no memory for a stack: {error}")),
    };
    let id = pages.last.borrow().wrapping_add(1);
    pages.last.replace(id);
    let finalizer = {
        let pages = Rc::clone(&pages);
        Box::new(move || pages.close(id))
    };
    let keeper = v8::Weak::with_guaranteed_finalizer(scope, keeper, finalizer);
    let page = Page { rewriter, length: 0, charged: STACK, charges: vec![charge], given: Vec::new(), keeper };
    pages.open.borrow_mut().insert(id, page);
    rv.set_uint32(id);
}

/// The registrations, and how long their selectors are.
fn registrations(scope: &mut PinScope<'_, '_>, list: Local<'_, v8::Array>) -> Option<(Vec<Registration>, usize)> {
    let (mut registrations, mut length) = (Vec::new(), 0);
    for at in (0..list.length()).step_by(2) {
        let selector = list.get_index(scope, at)?;
        let selector = match Local::<v8::String>::try_from(selector) {
            Ok(text) => {
                length += text.length();
                Some(text.to_rust_string_lossy(scope).parse().ok()?)
            }
            Err(_) => None,
        };
        let bits = list.get_index(scope, at + 1)?.uint32_value(scope)?;
        let kinds = [Kind::Element, Kind::Comment, Kind::Text, Kind::Doctype, Kind::End];
        let kinds = kinds.into_iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, kind)| kind);
        registrations.push(Registration { selector, kinds: kinds.collect() });
    }
    Some((registrations, length))
}

/// The encoding that the Content-Type at index 1 names; `None`, with the exception thrown, if it will not do.
fn encoding(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) -> Option<AsciiCompatibleEncoding> {
    let mut encoding = UTF_8;
    if args.get(1).is_string() {
        let mut buffer = value::buffer();
        let text = value::text(scope, args, 1, &mut buffer)?;
        let mime = MimeType::extract(&text);
        if let Some(label) = mime.as_ref().and_then(|mime| mime.parameter("charset")) {
            let Some(known) = Encoding::for_label(label.as_bytes()) else {
                value::throw_type_error(scope, &format!("HTMLRewriter: no encoding is called \"{label}\""));
                return None;
            };
            encoding = known;
        }
    }
    let compatible = AsciiCompatibleEncoding::new(encoding);
    if compatible.is_none() {
        value::throw_type_error(scope, &format!("HTMLRewriter: pages in {} cannot be rewritten", encoding.name()));
    }
    compatible
}

/// `rewriter_write(id, bytes)`: the event that comes of more of the page. Throws where the page is
/// not to be parsed.
fn rewriter_write(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (id, pages) = (id(scope, &args), pages(scope));
    let Some(bytes) = value::bytes(scope, &args, 1, <[u8]>::to_vec) else { return };
    let more = pages.grow(id, bytes.len());
    if more > 0 {
        let Some(charge) = runtime::charge(scope, more) else { return no_room(scope) };
        pages.keep(id, charge, false);
    }
    let event = pages.resume(id, Command::Write(bytes));
    report(scope, &pages, id, event, &mut rv);
}

/// `rewriter_insert(id, bytes)`: writes more of the content that was asked for, which is UTF-8.
fn rewriter_insert(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (id, pages) = (id(scope, &args), pages(scope));
    let Some(bytes) = value::bytes(scope, &args, 1, <[u8]>::to_vec) else { return };
    let event = pages.resume(id, Command::Insert(bytes));
    report(scope, &pages, id, event, &mut rv);
}

/// `rewriter_end(id)`: the same where that was all of the page.
fn rewriter_end(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (id, pages) = (id(scope, &args), pages(scope));
    let event = pages.resume(id, Command::End);
    report(scope, &pages, id, event, &mut rv);
}

/// `rewriter_go_on(id)`: the same once a handler is done, the content of a stream has ended, or output was taken.
fn rewriter_go_on(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (id, pages) = (id(scope, &args), pages(scope));
    if let Some(page) = pages.open.borrow_mut().get_mut(&id) {
        page.given.clear();
    }
    let event = pages.resume(id, Command::GoOn);
    report(scope, &pages, id, event, &mut rv);
}

/// Returns an event, or throws.
fn report(scope: &mut PinScope<'_, '_>, pages: &Pages, id: u32, event: Event, rv: &mut ReturnValue<'_, Value>) {
    let (kind, number) = match event {
        Event::Done => (0, 0),
        Event::Handle(Kind::Element, number) => (1, number),
        Event::Handle(Kind::Comment, number) => (2, number),
        Event::Handle(Kind::Text, number) => (3, number),
        Event::Handle(Kind::Doctype, number) => (4, number),
        Event::Handle(Kind::End, number) => (5, number),
        Event::Handle(Kind::EndTag, number) => (6, number),
        Event::Content(number) => (7, number),
        Event::Output => (8, 0),
        Event::Answer(_) => return value::throw_type_error(scope, "nothing was asked"),
        Event::Failed(Failure::Memory) => {
            return value::throw_range_error(scope, "HTMLRewriter: the page has too long a tag, or too many open ones");
        }
        Event::Failed(Failure::Other(reason)) => {
            return value::throw_type_error(scope, &format!("HTMLRewriter: {reason}"));
        }
    };
    let is_full = pages.open.borrow().get(&id).is_some_and(|page| page.rewriter.is_full());
    rv.set_uint32(kind | if is_full { FULL } else { 0 } | number << NUMBER);
}

/// `rewriter_output(id)`: a `Uint8Array` of what has come out since the last time; `undefined` if nothing has.
fn rewriter_output(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (id, pages) = (id(scope, &args), pages(scope));
    let output = pages.open.borrow().get(&id).map(|page| page.rewriter.take_output()).unwrap_or_default();
    if output.is_empty() {
        return;
    }
    match runtime::bytes(scope, &output) {
        Some(array) => rv.set(array.into()),
        None => no_room(scope),
    }
}

/// `rewriter_close(id)`: it is not wanted any more.
fn rewriter_close(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _: ReturnValue<'_, Value>) {
    let (id, pages) = (id(scope, &args), pages(scope));
    pages.close(id);
}

/// Asks the token whose handler's turn it is, and returns what it answers.
fn ask(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    request: Request,
    rv: &mut ReturnValue<'_, Value>,
) {
    let (id, pages) = (id(scope, args), pages(scope));
    match pages.resume(id, Command::Ask(request)) {
        Event::Answer(Answer::Done) => {}
        Event::Answer(Answer::Text(text)) => value::return_text(scope, rv, &text),
        Event::Answer(Answer::Null) => rv.set_null(),
        Event::Answer(Answer::Flag(flag)) => rv.set_bool(flag),
        Event::Answer(Answer::Pairs(texts)) => {
            let texts: Option<Vec<Local<'_, Value>>> =
                texts.iter().map(|text| v8::String::new(scope, text).map(Into::into)).collect();
            match texts {
                Some(texts) => rv.set(v8::Array::new_with_elements(scope, &texts).into()),
                None => value::throw_range_error(scope, "the string is too long"),
            }
        }
        Event::Answer(Answer::Failed(reason)) => value::throw_type_error(scope, &format!("HTMLRewriter: {reason}")),
        Event::Done | Event::Handle(..) | Event::Content(_) | Event::Output | Event::Failed(_) => {
            value::throw_type_error(scope, "HTMLRewriter: no handler has its turn");
        }
    }
}

/// The text at `index`, charged to the token; `None`, with the exception thrown, if it is none or finds no room.
fn given(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>, index: i32) -> Option<String> {
    let mut buffer = value::buffer();
    let text = value::text(scope, args, index, &mut buffer)?.into_owned();
    let Some(charge) = runtime::charge(scope, text.len()) else {
        no_room(scope);
        return None;
    };
    let (id, pages) = (id(scope, args), pages(scope));
    pages.keep(id, charge, true);
    Some(text)
}

/// The property that argument 1 names.
fn property(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) -> Option<Property> {
    let mut buffer = value::buffer();
    let property = Property::parse(&value::text(scope, args, 1, &mut buffer)?);
    if property.is_none() {
        value::throw_type_error(scope, "not a property of a token");
    }
    property
}

/// `token_get(id, property)`
fn token_get(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Some(property) = property(scope, &args) else { return };
    ask(scope, &args, Request::Get(property), &mut rv);
}

/// `token_set(id, property, text)`
fn token_set(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Some(property) = property(scope, &args) else { return };
    let Some(text) = given(scope, &args, 2) else { return };
    ask(scope, &args, Request::Set(property, text), &mut rv);
}

/// `token_attributes(id)`: names and values by turns.
fn token_attributes(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    ask(scope, &args, Request::Attributes, &mut rv);
}

/// `token_attribute(id, name)`: its value or null.
fn token_attribute(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Some(name) = given(scope, &args, 1) else { return };
    ask(scope, &args, Request::Attribute(name), &mut rv);
}

/// `token_has_attribute(id, name)`
fn token_has_attribute(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let Some(name) = given(scope, &args, 1) else { return };
    ask(scope, &args, Request::HasAttribute(name), &mut rv);
}

/// `token_set_attribute(id, name, value)`
fn token_set_attribute(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let Some(name) = given(scope, &args, 1) else { return };
    let Some(value) = given(scope, &args, 2) else { return };
    ask(scope, &args, Request::SetAttribute(name, value), &mut rv);
}

/// `token_remove_attribute(id, name)`
fn token_remove_attribute(
    scope: &mut PinScope<'_, '_>,
    args: FunctionCallbackArguments<'_>,
    mut rv: ReturnValue<'_, Value>,
) {
    let Some(name) = given(scope, &args, 1) else { return };
    ask(scope, &args, Request::RemoveAttribute(name), &mut rv);
}

/// `token_insert(id, place, content, isHtml)`: the content is a text, or the number of a stream that will be asked for.
fn token_insert(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let mut buffer = value::buffer();
    let Some(place) = value::text(scope, &args, 1, &mut buffer) else { return };
    let Some(place) = Place::parse(&place) else { return value::throw_type_error(scope, "not a place") };
    let kind = content_type(args.get(3).is_true());
    let content = if args.get(2).is_number() {
        Content::Stream(args.get(2).uint32_value(scope).unwrap_or(0), kind)
    } else {
        let mut buffer = value::buffer();
        let Some(text) = value::text(scope, &args, 2, &mut buffer) else { return };
        let Some(charge) = runtime::charge(scope, text.len()) else { return no_room(scope) };
        Content::Text { text: text.into_owned(), kind, charge }
    };
    ask(scope, &args, Request::Insert(place, content), &mut rv);
}

/// `token_remove(id, keepContent)`
fn token_remove(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let request = if args.get(1).is_true() { Request::Unwrap } else { Request::Remove };
    ask(scope, &args, request, &mut rv);
}

/// `token_on_end_tag(id, number)`: the element's end tag is to be handled, by that number.
fn token_on_end_tag(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let number = args.get(1).uint32_value(scope).unwrap_or(0);
    ask(scope, &args, Request::OnEndTag(number), &mut rv);
}

fn no_room(scope: &mut PinScope<'_, '_>) {
    value::throw_range_error(scope, "HTMLRewriter: the app's memory limit leaves no room");
}
