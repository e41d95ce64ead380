// SPDX-License-Identifier: GPL-2.0

//! The agent's part in moves.

use super::*;
use crate::core::agent::executor::{Command, Errand, Notice, Role};
use crate::core::message::Move;
use crate::core::moves::{MoveId, Reason, State, Step};

const ID: MoveId = MoveId(9);
const NODE: NodeId = NodeId(1);

fn seat(n: u32) -> Seat {
    Seat {
        host: host(n),
        epoch: 1,
    }
}

/// The move of the node from host 1, which is the agent's, to host 2, at a revision of the store.
fn away(state: State, revision: u64) -> Move {
    Move {
        id: ID,
        as_of: generation(revision),
        node: NODE,
        keys: vec![(key(1), generation(20))],
        from: seat(1),
        to: seat(2),
        reason: Reason::Operator,
        state,
        endpoint: String::new(),
        peers: Some(vec![]),
        failure: String::new(),
    }
}

/// From host 2 to host 1.
fn here(state: State, revision: u64) -> Move {
    Move {
        from: seat(2),
        to: seat(1),
        ..away(state, revision)
    }
}

/// After the commit.
fn committed(it: Move) -> Move {
    Move {
        keys: vec![(key(1), generation(30))],
        ..it
    }
}

impl Rig {
    fn with_executor() -> Rig {
        let config = Config {
            executor: true,
            ..Config::default()
        };
        let mut rig = Rig::start(config, &[], &[], None);
        rig.welcome();
        rig.out.clear();
        rig
    }

    fn told(&mut self, it: Move) {
        self.hear(ToAgent::Move(it));
    }

    fn says(&mut self, notice: Notice) {
        self.input(Input::Executor(ID, notice));
    }

    /// The steps that the manager was told of since the last look.
    fn steps(&mut self) -> Vec<(Step, String)> {
        let mut steps = Vec::new();
        self.out.retain(|output| match output {
            Output::Send(ToManager::Step { id, step, note }) => {
                assert_eq!(*id, ID);
                steps.push((*step, note.clone()));
                false
            }
            _ => true,
        });
        steps
    }

    /// Whether the manager was asked, by a step that only the other side can make, and of nothing
    /// else.
    fn has_asked(&mut self, question: Step) -> bool {
        let steps = self.steps();
        !steps.is_empty() && steps.iter().all(|(step, _)| *step == question)
    }

    /// What else was wanted for the move since the last look.
    fn wanted(&mut self) -> Vec<Output> {
        let all = std::mem::take(&mut self.out);
        let of_move = |output: &Output| {
            matches!(
                output,
                Output::Peers(..)
                    | Output::Freeze { .. }
                    | Output::Thaw(_)
                    | Output::GiveBack { .. }
                    | Output::Executor(_)
                    | Output::ExecutorSay(..)
            )
        };
        let (wanted, rest) = all.into_iter().partition(of_move);
        self.out = rest;
        wanted
    }
}

fn step(step: Step) -> Vec<(Step, String)> {
    vec![(step, String::new())]
}

fn freeze() -> Output {
    Output::Freeze {
        keys: vec![key(1)],
        node: NODE,
        to: host(2),
    }
}

fn give_back() -> Output {
    Output::GiveBack {
        keys: vec![key(1)],
        to: host(2),
    }
}

fn run(role: Role) -> Output {
    Output::Executor(Errand {
        id: ID,
        role,
        node: NODE,
        keys: vec![key(1)],
        peer: host(2),
        endpoint: String::new(),
    })
}

fn say(command: Command) -> Output {
    Output::ExecutorSay(ID, command)
}

fn up() -> Event {
    Event::PortUp {
        key: key(1),
        node: NODE,
    }
}

