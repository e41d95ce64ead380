// SPDX-License-Identifier: GPL-2.0

//! `ovctl translate`: what the translator makes of packets, without a kernel.

mod eam;
mod input;
mod overlay;
mod standard;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ovnet_engine::embed::{Eam, Prefix};
use ovnet_engine::siit::{self, Siit};
use ovnet_uapi::{DropReason, Locator, Vni};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::{Object, Output};
use crate::prefix;

use input::Input;
use overlay::Overlay;
use standard::Standard;

/// Translate packets and print what would leave, without a kernel
///
/// Reads packets from FILE or standard input: hexadecimal, one IP packet a line, or a pcap capture of raw
/// IP or Ethernet. Prints for each packet what would leave ("out"), the ICMP errors that would go back
/// ("error"), and the reason if it is dropped ("drop"). With --json one object a packet.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Packets: lines of hexadecimal digits, or a pcap capture
    #[arg(default_value = "-")]
    file: PathBuf,

    /// The way the packets go; without it each packet's version tells
    #[arg(long)]
    direction: Option<Direction>,

    /// Plain RFC 7915 for any peer, or the form that two hosts of the overlay speak
    #[arg(long, default_value = "standard")]
    profile: Profile,

    /// Map an IPv4 address or prefix to one of IPv6 (RFC 7757)
    #[arg(long = "map", value_name = "V4=V6", value_parser = eam::parse)]
    maps: Vec<Eam>,

    /// Prefix for addresses without a mapping (RFC 6052)
    #[arg(long, value_name = "PREFIX", value_parser = eam::pool)]
    pool6: Option<Prefix>,

    /// Let 64:ff9b::/96 hold addresses that are not global
    #[arg(long, requires = "pool6")]
    allow_non_global: bool,

    /// The translator's own IPv4 address: the source of its ICMP errors
    #[arg(long, value_name = "V4")]
    own4: Option<Ipv4Addr>,

    /// The translator's own IPv6 address: the source of its ICMPv6 errors
    #[arg(long, value_name = "V6")]
    own6: Option<Ipv6Addr>,

    /// An address for IPv6 routers without a mapping (RFC 6791); repeat it for a pool
    #[arg(long, value_name = "V4")]
    rfc6791v4: Vec<Ipv4Addr>,

    /// Append the address of such a router to its errors (RFC 5837)
    #[arg(long)]
    name_routers: bool,

    /// The address for IPv4 routers without a mapping
    #[arg(long, value_name = "V6")]
    rfc6791v6: Option<Ipv6Addr>,

    /// MTU of the IPv4 side
    #[arg(long, value_name = "BYTES", default_value_t = 1500, value_parser = clap::value_parser!(u32).range(68..=65535))]
    mtu4: u32,

    /// MTU of the IPv6 side
    #[arg(long, value_name = "BYTES", default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1280..=65535))]
    mtu6: u32,

    /// The size that IPv4 packets without DF are fragmented to
    #[arg(long, value_name = "BYTES", default_value_t = 1280, value_parser = clap::value_parser!(u32).range(1280..=65535))]
    lowest_ipv6_mtu: u32,

    /// UDP without a checksum: drop it, compute one where that is possible, or keep it so
    #[arg(long, value_name = "POLICY", default_value = "drop")]
    udp_zero_csum: UdpZero,

    /// Adjust the checksums of DCCP and UDP-Lite as well
    #[arg(long)]
    adjust_others: bool,

    /// Write traffic class 0 instead of the type of service
    #[arg(long)]
    reset_traffic_class: bool,

    /// Write this type of service instead of the traffic class
    #[arg(long, value_name = "BYTE", value_parser = byte)]
    tos: Option<u8>,

    /// Whether the translator sends ICMP errors of its own
    #[arg(long, value_name = "POLICY", default_value = "send")]
    icmp_errors: IcmpErrors,

    /// An address without a mapping: drop the packet in silence, or tell its sender
    #[arg(long, value_name = "POLICY", default_value = "drop")]
    unmapped: Unmapped,

    /// Packets from one mapped host to another by the prefix (RFC 7757 section 4)
    #[arg(long, value_name = "MODE", default_value = "intrinsic")]
    hairpin: Hairpin,

    /// Drop IPv6 packets whose source is within the --pool6
    #[arg(long, requires = "pool6")]
    ingress_filter: bool,

    /// The first IPv4 identification; each packet that needs one takes the next
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    id: u16,

    #[command(flatten)]
    overlay: OverlayArgs,
}

/// What the overlay's profile needs besides.
#[derive(Debug, Args)]
struct OverlayArgs {
    /// This host's /64 (overlay)
    #[arg(long, value_parser = prefix::locator, required_if_eq("profile", "overlay"))]
    locator: Option<Locator>,

    /// The other host's /64 (overlay)
    #[arg(long, value_parser = prefix::locator, required_if_eq("profile", "overlay"))]
    peer_locator: Option<Locator>,

    /// The virtual network (overlay)
    #[arg(long, value_parser = prefix::vni, required_if_eq("profile", "overlay"))]
    vni: Option<Vni>,

