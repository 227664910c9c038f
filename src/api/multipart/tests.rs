use proptest::prelude::*;

use super::*;

/// Name, file name and type, and bytes of a part.
type Entry = (String, Option<(String, String)>, Vec<u8>);

fn parse(bytes: &[u8], boundary: &str) -> Result<Vec<Entry>, Malformed> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Parts::new(bytes, boundary)?
        .map(|part| {
            let Part { name, file, start, end } = part?;
            let file = file.map(|(name, kind)| (text(&name), kind));
            Ok((text(&name), file, bytes[start..end].to_vec()))
        })
        .collect()
}

/// What a part with this disposition is called, and the file in it.
fn named(disposition: &str) -> Result<(String, Option<String>), Malformed> {
    let form = format!("--b\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n--b--\r\n");
    let (name, file, _) = parse(form.as_bytes(), "b")?.remove(0);
    Ok((name, file.map(|(name, _)| name)))
}

/// A form as browsers send it.
fn written(entries: &[Entry], boundary: &str) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, file, bytes) in entries {
        form.extend(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"").bytes());
        if let Some((name, kind)) = file {
            form.extend(format!("; filename=\"{name}\"\r\nContent-Type: {kind}").bytes());
        }
        form.extend(b"\r\n\r\n");
        form.extend(bytes);
        form.extend(b"\r\n");
    }
    form.extend(format!("--{boundary}--\r\n").bytes());
    form
}

#[test]
fn a_form_without_entries_is_one() {
    for form in ["--b--", "--b--\r\n", "\r\n--b-- \t\r\nepilogue"] {
        assert_eq!(parse(form.as_bytes(), "b"), Ok(vec![]), "{form:?}");
    }
}

#[test]
fn a_part_may_have_no_body_at_all() {
    let form = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\
                --b\r\nContent-Disposition: form-data; name=c\r\n\r\n\r\n--b--";
    let entry = |name: &str| (name.to_owned(), None, vec![]);
    assert_eq!(parse(form.as_bytes(), "b"), Ok(vec![entry("a"), entry("c")]));
}

#[test]
fn every_malformed_form_has_its_error() {
    const HEAD: &str = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n";
    for (form, error) in [
        (String::new(), Malformed::Start),
        ("b\r\n".to_owned(), Malformed::Start),
        ("preamble\r\n--b--\r\n".to_owned(), Malformed::Start),
        ("--b".to_owned(), Malformed::Cut),
        ("--b\r".to_owned(), Malformed::Cut),
        ("--b\r\n".to_owned(), Malformed::Cut),
        ("--b-".to_owned(), Malformed::Boundary),
        ("--b--junk".to_owned(), Malformed::Boundary),
        ("--bc\r\n".to_owned(), Malformed::Boundary),
        ("--b\n".to_owned(), Malformed::Boundary),
        (HEAD.to_owned(), Malformed::Cut),
        (format!("{HEAD}\r\nx"), Malformed::Cut),
        (format!("{HEAD}\r\nx--b--\r\n"), Malformed::Cut),
        (format!("{HEAD}\r\nx\n--b--\r\n"), Malformed::Cut),
        (format!("{HEAD}\r\nx\r\n--b"), Malformed::Cut),
        (format!("{HEAD}\r\nx\r\n--bb--\r\n"), Malformed::Boundary),
        (format!("{HEAD}\n\nx\r\n--b--\r\n"), Malformed::Header),
        (format!("{HEAD}X\r\n\r\nx\r\n--b--\r\n"), Malformed::Header),
        (format!("{HEAD}: x\r\n\r\nx\r\n--b--\r\n"), Malformed::Header),
        (format!("{HEAD}A b: x\r\n\r\nx\r\n--b--\r\n"), Malformed::Header),
        (format!("{HEAD}A: \0\r\n\r\nx\r\n--b--\r\n"), Malformed::Header),
        (format!("{HEAD}A: x\ry\r\n\r\nx\r\n--b--\r\n"), Malformed::Header),
        (format!("{HEAD}A: {}\r\n\r\nx\r\n--b--\r\n", "x".repeat(HEADERS)), Malformed::Headers),
        ("--b\r\n\r\nx\r\n--b--\r\n".to_owned(), Malformed::Disposition),
        ("--b\r\nA: b\r\n\r\nx\r\n--b--\r\n".to_owned(), Malformed::Disposition),
        (format!("{HEAD}Content-Disposition: form-data; name=b\r\n\r\nx\r\n--b--"), Malformed::Disposition),
    ] {
        assert_eq!(parse(form.as_bytes(), "b"), Err(error), "{form:?}");
    }
    assert_eq!(parse(b"--\r\n", ""), Err(Malformed::NoBoundary));
}

