# SPDX-License-Identifier: GPL-2.0
# case: a packet too big for its path is answered with the MTU that fits, 20 bytes below the substrate's
# rows: TX10
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#   MTU 1480     1500 / 1400     1500

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
expect 1480 in_ns A cat /sys/class/net/v0/mtu
ping_of() { in_ns A ping -n -c 1 -W 3 -M "${2:-do}" -s $(($1 - 28)) 10.0.0.3; }
path_mtu() { in_ns A ip route get 10.0.0.3 | sed -n 's/.* mtu \([0-9]*\).*/\1/p'; }

# Exactly the substrate's MTU less 20 passes.
ping_of 1480
stats R arp-replies=1 tx-packets=1 tx-bytes=1480 rx-packets=1 rx-bytes=1480
stats S arp-replies=1 tx-packets=1 tx-bytes=1480 rx-packets=1 rx-bytes=1480

# One byte more, from a node that was given a larger MTU, is answered.
ip -n A link set v0 mtu 2000
refused '*mtu*1480*' ping_of 1481
stats R drop:too-big=1 arp-replies=0-1
stats S
expect 1480 path_mtu
ping_of 1480
stats R tx-packets=1 tx-bytes=1480 rx-packets=1 rx-bytes=1480 arp-replies=0-1
stats S tx-packets=1 tx-bytes=1480 rx-packets=1 rx-bytes=1480 arp-replies=0-1

# So is what the route to the remote host does not take.
in_ns A ip route flush cache
ip -6 -n R route change default via fe80::ff dev sub mtu 1400
refused '*mtu*1380*' ping_of 1381
expect 1380 path_mtu
stats R drop:too-big=1 arp-replies=0-1
ping_of 1380
stats R tx-packets=1 tx-bytes=1380 rx-packets=1 rx-bytes=1380 arp-replies=0-1
stats S tx-packets=1 tx-bytes=1380 rx-packets=1 rx-bytes=1380 arp-replies=0-1

# A TCP connection fits its segments to what it learns; none is lost for good.
in_ns A ip route flush cache
head -c 300000 /dev/urandom >/tmp/data
in_ns G socat -u TCP-LISTEN:5000 CREATE:/tmp/got &
receiver=$!
eventually 5 bash -c 'ip netns exec G ss -Hltn | grep -q :5000'
in_ns A socat -u FILE:/tmp/data TCP:10.0.0.3:5000
wait "$receiver"
cmp /tmp/data /tmp/got
expect 1380 path_mtu
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ drop:too-big=1-40 arp-replies=0-1
stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-1

# Without DF it is cut instead, into fragments that travel whole behind an IPv6
# header: 40 bytes of 1400, so at most 1360, of which 1336 are data. The way back
# is not as narrow.
in_ns A ip route flush cache
ping_of 1400 dont
stats R tx-packets=2 tx-bytes=1420 rx-packets=1 rx-bytes=1400 arp-replies=0-1
stats S tx-packets=1 tx-bytes=1400 rx-packets=2 rx-bytes=1420 arp-replies=0-1
