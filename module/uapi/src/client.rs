// SPDX-License-Identifier: GPL-2.0

//! The commands of the family, one method each.

use std::net::Ipv4Addr;

use neli::consts::socket::NlFamily;
use ovnet_engine::{Locator, Vni};

use crate::attrs::{AttrSet, Writer};
use crate::connection::{genl, Connection, Record};
use crate::event::Events;
use crate::family::Family;
use crate::generated::{Command, MappingAttr, PeeringAttr, PolicyAttr, StatsAttr, FAMILY_VERSION};
use crate::host::host_key;
use crate::mapping::mapping_key;
use crate::network::network_key;
use crate::rule::{policy_key, rules};
use crate::{
    BatchResult, Counted, Device, Dump, Error, Host, HostSet, Mapping, MappingSet, Network,
    NetworkSet, Peering, Port, PortSet, Rule, RuleSet, Stats, StatsOf, StatsScope, Trace, TraceOf,
};

/// A connection to the module, for one host.
///
/// Every method may fail with [`Error::Refused`], whose [`Kind`](crate::Kind) tells why, and with
/// [`Error::Io`].
pub struct Client {
    connection: Connection,
    family: Family,
}

impl Client {
    /// Connect to the host that is the calling thread's network namespace. The kernel loads the
    /// module if it must.
    ///
    /// # Errors
    ///
    /// [`Error::ModuleMissing`] if the module is neither there nor can be loaded.
    pub fn connect() -> Result<Client, Error> {
        let mut connection = Connection::open(NlFamily::Generic)?;
        let family = Family::resolve(&mut connection)?;
        Ok(Client { connection, family })
    }

    /// Give this host its locator. The kernel refuses to change it while the host
    /// has ports or mappings.
    pub fn host_set(&mut self, locator: Locator) -> Result<(), Error> {
        self.call(Command::HostSet, host_key(Some(locator))?)
    }

    /// Change this host; to change nothing is refused. A resolver is this client: when it is
    /// dropped, the kernel takes the resolver for lost.
    pub fn host_configure(&mut self, host: &HostSet) -> Result<(), Error> {
        self.call(Command::HostSet, host.attrs()?)
    }

    /// Take this host's locator away, which must be this one. The kernel refuses while the host
    /// has ports or mappings.
    pub fn host_del(&mut self, locator: Locator) -> Result<(), Error> {
        self.call(Command::HostDel, host_key(Some(locator))?)
    }

    /// The host with this locator, or this one.
    pub fn host_get(&mut self, locator: Option<Locator>) -> Result<Host, Error> {
        self.get(Command::HostGet, host_key(locator)?)
    }

