// SPDX-License-Identifier: GPL-2.0

//! IPv4 addresses within IPv6 addresses: by prefix (RFC 6052) and by explicit pairs of prefixes (RFC 7757).

use core::fmt;
use core::net::Ipv4Addr;

/// Bits 64 to 71 of an address, which RFC 6052 §2.2 keeps zero.
const U_OCTET: u128 = 0xff << 56;

/// The low half of an address.
const LOW_HALF: u128 = u64::MAX as u128;

/// The prefix 64:ff9b::/96 of RFC 6052 §2.1.
const WELL_KNOWN: u128 = 0x0064_ff9b << 96;

/// The bits of an IPv6 address beyond a prefix of `len` bits.
const fn beyond6(len: u8) -> u128 {
    match u128::MAX.checked_shr(len as u32) {
        Some(bits) => bits,
        None => 0,
    }
}

/// The bits of an IPv4 address beyond a prefix of `len` bits.
const fn beyond4(len: u8) -> u32 {
    match u32::MAX.checked_shr(len as u32) {
        Some(bits) => bits,
        None => 0,
    }
}

/// A translation prefix: every IPv4 address has one IPv6 address in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    bits: u128,
    len: u8,
    /// Whether 64:ff9b::/96 may hold addresses that are not global.
    any: bool,
}

/// Why an address and a length are no translation prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// The length is none of 32, 40, 48, 56, 64 and 96.
    Length,
    /// Bits are set beyond the length.
    LowBits,
    /// Bits 64 to 71 of a /96 are not 0.
    UOctet,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrefixError::Length => "the length must be 32, 40, 48, 56, 64 or 96",
            PrefixError::LowBits => "bits are set beyond the prefix's length: clear them",
            PrefixError::UOctet => "bits 64 to 71 of the prefix must be 0",
        })
    }
}

impl core::error::Error for PrefixError {}

impl Prefix {
    /// The prefix of `len` bits.
    ///
    /// # Errors
    ///
    /// If RFC 6052 §2.2 does not allow it.
    pub const fn new(prefix: [u8; 16], len: u8) -> Result<Prefix, PrefixError> {
        let bits = u128::from_be_bytes(prefix);
        if !matches!(len, 32 | 40 | 48 | 56 | 64 | 96) {
            return Err(PrefixError::Length);
        }
        if bits & beyond6(len) != 0 {
            return Err(PrefixError::LowBits);
        }
        if bits & U_OCTET != 0 {
            return Err(PrefixError::UOctet);
        }
        Ok(Prefix {
            bits,
            len,
            any: false,
        })
    }

    /// The same prefix, which embeds addresses that are not global even if it is 64:ff9b::/96.
    ///
    /// RFC 6052 §3.1 forbids it, since nobody can tell whose private address it is; within one
    /// organisation there is no doubt.
    #[must_use]
    pub const fn with_any(self) -> Prefix {
        Prefix { any: true, ..self }
    }

    /// The length in bits.
    pub const fn length(&self) -> u8 {
        self.len
    }

    /// Whether an address lies in the prefix.
    #[inline]
    pub const fn contains(&self, address: &[u8; 16]) -> bool {
        (u128::from_be_bytes(*address) ^ self.bits) & !beyond6(self.len) == 0
    }

    /// Whether the prefix may hold this address.
    #[inline]
    const fn admits(&self, address: Ipv4Addr) -> bool {
        self.any || self.bits != WELL_KNOWN || self.len != 96 || is_global(address)
    }

    /// The IPv6 address of an IPv4 address; `None` if 64:ff9b::/96 must not hold it.
    #[inline]
    pub const fn embed(&self, address: Ipv4Addr) -> Option<[u8; 16]> {
        if !self.admits(address) {
            return None;
        }
        // The address goes behind the prefix; what of it would lie in the low half makes room for the
        // octet of bits 64 to 71.
        let place = 96u32.saturating_sub(self.len as u32);
        let placed = (address.to_bits() as u128).wrapping_shl(place);
        let spread = match self.len {
            96 => placed,
            _ => placed & !LOW_HALF | (placed & LOW_HALF) >> 8,
        };
        Some((self.bits | spread).to_be_bytes())
    }

