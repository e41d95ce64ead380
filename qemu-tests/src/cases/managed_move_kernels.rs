// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  guest 1                     guest 4      guest 2                guest 3
//!  A 10.0.0.2 ── R ── fabric   M ── fabric  N: v0 ── S ── fabric   N: v0 ── T ── fabric
//!  G 10.0.0.3           │             │         │            │         │            │
//!  └─ br0 ─┬─ s ─ VLAN 10 ──────────────────────┘            │         │            │
//!          └─ t ─ VLAN 11 ─────────────────────────────────────────────┘            │
//!                       └─────────────┴────────── wire ──────┴──────────────────────┘
//! ```
//!
//! A kernel for each host and one for the manager. G is a machine of its own, with a cable to a port at S and one
//! to a port at T. The program that the agents run has G's sender rest and changes
//! the cables; G's own pause is over when the other one is in, and whatever it rests beyond that is the
//! network's doing.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{guest, Case, Failure};
use crate::barrier;
use crate::overlay::{draw, within};
use crate::traffic::{Flow, Pause, Seen, Stream, BURST};

/// A node moves between kernels.
pub const CASE: Case = Case {
    name: "managed-move-kernels",
    title: "the manager moves a node between hosts with a kernel each: no packet is lost or comes twice, a TCP stream goes on, nobody asks by ARP",
    rows: &["MV1", "MV2", "MV3", "MV4", "MV5", "TX2"],
    guests: 4,
    timeout: 1800,
    run,
};

/// How often the node moves, unless MOVES says otherwise.
const MOVES: u32 = 6;
/// 2,000 datagrams a second each way, if the machine bears that.
const REST: Duration = Duration::from_millis(16);
const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const PROGRAM: &str = "/tmp/executor";
/// Where the program finds the gate: an address of R.
const GATE: &str = "[fd00:a:1:1::1]:9100";

/// Moves G's cable. The image is one line to the endpoint.
///
/// What it hears from the gate has come after all that G sent before, on the same wire, and what it says comes
/// after all that was delivered to G.
const EXECUTOR: &str = r#"#!/bin/bash
trap '' PIPE
exec 2>>/tmp/executor.log
gate() {
  exec 3<>/dev/tcp/fd00:a:1:1::1/9100
  printf '%s\n' "$1" >&3
  read -r _ <&3
  exec 3>&-
}
own=$(ip netns identify $$)
case $1 in
  source)
    echo converged
    while read -r word; do
      case $word in
        pause) gate pause; echo paused ;;
        frozen)
          gate "leaves-$own"
          until { exec 4>"/dev/tcp/$OVNET_ENDPOINT/9101"; }; do sleep 0.02; done
          echo all >&4
          exec 4>&-
          echo sent
          ;;
        abort) gate "stays-$own"; gate go; exit ;;
        done) exit ;;
      esac
    done
    ;;
  destination)
    ovctl port set v0 --netns N --net "$OVNET_NETWORK" --address "$OVNET_ADDRESS" --node "$OVNET_NODE"
    socat -u TCP6-LISTEN:9101,reuseaddr STDOUT | { read -r _ && gate received && echo received; } &
    case $own in
      S) echo prepared fd00:a:1:2::1 ;;
      T) echo prepared fd00:a:1:3::1 ;;
    esac
    while read -r word; do
      case $word in
        resume) gate go; echo resumed ;;
        abort) kill $(jobs -p); exit ;;
        done) exit ;;
      esac
    done
    ;;
esac
"#;

/// What each guest has. Daemons outlive the shell that starts them.
const STAGE: &str = r#"
daemon() {
  ip netns exec "$1" ovmgrd --config "$DAEMONS/$1.toml" 2>>"$DAEMONS/$1.log" &
  disown
}
# Certificates are of a time, and the guests' hardware clocks are the machine's.
[[ ! -e /dev/rtc0 ]] || busybox hwclock -s -u -f /dev/rtc0
readonly PREFIX=(- fd00:a:1:1 fd00:a:1:2 fd00:a:1:3 fd00:a:1:100)
readonly NAME=(- R S T M)
own=${NAME[GUEST]}
case $GUEST in
  4) manager ;;
  *) fabric; host "$own" "${PREFIX[GUEST]}" ;;
