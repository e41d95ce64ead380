// SPDX-License-Identifier: GPL-2.0

//! What criteria fit, and that the index finds what reading the rules one after the other finds.

use core::net::Ipv4Addr;

use ovnet_engine::header::Ipv4;
use ovnet_engine::policy::index::{
    self, buckets, pieces, Builder, Full, Index, Piece, Shape, ALIKE_MAX, EMPTY_BUCKET, PIECES_MAX,
    SHAPES_MAX,
};
use ovnet_engine::policy::{Criteria, Prefix, Span, Subject, Transport, ICMP, L4};
use ovnet_engine::Vni;
use proptest::prelude::*;

const TCP: u8 = 6;
const UDP: u8 = 17;
const GRE: u8 = 47;

/// An index with its memory.
struct Rules {
    shapes: [Shape; SHAPES_MAX],
    shape_count: usize,
    pieces: Vec<Piece>,
    buckets: Vec<u32>,
    secret: [u64; 2],
}

impl Rules {
    fn build(rules: &[Criteria], secret: [u64; 2]) -> Result<Rules, Full> {
        let count = rules.iter().map(|rule| pieces(rule).unwrap()).sum();
        let mut built = Rules {
            shapes: [Shape::default(); SHAPES_MAX],
            shape_count: 0,
            pieces: vec![Piece::EMPTY; count],
            buckets: vec![EMPTY_BUCKET; buckets(count)],
            secret,
        };
        let mut builder = Builder::new(
            &mut built.shapes,
            &mut built.pieces,
            &mut built.buckets,
            secret,
        );
        for (rank, rule) in rules.iter().enumerate() {
            builder.add(rank as u32, rule)?;
        }
        built.shape_count = builder.shapes();
        Ok(built)
    }

    fn find(&self, subject: &Subject) -> Option<u32> {
        let index = Index {
            shapes: &self.shapes[..self.shape_count],
            pieces: &self.pieces,
            buckets: &self.buckets,
            secret: self.secret,
        };
        index.find(subject)
    }
}

fn vni(number: u32) -> Vni {
    Vni::new(number).unwrap()
}

fn prefix(text: &str, len: u8) -> Prefix {
    Prefix::new(text.parse().unwrap(), len).unwrap()
}

fn span(first: u16, last: u16) -> Span {
    Span::new(first, last).unwrap()
}

fn subject() -> Subject {
    Subject {
        src: Ipv4Addr::new(10, 0, 0, 2),
        dst: Ipv4Addr::new(10, 0, 0, 3),
        protocol: TCP,
        l4: L4::Ports(40000, 80),
        len: 60,
        peer: vni(7),
    }
}

#[test]
fn a_prefix_has_no_bits_beyond_its_length() {
    let address = Ipv4Addr::new(10, 1, 2, 3);
    assert_eq!(Prefix::new(address, 24), None);
    assert_eq!(Prefix::new(address, 33), None);
    let host = Prefix::new(address, 32).unwrap();
    assert!(host.contains(address) && !host.contains(Ipv4Addr::new(10, 1, 2, 2)));
    let net = prefix("10.1.0.0", 16);
    assert!(net.contains(address) && !net.contains(Ipv4Addr::new(10, 2, 0, 0)));
    assert!(Prefix::ALL.contains(Ipv4Addr::BROADCAST) && Prefix::ALL.contains(address));
    assert_eq!((net.address(), net.length()), ([10, 1, 0, 0].into(), 16));
}

