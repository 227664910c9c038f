//! What the setters of `URL` do to a record (URL Standard §6.1), and the same on its own for patterns (URL Pattern
//! Standard §3.1).

use super::parser::{self, State};
use super::percent::{self, Set};
use super::record::{Record, is_special};

/// The setter named `part`. What it cannot set, it leaves as it was.
pub(super) fn set(url: &mut Record, part: &str, text: &str) {
    // A failure says that nothing more is changed.
    let change = |url: &mut Record, text: &str, state| {
        let _ = parser::change(text, url, state);
    };
    match part {
        "protocol" => change(url, &format!("{text}:"), State::SchemeStart),
        "username" | "password" if url.is_without_authority() => {}
        "username" => url.username = userinfo(text),
        "password" => url.password = userinfo(text),
        "host" if !url.is_opaque => change(url, text, State::Host),
        "hostname" if !url.is_opaque => change(url, text, State::Hostname),
        "port" if url.is_without_authority() => {}
        "port" if text.is_empty() => url.port = None,
        "port" => change(url, text, State::Port),
        "pathname" if !url.is_opaque => {
            url.path.clear();
            change(url, text, State::PathStart);
        }
        "search" if text.is_empty() => url.query = None,
        "search" => {
            url.query = Some(String::new());
            change(url, text.strip_prefix('?').unwrap_or(text), State::Query);
        }
        "hash" if text.is_empty() => url.fragment = None,
        "hash" => {
            url.fragment = Some(String::new());
            change(url, text.strip_prefix('#').unwrap_or(text), State::Fragment);
        }
        _ => {}
    }
}

fn userinfo(text: &str) -> String {
    let mut encoded = String::new();
    percent::encode(text, &Set::USERINFO, &mut encoded);
    encoded
}

/// "Canonicalize a …": `text` as a part of a URL of this scheme; `None` if it cannot be one.
pub(super) fn component(part: &str, text: &str, scheme: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let mut url = Record { scheme: "https".to_owned(), host: Some("dummy.invalid".to_owned()), ..Record::default() };
    match part {
        "protocol" => parser::parse(&format!("{text}://dummy.invalid/"), None).ok().map(|url| url.scheme),
        "username" | "password" => Some(userinfo(text)),
        "hostname" => {
            // Without a scheme, or of one that may be special, as for https.
            if !scheme.is_empty() && !is_special(scheme) {
                "nano".clone_into(&mut url.scheme);
            }
            parser::change(text, &mut url, State::Hostname).ok()?;
            url.host
        }
        "port" => {
            scheme.clone_into(&mut url.scheme);
            parser::change(text, &mut url, State::Port).ok()?;
            Some(url.port.map(|port| port.to_string()).unwrap_or_default())
        }
        "pathname" => {
            // What does not begin with a slash is not to get one.
            let is_absolute = text.starts_with('/');
            let text = if is_absolute { text.to_owned() } else { format!("/-{text}") };
            parser::change(&text, &mut url, State::PathStart).ok()?;
            Some(if is_absolute { url.path } else { url.path.get(2..).unwrap_or_default().to_owned() })
        }
        "opaque" => {
            url.is_opaque = true;
            "data".clone_into(&mut url.scheme);
            parser::change(text, &mut url, State::OpaquePath).ok()?;
            Some(url.path)
        }
        "search" => {
            url.query = Some(String::new());
            parser::change(text, &mut url, State::Query).ok()?;
            url.query
        }
        "hash" => {
            url.fragment = Some(String::new());
            parser::change(text, &mut url, State::Fragment).ok()?;
            url.fragment
        }
        _ => None,
    }
}
