// SPDX-License-Identifier: GPL-2.0

//! The table of explicit address mappings (RFC 7757): longest prefix first, each direction by itself.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ovnet_engine::embed::{Eam, Prefix};
use ovnet_engine::siit::Maps;

use crate::failure::Failure;

/// A mapping from the command line: `V4[/LEN]=V6[/LEN]`.
pub(super) fn parse(text: &str) -> Result<Eam, String> {
    let (v4, v6) = text
        .split_once('=')
        .ok_or("write V4=V6, as in 192.0.2.1=2001:db8::1 or 192.0.2.0/24=2001:db8::/120")?;
    let (v4, v4_len) = prefix::<Ipv4Addr>(v4, 32)?;
    let (v6, v6_len) = prefix::<Ipv6Addr>(v6, 128)?;
    Eam::new(v4, v4_len, v6.octets(), v6_len).map_err(|error| error.to_string())
}

/// A translation prefix from the command line.
pub(super) fn pool(text: &str) -> Result<Prefix, String> {
    let (prefix, len) = prefix::<Ipv6Addr>(text, 128)?;
    Prefix::new(prefix.octets(), len).map_err(|error| error.to_string())
}

/// An address with a length; without one it is the whole address.
fn prefix<A: std::str::FromStr>(text: &str, bits: u8) -> Result<(A, u8), String> {
    let (address, len) = match text.split_once('/') {
        Some((address, len)) => (address, len.parse().ok()),
        None => (text, Some(bits)),
    };
    let address = address
        .parse()
        .map_err(|_| format!("{address:?} is no address"))?;
    let len = len
        .filter(|len| *len <= bits)
        .ok_or_else(|| format!("a length is a number from 0 to {bits}"))?;
    Ok((address, len))
}

/// Mappings of one prefix length, by prefix.
struct Length<A> {
    len: u8,
    mappings: HashMap<A, Eam>,
}

/// The mappings of both directions, the longest prefixes first.
#[derive(Default)]
pub(super) struct Table {
    v4: Vec<Length<u32>>,
    v6: Vec<Length<u128>>,
}

impl Table {
    /// The table of these mappings.
    pub(super) fn new(maps: &[Eam]) -> Result<Table, Failure> {
        let mut table = Table::default();
        for eam in maps {
            let ((v4, v4_len), (v6, v6_len)) = (eam.v4(), eam.v6());
            let v6 = u128::from_be_bytes(v6);
            if insert(&mut table.v4, v4_len, v4.to_bits(), eam) {
                return Err(Failure::Usage(format!(
                    "{v4}/{v4_len} is mapped twice: leave one --map of it"
                )));
            }
            if insert(&mut table.v6, v6_len, v6, eam) {
                let v6 = Ipv6Addr::from_bits(v6);
                return Err(Failure::Usage(format!(
                    "{v6}/{v6_len} is mapped twice: leave one --map of it"
                )));
            }
        }
        table.v4.sort_by_key(|length| Reverse(length.len));
        table.v6.sort_by_key(|length| Reverse(length.len));
        Ok(table)
    }
}

/// Adds a mapping and says whether the prefix had one.
fn insert<A: Eq + std::hash::Hash>(
    lengths: &mut Vec<Length<A>>,
    len: u8,
    key: A,
    eam: &Eam,
) -> bool {
    let place = lengths.iter().position(|length| length.len == len);
    let place = place.unwrap_or_else(|| {
        let mappings = HashMap::new();
        lengths.push(Length { len, mappings });
        lengths.len() - 1
    });
    lengths[place].mappings.insert(key, *eam).is_some()
}

impl Maps for Table {
    fn v4_to_v6(&self, address: Ipv4Addr) -> Option<[u8; 16]> {
        let bits = address.to_bits();
        let eam = self.v4.iter().find_map(|length| {
            let beyond = u32::MAX.checked_shr(length.len.into()).unwrap_or(0);
            length.mappings.get(&(bits & !beyond))
        });
        eam?.to_v6(address)
    }

