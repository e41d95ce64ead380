# SPDX-License-Identifier: GPL-2.0
# case: the first rule by priority decides, else the network does; a batch is seen as a whole
# rows: AU3 AU5
# timeout: 180
#
#  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
#  B 10.0.0.4 ──┘

hosts R S
node A on R net 7 10.0.0.2
node B on R net 7 10.0.0.4
node G on S net 7 10.0.0.3
pings A 10.0.0.3
pings A 10.0.0.4
# However long it takes, nobody asks for an address again.
for last in 3 4; do
  ip -n A neigh replace "10.0.0.$last" lladdr "02:76:0a:00:00:0$last" dev v0 nud permanent
done
recount R S

# silence NODE ADDRESS: an echo that is not answered, and no error either.
silence() {
  local said
  if said=$(in_ns "$1" ping -n -c 1 -W 0.5 "$2"); then fail "answered: $said"; fi
  [[ $said != *filtered* ]] || fail "an error came: $said"
}
# prohibited NODE ADDRESS: the sender is told that it may not.
prohibited() {
  local said
  if said=$(in_ns "$1" ping -n -c 1 -W 2 "$2"); then fail "answered: $said"; fi
  [[ $said == *"Packet filtered"* ]] || fail "no error came: $said"
}
# hits HOST ID PACKETS BYTES: what a rule has decided about.
hits() {
  expect "$3 $4" bash -c "ovctl -n $1 rule show 7 $2 --json |
    sed -nE 's/.*\"packets\":([0-9]+),\"bytes\":([0-9]+).*/\1 \2/p'"
}

# The lower priority decides, whatever came first; equal ones by their ids.
ovctl -n R rule add 7 out proto icmp deny
ovctl -n R rule add 7 out to 10.0.0.3 priority 10 allow
pings A 10.0.0.3
silence A 10.0.0.4
hits R 1 1 84
hits R 2 3 252
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 drop:policy=1
stats S tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252

# A rule that is set again as it is keeps its counters; a changed one starts anew.
ovctl -n R rule add 7 out id 1 proto icmp deny
hits R 1 1 84
ovctl -n R rule add 7 out id 1 proto icmp reject
hits R 1 0 0
prohibited A 10.0.0.4
hits R 1 1 84
stats R drop:policy=1
# Towards a node of the same host the sender can be told too; from afar it is dropped only.
ovctl -n R rule del 7 1 2
ovctl -n R rule add 7 in to 10.0.0.4 reject
ovctl -n S rule add 7 in to 10.0.0.3 reject
prohibited A 10.0.0.4
silence A 10.0.0.3
stats R tx-packets=1 tx-bytes=84 drop:policy=1
stats S drop:policy=1
ovctl -n R rule del 7 --all
ovctl -n S rule del 7 1
expect '[]' ovctl -n R rule show --json

# Without a rule the network decides, for each direction by itself.
ovctl -n R net set 7 --policy-out reject
prohibited A 10.0.0.3
stats R drop:policy=1
ovctl -n R rule add 7 out icmp-type 8 allow
pings A 10.0.0.3
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
stats S tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252
ovctl -n R net set 7 --policy-in deny
silence A 10.0.0.3
stats R tx-packets=1 tx-bytes=84 drop:policy=1
stats S tx-packets=1 tx-bytes=84 rx-packets=1 rx-bytes=84
[[ $(ovctl -n R net show 7 --json) == *'"policy-in":"deny","policy-out":"reject","rules":1'* ]] ||
  fail "$(ovctl -n R net show 7 --json)"
ovctl -n R net set 7 --policy-in allow --policy-out allow
ovctl -n R rule del 7 --all

# A batch is set as a whole: rules that change places never let a packet see
# both, or neither, in their old places.
line() {
  echo "{\"vni\":7,\"id\":$1,\"direction\":\"out\",\"priority\":$2,\"action\":\"$3\"}"
}
{ line 1 10 allow; line 2 20 deny; } >/tmp/one
{ line 1 20 deny; line 2 10 allow; } >/tmp/other
ovctl -n R rule load /tmp/one
flood A 10.0.0.3
for ((i = 0; i < 20; i++)); do
  ovctl -n R rule load /tmp/other
  ovctl -n R rule load - </tmp/one
done
calm
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+
recount S
# And a request that is refused changes nothing.
before=$(ovctl -n R rule show --json | sed 's/"packets":[0-9]*,"bytes":[0-9]*//g')
refused '*no rule with that id*' ovctl -n R rule del 7 1 99
expect "$before" bash -c "ovctl -n R rule show --json | sed 's/\"packets\":[0-9]*,\"bytes\":[0-9]*//g'"

# Rules go with their network.
ovctl -n S rule add 7 in deny
ip -n G link del v0
ovctl -n S net del 7
ovctl -n S net set 7
expect '[]' ovctl -n S rule show --json
