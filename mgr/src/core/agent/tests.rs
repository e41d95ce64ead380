// SPDX-License-Identifier: GPL-2.0

//! An agent, told by hand what its kernel and its manager say.

mod moves;
mod subscription;

use std::net::Ipv4Addr;
use std::time::Duration;

use ovnet_engine::{Locator, Vni};

use super::*;
use crate::core::message::{Claim, Denial, Sighting, Verdict};

const START: Time = Time::from_micros(0);

fn host(n: u32) -> Locator {
    Locator::new(0xfd00_000a, n).unwrap()
}

fn key(n: u8) -> Key {
    Key::new(Vni::new(7).unwrap(), Ipv4Addr::new(10, 0, 0, n))
}

fn generation(revision: u64) -> Generation {
    Generation::new(1, revision)
}

fn found(revision: u64, n: u32) -> Verdict {
    Verdict::Found {
        generation: generation(revision),
        locator: host(n),
        mac: None,
    }
}

fn yours(revision: u64, leave: bool, held: bool) -> Verdict {
    Verdict::Yours {
        generation: generation(revision),
        epoch: 1,
        leave,
        gone: false,
        held,
    }
}

fn absent(revision: u64) -> Verdict {
    Verdict::Absent {
        generation: generation(revision),
    }
}

fn set(key: Key, revision: u64, place: Place) -> Operation {
    let generation = generation(revision);
    Operation::Set(
        key,
        kernel::Mapping {
            generation,
            place,
            mac: None,
        },
    )
}

struct Rig {
    agent: Agent,
    now: Time,
    out: Vec<Output>,
}

impl Rig {
    fn start(
        config: Config,
        mappings: &[(Key, kernel::Mapping)],
        ports: &[(Key, NodeId)],
        image: Option<&Image>,
    ) -> Rig {
        let mut out = Vec::new();
        let inherited = Inherited {
            mappings,
            ports,
            frozen: &[],
            errands: &[],
        };
        let seat = Seat {
            host: host(1),
            epoch: 1,
        };
        let agent = Agent::start(config, seat, 1, inherited, image, START, &mut out);
        Rig {
            agent,
            now: START,
            out,
        }
    }

    /// An agent with a manager, and nothing else.
    fn new() -> Rig {
        let mut rig = Rig::start(Config::default(), &[], &[], None);
        rig.welcome();
        rig.out.clear();
        rig
    }

    fn welcome(&mut self) {
        self.input(Input::Connected);
        self.hear(ToAgent::Welcome(generation(10)));
    }

    fn input(&mut self, input: Input) {
        self.agent.handle(input, self.now, &mut self.out);
    }

    fn hear(&mut self, message: ToAgent) {
        self.input(Input::Received(message));
    }

    fn answer(&mut self, key: Key, verdict: Verdict) {
        self.hear(ToAgent::Answer {
            as_of: generation(90),
            items: vec![(key, verdict)],
        });
    }

    fn push(&mut self, key: Key, verdict: Verdict) {
        let items = vec![(key, verdict)];
        self.hear(ToAgent::Push {
            number: 1,
            as_of: generation(90),
            items,
        });
    }

    fn kernel(&mut self, event: Event) {
        self.input(Input::Kernel(vec![event]));
    }