#[test]
fn each_criterion_fits_what_it_says_and_nothing_else() {
    let tcp = subject();
    let echo = Subject {
        protocol: ICMP,
        l4: L4::Icmp(8, 0),
        ..tcp
    };
    let gre = Subject {
        protocol: GRE,
        l4: L4::None,
        ..tcp
    };
    let later = Subject {
        l4: L4::None,
        ..tcp
    };
    let all = Criteria::ALL;
    let transport = |transport| Criteria { transport, ..all };
    let ports = |protocol, src, dst| transport(Transport::Ports { protocol, src, dst });
    let icmp = |kind, code| transport(Transport::Icmp { kind, code });
    for (criteria, fits) in [
        (all, [true, true, true, true]),
        (
            Criteria {
                src: prefix("10.0.0.2", 32),
                ..all
            },
            [true; 4],
        ),
        (
            Criteria {
                src: prefix("10.0.0.3", 32),
                ..all
            },
            [false; 4],
        ),
        (
            Criteria {
                dst: prefix("10.0.0.0", 30),
                ..all
            },
            [true; 4],
        ),
        (
            Criteria {
                dst: prefix("10.0.0.4", 30),
                ..all
            },
            [false; 4],
        ),
        (
            Criteria {
                size: span(60, 60),
                ..all
            },
            [true; 4],
        ),
        (
            Criteria {
                size: span(61, 1500),
                ..all
            },
            [false; 4],
        ),
        (
            Criteria {
                peer: Some(vni(7)),
                ..all
            },
            [true; 4],
        ),
        (
            Criteria {
                peer: Some(vni(8)),
                ..all
            },
            [false; 4],
        ),
        (
            transport(Transport::Protocol(TCP)),
            [true, false, false, true],
        ),
        (
            transport(Transport::Protocol(GRE)),
            [false, false, true, false],
        ),
        (
            ports(None, Span::ALL, span(80, 80)),
            [true, false, false, false],
        ),
        (
            ports(None, Span::ALL, span(0, 79)),
            [false, false, false, false],
        ),
        (
            ports(Some(UDP), Span::ALL, span(80, 80)),
            [false, false, false, false],
        ),
        (
            ports(Some(TCP), span(32768, 60999), span(80, 80)),
            [true, false, false, false],
        ),
        (
            ports(Some(TCP), Span::ALL, Span::ALL),
            [true, false, false, true],
        ),
        (icmp(8, None), [false, true, false, false]),
        (icmp(8, Some(0)), [false, true, false, false]),
        (icmp(8, Some(1)), [false, false, false, false]),
        (icmp(0, None), [false, false, false, false]),
    ] {
        let rules = Rules::build(&[criteria], [3, 5]).unwrap();
        for (subject, fits) in [tcp, echo, gre, later].iter().zip(fits) {
            assert_eq!(criteria.fit(subject), fits, "{criteria:?} {subject:?}");
            let found = rules.find(subject);
            assert_eq!(found, fits.then_some(0), "{criteria:?} {subject:?}");
        }
    }
}

#[test]
fn a_packet_shows_its_ports_or_its_type_unless_it_is_a_later_fragment() {
    let header = |protocol, fragment_offset| Ipv4 {
        header_len: 24,
        tos: 0,
        total_len: 3000,
        id: 1,
        reserved: false,
        df: false,
        mf: true,
        fragment_offset,
        ttl: 64,
        protocol,
        src: Ipv4Addr::new(10, 0, 0, 2),
        dst: Ipv4Addr::new(10, 0, 0, 3),
    };
    let l4 = [8, 1, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0];
    let seen = |ip: &Ipv4, l4: &[u8]| Subject::new(ip, l4, 0, vni(7)).l4;
    for protocol in [TCP, UDP, 33, 132, 136] {
        assert_eq!(seen(&header(protocol, 0), &l4), L4::Ports(0x801, 80));
        assert_eq!(seen(&header(protocol, 1), &l4), L4::None);
        assert_eq!(seen(&header(protocol, 0), &l4[..3]), L4::None);
    }
    assert_eq!(seen(&header(ICMP, 0), &l4), L4::Icmp(8, 1));
    assert_eq!(seen(&header(ICMP, 9), &l4), L4::None);
    assert_eq!(seen(&header(GRE, 0), &l4), L4::None);

    // Of what stands for several the length is that of each: 24 and 32 of headers, or 24 and 8.
    let len = |protocol, segment| Subject::new(&header(protocol, 0), &l4, segment, vni(7)).len;
    assert_eq!(len(TCP, 0), 3000);
    assert_eq!(len(TCP, 1000), 1056);
    assert_eq!(len(UDP, 1000), 1032);
    assert_eq!(len(TCP, 2990), 3000);
    assert_eq!(len(TCP, u16::MAX), 3000);
}

