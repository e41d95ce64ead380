# SPDX-License-Identifier: GPL-2.0
# case: a node leaves a busy host by itself, another one there stays, and no packet is lost
# rows: MV6
# guests: 3
# timeout: 300
#
#  guest 1                         guest 3                       guest 2
#  G 10.0.0.3 ─┬─ S ── fabric ─┐   M ──┬── fabric ─┐  ┌─ fabric ── T ── later G
#  F 10.0.0.4 ─┘          eth0 └── R ──┴── wire ───┴──┘ eth0
#                                  A 10.0.0.2
#
# A load is that of a kernel, so that each host has one of its own. S is kept busy by what is no node.

[[ ! -e /dev/rtc0 ]] || busybox hwclock -s -u -f /dev/rtc0

readonly A=00000000000000aa G=00000000000000cc F=00000000000000ff
cat >/tmp/executor <<'END'
#!/bin/bash
trap '' PIPE
if [[ $1 == source ]]; then echo converged; else
  ovctl port set v0 --netns G --net "$OVNET_NETWORK" --address "$OVNET_ADDRESS" --node "$OVNET_NODE"
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
readonly EXECUTOR=/tmp/executor

case $GUEST in
  1) fabric && host=S && host S fd00:a:1:1 ;;
  2) fabric && host=T && host T fd00:a:1:2 ;;
  3) manager '[balance]' 'above = 600' && host R fd00:a:1:3 ;;
esac
LOCATOR=([S]=fd00:a:1:1::/64 [T]=fd00:a:1:2::/64 [R]=fd00:a:1:3::/64)
ip link set eth0 netns fabric
ip -n fabric link set eth0 addrgenmode none up
address fabric eth0 "fe80::$GUEST/64"
for far in 1:1 2:2 3:3 3:100; do
  [[ ${far%:*} == "$GUEST" ]] ||
    ip -n fabric route add "fd00:a:1:${far#*:}::/64" via "fe80::${far%:*}" dev eth0
done
if [[ $GUEST == 1 ]]; then
  for ((cpu = 0; cpu < $(nproc); cpu++)); do
    nice -n 19 sh -c 'while :; do :; done' &
    FLOODS+=($!)
  done
fi
barrier drawn

if [[ $GUEST == 3 ]]; then
  # A and G are not put together, so that R is no place for G.
  api POST /v1/apply '{
    "organisations": [{"name": "acme", "title": "Acme"}],
    "networks": [{"vni": 7, "name": "front", "organisation": "acme", "prefixes": ["10.0.0.0/24"]}],
    "hosts": [{"id": "'"$(id R)"'", "name": "R", "organisation": "acme"},
              {"id": "'"$(id S)"'", "name": "S", "organisation": "acme"},
              {"id": "'"$(id T)"'", "name": "T", "organisation": "acme"}],
    "nodes": [{"id": "'$A'", "name": "A", "network": 7, "addresses": ["10.0.0.2"], "host": "'"$(id R)"'"},
              {"id": "'$G'", "name": "G", "network": 7, "addresses": ["10.0.0.3"], "host": "'"$(id S)"'"},
              {"id": "'$F'", "name": "F", "network": 7, "addresses": ["10.0.0.4"], "host": "'"$(id S)"'"}]
  }' >/dev/null
else
  in_ns "$host" socat -u TCP6-LISTEN:9000,reuseaddr CREATE:/tmp/token &
  receiver=$!
  eventually 10 bash -c "ip netns exec $host ss -Hltn | grep -q :9000"
fi
barrier provisioned
operator() {
  in_ns M ovctl --server http://127.0.0.1:8440 --token-file "$DAEMONS/M/token" "$@"
}
if [[ $GUEST == 3 ]]; then
  for to in S T; do
    invitation "$to" | in_ns M socat -u - "TCP6:[${LOCATOR[$to]%/64}1]:9000"
  done
  agent R
  member A on R net 7 10.0.0.2 id $A
  operator placement set $A --group pair
  operator placement set $G --group pair --balance yes
else
  wait "$receiver"
  agent "$host" "$(</tmp/token)"
fi
if [[ $GUEST == 1 ]]; then
  member G on S net 7 10.0.0.3 id $G
  member F on S net 7 10.0.0.4 id $F
elif [[ $GUEST == 2 ]]; then
  device G on T
  ip -n G link set v0 up
  ip -n G address add 10.0.0.3/24 dev v0
fi
barrier attached

moved() {
  [[ $(api GET /v1/moves) == *'"reason":"balance"'*'"state":"settled"'* ]]
}
if [[ $GUEST == 3 ]]; then
  # Who begins to talk is asked for, and so is the way there: not this is what nothing is to be lost by.
  pings A 10.0.0.3
  pings A 10.0.0.4
  # Some after the move as well.
  sent=0 late=0
  until ((late > 1)); do
    ip netns exec A ping -q -n -c 50 -i 0.02 -W 10 10.0.0.3 >/tmp/pings || fail "$(</tmp/pings)"
    grep -q ' 50 received, 0% packet loss' /tmp/pings || fail "after $sent: $(</tmp/pings)"
    ((sent += 50, sent < 5000)) || fail "nothing has moved: $(api GET /v1/hosts; operator placement plan balance)"
    ! moved || ((++late))
  done
  echo "G has moved while $sent echoes were sent"
  moves=$(api GET /v1/moves)
  [[ $moves == *"\"node\":\"$G\""*"\"from\":{\"host\":\"$(id S)\""*"\"to\":{\"host\":\"$(id T)\""* ]] || fail "the moves are $moves"
  [[ $moves != *"$F"* ]] || fail "F was moved: $moves"
  [[ $(operator host show "${LOCATOR[S]}") =~ 'cpu '([0-9]+) ]] || fail "S has no load"
  ((BASH_REMATCH[1] > 600)) || fail "S is no busier than ${BASH_REMATCH[1]}"
  pings A 10.0.0.4
fi
barrier moved
case $GUEST in
  1) is_port S v0 F active && eventually 10 is_port S v0 G inactive && calm ;;
  2) is_port T v0 G active ;;
esac