#[test]
fn the_source_freezes_when_told_and_sends_on_until_all_know() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    let prepare = Move {
        peers: None,
        ..away(State::Prepare, 21)
    };
    rig.told(prepare);
    assert_eq!(rig.wanted(), [Output::Peers(ID, vec![key(1)])]);
    rig.input(Input::Peers(ID, vec![key(3), key(1), key(2)]));
    let peers = Output::Send(ToManager::Peers {
        id: ID,
        keys: vec![key(3), key(2)],
    });
    assert!(rig.out.contains(&peers));
    rig.out.clear();
    rig.pass(SECOND);
    assert!(rig.out.contains(&peers), "again, until the move has them");

    rig.told(away(State::Armed, 22));
    assert_eq!(rig.steps(), step(Step::Converged));
    rig.told(away(State::Freeze, 23));
    assert_eq!((rig.wanted(), rig.steps()), (vec![freeze()], vec![]));
    rig.pass(SECOND / 2);
    assert_eq!(
        rig.wanted(),
        [freeze()],
        "again, until the kernel has done it"
    );
    rig.kernel(Event::Frozen(key(1)));
    assert_eq!(rig.steps(), step(Step::Frozen));
    rig.told(committed(away(State::Commit, 30)));
    assert_eq!(rig.operations(), [set(key(1), 30, Place::Moved(host(2)))]);

    // However long it takes.
    rig.pass(SECOND * 300);
    rig.told(committed(away(State::Active, 31)));
    rig.pass(SECOND * 300);
    assert_eq!(rig.operations(), []);
    assert!(rig.has_asked(Step::Resumed));
    rig.told(committed(away(State::Settled, 32)));
    rig.pass(SECOND * 25);
    rig.kernel(Event::Stale {
        key: key(1),
        sender: host(5),
    });
    rig.pass(SECOND * 25);
    assert_eq!(rig.operations(), [], "somebody still needs it");
    rig.pass(SECOND * 5);
    assert_eq!(rig.operations(), [Operation::Forget(key(1))]);
}

#[test]
fn the_destination_is_ready_with_a_port_and_what_its_node_needs() {
    let mut rig = Rig::new();
    let prepare = Move {
        peers: Some(vec![key(5)]),
        ..here(State::Prepare, 21)
    };
    rig.told(prepare.clone());
    assert_eq!((rig.asked(key(5)), rig.asked(key(1))), (1, 0));
    rig.kernel(up());
    assert_eq!(rig.claims(), [], "it is not this host's yet");
    assert_eq!(rig.steps(), []);
    rig.answer(key(5), found(11, 4));
    assert_eq!(rig.steps(), []);
    rig.answer(key(1), found(20, 2));
    assert_eq!(rig.steps(), step(Step::Ready));
    let known = [
        set(key(5), 11, Place::Remote(host(4))),
        set(key(1), 20, Place::Remote(host(2))),
    ];
    assert_eq!(rig.operations(), known);
    rig.told(here(State::Armed, 22));
    rig.told(here(State::Freeze, 23));
    rig.pass(SECOND * 3);
    assert_eq!(rig.steps(), []);
    rig.pass(SECOND * 7);
    assert!(rig.has_asked(Step::Frozen), "it may be over");
    assert_eq!((rig.operations(), rig.claims()), (vec![], vec![]));

    rig.told(committed(here(State::Commit, 30)));
    assert_eq!(rig.operations(), [set(key(1), 30, Place::Local)]);
    assert_eq!(rig.steps(), []);
    rig.kernel(Event::Active(key(1)));
    assert_eq!(rig.steps(), step(Step::Resumed));
    rig.told(committed(here(State::Active, 31)));
    rig.told(committed(here(State::Settled, 32)));
    rig.pass(SECOND * 3);
    assert_eq!((rig.steps(), rig.operations()), (vec![], vec![]));
    // It is an ordinary port from now on.
    rig.kernel(Event::PortDown(key(1)));
    assert_eq!(rig.releases(), [(key(1), generation(30))]);
}

#[test]
fn peers_are_not_waited_for_long() {
    let mut rig = Rig::new();
    rig.told(Move {
        peers: None,
        ..here(State::Prepare, 21)
    });
    rig.kernel(up());
    rig.pass(Duration::from_millis(499));
    assert_eq!(rig.steps(), []);
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.steps(), step(Step::Ready));
}

