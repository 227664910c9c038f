//! Takes a KDL node apart, an argument, property and child at a time, and refuses what nobody asked for. Every
//! section of the config is read through [`Fields`], so that all of them treat unknown, repeated, missing and
//! unavailable things alike.

use kdl::{KdlEntry, KdlNode};

use super::Context;
use super::report::Problem;
use super::source::{Span, Spanned};
use super::unavailable::unavailable;
use super::value::Value;

/// One node being read.
pub(super) struct Fields<'a> {
    pub(super) cx: &'a Context,
    pub(super) file: usize,
    /// Where in the grammar, as [`unavailable`] names places.
    place: String,
    node: &'a KdlNode,
    arguments: std::vec::IntoIter<&'a KdlEntry>,
    properties: Vec<&'static str>,
    children: Vec<&'static str>,
    takes_arguments: bool,
}

impl<'a> Fields<'a> {
    /// Begins with `node` of file number `file`; `parent` is the place it was found in, empty at the top.
    pub(super) fn new(cx: &'a Context, file: usize, parent: &str, node: &'a KdlNode) -> Self {
        let name = node.name().value();
        let place = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
        let arguments: Vec<_> = node.entries().iter().filter(|entry| entry.name().is_none()).collect();
        let fields = Self {
            cx,
            file,
            place,
            node,
            arguments: arguments.into_iter(),
            properties: Vec::new(),
            children: Vec::new(),
            takes_arguments: false,
        };
        fields.refuse_unavailable(&fields.place, fields.name_span());
        if let Some(ty) = node.ty() {
            fields.cx.push(
                Problem::error(format!("`{name}` takes no type"))
                    .at(span_of(file, ty.span()), "delete this")
                    .help("(file) and (env) stand before a value"),
            );
        }
        fields
    }

    /// Reads as if the node were called `place`: `defaults` holds what an app does.
    pub(super) fn placed(mut self, place: &str) -> Self {
        self.place = place.to_owned();
        self
    }

