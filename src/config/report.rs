//! What is wrong with a config, and how people are shown it: every problem at once, each with file, line, and a
//! caret under the value.

use std::fmt;
use std::path::PathBuf;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceSpan};

use super::source::{Source, Span};

/// Problems shown before the rest is only counted: enough to work on, few enough to read.
const SHOWN: usize = 100;

/// One thing wrong, or doubtful, in the config.
#[derive(Debug, Clone)]
pub struct Problem {
    severity: Severity,
    message: String,
    /// The first is where the problem is; others are places it has to do with.
    labels: Vec<(Span, String)>,
    help: Option<String>,
}

impl Problem {
    /// Something that keeps the config from being used.
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), labels: Vec::new(), help: None }
    }

    /// Something that works but is hardly meant.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Puts a caret under `span`, with a few words beside it. The first call names the place of the problem.
    pub fn at(mut self, span: Span, words: impl Into<String>) -> Self {
        if span != Span::NOWHERE {
            self.labels.push((span, words.into()));
        }
        self
    }

    /// Says what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As [`help`](Self::help), where there is something to say.
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    pub(crate) fn span(&self) -> Option<Span> {
        self.labels.first().map(|(span, _)| *span)
    }
}

/// Something doubtful in a config that works. [`Display`](fmt::Display) is a line for logs.
#[derive(Debug, Clone)]
pub struct Warning(Report);

impl Warning {
    /// The warning for people, with the place it is about.
    pub fn render(&self, colour: bool) -> String {
        self.0.render(colour)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lines().try_for_each(|line| f.write_str(&line))
    }
}

/// Every problem of a config, with the files they are in.
#[derive(Debug, Clone, Default)]
pub struct Report {
    problems: Vec<Problem>,
    sources: Vec<Source>,
}

impl Report {
    pub(crate) fn new(mut problems: Vec<Problem>, sources: Vec<Source>) -> Self {
        problems.sort_by_key(|problem| problem.span().map(|span| (span.file, span.start)));
        Self { problems, sources }
    }

    /// Each problem by itself.
    pub(crate) fn into_warnings(self) -> Vec<Warning> {
        let Self { problems, sources } = self;
        let alone = |problem| Warning(Self { problems: vec![problem], sources: sources.clone() });
        problems.into_iter().map(alone).collect()
    }

    /// Every file that was read, absolute, in the order of reading: what to watch for the repair.
    pub fn files(&self) -> Vec<PathBuf> {
        self.sources.iter().map(|source| source.path.clone()).collect()
    }

    /// A line per problem, for logs: `nano.kdl:3:5: the message (the help)`.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.problems.iter().map(|problem| {
            let place = problem.span().map(|span| {
                let source = &self.sources[span.file];
                let (line, column) = source.position(span.start);
                format!("{}:{line}:{column}: ", source.shown.display())
            });
            let help = problem.help.as_ref().map(|help| format!(" ({help})"));
            format!("{}{}{}", place.unwrap_or_default(), problem.message, help.unwrap_or_default())
        })
    }

    /// All of it for people, with or without colours.
    pub fn render(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_links(false);
        let mut text = String::new();
        for problem in self.problems.iter().take(SHOWN) {
            let view = View::new(problem, &self.sources);
            handler.render_report(&mut text, &view).expect("writing to a String does not fail");
            text.push('\n');
        }
        if let Some(more @ 1..) = self.problems.len().checked_sub(SHOWN) {
            text.push_str(&format!("and {more} more\n"));
        }
        text
    }
}

impl fmt::Display for Report {
    /// As [`render`](Report::render), without colours.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}

/// A problem as `miette` shows it: labels of the file it is in, and those of other files as notes below.
#[derive(Debug)]
struct View {
    severity: Severity,
    message: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    elsewhere: Vec<View>,
}

impl View {
    fn new(problem: &Problem, sources: &[Source]) -> Self {
        let file = problem.span().map(|span| span.file);
        let (here, elsewhere): (Vec<_>, Vec<_>) = problem.labels.iter().partition(|(span, _)| Some(span.file) == file);
        let label = |(span, words): &(Span, String)| {
            let place = SourceSpan::from((span.start, span.end - span.start));
            let words = (!words.is_empty()).then(|| words.clone());
            LabeledSpan::new_with_span(words, place)
        };
        let source = |file: usize| {
            let source: &Source = &sources[file];
            NamedSource::new(source.shown.display().to_string(), source.text.to_string())
        };
        Self {
            severity: problem.severity,
            message: problem.message.clone(),
            help: problem.help.clone(),
            source: file.map(source),
            labels: here
                .into_iter()
                .enumerate()
                .map(|(index, (span, words))| {
                    let plain = label(&(*span, words.clone()));
                    if index > 0 {
                        return plain;
                    }
                    LabeledSpan::new_primary_with_span(plain.label().map(str::to_owned), *plain.inner())
                })
                .collect(),
            elsewhere: elsewhere
                .into_iter()
                .map(|(span, words)| Self {
                    severity: Severity::Advice,
                    message: words.clone(),
                    help: None,
                    source: Some(source(span.file)),
                    labels: vec![label(&(*span, String::new()))],
                    elsewhere: Vec::new(),
                })
                .collect(),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for View {}

impl Diagnostic for View {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        (!self.elsewhere.is_empty())
            .then(|| Box::new(self.elsewhere.iter().map(|view| view as &dyn Diagnostic)) as Box<dyn Iterator<Item = _>>)
    }
}
