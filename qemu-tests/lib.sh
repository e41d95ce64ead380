# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What a case written in bash starts with: `set -euo pipefail` is in force, so
# a command that fails fails the case, and these words are at hand.

set -euo pipefail

# fail TEXT...: end the case as failed.
fail() {
  printf 'FAIL %s: %s\n' "$(where)" "$*" >&2
  exit 1
}

# The line of the case that called into this library.
where() {
  local i
  for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
    if [[ ${BASH_SOURCE[i]} != /ovnet/lib.sh && ${BASH_SOURCE[i]} != /ovnet/overlay.sh &&
      ${BASH_SOURCE[i]} != /ovnet/manager.sh && ${BASH_SOURCE[i]} != /ovnet/trace.sh ]]; then
      echo "${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
      return
    fi
  done
}

# Names the command that ended a case by failing.
trap 'printf "FAIL %s:%s: status %s from: %s\n" "$(basename "${BASH_SOURCE[0]:-$0}")" "$LINENO" "$?" "$BASH_COMMAND" >&2' ERR
set -o errtrace

# ns NAME...: new network namespaces with their loopback up.
ns() {
  local name
  for name; do
    ip netns add "$name"
    ip -n "$name" link set lo up
  done
}

# in_ns NAME COMMAND...: run a command in a namespace.
in_ns() {
  ip netns exec "$@"
}

# wire A[:DEVICE] B[:DEVICE]: join two namespaces by a veth pair, up at both
# ends. A device is called after the namespace it leads to unless named.
wire() {
  local a=${1%%:*} b=${2%%:*}
  local at_a=$b at_b=$a
  [[ $1 != *:* ]] || at_a=${1#*:}
  [[ $2 != *:* ]] || at_b=${2#*:}
  ip -n "$a" link add "$at_a" type veth peer name "$at_b" netns "$b"
  ip -n "$a" link set "$at_a" up
  ip -n "$b" link set "$at_b" up
}

# address NAME DEVICE ADDRESS/LENGTH...: add addresses, usable at once.
address() {
  local name=$1 device=$2 address
  shift 2
  for address; do
    if [[ $address == *:* ]]; then
      ip -n "$name" address add "$address" dev "$device" nodad
    else
      ip -n "$name" address add "$address" dev "$device"
    fi
  done
}

# expect WANTED COMMAND...: the command succeeds and prints exactly WANTED.
expect() {
  local wanted=$1 got
  shift
  got=$("$@") || fail "status $? from: $*"
  [[ $got == "$wanted" ]] || fail "$*: expected '$wanted', got '$got'"
}

# refused PATTERN COMMAND...: the command fails, and what it says matches the
# glob PATTERN.
refused() {
  local pattern=$1 got
  shift
  if got=$("$@" 2>&1); then
    fail "not refused: $*"
  fi
  # The pattern is a glob on purpose.
  # shellcheck disable=SC2053
  [[ $got == $pattern ]] || fail "$*: refused with '$got', not '$pattern'"
}

# eventually SECONDS COMMAND...: the command succeeds within that time, or
# PATIENCE times as long where the kernel is slow.
eventually() {
  local deadline=$((SECONDS + $1 * PATIENCE))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail "still failing at the deadline: $*"
    sleep 0.1
  done
}

# counters NAME DEVICE COUNTER=WANTED...: what a device counted, from
# /sys/class/net/DEVICE/statistics.
counters() {
  local name=$1 device=$2 pair got
  shift 2
  for pair; do
    got=$(ip netns exec "$name" cat "/sys/class/net/$device/statistics/${pair%%=*}")
    [[ $got == "${pair#*=}" ]] || fail "$name $device: expected $pair, got $got"
  done
}

# barrier NAME: wait until every guest of the case has come here.
barrier() {
  ovnet-guest barrier "$1"
}

# shellcheck source=qemu-tests/overlay.sh
. /ovnet/overlay.sh
# shellcheck source=qemu-tests/manager.sh
. /ovnet/manager.sh
# shellcheck source=qemu-tests/trace.sh
. /ovnet/trace.sh
