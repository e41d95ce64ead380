// SPDX-License-Identifier: GPL-2.0

//! Mappings: where the node with a virtual address of a network is.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ovnet_engine::{Locator, Mac, Vni};

use crate::attrs::{require, Reader, Writer};
use crate::connection::Record;
use crate::generated::{MappingAttr, MappingBatchAttr, MappingState};
use crate::host::locator;
use crate::network::vni;
use crate::Error;

/// A mapping, the tombstone of one, or what is known of an address that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The node's network.
    pub vni: Vni,
    /// The node's virtual address.
    pub address: Ipv4Addr,
    /// The host the node is behind; absent where it is behind none.
    pub locator: Option<Locator>,
    /// The MAC others see; absent where no node is known.
    pub mac: Option<Mac>,
    /// The generation; pending and negative entries have none.
    pub gen: Option<u64>,
    /// Whether the node is here, elsewhere, forgotten, asked for or known not to exist.
    pub state: MappingState,
    /// Interface index of the port, when local.
    pub ifindex: Option<u32>,
    /// Id of the port's namespace; absent when it is the socket's own.
    pub netns_id: Option<i32>,
    /// The network the node is in, when that is another one.
    pub peer_vni: Option<Vni>,
    /// What is left until a refresh is due; absent: none is.
    pub soft_ttl: Option<Duration>,
    /// What is left until the entry goes; absent: it stays.
    pub hard_ttl: Option<Duration>,
    /// Since when no packet has used the mapping, to the second; absent: never used.
    pub idle: Option<Duration>,
    /// Packets that wait; absent where none may.
    pub parked: Option<u32>,
    /// The machine outside the overlay that the address stands for; absent for nodes.
    pub external: Option<Ipv6Addr>,
    /// The slot of the host that packets go to; absent: the address's own port.
    pub slot: Option<u8>,
}

/// Where a node is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappingSet {
    /// The node's network.
    pub vni: Vni,
    /// The node's virtual address.
    pub address: Ipv4Addr,
    /// Remote, moved or negative.
    pub state: MappingState,
    /// The host the node is behind; a negative mapping has none.
    pub locator: Option<Locator>,
    /// The MAC others see; absent: derived from the address.
    pub mac: Option<Mac>,
    /// The generation; absent: one more than the known one.
    pub gen: Option<u64>,
    /// The network the node is in; absent: the same.
    pub peer_vni: Option<Vni>,
    /// After which a mapping in use is reported for a refresh; absent: never.
    pub soft_ttl: Option<Duration>,
    /// After which the mapping goes; absent: never, or a second if negative.
    pub hard_ttl: Option<Duration>,
    /// Instead of a locator: the machine outside the overlay that the address stands for.
    pub external: Option<Ipv6Addr>,
    /// The slot of the host that packets go to; absent: the address's own port.
    pub slot: Option<u8>,
}

/// What became of the mappings of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchResult {
    /// Those that are now as asked for.
    pub installed: u32,
    /// Those that were so before.
    pub unchanged: u32,
    /// Those whose generation is older than the known one, or the same with other contents.
    pub refused: u32,
}

/// Bytes of attributes after which a batch goes on in another message. The kernel takes a message
/// that fits the socket's send buffer, which is 64 KiB on the smallest systems.
const BATCH: usize = 32 * 1024;

impl MappingSet {
    /// The node is behind this host, until further notice.
    #[must_use]
    pub fn remote(vni: Vni, address: Ipv4Addr, locator: Locator) -> MappingSet {
        MappingSet {
            locator: Some(locator),
            state: MappingState::Remote,
            ..MappingSet::negative(vni, address)
        }
    }

    /// No node has this address, for a while.
    #[must_use]
    pub fn negative(vni: Vni, address: Ipv4Addr) -> MappingSet {
        MappingSet {
            vni,
            address,
            state: MappingState::Negative,
            locator: None,
            mac: None,
            gen: None,
            peer_vni: None,
            soft_ttl: None,
            hard_ttl: None,
            external: None,
            slot: None,
        }
    }

    pub(crate) fn attrs(&self) -> Result<Writer<MappingAttr>, Error> {
        let mut attrs = Writer::new();
        self.write(&mut attrs)?;
        Ok(attrs)
    }

