//! URLs that are written as the parser would write them, which most are: all there is to do is to find their parts.

use super::percent::Set;
use super::record::{Offsets, Record, default_port};

/// Where the parts of a URL of HTTP are that is its own serialisation; `None` where only the parser knows. In particular
/// it has no credentials, no address for a host, and none of `.` and `..` in its path.
pub(super) fn offsets(text: &[u8]) -> Option<Offsets> {
    let scheme_end = if text.starts_with(b"https://") {
        5
    } else if text.starts_with(b"http://") {
        4
    } else {
        return None;
    };
    let host_start = scheme_end + 3;
    let host_end = plain_domain_end(text, host_start)?;
    let port_end = match text.get(host_end)? {
        b':' => find(text, host_end + 1, |byte| !byte.is_ascii_digit()),
        _ => host_end,
    };
    if host_end != port_end {
        let digits = std::str::from_utf8(&text[host_end + 1..port_end]).ok()?;
        let port: u16 = digits.parse().ok()?;
        let scheme = std::str::from_utf8(&text[..scheme_end]).ok()?;
        if digits.starts_with('0') || default_port(scheme) == Some(port) {
            return None;
        }
    }
    if text.get(port_end) != Some(&b'/') {
        return None;
    }
    let path_end = plain_path_end(text, port_end)?;
    let query_end = if text.get(path_end) == Some(&b'?') {
        let end = find(text, path_end + 1, |byte| Set::SPECIAL_QUERY.has(byte));
        if !matches!(text.get(end), None | Some(b'#')) {
            return None;
        }
        end
    } else {
        path_end
    };
    let is_plain = is_plain(text[query_end..].get(1..).unwrap_or_default(), &Set::FRAGMENT);
    let path_start = port_end;
    is_plain.then_some([
        scheme_end, host_start, host_start, host_start, host_start, host_end, port_end, path_start, path_end, query_end,
    ])
}

/// The record of a URL that [`offsets`] knows; `None` where only the parser does.
pub(super) fn record(text: &str) -> Option<Record> {
    let [scheme_end, .., host_start, host_end, port_end, path_start, path_end, query_end] = offsets(text.as_bytes())?;
    let marked = |from: usize, to: usize| text[from..to].get(1..).map(str::to_owned);
    Some(Record {
        scheme: text[..scheme_end].to_owned(),
        host: Some(text[host_start..host_end].to_owned()),
        port: text[host_end..port_end].get(1..).and_then(|port| port.parse().ok()),
        path: text[path_start..path_end].to_owned(),
        query: marked(path_end, query_end),
        fragment: marked(query_end, text.len()),
        ..Record::default()
    })
}

/// The URL that a reference stands for where the base is such a URL, and the reference a path of its own, perhaps with a
/// query and a fragment, in which there is nothing to encode: in their normal form; `None` where only the parser knows.
pub(super) fn resolve(reference: &str, base: &str) -> Option<(String, Offsets)> {
    /// A colon may end a scheme, and what is encoded may be dots.
    const UNLIKE_A_PATH: Set = Set::PATH.with(b"\\:%");
    let [scheme_end, .., host_start, host_end, port_end, path_start, base_path_end, _] = offsets(base.as_bytes())?;
    let bytes = reference.as_bytes();
    let path_end = find(bytes, 0, |byte| byte == b'?' || byte == b'#');
    let query_end = find(bytes, path_end, |byte| byte == b'#');
    let path = &reference[..path_end];
    let is_plain = !path.is_empty()
        && !path.starts_with("//")
        && is_plain(path.as_bytes(), &UNLIKE_A_PATH)
        && is_plain(bytes[path_end..query_end].get(1..).unwrap_or_default(), &Set::SPECIAL_QUERY)
        && is_plain(bytes[query_end..].get(1..).unwrap_or_default(), &Set::FRAGMENT);
    if !is_plain {
        return None;
    }
    let mut text = String::with_capacity(base_path_end + reference.len() + 1);
    text.push_str(&base[..base_path_end]);
    // "Shorten a url's path".
    let shorten = |text: &mut String| {
        let last = text.as_bytes()[path_start..].iter().rposition(|byte| *byte == b'/');
        text.truncate(path_start + last.unwrap_or(text.len() - path_start));
    };
    let segments = if let Some(segments) = path.strip_prefix('/') {
        text.truncate(path_start);
        segments
    } else {
        shorten(&mut text);
        path
    };
    let (mut rest, mut last) = (Some(segments), "");
    while let Some(left) = rest {
        let end = find(left.as_bytes(), 0, |byte| byte == b'/');
        last = &left[..end];
        rest = left.get(end + 1..);
        match last {
            ".." => shorten(&mut text),
            "." => {}
            _ => {
                text.push('/');
                text.push_str(last);
            }
        }
    }
    if matches!(last, "." | "..") {
        text.push('/');
    }
    let end = text.len();
    text.push_str(&reference[path_end..]);
    let query_end = end + query_end - path_end;
    let offsets =
        [scheme_end, host_start, host_start, host_start, host_start, host_end, port_end, path_start, end, query_end];
    Some((text, offsets))
}

/// The index of the first byte from `from` on that `is_end` holds for, or else the text's length.
fn find(text: &[u8], from: usize, is_end: impl Fn(u8) -> bool) -> usize {
    text[from..].iter().position(|byte| is_end(*byte)).map_or(text.len(), |at| from + at)
}

/// Where a host ends, if it is a domain in lower case whose labels are no Punycode, and the last of them no number.
fn plain_domain_end(text: &[u8], start: usize) -> Option<usize> {
    let (mut end, mut last, mut has_hyphen) = (start, start, false);
    while let Some(byte) = text.get(end) {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => {}
            b'.' => last = end + 1,
            b'-' => has_hyphen = true,
            _ => break,
        }
        end += 1;
    }
    let is_plain = text[last..end].first().is_some_and(u8::is_ascii_alphabetic)
        && !(has_hyphen && text[start..end].windows(4).any(|four| four == b"xn--"));
    is_plain.then_some(end)
}

/// Where a path ends, if there is neither a segment of dots in it, however they are written, nor a backslash, nor what is to
/// be encoded.
fn plain_path_end(text: &[u8], start: usize) -> Option<usize> {
    const REMARKABLE: Set = Set::PATH.with(b"\\.%");
    let mut at = start;
    loop {
        at = find(text, at, |byte| REMARKABLE.has(byte));
        match text.get(at) {
            None | Some(b'?' | b'#') => return Some(at),
            Some(b'.') if text[..at].last() != Some(&b'/') => {}
            Some(b'%') if !matches!(text[at + 1..], [b'2', b'e' | b'E', ..]) => {}
            Some(_) => return None,
        }
        at += 1;
    }
}

/// Nothing is to be encoded.
fn is_plain(text: &[u8], set: &Set) -> bool {
    text.iter().all(|byte| !set.has(*byte))
}
