# SPDX-License-Identifier: GPL-2.0
# case: nodes of two networks talk as far as peerings let them, each direction and each edge by itself
# rows: AU1 AU2 AU5 TX4 RX3
# timeout: 180
#
#  net 7  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.1.0.3  net 8
#  net 8  B 10.1.0.4 ──┘

hosts R S
node A on R net 7 10.0.0.2
node B on R net 8 10.1.0.4
node G on S net 8 10.1.0.3

# peer HOST VNI ADDRESS AT PEER-VNI: network VNI knows a node of another one.
peer() {
  ovctl -n "$1" mapping set "$2" "$3" --locator "${LOCATOR[$4]}" --peer-net "$5"
}
peer R 7 10.1.0.3 S 8
peer R 7 10.1.0.4 R 8
peer R 8 10.0.0.2 R 7
peer S 8 10.0.0.2 R 7
ip -n A route add 10.1.0.0/24 dev v0
ip -n B route add 10.0.0.0/24 dev v0
ip -n G route add 10.0.0.0/24 dev v0
events R /tmp/events

# silence NODE ADDRESS: an echo that is not answered.
silence() {
  local said
  if said=$(in_ns "$1" ping -n -c 1 -W 0.5 "$2"); then fail "answered: $said"; fi
  [[ $said != *filtered* ]] || fail "an error came: $said"
}

# Without a peering ARP has no answer, for a node here or elsewhere.
for there in 10.1.0.3 10.1.0.4; do
  if in_ns A ping -q -n -c 1 -W 5 "$there"; then fail "A reached $there"; fi
  stats R drop:not-authorised=3
  event /tmp/events '"kind":"refused"' '"vni":7' '"address":"10.0.0.2"' '"peer-vni":8' \
    "\"peer-address\":\"$there\"" '"direction":"out"' '"reason":"not-authorised"'
done
stats S

# And a packet that does not ask first gets nowhere.
neigh() {
  ip -n "$1" neigh replace "$2" lladdr "$3" dev v0 nud permanent
}
neigh A 10.1.0.3 02:76:0a:01:00:03
neigh A 10.1.0.4 02:76:0a:01:00:04
neigh G 10.0.0.2 02:76:0a:00:00:02
neigh B 10.0.0.2 02:76:0a:00:00:02
silence A 10.1.0.3
silence A 10.1.0.4
stats R drop:not-authorised=2
stats S

# One direction is one direction, and each host asks for itself.
ovctl -n R peering add 7 8
silence A 10.1.0.3
stats R tx-packets=1 tx-bytes=84
stats S drop:not-authorised=1
ovctl -n S peering add 7 8
silence A 10.1.0.3
stats R tx-packets=1 tx-bytes=84
stats S rx-packets=1 rx-bytes=84 drop:not-authorised=1
ovctl -n S peering add 8 7
silence A 10.1.0.3
stats R tx-packets=1 tx-bytes=84 drop:not-authorised=1
stats S rx-packets=1 rx-bytes=84 tx-packets=1 tx-bytes=84
ovctl -n R peering add 8 7
pings A 10.1.0.3
pings A 10.1.0.4
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 local-packets=6 local-bytes=504
stats S tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
# Now ARP is answered too.
for there in 10.1.0.3 10.1.0.4; do ip -n A neigh del "$there" dev v0; done
pings A 10.1.0.3
pings A 10.1.0.4
stats R arp-replies=2 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 local-packets=6 local-bytes=504
recount S

# Single nodes and prefixes instead of whole networks.
ovctl -n R peering add 7 8 from 10.0.0.2 to 10.1.0.4/31
ovctl -n R peering add 7 8 from 10.0.0.0/29 to 10.9.0.0/16
ovctl -n R peering del 7 8
silence A 10.1.0.3
pings A 10.1.0.4
stats R drop:not-authorised=1 local-packets=6 local-bytes=504
ovctl -n R peering add 7 8 to 10.1.0.3
pings A 10.1.0.3
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
recount S

# Rules hold between networks too, and may be about one of them alone.
ovctl -n S rule add 8 in peer 7 icmp-type 8 deny
silence A 10.1.0.3
stats R tx-packets=1 tx-bytes=84
stats S drop:policy=1
ovctl -n S rule add 8 in id 1 peer 9 deny
pings A 10.1.0.3
recount R S

# A network that rejects what it does not allow says so of this as well.
ovctl -n R peering del 7 8 to 10.1.0.3
ovctl -n R net set 7 --policy-out reject
said=$(in_ns A ping -n -c 1 -W 2 10.1.0.3) && fail "answered: $said"
[[ $said == *"Packet filtered"* ]] || fail "no error came: $said"
stats R drop:not-authorised=1
stats S
