# SPDX-License-Identifier: GPL-2.0
# case: changing a mapping moves a node's traffic to another host, losing at most what is under way
# rows: MV5 TX2 SM2
#
#  A 10.0.0.2 ── R ── fabric ──┬── S ── G 10.0.0.3    until generation 10
#                              └── T ── H 10.0.0.3    since generation 10

hosts R S T
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
device H on T
in_ns A ping -q -n -c 3 -i 0.02 -W 5 10.0.0.3
before=$(in_ns A ip neigh show 10.0.0.3 | cut -d' ' -f1-5)
recount R S T

# A echoes every 10 ms; the node comes up at T and then is there for R.
count=$((400 * PATIENCE))
in_ns A ping -n -D -i 0.01 -c $count -W 2 10.0.0.3 >/tmp/ping &
echoes=$!
eventually 10 grep -q icmp_seq=100 /tmp/ping
ovctl -n T port set v0 --netns H --net 7 --address 10.0.0.3 --gen 10
ip -n H address add 10.0.0.3/24 dev v0
ip -n H link set v0 up
ip -n H neigh add 10.0.0.2 lladdr 02:76:0a:00:00:02 dev v0 nud permanent
ovctl -n R mapping set 7 10.0.0.3 --locator "${LOCATOR[T]}" --gen 10
ovctl -n S port del v0 --netns G
ovctl -n S mapping set 7 10.0.0.3 --locator "${LOCATOR[T]}" --gen 10
wait "$echoes" || true

# At most the two that were under way are lost, none twice, none later: the
# last hundred came without a gap.
answers=$(grep -c icmp_seq= /tmp/ping)
((answers >= count - 2)) || fail "$((count - answers)) of $count echoes lost"
expect "$answers" bash -c 'grep -o "icmp_seq=[0-9]*" /tmp/ping | sort -u | wc -l'
expect "$(seq $((count - 99)) $count | xargs)" bash -c 'grep -o "icmp_seq=[0-9]*" /tmp/ping | cut -d= -f2 | tail -n 100 | xargs'

# Both hosts had a part of it, and A's ARP entry is what it was.
(($(in_ns H cat /sys/class/net/v0/statistics/rx_packets) > 100)) || fail "T delivered nothing"
expect "$before" bash -c "ip -n A neigh show 10.0.0.3 | cut -d' ' -f1-5"
stats R tx-packets=$count tx-bytes=$((count * 84)) rx-packets=$((count - 2))-$count \
  rx-bytes=$((count * 84 - 168))-$((count * 84)) arp-replies=0-4 drop:forged-source=0-2
stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2 drop:not-here=0-2
stats T tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2

# The old place is no more believed: what S sends in the node's name is forged.
refused '*ESTALE*' ovctl -n R mapping set 7 10.0.0.3 --locator "${LOCATOR[S]}" --gen 9
pings A 10.0.0.3
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=0-1
stats S
stats T tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=0-1
