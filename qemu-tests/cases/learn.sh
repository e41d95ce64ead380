# SPDX-License-Identifier: GPL-2.0
# case: a port that learns reports new addresses and claims; sources are what its node may send from
# rows: TX8 CH2 CH3 CH4
# timeout: 120
#
#  A 10.0.0.2, 10.0.0.9, 10.1.0.0/24 ── R ── fabric ── S ── G 10.0.0.3

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
events R /tmp/events
set_port() { ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 "$@"; }
# What R shows of the port has this text.
shows() {
  local text
  text=$(ovctl -n R port show v0 --netns A --json)
  [[ $text == *"$1"* ]] || fail "no $1 in $text"
}
# one_from ADDRESS: A sends one echo from there, which nobody answers.
one_from() { refused '*' in_ns A ping -q -n -c 1 -W 1 -I "$1" 10.0.0.3; }

ip -n A neigh add 10.0.0.3 lladdr 02:76:0a:00:00:03 dev v0 nud permanent
for address in 10.0.0.9 10.1.0.5; do
  ip -n A address add "$address/32" dev v0
done
in_ns A sysctl -qw net.ipv4.ip_nonlocal_bind=1

shows '"source-check":"strict"'
[[ $(ovctl -n R port show v0 --netns A --json) != *idle* ]] || fail "a port that never sent is not idle"
one_from 10.0.0.9
event /tmp/events '"kind":"spoof"' '"address":"10.0.0.9"'
stats R drop:spoof-address=1

set_port --source-check learn
shows '"source-check":"learn"'
one_from 10.0.0.9
event /tmp/events '"kind":"new-address"' '"address":"10.0.0.9"' '"mac":"02:76:0a:00:00:02"' '"ifname":"v0"'
stats R drop:new-address=1
one_from 10.1.0.5
event /tmp/events '"kind":"new-address"' '"address":"10.1.0.5"'
stats R drop:new-address=1

# An announcement of G's address is a claim.
in_ns A busybox arping -q -U -c 1 -w 2 -I v0 -s 10.0.0.3 10.0.0.3 || true
event /tmp/events '"kind":"claim"' '"address":"10.0.0.3"' '"ifname":"v0"'
stats R drop:spoof-address=1

# What is given may be used: an address, and a prefix; nothing beside.
set_port --source 10.0.0.9 --source 10.1.0.0/24
shows '"source":[{"address":"10.0.0.9","prefix-len":32},{"address":"10.1.0.0","prefix-len":24}]'
one_from 10.0.0.9
one_from 10.1.0.5
stats R tx-packets=2 tx-bytes=168
shows '"address":"10.0.0.9","prefix-len":32,"idle":'
shows '"address":"10.1.0.0","prefix-len":24,"idle":'
recount S

# They stay when something else is said, and go when that is said.
set_port --source-check strict
shows '"prefix-len":24'
one_from 10.1.0.5
stats R tx-packets=1 tx-bytes=84
set_port --no-sources
[[ $(ovctl -n R port show v0 --netns A --json) != *prefix-len* ]] || fail "sources after --no-sources"
one_from 10.1.0.5
event /tmp/events '"kind":"spoof"' '"address":"10.1.0.5"'
stats R drop:spoof-address=1
pings A 10.0.0.3 1
shows '"idle":'
stats R tx-packets=1 tx-bytes=84 rx-packets=1 rx-bytes=84
