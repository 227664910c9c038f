//! Hosts (URL Standard §3): domains, addresses of both kinds and opaque hosts, each parsed to how it is serialised.

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use super::percent::{self, Set};

/// §3.5 "host parser", and §3.6 "host serializer" on what comes of it; `None` is failure.
pub(super) fn parse(input: &str, is_opaque: bool) -> Option<String> {
    if let Some(rest) = input.strip_prefix('[') {
        let address = parse_ipv6(rest.strip_suffix(']')?)?;
        return Some(format!("[{}]", serialize_ipv6(address)));
    }
    if is_opaque {
        return parse_opaque(input);
    }
    let domain = domain_to_ascii(input)?;
    if ends_in_a_number(&domain) {
        let address = parse_ipv4(&domain)?;
        return Some(std::net::Ipv4Addr::from(address).to_string());
    }
    Some(domain)
}

/// §3.2 "forbidden host code point".
fn is_forbidden_in_host(byte: u8) -> bool {
    matches!(
        byte,
        b'\0'
            | b'\t'
            | b'\n'
            | b'\r'
            | b' '
            | b'#'
            | b'/'
            | b':'
            | b'<'
            | b'>'
            | b'?'
            | b'@'
            | b'['
            | b'\\'
            | b']'
            | b'^'
            | b'|'
    )
}

/// §3.2 "forbidden domain code point".
fn is_forbidden_in_domain(byte: u8) -> bool {
    is_forbidden_in_host(byte) || byte <= 0x1f || byte == b'%' || byte == 0x7f
}

/// §3.5 "opaque-host parser".
fn parse_opaque(input: &str) -> Option<String> {
    if input.bytes().any(is_forbidden_in_host) {
        return None;
    }
    let mut host = String::with_capacity(input.len());
    percent::encode(input, &Set::C0_CONTROL, &mut host);
    Some(host)
}

/// §3.5 steps 4 to 6, with §3.3 "domain to ASCII".
fn domain_to_ascii(input: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii() && !is_forbidden_in_domain(byte);
    if !input.is_empty() && input.bytes().all(is_plain) && !has_ace_label(input) {
        return Some(input.to_ascii_lowercase());
    }
    let domain = percent::decode(input);
    // What is no UTF-8 would become U+FFFD, which is in no domain either.
    let ascii =
        Uts46::new().to_ascii(&domain, AsciiDenyList::URL, Hyphens::Allow, DnsLength::Ignore).ok()?.into_owned();
    (!ascii.is_empty() && !ascii.bytes().any(is_forbidden_in_domain) && is_valid(&ascii)).then_some(ascii)
}

/// Whether a label begins with the prefix of Punycode.
fn has_ace_label(domain: &str) -> bool {
    // Most have not even its hyphens.
    domain.as_bytes().windows(2).any(|two| two == b"--")
        && domain.split('.').any(|label| label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--")))
}

/// UTS #46 §4.1, what the crate does not know of criteria V4 and V7: no label of Punycode stands for another, and nothing
/// is assigned in the planes after the ideographs.
fn is_valid(domain: &str) -> bool {
    let is_unassigned = |character| matches!(character, '\u{3347a}'..='\u{dffff}');
    domain.split('.').filter_map(|label| label.strip_prefix("xn--")).all(|label| {
        idna::punycode::decode_to_string(label)
            .is_none_or(|decoded| !decoded.starts_with("xn--") && !decoded.contains(is_unassigned))
    })
}

/// §3.5 "ends in a number checker".
fn ends_in_a_number(domain: &str) -> bool {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let last = domain.rsplit('.').next().unwrap_or_default();
    !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) || parse_ipv4_number(last).is_some()
}

