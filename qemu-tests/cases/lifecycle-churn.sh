# SPDX-License-Identifier: GPL-2.0
# case: hosts, networks, ports and mappings change all the time while packets pass
# rows: OP4
# timeout: 120
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
flood A 10.0.0.3
flood G 10.0.0.2

for ((round = 0; round < 4; round++)); do
  # S changes under A: the mapping elsewhere and back, the port off and on.
  ovctl -n R mapping set 7 10.0.0.3 --locator fd00:a:1:9::/64
  ovctl -n S port del v0 --netns G
  ovctl -n S mapping del 7 10.0.0.2
  # The host loses everything, its locator included, and gets it back.
  ovctl -n S net del 7
  ovctl -n S host del
  ovctl -n S host set "${LOCATOR[S]}"
  ovctl -n S net set 7
  ovctl -n S mapping set 7 10.0.0.2 --locator "${LOCATOR[R]}"
  ovctl -n S port set v0 --netns G --net 7 --address 10.0.0.3
  ovctl -n R mapping set 7 10.0.0.3 --locator "${LOCATOR[S]}"
  # A device that comes and goes with its namespace.
  device X on R
  ovctl -n R port set v0 --netns X --net 7 --address 10.0.0.9
  ip -n X link set v0 up
  ip netns del X
done
calm

# What was left half done would show now.
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=+ \
  drop:no-route=0-999999 drop:no-mapping=0-999999 drop:forged-source=0-999999 drop:port-down=0-999999 \
  drop:substrate-icmp=0-999999 drop:not-here=0-999999 icmp-errors=0-999999
recount S
pings A 10.0.0.3
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=0-1
stats S tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=0-2
eventually 10 bash -c "! ovctl -n R port show --json | grep -q 10.0.0.9"
expect '"ports":1' bash -c "ovctl -n R net show 7 --json | grep -o '\"ports\":[0-9]*'"