    /// Lets time pass, with all that is due in it.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.agent.next_wake().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.agent.wake(self.now, &mut self.out);
        }
        self.now = until;
    }

    /// Lets seconds pass in which the manager answers nothing, but says other things.
    fn live(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.hear(ToAgent::Welcome(generation(10)));
            self.pass(SECOND);
        }
    }

    fn operations(&mut self) -> Vec<Operation> {
        let mut operations = Vec::new();
        self.out.retain(|output| match output {
            Output::Kernel(more) => {
                operations.extend_from_slice(more);
                false
            }
            _ => true,
        });
        operations
    }

    /// How often a key was asked for since the last look.
    fn asked(&mut self, key: Key) -> usize {
        let mut asked = 0;
        self.out.retain(|output| match output {
            Output::Send(ToManager::Resolve(items)) => {
                asked += items.iter().filter(|(other, _)| *other == key).count();
                false
            }
            _ => true,
        });
        asked
    }

    fn claims(&mut self) -> Vec<Claim> {
        let mut claims = Vec::new();
        self.out.retain(|output| match output {
            Output::Send(ToManager::Claim(more)) => {
                claims.extend_from_slice(more);
                false
            }
            _ => true,
        });
        claims
    }

    fn releases(&mut self) -> Vec<(Key, Generation)> {
        let mut releases = Vec::new();
        self.out.retain(|output| match output {
            Output::Send(ToManager::Release { key, generation }) => {
                releases.push((*key, *generation));
                false
            }
            _ => true,
        });
        releases
    }

    /// Attaches a node and has it granted.
    fn bind(&mut self, key: Key, revision: u64) {
        self.kernel(Event::PortUp {
            key,
            node: NodeId(1),
        });
        let attempt = self.claims()[0].attempt;
        self.hear(ToAgent::Granted {
            key,
            attempt,
            generation: generation(revision),
            mac: None,
        });
        assert_eq!(self.operations(), [set(key, revision, Place::Local)]);
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_missing_mapping_is_asked_for_once_at_a_time() {
    let mut rig = Rig::new();
    for _ in 0..3 {
        rig.kernel(Event::Miss {
            key: key(1),
            from: None,
        });
    }
    assert_eq!(rig.asked(key(1)), 1);
    rig.pass(SECOND * 5 / 4);
    assert_eq!(rig.asked(key(1)), 1, "again, because there was no answer");
    rig.pass(SECOND * 5 / 4);
    assert_eq!(rig.asked(key(1)), 0, "the second wait is twice as long");
    rig.answer(key(1), found(11, 2));
    assert_eq!(rig.operations(), [set(key(1), 11, Place::Remote(host(2)))]);
    rig.pass(SECOND * 60);
    assert_eq!(rig.asked(key(1)), 0);
}

#[test]
fn only_a_greater_generation_replaces_what_is_known() {
    let mut rig = Rig::new();
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.answer(key(1), found(20, 2));
    rig.operations();
    rig.push(key(1), found(19, 3));
    rig.push(key(1), absent(19));
    rig.push(key(1), found(20, 2));
    assert_eq!(rig.operations(), []);
    assert_eq!(rig.agent.counters().stale, 2);
    rig.push(key(1), found(21, 3));
    assert_eq!(rig.operations(), [set(key(1), 21, Place::Remote(host(3)))]);
}

#[test]
fn an_old_mapping_is_asked_for_and_used_on_and_given_up_if_a_manager_is_silent_about_it() {
    let mut rig = Rig::new();
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.answer(key(1), found(20, 2));
    rig.out.clear();
    rig.live(375);
    assert!(rig.asked(key(1)) > 0);
    rig.answer(key(1), found(20, 2));
    assert_eq!(rig.operations(), []);
    rig.live(1799);
    assert_eq!(rig.operations(), []);
    rig.live(1);
    assert_eq!(rig.operations(), [Operation::Forget(key(1))]);
    assert_eq!(rig.agent.counters().expired, 1);
}

#[test]
fn nothing_expires_while_there_is_no_manager_or_it_has_too_much_to_do() {
    let mut rig = Rig::new();
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.answer(key(1), found(20, 2));
    rig.operations();
    rig.input(Input::Disconnected);
    rig.pass(Duration::from_secs(100_000));
    assert_eq!(rig.operations(), []);
    rig.welcome();
    rig.pass(Config::default().spread);
    assert!(
        rig.asked(key(1)) > 0,
        "a new manager is asked about everything"
    );
    assert_eq!(rig.operations(), []);
    for _ in 0..3000 {
        rig.hear(ToAgent::Busy {
            keys: vec![key(1)],
            after: 2000,
        });
        rig.pass(SECOND);
    }
    assert_eq!(rig.operations(), []);
}

#[test]
fn a_manager_that_has_too_much_to_do_is_asked_again_when_it_says() {
    let mut rig = Rig::new();
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.asked(key(1));
    rig.hear(ToAgent::Busy {
        keys: vec![key(1)],
        after: 8000,
    });
    rig.pass(SECOND * 6 - Duration::from_millis(1));
    assert_eq!(rig.asked(key(1)), 0);
    rig.pass(SECOND * 4);
    assert_eq!(rig.asked(key(1)), 1);
}

#[test]
fn what_the_manager_says_unasked_is_no_reason_to_wait_for_more() {
    let mut rig = Rig::new();
    rig.pass(SECOND);
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    assert_eq!(rig.asked(key(1)), 1);
    rig.push(key(1), found(20, 2));
    rig.hear(ToAgent::Busy {
        keys: vec![key(1)],
        after: 2000,
    });
    rig.pass(SECOND * 4);
    assert_eq!(rig.asked(key(1)), 1);
}

#[test]
fn what_the_manager_tells_of_anyway_is_not_asked_for_again_while_it_has_too_much_to_do() {
    let mut rig = Rig::new();
    rig.pass(SECOND);
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.answer(key(1), found(20, 2));
    rig.live(375);
    assert!(rig.asked(key(1)) > 0);
    let busy = || ToAgent::Busy {
        keys: vec![key(1)],
        after: 2000,
    };
    rig.hear(busy());
    rig.out.clear();
    rig.live(200);
    assert_eq!(rig.asked(key(1)), 0);
    rig.live(200);
    assert!(rig.asked(key(1)) > 0);
    // Nothing that was told before is, once the manager had too much to tell.
    rig.answer(key(1), found(20, 2));
    rig.hear(ToAgent::Invalidate(1));
    rig.pass(Config::default().spread);
    assert!(rig.asked(key(1)) > 0);
    rig.hear(busy());
    rig.out.clear();
    rig.live(4);
    assert!(rig.asked(key(1)) > 0);
}

#[test]
fn no_such_node_is_remembered_for_a_second_and_undone_by_news() {
    let mut rig = Rig::new();
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.answer(key(1), absent(20));
    assert_eq!(rig.operations(), [set(key(1), 20, Place::Negative)]);
    rig.push(key(1), found(21, 2));
    assert_eq!(rig.operations(), [set(key(1), 21, Place::Remote(host(2)))]);

    rig.kernel(Event::Miss {
        key: key(2),
        from: None,
    });
    rig.answer(key(2), Verdict::Refused);
    let none = kernel::Mapping {
        generation: Generation::NONE,
        place: Place::Negative,
        mac: None,
    };
    assert_eq!(rig.operations(), [Operation::Set(key(2), none)]);
    rig.pass(SECOND);
    assert_eq!(rig.operations(), [Operation::Forget(key(2))]);
}

#[test]
fn news_of_what_nobody_here_wants_is_declined() {
    let mut rig = Rig::new();
    rig.push(key(1), found(20, 2));
    let declined = Output::Send(ToManager::Forget(vec![key(1)]));
    assert!(rig.out.contains(&declined) && rig.out.contains(&Output::Send(ToManager::Ack(1))));
    assert_eq!(rig.operations(), []);
}

#[test]
fn a_hint_is_a_reason_to_ask_and_no_news() {
    let mut rig = Rig::new();
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.answer(key(1), found(20, 2));
    rig.out.clear();
    rig.input(Input::Hint(key(1)));
    assert_eq!(rig.asked(key(1)), 0, "it was confirmed just now");
    rig.pass(SECOND);
    rig.input(Input::Hint(key(1)));
    rig.input(Input::Hint(key(1)));
    assert_eq!(rig.asked(key(1)), 1);
    rig.input(Input::Hint(key(2)));
    assert_eq!(rig.asked(key(2)), 0, "nobody here talks to it");
    assert_eq!(rig.operations(), []);
}

#[test]
fn hints_of_a_second_are_limited() {
    let mut rig = Rig::start(
        Config {
            hints: 2,
            ..Config::default()
        },
        &[],
        &[],
        None,
    );
    rig.welcome();
    for n in 1..=3 {
        rig.kernel(Event::Miss {
            key: key(n),
            from: None,
        });
        rig.answer(key(n), found(20, 2));
    }
    rig.pass(SECOND);
    for n in 1..=3 {
        rig.input(Input::Hint(key(n)));
    }
    assert_eq!(
        (
            rig.agent.counters().hints,
            rig.agent.counters().hints_ignored
        ),
        (2, 1)
    );
}

#[test]
fn a_restarted_agent_takes_over_what_the_kernel_has() {
    let mapping = |revision, place| kernel::Mapping {
        generation: generation(revision),
        place,
        mac: None,
    };
    let mappings = [
        (key(1), mapping(5, Place::Local)),
        (key(2), mapping(6, Place::Remote(host(2)))),
        (key(3), mapping(7, Place::Pending)),
    ];
    let mut rig = Rig::start(Config::default(), &mappings, &[(key(1), NodeId(1))], None);
    rig.welcome();
    let hello = ToManager::Hello {
        epoch: 1,
        seen: generation(7),
        frozen: false,
    };
    assert!(rig.out.contains(&Output::Send(hello)));
    let claims = rig.claims();
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].key, claims[0].held), (key(1), generation(5)));
    assert_eq!(rig.releases(), [(key(3), generation(7))]);
    rig.pass(Config::default().spread);
    assert!(rig.asked(key(2)) > 0);
    assert_eq!(
        rig.operations(),
        [],
        "nothing is flushed, nothing installed"
    );
}

