// SPDX-License-Identifier: GPL-2.0

//! Who may talk to whom: the rules of a network and the peerings between networks, as packets are held
//! against them. Softirq context, an RCU reader; built in process context.
//!
//! Both are asked where a packet leaves its node and where it reaches one: a host trusts no other to have
//! asked. A set of rules is built as a whole and replaced as a whole, so that no packet sees half of a change.

use crate::{
    host::{Host, Network},
    icmp,
    net::{
        bindings::{
            OVNET_ACTION_ALLOW, OVNET_ACTION_DENY, OVNET_ACTION_REJECT, OVNET_DIRECTION_IN,
            OVNET_DIRECTION_OUT, OVNET_EVENT_KIND_REFUSED,
        },
        counters::Counters,
        rcu::Rcu,
        skb::{random, Skb},
    },
    observer::{Observer, Step},
    tx::ipv4_head,
};
use core::net::Ipv4Addr;
use kernel::{prelude::*, sync::Arc};
use ovnet_engine::{
    header::Ipv4,
    policy::{
        index::{buckets, Builder, Full, Index, Piece, Shape, EMPTY_BUCKET, SHAPES_MAX},
        Criteria, Prefix, Subject, L4, L4_LEN,
    },
    DropReason, Vni,
};

/// The most rules of a network.
pub(crate) const RULES_MAX: usize = 1 << 16;
/// The most pieces that the rules of one direction, or the grants between two networks, may make.
pub(crate) const PIECES_MAX: usize = 1 << 19;

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// It goes on.
    Allow,
    /// It is dropped.
    Deny,
    /// It is dropped, and its sender told.
    Reject,
}

impl Action {
    /// The action of a netlink number; the policy admits no other.
    pub(crate) fn from_number(number: u32) -> Self {
        match number {
            OVNET_ACTION_DENY => Action::Deny,
            OVNET_ACTION_REJECT => Action::Reject,
            _ => Action::Allow,
        }
    }

    /// Its netlink number.
    pub(crate) fn number(self) -> u32 {
        match self {
            Action::Allow => OVNET_ACTION_ALLOW,
            Action::Deny => OVNET_ACTION_DENY,
            Action::Reject => OVNET_ACTION_REJECT,
        }
    }
}

/// Which way a packet goes, as the node sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// To a node of the network.
    In,
    /// From a node of the network.
    Out,
}

impl Direction {
    /// The direction of a netlink number; the policy admits no other.
    pub(crate) fn from_number(number: u32) -> Self {
        match number {
            OVNET_DIRECTION_OUT => Direction::Out,
            _ => Direction::In,
        }
    }

    /// Its netlink number.
    pub(crate) fn number(self) -> u32 {
        match self {
            Direction::In => OVNET_DIRECTION_IN,
            Direction::Out => OVNET_DIRECTION_OUT,
        }
    }
}

/// What a rule counts.
#[derive(Clone, Copy)]
pub(crate) enum Hit {
    /// Packets that it decided about.
    Packets,
    /// Their IPv4 bytes.
    Bytes,
}

/// A rule of a network.
pub(crate) struct Rule {
    /// Its id, unique in the network.
    pub(crate) id: u32,
    /// Which packets it may be about.
    pub(crate) direction: Direction,
    /// Lower ones decide first.
    pub(crate) priority: u16,
    /// What becomes of the packets.
    pub(crate) action: Action,
    /// Which packets it is about.
    pub(crate) criteria: Criteria,
    /// What it has decided about, by [`Hit`].
    pub(crate) hits: Counters<2>,
}

impl Rule {
    /// Rules are kept, and decide, in this order.
    pub(crate) fn order(&self) -> (Direction, u16, u32) {
        (self.direction, self.priority, self.id)
    }

    /// Whether both say the same.
    pub(crate) fn is(&self, other: &Rule) -> bool {
        self.order() == other.order()
            && self.action == other.action
            && self.criteria == other.criteria
    }

    /// It decides about a packet of so many bytes.
    #[inline]
    fn count(&self, bytes: u64) {
        self.hits.add(Hit::Packets as usize, 1);
        self.hits.add(Hit::Bytes as usize, bytes);
    }
}

