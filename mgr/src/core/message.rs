// SPDX-License-Identifier: GPL-2.0

//! What agents and managers say to each other, on a stream of their own per agent.
//!
//! Each message can be lost, repeated or overtaken without harm: the connection only has to end
//! for both sides eventually, and nothing of one connection may arrive on another.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};

use super::load::Load;
use super::moves::{MoveId, Reason, Seat, State, Step};
use super::record::Rule;
use super::{Generation, Key, NodeId};

/// From an agent to its manager. Who the host is, its certificate says (`SM4`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToManager {
    /// The first message.
    Hello {
        /// The host's epoch: one more for each boot.
        epoch: u32,
        /// The newest state of the store that the agent has seen anything of. A manager that has
        /// not got that far must not answer.
        seen: Generation,
        /// Ports here are frozen for a move that this agent knows nothing of, because an earlier
        /// one was told of it. Only a manager that knows all that has happened until now may
        /// answer: to one that knows less, the node would still be this host's.
        frozen: bool,
    },
    /// Where are these? With the generation that is known already.
    Resolve(Vec<(Key, Generation)>),
    /// These nodes are attached here.
    Claim(Vec<Claim>),
    /// A node is attached here no longer.
    Release {
        /// The address.
        key: Key,
        /// The generation of the binding that is given up; no other binding is meant.
        generation: Generation,
    },
    /// A node uses an address that is not its own (`CH2`).
    Learn {
        /// An address the node has.
        of: Key,
        /// The other one.
        address: Ipv4Addr,
        /// As in [`Claim::attempt`].
        attempt: u32,
    },
    /// An address of a node here has been silent for long (`CH3`).
    Silent(Key),
    /// News of these is of no use here.
    Forget(Vec<Key>),
    /// Pushes up to this number have arrived.
    Ack(u32),
    /// The state of the host, and what it saw since the last report.
    Report(Report),
    /// A step of a move was made on this host, or the move is to be aborted. Repeated until a
    /// [`ToAgent::Move`] tells of a later state, or [`ToAgent::NoMove`] that there is nothing to
    /// be said.
    Step {
        /// The move.
        id: MoveId,
        /// The step.
        step: Step,
        /// With [`Step::Ready`], where the node is received; with [`Step::Abort`], why.
        note: String,
    },
    /// Whom a node that is to leave this host is in conversation with. Repeated until
    /// [`ToAgent::Move`] has them.
    Peers {
        /// The move.
        id: MoveId,
        /// The peers, at most [`Move::PEERS`](super::record::Move::PEERS), those that matter most
        /// first.
        keys: Vec<Key>,
    },
    /// The host lives: see [`lease`](super::lease).
    Beat(u32),
    /// The ports of the nodes of [`ToAgent::Guarded`] with this number, those that will be there
    /// included, stop at the end of the host's lease.
    Guarded(u32),
}

/// A node that is attached to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub key: Key,
    /// The node.
    pub node: NodeId,
    /// Answers to an earlier attempt mean nothing.
    pub attempt: u32,
    /// The generation of the binding, if the host has one and only wants it confirmed. A claim
    /// without makes a new binding, so that a [`ToManager::Release`] of an earlier one, still on
    /// its way, cannot end it.
    pub held: Generation,
}

/// The state of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Nodes attached here, by address.
    pub ports: u32,
    /// Mappings of other hosts' nodes.
    pub mappings: u32,
    /// Mappings asked for and not yet answered.
    pub pending: u32,
    /// How busy the host was since the last report, if that could be measured.
    pub load: Option<Load>,
    /// What validation refused, and how often.
    pub sightings: Vec<(Sighting, Key, u32)>,
}

/// What a host's validation refused (`SM8`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sighting {
    /// The node with this address sent from an address or a MAC that is not its own.
    Spoof,
    /// A packet claimed to be from this address and came from a locator where it is not.
    Forged,
    /// A node announced this address, which is another node's (`CH4`).
    Claim,
}

