# SPDX-License-Identifier: GPL-2.0
# case: a node's addresses change while it runs: others follow, and conversations with its other addresses go on
# rows: CH1
# timeout: 240
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3, 10.0.0.9; later 10.0.0.9, 10.0.0.11
#                       M

readonly A=00000000000000aa G=00000000000000cc
manager
host R fd00:a:1:1
host S fd00:a:1:2
api POST /v1/apply '{
  "organisations": [{"name": "acme", "title": "Acme"}],
  "networks": [{"vni": 7, "name": "front", "organisation": "acme", "prefixes": ["10.0.0.0/24"]}],
  "hosts": [{"id": "'"$(id R)"'", "name": "R", "organisation": "acme"},
            {"id": "'"$(id S)"'", "name": "S", "organisation": "acme"}],
  "nodes": [{"id": "'$A'", "name": "A", "network": 7, "addresses": ["10.0.0.2"], "host": "'"$(id R)"'"},
            {"id": "'$G'", "name": "G", "network": 7, "addresses": ["10.0.0.3", "10.0.0.9"], "host": "'"$(id S)"'"}]
}' >/dev/null
for host in R S; do agent "$host"; done
member A on R net 7 10.0.0.2 id $A
member G on S net 7 10.0.0.3 id $G
in_ns G sysctl -qw net.ipv4.conf.all.promote_secondaries=1
# given ADDRESS: G's port gets it by itself, and it is reachable.
given() {
  eventually 10 is_mapping S 7 "$1" '"state":"local"'
}
given 10.0.0.9
ip -n G address add 10.0.0.9/24 dev v0
pings A 10.0.0.3
pings A 10.0.0.9
mac=$(ip -n A neigh show 10.0.0.9 | grep -o 'lladdr [^ ]*')

# A conversation with the address that stays.
head -c 2000000 /dev/urandom >/tmp/data
ip netns exec G socat -u TCP-LISTEN:5000 CREATE:/tmp/got &
receiver=$!
eventually 5 bash -c 'ip netns exec G ss -Hltn | grep -q :5000'
{
  head -c 1000000 /tmp/data
  until [[ -e /tmp/changed ]]; do sleep 0.1; done
  tail -c 1000000 /tmp/data
} | ip netns exec A socat -u STDIN TCP:10.0.0.9:5000 &
sender=$!
ip netns exec A ping -n -i 0.05 -W 5 10.0.0.9 >/tmp/pings &
pinging=$!

# The port's own address becomes another one.
api POST "/v1/nodes/$G/addresses" '{"address": "10.0.0.10"}' >/dev/null
given 10.0.0.10
ip -n G address add 10.0.0.10/24 dev v0
pings A 10.0.0.10
exchange DELETE "/v1/nodes/$G/addresses/10.0.0.3" | grep -q '^HTTP/1.1 2'
port_is() { [[ $(ovctl -n S port show v0 --netns G --json) == *"\"address\":\"$1\""*'"state":"active"'* ]]; }
eventually 10 port_is 10.0.0.9
ip -n G address del 10.0.0.3/24 dev v0
unknown() { ! is_mapping "$1" 7 "$2" '"state":"remote"' && ! is_mapping "$1" 7 "$2" '"state":"local"'; }
eventually 10 unknown R 10.0.0.3
eventually 10 unknown S 10.0.0.3
refused '*100% packet loss*' in_ns A ping -q -n -c 1 -W 1 10.0.0.3
pings A 10.0.0.9
pings A 10.0.0.10
in_ns G ping -q -n -c 3 -i 0.02 -W 5 -I 10.0.0.10 10.0.0.2
# It is free for others.
[[ $(api GET /v1/networks/7/addresses) != *10.0.0.3* ]] || fail "somebody has 10.0.0.3"

# The next agent takes over what is, and a further address goes as well.
killed S
api POST "/v1/nodes/$G/addresses" '{"address": "10.0.0.11"}' >/dev/null
daemon S
eventually 20 resolves S
pings A 10.0.0.9
# What it was given meanwhile it has then.
given 10.0.0.11
ip -n G address add 10.0.0.11/24 dev v0
pings A 10.0.0.11
exchange DELETE "/v1/nodes/$G/addresses/10.0.0.10" | grep -q '^HTTP/1.1 2'
eventually 10 unknown R 10.0.0.10
eventually 10 unknown S 10.0.0.10
port_is 10.0.0.9
pings A 10.0.0.9

# Nobody on the other side has noticed.
touch /tmp/changed
wait "$sender"
wait "$receiver"
cmp /tmp/data /tmp/got
kill -INT $pinging
wait $pinging || true
grep -q ' 0% packet loss' /tmp/pings || fail "$(tail -n 3 /tmp/pings)"
expect "$mac" bash -c "ip -n A neigh show 10.0.0.9 | grep -o 'lladdr [^ ]*'"
