// SPDX-License-Identifier: GPL-2.0

//! The command from its line to what it prints. The packets were put together and summed by hand; the
//! engine's own tests tell more of what it makes of each.

use clap::Parser;
use serde_json::{json, Value};

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    command: Command,
}

/// Run the command on this input; one object a packet.
fn run(line: &str, input: &[u8]) -> Vec<Value> {
    let text = print(line, input, true);
    let objects = text.lines().map(serde_json::from_str);
    objects.collect::<Result<_, _>>().unwrap()
}

fn print(line: &str, input: &[u8], json: bool) -> String {
    let words = std::iter::once("translate").chain(line.split_whitespace());
    let command = Line::try_parse_from(words).unwrap().command;
    let mut text = Vec::new();
    command
        .translate(
            Input::new(input).unwrap(),
            &mut Output::new(&mut text, json, false),
        )
        .unwrap();
    String::from_utf8(text).unwrap()
}

const MAPS: &str = "--map 192.0.2.33=2001:db8::a --map 198.51.100.2=2001:db8::b \
                    --own4 192.0.2.1 --own6 2001:db8::1";

/// UDP from 192.0.2.33:5353 to 198.51.100.2:53, TTL 64, DF, ID 0.
const UDP4: &str = "4500001e0000400040114e78c0000221c6336402 14e90035000a95fb 6869";
/// The same from 2001:db8::a to 2001:db8::b, hop limit 63.
const UDP6: &str = "60000000000a113f\
                    20010db800000000000000000000000a20010db800000000000000000000000b\
                    14e90035000a26cc 6869";

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn a_packet_each_way() {
    assert_eq!(
        run(MAPS, UDP4.as_bytes()),
        [json!({"out": [bare(UDP6)], "errors": [], "drop": null})]
    );
    let answer = run(&format!("{MAPS} --direction 6to4 --id 7"), UDP6.as_bytes());
    let back = bare(UDP4).replace("0000400040114e78", "000700003e119071");
    assert_eq!(answer, [json!({"out": [back], "errors": [], "drop": null})]);
}

#[test]
fn text_numbers_the_packets() {
    let input = format!("{UDP4}\n# nothing\n4500\n");
    let expected = format!("1 out {}\n2 drop malformed\n", bare(UDP6));
    assert_eq!(print(MAPS, input.as_bytes(), false), expected);
}

#[test]
fn an_error_goes_back() {
    let expired = bare(UDP4).replace("40114e78", "01118d78");
    let objects = run(MAPS, expired.as_bytes());
    assert_eq!(objects[0]["drop"], "ttl-exceeded");
    assert_eq!(objects[0]["out"], json!([]));
    let error = objects[0]["errors"][0].as_str().unwrap();
    assert_eq!(&error[24..40], "c0000201c0000221");
    assert_eq!(&error[40..44], "0b00");
    assert_eq!(&error[56..], expired);
    let off = format!("{MAPS} --icmp-errors off");
    assert_eq!(run(&off, expired.as_bytes())[0]["errors"], json!([]));
}

#[test]
fn options_reach_the_engine() {
    let unmapped = "--map 198.51.100.2=2001:db8::b --own4 192.0.2.1";
    let drop = |line: &str, packet: &str| run(line, packet.as_bytes())[0]["drop"].clone();
    assert_eq!(drop(unmapped, UDP4), "unknown-source");
    let report = run(&format!("{unmapped} --unmapped report"), UDP4.as_bytes());
    assert_eq!(report[0]["errors"].as_array().unwrap().len(), 1);
    let pool = format!("{unmapped} --pool6 64:ff9b::/96");
    assert_eq!(drop(&pool, UDP4), "unknown-source");
    assert_eq!(
        drop(&format!("{pool} --allow-non-global"), UDP4),
        Value::Null
    );

    let zero = bare(UDP4).replace("95fb", "0000");
    assert_eq!(drop(MAPS, &zero), "udp-zero-checksum");
    let computed = run(&format!("{MAPS} --udp-zero-csum compute"), zero.as_bytes());
    assert_eq!(computed[0]["out"], json!([bare(UDP6)]));
    let kept = run(&format!("{MAPS} --udp-zero-csum keep"), zero.as_bytes());
    assert_eq!(kept[0]["out"], json!([bare(UDP6).replace("26cc", "0000")]));

    let class = run(&format!("{MAPS} --tos 0xb9"), UDP6.as_bytes());
    assert_eq!(&class[0]["out"][0].as_str().unwrap()[..4], "45b9");
    let filter = format!("{MAPS} --pool6 2001:db8::/32 --ingress-filter");
    assert_eq!(drop(&filter, UDP6), "martian-source");

    // To 198.51.100.2 by the prefix, though it is mapped: it turns around, unless told otherwise.
    let maps = format!("{MAPS} --pool6 2001:db8:100::/40");
    let by_prefix = bare(UDP6).replacen(
        "20010db800000000000000000000000b14e90035000a26cc",
        "20010db801c633640002000000000000",
        1,
    );
    let by_prefix = by_prefix.replacen("6869", "14e90035000a00006869", 1);
    let turned = run(
        &format!("{maps} --udp-zero-csum keep"),
        by_prefix.as_bytes(),
    );
    assert_eq!(&turned[0]["out"][0].as_str().unwrap()[..1], "6");
    let crossing = run(
        &format!("{maps} --udp-zero-csum keep --hairpin off"),
        by_prefix.as_bytes(),
    );
    assert_eq!(&crossing[0]["out"][0].as_str().unwrap()[..1], "4");
}

