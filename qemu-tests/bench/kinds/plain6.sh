# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: no overlay: IPv6 routed from node to node

setup() {
  routed 6
  both host
}

host() {
  ip -n "$H" route add "fd00:$FAR_N::/64" via "$PEER"
}