esac
ip link set eth0 netns fabric
ip -n fabric link set eth0 addrgenmode none address "02:fa:b0:00:01:0$GUEST" promisc on up
address fabric eth0 "fe80::$GUEST/64"
# What waited for a node that moves comes all at once: here the wire must not be what loses it.
tc -n fabric qdisc replace dev eth0 root pfifo limit 100000
for far in 1 2 3 4; do
  [[ $far != "$GUEST" ]] || continue
  ip -n fabric neigh add "fe80::$far" lladdr "02:fa:b0:00:01:0$far" dev eth0 nud permanent
  ip -n fabric route add "${PREFIX[far]}::/64" via "fe80::$far" dev eth0
done
barrier drawn

if [[ $GUEST == 4 ]]; then
  LOCATOR=([R]=${PREFIX[1]}::/64 [S]=${PREFIX[2]}::/64 [T]=${PREFIX[3]}::/64)
  node() { printf '{"id": "%s", "name": "%s", "network": 7, "addresses": ["%s"], "host": "%s"}' "$@"; }
  spot() { printf '{"id": "%s", "name": "%s", "organisation": "acme"}' "$(id "$1")" "$1"; }
  api POST /v1/apply "{
    \"organisations\": [{\"name\": \"acme\", \"title\": \"Acme\"}],
    \"networks\": [{\"vni\": 7, \"name\": \"front\", \"organisation\": \"acme\", \"prefixes\": [\"10.0.0.0/24\"]}],
    \"hosts\": [$(spot R), $(spot S), $(spot T)],
    \"nodes\": [$(node 00000000000000aa A 10.0.0.2 "$(id R)"), $(node 00000000000000cc G 10.0.0.3 "$(id S)")]}" >/dev/null
else
  in_ns "$own" socat -u TCP6-LISTEN:9000,reuseaddr CREATE:/tmp/token &
  receiver=$!
  eventually 10 bash -c "ip netns exec $own ss -Hltn | grep -q :9000"
fi
barrier provisioned
if [[ $GUEST == 4 ]]; then
  for name in R S T; do
    invitation "$name" | in_ns M socat -u - "TCP6:[${LOCATOR[$name]%/64}1]:9000"
  done
else
  wait "$receiver"
  EXECUTOR=/tmp/executor
  agent "$own" "$(</tmp/token)"
fi
# A cable: what comes on one side goes out on the other.
cable() {
  tc -n N qdisc add dev "$1" clsact
  tc -n N filter add dev "$1" ingress matchall action mirred egress redirect dev "$2"
}
case $GUEST in
  1)
    member A on R net 7 10.0.0.2 id 00000000000000aa
    in_ns A sysctl -qw net.ipv4.neigh.v0.base_reachable_time_ms=3600000
    ns G
    in_ns G sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n fabric link add link eth0 name s netns G type vlan id 10
    ip -n fabric link add link eth0 name t netns G type vlan id 11
    ip -n G -batch - <<END
link add br0 address 02:76:0a:00:00:03 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
link set dev s master br0 up
link set dev t up
link set br0 mtu 1480 up
address add 10.0.0.3/24 dev br0
END
    in_ns G sysctl -qw net.ipv4.neigh.br0.base_reachable_time_ms=3600000
    printf 'link set dev %s nomaster\nlink set dev %s master br0\n' s t | tee /tmp/leaves-S >/tmp/stays-T
    printf 'link set dev %s nomaster\nlink set dev %s master br0\n' t s | tee /tmp/leaves-T >/tmp/stays-S
    ;;
  2 | 3)
    device N on "$own"
    ip -n fabric link add link eth0 name g0 netns N type vlan id $((GUEST + 8))
    ip -n N link set v0 up
    ip -n N link set g0 promisc on up
    cable g0 v0
    cable v0 g0
    if [[ $GUEST == 2 ]]; then
      eventually 10 ovctl -n S net show 7
      ovctl -n S port add v0 --netns N --net 7 --addr 10.0.0.3 --node 00000000000000cc
      eventually 10 is_port S v0 N active
    fi
    ;;
