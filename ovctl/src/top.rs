// SPDX-License-Identifier: GPL-2.0

//! `ovctl top`: who sends and gets how much right now, and what is dropped.

use std::collections::HashMap;
use std::io::{stdout, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use ovnet_uapi::{Client, Counted, Error, Stats, Subject, Vni};
use serde_json::Value;

use crate::failure::Failure;
use crate::netns::{self, Names};
use crate::output::{cell, put, Object, Output, NONE};
use crate::stats::{reason, subject};

/// Moves the cursor home; what follows clears as it goes.
const HOME: &str = "\x1b[H\x1b[J";

#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Seconds between two looks
    #[arg(short, long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    interval: Duration,

    /// End after this many looks
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,

    /// Look once and end
    #[arg(long, conflicts_with = "count")]
    once: bool,

    /// Lines of each table at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    rows: usize,

    /// What comes first
    #[arg(long, value_enum, default_value_t = Sort::Bytes)]
    sort: Sort,
}

/// By what lines are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// Bytes, both ways
    Bytes,
    /// Packets, both ways
    Packets,
    /// Dropped packets
    Drops,
}

/// A tenth of a second at least, so that a look is not what there is to see.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "a number of seconds, such as 0.5".to_owned())?;
    if !(0.1..=86_400.0).contains(&seconds) {
        return Err("between 0.1 and 86400 seconds".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut client = Client::connect()?;
        let mut names = Names::new();
        let looks = if self.once { Some(1) } else { self.count };
        let live = stdout().is_terminal() && !self.once && !output.is_json();
        let mut before = Look::take(&mut client)?;
        let mut done = 0;
        while looks.is_none_or(|looks| done < looks) {
            thread::sleep(self.interval);
            let now = Look::take(&mut client)?;
            let page = Page::between(&before, &now, self.sort);
            if live {
                output.text(HOME)?;
            } else if done > 0 && !output.is_json() {
                output.line("")?;
            }
            page.write(self.rows, &mut names, output)?;
            output.flush()?;
            before = now;
            done += 1;
        }
        Ok(())
    }
}

/// All counters at one moment.
struct Look {
    time: Instant,
    counted: HashMap<Subject, Counted>,
}

