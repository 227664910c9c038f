use proptest::prelude::*;

use super::parser::{Failure, parse, parse_any};
use super::plain;
use super::set::{component, set};

fn href(text: &str, base: Option<&str>) -> Result<String, Failure> {
    let base = base.map(|base| parse(base, None).expect("a URL"));
    Ok(parse(text, base)?.serialize().0)
}

fn parts(text: &str) -> Vec<String> {
    let (text, at) = parse(text, None).expect("a URL").serialize();
    let cut = |from: usize, to: usize| text[from..to].to_owned();
    vec![
        cut(0, at[0]),
        cut(at[1], at[2]),
        cut(at[2], at[3]),
        cut(at[4], at[5]),
        cut(at[5], at[6]),
        cut(at[7], at[8]),
        cut(at[8], at[9]),
        cut(at[9], text.len()),
    ]
}

#[test]
fn offsets_mark_the_components() {
    assert_eq!(
        parts("http://me:pw@Example.com:8080/a/b?c=d#e"),
        ["http", "me", ":pw", "example.com", ":8080", "/a/b", "?c=d", "#e"]
    );
    assert_eq!(parts("https://me@x:1"), ["https", "me", "", "x", ":1", "/", "", ""]);
    assert_eq!(parts("https://x"), ["https", "", "", "x", "", "/", "", ""]);
    assert_eq!(parts("mailto:a@b?c"), ["mailto", "", "", "", "", "a@b", "?c", ""]);
    assert_eq!(parts("file:///x"), ["file", "", "", "", "", "/x", "", ""]);
    assert_eq!(parts("web+x:/.//p"), ["web+x", "", "", "", "", "//p", "", ""]);
}

