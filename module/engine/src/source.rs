// SPDX-License-Identifier: GPL-2.0

//! Who a port's node is, and whether what it sends is its own.

use core::net::Ipv4Addr;

use crate::{DropReason, Mac};

/// The MAC and the virtual address of a port's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The node's MAC.
    pub mac: Mac,
    /// The node's virtual address.
    pub address: Ipv4Addr,
}

impl Identity {
    /// Admits an IPv4 packet only from the port's own MAC and own address (`TX8`, strict).
    ///
    /// # Errors
    ///
    /// [`DropReason::SpoofMac`] before [`DropReason::SpoofAddress`].
    #[inline]
    pub fn admits(&self, eth_src: Mac, ip_src: Ipv4Addr) -> Result<(), DropReason> {
        self.admits_mac(eth_src)?;
        if ip_src != self.address {
            return Err(DropReason::SpoofAddress);
        }
        Ok(())
    }

    /// Admits a frame of any type only from the port's own MAC.
    ///
    /// # Errors
    ///
    /// [`DropReason::SpoofMac`].
    #[inline]
    pub fn admits_mac(&self, eth_src: Mac) -> Result<(), DropReason> {
        if eth_src != self.mac {
            return Err(DropReason::SpoofMac);
        }
        Ok(())
    }
}
