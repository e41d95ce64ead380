// SPDX-License-Identifier: GPL-2.0

//! Who follows a packet on its way: the packet path itself, which does what was decided, or a trace, which
//! only says it. Both go through the same code; whatever others could notice goes through the observer, so
//! that a trace cannot do it. Softirqs are off and this is an RCU reader.

use crate::{
    external::External,
    host::{Host, Mapping},
    net::{
        bindings::*,
        device::Device,
        queue::{Queue, Refused, Room, Side, Standing},
        ratelimit::RateLimit,
        route::Route,
        skb::Skb,
    },
    policy::Passage,
    port::Attachment,
};
use core::net::Ipv4Addr;
use ovnet_engine::{DropReason, Locator, Mac, SubstrateAddress, Vni};

/// A step on the way of a packet, as the specification's `trace-step-kind` has them.
pub(crate) enum Step<'a> {
    /// A node sends it from this port, which is stopped or not.
    Port(&'a Device, Option<(&'a Attachment, bool)>),
    /// It is an ARP message of one address about another.
    Arp(Ipv4Addr, Ipv4Addr),
    /// Whether its node may send from there.
    SourceCheck(Mac, Option<Ipv4Addr>),
    /// The mapping of its destination.
    Destination(Vni, Ipv4Addr, Option<&'a Mapping>),
    /// The slot that it is for.
    Slot(Vni, u8),
    /// Whom it says that it is from, and what is known of that node.
    Source(&'a SubstrateAddress, Option<&'a Mapping>),
    /// Whether nodes of the one network may send to nodes of the other.
    Peering(Vni, Vni),
    /// What the rules of a network say, by the rule that decides, and what becomes of it.
    Policy(&'a Passage<'a>, Option<u32>, u32),
    /// The route to an address, behind that locator if it is a host's.
    Route(Option<Locator>, [u8; 16], Option<&'a Route<'a>>),
    /// Its length as it would travel, and the most that may.
    Size(u32, u32),
    /// The form that it gets or has.
    Form(u32),
    /// The port that it is for.
    Delivery(&'a Device),
    /// The machine at the other end.
    External(&'a External),
    /// An error of the substrate about a packet from one node to another; what the path takes.
    IcmpError(Vni, Ipv4Addr, Ipv4Addr, Option<u32>),
    /// The resolver is asked.
    Ask(Vni, Ipv4Addr),
    /// It waits, for a mapping if not for a node that moves.
    Park(Option<(Vni, Ipv4Addr)>),
    /// Listeners are told.
    Event(u32),
    /// Its sender is told: type and code, and the MTU.
    Reply(u8, u8, Option<u32>),
    /// It is dropped.
    Drop(DropReason),
}

/// Who follows a packet.
pub(crate) trait Observer: Copy {
    /// Whether what is decided is done.
    const ACTS: bool;

    /// A step was taken. It is taken apart only by whoever wants to know.
    fn step<'a>(self, step: impl FnOnce() -> Step<'a>);

    /// The packet leaves: `go` takes it there. The verdict is one of netlink's numbers.
    fn leave(self, verdict: u32, packet: Skb, go: impl FnOnce(Skb));

    /// The packet is dropped.
    fn discard(self, host: &Host, packet: Skb, reason: DropReason);

    /// Does what others may notice and no decision depends on.
    #[inline(always)]
    fn act(self, deed: impl FnOnce()) {
        if Self::ACTS {
            deed();
        }
    }

    /// [`Observer::ACTS`], of whoever this is.
    #[inline(always)]
    fn acts(self) -> bool {
        Self::ACTS
    }

    /// Sends an event of that kind.
    #[inline(always)]
    fn report(self, kind: u32, send: impl FnOnce()) {
        if Self::ACTS {
            send();
        } else {
            self.step(|| Step::Event(kind));
        }
    }

    /// Whether the limit admits one more.
    #[inline(always)]
    fn admits(self, limit: &RateLimit) -> bool {
        !Self::ACTS || limit.admit().is_some()
    }

    /// An IPv4 ID, of which there are not many; a trace leaves it 0.
    #[inline(always)]
    fn id(self, fresh: impl FnOnce() -> u16) -> u16 {
        if Self::ACTS {
            fresh()
        } else {
            0
        }
    }

    /// Lets a packet wait.
    #[inline(always)]
    fn park(
        self,
        host: &Host,
        packet: Skb,
        side: Side,
        (queue, room): (&Queue, Room),
    ) -> Result<(), Refused> {
        if Self::ACTS {
            return queue.push(packet, side, host.net(), room);
        }
        match queue.standing(&packet, room) {
            Standing::Closed => Err(Refused::Closed(packet)),
            Standing::Full => Err(Refused::Full(packet)),
            Standing::Open => {
                self.leave(OVNET_TRACE_VERDICT_PARKED, packet, |_| ());
                Ok(())
            }
        }
    }
}

/// The packet path.
#[derive(Clone, Copy)]
pub(crate) struct Live;

impl Observer for Live {
    const ACTS: bool = true;

    #[inline(always)]
    fn step<'a>(self, _: impl FnOnce() -> Step<'a>) {}

    #[inline(always)]
    fn leave(self, _: u32, packet: Skb, go: impl FnOnce(Skb)) {
        go(packet);
    }

    #[inline(always)]
    fn discard(self, host: &Host, packet: Skb, reason: DropReason) {
        host.drop_packet(packet, reason);
    }
}
