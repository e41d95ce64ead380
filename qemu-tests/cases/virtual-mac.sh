# SPDX-License-Identifier: GPL-2.0
# case: a MAC set for a node is what others see, whatever the node's own is
# rows: TX2 RX4
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3, MAC set to 02:00:00:00:00:99

hosts R S
node A on R net 7 10.0.0.2
device G on S
ovctl -n S port set v0 --netns G --net 7 --address 10.0.0.3 --mac 02:00:00:00:00:99
ovctl -n R mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --mac 02:00:00:00:00:99
ip -n G address add 10.0.0.3/24 dev v0
ip -n G link set v0 up

# The device takes the MAC over, since nobody had chosen one for it.
expect 02:00:00:00:00:99 in_ns G cat /sys/class/net/v0/address
pings A 10.0.0.3
in_ns A ip neigh show 10.0.0.3 | grep -q 'lladdr 02:00:00:00:00:99'
stats R arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252

# A node on S that is configured again with its own choice of MAC keeps it.
device H on S
ip -n H link set v0 address 02:11:22:33:44:55
ovctl -n S port set v0 --netns H --net 7 --address 10.0.0.4
ovctl -n R mapping set 7 10.0.0.4 --locator fd00:a:1:2::/64
ip -n H address add 10.0.0.4/24 dev v0
ip -n H link set v0 up
expect 02:11:22:33:44:55 in_ns H cat /sys/class/net/v0/address
pings A 10.0.0.4
in_ns A ip neigh show 10.0.0.4 | grep -q 'lladdr 02:76:0a:00:00:04'
stats R arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
