// SPDX-License-Identifier: GPL-2.0

//! What the store holds: a JSON record per key. Keys are text, their numbers hexadecimal and of
//! fixed width, so that their order is that of the numbers.
//!
//! | key | record |
//! |---|---|
//! | `epoch/LOCATOR` | [`Epoch`]: the boot of a host that may claim nodes |
//! | `host/LOCATOR` | [`Host`] |
//! | `leader` | the id of the leading manager, bound to its lease |
//! | `load/LOCATOR` | [`HostLoad`]: how busy a connected host is, bound to the lease of its manager |
//! | `manager/ID` | [`Manager`]: a manager that is alive, bound to its lease |
//! | `mapping/VNI/ADDRESS` | [`Mapping`]: whose an address is, and where that node is |
//! | `move/ID` | [`Move`]: one that is under way, or ended not long ago |
//! | `network/VNI` | [`Network`] |
//! | `node/ID` | [`Node`] |
//! | `organisation/NAME` | [`Organisation`] |
//! | `placement/NODE` | [`Placement`]: where a node may be, if anything is said of it |
//! | `session/LOCATOR` | [`Session`]: who grants leases to a host that has nodes under lease |
//! | `term` | [`Term`] |

mod lease;
mod load;
mod moves;

use std::fmt;
use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};
use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::moves::MoveId;
use super::{Key, NodeId};
use crate::store::Range;
pub use lease::{Placement, Session};
pub use load::HostLoad;
pub use moves::{Manager, Move};

/// The key of [`Term`].
pub const TERM: &[u8] = b"term";
/// The key of the leader's id.
pub const LEADER: &[u8] = b"leader";

/// What a key of the store is the key of. Names are ordered as the bytes of their keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// An [`Epoch`].
    Epoch(Locator),
    /// A [`Host`].
    Host(Locator),
    /// The leader's id.
    Leader,
    /// A [`HostLoad`].
    Load(Locator),
    /// A [`Manager`].
    Manager(u32),
    /// A [`Mapping`].
    Mapping(Key),
    /// A [`Move`].
    Move(MoveId),
    /// A [`Network`].
    Network(Vni),
    /// A [`Node`].
    Node(NodeId),
    /// An [`Organisation`].
    Organisation(String),
    /// A [`Placement`].
    Placement(NodeId),
    /// A [`Session`].
    Session(Locator),
    /// A [`Term`].
    Term,
}

impl Name {
    /// The bytes of the key.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Name::Epoch(host) => format!("epoch/{:016x}", host.bits()).into_bytes(),
            Name::Host(host) => format!("host/{:016x}", host.bits()).into_bytes(),
            Name::Leader => LEADER.to_vec(),
            Name::Load(host) => format!("load/{:016x}", host.bits()).into_bytes(),
            Name::Manager(id) => format!("manager/{id:08x}").into_bytes(),
            Name::Mapping(key) => mapping_key(*key).to_vec(),
            Name::Move(id) => format!("move/{id}").into_bytes(),
            Name::Network(vni) => format!("network/{:06x}", vni.get()).into_bytes(),
            Name::Node(id) => format!("node/{id}").into_bytes(),
            Name::Organisation(name) => format!("organisation/{name}").into_bytes(),
            Name::Placement(id) => format!("placement/{id}").into_bytes(),
            Name::Session(host) => format!("session/{:016x}", host.bits()).into_bytes(),
            Name::Term => TERM.to_vec(),
        }
    }

    /// The name that has these bytes; `None` if a manager of this version writes no such key.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Name> {
        // There are more mappings than anything else.
        if let Some(key) = mapping_of(bytes) {
            return Some(Name::Mapping(key));
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let Some((kind, rest)) = text.split_once('/') else {
            return match bytes {
                TERM => Some(Name::Term),
                LEADER => Some(Name::Leader),
                _ => None,
            };
        };
        match kind {
            "epoch" => Some(Name::Epoch(locator(rest)?)),
            "host" => Some(Name::Host(locator(rest)?)),
            "load" => Some(Name::Load(locator(rest)?)),
            "manager" => Some(Name::Manager(hex(rest, 8)? as u32)),
            "move" => Some(Name::Move(rest.parse().ok()?)),
            "network" => Some(Name::Network(network(rest)?)),
            "node" => Some(Name::Node(NodeId(hex(rest, 16)?))),
            "organisation" => Some(Name::Organisation(rest.into())),
            "placement" => Some(Name::Placement(NodeId(hex(rest, 16)?))),
            "session" => Some(Name::Session(locator(rest)?)),
            _ => None,
        }
    }
}

