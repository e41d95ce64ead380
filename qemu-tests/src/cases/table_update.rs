// SPDX-License-Identifier: GPL-2.0

//! ```text
//!                            ┌── S   even generations: G is here, MAC EVEN
//!  A 10.0.0.2 ── R ── fabric ┤
//!                            └── T   odd generations: G is here, MAC ODD
//! ```

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ovnet_uapi::{Client, Locator, MappingSet, Vni};

use super::{Case, Failure};
use crate::frame::{ethernet, hex, Ipv4, Ipv6, Mac, IPV4, IPV6, UDP};
use crate::overlay::{draw, host_mac, substrate, virtual_mac, within, Host, Wire, FABRIC_MAC};

/// A packet meets one state of a mapping, not a part of the old and a part of the new.
pub const CASE: Case = Case {
    name: "table-update",
    title: "a mapping that changes while traffic flows is one or the other to each packet, never a mixture",
    rows: &["TX6", "RX2", "RX4", "I10"],
    guests: 1,
    timeout: 120,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const EVEN: Mac = [2, 0, 0, 0, 0, 0xe0];
const ODD: Mac = [2, 0, 0, 0, 0, 0xd1];
/// The host and the MAC of G in each kind of generation.
const PLACES: [(u16, Mac); 2] = [(2, EVEN), (3, ODD)];
const ROUNDS: usize = 3000;

fn run() -> Result<(), Failure> {
    draw("hosts R S T; port A on R net 7 10.0.0.2")?;
    let mut client = within("R", || Ok(Client::connect()?))?;
    let mut r = Host::open("R")?;
    let sender = Wire::open("A", "v0")?;
    let receiver = Wire::open("A", "v0")?;
    let fabric = Wire::open("fabric", "R")?;
    let seen = Wire::open("R", "sub")?;

    // No packet comes before the first mapping.
    place(&mut client, 1)?;
    let stop = AtomicBool::new(false);
    let updates = thread::scope(|scope| {
        let updates = scope.spawn(|| {
            let flipped = flip(client, &stop).map_err(|error| error.to_string());
            stop.store(true, Ordering::Relaxed);
            flipped
        });
        let sent = traffic(&sender, &fabric, &seen, &receiver);
        stop.store(true, Ordering::Relaxed);
        let updates = updates.join().map_err(|_| "the updates panicked")??;
        sent.map(|counts| (updates, counts))
    });
    let (updates, (out, back)) = updates?;
    // Either kind was met by a share of the packets, so the table did change under them.
    for (what, counts) in [("out", out), ("back", back)] {
        if counts.iter().any(|&count| count < ROUNDS / 50) {
            return Err(format!("{what}: {counts:?} packets, after {updates} updates").into());
        }
    }
    if updates < 100 {
        return Err(format!("only {updates} updates").into());
    }
    // What met the other state was dropped for that, and nothing for anything else.
    let stats = r.client().stats()?;
    for drop in &stats.drop {
        let name = drop.reason.map(|reason| reason.name().to_owned());
        if drop.packets > 0 && !matches!(name.as_deref(), Ok("destination-mac" | "forged-source")) {
            return Err(format!("dropped: {drop:?}").into());
        }
    }
    Ok(())
}

/// Moves G to and fro; says how often.
fn flip(mut client: Client, stop: &AtomicBool) -> Result<u64, Failure> {
    let mut gen = 1;
    while !stop.load(Ordering::Relaxed) {
        gen += 1;
        place(&mut client, gen)?;
    }
    Ok(gen - 1)
}

/// Puts G where it is in that generation.
fn place(client: &mut Client, gen: u64) -> Result<(), Failure> {
    let (host, mac) = PLACES[usize::from(gen % 2 == 1)];
    let prefix = substrate(host, 0, 0, Ipv4Addr::UNSPECIFIED).octets();
    let vni = Vni::new(7).ok_or("a network")?;
    let locator = Locator::from_prefix(prefix).map_err(|error| format!("{error:?}"))?;
    client.mapping_set(&MappingSet {
        mac: Some(ovnet_uapi::Mac(mac)),
        gen: Some(gen),
        ..MappingSet::remote(vni, G, locator)
    })?;
    Ok(())
}

/// Sends both ways for either state and looks at what comes through; says how many did, by state.
fn traffic(
    sender: &Wire,
    fabric: &Wire,
    seen: &Wire,
    receiver: &Wire,
) -> Result<([usize; 2], [usize; 2]), Failure> {
    let (mut out, mut back) = ([0; 2], [0; 2]);
    for round in 0..ROUNDS {
        let state = round % 2;
        let (host, mac) = PLACES[state];
        let mark = [state as u8; 32];
        let ip = Ipv4::new(A, G);
        let packet = ip.packet(UDP, &ip.ends().udp(1, 2, &mark));
        sender.send(&ethernet(mac, virtual_mac(A), IPV4, &packet))?;
        let ip = Ipv6 {
            class: 0,
            label: 64 << 12 | 1 << 11,
            hops: 63,
            src: substrate(host, 0, 7, G),
            dst: substrate(1, 0, 7, A),
        };
        let packet = ip.packet(UDP, &ip.ends().udp(3, 4, &mark));
        fabric.send(&ethernet(host_mac(1), FABRIC_MAC, IPV6, &packet))?;
        // Sockets hold a few hundred frames.
        if round % 50 == 49 || round == ROUNDS - 1 {
            while let Some(frame) = seen.pending()? {
                let sent = frame[..6] == FABRIC_MAC && frame.len() > 62;
                if sent {
                    let state = usize::from(frame[frame.len() - 1] & 1);
                    let to = substrate(PLACES[state].0, 0, 7, G).octets();
                    check(frame[38..54] == to, "left for the other host", &frame)?;
                    out[state] += 1;
                }
            }
            while let Some(frame) = receiver.pending()? {
                let received = frame[..6] == virtual_mac(A) && frame.len() > 42;
                if received {
                    let state = usize::from(frame[frame.len() - 1] & 1);
                    check(
                        frame[6..12] == PLACES[state].1,
                        "came from the other MAC",
                        &frame,
                    )?;
                    back[state] += 1;
                }
            }
        }
    }
    Ok((out, back))
}

fn check(holds: bool, what: &str, frame: &[u8]) -> Result<(), Failure> {
    if holds {
        return Ok(());
    }
    Err(format!("{what}: {}", hex(frame)).into())
}
