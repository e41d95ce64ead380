# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: the floor: the nodes are on the substrate themselves

setup() {
  both host
  one_lan
}

host() {
  ip -n "$NODE" link delete eth0
  ip -n "$H" link add link sub name eth0 netns "$NODE" type ipvlan mode l2
  ip -n "$NODE" link set eth0 up
}