/// From a manager to an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToAgent {
    /// The answer to [`ToManager::Hello`]: the state this manager begins to answer from.
    Welcome(Generation),
    /// This manager cannot serve the host now: try another one, or this one after that many
    /// milliseconds.
    Later(u32),
    /// The answers to [`ToManager::Resolve`], and to a release.
    Answer {
        /// The state of the store they are from.
        as_of: Generation,
        /// What is known of each.
        items: Vec<(Key, Verdict)>,
    },
    /// Too much to do: ask for these again after that many milliseconds.
    Busy {
        /// The keys.
        keys: Vec<Key>,
        /// Milliseconds.
        after: u32,
    },
    /// A claim, or a learned address, is the host's.
    Granted {
        /// The address.
        key: Key,
        /// That of the claim.
        attempt: u32,
        /// The generation of the binding.
        generation: Generation,
        /// The MAC that the node is to have, if not the derived one (`TX2`).
        mac: Option<Mac>,
    },
    /// It is not.
    Denied {
        /// The address.
        key: Key,
        /// That of the claim.
        attempt: u32,
        /// Why not.
        reason: Denial,
    },
    /// News the agent subscribed to by asking, or that is about its own nodes.
    Push {
        /// Counts the pushes and invalidations of this connection, for [`ToManager::Ack`].
        number: u32,
        /// The state of the store it is from.
        as_of: Generation,
        /// What is known of each.
        items: Vec<(Key, Verdict)>,
    },
    /// More has changed than could be queued: whatever the agent knows of other hosts' nodes may be
    /// old.
    Invalidate(u32),
    /// What a network that the host has nodes in is like.
    Network {
        /// The network.
        vni: Vni,
        /// The state of the store it is from.
        generation: Generation,
        /// What it is like.
        settings: Settings,
    },
    /// The host has no node in a network any more: what it may know of the mappings there, or by
    /// what name, is another matter now.
    NoNetwork(Vni),
    /// How far a move that this host has a part in has come. Sent at every change and in answer to
    /// a [`ToManager::Step`] that changes nothing; and, for each move that is not over, before
    /// [`ToAgent::Welcome`], which thus says that there are no others.
    Move(Move),
    /// There is no such move of this host, or none any more: what there is here of it follows the
    /// mappings of its node.
    NoMove(MoveId),
    /// The beat with this number is granted: the host's lease counts from when it was sent.
    Lease(u32),
    /// The nodes that may be started elsewhere when this host dies. Their ports are to stop at the
    /// end of its lease.
    Guarded {
        /// For [`ToManager::Guarded`].
        number: u32,
        /// All of them.
        nodes: Vec<NodeId>,
    },
}

/// A move, as both of its hosts are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its id.
    pub id: MoveId,
    /// The state of the store it is from.
    pub as_of: Generation,
    /// The node.
    pub node: NodeId,
    /// The node's addresses and the generations of their mappings now: from
    /// [`State::Commit`] on those with which the destination makes them local.
    pub keys: Vec<(Key, Generation)>,
    /// Where the node comes from.
    pub from: Seat,
    /// Where it goes to.
    pub to: Seat,
    /// Why.
    pub reason: Reason,
    /// How far it has come.
    pub state: State,
    /// Where the destination receives the node; empty if it did not say.
    pub endpoint: String,
    /// Whom the node was in conversation with; none if the source has not said yet.
    pub peers: Option<Vec<Key>>,
    /// Why it was aborted.
    pub failure: String,
}

/// What a network is like for the hosts of its nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Nodes may choose addresses by using them (`CH2`).
    pub learn: bool,
    /// Every byte of a packet arrives, at the price of bytes on the substrate.
    pub exact: bool,
    /// Networks whose nodes may talk to nodes of this one (`AU2`).
    pub admits: Vec<Vni>,
    /// Networks whose nodes may be talked to by nodes of this one.
    pub admitted_by: Vec<Vni>,
    /// What else is allowed or denied, first match first (`AU3`).
    pub rules: Vec<Rule>,
}

/// What a manager tells a host about a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The node is on another host.
    Found {
        /// The generation of the mapping.
        generation: Generation,
        /// That host.
        locator: Locator,
        /// The MAC that others see, if not the derived one.
        mac: Option<Mac>,
    },
    /// The node is bound to the host that asks.
    Yours {
        /// The generation of the mapping.
        generation: Generation,
        /// The epoch of the host that it is bound to.
        epoch: u32,
        /// It is to leave: detach it, then release it.
        leave: bool,
        /// The node is to leave this address, and may stay with others: it was taken from it (`CH1`).
        gone: bool,
        /// It was released, and is to appear elsewhere: what arrives is held until it does.
        held: bool,
    },
    /// The address is no node's, or its node is attached nowhere.
    Absent {
        /// The generation of the mapping, or of the state of the store that lacks it.
        generation: Generation,
    },
    /// As [`Verdict::Absent`]; but the host that asks is the one where the address is to be, with this
    /// node, which may be there already with another one (`CH1`).
    Due {
        /// The generation of the mapping.
        generation: Generation,
        /// The node whose address it is.
        node: NodeId,
    },
    /// The host has no node that may know (`AU4`).
    Refused,
    /// The address is no node's of the network, but of one that it has a peering with (`AU2`).
    Peer {
        /// The state of the store that this is from. That of the mapping would not do: the network may
        /// have had a node with that address since.
        generation: Generation,
        /// The host of the node, which may be the one that asks.
        locator: Locator,
        /// The MAC that others see, if not the derived one.
        mac: Option<Mac>,
        /// The network that the node is in.
        vni: Vni,
    },
}

/// Why a claim was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No node is provisioned with that address.
    NotProvisioned,
    /// Another node is (`CH4`).
    Duplicate,
    /// The node is provisioned to another host (`SM4`).
    OtherHost,
    /// The host that had the node has not released it yet, or the node's move to this host has not
    /// come so far.
    Wait,
    /// The network does not let nodes choose addresses, or not this one (`CH2`).
    Policy,
}
