//! Which addresses are public: what IANA's special-purpose registries (RFC 6890 and its updates) leave.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not public, as address and prefix.
const SPECIAL_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),       // this host, this network: RFC 791
    ([10, 0, 0, 0], 8),      // private: RFC 1918
    ([100, 64, 0, 0], 10),   // shared by a carrier's customers: RFC 6598
    ([127, 0, 0, 0], 8),     // loopback: RFC 1122
    ([169, 254, 0, 0], 16),  // link-local, and clouds' metadata services: RFC 3927
    ([172, 16, 0, 0], 12),   // private: RFC 1918
    ([192, 0, 0, 0], 24),    // protocol assignments: RFC 6890
    ([192, 0, 2, 0], 24),    // documentation: RFC 5737
    ([192, 88, 99, 0], 24),  // relays to 6to4, gone: RFC 7526
    ([192, 168, 0, 0], 16),  // private: RFC 1918
    ([198, 18, 0, 0], 15),   // benchmarks: RFC 2544
    ([198, 51, 100, 0], 24), // documentation: RFC 5737
    ([203, 0, 113, 0], 24),  // documentation: RFC 5737
    ([224, 0, 0, 0], 4),     // multicast: RFC 5771
    ([240, 0, 0, 0], 4),     // reserved, and broadcast: RFC 1112, RFC 919
];

/// IPv6: all that is public lies in here (RFC 4291 §2.4)…
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// …but for these.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo, ORCHID: RFC 2928
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation: RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, which holds any IPv4 address: RFC 3056
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation: RFC 9637
];

/// Translation to IPv4: the last 32 bits are the address really meant (RFC 6052).
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether `ip` is an address on the public Internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !SPECIAL_V4.iter().any(|&(network, prefix)| is_in_v4(ip, network.into(), prefix)),
        IpAddr::V6(ip) => match embedded(ip.into()) {
            Some(behind) => is_public(behind),
            None => is_in_v6(ip, GLOBAL_UNICAST) && !SPECIAL_V6.iter().any(|&network| is_in_v6(ip, network)),
        },
    }
}

/// The IPv4 address that a translator would put in the place of `ip`.
pub fn embedded(ip: IpAddr) -> Option<IpAddr> {
    match ip {
        IpAddr::V6(ip) if is_in_v6(ip, NAT64) => {
            let [.., a, b, c, d] = ip.octets();
            Some(Ipv4Addr::new(a, b, c, d).into())
        }
        _ => None,
    }
}

fn is_in_v4(ip: Ipv4Addr, network: Ipv4Addr, prefix: u32) -> bool {
    (ip.to_bits() ^ network.to_bits()) >> (Ipv4Addr::BITS - prefix) == 0
}

fn is_in_v6(ip: Ipv6Addr, (network, prefix): (Ipv6Addr, u32)) -> bool {
    (ip.to_bits() ^ network.to_bits()) >> (Ipv6Addr::BITS - prefix) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn special_addresses_are_not_public_and_their_neighbours_are() {
        let rows: &[(&str, bool)] = &[
            ("0.0.0.0", false),
            ("0.255.255.255", false),
            ("1.0.0.0", true),
            ("1.1.1.1", true),
            ("9.255.255.255", true),
            ("10.0.0.0", false),
            ("10.255.255.255", false),
            ("11.0.0.0", true),
            ("100.63.255.255", true),
            ("100.64.0.0", false),
            ("100.127.255.255", false),
            ("100.128.0.0", true),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("128.0.0.1", true),
            ("169.253.255.255", true),
            ("169.254.169.254", false),
            ("172.15.255.255", true),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("172.32.0.0", true),
            ("192.0.0.8", false),
            ("192.0.1.0", true),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("192.167.255.255", true),
            ("192.168.0.1", false),
            ("192.169.0.0", true),
            ("198.17.255.255", true),
            ("198.18.0.0", false),
            ("198.19.255.255", false),
            ("198.20.0.0", true),
            ("198.51.100.7", false),
            ("203.0.113.7", false),
            ("223.255.255.255", true),
            ("224.0.0.1", false),
            ("239.255.255.255", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::127.0.0.1", false),
            ("::8.8.8.8", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::8.8.8.8", true),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b::127.0.0.1", false),
            ("64:ff9b:1::8.8.8.8", false),
            ("100::1", false),
            ("1fff:ffff::", false),
            ("2000::1", true),
            ("2001::1", false),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", false),
            ("2001:2::1", false),
            ("2001:20::1", false),
            ("2001:1ff:ffff::", false),
            ("2001:200::1", true),
            ("2001:4860:4860::8888", true),
            ("2001:db8::1", false),
            ("2001:db9::1", true),
            ("2002:a00:1::1", false),
            ("2002:808:808::1", false),
            ("2606:4700::1111", true),
            ("3ffe::1", true),
            ("3fff:fff::1", false),
            ("3fff:1000::1", true),
            ("4000::1", false),
            ("5f00::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ];
        for (text, expected) in rows {
            assert_eq!(is_public(text.parse().unwrap()), *expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_as_public_in_either_way_to_write_it(bits in any::<u32>()) {
            let four = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(is_public(four.into()), is_public(four.to_ipv6_mapped().into()));
            let [a, b, c, d] = four.octets().map(u16::from);
            let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
            prop_assert_eq!(is_public(four.into()), is_public(translated.into()));
            prop_assert!(!is_public(four.to_ipv6_compatible().into()));
        }
    }
}
