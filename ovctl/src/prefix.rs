// SPDX-License-Identifier: GPL-2.0

//! Prefixes and numbers of the command line, parsed once into types that cannot be wrong.
//!
//! A refusal shows the text to write instead wherever there is an obvious one.

use std::net::{Ipv4Addr, Ipv6Addr};

use ovnet_uapi::{Locator, Mac, Prefix, Source, Vni};

/// A host's /64, or its id at the manager: the same bits as 16 hexadecimal digits.
pub(crate) fn locator(text: &str) -> Result<Locator, String> {
    if let Ok(bits) = node(text) {
        return Locator::new((bits >> 32) as u32, bits as u32).map_err(|error| error.to_string());
    }
    let address = prefix(text, "a locator", 64)?;
    Locator::from_prefix(address.octets()).map_err(|error| error.to_string())
}

/// An organisation's /32.
pub(crate) fn organisation(text: &str) -> Result<u32, String> {
    let address = prefix(text, "an organisation", 32)?;
    Ok((address.to_bits() >> 96) as u32)
}

/// An organisation's prefix as text.
pub(crate) fn organisation_text(organisation: u32) -> String {
    format!("{}/32", Ipv6Addr::from_bits(u128::from(organisation) << 96))
}

/// An IPv6 prefix of exactly this length, with no bit set beyond it.
fn prefix(text: &str, what: &str, length: u32) -> Result<Ipv6Addr, String> {
    let (address, given) = match text.split_once('/') {
        Some((address, given)) => (address, Some(given)),
        None => (text, None),
    };
    let address: Ipv6Addr = address
        .parse()
        .map_err(|_| format!("{what} is an IPv6 prefix such as fd00:a:1:1::/{length}"))?;
    let kept = Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> length));
    let instead = format!("write {kept}/{length}");
    match given {
        None => Err(format!("the prefix length of {what} is missing: {instead}")),
        Some(given) if given != length.to_string() => Err(format!(
            "the prefix length of {what} must be {length}: {instead}"
        )),
        Some(_) if kept != address => Err(format!("bits are set beyond the prefix: {instead}")),
        Some(_) => Ok(kept),
    }
}

/// Virtual addresses: a prefix, or one address.
pub(crate) fn addresses(text: &str) -> Result<Prefix, String> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, length.parse().ok().filter(|&it| it <= 32)),
        None => (text, Some(32)),
    };
    let address: Option<Ipv4Addr> = match (address, text.contains('/')) {
        ("any", false) => return Ok(Prefix::ALL),
        _ => address.parse().ok(),
    };
    let (Some(address), Some(length)) = (address, length) else {
        return Err(format!(
            "{text}: not an IPv4 address or prefix such as 10.0.0.0/8"
        ));
    };
    Prefix::new(address, length).ok_or_else(|| {
        let kept = u64::from(address.to_bits()) >> (32 - length) << (32 - length);
        let kept = Ipv4Addr::from_bits(kept as u32);
        format!("{text}: bits are set beyond the prefix: write {kept}/{length}")
    })
}

/// Virtual addresses as text: `any`, one address, or a prefix.
pub(crate) fn addresses_text(prefix: Prefix) -> String {
    match prefix.length() {
        0 => "any".to_owned(),
        32 => prefix.address().to_string(),
        length => format!("{}/{length}", prefix.address()),
    }
}

/// Addresses a node may send from: one, or an IPv4 prefix.
pub(crate) fn source(text: &str) -> Result<Source, String> {
    let wrong = || "a source is an IPv4 address or prefix such as 10.1.0.0/24".to_owned();
    let (address, length) = text.split_once('/').unwrap_or((text, "32"));
    let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
    let length: u8 = length.parse().map_err(|_| wrong())?;
    if length > 32 {
        return Err(wrong());
    }
    let outside = u32::MAX.checked_shr(length.into()).unwrap_or(0);
    let kept = Ipv4Addr::from_bits(address.to_bits() & !outside);
    if kept != address {
        return Err(format!(
            "bits are set beyond the prefix: write {kept}/{length}"
        ));
    }
    if address.is_unspecified() && length == 32 {
        return Err("no node has that address; --no-sources takes all sources away".into());
    }
    Ok(Source::new(address, length))
}

/// A source as it is written.
pub(crate) fn source_text(source: Source) -> String {
    match source.prefix_len {
        32 => source.address.to_string(),
        length => format!("{}/{length}", source.address),
    }
}

