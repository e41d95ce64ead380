// SPDX-License-Identifier: GPL-2.0

//! Ports: ovnet devices, each the attachment of one node.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use ovnet_engine::{Mac, Vni};

use crate::attrs::{require, Reader, Writer};
use crate::connection::Record;
use crate::generated::PortAttr;
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
}

/// A device by the namespace it lives in and its index there.
#[derive(Clone, Copy, Debug)]
pub struct Device<'fd> {
    /// Interface index.
    pub ifindex: u32,
    /// The namespace; absent: the socket's.
    pub netns: Option<BorrowedFd<'fd>>,
}

/// What to make of a device.
#[derive(Clone, Copy, Debug)]
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
}

impl Device<'_> {
    pub(crate) fn attrs(&self) -> Result<Writer<PortAttr>, Error> {
        let mut attrs = Writer::new();
        attrs.put(PortAttr::Ifindex, self.ifindex.to_ne_bytes())?;
        let fd = self.netns.map(|netns| netns.as_raw_fd().to_ne_bytes());
        attrs.put_some(PortAttr::NetnsFd, fd)?;
        Ok(attrs)
    }
}

impl PortSet<'_> {
    pub(crate) fn attrs(&self) -> Result<Writer<PortAttr>, Error> {
        let mut attrs = self.device.attrs()?;
        attrs.put(PortAttr::Vni, self.vni.get().to_ne_bytes())?;
        attrs.put(PortAttr::Address, self.address.octets())?;
        attrs.put_some(PortAttr::Mac, self.mac.map(Mac::octets))?;
        attrs.put_some(PortAttr::Gen, self.gen.map(u64::to_ne_bytes))?;
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
    }
}
