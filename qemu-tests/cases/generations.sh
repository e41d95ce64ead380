# SPDX-License-Identifier: GPL-2.0
# case: news of a node counts only if its generation is greater; a deletion is news too
# rows: SM2
#
#  A 10.0.0.2 ── R ── fabric ──┬── S
#                              └── T       where is 10.0.0.3?

hosts R S T
node A on R net 7 10.0.0.2
at_s() { ovctl -n R mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 "$@"; }
at_t() { ovctl -n R mapping set 7 10.0.0.3 --locator fd00:a:1:3::/64 "$@"; }
gone() { ovctl -n R mapping del 7 10.0.0.3 "$@"; }
# known STATE GEN: what the host knows.
known() {
  local text
  text=$(ovctl -n R mapping show 7 10.0.0.3 --json)
  [[ $text == *"\"gen\":$2,\"state\":\"$1\""* ]] || fail "not $1 since $2: $text"
}
# stays STATE GEN PATTERN COMMAND...: refused so, and known as before.
stays() {
  local state=$1 gen=$2
  shift 2
  refused "$@"
  known "$state" "$gen"
}
older='*older than the generation this host knows*(ESTALE)*hint:*'
other='*known with other contents*(EEXIST)*hint:*'

at_s --gen 5
known remote 5
stays remote 5 "$older" at_s --gen 4
stays remote 5 "$older" at_t --gen 4
stays remote 5 "$older" gone --gen 4
stays remote 5 "$other" at_t --gen 5
stays remote 5 "$other" at_s --gen 5 --mac 02:00:00:00:00:09
stays remote 5 "$other" gone --gen 5
at_s --gen 5
known remote 5
at_t --gen 6
known remote 6
# Where it is has changed, and nothing else about it.
expect '"fd00:a:1:3::/64"' bash -c "ovctl -n R mapping show 7 10.0.0.3 --json | grep -o '\"fd00[^\"]*\"'"

# A deletion leaves a tombstone, which older news cannot undo.
gone --gen 9
known deleted 9
stays deleted 9 "$older" at_s --gen 8
stays deleted 9 "$other" at_s --gen 9
gone --gen 9
known deleted 9
refused '*' grep -q 10.0.0.3 <(ovctl -n R mapping show 7)
at_s --gen 10
known remote 10

# Without a generation the next one is taken; the same contents change nothing.
at_s
known remote 10
at_t
known remote 11
gone
known deleted 12
stays deleted 12 '*no mapping*(ENOENT)*' gone
at_s
known remote 13

# The deletion of what was never known is news as well.
ovctl -n R mapping del 7 10.0.0.4 --gen 20
refused "$older" ovctl -n R mapping set 7 10.0.0.4 --locator fd00:a:1:2::/64 --gen 19
ovctl -n R mapping set 7 10.0.0.4 --locator fd00:a:1:2::/64 --gen 21

# Ports follow the rule too: what is newer takes the address from the port, and
# the port cannot take it back with old news.
ovctl -n R mapping set 7 10.0.0.2 --locator fd00:a:1:2::/64 --gen 30
refused "$older" ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 --gen 29
ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 --gen 31
ovctl -n R port del v0 --netns A
text=$(ovctl -n R mapping show 7 10.0.0.2 --json)
[[ $text == *'"gen":31,"state":"deleted"'* ]] || fail "no tombstone of the port: $text"
refused "$older" ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 --gen 30

# The largest generation is the last: there is no next one.
at_s --gen 9223372036854775807
stays remote 9223372036854775807 '*at its maximum*(ERANGE)*' at_t
stats R