#[test]
fn after_a_boot_the_kernel_gets_back_what_was_written_down() {
    let mappings = vec![(key(1), generation(20), host(2), None)];
    let image = Image {
        seen: generation(30),
        mappings,
    };
    let mut rig = Rig::start(Config::default(), &[], &[], Some(&image));
    assert_eq!(rig.operations(), [set(key(1), 20, Place::Remote(host(2)))]);
    assert_eq!(rig.agent.image().seen, generation(30));
    // A kernel that has anything knows better.
    let place = Place::Remote(host(3));
    let known = kernel::Mapping {
        generation: generation(25),
        place,
        mac: None,
    };
    let mut rig = Rig::start(Config::default(), &[(key(2), known)], &[], Some(&image));
    assert_eq!(rig.operations(), []);
}

#[test]
fn a_node_is_reachable_once_its_claim_is_granted() {
    let mut rig = Rig::new();
    rig.kernel(Event::PortUp {
        key: key(1),
        node: NodeId(1),
    });
    let claim = rig.claims()[0];
    assert_eq!((claim.node, claim.held), (NodeId(1), Generation::NONE));
    assert_eq!(rig.operations(), []);
    let (key, attempt) = (key(1), claim.attempt);
    rig.hear(ToAgent::Denied {
        key,
        attempt,
        reason: Denial::Wait,
    });
    rig.pass(SECOND);
    assert!(!rig.claims().is_empty());
    let granted = |attempt| ToAgent::Granted {
        key,
        attempt,
        generation: generation(20),
        mac: None,
    };
    rig.hear(granted(attempt + 1));
    assert_eq!(rig.operations(), []);
    rig.hear(granted(attempt));
    assert_eq!(rig.operations(), [set(key, 20, Place::Local)]);
}

