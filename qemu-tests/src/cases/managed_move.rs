// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ──┬── S ── v0 ┐
//!                        M ────┤           ├ br0 G 10.0.0.3
//!                              └── T ── v1 ┘
//! ```
//!
//! The manager moves G to and fro. G's address is on a bridge with one of two ports, as that of a
//! machine whose tap goes from one host to another: the program that the agents run has G's sender
//! rest and changes the bridge's ports, and does nothing of the network's.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Case, Failure};
use crate::overlay::draw;
use crate::traffic::{Flow, Pause, Stream, BURST};

/// A node moves many times, and nothing is lost.
pub const CASE: Case = Case {
    name: "managed-move",
    title: "the manager moves a node to and fro: no packet is lost or comes twice, a TCP stream goes on, nobody asks by ARP",
    rows: &["MV1", "MV2", "MV3", "MV4", "MV5", "TX2"],
    guests: 1,
    timeout: 600,
    run,
};

/// How often the node moves.
const MOVES: u32 = 8;
/// 2,000 datagrams a second each way.
const REST: Duration = Duration::from_millis(16);
const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
/// What the manager calls S and T.
const HOSTS: [&str; 2] = ["fd00000a00010002", "fd00000a00010003"];
const PROGRAM: &str = "/tmp/executor";
/// Where the program asks for G's sender to rest, and hears that it does.
const ASK: &str = "/tmp/gate/ask";
const TOLD: &str = "/tmp/gate/told";

/// Moves G's port of the bridge. The endpoint is a FIFO, through which goes all that has to be copied.
const EXECUTOR: &str = r#"#!/bin/bash
trap '' PIPE
exec 2>>/tmp/executor.log
place=/tmp/moves/$OVNET_MOVE
mkdir -p "$place"
case $(ip netns identify $$) in
  S) own=v0 ;;
  T) own=v1 ;;
esac
gate() {
  echo "$1" >/tmp/gate/ask
  read -r _ </tmp/gate/told
}
case $1 in
  source)
    echo converged
    while read -r word; do
      case $word in
        pause) gate pause; echo paused ;;
        frozen) ip -n G link set "$own" nomaster; echo all >"$OVNET_ENDPOINT"; echo sent ;;
        abort) gate go; exit ;;
        done) exit ;;
      esac
    done
    ;;
  destination)
    mkfifo "$place/image"
    ovctl port set "$own" --netns G --net "$OVNET_NETWORK" --address "$OVNET_ADDRESS" --node "$OVNET_NODE"
    # What was held comes as soon as this is said.
    { read -r _ <"$place/image"; ip -n G link set "$own" master br0; echo received; } &
    echo "prepared $place/image"
    while read -r word; do
      case $word in
        resume) gate go; echo resumed ;;
        abort) exit ;;
        done) exit ;;
      esac
    done
    ;;
esac
"#;

/// Daemons outlive the shell that starts them.
const WORDS: &str = r#"
daemon() {
  ip netns exec "$1" ovmgrd --config "$DAEMONS/$1.toml" 2>>"$DAEMONS/$1.log" &
  disown
}
"#;

fn run() -> Result<(), Failure> {
    let result = play(MOVES);
    if result.is_err() {
        // What there is of it.
        let _ = draw("tail -n 40 $DAEMONS/*.log /tmp/executor.log");
    }
    result
}

