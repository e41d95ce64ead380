// SPDX-License-Identifier: GPL-2.0

//! The rules of networks, and what networks do without one.
//!
//! A request changes all that it names or nothing. The policy of the network is built anew, in time that
//! grows with its rules: many rules go into one request rather than into one each.

use super::{vni, with_network, Answer};
use crate::{
    host::{Host, Network},
    net::{
        bindings::*,
        counters::Counters,
        netlink::{Attrs, Dump, Message, Nth, Part, Refusal, Request, RULE},
        rcu::{Rcu, Retired},
    },
    policy::{push, Action, Defaults, Direction, Hit, Policy, Rule, Unbuilt, RULES_MAX},
};
use core::{cmp::Ordering, net::Ipv4Addr};
use kernel::{
    prelude::*,
    sync::{rcu, Arc},
};
use ovnet_engine::{
    policy::{
        index::{pieces, Full},
        Criteria, Prefix, Span, Transport, ICMP,
    },
    Vni,
};

/// The priority of a rule that has none.
const PRIORITY: u16 = 1000;

/// The rules of a network in their order, and what it does without one.
type Said = (KVVec<Arc<Rule>>, Defaults);

/// Adds rules, or replaces those with the same ids.
pub(crate) fn set(host: &Host, request: &Request<'_>) -> Answer {
    let vni = vni(request, OVNET_A_POLICY_VNI)?;
    let mut new = KVVec::with_capacity(request.count(OVNET_A_POLICY_RULE), GFP_KERNEL)?;
    request.each_nest(OVNET_A_POLICY_RULE, RULE, |nest| {
        Ok(push(&mut new, rule(nest)?)?)
    })?;
    if new.is_empty() {
        return Err(request.missing(OVNET_A_POLICY_RULE, c"the rules are missing"));
    }
    change(host, vni, |(known, defaults)| {
        let new = number(&known, new)?;
        Ok((merge(&known, new)?, defaults))
    })
}

/// Deletes rules.
pub(crate) fn del(host: &Host, request: &Request<'_>) -> Answer {
    let vni = vni(request, OVNET_A_POLICY_VNI)?;
    let mut ids = KVVec::with_capacity(request.count(OVNET_A_POLICY_ID), GFP_KERNEL)?;
    request.each_u32(OVNET_A_POLICY_ID, |id| {
        // There is room for all of them.
        let _ = push(&mut ids, id);
    });
    if ids.is_empty() {
        return Err(request.missing(OVNET_A_POLICY_ID, c"the ids of the rules are missing"));
    }
    sort_by(&mut ids, |&id| id);
    let twice = ids
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if a == b));
    let asked = ids.len().wrapping_sub(count(twice));
    change(host, vni, |(known, defaults)| {
        let mut kept = KVVec::with_capacity(known.len(), GFP_KERNEL_ACCOUNT)?;
        for rule in &known {
            if find(&mut ids, &rule.id, |&id| id).is_none() {
                push(&mut kept, rule.clone())?;
            }
        }
        if known.len().wrapping_sub(kept.len()) != asked {
            return Err(no_rule());
        }
        Ok((kept, defaults))
    })
}

/// Changes what a network does without a rule. Under the control lock; the former policy is to be dropped
/// outside it.
pub(super) fn set_defaults(
    network: &Network,
    input: Option<u32>,
    output: Option<u32>,
) -> Result<Retired<Policy>, Refusal> {
    if input.is_none() && output.is_none() {
        return Ok(Retired::nothing());
    }
    rebuild(network, |(rules, defaults)| {
        let defaults = Defaults {
            input: input.map_or(defaults.input, Action::from_number),
            output: output.map_or(defaults.output, Action::from_number),
        };
        Ok((rules, defaults))
    })
}

/// What a network does without a rule, and how many rules it has.
pub(super) fn put_summary(message: &mut Message<'_>, network: &Network) -> Result {
    let reader = rcu::read_lock();
    let policy = network.policy.load(Rcu::from(&reader));
    let defaults = policy.map_or(Defaults::ALLOW, Policy::defaults);
    let rules = policy.map_or(0, |policy| policy.rules().len());
    message.put_u32(OVNET_A_NETWORK_POLICY_IN, defaults.input.number())?;
    message.put_u32(OVNET_A_NETWORK_POLICY_OUT, defaults.output.number())?;
    message.put_u32(OVNET_A_NETWORK_RULES, rules as u32)
}

/// Says what one rule is.
pub(crate) fn get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let vni = vni(request, OVNET_A_POLICY_VNI)?;
    let id = request
        .u32(OVNET_A_POLICY_ID)
        .ok_or_else(|| request.missing(OVNET_A_POLICY_ID, c"the id of the rule is missing"))?;
    let network = with_network(host, vni, OVNET_A_POLICY_VNI, Arc::clone)?;
    let reader = rcu::read_lock();
    let policy = network.policy.load(Rcu::from(&reader));
    let rule = policy.and_then(|policy| policy.rules().iter().find(|rule| rule.id == id));
    Ok(put_rule(message, vni.get(), rule.ok_or_else(no_rule)?)?)
}

