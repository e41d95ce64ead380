# SPDX-License-Identifier: GPL-2.0
# case: two managers over one etcd answer at one anycast address, and either can go
# rows: SM2 SM3
# timeout: 300
# programs: etcd
#
#  A 10.0.0.2 ── R ──┐            ┌── M ──┐
#  B 10.0.0.5        ├── fabric ──┤       ├── anycast: fd00:a:1:100::1 in both
#  G 10.0.0.3 ── S ──┘            ├── N ──┘
#                                 └── E  etcd
#
# As with BGP: the nearer one has the better route for as long as it lives.

readonly A=00000000000000aa B=00000000000000bb G=00000000000000cc C=00000000000000dd
readonly STORE=fd00:a:1:103::1
fabric
number=101
for name in M N E; do
  host "$name" "fd00:a:1:$number"
  unset "LOCATOR[$name]"
  number=$((number + 1))
done
for name in M N; do
  ip -n "$name" link set lo up
  address "$name" lo "$MANAGER_AT/128"
done

# announced MANAGER, withdrawn MANAGER: its route to the address.
route() {
  local metric=10 link=fe80::101
  [[ $2 == M ]] || metric=20 link=fe80::102
  ip -n fabric route "$1" "$MANAGER_AT/128" via "$link" dev "$2" metric "$metric"
}
announced() { route add "$1"; }
withdrawn() { route del "$1"; }

# starts MANAGER: one of the two.
starts() {
  mkdir -p "$DAEMONS/$1"
  cat >"$DAEMONS/$1.toml" <<END
roles = ["system"]
[metrics]
listen = "127.0.0.1:9440"
[api]
first_token = "$DAEMONS/M/token"
[southbound]
names = ["$MANAGER_AT"]
[store]
kind = "etcd"
[store.etcd]
endpoints = ["[$STORE]:2379"]
END
  daemon "$1"
  MANAGER=$1
  eventually 60 healthy
}

# on MANAGER HOST: the host's agent has its connection with that one.
on() {
  [[ $(in_ns "$1" ss -Htn state established 'sport = :8441') == *"[${LOCATOR[$2]%/64}1]:"* ]]
}

# term HOST VNI ADDRESS: the reign in which what the host knows was written.
term() {
  local text
  text=$(ovctl -n "$1" mapping show "$2" "$3" --json)
  text=${text#*\"gen\":}
  echo $((${text%%[,\}]*} >> 40))
}

mkdir -p "$DAEMONS"
in_ns E etcd --data-dir "$DAEMONS/etcd" --max-txn-ops=4096 --listen-client-urls "http://[$STORE]:2379" \
  --advertise-client-urls "http://[$STORE]:2379" >"$DAEMONS/etcd.log" 2>&1 &
DAEMON[E]=$!
trap tell_of_daemons EXIT
eventually 60 in_ns E bash -c "exec 3<>/dev/tcp/$STORE/2379"
starts M
starts N
announced M
announced N

host R fd00:a:1:1
host S fd00:a:1:2
# Either does what its API is asked, and all agents hear of it.
MANAGER=N
api POST /v1/apply '{
  "organisations": [{"name": "acme", "title": "Acme"}],
  "networks": [{"vni": 7, "name": "front", "organisation": "acme", "prefixes": ["10.0.0.0/24"]}],
  "hosts": [{"id": "'"$(id R)"'", "name": "R", "organisation": "acme"},
            {"id": "'"$(id S)"'", "name": "S", "organisation": "acme"}],
  "nodes": [{"id": "'$A'", "name": "A", "network": 7, "addresses": ["10.0.0.2"], "host": "'"$(id R)"'"},
            {"id": "'$B'", "name": "B", "network": 7, "addresses": ["10.0.0.5"], "host": "'"$(id R)"'"},
            {"id": "'$G'", "name": "G", "network": 7, "addresses": ["10.0.0.3"], "host": "'"$(id S)"'"}]
}' >/dev/null
for name in R S; do
  agent "$name"
  eventually 10 on M "$name"
done
member A on R net 7 10.0.0.2 id $A
member G on S net 7 10.0.0.3 id $G
# On a busy machine the first packets may wait longer than the kernel keeps them.
eventually 10 in_ns A ping -q -n -c 1 -W 1 10.0.0.3
pings A 10.0.0.3 3
maps R 7 10.0.0.3 '"state":"remote"'
first=$(term R 7 10.0.0.3)

# pushed TEXT: what is changed at N, the agent of R is told.
pushed() {
  api PUT /v1/networks/7/rules '{"rules": [{"action": "deny", "protocol": 17, "ports": {"first": '"$1"', "last": '"$1"'}}]}' >/dev/null
  eventually 20 bash -c "ovctl -n R rule show 7 | grep -qw $1"
}
pushed 1001

# The nearer one dies, and its route with it. The conversation goes on, agents come to the other one,
# which answers what nobody here has asked before, grants, and tells what changes.
in_ns A ping -q -n -i 0.05 -c 400 -W 10 10.0.0.3 >/tmp/talk &
talk=$!
killed M
withdrawn M
for name in R S; do
  eventually 60 on N "$name"
  eventually 30 resolves "$name"
done
member B on R net 7 10.0.0.5 id $B
pings G 10.0.0.5 3
pushed 1002
wait "$talk"
grep -q '400 packets transmitted, 400 received' /tmp/talk || fail "$(</tmp/talk)"

# When the lease of the dead one is over, the other one leads, and what it writes is of a later term.
eventually 60 measures N ovnet_manager_leads
api PUT "/v1/nodes/$C" '{"name": "C", "network": 7, "addresses": ["10.0.0.6"], "host": "'"$(id S)"'"}' >/dev/null
member C on S net 7 10.0.0.6 id $C
pings A 10.0.0.6 3
(($(term R 7 10.0.0.6) > first)) || fail "term $(term R 7 10.0.0.6) is not after $first"

# It is back, and nearer again: what a connection to the other one sends arrives where nobody knows of
# it, and agents come back.
starts M
announced M
for name in R S; do
  eventually 60 on M "$name"
  eventually 30 resolves "$name"
done
MANAGER=N
pushed 1003

# Only its route goes: the same the other way.
withdrawn M
for name in R S; do
  eventually 60 on N "$name"
  eventually 30 resolves "$name"
done
MANAGER=M
pushed 1004
pings A 10.0.0.3 3
