# SPDX-License-Identifier: GPL-2.0
# case: a TCP connection lives on while its node leaves one host and comes up at another
# rows: MV5 TX2
# timeout: 90
#
#  A 10.0.0.2 ── R ── fabric ──┬── S ──┐ before
#                              │       G 10.0.0.3 (one namespace: its sockets live on)
#                              └── T ──┘ after

hosts R S T
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
head -c 3000000 /dev/urandom >/tmp/data
in_ns G socat -u TCP-LISTEN:5000 CREATE:/tmp/got &
receiver=$!
eventually 5 bash -c 'ip netns exec G ss -Hltn | grep -q :5000'
for ((at = 0; at < 60; at++)); do
  dd if=/tmp/data bs=50000 skip="$at" count=1 status=none
  sleep 0.05
done | in_ns A socat -u STDIN TCP:10.0.0.3:5000 &
sender=$!
eventually 10 bash -c '(($(stat -c %s /tmp/got) > 500000))'
mac=$(in_ns A ip neigh show 10.0.0.3 | cut -d' ' -f1-5)

# The node's device at S goes; the tombstone keeps the generation, so that the
# news of the move must be newer.
ip -n G link del v0
gen=$(ovctl -n R mapping show 7 10.0.0.3 --json | sed 's/.*"gen":\([0-9]*\).*/\1/')
((gen > 0)) || fail "no generation"
ip -n T link add v0 netns G type ovnet
ovctl -n T port set v0 --netns G --net 7 --address 10.0.0.3 --gen $((gen + 5))
ip -n G address add 10.0.0.3/24 dev v0
ip -n G link set v0 up
for host in R S; do
  ovctl -n "$host" mapping set 7 10.0.0.3 --locator "${LOCATOR[T]}" --gen $((gen + 5))
done
left=$(stat -c %s /tmp/got)

wait "$sender"
wait "$receiver"
cmp /tmp/data /tmp/got
((left < 3000000)) || fail "all was sent before the move"
(($(in_ns G cat /sys/class/net/v0/statistics/rx_packets) > 10)) || fail "nothing came to T"
expect "$mac" bash -c "ip -n A neigh show 10.0.0.3 | cut -d' ' -f1-5"
stats T tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2 drop:port-down=0-100
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-3 drop:forged-source=0-5