    /// Deliver to the port in this slot instead of by address (overlay)
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..64))]
    slot: Option<u8>,

    /// What the network promises of the packets it carries (overlay)
    #[arg(long, default_value = "semantic")]
    fidelity: Fidelity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Direction {
    #[value(name = "4to6")]
    To6,
    #[value(name = "6to4")]
    To4,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    Standard,
    Overlay,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UdpZero {
    Drop,
    Compute,
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum IcmpErrors {
    Send,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unmapped {
    Drop,
    Report,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Hairpin {
    Off,
    Simple,
    Intrinsic,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Fidelity {
    Semantic,
    Exact,
}

/// A byte in decimal or, after 0x, in hexadecimal.
pub(crate) fn byte(text: &str) -> Result<u8, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "write a number from 0 to 255, or 0x00 to 0xff".to_owned())
}

/// Spare bytes before a packet: as many as the largest header that any form writes.
const HEADROOM: usize = 64;

/// A packet as it was read, with spare bytes before it.
struct Packet<'b> {
    /// Spare bytes, a link header if there is one, the packet.
    buf: &'b mut [u8],
    /// Where the link header starts, or the packet if there is none.
    link: usize,
    /// Where the packet starts.
    start: usize,
    /// Whether the packet is IP, and not some other frame.
    ip: bool,
}

impl Packet<'_> {
    fn bytes(&self) -> &[u8] {
        &self.buf[self.start..]
    }
}

/// What comes of one packet.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    out: Vec<Vec<u8>>,
    errors: Vec<Vec<u8>>,
    drop: Option<DropReason>,
}

impl Outcome {
    fn dropped(reason: DropReason) -> Outcome {
        Outcome {
            drop: Some(reason),
            ..Outcome::default()
        }
    }

    fn sent(packet: Vec<u8>) -> Outcome {
        Outcome {
            out: vec![packet],
            ..Outcome::default()
        }
    }

    fn object(&self) -> Object {
        let list = |packets: &[Vec<u8>]| {
            let packets = packets.iter().map(|packet| Value::String(hex(packet)));
            Value::Array(packets.collect())
        };
        let reason = self.drop.map_or(Value::Null, |reason| reason.name().into());
        let mut object = Object::new();
        object.insert("out".to_owned(), list(&self.out));
        object.insert("errors".to_owned(), list(&self.errors));
        object.insert("drop".to_owned(), reason);
        object
    }

    fn print(&self, number: u64, output: &mut Output<'_>) -> Result<(), Failure> {
        if output.is_json() {
            return Ok(output.json_line(self.object())?);
        }
        for packet in &self.out {
            output.line(&format!("{number} out {}", hex(packet)))?;
        }
        for packet in &self.errors {
            output.line(&format!("{number} error {}", hex(packet)))?;
        }
        if let Some(reason) = self.drop {
            output.line(&format!("{number} drop {}", reason.name()))?;
        }
        Ok(())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        self.translate(Input::open(&self.file)?, output)
    }

    fn translate(&self, mut input: Input<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut translator = Translator::new(self)?;
        let mut number = 0;
        while let Some(packet) = input.next()? {
            number += 1;
            translator.run(packet).print(number, output)?;
        }
        Ok(())
    }

    fn siit(&self) -> Siit<'_> {
        Siit {
            pool6: match self.pool6 {
                Some(pool) if self.allow_non_global => Some(pool.with_any()),
                pool => pool,
            },
            mtu6: self.mtu6,
            mtu4: self.mtu4,
            lowest_ipv6_mtu: self.lowest_ipv6_mtu,
            reset_traffic_class: self.reset_traffic_class,
            tos: self.tos,
            udp_zero: match self.udp_zero_csum {
                UdpZero::Drop => siit::UdpZero::Drop,
                UdpZero::Compute => siit::UdpZero::Compute,
                UdpZero::Keep => siit::UdpZero::Keep,
            },
            adjust_others: self.adjust_others,
            errors: self.icmp_errors == IcmpErrors::Send,
            owner: self.unmapped == Unmapped::Report,
            ingress_filter: self.ingress_filter,
            routers4: &self.rfc6791v4,
            name_routers: self.name_routers,
            router6: self.rfc6791v6.map(|address| address.octets()),
            own4: self.own4,
            own6: self.own6.map(|address| address.octets()),
            hairpin: match self.hairpin {
                Hairpin::Off => siit::Hairpin::Off,
                Hairpin::Simple => siit::Hairpin::Simple,
                Hairpin::Intrinsic => siit::Hairpin::Intrinsic,
            },
        }
    }
}

/// The translator of one profile, and the identification it gives next.
struct Translator<'c> {
    direction: Option<Direction>,
    form: Form<'c>,
    id: u16,
}

enum Form<'c> {
    Standard(Standard<'c>),
    Overlay(Overlay<'c>),
}

impl<'c> Translator<'c> {
    fn new(command: &'c Command) -> Result<Translator<'c>, Failure> {
        let siit = command.siit();
        let form = match Overlay::new(&command.overlay, siit) {
            Some(overlay) if command.profile == Profile::Overlay => Form::Overlay(overlay),
            _ => Form::Standard(Standard::new(siit, &command.maps)?),
        };
        Ok(Translator {
            direction: command.direction,
            form,
            id: command.id,
        })
    }

    fn run(&mut self, packet: Packet<'_>) -> Outcome {
        let id = self.id;
        self.id = id.wrapping_add(1);
        let direction = match (self.direction, packet.bytes().first()) {
            (Some(direction), _) => direction,
            (None, Some(first)) if first >> 4 == 6 && packet.ip => Direction::To4,
            (None, _) => Direction::To6,
        };
        match &self.form {
            Form::Standard(standard) => standard.run(packet, direction, id),
            Form::Overlay(overlay) => overlay.run(packet, direction, id),
        }
    }
}

#[cfg(test)]
mod tests;
