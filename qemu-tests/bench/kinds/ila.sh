# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# kind: IPv6 whose upper 64 bits of the destination are rewritten (ILA)

# Nodes have fd00:N::2 (the SIR address); on the substrate it is fd00:e:0:N::2.
setup() {
  routed 6
  both host
}

host() {
  modprobe ila
  ip -n "$H" route add "fd00:e:0:$FAR_N::/64" via "$PEER"
  ip -n "$H" route add "fd00:$FAR_N::2/128" encap ila "fd00:e:0:$FAR_N" csum-mode adj-transport \
    ident-type luid hook-type input via "$PEER" dev sub
  in_ns "$H" ip ila add loc_match "fd00:e:0:$N" loc "fd00:$N:0:0" dev sub \
    csum-mode adj-transport ident-type luid
}
