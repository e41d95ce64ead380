// SPDX-License-Identifier: GPL-2.0

//! Virtual network ids, locators, topologies and substrate addresses, to the bit.

use std::net::{Ipv4Addr, Ipv6Addr};

use ovnet_engine::addr::{LocatorError, TopologyError};
use ovnet_engine::{Locator, SubstrateAddress, SubstratePrefix, Topology, Vni};
use proptest::prelude::*;

fn prefix(text: &str) -> [u8; 16] {
    text.parse::<Ipv6Addr>().expect(text).octets()
}

fn locator(text: &str) -> Locator {
    Locator::from_prefix(prefix(text)).expect(text)
}

#[test]
fn a_vni_has_24_bits_and_is_not_the_host() {
    assert_eq!(Vni::new(0), None);
    assert_eq!(Vni::new(1).map(Vni::get), Some(1));
    assert_eq!(Vni::new(0xff_ffff).map(Vni::get), Some(0xff_ffff));
    assert_eq!(Vni::new(0x100_0000), None);
    assert_eq!(Vni::new(u32::MAX), None);
    assert_eq!(
        Vni::new(4711).map(|vni| vni.to_string()),
        Some("4711".into())
    );
}

#[test]
fn prefixes_that_are_locators() {
    for text in [
        "fd00:a:102:304::",
        "2001:db8::",
        "100:0:0:1::",
        "fe7f:ffff::",
        "200::",
    ] {
        assert_eq!(locator(text).to_prefix(), prefix(text), "{text}");
    }
    let locator = locator("fd00:a:102:304::");
    assert_eq!(locator.octets(), [0xfd, 0, 0, 0x0a, 1, 2, 3, 4]);
    assert_eq!(locator.bits(), 0xfd00_000a_0102_0304);
    assert_eq!(locator.organisation(), 0xfd00_000a);
    assert_eq!(
        locator.topology(),
        Ok(Topology::Host {
            locale: 1,
            area: 2,
            rack: 3,
            host: 4
        })
    );
    assert_eq!(locator.to_string(), "fd00:a:102:304::/64");
    assert_eq!(Locator::new(0xfd00_000a, 0x0102_0304), Ok(locator));
}

