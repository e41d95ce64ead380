// SPDX-License-Identifier: GPL-2.0

//! The kernel's lease, and the ports under it.

use std::collections::BTreeSet;
use std::time::Duration;

use ovnet_uapi::{HostSet, Lease, PortSet, PortState};

use super::kernel::Kernel;
use crate::core::agent::kernel::Event as Told;
use crate::core::lease::HELD;
use crate::core::NodeId;

/// The clock that the kernel counts leases by: it goes on while the machine sleeps, so that no machine
/// wakes up with a lease that is over for everybody else.
pub(super) fn clock() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)
        .map_or(Duration::ZERO, Duration::from)
}

/// What the thread that works on the kernel knows of it.
#[derive(Debug, Default)]
pub(super) struct Guard {
    pub(super) nodes: BTreeSet<NodeId>,
    /// Asked for, and not so yet.
    wanted: Option<u32>,
    /// There may be ports that the end of a lease has stopped.
    pub(super) stopped: bool,
}

impl Kernel {
    /// The lease lasts from that moment of the clock on.
    pub(super) fn lease(&mut self, from: Duration) {
        let lease = Lease {
            length: HELD,
            from: Some(u64::try_from(from.as_millis()).unwrap_or(0)),
        };
        let result = self.client.host_configure(&HostSet {
            lease: Some(lease),
            ..HostSet::default()
        });
        let begun = result.is_ok();
        self.done("renew the lease", result);
        if !begun {
            return;
        }
        self.guard_ports();
        // What was granted before the lease began has brought no port back.
        if std::mem::take(&mut self.guard.stopped) {
            self.look();
            self.tell_stopped();
        }
    }

    /// Says which ports the end of a lease has stopped.
    fn tell_stopped(&self) {
        let stopped = self.ports.iter().filter(|it| it.state == PortState::Fenced);
        self.told(
            stopped
                .flat_map(|port| port.keys())
                .map(Told::Fenced)
                .collect(),
        );
    }

    /// These nodes' ports are to stop at the end of the lease, and no others.
    pub(super) fn guard(&mut self, number: u32, nodes: BTreeSet<NodeId>) {
        self.guard.nodes = nodes;
        self.guard.wanted = Some(number);
        self.guard_ports();
    }

    /// Puts ports under lease as was asked for, and says so when all are.
    pub(super) fn guard_ports(&mut self) {
        let wrong =
            |port: &&super::ports::Managed| port.leased != self.guard.nodes.contains(&port.node);
        let wrong: Vec<_> = self.ports.iter().filter(wrong).cloned().collect();
        let mut all = true;
        for port in wrong {
            // One that is about to leave would cease to send on what arrives.
            if port.state == PortState::Frozen {
                all = false;
                continue;
            }
            let leased = !port.leased;
            let set = PortSet {
                lease: Some(leased),
                ..PortSet::new(port.device.device(), port.key.vni, port.key.address)
            };
            let result = self.client.port_set(&set);
            match &result {
                Ok(()) => self.ports.leased(port.device, leased),
                Err(_) => all = false,
            }
            self.done("put a port under lease", result);
        }
        if let Some(number) = self.guard.wanted.take_if(|_| all) {
            // Those that are under a lease no longer need none to go on.
            self.tell_stopped();
            self.told(vec![Told::Guarded(number)]);
        }
    }

    /// The lease has ended.
    pub(super) fn fenced(&mut self) {
        tracing::warn!("the lease of this host has ended: its ports under lease have stopped");
        self.guard.stopped = true;
        self.look();
        self.tell_stopped();
    }
}
