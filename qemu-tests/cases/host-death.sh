# SPDX-License-Identifier: GPL-2.0
# case: nodes of dead hosts go on elsewhere, and never at two hosts at once
# rows: MV6 MV7
# timeout: 600
#
#                              ┌── S ── GS 10.0.0.3, under lease; F 10.0.0.4
#  A 10.0.0.2 ── R ── fabric ──┼── T ── HT 10.0.0.5, under lease
#                     M ───────┴── U ── later GU, then HU
#
# What is at a host is named by node and host. All that G may be send to A all the time: they are
# heard on the substrate as soon, and as long, as their ports carry anything.

readonly A=00000000000000aa G=00000000000000cc F=00000000000000ff H=00000000000000dd
cat >/tmp/executor <<'END'
#!/bin/bash
trap '' PIPE
exec 2>>/tmp/executor.log
echo "${EPOCHREALTIME/./}" >/tmp/begun
case $OVNET_NODE in *cc) node=G ;; *dd) node=H ;; esac
own=$node$(ip netns identify $$)
if [[ $1 == source ]]; then echo converged; else
  ovctl port set v0 --netns "$own" --net "$OVNET_NETWORK" --address "$OVNET_ADDRESS" --node "$OVNET_NODE"
  printf 'prepared\nreceived\n'
fi
while read -r word; do
  case $word in
    pause) echo paused ;;
    frozen) echo sent ;;
    resume) echo resumed ;;
    abort | done) exit ;;
  esac
done
END
chmod +x /tmp/executor
manager
host R fd00:a:1:1
host S fd00:a:1:2
host T fd00:a:1:3
host U fd00:a:1:4
api POST /v1/apply '{
  "organisations": [{"name": "acme", "title": "Acme"}],
  "networks": [{"vni": 7, "name": "front", "organisation": "acme", "prefixes": ["10.0.0.0/24"]}],
  "hosts": [{"id": "'"$(id R)"'", "name": "R", "organisation": "acme"},
            {"id": "'"$(id S)"'", "name": "S", "organisation": "acme"},
            {"id": "'"$(id T)"'", "name": "T", "organisation": "acme"},
            {"id": "'"$(id U)"'", "name": "U", "organisation": "acme"}],
  "nodes": [{"id": "'$A'", "name": "A", "network": 7, "addresses": ["10.0.0.2"], "host": "'"$(id R)"'"},
            {"id": "'$G'", "name": "G", "network": 7, "addresses": ["10.0.0.3"], "host": "'"$(id S)"'"},
            {"id": "'$F'", "name": "F", "network": 7, "addresses": ["10.0.0.4"], "host": "'"$(id S)"'"},
            {"id": "'$H'", "name": "H", "network": 7, "addresses": ["10.0.0.5"], "host": "'"$(id T)"'"}]
}' >/dev/null
EXECUTOR=/tmp/executor
for host in R S T U; do agent "$host"; done
member A on R net 7 10.0.0.2 id $A
member GS on S net 7 10.0.0.3 id $G
member F on S net 7 10.0.0.4 id $F
member HT on T net 7 10.0.0.5 id $H
for node in GU HU; do
  device "$node" on U
  ip -n "$node" link set v0 up
done
ip -n GU address add 10.0.0.3/24 dev v0
ip -n HU address add 10.0.0.5/24 dev v0
pings F 10.0.0.2
pings HT 10.0.0.2
for node in GS GU; do
  ip -n "$node" neigh add 10.0.0.2 lladdr 02:76:0a:00:00:02 dev v0 nud permanent
  ip netns exec "$node" ping -q -n -i 0.02 10.0.0.2 >/dev/null 2>&1 &
  FLOODS+=($!)
done
pings GS 10.0.0.2

# listen: what is on the substrate from now on.
listen() {
  : >/tmp/tcpdump
  ip netns exec fabric tcpdump -i any -n -U -w /tmp/fabric.pcap 'ip6 proto 1' 2>/tmp/tcpdump &
  FLOODS+=($!)
  capture=$!
  eventually 10 grep -q listening /tmp/tcpdump
}

# under_lease NODE HOST NAMESPACE [no]: the manager is asked for that, and the host does it.
under_lease() {
  local wanted=true
  [[ ! ${4:-} ]] || wanted=false
  api PUT "/v1/nodes/$1/constraints" "{\"evacuate\": $wanted, \"group\": \"pair\"}" >/dev/null
  eventually 20 is_leased "$2" "$3" $wanted
}

is_leased() {
  local shown
  shown=$(ovctl -n "$1" port show v0 --netns "$2" --json) &&
    case $3 in true) [[ $shown == *'"lease":true'* ]] ;; *) [[ $shown != *'"lease":true'* ]] ;; esac
}

# Milliseconds since some moment.
clock() {
  echo $((${EPOCHREALTIME/./} / 1000))
}

# dies: from now on hosts are looked at.
dies() {
  before=$(wc -l <"$DAEMONS/M.log")
  death=$(clock)
}

# warned TEXT: the manager has said so since.
warned() {
  tail -n "+$((before + 1))" "$DAEMONS/M.log" | grep -qF -- "$1"
}

# after NAME TEXT: when the daemon said so last, in milliseconds since the death.
after() {
  local line
  line=$(grep -F -- "$2" "$DAEMONS/$1.log" | tail -n 1)
  echo "$(($(date -d "${line%% *}" +%s%3N) - death)) ms"
}

