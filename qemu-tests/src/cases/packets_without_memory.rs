// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
//!  B 10.0.0.4 ──┘
//! ```
//!
//! What a sender calls for happens within its system call, where each
//! allocation can be made to fail by its number. What the substrate brings
//! arrives in softirqs, where so many in a hundred can.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sched::{sched_setaffinity, CpuSet};
use nix::unistd::Pid;
use ovnet_uapi::{
    Client, Device, HostSet, Locator, MappingSet, NetworkSet, PortSet, ResolverState, Vni,
};

use super::{Case, Failure};
use crate::fault::{self, is_lack_of_memory, Nth, Shortage};
use crate::frame::{arp, ethernet, Ipv4, Mac, ARP, IPV4, UDP};
use crate::overlay::{draw, same, virtual_mac, within, Host, Wire};

/// Lack of memory costs packets, by name, and nothing else.
pub const CASE: Case = Case {
    name: "allocation-failures-packets",
    title:
        "a packet for which there is no memory is dropped by that name, and nothing else suffers",
    rows: &["OP5"],
    guests: 1,
    timeout: 120,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
/// More than any packet takes.
const LIMIT: u32 = 100;
/// How many packets a sender sends while memory is short.
const MANY: usize = 3000;

type Counts = BTreeMap<String, u64>;

fn run() -> Result<(), Failure> {
    fault::prepare()?;
    // Routes are cached per CPU. One that must be looked up needs memory too, and without it the kernel says
    // that there is none: another drop than these.
    let mut cpu = CpuSet::new();
    cpu.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &cpu)?;
    draw(
        "hosts R S
        node A on R net 7 10.0.0.2; port B on R net 7 10.0.0.4; port G on S net 7 10.0.0.3
        ip -n R link add churn type ovnet",
    )?;
    let mut r = Host::open("R")?;
    r.client().host_configure(&HostSet {
        resolver: Some(ResolverState::Ready),
        ..HostSet::default()
    })?;
    let a = Wire::open("A", "v0")?;
    one_by_one(&a, &mut r)?;
    asked(&a, &mut r)?;
    short(&a, &mut r)
}

fn vni() -> Result<Vni, Failure> {
    Ok(Vni::new(7).ok_or("a VNI")?)
}

fn mac(node: Ipv4Addr) -> Mac {
    virtual_mac(node)
}

/// A packet of A with so many bytes of data.
fn packet(ip: &Ipv4, data: usize) -> Vec<u8> {
    let packet = ip.packet(UDP, &ip.ends().udp(1, 2, &vec![0xa5; data]));
    ethernet(mac(ip.dst), mac(A), IPV4, &packet)
}

/// A packet that goes whole, in the escape form.
fn with_options() -> Ipv4 {
    Ipv4 {
        options: vec![1, 1, 1, 1],
        ..Ipv4::new(A, G)
    }
}

/// Each way from a port, with each of its allocations failing: the packet takes
/// its way, is dropped, or never got as far.
fn one_by_one(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    let plain = Ipv4::new(A, G);
    let divisible = Ipv4 {
        fragment: 0,
        ..Ipv4::new(A, G)
    };
    let question = arp(1, (mac(A), A), ([0; 6], G));
    let ways = [
        ("to a remote host", packet(&plain, 100)),
        ("escaped", packet(&with_options(), 100)),
        ("to a port here", packet(&Ipv4::new(A, B), 100)),
        (
            "an answer to ARP",
            ethernet([0xff; 6], mac(A), ARP, &question),
        ),
        ("too big to go whole", packet(&plain, 1470)),
        ("in fragments", packet(&divisible, 1470)),
    ];
    let nth = Nth::of_this_thread()?;
    for (what, frame) in &ways {
        // A port takes what is larger than a packet of the substrate may be.
        draw("ip -n A link set v0 mtu 1500")?;
        r.count()?;
        a.send(frame)?;
        let normal = r.count()?;
        if normal.is_empty() || normal.contains_key("drop:no-memory") {
            return Err(format!("{what}: counted {normal:?}").into());
        }
        let mut dropped = 0;
        let mut number = 0;
        loop {
            number += 1;
            let (failed, sent) = nth.fail(number, || a.try_send(frame))?;
            let counts = r.count()?;
            if !failed {
                same(what, (sent, &counts), (Ok(frame.len()), &normal))?;
                break;
            }
            dropped += judge(sent, &counts, &normal)
                .map_err(|error| format!("{what}, allocation {number}: {error}"))?;
            if number == LIMIT {
                return Err(format!("{what}: more than {LIMIT} allocations").into());
            }
        }
        println!(
            "{what}: {} allocations, {dropped} drops, else {normal:?}",
            number - 1
        );
    }
    Ok(())
}

