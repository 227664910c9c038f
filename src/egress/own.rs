//! Where nano itself listens: addresses that apps reach only by an explicit rule, or never.

use std::net::{SocketAddr, UdpSocket};

use arc_swap::ArcSwap;

use crate::plan::egress::Own;

/// One address of nano's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnAddress {
    /// Where it listens.
    pub address: SocketAddr,
    /// What is there.
    pub own: Own,
}

/// Every address of nano's; changes with the plan.
#[derive(Default)]
pub struct OwnAddresses(ArcSwap<Vec<OwnAddress>>);

impl OwnAddresses {
    /// Takes the place of what was there.
    pub fn set(&self, addresses: Vec<OwnAddress>) {
        self.0.store(addresses.into());
    }

    /// What a connection to `address` would reach of nano's.
    pub(super) fn find(&self, address: SocketAddr) -> Option<Own> {
        let known = self.0.load();
        let reaches = |known: &&OwnAddress| {
            known.address.port() == address.port() && {
                let (listening, ip) = (known.address.ip(), address.ip().to_canonical());
                // The unspecified address, as a destination, is this machine; as a place to listen, all of its addresses.
                listening == ip || ip.is_unspecified() || listening.is_unspecified() && is_local(address)
            }
        };
        // One is never both, but for two families of the unspecified address: then the stricter counts.
        let mut found = known.iter().filter(reaches).map(|known| known.own);
        let first = found.next()?;
        Some(if found.any(|own| own == Own::Admin) { Own::Admin } else { first })
    }
}

/// Whether the address is one of this machine's: only those can be bound.
fn is_local(address: SocketAddr) -> bool {
    address.ip().is_loopback() || UdpSocket::bind((address.ip(), 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_addresses_are_known_however_they_are_reached() {
        let own = OwnAddresses::default();
        let known = |address: &str, own| OwnAddress { address: address.parse().unwrap(), own };
        own.set(vec![
            known("127.0.0.1:9090", Own::Admin),
            known("0.0.0.0:8080", Own::Listener),
            known("[::1]:8443", Own::Listener),
        ]);
        for (address, expected) in [
            ("127.0.0.1:9090", Some(Own::Admin)),
            ("0.0.0.0:9090", Some(Own::Admin)),
            ("[::ffff:127.0.0.1]:9090", Some(Own::Admin)),
            ("127.0.0.2:9090", None),
            ("127.0.0.1:9091", None),
            ("127.0.0.1:8080", Some(Own::Listener)),
            ("127.8.9.1:8080", Some(Own::Listener)),
            ("0.0.0.0:8080", Some(Own::Listener)),
            ("93.184.216.34:8080", None),
            ("[::1]:8443", Some(Own::Listener)),
            ("[::]:8443", Some(Own::Listener)),
            ("127.0.0.1:8443", None),
        ] {
            assert_eq!(own.find(address.parse().unwrap()), expected, "{address}");
        }
    }
}
