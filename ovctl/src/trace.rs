// SPDX-License-Identifier: GPL-2.0

//! `ovctl trace`: what would become of a packet, step by step, here and on the hosts it goes to.

mod frame;

use std::net::{Ipv4Addr, Ipv6Addr};

use clap::{ArgGroup, Args};
use nix::errno::Errno;
use ovnet_engine::SubstrateAddress;
use ovnet_uapi::generated::TRACE_MAX;
use ovnet_uapi::{
    Client, Error, Kind, Locator, Mac, Port, Trace, TraceOf, TraceStep, TraceStepKind,
    TraceVerdict, Vni,
};
use serde_json::Value;

use crate::failure::{Code, Failure, Hint};
use crate::netns::{self, Names, Netns};
use crate::output::{put, put_text, word, Object, Output};
use crate::port::{self, Place};
use crate::translate::hex;

use frame::{Description, Ends};

/// How often a packet is followed to another host: more often than any is sent on.
const HOPS: usize = 8;

/// Say what would become of a packet, and why
///
/// The kernel takes the described packet through the code that all packets go through and says each
/// step. Nothing is sent, counted, reported or kept, so that this may be done while a node works. What
/// only the packet's way itself could tell is left out: the identification that the kernel would choose
/// is 0, and so is the flow's part of the IPv6 flow label.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").args(["port", "from_substrate"]).required(true))]
#[command(group = ArgGroup::new("what").args(["dst", "hex"]).required(true))]
pub(crate) struct Command {
    /// The port whose node sends the packet: the name of its device
    #[arg(value_name = "PORT")]
    port: Option<String>,

    #[command(flatten)]
    place: Place,

    /// The substrate brings the packet
    #[arg(long, requires = "hex", conflicts_with = "dst")]
    from_substrate: bool,

    /// Its destination
    #[arg(long, value_name = "ADDRESS")]
    dst: Option<Ipv4Addr>,

    /// The packet in hexadecimal digits: an Ethernet frame, or an IPv6 packet from the substrate
    #[arg(long, value_name = "FRAME", value_parser = digits)]
    hex: Option<Bytes>,

    #[command(flatten)]
    description: Description,

    /// Follow the packet to this host too, if it is sent there; once for each host: a name in
    /// /run/netns, a path, or pid:N
    #[arg(long, value_name = "NETNS")]
    follow: Vec<Netns>,

    /// Show the bytes that would leave, as JSON always has them
    #[arg(long)]
    bytes: bool,
}

/// The bytes of a packet.
#[derive(Clone, Debug)]
struct Bytes(Vec<u8>);

/// Bytes as hexadecimal digits; blanks and colons between them say nothing.
fn digits(text: &str) -> Result<Bytes, String> {
    let digits: Vec<char> = text
        .chars()
        .filter(|&it| !it.is_whitespace() && it != ':')
        .collect();
    let max = TRACE_MAX as usize;
    if !digits.len().is_multiple_of(2) {
        return Err("a byte is two digits: write an even number of digits".into());
    }
    if digits.len() > 2 * max {
        return Err(format!("a packet is at most {max} bytes long"));
    }
    let value = |digit: char| digit.to_digit(16).map(|value| value as u8);
    let bytes = digits
        .chunks_exact(2)
        .map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?));
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes
        .map(Bytes)
        .ok_or_else(|| "write hexadecimal digits".into())
}

/// A host that a packet is followed to.
struct Host {
    netns: String,
    locator: Locator,
    client: Client,
    names: Names,
}

