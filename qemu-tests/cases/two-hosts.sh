# SPDX-License-Identifier: GPL-2.0
# case: nodes on two hosts reach each other as on one LAN, and no ARP leaves a host
# rows: TX1 TX2 TX6 AD1 AD5 RX1 RX4 I14
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
ip netns exec fabric tcpdump -i any -n -U -w /tmp/fabric.pcap 2>/tmp/tcpdump &
capture=$!
eventually 10 grep -q listening /tmp/tcpdump

# The first echo asks for the address: one answer by the sender's own host.
# G has learnt nothing from A's request, so it asks its host as well.
in_ns A ping -n -c 3 -i 0.02 -W 5 10.0.0.3 | tee /tmp/ping
expect 3 grep -c ' ttl=64 ' /tmp/ping
stats R arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
pings G 10.0.0.2
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252

# The MAC each sees of the other is derived from the address.
in_ns A ip neigh show 10.0.0.3 | grep -q 'lladdr 02:76:0a:00:00:03'
in_ns G ip neigh show 10.0.0.2 | grep -q 'lladdr 02:76:0a:00:00:02'
expect 02:76:0a:00:00:02 in_ns A cat /sys/class/net/v0/address

# On the substrate there is IPv6 between the nodes' substrate addresses, no
# ARP, and on each of the fabric's two links all twelve packets.
forwards_only
kill "$capture"
wait "$capture" || true
expect 0 bash -c 'tcpdump -nr /tmp/fabric.pcap arp 2>/dev/null | wc -l'
expect 12 bash -c 'tcpdump -nr /tmp/fabric.pcap "src fd00:a:1:1:0:7:a00:2 and dst fd00:a:1:2:0:7:a00:3" 2>/dev/null | wc -l'
expect 12 bash -c 'tcpdump -nr /tmp/fabric.pcap "src fd00:a:1:2:0:7:a00:3 and dst fd00:a:1:1:0:7:a00:2" 2>/dev/null | wc -l'
