// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::skb`.

use super::bindings;
use crate::net::skb::Skb;
use kernel::prelude::*;
use ovnet_engine::fast::L4Checksum;

/// A packet of `linear` and `paged` bytes, of which byte N is N.
fn packet(headroom: u32, linear: u32, paged: u32) -> Result<Skb> {
    // SAFETY: The new packet is nobody else's.
    unsafe { Skb::from_raw(bindings::ovnet_test_skb(headroom, linear, paged)) }.ok_or(ENOMEM)
}

/// A packet that shares its bytes with another.
fn clone(skb: &Skb) -> Result<Skb> {
    // SAFETY: The packet is valid; the clone is nobody else's.
    unsafe { Skb::from_raw(bindings::ovnet_test_skb_clone(skb.as_ptr())) }.ok_or(ENOMEM)
}

/// Byte `at` of a packet, wherever it lies; -1: it is not so long.
fn byte(skb: &Skb, at: u32) -> i32 {
    // SAFETY: The packet is valid.
    unsafe { bindings::ovnet_test_skb_byte(skb.as_ptr(), at) }
}

/// Whether the packet is `len` bytes, the first of which is numbered `first`.
fn counts_from(skb: &Skb, first: u32, len: u32) -> bool {
    skb.len() == len && (0..len).all(|at| byte(skb, at) == (first + at) as i32)
}

fn segmented(size: u32, kind: u32, segments: u32) -> Result<Skb> {
    let skb = packet(0, 100, 0)?;
    // SAFETY: The packet is valid and private.
    unsafe { bindings::ovnet_test_skb_gso(skb.as_ptr(), size, kind, segments) };
    Ok(skb)
}

#[kunit_tests(ovnet_skb)]
mod suite {
    use super::*;

    #[test]
    fn open_makes_room_in_front_of_the_same_bytes() -> Result {
        for (headroom, linear, paged) in [(64, 50, 0), (0, 50, 0), (0, 10, 40)] {
            let mut skb = packet(headroom, linear, paged)?;
            let head = skb.open(20, 16, 30).ok_or(ENOMEM)?;
            let right = head
                .iter()
                .enumerate()
                .all(|(at, &byte)| at < 20 || byte as usize == at - 20);
            assert!(right && head.len() == 50);
            head.fill(0xff);
            assert_eq!(skb.len(), 70);
            assert!(skb.pull(50));
            assert!(counts_from(&skb, 30, 20));
        }
        Ok(())
    }

    #[test]
    fn pull_goes_on_into_the_page_and_stops_at_the_end() -> Result {
        let mut skb = packet(0, 20, 30)?;
        assert!(skb.pull(20));
        assert!(counts_from(&skb, 20, 30));
        assert!(skb.pull(5));
        assert!(counts_from(&skb, 25, 25));
        assert!(!skb.pull(26));
        assert!(counts_from(&skb, 25, 25));
        assert!(skb.pull(25));
        assert_eq!(skb.len(), 0);
        Ok(())
    }

    #[test]
    fn head_is_linear_however_the_packet_lies() -> Result {
        for (linear, paged) in [(50, 0), (10, 40), (0, 50)] {
            let mut skb = packet(0, linear, paged)?;
            let right = skb.head(30).is_some_and(|head| {
                head.iter()
                    .enumerate()
                    .all(|(at, &byte)| byte as usize == at)
            });
            assert!(right);
            assert!(skb.head(51).is_none());
            assert!(skb.head_mut(51).is_none());
            assert!(counts_from(&skb, 0, 50));
        }
        Ok(())
    }

    #[test]
    fn writing_to_a_head_changes_no_clone() -> Result {
        for (linear, paged) in [(50, 0), (10, 40)] {
            let mut skb = packet(16, linear, paged)?;
            let other = clone(&skb)?;
            let head = skb.head_mut(30).ok_or(ENOMEM)?;
            let right = head
                .iter()
                .enumerate()
                .all(|(at, &byte)| byte as usize == at);
            assert!(right);
            skb.head_mut(30).ok_or(ENOMEM)?.fill(0xff);
            assert!((0..30).all(|at| byte(&skb, at) == 0xff));
            assert_eq!(byte(&skb, 30), 30);
            assert!(counts_from(&other, 0, 50));
        }
        Ok(())
    }

