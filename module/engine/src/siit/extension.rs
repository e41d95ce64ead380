// SPDX-License-Identifier: GPL-2.0

//! The IPv6 extension headers between the IPv6 header and the transport: skipped within bounds.

use crate::bytes;
use crate::header::{Fragment, Ipv6, IPV6_LEN};
use crate::DropReason;

/// Bytes of extension headers that are looked through.
pub(super) const MAX_LEN: usize = 256;

/// How many extension headers are looked through.
const MAX_COUNT: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// Where the Segments Left byte is in a routing header.
const SEGMENTS_LEFT: usize = 3;

/// What stands before the transport.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    /// Protocol behind the last header that is skipped.
    pub(super) protocol: u8,
    /// Bytes from the IPv6 header to the transport.
    pub(super) len: usize,
    /// The Fragment header.
    pub(super) fragment: Option<Fragment>,
    /// Where from the IPv6 header on the first routing header with segments left says so.
    pub(super) segments_left: Option<u32>,
    /// A header behind the Fragment header that belongs to IP rather than to the transport.
    pub(super) behind_fragment: bool,
}

impl Chain {
    /// Walks the headers. `head` starts with the IPv6 header `ip` and may hold less than the packet, or more:
    /// whether the headers end within the packet is for the caller to see.
    ///
    /// # Errors
    ///
    /// [`DropReason::ExtensionHeaders`] if there are too many or they are too long,
    /// [`DropReason::Malformed`] if they run past the end of `head`.
    pub(super) fn walk(head: &[u8], ip: &Ipv6) -> Result<Chain, DropReason> {
        let mut chain = Chain {
            protocol: ip.next_header,
            len: IPV6_LEN,
            fragment: None,
            segments_left: None,
            behind_fragment: false,
        };
        for _ in 0..MAX_COUNT {
            match chain.protocol {
                HOP_BY_HOP | ROUTING | DESTINATION | AUTHENTICATION | Fragment::NUMBER
                    if chain.fragment.is_some() =>
                {
                    chain.behind_fragment = true;
                    return Ok(chain);
                }
                HOP_BY_HOP | ROUTING | DESTINATION => chain.skip(head)?,
                Fragment::NUMBER => {
                    let fragment = Fragment::parse(head, chain.len)?;
                    chain.fragment = Some(fragment);
                    chain.protocol = fragment.next_header;
                    chain.advance(head, Fragment::LEN)?;
                }
                _ => return Ok(chain),
            }
        }
        match chain.protocol {
            HOP_BY_HOP | ROUTING | DESTINATION | Fragment::NUMBER => {
                Err(DropReason::ExtensionHeaders)
            }
            _ => Ok(chain),
        }
    }

    /// Skips one header of the form that all but the Fragment header have.
    fn skip(&mut self, head: &[u8]) -> Result<(), DropReason> {
        let [next, units, _, left] = bytes::read(head, self.len).ok_or(DropReason::Malformed)?;
        if self.protocol == ROUTING && left > 0 && self.segments_left.is_none() {
            let at = self.len.wrapping_add(SEGMENTS_LEFT);
            self.segments_left = u32::try_from(at).ok();
        }
        self.protocol = next;
        self.advance(head, usize::from(units).wrapping_add(1).wrapping_mul(8))
    }

    fn advance(&mut self, head: &[u8], len: usize) -> Result<(), DropReason> {
        self.len = self.len.wrapping_add(len);
        if self.len > IPV6_LEN.wrapping_add(MAX_LEN) {
            return Err(DropReason::ExtensionHeaders);
        }
        if self.len > head.len() {
            return Err(DropReason::Malformed);
        }
        Ok(())
    }

    /// Whether the packet is a fragment of a larger one.
    pub(super) const fn is_fragment(&self) -> bool {
        matches!(self.fragment, Some(fragment) if !fragment.is_atomic())
    }

    /// Offset of the fragment, in units of 8 bytes.
    pub(super) const fn offset(&self) -> u16 {
        match self.fragment {
            Some(fragment) => fragment.offset,
            None => 0,
        }
    }
}
