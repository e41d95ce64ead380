# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: no overlay: hosts bridge their nodes onto the substrate

setup() {
  bridged
  ip -n R link set sub master br0
  ip -n S link set sub master br0
}
