//! How long it takes to find the app for a request among 10,000.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nano::plan::Claim;
use nano::plan::routes::RouteTable;

const APPS: usize = 10_000;

fn claim(host: Option<String>, path: Option<String>) -> Claim {
    Claim { listener: None, host, path }
}

fn lookups(bench: &mut Criterion) {
    let by_host: Vec<_> = (0..APPS).map(|app| claim(Some(format!("app{app}.example.com")), None)).collect();
    let by_wildcard: Vec<_> = (0..APPS).map(|app| claim(Some(format!("*.app{app}.example.com")), None)).collect();
    let by_path: Vec<_> = (0..APPS).map(|app| claim(None, Some(format!("/teams/app{app}/*")))).collect();
    let cases = [
        ("exact host", &by_host, "app5000.example.com", "/a/b/c.html"),
        ("wildcard host", &by_wildcard, "a.b.app5000.example.com", "/a/b/c.html"),
        ("path prefix", &by_path, "example.com", "/teams/app5000/a/b/c.html"),
        ("no match", &by_host, "elsewhere.example.org", "/a/b/c.html"),
    ];
    for (name, claims, host, path) in cases {
        let table = RouteTable::new(claims.iter().zip(0..));
        bench.bench_function(&format!("route/{APPS} apps/{name}"), |bench| {
            bench.iter(|| table.lookup(black_box(0), black_box(host), black_box(path)));
        });
    }
}

criterion_group!(benches, lookups);
criterion_main!(benches);