/// What one host makes of the packet.
struct Hop {
    /// The host's namespace and locator; absent: the one that was asked first.
    host: Option<(String, Locator)>,
    trace: Trace,
    /// The names of namespaces as that host numbers them.
    names: Names,
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut client = Client::connect()?;
        let mut hosts = self
            .follow
            .iter()
            .map(Host::open)
            .collect::<Result<Vec<_>, _>>()?;
        let trace = match (&self.port, &self.hex) {
            (Some(port), _) => self.sent(port, &mut client)?,
            (None, Some(Bytes(packet))) => client
                .trace(&TraceOf::Packet(packet))
                .map_err(Failure::with_hints([not_for_nodes()]))?,
            (None, None) => return Err(Failure::Usage("name a port, or give a packet".into())),
        };
        let mut hops = Vec::new();
        let hop = Hop {
            host: None,
            trace,
            names: Names::new(),
        };
        follow(hop, &mut hosts, &mut hops, HOPS)?;
        let code = code(&hops);
        write(&hops, !hosts.is_empty(), self.bytes, output)?;
        code.map_or(Ok(()), |code| Err(Failure::Verdict(code)))
    }

    /// The trace of what a node sends.
    fn sent(&self, name: &str, client: &mut Client) -> Result<Trace, Failure> {
        let netns = self.place.open()?;
        let device = port::device(netns.as_ref(), name)?;
        let described;
        let frame = match (&self.hex, self.dst) {
            (Some(Bytes(frame)), _) => frame,
            (None, Some(dst)) => {
                let own = match client.port_get(device) {
                    Ok(port) => port,
                    Err(error) => return Err(Failure::with_hints([port::no_such_device()])(error)),
                };
                let mac = match self.description.src_mac {
                    Some(mac) => mac,
                    None => netns::mac(netns.as_ref(), name)?,
                };
                described = self.description.frame(Ends {
                    src: (mac, self.source(&own)?),
                    dst: (self.destination_mac(own.vni, dst, client)?, dst),
                });
                &described
            }
            (None, None) => return Err(Failure::Usage("say where the packet goes".into())),
        };
        client
            .trace(&TraceOf::Frame(device, frame))
            .map_err(Failure::with_hints([port::no_such_device()]))
    }

    fn source(&self, port: &Port) -> Result<Ipv4Addr, Failure> {
        self.description.src.or(port.address).ok_or_else(|| {
            Failure::Usage(format!(
                "{} is no node's port yet: name the source with --src",
                port.ifname
            ))
        })
    }

    fn destination_mac(
        &self,
        vni: Option<Vni>,
        dst: Ipv4Addr,
        client: &mut Client,
    ) -> Result<Mac, Failure> {
        let known = match (self.description.dst_mac, vni) {
            (Some(mac), _) => Some(mac),
            (None, None) => None,
            (None, Some(vni)) => match client.mapping_get(vni, dst) {
                Ok(mapping) => mapping.mac,
                Err(error) if error.kind() == Some(Kind::NotFound) => None,
                Err(error) => return Err(error.into()),
            },
        };
        Ok(known.unwrap_or(Mac::of(dst)))
    }
}

fn not_for_nodes() -> Hint {
    let text = "`ovctl host show` has this host's locator: its nodes' addresses begin with that";
    Hint::of(Errno::EINVAL, text).at("packet")
}

impl Host {
    fn open(netns: &Netns) -> Result<Host, Failure> {
        let open = netns.open()?;
        let mut client = netns::inside(Some(&open), Client::connect)??;
        let own = client.host_get(None)?;
        Ok(Host {
            names: Names::seen_from(&open)?,
            netns: open.to_string(),
            locator: own.locator,
            client,
        })
    }
}

/// Take what leaves a hop to the hosts it goes to, as far as they are known.
fn follow(hop: Hop, hosts: &mut [Host], hops: &mut Vec<Hop>, left: usize) -> Result<(), Failure> {
    let leaves = matches!(
        hop.trace.verdict,
        TraceVerdict::Sent | TraceVerdict::Fragmented | TraceVerdict::Forwarded
    );
    let out = hop.trace.out.clone();
    hops.push(hop);
    if !leaves || left == 0 {
        return Ok(());
    }
    for packet in out {
        let to = ends(&packet).map(|(_, to)| SubstrateAddress::decode(&to.octets()).locator);
        let Some(host) = hosts.iter_mut().find(|host| Some(host.locator) == to) else {
            continue;
        };
        let trace = host.client.trace(&TraceOf::Packet(&packet))?;
        let host_names = host.names.clone();
        let host = Some((host.netns.clone(), host.locator));
        let hop = Hop {
            host,
            trace,
            names: host_names,
        };
        follow(hop, hosts, hops, left - 1)?;
    }
    Ok(())
}