#[test]
fn c05_a_large_packet_leaves_in_pieces() {
    let mut packet = vec![0x45, 0, 5, 0xdc, 0x12, 0x34, 0, 0, 64, 47, 0, 0];
    packet.extend([192, 0, 2, 33, 198, 51, 100, 2]);
    let sum = packet
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum = sum.sum::<u32>();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.resize(1500, 0x77);
    let out = &run(MAPS, hex(&packet).as_bytes())[0]["out"];
    let sizes: Vec<_> = out
        .as_array()
        .unwrap()
        .iter()
        .map(|out| out.as_str().unwrap().len() / 2)
        .collect();
    assert_eq!(sizes, [1280, 48 + 1480 - 1232]);
    let wide = run(
        &format!("{MAPS} --lowest-ipv6-mtu 1500"),
        hex(&packet).as_bytes(),
    );
    assert_eq!(wide[0]["out"].as_array().unwrap().len(), 2);
    let wide = run(
        &format!("{MAPS} --lowest-ipv6-mtu 1520 --mtu6 1520"),
        hex(&packet).as_bytes(),
    );
    assert_eq!(wide[0]["out"].as_array().unwrap().len(), 1);
}

const HOSTS: &str = "--profile overlay --vni 7";

fn near() -> String {
    format!("{HOSTS} --locator fd00:a:1:1::/64 --peer-locator fd00:a:1:2::/64 --own4 192.0.2.1")
}

fn far() -> String {
    format!("{HOSTS} --locator fd00:a:1:2::/64 --peer-locator fd00:a:1:1::/64")
}

#[test]
fn the_overlay_carries_packets_to_the_byte() {
    // With options; with the reserved flag; a fragment; IGMP; plain.
    let packets = [
        bare(UDP4),
        "46000020000040004011474e c0000221c6336402 94040000 0000000000000000".replace(' ', ""),
    ];
    for packet in packets {
        let packet = fix(&packet);
        let sent = run(&near(), packet.as_bytes());
        assert_eq!(sent[0]["drop"], Value::Null, "{packet}");
        let substrate = sent[0]["out"][0].as_str().unwrap();
        assert_eq!(&substrate[16..48], "fd00000a0001000100000007c0000221");
        assert_eq!(&substrate[48..80], "fd00000a0001000200000007c6336402");
        let received = run(&far(), substrate.as_bytes());
        assert_eq!(received[0]["out"], json!([packet]));
    }
}

#[test]
fn i15_only_what_the_peer_sends_to_this_host_and_network_arrives() {
    let sent = run(&near(), UDP4.as_bytes());
    let substrate = sent[0]["out"][0].as_str().unwrap();
    let drop = |line: &str, packet: &str| run(line, packet.as_bytes())[0]["drop"].clone();
    assert_eq!(drop(&far(), substrate), Value::Null);
    assert_eq!(drop(&near(), substrate), "not-here");
    let forged = substrate.replacen("fd00000a00010001", "fd00000a00010003", 1);
    assert_eq!(drop(&far(), &forged), "forged-source");
    let other = far().replace("--vni 7", "--vni 8");
    assert_eq!(drop(&other, substrate), "unknown-network");
    let crossing = substrate.replacen("00000007c0", "00000008c0", 1);
    assert_eq!(drop(&far(), &crossing), "network-mismatch");
    // U, G, and a slot.
    for bits in ["02", "01", "04"] {
        let odd = substrate.replacen("00000007c6", &format!("{bits}000007c6"), 1);
        assert_eq!(drop(&far(), &odd), "address-form");
    }
}

/// The packet with the right header checksum.
fn fix(packet: &str) -> String {
    let mut bytes: Vec<u8> = (0..packet.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(&packet[place..place + 2], 16).unwrap())
        .collect();
    let len = usize::from(bytes[0] & 15) * 4;
    bytes[10..12].fill(0);
    let sum = bytes[..len]
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum = sum.sum::<u32>();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    hex(&bytes)
}

