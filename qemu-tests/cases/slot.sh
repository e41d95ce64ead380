# SPDX-License-Identifier: GPL-2.0
# case: packets for a slot go to its port, whatever their address, and what is behind the port answers
# rows: AD1 AD3 TX8
#
#  A 10.0.0.2 ── R ── fabric ── S ── W 10.0.0.3, slot 5
#                                    └── 10.0.5.0/24 behind it, no ports of their own

hosts R S
node A on R net 7 10.0.0.2
node W on S net 7 10.0.0.3
ip -n A route add 10.0.5.0/24 dev v0
in_ns W sysctl -qw net.ipv4.ip_forward=1
ip -n W address add 10.0.5.9/24 dev lo
ip -n W neigh add 10.0.0.2 lladdr 02:76:0a:00:00:02 dev v0 nud permanent

# Nobody has the address, and W may not send from it.
refused '*' in_ns A ping -n -q -c 1 -W 1 10.0.5.9
recount R S

# Two ports cannot be in one slot.
ovctl -n S port set v0 --netns W --net 7 --address 10.0.0.3 --slot 5 --source 10.0.5.0/24
expect 5 bash -c "ovctl -n S port show --json | grep -o '\"slot\":[0-9]*' | cut -d: -f2"
device V on S
refused '*EADDRINUSE*' ovctl -n S port set v0 --netns V --net 7 --address 10.0.0.4 --slot 5

# What A sends to an address behind W carries the slot, U, and its own destination.
ovctl -n R mapping set 7 10.0.5.9 --locator "${LOCATOR[S]}" --slot 5
in_ns S tcpdump -nn -i sub -c 2 -w /tmp/slot.pcap ip6 >/dev/null 2>&1 &
capture=$!
sleep 2
ip -n A neigh replace 10.0.5.9 lladdr 02:76:0a:00:05:09 dev v0 nud permanent
in_ns A ping -n -q -c 1 -W 5 10.0.5.9
wait "$capture"
# Slot 5 and U are 0x16; the answer comes from the address itself.
tcpdump -nn -r /tmp/slot.pcap 2>/dev/null >/tmp/slot.txt
grep -q 'fd00:a:1:1:0:7:a00:2 > fd00:a:1:2:1600:7:a00:509' /tmp/slot.txt || fail "$(cat /tmp/slot.txt)"
grep -q 'fd00:a:1:2:0:7:a00:509 > fd00:a:1:1:0:7:a00:2' /tmp/slot.txt || fail "$(cat /tmp/slot.txt)"

# A slot without a port, and forms that nobody has, are named.
recount R S
ovctl -n R mapping set 7 10.0.5.10 --locator "${LOCATOR[S]}" --slot 6
ip -n A neigh replace 10.0.5.10 lladdr 02:76:0a:00:05:0a dev v0 nud permanent
refused '*' in_ns A ping -n -q -c 1 -W 1 10.0.5.10
stats S drop:not-here=1

# The slot goes with the port.
ovctl -n S port del v0 --netns W
ip -n A neigh replace 10.0.5.9 lladdr 02:76:0a:00:05:09 dev v0 nud permanent
refused '*' in_ns A ping -n -q -c 1 -W 1 10.0.5.9
stats S drop:not-here=1 drop:port-unconfigured=0-9
