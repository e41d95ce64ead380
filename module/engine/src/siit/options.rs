// SPDX-License-Identifier: GPL-2.0

//! IPv4 options: none is translated, and one kind forbids the translation (RFC 7915 §4.1).

use crate::DropReason;

const END: u8 = 0;
const NOP: u8 = 1;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;

/// Whether the options hold a source route that has hops left.
///
/// # Errors
///
/// [`DropReason::Malformed`] if an option has an impossible length.
pub(super) fn source_route(options: &[u8]) -> Result<bool, DropReason> {
    let mut rest = options;
    let mut found = false;
    // Each turn takes at least one byte.
    while let Some((&kind, tail)) = rest.split_first() {
        match kind {
            END => break,
            NOP => rest = tail,
            _ => {
                let &len = tail.first().ok_or(DropReason::Malformed)?;
                let (option, after) = rest
                    .split_at_checked(usize::from(len))
                    .filter(|_| len >= 2)
                    .ok_or(DropReason::Malformed)?;
                if matches!(kind, LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE) {
                    let &pointer = option.get(2).ok_or(DropReason::Malformed)?;
                    found |= pointer <= len;
                }
                rest = after;
            }
        }
    }
    Ok(found)
}
