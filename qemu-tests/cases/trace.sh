# SPDX-License-Identifier: GPL-2.0
# case: tracepoints tell of each packet sent, received and dropped, with its node, network and form
# rows: OP5 AU5
#
#  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
#  B 10.0.0.4 ──┘

hosts R S
node A on R net 7 10.0.0.2
node B on R net 7 10.0.0.4
node G on S net 7 10.0.0.3

[[ -e /sys/kernel/tracing/instances ]] || mount -t tracefs tracefs /sys/kernel/tracing
trace=/sys/kernel/tracing/instances/ovnet-test
mkdir "$trace"
# While an event is on, the module cannot be unloaded.
trap 'echo 0 >"$trace/events/enable"; rmdir "$trace"' EXIT

# Off, they say nothing.
pings A 10.0.0.3 1
[[ ! $(grep ovnet_ "$trace/trace") ]] || fail "traced without being asked: $(<"$trace/trace")"

echo 1 >"$trace/events/ovnet/enable"
# traced EVENT TEXT...: exactly one such event with all these texts, and then no other.
traced() {
  local event=$1 text lines
  shift
  lines=$(grep " $event: " "$trace/trace") || fail "no $event; there are: $(<"$trace/trace")"
  for text; do lines=$(grep -F " $text" <<<"$lines") || fail "no $event with $text; there are: $(<"$trace/trace")"; done
  (($(wc -l <<<"$lines") == 1)) || fail "more than one $event with $*: $lines"
}
index=$(in_ns A cat /sys/class/net/v0/ifindex)
pings A 10.0.0.3 1
traced ovnet_tx dev=v0 "ifindex=$index" vni=7 src=10.0.0.2 dst=10.0.0.3 len=104 form=fast
traced ovnet_rx vni=7 src=10.0.0.2 dst=10.0.0.3 len=98 form=fast
traced ovnet_tx src=10.0.0.3 dst=10.0.0.2 form=fast
traced ovnet_rx src=10.0.0.3 dst=10.0.0.2 form=fast
(($(grep -c ': ovnet_' "$trace/trace") == 4)) || fail "more than four: $(<"$trace/trace")"

echo >"$trace/trace"
in_ns A ping -q -n -c 1 -s 2000 -W 5 10.0.0.3
# Two fragments of A's stack, of which the first does not fit the escape form and is cut again.
(($(grep ovnet_tx: "$trace/trace" | grep -c 'src=10.0.0.2 .*form=escape') == 3)) ||
  fail "not three fragments: $(<"$trace/trace")"

echo >"$trace/trace"
pings A 10.0.0.4 1
traced ovnet_tx src=10.0.0.2 dst=10.0.0.4 form=local
traced ovnet_rx src=10.0.0.2 dst=10.0.0.4 form=local

echo >"$trace/trace"
ip -n A neigh add 10.0.0.77 lladdr 02:76:0a:00:00:4d dev v0 nud permanent
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.77
traced ovnet_drop dev=v0 "ifindex=$index" vni=7 src=10.0.0.2 dst=10.0.0.77 reason=no-mapping
ip -n G link set v0 down
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.3
traced ovnet_drop dev=sub vni=7 src=10.0.0.2 dst=10.0.0.3 reason=port-down

# A filter goes by the numbers of Documentation/drops.md.
echo >"$trace/trace"
echo 'reason == 8' >"$trace/events/ovnet/ovnet_drop/filter"
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.3
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.77
traced ovnet_drop reason=no-mapping
(($(grep -c ovnet_drop: "$trace/trace") == 1)) || fail "the filter let more through: $(<"$trace/trace")"
