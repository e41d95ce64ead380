// SPDX-License-Identifier: GPL-2.0

//! Virtual network ids, locators with their topology, and the substrate addresses made of them.
//!
//! ```text
//!  0               31 32              63 64    69 70 71 72        95 96            127
//! +------------------+------------------+--------+--+--+------------+----------------+
//! | organisation 32  | topology 32      | slot 6 |U |G |  VNI 24    | virtual IPv4 32|
//! +------------------+------------------+--------+--+--+------------+----------------+
//!  `------------ locator, /64 ---------'
//!  topology: version 2 | 0: locale 6, area 8, rack 8, host 8 | 1: locale 14, rack 16
//! ```

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// The id of a virtual network: 24 bits, not 0, which is the host itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vni(u32);

impl Vni {
    /// The largest id.
    pub const MAX: u32 = 0xff_ffff;

    /// The id with this number, if it is in 1..=[`Vni::MAX`].
    #[inline]
    pub const fn new(value: u32) -> Option<Vni> {
        if value == 0 || value > Vni::MAX {
            return None;
        }
        Some(Vni(value))
    }

    /// The number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A host's 64-bit substrate prefix: the upper half of the addresses of its nodes.
///
/// [`Locator::from_prefix`] and [`Locator::new`] admit only what a host can have. A locator read from
/// a packet by [`SubstrateAddress::decode`] is a claim: it means something once it equals an admitted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locator(u64);

/// Why a prefix is no locator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocatorError {
    /// The low 64 bits are not 0.
    LowBits,
    /// In `::/8`: unspecified, loopback, IPv4-mapped and other addresses with IPv4 embedded.
    Reserved,
    /// In `100::/64`, whose packets routers discard (RFC 6666).
    Discard,
    /// In `fe80::/10`, which no router forwards.
    LinkLocal,
    /// In `fec0::/10`, deprecated by RFC 3879.
    SiteLocal,
    /// In `ff00::/8`.
    Multicast,
}

impl fmt::Display for LocatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LocatorError::LowBits => "a locator is a /64: its low 64 bits must be 0",
            LocatorError::Reserved => "a locator must not be in ::/8; use a routed /64 prefix",
            LocatorError::Discard => "100::/64 discards packets; use a routed /64 prefix",
            LocatorError::LinkLocal => "link-local is not routed; use a routed /64 prefix",
            LocatorError::SiteLocal => "site-local is deprecated; use fc00::/7 or global space",
            LocatorError::Multicast => "a locator must be unicast; use a routed /64 prefix",
        })
    }
}

impl core::error::Error for LocatorError {}

impl Locator {
    /// The locator of an organisation's prefix and a topology.
    ///
    /// # Errors
    ///
    /// As [`Locator::from_prefix`].
    #[inline]
    pub const fn new(organisation: u32, topology: u32) -> Result<Locator, LocatorError> {
        let bits = (organisation as u64) << 32 | topology as u64;
        if bits >> 56 == 0 {
            return Err(LocatorError::Reserved);
        }
        if bits == 0x0100_0000_0000_0000 {
            return Err(LocatorError::Discard);
        }
        if bits >> 54 == 0xfe80 >> 6 {
            return Err(LocatorError::LinkLocal);
        }
        if bits >> 54 == 0xfec0 >> 6 {
            return Err(LocatorError::SiteLocal);
        }
        if bits >> 56 == 0xff {
            return Err(LocatorError::Multicast);
        }
        Ok(Locator(bits))
    }

    /// The locator of a /64 written as an IPv6 address.
    ///
    /// # Errors
    ///
    /// If the low 64 bits are not 0 or no host can have that prefix.
    #[inline]
    pub const fn from_prefix(prefix: [u8; 16]) -> Result<Locator, LocatorError> {
        let bits = u128::from_be_bytes(prefix);
        if bits as u64 != 0 {
            return Err(LocatorError::LowBits);
        }
        Locator::new((bits >> 96) as u32, (bits >> 64) as u32)
    }

    /// The 64 bits as a number.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The 64 bits as on the wire.
    #[inline]
    pub const fn octets(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The /64 as an IPv6 address whose low 64 bits are 0.
    #[inline]
    pub const fn to_prefix(self) -> [u8; 16] {
        ((self.0 as u128) << 64).to_be_bytes()
    }

    /// The upper 32 bits: whose prefix it is.
    #[inline]
    pub const fn organisation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Where the host is, by the lower 32 bits.
    ///
    /// # Errors
    ///
    /// [`TopologyError::Layout`] if their layout version is unknown: a locator need not have one.
    pub const fn topology(self) -> Result<Topology, TopologyError> {
        Topology::decode(self.0 as u32)
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/64", Ipv6Addr::from(self.to_prefix()))
    }
}

/// Where a host is in its organisation (`AD2`): the lower 32 bits of its locator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topology {
    /// Layout 0.
    Host {
        /// 6 bits.
        locale: u8,
        /// 8 bits.
        area: u8,
        /// 8 bits.
        rack: u8,
        /// 8 bits.
        host: u8,
    },
    /// Layout 1: one locator for a whole rack, or for the one host in it.
    Rack {
        /// 14 bits.
        locale: u16,
        /// 16 bits.
        rack: u16,
    },
}