/// Whether what was counted after a failure makes sense; how much was dropped.
fn judge(sent: Result<usize, Errno>, counts: &Counts, normal: &Counts) -> Result<u64, Failure> {
    let dropped = counts.get("drop:no-memory").copied().unwrap_or_default();
    let strange = || Err(format!("{sent:?}, counted {counts:?}, not {normal:?}").into());
    match sent {
        Err(Errno::ENOBUFS | Errno::ENOMEM) if counts.is_empty() => Ok(0),
        Err(_) => strange(),
        Ok(_) if counts == normal => Ok(0),
        // The rest of what is cut goes on; what could not be cut the kernel
        // counts (`Ip: FragFails`). An answer can be lost.
        Ok(_) => {
            let less = |(name, value): (&String, &u64)| {
                name == "drop:no-memory" || normal.get(name).is_some_and(|most| value <= most)
            };
            if dropped <= 1 && counts.iter().all(less) {
                Ok(dropped)
            } else {
                strange()
            }
        }
    }
}

/// Packets for unknown nodes, each with another allocation failing, wait or are
/// dropped. Those that wait leave when there is an answer, and a node of which
/// nobody could be told is asked for by the next packet.
fn asked(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    let nth = Nth::of_this_thread()?;
    let node = |number: u32| Ipv4Addr::from_bits(0x0a00_0100 + number);
    let there = Locator::new(0xfd00_000a, 0x0001_0002)?;
    r.count()?;
    let (mut number, mut all) = (0, 0);
    loop {
        number += 1;
        let frame = packet(&Ipv4::new(A, node(number)), 100);
        let (failed, sent) = nth.fail(number, || a.try_send(&frame))?;
        let counts = r.count()?;
        let waits = match (sent, counts.get("drop:no-memory")) {
            (Ok(_), None) if counts.is_empty() => 1,
            (Ok(_), Some(1)) if counts.len() == 1 && failed => 0,
            (Err(Errno::ENOBUFS | Errno::ENOMEM), None) if counts.is_empty() && failed => 0,
            other => return Err(format!("allocation {number}: {other:?}, {counts:?}").into()),
        };
        let answer = MappingSet::remote(vni()?, node(number), there);
        r.client().mapping_set(&answer)?;
        r.counted(&[("tx-packets", waits), ("tx-bytes", waits * 128)])?;
        all += waits;
        if !failed {
            break;
        }
        if number == LIMIT {
            return Err(format!("more than {LIMIT} allocations to ask").into());
        }
    }
    println!("asked: {} allocations, {all} waited", number - 1);
    for number in 1..=number {
        r.client().mapping_del(vni()?, node(number), None)?;
    }
    Ok(())
}

