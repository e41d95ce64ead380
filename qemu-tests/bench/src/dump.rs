// SPDX-License-Identifier: GPL-2.0

//! A dump of all mappings of a host, while another client changes some: each that stays must be in it, once.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use ovnet_uapi::{Client, Locator, MappingSet, Vni};

use crate::{sys, topology};

/// The first address that stays; they count up, as those of `bench/scale` do.
const STAYS: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 0);
/// The first that comes and goes.
const COMES: Ipv4Addr = Ipv4Addr::new(12, 0, 0, 0);
/// Between two rounds of changes, so that the dump is what is measured.
const REST: Duration = Duration::from_millis(2);

/// Dumps the `count` mappings of network 7 on the host in namespace `host`.
pub fn dump(host: &str, count: u32) -> Result<(), Box<dyn Error>> {
    topology::enter(host)?;
    let vni = Vni::new(7).ok_or("no number of a network")?;
    let mut client = Client::connect()?;
    let mut other = Client::connect()?;
    let stop = AtomicBool::new(false);
    let mut seen = vec![0_u8; count as usize];
    let (ticks, changes) = thread::scope(|scope| {
        let changes = scope.spawn(|| -> Result<u32, String> {
            let mut round = 0;
            while !stop.load(Relaxed) {
                change(&mut other, vni, round, count).map_err(|error| error.to_string())?;
                round += 1;
                thread::sleep(REST);
            }
            Ok(round)
        });
        let start = sys::tsc();
        let dumped = count_all(&mut client, vni, &mut seen);
        let ticks = sys::tsc() - start;
        stop.store(true, Relaxed);
        let changes = changes.join().map_err(|_| "the other client panicked")??;
        dumped.map(|()| (ticks, changes))
    })?;
    let missing = seen.iter().filter(|&&times| times == 0).count();
    let twice = seen.iter().filter(|&&times| times > 1).count();
    if missing + twice > 0 || changes < 2 {
        let text =
            format!("a dump of {count} lacks {missing} and has {twice} twice; {changes} changes");
        return Err(text.into());
    }
    println!("FIGURE dump_instructions ticks={ticks} units={count}");
    println!("FIGURE dump_changes bytes={}", changes * 3);
    Ok(())
}

/// How often each address that stays is in a dump.
fn count_all(client: &mut Client, vni: Vni, seen: &mut [u8]) -> Result<(), Box<dyn Error>> {
    for entry in client.mappings(Some(vni))? {
        let number = entry?.address.to_bits().wrapping_sub(STAYS.to_bits());
        if let Some(times) = seen.get_mut(number as usize) {
            *times = times.saturating_add(1);
        }
    }
    Ok(())
}

/// A mapping comes, another goes, and one that stays is replaced.
fn change(client: &mut Client, vni: Vni, round: u32, count: u32) -> Result<(), Box<dyn Error>> {
    let there = Locator::new(0xfd00_000a, 0xffff)?;
    let came = |round| Ipv4Addr::from_bits(COMES.to_bits() + round);
    client.mapping_set(&MappingSet::remote(vni, came(round), there))?;
    if let Some(before) = round.checked_sub(1) {
        client.mapping_forget(vni, came(before))?;
    }
    // Each time somewhere else in the table.
    let stays = u64::from(round) * 7919 % u64::from(count);
    let address = Ipv4Addr::from_bits(STAYS.to_bits() + stays as u32);
    Ok(client.mapping_set(&MappingSet::remote(vni, address, there))?)
}