/// An index of criteria, with its memory.
struct Search {
    shapes: KVVec<Shape>,
    pieces: KVVec<Piece>,
    buckets: KVVec<u32>,
    secret: [u64; 2],
}

/// Why there is no index.
pub(crate) enum Unbuilt {
    /// It would be too large.
    Full(Full),
    /// Something else.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Unbuilt {
    fn from(error: E) -> Self {
        Unbuilt::Failed(error.into())
    }
}

impl Search {
    /// Builds the index; ranks are places in the list.
    fn new<'a>(all: impl Iterator<Item = &'a Criteria> + Clone) -> Result<Search, Unbuilt> {
        let mut count = 0usize;
        for criteria in all.clone() {
            let pieces = ovnet_engine::policy::index::pieces(criteria);
            count = count.saturating_add(pieces.unwrap_or(PIECES_MAX));
        }
        if count > PIECES_MAX {
            return Err(Unbuilt::Full(Full::Pieces));
        }
        let mut shapes = filled(Shape::default(), SHAPES_MAX)?;
        let mut search = Search {
            shapes: KVVec::new(),
            pieces: filled(Piece::EMPTY, count)?,
            buckets: filled(EMPTY_BUCKET, buckets(count))?,
            secret: [random(), random()],
        };
        let mut builder = Builder::new(
            &mut shapes,
            &mut search.pieces,
            &mut search.buckets,
            search.secret,
        );
        for (rank, criteria) in (0..u32::MAX).zip(all) {
            builder.add(rank, criteria).map_err(Unbuilt::Full)?;
        }
        let used = builder.shapes();
        // Few are used mostly.
        search.shapes = KVVec::with_capacity(used, GFP_KERNEL_ACCOUNT)?;
        for &shape in shapes.iter().take(used) {
            push(&mut search.shapes, shape)?;
        }
        Ok(search)
    }

    #[inline]
    fn find(&self, subject: &Subject) -> Option<usize> {
        let index = Index {
            shapes: &self.shapes,
            pieces: &self.pieces,
            buckets: &self.buckets,
            secret: self.secret,
        };
        index.find(subject).map(|rank| rank as usize)
    }
}

/// Appends to a list that was made with room for it.
pub(crate) fn push<T>(list: &mut KVVec<T>, value: T) -> Result {
    list.push_within_capacity(value).map_err(|_| ENOMEM)
}

/// A list of so many copies.
fn filled<T: Copy>(value: T, count: usize) -> Result<KVVec<T>> {
    let mut list = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
    while list.len() < count {
        push(&mut list, value)?;
    }
    Ok(list)
}

/// What a network does without a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Defaults {
    /// With packets to its nodes.
    pub(crate) input: Action,
    /// With packets from its nodes.
    pub(crate) output: Action,
}

impl Defaults {
    /// What a network does of which nothing is said (AU1).
    pub(crate) const ALLOW: Defaults = Defaults {
        input: Action::Allow,
        output: Action::Allow,
    };
}

/// All that is said of a network's packets. A network without one allows them all.
pub(crate) struct Policy {
    /// The rules in their order: those for packets in, then those for packets out.
    rules: KVVec<Arc<Rule>>,
    /// How many are for packets in.
    inputs: usize,
    input: Search,
    output: Search,
    defaults: Defaults,
}

impl Policy {
    /// Builds the policy of rules in their order; none if it says nothing.
    pub(crate) fn new(
        rules: KVVec<Arc<Rule>>,
        defaults: Defaults,
    ) -> Result<Option<Policy>, Unbuilt> {
        if rules.is_empty() && defaults == Defaults::ALLOW {
            return Ok(None);
        }
        let mut inputs = 0usize;
        for _ in rules
            .iter()
            .take_while(|rule| rule.direction == Direction::In)
        {
            inputs = inputs.wrapping_add(1);
        }
        let of = |direction| {
            rules
                .iter()
                .filter(move |rule: &&Arc<Rule>| rule.direction == direction)
                .map(|rule| &rule.criteria)
        };
        let input = Search::new(of(Direction::In))?;
        let output = Search::new(of(Direction::Out))?;
        Ok(Some(Policy {
            rules,
            inputs,
            input,
            output,
            defaults,
        }))
    }

