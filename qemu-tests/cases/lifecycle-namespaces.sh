# SPDX-License-Identifier: GPL-2.0
# case: a port keeps its substrate and its node when its device moves to another namespace
# rows: OP4 TX9
#
#  (A, then X) 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#      v0, then eth0    ┌──┘
#            B 10.0.0.4 (in R itself)

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
pings A 10.0.0.3
ns X
ip -n A link set v0 netns X name eth0
refused '*does not exist*' ip -n A link show v0
port=$(ovctl -n R port show --json)
for text in '"ifname":"eth0"' '"netns":"X"' '"address":"10.0.0.2"'; do
  [[ $port == *"$text"* ]] || fail "no $text in $port"
done
in_ns X sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
ip -n X address add 10.0.0.2/24 dev eth0
ip -n X link set eth0 up
recount R S
pings X 10.0.0.3
stats R arp-replies=1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S arp-replies=0-1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
pings G 10.0.0.2

# A second device may live in the host's own namespace.
ip -n R link add v1 type ovnet
in_ns R sysctl -qw net.ipv6.conf.v1.disable_ipv6=1
ovctl -n R port set v1 --net 7 --address 10.0.0.4
ovctl -n S mapping set 7 10.0.0.4 --locator "${LOCATOR[R]}"
ip -n R address add 10.0.0.4/24 dev v1
ip -n R link set v1 up
recount R S
pings R 10.0.0.3
pings R 10.0.0.2
stats R arp-replies=2-3 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 local-packets=6 local-bytes=504
stats S arp-replies=0-1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252

# The new namespace ends, and the device with it; the other one stays.
ip netns del X
eventually 10 bash -c "[[ \$(ovctl -n R port show --json) != *eth0* ]]"
[[ $(ovctl -n R port show --json) == *'"ifname":"v1"'* ]] || fail "v1 is gone"
pings R 10.0.0.3
