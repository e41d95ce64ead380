// SPDX-License-Identifier: GPL-2.0

//! A model of a move, a lease and a fence, small enough that all that can happen is looked at:
//! two hosts with kernels and agents, managers that plan on what they know and a store that
//! compares and sets, and somebody who sends to the node.
//!
//! Messages can be lost, repeated and delivered late: what a host has said it may be heard to say
//! for ever, and what it is told on a connection it may be told again, in any order. Agents,
//! hosts and managers die at any time. What leads a move on is [`State::after`] itself: the model
//! and the program cannot differ in it.
//!
//! Each rule has a flaw that breaks it, put in on purpose: a model that finds nothing wrong
//! with those would show nothing.

mod explore;

use explore::{explore, Model};
use ovnet_mgr::core::moves::{Side, State, Step};

const SOURCE: usize = 0;
const DESTINATION: usize = 1;
/// The boot of both hosts when the move is ordered.
const FIRST: u8 = 1;
/// More transactions are not under way at a time.
const PLANS: usize = 2;
/// Claims beyond this generation would only be more of the same.
const GENERATIONS: u8 = 3;
/// Agents and hosts that die, in one way that things go: of a planned move, and of one from a host
/// whose lease ends.
const FAULTS: [u8; 2] = [2, 1];

/// A port in the kernel of a host. The generation is the one with which its address is local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Port {
    None,
    /// It has a node, whose address is not this host's (yet).
    Waiting,
    Live(u8),
    /// The node pauses, and what arrives for it is sent on.
    Frozen(u8),
    /// What arrives for it is sent on; the node is not here any more.
    Moved,
}

/// The node itself on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Copied {
    None,
    Running,
    Paused,
    /// All of it has arrived, and it does not run yet.
    Whole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Host {
    up: bool,
    boot: u8,
    port: Port,
    /// The latest generation with which the address was local in this boot.
    known: u8,
    node: Copied,
    /// The agent has a manager.
    connected: bool,
    /// The latest state that this agent was told of.
    seen: Option<State>,
    /// What may still arrive on the connection: a bit for each state.
    told: u8,
}

/// A transaction that was planned: what it writes, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Plan {
    /// With the generation and the boots that must not have changed, if any must not.
    Step(Step, State, Option<(u8, [u8; 2], [u8; 2])>),
    /// A host's claim: its boot, and the generation that is claimed from.
    Claim(usize, u8, u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    // The store.
    state: State,
    home: usize,
    at: (usize, u8),
    generation: u8,
    /// The generation when the node was to be frozen.
    bound: u8,
    /// The generation that the commit wrote.
    committed: u8,
    boots: [u8; 2],
    fenced: [u8; 2],
    plans: Vec<Plan>,
    hosts: [Host; 2],
    /// What hosts have said: steps with the host that made them.
    said: Vec<(usize, Step)>,
    /// Claims that were granted: the host, its boot, the generation.
    granted: Vec<(usize, u8, u8)>,
    /// Where a sender believes the node to be, and since which generation.
    sender: (usize, u8),
    /// The lease of the source has run out in its kernel.
    expired: bool,
    /// How often something may still go wrong.
    faults: u8,
}

#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "the fields are for the trace")]
enum Action {
    Hear(usize, State),
    Plan(Plan),
    Write(Plan),
    Lose(Plan),
    Grant(usize, u8),
    Copy,
    Attach(usize),
    Learn,
    AgentDies(usize),
    Welcome(usize),
    WelcomeOfOld(usize),
    MachineDies(usize),
    Boot(usize),
    LeaseEnds,
    Fence(usize),
}

/// What is wrong with the model on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// A move can be aborted after its commit.
    AbortAfterCommit,
    /// A dead host's node is taken before its lease is over.
    EarlyFence,
    /// The commit does not look at boots and generations.
    BlindCommit,
    /// A move settles before everybody knows.
    EarlySettle,
    /// A manager that lags welcomes a host with frozen ports.
    LaggingWelcome,
    /// The commit does not see that the source has bound the node anew since it froze it.
    ClaimWhileFrozen,
    /// Nothing leads out of the commit but the boot of the destination that it was made for.
    NoWayOut,
}

struct Mover {
    flaw: Flaw,
    /// The source's lease ends, and its node is taken from it.
    failure: bool,
}

impl Mover {
    fn after(&self, state: State, step: Step) -> Option<State> {
        match (self.flaw, state, step) {
            (Flaw::AbortAfterCommit, State::Commit, Step::Abort) => Some(State::Aborted),
            (Flaw::NoWayOut, State::Commit, Step::Fenced) => None,
            _ => state.after(step),
        }
    }

