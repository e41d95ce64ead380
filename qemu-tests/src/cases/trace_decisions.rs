// SPDX-License-Identifier: GPL-2.0

//! Traces held against what happens: cases that deliver and drop packets run
//! once more with each frame traced before it is sent, and what they leave out
//! is here.
//!
//! ```text
//!  A 10.0.0.2 net 7 ──┬── R ── fabric ── S ── G 10.0.0.3 net 7
//!  C 10.0.0.5 net 8 ──┘   sub    │
//!                                └── X 2001:db8:5::9, which is 10.0.0.200 to A
//! ```

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use ovnet_uapi::{Device, DropReason, EventKind, HostSet, ResolverState, TraceOf, TraceVerdict};

use super::{
    arp, arrival_check, destination_check, escape, exact_bytes, lease, source_check,
    substrate_errors, Case, Failure,
};
use crate::frame::{ethernet, Ipv4, Ipv6, IPV4, IPV6, UDP};
use crate::overlay::{
    draw, host_mac, same, substrate, virtual_mac, within, Host, Wire, FABRIC_MAC,
};
use crate::shadow;

/// A trace says what happens, and does nothing.
pub const CASE: Case = Case {
    name: "trace-decisions",
    title: "a trace says what becomes of a packet, to the byte, and nothing comes of the trace",
    rows: &["OP2", "OP5", "AU5"],
    guests: 1,
    timeout: 240,
    run,
};

/// The same of what other cases send.
pub const AGAIN: Case = Case {
    name: "trace-again",
    title: "what other cases send is delivered, answered or dropped as a trace says before",
    rows: &["OP2", "OP5"],
    guests: 1,
    timeout: 600,
    run: again,
};

/// Cases whose frames are traced too. The others send what they time.
const TRACED: [Case; 8] = [
    arp::CASE,
    arrival_check::CASE,
    destination_check::CASE,
    escape::CASE,
    exact_bytes::CASE,
    lease::CASE,
    source_check::CASE,
    substrate_errors::CASE,
];

/// What no packet here is dropped for: it takes two packets at once, a wait,
/// offloads that no frame in words has, or a lack of memory. Plain translation
/// has its own cases.
const ELSEWHERE: [DropReason; 12] = [
    DropReason::NeedsEscape,
    DropReason::Ttl,
    DropReason::Offload,
    DropReason::NoMemory,
    DropReason::MartianSource,
    DropReason::SourceRoute,
    DropReason::TtlExceeded,
    DropReason::ExtensionHeaders,
    DropReason::IcmpFragment,
    DropReason::UdpZeroChecksum,
    DropReason::Unresolved,
    DropReason::ParkedOverflow,
];

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const C: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const X: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 200);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);

/// What packets are dropped for here; the rest is other cases'.
const HERE: [DropReason; 9] = [
    DropReason::TooBig,
    DropReason::NotAuthorised,
    DropReason::Policy,
    DropReason::NoSuchNode,
    DropReason::MissLimit,
    DropReason::NewAddress,
    DropReason::PortInactive,
    DropReason::ForwardLoop,
    DropReason::Fenced,
];

fn run() -> Result<(), Failure> {
    draw(
        "hosts R S; port A on R net 7 10.0.0.2; port C on R net 8 10.0.0.5
         port G on S net 7 10.0.0.3
         ns X
         ip -n fabric link add X address $FABRIC_MAC type veth peer name sub \
           address 02:fa:b0:00:99:09 netns X
         ip -n fabric link set X addrgenmode none up
         ip -n X link set sub addrgenmode none up
         ip -n fabric route add 2001:db8:5::/64 dev X
         ip -n fabric neigh add 2001:db8:5::9 lladdr 02:fa:b0:00:99:09 dev X nud permanent
         ovctl -n R mapping set 7 10.0.0.200 --external 2001:db8:5::9
         ovctl -n R mapping set 7 10.0.0.5 --locator fd00:a:1:1::/64 --peer-net 8",
    )?;
    let mut seen = BTreeSet::new();
    shadow::over(ways, &mut seen)?;
    nothing_comes_of_it()?;
    shadow::over(refusals, &mut seen)?;
    shadow::over(moves, &mut seen)?;
    let verdicts = [
        "sent",
        "fragmented",
        "external",
        "delivered",
        "forwarded",
        "parked",
    ];
    all_said(&verdicts, HERE, &seen)
}

fn again() -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for case in TRACED {
        shadow::over(case.run, &mut seen).map_err(|error| format!("{}: {error}", case.name))?;
        draw("ip -all netns delete")?;
    }
    let reasons = DropReason::ALL
        .into_iter()
        .filter(|reason| !ELSEWHERE.contains(reason) && !HERE.contains(reason));
    all_said(&["sent", "delivered", "answered"], reasons, &seen)
}