fn play(moves: u32) -> Result<(), Failure> {
    std::fs::write(PROGRAM, EXECUTOR)?;
    std::fs::set_permissions(PROGRAM, std::fs::Permissions::from_mode(0o755))?;
    draw(&format!(
        "{WORDS}
         manager
         host R fd00:a:1:1
         host S fd00:a:1:2
         host T fd00:a:1:3
         node() {{ printf '{{\"id\": \"%s\", \"name\": \"%s\", \"network\": 7, \"addresses\": [\"%s\"], \"host\": \"%s\"}}' \"$@\"; }}
         spot() {{ printf '{{\"id\": \"fd00000a0001000%s\", \"name\": \"%s\", \"organisation\": \"acme\"}}' \"$@\"; }}
         api POST /v1/apply \"{{
           \\\"organisations\\\": [{{\\\"name\\\": \\\"acme\\\", \\\"title\\\": \\\"Acme\\\"}}],
           \\\"networks\\\": [{{\\\"vni\\\": 7, \\\"name\\\": \\\"front\\\", \\\"organisation\\\": \\\"acme\\\", \\\"prefixes\\\": [\\\"10.0.0.0/24\\\"]}}],
           \\\"hosts\\\": [$(spot 1 R), $(spot 2 S), $(spot 3 T)],
           \\\"nodes\\\": [$(node 00000000000000aa A 10.0.0.2 fd00000a00010001),
                       $(node 00000000000000cc G 10.0.0.3 fd00000a00010002)]}}\" >/dev/null
         EXECUTOR={PROGRAM}
         for host in R S T; do agent $host; done
         member A on R net 7 10.0.0.2 id 00000000000000aa
         in_ns A sysctl -qw net.ipv4.neigh.v0.base_reachable_time_ms=3600000
         eventually 10 ovctl -n S net show 7
         device G on S
         ip -n T link add v1 netns G type ovnet
         ovctl -n S port add v0 --netns G --net 7 --addr 10.0.0.3 --node 00000000000000cc
         ip -n G link add br0 address 02:76:0a:00:00:03 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
         ip -n G link set v1 address 02:76:0a:00:00:03
         ip -n G link set v0 master br0 up
         ip -n G link set v1 up
         ip -n G link set br0 mtu 1480 up
         ip -n G address add 10.0.0.3/24 dev br0
         in_ns G sysctl -qw net.ipv4.neigh.br0.base_reachable_time_ms=3600000
         eventually 10 is_port S v0 G active
         pings A 10.0.0.3
         mkdir /tmp/gate
         mkfifo {ASK} {TOLD}
         ip -n A neigh show 10.0.0.3 | grep -o 'lladdr [^ ]*' >/tmp/neighbour
         counted R | grep arp-replies >/tmp/arp"
    ))?;
    let pause = Arc::new(Pause::default());
    let gate = gate(pause.clone());
    let start = Instant::now();
    let out = Flow::open(("A", "G"), SocketAddrV4::new(G, 5000), REST, None)?;
    let home = Flow::open(
        ("G", "A"),
        SocketAddrV4::new(A, 5001),
        REST,
        Some(pause.clone()),
    )?;
    let stream = Stream::open(("A", "G"), SocketAddrV4::new(G, 5002), REST)?;
    for number in 0..moves {
        let to = HOSTS[(number as usize + 1) % 2];
        draw(&format!(
            r#"answer=$(api POST /v1/moves '{{"node": "00000000000000cc", "host": "{to}"}}')
               id=$(grep -o '"id":"[0-9a-f]*"' <<<"$answer" | head -n 1 | cut -d'"' -f4)
               settled() {{ answer=$(api GET "/v1/moves/$id"); [[ $answer == *'"state":"settled","times"'* ]]; }}
               for ((tries = 0; tries < 300; tries++)); do
                 ! settled || exit 0
                 [[ $answer != *'"state":"aborted","times"'* ]] || break
                 sleep 0.1
               done
               fail "move {number} to {to}: $answer""#
        ))?;
        thread::sleep(Duration::from_millis(200));
    }
    let took = start.elapsed();
    println!("{moves} moves in {} s", took.as_secs());
    for (flow, way) in [(out, "from A to G"), (home, "from G to A")] {
        let seen = flow.finish(way)?;
        let mut gaps: Vec<_> = seen.gaps.iter().map(|(_, gap)| gap.as_millis()).collect();
        gaps.sort_unstable();
        println!("{way}: silences in ms: {gaps:?}");
        // Once per move those that were forwarded may come after those that were sent directly.
        if seen.late > moves * 4 * BURST {
            return Err(format!("{} packets out of order {way}", seen.late).into());
        }
    }
    stream.finish()?;
    std::fs::write(ASK, "end")?;
    let mut pauses = gate.join().map_err(|_| "the gate panicked")??;
    pauses.sort_unstable();
    println!("the node paused for ms: {pauses:?}");
    if pauses.len() != moves as usize {
        return Err(format!("{} pauses in {moves} moves", pauses.len()).into());
    }
    draw(
        "expect \"$(</tmp/neighbour)\" bash -c \"ip -n A neigh show 10.0.0.3 | grep -o 'lladdr [^ ]*'\"
         expect \"$(</tmp/arp)\" bash -c '. /ovnet/lib.sh; counted R | grep arp-replies'
         # The stack of a node that pauses may still acknowledge some of the stream, and finds no port.
         for host in R S T; do
             drops=$(ovctl -n $host stats --json | grep -o '\"drop\":\\[[^]]*\\]' |
                 sed 's/{\"reason\":\"port-inactive\",\"packets\":[0-9]*}//')
             [[ $drops == '\"drop\":[]' ]] || fail \"$host: $drops\"
         done
         counted S | grep -q '^forwarded=[1-9]' || fail 'S forwarded nothing'",
    )
}

/// Has G's sender rest when the program says so; for how long it did, in milliseconds, at the end.
fn gate(pause: Arc<Pause>) -> thread::JoinHandle<Result<Vec<u128>, String>> {
    thread::spawn(move || {
        let text = |error: std::io::Error| format!("the gate: {error}");
        let (mut pauses, mut since) = (Vec::new(), None);
        loop {
            // Opening waits for the other side.
            let word = std::fs::read_to_string(Path::new(ASK)).map_err(text)?;
            match word.trim() {
                "pause" => {
                    pause.begin();
                    since.get_or_insert(Instant::now());
                }
                "go" => {
                    pause.end();
                    pauses.extend(
                        since
                            .take()
                            .map(|since: Instant| since.elapsed().as_millis()),
                    );
                }
                _ => return Ok(pauses),
            }
            std::fs::write(TOLD, "so\n").map_err(text)?;
        }
    })
}
