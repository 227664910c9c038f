//! Who a request comes from: the peer itself, or what a trusted proxy says of its client. Headers of anybody else that
//! claim to know are removed before an app sees them.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;
use http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

use crate::event::{Fields, RequestId};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The other end of a connection. Judged once, when it is accepted.
#[derive(Debug)]
pub(super) struct Peer {
    address: IpAddr,
    /// `address` as text: every request of the connection sends it to its app.
    text: String,
    trusted: bool,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, trust: &[IpNet]) -> Self {
        // A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d; rules are written for a.b.c.d.
        let address = address.ip().to_canonical();
        Self { address, text: address.to_string(), trusted: contains(trust, address) }
    }

    /// The client's address: the right-most of `X-Forwarded-For` that is no trusted proxy's, or the peer's own.
    pub(super) fn client(&self, fields: &Fields, trust: &[IpNet]) -> Cow<'_, str> {
        if !self.trusted {
            return (&*self.text).into();
        }
        let mut client = self.address;
        for entry in fields.get_all(&X_FORWARDED_FOR).rev().flat_map(entries) {
            // What stands left of an entry that is no address was written by nobody we know.
            let Some(address) = entry.and_then(parse) else { break };
            client = address;
            if !contains(trust, client) {
                break;
            }
        }
        client.to_string().into()
    }

    /// The scheme the client used, as far as can be known. Only `http` and `https` are believed.
    pub(super) fn scheme(&self, fields: &Fields) -> &'static str {
        let claimed = self.believed(fields, &X_FORWARDED_PROTO);
        if claimed.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https")) { "https" } else { "http" }
    }

    /// A trusted proxy's own id for the request, or a fresh one.
    pub(super) fn request_id(&self, fields: &Fields) -> RequestId {
        let given = self.believed(fields, &X_REQUEST_ID);
        given.and_then(RequestId::parse).unwrap_or_default()
    }

    /// `X-Forwarded-For` as the app shall see it: the believed chain, as it came, then the peer.
    pub(super) fn chain(&self, fields: &Fields) -> Option<Vec<u8>> {
        self.believed(fields, &X_FORWARDED_FOR)?;
        let mut chain = Vec::new();
        for value in fields.get_all(&X_FORWARDED_FOR).filter(|value| !value.is_empty()) {
            chain.extend_from_slice(value.as_bytes());
            chain.extend_from_slice(b", ");
        }
        chain.extend_from_slice(self.text.as_bytes());
        Some(chain)
    }

    /// A field's first value, if its word counts.
    fn believed<'h>(&self, fields: &'h Fields, name: &HeaderName) -> Option<&'h HeaderValue> {
        if self.trusted { fields.get(name) } else { None }
    }

    /// The peer's address as text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the app may see a header of this name as it was sent.
    pub(super) fn may_send(&self, name: &HeaderName) -> bool {
        // These three are always written anew.
        if name == X_FORWARDED_FOR || name == X_FORWARDED_PROTO || name == X_REQUEST_ID {
            return false;
        }
        self.trusted || (name != X_FORWARDED_HOST && name != FORWARDED)
    }
}

fn contains(trust: &[IpNet], address: IpAddr) -> bool {
    trust.iter().any(|net| net.contains(&address))
}

/// The entries of one field line, last first; `None` for one that is not text.
fn entries(value: &HeaderValue) -> impl Iterator<Item = Option<&str>> {
    value.as_bytes().rsplit(|byte| *byte == b',').map(|entry| std::str::from_utf8(entry).ok().map(str::trim))
}

/// An address, with or without a port: some proxies add one.
fn parse(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>().ok();
    let address = address.or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in pairs {
            fields.push(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        fields
    }

    fn trust() -> Vec<IpNet> {
        ["127.0.0.0/8", "10.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap()).to_vec()
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_no_trusted_proxy() {
        let table: &[(&str, &[&str], &str)] = &[
            ("192.0.2.1:9", &["198.51.100.7"], "192.0.2.1"),
            ("127.0.0.1:9", &[], "127.0.0.1"),
            ("127.0.0.1:9", &["198.51.100.7"], "198.51.100.7"),
            ("[::ffff:127.0.0.1]:9", &["198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1:9", &["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1:9", &["6.6.6.6, 198.51.100.7, 10.1.1.1"], "198.51.100.7"),
            ("127.0.0.1:9", &["6.6.6.6", "198.51.100.7,10.1.1.1"], "198.51.100.7"),
            ("127.0.0.1:9", &["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
            ("127.0.0.1:9", &["6.6.6.6, nonsense"], "127.0.0.1"),
            ("127.0.0.1:9", &["6.6.6.6, nonsense, 10.1.1.1"], "10.1.1.1"),
            ("127.0.0.1:9", &["198.51.100.7:4711"], "198.51.100.7"),
            ("127.0.0.1:9", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("127.0.0.1:9", &["[2001:db8::7]"], "2001:db8::7"),
            ("[::1]:9", &["2001:db8::7"], "2001:db8::7"),
            ("127.0.0.1:9", &[""], "127.0.0.1"),
        ];
        for (peer, chain, client) in table {
            let mut sent = Fields::default();
            for value in *chain {
                sent.push(X_FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let peer = Peer::new(peer.parse().unwrap(), &trust());
            assert_eq!(peer.client(&sent, &trust()).to_string(), *client, "{peer:?} {chain:?}");
        }
    }

    #[test]
    fn scheme_chain_and_id_are_believed_from_trusted_peers_alone() {
        let sent = fields(&[
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-proto", "HTTPS"),
            ("x-request-id", "from-the-proxy"),
        ]);
        let proxy = Peer::new("10.1.1.1:9".parse().unwrap(), &trust());
        assert_eq!(proxy.scheme(&sent), "https");
        assert_eq!(proxy.chain(&sent).as_deref(), Some(&b"198.51.100.7, 10.1.1.1"[..]));
        assert_eq!(proxy.request_id(&sent).as_str(), "from-the-proxy");
        let mut odd = Fields::default();
        odd.push(X_FORWARDED_FOR, HeaderValue::from_bytes(b"\xfc, 203.0.113.9").unwrap());
        assert_eq!(
            proxy.chain(&odd).as_deref(),
            Some(&b"\xfc, 203.0.113.9, 10.1.1.1"[..]),
            "what is odd hides nothing"
        );
        assert!(proxy.may_send(&FORWARDED));

        let stranger = Peer::new("192.0.2.1:9".parse().unwrap(), &trust());
        assert_eq!(stranger.scheme(&sent), "http");
        assert_eq!(stranger.chain(&sent), None);
        assert_ne!(stranger.request_id(&sent).as_str(), "from-the-proxy");
        assert!(!stranger.may_send(&FORWARDED));
        assert!(!stranger.may_send(&X_FORWARDED_HOST));
    }

    #[test]
    fn a_scheme_nobody_speaks_is_not_believed() {
        let proxy = Peer::new("10.1.1.1:9".parse().unwrap(), &trust());
        assert_eq!(proxy.scheme(&fields(&[("x-forwarded-proto", "javascript")])), "http");
    }
}
