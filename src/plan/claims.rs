//! What apps answer: listeners, hosts and paths, every combination of them claimed once.

use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use super::target::{self, HostError, PathError};
use super::{Claim, Listener};
use crate::config::{self, Config, Context, Listen, Problem, Span, Spanned, suggestion};

/// The claims of every app so far.
pub(super) struct Claims<'a> {
    cx: &'a Context,
    config: &'a Config,
    names: Vec<&'a str>,
    used: Vec<bool>,
    /// Where, and by whom.
    taken: FxHashMap<Claim, (Span, &'a str)>,
}

impl<'a> Claims<'a> {
    pub(super) fn new(cx: &'a Context, config: &'a Config, listeners: &'a [Listener]) -> Self {
        let names = listeners.iter().map(|listener| listener.name.as_str()).collect();
        Self { cx, config, names, used: vec![false; listeners.len()], taken: FxHashMap::default() }
    }

    /// What `app` claims. A combination another app has already is reported.
    pub(super) fn of(&mut self, app: &'a config::App) -> Vec<Claim> {
        let everything = || vec![Spanned { value: None, span: app.span }];
        let every_listener = || vec![Spanned { value: None, span: app.span }];
        let listeners = match &app.listen {
            Listen::All => {
                self.used.fill(true);
                every_listener()
            }
            Listen::On(names) => names.iter().filter_map(|name| self.listener(name)).collect(),
            Listen::Nowhere(_) => Vec::new(),
        };
        let cx = self.cx;
        let read = |written: &Option<Vec<Spanned<String>>>, one: fn(&Context, &Spanned<String>) -> Option<_>| {
            let all = written.as_ref().map(|all| all.iter().filter_map(|written| one(cx, written)).collect());
            distinct(cx, all.unwrap_or_else(everything))
        };
        let hosts = read(&app.hosts, host);
        let paths = read(&app.paths, path);
        let listeners = distinct(cx, listeners);

        let mut claims = Vec::new();
        let mut clashed = false;
        for listener in &listeners {
            for host in &hosts {
                for path in &paths {
                    let claim = Claim { listener: listener.value, host: host.value.clone(), path: path.value.clone() };
                    let given = [path.span, host.span, listener.span].into_iter().find(|span| *span != app.span);
                    let span = given.unwrap_or(app.span);
                    clashed |= self.claim(&claim, span, &app.name.value, clashed);
                    claims.push(claim);
                }
            }
        }
        claims
    }

    /// Takes a combination; whether another app had it. Of two apps one clash is told: the others are like it.
    fn claim(&mut self, claim: &Claim, span: Span, app: &'a str, quiet: bool) -> bool {
        match self.taken.entry(claim.clone()) {
            Entry::Vacant(free) => {
                free.insert((span, app));
                false
            }
            Entry::Occupied(taken) => {
                let (first, owner) = taken.get();
                if !quiet {
                    let what = describe(claim, &self.names);
                    self.cx.push(
                        Problem::error(format!("two apps claim {what}"))
                            .at(span, format!("claimed again by `{app}`"))
                            .at(*first, format!("claimed by `{owner}`"))
                            .help("give one of them a host, a path or a listener of its own"),
                    );
                }
                true
            }
        }
    }

    fn listener(&mut self, name: &Spanned<String>) -> Option<Spanned<Option<usize>>> {
        let Some(index) = self.names.iter().position(|known| *known == name.value) else {
            self.cx.push(
                Problem::error(format!("there is no listener `{}`", name.value))
                    .at(name.span, "expected the name of a listener")
                    .help(suggestion(&name.value, &self.names)),
            );
            return None;
        };
        self.used[index] = true;
        Some(Spanned { value: Some(index), span: name.span })
    }

    /// Says of every listener that no app answers on that it serves nothing.
    pub(super) fn warn_of_unused(&self) {
        for (listener, used) in self.config.listeners.iter().zip(&self.used) {
            if !used {
                self.cx.push(
                    Problem::warning(format!("no app answers on listener `{}`", listener.name.value))
                        .at(listener.name.span, "every request here is a 404"),
                );
            }
        }
    }
}

/// A claim in words: `host a.example, path /x/* on listener web`.
pub(crate) fn describe(claim: &Claim, listeners: &[&str]) -> String {
    let mut text = match (&claim.host, &claim.path) {
        (None, None) => "every host and path".to_owned(),
        (Some(host), None) => format!("host {host}"),
        (None, Some(path)) => format!("path {path} of every host"),
        (Some(host), Some(path)) => format!("host {host}, path {path}"),
    };
    if let Some(listener) = claim.listener.and_then(|index| listeners.get(index)) {
        text.push_str(&format!(" on listener {listener}"));
    }
    text
}