#[test]
fn the_lowest_rank_decides_whatever_its_shape() {
    let narrow = Criteria {
        src: prefix("10.0.0.2", 32),
        ..Criteria::ALL
    };
    let wide = Criteria {
        src: prefix("10.0.0.0", 8),
        ..Criteria::ALL
    };
    for rules in [[narrow, wide], [wide, narrow]] {
        let rules = Rules::build(&rules, [1, 2]).unwrap();
        assert_eq!(rules.find(&subject()), Some(0));
    }
    let other = Subject {
        src: Ipv4Addr::new(10, 9, 9, 9),
        ..subject()
    };
    let rules = Rules::build(&[narrow, wide], [1, 2]).unwrap();
    assert_eq!(rules.find(&other), Some(1));
    assert_eq!(
        rules.find(&Subject {
            src: Ipv4Addr::LOCALHOST,
            ..other
        }),
        None
    );
    assert_eq!(Rules::build(&[], [1, 2]).unwrap().find(&other), None);
}

#[test]
fn what_an_index_cannot_hold_is_said() {
    let ports = |src, dst| Criteria {
        transport: Transport::Ports {
            protocol: None,
            src,
            dst,
        },
        ..Criteria::ALL
    };
    // The worst range makes 104 blocks, the usual one 27.
    assert_eq!(pieces(&ports(Span::ALL, span(1, 65534))), Some(104));
    assert_eq!(pieces(&ports(Span::ALL, span(1024, 65535))), Some(27));
    assert_eq!(
        pieces(&ports(span(1024, 65535), span(1024, 65535))),
        Some(729)
    );
    assert_eq!(pieces(&ports(span(1, 65534), span(1, 65534))), None);
    const { assert!(729 <= PIECES_MAX) };

    let shaped = |number: usize| Criteria {
        src: prefix("0.0.0.0", (number % 33) as u8),
        dst: prefix("0.0.0.0", (number / 33) as u8),
        ..Criteria::ALL
    };
    let many: Vec<_> = (0..=SHAPES_MAX).map(shaped).collect();
    assert!(Rules::build(&many[..SHAPES_MAX], [1, 2]).is_ok());
    assert!(matches!(Rules::build(&many, [1, 2]), Err(Full::Shapes)));

    let sized = |number: usize| Criteria {
        size: span(number as u16, number as u16),
        ..Criteria::ALL
    };
    let alike: Vec<_> = (0..=ALIKE_MAX).map(sized).collect();
    assert!(Rules::build(&alike[..ALIKE_MAX], [1, 2]).is_ok());
    assert!(matches!(Rules::build(&alike, [1, 2]), Err(Full::Alike)));
    // What an earlier rule covers takes no room.
    let same = vec![Criteria::ALL; 10 * ALIKE_MAX];
    let rules = Rules::build(&same, [1, 2]).unwrap();
    assert_eq!(rules.find(&subject()), Some(0));

    let mut shapes = [Shape::default(); SHAPES_MAX];
    let mut buckets = [EMPTY_BUCKET; 2];
    let mut builder = Builder::new(&mut shapes, &mut [], &mut buckets, [1, 2]);
    assert_eq!(builder.add(0, &Criteria::ALL), Err(Full::Pieces));
}

/// Numbers near each other, so that rules and packets meet.
fn few_ports() -> impl Strategy<Value = u16> {
    prop_oneof![
        Just(0u16),
        Just(80),
        Just(u16::MAX),
        1020u16..1030,
        any::<u16>()
    ]
}

fn few_addresses() -> impl Strategy<Value = u32> {
    prop_oneof![
        0x0a00_0000u32..0x0a00_0008,
        0x0a00_0000u32..0x0a10_0000,
        any::<u32>()
    ]
}

fn few_protocols() -> impl Strategy<Value = u8> {
    prop_oneof![Just(TCP), Just(UDP), Just(ICMP), Just(GRE)]
}

