// SPDX-License-Identifier: GPL-2.0

//! Packets from a file: lines of hexadecimal digits, or a classic pcap capture.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::{Packet, HEADROOM};
use crate::failure::Failure;

/// The largest packet that a capture may hold: what tcpdump takes at most.
const MAX_CAPTURED: u32 = 262_144;

/// The first bytes of a capture, as its writer's machine and the clock's resolution have it.
const MAGICS: [[u8; 4]; 4] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
];

const ETHERNET: usize = 14;
const TAGS: [u16; 2] = [0x8100, 0x88a8];
const IP_TYPES: [u16; 2] = [0x0800, 0x86dd];

/// What is before the packets of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Raw,
    Ethernet,
}

enum Kind {
    Hex { line: u64 },
    Pcap { swapped: bool, link: Link },
}

/// Where packets come from.
pub(super) struct Input<'r> {
    reader: Box<dyn BufRead + 'r>,
    kind: Kind,
    text: Vec<u8>,
    buf: Vec<u8>,
}

impl<'r> Input<'r> {
    /// Opens a file, or standard input for `-`.
    pub(super) fn open(path: &Path) -> Result<Input<'r>, Failure> {
        if path == Path::new("-") {
            return Input::new(BufReader::new(io::stdin()));
        }
        let file = File::open(path)
            .map_err(|error| Failure::Input(format!("cannot open {}: {error}", path.display())))?;
        Input::new(BufReader::with_capacity(1 << 18, file))
    }

    /// Tells the format by its first bytes.
    pub(super) fn new(reader: impl BufRead + 'r) -> Result<Input<'r>, Failure> {
        let mut reader: Box<dyn BufRead + 'r> = Box::new(reader);
        let mut kind = Kind::Hex { line: 0 };
        let first = reader.fill_buf().map_err(unreadable)?.get(..4);
        if let Some(magic) = first.filter(|first| MAGICS.iter().any(|magic| magic == first)) {
            let swapped = matches!(magic, [0xd4 | 0x4d, ..]);
            let mut header = [0; 24];
            reader.read_exact(&mut header).map_err(unreadable)?;
            let link = match number(&header[20..], swapped) & 0x0fff_ffff {
                1 => Link::Ethernet,
                12 | 14 | 101 | 228 | 229 => Link::Raw,
                other => {
                    return Err(Failure::Input(format!(
                        "link type {other} is unknown: capture raw IP or Ethernet"
                    )))
                }
            };
            kind = Kind::Pcap { swapped, link };
        }
        Ok(Input {
            reader,
            kind,
            text: Vec::new(),
            buf: vec![0; HEADROOM],
        })
    }

    /// The next packet.
    pub(super) fn next(&mut self) -> Result<Option<Packet<'_>>, Failure> {
        self.buf.truncate(HEADROOM);
        match self.kind {
            Kind::Hex { .. } => self.next_line(),
            Kind::Pcap { swapped, link } => self.next_record(swapped, link),
        }
    }

    fn next_line(&mut self) -> Result<Option<Packet<'_>>, Failure> {
        loop {
            self.text.clear();
            if self
                .reader
                .read_until(b'\n', &mut self.text)
                .map_err(unreadable)?
                == 0
            {
                return Ok(None);
            }
            if let Kind::Hex { line } = &mut self.kind {
                *line += 1;
            }
            let text = self.text.trim_ascii();
            // Blank lines and comments are for the reader.
            if !text.is_empty() && !text.starts_with(b"#") {
                break;
            }
        }
        let text = self.text.trim_ascii();
        let text = text.strip_prefix(b"0x").unwrap_or(text);
        let mut high = None;
        for &digit in text {
            if matches!(digit, b' ' | b'\t' | b':') {
                continue;
            }
            let Some(value) = char::from(digit).to_digit(16) else {
                return Err(self.bad_line("is no hexadecimal"));
            };
            match high.take() {
                None => high = Some(value),
                Some(high) => self.buf.push((high << 4 | value) as u8),
            }
        }
        if high.is_some() {
            return Err(self.bad_line("has an odd number of digits"));
        }
        Ok(Some(Packet {
            buf: &mut self.buf,
            link: HEADROOM,
            start: HEADROOM,
            ip: true,
        }))
    }

    fn bad_line(&self, what: &str) -> Failure {
        let line = match self.kind {
            Kind::Hex { line } => line,
            Kind::Pcap { .. } => 0,
        };
        Failure::Input(format!(
            "line {line} {what}: write one IP packet a line, two digits a byte, or give a pcap file"
        ))
    }

    fn next_record(&mut self, swapped: bool, link: Link) -> Result<Option<Packet<'_>>, Failure> {
        if self.reader.fill_buf().map_err(unreadable)?.is_empty() {
            return Ok(None);
        }
        let mut header = [0; 16];
        self.reader.read_exact(&mut header).map_err(unreadable)?;
        let len = number(&header[8..], swapped);
        if len > MAX_CAPTURED {
            return Err(Failure::Input(format!(
                "a packet of {len} bytes: the capture is damaged"
            )));
        }
        self.buf.resize(HEADROOM + len as usize, 0);
        self.reader
            .read_exact(&mut self.buf[HEADROOM..])
            .map_err(unreadable)?;
        let (start, ip) = match link {
            Link::Raw => (HEADROOM, true),
            Link::Ethernet => behind_ethernet(&self.buf),
        };
        Ok(Some(Packet {
            buf: &mut self.buf,
            link: HEADROOM,
            start,
            ip,
        }))
    }
}

