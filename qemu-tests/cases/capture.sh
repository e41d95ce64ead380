# SPDX-License-Identifier: GPL-2.0
# case: captures on ports and substrate do not corrupt what they share with the packets
# rows: TX11 TX6 RX4
# timeout: 90
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#   v0 ▲        sub ▲          sub ▲    v0 ▲
#      every device captured: each packet has clones while it is rewritten

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
head -c 2000000 /dev/urandom >/tmp/data
captures=()
for place in A:v0 R:sub S:sub G:v0; do
  ip netns exec "${place%:*}" tcpdump -i "${place#*:}" -nn -U -s 200 -w "/tmp/${place%:*}.pcap" 2>"/tmp/${place%:*}.log" &
  captures+=($!)
  eventually 15 grep -q listening "/tmp/${place%:*}.log"
done

in_ns G socat -u TCP-LISTEN:5000 CREATE:/tmp/got &
receiver=$!
eventually 5 bash -c 'ip netns exec G ss -Hltn | grep -q :5000'
in_ns A socat -u FILE:/tmp/data TCP:10.0.0.3:5000
wait "$receiver"
cmp /tmp/data /tmp/got
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=1
stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-1

# Each capture shows the packets as they were at that place: IPv4 at the
# nodes, IPv6 between the hosts, never the other.
sleep 0.2
kill "${captures[@]}"
wait "${captures[@]}" || true
seen() { tcpdump -nnr "/tmp/$1.pcap" "$2" 2>/dev/null | wc -l; }
for node in A G; do
  (($(seen "$node" 'tcp port 5000 and ip host 10.0.0.3') > 10)) || fail "$node: TCP not seen"
  expect 0 seen "$node" ip6
done
for host in R S; do
  (($(seen "$host" 'ip6 and tcp port 5000 and net fd00:a:1::/48') > 10)) || fail "$host: TCP not seen"
  expect 0 seen "$host" 'ip or arp'
done
