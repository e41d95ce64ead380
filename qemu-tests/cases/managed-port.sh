# SPDX-License-Identifier: GPL-2.0
# case: a port with a node id stands by until its mapping says that its node is here
# rows: SM4 RX1 MV3
#
#  A 10.0.0.2, 00000000000000aa ── R ── fabric ── S ── G 10.0.0.3

readonly ID=00000000000000aa
hosts R S
node G on S net 7 10.0.0.3
device A on R
events R /tmp/events
set_port() { ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 "$@"; }
shows() {
  local text
  text=$(ovctl -n R port show v0 --netns A --json)
  [[ $text == *"$1"* ]] || fail "no $1 in $text"
}

# It is configured and told of, and carries nothing.
set_port --node "$ID"
event /tmp/events '"kind":"port"' '"address":"10.0.0.2"' "\"node\":\"$ID\""
shows '"state":"standby"'
shows "\"node\":\"$ID\""
ip -n A link set v0 up
ip -n A address add 10.0.0.2/24 dev v0
ovctl -n S mapping set 7 10.0.0.2 --locator "${LOCATOR[R]}"
ip -n A neigh add 10.0.0.3 lladdr 02:76:0a:00:00:03 dev v0 nud permanent
ip -n G neigh add 10.0.0.2 lladdr 02:76:0a:00:00:02 dev v0 nud permanent
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.3
stats R drop:port-inactive=1
stats S

# What arrives waits. The mapping says that the node is here, without naming a device.
in_ns G ping -q -n -c 1 -W 10 10.0.0.2 &
waiting=$!
eventually 5 is_mapping R 7 10.0.0.2 '"parked":1'
ovctl -n R mapping set 7 10.0.0.2 --locator "${LOCATOR[R]}" --gen 1099511627777
wait "$waiting"
shows '"state":"active"'
shows '"gen":1099511627777'
stats R tx-packets=1 tx-bytes=84 rx-packets=1 rx-bytes=84
stats S tx-packets=1 tx-bytes=84 rx-packets=1 rx-bytes=84
refused '*older*' ovctl -n R mapping set 7 10.0.0.2 --locator "${LOCATOR[R]}" --gen 5

# That it is nowhere can be said as well, and is forgotten with the port only.
refused '*delete the port*' ovctl -n R mapping del 7 10.0.0.2 --forget
ovctl -n R mapping del 7 10.0.0.2 --gen 1099511627778
shows '"state":"inactive"'
refused '*' in_ns G ping -q -n -c 1 -W 1 10.0.0.2
stats R drop:not-here=1
stats S tx-packets=1 tx-bytes=84

# Set again, it stands by again, and keeps its node until that is taken away.
set_port --source 10.0.0.9
shows '"state":"standby"'
shows "\"node\":\"$ID\""
set_port --node 0000000000000000 --state active
[[ $(ovctl -n R port show v0 --netns A --json) != *'"node"'* ]] || fail "a node that was taken away"
refused '*delete the port*' ovctl -n R mapping del 7 10.0.0.2 --gen 1099511627799
set_port --node "$ID"
shows '"state":"active"'

# A device can be named as answers name it.
netns=$(ovctl -n R port show v0 --netns A --json | sed -nE 's/.*"netns-id":([0-9]+).*/\1/p')
index=$(in_ns A cat /sys/class/net/v0/ifindex)
named="\"ifindex\": $index, \"netns-id\": $netns"
got=$(in_ns R ynl --do port-get --json "{$named}" --output-json)
[[ $got == *'"address": "10.0.0.2"'* && $got == *'"node": 170'* ]] || fail "$got"
refused '*no ovnet device*' in_ns R ynl --do port-get --json "{\"ifindex\": $index, \"netns-id\": 4711}"
in_ns R ynl --do port-del --json "{$named}"
expect '[]' bash -c "ovctl -n R port show --json | grep -o '\"vni\"' || echo '[]'"

# What is forgotten leaves nothing that would keep older news out.
ovctl -n R mapping set 7 10.0.0.3 --locator "${LOCATOR[S]}" --gen 9
ovctl -n R mapping del 7 10.0.0.3 --forget
refused '*no mapping*' ovctl -n R mapping show 7 10.0.0.3
refused '*no mapping*' ovctl -n R mapping del 7 10.0.0.3 --forget
ovctl -n R mapping set 7 10.0.0.3 --locator "${LOCATOR[S]}" --gen 1
maps R 7 10.0.0.3 '"gen":1,'
