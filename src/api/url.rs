//! URLs and form data (URL Standard §4, §5) over the `url` crate. A parsed URL crosses to the script as its text and
//! the offsets of its components, so that the getters of `URL` need not come back here.

use url::{Position, Url, form_urlencoded, quirks};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::value;
use crate::runtime::Op;

/// The native functions of `url.js` and `url_search_params.js`.
pub const OPS: &[Op] = crate::ops![url_parse, url_set, form_parse, form_serialize];

/// `url_parse(input, base?)`: see [`return_url`]; `undefined` if there is no such URL.
fn url_parse(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (mut input_buffer, mut base_buffer) = (value::buffer(), value::buffer());
    let Some(input) = value::text(scope, &args, 0, &mut input_buffer) else { return };
    let base = if args.get(1).is_undefined() {
        None
    } else {
        let Some(base) = value::text(scope, &args, 1, &mut base_buffer) else { return };
        let Ok(base) = Url::parse(&base) else { return };
        Some(base)
    };
    if let Ok(url) = Url::options().base_url(base.as_ref()).parse(&input) {
        return_url(scope, &mut rv, &url);
    }
}

/// `url_set(href, part, value)`: the URL with one part changed as the setter named `part` does; `undefined` if the
/// setter leaves it as it is.
fn url_set(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let (mut buffers, mut part_buffer) = ((value::buffer(), value::buffer()), value::buffer());
    let Some(href) = value::text(scope, &args, 0, &mut buffers.0) else { return };
    let Some(part) = value::text(scope, &args, 1, &mut part_buffer) else { return };
    let Some(text) = value::text(scope, &args, 2, &mut buffers.1) else { return };
    let Ok(mut url) = Url::parse(&href) else { return };
    if set(&mut url, &part, &text).is_ok() {
        return_url(scope, &mut rv, &url);
    }
}

fn set(url: &mut Url, part: &str, text: &str) -> Result<(), ()> {
    match part {
        "protocol" => quirks::set_protocol(url, text),
        "username" => quirks::set_username(url, text),
        "password" => quirks::set_password(url, text),
        "host" => quirks::set_host(url, text),
        "hostname" => quirks::set_hostname(url, text),
        "port" => quirks::set_port(url, text),
        "pathname" => {
            quirks::set_pathname(url, text);
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
        [
            Position::BeforeUsername,
            Position::AfterUsername,
            Position::AfterPassword,
            Position::BeforeHost,
            Position::AfterHost,
            Position::AfterPort,
        ]
        .map(at)
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

/// `form_parse(text)`: names and values in turn (§5.1).
fn form_parse(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let mut buffer = value::buffer();
    let Some(text) = value::text(scope, &args, 0, &mut buffer) else { return };
    let mut strings: Vec<Local<'_, Value>> = Vec::new();
    for (name, text) in form_urlencoded::parse(text.as_bytes()) {
        for part in [name, text] {
            // No part is longer than the string it came from, but for U+FFFD in place of broken bytes.
            let Some(part) = v8::String::new(scope, &part) else {
                return value::throw_range_error(scope, "the form data are too long");
            };
            strings.push(part.into());
        }
    }
    rv.set(v8::Array::new_with_elements(scope, &strings).into());
}

/// `form_serialize([name, value, …])` (§5.2).
fn form_serialize(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(list) = Local::<v8::Array>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not a list");
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    let mut at = 0;
    while at + 1 < list.length() {
        let (name, text) = (list.get_index(scope, at), list.get_index(scope, at + 1));
        let (Some(name), Some(text)) = (name, text) else { return };
        form.append_pair(&name.to_rust_string_lossy(scope), &text.to_rust_string_lossy(scope));
        at += 2;
    }
    value::return_text(scope, &mut rv, &form.finish());
}

#[cfg(test)]
mod tests {
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
        assert_eq!(parts("https://x"), ["https", "", "", "x", "", "/", "", ""]);
        assert_eq!(parts("mailto:a@b?c"), ["mailto", "", "", "", "", "a@b", "?c", ""]);
        assert_eq!(parts("file:///x"), ["file", "", "", "", "", "/x", "", ""]);
        assert_eq!(parts("web+x:/.//p"), ["web+x", "", "", "", "", "//p", "", ""]);
    }

    #[test]
    fn an_unknown_part_changes_nothing() {
        let mut url = Url::parse("http://x/").expect("a URL");
        assert_eq!(set(&mut url, "origin", "http://y"), Err(()));
        assert_eq!(url.as_str(), "http://x/");
    }
}
