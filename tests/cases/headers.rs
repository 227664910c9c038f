//! Header fields on their way in and out.

use super::{answers, says};
use crate::support::{Nano, Request, Setup};

const ECHO: &str = "Object.fromEntries(request.headers)";

fn echo(listener: &str) -> Nano {
    Setup::new().listener("web", listener).app("echo", "", &answers(ECHO)).start()
}

#[test]
fn every_response_carries_a_fresh_request_id() {
    let nano = Setup::new().app("a", "", &says("a")).app("broken", "", "export default {").start();
    let answers = [nano.get("a", "/"), nano.get("a", "/"), nano.get("nobody", "/"), nano.get("broken", "/")];
    let ids: Vec<_> = answers.iter().map(|answer| answer.header("x-request-id").expect("an id")).collect();
    for (at, id) in ids.iter().enumerate() {
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'), "a UUIDv7: {id}");
        assert!(!ids[..at].contains(id), "{id} was given twice");
    }
}

#[test]
fn only_a_trusted_proxy_chooses_the_request_id() {
    let request = Request::get("echo", "/").header("x-request-id", "chosen-outside");
    assert_ne!(echo("").send(&request).header("x-request-id"), Some("chosen-outside"));
    let nano = echo(r#"trust-proxy "127.0.0.0/8""#);
    let answer = nano.send(&request);
    assert_eq!(answer.header("x-request-id"), Some("chosen-outside"));
    assert_eq!(nano.access_of(&answer)["request_id"], "chosen-outside");
}

#[test]
fn only_a_trusted_proxy_says_who_the_client_is() {
    let request = Request::get("echo", "/").header("x-forwarded-for", "203.0.113.9");
    let nano = echo("");
    let answer = nano.send(&request);
    assert!(!answer.text().contains("203.0.113.9"), "{}", answer.text());
    assert_eq!(nano.access_of(&answer)["client"], "127.0.0.1");

    let nano = echo(r#"trust-proxy "127.0.0.0/8""#);
    let answer = nano.send(&request);
    assert!(answer.text().contains("203.0.113.9"), "{}", answer.text());
    assert_eq!(nano.access_of(&answer)["client"], "203.0.113.9");
}

#[test]
fn a_proxy_is_believed_no_further_than_the_last_address_it_vouches_for() {
    let nano = echo(r#"trust-proxy "127.0.0.0/8" "10.0.0.0/8""#);
    let answer = nano.send(&Request::get("echo", "/").header("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.1"));
    assert_eq!(nano.access_of(&answer)["client"], "203.0.113.9");
}

#[test]
fn only_a_trusted_proxy_says_that_the_client_used_https() {
    let request = Request::get("url", "/").header("x-forwarded-proto", "https");
    let url = |listener| Setup::new().listener("web", listener).app("url", "", &answers("request.url")).start();
    url("").send(&request).says("http://url.test/");
    url(r#"trust-proxy "127.0.0.0/8""#).send(&request).says("https://url.test/");
}

#[test]
fn date_and_server_are_there_unless_the_app_sets_them() {
    let own = r#"new Response("own", { headers: { server: "mine", date: "yesterday" } })"#;
    let own = format!("export default {{ fetch: () => {own} }};");
    let nano = Setup::new().app("plain", "", &says("plain")).app("own", "", &own).start();
    let plain = nano.get("plain", "/");
    assert_eq!(plain.header("server"), Some("nano"));
    assert!(plain.header("date").is_some_and(|date| date.ends_with(" GMT")));
    let own = nano.get("own", "/");
    assert_eq!((own.header("server"), own.header("date")), (Some("mine"), Some("yesterday")));
}

#[test]
fn hop_by_hop_fields_and_false_lengths_of_an_app_never_reach_the_wire() {
    let script = r#"export default { fetch: () => new Response("eleven byte", { headers: {
        "connection": "x-listed", "x-listed": "1", "keep-alive": "timeout=9", "transfer-encoding": "gzip",
        "upgrade": "h3", "proxy-connection": "close", "te": "gzip", "trailer": "x", "content-length": "3", "x-kept": "1",
    } }) };"#;
    let nano = Setup::new().app("rude", "", script).start();
    let answer = nano.get("rude", "/");
    answer.says("eleven byte");
    assert_eq!(answer.header("content-length"), Some("11"));
    assert_eq!(answer.header("x-kept"), Some("1"));
    for name in ["keep-alive", "transfer-encoding", "upgrade", "proxy-connection", "te", "trailer", "x-listed"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn a_response_cannot_be_split() {
    let attempts = [
        r#"new Response("", { headers: { "x-a": "1\r\nx-evil: 1" } })"#,
        r#"new Response("", { headers: { "x-a": "1\nx-evil: 1" } })"#,
        r#"new Response("", { headers: { "x-a": "1\0" } })"#,
        r#"new Response("", { headers: { "x-a: 1\r\nx-evil": "1" } })"#,
        r#"new Response("", { headers: [["", "1"]] })"#,
        r#"new Response("", { headers: { "x-a": "snow \u2603" } })"#,
        r#"new Response("", { statusText: "OK\r\nx-evil: 1" })"#,
        r#"Response.redirect("/a\r\nx-evil: 1", 302)"#,
    ];
    for attempt in attempts {
        let caught = format!("(() => {{ try {{ {attempt}; return \"made\"; }} catch (e) {{ return e.name; }} }})()");
        let thrown = format!("export default {{ fetch: () => {attempt} }};");
        let nano = Setup::new().app("caught", "", &answers(&caught)).app("thrown", "", &thrown).start();
        assert_eq!(nano.get("caught", "/").text(), "TypeError", "{attempt}");
        let answer = nano.get("thrown", "/");
        answer.fails(500, "app_error");
        assert_eq!(answer.header("x-evil"), None);
    }
}

#[test]
fn set_cookie_fields_stay_apart_and_latin1_bytes_stay_as_they_are() {
    let script = r#"export default { fetch: () => new Response("", { headers: [
        ["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-list", "1"], ["x-list", "2"], ["x-latin", "caf\u00e9"],
    ] }) };"#;
    let answer = Setup::new().app("many", "", script).start().get("many", "/");
    assert_eq!(answer.header_all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.header_all("x-list").join(", "), "1, 2");
    assert_eq!(answer.header("x-latin"), Some("caf\u{fffd}"), "one byte, 0xE9, which is no UTF-8");
}

