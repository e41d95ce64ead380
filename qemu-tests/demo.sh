#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The example the system is named after, played on a booted stock kernel. Six
# namespaces are nodes, three are hosts in different racks, one is the routers
# between them, which know nothing but three /64 routes. M is the manager, a
# machine on the fabric like any other: nobody tells a host by hand where a node
# is. STORE=etcd has it keep its data in an etcd.
#
#   network Z:  A 10.0.0.2, B 10.0.0.5 on R; G 10.0.0.3 on S, later on T
#   network Y:  Y 10.0.0.3 on R
#
#    A   B   Y              G ..... moves ..... >
#    |   |   |              |                   :
#   [ host  R ]         [ host  S ]         [ host  T ]
#      rack 1              rack 2              rack 3         M
#        |                   |                   |            |
#   =====+======= fabric: plain IPv6 routers ====+============+==

set -uo pipefail

readonly Z=7 Y=9
# The nodes, as the manager knows them.
declare -rA NODE=([A]=000000000000000a [B]=000000000000000b [G]=0000000000000003 [Y]=0000000000000009)
readonly ORGANISATION=fd00:a::/32
readonly WORK=$(mktemp -d)
declare -A LOCATOR=()
steps=() results=()

say() { printf '\n\e[1m== %s\e[0m\n' "$*"; }
tell() { printf '   %s\n' "$*"; }

# show COMMAND...: prints the command and what it says.
show() {
  printf '   $ %s\n' "$*"
  "$@" 2>&1 | sed 's/^/     /'
  return "${PIPESTATUS[0]}"
}

in_ns() { ip netns exec "$@"; }

fail() {
  tell "failed: $*"
  exit 1
}

# eventually SECONDS COMMAND...: the command succeeds within that time.
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail "still not: $*"
    sleep 0.1
  done
}

readonly MANAGER_AT=fd00:f:4::2
# shellcheck source=qemu-tests/manager.sh
. /ovnet/manager.sh

# Daemons outlive the step that starts them.
daemon() {
  ip netns exec "$1" ovmgrd --config "$DAEMONS/$1.toml" 2>>"$DAEMONS/$1.log" &
  disown
}

# step TITLE FUNCTION: plays one step and keeps its result for the table.
step() {
  say "$1"
  steps+=("$1")
  # Not as a condition: bash would not heed -e inside one.
  (set -eE; trap 'tell "failed: $BASH_COMMAND"' ERR; trap 'jobs -p | xargs -r kill' EXIT; "$2")
  results+=("$( (($?)) && echo FAILED || echo ok)")
}

# statistic HOST NAME: a counter, or a drop reason as drop.NAME.
statistic() {
  ovctl -n "$1" --json stats | python3 -c '
import json, sys
stats, name = json.load(sys.stdin), sys.argv[1]
drops = {drop["reason"]: drop["packets"] for drop in stats.get("drop", [])}
print(drops.get(name[5:], 0) if name.startswith("drop.") else stats[name])' "$2"
}

packets_of() { in_ns "$1" cat /sys/class/net/eth0/statistics/rx_packets; }

# ---- the data centre ----------------------------------------------------------

# machine NAME RACK: a machine on the fabric.
machine() {
  ip netns add "$1"
  in_ns "$1" sysctl -qw net.ipv6.conf.default.accept_dad=0
  ip -n "$1" link set lo up
  ip -n fabric link add "$1" type veth peer name sub netns "$1"
  ip -n fabric address add "fd00:f:$2::1/64" dev "$1" nodad
  ip -n fabric link set "$1" up
  ip -n "$1" address add "fd00:f:$2::2/64" dev sub nodad
  ip -n "$1" link set sub up
  ip -n "$1" route add default via "fd00:f:$2::1"
}

# fabric_host HOST RACK: a host on the fabric, whose nodes are reached by its locator alone.
fabric_host() {
  machine "$1" "$2"
  ovctl -n "$1" host set --organisation "$ORGANISATION" \
    --topology "locale=1,area=1,rack=$2,host=1"
  ip -n fabric route add "${LOCATOR[$1]}" via "fd00:f:$2::2"
}

# An etcd beside the manager.
etcd_store() {
  mkdir -p "$DAEMONS"
  ip netns exec M etcd --data-dir "$WORK/etcd" --max-txn-ops=4096 >"$DAEMONS/etcd.log" 2>&1 &
  disown
  eventually 60 in_ns M bash -c 'exec 3<>/dev/tcp/127.0.0.1/2379'
}

