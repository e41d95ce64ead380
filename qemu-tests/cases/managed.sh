# SPDX-License-Identifier: GPL-2.0
# case: hosts find nodes by their manager, go on without it, and follow what its API says
# rows: TX3 SM2 SM4 MV2 MV3 MV5 AU3
# timeout: 300
#
#  A 10.0.0.2, B 10.0.0.4 ── R ──┐            ┌── S ── G 10.0.0.3
#                                ├── fabric ──┤
#                            M ──┘            └── T ── G, later

readonly A=00000000000000aa B=00000000000000bb G=00000000000000cc
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
            {"id": "'$B'", "name": "B", "network": 7, "addresses": ["10.0.0.4"], "host": "'"$(id R)"'"},
            {"id": "'$G'", "name": "G", "network": 7, "addresses": ["10.0.0.3"], "host": "'"$(id S)"'"}]
}'
for host in R S T; do agent "$host"; done

# Until it is granted, a port of the manager's nodes carries nothing.
member A on R net 7 10.0.0.2 id $A
member G on S net 7 10.0.0.3 id $G
member B on R net 7 10.0.0.4 id $B
refused '*no mapping*' ovctl -n R mapping show 7 10.0.0.3
recount R S

# What is not known is asked for; the first packets wait, if the machine is not too slow for that. S asks for where they
# come from.
eventually 10 pings A 10.0.0.3 1
recount R S
pings A 10.0.0.3 3
maps R 7 10.0.0.3 '"state":"remote"'
maps R 7 10.0.0.3 "\"locator\":\"${LOCATOR[S]}\""
maps S 7 10.0.0.2 "\"locator\":\"${LOCATOR[R]}\""
stats R arp-replies=0-1 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S arp-replies=0-2 tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
pings B 10.0.0.3 1
refused '*' in_ns A ping -q -n -c 1 -W 2 10.0.0.9
stats R arp-replies=1-4 tx-packets=1 tx-bytes=84 rx-packets=1 rx-bytes=84 drop:no-such-node=1-3
recount S

# A host does not get a node that is another's, nor does it keep others of its own from that one.
device X on S
ovctl -n S port add v0 --netns X --net 7 --addr 10.0.0.4 --node $B
eventually 10 said M "host ${LOCATOR[S]} claims node $B"
is_port S v0 X standby
pings G 10.0.0.4 1
ovctl -n S port del v0 --netns X

# Without the manager what is known goes on, also for who begins now; what is not known waits in vain.
killed M
eventually 20 resolves R holding
in_ns G socat -u TCP-LISTEN:5000,reuseaddr CREATE:/tmp/got &
receiver=$!
eventually 5 bash -c 'ip netns exec G ss -Hltn | grep -q :5000'
seq 20000 >/tmp/data
in_ns B socat -u FILE:/tmp/data TCP:10.0.0.3:5000
wait "$receiver"
cmp /tmp/data /tmp/got
pings A 10.0.0.3 3
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.10

# It comes back, and hears of the hosts what they have.
manager
eventually 60 resolves R
eventually 60 resolves S
eventually 60 resolves T
pings A 10.0.0.3 3

# Rules of the network are the kernel's.
api PUT /v1/networks/7/rules '{"rules": [{"action": "deny", "icmp_type": 8}]}' >/dev/null
eventually 10 bash -c 'ovctl -n S rule show 7 | grep -q "deny"'
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.3
api PUT /v1/networks/7/rules '{"rules": []}' >/dev/null
eventually 10 bash -c '! ovctl -n S rule show 7 | grep -q "deny"'
pings A 10.0.0.3 3

# G is placed on T. S holds what arrives until T has it; then all hosts in conversation follow, and
# nothing of a conversation is lost.
# For longer than the move takes.
count=$((100 * PATIENCE))
in_ns A ping -q -n -i 0.1 -c $count -W 10 10.0.0.3 >/tmp/moving &
pinging=$!
sleep 0.5
refused '*no such network*' ovctl -n T net show 7
api PUT "/v1/nodes/$G/placement" '{"host": "'"$(id T)"'"}' >/dev/null
eventually 10 is_port S v0 G frozen
ip -n T link add v1 netns G type ovnet
ip -n G -batch - <<END
link set v1 up
address del 10.0.0.3/24 dev v0
address add 10.0.0.3/24 dev v1
END
eventually 10 ovctl -n T net show 7
ovctl -n T port add v1 --netns G --net 7 --addr 10.0.0.3 --node $G
eventually 10 is_port T v1 G active
eventually 10 is_port S v0 G inactive
eventually 10 is_mapping R 7 10.0.0.3 "\"locator\":\"${LOCATOR[T]}\""
maps S 7 10.0.0.3 '"state":"moved"'
wait "$pinging"
grep -q "$count packets transmitted, $count received" /tmp/moving || fail "$(</tmp/moving)"
ip -n G link del v0
pings A 10.0.0.3 3
pings G 10.0.0.4 3

# It is deleted: it is nowhere, for everybody.
api DELETE "/v1/nodes/$G" >/dev/null
eventually 10 is_port T v1 G inactive
eventually 10 bash -c '! ovctl -n R mapping show 7 10.0.0.3 --json | grep -q remote'
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.3