    /// The node's name as written.
    pub(super) fn name(&self) -> &'a str {
        self.node.name().value()
    }

    /// Where its name is.
    pub(super) fn name_span(&self) -> Span {
        span_of(self.file, self.node.name().span())
    }

    /// The whole first line of the node: its name and entries.
    pub(super) fn head_span(&self) -> Span {
        let name = self.name_span();
        let end = self.node.entries().last().map_or(name.end, |entry| span_of(self.file, entry.span()).end);
        Span { end, ..name }
    }

    fn refuse_unavailable(&self, place: &str, span: Span) {
        refuse_unavailable(self.cx, place, span);
    }

    fn value(&self, place: String, entry: &'a KdlEntry) -> Value<'a> {
        let whole = span_of(self.file, entry.span());
        // The crate's span takes in name and type; the caret belongs under the value.
        let length = entry.format().map_or(whole.end - whole.start, |format| format.value_repr.len());
        let span = Span { start: whole.end.saturating_sub(length).max(whole.start), ..whole };
        Value { cx: self.cx, place, entry, span }
    }

    /// The next argument, if there is one.
    pub(super) fn optional(&mut self) -> Option<Value<'a>> {
        self.takes_arguments = true;
        self.arguments.next().map(|entry| self.value(self.place.clone(), entry))
    }

    /// The next argument; reported if there is none. `what` it should have been: "a path".
    pub(super) fn argument(&mut self, what: &str) -> Option<Value<'a>> {
        let found = self.optional();
        if found.is_none() {
            let name = self.name();
            let as_property = self.node.entries().iter().any(|entry| entry.name().is_some());
            let problem =
                Problem::error(format!("`{name}` needs {what}")).at(self.name_span(), format!("expected {what}"));
            self.cx.push(if as_property {
                problem.help("it stands alone after the name, before any key=value")
            } else {
                problem
            });
        }
        found
    }

    /// Every argument that is left, at least one.
    pub(super) fn arguments(&mut self, what: &str) -> Vec<Value<'a>> {
        let mut all: Vec<_> = self.argument(what).into_iter().collect();
        while let Some(value) = self.optional() {
            all.push(value);
        }
        all
    }

    /// The property of that name. A repeated one is reported; the first counts.
    pub(super) fn property(&mut self, name: &'static str) -> Option<Value<'a>> {
        self.properties.push(name);
        let named = |entry: &&KdlEntry| entry.name().is_some_and(|key| key.value() == name);
        let mut found = self.node.entries().iter().filter(named);
        let first = found.next()?;
        let key = |entry: &KdlEntry| span_of(self.file, entry.name().map_or(entry.span(), kdl::KdlIdentifier::span));
        for again in found {
            self.cx.push(
                Problem::error(format!("`{name}` is given twice"))
                    .at(key(again), "again here")
                    .at(key(first), "first here"),
            );
        }
        let place = format!("{}.{name}", self.place);
        self.refuse_unavailable(&place, key(first));
        Some(self.value(place, first))
    }

    /// The property of that name, which must be there.
    pub(super) fn required(&mut self, name: &'static str, what: &str) -> Option<Value<'a>> {
        let found = self.property(name);
        if found.is_none() {
            let node = self.name();
            self.cx.push(
                Problem::error(format!("`{node}` needs {name}=…"))
                    .at(self.name_span(), format!("expected {name}={what} on this line")),
            );
        }
        found
    }

    /// Every child of that name.
    pub(super) fn children(&mut self, name: &'static str) -> Vec<Fields<'a>> {
        self.children.push(name);
        let nodes = self.node.children().into_iter().flat_map(kdl::KdlDocument::nodes);
        let named = nodes.filter(|node| node.name().value() == name);
        named.map(|node| Fields::new(self.cx, self.file, &self.place, node)).collect()
    }

    /// The child of that name. A repeated one is reported; the first counts.
    pub(super) fn child(&mut self, name: &'static str) -> Option<Fields<'a>> {
        let mut found = self.children(name).into_iter();
        let first = found.next()?;
        for again in found {
            self.cx.push(repeated(name, again.name_span(), first.name_span()));
        }
        Some(first)
    }

    /// Every child whatever its name: for blocks whose names are the user's.
    pub(super) fn any_children(&mut self) -> Vec<Fields<'a>> {
        let nodes = self.node.children().into_iter().flat_map(kdl::KdlDocument::nodes);
        let all: Vec<_> = nodes.map(|node| Fields::new(self.cx, self.file, &self.place, node)).collect();
        self.children.push("*");
        all
    }

    /// Reports whatever is left of the node.
    pub(super) fn finish(mut self) {
        let name = self.name();
        let what = if self.takes_arguments { "one value too many for" } else { "no value stands after" };
        if let Some(extra) = self.arguments.next() {
            let span = self.value(String::new(), extra).span;
            let mut problem = Problem::error(format!("{what} `{name}`")).at(span, "not expected here");
            if !self.properties.is_empty() {
                problem = problem.help(format!("what it takes is key=value: {}", list(&self.properties)));
            } else if !self.children.is_empty() && !self.children.contains(&"*") {
                problem = problem.help(format!("what it takes goes into its {{ block }}: {}", list(&self.children)));
            }
            self.cx.push(problem);
        }
        self.unknown_properties();
        if self.children.contains(&"*") {
            return;
        }
        let Some(block) = self.node.children() else { return };
        if self.children.is_empty() {
            let (text, head) = (self.cx.text(self.file), self.head_span());
            let start = text[head.end..].find('{').map_or(head.start, |brace| head.end + brace);
            let span = Span { start, end: start + 1, ..head };
            let problem = Problem::error(format!("`{name}` takes no block")).at(span, "not expected here");
            let help = (!self.properties.is_empty())
                .then(|| format!("what it takes is key=value on its own line: {}", list(&self.properties)));
            return self.cx.push(problem.maybe_help(help));
        }
        for node in block.nodes() {
            let child = node.name().value();
            if self.children.contains(&child) {
                continue;
            }
            let help = match self.properties.iter().find(|known| **known == child) {
                Some(known) => format!("it is a property, on the line of `{name}`: {known}=…"),
                None => home(child).unwrap_or_else(|| suggestion(child, &self.children)),
            };
            self.cx.push(
                Problem::error(format!("unknown name `{child}` in `{name}`"))
                    .at(span_of(self.file, node.name().span()), "not known here")
                    .help(help),
            );
        }
    }

    fn unknown_properties(&self) {
        let name = self.name();
        for key in self.node.entries().iter().filter_map(KdlEntry::name) {
            if self.properties.iter().any(|known| *known == key.value()) {
                continue;
            }
            let help = if self.children.iter().any(|known| *known == key.value()) {
                format!("it is a node of its own, inside the block of `{name}`: {} …", key.value())
            } else if self.properties.is_empty() {
                format!("`{name}` has no properties")
            } else {
                suggestion(key.value(), &self.properties)
            };
            self.cx.push(
                Problem::error(format!("unknown property `{}` of `{name}`", key.value()))
                    .at(span_of(self.file, key.span()), "not known here")
                    .help(help),
            );
        }
    }
}

impl Value<'_> {
    /// Refuses the value where this build has not what it stands for: `watch=#true`.
    pub(super) fn refuse_unavailable(&self, kind: &str) {
        refuse_unavailable(self.cx, &format!("{}={kind}", self.place), self.span);
    }
}

/// Refuses what is at `place` of the grammar where this build has it not.
pub(crate) fn refuse_unavailable(cx: &Context, place: &str, span: Span) -> bool {
    let Some(brings) = unavailable(place) else { return false };
    let verb = if brings.starts_with("scheduled") || brings.starts_with("bindings") { "are" } else { "is" };
    cx.push(
        Problem::error(format!("{brings} {verb} not available in this build")).at(span, "not available in this build"),
    );
    true
}

/// A thing that may be there once and is there again.
pub(super) fn repeated(name: &str, again: Span, first: Span) -> Problem {
    Problem::error(format!("`{name}` is given twice")).at(again, "again here").at(first, "first here")
}

/// The known name that was probably meant, or all of them.
pub(crate) fn suggestion(unknown: &str, known: &[&str]) -> String {
    match nearest(unknown, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", list(known)),
    }
}

/// Where a name belongs that was written in the wrong place.
pub(super) fn home(name: &str) -> Option<String> {
    let place = match name {
        "memory" | "cpu" | "wall" | "startup" | "wait-until" | "body" | "concurrency" | "queue" | "isolates" => {
            return Some(format!("it is a property of `limits` of an app: limits {name}=…"));
        }
        "port" | "address" => {
            return Some("the address and port follow a listener's name: listener \"web\" \"127.0.0.1:8080\"".into());
        }
        "host" | "path" | "listen" | "limits" | "env" | "entry" | "idle" | "replay" | "context" | "kv" | "sqlite"
        | "service" | "cron" | "assets" | "cache" | "fetch" | "rate-limit" => "the block of an `app`",
        "tls" | "trust-proxy" | "timeouts" | "max-header" | "proxy-protocol" | "http2" => "the block of a `listener`",
        "level" | "access" | "stdout" | "syslog" => "the block of `log`",
        "token" => "the block of `admin`",
        "app" | "listener" | "include" | "defaults" | "admin" | "state-dir" | "io-threads" | "memory-total"
        | "drain" | "lost-threads" | "watch" => "the top of a file, in no block",
        _ => return None,
    };
    Some(format!("`{name}` goes into {place}").replace("goes into the top", "goes to the top"))
}

/// The name that `unknown` is probably a misspelling of.
pub(crate) fn nearest<'k>(unknown: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = unknown.to_lowercase().replace('_', "-");
    let lower = lower.trim_end_matches(':');
    // A word too long by its ending, or cut short.
    let stem =
        |name: &&&str| name.len() >= 3 && lower.starts_with(**name) || lower.len() >= 3 && name.starts_with(lower);
    if let Some(name) = known.iter().find(stem) {
        return Some(name);
    }
    let distance = |name: &str| strsim::damerau_levenshtein(lower, &name.to_lowercase());
    let (name, distance) = known.iter().map(|name| (*name, distance(name))).min_by_key(|(_, distance)| *distance)?;
    (distance <= (lower.chars().count() / 3).max(1)).then_some(name)
}

pub(super) fn list(names: &[&str]) -> String {
    names.join(", ")
}

/// A span of the `kdl` crate, in file number `file`.
pub(super) fn span_of(file: usize, span: miette::SourceSpan) -> Span {
    Span { file, start: span.offset(), end: span.offset() + span.len() }
}

/// Where a name and its value are both wanted.
pub(super) fn spanned_name(fields: &Fields<'_>) -> Spanned<String> {
    Spanned { value: fields.name().to_owned(), span: fields.name_span() }
}