#[test]
fn repeated_request_fields_reach_the_app_as_one_list() {
    let nano = echo("");
    let answer = nano.send(&Request::get("echo", "/").header("X-Many", "1").header("x-many", "2"));
    assert_eq!(answer.json()["x-many"], "1, 2");
}

#[test]
fn a_request_field_is_the_same_asked_for_alone_and_among_all() {
    let app = r#"
        export default {
          fetch(request) {
            const { headers } = request;
            const name = new URL(request.url).searchParams.get("name");
            const alone = [headers.get(name), headers.has(name)];
            const all = new Headers([...headers]);
            for (const change of [() => headers.set(name, "x"), () => headers.delete(name)]) {
              try {
                change();
                return new Response("changed");
              } catch {}
            }
            return Response.json({ alone, all: [all.get(name), all.has(name)], later: headers.get(name) });
          },
        };
    "#;
    let nano = Setup::new().app("ask", "", app).start();
    let expected = [
        ("x-once", Some("a")),
        ("X-ONCE", Some("a")),
        ("x-twice", Some("b, c")),
        ("x-empty", Some("")),
        ("x-bytes", Some("\u{c3}\u{bc}")),
        ("x-none", None),
    ];
    for (name, value) in expected {
        let request = Request::get("ask", &format!("/?name={name}"))
            .header("x-once", "a")
            .header("x-twice", "b")
            .header("x-twice", "c")
            .header("x-empty", "")
            .header("x-bytes", "\u{fc}");
        let seen: serde_json::Value = serde_json::from_str(&nano.send(&request).text()).unwrap();
        let both = serde_json::json!([value, value.is_some()]);
        assert_eq!((&seen["alone"], &seen["all"], &seen["later"]), (&both, &both, &both[0]), "{name}");
    }
}

#[test]
fn what_was_not_read_of_a_request_that_is_over_is_said_to_be_gone() {
    let app = r#"
        const kept = [];
        const read = (name, look) => { try { return `${name} ${look()}`; } catch (error) { return `${name} ${error}`; } };
        export default {
            fetch(request) {
                kept.push(request);
                if (new URL(request.url).pathname !== "/kept") return new Response("kept");
                const [before] = kept;
                return new Response([
                    read("url", () => new URL(before.url).pathname),
                    read("method", () => before.method),
                    read("host", () => before.headers.get("host")),
                    read("all", () => [...before.headers].length),
                ].join("\n"));
            },
        };
    "#;
    let nano = Setup::new().app("a", "", app).start();
    nano.get("a", "/first").says("kept");
    let gone = "TypeError: the request is over, and what was not read of it by then is gone";
    nano.get("a", "/kept").says(&format!("url /first\nmethod {gone}\nhost {gone}\nall {gone}"));
}
