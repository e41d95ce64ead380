# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: VXLAN over IPv6 between two bridges

setup() {
  bridged
  both host
}

host() {
  ip -n "$H" link add vx0 type vxlan id 1 local "$ME" remote "$PEER" dstport 4789 dev sub
  ip -n "$H" link set vx0 master br0 up
}
