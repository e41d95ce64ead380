# SPDX-License-Identifier: GPL-2.0
# case: TCP that is carried whole is cut and merged where it must be, and stays whole
# rows: AD7 TX11 RX4
# timeout: 120
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3     an exact network
#   v0          sub            sub     v0

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
ovctl -n R net set 7 --fidelity exact
ovctl -n S net set 7 --fidelity exact
head -c 3000000 /dev/urandom >/tmp/data

# Everything that R sends must be of next header 4 but what has no ID to lose.
in_ns fabric nft -f - <<'END'
table ip6 seen {
  counter whole {}
  counter fast {}
  chain forward {
    type filter hook forward priority 0
    iifname "R" meta length > 200 @nh,48,8 4 counter name whole
    iifname "R" meta length > 200 @nh,48,8 != 4 counter name fast
  }
}
END
# seen COUNTER: packets since the last time.
seen() {
  in_ns fabric nft reset counter ip6 seen "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# mean HOST DIRECTION: IPv4 bytes per packet since the last recount.
mean() {
  local line packets=0 bytes=0
  while read -r line; do
    case $line in
      "$2-packets="*) packets=$((${line#*=} - ${COUNTED[$1:$2-packets]})) ;;
      "$2-bytes="*) bytes=$((${line#*=} - ${COUNTED[$1:$2-bytes]})) ;;
    esac
  done < <(counted "$1")
  echo $((bytes / packets))
}
large() { (($1 > 6000)) || fail "$1 bytes per packet: cut"; }
small() { (($1 <= 1460)) || fail "$1 bytes per packet: not cut"; }

# round R-SIZE S-SIZE: the data crosses unchanged and whole, in packets large
# or small where R sends and S receives.
round() {
  local receiver
  rm -f /tmp/got
  in_ns G socat -u TCP-LISTEN:5000,reuseaddr CREATE:/tmp/got &
  receiver=$!
  eventually 5 bash -c "ip netns exec G ss -Hltn | grep -q :5000"
  in_ns A socat -u -b 262144 FILE:/tmp/data TCP:10.0.0.3:5000
  wait "$receiver"
  expect "$(md5sum </tmp/data)" md5sum </tmp/got
  "$1" "$(mean R tx)"
  "$2" "$(mean S rx)"
  (($(seen whole) > 10)) || fail "nothing was carried whole"
  # A connection counts its packets from anywhere: one of them may be number 0.
  (($(seen fast) <= 1)) || fail "packets that have an ID to lose were not carried whole"
  clean
}
# Nothing is lost on the way.
clean() {
  stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-1
  stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-1
}

# The node learns what fits behind an IPv6 header, before it is counted.
refused '*mtu*1460*' in_ns A ping -n -c 1 -W 3 -M do -s 1412 -R 10.0.0.3
expect 1460 bash -c "ip -n A route get 10.0.0.3 | sed -n 's/.* mtu \([0-9]*\).*/\1/p'"
stats R arp-replies=1 drop:too-big=1
stats S

# Everything on: segments and checksums stay undone from socket to socket.
round large large

# The substrate's device cuts and sums; the far host takes what it gets.
ip netns exec R ethtool -K sub tso off gso off tx off >/dev/null
ip netns exec S ethtool -K sub gro off >/dev/null
round large small

# A packet that stands for several, of which the first alone has no ID to lose.
in_ns G tcpdump -U -n -i v0 -w /tmp/train 'tcp port 443' 2>/dev/null &
capture=$!
eventually 5 in_ns G sh -c '[ $(wc -l </proc/net/packet) -gt 1 ]'
in_ns A env PYTHONPATH=/ovnet/cases/reference:/ovnet/cases/buffers python3 -B /ovnet/cases/buffers/train.py \
  v0 10.0.0.2 10.0.0.3 "$(in_ns A ip neigh show 10.0.0.3 dev v0 | sed 's/.*lladdr \([^ ]*\) .*/\1/')"
eventually 5 bash -c '(($(tcpdump -n -r /tmp/train dst host 10.0.0.3 2>/dev/null | wc -l) == 3))'
kill "$capture"
wait "$capture" || true
expect "0 1 2" bash -c "tcpdump -n -v -r /tmp/train dst host 10.0.0.3 2>/dev/null |
  sed -n 's/.* id \([0-9]*\),.*/\1/p' | xargs"
expect 3 bash -c "tcpdump -n -vv -r /tmp/train dst host 10.0.0.3 2>/dev/null | grep -c 'cksum .*(correct)'"
expect 3 seen whole
clean

# What was cut is merged again, on the way and at the far host. (A veth offers
# to GRO only what comes from a peer that cannot do TSO.)
ip netns exec R ethtool -K sub tso off gso on tx on >/dev/null
for host in R S; do
  ip netns exec fabric ethtool -K "$host" tso off gro on >/dev/null
  ip netns exec "$host" ethtool -K sub tso off gro on >/dev/null
done
round large large

# The node cuts, and sums or does not.
ip netns exec S ethtool -K sub gro off >/dev/null
ip netns exec fabric ethtool -K R gro off >/dev/null
ip netns exec A ethtool -K v0 tso off gso off >/dev/null
round small small
ip netns exec A ethtool -K v0 tx off >/dev/null
round small small
