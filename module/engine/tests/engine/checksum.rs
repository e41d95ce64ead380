// SPDX-License-Identifier: GPL-2.0

//! Ones-complement arithmetic against a reference that divides instead of folding.

use crate::packet::{hex, reference_sum};
use ovnet_engine::checksum;
use proptest::prelude::*;

#[test]
fn sums() {
    let vectors = [
        ("", 0x0000),
        ("00", 0x0000),
        ("0000 0000", 0x0000),
        ("01", 0x0100),
        ("0001 f203 f4f5 f6f7", 0xddf2), // the example of RFC 1071 §3
        ("0001 f203 f4f5 f6f7 80", 0x5df3),
        ("ffff", 0xffff),
        ("ffff ffff", 0xffff),
        ("ffff 0001", 0x0001),
        ("8000 7fff", 0xffff),
        ("ffff ffff ffff ffff ffff", 0xffff),
    ];
    for (bytes, expected) in vectors {
        assert_eq!(checksum::sum(&hex(bytes)), expected, "{bytes}");
    }
}

#[test]
fn folds() {
    let vectors = [
        (0, 0),
        (0xffff, 0xffff),
        (0x1_0000, 1),
        (0x1_ffff, 1),
        (0xffff_ffff, 0xffff),
        (0x1_0000_0000, 1),
        (0xffff_0000_ffff, 0xffff),
        (u64::MAX, 0xffff),
        (u64::MAX - 1, 0xfffe),
    ];
    for (sum, expected) in vectors {
        assert_eq!(checksum::fold(sum), expected, "{sum:#x}");
    }
}

#[test]
fn headers_whose_words_carry() {
    let mut last = [0xff; 20];
    last[19] = 0xfe;
    let mut sparse = [0; 20];
    sparse[3] = 1;
    for header in [[0; 20], [0xff; 20], last, sparse] {
        assert_eq!(checksum::ipv4_header(&header), !reference_sum(&header));
        assert_eq!(
            checksum::verify_header(&header),
            reference_sum(&header) == 0xffff
        );
    }
}

#[test]
fn adjustments() {
    // RFC 1624 §4: a word 0x5555 becomes 0x3285 under the checksum 0xDD2F; equation 3 gives 0x0000.
    assert_eq!(
        checksum::adjust(0xdd2f, checksum::add(!0x5555, 0x3285)),
        0x0000
    );
    // (field, delta, result)
    let vectors = [
        (0x1234, 0xffff, 0x1234),
        (0x0000, 0xffff, 0x0000),
        (0xffff, 0xffff, 0x0000),
        (0x0000, 0x0001, 0xfffe),
        (0x0001, 0x0001, 0x0000),
        (0x8000, 0x8001, 0xfffe),
    ];
    for (field, delta, expected) in vectors {
        assert_eq!(
            checksum::adjust(field, delta),
            expected,
            "{field:#x} {delta:#x}"
        );
    }
}

#[test]
fn negations() {
    for (delta, expected) in [(1, 0xfffe), (0xfffe, 1), (0x8000, 0x7fff), (0xffff, 0xffff)] {
        assert_eq!(checksum::negate(delta), expected, "{delta:#x}");
    }
}

#[test]
fn an_ipv4_header() {
    let mut header: [u8; 20] = hex("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7")
        .try_into()
        .expect("a header has 20 bytes");
    assert_eq!(checksum::ipv4_header(&header), 0xb861);
    header[10..12].copy_from_slice(&[0xb8, 0x61]);
    assert!(checksum::verify(&header));
    header[11] = 0x60;
    assert!(!checksum::verify(&header));
}

proptest! {
    #[test]
    fn a_header_sums_like_any_bytes(header in any::<[u8; 20]>()) {
        prop_assert_eq!(checksum::ipv4_header(&header), !reference_sum(&header));
        prop_assert_eq!(checksum::verify_header(&header), checksum::verify(&header));
    }

    #[test]
    fn sum_is_the_reference(bytes: Vec<u8>) {
        prop_assert_eq!(checksum::sum(&bytes), reference_sum(&bytes));
    }

    #[test]
    fn fold_is_modulo_ffff(sum: u64) {
        let expected = if sum == 0 { 0 } else { ((sum - 1) % 0xffff + 1) as u16 };
        prop_assert_eq!(checksum::fold(sum), expected);
    }

    #[test]
    fn sums_add_up(mut a: Vec<u8>, b: Vec<u8>) {
        a.truncate(a.len() & !1);
        let whole = [&a[..], &b[..]].concat();
        prop_assert_eq!(
            checksum::add(checksum::sum(&a), checksum::sum(&b)),
            checksum::sum(&whole)
        );
    }

    #[test]
    fn adjusting_is_recomputing(mut bytes in prop::collection::vec(any::<u8>(), 4..64), new: u16) {
        bytes[0] |= 1;
        let field = !checksum::sum(&bytes);
        let old = u16::from_be_bytes([bytes[2], bytes[3]]);
        bytes[2..4].copy_from_slice(&new.to_be_bytes());
        let delta = checksum::add(!old, new);
        prop_assert_eq!(checksum::adjust(field, delta), !checksum::sum(&bytes));
    }

    #[test]
    fn a_negated_delta_undoes(field: u16, delta in 1u16..) {
        let back = checksum::adjust(checksum::adjust(field, delta), checksum::negate(delta));
        // Of the two zeros the canonical one comes back.
        prop_assert_eq!(back, if field == 0xffff { 0 } else { field });
        prop_assert_ne!(checksum::negate(delta), 0);
    }
}
