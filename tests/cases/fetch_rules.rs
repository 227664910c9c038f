//! What `fetch()` may reach: public addresses, and what the config says.

use super::{answers, says};
use crate::support::{Nano, Setup, Upstream, ok};

/// An app that fetches what its query says, and answers with the text or the error.
fn fetcher() -> String {
    answers("fetch(url.searchParams.get('url')).then((r) => r.text()).catch(String)")
}

fn ask(nano: &Nano, app: &str, url: &str) -> String {
    nano.get(app, &format!("/?url={url}")).text()
}

const FAILED: &str = "TypeError: fetch failed";

#[test]
fn without_a_rule_nothing_near_is_reached_in_any_spelling() {
    let upstream = Upstream::answering(|_| ok("", "secret"));
    let port = upstream.port;
    let nano = Setup::new().app("a", "", &fetcher()).start();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "127.0.0.1.",
    ] {
        assert_eq!(ask(&nano, "a", &format!("http://{host}:{port}/")), FAILED, "{host}");
    }
    assert_eq!(upstream.connections().0, 0, "nobody was even connected to");
    let line = nano.console("is not a public address");
    assert_eq!((&line["level"], &line["app"]), (&"warn".into(), &"a".into()));
    assert!(line["request_id"].is_string());
    nano.console(&format!("fetch {{ allow \"127.0.0.1:{port}\"; }}"));
    nano.console(&format!("fetch {{ allow \"localhost:{port}\"; }}"));
}

#[test]
fn allow_opens_and_deny_closes() {
    let upstream = Upstream::answering(|_| ok("", "reached"));
    let port = upstream.port;
    let nano = Setup::new()
        .app("by-name", "fetch { allow \"localhost\"; }", &fetcher())
        .app("by-network", "fetch { allow \"127.0.0.0/8\"; }", &fetcher())
        .app("by-port", &format!("fetch {{ allow \"127.0.0.1:{port}\"; }}"), &fetcher())
        .app("by-other-port", "fetch { allow \"127.0.0.1:1\"; }", &fetcher())
        .app("denied", &format!("fetch {{ allow \"*\"; deny \"*:{port}\"; }}"), &fetcher())
        .app("denied-name", "fetch { allow \"*\"; deny \"localhost\"; }", &fetcher())
        .app("own-list", "fetch { deny \"192.0.2.1\"; }", &fetcher())
        .config("defaults { fetch { allow \"127.0.0.1\"; deny \"localhost\"; }; }\n")
        .start();
    let (name, address) = (format!("http://localhost:{port}/"), format!("http://127.0.0.1:{port}/"));
    for (app, by_name, by_address) in [
        ("by-name", FAILED, FAILED),
        ("by-network", FAILED, "reached"),
        ("by-port", FAILED, "reached"),
        ("by-other-port", FAILED, FAILED),
        ("denied", FAILED, FAILED),
        ("denied-name", FAILED, "reached"),
        // Its `deny` replaces that of the defaults, whose `allow` stays.
        ("own-list", "reached", "reached"),
    ] {
        assert_eq!(ask(&nano, app, &name), by_name, "{app} by name");
        assert_eq!(ask(&nano, app, &address), by_address, "{app} by address");
    }
    nano.console("the rule deny \"localhost\" forbids it");
}

#[test]
fn every_hop_of_a_redirect_is_checked() {
    let hidden = Upstream::answering(|_| ok("", "secret"));
    let open = Upstream::echo();
    let nano = Setup::new().app("a", &format!("fetch {{ allow \"127.0.0.1:{}\"; }}", open.port), &fetcher()).start();
    let url = open.url(&format!("/redirect/302?{}", hidden.url("/")));
    assert_eq!(ask(&nano, "a", &url), FAILED);
    assert_eq!(open.seen().len(), 1);
    assert_eq!(hidden.connections().0, 0);
}

#[test]
fn the_admin_address_is_never_reached() {
    let nano =
        Setup::new().app("a", "fetch { allow \"*\" \"127.0.0.0/8\" \"0.0.0.0/0\" \"::/0\"; }", &fetcher()).start();
    let port = nano.setup().admin_port();
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        assert_eq!(ask(&nano, "a", &format!("http://{host}:{port}/metrics")), FAILED, "{host}");
    }
    nano.console(&format!("127.0.0.1:{port} is nano's admin address"));
}

#[test]
fn nano_s_own_listeners_are_reached_only_by_their_port() {
    let setup = Setup::new().listener("web", "").listener("inner", "");
    let nano = setup
        .app("wide", "fetch { allow \"127.0.0.0/8\" \"localhost\"; }", &fetcher())
        .claim("b", "listen \"inner\"")
        .file("b/index.js", says("from b"))
        .start();
    let inner = nano.port_of("inner");
    let url = format!("http://127.0.0.1:{inner}/");
    assert_eq!(ask(&nano, "wide", &url), FAILED);
    nano.console(&format!("127.0.0.1:{inner} is a listener of nano's own; fetch {{ allow \"127.0.0.1:{inner}\"; }}"));
    let mut nano = nano;
    assert!(nano.change(|setup| setup.app("narrow", &format!("fetch {{ allow \"localhost:{inner}\"; }}"), &fetcher())));
    assert_eq!(ask(&nano, "narrow", &format!("http://localhost:{inner}/")), "from b");
    assert_eq!(ask(&nano, "narrow", &url), FAILED);
}

#[test]
fn a_listener_that_comes_with_a_reload_is_guarded_too() {
    let mut nano = Setup::new().listener("web", "").app("a", "fetch { allow \"127.0.0.0/8\"; }", &fetcher()).start();
    assert!(
        nano.change(|setup| setup.listener("later", "").claim("b", "listen \"later\"").file("b/index.js", says("b")))
    );
    let later = nano.port_of("later");
    assert_eq!(ask(&nano, "a", &format!("http://127.0.0.1:{later}/")), FAILED);
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    let (proxy, upstream) = (Upstream::answering(|_| ok("", "proxy")), Upstream::answering(|_| ok("", "direct")));
    let mut setup = Setup::new().app("a", "fetch { allow \"127.0.0.1\"; }", &fetcher());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        setup = setup.variable(name, proxy.url("/"));
    }
    assert_eq!(ask(&setup.start(), "a", &upstream.url("/")), "direct");
    assert_eq!(proxy.connections().0, 0);
}

#[test]
fn a_name_that_is_none_and_a_port_that_is_closed_are_told_in_the_log_alone() {
    let closed = crate::support::free_port();
    let nano = Setup::new().app("a", "fetch { allow \"127.0.0.1\"; }", &fetcher()).start();
    assert_eq!(ask(&nano, "a", "http://no-such-name.invalid/"), FAILED);
    nano.console("fetch http://no-such-name.invalid: the name could not be looked up");
    assert_eq!(ask(&nano, "a", &format!("http://127.0.0.1:{closed}/")), FAILED);
    nano.console(&format!("127.0.0.1:{closed} could not be connected to"));
}