    /// The IPv4 address within an IPv6 address; `None` if that is not in the prefix, bits 64 to 71 are not
    /// 0, or 64:ff9b::/96 must not hold it. The suffix is not looked at.
    #[inline]
    pub const fn extract(&self, address: &[u8; 16]) -> Option<Ipv4Addr> {
        let bits = u128::from_be_bytes(*address);
        if !self.contains(address) || bits & U_OCTET != 0 {
            return None;
        }
        let joined = match self.len {
            96 => bits,
            _ => bits & !LOW_HALF | (bits & LOW_HALF) << 8,
        };
        let place = 96u32.saturating_sub(self.len as u32);
        let address = Ipv4Addr::from_bits(joined.wrapping_shr(place) as u32);
        if self.admits(address) {
            Some(address)
        } else {
            None
        }
    }
}

/// Whether an IPv4 address means the same everywhere: none of those that the special-purpose registry
/// (RFC 6890) keeps for one site, one link, documentation or measurement, nor a group.
pub const fn is_global(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// An explicit mapping between an IPv4 and an IPv6 prefix.
///
/// The bits behind the IPv4 prefix stand right behind the IPv6 prefix; what remains of the IPv6 address
/// is zero in one direction and ignored in the other (RFC 7757 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Eam {
    v4: u32,
    v4_len: u8,
    v6: u128,
    v6_len: u8,
}

/// Why two prefixes cannot be mapped to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EamError {
    /// A length is more than the address has bits.
    Length,
    /// Bits are set beyond a prefix's length.
    LowBits,
    /// The IPv4 prefix has more addresses than the IPv6 prefix (RFC 7757 §3.1).
    Suffix,
}

impl fmt::Display for EamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EamError::Length => "a prefix is longer than its address: at most /32 and /128",
            EamError::LowBits => "bits are set beyond a prefix's length: clear them",
            EamError::Suffix => {
                "the IPv4 prefix has more addresses than the IPv6 prefix: shorten the latter"
            }
        })
    }
}

impl core::error::Error for EamError {}

impl Eam {
    /// The mapping between two prefixes.
    ///
    /// # Errors
    ///
    /// If they cannot be mapped to each other.
    pub const fn new(v4: Ipv4Addr, v4_len: u8, v6: [u8; 16], v6_len: u8) -> Result<Eam, EamError> {
        if v4_len > 32 || v6_len > 128 {
            return Err(EamError::Length);
        }
        let (v4, v6) = (v4.to_bits(), u128::from_be_bytes(v6));
        if v4 & beyond4(v4_len) != 0 || v6 & beyond6(v6_len) != 0 {
            return Err(EamError::LowBits);
        }
        if 32u8.wrapping_sub(v4_len) > 128u8.wrapping_sub(v6_len) {
            return Err(EamError::Suffix);
        }
        Ok(Eam {
            v4,
            v4_len,
            v6,
            v6_len,
        })
    }

    /// The IPv4 prefix and its length.
    pub const fn v4(&self) -> (Ipv4Addr, u8) {
        (Ipv4Addr::from_bits(self.v4), self.v4_len)
    }

    /// The IPv6 prefix and its length.
    pub const fn v6(&self) -> ([u8; 16], u8) {
        (self.v6.to_be_bytes(), self.v6_len)
    }

    /// How far the IPv4 suffix is shifted left in the IPv6 suffix; less than 128, as `new` made sure of.
    const fn shift(&self) -> u32 {
        (96u32.saturating_add(self.v4_len as u32)).saturating_sub(self.v6_len as u32)
    }

    /// The IPv6 address of an IPv4 address in the IPv4 prefix.
    #[inline]
    pub const fn to_v6(&self, address: Ipv4Addr) -> Option<[u8; 16]> {
        let bits = address.to_bits();
        if (bits ^ self.v4) & !beyond4(self.v4_len) != 0 {
            return None;
        }
        let suffix = (bits & beyond4(self.v4_len)) as u128;
        let placed = match suffix.checked_shl(self.shift()) {
            Some(placed) => placed,
            // Both prefixes are empty of suffix bits to place.
            None => 0,
        };
        Some((self.v6 | placed).to_be_bytes())
    }

    /// The IPv4 address of an IPv6 address in the IPv6 prefix.
    #[inline]
    pub const fn to_v4(&self, address: &[u8; 16]) -> Option<Ipv4Addr> {
        let bits = u128::from_be_bytes(*address);
        if (bits ^ self.v6) & !beyond6(self.v6_len) != 0 {
            return None;
        }
        let suffix = match (bits & beyond6(self.v6_len)).checked_shr(self.shift()) {
            Some(suffix) => suffix as u32,
            None => 0,
        };
        Some(Ipv4Addr::from_bits(self.v4 | suffix))
    }
}
