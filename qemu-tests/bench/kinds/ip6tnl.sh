# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: IPv4 in IPv6, routed

setup() {
  routed 4
  both host
}

host() {
  ip -n "$H" link add t0 type ip6tnl mode any local "$ME" remote "$PEER" encaplimit none
  ip -n "$H" link set t0 mtu $((SUBSTRATE_MTU - 40)) up
  ip -n "$H" route add "10.$FAR_N.0.0/24" dev t0
}
