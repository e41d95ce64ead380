// SPDX-License-Identifier: GPL-2.0

//! What people should look at (`SM8`).

use std::fmt;

use ovnet_engine::Locator;

use crate::core::message::Sighting;
use crate::core::moves::MoveId;
use crate::core::{Generation, Key, NodeId};

/// What people should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// A host has a certificate but is not provisioned.
    UnknownHost(Locator),
    /// A host says that it is in an epoch that is over.
    DeadHost(Locator, u32),
    /// A host has seen a later state of the store than this manager has. It lags; or the store was
    /// restored from a backup, and the term must be raised.
    Behind(Locator, Generation),
    /// A host claims a node that is provisioned to another one.
    ForgedClaim(Locator, Key, NodeId),
    /// A node that is not the provisioned one claims an address (`CH4`).
    Duplicate(Locator, Key, NodeId),
    /// A host's validation refused packets, that many since the last report.
    Sighted(Locator, Sighting, Key, u32),
    /// A node that was moved to a host does not go on there.
    Stuck(MoveId, NodeId, Locator),
    /// A host under lease has been silent for three beats.
    Suspect(Locator),
    /// The lease of a host in that epoch has ended: its nodes that may be are started elsewhere.
    Fenced(Locator, u32),
    /// So many hosts under lease are silent, of that many, that nothing is started elsewhere.
    Silence(u32, u32),
    /// No host can take a node of a host whose lease has ended.
    NoPlace(NodeId, Locator),
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alarm::UnknownHost(host) => {
                write!(
                    f,
                    "host {host} is not provisioned: add it, or revoke its certificate"
                )
            }
            Alarm::DeadHost(host, epoch) => {
                write!(f, "host {host} is in epoch {epoch}, which is over: boot it")
            }
            Alarm::Behind(host, seen) => write!(
                f,
                "host {host} has seen generation {seen}, later than all here: if this lasts, the \
                 store was set back and its term must be raised"
            ),
            Alarm::Stuck(id, node, host) => write!(
                f,
                "node {node} does not go on at host {host}, where move {id} has brought it: look \
                 at what moves nodes there, or fence the host"
            ),
            Alarm::ForgedClaim(host, key, node) => {
                write!(f, "host {host} claims node {node} ({key}) of another host")
            }
            Alarm::Duplicate(host, key, node) => {
                write!(
                    f,
                    "node {node} of host {host} claims {key}, which is another node's"
                )
            }
            Alarm::Suspect(host) => {
                write!(f, "host {host} under lease is silent and may be dead")
            }
            Alarm::Fenced(host, epoch) => write!(
                f,
                "the lease of host {host} has ended: its epoch {epoch} is over, its nodes under \
                 lease have stopped, and it has to be booted"
            ),
            Alarm::NoPlace(node, host) => write!(
                f,
                "no host can take node {node} of host {host}, whose lease has ended: add room, or \
                 loosen where the node may be"
            ),
            Alarm::Silence(silent, all) => write!(
                f,
                "{silent} of {all} hosts under lease are silent: more likely their network or this \
                 manager is cut off, so that no node is started elsewhere; fence by hand those that \
                 are dead"
            ),
            Alarm::Sighted(host, Sighting::Spoof, key, count) => {
                write!(f, "host {host} dropped {count} spoofed packets of {key}")
            }
            Alarm::Sighted(host, Sighting::Forged, key, count) => {
                write!(
                    f,
                    "host {host} dropped {count} packets forged to be from {key}"
                )
            }
            Alarm::Sighted(host, Sighting::Claim, key, count) => {
                write!(
                    f,
                    "a node of host {host} announced {key} {count} times, which is another node's"
                )
            }
        }
    }
}