# goes_on HOST PORT: G is active there.
goes_on() {
  eventually 30 is_port "$1" v0 "$2" active
  echo "G's program begins at $1 after $(($(</tmp/begun) / 1000 - death)) ms, and has it after $(after "$1" "the executor says received")"
  echo "G is active at $1 after $(after "$1" "the node is reachable here key=7/10.0.0.3")"
}

# died HOST: it was suspected since, and then its epoch is over.
died() {
  eventually 10 warned "host ${LOCATOR[$1]} under lease is silent"
  echo "$1 is suspected after $(after M "host ${LOCATOR[$1]} under lease is silent")"
  eventually 20 warned "the lease of host ${LOCATOR[$1]} has ended"
  echo "$1 is fenced after $(after M "the lease of host ${LOCATOR[$1]} has ended")"
}

# handed_over FROM TO: all that came from G at the one came before all that came from it at the other.
handed_over() {
  local old=${LOCATOR[$1]%::/64}:0:7:a00:3 new=${LOCATOR[$2]%::/64}:0:7:a00:3 last first sent begun
  eventually 10 heard "src host $new" "$new"
  heard "src host $old or src host $new" "$new" || fail "G is not heard"
  read -r last sent _ < <(grep -F " $old > " /tmp/heard | tail -n 1)
  read -r first begun _ < <(grep -F " $new > " /tmp/heard | head -n 1)
  [[ $last && $first ]] || fail "G was not heard at $1 and at $2"
  ((last < first)) || fail "of what G sent, number $last came from $1, and $first from $2"
  echo "G is silent for $(awk -v a="$sent" -v b="$begun" 'BEGIN { printf "%d", (b - a) * 1000 }') ms"
  kill "$capture"
}

# heard FILTER SOURCE: numbers what was captured, in which something is of that source.
heard() {
  tcpdump -nr /tmp/fabric.pcap -tt --number "$1" >/tmp/heard 2>/dev/null || true
  grep -qF " $2 > " /tmp/heard
}

# booted HOST NODE: as its agent sees it; the port of the node that was under lease is a new one.
booted() {
  killed "$1" TERM
  ip -n "$2" link del v0
  sed -i 's/"id":"[^"]*"/"id":"a later boot"/' "$DAEMONS/$1/epoch"
  daemon "$1"
  eventually 60 resolves "$1"
  ip -n "$1" link add v0 netns "$2" type ovnet
  ip -n "$2" -batch - <<END
link set v0 up
address add 10.0.0.3/24 dev v0
neigh replace 10.0.0.2 lladdr 02:76:0a:00:00:02 dev v0 nud permanent
END
}

# lasts HOST: its kernel has a lease.
lasts() {
  [[ $(ovctl -n "$1" host show --json) =~ '"lease":'[1-9] ]]
}

# No two nodes of the group are put on one host, so that A keeps the others from R.
api PUT "/v1/nodes/$A/constraints" '{"group": "pair"}' >/dev/null
under_lease $G S GS
under_lease $H T HT

# When all hosts under lease fall silent at once, their kernels stop the nodes, but nobody starts them elsewhere.
kill -KILL "${DAEMON[S]}" "${DAEMON[T]}"
unset 'DAEMON[S]' 'DAEMON[T]'
eventually 20 is_port S v0 GS fenced
eventually 20 is_port T v0 HT fenced
eventually 20 said M '2 of 2 hosts under lease are silent'
pings F 10.0.0.2
sleep 4
refused '*' said M 'has ended'
[[ $(api GET /v1/moves) == '{"items":[],'* ]] || fail "something is moved: $(api GET /v1/moves)"

# They come back, and get their nodes again.
daemon S
daemon T
eventually 60 is_port S v0 GS active
eventually 60 is_port T v0 HT active
pings GS 10.0.0.2
pings HT 10.0.0.2
under_lease $H T HT no

# The agent is dead: nobody but the kernel stops G, while F goes on. The best place for G is the emptiest.
listen
lasts S || fail "S has no lease"
dies
killed S
died S
goes_on U GU
is_port S v0 GS fenced || fail "S has $(ovctl -n S port show v0 --netns GS)"
handed_over S U
pings A 10.0.0.3
pings F 10.0.0.2

# S is told that it is dead for all others, until it is booted. Then it is any other host, without G.
daemon S
eventually 30 said M "host ${LOCATOR[S]} is in epoch"
is_port S v0 GS fenced || fail "S has $(ovctl -n S port show v0 --netns GS)"
booted S GS
eventually 30 is_port S v0 F active
eventually 30 pings F 10.0.0.3 1
pings F 10.0.0.2

# The way to the manager is cut, and the agent is another one, which nobody tells what is under lease.
# S and T have a node each, S has the lower locator.
eventually 20 is_leased U GU true
listen
eventually 20 lasts U
dies
ip -n U route add blackhole "$MANAGER_AT/128"
killed U KILL
daemon U
died U
goes_on S GS
handed_over U S
pings A 10.0.0.3

# A host that is to be emptied is left by a node that goes on: H, which is kept from R and S by its group.
ip -n U route del blackhole "$MANAGER_AT/128"
booted U GU
planned=$(api POST "/v1/hosts/$(id T)/drain?dry_run=true")
[[ $planned == *"\"node\":\"$H\""*"\"to\":\"$(id U)\""* ]] || fail "the plan is $planned"
is_port T v0 HT active || fail "T is being emptied"
api POST "/v1/hosts/$(id T)/drain" >/dev/null
eventually 30 is_port U v0 HU active
eventually 30 is_port T v0 HT inactive
[[ $(api GET /v1/moves) == *'"reason":"drain"'* ]] || fail "H was not moved"
pings A 10.0.0.5
calm