    fn write(&self, attrs: &mut Writer<MappingAttr>) -> Result<(), Error> {
        write_key(attrs, self.vni, self.address)?;
        attrs.put_some(MappingAttr::Locator, self.locator.map(Locator::to_prefix))?;
        attrs.put_some(MappingAttr::Mac, self.mac.map(Mac::octets))?;
        attrs.put_some(MappingAttr::Gen, self.gen.map(u64::to_ne_bytes))?;
        let state = (self.state != MappingState::Remote).then_some(self.state);
        let state = state.map(|state| u32::from(state).to_ne_bytes());
        attrs.put_some(MappingAttr::State, state)?;
        let peer = self.peer_vni.map(|vni| vni.get().to_ne_bytes());
        attrs.put_some(MappingAttr::PeerVni, peer)?;
        attrs.put_some(MappingAttr::SoftTtl, self.soft_ttl.map(milliseconds))?;
        attrs.put_some(MappingAttr::HardTtl, self.hard_ttl.map(milliseconds))?;
        let external = self.external.map(|address| address.octets());
        attrs.put_some(MappingAttr::External, external)?;
        attrs.put_some(MappingAttr::Slot, self.slot.map(|slot| [slot]))
    }

    /// Write as many as fit one message; says how many those are, at least one of any.
    pub(crate) fn write_batch(
        mappings: &[MappingSet],
        attrs: &mut Writer<MappingBatchAttr>,
    ) -> Result<usize, Error> {
        for (written, mapping) in mappings.iter().enumerate() {
            if attrs.as_bytes().len() >= BATCH {
                return Ok(written);
            }
            attrs.nest(MappingBatchAttr::Mapping, |attrs| mapping.write(attrs))?;
        }
        Ok(mappings.len())
    }
}

/// A TTL as the kernel takes it, rounded up. One that no number holds is longer than it allows.
fn milliseconds(ttl: Duration) -> [u8; 4] {
    let ms = ttl.as_micros().div_ceil(1000);
    u32::try_from(ms).unwrap_or(u32::MAX).to_ne_bytes()
}

impl std::ops::AddAssign for BatchResult {
    fn add_assign(&mut self, other: BatchResult) {
        self.installed = self.installed.saturating_add(other.installed);
        self.unchanged = self.unchanged.saturating_add(other.unchanged);
        self.refused = self.refused.saturating_add(other.refused);
    }
}

impl Record for BatchResult {
    type Attr = MappingBatchAttr;

    fn from_attrs(attrs: &Reader<MappingBatchAttr>) -> Result<BatchResult, Error> {
        let count = |attr| require(attr, attrs.u32(attr)?);
        Ok(BatchResult {
            installed: count(MappingBatchAttr::Installed)?,
            unchanged: count(MappingBatchAttr::Unchanged)?,
            refused: count(MappingBatchAttr::Refused)?,
        })
    }
}

/// The attributes that name a mapping.
pub(crate) fn mapping_key(vni: Vni, address: Ipv4Addr) -> Result<Writer<MappingAttr>, Error> {
    let mut attrs = Writer::new();
    write_key(&mut attrs, vni, address)?;
    Ok(attrs)
}

fn write_key(attrs: &mut Writer<MappingAttr>, vni: Vni, address: Ipv4Addr) -> Result<(), Error> {
    attrs.put(MappingAttr::Vni, vni.get().to_ne_bytes())?;
    attrs.put(MappingAttr::Address, address.octets())
}

impl Record for Mapping {
    type Attr = MappingAttr;