#[test]
fn a_grant_for_a_port_that_went_and_came_again_is_not_taken() {
    let mut rig = Rig::new();
    rig.kernel(Event::PortUp {
        key: key(1),
        node: NodeId(1),
    });
    let attempt = rig.claims()[0].attempt;
    rig.kernel(Event::PortDown(key(1)));
    rig.kernel(Event::PortUp {
        key: key(1),
        node: NodeId(1),
    });
    rig.hear(ToAgent::Granted {
        key: key(1),
        attempt,
        generation: generation(20),
        mac: None,
    });
    assert_eq!(rig.operations(), []);
}

#[test]
fn what_an_earlier_binding_left_ends_though_the_node_came_back_for_a_moment() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.kernel(Event::PortDown(key(1)));
    assert_eq!(rig.releases(), [(key(1), generation(20))]);
    rig.kernel(Event::PortUp {
        key: key(1),
        node: NodeId(1),
    });
    // Neither the release nor the claim was answered, and the kernel holds what arrives since.
    rig.kernel(Event::PortDown(key(1)));
    assert_eq!(rig.releases(), [(key(1), generation(20))]);
    rig.push(key(1), found(21, 2));
    assert_eq!(rig.operations(), [set(key(1), 21, Place::Moved(host(2)))]);
}

