// SPDX-License-Identifier: GPL-2.0

//! The inputs that are kept, one line of hexadecimal digits each.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the corpus of a target is.
pub fn path(target: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    dir.join(target).with_extension("hex")
}

/// The corpus of a target.
///
/// # Panics
///
/// If it is not there, or not hexadecimal.
pub fn read(target: &str) -> Vec<Vec<u8>> {
    let path = path(target);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(bytes).collect()
}

fn bytes(line: &str) -> Vec<u8> {
    let digits: Vec<u8> = line
        .chars()
        .map(|digit| digit.to_digit(16).expect("a corpus is hexadecimal") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// Makes the lengths and the header checksum of the IP packet at `start` right, if there is one.
pub fn repair(input: &mut [u8], start: usize) {
    let Some(packet) = input.get_mut(start..) else {
        return;
    };
    let len = packet.len();
    match packet
        .first()
        .map(|first| (first >> 4, usize::from(first & 15) * 4))
    {
        Some((4, header)) if header >= 20 && len >= header => {
            packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            packet[10..12].fill(0);
            let sum = !crate::sum(&[&packet[..header]]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            // Errors are looked at only if their checksum is right.
            if packet[9] == 1 && len >= header + 8 {
                packet[header + 2..header + 4].fill(0);
                let sum = !crate::sum(&[&packet[header..]]);
                packet[header + 2..header + 4].copy_from_slice(&sum.to_be_bytes());
            }
        }
        Some((6, _)) if len >= 40 => {
            packet[4..6].copy_from_slice(&(len as u16 - 40).to_be_bytes());
            if packet[6] == 58 && len >= 48 {
                packet[42..44].fill(0);
                if let Some(sum) = crate::transport_sum(packet) {
                    packet[42..44].copy_from_slice(&(!sum).to_be_bytes());
                }
            }
        }
        _ => {}
    }
}
