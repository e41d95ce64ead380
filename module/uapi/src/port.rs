// SPDX-License-Identifier: GPL-2.0

//! Ports: ovnet devices, each the attachment of one node.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use ovnet_engine::{Locator, Mac, Vni};

use crate::attrs::{require, Reader, Writer};
use crate::connection::Record;
use crate::generated::{PortAttr, PortState, SourceAttr, SourceCheck};
use crate::host::locator;
use crate::network::vni;
use crate::Error;

/// An ovnet device whose substrate is this host, and the node it is the port of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Interface index in the namespace the device lives in.
    pub ifindex: u32,
    /// Id of that namespace as seen from the socket's; absent when it is the same one.
    pub netns_id: Option<i32>,
    /// Name of the device.
    pub ifname: String,
    /// The node's network; absent, as all that follows, before the port is configured.
    pub vni: Option<Vni>,
    /// The node's virtual address.
    pub address: Option<Ipv4Addr>,
    /// The node's MAC.
    pub mac: Option<Mac>,
    /// Generation of the node's mapping.
    pub gen: Option<u64>,
    /// Whether the node is here.
    pub state: Option<PortState>,
    /// The host that gets what arrives at a frozen port.
    pub locator: Option<Locator>,
    /// What happens to source addresses that are not the node's.
    pub source_check: Option<SourceCheck>,
    /// Its slot in the network; 0: none.
    pub slot: Option<u8>,
    /// What the node may send from beside its own address.
    pub sources: Vec<Source>,
    /// Packets that wait for the node; absent where none may.
    pub parked: Option<u32>,
    /// Since when the node has not sent from its address; absent: it never did.
    pub idle: Option<Duration>,
    /// Which node of the provisioning data it is; absent: none.
    pub node: Option<u64>,
    /// Whether it carries packets only while the lease of its host lasts.
    pub lease: bool,
}

/// Addresses a node may send from beside its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The first address.
    pub address: Ipv4Addr,
    /// The bits that the addresses have in common with it; 32: it is the only one.
    pub prefix_len: u8,
    /// Since when the node has not sent from them; absent: it never did. No part of a request.
    pub idle: Option<Duration>,
}

impl Source {
    /// The source that stands for none in a request.
    const NONE: Source = Source::new(Ipv4Addr::UNSPECIFIED, 32);

    /// These addresses, as a request has them.
    #[must_use]
    pub const fn new(address: Ipv4Addr, prefix_len: u8) -> Source {
        Source {
            address,
            prefix_len,
            idle: None,
        }
    }

    fn put(self, attrs: &mut Writer<PortAttr>) -> Result<(), Error> {
        attrs.nest(PortAttr::Source, |attrs| {
            attrs.put(SourceAttr::Address, self.address.octets())?;
            attrs.put(SourceAttr::PrefixLen, [self.prefix_len])
        })
    }

    fn parse(nest: &[u8]) -> Result<Source, Error> {
        let attrs = Reader::<SourceAttr>::parse(nest)?;
        Ok(Source {
            address: require(SourceAttr::Address, attrs.ipv4(SourceAttr::Address)?)?,
            prefix_len: attrs.u8(SourceAttr::PrefixLen)?.unwrap_or(32),
            idle: attrs.duration(SourceAttr::Idle)?,
        })
    }
}

/// A device by the namespace it lives in and its index there.
#[derive(Clone, Copy, Debug)]
pub struct Device<'fd> {
    /// Interface index.
    pub ifindex: u32,
    /// The namespace; absent: the socket's, or the one with the id.
    pub netns: Option<BorrowedFd<'fd>>,
    /// The id of the namespace as seen from the socket's, as in [`Port::netns_id`].
    pub netns_id: Option<i32>,
}