/// Says what each rule is, of one network or of all.
pub(crate) fn dump(host: &Host, dump: &mut Dump<'_>) -> bool {
    let only = dump.u32(OVNET_A_POLICY_VNI);
    dump.walk_table(Nth::First, |dump, vni, network: &Arc<Network>, restarts| {
        if only.is_some_and(|only| u64::from(only) != vni) {
            return true;
        }
        dump.set_version(Part::List, restarts.wrapping_add(host.policy_changes()));
        let reader = rcu::read_lock();
        let policy = network.policy.load(Rcu::from(&reader));
        let rules = policy.map_or(&[][..], Policy::rules);
        let mut done = dump.cursor();
        for rule in rules.iter().skip(done) {
            if !dump.put(|message| put_rule(message, vni as u32, rule)) {
                dump.set_cursor(done);
                return false;
            }
            done = done.wrapping_add(1);
        }
        dump.set_cursor(0);
        true
    })
}

/// Changes the policy of a network.
fn change(host: &Host, vni: Vni, f: impl FnOnce(Said) -> Result<Said, Refusal>) -> Answer {
    let control = host.control().lock();
    let network = with_network(host, vni, OVNET_A_POLICY_VNI, Arc::clone)?;
    let former = rebuild(&network, f)?;
    host.policy_changed();
    drop(control);
    // Others need not wait for the readers of what was replaced.
    drop(former);
    Ok(())
}

/// Builds the policy of a network anew. Under the control lock.
fn rebuild(
    network: &Network,
    f: impl FnOnce(Said) -> Result<Said, Refusal>,
) -> Result<Retired<Policy>, Refusal> {
    let (rules, defaults) = f(said(network)?)?;
    let policy = Policy::new(rules, defaults).map_err(unbuilt)?;
    Ok(network.policy.replace(policy)?)
}

/// What is said of a network now. Under the control lock.
fn said(network: &Network) -> Result<Said> {
    let reader = rcu::read_lock();
    let policy = network.policy.load(Rcu::from(&reader));
    let count = policy.map_or(0, |policy| policy.rules().len());
    drop(reader);
    // Memory may be waited for, and nobody changes the rules meanwhile.
    let mut rules = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
    let reader = rcu::read_lock();
    let Some(policy) = network.policy.load(Rcu::from(&reader)) else {
        return Ok((rules, Defaults::ALLOW));
    };
    for rule in policy.rules() {
        push(&mut rules, rule.clone())?;
    }
    Ok((rules, policy.defaults()))
}

/// Gives rules without an id the next ones, and sorts them by their ids, of which no two may be the same.
fn number(known: &[Arc<Rule>], new: KVVec<Rule>) -> Result<KVVec<Arc<Rule>>, Refusal> {
    let last = known.iter().map(|rule| rule.id).max().unwrap_or(0);
    let mut last = new.iter().map(|rule| rule.id).fold(last, u32::max);
    let mut numbered = KVVec::with_capacity(new.len(), GFP_KERNEL)?;
    for mut rule in new {
        if rule.id == 0 {
            let text = c"the greatest id of a rule is taken: choose one";
            last = last.checked_add(1).ok_or(Refusal::new(ERANGE, text))?;
            rule.id = last;
        }
        push(&mut numbered, Arc::new(rule, GFP_KERNEL_ACCOUNT)?)?;
    }
    sort_by(&mut numbered, |rule| rule.id);
    let twice = |pair: &[Arc<Rule>]| matches!(pair, [a, b] if a.id == b.id);
    if numbered.windows(2).any(twice) {
        return Err(wrong(c"two rules of the request have the same id"));
    }
    Ok(numbered)
}

/// The rules that are known, those of the same ids replaced, and the new ones, which are sorted by their
/// ids. A rule that stays as it was keeps what it counted.
fn merge(known: &[Arc<Rule>], mut new: KVVec<Arc<Rule>>) -> Result<KVVec<Arc<Rule>>, Refusal> {
    let mut kept = KVVec::with_capacity(known.len(), GFP_KERNEL)?;
    for old in known {
        match find(&mut new, &old.id, |rule| rule.id) {
            Some(new) if new.is(old) => *new = old.clone(),
            Some(_) => {}
            None => push(&mut kept, old)?,
        }
    }
    let count = kept.len().wrapping_add(new.len());
    if count > RULES_MAX {
        let text = c"a network has at most 65536 rules on a host";
        return Err(Refusal::new(ENOSPC, text).at(OVNET_A_POLICY_RULE));
    }
    sort_by(&mut new, |rule| rule.order());
    let mut merged = KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;
    let mut kept = kept.into_iter().peekable();
    for new in new {
        while let Some(old) = kept.next_if(|old| old.order() < new.order()) {
            push(&mut merged, old.clone())?;
        }
        push(&mut merged, new)?;
    }
    for old in kept {
        push(&mut merged, old.clone())?;
    }
    Ok(merged)
}

