//! What Prometheus reads, and the other admin answers.

use super::says;
use crate::support::{Conn, Nano, Request, Setup, eventually};

#[test]
fn every_promised_metric_is_there_under_its_name_and_labels() {
    let nano = Setup::new().app("a", "", &says("a")).app("bad", "", "export default { fetch() { throw 1; } };").start();
    nano.get("a", "/").says("a");
    nano.get("bad", "/").fails(500, "app_error");
    eventually("the answers to be counted", || {
        (nano.metric("nano_http_requests_total", &[("app", "bad"), ("method", "GET"), ("status", "500")]) == 1.0)
            .then_some(())
    });
    let metrics = nano.metrics();
    for (name, labels) in [
        ("nano_http_requests_total", &[("app", "a"), ("method", "GET"), ("status", "200")][..]),
        ("nano_http_request_duration_seconds_count", &[("app", "a")]),
        ("nano_http_request_duration_seconds_bucket", &[("app", "a"), ("le", "+Inf")]),
        ("nano_queue_wait_seconds_count", &[("app", "a")]),
        ("nano_http_in_flight", &[("app", "a")]),
        ("nano_errors_total", &[("app", "bad"), ("code", "app_error")]),
        ("nano_cpu_seconds_total", &[("app", "a")]),
        ("nano_isolates", &[("app", "a"), ("state", "idle")]),
        ("nano_isolate_starts_total", &[("app", "a")]),
        ("nano_isolate_start_seconds_count", &[]),
        ("nano_isolate_memory_bytes", &[("app", "a"), ("kind", "heap")]),
        ("nano_lost_threads", &[]),
        ("nano_config_last_reload_successful", &[]),
        ("nano_config_last_reload_success_timestamp_seconds", &[]),
        ("nano_connections", &[("listener", "web")]),
        ("nano_build_info", &[]),
        ("process_resident_memory_bytes", &[]),
        ("process_open_fds", &[]),
    ] {
        assert!(metrics.iter().any(|sample| sample.matches(name, labels)), "{name} {labels:?}");
    }
    let info = metrics.iter().find(|sample| sample.name == "nano_build_info").unwrap();
    let label = |key: &str| info.labels.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    assert_eq!(label("version"), Some(env!("CARGO_PKG_VERSION")));
    assert!(label("v8").is_some_and(|v8| v8.starts_with("15.")), "{info:?}");
}

#[test]
fn labels_come_from_the_plan_and_never_from_a_client() {
    let nano = Setup::new().app("a", "", &says("a")).start();
    for n in 0..50 {
        nano.send(&Request::new(&format!("METHOD{n}"), "a", "/"));
        nano.get(&format!("host{n}"), "/");
    }
    nano.get("a", "/").says("a");
    eventually("the requests to be counted", || (nano.metric("nano_http_requests_total", &[]) >= 101.0).then_some(()));
    let series = nano.metrics().iter().filter(|sample| sample.name == "nano_http_requests_total").count();
    assert!(series < 10, "{series} series");
}

#[test]
fn an_app_that_leaves_takes_its_series_along() {
    let mut nano = Setup::new().app("stays", "", &says("stays")).app("goes", "", &says("goes")).start();
    nano.get("goes", "/").says("goes");
    assert!(nano.metric("nano_isolate_starts_total", &[("app", "goes")]) > 0.0);
    assert!(nano.change(|setup| setup.without("goes")));
    eventually("its series to go", || {
        let metrics = nano.metrics();
        let left = metrics.iter().any(|sample| sample.labels.contains(&("app".into(), "goes".into())));
        (!left).then_some(())
    });
}

#[test]
fn the_exposition_has_help_type_and_the_right_content_type() {
    let nano = Setup::new().app("a", "", &says("a")).start();
    let answer = nano.admin("/metrics");
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4")));
    let text = answer.text();
    assert!(text.contains("# HELP nano_lost_threads ") && text.contains("# TYPE nano_lost_threads gauge"), "{text}");
}

#[test]
fn health_and_readiness_are_answered() {
    let nano = Setup::new().app("a", "", &says("a")).start();
    assert_eq!(nano.admin("/healthz").status, 200);
    assert_eq!(nano.admin("/readyz").status, 200);
    assert_eq!(nano.admin("/nothing").status, 404);
    let mut conn = Conn::open(nano.setup().admin_port());
    assert_eq!(conn.send(&Request::new("DELETE", "admin", "/metrics")).status, 405);
}

#[test]
fn the_admin_address_is_not_reached_through_a_listener() {
    let nano = Setup::new().app("a", "", &says("a")).start();
    nano.get("a", "/metrics").says("a");
    nano.get("admin", "/metrics").fails(404, "no_route");
}

#[test]
fn a_listener_that_leaves_the_plan_takes_its_series_along() {
    let mut nano = Setup::new().listener("stays", "").listener("goes", "").app("a", "", &says("a")).start();
    for listener in ["stays", "goes"] {
        Conn::open(nano.port_of(listener)).send(&Request::get("a", "/")).says("a");
    }
    let series = |nano: &Nano, listener| {
        nano.metrics().iter().filter(|sample| sample.matches("nano_connections", &[("listener", listener)])).count()
    };
    assert_eq!((series(&nano, "stays"), series(&nano, "goes")), (1, 1));
    assert!(nano.change(|setup| setup.without_listener("goes")));
    assert_eq!((series(&nano, "stays"), series(&nano, "goes")), (1, 0));
}