/// While allocations of packets fail here and there, ports come and go,
/// mappings are installed, dumped and asked for, and each packet is counted
/// once, where it went or as dropped.
fn short(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    let mut s = Host::open("S")?;
    // Whoever looks on makes the packets shared, so that they must be copied.
    let (_sub, _g) = (Wire::open("S", "sub")?, Wire::open("G", "v0")?);
    let ifindex = within("R", || Ok(if_nametoindex("churn")?))?;
    r.count()?;
    s.count()?;
    let over = AtomicBool::new(false);
    let sent = {
        let _shortage = Shortage::of(15)?;
        thread::scope(|scope| {
            let churn = scope
                .spawn(|| within("R", || churn(&over, ifindex)).map_err(|error| error.to_string()));
            let sent = send_many(a).map_err(|error| error.to_string());
            over.store(true, Ordering::Relaxed);
            match (sent, churn.join()) {
                (Ok(sent), Ok(Ok(()))) => Ok(sent),
                (Err(error), _) | (_, Ok(Err(error))) => Err(error),
                (_, Err(panic)) => std::panic::resume_unwind(panic),
            }
        })?
    };
    let counts = r.count()?;
    let of = |counts: &Counts, name: &str| counts.get(name).copied().unwrap_or_default();
    println!("short of memory: sent {sent:?}, R counted {counts:?}");
    let gone = of(&counts, "tx-packets") + of(&counts, "drop:no-memory");
    same("packets that R sent on or dropped", gone, sent)?;
    // The fabric, too, loses some.
    let mut arrived = 0;
    let mut lost = 0;
    thread::sleep(std::time::Duration::from_secs(2));
    for (name, value) in s.count()? {
        match name.as_str() {
            "rx-packets" => arrived += value,
            "rx-bytes" => {}
            "drop:no-memory" => lost += value,
            _ => return Err(format!("S counted {value} {name}").into()),
        }
    }
    println!("S: {arrived} arrived, {lost} dropped");
    if of(&counts, "drop:no-memory") == 0 || lost == 0 || arrived == 0 {
        return Err("memory was not short, or too short".into());
    }
    if arrived + lost > of(&counts, "tx-packets") {
        return Err("more arrived than was sent".into());
    }
    // All is as before.
    a.send(&packet(&Ipv4::new(A, G), 100))?;
    r.counted(&[("tx-packets", 1), ("tx-bytes", 128)])?;
    s.counted(&[("rx-packets", 1), ("rx-bytes", 128)])
}

/// Sends packets to G; says how many of them got as far as the port.
fn send_many(a: &Wire) -> Result<u64, Failure> {
    // One that needs no memory on its way from the port, and one that does.
    let plain = packet(&Ipv4::new(A, G), 100);
    let escaped = packet(&with_options(), 100);
    let mut sent = 0;
    for frame in [plain, escaped].iter().cycle().take(MANY) {
        match a.try_send(frame) {
            Ok(_) => sent += 1,
            Err(Errno::ENOBUFS | Errno::ENOMEM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sent)
}

/// Changes this and that in the host until it is over. It may lack memory, and
/// nothing else.
fn churn(over: &AtomicBool, ifindex: u32) -> Result<(), Failure> {
    let mut client = Client::connect()?;
    let device = Device::here(ifindex);
    let network = Vni::new(9).ok_or("a VNI")?;
    let there = Locator::new(0xfd00_000a, 0x0001_0002)?;
    let batch: Vec<MappingSet> = (0..300)
        .map(|number| MappingSet::remote(network, Ipv4Addr::from_bits(0x0a09_0000 + number), there))
        .collect();
    let node = Ipv4Addr::new(10, 8, 0, 1);
    while !over.load(Ordering::Relaxed) {
        lacks_memory(client.network_set(&NetworkSet::new(network)))?;
        lacks_memory(client.port_set(&PortSet::new(device, network, node)))?;
        lacks_memory(client.mapping_batch(&batch))?;
        lacks_memory(
            client
                .mappings(None)
                .and_then(|dump| dump.collect::<Result<Vec<_>, _>>()),
        )?;
        // What is not there need not be deleted.
        let _ = client.port_del(device);
        let _ = client.network_del(network);
    }
    Ok(())
}

fn lacks_memory<T>(result: Result<T, ovnet_uapi::Error>) -> Result<(), Failure> {
    match result.map_err(Failure::from) {
        Err(error) if !is_lack_of_memory(&error) && !is_consequence(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether something failed because what comes before it did.
fn is_consequence(failure: &Failure) -> bool {
    use ovnet_uapi::Kind::NotFound;
    let error: Option<&ovnet_uapi::Error> = failure.downcast_ref();
    error.and_then(ovnet_uapi::Error::kind) == Some(NotFound)
}
