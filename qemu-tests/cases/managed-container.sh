# SPDX-License-Identifier: GPL-2.0
# case: a container goes to another host and back while it runs, its connection and memory with it
# rows: MV1 MV3 MV5
# timeout: 600
#
#  A 10.0.0.2 ── R ──┐            ┌── S ── G 10.0.0.3, a container
#                    ├── fabric ──┤
#                M ──┘            └── T ── G, later
#
# The executor is the one that is installed, which CRIU does it for. Both hosts are of one kernel: what differs
# between them, they say by its configuration.

readonly A=00000000000000aa G=00000000000000cc WORK=/tmp/work
mkdir -p "$WORK/bin" "$WORK/nodes/$G"
mount --bind / "$WORK/nodes/$G"
# What comes between the stop and the freeze is in the container's sockets when it leaves: there is some.
cat >"$WORK/executor" <<'END'
#!/bin/bash
host=$(ip netns identify $$)
export PATH=/tmp/work/bin:$PATH
export OVNET_CRIU_NODES=/tmp/work/nodes OVNET_CRIU_STATE=/tmp/work/state-$host OVNET_CRIU_NETNS={node}-$host
trap '' PIPE
agent_says() {
  while read -r word; do
    [[ $word != pause || ! -e /tmp/work/late ]] || sleep 5
    echo "$word"
  done
}
program_says() {
  while read -r line; do
    [[ $line != paused ]] || sleep 1
    echo "$line"
  done
}
exec /usr/local/lib/ovnet/executor-criu "$@" < <(agent_says) > >(program_says)
END
# The second round of copies waits as long as there is a file for it to.
cat >"$WORK/bin/criu" <<'END'
#!/bin/bash
if [[ $1 == pre-dump && $3 == */2 && -e /tmp/work/stall ]]; then
  touch /tmp/work/stalled
  while [[ -e /tmp/work/stall ]]; do sleep 0.05; done
fi
exec /usr/sbin/criu "$@"
END
chmod +x "$WORK/executor" "$WORK/bin/criu"

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
agent R
EXECUTOR=$WORK/executor
for host in S T; do agent "$host"; done
member A on R net 7 10.0.0.2 id $A
member "$G-S" on S net 7 10.0.0.3 id $G
ip -n "$G-S" route add 192.0.2.0/24 via 10.0.0.1
ip netns exec "$G-S" /ovnet/cases/container/start "$WORK/nodes/$G" python3 /ovnet/cases/container/server.py &
eventually 20 bash -c "ip netns exec $G-S ss -Hltn | grep -q :5000"
ip netns exec A python3 /ovnet/cases/container/client.py "$WORK" &
client=$!

# answers: how many of A's lines were answered.
answers() {
  grep -c tcp "$WORK/answers"
}
goes_on() {
  local before
  before=$(answers)
  eventually 30 bash -c "((\$(grep -c tcp $WORK/answers) > $before + 3))"
}
# stands MOVE: its state.
stands() {
  local answer
  answer=$(exchange GET "/v1/moves/$1")
  answer=${answer##*\"reason\":}
  [[ $answer =~ \"state\":\"([a-z]+)\" ]] && echo "${BASH_REMATCH[1]}"
}
is_now() {
  [[ $(stands "$1") == "$2" ]]
}
operator() {
  in_ns M ovctl --server http://127.0.0.1:8440 --token-file "$DAEMONS/M/token" "$@"
}
start_to() {
  operator move start $G "${LOCATOR[$1]}" --detach
}
# is_at HOST NOT-HOST: the container is there alone, and nothing is left of it at the other one, or of the move.
is_at() {
  is_port "$1" v0 "$G-$1" active
  eventually 20 bash -c "! ls -d /run/netns/$G-$2 $WORK/state-*/*"
  (($(ip netns pids "$G-$1" | wc -l) > 0)) || fail "no process at $1"
  ip -n "$G-$1" route show | grep -q '^192.0.2.0/24 via 10.0.0.1' || fail "no route at $1"
}

eventually 20 test -s "$WORK/answers"
goes_on

echo "G goes to T, and the agent of S dies on the way"
touch "$WORK/stall"
move=$(start_to T)
eventually 60 test -e "$WORK/stalled"
killed S
daemon S
rm "$WORK/stall" "$WORK/stalled"
eventually 120 is_now "$move" settled
goes_on
is_at T S

echo "G goes back to S"
move=$(start_to S)
eventually 120 is_now "$move" settled
goes_on
is_at S T

echo "G is to go to T, and the operator thinks better of it"
touch "$WORK/stall"
move=$(start_to T)
eventually 60 test -e "$WORK/stalled"
operator move abort "$move" --why test
rm "$WORK/stall" "$WORK/stalled"
eventually 20 is_now "$move" aborted
goes_on
is_at S T

echo "G is to go to T, and is stopped too late"
touch "$WORK/late"
move=$(start_to T)
eventually 60 is_now "$move" aborted
rm "$WORK/late"
goes_on
is_at S T

touch "$WORK/stop"
wait "$client" || fail "A's conversation with G did not survive; G wrote: $(cat /var/tmp/output)"
