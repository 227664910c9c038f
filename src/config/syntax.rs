//! Bytes → KDL document. The `kdl` crate parses; the [lexer] reads every file first, because only it can say of a
//! brace which one is missing, and of a word that it wants quotes.

mod lexer;

use kdl::KdlDocument;

use super::Context;
use super::report::Problem;
use super::source::Span;

/// Parses file number `file`, reporting what is wrong. `None` where too little of it can be read to go on.
pub(super) fn parse(cx: &Context, file: usize) -> Option<KdlDocument> {
    let text = cx.text(file);
    let before = cx.problems();
    let readable = lexer::mend(cx, file, &text)?;
    match KdlDocument::parse_v2(&readable) {
        Ok(document) => Some(document),
        // What the lexer could not mend it has explained.
        Err(_) if cx.problems() > before => None,
        Err(error) => {
            // The first is the cause; the parser stumbles on over the rest of the line.
            if let Some(first) = error.diagnostics.first() {
                let start = text.floor_char_boundary(first.span.offset());
                let end = text.ceil_char_boundary(start + first.span.len().max(1)).min(text.len());
                let span = Span { file, start, end };
                let label = first
                    .label
                    .as_deref()
                    .map_or("not understood".into(), |label| label.replace("EOF", "part of a node"));
                cx.push(Problem::error("this is not KDL").at(span, label).help(
                    "a node is a name, then values and key=value properties on the same line, then perhaps a { block }",
                ));
            }
            None
        }
    }
}
