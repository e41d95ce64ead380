// SPDX-License-Identifier: GPL-2.0

//! The thread that changes the kernel's tables, in the order in which it is asked to, and looks at them.
//!
//! Its socket is the host's resolver: when the agent ends, the kernel takes the resolver for lost, keeps
//! everything, and lets packets for unknown nodes wait for the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use ovnet_engine::{Locator, Mac, Vni};
use ovnet_uapi::{
    Client, Error as NetlinkError, Event, EventKind, HostSet, Kind, MappingSet, MappingState, Port,
    PortSet, PortState, ResolverState, Source, SourceCheck,
};
use tokio::sync::mpsc::UnboundedSender;

use super::executor::Task;
use super::lease::Guard;
use super::networks::Wanted;
use super::ports::{self, Managed, Ports};
use super::review::Review;
use super::{listener, Error};
use crate::core::agent::executor::Errand;
use crate::core::agent::kernel::{Event as Told, Mapping, Operation, Place};
use crate::core::agent::Input;
use crate::core::message::Settings;
use crate::core::moves::MoveId;
use crate::core::{Generation, Key, NodeId};
use crate::metrics::Metrics;

/// "No such node" is remembered by the kernel for so long; the state machine says when to forget it.
const NEGATIVE: Duration = Duration::from_secs(1);
/// How often the tables are looked through.
pub(super) const REVIEW: Duration = Duration::from_secs(60);
/// A dump that was interrupted is repeated so often; then what it showed has to do.
const REPEATS: u32 = 5;
/// Requests after which a look at the ports waits no longer for the next one.
const PATIENCE: u32 = 64;

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// Change mappings.
    Operate(Vec<Operation>),
    /// A network is to be like this.
    Network(Vni, Settings),
    /// A node's address is to cease here; alone, so that the node stays with the others that it has.
    Vacate(Key, bool),
    /// A node that is here has this address as well.
    Give(Key, NodeId),
    /// Name a node's peers.
    Peers(MoveId, Vec<Key>),
    /// A node pauses to move.
    Freeze(Vec<Key>, NodeId, Locator),
    /// It stays.
    Thaw(Vec<Key>),
    /// A node does not come, and is on that host.
    GiveBack(Vec<Key>, Locator),
    /// The program that moves nodes is to run.
    Errand(Errand),
    /// Whether there is a manager to ask.
    Resolver(bool),
    /// The lease lasts from that moment of its clock on.
    Lease(Duration),
    /// The ports of these nodes are to stop at its end.
    Guard(u32, BTreeSet<NodeId>),
    /// It has ended.
    Fenced,
    /// Ports have changed.
    Look,
    /// An event that is about a port.
    Heard(Box<Event>),
    /// Look through all tables.
    Review,
    /// The kernel's events have ended.
    Fail,
}

/// What the thread has to say.
#[derive(Debug)]
pub(super) enum News {
    /// To the state machine.
    Input(Input),
    /// The program that moves nodes can run.
    Run(Task),
}

/// What the kernel had when the agent started.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) mappings: Vec<(Key, Mapping)>,
    pub(super) ports: Vec<(Key, NodeId)>,
    pub(super) frozen: Vec<Key>,
}

/// Takes over what the kernel has, and starts to listen and to work.
pub(super) fn start(
    own: Locator,
    idle: Duration,
    tell: UnboundedSender<News>,
    metrics: Metrics,
) -> Result<(Sender<Request>, Inherited), Error> {
    let mut client = Client::connect().map_err(Error::kernel("the kernel module"))?;
    take_host(&mut client, own)?;
    // From now on, so that nothing happens unseen while the tables are read.
    let events = client
        .events()
        .map_err(Error::kernel("the kernel's events"))?;
    let mut kernel = Kernel {
        client,
        own,
        ports: Ports::default(),
        networks: BTreeMap::new(),
        present: BTreeSet::new(),
        review: Review::new(idle),
        guard: Guard::default(),
        tell: tell.clone(),
        metrics: metrics.clone(),
    };
    let inherited = kernel
        .take_over()
        .map_err(Error::kernel("the kernel's tables"))?;
    let (requests, asked) = mpsc::channel();
    let threads = listener::start(events, tell, requests.clone(), metrics).and_then(|()| {
        let builder = thread::Builder::new().name("ovnet-kernel".into());
        builder.spawn(move || kernel.work(&asked)).map(drop)
    });
    threads.map_err(Error::Thread)?;
    Ok((requests, inherited))
}

