// SPDX-License-Identifier: GPL-2.0

//! The lease of this host, as [`core::lease`](crate::core::lease) has it: says that the host lives
//! while it has nodes that may be started elsewhere, and has the kernel stop their ports otherwise.

use std::collections::BTreeSet;

use super::{Agent, Output, Timer};
use crate::core::lease::{Beats, BEAT};
use crate::core::message::ToManager;
use crate::core::{NodeId, Time};

/// What is under lease here.
#[derive(Clone, Debug, Default)]
pub(super) struct Lease {
    /// The nodes, and the number that they were told by over this connection.
    nodes: BTreeSet<NodeId>,
    number: u32,
    beats: Beats,
    /// When the next beat is due; none: no beats.
    due: Option<Time>,
    /// The kernel has a lease, without which it refuses to put ports under one.
    begun: bool,
}

impl Agent {
    /// The manager says which nodes may be started elsewhere.
    pub(super) fn guard(
        &mut self,
        number: u32,
        nodes: Vec<NodeId>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        self.lease.number = number;
        self.lease.nodes = nodes.into_iter().collect();
        if self.lease.nodes.is_empty() {
            self.lease.due = None;
            self.lease.begun = false;
            out.push(self.guarded_now());
        } else if self.lease.begun {
            out.push(self.guarded_now());
        }
        if !self.lease.nodes.is_empty() && self.lease.due.is_none() {
            self.beat(now, out);
        }
    }

    fn guarded_now(&self) -> Output {
        Output::Guard {
            number: self.lease.number,
            nodes: self.lease.nodes.clone(),
        }
    }

    fn beat(&mut self, now: Time, out: &mut Vec<Output>) {
        let number = self.lease.beats.send(now);
        out.push(Output::Send(ToManager::Beat(number)));
        self.lease.due = Some(now + BEAT);
        self.set_timer(now + BEAT, Timer::Beat);
    }

    pub(super) fn beat_due(&mut self, due: Time, now: Time, out: &mut Vec<Output>) {
        if self.lease.due == Some(due) && self.link.is_up() {
            self.beat(now, out);
        }
    }

    /// A beat was granted.
    pub(super) fn granted_lease(&mut self, number: u32, now: Time, out: &mut Vec<Output>) {
        let Some(from) = self.lease.beats.granted(number, now) else {
            return;
        };
        out.push(Output::Lease { from });
        if !std::mem::replace(&mut self.lease.begun, true) {
            out.push(self.guarded_now());
        }
    }

    /// The kernel has done what [`Output::Guard`] with this number asks for.
    pub(super) fn guarded(&mut self, number: u32, out: &mut Vec<Output>) {
        if number == self.lease.number && self.link.is_up() {
            out.push(Output::Send(ToManager::Guarded(number)));
        }
    }

    /// Whatever was sent over the last connection is not granted over the next.
    pub(super) fn lease_unlinked(&mut self) {
        self.lease.beats = Beats::default();
        self.lease.due = None;
    }

    /// The connection is there: what was under lease before is so until the manager says otherwise.
    pub(super) fn lease_linked(&mut self, now: Time, out: &mut Vec<Output>) {
        if !self.lease.nodes.is_empty() {
            self.beat(now, out);
        }
    }
}