#[test]
fn a_binding_without_a_port_is_given_back() {
    let mut rig = Rig::new();
    rig.push(key(1), yours(20, false, false));
    assert_eq!(rig.releases(), [(key(1), generation(20))]);
}

#[test]
fn an_address_that_is_taken_from_a_node_leaves_alone() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    let gone = Verdict::Yours {
        generation: generation(21),
        epoch: 1,
        leave: true,
        gone: true,
        held: false,
    };
    rig.push(key(1), gone);
    assert!(rig.out.contains(&Output::Vacate(key(1), NodeId(1), true)));
}

#[test]
fn an_address_that_a_node_here_is_to_have_is_given_to_it() {
    let due = |node| Verdict::Due {
        generation: generation(21),
        node: NodeId(node),
    };
    let mut rig = Rig::new();
    rig.push(key(2), due(1));
    assert!(
        !rig.out.contains(&Output::Give(key(2), NodeId(1))),
        "the node is not here"
    );
    rig.bind(key(1), 20);
    rig.push(key(2), due(2));
    assert!(!rig.out.contains(&Output::Give(key(2), NodeId(2))));
    rig.push(key(2), due(1));
    assert!(rig.out.contains(&Output::Give(key(2), NodeId(1))));
    // It is claimed as any other is that a port has.
    let node = NodeId(1);
    rig.kernel(Event::PortUp { key: key(2), node });
    assert_eq!(rig.claims().len(), 1);
    rig.out.clear();
    rig.push(key(2), due(1));
    assert!(!rig.out.contains(&Output::Give(key(2), NodeId(1))));
}

#[test]
fn a_node_that_is_to_leave_is_detached_and_released_and_its_traffic_forwarded() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.push(key(1), yours(21, true, false));
    assert!(rig.out.contains(&Output::Vacate(key(1), NodeId(1), false)));
    assert_eq!(rig.operations(), [set(key(1), 21, Place::Local)]);
    rig.kernel(Event::PortDown(key(1)));
    assert_eq!(rig.releases(), [(key(1), generation(21))]);
    rig.pass(SECOND * 5 / 4);
    assert_eq!(
        rig.releases(),
        [(key(1), generation(21))],
        "again, until it is acknowledged"
    );
    rig.answer(key(1), yours(22, true, true));
    assert_eq!(rig.operations(), [set(key(1), 22, Place::Pending)]);
    rig.push(key(1), found(23, 2));
    assert_eq!(rig.operations(), [set(key(1), 23, Place::Moved(host(2)))]);
    rig.push(key(1), found(24, 3));
    assert_eq!(rig.operations(), [set(key(1), 24, Place::Moved(host(3)))]);
    rig.pass(Config::default().drain);
    assert_eq!(rig.operations(), [Operation::Forget(key(1))]);
}

#[test]
fn a_host_that_was_fenced_by_mistake_gives_the_address_up() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.push(key(1), found(21, 2));
    assert_eq!(rig.operations(), [set(key(1), 21, Place::Remote(host(2)))]);
    assert_eq!(rig.claims()[0].held, Generation::NONE);
}

#[test]
fn a_forwarding_host_tells_the_sender() {
    let mut rig = Rig::new();
    rig.kernel(Event::Stale {
        key: key(1),
        sender: host(5),
    });
    assert!(rig.out.contains(&Output::Hint(host(5), key(1))));
}