/// Reports what one app says twice, and keeps one of it.
fn distinct<T: PartialEq>(cx: &Context, all: Vec<Spanned<T>>) -> Vec<Spanned<T>> {
    let mut distinct: Vec<Spanned<T>> = Vec::with_capacity(all.len());
    for one in all {
        match distinct.iter().find(|known| known.value == one.value) {
            Some(first) => {
                cx.push(Problem::error("this is said twice").at(one.span, "again here").at(first.span, "first here"))
            }
            None => distinct.push(one),
        }
    }
    distinct
}

fn host(cx: &Context, written: &Spanned<String>) -> Option<Spanned<Option<String>>> {
    let text = written.value.as_str();
    let refuse = |message: String, expected: &str, help: Option<String>| {
        cx.push(Problem::error(message).at(written.span, format!("expected {expected}")).maybe_help(help));
        None
    };
    let name = "a host name such as \"shop.example.com\"";
    if text == "*" {
        return refuse("`*` alone is not a host".into(), name, Some("leave `host` out for every host".into()));
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split('/').next().unwrap_or(rest);
        return refuse("a URL is not a host".into(), name, Some(format!("the host alone: \"{host}\"")));
    }
    if text.contains('/') {
        return refuse(format!("{text:?} is not a host"), name, Some("what follows the host goes into `path`".into()));
    }
    let (wildcard, rest) = match text.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.contains('*') {
        let help = "`*.` stands at the front alone, for one or more labels: \"*.example.com\"";
        return refuse(format!("a wildcard cannot stand here: {text:?}"), name, Some(help.into()));
    }
    if !rest.is_ascii() {
        let ascii = url::Host::parse(rest).ok().map(|host| format!("as browsers send it: \"{host}\""));
        return refuse(format!("{text:?} is not ASCII"), "a host name as it is sent", ascii);
    }
    let has_port = rest.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    if has_port {
        let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
        let help = format!("the port is the listener's: host \"{host}\" and `listen`");
        return refuse("a host has no port".into(), name, Some(help));
    }
    if rest.parse::<std::net::Ipv6Addr>().is_ok() {
        return refuse("an IPv6 address needs brackets".into(), &format!("\"[{rest}]\""), None);
    }
    match target::normalize_host(rest) {
        Ok(host) if wildcard => Some(Spanned { value: Some(format!("*.{host}")), span: written.span }),
        Ok(host) => Some(Spanned { value: Some(host.into_owned()), span: written.span }),
        Err(HostError::Long) => {
            refuse(format!("{text:?} is too long"), "at most 253 characters, 63 between dots", None)
        }
        Err(_) => refuse(format!("{text:?} is not a host name"), name, None),
    }
}

fn path(cx: &Context, written: &Spanned<String>) -> Option<Spanned<Option<String>>> {
    let text = written.value.as_str();
    let refuse = |message: String, help: Option<String>| {
        let expected = "expected a path such as \"/api/*\" or \"/health\"";
        cx.push(Problem::error(message).at(written.span, expected).maybe_help(help));
        None
    };
    if text == "*" {
        return refuse("`*` alone is not a path".into(), Some("leave `path` out for every path".into()));
    }
    if !text.starts_with('/') {
        let help = match text.split_once("://").and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..])) {
            Some(path) => format!("the path alone: \"{path}\""),
            None => format!("a path begins with a slash: \"/{text}\""),
        };
        return refuse(format!("{text:?} is not a path"), Some(help));
    }
    let (prefix, base) = match text.strip_suffix("/*") {
        Some(base) => (true, base),
        None => (false, text),
    };
    if base.contains('*') {
        let help = match base.strip_suffix('*').filter(|rest| !prefix && !rest.contains('*')) {
            Some(rest) => format!("did you mean \"{rest}/*\"? it also matches {rest} itself"),
            None => "`*` ends a path, after a slash: \"/api/*\"".to_owned(),
        };
        return refuse(format!("a wildcard cannot stand here: {text:?}"), Some(help));
    }
    if let Some(at) = base.find(['?', '#']) {
        return refuse("a query is no part of a path".into(), Some(format!("the path alone: \"{}\"", &base[..at])));
    }
    let normal = if base.is_empty() { Ok("".into()) } else { target::normalize_path(base) };
    match normal {
        Ok(normal) if base.split('/').any(|part| matches!(part, "." | "..")) => {
            let star = if prefix { "/*" } else { "" };
            refuse(format!("{text:?} has dot segments"), Some(format!("without them: \"{normal}{star}\"")))
        }
        Ok(normal) if prefix && normal.is_empty() => Some(Spanned { value: None, span: written.span }),
        Ok(normal) if prefix => Some(Spanned { value: Some(format!("{normal}/*")), span: written.span }),
        Ok(normal) => Some(Spanned { value: Some(normal.into_owned()), span: written.span }),
        Err(PathError::Nul) => refuse(format!("{text:?} holds a NUL"), None),
        Err(PathError::Relative) => refuse(format!("{text:?} is not a path"), None),
    }
}