/// Makes this the host with the locator, and the socket its resolver.
fn take_host(client: &mut Client, own: Locator) -> Result<(), Error> {
    match client.host_get(None) {
        Ok(host) if host.locator == own => {}
        Ok(host) => {
            return Err(Error::Locator {
                kernel: host.locator,
                certificate: own,
            });
        }
        Err(error) if error.kind() == Some(Kind::NotFound) => {
            client
                .host_set(own)
                .map_err(Error::kernel("this host's locator"))?;
        }
        Err(error) => return Err(Error::kernel("this host's locator")(error)),
    }
    let resolver = HostSet {
        resolver: Some(ResolverState::Holding),
        ..HostSet::default()
    };
    client
        .host_configure(&resolver)
        .map_err(Error::kernel("to be this host's resolver"))
}

/// The thread's state.
pub(super) struct Kernel {
    pub(super) client: Client,
    own: Locator,
    pub(super) ports: Ports,
    /// What networks are to be.
    pub(super) networks: BTreeMap<Vni, Wanted>,
    /// Networks that the kernel has.
    pub(super) present: BTreeSet<Vni>,
    review: Review,
    pub(super) guard: Guard,
    tell: UnboundedSender<News>,
    metrics: Metrics,
}

/// All that a dump shows.
pub(super) fn all<T>(
    client: &mut Client,
    dump: impl Fn(&mut Client) -> Result<Vec<Result<T, NetlinkError>>, NetlinkError>,
) -> Result<Vec<T>, NetlinkError> {
    let mut tries = 0;
    loop {
        let (mut whole, mut found) = (true, Vec::new());
        for item in dump(client)? {
            match item {
                Ok(item) => found.push(item),
                Err(NetlinkError::DumpInterrupted) => whole = false,
                Err(error) => return Err(error),
            }
        }
        tries += 1;
        if whole || tries > REPEATS {
            return Ok(found);
        }
    }
}

/// Whether a generation is a manager's: those that the kernel makes are of no term.
fn is_managed(generation: u64) -> bool {
    Generation::from_u64(generation).term() > 0
}

/// A mapping of the kernel as the state machine sees it, if it is a manager's and of another host's node, or
/// another network's.
pub(super) fn remote(mapping: &ovnet_uapi::Mapping) -> Option<(Key, Mapping)> {
    let ordinary = mapping.external.is_none() && mapping.slot.is_none();
    let generation = mapping.gen.filter(|gen| ordinary && is_managed(*gen))?;
    let place = match (mapping.state, mapping.locator, mapping.peer_vni) {
        (MappingState::Remote, Some(host), None) => Place::Remote(host),
        (MappingState::Remote, Some(host), Some(vni)) => Place::Peer(host, vni),
        (MappingState::Moved, Some(host), None) => Place::Moved(host),
        _ => return None,
    };
    let taken = Mapping {
        generation: Generation::from_u64(generation),
        place,
        mac: mapping.mac.filter(|mac| *mac != Mac::of(mapping.address)),
    };
    Some((Key::new(mapping.vni, mapping.address), taken))
}

impl Kernel {
    fn all_ports(&mut self) -> Result<Vec<Port>, NetlinkError> {
        all(&mut self.client, |client| Ok(client.ports()?.collect()))
    }

    fn all_mappings(&mut self) -> Result<Vec<ovnet_uapi::Mapping>, NetlinkError> {
        all(&mut self.client, |client| {
            Ok(client.mappings(None)?.collect())
        })
    }

