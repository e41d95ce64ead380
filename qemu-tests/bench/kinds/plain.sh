# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: no overlay: IPv4 routed from node to node

setup() {
  routed 4
  both host
}

host() {
  address "$H" sub "192.0.2.$N/30"
  ip -n "$H" route add "10.$FAR_N.0.0/24" via "192.0.2.$FAR_N"
}
