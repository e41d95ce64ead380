// SPDX-License-Identifier: GPL-2.0

//! What would become of a packet, and why.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

use ovnet_engine::{DropReason, Locator, Mac, SubstrateAddress};

use crate::attrs::{require, Reader, Writer};
use crate::connection::Record;
use crate::generated::{
    Action, Direction, EventKind, Form, MappingState, PortState, TraceAttr, TraceStepAttr,
    TraceStepKind, TraceVerdict,
};
use crate::{Device, Error};

/// A packet that is described rather than sent.
#[derive(Clone, Copy, Debug)]
pub enum TraceOf<'a> {
    /// An Ethernet frame that the node of a port sends.
    Frame(Device<'a>, &'a [u8]),
    /// An IPv6 packet that the substrate brings.
    Packet(&'a [u8]),
}

impl TraceOf<'_> {
    pub(crate) fn attrs(&self) -> Result<Writer<TraceAttr>, Error> {
        let mut attrs = Writer::new();
        match self {
            TraceOf::Frame(device, frame) => {
                attrs.put(TraceAttr::Ifindex, device.ifindex.to_ne_bytes())?;
                let fd = device.netns.map(|netns| netns.as_raw_fd().to_ne_bytes());
                attrs.put_some(TraceAttr::NetnsFd, fd)?;
                attrs.put_some(TraceAttr::NetnsId, device.netns_id.map(i32::to_ne_bytes))?;
                attrs.put(TraceAttr::Frame, frame)?;
            }
            TraceOf::Packet(packet) => attrs.put(TraceAttr::Packet, packet)?,
        }
        Ok(attrs)
    }
}

/// What would become of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What, in a word.
    pub verdict: TraceVerdict,
    /// The steps that lead there.
    pub steps: Vec<TraceStep>,
    /// What would leave: IPv6 packets for the substrate, Ethernet frames for a port.
    pub out: Vec<Vec<u8>>,
}

impl Trace {
    /// Why it is dropped, if it is; the number of a reason newer than this crate.
    #[must_use]
    pub fn reason(&self) -> Option<Result<DropReason, u32>> {
        self.steps.iter().rev().find_map(|step| step.reason)
    }
}

/// A step. Which of the fields there are depends on its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// What the step is.
    pub kind: TraceStepKind,
    /// Why the packet is dropped; the number of a reason newer than this crate.
    pub reason: Option<Result<DropReason, u32>>,
    /// The network; of a peering, that of the sender. It may be one that no network has.
    pub vni: Option<u32>,
    /// The virtual address; of ARP, the sender's.
    pub address: Option<Ipv4Addr>,
    /// The MAC.
    pub mac: Option<Mac>,
    /// Generation of the mapping.
    pub gen: Option<u64>,
    /// State of the mapping.
    pub state: Option<MappingState>,
    /// State of the port.
    pub port_state: Option<PortState>,
    /// Where the mapping says that the node is; of a route, its host.
    pub locator: Option<Locator>,
    /// The locator that the packet comes from. It may be one that no host can have.
    pub from: Option<Locator>,
    /// The slot.
    pub slot: Option<u8>,
    /// The address of a machine that knows nothing of the overlay.
    pub external: Option<Ipv6Addr>,
    /// The network at the other end; of a peering, that of the receiver.
    pub peer_vni: Option<u32>,
    /// The address at the other end; of ARP, the target's.
    pub peer_address: Option<Ipv4Addr>,
    /// The direction of the rules.
    pub direction: Option<Direction>,
    /// The rule that decides.
    pub rule: Option<u32>,
    /// What becomes of the packet by that.
    pub action: Option<Action>,
    /// The form that it gets or has.
    pub form: Option<Form>,
    /// The device of the port, in its namespace, or of the route.
    pub ifindex: Option<u32>,
    /// Id of the port's namespace as seen from the socket's; absent when it is the same one.
    pub netns_id: Option<i32>,
    /// Name of the device.
    pub ifname: Option<String>,
    /// The next router of a route, or the address itself if it is on the link.
    pub nexthop: Option<Ipv6Addr>,
    /// The MTU.
    pub mtu: Option<u32>,
    /// The length.
    pub length: Option<u32>,
    /// The event.
    pub event: Option<EventKind>,
    /// Type of the ICMP message.
    pub icmp_type: Option<u8>,
    /// Code of the ICMP message.
    pub icmp_code: Option<u8>,
}

