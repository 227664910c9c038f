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
                let end = text[start..end].find('\n').map_or(end, |newline| start + newline.max(1));
                let span = Span { file, start, end };
                if text[start..].trim_start_matches('#').starts_with("\"\"\"") {
                    cx.push(
                        Problem::error("the lines of this string are not indented like its closing \"\"\"")
                            .at(span, "opened here")
                            .help("the spaces before the closing \"\"\" are taken off every line, and each must have them"),
                    );
                    return None;
                }
                // Messages that begin so name a rule of the grammar, and mislead.
                let own =
                    first.message.as_deref().filter(|text| !text.starts_with("Expected") && !text.starts_with("Found"));
                let message = match own {
                    Some(own) => format!("this is not KDL: {}{}", own[..1].to_lowercase(), &own[1..]),
                    None => "this is not KDL".to_owned(),
                };
                cx.push(Problem::error(message).at(span, "not understood").help(
                    "a node is a name, then values and key=value properties on the same line, then perhaps a { block }",
                ));
            }
            None
        }
    }
}
