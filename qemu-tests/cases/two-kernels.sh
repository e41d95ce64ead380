# SPDX-License-Identifier: GPL-2.0
# case: nodes under two kernels reach each other through routers that know only locators
# rows: AD5 TX1 TX6 TX11 RX4
# guests: 2
# timeout: 120
#
#  guest 1                                     guest 2
#  A 10.0.0.2 ── R ── fabric ── wire ── fabric ── S ── G 10.0.0.3
#                          eth0      eth0

case $GUEST in
  1) host=R node=A own=10.0.0.2 other=10.0.0.3 ;;
  2) host=S node=G own=10.0.0.3 other=10.0.0.2 ;;
esac
far=$((3 - GUEST))
fabric
host "$host" "fd00:a:1:$GUEST"
ovctl -n "$host" host set "fd00:a:1:$GUEST::/64"
node "$node" on "$host" net 7 "$own"
ovctl -n "$host" mapping set 7 "$other" --locator "fd00:a:1:$far::/64"
ip link set eth0 netns fabric
ip -n fabric link set eth0 addrgenmode none up
address fabric eth0 "fe80::$GUEST/64"
ip -n fabric route add "fd00:a:1:$far::/64" via "fe80::$far" dev eth0
barrier drawn

if [[ $GUEST == 1 ]]; then
  # The routers learn each other's MACs by IPv6; the first echo may wait for that.
  in_ns A ping -q -n -c 5 -i 0.1 -W 5 "$other"
  expect 'ttl=64' bash -c "ip netns exec A ping -n -c 1 -W 5 $other | grep -o 'ttl=[0-9]*'"
fi
barrier pinged
if [[ $GUEST == 1 ]]; then
  stats R arp-replies=1-2 tx-packets=6 tx-bytes=504 rx-packets=6 rx-bytes=504
else
  stats S arp-replies=1-2 tx-packets=6 tx-bytes=504 rx-packets=6 rx-bytes=504
  in_ns G socat -u TCP-LISTEN:5000 CREATE:/tmp/got &
  receiver=$!
  eventually 10 bash -c 'ip netns exec G ss -Hltn | grep -q :5000'
fi
barrier listening

# The data can be made at both ends, so that no way but the overlay carries it.
seq 400000 >/tmp/data
if [[ $GUEST == 1 ]]; then
  in_ns A socat -u FILE:/tmp/data TCP:10.0.0.3:5000
  stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2
else
  wait "$receiver"
  cmp /tmp/data /tmp/got
  stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2
fi
barrier sent
expect 2 bash -c "ip -n fabric -6 route show | grep -c '^fd00:a:'"