/// Traces have said all that, and so it was.
fn all_said(
    verdicts: &[&str],
    reasons: impl IntoIterator<Item = DropReason>,
    seen: &BTreeSet<String>,
) -> Result<(), Failure> {
    let reasons = reasons
        .into_iter()
        .map(|reason| format!("drop:{}", reason.name()));
    let wanted: BTreeSet<String> = verdicts
        .iter()
        .map(|&word| word.to_owned())
        .chain(reasons)
        .collect();
    let missing: Vec<_> = wanted.difference(seen).collect();
    same("what no trace has said", missing, Vec::new())
}

/// A datagram of A.
fn datagram(to: Ipv4Addr, fragment: u16, length: usize) -> Vec<u8> {
    let mut ip = Ipv4::new(A, to);
    (ip.fragment, ip.id) = (fragment, 0x1234);
    let packet = ip.packet(UDP, &ip.ends().udp(9, 53, &vec![7; length]));
    ethernet(virtual_mac(to), virtual_mac(A), IPV4, &packet)
}

const DF: u16 = crate::frame::DF;

/// Each way on: whole, cut, as it is in plain translation.
fn ways() -> Result<(), Failure> {
    let a = Wire::open("A", "v0")?;
    for to in [G, X] {
        for (fragment, length) in [(DF, 100), (0, 100), (DF, 1432), (0, 1432)] {
            a.send(&datagram(to, fragment, length))?;
        }
    }
    draw("ip -n R link set sub mtu 1300")?;
    for to in [G, X] {
        for fragment in [DF, 0] {
            a.send(&datagram(to, fragment, 1400))?;
        }
    }
    draw("ip -n R link set sub mtu 1500")?;
    // And back from a machine that knows nothing of the overlay.
    let fabric = Wire::open("fabric", "R")?;
    for length in [100, 1432] {
        let ip = Ipv6 {
            class: 0,
            label: 0,
            hops: 60,
            src: "2001:db8:5::9".parse()?,
            dst: substrate(1, 0, 7, A),
        };
        let packet = ip.packet(UDP, &ip.ends().udp(53, 9, &vec![1; length]));
        fabric.send(&ethernet(host_mac(1), FABRIC_MAC, IPV6, &packet))?;
    }
    Ok(())
}

/// What only a trace has seen: no event, no counter, no answer, nothing that
/// waits, not even in the kernel's own counters.
fn nothing_comes_of_it() -> Result<(), Failure> {
    const COUNTERS: [&str; 3] = ["snmp", "snmp6", "netstat"];
    let read = || {
        within("R", || {
            let of = |name| std::fs::read_to_string(format!("/proc/thread-self/net/{name}"));
            Ok(COUNTERS.map(|name| of(name).unwrap_or_default()))
        })
    };
    let (a, sub) = (Wire::open("A", "v0")?, Wire::open("R", "sub")?);
    let mut r = Host::open("R")?;
    r.client().host_configure(&HostSet {
        resolver: Some(ResolverState::Ready),
        ..HostSet::default()
    })?;
    draw("ovctl -n R rule add 7 out id 5 proto udp dport 53 to 10.0.0.3 reject; ip -n R link set sub mtu 1300")?;
    let spoof = {
        let ip = Ipv4::new(NOBODY, G);
        ethernet(
            virtual_mac(G),
            virtual_mac(A),
            IPV4,
            &ip.packet(UDP, &[0; 24]),
        )
    };
    let node = std::fs::File::open("/run/netns/A")?;
    let ifindex = within("A", || Ok(nix::net::if_::if_nametoindex("v0")?))?;
    let device = Device {
        ifindex,
        netns: Some(std::os::fd::AsFd::as_fd(&node)),
        netns_id: None,
    };
    let before = read()?;
    // Since when the node is silent is known to the second.
    std::thread::sleep(Duration::from_millis(1100));
    let idle = |r: &mut Host| -> Result<_, Failure> { Ok(r.client().port_get(device)?.idle) };
    let silent = idle(&mut r)?;
    for (frame, verdict, reason) in [
        // Spoofs and refusals are reported, misses asked, and senders told.
        (spoof, TraceVerdict::Dropped, Some(DropReason::SpoofAddress)),
        (datagram(NOBODY, DF, 8), TraceVerdict::Parked, None),
        (
            datagram(G, DF, 8),
            TraceVerdict::Dropped,
            Some(DropReason::Policy),
        ),
        (
            datagram(X, DF, 1400),
            TraceVerdict::Dropped,
            Some(DropReason::TooBig),
        ),
        // The kernel counts what it cuts.
        (other(G, 1400), TraceVerdict::Fragmented, None),
    ] {
        let trace = r.client().trace(&TraceOf::Frame(device, &frame))?;
        same("verdict", trace.verdict, verdict)?;
        same("reason", trace.reason(), reason.map(Ok))?;
    }
    let forged = Ipv6 {
        class: 0,
        label: 64 << 12 | 1 << 11,
        hops: 60,
        src: substrate(3, 0, 7, G),
        dst: substrate(1, 0, 7, A),
    };
    let forged = forged.packet(UDP, &forged.ends().udp(1, 2, b"forged"));
    let trace = r.client().trace(&TraceOf::Packet(&forged))?;
    same(
        "a forged source is asked for",
        trace.verdict,
        TraceVerdict::Parked,
    )?;

    if idle(&mut r)? < silent {
        return Err("the node was heard".into());
    }
    same("the kernel's counters", read()?, before)?;
    r.counted(&[])?;
    r.no_event()?;
    let waits = |r: &mut Host| -> Result<u32, Failure> {
        let mut all = 0;
        for mapping in r.client().mappings(None)? {
            all += mapping?.parked.unwrap_or_default();
        }
        Ok(all)
    };
    same("what waits", waits(&mut r)?, 0)?;
    a.silent()?;
    sub.silent()?;
    // The rule has decided about nothing either.
    draw(
        "[[ $(ovctl -n R rule show 7 5 --json) == *'\"packets\":0'* ]]
          ovctl -n R rule del 7 5; ip -n R link set sub mtu 1500",
    )
}