    /// The rules in their order.
    pub(crate) fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// What is done without a rule.
    pub(crate) fn defaults(&self) -> Defaults {
        self.defaults
    }

    /// As [`allows`].
    fn allows(&self, direction: Direction, subject: &Subject, len: u32) -> bool {
        match self.rule(direction, subject) {
            None => self.default(direction) == Action::Allow,
            Some(rule) if rule.action == Action::Allow => {
                rule.count(len.into());
                true
            }
            Some(_) => false,
        }
    }

    /// The rule that decides about a packet, if one does.
    #[inline]
    fn rule(&self, direction: Direction, subject: &Subject) -> Option<&Rule> {
        let place = match direction {
            Direction::In => self.input.find(subject),
            Direction::Out => self
                .output
                .find(subject)
                .map(|rank| rank.wrapping_add(self.inputs)),
        };
        self.rules.get(place?).map(|rule| &**rule)
    }

    fn default(&self, direction: Direction) -> Action {
        match direction {
            Direction::In => self.defaults.input,
            Direction::Out => self.defaults.output,
        }
    }
}

/// Which nodes of a network may send to which of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    /// The senders.
    pub(crate) src: Prefix,
    /// The receivers.
    pub(crate) dst: Prefix,
}

/// A direction between two networks (AU2): all that is granted.
pub(crate) struct Peering {
    grants: KVVec<Grant>,
    search: Search,
}

/// The key of a peering.
pub(crate) const fn peering_key(from: Vni, to: Vni) -> u64 {
    (from.get() as u64) << 32 | to.get() as u64
}

impl Peering {
    /// Builds the peering with these grants.
    pub(crate) fn new(grants: KVVec<Grant>) -> Result<Peering, Unbuilt> {
        let mut criteria = KVVec::with_capacity(grants.len(), GFP_KERNEL)?;
        for &Grant { src, dst } in &grants {
            let granted = Criteria {
                src,
                dst,
                ..Criteria::ALL
            };
            push(&mut criteria, granted)?;
        }
        let search = Search::new(criteria.iter())?;
        Ok(Peering { grants, search })
    }

    /// The grants.
    pub(crate) fn grants(&self) -> &[Grant] {
        &self.grants
    }
}

/// Whether a node of one network may send to one of another, rules aside (AU1, AU2).
#[inline]
pub(crate) fn authorised(
    host: &Host,
    (from, src): (Vni, Ipv4Addr),
    (to, dst): (Vni, Ipv4Addr),
    rcu: Rcu<'_>,
) -> bool {
    if from == to {
        return true;
    }
    let subject = Subject {
        src,
        dst,
        protocol: 0,
        l4: L4::None,
        len: 0,
        peer: to,
    };
    host.peerings()
        .get(peering_key(from, to), rcu)
        .is_some_and(|peering| peering.search.find(&subject).is_some())
}

/// What is known of a packet when it is held against the policy of a network.
pub(crate) struct Passage<'a> {
    /// The network of the node here.
    pub(crate) network: &'a Network,
    /// Whether that node sent the packet or is to receive it.
    pub(crate) direction: Direction,
    /// The network of the node at the other end.
    pub(crate) peer: Vni,
    /// Whether the packet is one of a node of this host, which can be told of its rejection.
    pub(crate) own: bool,
}

/// Admits a packet to its next step or says why not. It starts with its IPv4 header, which is known to be
/// right.
#[inline]
pub(crate) fn admits(
    host: &Host,
    passage: &Passage<'_>,
    packet: &mut Skb,
    watch: impl Observer,
    rcu: Rcu<'_>,
) -> Result<(), DropReason> {
    let policy = passage.network.policy.load(rcu);
    if policy.is_none() && passage.peer == passage.network.vni {
        return Ok(());
    }
    judge(host, passage, policy, packet, watch, rcu)
}

