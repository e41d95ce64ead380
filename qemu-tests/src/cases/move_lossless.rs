// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ──┬── S ── v0 ┐
//!                              └── T ── v1 ┴ br0 G 10.0.0.3
//! ```
//!
//! G's address is on a bridge with one of two ports, as that of a machine whose
//! tap goes from one host to another. While it pauses, the bridge changes
//! ports; everything else is the hosts' doing.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Case, Failure};
use crate::overlay::draw;
use crate::traffic::{Flow, Pause, Stream, BURST};

/// A node moves between two hosts, and nothing is lost.
pub const CASE: Case = Case {
    name: "move-lossless",
    title: "a node moves between two hosts and back: no packet is lost, none comes twice, a TCP stream goes on",
    rows: &["MV3", "MV4", "MV5"],
    guests: 1,
    timeout: 240,
    run,
};

/// 2,000 datagrams a second each way: four seconds of them find room while the node pauses.
const REST: Duration = Duration::from_millis(16);
const MOVES: u32 = 6;
const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

fn run() -> Result<(), Failure> {
    let result = play();
    if result.is_err() {
        // What there is of it.
        let _ = draw("for host in R S T; do ovctl -n $host stats; done");
    }
    result
}

fn play() -> Result<(), Failure> {
    draw(
        "hosts R S T
         node A on R net 7 10.0.0.2
         for host in S T; do
             ovctl -n $host net set 7
             ovctl -n $host mapping set 7 10.0.0.2 --locator ${LOCATOR[R]}
         done
         ovctl -n R mapping set 7 10.0.0.3 --locator ${LOCATOR[S]} --gen 1
         ovctl -n T mapping set 7 10.0.0.3 --locator ${LOCATOR[S]} --gen 1
         device G on S
         ip -n T link add v1 netns G type ovnet
         ovctl -n S port set v0 --netns G --net 7 --address 10.0.0.3 --gen 1
         ip -n G link add br0 address 02:76:0a:00:00:03 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
         ip -n G link set v1 address 02:76:0a:00:00:03
         ip -n G link set v0 master br0 up
         ip -n G link set v1 up
         ip -n G link set br0 mtu 1480 up
         ip -n G address add 10.0.0.3/24 dev br0
         ip -n G neigh add 10.0.0.2 lladdr 02:76:0a:00:00:02 dev br0 nud permanent
         ip -n A neigh replace 10.0.0.3 lladdr 02:76:0a:00:00:03 dev v0 nud permanent
         pings A 10.0.0.3
         recount R S T",
    )?;
    let pause = Arc::new(Pause::default());
    let out = Flow::open(("A", "G"), SocketAddrV4::new(G, 5000), REST, None)?;
    let home = Flow::open(
        ("G", "A"),
        SocketAddrV4::new(A, 5001),
        REST,
        Some(pause.clone()),
    )?;
    let stream = Stream::open(("A", "G"), SocketAddrV4::new(G, 5002), REST)?;

    for number in 0..MOVES {
        thread::sleep(Duration::from_millis(400));
        let (from, to) = if number % 2 == 0 {
            ("S v0", "T v1")
        } else {
            ("T v1", "S v0")
        };
        step(from, to, number + 2, &pause)?;
    }
    thread::sleep(Duration::from_millis(400));
    for (flow, way) in [(out, "from A to G"), (home, "from G to A")] {
        // Once per move those that were forwarded may come after those that were sent directly.
        let late = flow.finish(way)?.late;
        if late > MOVES * 4 * BURST {
            return Err(format!("{late} packets out of order {way}").into());
        }
    }
    stream.finish()?;
    // Whatever was dropped would be under a name. But the stack of a node that pauses may still acknowledge
    // some of the stream, and then finds its new port on standby: those packets do not count.
    draw(
        "for host in R S T; do
             drops=$(ovctl -n $host stats --json | grep -o '\"drop\":\\[[^]]*\\]' |
                 sed 's/{\"reason\":\"port-inactive\",\"packets\":[0-9]*}//')
             [[ $drops == '\"drop\":[]' ]] || fail \"$host: $drops\"
         done
         counted S | grep -q '^forwarded=[1-9]' || fail 'S forwarded nothing'",
    )
}

/// Moves the node, in the order in which a manager would.
fn step(from: &str, to: &str, gen: u32, pause: &Pause) -> Result<(), Failure> {
    let split = |side: &str| -> Result<(String, String), Failure> {
        let (host, device) = side.split_once(' ').ok_or("host and device")?;
        Ok((host.to_owned(), device.to_owned()))
    };
    let ((old, left), (new, right)) = (split(from)?, split(to)?);
    let node = "--netns G --net 7 --address 10.0.0.3";
    draw(&format!(
        "ovctl -n {new} port set {right} {node} --state standby"
    ))?;
    pause.begin();
    draw(&format!(
        "to=$(ovctl -n {new} host show --json | grep -o 'fd00:a:1:[0-9]*::/64' | head -n 1)
         ovctl -n {old} port set {left} {node} --state frozen --forward-to $to
         ip -n G link set {left} nomaster
         ip -n G link set {right} master br0
         ovctl -n R mapping set 7 10.0.0.3 --locator $to --gen {gen}
         ovctl -n {old} mapping set 7 10.0.0.3 --locator $to --gen {gen} --state moved
         ovctl -n {new} port set {right} {node} --state active --gen {gen}"
    ))?;
    pause.end();
    thread::sleep(Duration::from_millis(200));
    // Settled: nobody sends to the old host any more.
    draw(&format!(
        "to=$(ovctl -n {new} host show --json | grep -o 'fd00:a:1:[0-9]*::/64' | head -n 1)
         ovctl -n {old} mapping set 7 10.0.0.3 --locator $to --gen {gen}"
    ))
}