/// The bytes of [`Name::Mapping`].
pub(crate) fn mapping_key(key: Key) -> [u8; 23] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = *b"mapping/vvvvvv/aaaaaaaa";
    let number = u64::from(key.vni.get()) << 32 | u64::from(key.address.to_bits());
    let places = (8..14).chain(15..23);
    for (place, shift) in places.zip((0..14).rev()) {
        bytes[place] = DIGITS[(number >> (4 * shift) & 0xf) as usize];
    }
    bytes
}

fn mapping_of(bytes: &[u8]) -> Option<Key> {
    let (vni, rest) = bytes.strip_prefix(b"mapping/")?.split_at_checked(6)?;
    let address = rest.strip_prefix(b"/").filter(|rest| rest.len() == 8)?;
    let address = Ipv4Addr::from_bits(digits(address)? as u32);
    Some(Key::new(Vni::new(digits(vni)? as u32)?, address))
}

/// The number that some hexadecimal digits are, 16 at most.
fn digits(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

fn hex(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits).then(|| self::digits(text.as_bytes()))?
}

pub(crate) fn locator(text: &str) -> Option<Locator> {
    let bits = hex(text, 16)?;
    Locator::new((bits >> 32) as u32, bits as u32).ok()
}

fn network(text: &str) -> Option<Vni> {
    Vni::new(hex(text, 6)? as u32)
}

/// The ranges of what a manager keeps in memory: all but the nodes. Each can be read in pieces,
/// but all at one revision.
#[must_use]
pub fn cached() -> [Range; 2] {
    let nodes = Range::prefix("node/");
    let behind = nodes.end().unwrap_or_default().to_vec();
    [
        Range::between("", nodes.start()),
        Range::between(behind, [0xff]),
    ]
}

/// The bytes of a record.
#[must_use]
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have no maps and no foreign serializers")
}

/// The record in these bytes; `None` if they are not one.
#[must_use]
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// The reign of a leading manager. Every transaction of every manager names the revision of this
/// record, so that none of an earlier term succeeds in a later one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Its number, the upper part of generations.
    pub number: u32,
    /// The id of the manager that was elected.
    pub leader: u32,
}

/// An owner of networks and hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// What people call it.
    pub title: String,
}

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// What people call it.
    pub name: String,
    /// Its organisation.
    pub organisation: String,
    /// Addresses of nodes are from these: address and length.
    pub prefixes: Vec<(Ipv4Addr, u8)>,
    /// Nodes may choose addresses by using them (`CH2`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub learn: bool,
    /// Every byte of a packet arrives, at the price of bytes on the substrate.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exact: bool,
    /// Networks whose nodes may talk to nodes of this one (`AU2`).
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "vnis")]
    pub admits: Vec<Vni>,
    /// What else is allowed or denied, first match first (`AU3`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

impl Network {
    /// Whether a node may have this address.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.prefixes
            .iter()
            .any(|(network, length)| (network.to_bits() ^ address.to_bits()) & mask(*length) == 0)
    }

    /// The addresses that nodes may have: of a prefix of up to 30 bits, all but the first and the
    /// last, which are the network's and the broadcast address.
    pub fn addresses(&self) -> impl Iterator<Item = std::ops::RangeInclusive<u32>> + '_ {
        self.prefixes.iter().map(|(network, length)| {
            let first = network.to_bits() & mask(*length);
            let last = first | !mask(*length);
            match length {
                0..=30 => first + 1..=last - 1,
                _ => first..=last,
            }
        })
    }
}

fn mask(length: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(length.min(32)))
        .unwrap_or(0)
}

/// One rule about a type of communication (`AU3`). What is absent matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Allow it, or deny it.
    pub allow: bool,
    /// The protocol of the IPv4 header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
    /// The destination ports, first and last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<(u16, u16)>,
    /// The ICMP type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// The size of the IPv4 packet, least and greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u16, u16)>,
    /// Minutes of the day (UTC), from and until.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<(u16, u16)>,
}