    fn take_over(&mut self) -> Result<Inherited, NetlinkError> {
        let networks = all(&mut self.client, |client| Ok(client.networks()?.collect()))?;
        self.present = networks.into_iter().map(|network| network.vni).collect();
        let ports = self.all_ports()?;
        self.ports.look(ports.into_iter());
        let stopped = |port: &Managed| port.state == PortState::Fenced;
        self.guard.stopped = self.ports.iter().any(stopped);
        // Whoever may start these nodes elsewhere relies on it until the manager says otherwise.
        let leased = self.ports.iter().filter(|port| port.leased);
        self.guard.nodes = leased.map(|port| port.node).collect();
        // A node that was to leave when the last agent ended.
        let paused = self
            .ports
            .iter()
            .filter(|port| port.state == PortState::Frozen);
        let paused: BTreeSet<_> = paused.map(|port| port.key).collect();
        let mut mappings = BTreeMap::new();
        for mapping in self.all_mappings()? {
            let key = Key::new(mapping.vni, mapping.address);
            let local = mapping.state == MappingState::Local;
            if let Some((key, taken)) = remote(&mapping) {
                mappings.insert(key, taken);
            } else if let Some(gen) = mapping.gen.filter(|gen| local && is_managed(*gen)) {
                let place = match self.ports.find(key) {
                    Some(_) => Place::Local,
                    None if paused.contains(&key) => Place::Pending,
                    // The port is another network's, which the manager will say.
                    None => Place::Remote(self.own),
                };
                let generation = Generation::from_u64(gen);
                let mac = None;
                mappings.insert(
                    key,
                    Mapping {
                        generation,
                        place,
                        mac,
                    },
                );
            }
        }
        Ok(Inherited {
            mappings: mappings.into_iter().collect(),
            ports: self.ports.attached(),
            frozen: self.ports.frozen(),
        })
    }

    /// Does what it is asked for, until nobody can ask any more or the kernel fails.
    fn work(mut self, asked: &Receiver<Request>) {
        let mut review = Instant::now() + REVIEW;
        let (mut look, mut since) = (false, 0);
        loop {
            // Ports come in crowds; one look at the end shows them all.
            let wait = match look {
                true => Duration::ZERO,
                false => {
                    let left = review.saturating_duration_since(Instant::now());
                    self.next_minute().min(left)
                }
            };
            match asked.recv_timeout(wait) {
                Ok(Request::Look) => look = true,
                Ok(Request::Operate(operations)) => self.operate(operations),
                Ok(Request::Network(vni, settings)) => self.network(vni, settings),
                Ok(Request::Vacate(key, alone)) => self.vacate(key, alone),
                Ok(Request::Give(key, node)) => self.give_due(key, node),
                Ok(Request::Peers(id, keys)) => self.list_peers(id, &keys),
                Ok(Request::Freeze(keys, node, to)) => self.freeze(&keys, node, to),
                Ok(Request::Thaw(keys)) => self.thaw(&keys),
                Ok(Request::GiveBack(keys, to)) => self.give_back(&keys, to),
                Ok(Request::Errand(errand)) => self.describe(errand),
                Ok(Request::Resolver(ready)) => self.resolver(ready),
                Ok(Request::Lease(from)) => self.lease(from),
                Ok(Request::Guard(number, nodes)) => self.guard(number, nodes),
                Ok(Request::Fenced) => self.fenced(),
                Ok(Request::Heard(event)) => self.heard(&event),
                Ok(Request::Review) => (look, review) = (true, Instant::now()),
                Ok(Request::Fail) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => since = PATIENCE,
            }
            since += 1;
            if look && since >= PATIENCE {
                (look, since) = (false, 0);
                self.look();
            }
            if Instant::now() >= review {
                review = Instant::now() + REVIEW;
                self.review();
            }
            self.renew_rules();
        }
    }

    pub(super) fn told(&self, events: Vec<Told>) {
        if !events.is_empty() {
            self.tell(News::Input(Input::Kernel(events)));
        }
    }

    pub(super) fn tell(&self, news: News) {
        // Nobody listens when the agent ends.
        let _ = self.tell.send(news);
    }

    /// Counts what became of something, and says so if it failed.
    pub(super) fn done(&self, what: &'static str, result: Result<(), NetlinkError>) {
        let word = match &result {
            Ok(()) => "ok",
            Err(error) if error.kind() == Some(Kind::Stale) => "stale",
            Err(_) => "refused",
        };
        let labels = &[what, word];
        self.metrics
            .agent_operations
            .with_label_values(labels)
            .inc();
        if let Err(error) = result {
            tracing::warn!(%error, "the kernel refuses to {what}");
        }
    }

