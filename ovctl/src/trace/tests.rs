// SPDX-License-Identifier: GPL-2.0

use ovnet_uapi::{DropReason, EventKind, Form, MappingState};

use super::*;
use crate::output::capture;
use crate::prefix;

fn step(kind: TraceStepKind) -> TraceStep {
    TraceStep {
        kind,
        reason: None,
        vni: None,
        address: None,
        mac: None,
        gen: None,
        state: None,
        port_state: None,
        locator: None,
        from: None,
        slot: None,
        external: None,
        peer_vni: None,
        peer_address: None,
        direction: None,
        rule: None,
        action: None,
        form: None,
        ifindex: None,
        netns_id: None,
        ifname: None,
        nexthop: None,
        mtu: None,
        length: None,
        event: None,
        icmp_type: None,
        icmp_code: None,
    }
}

fn sent() -> Hop {
    let mut packet = vec![0x60; 48];
    packet[8..24].copy_from_slice(&"fd00:a:1:1:0:7:a00:2".parse::<Ipv6Addr>().unwrap().octets());
    packet[24..40].copy_from_slice(&"fd00:a:1:2:0:7:a00:3".parse::<Ipv6Addr>().unwrap().octets());
    let steps = vec![
        TraceStep {
            vni: Some(7),
            address: Some(Ipv4Addr::new(10, 0, 0, 3)),
            gen: Some(4),
            state: Some(MappingState::Remote),
            ..step(TraceStepKind::Destination)
        },
        TraceStep {
            ifindex: Some(2),
            ifname: Some("eth0".into()),
            mtu: Some(1500),
            ..step(TraceStepKind::Route)
        },
        TraceStep {
            form: Some(Form::Fast),
            ..step(TraceStepKind::Form)
        },
    ];
    Hop {
        host: None,
        trace: Trace {
            verdict: TraceVerdict::Sent,
            steps,
            out: vec![packet],
        },
        names: Names::new(),
    }
}

fn dropped() -> Hop {
    let locator = prefix::locator("fd00:a:1:2::/64").unwrap();
    let steps = vec![
        TraceStep {
            vni: Some(7),
            address: Some(Ipv4Addr::new(10, 0, 0, 2)),
            ..step(TraceStepKind::Source)
        },
        TraceStep {
            event: Some(EventKind::Miss),
            ..step(TraceStepKind::Event)
        },
        TraceStep {
            reason: Some(Ok(DropReason::UnknownSource)),
            ..step(TraceStepKind::Drop)
        },
    ];
    Hop {
        host: Some(("S".into(), locator)),
        trace: Trace {
            verdict: TraceVerdict::Dropped,
            steps,
            out: vec![],
        },
        names: Names::new(),
    }
}

#[test]
fn every_step_is_a_line_and_the_verdict_the_last() {
    let text = capture::text(false, |output| {
        write(&[sent(), dropped()], true, false, output).unwrap()
    });
    assert_eq!(
        text,
        "\
at this host
  destination   vni 7 address 10.0.0.3 gen 4 state remote
  route         ifname eth0 mtu 1500
  form          form fast
sent: fd00:a:1:1:0:7:a00:2 to fd00:a:1:2:0:7:a00:3, 48 bytes
at host fd00:a:1:2::/64 (S)
  source        vni 7 address 10.0.0.2 (no mapping)
  event         event miss
  drop          reason unknown-source
dropped: unknown-source: No mapping of the source node is known.
"
    );
}

#[test]
fn the_json_is_one_object_with_a_hop_for_each_host() {
    let text = capture::text(true, |output| {
        write(&[sent(), dropped()], true, false, output).unwrap()
    });
    assert!(text.starts_with(
        "{\"verdict\":\"dropped\",\"reason\":\"unknown-source\",\"hop\":[{\"verdict\":\"sent\",\
         \"step\":[{\"kind\":\"destination\",\"vni\":7,\"address\":\"10.0.0.3\",\"gen\":4,\
         \"state\":\"remote\"},{\"kind\":\"route\",\"ifindex\":2,\"ifname\":\"eth0\",\"mtu\":1500},"
    ));
    assert!(text.contains("\"out\":[\"60606060606060"));
    assert!(text.contains(
        "{\"netns\":\"S\",\"locator\":\"fd00:a:1:2::/64\",\"verdict\":\"dropped\",\
         \"reason\":\"unknown-source\",\"step\":[{\"kind\":\"source\""
    ));
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn the_bytes_are_shown_to_those_who_ask() {
    let text = capture::text(false, |output| {
        write(&[sent()], false, true, output).unwrap()
    });
    assert_eq!(text.lines().last(), Some(&*hex(&sent().trace.out[0])));
    assert!(!text.contains("at this host"));
}

#[test]
fn a_packet_that_does_not_arrive_has_a_code() {
    assert_eq!(code(&[sent()]), None);
    assert_eq!(code(&[sent(), dropped()]), Some(Code::Dropped));
    let mut waits = sent();
    waits.trace.verdict = TraceVerdict::Parked;
    assert_eq!(code(&[sent(), waits]), Some(Code::Waits));
}

#[test]
fn digits_may_be_apart() {
    assert_eq!(digits("6000:0a 0B").unwrap().0, [0x60, 0, 10, 11]);
    assert!(digits("600").unwrap_err().contains("even number"));
    assert!(digits("6g").unwrap_err().contains("hexadecimal"));
    assert!(digits(&"00".repeat(9217)).unwrap_err().contains("9216"));
}