/// A host that may serve nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// What people call it.
    pub name: String,
    /// Its organisation.
    pub organisation: String,
    /// The sizes of the nodes on it may add up to so much; 0: to anything.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub capacity: u32,
    /// What it costs compared to others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cost: u32,
    /// Its nodes are to go to other hosts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub draining: bool,
}

/// The boots of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// The present one. What was bound in an earlier one is gone.
    pub current: u32,
    /// Boots up to this one are known to be dead, whatever they say (`MV7`).
    #[serde(default)]
    pub fenced: u32,
    /// That is known of the nodes under lease alone ([`Session::guarded`]): all others may run on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub by_lease: bool,
}

impl Epoch {
    /// Whether a boot of the host is certainly over.
    #[must_use]
    pub const fn is_over(self, epoch: u32) -> bool {
        epoch < self.current || epoch <= self.fenced
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What people call it.
    pub name: String,
    /// Its network.
    #[serde(with = "vni")]
    pub vni: Vni,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// The MAC others see, if not the derived one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "mac")]
    pub mac: Option<Mac>,
    /// The host it is provisioned to.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "host")]
    pub home: Option<Locator>,
    /// The move that is under way.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "moves::moving"
    )]
    pub moving: Option<MoveId>,
}

/// An address of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: Ipv4Addr,
    /// It was learned from the node's traffic, so that it may be in place of an older one (`CH3`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub learned: bool,
}

/// Whose a virtual address is, and where that node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The term it was written in.
    pub term: u32,
    /// The node.
    pub node: NodeId,
    /// Where the node is to be.
    pub home: Home,
    /// Where it is.
    pub at: Option<At>,
    /// The MAC others see, if not the derived one.
    pub mac: Option<Mac>,
}

/// Where a node is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// On a host.
    Host(Locator),
    /// Nowhere yet.
    Nowhere,
    /// Nowhere any more: the address is free as soon as its host has released it.
    Leaving,
}

/// Where a node is: the binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The host.
    pub host: Locator,
    /// The host's epoch when it claimed the node.
    pub epoch: u32,
    /// The host has detached the node and only holds its traffic until the next host claims it.
    pub held: bool,
}

/// [`Mapping`] as it is written.
#[derive(Serialize, Deserialize)]
struct MappingJson {
    term: u32,
    node: u64,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "host")]
    home: Option<Locator>,
    #[serde(default, skip_serializing_if = "is_false")]
    leaving: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "host")]
    at: Option<Locator>,
    #[serde(default, skip_serializing_if = "is_zero")]
    epoch: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    held: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "mac")]
    mac: Option<Mac>,
}

