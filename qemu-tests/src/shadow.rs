// SPDX-License-Identifier: GPL-2.0

//! Holds traces against what happens: while it is on, each frame that a case
//! sends to a host of the overlay is traced before, and what becomes of it must
//! be what the trace has said, byte for byte, and nothing may come of the trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::time::Instant;

use nix::net::if_::if_nametoindex;
use ovnet_uapi::{
    Client, Counted, Device, Kind, Port, Trace, TraceOf, TraceStepKind, TraceVerdict,
};

use crate::cases::Failure;
use crate::frame::{checksum, hex, IPV4, IPV6};
use crate::overlay::{patience, within, Wire};

static ON: AtomicBool = AtomicBool::new(false);
static WIRES: Mutex<Vec<Wire>> = Mutex::new(Vec::new());
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Runs a case with every frame traced. What the traces said, verdicts and
/// reasons, is added to `seen`.
pub fn over(
    run: impl FnOnce() -> Result<(), Failure>,
    seen: &mut BTreeSet<String>,
) -> Result<(), Failure> {
    ON.store(true, Ordering::Relaxed);
    let result = run();
    ON.store(false, Ordering::Relaxed);
    WIRES.lock().map_err(|_| "a case panicked")?.clear();
    let mut said = SEEN.lock().map_err(|_| "a case panicked")?;
    seen.append(&mut said);
    result
}

/// Whether frames are to be traced.
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// What a trace has said, and what is watched to see whether it is true.
pub struct Foreseen {
    host: String,
    trace: Trace,
    before: BTreeMap<String, u64>,
}

/// Traces the frame that a socket is about to send; nothing if no host of the
/// overlay would get it.
pub fn foresee(namespace: &str, device: &str, frame: &[u8]) -> Result<Option<Foreseen>, Failure> {
    let Some((host, mut client)) = host(namespace, device, frame)? else {
        return Ok(None);
    };
    let node = File::open(format!("/run/netns/{namespace}"))?;
    let of = match device {
        "v0" => TraceOf::Frame(
            Device {
                ifindex: within(namespace, || Ok(if_nametoindex(device)?))?,
                netns: Some(node.as_fd()),
                netns_id: None,
            },
            frame,
        ),
        _ => TraceOf::Packet(&frame[14..]),
    };
    let before = counters(&mut client)?;
    let trace = client.trace(&of)?;
    // Whatever a trace did, the second would see.
    let again = client.trace(&of)?;
    if trace != again {
        return Err(format!("two traces differ:\n{trace:?}\n{again:?}").into());
    }
    let after = counters(&mut client)?;
    // What waits may be given up meanwhile.
    let counted: Vec<_> = after
        .iter()
        .filter(|(name, value)| {
            !name.ends_with(" unresolved")
                && **value > before.get(*name).copied().unwrap_or_default()
        })
        .collect();
    if !counted.is_empty() {
        return Err(format!("a trace counted {counted:?}").into());
    }
    note(&trace)?;
    if !trace.out.is_empty() {
        watch()?;
    }
    Ok(Some(Foreseen {
        host,
        trace,
        before,
    }))
}

