# SPDX-License-Identifier: GPL-2.0
# case: a node's VLAN and its IPv6 are not carried, by name
# rows: OP5
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#   v0, v0.5

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
ip -n A link add link v0 name v0.5 type vlan id 5
ip -n A address add 10.5.0.2/24 dev v0.5
ip -n A link set v0.5 up
ip -n A neigh add 10.5.0.3 lladdr 02:76:0a:05:00:03 dev v0.5 nud permanent
recount R S
refused '*' in_ns A ping -q -n -c 2 -i 0.02 -W 1 10.5.0.3
stats R drop:not-ipv4=2

# IPv6 of the node: switched on for its device, it asks for neighbours and
# routers, and nobody hears it.
in_ns A sysctl -qw net.ipv6.conf.v0.disable_ipv6=0
ip -n A address add fd99::2/64 dev v0 nodad
refused '*' in_ns A ping -q -n -c 1 -W 1 fd99::3
in_ns A sysctl -qw net.ipv6.conf.v0.disable_ipv6=1
stats R drop:not-ipv4=+
stats S
counters G v0 rx_packets=0
pings A 10.0.0.3
stats R arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