    /// What an agent does with what it is told.
    fn hear(&self, world: &mut World, host: usize, state: State) {
        let (committed, bound) = (world.committed, world.bound);
        let this = &mut world.hosts[host];
        if this.seen.is_some_and(|seen| seen > state) {
            return;
        }
        this.seen = Some(state);
        if host == SOURCE {
            if this.boot != FIRST {
                return;
            }
            match (state, this.port) {
                // With the generation that it is told of: no grant of that is good any more.
                (State::Freeze, Port::Live(_)) => {
                    this.known = this.known.max(bound);
                    this.port = Port::Frozen(this.known);
                    this.node = Copied::Paused;
                }
                (State::Aborted, Port::Frozen(generation)) => {
                    this.port = Port::Live(generation);
                    this.node = Copied::Running;
                }
                (State::Commit | State::Active | State::Settled, port) => {
                    if port != Port::None {
                        this.port = Port::Moved;
                    }
                    if state != State::Commit {
                        this.node = Copied::None;
                    }
                }
                _ => {}
            }
            return;
        }
        match state {
            State::Prepare if this.boot == FIRST && this.port == Port::None => {
                this.port = Port::Waiting;
                // The node of a dead host is started anew.
                if self.failure {
                    this.node = Copied::Whole;
                }
            }
            State::Commit | State::Active | State::Settled => {
                let whole = this.node == Copied::Whole;
                if this.boot == FIRST && this.port == Port::Waiting && whole {
                    (this.port, this.known) = (Port::Live(committed), committed);
                    this.node = Copied::Running;
                }
            }
            State::Aborted if !matches!(this.port, Port::Live(_)) => {
                this.port = Port::None;
                this.node = Copied::None;
            }
            _ => {}
        }
    }

    /// What happens by itself: hosts are told how far the move has come, which may reach them at any
    /// time, and say what they have to say, which may be heard at any time. What cannot make a
    /// difference any more is forgotten.
    fn settle(&self, world: &mut World) {
        let state = world.state;
        for host in [SOURCE, DESTINATION] {
            let alive = !Self::is_over(world, host, world.hosts[host].boot);
            if world.hosts[host].connected && alive {
                world.hosts[host].told |= 1 << state as u8;
            }
            if let Some(seen) = world.hosts[host].seen {
                world.hosts[host].told &= !((2 << seen as u8) - 1);
            }
            if let Some(step) = self.says(world, host) {
                if !world.said.contains(&(host, step)) {
                    world.said.push((host, step));
                    world.said.sort_unstable();
                }
            }
        }
        let matters = |step| {
            let later = State::ALL.into_iter().filter(|later| *later >= state);
            !state.is_over()
                && later
                    .into_iter()
                    .any(|later| self.after(later, step).is_some())
        };
        world.said.retain(|(_, step)| matters(*step));
        let (hosts, generation) = (world.hosts, world.generation);
        world.granted.retain(|(host, boot, generation)| {
            hosts[*host].boot == *boot && *generation > hosts[*host].known
        });
        let (boots, fenced) = (world.boots, world.fenced);
        world.plans.retain(|plan| match plan {
            Plan::Step(_, from, rest) => {
                let all = (generation, boots, fenced);
                *from == state && rest.is_none_or(|rest| rest == all)
            }
            Plan::Claim(_, _, from) => *from == generation,
        });
    }

    /// Whether a host has something to say, going by what it was told.
    fn says(&self, world: &World, host: usize) -> Option<Step> {
        let this = &world.hosts[host];
        if !this.up || !this.connected {
            return None;
        }
        match (host, this.seen?, this.port) {
            (DESTINATION, State::Prepare, Port::Waiting) => Some(Step::Ready),
            (DESTINATION, State::Commit, Port::Live(_)) => Some(Step::Resumed),
            (SOURCE, State::Armed, Port::Live(_)) if this.boot == FIRST => Some(Step::Converged),
            (SOURCE, State::Freeze, Port::Frozen(_)) => Some(Step::Frozen),
            _ => None,
        }
    }

    fn is_over(world: &World, host: usize, boot: u8) -> bool {
        boot < world.boots[host] || boot <= world.fenced[host]
    }

    /// The node is bound to the source in the boot of the move.
    fn is_as_ordered(world: &World) -> bool {
        world.at == (SOURCE, FIRST) && world.home == SOURCE
    }

