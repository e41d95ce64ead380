# SPDX-License-Identifier: GPL-2.0
# case: what is the host's own, or routed elsewhere, is not translated: only addresses of nodes are claimed
# rows: RX1 AD1 N01 N02
#
#   A 10.0.0.2 ── R ── fabric ── S
#                 │
#                 X   VNI 0 of the locator, and a prefix of its own

hosts R S
node A on R net 7 10.0.0.2
ns X
ip -n R link add X address 02:00:00:00:00:01 type veth peer name R address 02:00:00:00:00:02 netns X
ip -n R link set X addrgenmode none up
ip -n X link set R addrgenmode none up
in_ns R sysctl -qw net.ipv6.conf.all.forwarding=1
address R X fd00:a:1:1::2/128
address X R fd00:a:1:1::7/128
address X R 2001:db8:7::7/128
ip -6 -n R route add fd00:a:1:1::7/128 dev X
ip -6 -n R route add 2001:db8:7::/48 via fd00:a:1:1::7 dev X
ip -n R neigh add fd00:a:1:1::7 lladdr 02:00:00:00:00:02 dev X nud permanent
ip -n X neigh add fd00:a:1:1::2 lladdr 02:00:00:00:00:01 dev R nud permanent
ip -6 -n X route add fd00:a:1:1::2/128 dev R
ip -6 -n X route add default via fd00:a:1:1::2
ip -6 -n fabric route add 2001:db8:7::/48 via fe80::1 dev R

# The host's own address, in its locator with VNI 0: echo, and TCP both ways.
pings S fd00:a:1:1::1
pings R fd00:a:1:2::1
in_ns R socat -u TCP6-LISTEN:5000,reuseaddr CREATE:/tmp/got &
receiver=$!
eventually 5 bash -c "ip netns exec R ss -Hltn | grep -q :5000"
head -c 100000 /dev/urandom >/tmp/data
in_ns S socat -u FILE:/tmp/data 'TCP6:[fd00:a:1:1::1]:5000,bind=[fd00:a:1:2::1]'
wait "$receiver"
cmp /tmp/data /tmp/got
stats R
stats S

# More specific routes than the locator's, and others: forwarded as they came,
# but for the hop limit.
in_ns S tcpdump -U -n -i sub -w /tmp/left 'udp port 9' 2>/dev/null &
captures=$!
in_ns X tcpdump -U -n -i R -w /tmp/came 'udp port 9' 2>/dev/null &
captures+=" $!"
for at in S X; do
  eventually 5 in_ns "$at" sh -c '[ $(wc -l </proc/net/packet) -gt 1 ]'
done
for to in fd00:a:1:1::7 2001:db8:7::7; do
  pings S "$to"
  in_ns S bash -c "printf 'as it was' >/dev/udp/$to/9"
done
# Also with a flow label and hop limit that the overlay would make.
in_ns S nft 'add table inet raise; add chain inet raise out { type filter hook output priority 0; }; add rule inet raise out udp dport 9 ip6 hoplimit set 4; add rule inet raise out udp dport 9 ip6 flowlabel set 0x40801'
in_ns S bash -c "printf 'as it was' >/dev/udp/fd00:a:1:1::7/9"
# bytes FILE: the packets, but for hop limits and the frames around them.
bytes() {
  tcpdump -n -x -r "$1" 2>/dev/null | sed -nE 's/^\t0x[0-9a-f]*:  //p' | sed -E '/^6/s/^((.{4} ){3}..)../\1--/'
}
eventually 5 bash -c '(($(tcpdump -n -r /tmp/came 2>/dev/null | wc -l) == 3))'
# shellcheck disable=SC2086
kill $captures
# shellcheck disable=SC2086
wait $captures || true
[[ $(bytes /tmp/left) ]] || fail "nothing was captured"
expect "$(bytes /tmp/left)" bytes /tmp/came
stats R
stats S

# A node's address is claimed whatever routes there are: nobody else can be
# given its traffic. Here no mapping of the source exists, so it is refused.
ip -6 -n R route add fd00:a:1:1:0:7:a00:2/128 dev X
in_ns S bash -c "printf 'for a node' >/dev/udp/fd00:a:1:1:0:7:a00:2/9"
stats R drop:network-mismatch=1
stats S
