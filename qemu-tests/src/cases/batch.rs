// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  R, whose mappings come in batches
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use ovnet_uapi::{
    BatchResult, Client, Error, HostSet, Kind, Locator, MappingSet, MappingState, Vni,
};

use super::{Case, Failure};
use crate::overlay::{draw, same, within};

/// Many mappings in few messages follow the rule for one.
pub const CASE: Case = Case {
    name: "batch",
    title: "a batch of mappings counts what it changed, skips old news and stops at an error",
    rows: &["SM2"],
    guests: 1,
    timeout: 120,
    run,
};

/// More than one message, and more than one part of a dump.
const MAPPINGS: u32 = 5000;

fn run() -> Result<(), Failure> {
    draw("hosts R; ovctl -n R net set 7")?;
    within("R", || {
        let mut client = Client::connect()?;
        counts(&mut client)?;
        broken(&mut client)?;
        full(&mut client)
    })
}

fn vni() -> Result<Vni, Failure> {
    Ok(Vni::new(7).ok_or("a VNI")?)
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0001 + number)
}

fn mapping(number: u32, host: u32, gen: u64) -> Result<MappingSet, Failure> {
    Ok(MappingSet {
        gen: Some(gen),
        ..MappingSet::remote(
            vni()?,
            address(number),
            Locator::new(0xfd00_000a, 0x0001_0000 + host)?,
        )
    })
}

fn counted(
    what: &str,
    got: BatchResult,
    installed: u32,
    unchanged: u32,
    refused: u32,
) -> Result<(), Failure> {
    let wanted = BatchResult {
        installed,
        unchanged,
        refused,
    };
    same(what, got, wanted)
}

fn counts(client: &mut Client) -> Result<(), Failure> {
    let all = |host, gen| {
        (0..MAPPINGS)
            .map(|number| mapping(number, host, gen))
            .collect::<Result<Vec<_>, _>>()
    };
    let first = client.mapping_batch(&all(2, 5)?)?;
    counted("new ones", first, MAPPINGS, 0, 0)?;
    let again = client.mapping_batch(&all(2, 5)?)?;
    counted("the same", again, 0, MAPPINGS, 0)?;
    let older = client.mapping_batch(&all(2, 4)?)?;
    counted("an older generation", older, 0, 0, MAPPINGS)?;
    let other = client.mapping_batch(&all(3, 5)?)?;
    counted("other contents", other, 0, 0, MAPPINGS)?;
    for entry in client.mappings(None)? {
        let entry = entry?;
        same("generation", entry.gen, Some(5))?;
        same("locator", entry.locator, mapping(0, 2, 5)?.locator)?;
    }
    let one_of_each = [mapping(0, 3, 6)?, mapping(1, 2, 5)?, mapping(2, 2, 4)?];
    let mixed = client.mapping_batch(&one_of_each)?;
    counted("one of each", mixed, 1, 1, 1)?;
    let none = client.mapping_batch(&[])?;
    counted("none", none, 0, 0, 0)
}

/// A mapping that makes no sense ends the batch; those before it stay.
fn broken(client: &mut Client) -> Result<(), Failure> {
    let good = |number| mapping(MAPPINGS + number, 2, 1);
    let without_locator = MappingSet {
        locator: None,
        ..good(1)?
    };
    let elsewhere = MappingSet {
        vni: Vni::new(8).ok_or("a VNI")?,
        ..good(1)?
    };
    for (what, bad, kind) in [
        ("no locator", without_locator, Kind::Invalid),
        ("no network", elsewhere, Kind::NotFound),
    ] {
        // A refusal quotes the message, which is as long as a message can be.
        let mut batch = vec![good(0)?, bad];
        for number in 2..2000 {
            batch.push(good(number)?);
        }
        match client.mapping_batch(&batch) {
            Err(Error::Refused(refusal)) if refusal.kind() == kind => {
                same("a text", refusal.message.is_some(), true)?;
            }
            other => return Err(format!("{what}: {other:?}").into()),
        }
        let first = client.mapping_get(vni()?, address(MAPPINGS))?;
        same("the one before", first.state, MappingState::Remote)?;
        let last = client.mapping_get(vni()?, address(MAPPINGS + 2));
        let kind = last.err().and_then(|error| error.kind());
        same("the one after", kind, Some(Kind::NotFound))?;
        client.mapping_del(vni()?, address(MAPPINGS), Some(2))?;
        let gone = client.mapping_get(vni()?, address(MAPPINGS))?;
        same("the one before", gone.state, MappingState::Deleted)?;
        // The next round's is older than the tombstone.
        let old = client.mapping_batch(&[good(0)?])?;
        counted("after a deletion", old, 0, 0, 1)?;
        client.network_del(vni()?)?;
        draw("ovctl -n R net set 7")?;
    }
    Ok(())
}

/// A host keeps so many mappings; learned ones make room, provisioned ones do not.
fn full(client: &mut Client) -> Result<(), Failure> {
    client.host_configure(&HostSet {
        mappings_max: Some(3),
        ..HostSet::default()
    })?;
    same("the limit", client.host_get(None)?.mappings_max, Some(3))?;
    let learned = MappingSet {
        hard_ttl: Some(Duration::from_secs(600)),
        ..mapping(2, 2, 1)?
    };
    let batch = [mapping(0, 2, 1)?, mapping(1, 2, 1)?, learned];
    counted("as many as fit", client.mapping_batch(&batch)?, 3, 0, 0)?;
    let more = client.mapping_batch(&[mapping(3, 2, 1)?])?;
    counted("one for the learned one", more, 1, 0, 0)?;
    let evicted = client.mapping_get(vni()?, address(2));
    let kind = evicted.err().and_then(|error| error.kind());
    same("the learned one", kind, Some(Kind::NotFound))?;
    match client.mapping_batch(&[mapping(4, 2, 1)?]) {
        Err(Error::Refused(refusal)) => same("errno", refusal.errno, nix::errno::Errno::ENOSPC),
        other => Err(format!("no room for another: {other:?}").into()),
    }
}
