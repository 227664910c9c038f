//! URLs and form data (URL Standard §4, §5) over the `url` crate. A parsed URL crosses to the script as its text and
//! the offsets of its components, so that the getters of `URL` need not come back here.

use std::borrow::Cow;

use url::{Position, Url, form_urlencoded, quirks};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::value::{self, Buffer};
use crate::runtime::{self, Op};

/// The native functions of `url.js` and `url_search_params.js`.
pub const OPS: &[Op] = crate::ops![url_parse, url_set, form_parse, form_serialize];

/// How many parts of form data are gone through between two looks at whether a limit has struck meanwhile.
const LOOK_EVERY: u32 = 1024;

/// The longest URL there is, as text that is parsed and in its normal form. Browsers' limits are near it.
const LONGEST: usize = 2 << 20;

/// `url_parse(input, base?)`: see [`return_url`]; `undefined` if there is no such URL.
fn url_parse(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (mut input_buffer, mut base_buffer) = (value::buffer(), value::buffer());
    let Some(input) = input(scope, &args, 0, &mut input_buffer) else { return };
    let base = if args.get(1).is_undefined() {
        None
    } else {
        let Some(base) = self::input(scope, &args, 1, &mut base_buffer) else { return };
        let Ok(base) = parse(&base, None) else { return };
        Some(base)
    };
    if let Ok(url) = parse(&input, base.as_ref())
        && url.as_str().len() <= LONGEST
    {
        return_url(scope, &mut rv, &url);
    }
}

/// §4.4 "basic URL parser", over the crate's.
fn parse(input: &str, base: Option<&Url>) -> Result<Url, url::ParseError> {
    let input = match base {
        Some(base) => without_extra_slashes(input, base),
        None => input.into(),
    };
    let mut url = Url::options().base_url(base).parse(&input)?;
    conform(&mut url);
    Ok(url)
}

/// "Special authority ignore slashes state": `///host` is `//host` to a special base, where the crate finds no host.
fn without_extra_slashes<'a>(input: &'a str, base: &Url) -> Cow<'a, str> {
    if !is_special(base) || base.scheme() == "file" {
        return input.into();
    }
    let reference = input.trim_start_matches(|character: char| character <= ' ');
    let rest = reference.trim_start_matches(['/', '\\', '\t', '\n', '\r']);
    let slashes = &reference.as_bytes()[..reference.len() - rest.len()];
    match slashes.iter().filter(|byte| matches!(byte, b'/' | b'\\')).count() {
        0..=2 => input.into(),
        _ => format!("//{rest}").into(),
    }
}

/// §4.2 "special scheme".
fn is_special(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https" | "ws" | "wss" | "ftp" | "file")
}

/// Sets right what the crate has made otherwise than the standard, where that would change what a URL means once it is
/// parsed again, or where apps meet it.
fn conform(url: &mut Url) {
    // §4.4 "opaque path state": the last space before a query or fragment, or it would be lost with them.
    if url.cannot_be_a_base() {
        if url.path().ends_with(' ') {
            let (before, path, after) = around_path(url);
            reparse(url, &[before, &path[..path.len() - 1], "%20", after].concat());
        }
        return;
    }
    // "Path percent-encode set": it has U+005E (^).
    if url.path().contains('^') {
        let (before, path, after) = around_path(url);
        reparse(url, &[before, &path.replace('^', "%5E"), after].concat());
    }
    // §4.5 "URL serializing", step 3: two slashes must not be taken for those before a host.
    let (before, path, after) = around_path(url);
    if path.starts_with("//") && before.ends_with(':') {
        reparse(url, &[before, "/.", path, after].concat());
    }
}

/// The URL's path, with the text before and after it.
fn around_path(url: &Url) -> (&str, &str, &str) {
    let (path, end) = (url.path(), url[..Position::AfterPath].len());
    (&url.as_str()[..end - path.len()], path, &url.as_str()[end..])
}

fn reparse(url: &mut Url, text: &str) {
    if let Ok(parsed) = Url::parse(text) {
        *url = parsed;
    }
}