/// §3.5 "IPv4 parser".
fn parse_ipv4(input: &str) -> Option<u32> {
    let input = input.strip_suffix('.').unwrap_or(input);
    let mut numbers = [0; 4];
    let mut count = 0;
    for part in input.split('.') {
        *numbers.get_mut(count)? = parse_ipv4_number(part)?;
        count += 1;
    }
    let (last, first) = numbers[..count].split_last()?;
    if first.iter().any(|number| *number > 255) || *last >= 1 << (8 * (5 - count)) {
        return None;
    }
    let mut address = *last;
    for (at, number) in first.iter().enumerate() {
        address += number << (8 * (3 - at));
    }
    u32::try_from(address).ok()
}

/// §3.5 "IPv4 number parser"; what is too large for any address is `u64::MAX`.
fn parse_ipv4_number(input: &str) -> Option<u64> {
    let (digits, radix) = match input.as_bytes() {
        [] => return None,
        [b'0', b'x' | b'X', ..] => (&input[2..], 16),
        [b'0', _, ..] => (&input[1..], 8),
        _ => (input, 10),
    };
    if !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    if digits.is_empty() { Some(0) } else { Some(u64::from_str_radix(digits, radix).unwrap_or(u64::MAX)) }
}

/// §3.5 "IPv6 parser".
fn parse_ipv6(input: &str) -> Option<[u16; 8]> {
    let input = input.as_bytes();
    let mut address = [0u16; 8];
    let (mut piece, mut compress, mut at) = (0, None, 0);
    let byte = |at: usize| input.get(at).copied();
    if byte(0) == Some(b':') {
        if byte(1) != Some(b':') {
            return None;
        }
        at = 2;
        piece = 1;
        compress = Some(piece);
    }
    while at < input.len() {
        if piece == 8 {
            return None;
        }
        if byte(at) == Some(b':') {
            if compress.is_some() {
                return None;
            }
            at += 1;
            piece += 1;
            compress = Some(piece);
            continue;
        }
        let (mut value, mut length) = (0u16, 0);
        while let Some(digit) = byte(at).and_then(|byte| char::from(byte).to_digit(16)).filter(|_| length < 4) {
            value = value * 16 + digit as u16;
            at += 1;
            length += 1;
        }
        match byte(at) {
            Some(b'.') => {
                if length == 0 || piece > 6 {
                    return None;
                }
                let tail = parse_embedded_ipv4(&input[at - length..])?;
                address[piece] = (tail >> 16) as u16;
                address[piece + 1] = tail as u16;
                piece += 2;
                break;
            }
            Some(b':') => {
                at += 1;
                if at == input.len() {
                    return None;
                }
            }
            Some(_) => return None,
            None => {}
        }
        address[piece] = value;
        piece += 1;
    }
    if let Some(compress) = compress {
        // The pieces after the colons go to the end.
        address[compress..].rotate_right(8 - piece.max(compress));
    } else if piece != 8 {
        return None;
    }
    Some(address)
}

/// "IPv6 parser", step 6.5: an IPv4 address as the last two pieces.
fn parse_embedded_ipv4(input: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(input).ok()?;
    let mut address = 0;
    let mut count = 0;
    for part in text.split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || part.len() > 1 && part.starts_with('0') {
            return None;
        }
        address = address << 8 | u32::from(part.parse::<u8>().ok()?);
        count += 1;
    }
    (count == 4).then_some(address)
}

/// §3.6 "IPv6 serializer".
fn serialize_ipv6(address: [u16; 8]) -> String {
    // "Find the IPv6 address compressed piece index": the first longest run of two zeros or more.
    let (mut start, mut length) = (0, 1);
    let mut at = 0;
    while at < 8 {
        let run = address[at..].iter().take_while(|piece| **piece == 0).count();
        if run > length {
            (start, length) = (at, run);
        }
        at += run.max(1);
    }
    let pieces = |pieces: &[u16]| pieces.iter().map(|piece| format!("{piece:x}")).collect::<Vec<_>>().join(":");
    if length < 2 {
        return pieces(&address);
    }
    format!("{}::{}", pieces(&address[..start]), pieces(&address[start + length..]))
}