    /// What a manager may plan, going by what it knows now.
    fn plans(&self, world: &World, plans: &mut Vec<Plan>) {
        let state = world.state;
        let all = (world.generation, world.boots, world.fenced);
        let dead = [SOURCE, DESTINATION].map(|host| Self::is_over(world, host, FIRST));
        let forgets = self.flaw == Flaw::ClaimWhileFrozen;
        let mut step = |step, rest| {
            if self.after(state, step).is_some() {
                plans.push(Plan::Step(step, state, rest));
            }
        };
        for (host, said) in &world.said {
            let side = [Side::Source, Side::Destination][*host];
            assert!(said.is_of(side));
            let at_destination = world.at.0 == DESTINATION
                && !Self::is_over(world, DESTINATION, world.at.1)
                && (world.at.1 == FIRST || self.flaw != Flaw::NoWayOut);
            match said {
                Step::Frozen if self.flaw == Flaw::BlindCommit => step(*said, None),
                Step::Frozen if dead != [false; 2] || !Self::is_as_ordered(world) => {}
                Step::Frozen if world.bound != world.generation && !forgets => {}
                Step::Converged => step(*said, Some(all)),
                Step::Frozen => step(*said, Some(all)),
                Step::Resumed if !at_destination => {}
                _ => step(*said, None),
            }
        }
        // The operator, a host, or the leader that has waited for too long.
        step(Step::Abort, None);
        if state == State::Commit {
            // No boot of the destination is left that could say that the node goes on.
            if world.fenced[DESTINATION] >= world.boots[DESTINATION] {
                step(Step::Fenced, Some(all));
            }
        } else if self.failure && dead == [true, false] && Self::is_as_ordered(world) {
            step(Step::Fenced, Some(all));
        }
        if world.sender.1 == world.generation || self.flaw == Flaw::EarlySettle {
            step(Step::Settled, None);
        }
        for host in [SOURCE, DESTINATION] {
            let this = &world.hosts[host];
            let claims = this.up && this.connected && this.port == Port::Waiting;
            // Nobody is granted what another host may still have.
            let free = world.at.0 == host || Self::is_over(world, world.at.0, world.at.1);
            let more = world.at != (host, this.boot) || world.generation < GENERATIONS;
            let arrives = host == DESTINATION && this.boot == FIRST;
            if claims && world.home == host && free && !arrives && more {
                plans.push(Plan::Claim(host, this.boot, world.generation));
            }
        }
    }

    /// The store carries a plan out, if what it rests on is as it was.
    fn write(&self, world: &mut World, plan: Plan) {
        match plan {
            Plan::Step(step, state, rest) => {
                let all = (world.generation, world.boots, world.fenced);
                let Some(next) = self.after(state, step) else {
                    return;
                };
                if world.state != state || rest.is_some_and(|rest| rest != all) {
                    return;
                }
                world.state = next;
                if next == State::Freeze {
                    world.bound = world.generation;
                }
                if next == State::Commit {
                    world.home = DESTINATION;
                    world.at = (DESTINATION, FIRST);
                    world.generation += 1;
                    world.committed = world.generation;
                }
                if next == State::Aborted {
                    world.home = SOURCE;
                }
            }
            Plan::Claim(host, boot, generation) => {
                let same = world.generation == generation && world.home == host;
                if !same || Self::is_over(world, host, boot) {
                    return;
                }
                world.at = (host, boot);
                world.generation += 1;
                world.granted.push((host, boot, world.generation));
                world.granted.sort_unstable();
            }
        }
    }

    /// A manager has an agent begin: first what is under way, then the welcome.
    fn welcome(&self, world: &mut World, host: usize, lags: bool) {
        let state = world.state;
        let at = world.at;
        world.hosts[host].connected = true;
        // One that lags has heard of no move, and the node is where it was.
        if !lags && !state.is_over() {
            return self.hear(world, host, state);
        }
        let bound = match lags {
            true => (SOURCE, FIRST),
            false => at,
        };
        let this = &mut world.hosts[host];
        if let Port::Frozen(generation) = this.port {
            if bound == (host, this.boot) {
                this.port = Port::Live(generation);
                this.node = Copied::Running;
            } else {
                this.port = Port::Moved;
                this.node = Copied::None;
            }
        }
        let over = !lags && state == State::Aborted;
        if host == DESTINATION && over && this.port == Port::Waiting {
            this.port = Port::None;
            this.node = Copied::None;
        }
    }
}

impl Model for Mover {
    type State = World;
    type Action = Action;

