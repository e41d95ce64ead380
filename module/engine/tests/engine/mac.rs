// SPDX-License-Identifier: GPL-2.0

//! MAC addresses: the derived virtual one, kinds, and text both ways.

use std::net::Ipv4Addr;

use ovnet_engine::mac::MacError;
use ovnet_engine::Mac;
use proptest::prelude::*;

#[test]
fn the_virtual_mac_is_the_address_behind_a_local_unicast_prefix() {
    let mac = Mac::of(Ipv4Addr::new(10, 1, 2, 254));
    assert_eq!(mac, Mac([0x02, 0x76, 10, 1, 2, 254]));
    assert_eq!(mac.to_string(), "02:76:0a:01:02:fe");
    // Bit 1 of the first byte: locally administered; bit 0: group (IEEE 802 §8.4).
    assert_eq!(mac.octets()[0] & 3, 2);
}

#[test]
fn kinds() {
    let vectors = [
        ("00:00:00:00:00:00", false, false),
        ("02:76:0a:00:00:02", false, true),
        ("52:54:00:12:34:56", false, true),
        ("01:00:5e:00:00:01", true, false),
        ("33:33:00:00:00:01", true, false),
        ("ff:ff:ff:ff:ff:ff", true, false),
    ];
    for (text, multicast, unicast) in vectors {
        let mac: Mac = text.parse().expect(text);
        assert_eq!(
            (mac.is_multicast(), mac.is_unicast()),
            (multicast, unicast),
            "{text}"
        );
    }
}

#[test]
fn texts_that_are_no_mac() {
    let vectors = [
        "",
        "02",
        "02:76:0a:00:00",
        "02:76:0a:00:00:",
        "02:76:0a:00:00:2",
        "02:76:0a:00:00:02:",
        "02:76:0a:00:00:02:03",
        ":02:76:0a:00:00:02",
        "02-76-0a-00-00-02",
        "02760a000002",
        "02:76:0a:00:00:0g",
        "02:76:0a:00:00:+2",
        " 02:76:0a:00:00:02",
        "02:76:0a:00:00:0\u{e9}",
    ];
    for text in vectors {
        assert_eq!(text.parse::<Mac>(), Err(MacError), "{text:?}");
    }
    assert_eq!(
        "0A:bC:De:F0:99:1f".parse(),
        Ok(Mac([0x0a, 0xbc, 0xde, 0xf0, 0x99, 0x1f]))
    );
}

proptest! {
    #[test]
    fn text_leads_back(octets: [u8; 6]) {
        prop_assert_eq!(Mac(octets).to_string().parse(), Ok(Mac(octets)));
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,24}") {
        if let Ok(mac) = text.parse::<Mac>() {
            prop_assert_eq!(mac.to_string(), text.to_ascii_lowercase());
        }
    }

    #[test]
    fn virtual_macs_are_distinct(a: u32, b: u32) {
        let (x, y) = (Mac::of(Ipv4Addr::from(a)), Mac::of(Ipv4Addr::from(b)));
        prop_assert_eq!(x == y, a == b);
        prop_assert!(x.is_unicast());
    }
}