#[test]
fn references_are_resolved() {
    let base = Some("http://a/b/c/d;p?q");
    for (reference, expected) in [
        ("g", "http://a/b/c/g"),
        ("../../g", "http://a/g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("#s", "http://a/b/c/d;p?q#s"),
        ("//g", "http://g/"),
        ("///x/y", "http://x/y"),
        ("\\/\\x/y", "http://x/y"),
        ("/\t/\n/x/y", "http://x/y"),
        ("%2E%2e/g", "http://a/b/g"),
        ("../../../g/./h/..?y#s", "http://a/g/?y#s"),
        ("/./g/.", "http://a/g/"),
    ] {
        assert_eq!(href(reference, base).as_deref(), Ok(expected), "{reference}");
    }
    assert_eq!(href("///", base), Err(Failure));
    assert_eq!(href("///x/y", Some("web+a://a/b")).as_deref(), Ok("web+a:///x/y"));
    assert_eq!(href("x", Some("data:a")), Err(Failure));
    assert_eq!(href("#x", Some("data:a")).as_deref(), Ok("data:a#x"));
}

#[test]
fn file_urls_keep_hosts_and_drives() {
    assert_eq!(href("/c:/foo", Some("file://host/path")).as_deref(), Ok("file://host/c:/foo"));
    assert_eq!(href("..", Some("file:///C:/a")).as_deref(), Ok("file:///C:/"));
    assert_eq!(href("file:C|/x", None).as_deref(), Ok("file:///C:/x"));
    assert_eq!(href("file:////x", None).as_deref(), Ok("file:////x"));
    assert_eq!(href("file://localhost/x", None).as_deref(), Ok("file:///x"));
}

#[test]
fn hosts_are_of_every_kind() {
    for (host, expected) in [
        ("EXAMPLE.com", "example.com"),
        ("faß.de", "xn--fa-hia.de"),
        ("0x7f.1", "127.0.0.1"),
        ("1.2.3.", "1.2.0.3"),
        ("%31", "0.0.0.1"),
        ("[1:0:0:2::]", "[1:0:0:2::]"),
        ("[::1.2.3.4]", "[::102:304]"),
        ("[::]", "[::]"),
        ("[1::]", "[1::]"),
        ("[0:0:1:0:0:0:1:0]", "[0:0:1::1:0]"),
    ] {
        let expected = format!("http://{expected}/");
        assert_eq!(href(&format!("http://{host}/"), None).as_deref(), Ok(&*expected), "{host}");
    }
    for host in
        ["", "a b", "1.2.3.4.5", "256", "0x1.x.0x", "[1]", "[::1", "[1:2:3:4:5:6:7::8:9]", "[::1.2.3.04]", "a%00"]
    {
        let host = if host == "256" { "4294967296" } else { host };
        assert_eq!(href(&format!("http://{host}/"), None), Err(Failure), "{host}");
    }
    assert_eq!(href("web+a://a%41é/", None).as_deref(), Ok("web+a://a%41%C3%A9/"));
    assert_eq!(href("web+a://a b/", None), Err(Failure));
}

#[test]
fn a_url_means_the_same_when_it_is_parsed_again() {
    assert_eq!(href("web+a:/.//y?q", None).as_deref(), Ok("web+a:/.//y?q"));
    assert_eq!(href("data:a  ?q#f", None).as_deref(), Ok("data:a %20?q#f"));
    assert_eq!(href("data:a  #f", None).as_deref(), Ok("data:a %20#f"));
    assert_eq!(href("data:a  ", None).as_deref(), Ok("data:a"));
    assert_eq!(href("http://x/a^b?c^d#e^f", None).as_deref(), Ok("http://x/a%5Eb?c^d#e^f"));
}

#[test]
fn setters_change_what_they_can() {
    let set_to = |text: &str, part: &str, value: &str| {
        let mut url = parse(text, None).expect("a URL");
        set(&mut url, part, value);
        let text = url.serialize().0;
        assert_eq!(parse(&text, None).as_ref(), Ok(&url), "{text} {part}");
        text
    };
    assert_eq!(set_to("web+a:/.//p?q#f", "hostname", "h"), "web+a://h//p?q#f");
    assert_eq!(set_to("web+a:/.//p", "host", ""), "web+a:////p");
    assert_eq!(set_to("web+a:/.//p?q#f", "pathname", "x"), "web+a:/x?q#f");
    assert_eq!(set_to("web+a:/.//p", "pathname", "//x"), "web+a:/.//x");
    assert_eq!(set_to("web+a:/.//p", "pathname", ""), "web+a:/");
    assert_eq!(set_to("web+a:///p?q", "pathname", ""), "web+a://?q");
    assert_eq!(set_to("web+a://h/p#f", "pathname", "\n"), "web+a://h#f");
    assert_eq!(set_to("http://h/p", "pathname", ""), "http://h/");
    assert_eq!(set_to("http://h:81/", "port", "\n\t"), "http://h:81/");
    assert_eq!(set_to("http://h:81/", "port", ""), "http://h/");
    assert_eq!(set_to("http://h:81/", "port", "80x"), "http://h/");
    assert_eq!(set_to("http://h:81/", "port", "65536"), "http://h:81/");
    assert_eq!(set_to("http://h/", "protocol", "https"), "https://h/");
    assert_eq!(set_to("http://h/", "protocol", "web+a"), "http://h/");
    assert_eq!(set_to("http://h/", "host", "x:8"), "http://x:8/");
    assert_eq!(set_to("http://h/", "host", ""), "http://h/");
    assert_eq!(set_to("http://h/", "username", "a:b"), "http://a%3Ab@h/");
    assert_eq!(set_to("file:///x", "username", "a"), "file:///x");
    assert_eq!(set_to("http://h/", "origin", "http://y"), "http://h/");
}

#[test]
fn components_are_written_as_in_urls() {
    for (part, text, scheme, expected) in [
        ("protocol", "HTTP", "", Some("http")),
        ("protocol", "a b", "", None),
        ("hostname", "EX.com", "", Some("ex.com")),
        ("hostname", "a/b", "https", Some("a")),
        ("port", "80", "http", Some("")),
        ("port", "80", "", Some("80")),
        ("port", "x", "", None),
        ("pathname", "a b", "", Some("a%20b")),
        ("pathname", "/a/../b", "", Some("/b")),
        ("opaque", "a b", "", Some("a b")),
        ("search", "a'b c", "", Some("a%27b%20c")),
        ("hash", "`", "", Some("%60")),
    ] {
        assert_eq!(component(part, text, scheme).as_deref(), expected, "{part} {text}");
    }
}

#[test]
fn usual_urls_are_plain() {
    for text in [
        "https://api.example.com/v1/users?page=2&sort=desc#top",
        "http://localhost:8080/",
        "https://a-b.c1.example/%20/a.b/?",
    ] {
        assert!(plain::offsets(text.as_bytes()).is_some(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_plain_is_what_the_parser_makes_of_it(
        scheme in prop::sample::select(vec!["http", "https"]),
        host in r"[a-z0-9A-Z.x-]{0,6}(xn--)?[a-z0.]{0,4}|localhost",
        rest in r"(:[0-9]{0,5})?(/[/.a%2eE\\?#'^`{} ~é\t]{0,8})?",
    ) {
        let text = format!("{scheme}://{host}{rest}");
        if let Some(offsets) = plain::offsets(text.as_bytes()) {
            let url = parse_any(&text, None);
            prop_assert_eq!(plain::record(&text).ok_or(Failure), url.clone());
            prop_assert_eq!(url.map(|url| url.serialize()), Ok((text, offsets)));
        }
    }

    #[test]
    fn a_plain_reference_is_what_the_parser_makes_of_it(
        reference in r"(/?(\.\.|\.|a|%2e|b:|\\| |é|)){0,5}(\?[a'#?]{0,3})?(#[a`?#]{0,3})?",
        base in r"https?://h(:8)?(/[a.]{0,2}){1,3}(\?q/)?(#f/)?",
    ) {
        if let Some(resolved) = plain::resolve(&reference, &base) {
            let base = parse_any(&base, None).ok();
            prop_assert_eq!(Ok(resolved), parse_any(&reference, base).map(|url| url.serialize()));
        }
    }

    #[test]
    fn whatever_is_parsed_parses_to_itself(
        input in "(web\\+a|data|http|file)?:?[/\\\\.^ ?#ab:@%é|\t\\[\\]0-9]{0,12}",
        base in proptest::option::of("(web\\+a|http|file)://?[/.^ ?#ab:|]{1,8}"),
    ) {
        let base = base.and_then(|base| parse(&base, None).ok());
        if let Ok(url) = parse(&input, base) {
            let (text, offsets) = url.serialize();
            prop_assert!(offsets.is_sorted());
            prop_assert_eq!(parse(&text, None), Ok(url));
        }
    }

    #[test]
    fn no_setter_breaks_a_url(
        url in "(web\\+a|http|file)://?[/.ab:|]{1,8}",
        part in prop::sample::select(vec!["protocol", "username", "host", "hostname", "port", "pathname", "search", "hash"]),
        text in "[/\\\\.^ ?#ab:@%é|\t0-9]{0,8}",
    ) {
        if let Ok(mut url) = parse(&url, None) {
            set(&mut url, part, &text);
            prop_assert_eq!(parse(&url.serialize().0, None), Ok(url));
        }
    }
}
