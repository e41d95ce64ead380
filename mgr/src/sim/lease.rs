// SPDX-License-Identifier: GPL-2.0

//! The leases of hosts: a model of what the kernel does by itself, and of who boots a host whose boot
//! is over for everybody else.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Broken, Event, Victim, World};
use crate::core::agent::kernel::Event as KernelEvent;
use crate::core::lease::HELD;
use crate::core::record::{self, Epoch, Name};
use crate::core::{NodeId, Time};

impl World {
    /// The agent renews the kernel's lease.
    pub(super) fn renew_lease(&mut self, host: u32, from: Time) {
        let now = self.host_time(host);
        let until = from + HELD;
        if until <= now {
            return;
        }
        let kernel = &mut self.hosts[host as usize].kernel;
        kernel.lease = Some(until);
        let life = self.hosts[host as usize].boots;
        self.after(until - now, Event::LeaseEnd(host, life));
        self.guard_ports(host);
        // What was granted before the lease began has brought no port back.
        self.tell_stopped(host);
    }

    /// The kernel says which ports the end of a lease has stopped.
    fn tell_stopped(&mut self, host: u32) {
        let stopped = &self.hosts[host as usize].kernel.stopped;
        let events: Vec<_> = stopped.iter().copied().map(KernelEvent::Fenced).collect();
        self.kernel_events(host, events);
    }

    /// The agent says which ports are under lease.
    pub(super) fn guard(&mut self, host: u32, number: u32, nodes: BTreeSet<NodeId>) {
        self.hosts[host as usize].kernel.wanted = Some((number, nodes));
        self.guard_ports(host);
    }

    /// Without a lease the kernel refuses; it is asked again when there is one.
    fn guard_ports(&mut self, host: u32) {
        let kernel = &mut self.hosts[host as usize].kernel;
        let leased = kernel.lease.is_some();
        let may = |wanted: &mut (u32, BTreeSet<NodeId>)| leased || wanted.1.is_empty();
        if let Some((number, nodes)) = kernel.wanted.take_if(may) {
            kernel.guarded = nodes;
            // Those that are under a lease no longer need none to go on.
            self.tell_stopped(host);
            self.kernel_events(host, vec![KernelEvent::Guarded(number)]);
        }
    }

    /// A lease may have ended: nobody but the kernel is needed for what follows.
    pub(super) fn lease_ends(&mut self, host: u32, boots: u32) -> Result<(), Broken> {
        let now = self.host_time(host);
        let this = &mut self.hosts[host as usize];
        if this.boots != boots || this.kernel.lease.is_none_or(|until| now < until) {
            return Ok(());
        }
        let before = this.kernel.locals();
        this.kernel.end_lease();
        let after = this.kernel.locals();
        for key in before.difference(&after) {
            // Of one that was frozen it may be another host's by now.
            if self.local.get(key) == Some(&host) {
                self.local.remove(key);
            }
        }
        self.tell(None, || format!("kernel {host}: the lease ends"));
        self.tell_stopped(host);
        let wait = self.within(3_000_000, 9_000_000);
        self.after(wait, Event::Boot(host));
        Ok(())
    }

    /// Somebody boots a host whose boot is over.
    pub(super) fn boot(&mut self, host: u32) -> Result<(), Broken> {
        let this = &self.hosts[host as usize];
        let entry = self.store.read(&Name::Epoch(this.locator));
        let epoch: Option<Epoch> = entry.and_then(|entry| record::decode(&entry.value));
        if this.up && epoch.is_some_and(|epoch| epoch.is_over(this.epoch)) {
            self.crash(Victim::Host(host));
        }
        Ok(())
    }

    /// Whatever was fenced by now is booted before the last look.
    pub(super) fn boot_all(&mut self) {
        if self.scenario.guarded > 0 {
            for host in 0..self.hosts.len() as u32 {
                for wait in [8, 12] {
                    self.after(Duration::from_secs(wait), Event::Boot(host));
                }
            }
        }
    }
}
