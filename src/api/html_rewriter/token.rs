//! What a handler may do with the piece of the page that it is given.

use lol_html::html_content::{
    Comment, ContentType, Doctype, DocumentEnd, Element, EndTag, StreamingHandler, TextChunk,
};

use super::rewriter::{Content, Event, Inserted, Kind, Link};

/// What is asked of a token.
pub(super) enum Request {
    Get(Property),
    Set(Property, String),
    Attributes,
    Attribute(String),
    HasAttribute(String),
    SetAttribute(String, String),
    RemoveAttribute(String),
    Insert(Place, Content),
    Remove,
    /// Its tags go, its content stays.
    Unwrap,
    /// Its end tag is to be handled, by this number.
    OnEndTag(u32),
}

/// What it answers.
pub(super) enum Answer {
    Done,
    Text(String),
    Null,
    Flag(bool),
    /// Names and values by turns.
    Pairs(Vec<String>),
    /// Why it cannot be.
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    /// Of an element or an end tag.
    TagName,
    NamespaceUri,
    Removed,
    Text,
    LastInTextNode,
    /// Of a doctype.
    Name,
    PublicId,
    SystemId,
}

/// Where content goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Before,
    After,
    Prepend,
    Append,
    Replace,
    /// All that is between its tags.
    Inner,
}

impl Property {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "tagName" => Self::TagName,
            "namespaceURI" => Self::NamespaceUri,
            "removed" => Self::Removed,
            "text" => Self::Text,
            "lastInTextNode" => Self::LastInTextNode,
            "name" => Self::Name,
            "publicId" => Self::PublicId,
            "systemId" => Self::SystemId,
            _ => return None,
        })
    }
}

impl Place {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "before" => Self::Before,
            "after" => Self::After,
            "prepend" => Self::Prepend,
            "append" => Self::Append,
            "replace" => Self::Replace,
            "inner" => Self::Inner,
            _ => return None,
        })
    }
}

/// A piece of the page while its handler has it.
pub(super) trait Token {
    fn answer(&mut self, request: Request, link: Link) -> Answer;
}

impl Answer {
    fn of(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }

    fn after(result: Result<(), impl ToString>) -> Self {
        result.map_or_else(|error| Self::Failed(error.to_string()), |()| Self::Done)
    }

    /// The scripts ask no token for what it does not have.
    fn never() -> Self {
        Self::Failed("the token has no such thing".to_owned())
    }
}

fn inserted(content: Content, link: Link) -> Box<dyn StreamingHandler + Send> {
    Box::new(Inserted { content, link })
}

impl Token for Element<'_, '_> {
    fn answer(&mut self, request: Request, link: Link) -> Answer {
        match request {
            Request::Get(Property::TagName) => Answer::Text(self.tag_name()),
            Request::Get(Property::NamespaceUri) => Answer::Text(self.namespace_uri().to_owned()),
            Request::Get(Property::Removed) => Answer::Flag(self.removed()),
            Request::Set(Property::TagName, name) => Answer::after(self.set_tag_name(&name)),
            Request::Attributes => {
                let pairs = self.attributes().iter().flat_map(|attribute| [attribute.name(), attribute.value()]);
                Answer::Pairs(pairs.collect())
            }
            Request::Attribute(name) => Answer::of(self.get_attribute(&name)),
            Request::HasAttribute(name) => Answer::Flag(self.has_attribute(&name)),
            Request::SetAttribute(name, value) => Answer::after(self.set_attribute(&name, &value)),
            Request::RemoveAttribute(name) => {
                self.remove_attribute(&name);
                Answer::Done
            }
            Request::Insert(place, content) => {
                let content = inserted(content, link);
                match place {
                    Place::Before => self.streaming_before(content),
                    Place::After => self.streaming_after(content),
                    Place::Prepend => self.streaming_prepend(content),
                    Place::Append => self.streaming_append(content),
                    Place::Replace => self.streaming_replace(content),
                    Place::Inner => self.streaming_set_inner_content(content),
                }
                Answer::Done
            }
            Request::Remove => {
                self.remove();
                Answer::Done
            }
            Request::Unwrap => {
                self.remove_and_keep_content();
                Answer::Done
            }
            Request::OnEndTag(number) => match self.end_tag_handlers() {
                Some(handlers) => {
                    handlers.push(Box::new(move |tag| link.serve(Event::Handle(Kind::EndTag, number), tag)));
                    Answer::Done
                }
                None => Answer::Failed(format!("<{}> has no end tag", self.tag_name())),
            },
            Request::Get(_) | Request::Set(..) => Answer::never(),
        }
    }
}

/// The answers that tokens of most kinds have in common.
macro_rules! insert_or_remove {
    ($token:ident, $request:expr, $link:ident) => {
        match $request {
            Request::Insert(place, content) => {
                let content = inserted(content, $link);
                match place {
                    Place::Before => $token.streaming_before(content),
                    Place::After => $token.streaming_after(content),
                    Place::Replace => $token.streaming_replace(content),
                    Place::Prepend | Place::Append | Place::Inner => return Answer::never(),
                }
                Answer::Done
            }
            Request::Remove => {
                $token.remove();
                Answer::Done
            }
            Request::Get(Property::Removed) => Answer::Flag($token.removed()),
            _ => Answer::never(),
        }
    };
}

impl Token for EndTag<'_> {
    fn answer(&mut self, request: Request, link: Link) -> Answer {
        match request {
            Request::Get(Property::TagName) => Answer::Text(self.name()),
            Request::Set(Property::TagName, name) => {
                self.set_name_str(name);
                Answer::Done
            }
            request => insert_or_remove!(self, request, link),
        }
    }
}

impl Token for Comment<'_> {
    fn answer(&mut self, request: Request, link: Link) -> Answer {
        match request {
            Request::Get(Property::Text) => Answer::Text(self.text()),
            Request::Set(Property::Text, text) => Answer::after(self.set_text(&text)),
            request => insert_or_remove!(self, request, link),
        }
    }
}

impl Token for TextChunk<'_> {
    fn answer(&mut self, request: Request, link: Link) -> Answer {
        match request {
            Request::Get(Property::Text) => Answer::Text(self.as_str().to_owned()),
            Request::Get(Property::LastInTextNode) => Answer::Flag(self.last_in_text_node()),
            request => insert_or_remove!(self, request, link),
        }
    }
}

impl Token for Doctype<'_> {
    fn answer(&mut self, request: Request, _: Link) -> Answer {
        match request {
            Request::Get(Property::Name) => Answer::of(self.name()),
            Request::Get(Property::PublicId) => Answer::of(self.public_id()),
            Request::Get(Property::SystemId) => Answer::of(self.system_id()),
            _ => Answer::never(),
        }
    }
}

impl Token for DocumentEnd<'_> {
    fn answer(&mut self, request: Request, _: Link) -> Answer {
        match request {
            Request::Insert(Place::Append, Content::Text { text, kind, .. }) => {
                self.append(&text, kind);
                Answer::Done
            }
            _ => Answer::never(),
        }
    }
}

/// How content is meant.
pub(super) fn content_type(is_html: bool) -> ContentType {
    if is_html { ContentType::Html } else { ContentType::Text }
}
