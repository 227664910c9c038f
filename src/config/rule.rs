//! One rule of `fetch`: whom it is about. A network or address, a host name, every name below one, or everyone; any of
//! them at one port alone. What follows from a rule is the [plan](crate::plan::egress)'s to say.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};
use url::Host;

/// One rule of `fetch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Whom it is about.
    pub peer: Peer,
    /// At this port alone.
    pub port: Option<u16>,
}

/// Whom a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// `*`
    Everyone,
    /// A name in its ASCII form, lower case.
    Name(String),
    /// `*.` and this name: one or more labels in front of it.
    Below(String),
    /// Addresses. IPv4 ones written as IPv6 are IPv4.
    Network(IpNet),
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("it is a URL")]
    Url(String),
    #[error("a rule has no path")]
    Path(String),
    #[error("{0} is not a network")]
    Network(String),
    #[error("the prefix /{0} is too long")]
    Prefix(String),
    #[error("{0:?} is not a port")]
    Port(String),
    #[error("a wildcard stands in front alone")]
    Wildcard,
    #[error("{0:?} is not a host")]
    Host(String),
    #[error("{0} is short for an address")]
    Short(String, String),
}

impl RuleError {
    /// What to write instead.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::Url(host) => Some(format!("the host alone, perhaps with its port: \"{host}\"")),
            Self::Path(host) => Some(format!("rules are about hosts, whatever is asked of them: \"{host}\"")),
            Self::Network(_) => Some("such as \"10.0.0.0/8\", \"[fd00::/8]:443\" or \"192.0.2.7:8443\"".into()),
            Self::Prefix(_) => Some("an IPv4 address has 32 bits, an IPv6 address 128".into()),
            Self::Port(_) => Some("a port is from 1 to 65535; without one the rule is about all of them".into()),
            Self::Wildcard => Some("\"*.example.com\" is every name below example.com, \"*\" is everyone".into()),
            Self::Host(_) => None,
            Self::Short(_, address) => Some(format!("in full: \"{address}\"")),
        }
    }
}

impl std::str::FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return Err(RuleError::Url(host.rsplit('@').next().unwrap_or_default().to_owned()));
        }
        // An IPv6 address by itself is all colons.
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { peer: Peer::Network(network(address.into())), port: None });
        }
        if let Ok(found) = text.parse::<IpNet>() {
            return Ok(Self { peer: Peer::Network(network(found)), port: None });
        }
        let (peer, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((inside, "")) => (inside, None),
            Some((inside, after)) => (inside, Some(after.strip_prefix(':').ok_or_else(|| bad_host(text))?)),
            None => text.rsplit_once(':').map_or((text, None), |(peer, port)| (peer, Some(port))),
        };
        let port = port.map(parse_port).transpose()?;
        let numeric = text.starts_with('[') || peer.parse::<IpAddr>().is_ok();
        let peer = if numeric || peer.contains('/') { parse_network(peer)? } else { parse_name(peer)? };
        Ok(Self { peer, port })
    }
}

fn bad_host(text: &str) -> RuleError {
    RuleError::Host(text.to_owned())
}

fn parse_port(text: &str) -> Result<u16, RuleError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| RuleError::Port(text.to_owned()))
}

fn parse_network(text: &str) -> Result<Peer, RuleError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Peer::Network(network(address.into())));
    }
    if let Ok(found) = text.parse::<IpNet>() {
        return Ok(Peer::Network(network(found)));
    }
    match text.split_once('/') {
        Some((address, prefix)) if address.parse::<IpAddr>().is_ok() && prefix.bytes().all(|b| b.is_ascii_digit()) => {
            Err(RuleError::Prefix(prefix.to_owned()))
        }
        Some((name, _)) if parse_name(name).is_ok() => Err(RuleError::Path(name.to_owned())),
        _ => Err(RuleError::Network(format!("{text:?}"))),
    }
}