impl Look {
    fn take(client: &mut Client) -> Result<Look, Error> {
        let time = Instant::now();
        let mut counted = HashMap::new();
        for one in client.all_stats(None)? {
            match one {
                Ok(one) => drop(counted.insert(one.subject.clone(), one)),
                // Something came or went; the next look sees it.
                Err(Error::DumpInterrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Look { time, counted })
    }
}

/// Per second, of one subject.
#[derive(Clone, Debug)]
struct Line {
    counted: Counted,
    /// In the order of [`RATES`].
    rates: [f64; RATES.len()],
}

/// The rates of a line, as JSON names them: bits and packets per second.
const RATES: [&str; 7] = [
    "tx-pps",
    "tx-bps",
    "rx-pps",
    "rx-bps",
    "local-pps",
    "local-bps",
    "drop-pps",
];
const DROPS: usize = RATES.len() - 1;

impl Line {
    fn between(before: Option<&Stats>, now: &Counted, seconds: f64) -> Line {
        let none = Stats::default();
        let before = before.unwrap_or(&none);
        // Something that was deleted and made again counts from 0.
        let rate =
            |of: fn(&Stats) -> u64| of(&now.stats).saturating_sub(of(before)) as f64 / seconds;
        let drops = |stats: &Stats| stats.drop.iter().map(|drop| drop.packets).sum();
        Line {
            counted: now.clone(),
            rates: [
                rate(|stats| stats.tx_packets),
                rate(|stats| stats.tx_bytes) * 8.0,
                rate(|stats| stats.rx_packets),
                rate(|stats| stats.rx_bytes) * 8.0,
                rate(|stats| stats.local_packets),
                rate(|stats| stats.local_bytes) * 8.0,
                rate(drops),
            ],
        }
    }

    /// What the line is sorted by, greatest first.
    fn weight(&self, sort: Sort) -> f64 {
        let [tx_packets, tx_bits, rx_packets, rx_bits, local_packets, local_bits, drops] =
            self.rates;
        match sort {
            Sort::Bytes => tx_bits + rx_bits + local_bits,
            Sort::Packets => tx_packets + rx_packets + local_packets,
            Sort::Drops => drops,
        }
    }

    /// The rates that the subject has.
    fn has(&self) -> Vec<usize> {
        match self.counted.subject {
            Subject::Host | Subject::Network(_) => (0..RATES.len()).collect(),
            Subject::Port { .. } => vec![0, 1, 2, 3, DROPS],
            Subject::Remote(_) => vec![0, 1, 2, 3],
        }
    }

    fn object(&self) -> Value {
        let mut object = subject(&self.counted);
        for rate in self.has() {
            put(&mut object, RATES[rate], Some(rounded(self.rates[rate])));
        }
        Value::Object(object)
    }

    fn cells(&self, names: &mut Names) -> Result<Vec<String>, Error> {
        let mut cells = match &self.counted.subject {
            Subject::Host => vec![],
            Subject::Port { netns_id, .. } => vec![
                cell(self.counted.ifname.as_deref()),
                cell(netns::text(names.of(*netns_id)?.as_deref(), *netns_id)),
                cell(self.counted.vni.map(Vni::get)),
                cell(self.counted.address),
            ],
            Subject::Network(vni) => vec![vni.get().to_string()],
            Subject::Remote(locator) => vec![locator.to_string()],
        };
        cells.extend(self.has().into_iter().map(|rate| scaled(self.rates[rate])));
        Ok(cells)
    }
}

/// What one look shows.
struct Page {
    seconds: f64,
    host: Option<Line>,
    ports: Vec<Line>,
    networks: Vec<Line>,
    remotes: Vec<Line>,
    /// By reason, greatest first: per second, and since the host exists.
    drops: Vec<(String, f64, u64)>,
}

const PORTS: [&str; 9] = [
    "DEVICE", "NETNS", "VNI", "ADDRESS", "TX-PPS", "TX-BPS", "RX-PPS", "RX-BPS", "DROP-PPS",
];
const NETWORKS: [&str; 8] = [
    "VNI",
    "TX-PPS",
    "TX-BPS",
    "RX-PPS",
    "RX-BPS",
    "LOCAL-PPS",
    "LOCAL-BPS",
    "DROP-PPS",
];
const REMOTES: [&str; 5] = ["LOCATOR", "TX-PPS", "TX-BPS", "RX-PPS", "RX-BPS"];

impl Page {
    fn between(before: &Look, now: &Look, sort: Sort) -> Page {
        let seconds = now.time.duration_since(before.time).as_secs_f64();
        let mut page = Page {
            seconds,
            host: None,
            ports: vec![],
            networks: vec![],
            remotes: vec![],
            drops: vec![],
        };
        for (subject, counted) in &now.counted {
            let known = before.counted.get(subject).map(|counted| &counted.stats);
            let line = Line::between(known, counted, seconds);
            match subject {
                Subject::Host => {
                    page.drops = drops(known, &counted.stats, seconds);
                    page.host = Some(line);
                }
                Subject::Port { .. } => page.ports.push(line),
                Subject::Network(_) => page.networks.push(line),
                Subject::Remote(_) => page.remotes.push(line),
            }
        }
        for lines in [&mut page.ports, &mut page.networks, &mut page.remotes] {
            lines.sort_by(|a, b| {
                let order = b.weight(sort).total_cmp(&a.weight(sort));
                order.then_with(|| a.counted.subject.cmp(&b.counted.subject))
            });
        }
        page
    }

    fn write(
        &self,
        rows: usize,
        names: &mut Names,
        output: &mut Output<'_>,
    ) -> Result<(), Failure> {
        if output.is_json() {
            return Ok(output.json_line(self.object())?);
        }
        if let Some(host) = &self.host {
            let [tx_packets, tx, rx_packets, rx, local_packets, local, drops] =
                host.rates.map(scaled);
            output.line(&format!(
                "tx {tx_packets} pps {tx} bps  rx {rx_packets} pps {rx} bps  \
                 local {local_packets} pps {local} bps  drops {drops} pps"
            ))?;
        }
        for (columns, lines) in [
            (&PORTS[..], &self.ports),
            (&NETWORKS[..], &self.networks),
            (&REMOTES[..], &self.remotes),
        ] {
            if !lines.is_empty() {
                output.line("")?;
                output.table(
                    columns,
                    lines.iter().take(rows).map(|line| line.cells(names)),
                )?;
            }
        }
        if !self.drops.is_empty() {
            output.line("")?;
            let cells = |(reason, rate, packets): &(String, f64, u64)| {
                Ok(vec![reason.clone(), scaled(*rate), packets.to_string()])
            };
            output.table(
                &["DROP", "PPS", "PACKETS"],
                self.drops.iter().take(rows).map(cells),
            )?;
        }
        Ok(())
    }

    /// All lines: programs choose themselves.
    fn object(&self) -> Object {
        let mut object = Object::new();
        put(&mut object, "seconds", Some(rounded(self.seconds)));
        put(&mut object, "host", self.host.as_ref().map(Line::object));
        for (name, lines) in [
            ("port", &self.ports),
            ("network", &self.networks),
            ("remote", &self.remotes),
        ] {
            let lines: Vec<Value> = lines.iter().map(Line::object).collect();
            put(&mut object, name, Some(lines));
        }
        let drops = self.drops.iter().map(|(reason, rate, packets)| {
            let mut object = Object::new();
            put(&mut object, "reason", Some(reason.as_str()));
            put(&mut object, "pps", Some(rounded(*rate)));
            put(&mut object, "packets", Some(*packets));
            Value::Object(object)
        });
        put(&mut object, "drop", Some(drops.collect::<Vec<_>>()));
        object
    }
}

/// The reasons that have ever dropped anything, by how much they drop now.
fn drops(before: Option<&Stats>, now: &Stats, seconds: f64) -> Vec<(String, f64, u64)> {
    let known = |wanted: &ovnet_uapi::DropCount| {
        let drops = before.map_or(&[][..], |before| &before.drop);
        let same = drops.iter().find(|drop| drop.reason == wanted.reason);
        same.map_or(0, |drop| drop.packets)
    };
    let mut drops: Vec<_> = now
        .drop
        .iter()
        .map(|drop| {
            let more = drop.packets.saturating_sub(known(drop));
            (reason(drop), more as f64 / seconds, drop.packets)
        })
        .collect();
    drops.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.2.cmp(&a.2)));
    drops
}