/// A datagram that the rule is not about, and that may be cut.
fn other(to: Ipv4Addr, length: usize) -> Vec<u8> {
    let mut ip = Ipv4::new(A, to);
    ip.fragment = 0;
    let packet = ip.packet(UDP, &ip.ends().udp(9, 54, &vec![7; length]));
    ethernet(virtual_mac(to), virtual_mac(A), IPV4, &packet)
}

/// Rules, peerings and names that nobody has.
fn refusals() -> Result<(), Failure> {
    let a = Wire::open("A", "v0")?;
    let mut r = Host::open("R")?;
    a.send(&datagram(C, DF, 8))?;
    r.event(EventKind::Refused)?;
    draw("ovctl -n R peering add 7 8")?;
    a.send(&datagram(C, DF, 8))?;
    for action in ["deny", "reject", "allow"] {
        draw(&format!(
            "ovctl -n R rule set 7 out id 5 proto udp dport 53 {action}"
        ))?;
        a.send(&datagram(G, DF, 8))?;
    }
    draw("ovctl -n R rule del 7 5; ovctl -n R rule add 8 in id 5 proto udp deny")?;
    a.send(&datagram(C, DF, 8))?;
    draw("ovctl -n R rule del 8 5")?;

    r.client().host_configure(&HostSet {
        resolver: Some(ResolverState::Ready),
        ..HostSet::default()
    })?;
    a.send(&datagram(NOBODY, DF, 8))?;
    draw("ovctl -n R mapping set 7 10.0.0.78 --state negative --hard-ttl 60s")?;
    a.send(&datagram(Ipv4Addr::new(10, 0, 0, 78), DF, 8))?;
    // As many questions as a port may have open, before the first is forgotten.
    for number in 0..64 {
        a.send_alone(&datagram(Ipv4Addr::new(10, 0, 1, number), DF, 8))?;
    }
    a.send(&datagram(Ipv4Addr::new(10, 0, 1, 64), DF, 8))?;
    draw("ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 --source-check learn")?;
    let ip = Ipv4::new(NOBODY, G);
    let frame = ethernet(
        virtual_mac(G),
        virtual_mac(A),
        IPV4,
        &ip.packet(UDP, &[0; 24]),
    );
    a.send(&frame)?;
    // What waits has gone.
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

/// A node that moves, and has moved.
fn moves() -> Result<(), Failure> {
    let (a, fabric) = (Wire::open("A", "v0")?, Wire::open("fabric", "R")?);
    let stray = |hops| {
        let ip = Ipv6 {
            class: 0,
            label: 64 << 12 | 1 << 11,
            hops,
            src: substrate(2, 0, 7, G),
            dst: substrate(1, 0, 7, A),
        };
        let packet = ip.packet(UDP, &ip.ends().udp(9, 10, b"stray"));
        ethernet(host_mac(1), FABRIC_MAC, IPV6, &packet)
    };
    draw(
        "ovctl -n R host set --lease 1h
         ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 --lease
         ovctl -n R host set --lease 0",
    )?;
    a.send(&datagram(G, DF, 8))?;
    draw("ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 --state frozen")?;
    fabric.send(&stray(60))?;
    draw("ovctl -n R mapping set 7 10.0.0.2 --locator fd00:a:1:2::/64 --state moved")?;
    fabric.send(&stray(60))?;
    fabric.send(&stray(1))?;
    a.send(&datagram(G, DF, 8))
}
