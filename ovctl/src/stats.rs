// SPDX-License-Identifier: GPL-2.0

//! `ovctl stats`: what was counted of this host, a port, a network or a remote host, and why packets were
//! dropped.

use clap::{Args, Subcommand};
use ovnet_uapi::{Client, Counted, DropCount, DropReason, Locator, Stats, StatsOf, Subject, Vni};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::{put, put_text, Object, Output};
use crate::port::{self, Place};
use crate::{host, net, prefix};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Command {
    #[command(subcommand)]
    show: Option<Show>,

    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Show {
    /// Show the counters of this host, or of a part of it
    #[command(visible_aliases = ["list", "ls"], args_conflicts_with_subcommands = true)]
    Show {
        #[command(subcommand)]
        of: Option<Of>,

        #[command(flatten)]
        options: Options,
    },
}

#[derive(Debug, Subcommand)]
enum Of {
    /// What a port's node sent and got, and what was dropped of that
    Port {
        /// Name of the device
        device: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        options: Options,
    },
    /// What a network carried on this host
    #[command(visible_alias = "network")]
    Net {
        /// The network
        #[arg(value_parser = prefix::vni)]
        vni: Vni,
        #[command(flatten)]
        options: Options,
    },
    /// What was exchanged with a remote host
    Host {
        /// The host's locator
        #[arg(value_parser = prefix::locator)]
        locator: Locator,
    },
}

#[derive(Debug, Default, Args)]
struct Options {
    /// Show the reasons that have dropped nothing too
    #[arg(long)]
    all: bool,
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut client = Client::connect()?;
        let (of, options) = match self.show {
            None => (None, self.options),
            Some(Show::Show { of, options }) => (of, options),
        };
        let (counted, options) = match of {
            None => (client.stats_of(&StatsOf::Host)?, options),
            Some(Of::Port {
                device,
                place,
                options,
            }) => {
                let netns = place.open()?;
                let device = port::device(netns.as_ref(), &device)?;
                let counted = client
                    .stats_of(&StatsOf::Port(device))
                    .map_err(Failure::with_hints([port::no_such_device()]))?;
                (counted, options)
            }
            Some(Of::Net { vni, options }) => {
                let counted = client
                    .stats_of(&StatsOf::Network(vni))
                    .map_err(Failure::with_hints([net::unknown(vni)]))?;
                (counted, options)
            }
            Some(Of::Host { locator }) => {
                let counted = client
                    .stats_of(&StatsOf::Remote(locator))
                    .map_err(Failure::with_hints([host::not_listed()]))?;
                (counted, Options::default())
            }
        };
        write(&counted, options.all, output)
    }
}

fn write(counted: &Counted, all: bool, output: &mut Output<'_>) -> Result<(), Failure> {
    let stats = &counted.stats;
    let drops = drops(stats, all);
    let counters = counters(&counted.subject, stats);
    if output.is_json() {
        let mut object = subject(counted);
        for (name, value) in counters {
            put(&mut object, name, Some(value));
        }
        let drops = drops.into_iter().map(drop_object).collect::<Vec<Value>>();
        put(&mut object, "drop", Some(drops));
        return Ok(output.object(object)?);
    }
    let rows = counters
        .into_iter()
        .map(|(name, value)| Ok(vec![name.to_owned(), value.to_string()]));
    output.table(&["COUNTER", "VALUE"], rows)?;
    if !drops.is_empty() {
        output.line("")?;
        let rows = drops.into_iter().map(|drop| Ok(drop_cells(drop)));
        output.table(&["DROP", "PACKETS", "MEANING"], rows)?;
    }
    Ok(())
}

/// What the counters are about, by the words of the specification; nothing for this host.
pub(crate) fn subject(counted: &Counted) -> Object {
    let mut object = Object::new();
    match &counted.subject {
        Subject::Host => {}
        Subject::Port { netns_id, ifindex } => {
            put(&mut object, "ifindex", Some(*ifindex));
            put(&mut object, "netns-id", *netns_id);
            put_text(&mut object, "ifname", counted.ifname.as_deref());
            put(&mut object, "vni", counted.vni.map(Vni::get));
            put_text(&mut object, "address", counted.address);
        }
        Subject::Network(vni) => put(&mut object, "vni", Some(vni.get())),
        Subject::Remote(locator) => put_text(&mut object, "locator", Some(locator)),
    }
    object
}

/// The counters that there are, in the order of the specification and by its words.
fn counters(subject: &Subject, stats: &Stats) -> Vec<(&'static str, u64)> {
    let mut counters = vec![
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
    ];
    counters.truncate(match subject {
        Subject::Host => counters.len(),
        Subject::Network(_) => 6,
        Subject::Port { .. } | Subject::Remote(_) => 4,
    });
    counters
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

pub(crate) fn reason(drop: &DropCount) -> String {
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

    fn of(subject: Subject) -> Counted {
        Counted {
            subject,
            ifname: None,
            vni: None,
            address: None,
            stats: stats(),
        }
    }

    fn text(all: bool, json: bool) -> String {
        let counted = of(Subject::Host);
        capture::text(json, |output| write(&counted, all, output).unwrap())
    }

    #[test]
    fn a_part_of_the_host_is_named_and_has_only_the_counters_it_has() {
        let mut port = of(Subject::Port {
            netns_id: Some(2),
            ifindex: 5,
        });
        port.ifname = Some("v0".into());
        let json = |counted: &Counted| {
            capture::text(true, |output| write(counted, false, output).unwrap())
        };
        assert!(json(&port).starts_with(
            "{\"ifindex\":5,\"netns-id\":2,\"ifname\":\"v0\",\"tx-packets\":3,\"tx-bytes\":252,\
             \"rx-packets\":2,\"rx-bytes\":168,\"drop\":["
        ));
        let network = of(Subject::Network(Vni::new(7).unwrap()));
        assert!(json(&network).starts_with("{\"vni\":7,\"tx-packets\":3,"));
        assert!(json(&network).contains("\"local-bytes\":0,\"drop\":["));
        let far = prefix::locator("fd00:a:1:2::/64").unwrap();
        assert!(json(&of(Subject::Remote(far))).starts_with("{\"locator\":\"fd00:a:1:2::/64\","));
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
