// SPDX-License-Identifier: GPL-2.0

//! The namespaces that `topology.sh` draws.

use std::fs::{self, File};
use std::io;

use nix::sched::{setns, CloneFlags};

/// The node that sends.
pub const CLIENT: &str = "A";
/// The node that receives.
pub const SERVER: &str = "G";
/// The sender's host, and its device on the substrate.
const HOST: &str = "R";
const SUBSTRATE: &str = "sub";

/// Makes this thread, and the sockets it opens from now on, part of a namespace.
pub fn enter(name: &str) -> io::Result<()> {
    let file = File::open(format!("/run/netns/{name}"))
        .map_err(|e| io::Error::new(e.kind(), format!("namespace {name}: {e}")))?;
    setns(file, CloneFlags::CLONE_NEWNET)?;
    Ok(())
}

/// What has been sent onto the substrate so far: frames, bytes (with Ethernet header).
pub fn sent_on_substrate() -> io::Result<(u64, u64)> {
    sent_by(SUBSTRATE)
}

/// The same of any device of the sender's host.
pub fn sent_by(name: &str) -> io::Result<(u64, u64)> {
    enter(HOST)?;
    let table = fs::read_to_string("/proc/thread-self/net/dev")?;
    table
        .lines()
        .filter_map(|line| line.trim().split_once(':'))
        .find(|(device, _)| *device == name)
        .and_then(|(_, counters)| {
            // Received: bytes, packets and six more; then sent, likewise.
            let mut sent = counters.split_whitespace().skip(8);
            let bytes = sent.next()?.parse().ok()?;
            Some((sent.next()?.parse().ok()?, bytes))
        })
        .ok_or_else(|| io::Error::other(format!("{HOST} has no device {name}")))
}