    fn from_attrs(attrs: &Reader<MappingAttr>) -> Result<Mapping, Error> {
        let address = attrs.ipv4(MappingAttr::Address)?;
        let state = attrs.u32(MappingAttr::State)?.map(MappingState::from);
        Ok(Mapping {
            vni: require(MappingAttr::Vni, vni(attrs, MappingAttr::Vni)?)?,
            address: require(MappingAttr::Address, address)?,
            locator: locator(attrs, MappingAttr::Locator)?,
            mac: attrs.array(MappingAttr::Mac)?.map(Mac),
            gen: attrs.u64(MappingAttr::Gen)?,
            state: require(MappingAttr::State, state)?,
            ifindex: attrs.u32(MappingAttr::Ifindex)?,
            netns_id: attrs.i32(MappingAttr::NetnsId)?,
            peer_vni: vni(attrs, MappingAttr::PeerVni)?,
            soft_ttl: attrs.duration(MappingAttr::SoftTtl)?,
            hard_ttl: attrs.duration(MappingAttr::HardTtl)?,
            idle: attrs.duration(MappingAttr::Idle)?,
            parked: attrs.u32(MappingAttr::Parked)?,
            external: attrs.array(MappingAttr::External)?.map(Ipv6Addr::from),
            slot: attrs.u8(MappingAttr::Slot)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    const REMOTE: [u8; 72] = [
        12, 1, 0, 0,
        8, 0, 1, 0, 7, 0, 0, 0,
        8, 0, 2, 0, 10, 0, 0, 3,
        20, 0, 3, 0, 0xfd, 0, 0, 0xa, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
        10, 0, 4, 0, 2, 0x76, 10, 0, 0, 3, 0, 0,
        12, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
        8, 0, 6, 0, 1, 0, 0, 0,
    ];

    #[test]
    fn a_mapping_is_read_from_its_attributes() {
        let mapping = Mapping::parse(&REMOTE).unwrap();
        assert_eq!(mapping.vni.get(), 7);
        assert_eq!(mapping.address, Ipv4Addr::new(10, 0, 0, 3));
        assert_eq!(mapping.locator.unwrap().to_string(), "fd00:a:1:2::/64");
        assert_eq!(mapping.mac, Some(Mac::of(mapping.address)));
        assert_eq!(mapping.gen, Some(5));
        assert_eq!(mapping.state, MappingState::Remote);
        assert_eq!((mapping.ifindex, mapping.netns_id), (None, None));
    }

    #[test]
    fn a_state_of_a_newer_kernel_is_kept_as_its_number() {
        let mut newer = REMOTE;
        newer[68] = 77;
        let state = Mapping::parse(&newer).unwrap().state;
        assert_eq!(state, MappingState::UnrecognizedConst(77));
        assert_eq!(state.name(), None);
    }

    #[test]
    fn a_mapping_has_times_and_what_waits() {
        #[rustfmt::skip]
        let times = [
            8, 0, 9, 0, 9, 0, 0, 0,
            8, 0, 10, 0, 0x30, 0x75, 0, 0,
            8, 0, 11, 0, 0x60, 0xea, 0, 0,
            8, 0, 12, 0, 1, 0, 0, 0,
            8, 0, 13, 0, 3, 0, 0, 0,
            20, 0, 14, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
        ];
        let mapping = Mapping::parse(&[&REMOTE[..], &times].concat()).unwrap();
        assert_eq!(mapping.peer_vni, Vni::new(9));
        assert_eq!(mapping.soft_ttl, Some(Duration::from_secs(30)));
        assert_eq!(mapping.hard_ttl, Some(Duration::from_secs(60)));
        assert_eq!(mapping.idle, Some(Duration::from_millis(1)));
        assert_eq!(mapping.parked, Some(3));
        assert_eq!(mapping.external, Some("2001:db8::9".parse().unwrap()));
    }

    #[test]
    fn what_is_asked_for_has_neither_place_nor_generation() {
        let pending = [&REMOTE[..20], &[8, 0, 6, 0, 4, 0, 0, 0]].concat();
        let mapping = Mapping::parse(&pending).unwrap();
        assert_eq!(mapping.state, MappingState::Pending);
        assert_eq!(
            (mapping.locator, mapping.mac, mapping.gen),
            (None, None, None)
        );
    }

    #[test]
    fn a_mapping_without_a_state_is_refused() {
        assert_eq!(
            Mapping::parse(&REMOTE[..64]).unwrap_err().to_string(),
            "unexpected answer from the kernel: attribute state is missing"
        );
    }

    #[test]
    fn a_ttl_is_rounded_up_and_never_wraps() {
        let ms = |ttl| u32::from_ne_bytes(milliseconds(ttl));
        assert_eq!(ms(Duration::from_micros(1)), 1);
        assert_eq!(ms(Duration::from_millis(1500)), 1500);
        assert_eq!(ms(Duration::MAX), u32::MAX);
    }

    #[test]
    fn a_batch_goes_on_in_messages_the_kernel_takes() {
        let vni = Vni::new(7).unwrap();
        let address = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 + number);
        let mapping = |number| MappingSet::negative(vni, address(number));
        let mappings: Vec<_> = (1..=10_000).map(mapping).collect();
        let mut rest = &mappings[..];
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let mut attrs = Writer::new();
            let written = MappingSet::write_batch(rest, &mut attrs).unwrap();
            rest = &rest[written..];
            assert!(attrs.as_bytes().len() < BATCH + 100);
            assert!(rest.is_empty() || attrs.as_bytes().len() >= BATCH);
            let message = Reader::<MappingBatchAttr>::parse(attrs.as_bytes()).unwrap();
            for (attr, nest) in message.iter() {
                assert_eq!(attr, MappingBatchAttr::Mapping);
                let entry = Mapping::from_attrs(&Reader::parse(nest).unwrap()).unwrap();
                assert_eq!(entry.state, MappingState::Negative);
                seen.push(entry.address);
            }
        }
        let asked: Vec<_> = mappings.iter().map(|mapping| mapping.address).collect();
        assert_eq!(seen, asked);
    }

    #[test]
    fn the_result_of_a_batch_is_read() {
        #[rustfmt::skip]
        let bytes = [
            15, 1, 0, 0,
            8, 0, 2, 0, 3, 0, 0, 0,
            8, 0, 3, 0, 2, 0, 0, 0,
            8, 0, 4, 0, 1, 0, 0, 0,
        ];
        let mut sum = BatchResult::parse(&bytes).unwrap();
        sum += sum;
        assert_eq!((sum.installed, sum.unchanged, sum.refused), (6, 4, 2));
        assert!(BatchResult::parse(&bytes[..20]).is_err());
    }
}
