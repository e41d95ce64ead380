// SPDX-License-Identifier: GPL-2.0

//! What a mapping costs a manager, by the growth of this process, which has no other test.

use std::net::Ipv4Addr;
use std::time::Duration;

use ovnet_engine::{Locator, Vni};
use ovnet_mgr::core::record::{encode, At, Home, Mapping, Name};
use ovnet_mgr::core::shard::{Config, Input};
use ovnet_mgr::core::{Key, NodeId, Shard, Time};
use ovnet_mgr::store::{Entry, Range};

const MAPPINGS: u32 = 400_000;
const PIECE: u32 = 1000;

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    pages * 4096
}

fn entry(i: u32) -> Entry {
    let vni = Vni::new(1 + i / 100_000).expect("a small number");
    let address = Ipv4Addr::from_bits(0x0a00_0000 + i % 100_000);
    let host = Locator::new(0xfd00_000a, 1 + i % 4000).expect("of fd00::/8");
    let at = Some(At {
        host,
        epoch: 1,
        held: false,
    });
    let node = NodeId(i.into());
    let mapping = Mapping {
        term: 1,
        node,
        home: Home::Host(host),
        at,
        mac: None,
    };
    let key = Name::Mapping(Key::new(vni, address)).bytes();
    Entry {
        key,
        value: encode(&mapping),
        created: 1,
        lease: None,
        modified: 1,
    }
}

#[test]
fn a_mapping_takes_at_most_64_bytes_with_its_key() {
    let now = Time::default() + Duration::from_secs(1);
    let mut shard = Shard::new(Config::default(), 1, 1, now);
    let mut out = Vec::new();
    let mut before = 0;
    for piece in 0..MAPPINGS / PIECE {
        let entries: Vec<_> = (piece * PIECE..(piece + 1) * PIECE).map(entry).collect();
        let range = Range::between(&entries[0].key[..], [&entries[999].key[..], b"\0"].concat());
        let last = piece + 1 == MAPPINGS / PIECE;
        let load = Input::Load {
            range,
            entries,
            revision: 1,
            last,
        };
        shard.handle(load, now, &mut out);
        if piece == 0 {
            // What loading itself takes is taken now.
            before = resident();
        }
    }
    assert_eq!(shard.table().len(), MAPPINGS as usize);
    let each = (resident() - before) / (MAPPINGS - PIECE) as usize;
    println!("{each} bytes per mapping, 8 of them its key");
    assert!((32..=64).contains(&each), "{each} bytes per mapping");
}
