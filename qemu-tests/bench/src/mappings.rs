// SPDX-License-Identifier: GPL-2.0

//! What a mapping costs the kernel: set by a batch, told to a listener, dumped.
//!
//! Ticks are those of the calls that send and take the answer, by the clock of the thread, which stops while
//! others run: a table grows in the background, and what was replaced is freed there.

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;

use crate::netlink::{Mapping, Socket};
use crate::sys::{self, Sampler};
use crate::{profile, topology};

/// Mappings in one request, as a client fills 32 KiB.
const BATCH: u32 = 585;
/// The network that they are in.
const VNI: u32 = 7;
/// Remote hosts they lead to, one after the other.
const HOSTS: u32 = 1000;

/// What batches did.
struct Sum {
    ticks: u64,
    all_ticks: u64,
    events: usize,
}

/// Sets mappings of one host.
struct Setter {
    socket: Socket,
    listener: Option<Socket>,
}

impl Setter {
    /// Of the host in that namespace.
    fn open(host: &str) -> io::Result<Setter> {
        topology::enter(host)?;
        Ok(Setter {
            socket: Socket::open()?,
            listener: None,
        })
    }

    /// Sets those with the numbers from `from` up to `to` under a generation; says what that took.
    fn set(&mut self, from: u32, to: u32, gen: u64) -> io::Result<Sum> {
        let mut sum = Sum {
            ticks: 0,
            all_ticks: 0,
            events: 0,
        };
        for first in (from..to).step_by(BATCH as usize) {
            let numbers = first..to.min(first + BATCH);
            let request = self
                .socket
                .batch(numbers.clone().map(|number| mapping(number, gen)));
            let (start, cpu) = (sys::tsc(), sys::thread_time()?);
            let length = self.socket.transact(&request)?;
            sum.ticks += sys::thread_time()? - cpu;
            sum.all_ticks += sys::tsc() - start;
            let (installed, unchanged) = self.socket.result(length)?;
            if installed + unchanged != numbers.len() as u32 {
                return Err(io::Error::other("mappings were refused"));
            }
            if let Some(listener) = &mut self.listener {
                sum.events += listener.hear()?;
            }
        }
        Ok(sum)
    }
}

/// Measures `count` mappings of the host in a namespace.
pub fn measure(host: &str, count: u32) -> Result<(), Box<dyn Error>> {
    let mut setter = Setter::open(host)?;
    let figure = |name: &str, ticks: u64| println!("FIGURE {name} ticks={ticks} units={count}");
    let installed = setter.set(0, count, 1)?;
    figure("install", installed.ticks);
    figure("install_and_background", installed.all_ticks);
    let replaced = setter.set(0, count, 2)?;
    figure("replace", replaced.ticks);
    figure("refresh", setter.set(0, count, 2)?.ticks);

    let listener = Socket::open()?;
    listener.listen()?;
    setter.listener = Some(listener);
    let told = setter.set(0, count, 3)?;
    if told.events != count as usize {
        return Err(format!("{} of {count} events came", told.events).into());
    }
    figure("event", told.ticks.saturating_sub(replaced.ticks));

    let request = setter.socket.dump();
    let cpu = sys::thread_time()?;
    let bytes = setter.socket.transact_dump(&request)?;
    figure("dump", sys::thread_time()? - cpu);
    println!("FIGURE dump_bytes ticks={bytes} units={count}");
    Ok(())
}

/// Where the instructions of an installation go, what others do in the background included.
pub fn profile(host: &str, count: u32) -> Result<(), Box<dyn Error>> {
    let mut setter = Setter::open(host)?;
    let half = count / 2;
    let installed = setter.set(0, half, 1)?;
    let sampler = Sampler::new(profile::PERIOD)?;
    sampler.start()?;
    setter.set(half, count, 1)?;
    let stacks = sampler.stop()?;
    profile::report(installed.all_ticks as f64 / f64::from(half), stacks)
}

fn mapping(number: u32, gen: u64) -> Mapping {
    let mut locator = [0; 16];
    let bits = 0xfd00_000a_0000_0100 + u64::from(number % HOSTS);
    locator[..8].copy_from_slice(&bits.to_be_bytes());
    Mapping {
        vni: VNI,
        address: Ipv4Addr::from_bits(0x0b00_0000 + number),
        locator,
        gen,
    }
}