impl TraceStep {
    fn parse(nest: &[u8]) -> Result<TraceStep, Error> {
        use TraceStepAttr as Attr;
        let attrs = Reader::<Attr>::parse(nest)?;
        let ipv6 = |attr| Ok::<_, Error>(attrs.array::<16>(attr)?.map(Ipv6Addr::from));
        let claimed = |prefix| SubstrateAddress::decode(&prefix).locator;
        let prefix = |attr| Ok::<_, Error>(attrs.array(attr)?.map(claimed));
        Ok(TraceStep {
            kind: require(Attr::Kind, attrs.u32(Attr::Kind)?)?.into(),
            reason: attrs
                .u32(Attr::Reason)?
                .map(|number| DropReason::from_u32(number).ok_or(number)),
            vni: attrs.u32(Attr::Vni)?,
            address: attrs.ipv4(Attr::Address)?,
            mac: attrs.array(Attr::Mac)?.map(Mac),
            gen: attrs.u64(Attr::Gen)?,
            state: attrs.u32(Attr::State)?.map(MappingState::from),
            port_state: attrs.u32(Attr::PortState)?.map(PortState::from),
            locator: prefix(Attr::Locator)?,
            from: prefix(Attr::From)?,
            slot: attrs.u8(Attr::Slot)?,
            external: ipv6(Attr::External)?,
            peer_vni: attrs.u32(Attr::PeerVni)?,
            peer_address: attrs.ipv4(Attr::PeerAddress)?,
            direction: attrs.u32(Attr::Direction)?.map(Direction::from),
            rule: attrs.u32(Attr::Rule)?,
            action: attrs.u32(Attr::Action)?.map(Action::from),
            form: attrs.u32(Attr::Form)?.map(Form::from),
            ifindex: attrs.u32(Attr::Ifindex)?,
            netns_id: attrs.i32(Attr::NetnsId)?,
            ifname: attrs.string(Attr::Ifname),
            nexthop: ipv6(Attr::Nexthop)?,
            mtu: attrs.u32(Attr::Mtu)?,
            length: attrs.u32(Attr::Length)?,
            event: attrs.u32(Attr::Event)?.map(EventKind::from),
            icmp_type: attrs.u8(Attr::IcmpType)?,
            icmp_code: attrs.u8(Attr::IcmpCode)?,
        })
    }
}

impl Record for Trace {
    type Attr = TraceAttr;

    fn from_attrs(attrs: &Reader<TraceAttr>) -> Result<Trace, Error> {
        let all = |wanted| attrs.iter().filter(move |(attr, _)| *attr == wanted);
        let verdict = attrs.u32(TraceAttr::Verdict)?;
        Ok(Trace {
            verdict: require(TraceAttr::Verdict, verdict)?.into(),
            steps: all(TraceAttr::Step)
                .map(|(_, nest)| TraceStep::parse(nest))
                .collect::<Result<_, _>>()?,
            out: all(TraceAttr::Out)
                .map(|(_, bytes)| bytes.to_vec())
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip]
    fn a_frame_is_of_a_port_and_a_packet_of_the_substrate() {
        let device = Device::here(5);
        assert_eq!(
            TraceOf::Frame(device, &[1, 2, 3]).attrs().unwrap().as_bytes(),
            [8, 0, 1, 0, 5, 0, 0, 0, 7, 0, 3, 0, 1, 2, 3, 0]
        );
        assert_eq!(
            TraceOf::Packet(&[1, 2, 3, 4]).attrs().unwrap().as_bytes(),
            [8, 0, 4, 0, 1, 2, 3, 4]
        );
    }

    #[test]
    #[rustfmt::skip]
    fn steps_come_in_their_order_and_the_last_one_says_why() {
        let bytes = [
            25, 1, 0, 0,
            20, 0, 6, 0x80,
                8, 0, 1, 0, 3, 0, 0, 0,
                8, 0, 3, 0, 7, 0, 0, 0,
            28, 0, 6, 0x80,
                8, 0, 1, 0, 18, 0, 0, 0,
                8, 0, 2, 0, 8, 0, 0, 0,
                8, 0, 99, 0, 0, 0, 0, 0,
            7, 0, 7, 0, 1, 2, 3, 0,
            8, 0, 5, 0, 0, 0, 0, 0,
        ];
        let trace = Trace::parse(&bytes).unwrap();
        assert_eq!(trace.verdict, TraceVerdict::Dropped);
        let kinds: Vec<_> = trace.steps.iter().map(|step| step.kind).collect();
        assert_eq!(kinds, [TraceStepKind::Destination, TraceStepKind::Drop]);
        assert_eq!((trace.steps[0].vni, trace.steps[0].state), (Some(7), None));
        assert_eq!(trace.reason(), Some(Ok(DropReason::NoMapping)));
        assert_eq!(trace.out, [[1, 2, 3]]);
        // Without its verdict the answer says nothing.
        assert!(Trace::parse(&bytes[..bytes.len() - 8]).is_err());
    }
}