    fn v6_to_v4(&self, address: &[u8; 16]) -> Option<Ipv4Addr> {
        let bits = u128::from_be_bytes(*address);
        let eam = self.v6.iter().find_map(|length| {
            let beyond = u128::MAX.checked_shr(length.len.into()).unwrap_or(0);
            length.mappings.get(&(bits & !beyond))
        });
        eam?.to_v4(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(maps: &[&str]) -> Result<Table, Failure> {
        let maps: Vec<Eam> = maps.iter().map(|map| parse(map).unwrap()).collect();
        Table::new(&maps)
    }

    fn to_v6(table: &Table, address: &str) -> Option<String> {
        let address = table.v4_to_v6(address.parse().unwrap())?;
        Some(Ipv6Addr::from(address).to_string())
    }

    fn to_v4(table: &Table, address: &str) -> Option<String> {
        let address: Ipv6Addr = address.parse().unwrap();
        Some(table.v6_to_v4(&address.octets())?.to_string())
    }

    #[test]
    fn i05_the_longest_prefix_wins_in_each_direction() {
        let table = table(&[
            "192.0.2.0/24=2001:db8:a::/64",
            "192.0.2.64/26=2001:db8:a:0:b::/80",
            "192.0.2.65=2001:db8:c::1",
            "0.0.0.0/0=2001:db8::/32",
        ])
        .unwrap();
        for (v4, v6) in [
            ("192.0.2.1", "2001:db8:a:0:100::"),
            ("192.0.2.66", "2001:db8:a:0:b:800::"),
            ("192.0.2.65", "2001:db8:c::1"),
            ("198.51.100.1", "2001:db8:c633:6401::"),
        ] {
            assert_eq!(to_v6(&table, v4).as_deref(), Some(v6));
        }
        for (v6, v4) in [
            ("2001:db8:c::1", "192.0.2.65"),
            // Longer than the /64, though that is where 192.0.2.0 is.
            ("2001:db8:a:0:b:800::", "192.0.2.66"),
            ("2001:db8:a:0:800::", "192.0.2.8"),
            // By the /32 it is another address than the one it is the address of.
            ("2001:db8:c::2", "0.12.0.0"),
        ] {
            assert_eq!(to_v4(&table, v6).as_deref(), Some(v4));
        }
        assert_eq!(to_v4(&table, "2001:db9::"), None);
    }

    #[test]
    fn i09_a_prefix_is_mapped_once() {
        for maps in [
            ["192.0.2.1=2001:db8::1", "192.0.2.1=2001:db8::2"],
            ["192.0.2.1=2001:db8::1", "192.0.2.2=2001:db8::1"],
            ["10.0.0.0/8=2001:db8::/64", "10.0.0.0/8=2001:db8:1::/64"],
        ] {
            let Err(Failure::Usage(message)) = table(&maps) else {
                panic!("{maps:?} is accepted");
            };
            assert!(message.contains("mapped twice"), "{message}");
        }
        // Prefixes that overlap are no duplicates.
        assert!(table(&["10.0.0.0/8=2001:db8::/64", "10.0.0.0/9=2001:db8::/65"]).is_ok());
    }

    #[test]
    fn i04_a_mapping_that_cannot_be_is_refused() {
        for (text, says) in [
            ("192.0.2.0/24=2001:db8::/121", "more addresses"),
            ("192.0.2.1/24=2001:db8::/64", "clear them"),
            ("192.0.2.0/33=2001:db8::/64", "0 to 32"),
            ("192.0.2.0/24=2001:db8::/129", "0 to 128"),
            ("192.0.2.0/24", "write V4=V6"),
            ("2001:db8::=192.0.2.1", "no address"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(pool("64:ff9b::/96").is_ok());
        assert!(pool("64:ff9b::").unwrap_err().contains("length"));
        assert!(pool("64:ff9b::1/96").unwrap_err().contains("clear them"));
    }
}
