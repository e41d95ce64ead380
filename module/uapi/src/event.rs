// SPDX-License-Identifier: GPL-2.0

//! What the kernel tells the listeners of the group `events`.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};

use neli::consts::socket::NlFamily;
use ovnet_engine::{DropReason, Locator, Mac, SubstrateAddress, Vni};

use crate::attrs::{require, Reader};
use crate::connection::{Connection, Record};
use crate::family::Family;
use crate::generated::{Command, Direction, EventAttr, EventKind, MappingState};
use crate::network::vni;
use crate::Error;

/// Something that happened on this host; which fields are there depends on the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The network.
    pub vni: Option<Vni>,
    /// The virtual address it is about.
    pub address: Option<Ipv4Addr>,
    /// The MAC it is about.
    pub mac: Option<Mac>,
    /// The locator; that of a forged packet is what the packet claims, and may be none at all.
    pub locator: Option<Locator>,
    /// The generation of the mapping.
    pub gen: Option<u64>,
    /// The state of the mapping.
    pub state: Option<MappingState>,
    /// Interface index of the port concerned.
    pub ifindex: Option<u32>,
    /// Name of the port concerned.
    pub ifname: Option<String>,
    /// Events of this kind the kernel withheld since the last one.
    pub suppressed: Option<u32>,
    /// The network of the node at the other end.
    pub peer_vni: Option<Vni>,
    /// The address of the node at the other end.
    pub peer_address: Option<Ipv4Addr>,
    /// Whether the node here sent the packet or was to receive it.
    pub direction: Option<Direction>,
    /// Why the packet was dropped; the reason's number, if the kernel is newer than this crate.
    pub reason: Option<Result<DropReason, u32>>,
    /// The id of the rule that refused it.
    pub rule: Option<u32>,
    /// The node id of the port that was configured.
    pub node: Option<u64>,
}

impl Record for Event {
    type Attr = EventAttr;

    fn from_attrs(attrs: &Reader<EventAttr>) -> Result<Event, Error> {
        let kind = attrs.u32(EventAttr::Kind)?.map(EventKind::from);
        let claimed = |prefix| SubstrateAddress::decode(&prefix).locator;
        Ok(Event {
            kind: require(EventAttr::Kind, kind)?,
            vni: vni(attrs, EventAttr::Vni)?,
            address: attrs.ipv4(EventAttr::Address)?,
            mac: attrs.array(EventAttr::Mac)?.map(Mac),
            locator: attrs.array(EventAttr::Locator)?.map(claimed),
            gen: attrs.u64(EventAttr::Gen)?,
            state: attrs.u32(EventAttr::State)?.map(MappingState::from),
            ifindex: attrs.u32(EventAttr::Ifindex)?,
            ifname: attrs.string(EventAttr::Ifname),
            suppressed: attrs.u32(EventAttr::Suppressed)?,
            peer_vni: vni(attrs, EventAttr::PeerVni)?,
            peer_address: attrs.ipv4(EventAttr::PeerAddress)?,
            direction: attrs.u32(EventAttr::Direction)?.map(Direction::from),
            reason: attrs
                .u32(EventAttr::Reason)?
                .map(|number| DropReason::from_u32(number).ok_or(number)),
            rule: attrs.u32(EventAttr::Rule)?,
            node: attrs.u64(EventAttr::Node)?,
        })
    }
}

/// The events from now on; it never ends by itself.
///
/// [`Error::Overrun`] says that events were lost; the next ones follow. Readable when the file
/// descriptor is.
pub struct Events {
    connection: Connection,
    family: Family,
}

impl Events {
    pub(crate) fn open(family: Family) -> Result<Events, Error> {
        let connection = Connection::open(NlFamily::Generic)?;
        connection.subscribe(family.events)?;
        Ok(Events { connection, family })
    }

    fn step(&mut self) -> Result<Event, Error> {
        loop {
            let message = self.connection.read()?;
            let command = message.payload.first().copied().map(Command::from);
            if message.kind == self.family.id && command == Some(Command::Event) {
                return Event::parse(message.payload);
            }
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.step())
    }
}

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.connection.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_event_keeps_a_locator_no_host_can_have() {
        #[rustfmt::skip]
        let bytes = [
            14, 1, 0, 0,
            8, 0, 1, 0, 2, 0, 0, 0,
            8, 0, 2, 0, 7, 0, 0, 0,
            8, 0, 3, 0, 10, 0, 0, 3,
            20, 0, 5, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0,
            8, 0, 10, 0, 41, 0, 0, 0,
        ];
        let event = Event::parse(&bytes).unwrap();
        assert_eq!(event.kind, EventKind::Forged);
        assert_eq!(event.vni, Vni::new(7));
        assert_eq!(event.locator.unwrap().to_string(), "fe80:0:0:9::/64");
        assert_eq!(event.suppressed, Some(41));
        assert_eq!((event.mac, event.gen, event.ifname), (None, None, None));
    }

    #[test]
    fn an_event_without_a_kind_is_refused() {
        assert!(Event::parse(&[14, 1, 0, 0, 8, 0, 2, 0, 7, 0, 0, 0]).is_err());
    }
}