/// A node's id: 16 hexadecimal digits, as the manager has it.
pub(crate) fn node(text: &str) -> Result<u64, String> {
    match u64::from_str_radix(text, 16) {
        Ok(node) if text.len() == 16 && !text.starts_with('+') => Ok(node),
        _ => Err("16 hexadecimal digits, as in 00000000000000aa".into()),
    }
}

/// A node's id as it is written.
pub(crate) fn node_text(node: u64) -> String {
    format!("{node:016x}")
}

/// A virtual network's id.
pub(crate) fn vni(text: &str) -> Result<Vni, String> {
    text.parse()
        .ok()
        .and_then(Vni::new)
        .ok_or_else(|| format!("a network id is a number from 1 to {}", Vni::MAX))
}

/// A MAC a node may have.
pub(crate) fn mac(text: &str) -> Result<Mac, String> {
    let mac: Mac = text.parse().map_err(|error| format!("{error}"))?;
    if mac.is_unicast() {
        Ok(mac)
    } else {
        Err("a node's MAC must be unicast and not zero, as 02:76:0a:00:00:02 is".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_or_a_prefix_without_host_bits() {
        for text in ["10.0.0.9", "10.1.0.0/24", "0.0.0.0/0", "10.0.0.8/31"] {
            assert_eq!(source_text(source(text).unwrap()), text);
        }
        assert_eq!(source("10.0.0.9/32"), source("10.0.0.9"));
        for (text, says) in [
            ("10.1.0.9/24", "write 10.1.0.0/24"),
            ("10.1.0.0/33", "such as 10.1.0.0/24"),
            ("fd00::/64", "such as 10.1.0.0/24"),
            ("0.0.0.0", "--no-sources"),
        ] {
            let error = source(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_locator_is_a_64_without_host_bits() {
        let far = locator("fd00:a:1:2::/64").unwrap();
        assert_eq!(far.to_string(), "fd00:a:1:2::/64");
        for (text, says) in [
            (
                "fd00:a:1:2::",
                "the prefix length of a locator is missing: write fd00:a:1:2::/64",
            ),
            (
                "fd00:a:1:2::/48",
                "the prefix length of a locator must be 64: write fd00:a:1:2::/64",
            ),
            (
                "fd00:a:1:2::/064",
                "the prefix length of a locator must be 64: write fd00:a:1:2::/64",
            ),
            (
                "fd00:a:1:2::7/64",
                "bits are set beyond the prefix: write fd00:a:1:2::/64",
            ),
            (
                "10.0.0.1/64",
                "a locator is an IPv6 prefix such as fd00:a:1:1::/64",
            ),
            (
                "ff15::/64",
                "a locator must be unicast; use a routed /64 prefix",
            ),
        ] {
            assert_eq!(locator(text).unwrap_err(), says, "{text}");
        }
    }

    #[test]
    fn an_organisation_is_a_32() {
        assert_eq!(organisation("fd00:a::/32").unwrap(), 0xfd00_000a);
        assert_eq!(organisation_text(0xfd00_000a), "fd00:a::/32");
        assert_eq!(
            organisation("fd00:a:1::/32").unwrap_err(),
            "bits are set beyond the prefix: write fd00:a::/32"
        );
    }

    #[test]
    fn virtual_addresses_are_a_prefix_or_one() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.3", "10.0.0.3"),
            ("10.0.0.3/32", "10.0.0.3"),
            ("0.0.0.0/0", "any"),
            ("any", "any"),
        ] {
            assert_eq!(addresses_text(addresses(text).unwrap()), shown, "{text}");
        }
        assert_eq!(
            addresses("10.0.0.1/8").unwrap_err(),
            "10.0.0.1/8: bits are set beyond the prefix: write 10.0.0.0/8"
        );
        for text in ["", "any/8", "10.0.0.0/33", "10.0.0.0/", "10.0/8", "::1"] {
            let error = addresses(text).unwrap_err();
            assert!(error.contains("such as 10.0.0.0/8"), "{text}: {error}");
        }
    }

    #[test]
    fn a_network_id_has_24_bits_and_is_not_0() {
        assert_eq!(vni("16777215").unwrap().get(), Vni::MAX);
        for text in ["0", "16777216", "-1", "", "seven"] {
            assert!(vni(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_nodes_mac_is_unicast() {
        assert!(mac("02:00:00:00:00:09").is_ok());
        for text in ["ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "02:00:00:00:00"] {
            assert!(mac(text).is_err(), "{text}");
        }
    }
}
