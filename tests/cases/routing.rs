//! Which app answers: listener, host, path.

use super::{answers, says};
use crate::support::{Nano, Request, Setup};

fn ask(nano: &Nano, host: &str, target: &str) -> String {
    nano.send(&Request::get("", target).header("host", host)).text()
}

fn hosts() -> Nano {
    Setup::new()
        .file("apex/index.js", says("apex"))
        .claim("apex", r#"host "example.test""#)
        .file("wild/index.js", says("wild"))
        .claim("wild", r#"host "*.example.test""#)
        .file("deep/index.js", says("deep"))
        .claim("deep", r#"host "*.deep.example.test""#)
        .file("www/index.js", says("www"))
        .claim("www", r#"host "www.example.test""#)
        .file("any/index.js", says("any"))
        .claim("any", "")
        .start()
}

#[test]
fn an_exact_host_goes_before_a_wildcard_and_that_before_no_host() {
    let nano = hosts();
    assert_eq!(ask(&nano, "www.example.test", "/"), "www");
    assert_eq!(ask(&nano, "other.example.test", "/"), "wild");
    assert_eq!(ask(&nano, "unknown.test", "/"), "any");
}

#[test]
fn a_wildcard_covers_many_labels_but_not_the_apex_and_the_longest_wins() {
    let nano = hosts();
    assert_eq!(ask(&nano, "a.b.example.test", "/"), "wild");
    assert_eq!(ask(&nano, "example.test", "/"), "apex");
    assert_eq!(ask(&nano, "x.deep.example.test", "/"), "deep");
    assert_eq!(ask(&nano, "deep.example.test", "/"), "wild");
    assert_eq!(ask(&nano, "notexample.test", "/"), "any");
}

#[test]
fn case_port_and_trailing_dot_of_a_host_do_not_matter() {
    let nano = hosts();
    for host in ["WWW.Example.TEST", "www.example.test:8080", "www.example.test.", "www.example.test.:1"] {
        assert_eq!(ask(&nano, host, "/"), "www", "{host}");
    }
}

#[test]
fn paths_match_exactly_first_then_by_the_longest_prefix_on_segment_boundaries() {
    let nano = Setup::new()
        .file("exact/index.js", says("exact"))
        .claim("exact", r#"path "/api/status""#)
        .file("api/index.js", says("api"))
        .claim("api", r#"path "/api/*""#)
        .file("v2/index.js", says("v2"))
        .claim("v2", r#"path "/api/v2/*" "/two/*""#)
        .file("rest/index.js", says("rest"))
        .claim("rest", "")
        .start();
    for (target, app) in [
        ("/api/status", "exact"),
        ("/api/status?x=1", "exact"),
        ("/api/status/more", "api"),
        ("/api", "api"),
        ("/api/", "api"),
        ("/apix", "rest"),
        ("/api/v2", "v2"),
        ("/api/v2/things", "v2"),
        ("/api/v20", "api"),
        ("/two/", "v2"),
        ("/", "rest"),
    ] {
        assert_eq!(ask(&nano, "any.test", target), app, "{target}");
    }
}

#[test]
fn matching_decodes_the_path_and_removes_its_dot_segments() {
    let nano = Setup::new()
        .file("api/index.js", says("api"))
        .claim("api", r#"path "/api/*""#)
        .file("rest/index.js", says("rest"))
        .claim("rest", "")
        .start();
    for (target, app) in [
        ("/%61pi/x", "api"),
        ("/x/../api/y", "api"),
        ("/x/%2e%2E/api/y", "api"),
        ("/api/../x", "rest"),
        ("/api%2Fx", "rest"), // an encoded slash is data
        ("/x\\..\\api\\y", "api"),
        ("/api%5Cx", "rest"),
        ("/api/..%2f..%2fx", "api"),
    ] {
        assert_eq!(ask(&nano, "any.test", target), app, "{target}");
    }
    nano.get("any", "/api/%00").fails(400, "bad_request");
}

#[test]
fn the_app_sees_the_path_as_it_was_sent() {
    let nano = Setup::new().app("raw", "", &answers("request.url")).start();
    nano.get("raw", "/%61pi/a%2Fb?q=%20+x").says("http://raw.test/%61pi/a%2Fb?q=%20+x");
}

#[test]
fn a_host_without_a_matching_path_leaves_the_request_to_the_next_class() {
    let nano = Setup::new()
        .file("shop/index.js", says("shop"))
        .claim("shop", "host \"shop.test\"\n    path \"/cart/*\"")
        .file("wild/index.js", says("wild"))
        .claim("wild", "host \"*.test\"\n    path \"/about\"")
        .file("any/index.js", says("any"))
        .claim("any", "")
        .start();
    assert_eq!(ask(&nano, "shop.test", "/cart/1"), "shop");
    assert_eq!(ask(&nano, "shop.test", "/about"), "wild");
    assert_eq!(ask(&nano, "shop.test", "/else"), "any");
}

#[test]
fn an_app_that_names_the_listener_goes_before_one_that_does_not() {
    let nano = Setup::new()
        .listener("web", "")
        .listener("other", "")
        .file("everywhere/index.js", says("everywhere"))
        .claim("everywhere", "")
        .file("here/index.js", says("here"))
        .claim("here", r#"listen "other""#)
        .start();
    assert_eq!(ask(&nano, "any.test", "/"), "everywhere");
    let mut other = crate::support::Conn::open(nano.port_of("other"));
    other.send(&Request::get("any", "/")).says("here");
}

#[test]
fn an_app_is_not_reached_on_a_listener_it_does_not_name() {
    let nano = Setup::new().listener("web", "").listener("other", "").app("here", r#"listen "other""#, &says("x"));
    nano.start().get("here", "/").fails(404, "no_route");
}

#[test]
fn what_no_app_claims_is_not_found() {
    let nano = Setup::new().app("known", r#"path "/a""#, &says("known")).start();
    for answer in [nano.get("unknown", "/a"), nano.get("known", "/b")] {
        answer.fails(404, "no_route");
        assert!(answer.json()["error"].get("app").is_none_or(serde_json::Value::is_null), "no app is to blame");
    }
}

#[test]
fn an_absolute_target_names_the_host_and_a_different_host_header_is_refused() {
    let nano = hosts();
    assert_eq!(ask(&nano, "www.example.test", "http://www.example.test/"), "www");
    let answer = nano.send(&Request::get("", "http://www.example.test/").header("host", "example.test"));
    assert_eq!(answer.status, 400);
}

#[test]
fn an_absolute_target_without_a_path_means_the_root() {
    let nano = Setup::new().app("raw", r#"path "/""#, &answers("request.url")).start();
    for (target, seen) in [("http://raw.test?x=1", "/?x=1"), ("http://raw.test", "/"), ("http://raw.test?", "/?")] {
        let answer = nano.send(&Request::get("", target).header("host", "raw.test"));
        answer.says(&format!("http://raw.test{seen}"));
    }
}
