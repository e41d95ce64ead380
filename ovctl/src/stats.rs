// SPDX-License-Identifier: GPL-2.0

//! `ovctl stats`: counters of this host, and why packets were dropped.

use clap::Args;
use ovnet_uapi::{Client, DropCount, DropReason, Stats};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::{put, Object, Output};

#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Show the reasons that have dropped nothing too
    #[arg(long)]
    all: bool,
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        let stats = Client::connect()?.stats()?;
        write(&stats, self.all, output)
    }
}

fn write(stats: &Stats, all: bool, output: &mut Output<'_>) -> Result<(), Failure> {
    let drops = drops(stats, all);
    if output.is_json() {
        let mut object = Object::new();
        for (name, value) in counters(stats) {
            put(&mut object, name, Some(value));
        }
        let drops = drops.into_iter().map(drop_object).collect::<Vec<Value>>();
        put(&mut object, "drop", Some(drops));
        return Ok(output.object(object)?);
    }
    let rows = counters(stats).map(|(name, value)| Ok(vec![name.to_owned(), value.to_string()]));
    output.table(&["COUNTER", "VALUE"], rows)?;
    if !drops.is_empty() {
        output.line("")?;
        let rows = drops.into_iter().map(|drop| Ok(drop_cells(drop)));
        output.table(&["DROP", "PACKETS", "MEANING"], rows)?;
    }
    Ok(())
}

/// The counters in the order of the specification, by its words.
fn counters(stats: &Stats) -> [(&'static str, u64); 10] {
    [
        ("tx-packets", stats.tx_packets),
        ("tx-bytes", stats.tx_bytes),
        ("rx-packets", stats.rx_packets),
        ("rx-bytes", stats.rx_bytes),
        ("local-packets", stats.local_packets),
        ("local-bytes", stats.local_bytes),
        ("arp-replies", stats.arp_replies),
        ("icmp-errors", stats.icmp_errors),
        ("labels-cleared", stats.labels_cleared),
        ("forwarded", stats.forwarded),
    ]
}

/// The drops as the kernel lists them, or those of every reason, in which the kernel leaves out
/// what has dropped nothing.
fn drops(stats: &Stats, all: bool) -> Vec<DropCount> {
    let mut drops = stats.drop.clone();
    if all {
        let silent = DropReason::ALL.iter().map(|reason| DropCount {
            reason: Ok(*reason),
            packets: 0,
        });
        let silent: Vec<_> = silent
            .filter(|silent| drops.iter().all(|drop| drop.reason != silent.reason))
            .collect();
        drops.extend(silent);
        drops.sort_by_key(number);
    } else {
        drops.retain(|drop| drop.packets > 0);
    }
    drops
}

fn number(drop: &DropCount) -> u32 {
    drop.reason
        .map_or_else(|number| number, |reason| reason as u32)
}

fn reason(drop: &DropCount) -> String {
    match drop.reason {
        Ok(reason) => reason.name().to_owned(),
        Err(number) => number.to_string(),
    }
}

fn drop_cells(drop: DropCount) -> Vec<String> {
    let meaning = drop.reason.map_or(
        "A reason this version of ovctl does not know.",
        DropReason::description,
    );
    vec![reason(&drop), drop.packets.to_string(), meaning.to_owned()]
}

fn drop_object(drop: DropCount) -> Value {
    let mut object = Object::new();
    put(&mut object, "reason", Some(reason(&drop)));
    put(&mut object, "packets", Some(drop.packets));
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;

    fn stats() -> Stats {
        Stats {
            tx_packets: 3,
            tx_bytes: 252,
            rx_packets: 2,
            rx_bytes: 168,
            local_packets: 0,
            local_bytes: 0,
            arp_replies: 1,
            icmp_errors: 0,
            labels_cleared: 0,
            forwarded: 5,
            drop: vec![
                DropCount {
                    reason: Ok(DropReason::NoMapping),
                    packets: 12,
                },
                DropCount {
                    reason: Err(999),
                    packets: 1,
                },
            ],
        }
    }

    fn text(all: bool, json: bool) -> String {
        capture::text(json, |output| write(&stats(), all, output).unwrap())
    }

    #[test]
    fn the_table_has_counters_and_what_was_dropped() {
        assert_eq!(
            text(false, false),
            "\
COUNTER         VALUE
tx-packets      3
tx-bytes        252
rx-packets      2
rx-bytes        168
local-packets   0
local-bytes     0
arp-replies     1
icmp-errors     0
labels-cleared  0
forwarded       5

DROP        PACKETS  MEANING
no-mapping  12       No mapping of the destination is known.
999         1        A reason this version of ovctl does not know.
"
        );
    }

    #[test]
    fn all_reasons_are_shown_once_and_in_order() {
        let drops = drops(&stats(), true);
        assert_eq!(drops.len(), DropReason::COUNT + 1);
        assert!(drops.is_sorted_by_key(number));
        let dropped = drops.iter().filter(|drop| drop.packets > 0).count();
        assert_eq!(dropped, 2);
    }

    #[test]
    fn the_json_is_one_object() {
        assert_eq!(
            text(false, true),
            "{\"tx-packets\":3,\"tx-bytes\":252,\"rx-packets\":2,\"rx-bytes\":168,\
             \"local-packets\":0,\"local-bytes\":0,\"arp-replies\":1,\"icmp-errors\":0,\"labels-cleared\":0,\
             \"forwarded\":5,\"drop\":[{\"reason\":\"no-mapping\",\"packets\":12},\
             {\"reason\":\"999\",\"packets\":1}]}\n"
        );
    }
}
