# SPDX-License-Identifier: GPL-2.0
# case: a node moves away from a substrate address that has leaked: the old one is dead from the commit on
# rows: MV8
# timeout: 240
#
#  A 10.0.0.2 ── R ──┐            ┌── S ── G 10.0.0.3
#       no way to M  ├── fabric ──┤
#                M ──┘            └── T ── G, later
#
# R does not hear of the move, so that what A sends is what anybody could send who knows the old address.

readonly A=00000000000000aa G=00000000000000cc
manager
host R fd00:a:1:1
host S fd00:a:1:2
host T fd00:a:1:3
api POST /v1/apply '{
  "organisations": [{"name": "acme", "title": "Acme"}],
  "networks": [{"vni": 7, "name": "front", "organisation": "acme", "prefixes": ["10.0.0.0/24"]}],
  "hosts": [{"id": "'"$(id R)"'", "name": "R", "organisation": "acme"},
            {"id": "'"$(id S)"'", "name": "S", "organisation": "acme"},
            {"id": "'"$(id T)"'", "name": "T", "organisation": "acme"}],
  "nodes": [{"id": "'$A'", "name": "A", "network": 7, "addresses": ["10.0.0.2"], "host": "'"$(id R)"'"},
            {"id": "'$G'", "name": "G", "network": 7, "addresses": ["10.0.0.3"], "host": "'"$(id S)"'"}]
}' >/dev/null
for host in R S T; do agent "$host"; done
member A on R net 7 10.0.0.2 id $A
member G on S net 7 10.0.0.3 id $G
pings A 10.0.0.3
sleep 1.5

ip -n R route add blackhole "$MANAGER_AT/128"
ip -n M route add blackhole "${LOCATOR[R]}"
move=$(in_ns M ovctl --server http://127.0.0.1:8440 --token-file "$DAEMONS/M/token" \
  move start $G "${LOCATOR[T]}" --leaked --detach)
[[ $(api GET "/v1/moves/$move") == *'"reason":"leak"'* ]] || fail "$(api GET "/v1/moves/$move")"
ip -n T link add v1 netns G type ovnet
ip -n G -batch - <<END
link set v1 up
address del 10.0.0.3/24 dev v0
address add 10.0.0.3/24 dev v1
END
eventually 10 ovctl -n T net show 7
ovctl -n T port add v1 --netns G --net 7 --addr 10.0.0.3 --node $G
eventually 20 is_port T v1 G active
eventually 10 is_port S v0 G inactive

# Nothing is forwarded, and nobody is told where the node is now.
maps S 7 10.0.0.3 '"state":"remote"'
maps R 7 10.0.0.3 "\"locator\":\"${LOCATOR[S]}\""
events S /tmp/events
recount R S T
refused '*100% packet loss*' in_ns A ping -q -n -c 20 -i 0.05 -W 1 10.0.0.3
stats R tx-packets=20 tx-bytes=1680
stats S drop:not-here=20
stats T
sleep 1
! grep '"kind":"stale"' /tmp/events || fail "S tells of the new place"
maps R 7 10.0.0.3 "\"locator\":\"${LOCATOR[S]}\""

# Whoever may know learns of it by the manager.
ip -n R route del blackhole "$MANAGER_AT/128"
ip -n M route del blackhole "${LOCATOR[R]}"
eventually 60 is_mapping R 7 10.0.0.3 "\"locator\":\"${LOCATOR[T]}\""
pings A 10.0.0.3
eventually 60 bash -c ". /ovnet/lib.sh; [[ \$(exchange GET /v1/moves/$move) == *'\"state\":\"settled\",\"times\"'* ]]"
recount S
pings A 10.0.0.3
stats S
