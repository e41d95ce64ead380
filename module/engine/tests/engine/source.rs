// SPDX-License-Identifier: GPL-2.0

//! The source check: a port's node sends from its own MAC and its own address, or not at all.

use std::net::Ipv4Addr;

use ovnet_engine::{DropReason, Identity, Mac};
use proptest::prelude::*;

const OWN: Identity = Identity {
    mac: Mac([2, 0x76, 10, 0, 0, 2]),
    address: Ipv4Addr::new(10, 0, 0, 2),
};
const OTHER_MAC: Mac = Mac([2, 0x76, 10, 0, 0, 3]);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

#[test]
fn only_the_own_pair_is_admitted() {
    let vectors = [
        (OWN.mac, OWN.address, Ok(())),
        (OWN.mac, OTHER, Err(DropReason::SpoofAddress)),
        (
            OWN.mac,
            Ipv4Addr::UNSPECIFIED,
            Err(DropReason::SpoofAddress),
        ),
        (OWN.mac, Ipv4Addr::BROADCAST, Err(DropReason::SpoofAddress)),
        (OTHER_MAC, OWN.address, Err(DropReason::SpoofMac)),
        (Mac::BROADCAST, OWN.address, Err(DropReason::SpoofMac)),
        (OTHER_MAC, OTHER, Err(DropReason::SpoofMac)),
    ];
    for (mac, address, expected) in vectors {
        assert_eq!(OWN.admits(mac, address), expected, "{mac} {address}");
    }
    assert_eq!(OWN.admits_mac(OWN.mac), Ok(()));
    assert_eq!(OWN.admits_mac(OTHER_MAC), Err(DropReason::SpoofMac));
}

proptest! {
    #[test]
    fn any_changed_bit_is_refused(bit in 0usize..80) {
        let mut bytes = [0u8; 10];
        bytes[..6].copy_from_slice(&OWN.mac.octets());
        bytes[6..].copy_from_slice(&OWN.address.octets());
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mac = Mac(bytes[..6].try_into().expect("six bytes"));
        let address = Ipv4Addr::new(bytes[6], bytes[7], bytes[8], bytes[9]);
        let reason = if bit < 48 { DropReason::SpoofMac } else { DropReason::SpoofAddress };
        prop_assert_eq!(OWN.admits(mac, address), Err(reason));
    }
}