esac
barrier attached
if [[ $GUEST == 1 ]]; then
  pings A 10.0.0.3
  ip -n A neigh show 10.0.0.3 | grep -o 'lladdr [^ ]*' >/tmp/neighbour
  counted R | grep arp-replies >/tmp/arp
fi
"#;

/// The manager moves G to and fro.
const ORDERS: &str = r#"
export OVCTL_SERVER=http://127.0.0.1:8440 OVCTL_TOKEN=$(<"$DAEMONS/M/token")
to=(fd00:a:1:3::/64 fd00:a:1:2::/64)
aborted=0
for ((number = 0; number < MOVES; number++)); do
  # One that is not paused in time, since the machine is busy, never was: the node goes on where it is.
  until in_ns M ovctl move start 00000000000000cc "${to[number % 2]}" --settle >/tmp/move 2>&1; do
    ((aborted++ < MOVES)) && grep -q 'the node was not paused in time' /tmp/move ||
      fail "move $number: $(</tmp/move)"
  done
  sleep 0.2
done
echo "$MOVES moves in $SECONDS s, besides $aborted that were aborted"
"#;

/// No host drops anything but what G's stack acknowledges while it rests, and neither do the wires.
const DROPS: &str = r#"
own=$(ls /run/netns | grep '^[RST]$')
wire=$(tc -n fabric -s qdisc show dev eth0)
[[ $wire == *'dropped 0,'* ]] || fail "$wire"
drops=$(ovctl -n $own stats --json | grep -o '"drop":\[[^]]*\]' |
  sed 's/{"reason":"port-inactive","packets":[0-9]*}//')
[[ $drops == '"drop":[]' ]] || fail "$own: $drops"
[[ $own == R ]] || counted "$own" | grep -q '^forwarded=[1-9]' || fail "$own forwarded nothing"
"#;

fn run() -> Result<(), Failure> {
    let result = play();
    if result.is_err() {
        // What there is of it.
        let _ = draw("tail -n 40 $DAEMONS/*.log /tmp/executor.log || true");
    }
    result
}

fn play() -> Result<(), Failure> {
    let moves = std::env::var("MOVES").map_or(Ok(MOVES), |text| text.parse())?;
    std::fs::write(PROGRAM, EXECUTOR)?;
    std::fs::set_permissions(PROGRAM, std::fs::Permissions::from_mode(0o755))?;
    draw(STAGE).map_err(|_| "the stage cannot be set: see above")?;
    match guest()? {
        1 => converse(moves)?,
        4 => {
            barrier::wait("conversing")?;
            draw(&format!("MOVES={moves}\n{ORDERS}"))?;
            barrier::wait("moved")?;
        }
        _ => {
            barrier::wait("conversing")?;
            barrier::wait("moved")?;
            draw(DROPS)?;
        }
    }
    barrier::wait("done")?;
    Ok(())
}

