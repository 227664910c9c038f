//! Hosts and paths in the one form that routing compares: requests and claims alike.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Why a host cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is none, or only a port.
    #[error("the host is empty")]
    Empty,
    /// Not a name or an address (RFC 3986 §3.2.2), or something beside it, such as user information.
    #[error("the host is malformed")]
    Malformed,
    /// The port is no number up to 65535.
    #[error("the port is malformed")]
    Port,
    /// No URL has it, or has it in another form: `0x7f.1` is 127.0.0.1 there (URL Standard §3.5).
    #[error("the host is not what a URL makes of it")]
    Unlike,
    /// Over 253 bytes, or 63 in one label (RFC 1035 §2.3.4).
    #[error("the host is too long")]
    Long,
}

/// Why a path cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with a slash.
    #[error("the path does not begin with a slash")]
    Relative,
    /// It holds a NUL, encoded or not.
    #[error("the path holds a NUL")]
    Nul,
}

/// `host[:port]` in the form that routing compares: lower-case, without port and trailing dot, an IPv6 literal in
/// brackets and in its canonical text (RFC 5952). Doing it again changes nothing.
///
/// # Errors
/// Where it is no host, or an app would see another in its URL: what is routed by one name must not be served by
/// another, and no client that goes by URLs sends such a host.
pub fn normalize_host(raw: &str) -> Result<Cow<'_, str>, HostError> {
    if let Some(rest) = raw.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or(HostError::Malformed)?;
        check_port(after)?;
        let address: Ipv6Addr = address.parse().map_err(|_| HostError::Malformed)?;
        let literal = format!("[{address}]");
        return Ok(if literal == raw { raw.into() } else { literal.into() });
    }
    let (name, port) = raw.find(':').map_or((raw, ""), |colon| raw.split_at(colon));
    check_port(port)?;
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(HostError::Empty);
    }
    if name.len() > 253 {
        return Err(HostError::Long);
    }
    let mut encoded = false;
    for label in name.split('.') {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if label.is_empty() || !plain {
            return Err(HostError::Malformed);
        }
        if label.len() > 63 {
            return Err(HostError::Long);
        }
        encoded |= label.as_bytes().get(2..4) == Some(b"--".as_slice());
    }
    let upper = name.bytes().any(|byte| byte.is_ascii_uppercase());
    let host = if upper { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) };
    // To a URL all other names are what they are: only Punycode is decoded, and only a number makes an address.
    let number = host.rsplit('.').next().is_some_and(|last| last.as_bytes()[0].is_ascii_digit());
    // Four numbers without leading zeros are what a URL writes, too.
    let number = number && host.parse::<Ipv4Addr>().is_err();
    if (encoded || number) && !url::Host::parse(&host).is_ok_and(|seen| seen.to_string() == *host) {
        return Err(HostError::Unlike);
    }
    Ok(host)
}

/// What follows a host: nothing, or a colon and perhaps a port (RFC 3986 §3.2.3).
fn check_port(text: &str) -> Result<(), HostError> {
    let Some(digits) = text.strip_prefix(':') else {
        return if text.is_empty() { Ok(()) } else { Err(HostError::Malformed) };
    };
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() <= 5;
    let fits = digits.is_empty() || number && digits.parse::<u16>().is_ok();
    if fits { Ok(()) } else { Err(HostError::Port) }
}

/// A request's path, without its query, in the form that routing compares: percent-decoded, then free of dot segments
/// (RFC 3986 §5.2.4). Doing it again changes nothing.
///
/// A backslash is a slash, as in the URL that the app sees (URL Standard §4.4). What stays encoded, in upper case, is
/// what would mean something else decoded: `%2F` and `%5C`, which are data and no separators; `%25`, lest what follows
/// it be decoded again; and bytes that are no UTF-8. A `%` before anything but two hexadecimal digits is data and
/// becomes `%25`.
///
/// # Errors
/// Where it does not begin with a slash, or holds a NUL.
pub fn normalize_path(raw: &str) -> Result<Cow<'_, str>, PathError> {
    if !raw.starts_with('/') {
        return Err(PathError::Relative);
    }
    let (mut encoded, mut dots, mut last) = (false, false, 0);
    for byte in raw.bytes() {
        match byte {
            0 => return Err(PathError::Nul),
            b'%' | b'\\' => encoded = true,
            // A segment that begins with a dot may be one to remove.
            b'.' => dots |= last == b'/',
            _ => {}
        }
        last = byte;
    }
    let decoded = if encoded { decode(raw)? } else { Cow::Borrowed(raw) };
    if !encoded && !dots {
        return Ok(decoded);
    }
    match remove_dots(&decoded) {
        Some(path) => Ok(path.into()),
        None if *decoded == *raw => Ok(raw.into()),
        None => Ok(decoded),
    }
}

