# SPDX-License-Identifier: GPL-2.0
# case: what a namespace noted about a packet stays there: connection, mark, route and time of receipt; a flow's hash goes along
# rows: TX6 RX4 N07
# stock: it probes functions, which the debug kernel cannot
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#  tracks, marks    marks: 0x22    does neither
#  0x11

modprobe nf_conntrack
hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
pings A 10.0.0.3 1
# Marked behind the hook of A's connection tracking, and before ours in S.
in_ns A nft -f - <<'RULES'
table ip marks {
  chain out {
    type filter hook output priority 0
    ct state { new, established } meta mark set 0x11 counter
  }
}
RULES
in_ns S nft -f - <<'RULES'
table ip6 marks {
  chain in {
    type filter hook prerouting priority -400
    meta mark set 0x22 counter
  }
}
RULES
# fields ARGUMENT: of a buffer that is an argument of that name.
fields() {
  local pair
  for pair in mark=mark tracked=_nfct route=_skb_refdst time=tstamp delivery=tstamp_type \
    sure=l4_hash hash=hash protocol=protocol; do
    printf '%s ' "${pair%=*}=$1->${pair#*=}"
  done
}
# The packet as the node's stack has it, as the substrate's devices get it, and
# as the other node's stack does.
probe made __ip_local_out "$(fields skb)"
probe left dev_hard_start_xmit "$(fields first)"
probe came ip_rcv "$(fields skb)"
record made left came
head -c 50000 /dev/urandom >/tmp/data
in_ns G socat -u TCP-LISTEN:5000,reuseaddr CREATE:/tmp/got &
receiver=$!
eventually 5 bash -c "ip netns exec G ss -Hltn | grep -q :5000"
in_ns A socat -u FILE:/tmp/data TCP:10.0.0.3:5000
wait "$receiver"
cmp /tmp/data /tmp/got

# The type of IPv6 packets, 0x86dd in network order.
ipv6=protocol=$((0xdd86))
# some WHAT COUNT / none WHAT COUNT
some() { (($2 > 5)) || fail "$1: $2 packets"; }
none() { (($2 == 0)) || fail "$1: $2 packets"; }
# A packet of A's leaves with no mark and no connection: the substrate's stack
# looks up its own, if it tracks any. A time that says when to send, as A's TCP sets it, is for the substrate's queues to obey;
# one that says when it was received ends.
some "A's packets" "$(times made)"
some "timed by A's TCP" "$(recorded made | grep -vc 'time=0 ')"
some "left" "$(times left "$ipv6")"
none "left with a mark" "$(recorded left "$ipv6" | grep -vc 'mark=0 ' || true)"
none "left with a connection" "$(recorded left "$ipv6" | grep -vc 'tracked=0 ' || true)"
none "left with a time of receipt" "$(recorded left "$ipv6" delivery=0 | grep -vc 'time=0 ' || true)"
# The hash of the flow does: it is of ports, which are the same in both, and
# spreads the flow on the substrate's queues.
some "left with the flow's hash" "$(times left "$ipv6" sure=1)"
# And what came is as if it had come over a wire.
some "came" "$(times came)"
none "came with a mark" "$(recorded came | grep -vc 'mark=0 ' || true)"
none "came with a connection" "$(recorded came | grep -vc 'tracked=0 ' || true)"
none "came with a route" "$(recorded came | grep -vc 'route=0 ' || true)"
none "came with a time of receipt" "$(recorded came delivery=0 | grep -vc 'time=0 ' || true)"
# The marks were there.
for of in A:ip S:ip6; do
  marked=$(in_ns "${of%:*}" nft list table "${of#*:}" marks | sed -n 's/.*counter packets \([0-9]*\).*/\1/p')
  some "marked in ${of%:*}" "$marked"
done