/// To three places: more would be noise.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// A rate for people: four characters and a unit of 1000, as `ip -s -h` writes it.
fn scaled(value: f64) -> String {
    if value < 0.005 {
        return NONE.into();
    }
    let mut value = value;
    for unit in ["", "k", "M", "G"] {
        if value < 999.5 {
            let places = usize::from(value < 9.95) + usize::from(unit.is_empty() && value < 0.995);
            return format!("{value:.places$}{unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1}T")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ovnet_uapi::{DropCount, DropReason};

    use super::*;
    use crate::output::capture;
    use crate::prefix;

    fn counted(subject: Subject, packets: u64, drop: u64) -> Counted {
        Counted {
            ifname: matches!(subject, Subject::Port { .. }).then(|| "v0".into()),
            vni: Vni::new(7),
            address: matches!(subject, Subject::Port { .. }).then_some(Ipv4Addr::new(10, 0, 0, 2)),
            subject,
            stats: Stats {
                tx_packets: packets,
                tx_bytes: packets * 1000,
                drop: vec![DropCount {
                    reason: Ok(DropReason::NoMapping),
                    packets: drop,
                }],
                ..Stats::default()
            },
        }
    }

    /// Two seconds in which port 1 has sent 10 packets, port 2 none, and 4 were dropped.
    fn page(sort: Sort) -> Page {
        let time = Instant::now();
        let look = |after, factor: u64| Look {
            time: time + Duration::from_secs(after),
            counted: [
                counted(Subject::Host, 100 + 10 * factor, 8 + 4 * factor),
                counted(
                    Subject::Port {
                        netns_id: None,
                        ifindex: 1,
                    },
                    100 + 10 * factor,
                    8,
                ),
                counted(
                    Subject::Port {
                        netns_id: None,
                        ifindex: 2,
                    },
                    90,
                    4 * factor,
                ),
                counted(Subject::Network(Vni::new(7).unwrap()), 100 + 10 * factor, 8),
                counted(
                    Subject::Remote(prefix::locator("fd00:a:1:2::/64").unwrap()),
                    100 + 10 * factor,
                    0,
                ),
            ]
            .map(|one| (one.subject.clone(), one))
            .into(),
        };
        Page::between(&look(0, 0), &look(2, 1), sort)
    }

    #[test]
    fn the_page_has_rates_and_not_totals() {
        let text = capture::text(false, |output| {
            page(Sort::Bytes)
                .write(1, &mut Names::new(), output)
                .unwrap();
        });
        assert_eq!(
            text,
            "\
tx 5.0 pps 40k bps  rx - pps - bps  local - pps - bps  drops 2.0 pps

DEVICE  NETNS  VNI  ADDRESS   TX-PPS  TX-BPS  RX-PPS  RX-BPS  DROP-PPS
v0      -      7    10.0.0.2  5.0     40k     -       -       -

VNI  TX-PPS  TX-BPS  RX-PPS  RX-BPS  LOCAL-PPS  LOCAL-BPS  DROP-PPS
7    5.0     40k     -       -       -          -          -

LOCATOR          TX-PPS  TX-BPS  RX-PPS  RX-BPS
fd00:a:1:2::/64  5.0     40k     -       -

DROP        PPS  PACKETS
no-mapping  2.0  12
"
        );
    }

    #[test]
    fn lines_are_sorted_by_what_was_asked() {
        let first = |sort| page(sort).ports[0].counted.subject.clone();
        let port = |ifindex| Subject::Port {
            netns_id: None,
            ifindex,
        };
        assert_eq!(first(Sort::Bytes), port(1));
        assert_eq!(first(Sort::Packets), port(1));
        assert_eq!(first(Sort::Drops), port(2));
    }

    #[test]
    fn the_json_has_every_line_in_one() {
        let text = capture::text(true, |output| {
            page(Sort::Bytes)
                .write(1, &mut Names::new(), output)
                .unwrap();
        });
        assert_eq!(text.matches('\n').count(), 1);
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["seconds"], 2.0);
        assert_eq!(json["port"].as_array().unwrap().len(), 2);
        assert_eq!(json["port"][0]["tx-bps"], 40_000.0);
        assert_eq!(json["remote"][0].get("drop-pps"), None);
        assert_eq!(
            json["drop"],
            serde_json::json!([{"reason": "no-mapping", "pps": 2.0, "packets": 12}])
        );
    }

    #[test]
    fn a_counter_that_started_anew_is_no_negative_rate() {
        let subject = Subject::Network(Vni::new(7).unwrap());
        let before = counted(subject.clone(), 100, 0);
        let line = Line::between(Some(&before.stats), &counted(subject, 3, 0), 1.0);
        assert_eq!(line.rates[0], 0.0);
    }

    #[test]
    fn rates_are_short() {
        for (value, text) in [
            (0.0, "-"),
            (0.25, "0.25"),
            (5.0, "5.0"),
            (99.4, "99"),
            (999.4, "999"),
            (999.6, "1.0k"),
            (40_000.0, "40k"),
            (9_870_000_000.0, "9.9G"),
            (2e15, "2000.0T"),
        ] {
            assert_eq!(scaled(value), text, "{value}");
        }
    }

    #[test]
    fn an_interval_is_a_sensible_number() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "0.01", "-1", "NaN", "inf", "1e9", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
