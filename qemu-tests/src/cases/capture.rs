// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
//!   v0 ▲        sub ▲          sub ▲    v0 ▲
//!      each packet has clones here while it is rewritten
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use super::{Case, Failure};
use crate::frame::{checksum, hex, IPV4, IPV6, TCP};
use crate::overlay::{draw, same, within, Host, Wire};

/// A packet is rewritten only once nobody else sees it.
pub const CASE: Case = Case {
    name: "capture",
    title: "captures on ports and substrate show packets as they were there, and corrupt none",
    rows: &["TX6", "TX11", "RX4", "N05"],
    guests: 1,
    timeout: 60,
    run,
};

const LENGTH: usize = 1 << 20;

fn run() -> Result<(), Failure> {
    draw("hosts R S; node A on R net 7 10.0.0.2; node G on S net 7 10.0.0.3")?;
    // A plain socket queues a clone that shares the packet's bytes, and is
    // read after the packet went on: what was written to both would show.
    let wires = [
        (Wire::open("A", "v0")?, IPV4),
        (Wire::open("R", "sub")?, IPV6),
        (Wire::open("S", "sub")?, IPV6),
        (Wire::open("G", "v0")?, IPV4),
    ];
    transfer()?;
    for (wire, kind) in &wires {
        let mut segments = 0;
        while let Some(frame) = wire.pending()? {
            segments += usize::from(is_segment(&frame, *kind)?);
        }
        if segments < 10 {
            return Err(format!("{segments} segments seen where {kind:#x} passes").into());
        }
    }
    // Nothing was dropped on the way.
    for host in ["R", "S"] {
        let drops = Host::open(host)?.client().stats()?.drop;
        same("drops", drops, Vec::new())?;
    }
    Ok(())
}

/// Sends a pattern from A to G, where it must arrive.
fn transfer() -> Result<(), Failure> {
    let data: Vec<u8> = (0..LENGTH as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let listener = within("G", || Ok(TcpListener::bind("10.0.0.3:5000")?))?;
    let receiver = thread::spawn(move || -> std::io::Result<Vec<u8>> {
        let mut received = Vec::new();
        listener.accept()?.0.read_to_end(&mut received)?;
        Ok(received)
    });
    within("A", || {
        let mut stream = TcpStream::connect("10.0.0.3:5000")?;
        stream.write_all(&data)?;
        Ok(stream.shutdown(Shutdown::Write)?)
    })?;
    let received = receiver.join().map_err(|_| "the receiver panicked")??;
    if received != data {
        return Err(format!("{} bytes arrived, not as sent", received.len()).into());
    }
    Ok(())
}

/// Whether the frame is a TCP segment of this kind, intact; ARP, which stays
/// between node and host, is none.
fn is_segment(frame: &[u8], kind: u16) -> Result<bool, Failure> {
    let wrong = |what| -> Result<bool, Failure> { Err(format!("{what}: {}", hex(frame)).into()) };
    let Some((head, packet)) = frame.split_at_checked(14) else {
        return wrong("a short frame");
    };
    match u16::from_be_bytes([head[12], head[13]]) {
        0x0806 if kind == IPV4 => return Ok(false),
        found if found != kind => return wrong("another type of frame"),
        _ => {}
    }
    let (protocol, ends) = match (kind, packet) {
        (IPV4, [0x45, ..]) if packet.len() >= 40 => {
            if checksum(&packet[..20]) != 0 {
                return wrong("a wrong header");
            }
            (packet[9], &packet[12..20])
        }
        (IPV6, [first, ..]) if first >> 4 == 6 && packet.len() >= 60 => {
            // The virtual addresses end the substrate ones.
            if packet[8..12] != packet[24..28] || packet[8] != 0xfd {
                return wrong("not of the overlay");
            }
            (packet[6], &packet[20..24])
        }
        _ => return wrong("another packet"),
    };
    match (protocol, ends[..3] == [10, 0, 0]) {
        (TCP, true) => Ok(true),
        _ => wrong("not the stream's"),
    }
}