#[test]
fn the_cache_is_bounded() {
    let config = Config {
        mappings: 2,
        asks: 3,
        ..Config::default()
    };
    let mut rig = Rig::start(config, &[], &[], None);
    rig.welcome();
    for n in 1..=5 {
        rig.kernel(Event::Miss {
            key: key(n),
            from: None,
        });
    }
    assert_eq!(rig.agent.counters().dropped, 2);
    for n in 1..=3 {
        rig.answer(key(n), found(20, 2));
    }
    assert_eq!(rig.agent.counters().evicted, 1);
    let forgotten = |operation: &&Operation| matches!(operation, Operation::Forget(_));
    assert_eq!(rig.operations().iter().filter(forgotten).count(), 1);
    assert_eq!(rig.agent.image().mappings.len(), 2);
}

#[test]
fn an_answer_from_before_what_was_forgotten_is_not_taken() {
    let mut rig = Rig::new();
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.answer(key(1), found(80, 2));
    rig.kernel(Event::Idle(key(1)));
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.operations();
    let items = vec![(key(1), found(70, 3))];
    rig.hear(ToAgent::Answer {
        as_of: generation(79),
        items,
    });
    assert_eq!(rig.operations(), []);
}

#[test]
fn a_manager_that_says_nothing_is_given_up() {
    let mut rig = Rig::new();
    rig.kernel(Event::Miss {
        key: key(1),
        from: None,
    });
    rig.pass(SECOND * 20);
    assert!(rig.out.contains(&Output::Disconnect) && rig.out.contains(&Output::Connect));
}

#[test]
fn a_used_address_is_reported_once_and_becomes_a_port_if_granted() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    let event = Event::NewAddress {
        port: key(1),
        address: key(2).address,
    };
    rig.kernel(event);
    rig.kernel(event);
    let learn = |output: &Output| match output {
        Output::Send(ToManager::Learn { attempt, .. }) => Some(*attempt),
        _ => None,
    };
    let attempts: Vec<_> = rig.out.iter().filter_map(learn).collect();
    let [attempt] = attempts[..] else {
        panic!("{attempts:?}")
    };
    // The news of the binding may overtake the grant, and must not be taken for a leak.
    rig.push(key(2), yours(21, false, false));
    assert_eq!(rig.releases(), []);
    rig.hear(ToAgent::Granted {
        key: key(2),
        attempt,
        generation: generation(21),
        mac: None,
    });
    assert_eq!(rig.operations(), [set(key(2), 21, Place::Local)]);
    rig.kernel(Event::Idle(key(1)));
    assert!(rig.out.contains(&Output::Send(ToManager::Silent(key(1)))));
}

#[test]
fn a_source_from_elsewhere_is_asked_about_and_a_mapping_that_was_lost_is_set_again() {
    let mut rig = Rig::new();
    let miss = |from| Event::Miss { key: key(1), from };
    rig.kernel(miss(None));
    rig.answer(key(1), found(20, 2));
    assert_eq!(rig.operations(), [set(key(1), 20, Place::Remote(host(2)))]);
    rig.asked(key(1));
    rig.kernel(miss(Some(host(3))));
    assert_eq!(rig.asked(key(1)), 0, "it was confirmed just now");
    rig.pass(SECOND * 2);
    rig.kernel(miss(Some(host(3))));
    assert_eq!((rig.asked(key(1)), rig.operations()), (1, vec![]));
    for from in [None, Some(host(2))] {
        rig.kernel(miss(from));
        let again = set(key(1), 20, Place::Remote(host(2)));
        assert_eq!(rig.operations(), [again]);
    }
}

#[test]
fn where_the_node_of_a_port_that_is_denied_is_can_be_found_all_the_same() {
    let mut rig = Rig::new();
    rig.kernel(Event::PortUp {
        key: key(1),
        node: NodeId(1),
    });
    let attempt = rig.claims()[0].attempt;
    let denied = |reason| ToAgent::Denied {
        key: key(1),
        attempt,
        reason,
    };
    rig.hear(denied(Denial::Wait));
    assert_eq!(rig.asked(key(1)), 0);
    rig.hear(denied(Denial::OtherHost));
    assert_eq!(rig.asked(key(1)), 1);
    rig.answer(key(1), found(20, 2));
    assert_eq!(rig.operations(), [set(key(1), 20, Place::Remote(host(2)))]);
    rig.hear(denied(Denial::OtherHost));
    assert_eq!(rig.asked(key(1)), 0, "it is known");
}

