// SPDX-License-Identifier: GPL-2.0

//! What must hold of the engine for any bytes: one target per entry point.
//!
//! A target panics if something does not hold. It gives back a number that tells what came of the input,
//! roughly: the driver keeps inputs with a new one and goes on from them. That takes the place of coverage,
//! which would need another compiler than the one that builds the rest.

pub mod corpus;
mod overlay;
mod standard;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// An entry point of the engine.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Runs it and says what came of the input, roughly.
    pub run: fn(&[u8]) -> u64,
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target {
        name: "to6",
        run: standard::to6,
    },
    Target {
        name: "to4",
        run: standard::to4,
    },
    Target {
        name: "fast",
        run: overlay::fast,
    },
    Target {
        name: "arrival",
        run: overlay::arrival,
    },
    Target {
        name: "substrate",
        run: overlay::substrate,
    },
];

/// A number for an outcome.
fn signature(outcome: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    outcome.hash(&mut hasher);
    hasher.finish()
}

/// A protocol, where it is one that the engine knows: an input for each of the others tells nothing new.
fn known(protocol: u8) -> u8 {
    match protocol {
        0 | 1 | 2 | 4 | 6 | 17 | 58 | 143 => protocol,
        _ => 255,
    }
}

/// The ones-complement sum of some runs of bytes, each of an even length but for the last: computed by
/// division, not as the engine does it.
fn sum(runs: &[&[u8]]) -> u16 {
    let bytes = runs.concat();
    let words = bytes
        .chunks(2)
        .map(|word| u64::from(word[0]) << 8 | u64::from(word.get(1).copied().unwrap_or_default()));
    match words.sum::<u64>() {
        0 => 0,
        total if total % 0xffff == 0 => 0xffff,
        total => (total % 0xffff) as u16,
    }
}

/// The sum of the transport part of a whole IP packet and its pseudo-header, if its checksum has one.
fn transport_sum(packet: &[u8]) -> Option<u16> {
    let (addresses, protocol, l4) = match packet.first()? >> 4 {
        4 => {
            let fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff;
            if fragment != 0 {
                return None;
            }
            let len = usize::from(packet[0] & 15) * 4;
            (&packet[12..20], packet[9], &packet[len..])
        }
        _ => (&packet[8..40], packet[6], &packet[40..]),
    };
    // The ICMP of the other version has no meaning here.
    let min_len = match (protocol, packet[0] >> 4) {
        (6, _) => 20,
        (17, _) | (1, 4) | (58, 6) => 8,
        _ => return None,
    };
    if l4.len() < min_len || protocol == 17 && l4[6..8] == [0, 0] {
        return None;
    }
    if protocol == 1 {
        return Some(sum(&[l4]));
    }
    let len = (l4.len() as u32).to_be_bytes();
    Some(sum(&[addresses, &len, &[0, 0, 0, protocol], l4]))
}

/// Checks that the lengths and the header checksum of a packet are right.
fn check(packet: &[u8]) {
    match packet[0] >> 4 {
        6 => {
            let len = u16::from_be_bytes([packet[4], packet[5]]);
            assert_eq!(usize::from(len), packet.len() - 40, "payload length");
        }
        4 => {
            let len = u16::from_be_bytes([packet[2], packet[3]]);
            assert_eq!(usize::from(len), packet.len(), "total length");
            let header = usize::from(packet[0] & 15) * 4;
            assert_eq!(sum(&[&packet[..header]]), 0xffff, "header checksum");
        }
        version => panic!("version {version}"),
    }
}
