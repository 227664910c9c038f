//! Where a value was written: files, spans, and values that carry one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A range of bytes of one file that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Which file, by the order of reading.
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// Of a value no file holds: a default, or an argument of the command line.
    pub const NOWHERE: Self = Self { file: usize::MAX, start: 0, end: 0 };

    /// Whether the two share a byte, or one lies at an edge of the other.
    pub(crate) fn touches(&self, other: &Self) -> bool {
        self.file == other.file && self.start <= other.end && other.start <= self.end
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, Copy)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value no file holds.
    pub fn nowhere(value: T) -> Self {
        Self { value, span: Span::NOWHERE }
    }
}

/// One file that was read.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path as people know it: relative where they wrote it so.
    pub shown: PathBuf,
    /// The path, absolute.
    pub path: PathBuf,
    /// What it held; what is not UTF-8 replaced.
    pub text: Arc<str>,
}

impl Source {
    /// The folder that relative paths of this file start from, as people know it.
    pub fn folder(&self) -> &Path {
        self.shown.parent().unwrap_or(Path::new(""))
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}
