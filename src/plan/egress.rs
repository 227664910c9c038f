//! What an app may reach by `fetch()`. Decided twice: by name before it is looked up, and by the very address that is
//! about to be connected to. Without a rule that is public addresses alone.
//!
//! `deny` beats `allow`; `allow` adds what is not public. A listener of nano's own is reached only by a rule that names
//! its port, for a rule about a network is written with others in mind; the admin address never.

mod public;

use std::net::{IpAddr, SocketAddr};

use crate::config::{Peer, Rule};
pub use public::{embedded, is_public};

/// The `fetch` block of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// May be reached although not public.
    pub allow: Vec<Rule>,
    /// May not be reached, whatever else is said.
    pub deny: Vec<Rule>,
    /// Connections open at once, over all of the app's isolates.
    pub max_connections: usize,
}

/// Whose address something is, if it is nano's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// The admin interface.
    Admin,
    /// A listener.
    Listener,
}

/// Why an app may not reach something; the text is for its log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// By a rule.
    #[error("the rule deny \"{0}\" forbids it")]
    Denied(Rule),
    /// Not public, and no rule allows it.
    #[error("{address} is not a public address; fetch {{ allow \"{suggestion}\"; }} in the app's block would allow it")]
    NotPublic {
        /// The address.
        address: IpAddr,
        /// The narrowest rule that would do.
        suggestion: String,
    },
    /// A listener of nano itself, and no rule names its port.
    #[error("{0} is a listener of nano's own; fetch {{ allow \"{0}\"; }} in the app's block would allow it")]
    Listener(SocketAddr),
    /// The admin interface.
    #[error("{0} is nano's admin address, which no rule opens to apps")]
    Admin(SocketAddr),
}

impl Egress {
    /// Whether the host `name` may be looked up at all, to be reached at `port`.
    ///
    /// # Errors
    /// Where a rule denies it by name.
    pub fn check_name(&self, name: &str, port: u16) -> Result<(), Refusal> {
        let denies = |rule: &&Rule| !matches!(rule.peer, Peer::Network(_)) && matches(rule, Some(name), &[], port);
        self.deny.iter().find(denies).map_or(Ok(()), |rule| Err(Refusal::Denied(rule.clone())))
    }

    /// Whether `address` may be connected to, for the host `name` if it was one. `own` says whether it is nano's.
    ///
    /// # Errors
    /// Where it may not.
    pub fn check_address(&self, name: Option<&str>, address: SocketAddr, own: Option<Own>) -> Result<(), Refusal> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let address = SocketAddr::new(ip, port);
        if own == Some(Own::Admin) {
            return Err(Refusal::Admin(address));
        }
        // A translated address is also the one behind it.
        let faces = [ip, embedded(ip).unwrap_or(ip)];
        if let Some(rule) = self.deny.iter().find(|rule| matches(rule, name, &faces, port)) {
            return Err(Refusal::Denied(rule.clone()));
        }
        let mut allowing = self.allow.iter().filter(|rule| matches(rule, name, &faces[..1], port));
        if own == Some(Own::Listener) {
            let by_port = allowing.any(|rule| rule.port.is_some());
            return if by_port { Ok(()) } else { Err(Refusal::Listener(address)) };
        }
        if is_public(ip) || allowing.next().is_some() {
            return Ok(());
        }
        let suggestion = name.map_or_else(|| address.to_string(), |name| format!("{name}:{port}"));
        Err(Refusal::NotPublic { address: ip, suggestion })
    }
}