#[test]
fn the_program_of_the_source_pauses_the_node_before_it_is_frozen() {
    let mut rig = Rig::with_executor();
    rig.bind(key(1), 20);
    rig.told(away(State::Prepare, 21));
    assert_eq!(rig.wanted(), []);
    rig.told(away(State::Armed, 22));
    assert_eq!(
        (rig.wanted(), rig.steps()),
        (vec![run(Role::Source)], vec![])
    );
    rig.says(Notice::Converged);
    assert_eq!(rig.steps(), step(Step::Converged));
    rig.told(away(State::Freeze, 23));
    assert_eq!(rig.wanted(), [say(Command::Pause)]);
    rig.says(Notice::Paused);
    assert_eq!(rig.wanted(), [freeze()]);
    rig.kernel(Event::Frozen(key(1)));
    assert_eq!(rig.wanted(), [say(Command::Frozen)]);
    assert_eq!(rig.steps(), step(Step::Frozen));
    rig.told(committed(away(State::Commit, 30)));
    rig.says(Notice::Sent);
    assert_eq!(rig.wanted(), []);
    rig.told(committed(away(State::Active, 31)));
    assert_eq!(rig.wanted(), [say(Command::Done)]);
    rig.says(Notice::Ended(None));
    rig.pass(SECOND * 3);
    assert_eq!((rig.wanted(), rig.steps()), (vec![], vec![]));
}

#[test]
fn the_node_is_reachable_at_the_destination_when_all_of_it_is_there() {
    let mut rig = Rig::with_executor();
    rig.told(here(State::Prepare, 21));
    assert_eq!(rig.wanted(), [run(Role::Destination)]);
    rig.kernel(up());
    rig.answer(key(1), found(20, 2));
    rig.pass(SECOND);
    assert_eq!(rig.steps(), []);
    rig.says(Notice::Prepared("tcp:7000".into()));
    assert_eq!(rig.steps(), [(Step::Ready, "tcp:7000".into())]);
    rig.operations();
    rig.told(here(State::Armed, 22));
    rig.told(here(State::Freeze, 23));
    rig.told(committed(here(State::Commit, 30)));
    // A claim of before the move may be granted by now.
    rig.push(key(1), yours(30, false, false));
    assert_eq!((rig.operations(), rig.wanted()), (vec![], vec![]));
    rig.says(Notice::Received);
    assert_eq!(rig.operations(), [set(key(1), 30, Place::Local)]);
    assert_eq!(rig.wanted(), []);
    rig.kernel(Event::Active(key(1)));
    assert_eq!(
        (rig.wanted(), rig.steps()),
        (vec![say(Command::Resume)], vec![])
    );
    rig.says(Notice::Resumed);
    assert_eq!(rig.steps(), step(Step::Resumed));
    rig.says(Notice::Ended(None));
    rig.told(committed(here(State::Active, 31)));
    rig.pass(SECOND * 3);
    assert_eq!((rig.wanted(), rig.steps()), (vec![], vec![]));
}

#[test]
fn the_node_of_a_dead_host_is_started() {
    let mut rig = Rig::with_executor();
    rig.told(Move {
        reason: Reason::Failure,
        ..here(State::Prepare, 21)
    });
    assert_eq!(rig.wanted(), [run(Role::Start)]);
}

#[test]
fn what_cannot_be_is_aborted_and_undone() {
    let mut rig = Rig::with_executor();
    rig.bind(key(1), 20);
    rig.told(away(State::Armed, 22));
    rig.says(Notice::Failed("no room".into()));
    rig.says(Notice::Ended(Some("exit status: 1".into())));
    assert_eq!(rig.steps(), [(Step::Abort, "no room".into())]);
    rig.wanted();
    rig.told(away(State::Aborted, 23));
    assert_eq!(rig.wanted(), [Output::Thaw(vec![key(1)])]);

    let mut rig = Rig::with_executor();
    rig.told(here(State::Prepare, 21));
    rig.kernel(up());
    rig.wanted();
    rig.told(here(State::Aborted, 23));
    assert_eq!(rig.wanted(), [say(Command::Abort), give_back()]);
    rig.kernel(Event::PortDown(key(1)));
    rig.pass(SECOND * 10);
    assert_eq!((rig.claims(), rig.steps()), (vec![], vec![]));
}