    fn resolver(&mut self, ready: bool) {
        let state = match ready {
            true => ResolverState::Ready,
            false => ResolverState::Holding,
        };
        let resolver = HostSet {
            resolver: Some(state),
            ..HostSet::default()
        };
        let result = self.client.host_configure(&resolver);
        self.done("be told of the resolver", result);
    }

    // ---- mappings ----

    fn operate(&mut self, operations: Vec<Operation>) {
        let mut batch = Vec::new();
        for operation in operations {
            let (key, mapping) = match operation {
                Operation::Set(key, mapping) => (key, mapping),
                Operation::Forget(key) => {
                    self.flush(&mut batch);
                    self.forget(key);
                    continue;
                }
            };
            let (state, host, peer_vni) = match mapping.place {
                Place::Remote(host) => (MappingState::Remote, host, None),
                Place::Moved(host) => (MappingState::Moved, host, None),
                Place::Peer(host, vni) => (MappingState::Remote, host, Some(vni)),
                other => {
                    self.flush(&mut batch);
                    match other {
                        Place::Local => self.set_local(key, mapping.generation, mapping.mac),
                        Place::Negative => self.set_negative(key, mapping.generation),
                        // What arrives waits since the node's port was frozen.
                        _ => {}
                    }
                    continue;
                }
            };
            self.need_network(key.vni);
            // A node that was here until now keeps the MAC that its port had.
            let left = state == MappingState::Moved;
            let port = self
                .ports
                .find(key)
                .filter(|(port, _)| left && port.key == key);
            let former = port.and_then(|(port, _)| port.mac);
            batch.push(MappingSet {
                state,
                mac: mapping.mac.or(former),
                gen: Some(mapping.generation.get()),
                peer_vni,
                ..MappingSet::remote(key.vni, key.address, host)
            });
        }
        self.flush(&mut batch);
    }

    /// Sets many mappings; one that is refused is no reason to leave out those behind it.
    fn flush(&mut self, batch: &mut Vec<MappingSet>) {
        let batch = std::mem::take(batch);
        if batch.is_empty() {
            return;
        }
        let operations = &self.metrics.agent_operations;
        match self.client.mapping_batch(&batch) {
            Ok(result) => {
                let done = u64::from(result.installed) + u64::from(result.unchanged);
                operations
                    .with_label_values(&["set a mapping", "ok"])
                    .inc_by(done);
                let stale = operations.with_label_values(&["set a mapping", "stale"]);
                stale.inc_by(result.refused.into());
            }
            Err(_) => {
                for mapping in &batch {
                    let result = self.client.mapping_set(mapping);
                    self.done("set a mapping", result);
                }
            }
        }
    }

    fn forget(&mut self, key: Key) {
        match self.client.mapping_forget(key.vni, key.address) {
            Err(error) if error.kind() == Some(Kind::NotFound) => {}
            // A port that stands by is asked for in its own time.
            Err(error) if error.kind() == Some(Kind::Busy) && self.ports.find(key).is_some() => {}
            // One whose node was to leave waits for nothing any more.
            Err(error) if error.kind() == Some(Kind::Busy) => {
                let client = &mut self.client;
                let result = client.mapping_del(key.vni, key.address, None);
                let result = result.and_then(|()| client.mapping_forget(key.vni, key.address));
                self.done("forget a mapping", result);
            }
            result => self.done("forget a mapping", result),
        }
    }

    /// Makes a node reachable here, with the MAC that the manager has for it, if it has one (`TX2`).
    fn set_local(&mut self, key: Key, generation: Generation, mac: Option<Mac>) {
        let mac = match self.ports.find(key) {
            Some((port, _)) if port.key == key => match mac {
                Some(mac) if port.mac != Some(mac) => {
                    let device = port.device;
                    let set = PortSet {
                        mac: Some(mac),
                        ..PortSet::new(device.device(), key.vni, key.address)
                    };
                    let result = self.client.port_set(&set);
                    if result.is_ok() {
                        self.ports.renamed(device, mac);
                    }
                    self.done("give a node its MAC", result);
                    Some(mac)
                }
                _ => port.mac,
            },
            Some(_) => mac,
            None => match self.give_learned(key) {
                true => mac,
                // The port is gone, and the state machine will hear of it.
                false => return,
            },
        };
        let local = MappingSet {
            mac,
            gen: Some(generation.get()),
            ..MappingSet::remote(key.vni, key.address, self.own)
        };
        let result = self.client.mapping_set(&local);
        if result.is_ok() {
            self.ports.activated(key);
            self.told(vec![Told::Active(key)]);
            tracing::info!(%key, %generation, "the node is reachable here");
        }
        self.done("make a node reachable", result);
    }

