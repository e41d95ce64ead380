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

/// The sum of the words of an IPv4 header without options, for every packet has one: less than 2³⁵.
#[inline(always)]
const fn sum_of_words(&[a, b, c, d, e]: &[[u8; 4]; 5]) -> u64 {
    (u32::from_ne_bytes(a) as u64)
        .wrapping_add(u32::from_ne_bytes(b) as u64)
        .wrapping_add(u32::from_ne_bytes(c) as u64)
        .wrapping_add(u32::from_ne_bytes(d) as u64)
        .wrapping_add(u32::from_ne_bytes(e) as u64)
}

/// The words of an IPv4 header without options.
#[inline(always)]
const fn words(header: &[u8; 20]) -> [[u8; 4]; 5] {
    #[rustfmt::skip]
    let &[
        a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3,
        d0, d1, d2, d3, e0, e1, e2, e3,
    ] = header;
    #[rustfmt::skip]
    return [
        [a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3],
        [d0, d1, d2, d3], [e0, e1, e2, e3],
    ];
}

/// The checksum of the words of an IPv4 header whose checksum field is zero.
#[inline(always)]
pub(crate) const fn of_words(words: &[[u8; 4]; 5]) -> u16 {
    // To 20 bits, to 17, to 16.
    let sum = sum_of_words(words);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    !u16::from_be(sum as u16)
}

/// The checksum of an IPv4 header whose checksum field is zero.
#[inline]
pub const fn ipv4_header(header: &[u8; 20]) -> u16 {
    of_words(&words(header))
}

/// Whether an IPv4 header without options is intact.
#[inline]
pub const fn verify_header(header: &[u8; 20]) -> bool {
    let sum = sum_of_words(&words(header));
    // Multiples of 0xFFFF, which fold to it in any order of bytes, become themselves divided by it when
    // multiplied by its inverse; any other number becomes a larger one. No header sums to nothing.
    sum != 0 && sum.wrapping_mul(0xfffe_fffe_fffe_ffff) <= u64::MAX / 0xffff
}

/// Whether a checksummed run of bytes, its checksum field included, is intact.
#[inline]
pub fn verify(bytes: &[u8]) -> bool {
    sum(bytes) == 0xffff
}
