//! `listener`: a public socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::decode::Fields;
use super::global::only;
use super::source::Spanned;
use super::value::Value;

/// `listener`
#[derive(Debug)]
pub struct Listener {
    /// Its name, which `listen` uses.
    pub name: Spanned<String>,
    /// Where it binds.
    pub address: Option<Spanned<SocketAddr>>,
    /// `max-connections`
    pub max_connections: Option<Spanned<usize>>,
    /// `max-header`, in bytes
    pub max_header: Option<Spanned<u64>>,
    /// `timeouts`
    pub timeouts: Timeouts,
    /// `trust-proxy`
    pub trust_proxy: Vec<Spanned<IpNet>>,
    /// `proxy-protocol`
    pub proxy_protocol: Option<Spanned<bool>>,
    /// `tls`
    pub tls: Vec<Tls>,
    /// `http2`
    pub http2: Option<Spanned<bool>>,
}

/// `timeouts`
#[derive(Debug, Default)]
pub struct Timeouts {
    /// `header`
    pub header: Option<Spanned<Duration>>,
    /// `idle`
    pub idle: Option<Spanned<Duration>>,
    /// `body`
    pub body: Option<Spanned<Duration>>,
    /// `write`
    pub write: Option<Spanned<Duration>>,
}

/// `tls`
#[derive(Debug)]
pub struct Tls {
    /// `certificate`
    pub certificate: Spanned<PathBuf>,
    /// `key`
    pub key: Spanned<PathBuf>,
}

impl Listener {
    pub(super) fn decode(mut fields: Fields<'_>) -> Option<Self> {
        let name = fields.argument("a name").and_then(|value| value.string("a name such as \"web\""));
        let address = match &name {
            Some(_) => fields.argument("an address after its name").and_then(|value| value.address()),
            None => fields.optional().and_then(|value| value.address()),
        };
        let max_connections = fields
            .child("max-connections")
            .and_then(|fields| only(fields, "a count", |value| value.count(1..=10_000_000)));
        let max_header =
            fields.child("max-header").and_then(|fields| only(fields, "a size", |value| value.size(8 << 10..=1 << 20)));
        let timeouts = fields.child("timeouts").map(Timeouts::decode).unwrap_or_default();
        let trust_proxy = fields.child("trust-proxy").map(networks).unwrap_or_default();
        let proxy_protocol =
            fields.child("proxy-protocol").and_then(|fields| only(fields, "#true or #false", Value::bool));
        let tls = fields.children("tls").into_iter().filter_map(Tls::decode).collect();
        let http2 = fields.child("http2").and_then(|fields| only(fields, "#true or #false", Value::bool));
        fields.finish();
        Some(Self {
            name: name?,
            address,
            max_connections,
            max_header,
            timeouts,
            trust_proxy,
            proxy_protocol,
            tls,
            http2,
        })
    }
}

fn networks(mut fields: Fields<'_>) -> Vec<Spanned<IpNet>> {
    let all = fields.arguments("a network").iter().filter_map(Value::network).collect();
    fields.finish();
    all
}

impl Timeouts {
    fn decode(mut fields: Fields<'_>) -> Self {
        let range = || Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
        let mut timeout = |name| fields.property(name).and_then(|value| value.duration(range()));
        let timeouts =
            Self { header: timeout("header"), idle: timeout("idle"), body: timeout("body"), write: timeout("write") };
        fields.finish();
        timeouts
    }
}

impl Tls {
    fn decode(mut fields: Fields<'_>) -> Option<Self> {
        let certificate = fields.required("certificate", "\"…\"").and_then(|value| value.path("a path"));
        let key = fields.required("key", "\"…\"").and_then(|value| value.path("a path"));
        fields.finish();
        Some(Self { certificate: certificate?, key: key? })
    }
}
