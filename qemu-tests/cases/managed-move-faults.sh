# SPDX-License-Identifier: GPL-2.0
# case: a move whose agents or manager die, or whose wires are cut, at any step completes or never was
# rows: MV1 MV3 OP3
# timeout: 1500
#
#  A 10.0.0.2 ── R ── fabric ──┬── S ── v0 ┐
#                        M ────┤           ├ br0 G 10.0.0.3
#                              └── T ── v1 ┘
#
# moves/faults.sh has what is drawn here, and what becomes of each move.

manager
# shellcheck source=qemu-tests/cases/moves/faults.sh
. /ovnet/cases/moves/faults.sh

# What a host's wire carries is lost for a second.
cut_off() {
  tc -n fabric qdisc add dev "$1" root netem loss 100%
  tc -n "$1" qdisc add dev sub root netem loss 100%
  sleep 1
  tc -n fabric qdisc del dev "$1" root
  tc -n "$1" qdisc del dev sub root
}

fault() {
  case $1 in
    source) killed "$from"; daemon "$from" ;;
    destination) killed "$to"; daemon "$to" ;;
    manager) killed M; manager ;;
    source-wire) cut_off "$from" ;;
    destination-wire) cut_off "$to" ;;
  esac
}

faults source destination manager source-wire destination-wire
answered_once
