// SPDX-License-Identifier: GPL-2.0

//! ICMP messages in parts: the quoted packet, and objects behind it (RFC 4884). The objects are opaque.

use crate::bytes::{self, Writer};
use crate::checksum;
use crate::DropReason;

/// Bytes of a quoted packet in front of objects, at least.
const MIN_QUOTE: usize = 128;

/// Bytes of objects that name an IPv6 address: the header of all objects, that of one, and the address
/// behind its family.
const ORIGIN_LEN: usize = 4 + 4 + 4 + 16;

/// Objects that name the IPv6 router an error comes from: the address of the interface that the packet came
/// in by (RFC 5837 §4).
pub(super) fn origin(router: &[u8; 16]) -> [u8; ORIGIN_LEN] {
    let mut objects = [0; ORIGIN_LEN];
    // Version 2; then length, class "interface information", role "incoming" with an address; family IPv6.
    let head = [0x20, 0, 0, 0, 0, 24, 2, 0x04, 0, 2, 0, 0];
    let _ = bytes::write(&mut objects, 0, head);
    let _ = bytes::write(&mut objects, head.len(), *router);
    let sum = !checksum::sum(&objects);
    let _ = bytes::write(&mut objects, 2, sum.to_be_bytes());
    objects
}

/// What follows the first eight bytes of an ICMP error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    /// The packet that it is about.
    pub(super) quote: &'a [u8],
    /// The objects, with their header.
    pub(super) extension: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Splits at the length that the message gives, in bytes; 0 if it gives none.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if the message is shorter than that.
    pub(super) fn split(body: &'a [u8], len: usize) -> Result<Parts<'a>, DropReason> {
        let len = if len == 0 { body.len() } else { len };
        let (quote, extension) = body.split_at_checked(len).ok_or(DropReason::Malformed)?;
        Ok(Parts { quote, extension })
    }

    /// Where a quote that starts at `start` must end so that the objects still fit behind it; `None` if
    /// there are none, or if they fit behind no quote of the least length.
    pub(super) fn quote_end(&self, out: &Writer<'_>, start: usize, unit: usize) -> Option<usize> {
        if self.extension.is_empty() {
            return None;
        }
        let room = out
            .len()
            .saturating_add(out.room())
            .saturating_sub(start)
            .checked_sub(self.extension.len())?;
        let room = round_down(room, unit);
        (room >= MIN_QUOTE).then(|| start.saturating_add(room))
    }

    /// Pads the quote that starts at `start`, appends the objects, and says how many units the quote has.
    pub(super) fn append(&self, out: &mut Writer<'_>, start: usize, unit: usize) -> Option<u32> {
        let len = out.len().checked_sub(start)?.max(MIN_QUOTE);
        let len = round_down(len.checked_add(unit)?.checked_sub(1)?, unit);
        out.pad_to(start.checked_add(len)?);
        out.push(self.extension)?;
        u32::try_from(len.checked_div(unit)?).ok()
    }
}

/// The largest multiple of a power of two that is not larger.
const fn round_down(len: usize, unit: usize) -> usize {
    len & !unit.wrapping_sub(1)
}
