// SPDX-License-Identifier: GPL-2.0

//! Changes of the provisioning data, as they are asked for.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};

use super::Moves;
use crate::core::moves::{MoveId, Reason, Step};
use crate::core::record::{Host, Network, Organisation, Placement};
use crate::core::{Generation, Key, NodeId};
use crate::store::Revision;

/// A change of the provisioning data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Creates or changes an organisation.
    SetOrganisation(String, Organisation),
    /// Deletes an organisation without networks and hosts.
    DeleteOrganisation(String),
    /// Creates or changes a network, its policy and what it admits (`AU2`, `AU3`).
    SetNetwork(Vni, Network),
    /// Deletes a network without nodes.
    DeleteNetwork(Vni),
    /// Creates or changes a host.
    SetHost(Locator, Host),
    /// Deletes a host without nodes.
    DeleteHost(Locator),
    /// States that a boot of a host is over, and those before: it is powered off, or cut off. What
    /// was bound there can be claimed by others. Nothing checks that it is true (`MV7`).
    FenceHost(Locator, u32),
    /// Creates a node.
    CreateNode {
        /// Its id.
        id: NodeId,
        /// What people call it.
        name: String,
        /// Its network.
        vni: Vni,
        /// Its address; a free one if absent.
        address: Option<Ipv4Addr>,
        /// The MAC others see, if not the derived one.
        mac: Option<Mac>,
        /// The host it is to be on.
        home: Option<Locator>,
    },
    /// Says where a node may be, and what becomes of it when its host dies (`MV6`).
    SetPlacement(NodeId, Placement),
    /// Says on which host a node is to be. Its present host, if another one, is told to let go.
    MoveNode(NodeId, Option<Locator>),
    /// Moves a node to another host while it runs (`MV1`).
    StartMove {
        /// The id of the move.
        id: MoveId,
        /// The node.
        node: NodeId,
        /// The host it is to be on.
        to: Locator,
        /// Why.
        reason: Reason,
    },
    /// Leads a move on; hosts and managers ask for this. One that cannot be made, or was made, is
    /// done already.
    StepMove {
        /// The move.
        id: MoveId,
        /// The step.
        step: Step,
        /// As in [`ToManager::Step`](crate::core::message::ToManager::Step).
        note: String,
    },
    /// Says whom a node that is moved was in conversation with; its host does.
    NamePeers(MoveId, Vec<Key>),
    /// Ends a move before the node has left its host, and says why.
    AbortMove(MoveId, String),
    /// Adds an address, a free one if absent (`CH1`).
    AddAddress(NodeId, Option<Ipv4Addr>),
    /// Takes an address away (`CH1`).
    RemoveAddress(NodeId, Ipv4Addr),
    /// Deletes a node. Its addresses are free as soon as its host has let go.
    DeleteNode(NodeId),
    /// A node uses another address (`CH2`); hosts ask for this.
    LearnAddress {
        /// The node.
        id: NodeId,
        /// An address it has.
        of: Key,
        /// The other one.
        address: Ipv4Addr,
        /// The host.
        host: Locator,
        /// The host's epoch.
        epoch: u32,
    },
    /// A node has not used an address for long (`CH3`); hosts say so.
    SilentAddress {
        /// The node.
        id: NodeId,
        /// The address.
        address: Ipv4Addr,
    },
}

/// On which terms an order is to be carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The record that the order is about is of this revision, or absent if 0; whatever it is if
    /// `None`. It must be one that the store has got to, or the order waits for it.
    pub unchanged_since: Option<Revision>,
    /// Only say whether it would be carried out.
    pub dry_run: bool,
}

/// What became of an order that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The state of the store that has it.
    pub generation: Generation,
    /// The address that a node got.
    pub address: Option<Ipv4Addr>,
}

impl Order {
    /// The node that is to be read first.
    pub(super) fn node(&self, moves: &Moves) -> Option<NodeId> {
        match self {
            Order::StepMove { id, .. } | Order::AbortMove(id, _) => {
                moves.get(*id).map(|(it, _)| it.node)
            }
            Order::StartMove { node: id, .. }
            | Order::CreateNode { id, .. }
            | Order::MoveNode(id, _)
            | Order::SetPlacement(id, _)
            | Order::AddAddress(id, _)
            | Order::RemoveAddress(id, _)
            | Order::DeleteNode(id)
            | Order::LearnAddress { id, .. }
            | Order::SilentAddress { id, .. } => Some(*id),
            _ => None,
        }
    }
}
