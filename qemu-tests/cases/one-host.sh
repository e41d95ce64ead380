# SPDX-License-Identifier: GPL-2.0
# case: two nodes of one host talk without IPv6 and without the substrate
# rows: TX9 TX1 I14
#
#  A 10.0.0.2 ──┬── R ── fabric
#  B 10.0.0.3 ──┘

hosts R
node A on R net 7 10.0.0.2
node B on R net 7 10.0.0.3
sent() { in_ns R cat /sys/class/net/sub/statistics/{tx,rx}_packets | xargs; }
before=$(sent)
in_ns A ping -n -c 3 -i 0.02 -W 5 10.0.0.3 | tee /tmp/ping
expect 3 grep -c ' ttl=64 ' /tmp/ping
in_ns A ip neigh show 10.0.0.3 | grep -q 'lladdr 02:76:0a:00:00:03'
stats R arp-replies=2 local-packets=6 local-bytes=504
expect "$before" sent

# TCP keeps its segments whole from port to port.
head -c 2000000 /dev/urandom >/tmp/data
in_ns B socat -u TCP-LISTEN:5000 CREATE:/tmp/got &
receiver=$!
eventually 5 bash -c 'ip netns exec B ss -Hltn | grep -q :5000'
in_ns A socat -u FILE:/tmp/data TCP:10.0.0.3:5000
wait "$receiver"
cmp /tmp/data /tmp/got
stats R local-packets=60-1000 local-bytes=2003000-2200000 arp-replies=0-2
expect "$before" sent

# The same checks hold: another's address is refused, a port that is down too.
ip -n A address add 10.0.0.77/24 dev v0
refused '*' in_ns A ping -q -n -c 1 -W 1 -I 10.0.0.77 10.0.0.3
stats R drop:spoof-address=1
ip -n B link set v0 down
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.3
stats R drop:port-down=1 arp-replies=0-1
expect "$before" sent
