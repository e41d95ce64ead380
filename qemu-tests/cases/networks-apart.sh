# SPDX-License-Identifier: GPL-2.0
# case: two networks use the same addresses on the same hosts and never see each other
# rows: AD4 AU1
#
#  A 10.0.0.2 net 7 ─┐                   ┌─ G 10.0.0.3 net 7
#                    R ───── fabric ──── S
#  B 10.0.0.2 net 8 ─┘                   ├─ H 10.0.0.3 net 8
#                                        └─ I 10.0.0.9 net 8

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
node B on R net 8 10.0.0.2
node H on S net 8 10.0.0.3
node I on S net 8 10.0.0.9

# The same address is another node in each network: only its own one counts.
pings A 10.0.0.3
counters G v0 rx_packets=4
counters H v0 rx_packets=0
counters B v0 rx_packets=0
stats R arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
pings B 10.0.0.3 5
counters H v0 rx_packets=6
counters G v0 rx_packets=4
stats R arp-replies=1 tx-packets=5 tx-bytes=420 rx-packets=5 rx-bytes=420
stats S arp-replies=1 tx-packets=5 tx-bytes=420 rx-packets=5 rx-bytes=420

# 10.0.0.9 is a node of network 8 alone: network 7 has nobody there.
ip -n A neigh add 10.0.0.9 lladdr 02:76:0a:00:00:09 dev v0 nud permanent
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.9
stats R drop:no-mapping=1
stats S
pings B 10.0.0.9
stats R arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