#[test]
fn dispositions_are_read_as_browsers_and_others_write_them() {
    let name = |name: &str| Ok((name.to_owned(), None));
    let file = |name: &str, file: &str| Ok((name.to_owned(), Some(file.to_owned())));
    for (text, result) in [
        (r#"form-data; name="a""#, name("a")),
        (r#"Form-Data ;NAME=a ; size=3"#, name("a")),
        (r#"form-data; name="""#, name("")),
        (r#"form-data; filename=f.txt; name=a"#, file("a", "f.txt")),
        (r#"form-data; name="a; b=c"; filename="d;e""#, file("a; b=c", "d;e")),
        // A quote as browsers write it stays as it is, and so do backslashes.
        (r#"form-data; name="a%22%0D%0A%25""#, name("a%22%0D%0A%25")),
        (r#"form-data; name="a"; filename="C:\new\""#, file("a", r"C:\new\")),
        (r#"form-data; name="a\"; filename="f""#, file(r"a\", "f")),
        // As Go and older curls write it.
        (r#"form-data; name="a \"b\" c"; filename="\"\"f""#, file(r#"a "b" c"#, r#"""f"#)),
        (r#"form-data; name="a"; filename*=UTF-8''b"#, name("a")),
        (r#"form-data; name="a"; filename="b"; filename*=UTF-8''c"#, file("a", "b")),
        (r#"form-data; name="ä"; filename="中.txt""#, file("ä", "中.txt")),
    ] {
        assert_eq!(named(text), result, "{text}");
    }
    for text in [
        "",
        "form-data",
        "form-data;",
        "attachment; name=\"a\"",
        "form-datax; name=\"a\"",
        "form-data name=\"a\"",
        "form-data; name",
        "form-data; name=",
        "form-data; name=\"a",
        "form-data; name=\"a\"b",
        "form-data; name=\"a\" filename=\"b\"",
        "form-data; name=\"a\"; name=\"b\"",
        "form-data; name=\"a\"; filename=b; filename=c",
        "form-data; name=a b",
        "form-data; na me=\"a\"; name=b",
        "form-data; =x; name=b",
        "form-data; filename=\"a\"",
        "form-data; name=\"a\"x\"",
        "form-data, name=\"a\"",
    ] {
        assert_eq!(named(text), Err(Malformed::Disposition), "{text}");
    }
}

#[test]
fn a_form_has_no_more_parts_than_allowed() {
    let entries = vec![("a".to_owned(), None, b"b".to_vec()); PARTS + 1];
    assert_eq!(parse(&written(&entries[1..], "b"), "b").map(|entries| entries.len()), Ok(PARTS));
    assert_eq!(parse(&written(&entries, "b"), "b"), Err(Malformed::Parts));
}

#[test]
fn what_nearly_is_a_boundary_takes_no_quadratic_time() {
    let boundary = format!("{}b", "\r\n--".repeat(10_000));
    let mut form = format!("--{boundary}\r\nContent-Disposition: form-data; name=a\r\n\r\n").into_bytes();
    form.extend("\r\n--".repeat(1_000_000).bytes());
    assert_eq!(parse(&form, &boundary), Err(Malformed::Cut));
    let quotes = format!("form-data; name=\"{}\"", r#"\"   "#.repeat(3000));
    assert!(named(&quotes).is_ok());
}

prop_compose! {
    /// Entries whose bytes do not contain the boundary.
    fn entries()(
        entries in proptest::collection::vec(
            (
                r"[^\r\n\x00\x22\\]{0,9}",
                proptest::option::of((r"[^\r\n\x00\x22\\]{0,9}", "[a-z]{1,5}/[a-z]{1,5}(;[a-z]=[a-z])?")),
                proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), any::<u8>()], 0..60),
            ),
            0..9,
        ),
    ) -> Vec<Entry> {
        entries
    }
}

/// Bytes that look like a form here and there.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        Just(b"--b".to_vec()),
        Just(b"\r\n--b".to_vec()),
        Just(b"--".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"Content-Disposition: form-data".to_vec()),
        Just(b"; name=\"".to_vec()),
        Just(b"; filename=\"".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"Content-Type: text/html".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..5),
    ];
    proptest::collection::vec(fragment, 0..40).prop_map(|fragments| fragments.concat())
}

proptest! {
    #[test]
    fn a_form_is_read_as_it_was_written(entries in entries()) {
        let boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
        prop_assert_eq!(parse(&written(&entries, boundary), boundary), Ok(entries));
    }

    #[test]
    fn any_bytes_are_a_form_or_an_error(bytes in fragments(), first in any::<bool>()) {
        let bytes = if first { [b"--b\r\n".to_vec(), bytes].concat() } else { bytes };
        if let Ok(entries) = parse(&bytes, "b") {
            for (_, _, body) in entries {
                prop_assert!(!String::from_utf8_lossy(&body).contains("\r\n--b"), "a part holds no boundary");
            }
        }
    }
}