/// A and G talk while G moves.
fn converse(moves: u32) -> Result<(), Failure> {
    let pause = Arc::new(Pause::default());
    let gate = gate(pause.clone())?;
    let start = Instant::now();
    let out = Flow::open(("A", "G"), SocketAddrV4::new(G, 5000), REST, None)?;
    let home = Flow::open(
        ("G", "A"),
        SocketAddrV4::new(A, 5001),
        REST,
        Some(pause.clone()),
    )?;
    let stream = Stream::open(("A", "G"), SocketAddrV4::new(G, 5002), REST)?;
    barrier::wait("conversing")?;
    barrier::wait("moved")?;
    let took = start.elapsed().as_secs_f64();
    let drops = draw(DROPS);
    let flows = [(out, "from A to G"), (home, "from G to A")];
    let flows = flows.map(|(flow, way)| Ok::<_, Failure>((flow.finish(way)?, way)));
    stream.finish()?;
    within("R", || Ok(TcpStream::connect(GATE)?.write_all(b"end\n")?))?;
    let rests = gate.join().map_err(|_| "the gate panicked")??;
    println!("conversed for {took:.0} s");
    for flow in flows {
        let (seen, way) = flow?;
        println!(
            "{way}: {:.0} datagrams a second",
            f64::from(seen.count()) / took
        );
        // Once per move those that were forwarded may come after those that were sent directly.
        if seen.late > moves * 4 * BURST {
            return Err(format!("{} packets out of order {way}", seen.late).into());
        }
        spread(
            &format!("{way}: nothing came for"),
            rests.iter().map(|rest| rest.silence(&seen)),
        );
    }
    spread("the node's own pause", rests.iter().map(Rest::own));
    spread("added by the network", rests.iter().map(Rest::added));
    if rests.len() != moves as usize {
        return Err(format!("{} pauses in {moves} moves", rests.len()).into());
    }
    draw(
        "expect \"$(</tmp/neighbour)\" bash -c \"ip -n A neigh show 10.0.0.3 | grep -o 'lladdr [^ ]*'\"
         expect \"$(</tmp/arp)\" bash -c '. /ovnet/lib.sh; counted R | grep arp-replies'",
    )?;
    drops
}

/// A pause of G.
struct Rest {
    /// Its sender rests.
    began: Instant,
    /// It is where it goes on.
    whole: Instant,
    /// It goes on.
    ended: Instant,
}

impl Rest {
    fn own(&self) -> Duration {
        self.whole - self.began
    }

    fn added(&self) -> Duration {
        self.ended - self.whole
    }

    /// The longest silence of a flow that has to do with it. Shorter ones than the flow tells are none.
    fn silence(&self, seen: &Seen) -> Duration {
        let until = self.ended + Duration::from_millis(500);
        let near = seen
            .gaps
            .iter()
            .filter(|(from, length)| *from < until && *from + *length > self.began);
        near.map(|(_, length)| *length).max().unwrap_or_default()
    }
}

/// Prints how times are distributed.
fn spread(what: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<u128> = times.map(|time| time.as_millis()).collect();
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).max(1) - 1);
    if let (Some(half), Some(most), Some(all)) = (at(50), at(99), times.last()) {
        println!(
            "{what}: p50 {half} ms, p99 {most} ms, max {all} ms, of {}",
            times.len()
        );
    }
}

/// Has G's sender rest and changes its cables when the program says so; the pauses, at the end.
fn gate(pause: Arc<Pause>) -> Result<JoinHandle<Result<Vec<Rest>, String>>, Failure> {
    let listener = within("R", || Ok(TcpListener::bind(GATE)?))?;
    Ok(thread::spawn(move || {
        let text = |error: std::io::Error| format!("the gate: {error}");
        let (mut rests, mut began, mut whole) = (Vec::new(), None, None);
        for stream in listener.incoming() {
            let mut stream = stream.map_err(text)?;
            let mut word = String::new();
            BufReader::new(&stream).read_line(&mut word).map_err(text)?;
            match word.trim() {
                "pause" => {
                    pause.begin();
                    began.get_or_insert(Instant::now());
                }
                "leaves-S" | "leaves-T" | "stays-S" | "stays-T" => plug(word.trim())?,
                "received" => {
                    whole.get_or_insert(Instant::now());
                }
                "go" => {
                    pause.end();
                    if let (Some(began), Some(whole)) = (began.take(), whole.take()) {
                        let ended = Instant::now();
                        rests.push(Rest {
                            began,
                            whole,
                            ended,
                        });
                    }
                }
                _ => break,
            }
            stream.write_all(b"so\n").map_err(text)?;
        }
        Ok(rests)
    }))
}

/// G's cable goes from one host to the other, as the file of that name says.
fn plug(file: &str) -> Result<(), String> {
    let path = format!("/tmp/{file}");
    let status = Command::new("ip")
        .args(["-n", "G", "-batch", &path])
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        bad => Err(format!("{file}: {bad:?}")),
    }
}
