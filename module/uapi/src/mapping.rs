// SPDX-License-Identifier: GPL-2.0

//! Mappings: where the node with a virtual address of a network is.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};

use crate::attrs::{require, Reader, Writer};
use crate::connection::Record;
use crate::generated::{MappingAttr, MappingState};
use crate::host::locator;
use crate::network::vni;
use crate::Error;

/// A mapping, or the tombstone of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The node's network.
    pub vni: Vni,
    /// The node's virtual address.
    pub address: Ipv4Addr,
    /// The host the node is behind; absent in a tombstone.
    pub locator: Option<Locator>,
    /// The MAC others see; absent in a tombstone.
    pub mac: Option<Mac>,
    /// The generation.
    pub gen: u64,
    /// Whether the node is here, elsewhere or forgotten.
    pub state: MappingState,
    /// Interface index of the port, when local.
    pub ifindex: Option<u32>,
    /// Id of the port's namespace; absent when it is the socket's own.
    pub netns_id: Option<i32>,
}

/// Where a node is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappingSet {
    /// The node's network.
    pub vni: Vni,
    /// The node's virtual address.
    pub address: Ipv4Addr,
    /// The host the node is behind.
    pub locator: Locator,
    /// The MAC others see; absent: derived from the address.
    pub mac: Option<Mac>,
    /// The generation; absent: one more than the known one.
    pub gen: Option<u64>,
}

impl MappingSet {
    pub(crate) fn attrs(&self) -> Result<Writer<MappingAttr>, Error> {
        let mut attrs = mapping_key(self.vni, self.address)?;
        attrs.put(MappingAttr::Locator, self.locator.to_prefix())?;
        attrs.put_some(MappingAttr::Mac, self.mac.map(Mac::octets))?;
        attrs.put_some(MappingAttr::Gen, self.gen.map(u64::to_ne_bytes))?;
        Ok(attrs)
    }
}

/// The attributes that name a mapping.
pub(crate) fn mapping_key(vni: Vni, address: Ipv4Addr) -> Result<Writer<MappingAttr>, Error> {
    let mut attrs = Writer::new();
    attrs.put(MappingAttr::Vni, vni.get().to_ne_bytes())?;
    attrs.put(MappingAttr::Address, address.octets())?;
    Ok(attrs)
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
            gen: require(MappingAttr::Gen, attrs.u64(MappingAttr::Gen)?)?,
            state: require(MappingAttr::State, state)?,
            ifindex: attrs.u32(MappingAttr::Ifindex)?,
            netns_id: attrs.i32(MappingAttr::NetnsId)?,
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
        assert_eq!(mapping.gen, 5);
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
    fn a_mapping_without_a_generation_is_refused() {
        let without = [&REMOTE[..52], &REMOTE[64..]].concat();
        assert_eq!(
            Mapping::parse(&without).unwrap_err().to_string(),
            "unexpected answer from the kernel: attribute gen is missing"
        );
    }
}