fn a_prefix() -> impl Strategy<Value = Prefix> {
    let len = prop_oneof![Just(0u8), Just(32), Just(24), Just(29)];
    (few_addresses(), len).prop_map(|(bits, len)| {
        let bits = (u64::from(bits) >> (32 - len) << (32 - len)) as u32;
        Prefix::new(bits.into(), len).unwrap()
    })
}

fn a_span() -> impl Strategy<Value = Span> {
    prop_oneof![
        Just(Span::ALL),
        few_ports().prop_map(|port| span(port, port)),
        (few_ports(), few_ports()).prop_map(|(a, b)| span(a.min(b), a.max(b))),
    ]
}

fn a_transport() -> impl Strategy<Value = Transport> {
    let protocol = prop_oneof![Just(None), Just(Some(TCP)), Just(Some(UDP))];
    prop_oneof![
        Just(Transport::Any),
        few_protocols().prop_map(Transport::Protocol),
        (protocol, a_span(), a_span()).prop_map(|(protocol, src, dst)| Transport::Ports {
            protocol,
            src,
            dst
        }),
        (0u8..4, prop::option::of(0u8..4)).prop_map(|(kind, code)| Transport::Icmp { kind, code }),
    ]
}

fn a_peer() -> impl Strategy<Value = Vni> {
    (1u32..4).prop_map(vni)
}

fn criteria() -> impl Strategy<Value = Criteria> {
    let size = prop_oneof![3 => Just(Span::ALL), 1 => a_span()];
    let peer = prop_oneof![2 => Just(None), 1 => a_peer().prop_map(Some)];
    (a_prefix(), a_prefix(), a_transport(), size, peer)
        .prop_map(|(src, dst, transport, size, peer)| Criteria {
            src,
            dst,
            transport,
            size,
            peer,
        })
        .prop_filter("too many pieces", |criteria| pieces(criteria).is_some())
}

fn a_subject() -> impl Strategy<Value = Subject> {
    let l4 = (few_protocols(), any::<bool>(), few_ports(), few_ports()).prop_map(
        |(protocol, whole, src, dst)| {
            let l4 = match protocol {
                TCP | UDP if whole => L4::Ports(src, dst),
                ICMP if whole => L4::Icmp((src % 4) as u8, (dst % 4) as u8),
                _ => L4::None,
            };
            (protocol, l4)
        },
    );
    (few_addresses(), few_addresses(), l4, few_ports(), a_peer()).prop_map(
        |(src, dst, (protocol, l4), len, peer)| Subject {
            src: src.into(),
            dst: dst.into(),
            protocol,
            l4,
            len,
            peer,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_index_finds_what_a_linear_search_finds(
        rules in prop::collection::vec(criteria(), 0..24),
        subjects in prop::collection::vec(a_subject(), 60),
        secret in any::<[u64; 2]>(),
    ) {
        match Rules::build(&rules, secret) {
            Ok(index) => for subject in &subjects {
                let first = rules.iter().position(|rule| rule.fit(subject));
                prop_assert_eq!(index.find(subject), first.map(|rank| rank as u32), "{:?}", subject);
            },
            Err(full) => prop_assert_eq!(full, Full::Shapes),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn an_index_of_a_range_fits_each_port_of_it_and_no_other(range in a_span()) {
        let rule = Criteria {
            transport: Transport::Ports { protocol: Some(UDP), src: Span::ALL, dst: range },
            ..Criteria::ALL
        };
        let index = Rules::build(&[rule], [7, 11]).unwrap();
        for port in 0..=u16::MAX {
            let subject = Subject { protocol: UDP, l4: L4::Ports(1, port), ..subject() };
            prop_assert_eq!(index.find(&subject).is_some(), range.contains(port));
        }
    }
}

#[test]
fn buckets_are_a_power_of_two_and_never_none() {
    for count in [0, 1, 2, 3, 1000, 65_536] {
        let buckets = index::buckets(count);
        assert!(buckets.is_power_of_two() && buckets >= count.max(1));
    }
}
