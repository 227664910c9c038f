//! Parts that are used for every request, at every scrape or at every reload, one by one.

use std::fmt::Write;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use nano::event::RequestId;
use nano::observability::log::AccessRecord;
use nano::observability::metrics::Metrics;
use nano::plan::{LogFormat, Plan};

const APPS: usize = 1000;

/// What a browser sends.
const HEAD: &str = "GET /products/42?colour=red HTTP/1.1\r\n\
    host: shop.example.com\r\n\
    user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
    accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    accept-language: en-GB,en;q=0.5\r\n\
    accept-encoding: gzip, deflate, br, zstd\r\n\
    referer: https://shop.example.com/products\r\n\
    connection: keep-alive\r\n\
    cookie: session=5f2b1c9e7a; theme=dark\r\n\
    sec-fetch-dest: document\r\n\
    sec-fetch-mode: navigate\r\n\
    sec-fetch-site: same-origin\r\n\
    \r\n";

/// A request's head, from bytes to a `Request`; beside what httparse alone takes of that.
fn head(bench: &mut Criterion) {
    let head = Bytes::from_static(HEAD.as_bytes());
    bench.bench_function("head/nano", |bench| {
        bench.iter(|| nano::gateway::read_head(black_box(&head)).expect("it is a head"));
    });
    bench.bench_function("head/httparse alone", |bench| {
        bench.iter(|| {
            let mut fields = [const { MaybeUninit::uninit() }; 100];
            let mut request = httparse::Request::new(&mut []);
            request.parse_with_uninit_headers(black_box(&head), &mut fields).expect("it is a head").is_complete()
        });
    });
}

/// A config file of many apps, read and checked.
fn plan(bench: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let file = folder.path().join("nano.kdl");
    let mut config = "listener \"web\" \"127.0.0.1:8080\"\n".to_owned();
    for app in 0..APPS {
        writeln!(config, "app \"app{app}\" \".\" {{ host \"app{app}.example.com\"; }}").expect("memory takes it");
    }
    std::fs::write(folder.path().join("index.js"), "").expect("the folder is new");
    std::fs::write(&file, config).expect("the folder is new");
    bench.bench_function(&format!("plan/{APPS} apps"), |bench| {
        bench.iter(|| Plan::load(black_box(&file)).expect("the config is right"));
    });
}

/// The line of a request.
fn access_line(bench: &mut Criterion) {
    let request_id = RequestId::new();
    let record = AccessRecord {
        app: Some("shop"),
        request_id: &request_id,
        method: "GET",
        host: "shop.example.com",
        path: "/products/42",
        status: 200,
        duration: Duration::from_micros(1234),
        cpu: Duration::from_micros(321),
        bytes_in: 0,
        bytes_out: 5678,
        client: "203.0.113.7",
        error: None,
    };
    let mut line = Vec::new();
    for (name, format) in [("json", LogFormat::Json), ("text", LogFormat::Text)] {
        bench.bench_function(&format!("access line/{name}"), |bench| {
            bench.iter(|| {
                line.clear();
                black_box(&record).render(format, SystemTime::now(), &mut line);
            });
        });
    }
}

/// What is counted of a request, and the text of a scrape.
fn metrics(bench: &mut Criterion) {
    let metrics = Metrics::new();
    let apps: Vec<_> = (0..APPS).map(|app| metrics.app(format!("app{app}"))).collect();
    bench.bench_function("metrics/a request", |bench| {
        bench.iter(|| apps[0].request(black_box("GET"), black_box(200), black_box(Duration::from_micros(1234))));
    });
    bench.bench_function(&format!("metrics/text of {APPS} apps"), |bench| {
        bench.iter(|| metrics.render().map(|piece| piece.len()).sum::<usize>());
    });
}

criterion_group!(benches, head, plan, access_line, metrics);
criterion_main!(benches);