/// Where the payload of the frame in a buffer starts, tags skipped, and whether it is IP.
fn behind_ethernet(buf: &[u8]) -> (usize, bool) {
    let mut start = HEADROOM + ETHERNET;
    while let Some(&[a, b]) = buf.get(start - 2..start) {
        let kind = u16::from_be_bytes([a, b]);
        if !TAGS.contains(&kind) {
            return (start, IP_TYPES.contains(&kind));
        }
        start += 4;
    }
    (buf.len(), false)
}

/// The number at the start of four bytes.
fn number(bytes: &[u8], swapped: bool) -> u32 {
    let bytes = bytes.first_chunk().copied().unwrap_or_default();
    if swapped {
        u32::from_le_bytes(bytes)
    } else {
        u32::from_be_bytes(bytes)
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::Input(match error.kind() {
        io::ErrorKind::UnexpectedEof => "the capture ends within a packet".to_owned(),
        _ => format!("cannot read the packets: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(Vec<u8>, bool)>, String> {
        let mut input = Input::new(bytes).map_err(|failure| failure.to_string())?;
        let mut packets = Vec::new();
        while let Some(packet) = input.next().map_err(|failure| failure.to_string())? {
            packets.push((packet.bytes().to_vec(), packet.ip));
        }
        Ok(packets)
    }

    #[test]
    fn hexadecimal_lines() {
        let text = b"# two packets\n\n4500\n 0x60 0a:0B \n";
        let expected = vec![(vec![0x45, 0], true), (vec![0x60, 0x0a, 0x0b], true)];
        assert_eq!(all(text), Ok(expected));
        assert_eq!(all(b""), Ok(vec![]));
        for (text, says) in [
            (&b"45\n450\n"[..], "line 2 has an odd"),
            (b"45 zz", "line 1 is no hexadecimal"),
        ] {
            let error = all(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    fn capture(swapped: bool, magic: u32, link: u32, packets: &[&[u8]]) -> Vec<u8> {
        let number = |value: u32| {
            if swapped {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        let mut out = number(magic).to_vec();
        out.extend([0; 16]);
        out.extend(number(link));
        for packet in packets {
            out.extend([0; 8]);
            out.extend(number(packet.len() as u32));
            out.extend(number(packet.len() as u32));
            out.extend(*packet);
        }
        out
    }

    #[test]
    fn captures_of_either_byte_order_and_clock() {
        for swapped in [false, true] {
            for magic in [0xa1b2_c3d4, 0xa1b2_3c4d] {
                for link in [12, 101, 228, 229] {
                    let bytes = capture(swapped, magic, link, &[&[0x45, 1], &[], &[0x60]]);
                    let expected = vec![(vec![0x45, 1], true), (vec![], true), (vec![0x60], true)];
                    assert_eq!(all(&bytes), Ok(expected));
                }
            }
        }
    }

    #[test]
    fn frames_with_and_without_tags() {
        let frame = |kinds: &[u8], payload: &[u8]| [&[2; 12], kinds, payload].concat();
        let frames = [
            frame(&[8, 0], &[0x45]),
            frame(&[0x86, 0xdd], &[0x60]),
            frame(&[0x81, 0, 0, 7, 8, 0], &[0x45]),
            frame(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 0x86, 0xdd], &[0x60]),
            frame(&[8, 6], &[1]),
            vec![2; 13],
        ];
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let expected = vec![
            (vec![0x45], true),
            (vec![0x60], true),
            (vec![0x45], true),
            (vec![0x60], true),
            (vec![1], false),
            (vec![], false),
        ];
        assert_eq!(all(&capture(true, 0xa1b2_c3d4, 1, &frames)), Ok(expected));
    }

    #[test]
    fn damaged_captures() {
        let whole = capture(true, 0xa1b2_c3d4, 101, &[&[0x45; 20]]);
        for len in [10, 30, 50] {
            assert!(all(&whole[..len]).unwrap_err().contains("within a packet"));
        }
        let link = capture(true, 0xa1b2_c3d4, 105, &[]);
        assert!(all(&link).unwrap_err().contains("link type 105"));
        let mut huge = whole;
        huge[34] = 0xff;
        assert!(all(&huge).unwrap_err().contains("damaged"));
    }
}
