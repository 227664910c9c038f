//! Reads files: the main one, and those that `include` brings in, each at its place.

use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::decode::Fields;
use super::report::Problem;
use super::source::{Source, Span};
use super::value::plain;
use super::{Config, Context, file, global, syntax};

fn is_wild(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// A file that is being read, or was.
struct Visited {
    shown: PathBuf,
    /// The `include` that named it.
    from: Option<Span>,
}

/// The config being filled from its files.
pub(super) struct Reading<'a> {
    cx: &'a Context,
    config: &'a mut Config,
    seen: global::Seen,
    visited: Vec<Visited>,
    /// Which of them a file is: by its path without links.
    known: FxHashMap<PathBuf, usize>,
    /// Indices into `visited`: the main file, the one it is including, and so on.
    chain: Vec<usize>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(cx: &'a Context, config: &'a mut Config) -> Self {
        Self {
            cx,
            config,
            seen: global::Seen::default(),
            visited: Vec::new(),
            known: FxHashMap::default(),
            chain: Vec::new(),
        }
    }

    /// Reads the file that everything begins with.
    pub(super) fn main(mut self, path: &Path) {
        let before = self.cx.problems();
        self.file(path, None);
        // A file that cannot be read or parsed may well hold apps.
        if self.config.apps.is_empty() && self.cx.problems() == before {
            let source = &self.cx.sources.borrow()[0];
            let end = source.text.len();
            let start = source.text[..end].char_indices().last().map_or(0, |(at, _)| at);
            let problem = Problem::error(format!("no app in {}: there is nothing to serve", path.display()))
                .help("add one: app \"hello\" \"path/to/its/folder\"");
            let blank = source.text.trim().is_empty();
            self.cx.push(if blank { problem } else { problem.at(Span { file: 0, start, end }, "expected an `app`") });
        }
    }

    fn file(&mut self, path: &Path, from: Option<Span>) {
        // The main file may be a pipe, from `nano check --config <(…)` say: who names it there waits for it.
        let read = if from.is_some() { file::read(path, file::LARGEST) } else { std::fs::read(path) };
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return self.unreadable(path, from, &plain(&error)),
        };
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.is_repeated(path, &real, from) {
            return;
        }
        self.known.insert(real, self.visited.len());
        self.chain.push(self.visited.len());
        self.visited.push(Visited { shown: path.to_owned(), from });
        let lossy = String::from_utf8_lossy(&bytes);
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let file = self.cx.add(Source { shown: path.to_owned(), path: absolute, text: lossy.as_ref().into() });
        match std::str::from_utf8(&bytes) {
            Ok(_) => self.nodes(file),
            Err(error) => {
                let start = error.valid_up_to();
                let byte = bytes[start];
                self.cx.push(
                    Problem::error("the file is not UTF-8")
                        .at(
                            Span { file, start, end: start + char::REPLACEMENT_CHARACTER.len_utf8() },
                            format!("the byte 0x{byte:02X} is not"),
                        )
                        .help("save it as UTF-8"),
                );
            }
        }
        self.chain.pop();
    }

    fn nodes(&mut self, file: usize) {
        let Some(document) = syntax::parse(self.cx, file) else { return };
        for node in document.nodes() {
            let fields = Fields::new(self.cx, file, "", node);
            if node.name().value() == "include" {
                self.include(fields);
            } else {
                global::decode(self.config, &mut self.seen, fields);
            }
        }
    }

    fn include(&mut self, mut fields: Fields<'_>) {
        let patterns: Vec<_> = fields
            .arguments("a path")
            .iter()
            .filter_map(|value| value.path("a path, relative to this file, which may hold * ? [ ]"))
            .collect();
        fields.finish();
        for pattern in patterns {
            // Wildcards are what is written here; the folder it starts at is called as it is.
            let folder = self.cx.folder(pattern.span.file);
            let (folder, rest) = match pattern.value.strip_prefix(&folder) {
                Ok(rest) => (folder, rest),
                Err(_) => (PathBuf::new(), pattern.value.as_path()),
            };
            if !is_wild(rest) {
                self.file(&pattern.value, Some(pattern.span));
                continue;
            }
            let fixed: PathBuf = rest.components().take_while(|part| !is_wild(part.as_ref())).collect();
            self.cx.look_in(&folder.join(fixed));
            let text = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(rest);
            let text = text.to_string_lossy();
            let options = glob::MatchOptions {
                require_literal_leading_dot: true,
                require_literal_separator: true,
                case_sensitive: true,
            };
            match glob::glob_with(&text, options) {
                Ok(found) => {
                    let mut paths = Vec::new();
                    for path in found {
                        match path {
                            Ok(path) if path.is_dir() => {}
                            Ok(path) => paths.push(path),
                            // What is in there may well match: apps must not go for want of a permission.
                            Err(error) => {
                                let (folder, why) = (error.path().display(), plain(error.error()));
                                self.cx.push(
                                    Problem::error(format!("cannot look into {folder}: {why}"))
                                        .at(pattern.span, "expected a folder nano may read"),
                                );
                            }
                        }
                    }
                    paths.sort();
                    for path in paths {
                        self.file(&path, Some(pattern.span));
                    }
                }
                Err(error) => self.cx.push(Problem::error("this pattern cannot be used").at(pattern.span, error.msg)),
            }
        }
    }

    fn unreadable(&self, path: &Path, from: Option<Span>, why: &str) {
        let problem = match from {
            Some(span) => Problem::error(format!("cannot include {}: {why}", path.display()))
                .at(span, "expected a file nano may read")
                .help("the path is relative to the file it is written in"),
            None => Problem::error(format!("cannot read {}: {why}", path.display())),
        };
        self.cx.push(problem);
    }

    /// Reports a file that is included again: from within itself, or from two places.
    fn is_repeated(&self, path: &Path, real: &Path, from: Option<Span>) -> bool {
        let Some(&index) = self.known.get(real) else { return false };
        let here = from.unwrap_or(Span::NOWHERE);
        let first = &self.visited[index];
        let Some(depth) = self.chain.iter().position(|link| *link == index) else {
            let mut problem = Problem::error(format!("{} is included twice", path.display())).at(here, "again here");
            if let Some(span) = first.from {
                problem = problem.at(span, "first here");
            }
            self.cx.push(problem);
            return true;
        };
        let mut names: Vec<_> =
            self.chain[depth..].iter().map(|link| self.visited[*link].shown.display().to_string()).collect();
        names.push(names[0].clone());
        let mut problem = Problem::error(format!("{} includes itself", first.shown.display()))
            .at(here, "this closes the loop")
            .help(names.join(" → "));
        for link in &self.chain[depth + 1..] {
            if let Some(span) = self.visited[*link].from {
                problem = problem.at(span, format!("which includes {}", self.visited[*link].shown.display()));
            }
        }
        self.cx.push(problem);
        true
    }
}