/// The host that gets what a socket sends: that of the port, or the one at the
/// other end of the fabric's link.
fn host(namespace: &str, device: &str, frame: &[u8]) -> Result<Option<(String, Client)>, Failure> {
    if namespace == "fabric" {
        let mine = frame.get(12..14) == Some(&IPV6.to_be_bytes()[..]);
        let mut client = within(device, || Ok(Client::connect()?))?;
        // What is for nobody of the overlay is not the module's.
        let ours = mine && client.trace(&TraceOf::Packet(&frame[14..])).is_ok();
        return Ok(ours.then(|| (device.to_owned(), client)));
    }
    if device != "v0" {
        return Ok(None);
    }
    let node = File::open(format!("/run/netns/{namespace}"))?;
    let ifindex = within(namespace, || Ok(if_nametoindex(device)?))?;
    for name in namespaces()? {
        let mut client = within(&name, || Ok(Client::connect()?))?;
        let port = Device {
            ifindex,
            netns: Some(node.as_fd()),
            netns_id: None,
        };
        match client.trace(&TraceOf::Frame(port, frame)) {
            Ok(_) => return Ok(Some((name, client))),
            Err(error) if error.kind() == Some(Kind::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn namespaces() -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir("/run/netns")?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// Watches all that packets may leave by, from now on.
fn watch() -> Result<(), Failure> {
    let mut wires = WIRES.lock().map_err(|_| "a case panicked")?;
    if wires.is_empty() {
        for name in namespaces()? {
            for device in ["sub", "v0"] {
                let there = within(&name, || Ok(if_nametoindex(device).is_ok()))?;
                if there {
                    wires.push(Wire::open(&name, device)?);
                }
            }
        }
    }
    for wire in wires.iter() {
        while wire.waiting()?.is_some() {}
    }
    Ok(())
}

/// Everything that a host counts, and what waits there, by names of ours.
fn counters(client: &mut Client) -> Result<BTreeMap<String, u64>, Failure> {
    loop {
        match read(client) {
            Err(error)
                if matches!(
                    error.downcast_ref(),
                    Some(ovnet_uapi::Error::DumpInterrupted)
                ) => {}
            read => return read,
        }
    }
}

fn read(client: &mut Client) -> Result<BTreeMap<String, u64>, Failure> {
    let mut all = BTreeMap::new();
    for counted in client.all_stats(None)? {
        let Counted { subject, stats, .. } = counted?;
        for (name, value) in [
            ("tx-packets", stats.tx_packets),
            ("tx-bytes", stats.tx_bytes),
            ("rx-packets", stats.rx_packets),
            ("rx-bytes", stats.rx_bytes),
            ("local-packets", stats.local_packets),
            ("arp-replies", stats.arp_replies),
            ("icmp-errors", stats.icmp_errors),
            ("labels-cleared", stats.labels_cleared),
            ("forwarded", stats.forwarded),
        ] {
            all.insert(format!("{subject:?} {name}"), value);
        }
        for drop in stats.drop {
            let reason = drop.reason.map_err(|number| format!("reason {number}"))?;
            all.insert(format!("{subject:?} {}", reason.name()), drop.packets);
        }
    }
    let mut parked = 0;
    for mapping in client.mappings(None)? {
        parked += u64::from(mapping?.parked.unwrap_or_default());
    }
    for port in client.ports()? {
        let Port { parked: more, .. } = port?;
        parked += u64::from(more.unwrap_or_default());
    }
    all.insert("parked".into(), parked);
    Ok(all)
}

fn note(trace: &Trace) -> Result<(), Failure> {
    let mut seen = SEEN.lock().map_err(|_| "a case panicked")?;
    seen.insert(trace.verdict.name().unwrap_or("?").to_owned());
    if let Some(Ok(reason)) = trace.reason() {
        seen.insert(format!("drop:{}", reason.name()));
    }
    Ok(())
}

impl Foreseen {
    /// The frame was sent: what was foreseen comes true.
    pub fn comes_true(self) -> Result<(), Failure> {
        let Foreseen {
            host,
            trace,
            before,
        } = self;
        let mut client = within(&host, || Ok(Client::connect()?))?;
        let wanted = wanted(&trace)?;
        let deadline = Instant::now() + patience();
        loop {
            let now = counters(&mut client)?;
            let moved = |name: &String| {
                let of = |all: &BTreeMap<_, _>| all.get(name).copied().unwrap_or_default();
                of(&now).saturating_sub(of(&before))
            };
            // What has waited too long is dropped meanwhile.
            let gave_up = "Host unresolved".to_owned();
            let done = wanted.iter().all(|(name, count)| {
                let late = if name == "parked" { moved(&gave_up) } else { 0 };
                moved(name) + late >= *count
            });
            if done {
                break;
            }
            if Instant::now() > deadline {
                let steps = &trace.steps;
                let moved: Vec<_> = now.keys().map(|name| (name, moved(name))).collect();
                let moved: Vec<_> = moved.iter().filter(|(_, count)| *count > 0).collect();
                let verdict = trace.verdict;
                return Err(format!("{host}: {verdict:?} by {steps:?}, but {moved:?}").into());
            }
        }
        let wires = WIRES.lock().map_err(|_| "a case panicked")?;
        let mut seen = Vec::new();
        for out in &trace.out {
            if !leaves(out, trace.verdict, &wires, &mut seen)? {
                let seen: Vec<_> = seen.iter().map(|frame| hex(frame)).collect();
                let seen = seen.join("\n  ");
                return Err(format!("{host}: {}\ndid not leave, but\n  {seen}", hex(out)).into());
            }
        }
        Ok(())
    }
}

/// The counters that say that it has come true, and by how much they move.
fn wanted(trace: &Trace) -> Result<Vec<(String, u64)>, Failure> {
    let leaving = trace.out.len() as u64;
    let of_errors = trace
        .steps
        .iter()
        .any(|step| step.kind == TraceStepKind::IcmpError);
    let brought = trace
        .steps
        .iter()
        .all(|step| step.kind != TraceStepKind::Port);
    let one = match trace.verdict {
        TraceVerdict::Dropped => match trace.reason() {
            Some(Ok(reason)) => (format!("Host {}", reason.name()), 1),
            other => return Err(format!("dropped for {other:?}").into()),
        },
        TraceVerdict::Sent | TraceVerdict::Fragmented | TraceVerdict::External => {
            ("Host tx-packets".into(), leaving)
        }
        TraceVerdict::Delivered if of_errors => ("Host icmp-errors".into(), 1),
        TraceVerdict::Delivered if brought => ("Host rx-packets".into(), leaving),
        TraceVerdict::Delivered => ("Host local-packets".into(), 1),
        TraceVerdict::Forwarded => ("Host forwarded".into(), 1),
        TraceVerdict::Answered => ("Host arp-replies".into(), 1),
        TraceVerdict::Parked => ("parked".into(), 1),
        TraceVerdict::UnrecognizedConst(number) => return Err(format!("verdict {number}").into()),
    };
    Ok(vec![one])
}

/// Whether a packet was seen to leave on one of the devices.
fn leaves(
    out: &[u8],
    verdict: TraceVerdict,
    wires: &[Wire],
    seen: &mut Vec<Vec<u8>>,
) -> Result<bool, Failure> {
    let whole = matches!(verdict, TraceVerdict::Delivered | TraceVerdict::Answered);
    let is_it = |frame: &Vec<u8>| match whole {
        true => plain(frame) == plain(out),
        false => frame.get(14..) == Some(out),
    };
    let deadline = Instant::now() + patience();
    loop {
        if let Some(at) = seen.iter().position(is_it) {
            // Each of several is one frame.
            seen.swap_remove(at);
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        for wire in wires {
            while let Some(frame) = wire.waiting()? {
                seen.push(frame);
            }
        }
    }
}

/// A frame without the identification, which a trace leaves 0 where the kernel
/// chooses one: in packets that may be fragmented.
fn plain(frame: &[u8]) -> Vec<u8> {
    const DF: u8 = 0x40;
    let mut frame = frame.to_vec();
    if frame.get(12..14) == Some(&IPV4.to_be_bytes()[..]) && frame.len() >= 34 {
        let length = usize::from(frame[14] & 0xf) * 4;
        let end = (14 + length).min(frame.len());
        // What escapes comes with its own, which is right or wrong with its checksum.
        let header = &mut frame[14..end];
        if header[6] & DF == 0 && checksum(header) == 0 {
            header[4..6].fill(0);
            header[10..12].fill(0);
        }
    }
    frame
}
