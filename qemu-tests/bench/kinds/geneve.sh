# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: Geneve over IPv6 between two bridges

setup() {
  bridged
  both host
}

host() {
  ip -n "$H" link add gnv0 type geneve id 1 remote "$PEER"
  ip -n "$H" link set gnv0 mtu $((SUBSTRATE_MTU - 70)) master br0 up
}
