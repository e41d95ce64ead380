// SPDX-License-Identifier: GPL-2.0

//! The drop reasons are those of the netlink specification, word for word and in its order.

use std::collections::HashSet;

use ovnet_engine::DropReason;

const SPEC: &str = include_str!("../../../../Documentation/netlink/specs/ovnet.yaml");

#[test]
fn words_and_order_are_those_of_the_specification() {
    let (_, from) = SPEC
        .split_once("    name: drop-reason\n")
        .expect("the enum is specified");
    let (body, _) = from
        .split_once("\n  -\n")
        .expect("another definition follows");
    let words: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("        name: "))
        .collect();
    let names: Vec<&str> = DropReason::ALL.into_iter().map(DropReason::name).collect();
    assert_eq!(names, words);
}

#[test]
fn numbers_count_from_zero_and_lead_back() {
    for (number, reason) in (0u32..).zip(DropReason::ALL) {
        assert_eq!(reason as u32, number);
        assert_eq!(DropReason::from_u32(number), Some(reason));
    }
    assert_eq!(DropReason::from_u32(DropReason::ALL.len() as u32), None);
    assert_eq!(DropReason::from_u32(u32::MAX), None);
}

#[test]
fn names_are_distinct_words() {
    let names: HashSet<&str> = DropReason::ALL.into_iter().map(DropReason::name).collect();
    assert_eq!(names.len(), DropReason::ALL.len());
    for name in names {
        assert!(name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-'));
    }
}