    /// Gives a node an address that it uses already; false if there is no such node.
    fn give_learned(&mut self, key: Key) -> bool {
        let port = self.ports.learned(key).filter(|port| port.is_attached());
        let Some(port) = port.cloned() else {
            return false;
        };
        let given = self.give(key, &port);
        if given {
            self.ports.given(key, port.device);
        }
        given
    }

    /// Gives a node an address that the manager says it has. If it has several ports in the network, nobody
    /// knows which of them is meant.
    fn give_due(&mut self, key: Key, node: NodeId) {
        let of_node =
            |port: &&Managed| port.is_attached() && port.node == node && port.key.vni == key.vni;
        let ports: Vec<_> = self.ports.iter().filter(of_node).cloned().collect();
        let [port] = &ports[..] else {
            return;
        };
        if !port.keys().any(|own| own == key) && self.give(key, port) {
            tracing::info!(%key, %node, "the node has this address as well");
            self.look();
        }
    }

    fn give(&mut self, key: Key, port: &Managed) -> bool {
        let mut sources = port.sources.clone();
        sources.push(Source::new(key.address, 32));
        let set = PortSet {
            sources: Some(sources),
            ..PortSet::new(port.device.device(), port.key.vni, port.key.address)
        };
        let result = self.client.port_set(&set);
        let given = result.is_ok();
        self.done("give a node an address", result);
        given
    }

    fn set_negative(&mut self, key: Key, generation: Generation) {
        // One that stands by keeps what arrives; it may be its node that comes.
        if self.ports.find(key).is_some_and(|(_, active)| !active) {
            return;
        }
        if generation != Generation::NONE {
            let known = self.client.mapping_get(key.vni, key.address);
            if known.is_ok_and(|known| known.gen.is_some()) {
                let gen = Some(generation.get());
                let result = self.client.mapping_del(key.vni, key.address, gen);
                self.done("delete a mapping", result);
            }
        }
        let refusal = MappingSet {
            hard_ttl: Some(NEGATIVE),
            ..MappingSet::negative(key.vni, key.address)
        };
        let result = self.client.mapping_set(&refusal);
        self.done("remember that there is no node", result);
    }

    // ---- ports ----

    /// The address of a node that leaves ceases here: what arrives for it waits from now on, until it is
    /// known where it is. For a further address of a node that is as long as its mapping says so.
    fn vacate(&mut self, key: Key, alone: bool) {
        let own = self.ports.find(key).map(|(port, _)| port.clone());
        if let Some(port) = own {
            // What the port's own address is from now on.
            let own = match port.key == key {
                true => port.keys().skip(1).find(|_| alone),
                false => Some(port.key),
            };
            let node = own.unwrap_or(key);
            let mut set = PortSet::new(port.device.device(), node.vni, node.address);
            match own {
                Some(own) => {
                    let further = if own == port.key { key } else { own };
                    set.sources = Some(ports::without(&port.sources, further.address));
                }
                None => set.state = Some(PortState::Frozen),
            }
            let result = self.client.port_set(&set);
            if let (Ok(()), Some(sources)) = (&result, set.sources) {
                self.ports.keeps(port.device, node, sources);
            }
            self.done("let a node go", result);
            tracing::info!(%key, node = %port.node, "the node leaves this host");
        }
        self.ports.gone(key);
        self.told(vec![Told::PortDown(key)]);
    }

