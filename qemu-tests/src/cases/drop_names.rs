// SPDX-License-Identifier: GPL-2.0

//! Runs the cases that drop packets for every reason there is, each with the
//! topology it draws, while the kernel's own tools look on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use ovnet_uapi::{Client, DropReason, StatsScope};

use super::{
    arp, arrival_check, destination_check, escape, moving_drops, source_check, substrate_errors,
    Case, Failure,
};
use crate::frame::ethernet;
use crate::kernel_tools::{field, DropMonitor, Trace};
use crate::overlay::{draw, same, virtual_mac, within, Wire, FABRIC_MAC};

/// One name for one drop, whoever tells it.
pub const CASE: Case = Case {
    name: "drop-names",
    title: "every drop has the same name in counters, kernel drop reasons, drop_monitor and traces",
    rows: &["OP5", "AU5"],
    guests: 1,
    timeout: 300,
    run,
};

/// The kernel has no number for us.
pub const PLACES: Case = Case {
    name: "drop-places",
    title: "names of drops take a place that nobody needs, and give way to its owner",
    rows: &["OP5", "OP4"],
    guests: 1,
    timeout: 120,
    run: places,
};

/// Where packets are dropped.
const DROPPING: [Case; 7] = [
    arp::CASE,
    arrival_check::CASE,
    destination_check::CASE,
    escape::CASE,
    moving_drops::CASE,
    source_check::CASE,
    substrate_errors::CASE,
];

/// What no packet of these cases is dropped for. Two are of packets that escape.
/// Lack of memory and such a device are not to be had in a guest. Plain
/// translation has cases of its own.
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
    DropReason::NotAuthorised,
    DropReason::Policy,
];

/// How many packets were dropped, by name.
type Drops = BTreeMap<String, u64>;

fn run() -> Result<(), Failure> {
    // The events of a module exist while it is loaded.
    draw("modprobe ovnet")?;
    let monitor = DropMonitor::start()?;
    let trace = Trace::start(&["ovnet/ovnet_drop", "skb/kfree_skb"])?;
    // Numbers of subsystems beyond the core's.
    trace.write("events/skb/kfree_skb/filter", "reason >= 65536")?;
    let mut all = BTreeSet::new();
    for case in DROPPING {
        (case.run)().map_err(|error| format!("{}: {error}", case.name))?;
        let (counted, in_networks) = counted()?;
        let seen = monitor.reasons(Duration::from_secs(1))?;
        let seen: Drops = seen
            .into_iter()
            .filter(|(name, _)| {
                name.bytes()
                    .all(|byte| byte == b'-' || byte.is_ascii_lowercase() || byte == b'4')
            })
            .collect();
        let title = case.name;
        same(&format!("{title}: drop_monitor"), &seen, &counted)?;
        same(
            &format!("{title}: skb:kfree_skb"),
            &numbered(&trace)?,
            &counted,
        )?;
        same(
            &format!("{title}: ovnet:ovnet_drop"),
            &named(&trace)?,
            &counted,
        )?;
        for (name, packets) in in_networks {
            if packets > counted.get(&name).copied().unwrap_or_default() {
                return Err(format!("{title}: more {name} in the networks than in all").into());
            }
        }
        trace.write("trace", "")?;
        all.extend(counted.into_keys());
        draw("ip -all netns delete")?;
    }
    let wanted: BTreeSet<String> = DropReason::ALL
        .into_iter()
        .filter(|reason| !ELSEWHERE.contains(reason))
        .map(|reason| reason.name().to_owned())
        .collect();
    same("the reasons that were seen", all, wanted)
}