/// Why bits, numbers or a text are no topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyError {
    /// The layout version is neither 0 nor 1.
    Layout,
    /// A number is too large for its field.
    Range,
    /// The text does not name the fields of one layout, each once.
    Text,
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TopologyError::Layout => "unknown topology layout: the upper two bits must be 0 or 1",
            TopologyError::Range => {
                "topology out of range: locale is at most 63, area, rack and host 255; \
                 without area and host, locale is at most 16383 and rack 65535"
            }
            TopologyError::Text => {
                "not a topology: write locale=1,area=2,rack=3,host=4 or locale=1,rack=9"
            }
        })
    }
}

impl core::error::Error for TopologyError {}

const LOCALE_MAX_0: u8 = 0x3f;
const LOCALE_MAX_1: u16 = 0x3fff;

impl Topology {
    /// The 32 bits.
    ///
    /// # Errors
    ///
    /// [`TopologyError::Range`] if the locale exceeds its bits.
    pub const fn encode(self) -> Result<u32, TopologyError> {
        match self {
            Topology::Host {
                locale,
                area,
                rack,
                host,
            } => {
                if locale > LOCALE_MAX_0 {
                    return Err(TopologyError::Range);
                }
                Ok(u32::from_be_bytes([locale, area, rack, host]))
            }
            Topology::Rack { locale, rack } => {
                if locale > LOCALE_MAX_1 {
                    return Err(TopologyError::Range);
                }
                Ok(1 << 30 | (locale as u32) << 16 | rack as u32)
            }
        }
    }

    /// The topology of 32 bits.
    ///
    /// # Errors
    ///
    /// [`TopologyError::Layout`] for the layout versions 2 and 3.
    pub const fn decode(bits: u32) -> Result<Topology, TopologyError> {
        match bits >> 30 {
            0 => {
                let [locale, area, rack, host] = bits.to_be_bytes();
                Ok(Topology::Host {
                    locale,
                    area,
                    rack,
                    host,
                })
            }
            1 => Ok(Topology::Rack {
                locale: (bits >> 16) as u16 & LOCALE_MAX_1,
                rack: bits as u16,
            }),
            _ => Err(TopologyError::Layout),
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topology::Host {
                locale,
                area,
                rack,
                host,
            } => {
                write!(f, "locale {locale} area {area} rack {rack} host {host}")
            }
            Topology::Rack { locale, rack } => write!(f, "locale {locale} rack {rack}"),
        }
    }
}

impl FromStr for Topology {
    type Err = TopologyError;

    /// Parses `name=number` pairs joined by commas, in any order; the names given tell the layout.
    fn from_str(text: &str) -> Result<Topology, TopologyError> {
        let (mut locale, mut area, mut rack, mut host) = (None, None, None, None);
        for pair in text.as_bytes().split(|&byte| byte == b',') {
            let mut halves = pair.splitn(2, |&byte| byte == b'=').map(<[u8]>::trim_ascii);
            let field = match halves.next() {
                Some(b"locale") => &mut locale,
                Some(b"area") => &mut area,
                Some(b"rack") => &mut rack,
                Some(b"host") => &mut host,
                _ => return Err(TopologyError::Text),
            };
            let number = number(halves.next().ok_or(TopologyError::Text)?)?;
            if field.replace(number).is_some() {
                return Err(TopologyError::Text);
            }
        }
        let byte = |number: u16| u8::try_from(number).map_err(|_| TopologyError::Range);
        let topology = match (locale, area, rack, host) {
            (Some(locale), Some(area), Some(rack), Some(host)) => Topology::Host {
                locale: byte(locale)?,
                area: byte(area)?,
                rack: byte(rack)?,
                host: byte(host)?,
            },
            (Some(locale), None, Some(rack), None) => Topology::Rack { locale, rack },
            _ => return Err(TopologyError::Text),
        };
        topology.encode().map(|_| topology)
    }
}

/// A decimal number of any length, to tell one that is too large from what is no number.
fn number(digits: &[u8]) -> Result<u16, TopologyError> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(TopologyError::Text);
    }
    digits.iter().try_fold(0u16, |number, &digit| {
        let units = u16::from(digit.wrapping_sub(b'0'));
        number
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(units))
            .ok_or(TopologyError::Range)
    })
}

/// What the substrate addresses of one network on one host have in common: all but the virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubstratePrefix([u8; 12]);