    /// All hosts.
    pub fn hosts(&mut self) -> Result<Dump<'_, Host>, Error> {
        self.dump(Command::HostGet, Writer::new())
    }

    /// Create or change a network.
    pub fn network_set(&mut self, network: &NetworkSet) -> Result<(), Error> {
        self.call(Command::NetworkSet, network.attrs()?)
    }

    /// Delete a network with its mappings, rules and peerings. The kernel refuses while it has ports.
    pub fn network_del(&mut self, vni: Vni) -> Result<(), Error> {
        self.call(Command::NetworkDel, network_key(vni)?)
    }

    /// One network.
    pub fn network_get(&mut self, vni: Vni) -> Result<Network, Error> {
        self.get(Command::NetworkGet, network_key(vni)?)
    }

    /// All networks.
    pub fn networks(&mut self) -> Result<Dump<'_, Network>, Error> {
        self.dump(Command::NetworkGet, Writer::new())
    }

    /// Make a device the port of a node.
    pub fn port_set(&mut self, port: &PortSet<'_>) -> Result<(), Error> {
        self.call(Command::PortSet, port.attrs()?)
    }

    /// Take a port's configuration away; the device stays.
    pub fn port_del(&mut self, device: Device<'_>) -> Result<(), Error> {
        self.call(Command::PortDel, device.attrs()?)
    }

    /// One port.
    pub fn port_get(&mut self, device: Device<'_>) -> Result<Port, Error> {
        self.get(Command::PortGet, device.attrs()?)
    }

    /// All ports.
    pub fn ports(&mut self) -> Result<Dump<'_, Port>, Error> {
        self.dump(Command::PortGet, Writer::new())
    }

    /// Say where a node is.
    pub fn mapping_set(&mut self, mapping: &MappingSet) -> Result<(), Error> {
        self.call(Command::MappingSet, mapping.attrs()?)
    }

    /// Say where many nodes are, in order, with as few messages as the kernel takes. Generations
    /// that are too old are counted and skipped. Any other refusal ends the batch, and what was
    /// set before it stays; setting all again when the reason is gone does no harm.
    pub fn mapping_batch(&mut self, mappings: &[MappingSet]) -> Result<BatchResult, Error> {
        let mut sum = BatchResult::default();
        let mut rest = mappings;
        let mut attrs = Writer::new();
        while !rest.is_empty() {
            attrs.clear();
            let written = MappingSet::write_batch(rest, &mut attrs)?;
            let answer = self.answer(Command::MappingBatch, &attrs)?;
            sum +=
                BatchResult::parse(&answer.ok_or_else(|| Error::Malformed("no answer".into()))?)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(sum)
    }

    /// Forget where a node is; a tombstone with the generation stays. Without a generation the
    /// kernel takes one more than the known one.
    pub fn mapping_del(
        &mut self,
        vni: Vni,
        address: Ipv4Addr,
        gen: Option<u64>,
    ) -> Result<(), Error> {
        let mut attrs = mapping_key(vni, address)?;
        attrs.put_some(MappingAttr::Gen, gen.map(u64::to_ne_bytes))?;
        self.call(Command::MappingDel, attrs)
    }

    /// Be as if an address had never been heard of: no mapping, and no tombstone.
    pub fn mapping_forget(&mut self, vni: Vni, address: Ipv4Addr) -> Result<(), Error> {
        let mut attrs = mapping_key(vni, address)?;
        attrs.put(MappingAttr::Forget, [])?;
        self.call(Command::MappingDel, attrs)
    }

    /// One mapping.
    pub fn mapping_get(&mut self, vni: Vni, address: Ipv4Addr) -> Result<Mapping, Error> {
        self.get(Command::MappingGet, mapping_key(vni, address)?)
    }

    /// All mappings, or those of one network, with tombstones and what is asked for.
    pub fn mappings(&mut self, vni: Option<Vni>) -> Result<Dump<'_, Mapping>, Error> {
        let mut attrs = Writer::new();
        attrs.put_some(MappingAttr::Vni, vni.map(|vni| vni.get().to_ne_bytes()))?;
        self.dump(Command::MappingGet, attrs)
    }

    /// Add rules to a network, or replace those with the same ids: all of them or none. A few hundred
    /// fit one request.
    pub fn rules_set(&mut self, vni: Vni, set: &[RuleSet]) -> Result<(), Error> {
        self.call(Command::RuleSet, rules(vni, set)?)
    }

    /// Delete rules of a network: all of these or none.
    pub fn rules_del(&mut self, vni: Vni, ids: &[u32]) -> Result<(), Error> {
        let mut attrs = policy_key(vni)?;
        for id in ids {
            attrs.put(PolicyAttr::Id, id.to_ne_bytes())?;
        }
        self.call(Command::RuleDel, attrs)
    }

    /// One rule.
    pub fn rule_get(&mut self, vni: Vni, id: u32) -> Result<Rule, Error> {
        let mut attrs = policy_key(vni)?;
        attrs.put(PolicyAttr::Id, id.to_ne_bytes())?;
        self.get(Command::RuleGet, attrs)
    }

    /// All rules, or those of one network, of each network in the order in which they decide.
    pub fn rules(&mut self, vni: Option<Vni>) -> Result<Dump<'_, Rule>, Error> {
        let attrs = vni.map_or_else(|| Ok(Writer::new()), policy_key)?;
        self.dump(Command::RuleGet, attrs)
    }

    /// Let nodes of one network send to nodes of another.
    pub fn peering_set(&mut self, peering: &Peering) -> Result<(), Error> {
        self.call(Command::PeeringSet, peering.attrs()?)
    }

    /// Take a peering back.
    pub fn peering_del(&mut self, peering: &Peering) -> Result<(), Error> {
        self.call(Command::PeeringDel, peering.attrs()?)
    }

    /// All peerings, or those from and to these networks.
    pub fn peerings(
        &mut self,
        from: Option<Vni>,
        to: Option<Vni>,
    ) -> Result<Dump<'_, Peering>, Error> {
        let mut attrs = Writer::new();
        attrs.put_some(PeeringAttr::From, from.map(|vni| vni.get().to_ne_bytes()))?;
        attrs.put_some(PeeringAttr::To, to.map(|vni| vni.get().to_ne_bytes()))?;
        self.dump(Command::PeeringGet, attrs)
    }

    /// The counters of this host.
    pub fn stats(&mut self) -> Result<Stats, Error> {
        self.get(Command::StatsGet, Writer::new())
    }

    /// The counters of this host, of a port, a network or a remote host.
    pub fn stats_of(&mut self, of: &StatsOf<'_>) -> Result<Counted, Error> {
        self.get(Command::StatsGet, of.attrs()?)
    }

    /// The counters of this host and of each port, network and remote host, or of one kind of these.
    pub fn all_stats(&mut self, only: Option<StatsScope>) -> Result<Dump<'_, Counted>, Error> {
        let mut attrs = Writer::new();
        let only = only.map(|scope| u32::from(scope).to_ne_bytes());
        attrs.put_some(StatsAttr::Scope, only)?;
        self.dump(Command::StatsGet, attrs)
    }

    /// What would become of a packet, and why. Nothing is sent, counted, reported or kept.
    pub fn trace(&mut self, of: &TraceOf<'_>) -> Result<Trace, Error> {
        self.get(Command::Trace, of.attrs()?)
    }

    /// Listen to the events from now on, on a socket of their own in the calling thread's
    /// namespace.
    pub fn events(&self) -> Result<Events, Error> {
        Events::open(self.family)
    }

    fn call<T: AttrSet>(&mut self, command: Command, attrs: Writer<T>) -> Result<(), Error> {
        self.answer(command, &attrs).map(drop)
    }

    fn get<T: Record>(&mut self, command: Command, attrs: Writer<T::Attr>) -> Result<T, Error> {
        let answer = self.answer(command, &attrs)?;
        T::parse(&answer.ok_or_else(|| Error::Malformed("no answer".into()))?)
    }

    fn answer<T: AttrSet>(
        &mut self,
        command: Command,
        attrs: &Writer<T>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let request = genl(command, FAMILY_VERSION, attrs);
        self.connection
            .transact(self.family.id, &request, T::word_of)
    }

    fn dump<T: Record>(
        &mut self,
        command: Command,
        attrs: Writer<T::Attr>,
    ) -> Result<Dump<'_, T>, Error> {
        let request = genl(command, FAMILY_VERSION, &attrs);
        self.connection
            .dump(self.family.id, &request, T::Attr::word_of)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use neli::consts::nl::NlmF;
    use ovnet_engine::Mac;

    use super::*;
    use crate::message::encode;
    use crate::{Fidelity, Lease, MappingState, PortState, ResolverState, Source, SourceCheck};

    const FLAGS: NlmF = NlmF::REQUEST.union(NlmF::ACK);

    /// The message as it is sent with family 0x1c and sequence 9, its header taken off and checked.
    fn sent<T: AttrSet>(command: Command, attrs: Writer<T>) -> Vec<u8> {
        let request = genl(command, FAMILY_VERSION, &attrs);
        let bytes = encode(0x1c, FLAGS, 9, &request).unwrap();
        let length = bytes.len() as u8;
        let header = [length, 0, 0, 0, 0x1c, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(bytes[..16], header);
        bytes[16..].to_vec()
    }

    fn vni() -> Vni {
        Vni::new(0x0a_0b0c).unwrap()
    }

    const NODE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

    fn far() -> Locator {
        Locator::new(0xfd00_000a, 0x0001_0002).unwrap()
    }

    #[test]
    #[rustfmt::skip]
    fn host_requests_name_a_locator_or_this_host() {
        assert_eq!(
            sent(Command::HostSet, host_key(Some(far())).unwrap()),
            [
                1, 1, 0, 0,
                20, 0, 1, 0, 0xfd, 0, 0, 0xa, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
            ]
        );
        assert_eq!(sent(Command::HostGet, host_key(None).unwrap()), [3, 1, 0, 0]);
        let host = HostSet { locator: None, resolver: Some(ResolverState::Ready), mappings_max: Some(9), lease: None };
        assert_eq!(
            sent(Command::HostSet, host.attrs().unwrap()),
            [
                1, 1, 0, 0,
                8, 0, 4, 0, 1, 0, 0, 0,
                8, 0, 5, 0, 9, 0, 0, 0,
            ]
        );
        let lease = Lease { length: Duration::from_millis(2400), from: Some(7) };
        let host = HostSet { lease: Some(lease), ..HostSet::default() };
        assert_eq!(
            sent(Command::HostSet, host.attrs().unwrap()),
            [
                1, 1, 0, 0,
                8, 0, 6, 0, 0x60, 9, 0, 0,
                12, 0, 7, 0, 7, 0, 0, 0, 0, 0, 0, 0,
            ]
        );
    }

    #[test]
    #[rustfmt::skip]
    fn a_network_request_pads_its_ttl() {
        let network = NetworkSet { ttl: Some(63), fidelity: Some(Fidelity::Exact), ..NetworkSet::new(vni()) };
        assert_eq!(
            sent(Command::NetworkSet, network.attrs().unwrap()),
            [
                4, 1, 0, 0,
                8, 0, 1, 0, 0x0c, 0x0b, 0x0a, 0,
                5, 0, 2, 0, 63, 0, 0, 0,
                8, 0, 5, 0, 1, 0, 0, 0,
            ]
        );
    }

    #[test]
    #[rustfmt::skip]
    fn a_port_request_has_device_node_and_generation() {
        let netns = std::fs::File::open("/proc/self/ns/net").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&netns) as u8;
        let device = Device { netns: Some(netns.as_fd()), ..Device::here(5) };
        let port = PortSet {
            mac: Some(Mac([2, 0, 0, 0, 0, 9])),
            gen: Some(1 << 40),
            lease: Some(true),
            ..PortSet::new(device, vni(), NODE)
        };
        assert_eq!(
            sent(Command::PortSet, port.attrs().unwrap()),
            [
                7, 1, 0, 0,
                8, 0, 1, 0, 5, 0, 0, 0,
                8, 0, 2, 0, fd, 0, 0, 0,
                8, 0, 5, 0, 0x0c, 0x0b, 0x0a, 0,
                8, 0, 6, 0, 10, 0, 0, 3,
                10, 0, 7, 0, 2, 0, 0, 0, 0, 9, 0, 0,
                12, 0, 8, 0, 0, 0, 0, 0, 0, 1, 0, 0,
                5, 0, 17, 0, 1, 0, 0, 0,
            ]
        );
        let here = Device::here(5);
        assert_eq!(
            sent(Command::PortDel, here.attrs().unwrap()),
            [8, 1, 0, 0, 8, 0, 1, 0, 5, 0, 0, 0]
        );
    }

    #[test]
    #[rustfmt::skip]
    fn a_request_for_counters_names_one_thing() {
        let device = Device::here(5);
        let scope = [
            (StatsOf::Host, &[][..]),
            (StatsOf::Port(device), &[8, 0, 13, 0, 5, 0, 0, 0]),
            (StatsOf::Network(vni()), &[8, 0, 17, 0, 0x0c, 0x0b, 0x0a, 0]),
            (
                StatsOf::Remote(far()),
                &[20, 0, 19, 0, 0xfd, 0, 0, 0xa, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
        ];
        for (of, attrs) in scope {
            let command = u8::from(Command::StatsGet);
            assert_eq!(
                sent(Command::StatsGet, of.attrs().unwrap()),
                [&[command, 1, 0, 0][..], attrs].concat()
            );
        }
    }

    #[test]
    #[rustfmt::skip]
    fn a_port_request_says_what_it_forwards_and_from_where_its_node_sends() {
        let device = Device::here(5);
        let bare = PortSet::new(device, vni(), NODE);
        let node = sent(Command::PortSet, bare.attrs().unwrap());
        let without = PortSet { sources: Some(vec![]), ..bare.clone() };
        let none = [
            20, 0, 12, 0x80,
                8, 0, 1, 0, 0, 0, 0, 0,
                5, 0, 2, 0, 32, 0, 0, 0,
        ];
        assert_eq!(
            sent(Command::PortSet, without.attrs().unwrap()),
            [&node[..], &none].concat()
        );
        let frozen = PortSet {
            state: Some(PortState::Frozen),
            locator: Some(far()),
            source_check: Some(SourceCheck::Learn),
            sources: Some(vec![Source::new(Ipv4Addr::new(10, 1, 0, 0), 24)]),
            ..bare
        };
        let rest = [
            8, 0, 9, 0, 2, 0, 0, 0,
            20, 0, 10, 0, 0xfd, 0, 0, 0xa, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
            8, 0, 11, 0, 1, 0, 0, 0,
            20, 0, 12, 0x80,
                8, 0, 1, 0, 10, 1, 0, 0,
                5, 0, 2, 0, 24, 0, 0, 0,
        ];
        assert_eq!(
            sent(Command::PortSet, frozen.attrs().unwrap()),
            [&node[..], &rest].concat()
        );
    }

    #[test]
    #[rustfmt::skip]
    fn a_batch_has_a_nest_for_each_mapping() {
        let mappings = [
            MappingSet {
                state: MappingState::Moved,
                peer_vni: Vni::new(9),
                soft_ttl: Some(Duration::from_millis(256)),
                hard_ttl: Some(Duration::from_secs(1)),
                external: Some("2001:db8::9".parse().unwrap()),
                ..MappingSet::remote(vni(), NODE, far())
            },
            MappingSet::negative(vni(), NODE),
        ];
        let mut attrs = Writer::new();
        assert_eq!(MappingSet::write_batch(&mappings, &mut attrs).unwrap(), 2);
        assert_eq!(
            sent(Command::MappingBatch, attrs),
            [
                15, 1, 0, 0,
                92, 0, 1, 0x80,
                    8, 0, 1, 0, 0x0c, 0x0b, 0x0a, 0,
                    8, 0, 2, 0, 10, 0, 0, 3,
                    20, 0, 3, 0, 0xfd, 0, 0, 0xa, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
                    8, 0, 6, 0, 3, 0, 0, 0,
                    8, 0, 9, 0, 9, 0, 0, 0,
                    8, 0, 10, 0, 0, 1, 0, 0,
                    8, 0, 11, 0, 0xe8, 3, 0, 0,
                    20, 0, 14, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
                28, 0, 1, 0x80,
                    8, 0, 1, 0, 0x0c, 0x0b, 0x0a, 0,
                    8, 0, 2, 0, 10, 0, 0, 3,
                    8, 0, 6, 0, 5, 0, 0, 0,
            ]
        );
    }

    #[test]
    #[rustfmt::skip]
    fn a_mapping_request_leaves_out_what_the_kernel_is_to_choose() {
        let mut mapping = MappingSet::remote(vni(), NODE, far());
        let key = [
            8, 0, 1, 0, 0x0c, 0x0b, 0x0a, 0,
            8, 0, 2, 0, 10, 0, 0, 3,
        ];
        let locator = [
            20, 0, 3, 0, 0xfd, 0, 0, 0xa, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(
            sent(Command::MappingSet, mapping.attrs().unwrap()),
            [&[10, 1, 0, 0][..], &key, &locator].concat()
        );
        mapping.mac = Some(Mac([2, 0, 0, 0, 0, 9]));
        mapping.gen = Some(7);
        let chosen = [
            10, 0, 4, 0, 2, 0, 0, 0, 0, 9, 0, 0,
            12, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(
            sent(Command::MappingSet, mapping.attrs().unwrap()),
            [&[10, 1, 0, 0][..], &key, &locator, &chosen].concat()
        );
        assert_eq!(
            sent(Command::MappingDel, mapping_key(vni(), NODE).unwrap()),
            [&[11, 1, 0, 0][..], &key].concat()
        );
    }
}