#[test]
fn an_exact_network_escapes_identifications() {
    let packet = fix(&bare(UDP4).replacen("00004000", "00014000", 1));
    let next_header =
        |line: &str| run(line, packet.as_bytes())[0]["out"][0].as_str().unwrap()[12..14].to_owned();
    assert_eq!(next_header(&near()), "11");
    assert_eq!(next_header(&format!("{} --fidelity exact", near())), "04");
}

#[test]
fn delivery_by_slot() {
    let sent = run(&format!("{} --slot 5", near()), UDP4.as_bytes());
    let substrate = sent[0]["out"][0].as_str().unwrap();
    assert_eq!(&substrate[48..80], "fd00000a0001000216000007c6336402");
    assert_eq!(run(&far(), substrate.as_bytes())[0]["drop"], "address-form");
    let received = run(&format!("{} --slot 5", far()), substrate.as_bytes());
    assert_eq!(received[0]["out"], json!([bare(UDP4)]));
}

#[test]
fn a_frame_of_another_type_is_carried_whole() {
    let frame = [
        &[
            0x02, 0x76, 198, 51, 100, 2, 0x02, 0x76, 192, 0, 2, 33, 0x88, 0xcc,
        ][..],
        &[7; 46],
    ]
    .concat();
    let capture = |frame: &[u8]| {
        let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1];
        out.extend([0; 16]);
        out.extend([1, 0, 0, 0]);
        out.extend([0; 8]);
        out.extend([frame.len() as u8, 0, 0, 0, frame.len() as u8, 0, 0, 0]);
        out.extend(frame);
        out
    };
    let sent = run(&near(), &capture(&frame));
    let substrate = sent[0]["out"][0].as_str().unwrap();
    assert_eq!(&substrate[12..14], "8f");
    assert_eq!(&substrate[72..80], "c6336402");
    assert_eq!(
        run(&far(), substrate.as_bytes())[0]["out"],
        json!([hex(&frame)])
    );
    assert_eq!(run(MAPS, &capture(&frame))[0]["drop"], "not-ipv4");
    let mut group = frame;
    group[0] = 1;
    assert_eq!(run(&near(), &capture(&group))[0]["drop"], "multicast");
}

#[test]
fn a18_frames_to_a_group_are_dropped() {
    let packet: Vec<u8> = {
        let text = bare(UDP4);
        (0..text.len())
            .step_by(2)
            .map(|place| u8::from_str_radix(&text[place..place + 2], 16).unwrap())
            .collect()
    };
    for (dst, drop) in [(0xff, json!("multicast")), (0x02, Value::Null)] {
        let frame = [&[dst; 6][..], &[2; 6], &[8, 0], &packet].concat();
        let mut input = vec![0xa1, 0xb2, 0xc3, 0xd4];
        input.extend([0; 16]);
        input.extend([0, 0, 0, 1]);
        input.extend([0; 8]);
        input.extend([0, 0, 0, frame.len() as u8, 0, 0, 0, frame.len() as u8]);
        input.extend(frame);
        assert_eq!(run(MAPS, &input)[0]["drop"], drop);
    }
}

#[test]
fn the_overlays_limits_and_the_substrates_errors_reach_the_node() {
    let line = format!("{} --mtu6 1280", near());
    let large = fix(&format!(
        "450004ed00004000402f0000c0000221c6336402{}",
        "55".repeat(1261 - 20)
    ));
    let told = run(&line, large.as_bytes());
    assert_eq!(told[0]["drop"], "too-big");
    // Fragmentation needed, MTU 1260.
    assert_eq!(&told[0]["errors"][0].as_str().unwrap()[40..44], "0304");
    assert_eq!(&told[0]["errors"][0].as_str().unwrap()[48..56], "000004ec");

    let sent = run(&near(), large.as_bytes());
    let substrate = sent[0]["out"][0].as_str().unwrap();
    // A router with an MTU of 1280 quotes 64 bytes of it.
    let mut message = "0200000000000500".to_owned();
    message.push_str(&substrate[..128]);
    let router = "20010db8000000000000000000000009";
    let node = &substrate[16..48];
    let pseudo = format!("{router}{node}{:08x}0000003a{message}", message.len() / 2);
    let sum: u64 = (0..pseudo.len())
        .step_by(4)
        .map(|place| u64::from_str_radix(&pseudo[place..place + 4], 16).unwrap())
        .sum();
    let message = format!(
        "0200{:04x}{}",
        0xffff - (sum - 1) % 0xffff - 1,
        &message[8..]
    );
    let error = format!(
        "60000000{:04x}3a3f{router}{node}{message}",
        message.len() / 2
    );
    let reported = run(&near(), error.as_bytes());
    assert_eq!(reported[0]["drop"], Value::Null);
    let reported = reported[0]["out"][0].as_str().unwrap();
    assert_eq!(&reported[24..44], "c0000201c00002210304");
    assert_eq!(&reported[48..56], "000004ec");
    assert_eq!(&reported[56..56 + 88], &large[..88]);
}