impl Serialize for Mapping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        MappingJson {
            term: self.term,
            node: self.node.0,
            home: match self.home {
                Home::Host(host) => Some(host),
                Home::Nowhere | Home::Leaving => None,
            },
            leaving: self.home == Home::Leaving,
            at: self.at.map(|at| at.host),
            epoch: self.at.map_or(0, |at| at.epoch),
            held: self.at.is_some_and(|at| at.held),
            mac: self.mac,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Mapping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mapping, D::Error> {
        let json = MappingJson::deserialize(deserializer)?;
        Ok(Mapping {
            term: json.term,
            node: NodeId(json.node),
            home: match json.home {
                _ if json.leaving => Home::Leaving,
                Some(host) => Home::Host(host),
                None => Home::Nowhere,
            },
            at: json.at.map(|host| At {
                host,
                epoch: json.epoch,
                held: json.held,
            }),
            mac: json.mac,
        })
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// What is written as text, read where it stands: a million locators need no strings of their own.
fn text<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    what: &'static str,
    read: fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Text<T>(&'static str, fn(&str) -> Option<T>);

    impl<T> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_str(Text(what, read))
}

/// A locator, as 16 hexadecimal digits.
mod host {
    use super::*;

    #[allow(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        host: &Option<Locator>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match host {
            Some(host) => serializer.collect_str(&format_args!("{:016x}", host.bits())),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Locator>, D::Error> {
        text(deserializer, "a locator", locator).map(Some)
    }
}

/// A MAC, as text.
mod mac {
    use super::*;

    #[allow(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        mac: &Option<Mac>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match mac {
            Some(mac) => serializer.collect_str(mac),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Mac>, D::Error> {
        text(deserializer, "a MAC", |text| text.parse().ok()).map(Some)
    }
}

/// A network id, as a number.
mod vni {
    use super::*;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(vni: &Vni, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(vni.get())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vni, D::Error> {
        let number = u32::deserialize(deserializer)?;
        Vni::new(number).ok_or_else(|| D::Error::custom("no network id"))
    }
}

/// Network ids, as numbers.
mod vnis {
    use super::*;

    pub(super) fn serialize<S: Serializer>(vnis: &[Vni], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(vnis.iter().map(|vni| vni.get()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vni>, D::Error> {
        let numbers = Vec::<u32>::deserialize(deserializer)?;
        let vnis = numbers.into_iter().map(Vni::new);
        vnis.collect::<Option<_>>()
            .ok_or_else(|| D::Error::custom("no network id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: u32) -> Locator {
        Locator::new(0xfd00_000a, host).unwrap()
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let vni = Vni::new(7).unwrap();
        let key = Key::new(vni, Ipv4Addr::new(10, 0, 0, 3));
        let names = [
            Name::Epoch(host(1)),
            Name::Host(host(2)),
            Name::Leader,
            Name::Load(host(4)),
            Name::Manager(7),
            Name::Mapping(key),
            Name::Move(MoveId(0xabc)),
            Name::Network(vni),
            Name::Node(NodeId(0xabc)),
            Name::Organisation("one/two".into()),
            Name::Placement(NodeId(0xabc)),
            Name::Session(host(3)),
            Name::Term,
        ];
        assert!(names.is_sorted() && names.iter().map(Name::bytes).is_sorted());
        for name in names {
            assert_eq!(Name::parse(&name.bytes()), Some(name));
        }
        assert_eq!(Name::Mapping(key).bytes(), b"mapping/000007/0a000003");
        for bad in [
            "mapping/000007/+a000003",
            "mapping/000000/0a000003",
            "term/",
            "node/1",
            "x",
        ] {
            assert_eq!(Name::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn all_but_nodes_is_cached() {
        let cached = |name: &Name| cached().iter().any(|range| range.contains(&name.bytes()));
        assert!(cached(&Name::Term) && cached(&Name::Epoch(host(1))));
        assert!(cached(&Name::Network(Vni::new(Vni::MAX).unwrap())));
        assert!(!cached(&Name::Node(NodeId(0))) && !cached(&Name::Node(NodeId(u64::MAX))));
    }

    #[test]
    fn a_mapping_is_read_as_it_is_written() {
        let at = At {
            host: host(1),
            epoch: 4,
            held: true,
        };
        for home in [Home::Host(host(2)), Home::Nowhere, Home::Leaving] {
            for at in [None, Some(at)] {
                let mac = at.map(|_| Mac([2, 0, 0, 0, 0, 1]));
                let mapping = Mapping {
                    term: 3,
                    node: NodeId(9),
                    home,
                    at,
                    mac,
                };
                assert_eq!(decode(&encode(&mapping)), Some(mapping));
            }
        }
        assert_eq!(
            decode::<Mapping>(b"{\"term\":1,\"node\":2,\"at\":\"x\"}"),
            None
        );
    }

    #[test]
    fn the_first_and_the_last_address_of_a_prefix_are_no_nodes() {
        let network = |length| Network {
            name: String::new(),
            organisation: String::new(),
            prefixes: vec![(Ipv4Addr::new(10, 0, 0, 8), length)],
            learn: false,
            exact: false,
            admits: Vec::new(),
            rules: Vec::new(),
        };
        let addresses = |length| -> Vec<_> {
            let addresses: Vec<_> = network(length).addresses().flatten().collect();
            addresses.into_iter().map(|a| a & 0xff).collect()
        };
        assert_eq!(addresses(30), [9, 10]);
        assert_eq!(addresses(31), [8, 9]);
        assert_eq!(addresses(32), [8]);
        assert!(network(30).contains(Ipv4Addr::new(10, 0, 0, 11)));
        assert!(!network(30).contains(Ipv4Addr::new(10, 0, 0, 12)));
        assert!(network(0).contains(Ipv4Addr::new(1, 2, 3, 4)));
    }

    #[test]
    fn epochs_before_the_present_and_fenced_ones_are_over() {
        let epoch = Epoch {
            current: 5,
            ..Epoch::default()
        };
        assert!(epoch.is_over(4) && !epoch.is_over(5) && !epoch.is_over(6));
        assert!(Epoch { fenced: 5, ..epoch }.is_over(5));
    }
}