#[test]
fn a_program_that_ends_too_early_fails_and_after_the_commit_it_is_run_again() {
    let mut rig = Rig::with_executor();
    rig.told(here(State::Prepare, 21));
    rig.says(Notice::Ended(None));
    assert_eq!(
        rig.steps(),
        [(Step::Abort, "the executor ended too early".into())]
    );

    let mut rig = Rig::with_executor();
    rig.told(committed(here(State::Commit, 30)));
    assert_eq!(rig.wanted(), [run(Role::Destination)]);
    rig.says(Notice::Ended(Some("exit status: 1".into())));
    assert_eq!((rig.wanted(), rig.steps()), (vec![], vec![]));
    rig.pass(SECOND);
    assert_eq!(rig.wanted(), [run(Role::Destination)]);
    rig.says(Notice::Ended(Some("exit status: 1".into())));
    rig.pass(SECOND);
    assert_eq!(rig.wanted(), [], "each time later");
    rig.pass(SECOND);
    assert_eq!(rig.wanted(), [run(Role::Destination)]);
}

#[test]
fn an_agent_that_is_started_in_the_middle_goes_on() {
    let local = kernel::Mapping {
        generation: generation(20),
        place: Place::Local,
        mac: None,
    };
    let start = |told: Option<Move>| {
        let mut out = Vec::new();
        let inherited = Inherited {
            mappings: &[(key(1), local)],
            ports: &[(key(1), NODE)],
            frozen: &[key(1)],
            errands: &[],
        };
        let config = Config::default();
        let agent = Agent::start(config, seat(1), 1, inherited, None, START, &mut out);
        let now = START;
        let mut rig = Rig { agent, now, out };
        rig.input(Input::Connected);
        if let Some(told) = told {
            rig.told(told);
        }
        rig.hear(ToAgent::Welcome(generation(40)));
        rig
    };
    // The node is still to leave: once more.
    let mut rig = start(Some(away(State::Freeze, 23)));
    let claim = rig.claims()[0];
    rig.hear(ToAgent::Granted {
        key: key(1),
        attempt: claim.attempt,
        generation: generation(20),
        mac: None,
    });
    let wanted = rig.wanted();
    assert!(!wanted.is_empty() && wanted.iter().all(|it| *it == freeze()));
    // It has left.
    let mut rig = start(Some(committed(away(State::Commit, 30))));
    assert_eq!(rig.operations(), [set(key(1), 30, Place::Moved(host(2)))]);
    assert_eq!(rig.claims(), []);
    // It was to leave, and stays.
    let mut rig = start(None);
    let claim = rig.claims()[0];
    assert_eq!(rig.wanted(), []);
    rig.hear(ToAgent::Granted {
        key: key(1),
        attempt: claim.attempt,
        generation: generation(20),
        mac: None,
    });
    assert_eq!(rig.wanted(), [Output::Thaw(vec![key(1)])]);
}

#[test]
fn news_of_the_node_that_overtake_those_of_its_move_redirect_it_too() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.told(away(State::Freeze, 23));
    rig.kernel(Event::Frozen(key(1)));
    rig.push(key(1), found(30, 2));
    assert_eq!(rig.operations(), [set(key(1), 30, Place::Moved(host(2)))]);
    rig.told(committed(away(State::Commit, 30)));
    assert_eq!(rig.operations(), []);
    assert_eq!(rig.claims(), []);
}

#[test]
fn a_node_that_flees_leaves_no_redirect() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    let leak = |it: Move| Move {
        reason: Reason::Leak,
        ..it
    };
    rig.told(leak(away(State::Freeze, 23)));
    rig.told(leak(committed(away(State::Commit, 30))));
    assert_eq!(rig.operations(), [set(key(1), 30, Place::Remote(host(2)))]);
}

