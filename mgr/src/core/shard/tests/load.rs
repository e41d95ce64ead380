// SPDX-License-Identifier: GPL-2.0

//! How busy hosts are, as they say and as it is written.

use super::*;
use crate::core::load::Load;
use crate::core::record::HostLoad;
use crate::store::Lease;

fn rig() -> Rig {
    let mut rig = Rig::with_hosts(Config::default(), &[], &[1, 2]);
    rig.input(Input::Leased(Lease(4)));
    rig.out.clear();
    rig
}

impl Rig {
    pub(super) fn report(&mut self, now: Time, n: u32, cpu: u32) {
        let report = Report {
            load: Some(Load { cpu, memory: 100 }),
            ..Report::default()
        };
        self.hear(now, n, ToManager::Report(report));
    }

    fn load(&self, n: u32) -> Option<u32> {
        let (load, _) = self.shard.table().load(host(n))?;
        assert_eq!((load.manager, load.memory), (9, 100));
        Some(load.cpu)
    }

    /// Host 1 has said twice that it is as busy as that, and that is written.
    fn known(&mut self, cpu: u32) {
        self.report(after(10_000), 1, cpu);
        self.report(after(20_000), 1, cpu);
        self.at(after(20_000));
        self.carry_out(after(20_000));
        assert_eq!(self.load(1), Some(cpu));
    }

    /// Whether anything is written at a time.
    fn writes(&mut self, now: u64) -> bool {
        self.out.clear();
        self.at(after(now));
        self.is_writing()
    }
}

#[test]
fn a_load_is_written_by_the_second_report_and_bound_to_the_managers_lease() {
    let mut rig = rig();
    rig.report(after(10_000), 1, 400);
    assert!(!rig.writes(10_000));
    rig.report(after(20_000), 1, 600);
    rig.at(after(20_000));
    let (_, transaction) = rig.transaction();
    let load = HostLoad {
        manager: 9,
        cpu: 500,
        memory: 100,
    };
    let put = Write::Put {
        key: Name::Load(host(1)).bytes(),
        value: record::encode(&load),
        lease: Some(Lease(4)),
    };
    assert_eq!(transaction.writes, [put]);
    // A host that is deleted meanwhile gets none.
    let exists = Condition::Modified(Name::Host(host(1)).bytes(), 1);
    assert!(transaction.conditions.contains(&exists));
}

#[test]
fn what_has_changed_little_or_only_just_is_not_written_again() {
    let mut rig = rig();
    rig.known(400);
    // By 49, and then by 50.
    for _ in 0..60 {
        rig.report(after(30_000), 1, 449);
    }
    assert!(!rig.writes(30_000));
    for _ in 0..60 {
        rig.report(after(31_000), 1, 450);
    }
    rig.at(after(31_000));
    rig.carry_out(after(31_000));
    assert_eq!(rig.load(1), Some(450));
    for _ in 0..60 {
        rig.report(after(32_000), 1, 900);
    }
    assert!(!rig.writes(40_000), "sooner than 10 s after the last");
    assert!(rig.writes(41_000));
}

#[test]
fn without_a_lease_nothing_is_written() {
    let mut rig = rig();
    rig.input(Input::LeaseLost);
    rig.report(after(10_000), 1, 400);
    rig.report(after(20_000), 1, 400);
    assert!(!rig.writes(20_000));
    rig.input(Input::Leased(Lease(5)));
    assert!(rig.writes(21_000));
}

#[test]
fn a_host_that_is_silent_has_no_load() {
    let mut rig = rig();
    rig.known(400);
    assert!(!rig.writes(79_000));
    rig.at(after(80_000));
    rig.carry_out(after(80_000));
    assert_eq!(rig.load(1), None);
    // What it said then is not part of the mean.
    rig.report(after(90_000), 1, 900);
    assert!(!rig.writes(90_000));
    rig.report(after(100_000), 1, 900);
    rig.at(after(100_000));
    rig.carry_out(after(100_000));
    assert_eq!(rig.load(1), Some(900));
}

#[test]
fn a_host_that_is_fenced_or_deleted_has_no_load() {
    let mut rig = rig();
    rig.known(400);
    let fenced = Epoch {
        current: 1,
        fenced: 1,
        ..Epoch::default()
    };
    rig.change(Name::Epoch(host(1)), Some(record::encode(&fenced)));
    rig.out.clear();
    rig.at(after(21_000));
    rig.carry_out(after(21_000));
    assert_eq!(rig.load(1), None);
    // Whatever it says.
    rig.report(after(30_000), 1, 900);
    assert!(!rig.writes(31_000));

    let mut rig = self::rig();
    rig.known(400);
    rig.change(Name::Host(host(1)), None);
    rig.out.clear();
    rig.at(after(21_000));
    rig.carry_out(after(21_000));
    assert_eq!(rig.load(1), None);
}

#[test]
fn whoever_deletes_a_host_deletes_its_load() {
    let mut rig = rig();
    rig.order(Order::DeleteHost(host(3)), None);
    let (_, transaction) = rig.transaction();
    let load = Name::Load(host(3)).bytes();
    let deletes = |it: &Write| matches!(it, Write::Delete(range) if *range.start() == load);
    assert!(transaction.writes.iter().any(deletes));
}

#[test]
fn of_two_managers_the_one_that_hears_the_host_writes() {
    let mut rig = rig();
    rig.known(400);
    let other = HostLoad {
        manager: 8,
        cpu: 410,
        memory: 100,
    };
    rig.change(Name::Load(host(1)), Some(record::encode(&other)));
    // The connection here may be a dead one.
    assert!(!rig.writes(31_000));
    // What another one has written is not taken back when the host is silent here.
    assert!(!rig.writes(90_000));
    rig.report(after(91_000), 1, 400);
    rig.report(after(92_000), 1, 400);
    rig.at(after(92_000));
    rig.carry_out(after(92_000));
    assert_eq!(rig.load(1), Some(400));
}

#[test]
fn not_many_are_written_at_once() {
    let config = Config {
        batch: 2,
        ..Config::default()
    };
    let mut rig = Rig::with_hosts(config, &[], &[1, 2]);
    rig.input(Input::Leased(Lease(4)));
    rig.out.clear();
    for n in [1, 2] {
        rig.report(after(10_000), n, 300);
        rig.report(after(20_000), n, 300);
    }
    rig.at(after(20_000));
    rig.carry_out(after(20_000));
    assert_eq!([rig.load(1), rig.load(2)], [Some(300), None]);
    rig.at(after(21_000));
    rig.carry_out(after(21_000));
    assert_eq!(rig.load(2), Some(300));
}

#[test]
fn a_load_that_the_store_has_no_more_when_it_is_read_again_is_none() {
    let mut rig = rig();
    rig.known(400);
    rig.input(Input::Load {
        range: Range::prefix("load/"),
        entries: Vec::new(),
        revision: 50,
        last: false,
    });
    assert_eq!(rig.load(1), None);
}