fn decode(raw: &str) -> Result<Cow<'_, str>, PathError> {
    let mut bytes = Vec::with_capacity(raw.len() + 16);
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(if byte == b'\\' { b'/' } else { byte });
            continue;
        }
        let digits = after.first_chunk::<2>().and_then(|[high, low]| Some(hex(*high)? << 4 | hex(*low)?));
        match digits {
            Some(0) => return Err(PathError::Nul),
            Some(b'/') => bytes.extend(b"%2F"),
            Some(b'\\') => bytes.extend(b"%5C"),
            None | Some(b'%') => bytes.extend(b"%25"),
            Some(byte) => bytes.push(byte),
        }
        if digits.is_some() {
            rest = &after[2..];
        }
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => {
            let mut text = String::new();
            for chunk in error.as_bytes().utf8_chunks() {
                text.push_str(chunk.valid());
                for byte in chunk.invalid() {
                    text.push('%');
                    text.extend(
                        [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
                    );
                }
            }
            text.into()
        }
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The path without `.` and `..` segments, or `None` where it has none.
fn remove_dots(path: &str) -> Option<String> {
    if !path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return None;
    }
    let mut output = String::with_capacity(path.len());
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => output.truncate(output.rfind('/').unwrap_or(0)),
            _ => {
                output.push('/');
                output.push_str(segment);
                continue;
            }
        }
        // `/a/..` is the folder `/`, not the file ``.
        if last {
            output.push('/');
        }
    }
    Some(output)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_take_one_form() {
        for (raw, normal) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("//a//b", "//a//b"),
            ("/%61%2e%62", "/a.b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/../../etc", "/etc"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/..", "/"),
            ("/.", "/"),
            ("/a//../b", "/a/b"),
            ("/...", "/..."),
            ("/.hidden", "/.hidden"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2F..%2Fb", "/a%2F..%2Fb"),
            ("/..%2f", "/..%2F"),
            ("/%2541", "/%2541"),
            ("/100%", "/100%25"),
            ("/%zz", "/%25zz"),
            ("/%4", "/%254"),
            ("/caf%c3%a9", "/café"),
            ("/café", "/café"),
            ("/%ff%fe", "/%FF%FE"),
            ("/%c3", "/%C3"),
            ("/%5c", "/%5C"),
            ("/a\\b", "/a/b"),
            ("/a\\..\\b\\", "/b/"),
            ("/\\%2e./b", "/b"),
            ("/%0a", "/\n"),
        ] {
            assert_eq!(normalize_path(raw).as_deref(), Ok(normal), "{raw}");
        }
    }

    #[test]
    fn paths_that_are_none_are_refused() {
        for (raw, error) in [
            ("", PathError::Relative),
            ("*", PathError::Relative),
            ("a/b", PathError::Relative),
            ("/a%00", PathError::Nul),
            ("/a\0", PathError::Nul),
        ] {
            assert_eq!(normalize_path(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn plain_paths_and_hosts_are_borrowed() {
        assert!(matches!(normalize_path("/a/b.js"), Ok(Cow::Borrowed(_))));
        assert!(matches!(normalize_path("/.well-known/x"), Ok(Cow::Borrowed(_))));
        assert!(matches!(normalize_host("a.example:8080"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn hosts_take_one_form() {
        for (raw, normal) in [
            ("example.com", Ok("example.com")),
            ("EXAMPLE.com:8080", Ok("example.com")),
            ("example.com.", Ok("example.com")),
            ("example.com.:80", Ok("example.com")),
            ("localhost:", Ok("localhost")),
            ("127.0.0.1:1", Ok("127.0.0.1")),
            ("a_b.example", Ok("a_b.example")),
            ("[::1]:8080", Ok("[::1]")),
            ("[0:0:0:0:0:0:0:1]", Ok("[::1]")),
            ("[2001:DB8::1]", Ok("[2001:db8::1]")),
            ("1.2.3.4.", Ok("1.2.3.4")),
            ("1.2.3.example", Ok("1.2.3.example")),
            ("1.2.3.4x", Ok("1.2.3.4x")),
            ("0x7f.a", Ok("0x7f.a")),
            ("XN--Bcher-KVA.example", Ok("xn--bcher-kva.example")),
            ("r3--sn.example", Ok("r3--sn.example")),
            ("1.2.3.999", Err(HostError::Unlike)),
            ("1.2.3", Err(HostError::Unlike)),
            ("2130706433", Err(HostError::Unlike)),
            ("127.0.0.01", Err(HostError::Unlike)),
            ("0x7f.1", Err(HostError::Unlike)),
            ("a.0x", Err(HostError::Unlike)),
            ("a.0XF:80", Err(HostError::Unlike)),
            ("a.1", Err(HostError::Unlike)),
            ("xn--a", Err(HostError::Unlike)),
            ("a.XN--A.example", Err(HostError::Unlike)),
            ("xn--.example", Err(HostError::Unlike)),
            ("xn--a-.example", Err(HostError::Unlike)),
            ("", Err(HostError::Empty)),
            (":80", Err(HostError::Empty)),
            (".", Err(HostError::Empty)),
            ("a..b", Err(HostError::Malformed)),
            (".a", Err(HostError::Malformed)),
            ("a..", Err(HostError::Malformed)),
            ("user@a", Err(HostError::Malformed)),
            ("a/b", Err(HostError::Malformed)),
            ("é.example", Err(HostError::Malformed)),
            ("*.example", Err(HostError::Malformed)),
            ("::1", Err(HostError::Port)),
            ("[::1", Err(HostError::Malformed)),
            ("[::1]x", Err(HostError::Malformed)),
            ("[v1.a]", Err(HostError::Malformed)),
            ("a:b", Err(HostError::Port)),
            ("a:65536", Err(HostError::Port)),
            ("a:+1", Err(HostError::Port)),
        ] {
            assert_eq!(normalize_host(raw).as_deref(), normal.as_deref(), "{raw}");
        }
    }

    #[test]
    fn hosts_too_long_for_dns_are_refused() {
        assert_eq!(normalize_host(&"a".repeat(64)), Err(HostError::Long));
        assert_eq!(normalize_host(&["a"; 128].join(".")), Err(HostError::Long));
        assert!(normalize_host(&["a"; 127].join(".")).is_ok());
    }

    proptest! {
        #[test]
        fn normalising_a_path_twice_changes_nothing(raw in "/([/.%\\\\]|%[0-9a-fA-F]{2}|\\PC){0,24}") {
            if let Ok(once) = normalize_path(&raw) {
                let has_dots = once.split('/').any(|segment| matches!(segment, "." | ".."));
                prop_assert!(!has_dots, "{once}");
                let twice = normalize_path(&once);
                prop_assert_eq!(twice.as_deref(), Ok(&*once));
            }
        }

        #[test]
        fn normalising_a_host_twice_changes_nothing(raw in "[\\[\\]a-zA-F0-9.:@_-]{0,24}") {
            if let Ok(once) = normalize_host(&raw) {
                let twice = normalize_host(&once);
                prop_assert_eq!(twice.as_deref(), Ok(&*once));
            }
        }

        #[test]
        fn a_host_is_what_the_app_sees_in_its_url(raw in "(xn--|0x|[a-zA-F0-9._-]){1,12}(:[0-9]{1,3})?") {
            if let Ok(host) = normalize_host(&raw) {
                let url = url::Url::parse(&format!("http://{raw}/")).map_err(|_| TestCaseError::fail(raw.clone()))?;
                let seen = url.host_str().unwrap_or_default();
                prop_assert_eq!(seen.strip_suffix('.').unwrap_or(seen), host);
            }
        }

        #[test]
        fn no_text_makes_it_panic(raw in any::<String>()) {
            let _ = normalize_path(&raw);
            let _ = normalize_path(&format!("/{raw}"));
            let _ = normalize_host(&raw);
        }
    }
}
