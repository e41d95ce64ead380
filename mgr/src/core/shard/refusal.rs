// SPDX-License-Identifier: GPL-2.0

//! Why a change of the provisioning data is refused.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Vni};

use crate::core::moves::MoveId;
use crate::core::{Key, NodeId};

/// Why an order was refused. Nothing has changed then, except as [`Refusal::Unavailable`] says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such organisation.
    #[error("there is no organisation {0}: create it first")]
    NoOrganisation(String),
    /// The organisation has networks or hosts.
    #[error("organisation {0} still has networks or hosts: delete them first")]
    OrganisationInUse(String),
    /// There is no such network.
    #[error("there is no network {0}: create it first")]
    NoNetwork(Vni),
    /// The network has nodes.
    #[error("network {0} still has nodes: delete them first")]
    NetworkInUse(Vni),
    /// The network's prefixes or rules make no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// There is no such host.
    #[error("there is no host {0}: create it first")]
    NoHost(Locator),
    /// The host has nodes.
    #[error("host {0} still has nodes: move or delete them first")]
    HostInUse(Locator),
    /// There is no such node.
    #[error("there is no node {0}")]
    NoNode(NodeId),
    /// There is another node with that id.
    #[error("node {0} exists and is another one: choose another id")]
    NodeExists(NodeId),
    /// The address is not of the network's prefixes.
    #[error("{0} is outside the prefixes of its network")]
    OutsideNetwork(Key),
    /// The address is another node's.
    #[error("{0} is another node's: choose another one, or none to get a free one")]
    AddressTaken(Key),
    /// The network has no free address.
    #[error("network {0} has no free address: give it another prefix")]
    NoAddress(Vni),
    /// The node does not have the address.
    #[error("the node does not have the address {0}")]
    NotItsAddress(Ipv4Addr),
    /// The node has no other address.
    #[error("{0} is the node's only address: add another one first, or delete the node")]
    OnlyAddress(Ipv4Addr),
    /// The network does not let nodes choose addresses.
    #[error("network {0} does not let nodes choose addresses")]
    NoLearning(Vni),
    /// The node is being moved.
    #[error("node {0} is being moved by move {1}: wait until it is over, or abort it")]
    Moving(NodeId, MoveId),
    /// The node cannot be fetched from anywhere.
    #[error("node {0} is not attached to the host it is provisioned to: change its host instead")]
    NotAttached(NodeId),
    /// The node is on that host.
    #[error("node {0} is on host {1} already")]
    AlreadyThere(NodeId, Locator),
    /// The boot that the node was attached in is over.
    #[error("host {0} has lost the node, for it was booted or fenced: change the node's host")]
    SourceOver(Locator),
    /// A node must not be started elsewhere while its host may have it.
    #[error("host {0} may still have the node: fence it first")]
    NotFenced(Locator),
    /// The host has no boot that is alive.
    #[error("host {0} has not been seen since it was provisioned or fenced: start its agent")]
    NotSeen(Locator),
    /// There is no such move.
    #[error("there is no move {0}")]
    NoMove(MoveId),
    /// There is another move with that id.
    #[error("move {0} exists and is another one: choose another id")]
    MoveExists(MoveId),
    /// The node has left.
    #[error("move {0} cannot be aborted any more: move the node back when it has settled")]
    TooLate(MoveId),
    /// The destination does not have the node yet.
    #[error("the destination of move {0} has not claimed the node")]
    NotClaimed(MoveId),
    /// The record is of another revision than the terms of the order say.
    #[error("it has changed meanwhile: read it again")]
    Changed,
    /// Others were faster too often.
    #[error("too much changes at the same time: try again")]
    Conflict,
    /// The store did not say whether it happened.
    #[error(
        "the store did not answer, so it is not known whether it happened: look, or try again"
    )]
    Unavailable,
}