    pub(super) fn look(&mut self) {
        match self.all_ports() {
            Ok(ports) => {
                let events = self.ports.look(ports.into_iter());
                // Before anybody makes them active.
                self.guard_ports();
                self.metrics.agent_ports.set(self.ports.len() as i64);
                self.told(events);
                self.check_sources();
            }
            Err(error) => tracing::warn!(%error, "the ports cannot be read"),
        }
    }

    /// Ports learn addresses if their network says so.
    pub(super) fn check_sources(&mut self) {
        let wrong = |port: &&Managed| {
            let settings = self.networks.get(&port.key.vni);
            port.is_attached() && settings.is_some_and(|(it, _)| it.learn != port.learns)
        };
        let wrong: Vec<_> = self.ports.iter().filter(wrong).cloned().collect();
        for port in wrong {
            let check = match port.learns {
                true => SourceCheck::Strict,
                false => SourceCheck::Learn,
            };
            let set = PortSet {
                source_check: Some(check),
                ..PortSet::new(port.device.device(), port.key.vni, port.key.address)
            };
            let result = self.client.port_set(&set);
            self.done("say whether a port learns", result);
        }
    }

    /// What an event of a node means.
    fn heard(&mut self, event: &Event) {
        let (Some(vni), Some(ifindex), Some(ifname)) = (event.vni, event.ifindex, &event.ifname)
        else {
            return;
        };
        let Some(port) = self.ports.of_event((ifindex, ifname), vni, event.mac) else {
            return;
        };
        let (own, device) = (port.key, port.device);
        match (event.kind, event.address) {
            (EventKind::NewAddress, Some(address)) => {
                self.ports.learn(Key::new(vni, address), device);
                self.told(vec![Told::NewAddress { port: own, address }]);
            }
            (EventKind::Spoof, _) => self.told(vec![Told::Spoof(own)]),
            _ => {}
        }
    }

    /// Looks for what nobody uses any more, and for what was not heard.
    fn review(&mut self) {
        match self.all_mappings() {
            Ok(mappings) => {
                let ports = self.all_ports().unwrap_or_default();
                let events = self.review.look(&mappings, &ports, Instant::now());
                self.told(events);
            }
            Err(error) => tracing::warn!(%error, "the mappings cannot be read"),
        }
        self.retry_networks();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn mapping(state: MappingState, gen: u64) -> ovnet_uapi::Mapping {
        ovnet_uapi::Mapping {
            vni: Vni::new(7).unwrap(),
            address: Ipv4Addr::new(10, 0, 0, 3),
            locator: Locator::new(0xfd00_000a, 2).ok(),
            mac: Some(Mac::of(Ipv4Addr::new(10, 0, 0, 3))),
            gen: Some(gen),
            state,
            ifindex: None,
            netns_id: None,
            peer_vni: None,
            soft_ttl: None,
            hard_ttl: None,
            idle: None,
            parked: None,
            external: None,
            slot: None,
        }
    }

    #[test]
    fn what_a_manager_said_is_taken_over_and_what_people_set_is_not() {
        let managed = Generation::new(1, 5).get();
        let (key, taken) = remote(&mapping(MappingState::Remote, managed)).unwrap();
        assert_eq!(key.to_string(), "7/10.0.0.3");
        assert_eq!(taken.generation, Generation::new(1, 5));
        assert_eq!(
            (taken.place, taken.mac),
            (Place::Remote(Locator::new(0xfd00_000a, 2).unwrap()), None)
        );
        let moved = remote(&mapping(MappingState::Moved, managed)).unwrap().1;
        assert!(matches!(moved.place, Place::Moved(_)));
        assert!(remote(&mapping(MappingState::Remote, 5)).is_none());
        assert!(remote(&mapping(MappingState::Deleted, managed)).is_none());
        let mut peer = mapping(MappingState::Remote, managed);
        peer.peer_vni = Vni::new(8);
        let host = Locator::new(0xfd00_000a, 2).unwrap();
        let vni = Vni::new(8).unwrap();
        assert_eq!(remote(&peer).unwrap().1.place, Place::Peer(host, vni));
        let mut other = mapping(MappingState::Remote, managed);
        other.mac = Some(Mac([2, 0, 0, 0, 0, 1]));
        assert_eq!(remote(&other).unwrap().1.mac, other.mac);
    }
}
