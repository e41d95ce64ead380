// SPDX-License-Identifier: GPL-2.0

//! MAC addresses, and the virtual MAC a node shows when none was set for it.

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;

/// An Ethernet address, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The broadcast address.
    pub const BROADCAST: Mac = Mac([0xff; 6]);

    /// The virtual MAC derived from a node's address: the locally administered unicast prefix
    /// `02:76`, then the four bytes of the address.
    ///
    /// It depends on nothing but the address, so it is the same on every host and before and after a
    /// move, and no ARP cache ever goes stale (`TX2`).
    #[inline]
    pub const fn of(address: Ipv4Addr) -> Mac {
        let [a, b, c, d] = address.octets();
        Mac([0x02, 0x76, a, b, c, d])
    }

    /// The six bytes, as on the wire.
    #[inline]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether this is a group address; broadcast is one.
    #[inline]
    pub const fn is_multicast(self) -> bool {
        let [first, ..] = self.0;
        first & 1 != 0
    }

    /// Whether a node may own this address: neither a group address nor all zero.
    pub const fn is_unicast(self) -> bool {
        !self.is_multicast() && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text that is no MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacError;

impl fmt::Display for MacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a MAC address: write six hexadecimal bytes as in 02:76:0a:00:00:02")
    }
}

impl core::error::Error for MacError {}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Mac, MacError> {
        let mut rest = text.as_bytes();
        let mut octets = [0u8; 6];
        for (place, octet) in octets.iter_mut().enumerate() {
            if place > 0 {
                rest = rest.strip_prefix(b":").ok_or(MacError)?;
            }
            let (&[high, low], tail) = rest.split_first_chunk::<2>().ok_or(MacError)?;
            *octet = (nibble(high)? << 4) | nibble(low)?;
            rest = tail;
        }
        if rest.is_empty() {
            Ok(Mac(octets))
        } else {
            Err(MacError)
        }
    }
}

fn nibble(digit: u8) -> Result<u8, MacError> {
    match digit {
        b'0'..=b'9' => Ok(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Ok(digit.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Ok(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => Err(MacError),
    }
}
