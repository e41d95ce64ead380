# SPDX-License-Identifier: GPL-2.0
# case: the manager lets networks talk, finds their nodes across, and shows the MAC it has for a node
# rows: TX2 AU2
# timeout: 300
#
#  net 7  A 10.0.0.2 ──┐            ┌── C 10.0.0.5  net 7
#                      ├─ R ──── S ─┤
#  net 8  B 10.1.0.4 ──┘      │     └── G 10.1.0.3  net 8, then on T
#                             T

readonly A=00000000000000aa B=00000000000000bb C=00000000000000cc G=00000000000000dd
readonly MAC=02:00:00:00:00:09
manager
host R fd00:a:1:1
host S fd00:a:1:2
host T fd00:a:1:3

# say WORD...: ovctl at the manager.
say() {
  ovctl -n M --server http://127.0.0.1:8440 --token-file "$DAEMONS/M/token" "$@"
}

say org add acme
say net add 7 --org acme --prefix 10.0.0.0/24
say net add 8 --org acme --prefix 10.1.0.0/24
for host in R S T; do
  say host add "${LOCATOR[$host]}" --name "$host" --org acme
  agent "$host" "$(say host enrol "${LOCATOR[$host]}")"
done
say node add $A --name A --net 7 --address 10.0.0.2 --mac $MAC --host "${LOCATOR[R]}"
say node add $B --name B --net 8 --address 10.1.0.4 --host "${LOCATOR[R]}"
say node add $C --name C --net 7 --address 10.0.0.5 --host "${LOCATOR[S]}"
say node add $G --name G --net 8 --address 10.1.0.3 --host "${LOCATOR[S]}"
member A on R net 7 10.0.0.2 id $A
member B on R net 8 10.1.0.4 id $B
member C on S net 7 10.0.0.5 id $C
member G on S net 8 10.1.0.3 id $G

# Others see the MAC that the manager has for the node, whatever its device's own one is.
maps R 7 10.0.0.2 "\"mac\":\"$MAC\""
pings C 10.0.0.2 1
[[ $(ip -n C neigh show 10.0.0.2) == *"$MAC"* ]] || fail "C has $(ip -n C neigh show 10.0.0.2)"
maps S 7 10.0.0.2 "\"mac\":\"$MAC\""

# Nodes of different networks do not know each other.
ip -n A route add 10.1.0.0/24 dev v0
ip -n B route add 10.0.0.0/24 dev v0
ip -n G route add 10.0.0.0/24 dev v0
refused '*' in_ns A ping -q -n -c 1 -W 2 10.1.0.3

# With both directions they do, on another host and on the same one.
say peering add 7 8
say peering add 8 7
eventually 10 bash -c "ovctl -n R peering show 7 8 | grep -q '^7'"
eventually 10 bash -c "ovctl -n S peering show 8 7 | grep -q '^8'"
eventually 10 in_ns A ping -q -n -c 1 -W 2 10.1.0.3
pings A 10.1.0.3 3
pings G 10.0.0.2 3
maps R 7 10.1.0.3 '"peer-vni":8'
maps R 7 10.1.0.3 "\"locator\":\"${LOCATOR[S]}\""
maps S 8 10.0.0.2 '"peer-vni":7'
maps S 8 10.0.0.2 "\"mac\":\"$MAC\""
pings A 10.1.0.4 3
pings B 10.0.0.2 3

# T has a node of neither network, and is told of none.
refused '*no such network*' ovctl -n T net show 7

# G moves: who knows it by the peering hears of it.
say node set $G --host "${LOCATOR[T]}"
eventually 10 is_port S v0 G frozen
ip -n T link add v1 netns G type ovnet
ip -n G -batch - <<END
link set v1 up
address del 10.1.0.3/24 dev v0
address add 10.1.0.3/24 dev v1
route add 10.0.0.0/24 dev v1
END
eventually 10 ovctl -n T net show 8
ovctl -n T port add v1 --netns G --net 8 --addr 10.1.0.3 --node $G
eventually 10 is_port T v1 G active
eventually 10 is_mapping R 7 10.1.0.3 "\"locator\":\"${LOCATOR[T]}\""
eventually 10 in_ns A ping -q -n -c 1 -W 2 10.1.0.3
pings A 10.1.0.3 3

# One direction is taken back, and the hosts refuse by themselves.
say peering del 7 8
eventually 10 bash -c "! ovctl -n R peering show 7 8 | grep -q '^7'"
recount R
refused '*' in_ns A ping -q -n -c 1 -W 1 10.1.0.3
[[ $(ovctl -n R stats --all) == *not-authorised* ]] || fail "$(ovctl -n R stats --all)"