fn parse_name(text: &str) -> Result<Peer, RuleError> {
    if text == "*" {
        return Ok(Peer::Everyone);
    }
    let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
    if name.contains('*') {
        return Err(RuleError::Wildcard);
    }
    // As URLs take hosts: names in their ASCII form, and numbers of all kinds as addresses.
    match Host::parse(name) {
        Ok(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_owned();
            let labels = !name.is_empty() && name.split('.').all(|label| !label.is_empty());
            if !labels {
                return Err(bad_host(text));
            }
            Ok(if below { Peer::Below(name) } else { Peer::Name(name) })
        }
        Ok(Host::Ipv4(address)) if !below => Err(RuleError::Short(name.to_owned(), address.to_string())),
        Ok(_) | Err(_) => Err(bad_host(text)),
    }
}

/// The network in IPv4 where it is one written as IPv6 (`::ffff:10.0.0.0/104`), and without bits beyond its prefix.
fn network(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let network = network.trunc();
    if let IpNet::V6(six) = network
        && six.prefix_len() >= MAPPED
        && let Some(address) = six.addr().to_ipv4_mapped()
        && let Ok(four) = Ipv4Net::new(address, six.prefix_len() - MAPPED)
    {
        return four.into();
    }
    network
}

/// As it would be written.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.peer, self.port) {
            (Peer::Everyone, _) => f.write_str("*")?,
            (Peer::Name(name), _) => f.write_str(name)?,
            (Peer::Below(name), _) => write!(f, "*.{name}")?,
            (Peer::Network(network), port) if network.prefix_len() == network.max_prefix_len() => {
                return match port {
                    Some(port) => SocketAddr::new(network.addr(), port).fmt(f),
                    None => network.addr().fmt(f),
                };
            }
            (Peer::Network(network @ IpNet::V6(_)), Some(_)) => write!(f, "[{network}]")?,
            (Peer::Network(network), _) => network.fmt(f)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rules_take_one_form() {
        for (text, form) in [
            ("10.1.2.0/24", "10.1.2.0/24"),
            ("10.1.2.3/24", "10.1.2.0/24"),
            ("10.0.0.0/8:443", "10.0.0.0/8:443"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1/32", "127.0.0.1"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("[::1]:8080", "[::1]:8080"),
            ("fd00::/8", "fd00::/8"),
            ("[fd00::/8]:443", "[fd00::/8]:443"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("api.internal", "api.internal"),
            ("API.Internal.:8443", "api.internal:8443"),
            ("*.Example.org", "*.example.org"),
            ("*.example.org:443", "*.example.org:443"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("a_b.internal", "a_b.internal"),
            ("localhost:3000", "localhost:3000"),
            ("*", "*"),
            ("*:25", "*:25"),
        ] {
            assert_eq!(text.parse::<Rule>().map(|rule| rule.to_string()).as_deref(), Ok(form), "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_for_its_reason() {
        let host = |text: &str| RuleError::Host(text.into());
        for (text, error) in [
            ("", host("")),
            ("https://a.example:1/x", RuleError::Url("a.example:1".into())),
            ("a.example/x", RuleError::Path("a.example".into())),
            ("10.0.0.0/40", RuleError::Prefix("40".into())),
            ("10.0.0/8", RuleError::Network("\"10.0.0/8\"".into())),
            ("a.example:0", RuleError::Port("0".into())),
            ("a.example:65536", RuleError::Port("65536".into())),
            ("a.example:", RuleError::Port(String::new())),
            ("a.example:+1", RuleError::Port("+1".into())),
            ("a.*.example", RuleError::Wildcard),
            ("*.*.example", RuleError::Wildcard),
            ("**", RuleError::Wildcard),
            ("*example.org", RuleError::Wildcard),
            ("*.", host("*.")),
            ("a..b", host("a..b")),
            ("a b", host("a b")),
            ("[::1]80", host("[::1]80")),
            ("127.1", RuleError::Short("127.1".into(), "127.0.0.1".into())),
            ("0x7f000001", RuleError::Short("0x7f000001".into(), "127.0.0.1".into())),
        ] {
            assert_eq!(text.parse::<Rule>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_rule_reads_back_as_itself(text in "[*.a-c0-9:/\\[\\]f]{0,20}") {
            if let Ok(rule) = text.parse::<Rule>() {
                prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = text.parse::<Rule>();
        }
    }
}
