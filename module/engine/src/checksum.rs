// SPDX-License-Identifier: GPL-2.0

//! Ones-complement arithmetic: the internet checksum of RFC 1071 and its incremental update of
//! RFC 1624.
//!
//! Sums are of big-endian 16-bit words and folded to 16 bits. Ones-complement numbers have two zeros:
//! only an input of nothing but zero bits sums to 0x0000, every other multiple of 0xFFFF folds to
//! 0xFFFF.

/// Folds a sum of 16-bit words to 16 bits, end-around carries included.
#[inline]
pub const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff).wrapping_add(sum >> 32);
    let sum = (sum & 0xffff)
        .wrapping_add((sum >> 16) & 0xffff)
        .wrapping_add(sum >> 32);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    sum as u16
}

/// The folded sum of the bytes taken as 16-bit words; an odd last byte is padded with a zero byte.
#[inline]
pub fn sum(bytes: &[u8]) -> u16 {
    let mut total = 0u64;
    let mut rest = bytes;
    while let Some((&word, tail)) = rest.split_first_chunk::<2>() {
        total = total.wrapping_add(u16::from_be_bytes(word) as u64);
        rest = tail;
    }
    if let Some(&last) = rest.first() {
        total = total.wrapping_add((last as u64) << 8);
    }
    fold(total)
}

/// The sum of two folded sums.
#[inline]
pub const fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    // With a carry `sum` is at most 0xFFFE, so this cannot wrap.
    sum.wrapping_add(carry as u16)
}

/// The delta that undoes `delta`. Never 0x0000, so that adding it to a sum that is not 0x0000 cannot
/// change which of the two zeros the sum is.
#[inline]
pub const fn negate(delta: u16) -> u16 {
    if delta == 0xffff {
        0xffff
    } else {
        !delta
    }
}

/// The checksum `field` after the covered words grew by `delta`, a folded sum: new words plus
/// complements of old words (RFC 1624 equation 3). A wrong checksum stays wrong by the same amount.
///
/// With a `delta` other than 0x0000 the result is never 0xFFFF: zero is written 0x0000, as a
/// sender that computes the checksum afresh would write it.
#[inline]
pub const fn adjust(field: u16, delta: u16) -> u16 {
    !add(!field, delta)
}

/// The checksum of an IPv4 header whose checksum field is zero.
#[inline]
pub fn ipv4_header(header: &[u8; 20]) -> u16 {
    !sum(header)
}

/// Whether a checksummed run of bytes, its checksum field included, is intact.
#[inline]
pub fn verify(bytes: &[u8]) -> bool {
    sum(bytes) == 0xffff
}