/// What all hosts have dropped, and what all their networks have.
fn counted() -> Result<(Drops, Drops), Failure> {
    let (mut hosts, mut networks) = (Drops::new(), Drops::new());
    for entry in fs::read_dir("/run/netns")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        within(&name, || {
            let mut client = Client::connect()?;
            for (scope, drops) in [
                (StatsScope::Host, &mut hosts),
                (StatsScope::Network, &mut networks),
            ] {
                for counted in client.all_stats(Some(scope))? {
                    for drop in counted?.stats.drop {
                        let reason = drop.reason.map_err(|number| format!("reason {number}"))?;
                        *drops.entry(reason.name().to_owned()).or_default() += drop.packets;
                    }
                }
            }
            Ok(())
        })?;
    }
    Ok((hosts, networks))
}

/// The drops of our tracepoint, by the name it prints.
fn named(trace: &Trace) -> Result<Drops, Failure> {
    let mut drops = Drops::new();
    for line in trace.lines("ovnet_drop")? {
        *drops.entry(field(&line, "reason")?.to_owned()).or_default() += 1;
    }
    Ok(drops)
}

/// The drops of the kernel's tracepoint, whose number has ours in its low half.
fn numbered(trace: &Trace) -> Result<Drops, Failure> {
    let mut drops = Drops::new();
    for line in trace.lines("kfree_skb")? {
        let number = field(&line, "reason")?;
        let number = u32::from_str_radix(number.trim_start_matches("0x"), 16)
            .map_err(|_| format!("the reason is no number: {line}"))?;
        let reason = DropReason::from_u32(number & 0xffff).ok_or("an unknown number")?;
        *drops.entry(reason.name().to_owned()).or_default() += 1;
    }
    Ok(drops)
}

/// The subsystems whose places are taken, as linux/dropreason.h numbers them.
const MAC80211: u32 = 1;
const OPENVSWITCH: u32 = 2;

fn places() -> Result<(), Failure> {
    // No event of the module's own: it could not be unloaded.
    let trace = Trace::start(&["skb/kfree_skb"])?;
    trace.write("events/skb/kfree_skb/filter", "reason >= 65536")?;
    let monitor = DropMonitor::start()?;
    let a = load("rmmod openvswitch 2>/dev/null || true")?;
    dropped(&a, &trace, &monitor, OPENVSWITCH)?;
    // The owner comes later and does not ask.
    draw("modprobe openvswitch")?;
    dropped(&a, &trace, &monitor, MAC80211)?;
    draw("rmmod openvswitch")?;
    dropped(&a, &trace, &monitor, MAC80211)?;
    // The owner is there before.
    let a = load("modprobe openvswitch")?;
    dropped(&a, &trace, &monitor, MAC80211)?;
    // What was taken was given back.
    let a = load("rmmod openvswitch")?;
    dropped(&a, &trace, &monitor, OPENVSWITCH)
}

/// Unloads the module, does that, and loads it again; a port is there then.
fn load(between: &str) -> Result<Wire, Failure> {
    draw(&format!(
        "ip -all netns delete\n\
         [[ ! -e /sys/module/ovnet ]] || rmmod ovnet\n\
         {between}\n\
         modprobe ovnet\n\
         hosts R; port A on R net 7 10.0.0.2"
    ))?;
    Wire::open("A", "v0")
}

/// A frame is dropped, under a number of this subsystem and under our name.
fn dropped(a: &Wire, trace: &Trace, monitor: &DropMonitor, subsystem: u32) -> Result<(), Failure> {
    const EXPERIMENT: u16 = 0x88b5;
    let node = virtual_mac(Ipv4Addr::new(10, 0, 0, 2));
    trace.write("trace", "")?;
    a.send(&ethernet(FABRIC_MAC, node, EXPERIMENT, &[0; 46]))?;
    let seen = monitor.reasons(Duration::from_millis(500))?;
    same("drop_monitor", seen.get("not-ipv4"), Some(&1))?;
    let numbers: Vec<String> = trace
        .lines("kfree_skb")?
        .iter()
        .map(|line| field(line, "reason").map(str::to_owned))
        .collect::<Result<_, _>>()?;
    let wanted = subsystem << 16 | DropReason::NotIpv4 as u32;
    same("skb:kfree_skb", numbers, vec![format!("{wanted:#x}")])
}
