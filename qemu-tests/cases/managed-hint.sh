# SPDX-License-Identifier: GPL-2.0
# case: a host that the news of a move did not reach is told by the one that forwards for it
# rows: MV4 SM2
# timeout: 240
#
#  A 10.0.0.2 ── R ──┐            ┌── S ── G 10.0.0.3
#       no way to M  ├── fabric ──┤
#                M ──┘            └── T ── G, later

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
pings A 10.0.0.3 3
sleep 1.5

# R does not hear of the move; what A sends is forwarded.
ip -n R route add blackhole "$MANAGER_AT/128"
ip -n M route add blackhole "${LOCATOR[R]}"
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
eventually 10 is_port S v0 G inactive
maps R 7 10.0.0.3 "\"locator\":\"${LOCATOR[S]}\""
# An answer from T would make R ask by itself.
in_ns G sysctl -qw net.ipv4.icmp_echo_ignore_all=1
ping_and_measure() {
    in_ns A ping -q -n -c 1 -W 0.2 10.0.0.3 || true
    measures "$@"
}
eventually 5 ping_and_measure S 'ovnet_agent_events_total.kind="stale".'

# S says so to R, which takes no word for it but asks; the answer comes when the manager can be reached. A hint
# is a datagram, and one about what was confirmed within the second before is ignored: the next one will do.
eventually 5 ping_and_measure R 'ovnet_agent_keys_total.what="hints".'
maps R 7 10.0.0.3 "\"locator\":\"${LOCATOR[S]}\""
in_ns G sysctl -qw net.ipv4.icmp_echo_ignore_all=0
ip -n R route del blackhole "$MANAGER_AT/128"
ip -n M route del blackhole "${LOCATOR[R]}"
eventually 60 is_mapping R 7 10.0.0.3 "\"locator\":\"${LOCATOR[T]}\""
pings A 10.0.0.3 3

# Whoever likes may send hints: nothing but a question comes of it.
before=$(ovctl -n R mapping show 7 10.0.0.3 --json | grep -o '"gen":[0-9]*')
heard=$(measured R 'ovnet_agent_keys_total.what="hints(-ignored)?".')
printf 'ovh1\x00\x00\x00\x07\x0a\x00\x00\x03' | in_ns T socat -u - "UDP6-SENDTO:[fd00:a:1:1::1]:8442"
printf 'nonsense' | in_ns T socat -u - "UDP6-SENDTO:[fd00:a:1:1::1]:8442"
eventually 5 measures R 'ovnet_agent_keys_total.what="hints(-ignored)?".' "$heard"
expect "$before" bash -c "ovctl -n R mapping show 7 10.0.0.3 --json | grep -o '\"gen\":[0-9]*'"
