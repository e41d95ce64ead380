# SPDX-License-Identifier: GPL-2.0
# case: an agent that is killed and started again costs no packet
# rows: OP3 SM2
# timeout: 240
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#                       └── M

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
            {"id": "'$G'", "name": "G", "network": 7, "addresses": ["10.0.0.3"], "host": "'"$(id S)"'"}]
}' >/dev/null
agent R
agent S
member A on R net 7 10.0.0.2 id $A
member G on S net 7 10.0.0.3 id $G
pings A 10.0.0.3 3
known() { ovctl -n "$1" mapping show 7 "$2" --json | grep -o '"gen":[0-9]*'; }
before=$(known R 10.0.0.3)$(known R 10.0.0.2)$(known S 10.0.0.3)

# Ten seconds of a packet each millisecond, and meanwhile either agent is killed and the other ended.
in_ns A ping -q -n -i 0.001 -c 10000 -W 10 10.0.0.3 >/tmp/flood &
flood=$!
sleep 1
killed R
eventually 10 resolves R lost
sleep 0.5
daemon R
eventually 20 resolves R
killed S TERM
eventually 10 resolves S lost
[[ -s $DAEMONS/S/cache ]] || fail "an agent that ends leaves what it knows"
daemon S
eventually 20 resolves S
kill -0 "$flood" || fail "the flood was over before the agents were back"
wait "$flood"
grep -q '10000 packets transmitted, 10000 received, 0% packet loss' /tmp/flood || fail "$(</tmp/flood)"

# The same bindings, and no others: nothing was flushed and set anew.
expect "$before" echo "$(known R 10.0.0.3)$(known R 10.0.0.2)$(known S 10.0.0.3)"
is_port R v0 A active
is_port S v0 G active
stats R arp-replies=+ tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+
stats S arp-replies=0-9 tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+