/// What to make of a device.
#[derive(Clone, Debug)]
pub struct PortSet<'fd> {
    /// The device.
    pub device: Device<'fd>,
    /// The node's network.
    pub vni: Vni,
    /// The node's virtual address.
    pub address: Ipv4Addr,
    /// The node's MAC; absent: derived from the address.
    pub mac: Option<Mac>,
    /// Generation of the node's mapping; absent: one more than the known one.
    pub gen: Option<u64>,
    /// Whether the node is here, comes or leaves; absent: as it is, or active.
    pub state: Option<PortState>,
    /// The host that gets what arrives at a frozen port; absent: it waits here.
    pub locator: Option<Locator>,
    /// What happens to source addresses that are not the node's; absent: as it is, or strict.
    pub source_check: Option<SourceCheck>,
    /// Its slot in the network; 0: none.
    pub slot: Option<u8>,
    /// What the node may send from beside its own address; absent: as it is.
    pub sources: Option<Vec<Source>>,
    /// Which node of the provisioning data it is; 0: none; absent: as it is, or none.
    pub node: Option<u64>,
    /// Whether it carries packets only while the lease of its host lasts; absent: as it is, or not.
    pub lease: Option<bool>,
}

impl Device<'_> {
    /// A device of the socket's own namespace.
    #[must_use]
    pub const fn here(ifindex: u32) -> Self {
        Device {
            ifindex,
            netns: None,
            netns_id: None,
        }
    }

    pub(crate) fn attrs(&self) -> Result<Writer<PortAttr>, Error> {
        let mut attrs = Writer::new();
        attrs.put(PortAttr::Ifindex, self.ifindex.to_ne_bytes())?;
        let fd = self.netns.map(|netns| netns.as_raw_fd().to_ne_bytes());
        attrs.put_some(PortAttr::NetnsFd, fd)?;
        attrs.put_some(PortAttr::NetnsId, self.netns_id.map(i32::to_ne_bytes))?;
        Ok(attrs)
    }
}

impl<'fd> PortSet<'fd> {
    /// The device as the port of this node; all else is the kernel's choice.
    #[must_use]
    pub fn new(device: Device<'fd>, vni: Vni, address: Ipv4Addr) -> PortSet<'fd> {
        PortSet {
            device,
            vni,
            address,
            mac: None,
            gen: None,
            state: None,
            locator: None,
            source_check: None,
            slot: None,
            sources: None,
            node: None,
            lease: None,
        }
    }

    pub(crate) fn attrs(&self) -> Result<Writer<PortAttr>, Error> {
        let mut attrs = self.device.attrs()?;
        attrs.put(PortAttr::Vni, self.vni.get().to_ne_bytes())?;
        attrs.put(PortAttr::Address, self.address.octets())?;
        attrs.put_some(PortAttr::Mac, self.mac.map(Mac::octets))?;
        attrs.put_some(PortAttr::Gen, self.gen.map(u64::to_ne_bytes))?;
        let state = self.state.map(|state| u32::from(state).to_ne_bytes());
        attrs.put_some(PortAttr::State, state)?;
        attrs.put_some(PortAttr::Locator, self.locator.map(Locator::to_prefix))?;
        let check = self
            .source_check
            .map(|check| u32::from(check).to_ne_bytes());
        attrs.put_some(PortAttr::SourceCheck, check)?;
        attrs.put_some(PortAttr::Slot, self.slot.map(|slot| [slot]))?;
        attrs.put_some(PortAttr::Node, self.node.map(u64::to_ne_bytes))?;
        attrs.put_some(PortAttr::Lease, self.lease.map(|lease| [u8::from(lease)]))?;
        match self.sources.as_deref() {
            None => {}
            Some([]) => Source::NONE.put(&mut attrs)?,
            Some(sources) => sources
                .iter()
                .try_for_each(|source| source.put(&mut attrs))?,
        }
        Ok(attrs)
    }
}

impl Record for Port {
    type Attr = PortAttr;