#[test]
fn how_a_move_ended_that_is_not_told_of_any_more_is_asked() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.told(away(State::Freeze, 23));
    rig.kernel(Event::Frozen(key(1)));
    rig.wanted();
    rig.input(Input::Disconnected);
    rig.steps();
    rig.pass(SECOND);
    rig.input(Input::Connected);
    rig.hear(ToAgent::Welcome(generation(40)));
    // By the other side's step, which leads to nothing.
    assert_eq!((rig.wanted(), rig.steps()), (vec![], step(Step::Resumed)));
    rig.told(away(State::Aborted, 24));
    assert_eq!(rig.wanted(), [Output::Thaw(vec![key(1)])]);
}

#[test]
fn a_program_that_nobody_told_the_end_is_told_by_the_next_agent() {
    let start = || {
        let mut out = Vec::new();
        let Output::Executor(errand) = run(Role::Source) else {
            unreachable!()
        };
        let inherited = Inherited {
            errands: &[errand],
            ..Inherited::default()
        };
        let config = Config {
            executor: true,
            ..Config::default()
        };
        let agent = Agent::start(config, seat(1), 1, inherited, None, START, &mut out);
        let now = START;
        let mut rig = Rig { agent, now, out };
        rig.pass(SECOND / 10);
        assert_eq!(rig.wanted(), []);
        rig
    };
    let mut rig = start();
    rig.welcome();
    // By the other side's step, which leads to nothing.
    assert_eq!((rig.wanted(), rig.steps()), (vec![], step(Step::Resumed)));
    rig.told(away(State::Aborted, 22));
    let undo = [
        run(Role::Source),
        say(Command::Abort),
        Output::Thaw(vec![key(1)]),
    ];
    assert_eq!(rig.wanted(), undo);

    let mut rig = start();
    rig.input(Input::Connected);
    rig.told(committed(away(State::Active, 31)));
    rig.hear(ToAgent::Welcome(generation(40)));
    assert_eq!(rig.wanted(), [run(Role::Source), say(Command::Done)]);
}

#[test]
fn a_later_boot_of_the_destination_claims_the_node() {
    let mut rig = Rig::with_executor();
    let mut it = committed(here(State::Commit, 30));
    it.to.epoch = 0;
    rig.told(it);
    assert_eq!(rig.wanted(), [run(Role::Destination)]);
    rig.kernel(up());
    assert_eq!(rig.claims(), []);
    rig.says(Notice::Received);
    let claim = rig.claims()[0];
    assert_eq!((rig.operations(), rig.steps()), (vec![], vec![]));
    rig.hear(ToAgent::Granted {
        key: key(1),
        attempt: claim.attempt,
        generation: generation(31),
        mac: None,
    });
    assert_eq!(rig.operations(), [set(key(1), 31, Place::Local)]);
    rig.kernel(Event::Active(key(1)));
    assert_eq!(rig.wanted(), [say(Command::Resume)]);
    rig.says(Notice::Resumed);
    assert_eq!(rig.steps(), step(Step::Resumed));
}

#[test]
fn what_the_end_of_a_lease_stops_at_the_destination_is_claimed() {
    let mut rig = Rig::new();
    rig.kernel(up());
    rig.told(here(State::Freeze, 23));
    rig.told(committed(here(State::Commit, 30)));
    assert_eq!(rig.operations(), [set(key(1), 30, Place::Local)]);
    rig.claims();
    rig.kernel(Event::Fenced(key(1)));
    let claim = rig.claims()[0];
    assert_eq!((claim.key, claim.held), (key(1), Generation::NONE));
    // The generation of the commit would not bring it back.
    rig.told(committed(here(State::Commit, 31)));
    assert_eq!(rig.operations(), []);
    rig.hear(ToAgent::Granted {
        key: key(1),
        attempt: claim.attempt,
        generation: generation(32),
        mac: None,
    });
    assert_eq!(rig.operations(), [set(key(1), 32, Place::Local)]);
    rig.kernel(Event::Active(key(1)));
    assert_eq!(rig.steps(), step(Step::Resumed));
}

