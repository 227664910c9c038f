//! Public sockets: names and addresses apart from each other.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::app::check_name;
use super::build::value;
use super::{Listener, Timeouts};
use crate::config::{Config, Context, Problem, Spanned};

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const MAX_CONNECTIONS: usize = 10_000;
const MAX_HEADER: usize = 64 << 10;
const TIMEOUTS: Timeouts = Timeouts {
    header: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    body: Duration::from_secs(30),
    write: Duration::from_secs(30),
};

/// The listeners in the order of the config, or the implicit one. One whose address is wrong keeps its place, so that
/// an app naming it is not blamed.
pub(super) fn plan(cx: &Context, config: &Config) -> Vec<Listener> {
    if config.listeners.is_empty() {
        let timeouts = TIMEOUTS;
        return vec![Listener {
            name: "default".to_owned(),
            address: ADDRESS,
            max_connections: MAX_CONNECTIONS,
            max_header: MAX_HEADER,
            timeouts,
            trust_proxy: Vec::new(),
        }];
    }
    let mut names: Vec<&Spanned<String>> = Vec::new();
    let mut addresses: Vec<Spanned<SocketAddr>> = Vec::new();
    let mut listeners = Vec::new();
    for written in &config.listeners {
        check_name(cx, "listener", &written.name);
        if let Some(first) = names.iter().find(|first| first.value == written.name.value) {
            cx.push(
                Problem::error(format!("two listeners are called `{}`", written.name.value))
                    .at(written.name.span, "again here")
                    .at(first.span, "first here"),
            );
        }
        names.push(&written.name);
        if let Some(address) = written.address {
            if let Some(first) = addresses.iter().find(|first| overlap(first.value, address.value)) {
                let message = if first.value == address.value {
                    format!("two listeners on {}", address.value)
                } else {
                    format!("{} and {} cannot both be listened on", first.value, address.value)
                };
                cx.push(Problem::error(message).at(address.span, "taken already").at(first.span, "taken here"));
            }
            addresses.push(address);
        }
        let timeouts = Timeouts {
            header: value(&written.timeouts.header).unwrap_or(TIMEOUTS.header),
            idle: value(&written.timeouts.idle).unwrap_or(TIMEOUTS.idle),
            body: value(&written.timeouts.body).unwrap_or(TIMEOUTS.body),
            write: value(&written.timeouts.write).unwrap_or(TIMEOUTS.write),
        };
        listeners.push(Listener {
            name: written.name.value.clone(),
            address: value(&written.address).unwrap_or(ADDRESS),
            max_connections: value(&written.max_connections).unwrap_or(MAX_CONNECTIONS),
            max_header: value(&written.max_header).and_then(|size| size.try_into().ok()).unwrap_or(MAX_HEADER),
            timeouts,
            trust_proxy: written.trust_proxy.iter().map(|network| network.value).collect(),
        });
    }
    listeners
}

/// Whether binding one keeps the other from being bound. Port 0 is another one every time.
pub(crate) fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let same_family = a.is_ipv4() == b.is_ipv4();
    let same_ip = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && same_family && same_ip
}