    fn from_attrs(attrs: &Reader<PortAttr>) -> Result<Port, Error> {
        Ok(Port {
            ifindex: require(PortAttr::Ifindex, attrs.u32(PortAttr::Ifindex)?)?,
            netns_id: attrs.i32(PortAttr::NetnsId)?,
            ifname: require(PortAttr::Ifname, attrs.string(PortAttr::Ifname))?,
            vni: vni(attrs, PortAttr::Vni)?,
            address: attrs.ipv4(PortAttr::Address)?,
            mac: attrs.array(PortAttr::Mac)?.map(Mac),
            gen: attrs.u64(PortAttr::Gen)?,
            state: attrs.u32(PortAttr::State)?.map(PortState::from),
            locator: locator(attrs, PortAttr::Locator)?,
            source_check: attrs.u32(PortAttr::SourceCheck)?.map(SourceCheck::from),
            slot: attrs.u8(PortAttr::Slot)?,
            sources: attrs
                .iter()
                .filter(|(attr, _)| *attr == PortAttr::Source)
                .map(|(_, nest)| Source::parse(nest))
                .collect::<Result<_, _>>()?,
            parked: attrs.u32(PortAttr::Parked)?,
            idle: attrs.duration(PortAttr::Idle)?,
            node: attrs.u64(PortAttr::Node)?,
            lease: attrs.u8(PortAttr::Lease)? == Some(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_port_is_read_from_its_attributes() {
        #[rustfmt::skip]
        let bytes = [
            9, 1, 0, 0,
            8, 0, 1, 0, 5, 0, 0, 0,
            8, 0, 3, 0, 2, 0, 0, 0,
            7, 0, 4, 0, b'v', b'0', 0, 0,
            8, 0, 5, 0, 7, 0, 0, 0,
            8, 0, 6, 0, 10, 0, 0, 2,
            10, 0, 7, 0, 2, 0x76, 10, 0, 0, 2, 0, 0,
            12, 0, 8, 0, 1, 0, 0, 0, 0, 1, 0, 0,
            8, 0, 9, 0, 2, 0, 0, 0,
            20, 0, 10, 0, 0xfd, 0, 0, 0xa, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
            8, 0, 11, 0, 1, 0, 0, 0,
            12, 0, 12, 0x80,
                8, 0, 1, 0, 10, 0, 0, 9,
            28, 0, 12, 0x80,
                8, 0, 1, 0, 10, 1, 0, 0,
                5, 0, 2, 0, 24, 0, 0, 0,
                8, 0, 3, 0, 0xe8, 3, 0, 0,
            8, 0, 13, 0, 4, 0, 0, 0,
            8, 0, 14, 0, 0xd0, 7, 0, 0,
            12, 0, 16, 0, 0xaa, 0, 0, 0, 0, 0, 0, 0,
            5, 0, 17, 0, 1, 0, 0, 0,
        ];
        assert_eq!(
            Port::parse(&bytes).unwrap(),
            Port {
                ifindex: 5,
                netns_id: Some(2),
                ifname: "v0".into(),
                vni: Vni::new(7),
                address: Some(Ipv4Addr::new(10, 0, 0, 2)),
                mac: Some(Mac::of(Ipv4Addr::new(10, 0, 0, 2))),
                gen: Some((1 << 40) + 1),
                state: Some(PortState::Frozen),
                locator: Some(Locator::new(0xfd00_000a, 0x0001_0002).unwrap()),
                source_check: Some(SourceCheck::Learn),
                slot: None,
                sources: vec![
                    Source::new(Ipv4Addr::new(10, 0, 0, 9), 32),
                    Source {
                        idle: Some(Duration::from_secs(1)),
                        ..Source::new(Ipv4Addr::new(10, 1, 0, 0), 24)
                    },
                ],
                parked: Some(4),
                idle: Some(Duration::from_secs(2)),
                node: Some(0xaa),
                lease: true,
            }
        );
    }

    #[test]
    fn a_port_before_its_configuration_has_device_and_name_only() {
        let bytes = [
            9, 1, 0, 0, 8, 0, 1, 0, 5, 0, 0, 0, 7, 0, 4, 0, b'v', b'0', 0, 0,
        ];
        let port = Port::parse(&bytes).unwrap();
        assert_eq!((port.vni, port.address, port.gen), (None, None, None));
        assert_eq!((port.state, port.source_check), (None, None));
        assert!(port.sources.is_empty() && port.node.is_none() && !port.lease);
    }
}