    #[test]
    fn what_is_opened_is_shared_with_no_clone() -> Result {
        let mut skb = packet(64, 50, 0)?;
        let other = clone(&skb)?;
        skb.open(20, 0, 30).ok_or(ENOMEM)?.fill(0xff);
        assert!((0..50).all(|at| byte(&skb, at) == 0xff));
        assert!(counts_from(&other, 0, 50));
        Ok(())
    }

    #[test]
    fn trim_cuts_this_packet_alone() -> Result {
        for (linear, paged) in [(50, 0), (10, 40)] {
            let mut skb = packet(0, linear, paged)?;
            let other = clone(&skb)?;
            assert!(skb.trim(60));
            assert!(counts_from(&skb, 0, 50));
            assert!(skb.trim(30));
            assert!(counts_from(&skb, 0, 30));
            assert!(skb.trim(5));
            assert!(counts_from(&skb, 0, 5));
            assert!(counts_from(&other, 0, 50));
        }
        Ok(())
    }

    #[test]
    fn a_packet_that_is_one_is_not_segmented() -> Result {
        let mut skb = packet(0, 100, 0)?;
        assert!(!skb.is_segmented());
        assert_eq!(skb.segments(), 1);
        assert!(skb.fits(100) && !skb.fits(99));
        assert!(skb.segment_as_ipv6().is_ok() && skb.segment_as_ipv4().is_ok());
        assert!(skb.segments_are_ipv4().is_ok());
        assert_eq!(skb.gso(), (0, 0));
        Ok(())
    }

    #[test]
    fn tcp_segments_change_their_family_and_keep_their_size() -> Result {
        use bindings::{OVNET_GSO_TCPV4, OVNET_GSO_TCPV6, OVNET_GSO_TCP_FIXEDID};
        let mut skb = segmented(40, OVNET_GSO_TCPV4 | OVNET_GSO_TCP_FIXEDID, 3)?;
        assert!(skb.is_segmented());
        assert_eq!(skb.segments(), 3);
        assert!(skb.segments_are_ipv4().is_ok());
        assert!(skb.segment_as_ipv6().is_ok());
        assert_eq!(skb.gso(), (40, OVNET_GSO_TCPV6));
        assert!(skb.segments_are_ipv4().is_err());
        assert!(skb.segment_as_ipv6().is_err());
        assert!(skb.segment_as_ipv4().is_ok());
        assert_eq!(skb.gso(), (40, OVNET_GSO_TCPV4));
        Ok(())
    }

    #[test]
    fn udp_segments_stay_what_they_are() -> Result {
        let mut skb = segmented(40, bindings::OVNET_GSO_UDP_L4, 3)?;
        assert!(skb.segment_as_ipv6().is_ok());
        assert!(skb.segment_as_ipv4().is_ok());
        assert!(skb.segments_are_ipv4().is_ok());
        assert_eq!(skb.gso(), (40, bindings::OVNET_GSO_UDP_L4));
        Ok(())
    }

    #[test]
    fn segments_of_another_kind_are_refused_as_they_are() -> Result {
        // A tunnel's, and those of no kind, which LRO leaves.
        let tunnel = bindings::OVNET_GSO_TCPV4 | bindings::OVNET_TEST_GSO_GRE;
        for kind in [tunnel, 0] {
            let mut skb = segmented(40, kind, 3)?;
            assert!(skb.segment_as_ipv6().is_err());
            assert!(skb.segment_as_ipv4().is_err());
            assert!(skb.segments_are_ipv4().is_err());
            assert_eq!(skb.gso(), (40, kind));
        }
        Ok(())
    }

    #[test]
    fn a_checksum_is_partial_only_where_it_starts() -> Result {
        let mut skb = packet(16, 100, 0)?;
        assert!(matches!(skb.l4_checksum(20), L4Checksum::Complete));
        // SAFETY: The packet is valid and private.
        unsafe { bindings::ovnet_test_skb_partial(skb.as_ptr(), 20) };
        assert!(matches!(skb.l4_checksum(20), L4Checksum::Partial));
        assert!(matches!(skb.l4_checksum(40), L4Checksum::Complete));
        assert!(skb.pull(10));
        assert!(matches!(skb.l4_checksum(10), L4Checksum::Partial));
        Ok(())
    }
}
