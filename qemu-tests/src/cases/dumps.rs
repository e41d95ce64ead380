// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  R ── fabric      5,000 mappings of network 7 behind five hosts
//! ```

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use ovnet_uapi::{Client, Locator, MappingSet, MappingState, NetworkSet, Vni};

use super::{Case, Failure};
use crate::overlay::{draw, same, within};

/// A dump shows every mapping once, also while others change.
pub const CASE: Case = Case {
    name: "dumps",
    title: "thousands of mappings are dumped whole, each once, also while others change",
    rows: &["OP2", "SM2"],
    guests: 1,
    timeout: 90,
    run,
};

const MAPPINGS: u32 = 5000;
const HOSTS: u32 = 5;
/// Mappings of the other network, which change during dumps.
const OTHERS: u32 = 300;
const DUMPS: usize = 12;

fn run() -> Result<(), Failure> {
    draw("hosts R; ovctl -n R net set 7; ovctl -n R net set 8")?;
    within("R", || {
        let mut client = Client::connect()?;
        for number in 0..MAPPINGS {
            client.mapping_set(&mapping(7, number)?)?;
        }
        for number in 0..OTHERS {
            client.mapping_set(&mapping(8, number)?)?;
        }
        whole(&mut client)?;
        while_changing(&mut client)?;
        counts(&mut client)
    })
}

/// The mapping of this number: its address counts up, its host goes round.
fn mapping(vni: u32, number: u32) -> Result<MappingSet, Failure> {
    Ok(MappingSet {
        gen: Some(1 + u64::from(number)),
        ..MappingSet::remote(
            Vni::new(vni).ok_or("a VNI")?,
            Ipv4Addr::from_bits(0x0a00_0001 + number),
            Locator::new(0xfd00_000a, 0x0001_0100 + number % HOSTS)?,
        )
    })
}

/// How often the dump shows each address of network 7; those of others are
/// left out. Each is what it was set to.
fn seen(client: &mut Client, only: Option<u32>) -> Result<BTreeMap<u32, u32>, Failure> {
    let mut seen = BTreeMap::new();
    for entry in client.mappings(only.and_then(Vni::new))? {
        let entry = entry?;
        if entry.vni.get() != 7 {
            if only == Some(7) {
                return Err(format!("{entry:?} in a dump of network 7").into());
            }
            continue;
        }
        let number = entry.address.to_bits() - 0x0a00_0001;
        let wanted = mapping(7, number)?;
        same("locator", entry.locator, wanted.locator)?;
        same("generation", entry.gen, wanted.gen)?;
        same("state", entry.state, MappingState::Remote)?;
        *seen.entry(number).or_insert(0) += 1;
    }
    Ok(seen)
}

/// Every mapping of network 7, once.
fn complete(seen: &BTreeMap<u32, u32>) -> Result<(), Failure> {
    let missing = (0..MAPPINGS).filter(|number| !seen.contains_key(number));
    same("missing", missing.count(), 0)?;
    same("strangers", seen.len(), MAPPINGS as usize)?;
    let twice = seen.values().filter(|&&times| times != 1).count();
    same("more than once", twice, 0)
}

fn whole(client: &mut Client) -> Result<(), Failure> {
    complete(&seen(client, None)?)?;
    complete(&seen(client, Some(7))?)?;
    let other = client.mappings(Vni::new(8))?.count();
    same("network 8", other, OTHERS as usize)?;
    same("network 9", client.mappings(Vni::new(9))?.count(), 0)?;
    // A dump that is given up half way does not stand in the way of the next.
    client.mappings(None)?.next().ok_or("an empty dump")??;
    complete(&seen(client, None)?)
}

/// Another client changes, deletes and adds mappings of network 8.
fn while_changing(client: &mut Client) -> Result<(), Failure> {
    let stop = AtomicBool::new(false);
    let mut other = Client::connect()?;
    thread::scope(|scope| {
        let changes = scope.spawn(|| -> Result<u32, String> {
            let mut round = 0;
            while !stop.load(Relaxed) {
                round += 1;
                change(&mut other, round).map_err(|error| error.to_string())?;
            }
            Ok(round)
        });
        let result = (0..DUMPS).try_for_each(|at| {
            let only = if at % 2 == 0 { None } else { Some(7) };
            complete(&seen(client, only)?).map_err(|error| format!("dump {at}: {error}").into())
        });
        stop.store(true, Relaxed);
        let rounds = changes.join().map_err(|_| "the other client panicked")??;
        result.and(if rounds > 1 {
            Ok(())
        } else {
            Err("nothing changed during the dumps".into())
        })
    })
}

fn change(client: &mut Client, round: u32) -> Result<(), Failure> {
    let vni = Vni::new(8).ok_or("a VNI")?;
    for number in 0..OTHERS {
        let mut changed = mapping(8, number)?;
        changed.locator = Some(Locator::new(0xfd00_000a, 0x0001_0100 + round % HOSTS)?);
        changed.gen = None;
        client.mapping_set(&changed)?;
        if number % 3 == 0 {
            client.mapping_del(vni, changed.address, None)?;
        }
    }
    client.network_del(vni)?;
    client.network_set(&NetworkSet::new(vni))?;
    Ok(())
}

/// Networks and hosts know how many mappings they have, and a network takes
/// its mappings along.
fn counts(client: &mut Client) -> Result<(), Failure> {
    let vni = |vni| Vni::new(vni).ok_or("a VNI");
    client.network_del(vni(8)?)?;
    same("network 7", client.network_get(vni(7)?)?.mappings, MAPPINGS)?;
    for number in 0..HOSTS {
        let locator = Locator::new(0xfd00_000a, 0x0001_0100 + number)?;
        let host = client.host_get(Some(locator))?;
        same("mappings of a host", host.mappings, MAPPINGS / HOSTS)?;
    }
    same("hosts", client.hosts()?.count(), 1 + HOSTS as usize)?;
    all_counters(client)?;
    client.network_del(vni(7)?)?;
    same("mappings left", client.mappings(None)?.count(), 0)?;
    same("hosts left", client.hosts()?.count(), 1)?;
    same("networks left", client.networks()?.count(), 0)
}

/// A dump over several tables, which change apart from one another, is whole if none does.
fn all_counters(client: &mut Client) -> Result<(), Failure> {
    crate::overlay::draw("for n in 1 2 3; do ip -n R link add p$n type ovnet; done")?;
    let all = client.all_stats(None)?.collect::<Result<Vec<_>, _>>()?;
    // The host, its ports, network 7, and the hosts of its mappings.
    same("subjects", all.len(), 1 + 3 + 1 + HOSTS as usize)
}
