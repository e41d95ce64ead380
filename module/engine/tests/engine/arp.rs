// SPDX-License-Identifier: GPL-2.0

//! ARP: what is answered, what is not and why, and the answer to the byte.

use std::net::Ipv4Addr;

use crate::packet::hex;
use ovnet_engine::arp::{self, Arp};
use ovnet_engine::{DropReason, Identity, Mac};
use proptest::prelude::*;

const OWN: Identity = Identity {
    mac: Mac([2, 0x76, 10, 0, 0, 2]),
    address: Ipv4Addr::new(10, 0, 0, 2),
};
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const OTHER_MAC: Mac = Mac([2, 0x76, 10, 0, 0, 3]);

/// Who has 10.0.0.3? Tell 10.0.0.2.
const REQUEST: &str = "0001 0800 06 04 0001 02760a000002 0a000002 000000000000 0a000003";

fn request() -> Arp {
    Arp::parse(&hex(REQUEST)).expect("a valid request")
}

#[test]
fn a_request_is_read() {
    let expected = Arp {
        operation: arp::REQUEST,
        sender_mac: OWN.mac,
        sender: OWN.address,
        target_mac: Mac([0; 6]),
        target: OTHER,
    };
    assert_eq!(request(), expected);
    assert_eq!(request().bytes()[..], hex(REQUEST));
    // Ethernet pads to 60 bytes.
    assert_eq!(
        Arp::parse(&[hex(REQUEST), vec![0; 18]].concat()),
        Ok(expected)
    );
}

#[test]
fn other_kinds_are_malformed() {
    let bytes = hex(REQUEST);
    for len in 0..arp::LEN {
        assert_eq!(
            Arp::parse(&bytes[..len]),
            Err(DropReason::Malformed),
            "{len}"
        );
    }
    for at in 0..6 {
        for change in 1..=255 {
            let mut bytes = bytes.clone();
            bytes[at] ^= change;
            assert_eq!(
                Arp::parse(&bytes),
                Err(DropReason::Malformed),
                "{at} {change:#x}"
            );
        }
    }
}

#[test]
fn questions() {
    let (request, own) = (request(), OWN.mac);
    let unanswered = Err(DropReason::ArpUnanswered);
    let vectors = [
        ("request", own, request, Ok(OTHER)),
        (
            "probe of another's address",
            own,
            Arp {
                sender: [0; 4].into(),
                ..request
            },
            Ok(OTHER),
        ),
        (
            "unicast request",
            own,
            Arp {
                target_mac: OTHER_MAC,
                ..request
            },
            Ok(OTHER),
        ),
        (
            "request for its own",
            own,
            Arp {
                target: OWN.address,
                ..request
            },
            unanswered,
        ),
        (
            "probe of its own",
            own,
            Arp {
                sender: [0; 4].into(),
                target: OWN.address,
                ..request
            },
            unanswered,
        ),
        (
            "announcement",
            own,
            Arp {
                sender: OWN.address,
                target: OWN.address,
                ..request
            },
            unanswered,
        ),
        (
            "announcement by reply",
            own,
            Arp {
                operation: arp::REPLY,
                target: OWN.address,
                ..request
            },
            unanswered,
        ),
        (
            "reply",
            own,
            Arp {
                operation: arp::REPLY,
                ..request
            },
            unanswered,
        ),
        (
            "operation 0",
            own,
            Arp {
                operation: 0,
                ..request
            },
            unanswered,
        ),
        (
            "reverse ARP",
            own,
            Arp {
                operation: 3,
                ..request
            },
            unanswered,
        ),
        (
            "for no address",
            own,
            Arp {
                target: [0; 4].into(),
                ..request
            },
            unanswered,
        ),
        (
            "for a group",
            own,
            Arp {
                target: [224, 0, 0, 1].into(),
                ..request
            },
            unanswered,
        ),
        (
            "for broadcast",
            own,
            Arp {
                target: [255; 4].into(),
                ..request
            },
            unanswered,
        ),
        (
            "foreign Ethernet source",
            OTHER_MAC,
            request,
            Err(DropReason::SpoofMac),
        ),
        (
            "foreign sender MAC",
            own,
            Arp {
                sender_mac: OTHER_MAC,
                ..request
            },
            Err(DropReason::SpoofMac),
        ),
        (
            "foreign sender address",
            own,
            Arp {
                sender: [10, 0, 0, 4].into(),
                ..request
            },
            Err(DropReason::SpoofAddress),
        ),
        (
            "announcement of another's address",
            own,
            Arp {
                sender: OTHER,
                ..request
            },
            Err(DropReason::SpoofAddress),
        ),
        (
            "reply for another's address",
            own,
            Arp {
                operation: arp::REPLY,
                sender: OTHER,
                target: OWN.address,
                ..request
            },
            Err(DropReason::SpoofAddress),
        ),
        (
            "reply with another's MAC",
            own,
            Arp {
                operation: arp::REPLY,
                sender_mac: OTHER_MAC,
                sender: OTHER,
                ..request
            },
            Err(DropReason::SpoofMac),
        ),
    ];
    for (what, eth_src, arp, expected) in vectors {
        assert_eq!(arp::question(&arp, eth_src, &OWN), expected, "{what}");
    }
}

#[test]
fn replies() {
    let frame = arp::reply(&request(), Mac::of(OTHER));
    let expected = "02760a000002 02760a000003 0806
        0001 0800 06 04 0002 02760a000003 0a000003 02760a000002 0a000002";
    assert_eq!(frame[..], hex(expected));
    // To a probe: the target address is unspecified, as in the question.
    let probe = Arp {
        sender: Ipv4Addr::UNSPECIFIED,
        ..request()
    };
    let frame = arp::reply(&probe, Mac([0x52, 0x54, 0, 1, 2, 3]));
    let expected = "02760a000002 525400010203 0806
        0001 0800 06 04 0002 525400010203 0a000003 02760a000002 00000000";
    assert_eq!(frame[..], hex(expected));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes: Vec<u8>, eth_src: [u8; 6]) {
        if let Ok(arp) = Arp::parse(&bytes) {
            let _ = arp::question(&arp, Mac(eth_src), &OWN);
        }
    }

    #[test]
    fn a_message_leads_back(fields: [u8; 22]) {
        let mut bytes = hex("0001 0800 06 04");
        bytes.extend(fields);
        let arp = Arp::parse(&bytes).expect("the kind is right");
        prop_assert_eq!(&arp.bytes()[..], &bytes[..]);
    }

    #[test]
    fn only_the_own_identity_gets_an_answer(mac: [u8; 6], sender: u32, target: u32, operation in 0u16..4) {
        let arp = Arp {
            operation,
            sender_mac: Mac(mac),
            sender: sender.into(),
            target_mac: Mac([0; 6]),
            target: target.into(),
        };
        prop_assert!(arp::question(&arp, Mac(mac), &OWN).is_err());
    }
}