#[test]
fn prefixes_that_are_no_locators() {
    let vectors = [
        ("fd00:a::1", LocatorError::LowBits),
        ("fd00:a:0:0:8000::", LocatorError::LowBits),
        ("::1", LocatorError::LowBits),
        ("::ffff:10.0.0.1", LocatorError::LowBits),
        ("::", LocatorError::Reserved),
        ("64:ff9b::", LocatorError::Reserved),
        ("ff:ffff:ffff:ffff::", LocatorError::Reserved),
        ("100::", LocatorError::Discard),
        ("fe80::", LocatorError::LinkLocal),
        ("febf:ffff:ffff:ffff::", LocatorError::LinkLocal),
        ("fec0::", LocatorError::SiteLocal),
        ("feff:ffff:ffff:ffff::", LocatorError::SiteLocal),
        ("ff00::", LocatorError::Multicast),
        ("ff15::", LocatorError::Multicast),
        ("ffff:ffff:ffff:ffff::", LocatorError::Multicast),
    ];
    for (text, error) in vectors {
        assert_eq!(Locator::from_prefix(prefix(text)), Err(error), "{text}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn topology_bits_and_text() {
    let vectors = [
        (
            0x0000_0000,
            Topology::Host {
                locale: 0,
                area: 0,
                rack: 0,
                host: 0,
            },
            "locale 0 area 0 rack 0 host 0",
        ),
        (
            0x0102_0304,
            Topology::Host {
                locale: 1,
                area: 2,
                rack: 3,
                host: 4,
            },
            "locale 1 area 2 rack 3 host 4",
        ),
        (
            0x3fff_ffff,
            Topology::Host {
                locale: 63,
                area: 255,
                rack: 255,
                host: 255,
            },
            "locale 63 area 255 rack 255 host 255",
        ),
        (
            0x4000_0000,
            Topology::Rack { locale: 0, rack: 0 },
            "locale 0 rack 0",
        ),
        (
            0x4001_0009,
            Topology::Rack { locale: 1, rack: 9 },
            "locale 1 rack 9",
        ),
        (
            0x7fff_ffff,
            Topology::Rack {
                locale: 16383,
                rack: 65535,
            },
            "locale 16383 rack 65535",
        ),
    ];
    for (bits, topology, text) in vectors {
        assert_eq!(Topology::decode(bits), Ok(topology));
        assert_eq!(topology.encode(), Ok(bits));
        assert_eq!(topology.to_string(), text);
    }
    for bits in [0x8000_0000, 0xbfff_ffff, 0xc000_0000, u32::MAX] {
        assert_eq!(
            Topology::decode(bits),
            Err(TopologyError::Layout),
            "{bits:#x}"
        );
    }
    let host = Topology::Host {
        locale: 64,
        area: 0,
        rack: 0,
        host: 0,
    };
    let rack = Topology::Rack {
        locale: 16384,
        rack: 0,
    };
    assert_eq!(host.encode(), Err(TopologyError::Range));
    assert_eq!(rack.encode(), Err(TopologyError::Range));
}

#[test]
fn topology_parses_by_name() {
    let host = Topology::Host {
        locale: 1,
        area: 2,
        rack: 3,
        host: 4,
    };
    let vectors = [
        ("locale=1,area=2,rack=3,host=4", Ok(host)),
        ("host=4,rack=3,area=2,locale=1", Ok(host)),
        ("locale = 1, area=02, rack=3 ,host=4", Ok(host)),
        ("locale=1,rack=9", Ok(Topology::Rack { locale: 1, rack: 9 })),
        (
            "rack=65535,locale=16383",
            Ok(Topology::Rack {
                locale: 16383,
                rack: 65535,
            }),
        ),
        ("locale=16384,rack=9", Err(TopologyError::Range)),
        ("locale=1,rack=65536", Err(TopologyError::Range)),
        (
            "locale=1,rack=99999999999999999999",
            Err(TopologyError::Range),
        ),
        ("locale=64,area=2,rack=3,host=4", Err(TopologyError::Range)),
        ("locale=1,area=256,rack=3,host=4", Err(TopologyError::Range)),
        ("locale=1,area=2,rack=256,host=4", Err(TopologyError::Range)),
        ("locale=1,area=2,rack=3,host=256", Err(TopologyError::Range)),
        ("", Err(TopologyError::Text)),
        ("locale=1", Err(TopologyError::Text)),
        ("rack=1", Err(TopologyError::Text)),
        ("locale=1,area=2,rack=3", Err(TopologyError::Text)),
        ("locale=1,rack=3,host=4", Err(TopologyError::Text)),
        ("locale=1,rack=9,rack=9", Err(TopologyError::Text)),
        ("locale=1,rack=9,", Err(TopologyError::Text)),
        ("locale=1,rack", Err(TopologyError::Text)),
        ("locale=1,rack=", Err(TopologyError::Text)),
        ("locale=1,rack=-1", Err(TopologyError::Text)),
        ("locale=1,rack=+1", Err(TopologyError::Text)),
        ("locale=1,rack=1=1", Err(TopologyError::Text)),
        ("locale=1,shelf=9", Err(TopologyError::Text)),
        ("Locale=1,rack=9", Err(TopologyError::Text)),
    ];
    for (text, expected) in vectors {
        assert_eq!(text.parse::<Topology>(), expected, "{text:?}");
    }
}

#[test]
fn substrate_address_bits() {
    let vni = Vni::new(0x12_3456).expect("in range");
    let node = Ipv4Addr::new(10, 0, 0, 2);
    let locator = locator("fd00:a:102:304::");
    let plain = SubstrateAddress::new(locator, vni, node);
    // Slot in bits 64-69, U in 70, G in 71.
    let vectors = [
        (plain, "fd00:a:102:304:12:3456:a00:2"),
        (
            SubstrateAddress { slot: 1, ..plain },
            "fd00:a:102:304:412:3456:a00:2",
        ),
        (
            SubstrateAddress { slot: 63, ..plain },
            "fd00:a:102:304:fc12:3456:a00:2",
        ),
        (
            SubstrateAddress {
                by_slot: true,
                ..plain
            },
            "fd00:a:102:304:212:3456:a00:2",
        ),
        (
            SubstrateAddress {
                group: true,
                ..plain
            },
            "fd00:a:102:304:112:3456:a00:2",
        ),
        (
            SubstrateAddress { vni: 0, ..plain },
            "fd00:a:102:304::a00:2",
        ),
        (
            SubstrateAddress {
                vni: 0xff_ffff,
                ..plain
            },
            "fd00:a:102:304:ff:ffff:a00:2",
        ),
        (
            SubstrateAddress {
                node: Ipv4Addr::BROADCAST,
                ..plain
            },
            "fd00:a:102:304:12:3456:ffff:ffff",
        ),
    ];
    for (address, text) in vectors {
        assert_eq!(address.encode(), prefix(text), "{text}");
        assert_eq!(SubstrateAddress::decode(&prefix(text)), address, "{text}");
        assert_eq!(
            address.is_plain(),
            address.slot == 0 && !address.by_slot && !address.group
        );
        assert_eq!(address.network(), Vni::new(address.vni));
    }
    let prefix = SubstratePrefix::new(locator, vni);
    assert_eq!(prefix.address(node), plain.encode());
    assert_eq!(prefix.octets()[..], plain.encode()[..12]);
    assert_eq!(SubstratePrefix::of(&plain.encode()), prefix);
}

#[test]
fn bits_beyond_their_field_are_left_out() {
    let locator = locator("fd00:a::");
    let node = Ipv4Addr::new(1, 2, 3, 4);
    let wide = SubstrateAddress {
        locator,
        slot: 0xc1,
        by_slot: false,
        group: false,
        vni: 0xab00_0001,
        node,
    };
    let expected = [0xfd, 0, 0, 0x0a, 0, 0, 0, 0, 0x04, 0, 0, 1, 1, 2, 3, 4];
    assert_eq!(wide.encode(), expected);
}

proptest! {
    #[test]
    fn every_address_decodes_and_encodes_back(bytes: [u8; 16]) {
        let address = SubstrateAddress::decode(&bytes);
        prop_assert!(address.slot < 64 && address.vni <= Vni::MAX);
        prop_assert_eq!(address.encode(), bytes);
        prop_assert_eq!(SubstratePrefix::of(&bytes).address(address.node), bytes);
    }

    #[test]
    fn every_admitted_prefix_leads_back(bits: u64) {
        let prefix = ((bits as u128) << 64).to_be_bytes();
        if let Ok(locator) = Locator::from_prefix(prefix) {
            prop_assert_eq!(locator.to_prefix(), prefix);
            prop_assert_eq!(Locator::new(locator.organisation(), bits as u32), Ok(locator));
            prop_assert_eq!(locator.topology(), Topology::decode(bits as u32));
        }
    }

    #[test]
    fn every_known_topology_leads_back_through_bits_and_text(bits in 0u32..0x8000_0000) {
        let topology = Topology::decode(bits).expect("layouts 0 and 1 are known");
        prop_assert_eq!(topology.encode(), Ok(bits));
        let words: Vec<String> = topology.to_string().split(' ').map(String::from).collect();
        let pairs: Vec<String> = words.chunks(2).map(|pair| pair.join("=")).collect();
        prop_assert_eq!(pairs.join(",").parse(), Ok(topology));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([a-z=,0-9 ]|.){0,40}") {
        if let Ok(topology) = text.parse::<Topology>() {
            prop_assert!(topology.encode().is_ok());
        }
    }
}