/// `url_set(href, part, value)`: the URL with one part changed as the setter named `part` does; `undefined` if the
/// setter leaves it as it is, a `TypeError` if it would become too long.
fn url_set(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (mut buffers, mut part_buffer) = ((value::buffer(), value::buffer()), value::buffer());
    let Some(href) = value::text(scope, &args, 0, &mut buffers.0) else { return };
    let Some(part) = value::text(scope, &args, 1, &mut part_buffer) else { return };
    let Some(text) = input(scope, &args, 2, &mut buffers.1) else {
        return value::throw_type_error(scope, "Invalid URL");
    };
    let Ok(mut url) = Url::parse(&href) else { return };
    if set(&mut url, &part, &text).is_err() {
        return;
    }
    if url.as_str().len() > LONGEST {
        return value::throw_type_error(scope, "Invalid URL");
    }
    return_url(scope, &mut rv, &url);
}

/// Argument `index`; `None` if it is longer than any URL here.
fn input<'a>(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    index: i32,
    buffer: &'a mut Buffer,
) -> Option<Cow<'a, str>> {
    let fits = Local::<v8::String>::try_from(args.get(index)).is_ok_and(|string| string.length() <= LONGEST);
    fits.then(|| value::text(scope, args, index, buffer)).flatten()
}

fn set(url: &mut Url, part: &str, text: &str) -> Result<(), ()> {
    match part {
        "protocol" => quirks::set_protocol(url, text),
        "username" => quirks::set_username(url, text),
        "password" => quirks::set_password(url, text),
        "host" => set_host(url, |url| quirks::set_host(url, text)),
        "hostname" => set_host(url, |url| quirks::set_hostname(url, text)),
        // "Port state": what is empty but for tabs and line breaks is no port; only what is empty takes it away.
        "port" if !text.is_empty() && is_blank(text) => Err(()),
        "port" => quirks::set_port(url, text),
        "pathname" => {
            set_path(url, text);
            Ok(())
        }
        "search" => {
            quirks::set_search(url, text);
            Ok(())
        }
        "hash" => {
            quirks::set_hash(url, text);
            Ok(())
        }
        _ => Err(()),
    }
}

/// Whether nothing is left of `text` once the parser has removed tabs and line breaks.
fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r'))
}

/// Sets a host by `set`. The `/.` that kept a path from being taken for one goes.
fn set_host(url: &mut Url, set: impl FnOnce(&mut Url) -> Result<(), ()>) -> Result<(), ()> {
    let (before, path, _) = around_path(url);
    let path = before.ends_with(":/.").then(|| path.to_owned());
    set(url)?;
    if let Some(path) = path
        && url.has_authority()
    {
        let (before, after) = (&url[..Position::BeforePath], &url[Position::AfterPath..]);
        reparse(url, &[before, &path, after].concat());
    }
    Ok(())
}

/// The `pathname` setter.
fn set_path(url: &mut Url, text: &str) {
    if url.cannot_be_a_base() {
        return;
    }
    let (before, _, after) = around_path(url);
    if is_blank(text) && url.has_authority() && !is_special(url) {
        // "Path start state": the path becomes empty, where the crate's would be a slash.
        reparse(url, &[before, after].concat());
        return;
    }
    if let Some(before) = before.strip_suffix("/.") {
        // The crate would keep this for the new path.
        reparse(url, &[before, "/", after].concat());
    }
    quirks::set_pathname(url, text);
    conform(url);
}