fn matches(rule: &Rule, name: Option<&str>, faces: &[IpAddr], port: u16) -> bool {
    rule.port.is_none_or(|only| only == port)
        && match &rule.peer {
            Peer::Everyone => true,
            Peer::Name(host) => name == Some(host),
            Peer::Below(host) => name
                .and_then(|name| name.strip_suffix(host.as_str()))
                .is_some_and(|front| front.len() > 1 && front.ends_with('.')),
            Peer::Network(network) => faces.iter().any(|face| network.contains(face)),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(allow: &[&str], deny: &[&str]) -> Egress {
        let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Egress { allow: rules(allow), deny: rules(deny), max_connections: 1 }
    }

    /// `check_name`, then `check_address`, in a word.
    fn verdict(egress: &Egress, name: Option<&str>, address: &str, own: Option<Own>) -> &'static str {
        let address: SocketAddr = address.parse().unwrap();
        let named = name.map_or(Ok(()), |name| egress.check_name(name, address.port()));
        match named.and_then(|()| egress.check_address(name, address, own)) {
            Ok(()) => "ok",
            Err(Refusal::Denied(_)) => "denied",
            Err(Refusal::NotPublic { .. }) => "private",
            Err(Refusal::Listener(_)) => "listener",
            Err(Refusal::Admin(_)) => "admin",
        }
    }

    #[test]
    fn rules_decide_as_documented() {
        type Row = (&'static [&'static str], &'static [&'static str], Option<&'static str>, &'static str, &'static str);
        let rows: &[Row] = &[
            // Nothing said: public addresses only, whatever the name.
            (&[], &[], None, "93.184.216.34:80", "ok"),
            (&[], &[], Some("a.example"), "[2606:2800::1]:443", "ok"),
            (&[], &[], Some("a.example"), "10.1.2.3:80", "private"),
            (&[], &[], Some("localhost"), "127.0.0.1:80", "private"),
            (&[], &[], None, "[::ffff:127.0.0.1]:80", "private"),
            (&[], &[], None, "[64:ff9b::a01:203]:80", "private"),
            // `allow` adds.
            (&["10.1.2.0/24"], &[], None, "10.1.2.3:80", "ok"),
            (&["10.1.2.0/24"], &[], Some("a.example"), "10.1.2.3:80", "ok"),
            (&["10.1.2.0/24"], &[], None, "10.1.3.3:80", "private"),
            (&["10.1.2.0/24"], &[], None, "[::ffff:10.1.2.3]:80", "ok"),
            (&["10.1.2.0/24"], &[], None, "93.184.216.34:80", "ok"),
            (&["10.1.2.3:8443"], &[], None, "10.1.2.3:8443", "ok"),
            (&["10.1.2.3:8443"], &[], None, "10.1.2.3:8444", "private"),
            (&["api.internal"], &[], Some("api.internal"), "10.9.9.9:1", "ok"),
            (&["api.internal"], &[], Some("b.internal"), "10.9.9.9:1", "private"),
            (&["api.internal"], &[], None, "10.9.9.9:1", "private"),
            (&["*.internal"], &[], Some("a.b.internal"), "10.9.9.9:1", "ok"),
            (&["*.internal"], &[], Some("internal"), "10.9.9.9:1", "private"),
            (&["*.internal"], &[], Some("xinternal"), "10.9.9.9:1", "private"),
            (&["*"], &[], None, "127.0.0.1:1", "ok"),
            (&["*:1"], &[], None, "127.0.0.1:2", "private"),
            // `deny` beats it.
            (&["*"], &["a.example"], Some("a.example"), "93.184.216.34:80", "denied"),
            (&["*"], &["*.example"], Some("b.a.example"), "93.184.216.34:80", "denied"),
            (&["*"], &["*.example"], Some("example"), "93.184.216.34:80", "ok"),
            (&[], &["93.184.0.0/16"], Some("a.example"), "93.184.216.34:80", "denied"),
            (&[], &["93.184.0.0/16"], None, "[64:ff9b::5db8:d822]:80", "denied"),
            (&[], &["*:25"], Some("a.example"), "93.184.216.34:25", "denied"),
            (&[], &["*:25"], Some("a.example"), "93.184.216.34:80", "ok"),
            (&["10.0.0.0/8"], &["10.1.0.0/16"], None, "10.1.2.3:80", "denied"),
            (&["10.0.0.0/8"], &["10.1.0.0/16"], None, "10.2.2.3:80", "ok"),
        ];
        for (allow, deny, name, address, expected) in rows {
            let found = verdict(&egress(allow, deny), *name, address, None);
            assert_eq!(found, *expected, "allow {allow:?} deny {deny:?}: {name:?} {address}");
        }
    }

    #[test]
    fn nano_s_own_addresses_need_more_than_others() {
        for (allow, own, expected) in [
            (&["*"][..], Own::Admin, "admin"),
            (&["127.0.0.1:9090"], Own::Admin, "admin"),
            (&[], Own::Listener, "listener"),
            (&["*"], Own::Listener, "listener"),
            (&["127.0.0.0/8"], Own::Listener, "listener"),
            (&["127.0.0.1"], Own::Listener, "listener"),
            (&["127.0.0.1:9090"], Own::Listener, "ok"),
            (&["localhost:9090"], Own::Listener, "ok"),
            (&["127.0.0.0/8:9090"], Own::Listener, "ok"),
        ] {
            let found = verdict(&egress(allow, &[]), Some("localhost"), "127.0.0.1:9090", Some(own));
            assert_eq!(found, expected, "{allow:?} {own:?}");
        }
        // On a public address it is nano's own as well.
        assert_eq!(verdict(&egress(&[], &[]), None, "93.184.216.34:80", Some(Own::Listener)), "listener");
    }

    #[test]
    fn a_refusal_says_what_would_allow_it() {
        let refusal = |name: Option<&str>, address: &str| {
            let refusal = egress(&[], &[]).check_address(name, address.parse().unwrap(), None);
            refusal.unwrap_err().to_string()
        };
        assert!(refusal(Some("api.internal"), "10.0.0.1:8443").contains("allow \"api.internal:8443\""));
        assert!(refusal(None, "[::1]:80").contains("allow \"[::1]:80\""));
    }
}
