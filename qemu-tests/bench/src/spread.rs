// SPDX-License-Identifier: GPL-2.0

//! Packets to many nodes, each found among all mappings: what a lookup costs must not depend on one bucket.

use std::error::Error;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    bind, send, socket, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType,
};

use crate::{sys, topology};

/// The node's device, its address, and the first of the addresses that `bench/scale` maps.
const DEVICE: &str = "eth0";
const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const FIRST: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 0);
/// Payload, in bytes.
const SIZE: usize = 64;
/// A prime, so that addresses come from all over.
const STEP: u64 = 7919;

/// Sends `count` packets to nodes among `among`, twice, and prints what one of the second round cost.
pub fn measure(figure: &str, among: u32, count: u32) -> Result<(), Box<dyn Error>> {
    topology::enter(topology::CLIENT)?;
    let socket = open()?;
    let frames: Vec<Vec<u8>> = (0..u64::from(count))
        .map(|number| (number * STEP % u64::from(among)) as u32)
        .map(|number| frame(Ipv4Addr::from_bits(FIRST.to_bits() + number)))
        .collect();
    let sent = || -> Result<u64, Box<dyn Error>> {
        let start = sys::tsc();
        for frame in &frames {
            send(socket.as_raw_fd(), frame, MsgFlags::empty())?;
        }
        Ok(sys::tsc() - start)
    };
    let before = topology::sent_by("null")?;
    // Routes are cached by the first round.
    sent()?;
    let ticks = sent()?;
    let left = topology::sent_by("null")?.0 - before.0;
    if left != 2 * u64::from(count) {
        return Err(format!("{left} of {} packets left the host", 2 * count).into());
    }
    println!("FIGURE {figure} ticks={ticks} units={count}");
    Ok(())
}

/// A socket that sends frames from the node's device.
fn open() -> Result<OwnedFd, Box<dyn Error>> {
    let protocol = SockProtocol::EthAll;
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
    let address = getifaddrs()?
        .filter(|entry| entry.interface_name == DEVICE)
        .find_map(|entry| entry.address?.as_link_addr().copied())
        .ok_or("the node has no device")?;
    bind(socket.as_raw_fd(), &address)?;
    Ok(socket)
}

/// The MAC that stands for a node.
fn mac(node: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = node.octets();
    [0x02, 0x76, a, b, c, d]
}

/// A UDP datagram to a node.
fn frame(to: Ipv4Addr) -> Vec<u8> {
    let mut ip = [0; 20];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&(28 + SIZE as u16).to_be_bytes());
    // Do not fragment.
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = libc::IPPROTO_UDP as u8;
    ip[12..16].copy_from_slice(&SOURCE.octets());
    ip[16..20].copy_from_slice(&to.octets());
    let sum: u32 = ip
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let mut frame = [mac(to), mac(SOURCE)].concat();
    frame.extend([0x08, 0x00]);
    frame.extend(ip);
    frame.extend(7000_u16.to_be_bytes());
    frame.extend(7000_u16.to_be_bytes());
    frame.extend((8 + SIZE as u16).to_be_bytes());
    // A checksum that nobody looks at; the module adjusts it.
    frame.extend([0x12, 0x34]);
    frame.extend([b'a'; SIZE]);
    frame
}