    fn start(&self) -> World {
        let host = |port, node| Host {
            up: true,
            boot: FIRST,
            port,
            known: u8::from(port == Port::Live(1)),
            node,
            connected: true,
            seen: None,
            told: 0,
        };
        World {
            state: State::Prepare,
            home: SOURCE,
            at: (SOURCE, FIRST),
            generation: 1,
            bound: 0,
            committed: 0,
            boots: [FIRST; 2],
            fenced: [0; 2],
            plans: Vec::new(),
            hosts: [
                host(Port::Live(1), Copied::Running),
                host(Port::None, Copied::None),
            ],
            said: Vec::new(),
            granted: Vec::new(),
            sender: (SOURCE, 1),
            expired: false,
            faults: FAULTS[usize::from(self.failure)],
        }
    }

    fn next(&self, world: &World, next: &mut Vec<(Action, World)>) {
        let mut to = |action, change: &dyn Fn(&mut World)| {
            let mut after = world.clone();
            change(&mut after);
            self.settle(&mut after);
            if after != *world {
                next.push((action, after));
            }
        };
        for host in [SOURCE, DESTINATION] {
            let this = world.hosts[host];
            let alive = !Self::is_over(world, host, this.boot);
            if this.up && this.connected {
                for state in State::ALL {
                    let later = this.seen.is_none_or(|seen| state > seen);
                    if this.told & 1 << state as u8 != 0 && later {
                        to(Action::Hear(host, state), &|w| {
                            self.hear(w, host, state);
                        });
                    }
                }
            }
            for (of, boot, generation) in &world.granted {
                if *of == host && this.up && this.boot == *boot && alive {
                    to(Action::Grant(host, *generation), &|w| {
                        let this = &mut w.hosts[host];
                        let waits = matches!(this.port, Port::Waiting | Port::Live(_));
                        if waits && *generation > this.known {
                            this.port = Port::Live(*generation);
                            this.known = *generation;
                            this.node = Copied::Running;
                            w.expired &= host != SOURCE;
                        }
                    });
                }
            }
            // Somebody starts the node anew where it is to be; or what brings nodes does, again.
            if this.up && this.port == Port::None && world.home == host && this.boot > FIRST {
                to(Action::Attach(host), &|w| {
                    w.hosts[host].port = Port::Waiting;
                    w.hosts[host].node = Copied::Whole;
                });
            }
            if this.up && this.connected && world.faults > 0 {
                to(Action::AgentDies(host), &|w| {
                    w.faults -= 1;
                    let this = &mut w.hosts[host];
                    (this.connected, this.seen, this.told) = (false, None, 0);
                });
            }
            if this.up && !this.connected && alive {
                to(Action::Welcome(host), &|w| {
                    w.boots[host] = w.boots[host].max(this.boot);
                    self.welcome(w, host, false);
                });
                let frozen = matches!(this.port, Port::Frozen(_));
                if this.boot == FIRST && (!frozen || self.flaw == Flaw::LaggingWelcome) {
                    to(Action::WelcomeOfOld(host), &|w| self.welcome(w, host, true));
                }
            }
            // A host that is fenced is good for nothing before it is booted.
            // Nor is a destination that waits for a node which died with its host before all of it
            // had arrived: an alarm says so, and it is booted to have the node begin anew.
            let [source, destination] = world.hosts.map(|host| host.node);
            let gone = source != Copied::Paused && destination == Copied::None;
            let first = host == DESTINATION && this.boot == FIRST;
            let waits = first && world.state == State::Commit && gone;
            if this.up && (world.faults > 0 || !alive || waits) {
                to(Action::MachineDies(host), &|w| {
                    w.faults -= u8::from(alive && !waits);
                    w.expired &= host != SOURCE;
                    w.hosts[host] = Host {
                        up: false,
                        port: Port::None,
                        known: 0,
                        node: Copied::None,
                        connected: false,
                        seen: None,
                        told: 0,
                        ..this
                    };
                });
            }
            if !this.up {
                to(Action::Boot(host), &|w| {
                    w.hosts[host].up = true;
                    w.hosts[host].boot += 1;
                });
            }
            // Its lease is over, by its own clock, before the manager says that it is fenced.
            let cut = host == SOURCE && (world.expired || self.flaw == Flaw::EarlyFence);
            if (!this.up || cut && self.failure) && world.fenced[host] < this.boot {
                to(Action::Fence(host), &|w| w.fenced[host] = this.boot);
            }
        }
        let source = world.hosts[SOURCE];
        if self.failure && !world.expired && source.up && source.boot == FIRST {
            to(Action::LeaseEnds, &|w| {
                w.expired = true;
                let this = &mut w.hosts[SOURCE];
                if matches!(this.port, Port::Live(_) | Port::Frozen(_)) {
                    this.port = Port::Waiting;
                }
            });
        }
        let here = world.hosts[DESTINATION];
        let fetched = matches!(here.port, Port::Waiting) && here.node == Copied::None;
        if source.node == Copied::Paused && fetched && here.up {
            to(Action::Copy, &|w| {
                w.hosts[DESTINATION].node = Copied::Whole;
                if let Some(seen) = here.seen {
                    self.hear(w, DESTINATION, seen);
                }
            });
        }
        if world.sender.1 < world.generation {
            to(Action::Learn, &|w| w.sender = (w.at.0, w.generation));
        }
        if world.plans.len() < PLANS {
            let mut plans = Vec::new();
            self.plans(world, &mut plans);
            for plan in plans {
                if !world.plans.contains(&plan) {
                    to(Action::Plan(plan), &|w| {
                        w.plans.push(plan);
                        w.plans.sort_unstable();
                    });
                }
            }
        }
        for (i, plan) in world.plans.iter().enumerate() {
            to(Action::Write(*plan), &|w| {
                w.plans.remove(i);
                self.write(w, *plan);
            });
            to(Action::Lose(*plan), &|w| {
                w.plans.remove(i);
            });
        }
    }

