// SPDX-License-Identifier: GPL-2.0

//! Goes through every state of a model that can be reached.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

/// Something with states, of which each leads to others.
pub(crate) trait Model {
    /// A state.
    type State: Clone + Eq + Hash;
    /// What leads from one to another.
    type Action: Copy + Debug;

    /// Where it begins.
    fn start(&self) -> Self::State;

    /// What can happen, and where it leads.
    fn next(&self, state: &Self::State, next: &mut Vec<(Self::Action, Self::State)>);

    /// The rule that a state breaks.
    fn broken(&self, state: &Self::State) -> Option<&'static str>;

    /// Whether everything has come to its end.
    fn is_end(&self, state: &Self::State) -> bool;
}

/// What was found.
pub(crate) struct Found<A> {
    /// How many states there are.
    pub states: usize,
    /// How many steps between them.
    pub steps: usize,
    /// How many of the states are ends.
    pub ends: usize,
    /// The rule that is broken, and a shortest way to where it is. "No way leads to an end" is one.
    pub broken: Option<(&'static str, Vec<A>)>,
}

/// Goes through all states, nearest first, until a rule is broken. In the end, there must be a way
/// to an end from every one of them.
pub(crate) fn explore<M: Model>(model: &M) -> Found<M::Action> {
    let mut numbers: HashMap<M::State, u32> = HashMap::new();
    let mut states = vec![model.start()];
    let mut came: Vec<Option<(u32, M::Action)>> = vec![None];
    let mut back: Vec<(u32, u32)> = Vec::new();
    let mut ends = Vec::new();
    let mut next = Vec::new();
    numbers.insert(states[0].clone(), 0);
    let mut at = 0;
    let mut broken = None;
    while at < states.len() {
        let state = states[at].clone();
        if let Some(rule) = model.broken(&state) {
            broken = Some((rule, at));
            break;
        }
        if model.is_end(&state) {
            ends.push(at as u32);
        }
        model.next(&state, &mut next);
        for (action, state) in next.drain(..) {
            let number = *numbers.entry(state).or_insert_with_key(|state| {
                states.push(state.clone());
                came.push(Some((at as u32, action)));
                states.len() as u32 - 1
            });
            back.push((number, at as u32));
        }
        at += 1;
    }
    let mut found = Found {
        states: states.len(),
        steps: back.len(),
        ends: ends.len(),
        broken: None,
    };
    let broken = broken.or_else(|| stranded(states.len(), back, ends));
    found.broken = broken.map(|(rule, mut at)| {
        let mut way = Vec::new();
        while let Some((before, action)) = came[at] {
            way.push(action);
            at = before as usize;
        }
        way.reverse();
        (rule, way)
    });
    found
}

/// The first state from which no way leads to an end.
fn stranded(
    count: usize,
    mut back: Vec<(u32, u32)>,
    ends: Vec<u32>,
) -> Option<(&'static str, usize)> {
    back.sort_unstable();
    let mut reaches = vec![false; count];
    let mut rest = ends;
    while let Some(state) = rest.pop() {
        if std::mem::replace(&mut reaches[state as usize], true) {
            continue;
        }
        let first = back.partition_point(|(to, _)| *to < state);
        let from = back[first..].iter().take_while(|(to, _)| *to == state);
        rest.extend(from.map(|(_, from)| *from));
    }
    let first = reaches.iter().position(|reaches| !reaches);
    first.map(|state| ("no way leads to an end", state))
}
