# SPDX-License-Identifier: GPL-2.0
# case: what a router of the substrate cannot forward, the node hears of as on its own network, and TCP goes on
# rows: RX5 TX10 N09
# timeout: 120
#
#  A 10.0.0.2 ── R ── fabric ══ S ── G 10.0.0.3
#                        narrow

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
node H on S net 7 10.0.0.4
# Errors are not to be limited by the router, so that they can be counted.
in_ns fabric sysctl -qw net.ipv6.icmp.ratelimit=0
ping_of() { in_ns A ping -n -c 1 -W 3 -M do -s $(($1 - 28)) "${2:-10.0.0.3}"; }
# Sixty bytes of header: with a record route of 40 bytes no packet is fast.
long_header() { in_ns A ping -n -c 1 -W 3 -R -M do -s $(($1 - 68)) 10.0.0.3; }
path_mtu() { in_ns A ip route get "${1:-10.0.0.3}" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'; }
# narrow HOST MTU: what the link between the fabric and a host takes, both ways.
narrow() {
  ip -n fabric link set "$1" mtu "$2"
  ip -n "$1" link set sub mtu "$2"
}

# A packet in the fast form: 20 bytes less than the narrow link takes. The
# host has learnt it as well, for every node behind the same host.
narrow S 1400
refused '*mtu*1380*' ping_of 1480
stats R arp-replies=1 tx-packets=1 tx-bytes=1480 icmp-errors=1
expect 1380 path_mtu
ping_of 1380
stats R tx-packets=1 tx-bytes=1380 rx-packets=1 rx-bytes=1380
stats S arp-replies=1 tx-packets=1 tx-bytes=1380 rx-packets=1 rx-bytes=1380
refused '*mtu*1380*' ping_of 1381 10.0.0.4
stats R arp-replies=1 drop:too-big=1
expect 1380 path_mtu 10.0.0.4

# A packet that is carried whole: 40 bytes less, from the router and then from
# the host itself.
narrow S 1300
refused '*mtu*1260*' long_header 1360
stats R tx-packets=1 tx-bytes=1360 icmp-errors=1
expect 1260 path_mtu
long_header 1260
stats R tx-packets=1 tx-bytes=1260 rx-packets=1 rx-bytes=1260
stats S tx-packets=1 tx-bytes=1260 rx-packets=1 rx-bytes=1260
in_ns A ip route flush cache
refused '*mtu*1260*' long_header 1261
stats R drop:too-big=1
ping_of 1280 10.0.0.4
stats R tx-packets=1 tx-bytes=1280 rx-packets=1 rx-bytes=1280
stats S arp-replies=1 tx-packets=1 tx-bytes=1280 rx-packets=1 rx-bytes=1280

# A datagram that may be cut is cut by the host, also in the fragments that the
# node made of it, and no error is needed: 1480, 1480 and 108 bytes become
# pieces of at most 1256.
in_ns A ip route flush cache
in_ns A ping -n -c 1 -W 3 -M dont -s 3000 10.0.0.4
stats R tx-packets=5 tx-bytes=3108 rx-packets=5 rx-bytes=3108
stats S tx-packets=5 tx-bytes=3108 rx-packets=5 rx-bytes=3108

# TCP that has filled the path goes on when it becomes narrow: half of the data
# is sent before, half after. What R knows of a path is of the remote host, so
# each round has a host of its own; in an exact network segments have an
# identification and are carried whole.
head -c 1000000 /dev/urandom >/tmp/data
round() {
  local host=$1 net=$2 fidelity=$3 before=$4 after=$5 receiver
  hosts "$host"
  node "A$net" on R net "$net" 10.0.0.2
  node "G$net" on "$host" net "$net" 10.0.0.3
  ovctl -n R net set "$net" --fidelity "$fidelity"
  ovctl -n "$host" net set "$net" --fidelity "$fidelity"
  rm -f /tmp/got /tmp/feed
  mkfifo /tmp/feed
  in_ns "G$net" socat -u TCP-LISTEN:5000 CREATE:/tmp/got &
  receiver=$!
  eventually 5 bash -c "ip netns exec G$net ss -Hltn | grep -q :5000"
  recount R "$host"
  in_ns "A$net" socat -u PIPE:/tmp/feed TCP:10.0.0.3:5000 &
  exec 9>/tmp/feed
  head -c 500000 /tmp/data >&9
  eventually 10 bash -c '(($(stat -c %s /tmp/got) == 500000))'
  expect "$before" net_mtu "$net"
  recount R "$host"
  narrow "$host" 1400
  tail -c +500001 /tmp/data >&9
  exec 9>&-
  wait "$receiver"
  cmp /tmp/data /tmp/got
  expect "$after" net_mtu "$net"
  stats R arp-replies=0-2 tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ icmp-errors=1-99 drop:too-big=0-99
  stats "$host" arp-replies=0-2 tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+
}
net_mtu() { in_ns "A$1" ip route get 10.0.0.3 | sed -n 's/.* mtu \([0-9]*\).*/\1/p'; }
round T 8 semantic "" 1380
round U 9 exact 1460 1360

# A router that has no route, may not forward, or turns in circles.
refuses() { refused "$1" in_ns A9 ping -n -c 1 -W 3 10.0.0.3; }
prefix=${LOCATOR[U]}
told() { stats R arp-replies=0-1 tx-packets=1 tx-bytes=84 icmp-errors=1; }
recount R U
ip -6 -n fabric route del "$prefix"
ip -6 -n fabric route add unreachable "$prefix"
refuses '*From 10.0.0.3 *Destination Host Unreachable*'
told
ip -6 -n fabric route replace prohibit "$prefix"
refuses '*From 10.0.0.3 *Destination Host Prohibited*'
told
ip -6 -n fabric route del prohibit "$prefix"
refuses '*From 10.0.0.3 *Destination Host Unreachable*'
told
ns detour
wire fabric detour
in_ns detour sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.icmp.ratelimit=0
address fabric detour fd00:e::1/64
address detour fabric fd00:e::2/64
ip -6 -n detour route add default via fd00:e::1
ip -6 -n fabric route add "$prefix" via fd00:e::2
refuses '*From 10.0.0.3 *Time to live exceeded*'
told
stats U
