// SPDX-License-Identifier: GPL-2.0

//! Rows B: IPv4 options.

use super::wire::*;
use ovnet_engine::DropReason;

/// A UDP packet with these options, padded to a multiple of 4.
fn packet(options: &[u8]) -> V4 {
    let mut options = options.to_vec();
    options.resize(options.len().next_multiple_of(4), 0);
    V4 {
        options,
        ..V4::new(UDP, udp(30))
    }
}

#[test]
fn b01_options_are_removed() {
    let options: [&[u8]; 8] = [
        &[1, 1, 1, 0],
        &[130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[136, 4, 0, 1],
        &[7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0],
        &[68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[148, 4, 0, 0],
        &[1; 40],
        &[0xe0, 40, 1, 2],
    ];
    for option in options {
        let mut option = option.to_vec();
        if option[0] == 0xe0 {
            option.resize(40, 3);
        }
        edge().sends6(&packet(&option), &V6::new(UDP, udp(30)));
    }
}

#[test]
fn b02_a_source_route_that_is_used_up_is_removed() {
    for kind in [131, 137] {
        let options = [kind, 7, 8, 192, 0, 2, 9];
        edge().sends6(&packet(&options), &V6::new(UDP, udp(30)));
    }
}

#[test]
fn b03_a_source_route_with_hops_left_is_reported() {
    for (kind, pointer) in [(131, 4), (137, 4), (131, 7)] {
        let options = [kind, 7, pointer, 192, 0, 2, 9];
        edge().replies4(&packet(&options), DropReason::SourceRoute, (3, 5, 0));
    }
    // Nothing is said about an error.
    let quoted = V4::back(UDP, udp(20)).bytes();
    let error = V4 {
        options: vec![131, 7, 4, 192, 0, 2, 9, 0],
        ..V4::new(ICMP, icmp(3, 1, 0, &quoted))
    };
    edge().drops6(&error, DropReason::SourceRoute);
}

#[test]
fn b04_impossible_lengths_are_dropped() {
    let options: [&[u8]; 7] = [
        &[7, 0, 4, 0],
        &[7, 1, 4, 0],
        &[7, 5, 4, 0],
        &[1, 1, 1, 7],
        &[131, 2, 0, 0],
        &[131, 200, 4, 0],
        &[148, 255, 0, 0],
    ];
    for option in options {
        edge().drops6(&packet(option), DropReason::Malformed);
    }
}

#[test]
fn b05_a_source_route_is_found_wherever_it_counts() {
    for lead in 1..5 {
        let mut options = vec![1; lead];
        options.extend([131, 7, 4, 192, 0, 2, 9]);
        edge().replies4(&packet(&options), DropReason::SourceRoute, (3, 5, 0));
    }
    // Another one that is used up does not make up for it.
    let options = [131, 7, 4, 192, 0, 2, 9, 137, 7, 8, 192, 0, 2, 9];
    edge().replies4(&packet(&options), DropReason::SourceRoute, (3, 5, 0));
    // Behind the end of the list it is padding.
    let options = [1, 0, 131, 7, 4, 192, 0, 2, 9, 0, 0, 0];
    edge().sends6(&packet(&options), &V6::new(UDP, udp(30)));
}

#[test]
fn b06_source_routes_in_quotes_are_removed() {
    let mut quoted = packet(&[131, 7, 4, 192, 0, 2, 9]);
    (quoted.src, quoted.dst) = (B4, A4);
    let quoted = quoted.sealed();
    let inner = V6::back(UDP, udp(30));
    edge().sends6(
        &V4::new(ICMP, icmp(3, 5, 0, &quoted.bytes())),
        &V6::new(ICMPV6, icmp(1, 0, 0, &inner.bytes())),
    );
}

#[test]
fn b07_fragments_lose_their_options_too() {
    let packet = V4 {
        df: false,
        mf: true,
        options: vec![1, 1, 1, 0],
        ..V4::new(UDP, udp(64))
    };
    let expected = V6 {
        headers: vec![fragment(0, true, 0x4321)],
        ..V6::new(UDP, udp(64))
    };
    edge().sends6(&packet, &expected);
}
