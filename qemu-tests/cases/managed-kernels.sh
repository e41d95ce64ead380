# SPDX-License-Identifier: GPL-2.0
# case: two hosts and their manager, each under a kernel of its own
# rows: SM2 OP3 TX3 AD5
# guests: 3
# timeout: 600
#
#  guest 1                     guest 3                     guest 2
#  A 10.0.0.2 ─┬─ R ── fabric ─┐   M ── fabric ─┐    ┌─ fabric ── S ── G 10.0.0.3
#  B 10.0.0.4 ─┘          eth0 └────── wire ────┴────┘ eth0

# Certificates are of a time, and the clocks of guests that share a busy machine have been seen to differ by
# more than those of hosts should. Their hardware clocks are the machine's.
[[ ! -e /dev/rtc0 ]] || busybox hwclock -s -u -f /dev/rtc0

readonly NODE_A=00000000000000aa NODE_B=00000000000000bb NODE_G=00000000000000cc
readonly PREFIX=(- fd00:a:1:1 fd00:a:1:2 fd00:a:1:100)
case $GUEST in
  1) fabric && host=R node=A id=$NODE_A own=10.0.0.2 && host R "${PREFIX[1]}" ;;
  2) fabric && host=S node=G id=$NODE_G own=10.0.0.3 && host S "${PREFIX[2]}" ;;
  3) manager ;;
esac
ip link set eth0 netns fabric
ip -n fabric link set eth0 addrgenmode none up
address fabric eth0 "fe80::$GUEST/64"
for far in 1 2 3; do
  [[ $far == "$GUEST" ]] || ip -n fabric route add "${PREFIX[far]}::/64" via "fe80::$far" dev eth0
done
barrier drawn

# The manager learns of all, and gives each host its token.
if [[ $GUEST == 3 ]]; then
  LOCATOR=([R]=${PREFIX[1]}::/64 [S]=${PREFIX[2]}::/64)
  api POST /v1/apply '{
    "organisations": [{"name": "acme", "title": "Acme"}],
    "networks": [{"vni": 7, "name": "front", "organisation": "acme", "prefixes": ["10.0.0.0/24"]}],
    "hosts": [{"id": "'"$(id R)"'", "name": "R", "organisation": "acme"},
              {"id": "'"$(id S)"'", "name": "S", "organisation": "acme"}],
    "nodes": [{"id": "'$NODE_A'", "name": "A", "network": 7, "addresses": ["10.0.0.2"], "host": "'"$(id R)"'"},
              {"id": "'$NODE_B'", "name": "B", "network": 7, "addresses": ["10.0.0.4"], "host": "'"$(id R)"'"},
              {"id": "'$NODE_G'", "name": "G", "network": 7, "addresses": ["10.0.0.3"], "host": "'"$(id S)"'"}]
  }' >/dev/null
else
  in_ns "$host" socat -u TCP6-LISTEN:9000,reuseaddr CREATE:/tmp/token &
  receiver=$!
  eventually 10 bash -c "ip netns exec $host ss -Hltn | grep -q :9000"
fi
barrier provisioned
if [[ $GUEST == 3 ]]; then
  for host in R S; do
    invitation "$host" | in_ns M socat -u - "TCP6:[${LOCATOR[$host]%/64}1]:9000"
  done
else
  wait "$receiver"
  agent "$host" "$(</tmp/token)"
  member "$node" on "$host" net 7 "$own" id "$id"
  [[ $host != R ]] || member B on R net 7 10.0.0.4 id $NODE_B
fi
barrier attached

if [[ $GUEST == 1 ]]; then
  refused '*no mapping*' ovctl -n R mapping show 7 10.0.0.3
  pings A 10.0.0.3 3
  maps R 7 10.0.0.3 '"state":"remote"'
  pings B 10.0.0.3 1
fi
barrier resolved

# When the manager is killed, A and G are in a conversation.
if [[ $GUEST == 2 ]]; then
  for port in 5000 5001; do
    in_ns G socat -u "TCP-LISTEN:$port,reuseaddr" "CREATE:/tmp/$port" &
    receivers+=($!)
    eventually 10 bash -c "ip netns exec G ss -Hltn | grep -q :$port"
  done
fi
barrier listening
if [[ $GUEST == 1 ]]; then
  mkfifo /tmp/words
  in_ns A socat -u STDIN TCP:10.0.0.3:5000 </tmp/words &
  talking=$!
  exec {words}>/tmp/words
  seq 10000 >&"$words"
fi
[[ $GUEST != 2 ]] || eventually 10 test -s /tmp/5000
barrier talking
[[ $GUEST != 3 ]] || killed M
barrier alone

# It goes on, and B and G, whom both hosts know, begin another one; so does whoever pings.
if [[ $GUEST == 1 ]]; then
  eventually 30 resolves R holding
  seq 10001 20000 >&"$words"
  exec {words}>&-
  wait "$talking"
  seq 20000 >/tmp/data
  in_ns B socat -u FILE:/tmp/data TCP:10.0.0.3:5001
  pings A 10.0.0.3 3
elif [[ $GUEST == 2 ]]; then
  eventually 30 resolves S holding
  wait "${receivers[@]}"
  seq 20000 | cmp - /tmp/5000
  seq 20000 | cmp - /tmp/5001
  pings G 10.0.0.4 3
fi
barrier conversed
[[ $GUEST != 3 ]] || manager
[[ $GUEST == 3 ]] || eventually 60 resolves "$host"
barrier together

# An agent is killed and started again, and no packet is lost.
if [[ $GUEST == 1 ]]; then
  in_ns A ping -q -n -i 0.001 -c 5000 -W 10 10.0.0.3 >/tmp/flood &
  flood=$!
  sleep 0.5
  killed R
  eventually 10 resolves R lost
  daemon R
  eventually 30 resolves R
  wait "$flood"
  grep -q '5000 packets transmitted, 5000 received, 0% packet loss' /tmp/flood || fail "$(</tmp/flood)"
fi
barrier done