/// The addresses of an IPv6 packet.
fn ends(packet: &[u8]) -> Option<(Ipv6Addr, Ipv6Addr)> {
    let address = |at: usize| packet.get(at..)?.first_chunk::<16>().copied();
    Some((address(8)?.into(), address(24)?.into()))
}

/// The exit code, if the packet does not arrive.
fn code(hops: &[Hop]) -> Option<Code> {
    let has = |verdict| hops.iter().any(|hop| hop.trace.verdict == verdict);
    if has(TraceVerdict::Dropped) {
        Some(Code::Dropped)
    } else if has(TraceVerdict::Parked) {
        Some(Code::Waits)
    } else {
        None
    }
}

/// What has become of the packet in the end: of what went apart, what was dropped counts.
fn last(hops: &[Hop]) -> Option<&Hop> {
    let dropped = |hop: &&Hop| hop.trace.verdict == TraceVerdict::Dropped;
    hops.iter().find(dropped).or(hops.last())
}

fn write(hops: &[Hop], named: bool, bytes: bool, output: &mut Output<'_>) -> Result<(), Failure> {
    if output.is_json() {
        let mut object = Object::new();
        if let Some(last) = last(hops) {
            put(&mut object, "verdict", Some(verdict(&last.trace)));
            put_text(&mut object, "reason", reason(&last.trace));
        }
        let hops: Vec<Value> = hops.iter().map(|hop| Value::Object(hop.object())).collect();
        put(&mut object, "hop", Some(hops));
        return Ok(output.object(object)?);
    }
    for hop in hops {
        let mut names = hop.names.clone();
        if named {
            match &hop.host {
                Some((netns, locator)) => output.line(&format!("at host {locator} ({netns})"))?,
                None => output.line("at this host")?,
            }
        }
        for step in &hop.trace.steps {
            let kind = word(step.kind.name(), step.kind.into());
            output.line(format!("  {kind:<13} {}", detail(step, &mut names)?).trim_end())?;
        }
        output.line(&summary(&hop.trace))?;
        if bytes {
            for packet in &hop.trace.out {
                output.line(&hex(packet))?;
            }
        }
    }
    Ok(())
}

impl Hop {
    fn object(&self) -> Object {
        let mut object = Object::new();
        if let Some((netns, locator)) = &self.host {
            put_text(&mut object, "netns", Some(netns));
            put_text(&mut object, "locator", Some(locator));
        }
        put(&mut object, "verdict", Some(verdict(&self.trace)));
        put_text(&mut object, "reason", reason(&self.trace));
        let steps = self
            .trace
            .steps
            .iter()
            .map(|step| Value::Object(fields(step)));
        put(&mut object, "step", Some(steps.collect::<Vec<_>>()));
        let out = self
            .trace
            .out
            .iter()
            .map(|packet| Value::String(hex(packet)));
        put(&mut object, "out", Some(out.collect::<Vec<_>>()));
        object
    }
}

fn verdict(trace: &Trace) -> String {
    word(trace.verdict.name(), trace.verdict.into())
}

fn reason(trace: &Trace) -> Option<String> {
    trace.reason().map(reason_text)
}

fn reason_text(reason: Result<ovnet_uapi::DropReason, u32>) -> String {
    reason.map_or_else(|number| number.to_string(), |reason| reason.name().into())
}