/// Sorts in place. What comes in order already, as it mostly does, is only looked at.
fn sort_by<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    for end in 2..=items.len() {
        let mut at = end;
        while let Some([.., before, last]) = items.get_mut(..at) {
            if key(before) <= key(last) {
                break;
            }
            core::mem::swap(before, last);
            at = at.wrapping_sub(1);
        }
    }
}

/// The item of a sorted list that has this key.
fn find<'a, T, K: Ord>(
    mut sorted: &'a mut [T],
    wanted: &K,
    key: impl Fn(&T) -> K,
) -> Option<&'a mut T> {
    loop {
        let (before, from) = sorted.split_at_mut_checked(sorted.len() / 2)?;
        let (middle, after) = from.split_first_mut()?;
        sorted = match key(middle).cmp(wanted) {
            Ordering::Equal => return Some(middle),
            Ordering::Less => after,
            Ordering::Greater => before,
        };
    }
}

fn count(items: impl Iterator) -> usize {
    items.fold(0, |count: usize, _| count.wrapping_add(1))
}

/// Reads a rule.
fn rule(nest: &Attrs<'_>) -> Result<Rule, Refusal> {
    let direction = nest
        .u32(OVNET_A_RULE_DIRECTION)
        .ok_or_else(|| wrong(c"a rule's direction is missing: in or out"))?;
    let action = nest
        .u32(OVNET_A_RULE_ACTION)
        .ok_or_else(|| wrong(c"a rule's action is missing: allow, deny or reject"))?;
    let criteria = Criteria {
        src: prefix(nest.ipv4(OVNET_A_RULE_SRC), nest.u8(OVNET_A_RULE_SRC_LEN))?,
        dst: prefix(nest.ipv4(OVNET_A_RULE_DST), nest.u8(OVNET_A_RULE_DST_LEN))?,
        transport: transport(nest)?,
        size: span(nest, OVNET_A_RULE_SIZE_MIN, OVNET_A_RULE_SIZE_MAX)?,
        peer: nest.u32(OVNET_A_RULE_PEER).and_then(Vni::new),
    };
    if pieces(&criteria).is_none() {
        let text =
            c"both ranges of ports are too ragged: split the rule, or align one to 16 or 256";
        return Err(wrong(text));
    }
    Ok(Rule {
        id: nest.u32(OVNET_A_RULE_ID).unwrap_or(0),
        direction: Direction::from_number(direction),
        priority: nest.u16(OVNET_A_RULE_PRIORITY).unwrap_or(PRIORITY),
        action: Action::from_number(action),
        criteria,
        hits: Counters::new()?,
    })
}

/// Reads a prefix; no address is all of them, an address without a length itself.
pub(super) fn prefix(address: Option<Ipv4Addr>, len: Option<u8>) -> Result<Prefix, Refusal> {
    let len = len.unwrap_or(if address.is_some() { 32 } else { 0 });
    Prefix::new(address.unwrap_or(Ipv4Addr::UNSPECIFIED), len)
        .ok_or_else(|| wrong(c"bits of an address are set beyond the length of its prefix"))
}

fn span(nest: &Attrs<'_>, min: u32, max: u32) -> Result<Span, Refusal> {
    let (min, max) = (
        nest.u16(min).unwrap_or(0),
        nest.u16(max).unwrap_or(u16::MAX),
    );
    Span::new(min, max).ok_or_else(|| wrong(c"a range ends before it begins"))
}

fn transport(nest: &Attrs<'_>) -> Result<Transport, Refusal> {
    let protocol = nest.u8(OVNET_A_RULE_PROTOCOL).filter(|&number| number != 0);
    let src = span(nest, OVNET_A_RULE_SPORT_MIN, OVNET_A_RULE_SPORT_MAX)?;
    let dst = span(nest, OVNET_A_RULE_DPORT_MIN, OVNET_A_RULE_DPORT_MAX)?;
    let ports = (src, dst) != (Span::ALL, Span::ALL);
    let code = nest.u8(OVNET_A_RULE_ICMP_CODE);
    match (nest.u8(OVNET_A_RULE_ICMP_TYPE), protocol) {
        (Some(_), _) if ports => Err(wrong(c"ICMP has no ports")),
        (Some(kind), None | Some(ICMP)) => Ok(Transport::Icmp { kind, code }),
        (Some(_), Some(_)) => Err(wrong(c"only ICMP has ICMP types: leave the protocol out")),
        (None, _) if code.is_some() => Err(wrong(c"an ICMP code needs a type")),
        (None, protocol) if ports => {
            let transport = Transport::Ports { protocol, src, dst };
            if !transport.is_sound() {
                let text = c"that protocol has no ports: TCP, UDP, DCCP, SCTP and UDP-Lite have";
                return Err(wrong(text));
            }
            Ok(transport)
        }
        (None, Some(number)) => Ok(Transport::Protocol(number)),
        (None, None) => Ok(Transport::Any),
    }
}

