# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: header translation, IPv4 to IPv6 and back

setup() {
  # The nodes' veths give way to ports of the same name.
  ip -n A link delete eth0
  ip -n G link delete eth0
  both host
  one_lan
}

host() {
  ip -n "$H" route add "fd00:a:0:$FAR_N::/64" via "$PEER"
  ip -n "$H" link add eth0 netns "$NODE" type ovnet
  ovctl -n "$H" host set "fd00:a:0:$N::/64"
  ovctl -n "$H" net set 7
  ovctl -n "$H" port set eth0 --netns "$NODE" --net 7 --address "10.9.0.$((N + 1))"
  ovctl -n "$H" mapping set 7 "10.9.0.$((FAR_N + 1))" --locator "fd00:a:0:$FAR_N::/64"
  ip -n "$NODE" link set eth0 up
}