/// The verdict as a line: what leaves, or why nothing does.
fn summary(trace: &Trace) -> String {
    let verdict = verdict(trace);
    if let Some(reason) = trace.reason() {
        let meaning = reason.map_or("a reason that this ovctl does not know", |it| {
            it.description()
        });
        return format!("{verdict}: {}: {meaning}", reason_text(reason));
    }
    let lengths: Vec<_> = trace.out.iter().map(|out| out.len().to_string()).collect();
    let lengths = lengths.join(" + ");
    match (trace.verdict, trace.out.first().and_then(|out| ends(out))) {
        (
            TraceVerdict::Sent
            | TraceVerdict::Fragmented
            | TraceVerdict::External
            | TraceVerdict::Forwarded,
            Some((from, to)),
        ) => format!("{verdict}: {from} to {to}, {lengths} bytes"),
        _ if trace.out.is_empty() => verdict,
        _ => format!("{verdict}: {lengths} bytes"),
    }
}

/// What a step has, by the words and in the order of the specification.
fn fields(step: &TraceStep) -> Object {
    let mut object = Object::new();
    put(
        &mut object,
        "kind",
        Some(word(step.kind.name(), step.kind.into())),
    );
    put_text(&mut object, "reason", step.reason.map(reason_text));
    put(&mut object, "vni", step.vni);
    put_text(&mut object, "address", step.address);
    put_text(&mut object, "mac", step.mac);
    put(&mut object, "gen", step.gen);
    put(
        &mut object,
        "state",
        step.state.map(|it| word(it.name(), it.into())),
    );
    put(
        &mut object,
        "port-state",
        step.port_state.map(|it| word(it.name(), it.into())),
    );
    put_text(&mut object, "locator", step.locator);
    put_text(&mut object, "from", step.from);
    put(&mut object, "slot", step.slot);
    put_text(&mut object, "external", step.external);
    put(&mut object, "peer-vni", step.peer_vni);
    put_text(&mut object, "peer-address", step.peer_address);
    put(
        &mut object,
        "direction",
        step.direction.map(|it| word(it.name(), it.into())),
    );
    put(&mut object, "rule", step.rule);
    put(
        &mut object,
        "action",
        step.action.map(|it| word(it.name(), it.into())),
    );
    put(
        &mut object,
        "form",
        step.form.map(|it| word(it.name(), it.into())),
    );
    put(&mut object, "ifindex", step.ifindex);
    put(&mut object, "netns-id", step.netns_id);
    put_text(&mut object, "ifname", step.ifname.as_deref());
    put_text(&mut object, "nexthop", step.nexthop);
    put(&mut object, "mtu", step.mtu);
    put(&mut object, "length", step.length);
    put(
        &mut object,
        "event",
        step.event.map(|it| word(it.name(), it.into())),
    );
    put(&mut object, "icmp-type", step.icmp_type);
    put(&mut object, "icmp-code", step.icmp_code);
    object
}

/// The step for people: what it has, and what it means that something is not there.
fn detail(step: &TraceStep, names: &mut Names) -> Result<String, Error> {
    let mut object = fields(step);
    object.shift_remove("kind");
    // A name says as much, and more.
    if step.ifname.is_some() {
        object.shift_remove("ifindex");
    }
    if let Some(netns) = names.of(step.netns_id)? {
        object.shift_remove("netns-id");
        put(&mut object, "netns", Some(netns));
    }
    let mut words = Vec::new();
    for (word, value) in object {
        words.push(word);
        words.push(match value {
            Value::String(text) => text,
            other => other.to_string(),
        });
    }
    let missing = match step.kind {
        TraceStepKind::Port if step.vni.is_none() => Some("(no node's port)"),
        TraceStepKind::Destination | TraceStepKind::Source if step.state.is_none() => {
            Some("(no mapping)")
        }
        TraceStepKind::Route if step.ifname.is_none() => Some("(no route)"),
        TraceStepKind::Policy if step.rule.is_none() => Some("(the network's default)"),
        TraceStepKind::Park if step.address.is_none() => Some("(for the node that moves)"),
        _ => None,
    };
    words.extend(missing.map(str::to_owned));
    Ok(words.join(" "))
}

#[cfg(test)]
mod tests;