fn wrong(text: &'static CStr) -> Refusal {
    Refusal::new(EINVAL, text)
}

fn no_rule() -> Refusal {
    Refusal::new(ENOENT, c"the network has no rule with that id on this host").at(OVNET_A_POLICY_ID)
}

/// Why a policy, or a peering, is not built.
pub(super) fn unbuilt(why: Unbuilt) -> Refusal {
    let text = match why {
        Unbuilt::Failed(error) => return error.into(),
        Unbuilt::Full(Full::Shapes) => {
            c"more than 64 combinations of prefix lengths, protocol, block sizes of ports and peer: use fewer"
        }
        Unbuilt::Full(Full::Alike) => c"more than 64 rules differ in nothing but size and priority",
        Unbuilt::Full(Full::Pieces) => c"the ranges of ports make too many blocks: align them to 16 or 256",
    };
    Refusal::new(ENOSPC, text)
}

fn put_rule(message: &mut Message<'_>, vni: u32, rule: &Rule) -> Result {
    message.put_u32(OVNET_A_POLICY_VNI, vni)?;
    message.put_nest(OVNET_A_POLICY_RULE, |nest| {
        nest.put_u32(OVNET_A_RULE_ID, rule.id)?;
        nest.put_u32(OVNET_A_RULE_DIRECTION, rule.direction.number())?;
        nest.put_u16(OVNET_A_RULE_PRIORITY, rule.priority)?;
        nest.put_u32(OVNET_A_RULE_ACTION, rule.action.number())?;
        put_prefix(
            nest,
            rule.criteria.src,
            OVNET_A_RULE_SRC,
            OVNET_A_RULE_SRC_LEN,
        )?;
        put_prefix(
            nest,
            rule.criteria.dst,
            OVNET_A_RULE_DST,
            OVNET_A_RULE_DST_LEN,
        )?;
        put_transport(nest, rule.criteria.transport)?;
        let size = rule.criteria.size;
        put_span(nest, size, OVNET_A_RULE_SIZE_MIN, OVNET_A_RULE_SIZE_MAX)?;
        if let Some(peer) = rule.criteria.peer {
            nest.put_u32(OVNET_A_RULE_PEER, peer.get())?;
        }
        nest.put_u64(OVNET_A_RULE_PACKETS, rule.hits.sum(Hit::Packets as usize))?;
        nest.put_u64(OVNET_A_RULE_BYTES, rule.hits.sum(Hit::Bytes as usize))
    })
}

/// Says what a prefix is, unless it is all addresses.
pub(super) fn put_prefix(
    message: &mut Message<'_>,
    prefix: Prefix,
    address: u32,
    len: u32,
) -> Result {
    if prefix == Prefix::ALL {
        return Ok(());
    }
    message.put_ipv4(address, prefix.address())?;
    message.put_u8(len, prefix.length())
}

fn put_span(message: &mut Message<'_>, span: Span, min: u32, max: u32) -> Result {
    if span == Span::ALL {
        return Ok(());
    }
    message.put_u16(min, span.first())?;
    message.put_u16(max, span.last())
}

fn put_transport(nest: &mut Message<'_>, transport: Transport) -> Result {
    match transport {
        Transport::Any => Ok(()),
        Transport::Protocol(number) => nest.put_u8(OVNET_A_RULE_PROTOCOL, number),
        Transport::Ports { protocol, src, dst } => {
            if let Some(number) = protocol {
                nest.put_u8(OVNET_A_RULE_PROTOCOL, number)?;
            }
            put_span(nest, src, OVNET_A_RULE_SPORT_MIN, OVNET_A_RULE_SPORT_MAX)?;
            put_span(nest, dst, OVNET_A_RULE_DPORT_MIN, OVNET_A_RULE_DPORT_MAX)
        }
        Transport::Icmp { kind, code } => {
            nest.put_u8(OVNET_A_RULE_PROTOCOL, ICMP)?;
            nest.put_u8(OVNET_A_RULE_ICMP_TYPE, kind)?;
            code.map_or(Ok(()), |code| nest.put_u8(OVNET_A_RULE_ICMP_CODE, code))
        }
    }
}
