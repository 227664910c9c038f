//! Braces: which one is missing, which one is too many. Indentation tells what a person meant.

use super::{DEEPEST, Last, Lexer, Lost, is_newline, is_space};
use crate::config::report::Problem;

/// A block that is open.
pub(super) struct Block {
    open: usize,
    /// Of the line that opened it.
    indent: usize,
    /// Commented out, so that the node's own may follow.
    slashdash: bool,
}

/// A block that something after it denies by its indentation.
#[derive(Clone, Copy)]
pub(super) struct Suspect {
    open: usize,
    /// The `}` further left than the block's line, or the node no further right.
    denied_by: usize,
    words: &'static str,
}

impl Lexer<'_> {
    /// The spaces that the line of byte `at` begins with, and whether `at` is the first thing after them.
    fn indent(&self, at: usize) -> (usize, bool) {
        let line = self.text[..at].rfind(is_newline).map_or(0, |newline| newline + 1);
        let before = &self.text[self.text.ceil_char_boundary(line)..at];
        let rest = before.trim_start_matches(is_space);
        (before.len() - rest.len(), rest.is_empty())
    }

    /// Before a node at byte `at`: one that stands no further right than the open block's own line is not meant to
    /// be in it, and an indented one was meant to be in some block.
    pub(super) fn node(&mut self, at: usize) {
        let (indent, true) = self.indent(at) else { return };
        match self.blocks.last() {
            Some(block) if indent <= block.indent => {
                self.suspect(block.open, at, "this, no further right, was taken to be inside");
            }
            None if indent > 0 => self.early = self.early.or(self.closed_last),
            _ => {}
        }
    }

    fn suspect(&mut self, open: usize, denied_by: usize, words: &'static str) {
        self.suspect.get_or_insert(Suspect { open, denied_by, words });
    }

    pub(super) fn open(&mut self) -> Result<(), Lost> {
        let at = self.at;
        let mut line_of_node = at;
        match self.last {
            Last::Start => {
                let gap = self.text[self.last_end..at].chars().all(char::is_whitespace);
                let before = self.text[..self.last_end].chars().next_back();
                let help = "a block follows a node's name and values, on the same line";
                if !gap || before.is_none_or(|c| matches!(c, '{' | '}' | ';')) {
                    self.report(at, at + 1, "this block has no name", "this `{`", help);
                    return Err(Lost);
                }
                let help = "the line's end ended the node above: put `{` on its line";
                self.report(at, at + 1, "this block belongs to no node", "this `{`", help);
                self.mend(self.last_end, at, b' ');
                line_of_node = self.last_end;
            }
            Last::Equals | Last::Type(_) | Last::Close => {
                let help = "a block follows a node's name and values";
                self.report(at, at + 1, "a block cannot stand here", "this `{`", help);
                return Err(Lost);
            }
            Last::Name | Last::Argument | Last::Property => {}
        }
        let (indent, _) = self.indent(line_of_node);
        self.blocks.push(Block { open: at, indent, slashdash: self.slashdash });
        if self.blocks.len() > DEEPEST {
            self.report(at, at + 1, "blocks are nested too deep", "here", "");
            return Err(Lost);
        }
        self.at += 1;
        self.last = Last::Start;
        Ok(())
    }

    pub(super) fn close(&mut self) -> Result<(), Lost> {
        let at = self.at;
        if matches!(self.last, Last::Type(_) | Last::Equals) {
            self.report(at, at + 1, "a value is missing before this `}`", "expected a value", "");
            return Err(Lost);
        }
        self.at += 1;
        let Some(block) = self.blocks.pop() else { return self.close_nothing(at) };
        let (indent, first) = self.indent(at);
        if first && indent < block.indent {
            self.suspect(block.open, at, "this one, further left, was taken for it");
        }
        self.closed_last = Some(at);
        self.last = if block.slashdash { Last::Property } else { Last::Close };
        Ok(())
    }

    /// A `}` where no block is open. If nothing before it looks misplaced it is left out, and reading goes on.
    fn close_nothing(&mut self, at: usize) -> Result<(), Lost> {
        let problem = Problem::error("this `}` closes nothing").at(self.span(at, at + 1), "no block is open here");
        if let Some(early) = self.early {
            self.cx.push(
                problem
                    .at(self.span(early, early + 1), "this one ended the block, and what follows is still indented")
                    .help("delete one of them"),
            );
            return Err(Lost);
        }
        self.cx.push(problem.help("delete it"));
        self.mend(at, at + 1, b' ');
        Ok(())
    }

    /// At the file's end: is a block still open? If it is clear where it should have ended, it is ended there.
    pub(super) fn end(&mut self) -> Result<(), Lost> {
        if matches!(self.last, Last::Type(_) | Last::Equals) {
            self.report(self.last_end - 1, self.last_end, "a value is missing at the end", "expected a value", "");
            return Err(Lost);
        }
        let Some(innermost) = self.blocks.last() else { return Ok(()) };
        let problem = Problem::error("a block is never closed").help("close it with a `}` on a line of its own");
        let Some(suspect) = self.suspect else {
            self.cx.push(problem.at(self.span(innermost.open, innermost.open + 1), "this `{` has no `}`"));
            return Err(Lost);
        };
        self.cx.push(
            problem
                .at(self.span(suspect.open, suspect.open + 1), "this `{` has no `}` of its own")
                .at(self.span(suspect.denied_by, suspect.denied_by + 1), suspect.words),
        );
        let before = &self.text[..suspect.denied_by];
        let room = before.len() - before.trim_end_matches([' ', '\t', '\n']).len();
        if self.blocks.len() > 1 || room < 2 {
            return Err(Lost);
        }
        self.mend(suspect.denied_by - 2, suspect.denied_by - 1, b'}');
        self.mend(suspect.denied_by - 1, suspect.denied_by, b';');
        Ok(())
    }
}
