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
///
/// Words are added four bytes at a time in the machine's order and swapped once at the end: the sum
/// does not depend on the order of bytes (RFC 1071 §2(B)) nor on the size of words (§2(C)).
#[inline]
pub fn sum(bytes: &[u8]) -> u16 {
    let mut total = 0u64;
    let mut rest = bytes;
    while let Some((&words, tail)) = rest.split_first_chunk::<4>() {
        total = total.wrapping_add(u64::from(u32::from_ne_bytes(words)));
        rest = tail;
    }
    let words = match *rest {
        [a, b, c] => [a, b, c, 0],
        [a, b] => [a, b, 0, 0],
        [a] => [a, 0, 0, 0],
        _ => [0; 4],
    };
    u16::from_be(fold(
        total.wrapping_add(u64::from(u32::from_ne_bytes(words))),
    ))
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

/// [`sum`] of an IPv4 header without options, for every packet has one.
#[inline(always)]
const fn sum_of_header(header: &[u8; 20]) -> u16 {
    #[rustfmt::skip]
    let &[
        a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3,
        d0, d1, d2, d3, e0, e1, e2, e3,
    ] = header;
    let low = u64::from_ne_bytes([a0, a1, a2, a3, b0, b1, b2, b3]);
    let high = u64::from_ne_bytes([c0, c1, c2, c3, d0, d1, d2, d3]);
    let last = u32::from_ne_bytes([e0, e1, e2, e3]) as u64;
    let (total, carry) = low.overflowing_add(high);
    let (total, again) = total.overflowing_add(last);
    // A carry out of 64 bits is worth one, as one out of 16 is (RFC 1071 §2(C)).
    let carries = (carry as u64).wrapping_add(again as u64);
    u16::from_be(fold(fold_once(total).wrapping_add(carries)))
}

/// Adds the upper 32 bits to the lower.
#[inline]
const fn fold_once(sum: u64) -> u64 {
    (sum & 0xffff_ffff).wrapping_add(sum >> 32)
}

/// The checksum of an IPv4 header whose checksum field is zero.
#[inline]
pub const fn ipv4_header(header: &[u8; 20]) -> u16 {
    !sum_of_header(header)
}

/// Whether an IPv4 header without options is intact.
#[inline]
pub const fn verify_header(header: &[u8; 20]) -> bool {
    sum_of_header(header) == 0xffff
}

/// Whether a checksummed run of bytes, its checksum field included, is intact.
#[inline]
pub fn verify(bytes: &[u8]) -> bool {
    sum(bytes) == 0xffff
}