/// Returns `[href, …offsets]`: the ends of scheme, username and password, then start and end of the host, the end of
/// the port, start and end of the path, and the end of the query. A URL is ASCII: bytes are UTF-16 units.
fn return_url(scope: &mut PinScope<'_, '_>, rv: &mut ReturnValue<'_, Value>, url: &Url) {
    let href = v8::String::new_from_one_byte(scope, url.as_str().as_bytes(), v8::NewStringType::Normal);
    let Some(href) = href else { return value::throw_range_error(scope, "the URL is too long") };
    let mut parts: [Local<'_, Value>; 11] = [href.into(); 11];
    for (part, offset) in parts[1..].iter_mut().zip(offsets(url)) {
        *part = v8::Integer::new_from_unsigned(scope, offset as u32).into();
    }
    rv.set(v8::Array::new_with_elements(scope, &parts).into());
}

fn offsets(url: &Url) -> [usize; 10] {
    let at = |position: Position| url[..position].len();
    let scheme_end = url.scheme().len();
    // Without an authority all of its parts are empty, right after the scheme's colon. (The crate's positions are
    // of no use then: a path that begins with two slashes has `/.` before it, which belongs to neither.)
    let [username_start, username_end, password_end, host_start, host_end, port_end] = if url.has_authority() {
        let username_end = at(Position::AfterUsername);
        let password_end = if url.password().is_some() { at(Position::AfterPassword) } else { username_end };
        let [username_start, host_start, host_end, port_end] =
            [Position::BeforeUsername, Position::BeforeHost, Position::AfterHost, Position::AfterPort].map(at);
        [username_start, username_end, password_end, host_start, host_end, port_end]
    } else {
        [scheme_end + 1; 6]
    };
    let [path_start, path_end, query_end] = [Position::BeforePath, Position::AfterPath, Position::AfterQuery].map(at);
    [
        scheme_end,
        username_start,
        username_end,
        password_end,
        host_start,
        host_end,
        port_end,
        path_start,
        path_end,
        query_end,
    ]
}

/// `form_parse(input, most?)`: names and values in turn (§5.1) of a text or bytes; a `TypeError` if they are more than
/// `most`.
fn form_parse(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (mut buffer, mut storage) = (value::buffer(), [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP]);
    let view = Local::<v8::ArrayBufferView>::try_from(args.get(0));
    let text;
    let bytes = match &view {
        Ok(view) => view.get_contents(&mut storage),
        Err(_) => {
            let Some(string) = value::text(scope, &args, 0, &mut buffer) else { return };
            text = string;
            text.as_bytes()
        }
    };
    let most = args.get(1).uint32_value(scope).filter(|_| args.length() > 1).unwrap_or(u32::MAX);
    let strings = v8::Array::new(scope, 0);
    // It inherits nothing, so that nobody's setters see what is put into it.
    let null = v8::null(scope).into();
    strings.set_prototype(scope, null);
    let parts = form_urlencoded::parse(bytes).flat_map(|(name, text)| [name, text]);
    for (index, part) in (0..).zip(parts) {
        if index % LOOK_EVERY == 0 && runtime::is_condemned(scope) {
            return;
        }
        if index == most {
            return value::throw_type_error(scope, "formData: the form has too many entries");
        }
        v8::scope!(let scope, scope);
        // No part is longer than the string it came from, but for U+FFFD in place of broken bytes.
        let Some(part) = v8::String::new(scope, &part) else {
            return value::throw_range_error(scope, "the form data are too long");
        };
        strings.set_index(scope, index, part.into());
    }
    rv.set(strings.into());
}

/// `form_serialize([name, value, …])` (§5.2).
fn form_serialize(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(list) = Local::<v8::Array>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a list");
    };
    let (mut form, mut granted) = (String::new(), 0);
    for at in 0..list.length() {
        if at % LOOK_EVERY == 0 && runtime::is_condemned(scope) {
            return;
        }
        v8::scope!(let scope, scope);
        let Some(text) = list.get_index(scope, at).and_then(|text| Local::<v8::String>::try_from(text).ok()) else {
            return value::throw_type_error(scope, "not a list of strings");
        };
        if !value::has_room_for(scope, text) {
            return;
        }
        let text = text.to_rust_string_lossy(scope);
        // Three bytes for one at most. The form doubles as it grows, and so does what is asked for.
        let longest = form.len() + 1 + text.len() * 3;
        if longest > granted {
            granted = longest * 2;
            if !runtime::has_room(scope, granted) {
                return value::throw_no_room(scope);
            }
        }
        match at {
            0 => {}
            at => form.push(if at % 2 == 0 { '&' } else { '=' }),
        }
        form.extend(form_urlencoded::byte_serialize(text.as_bytes()));
    }
    value::return_text(scope, &mut rv, &form);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> Vec<String> {
        let url = Url::parse(text).expect("a URL");
        let at = offsets(&url);
        let cut = |from: usize, to: usize| url.as_str()[from..to].to_owned();
        vec![
            cut(0, at[0]),
            cut(at[1], at[2]),
            cut(at[2], at[3]),
            cut(at[4], at[5]),
            cut(at[5], at[6]),
            cut(at[7], at[8]),
            cut(at[8], at[9]),
            cut(at[9], url.as_str().len()),
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
    fn extra_slashes_before_a_host_are_passed_over_where_the_base_is_special() {
        let http = Url::parse("http://a/b").expect("a URL");
        for input in ["///x/y", "\\/\\x/y", " ////x/y", "/\t/\n/x/y", "//x/y"] {
            assert_eq!(parse(input, Some(&http)).expect("a URL").as_str(), "http://x/y", "{input:?}");
        }
        assert_eq!(parse("/x///y", Some(&http)).expect("a URL").as_str(), "http://a/x///y");
        assert!(parse("///", Some(&http)).is_err());
        let other = Url::parse("web+a://a/b").expect("a URL");
        assert_eq!(parse("///x/y", Some(&other)).expect("a URL").as_str(), "web+a:///x/y");
    }

    #[test]
    fn carets_are_encoded_in_paths_alone() {
        assert_eq!(parse("http://x/a^b?c^d#e^f", None).expect("a URL").as_str(), "http://x/a%5Eb?c^d#e^f");
        assert_eq!(parse("mailto:a^b", None).expect("a URL").as_str(), "mailto:a^b");
        assert_eq!(parse("web+a:/.//^", None).expect("a URL").as_str(), "web+a:/.//%5E");
        let mut url = Url::parse("http://x/").expect("a URL");
        assert_eq!(set(&mut url, "pathname", "^"), Ok(()));
        assert_eq!(url.as_str(), "http://x/%5E");
    }

    #[test]
    fn a_url_means_the_same_when_it_is_parsed_again() {
        let mut url = Url::parse("web+a:/x?q").expect("a URL");
        assert_eq!(set(&mut url, "pathname", "//y"), Ok(()));
        assert_eq!(url.as_str(), "web+a:/.//y?q");
        assert_eq!(parse("web+a:/.//y?q", None).expect("a URL").as_str(), "web+a:/.//y?q");
        assert_eq!(parse("data:a  ?q#f", None).expect("a URL").as_str(), "data:a %20?q#f");
        assert_eq!(parse("data:a  #f", None).expect("a URL").as_str(), "data:a %20#f");
        assert_eq!(parse("data:a  ", None).expect("a URL").as_str(), "data:a");
    }

    #[test]
    fn setters_leave_no_dot_before_a_path_that_needs_none() {
        let set_to = |text: &str, part: &str, value: &str| {
            let mut url = parse(text, None).expect("a URL");
            assert_eq!(set(&mut url, part, value), Ok(()), "{text} {part}");
            assert_eq!(parse(url.as_str(), None).as_ref(), Ok(&url), "{text} {part}");
            String::from(url)
        };
        assert_eq!(set_to("web+a:/.//p?q#f", "hostname", "h"), "web+a://h//p?q#f");
        assert_eq!(set_to("web+a:/.//p", "host", ""), "web+a:////p");
        assert_eq!(set_to("web+a:/.//p?q#f", "pathname", "x"), "web+a:/x?q#f");
        assert_eq!(set_to("web+a:/.//p", "pathname", "//x"), "web+a:/.//x");
        assert_eq!(set_to("web+a:/.//p", "pathname", ""), "web+a:/");
        assert_eq!(set_to("web+a:///p?q", "pathname", ""), "web+a://?q");
        assert_eq!(set_to("web+a://h/p#f", "pathname", "\n"), "web+a://h#f");
        assert_eq!(set_to("http://h/p", "pathname", ""), "http://h/");
    }

    #[test]
    fn a_port_of_line_breaks_changes_nothing() {
        let mut url = parse("http://h:81/", None).expect("a URL");
        assert_eq!(set(&mut url, "port", "\n\t"), Err(()));
        assert_eq!(set(&mut url, "port", ""), Ok(()));
        assert_eq!(url.as_str(), "http://h/");
    }

    proptest! {
        // But for file URLs, where the crate takes drive letters otherwise than the standard.
        #[test]
        fn whatever_is_parsed_parses_to_itself(
            input in "(web\\+a|data|http):[/\\\\.^ ?#ab:@%é\t]{0,12}",
            base in proptest::option::of("(web\\+a|http)://?[/.^ ?#ab]{1,8}"),
        ) {
            let base = base.and_then(|base| parse(&base, None).ok());
            if let Ok(url) = parse(&input, base.as_ref()) {
                let again = parse(url.as_str(), None).map(String::from);
                prop_assert_eq!(again.as_deref(), Ok(url.as_str()));
                prop_assert_eq!(offsets(&url).is_sorted(), true);
            }
        }
    }

    #[test]
    fn an_unknown_part_changes_nothing() {
        let mut url = Url::parse("http://x/").expect("a URL");
        assert_eq!(set(&mut url, "origin", "http://y"), Err(()));
        assert_eq!(url.as_str(), "http://x/");
    }
}
