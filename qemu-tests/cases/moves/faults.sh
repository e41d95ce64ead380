# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the cases about faults of moves share: who is there, a move with a fault
# in it, and what must have come of all of them.
#
#  A 10.0.0.2 ── R ── fabric ──┬── S ── v0 ┐
#                        M ────┤           ├ br0 G 10.0.0.3
#                              └── T ── v1 ┘
#
# All that G sends goes to both ports: what carries it is the one that is G's
# place, and never both. The manager is there already.

readonly A=00000000000000aa G=00000000000000cc WORK=/tmp/work
mkdir "$WORK"
: >"$WORK/stall"
cat >"$WORK/executor" <<'END'
#!/bin/bash
trap '' PIPE
place=/tmp/work/$OVNET_MOVE
mkdir -p "$place"
stall() {
  [[ $(</tmp/work/stall) == "$1" ]] || return 0
  touch /tmp/work/stalled
  while [[ -s /tmp/work/stall ]]; do sleep 0.05; done
}
[[ $(ip netns identify $$) == S ]] && own=v0 || own=v1
case $1 in
  source)
    stall armed
    echo converged
    while read -r word; do
      case $word in
        pause) stall freeze; echo paused ;;
        frozen) touch "$OVNET_ENDPOINT"; echo sent ;;
        abort | done) exit 0 ;;
      esac
    done
    ;;
  destination)
    ovctl port set "$own" --netns G --net "$OVNET_NETWORK" --address "$OVNET_ADDRESS" --node "$OVNET_NODE" ||
      { echo failed no port; exit 1; }
    stall prepare
    echo "prepared $place/image"
    {
      until [[ -e $place/image ]]; do sleep 0.05; done
      stall commit
      echo received
    } &
    while read -r word; do
      case $word in
        resume) echo resumed ;;
        abort | done) kill $! 2>/dev/null; exit 0 ;;
      esac
    done
    ;;
esac
END
chmod +x "$WORK/executor"

host R fd00:a:1:1
host S fd00:a:1:2
host T fd00:a:1:3
declare -A ID=()
for host in R S T; do ID[$host]=$(id "$host"); done
api POST /v1/apply '{
  "organisations": [{"name": "acme", "title": "Acme"}],
  "networks": [{"vni": 7, "name": "front", "organisation": "acme", "prefixes": ["10.0.0.0/24"]}],
  "hosts": [{"id": "'"${ID[R]}"'", "name": "R", "organisation": "acme"},
            {"id": "'"${ID[S]}"'", "name": "S", "organisation": "acme"},
            {"id": "'"${ID[T]}"'", "name": "T", "organisation": "acme"}],
  "nodes": [{"id": "'$A'", "name": "A", "network": 7, "addresses": ["10.0.0.2"], "host": "'"${ID[R]}"'"},
            {"id": "'$G'", "name": "G", "network": 7, "addresses": ["10.0.0.3"], "host": "'"${ID[S]}"'"}]
}' >/dev/null
EXECUTOR=$WORK/executor
for host in R S T; do agent "$host"; done
member A on R net 7 10.0.0.2 id $A
eventually 10 ovctl -n S net show 7
device G on S
ip -n T link add v1 netns G type ovnet
ovctl -n S port add v0 --netns G --net 7 --addr 10.0.0.3 --node $G
ip -n G link add br0 address 02:76:0a:00:00:03 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
ip -n G link set v1 address 02:76:0a:00:00:03
for port in v0 v1; do
  ip -n G link set $port master br0 up
  ip -n G link set $port type bridge_slave learning off
done
ip -n G link set br0 mtu 1480 up
ip -n G address add 10.0.0.3/24 dev br0
eventually 10 is_port S v0 G active
pings A 10.0.0.3
# Not by in_ns, whose shell would be what is killed.
ip netns exec R tcpdump -i sub -w "$WORK/replies" -U -s 128 -Q in 'ip6[6] = 1' 2>"$WORK/tcpdump" &
capture=$!
eventually 10 grep -q listening "$WORK/tcpdump"
ip netns exec A ping -n -i 0.05 -W 1 10.0.0.3 >"$WORK/pings" &
pinging=$!

# How a move stands.
stands() {
  local answer
  answer=$(exchange GET "/v1/moves/$move")
  answer=${answer##*\"reason\":}
  [[ $answer =~ \"state\":\"([a-z]+)\" ]] && echo "${BASH_REMATCH[1]}"
}
is_over() {
  outcome=$(stands)
  [[ $outcome == settled || $outcome == aborted ]]
}
one_move() {
  local stage=$1 what=$2 answer outcome start=$SECONDS
  echo "$stage" >"$WORK/stall"
  rm -f "$WORK/stalled"
  answer=$(api POST /v1/moves "{\"node\": \"$G\", \"host\": \"${ID[$to]}\"}")
  [[ $answer =~ \"id\":\"([0-9a-f]{16})\" ]] || fail "no id in $answer"
  move=${BASH_REMATCH[1]}
  eventually 30 test -e "$WORK/stalled"
  fault "$what"
  : >"$WORK/stall"
  # The node goes on somewhere before long, however it ends.
  pings A 10.0.0.3 1 >/dev/null || eventually 5 pings A 10.0.0.3 1
  until is_over; do
    ((SECONDS < start + 120)) || fail "$stage, $what: the move is still $outcome"
    sleep 0.2
  done
  echo "$stage, $what: $outcome after $((SECONDS - start)) s"
  [[ $outcome == aborted ]] || here=$to there=$from
  eventually 10 is_port "$here" "${PORT[$here]}" G active
  ! is_port "$there" "${PORT[$there]}" G active || fail "$stage, $what: active at $there, too"
  eventually 5 pings A 10.0.0.3 1
}

# faults WHAT...: moves to and fro, each with one fault at one stage.
declare -A PORT=([S]=v0 [T]=v1)
here=S there=T
faults() {
  local stage what
  for stage in prepare armed freeze commit; do
    for what; do
      from=$here to=$there
      one_move "$stage" "$what"
    done
  done
}

# answered_once: ends the conversation. No answer came twice, and none left two hosts.
answered_once() {
  kill -INT $pinging
  wait $pinging || true
  tail -n 3 "$WORK/pings"
  sleep 1
  kill $capture
  wait $capture || true
  ! grep -q DUP "$WORK/pings" || fail "an answer came twice: $(grep DUP "$WORK/pings")"
  python3 - "$WORK/replies" <<'END'
import struct, sys
data = open(sys.argv[1], "rb").read()
at, answers = 24, {}
while at < len(data):
    length, = struct.unpack_from("<I", data, at + 8)
    ip = data[at + 30 : at + 16 + length]
    at += 16 + length
    if ip[40] == 0:
        answers.setdefault(ip[44:48], []).append(ip[8:16])
twice = [seq for seq, hosts in answers.items() if len(hosts) > 1]
print(len(answers), "answers from", len({host for all in answers.values() for host in all}), "hosts")
if len(answers) < 100 or twice:
    sys.exit(f"{len(twice)} answers were sent more than once")
END
}