/// Whether a network allows an ordinary packet between two of its nodes, of so many bytes; the rule that says so
/// counts it. If not, nothing is done: who judges the packet again refuses it, and tells whom it concerns.
#[inline(always)]
pub(crate) fn allows(
    network: &Network,
    direction: Direction,
    len: u32,
    subject: impl FnOnce() -> Option<Subject>,
    rcu: Rcu<'_>,
) -> bool {
    match network.policy.load(rcu) {
        None => true,
        Some(policy) => subject().is_some_and(|subject| policy.allows(direction, &subject, len)),
    }
}

/// Admits an ARP request for the address of a node that the asker may send to, rules aside (TX4).
pub(crate) fn admits_arp(
    host: &Host,
    passage: &Passage<'_>,
    asker: Ipv4Addr,
    asked: Ipv4Addr,
    watch: impl Observer,
    rcu: Rcu<'_>,
) -> Result<(), DropReason> {
    let (own, peer) = (passage.network.vni, passage.peer);
    watch.step(|| Step::Peering(own, peer));
    if authorised(host, (own, asker), (peer, asked), rcu) {
        return Ok(());
    }
    let reason = DropReason::NotAuthorised;
    watch.report(OVNET_EVENT_KIND_REFUSED, || {
        host.report_refused(passage, asker, asked, reason, None);
    });
    Err(reason)
}

fn judge(
    host: &Host,
    passage: &Passage<'_>,
    policy: Option<&Policy>,
    packet: &mut Skb,
    watch: impl Observer,
    rcu: Rcu<'_>,
) -> Result<(), DropReason> {
    let ip = Ipv4::quoted(ipv4_head(packet)?)?;
    let (own, peer) = (passage.network.vni, passage.peer);
    let (from, to) = match passage.direction {
        Direction::In => (peer, own),
        Direction::Out => (own, peer),
    };
    watch.step(|| Step::Peering(from, to));
    if !authorised(host, (from, ip.src), (to, ip.dst), rcu) {
        let action = policy.map_or(Action::Deny, |policy| policy.default(passage.direction));
        let reason = DropReason::NotAuthorised;
        return Err(refuse(
            host,
            passage,
            &ip,
            packet,
            (reason, action, None),
            watch,
        ));
    }
    let Some(policy) = policy else {
        return Ok(());
    };
    let segment = packet.segment_size();
    let seen = usize::from(ip.payload_len()).min(L4_LEN);
    let header = usize::from(ip.header_len);
    let head = packet
        .head(header.wrapping_add(seen))
        .ok_or(DropReason::Malformed)?;
    let subject = Subject::new(&ip, head.get(header..).unwrap_or(&[]), segment, peer);
    let rule = policy.rule(passage.direction, &subject);
    let action = match rule {
        Some(rule) => {
            watch.act(|| rule.count(ip.total_len.into()));
            rule.action
        }
        None => policy.default(passage.direction),
    };
    let id = rule.map(|rule| rule.id);
    watch.step(|| Step::Policy(passage, id, action.number()));
    if action == Action::Allow {
        return Ok(());
    }
    let reason = DropReason::Policy;
    Err(refuse(
        host,
        passage,
        &ip,
        packet,
        (reason, action, id),
        watch,
    ))
}

/// Tells whom it concerns of a refusal (AU5), and gives its reason.
#[cold]
fn refuse(
    host: &Host,
    passage: &Passage<'_>,
    ip: &Ipv4,
    packet: &mut Skb,
    (reason, action, rule): (DropReason, Action, Option<u32>),
    watch: impl Observer,
) -> DropReason {
    watch.report(OVNET_EVENT_KIND_REFUSED, || {
        host.report_refused(passage, ip.src, ip.dst, reason, rule);
    });
    if action == Action::Reject && passage.own {
        packet.is_ipv4(ip.header_len);
        watch.step(|| Step::Reply(icmp::UNREACHABLE, icmp::PROHIBITED, None));
        watch.act(|| packet.answer_prohibited());
    }
    reason
}