#[test]
fn moves_of_an_earlier_boot_are_not_this_ones() {
    let mut rig = Rig::new();
    let mut it = away(State::Freeze, 23);
    it.from.epoch = 0;
    rig.told(it);
    assert_eq!((rig.wanted(), rig.steps()), (vec![], vec![]));
}

#[test]
fn a_move_is_begun_on_new_news_only() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.told(committed(away(State::Settled, 32)));
    rig.told(away(State::Freeze, 23));
    assert_eq!(rig.wanted(), [], "that move was over");
    rig.told(away(State::Freeze, 33));
    assert_eq!(rig.wanted(), [freeze()]);
}

#[test]
fn a_grant_that_is_still_on_its_way_does_not_bring_a_frozen_port_back() {
    let mut rig = Rig::new();
    rig.bind(key(1), 18);
    rig.told(away(State::Freeze, 23));
    rig.kernel(Event::Frozen(key(1)));
    rig.wanted();
    rig.operations();
    // The move is of the binding of revision 20; attempt 1 is the port's.
    for revision in [19, 20] {
        rig.hear(ToAgent::Granted {
            key: key(1),
            attempt: 1,
            generation: generation(revision),
            mac: None,
        });
    }
    assert_eq!(rig.operations(), []);
    rig.told(away(State::Aborted, 24));
    assert_eq!(rig.wanted(), [Output::Thaw(vec![key(1)])]);
    assert_eq!(rig.operations(), [set(key(1), 20, Place::Local)]);
}

#[test]
fn a_source_that_hears_late_that_its_move_has_settled_takes_nothing_back() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.told(away(State::Freeze, 23));
    rig.kernel(Event::Frozen(key(1)));
    rig.told(committed(away(State::Commit, 30)));
    rig.told(committed(away(State::Active, 31)));
    rig.operations();
    rig.steps();
    // It forwards as long as it has not heard, and the node comes back.
    rig.kernel(Event::PortDown(key(1)));
    rig.pass(SECOND * 40);
    assert_eq!(rig.operations(), []);
    rig.bind(key(1), 50);
    rig.operations();
    assert!(rig.has_asked(Step::Resumed));
    rig.told(committed(away(State::Settled, 60)));
    assert_eq!(rig.operations(), []);
}

#[test]
fn a_port_that_a_node_left_behind_is_claimed_when_the_node_may_be_back() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.told(away(State::Freeze, 23));
    rig.kernel(Event::Frozen(key(1)));
    rig.told(committed(away(State::Commit, 30)));
    rig.told(committed(away(State::Settled, 32)));
    rig.pass(SECOND * 3);
    assert_eq!(rig.claims(), []);
    rig.push(key(1), found(40, 2));
    assert_eq!(rig.claims().len(), 1);
}

#[test]
fn a_host_that_forwards_for_a_node_asks_about_it_when_it_comes_back() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.told(away(State::Freeze, 23));
    rig.kernel(Event::Frozen(key(1)));
    rig.told(committed(away(State::Commit, 30)));
    rig.told(committed(away(State::Settled, 32)));
    assert_eq!(rig.asked(key(1)), 0);
    rig.told(Move {
        id: MoveId(ID.0 + 1),
        ..committed(here(State::Prepare, 33))
    });
    assert_eq!(rig.asked(key(1)), 1, "nobody would say if it did not come");
}

#[test]
fn a_node_that_has_no_port_yet_is_not_given_back_while_it_is_moved_here() {
    let mut rig = Rig::new();
    rig.told(here(State::Freeze, 23));
    rig.push(
        key(1),
        Verdict::Yours {
            generation: generation(30),
            epoch: 1,
            leave: false,
            held: false,
            gone: false,
        },
    );
    assert_eq!(rig.releases(), []);
}