#[test]
fn claims_of_others_addresses_are_reported() {
    let mut rig = Rig::new();
    rig.kernel(Event::Claim(key(3)));
    rig.kernel(Event::Claim(key(3)));
    rig.pass(SECOND * 10);
    let measures = |it: &&Output| **it == Output::Measure;
    assert_eq!(rig.out.iter().filter(measures).count(), 1);
    let load = Some(Load {
        cpu: 300,
        memory: 400,
    });
    rig.input(Input::Measured(load));
    let sightings = rig.out.iter().find_map(|output| match output {
        Output::Send(ToManager::Report(report)) => Some((report.load, report.sightings.clone())),
        _ => None,
    });
    let claims = vec![(Sighting::Claim, key(3), 2)];
    assert_eq!(sightings, Some((load, claims)));
}

#[test]
fn what_moved_away_is_forwarded_though_it_was_the_last_node_of_its_network_here() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.kernel(Event::PortDown(key(1)));
    rig.push(key(1), yours(21, true, true));
    rig.operations();
    rig.push(key(1), found(22, 3));
    assert_eq!(rig.operations(), [set(key(1), 22, Place::Moved(host(3)))]);
    rig.answer(key(1), Verdict::Refused);
    assert_eq!(rig.operations(), []);
    rig.pass(SECOND * 31);
    assert_eq!(rig.operations(), [Operation::Forget(key(1))]);
}

/// The numbers of the beats that were sent.
fn beats(rig: &mut Rig) -> Vec<u32> {
    let mut beats = Vec::new();
    rig.out.retain(|output| match output {
        Output::Send(ToManager::Beat(number)) => {
            beats.push(*number);
            false
        }
        _ => true,
    });
    beats
}

fn guard(number: u32, nodes: &[u64]) -> ToAgent {
    let nodes = nodes.iter().copied().map(NodeId).collect();
    ToAgent::Guarded { number, nodes }
}

#[test]
fn a_host_with_nodes_under_lease_says_that_it_lives() {
    let mut rig = Rig::new();
    rig.pass(SECOND);
    assert!(beats(&mut rig).is_empty());
    rig.hear(guard(3, &[5]));
    rig.pass(Duration::from_millis(250));
    assert_eq!(beats(&mut rig), [1, 2, 3]);
    // Without a lease the kernel puts nothing under one.
    let asked = |rig: &Rig| {
        let asked = |output: &&Output| matches!(output, Output::Guard { number: 3, .. });
        rig.out.iter().filter(asked).count()
    };
    assert_eq!(asked(&rig), 0);
    let sent = START + SECOND + Duration::from_millis(100);
    rig.hear(ToAgent::Lease(2));
    assert!(rig.out.contains(&Output::Lease { from: sent }));
    assert_eq!(asked(&rig), 1);
    rig.kernel(Event::Guarded(3));
    assert!(rig.out.contains(&Output::Send(ToManager::Guarded(3))));
    // Nothing is under lease any more.
    rig.out.clear();
    rig.hear(guard(4, &[]));
    rig.pass(SECOND);
    assert!(beats(&mut rig).is_empty());
    let nodes = BTreeSet::new();
    assert!(rig.out.contains(&Output::Guard { number: 4, nodes }));
}

#[test]
fn a_beat_of_an_earlier_connection_is_not_granted() {
    let mut rig = Rig::new();
    rig.hear(guard(1, &[5]));
    rig.input(Input::Disconnected);
    rig.pass(SECOND);
    rig.out.clear();
    rig.welcome();
    assert_eq!(beats(&mut rig), [1]);
    rig.hear(ToAgent::Lease(2));
    assert!(!rig.out.iter().any(|it| matches!(it, Output::Lease { .. })));
}

