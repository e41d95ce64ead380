# SPDX-License-Identifier: GPL-2.0
# case: ovctl monitor tells of changes, of misses and of forgeries as they happen
# rows: OP2
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3

hosts R S
events R /tmp/events
node A on R net 7 10.0.0.2
event /tmp/events '"kind":"port"' '"vni":7' '"address":"10.0.0.2"' '"ifname":"v0"'
event /tmp/events '"kind":"mapping"' '"address":"10.0.0.2"' '"state":"local"' '"gen":1'
node G on S net 7 10.0.0.3
event /tmp/events '"kind":"mapping"' '"address":"10.0.0.3"' '"state":"remote"' '"locator":"fd00:a:1:2::/64"'
ip -n A neigh add 10.0.0.77 lladdr 02:76:0a:00:00:4d dev v0 nud permanent
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.77
event /tmp/events '"kind":"miss"' '"address":"10.0.0.77"' '"ifname":"v0"'
ip -n A neigh add 10.0.0.3 lladdr 02:76:0a:00:00:03 dev v0 nud permanent
ip -n A address add 10.0.0.9/24 dev v0
refused '*' in_ns A ping -q -n -c 1 -W 1 -I 10.0.0.9 10.0.0.3
event /tmp/events '"kind":"spoof"' '"address":"10.0.0.9"' '"mac":"02:76:0a:00:00:02"'
stats R drop:no-mapping=1 drop:spoof-address=1

# What R says was moved is forged when it comes from where it was, but for what
# may have been under way for a second.
ovctl -n R mapping set 7 10.0.0.3 --locator fd00:a:1:9::/64
event /tmp/events '"kind":"mapping"' '"address":"10.0.0.3"' '"gen":2' '"locator":"fd00:a:1:9::/64"'
ip -n G neigh add 10.0.0.2 lladdr 02:76:0a:00:00:02 dev v0 nud permanent
sleep 1.2
refused '*' in_ns G ping -q -n -c 1 -W 1 10.0.0.2
event /tmp/events '"kind":"forged"' '"address":"10.0.0.3"' '"locator":"fd00:a:1:2::/64"'
stats R drop:forged-source=1
stats S tx-packets=1 tx-bytes=84

ovctl -n R mapping del 7 10.0.0.3
event /tmp/events '"kind":"mapping"' '"address":"10.0.0.3"' '"gen":3' '"state":"deleted"'
ip -n A link del v0
event /tmp/events '"kind":"mapping"' '"address":"10.0.0.2"' '"state":"deleted"'
stats R
