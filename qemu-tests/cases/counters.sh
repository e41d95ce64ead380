# SPDX-License-Identifier: GPL-2.0
# case: each port, network and remote host has its own counters, in ovctl, ynl and ethtool alike
# rows: OP2 OP5 AU5 SM7
# timeout: 120
#
#  A 10.0.0.2 ──┬── R ── fabric ──┬── S ── G 10.0.0.3
#  B 10.0.0.4 ──┤                 └── T ── H 10.0.0.5
#  C 10.0.0.2 ──┘ network 8

hosts R S T
node A on R net 7 10.0.0.2
node B on R net 7 10.0.0.4
node C on R net 8 10.0.0.2
node G on S net 7 10.0.0.3
node H on T net 7 10.0.0.5

# shows HOST WHAT... = COUNTER=VALUE...: exactly these counters are not 0.
shows() {
  local host=$1 what=() wanted got
  shift
  while [[ $1 != = ]]; do what+=("$1"); shift; done
  shift
  wanted=$(printf '%s\n' "$@" | sort)
  got=$(ovctl -n "$host" stats show "${what[@]}" --json |
    sed -E 's/\{"reason":"([^"]*)","packets":([0-9]+)\}/"drop-\1":\2/g; s/"drop":\[/,/' |
    tr ',' '\n' | sed -nE 's/.*"(.*-packets|.*-bytes|drop-.*)":([0-9]+).*/\1=\2/p' | grep -v '=0$' | sort) || true
  [[ $got == "$wanted" ]] || fail "$host ${what[*]}: $got is not $wanted"
}
# ethtool_shows NODE COUNTER=VALUE...: the same for the node's device, by ethtool.
ethtool_shows() {
  local node=$1 wanted got
  shift
  wanted=$(printf '%s\n' "$@" | sort)
  got=$(in_ns "$node" ethtool -S v0 | sed -nE 's/^ +(.*): ([0-9]+)$/\1=\2/p' | grep -v '=0$' | sort) || true
  [[ $got == "$wanted" ]] || fail "ethtool at $node: $got is not $wanted"
}

pings A 10.0.0.3 3
pings A 10.0.0.5 2
pings A 10.0.0.4 1
# Nobody asks again for what he knows, however slow the guest.
for last in 3 4 5; do
  ip -n A neigh replace "10.0.0.$last" lladdr "02:76:0a:00:00:0$last" dev v0 nud permanent
done
# A knows nobody 77, and B is not who it says.
ip -n A neigh add 10.0.0.77 lladdr 02:76:0a:00:00:4d dev v0 nud permanent
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.77
ip -n B neigh replace 10.0.0.3 lladdr 02:76:0a:00:00:03 dev v0 nud permanent
ip -n B address add 10.0.0.9/24 dev v0
refused '*' in_ns B ping -q -n -c 2 -i 0.1 -W 1 -I 10.0.0.9 10.0.0.3

shows R = tx-packets=5 tx-bytes=420 rx-packets=5 rx-bytes=420 local-packets=2 local-bytes=168 \
  drop-no-mapping=1 drop-spoof-address=2
shows R net 7 = tx-packets=5 tx-bytes=420 rx-packets=5 rx-bytes=420 local-packets=2 local-bytes=168 \
  drop-no-mapping=1 drop-spoof-address=2
shows R net 8 = ''
shows R host fd00:a:1:2::/64 = tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
shows R host fd00:a:1:3::/64 = tx-packets=2 tx-bytes=168 rx-packets=2 rx-bytes=168
shows R port v0 --netns A = tx-packets=6 tx-bytes=504 rx-packets=6 rx-bytes=504 drop-no-mapping=1
shows R port v0 --netns B = tx-packets=1 tx-bytes=84 rx-packets=1 rx-bytes=84 drop-spoof-address=2
shows R port v0 --netns C = ''
shows S port v0 --netns G = tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
ethtool_shows A tx-packets=6 tx-bytes=504 rx-packets=6 rx-bytes=504 drop-no-mapping=1
ethtool_shows B tx-packets=1 tx-bytes=84 rx-packets=1 rx-bytes=84 drop-spoof-address=2
ethtool_shows C ''

# Arriving packets that are dropped count for the network and, where there is one, the port.
ip -n G link set v0 down
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.3
shows S port v0 --netns G = tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 drop-port-down=1
shows S net 7 = tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 drop-port-down=1

# A port's counters are the device's: they outlast its configuration.
ovctl -n R port del v0 --netns A
shows R port v0 --netns A = tx-packets=7 tx-bytes=588 rx-packets=6 rx-bytes=504 drop-no-mapping=1

# The dump has each once, and of one kind if that is asked for.
scopes() {
  in_ns R ynl --dump stats-get "$@" --output-json | tr '{' '\n' | sed -nE 's/.*"scope": "([a-z]+)".*/\1/p' |
    sort | uniq -c | awk '{ printf "%s=%d ", $2, $1 }'
}
[[ $(scopes) == 'host=1 network=2 port=3 remote=2 ' ]] || fail "dumped: $(scopes)"
[[ $(scopes --json '{"scope": "remote"}') == 'remote=2 ' ]] || fail "dumped: $(scopes --json '{"scope": "remote"}')"

refused '*no mapping points to a host*ovctl host show*' ovctl -n R stats show host fd00:a:1:9::/64
refused '*no such network*' ovctl -n R stats show net 9
refused '*no device v9*' ovctl -n R stats show port v9
refused '*name one of*' in_ns R ynl --do stats-get --json '{"vni": 7, "ifindex": 1}'