    fn broken(&self, world: &World) -> Option<&'static str> {
        let [source, destination] = &world.hosts;
        let live = |host: &Host| matches!(host.port, Port::Live(_));
        if live(source) && live(destination) {
            return Some("an address is active on one host at most");
        }
        let runs = |host: &Host| host.node == Copied::Running;
        let isolated = world.expired || !source.up;
        if runs(source) && runs(destination) && !isolated {
            return Some("a node runs on one host at most");
        }
        for (i, host) in world.hosts.iter().enumerate() {
            if let Port::Live(generation) = host.port {
                if generation > world.generation {
                    return Some("no kernel knows a generation that the store does not");
                }
                if generation == world.generation && world.at != (i, host.boot) {
                    return Some("who has the latest generation is bound");
                }
            }
        }
        if world.sender.1 > world.generation || world.committed > world.generation {
            return Some("generations only grow");
        }
        if world.state.is_committed() && live(source) {
            return Some("the source does not have the node after the commit");
        }
        let left = world.home != SOURCE || live(destination);
        if world.state == State::Aborted && left {
            return Some("the node of an aborted move stays at the source");
        }
        if world.state == State::Settled && world.sender.0 == SOURCE {
            return Some("nobody sends to the source when the move has settled");
        }
        None
    }

    /// The move is over, and the node can be reached where it is to be.
    fn is_end(&self, world: &World) -> bool {
        let home = &world.hosts[world.home];
        let reached = home.port == Port::Live(world.generation);
        world.state.is_over() && reached && world.at == (world.home, home.boot)
    }
}

fn report(what: &str, failure: bool) {
    let flaw = Flaw::None;
    let found = explore(&Mover { flaw, failure });
    println!(
        "{what}: {} states, {} steps, {} ends",
        found.states, found.steps, found.ends
    );
    if let Some((rule, way)) = found.broken {
        panic!("{rule}: {way:?}");
    }
    assert!(
        found.states > 10_000 && found.ends > 100,
        "this is no model"
    );
}

#[test]
fn a_planned_move_keeps_its_promises() {
    report("planned move", false);
}

#[test]
fn a_node_leaves_a_dead_host_as_promised() {
    report("lease, fence and takeover", true);
}

#[test]
fn each_flaw_is_found() {
    for (flaw, failure, rule) in [
        (
            Flaw::AbortAfterCommit,
            false,
            "the node of an aborted move stays at the source",
        ),
        (
            Flaw::EarlyFence,
            true,
            "the source does not have the node after the commit",
        ),
        (
            Flaw::BlindCommit,
            false,
            "the source does not have the node after the commit",
        ),
        (
            Flaw::EarlySettle,
            false,
            "nobody sends to the source when the move has settled",
        ),
        (
            Flaw::LaggingWelcome,
            false,
            "the source does not have the node after the commit",
        ),
        (
            Flaw::ClaimWhileFrozen,
            true,
            "the source does not have the node after the commit",
        ),
        (Flaw::NoWayOut, false, "no way leads to an end"),
    ] {
        let found = explore(&Mover { flaw, failure });
        let (broken, way) = found
            .broken
            .unwrap_or_else(|| panic!("{flaw:?} is not found"));
        println!("{flaw:?}: {broken}, after {} steps", way.len());
        assert_eq!(broken, rule, "{flaw:?}: {way:?}");
    }
}