# What the manager is to know, before anything is there.
provision() {
  local host name hosts='' nodes=''
  for host in R S T; do
    hosts+="${hosts:+, }{\"id\": \"$(id "$host")\", \"name\": \"$host\", \"organisation\": \"acme\"}"
  done
  while read -r name host network address; do
    nodes+="${nodes:+, }{\"id\": \"${NODE[$name]}\", \"name\": \"$name\", \"network\": $network,
      \"addresses\": [\"$address\"], \"host\": \"$(id "$host")\"}"
  done <<END
A R $Z 10.0.0.2
B R $Z 10.0.0.5
Y R $Y 10.0.0.3
G S $Z 10.0.0.3
END
  api POST /v1/apply "{\"organisations\": [{\"name\": \"acme\"}],
    \"networks\": [
      {\"vni\": $Z, \"name\": \"Z\", \"organisation\": \"acme\", \"prefixes\": [\"10.0.0.0/24\"]},
      {\"vni\": $Y, \"name\": \"Y\", \"organisation\": \"acme\", \"prefixes\": [\"10.0.0.0/24\"]}],
    \"hosts\": [$hosts], \"nodes\": [$nodes]}"
}

# node NAME HOST NETWORK ADDRESS: a node at a port of its host.
node() {
  ip netns add "$1"
  in_ns "$1" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
  ip -n "$1" link set lo up
  ip -n "$2" link add eth0 netns "$1" type ovnet
  ovctl -n "$2" port set eth0 --netns "$1" --net "$3" --address "$4" --node "${NODE[$1]}"
  ip -n "$1" address add "$4/24" dev eth0
  ip -n "$1" link set eth0 up
}

# G is a machine that can be moved: its address is on a bridge, and its port is the bridge's only one.
on_a_bridge() {
  ip -n G -batch - <<<"address flush dev eth0
    link add br0 address 02:76:0a:00:00:03 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
    link set eth0 master br0
    link set br0 mtu 1480 up
    address add 10.0.0.3/24 dev br0"
}

# The program that the agents run to move a node: what there is to be copied of G is nothing, since both hosts
# are this machine. What it is told and says is in Documentation/moves.md.
executor() {
  cat >"$WORK/executor" <<'END'
#!/bin/bash
trap '' PIPE
image=${0%/*}/$OVNET_MOVE
processes() { ip netns pids G | xargs -r kill -"$1"; }
case $1 in
  source)
    echo converged
    while read -r word; do
      case $word in
        # What they sent last goes out before they count as paused.
        pause) processes STOP; sleep 0.2; echo paused ;;
        frozen) ip -n G link set eth0 nomaster; touch "$OVNET_ENDPOINT"; echo sent ;;
        abort) processes CONT; exit ;;
        done) ip -n G link del eth0; exit ;;
      esac
    done
    ;;
  destination)
    ip link add eth1 netns G type ovnet
    ovctl port set eth1 --netns G --net "$OVNET_NETWORK" --address "$OVNET_ADDRESS" --node "$OVNET_NODE"
    ip -n G link set eth1 up
    { until [[ -e $image ]]; do sleep 0.02; done; ip -n G link set eth1 master br0; echo received; } &
    echo "prepared $image"
    while read -r word; do
      case $word in
        resume) processes CONT; echo resumed ;;
        abort) kill $!; ip -n G link del eth1; exit ;;
        done) exit ;;
      esac
    done
    ;;
esac
END
  chmod +x "$WORK/executor"
}

data_centre() {
  ip netns add fabric
  in_ns fabric sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
  fabric_host R 1
  fabric_host S 2
  fabric_host T 3
  show ovctl -n R host show
  tell "All the fabric knows of the overlay:"
  show ip -n fabric -6 route show root fd00:a::/32
}

managers() {
  machine M 4
  case ${STORE:-embedded} in
    embedded) manager ;;
    etcd)
      etcd_store
      manager 'kind = "etcd"' '[store.etcd]' 'endpoints = ["127.0.0.1:2379"]'
      ;;
    *) fail "no such store: $STORE" ;;
  esac
  tell "The manager keeps its data in: ${STORE:-a file of its own (embedded)}"
  provision >/dev/null
  executor
  EXECUTOR=$WORK/executor
  for host in R S T; do
    agent "$host"
  done
  # Networks come to the hosts that have nodes in them.
  eventually 10 ovctl -n R net show "$Y"
  show ovctl -n R net show
  tell "T has no node yet, so it hears of none:"
  show ovctl -n T net show
  [[ $(ovctl -n T net show --json) == '[]' ]]
}

nodes() {
  node A R "$Z" 10.0.0.2
  node B R "$Z" 10.0.0.5
  node Y R "$Y" 10.0.0.3
  node G S "$Z" 10.0.0.3
  for name in A B Y; do
    eventually 10 is_port R eth0 "$name" active
  done
  eventually 10 is_port S eth0 G active
  on_a_bridge
  tell "The manager has granted them; R knows its own nodes and no others:"
  show ovctl -n R mapping show
}

# ---- what the nodes see ---------------------------------------------------------

resolve_and_ping() {
  in_ns A ip neigh flush dev eth0
  show in_ns A ping -c 3 -i 0.2 10.0.0.3
  tell "A resolved G by ARP, answered by its own host with G's virtual MAC:"
  show ip -n A neigh show 10.0.0.3
  ip -n A neigh show 10.0.0.3 | grep -q 02:76:0a:00:00:03
  tell "R asked the manager where G is:"
  show ovctl -n R mapping show "$Z" 10.0.0.3
  (($(statistic R arp-replies) >= 1))
}

neighbours_on_one_host() {
  local before
  before=$(statistic R tx-packets)
  show in_ns A ping -c 2 -i 0.2 10.0.0.5
  tell "A and B share a host: nothing went onto the substrate."
  (($(statistic R tx-packets) == before && $(statistic R local-packets) >= 4))
}

transfer() {
  # Not by a function: the pid must be that of the program.
  ip netns exec fabric tcpdump -i S -w "$WORK/wire.pcap" -s 128 'ip6 net fd00:a::/32' \
    2>"$WORK/tcpdump.log" &
  local capture=$! sum got
  head -c 8000000 /dev/urandom >"$WORK/data"
  sum=$(md5sum <"$WORK/data")
  ip netns exec G socat -u "OPEN:$WORK/data" TCP-LISTEN:8000,reuseaddr &
  local server=$!
  until in_ns G ss -ltn | grep -q :8000; do sleep 0.1; done
  until grep -q listening "$WORK/tcpdump.log"; do sleep 0.1; done
  got=$(in_ns A socat -u TCP:10.0.0.3:8000 - | md5sum)
  wait "$server"
  sleep 1
  kill "$capture"
  wait "$capture"
  tell "8 MB from G to A: sent $sum, received $got"
  [[ $got == "$sum" ]]
}

# The addresses embed locator, network and virtual address; what they carry is TCP.
capture() {
  tell "The same transfer on a router's wire:"
  tcpdump -r "$WORK/wire.pcap" -n -t -c 6 2>/dev/null | sed 's/^/     /'
  local all plain
  all=$(tcpdump -r "$WORK/wire.pcap" -n 2>/dev/null | wc -l)
  plain=$(tcpdump -r "$WORK/wire.pcap" -n "ip6[6] = 6 and
    ((src host $A6 and dst host $G6) or (src host $G6 and dst host $A6))" 2>/dev/null | wc -l)
  tell "$plain of $all packets are TCP right behind the IPv6 header, between"
  tell "A = $A6 and G = $G6"
  ((all > 100 && plain == all))
}

# ---- what they must not see -------------------------------------------------------

other_network() {
  local before
  before=$(packets_of Y)
  in_ns A ping -q -c 3 -i 0.2 10.0.0.3 >/dev/null
  tell "A (network $Z) pings 10.0.0.3; Y has that address in network $Y, on A's own host."
  tell "Packets that reached Y: $(($(packets_of Y) - before))"
  (($(packets_of Y) == before))
}

# An intruder on the substrate writes G's virtual address behind T's locator.
forgery() {
  local before seen
  before=$(statistic R drop.forged-source)
  seen=$(packets_of A)
  in_ns T python3 - "$G6_FROM_T" "$A6" <<'PYTHON'
import socket, struct, sys
source, destination = (socket.inet_pton(socket.AF_INET6, a) for a in sys.argv[1:])
payload = struct.pack("!HHHH", 53, 53, 12, 0) + b"gift"
header = struct.pack("!IHBB", 6 << 28 | 64 << 12, len(payload), 17, 64) + source + destination
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
for _ in range(3):
    raw.sendto(header + payload, (sys.argv[2], 0))
PYTHON
  sleep 0.5
  show ovctl -n R stats
  tell "T claimed to be G, from T's own locator: 3 packets, forged-source, none delivered."
  (($(statistic R drop.forged-source) == before + 3 && $(packets_of A) == seen))
}

# ---- a move -------------------------------------------------------------------------

# What all hosts have dropped so far.
dropped() {
  local host sum=0
  for host in R S T; do
    sum=$((sum + $(ovctl -n "$host" --json stats | python3 -c '
import json, sys
print(sum(drop["packets"] for drop in json.load(sys.stdin).get("drop", [])))')))
  done
  echo "$sum"
}

move() {
  local server receiver pinging mac before lost echoes
  mac=$(ip -n A neigh show 10.0.0.3 | grep -o 'lladdr [^ ]*')
  before=$(dropped)
  # A transfer that takes a while.
  # The parts are those of the shell in G.
  # shellcheck disable=SC2016
  ip netns exec G bash -c 'for ((part = 0; part < 125; part++)); do
      dd if="$0" bs=64000 skip="$part" count=1 status=none
      sleep 0.08
    done | socat -u STDIN TCP-LISTEN:8001,reuseaddr' "$WORK/data" &
  server=$!
  until in_ns G ss -ltn | grep -q :8001; do sleep 0.1; done
  ip netns exec A socat -u TCP:10.0.0.3:8001 "CREATE:$WORK/got" &
  receiver=$!
  ip netns exec A ping -i 0.05 -c 200 -W 5 10.0.0.3 >"$WORK/ping" &
  pinging=$!
  sleep 2
  tell "The manager moves G to host T; A keeps pinging, and the transfer goes on."
  export OVCTL_SERVER=http://127.0.0.1:8440 OVCTL_TOKEN
  OVCTL_TOKEN=$(<"$DAEMONS/M/token")
  show in_ns M ovctl move start "${NODE[G]}" "${LOCATOR[T]}"
  unset OVCTL_SERVER
  tell "When it went on there A had received $(stat -c %s "$WORK/got") of 8000000 bytes."
  (($(stat -c %s "$WORK/got") < 8000000))
  # The program takes away what S has left.
  eventually 10 bash -c '! ovctl -n S port show eth0 --netns G'
  wait "$server"
  wait "$receiver"
  wait "$pinging"
  cmp "$WORK/data" "$WORK/got"
  tell "All of it is what G sent, through one connection."
  tail -n 3 "$WORK/ping" | sed 's/^/     /'
  echoes=$(grep -c 'bytes from' "$WORK/ping")
  # What hosts have dropped would be lost, too, though TCP sent it again.
  lost=$((200 - echoes + $(dropped) - before))
  tell "packets lost: $lost"
  ((lost == 0))
  ! grep DUP "$WORK/ping"
  # The last answer can only have come from T.
  grep -q 'icmp_seq=200 ' "$WORK/ping"
  show ovctl -n R mapping show "$Z" 10.0.0.3
  tell "What A knows of G is what it knew: $mac"
  [[ $(ip -n A neigh show 10.0.0.3 | grep -o 'lladdr [^ ]*') == "$mac" ]]
  tell "Old news is refused:"
  ! show ovctl -n R mapping set "$Z" 10.0.0.3 --locator "${LOCATOR[S]}" --gen 1
}

# ---- the play -------------------------------------------------------------------------

# Topology layout 0: version 2 bits, locale 6, area 8, rack 8, host 8.
for host in R:1 S:2 T:3; do
  printf -v prefix 'fd00:a:%x:%x::/64' $((1 << 8 | 1)) $((${host#*:} << 8 | 1))
  LOCATOR[${host%:*}]=$prefix
done
readonly A6=${LOCATOR[R]%::/64}:0:7:a00:2
readonly G6=${LOCATOR[S]%::/64}:0:7:a00:3
readonly G6_FROM_T=${LOCATOR[T]%::/64}:0:7:a00:3

printf 'ovnet on Linux %s\n' "$(uname -r)"
step "Three hosts in three racks of a routed IPv6 fabric" data_centre
step "A manager, and an agent on each host" managers
step "Nodes: A, B and Y on R, G on S" nodes
step "A resolves G and pings it" resolve_and_ping
step "A pings B on the same host" neighbours_on_one_host
step "A pulls a TCP transfer through the overlay" transfer
step "On the substrate: plain TCP over IPv6, no encapsulation" capture
step "The other network's 10.0.0.3 is never reached" other_network
step "A packet forged from another locator is dropped under its name" forgery
step "G moves from S to T during a transfer" move

say "Result"
status=0
for i in "${!steps[@]}"; do
  printf '   %-66s %s\n' "${steps[i]}" "${results[i]}"
  [[ ${results[i]} == ok ]] || status=1
done
for name in M R S T; do
  ip netns pids "$name" | xargs -r kill
  ((status == 0)) || sed "s/^/$name: /" "$DAEMONS/$name.log"
done
rm -rf "$WORK"
exit "$status"