#[test]
fn what_the_end_of_a_lease_has_stopped_is_claimed_anew() {
    let mut rig = Rig::new();
    for (n, node) in [(1, 5), (2, 6)] {
        let (key, node) = (key(n), NodeId(node));
        rig.kernel(Event::PortUp { key, node });
        let attempt = u32::from(n);
        let generation = generation(20);
        rig.hear(ToAgent::Granted {
            key,
            attempt,
            generation,
            mac: None,
        });
    }
    // The manager may have said that it is under lease, and that it is not any more: what the kernel
    // has stopped is stopped.
    rig.hear(guard(1, &[5]));
    rig.hear(guard(2, &[]));
    rig.out.clear();
    rig.kernel(Event::Fenced(key(1)));
    let claims: Vec<_> = rig
        .out
        .iter()
        .filter_map(|output| match output {
            Output::Send(ToManager::Claim(claims)) => Some(claims.clone()),
            _ => None,
        })
        .flatten()
        .map(|claim| (claim.key, claim.held))
        .collect();
    assert_eq!(claims, [(key(1), Generation::NONE)]);
}

#[test]
fn what_the_end_of_a_lease_has_stopped_leaves_if_its_home_is_elsewhere_by_then() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.hear(guard(1, &[1]));
    rig.kernel(Event::Fenced(key(1)));
    rig.out.clear();
    rig.push(key(1), yours(21, true, false));
    assert!(rig.out.contains(&Output::Vacate(key(1), NodeId(1), false)));
    rig.kernel(Event::PortDown(key(1)));
    assert_eq!(rig.releases(), [(key(1), generation(21))]);
    // Nobody has said so: what the kernel has of it ends all the same.
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.hear(guard(1, &[1]));
    rig.kernel(Event::Fenced(key(1)));
    rig.kernel(Event::PortDown(key(1)));
    assert_eq!(rig.releases(), [(key(1), generation(20))]);
}

#[test]
fn a_node_has_the_mac_that_the_manager_has_for_it() {
    let mut rig = Rig::new();
    let (key, mac) = (key(1), Some(ovnet_engine::Mac([2, 0, 0, 0, 0, 9])));
    rig.kernel(Event::PortUp {
        key,
        node: NodeId(1),
    });
    let attempt = rig.claims()[0].attempt;
    rig.hear(ToAgent::Granted {
        key,
        attempt,
        generation: generation(20),
        mac,
    });
    let local = |revision| {
        let generation = generation(revision);
        let place = Place::Local;
        Operation::Set(
            key,
            kernel::Mapping {
                generation,
                place,
                mac,
            },
        )
    };
    assert_eq!(rig.operations(), [local(20)]);
    // It keeps it under a newer generation.
    rig.hear(ToAgent::Push {
        number: 1,
        as_of: generation(21),
        items: vec![(key, yours(21, false, false))],
    });
    assert_eq!(rig.operations(), [local(21)]);
}

#[test]
fn a_node_of_a_peered_network_is_set_with_its_network() {
    let mut rig = Rig::new();
    let vni = Vni::new(8).unwrap();
    let peer = |revision, n| Verdict::Peer {
        generation: generation(revision),
        locator: host(n),
        mac: None,
        vni,
    };
    rig.kernel(Event::Miss {
        key: key(2),
        from: None,
    });
    rig.out.clear();
    rig.hear(ToAgent::Answer {
        as_of: generation(20),
        items: vec![(key(2), peer(20, 3))],
    });
    assert_eq!(
        rig.operations(),
        [set(key(2), 20, Place::Peer(host(3), vni))]
    );
    rig.hear(ToAgent::Push {
        number: 1,
        as_of: generation(21),
        items: vec![(key(2), peer(21, 4))],
    });
    assert_eq!(
        rig.operations(),
        [set(key(2), 21, Place::Peer(host(4), vni))]
    );
    // It becomes a node of this network, and the other one is forgotten.
    rig.hear(ToAgent::Push {
        number: 2,
        as_of: generation(22),
        items: vec![(key(2), found(22, 5))],
    });
    assert_eq!(rig.operations(), [set(key(2), 22, Place::Remote(host(5)))]);
}