impl SubstratePrefix {
    /// The prefix of nodes delivered by address: slot 0, U and G clear.
    #[inline]
    pub const fn new(locator: Locator, vni: Vni) -> SubstratePrefix {
        let [a, b, c, d, e, f, g, h] = locator.octets();
        let [_, x, y, z] = vni.get().to_be_bytes();
        SubstratePrefix([a, b, c, d, e, f, g, h, 0, x, y, z])
    }

    /// The prefix of nodes behind the port in a slot of 6 bits (`AD3`); slot 0 is none.
    #[inline]
    pub const fn in_slot(locator: Locator, vni: Vni, slot: u8) -> SubstratePrefix {
        let SubstratePrefix([a, b, c, d, e, f, g, h, _, x, y, z]) =
            SubstratePrefix::new(locator, vni);
        let form = if slot == 0 { 0 } else { slot << 2 | 2 };
        SubstratePrefix([a, b, c, d, e, f, g, h, form, x, y, z])
    }

    /// The same prefix without a slot.
    #[inline]
    pub const fn plain(&self) -> SubstratePrefix {
        let [a, b, c, d, e, f, g, h, _, x, y, z] = self.0;
        SubstratePrefix([a, b, c, d, e, f, g, h, 0, x, y, z])
    }

    /// The first 12 bytes of a substrate address.
    #[inline]
    pub const fn of(address: &[u8; 16]) -> SubstratePrefix {
        let &[a, b, c, d, e, f, g, h, s, x, y, z, ..] = address;
        SubstratePrefix([a, b, c, d, e, f, g, h, s, x, y, z])
    }

    /// The same network behind another host.
    #[inline]
    pub const fn behind(&self, locator: Locator) -> SubstratePrefix {
        let [_, _, _, _, _, _, _, _, s, x, y, z] = self.0;
        let [a, b, c, d, e, f, g, h] = locator.octets();
        SubstratePrefix([a, b, c, d, e, f, g, h, s, x, y, z])
    }

    /// The virtual network, or 0: the host itself.
    #[inline]
    pub const fn vni(&self) -> u32 {
        let [_, _, _, _, _, _, _, _, _, x, y, z] = self.0;
        u32::from_be_bytes([0, x, y, z])
    }

    /// The 12 bytes, as on the wire.
    #[inline]
    pub const fn octets(&self) -> &[u8; 12] {
        &self.0
    }

    /// The substrate address of a node.
    #[inline]
    pub const fn address(&self, node: Ipv4Addr) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h, s, x, y, z] = self.0;
        let [n0, n1, n2, n3] = node.octets();
        [a, b, c, d, e, f, g, h, s, x, y, z, n0, n1, n2, n3]
    }
}

/// A substrate address taken apart (`AD1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubstrateAddress {
    /// The host's prefix, or what claims to be one.
    pub locator: Locator,
    /// Slot of the port, 6 bits.
    pub slot: u8,
    /// U: deliver to the port in `slot` instead of by address (`AD3`).
    pub by_slot: bool,
    /// G: `node` is a group.
    pub group: bool,
    /// Virtual network, 24 bits; 0 is the host itself.
    pub vni: u32,
    /// Virtual address of the node, or the group.
    pub node: Ipv4Addr,
}

impl SubstrateAddress {
    /// The address of a node delivered by its virtual address.
    #[inline]
    pub const fn new(locator: Locator, vni: Vni, node: Ipv4Addr) -> SubstrateAddress {
        SubstrateAddress {
            locator,
            slot: 0,
            by_slot: false,
            group: false,
            vni: vni.get(),
            node,
        }
    }

    /// The address as on the wire. Bits of `slot` and `vni` beyond their fields are left out.
    #[inline]
    pub const fn encode(&self) -> [u8; 16] {
        let flags = (self.by_slot as u8) << 1 | self.group as u8;
        let [_, x, y, z] = self.vni.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = self.locator.octets();
        let prefix = SubstratePrefix([a, b, c, d, e, f, g, h, self.slot << 2 | flags, x, y, z]);
        prefix.address(self.node)
    }

    /// Takes an address apart; every address has these parts, meaningful or not.
    #[inline]
    pub const fn decode(address: &[u8; 16]) -> SubstrateAddress {
        let bits = u128::from_be_bytes(*address);
        let flags = (bits >> 56) as u8;
        SubstrateAddress {
            locator: Locator((bits >> 64) as u64),
            slot: flags >> 2,
            by_slot: flags & 2 != 0,
            group: flags & 1 != 0,
            vni: (bits >> 32) as u32 & Vni::MAX,
            node: Ipv4Addr::from_bits(bits as u32),
        }
    }

    /// Whether it is delivered by virtual address: slot 0, U and G clear.
    #[inline]
    pub const fn is_plain(&self) -> bool {
        self.slot == 0 && !self.by_slot && !self.group
    }

    /// The virtual network, unless it is the host itself.
    #[inline]
    pub const fn network(&self) -> Option<Vni> {
        Vni::new(self.vni)
    }
}
