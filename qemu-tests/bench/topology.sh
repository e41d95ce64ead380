# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The topology that every kind of network is measured on; used with lib.sh.
#
#      A -------- R ======== S -------- G
#     eth0    node  sub    sub  node   eth0
#
# A and G are the nodes, R and S their hosts, R=S the substrate, which has IPv6.
# A kind is a file in kinds/ that says in one line what it is (`# kind: ...`) and
# has a function `setup`, after which packets from A to $TO arrive at G.

# draw MTU: four namespaces and three veth pairs, all of that MTU.
draw() {
  local name
  SUBSTRATE_MTU=$1
  # Neighbours stay reachable, so that nobody asks while packets are counted.
  sysctl -qw net.ipv4.neigh.default.base_reachable_time_ms=36000000 \
    net.ipv6.neigh.default.base_reachable_time_ms=36000000
  ns A R S G
  for name in A R S G; do
    in_ns "$name" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
      net.ipv6.conf.default.accept_dad=0
  done
  ip -n R link add sub mtu "$1" type veth peer name sub mtu "$1" netns S
  ip -n A link add eth0 mtu "$1" type veth peer name node mtu "$1" netns R
  ip -n G link add eth0 mtu "$1" type veth peer name node mtu "$1" netns S
  for name in A:eth0 R:node R:sub S:sub S:node G:eth0; do
    ip -n "${name%:*}" link set "${name#*:}" up
  done
  address R sub fd00:5::1/64
  address S sub fd00:5::2/64
}

erase() {
  ip netns delete A
  ip netns delete R
  ip netns delete S
  ip netns delete G
  # Devices go in the background, and cost instructions as they do.
  sleep 2
}

# both FUNCTION: calls it for R and then for S, with
#   H        the host's namespace           N FAR_N    its number, 1 or 2, and the other's
#   ME PEER  its address on the substrate, and the other host's
#   NODE     the namespace of its node
both() {
  H=R N=1 FAR_N=2 ME=fd00:5::1 PEER=fd00:5::2 NODE=A
  "$@"
  H=S N=2 FAR_N=1 ME=fd00:5::2 PEER=fd00:5::1 NODE=G
  "$@"
}

# routed 4|6: each node in a subnet of its own whose router is its host: 10.N.0.0/24 or fd00:N::/64.
routed() {
  if [[ $1 == 4 ]]; then
    TO=10.2.0.2
    both routed_ipv4
  else
    TO=fd00:2::2
    both routed_ipv6
  fi
}

routed_ipv4() {
  address "$NODE" eth0 "10.$N.0.2/24"
  address "$H" node "10.$N.0.1/24"
  ip -n "$NODE" route add default via "10.$N.0.1"
}

routed_ipv6() {
  address "$NODE" eth0 "fd00:$N::2/64"
  address "$H" node "fd00:$N::1/64"
  ip -n "$NODE" route add default via "fd00:$N::1"
}

# one_lan: both nodes in one subnet.
one_lan() {
  TO=10.9.0.3
  address A eth0 10.9.0.2/24
  address G eth0 10.9.0.3/24
}

# bridged: one subnet, and on each host a bridge br0 that the node is a port of.
bridged() {
  one_lan
  both bridge_node
}

bridge_node() {
  ip -n "$H" link add br0 up type bridge
  ip -n "$H" link set node master br0
}

# The substrate as a wire: packets are cut when sent and merged when received,
# as by a network card that does not segment.
cut_on_substrate() {
  local host
  for host in R S; do
    in_ns "$host" ethtool -K sub tso off gro on >/dev/null
  done
}

# node_mtu BYTES
node_mtu() {
  ip -n A link set eth0 mtu "$1"
  ip -n G link set eth0 mtu "$1"
}
