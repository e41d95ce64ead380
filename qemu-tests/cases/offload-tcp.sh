# SPDX-License-Identifier: GPL-2.0
# case: TCP crosses in segments larger than the MTU, is cut and merged again where it must be, and stays whole
# rows: TX11 RX4
# timeout: 120
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#   v0          sub            sub     v0

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
head -c 4000000 /dev/urandom >/tmp/data
# TCP makes segments of what it sends in a millisecond: on a slow machine too, they are large here.
for end in A G; do
  in_ns "$end" sysctl -qw net.ipv4.tcp_min_tso_segs=45
done

# transfer FROM TO ADDRESS: the data, unchanged, over TCP.
transfer() {
  rm -f /tmp/got
  in_ns "$2" socat -u TCP-LISTEN:5000,reuseaddr CREATE:/tmp/got &
  local receiver=$!
  eventually 5 bash -c "ip netns exec $2 ss -Hltn | grep -q :5000"
  in_ns "$1" socat -u -b 262144 FILE:/tmp/data "TCP:$3:5000"
  wait "$receiver"
  cmp /tmp/data /tmp/got
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

# large NUMBER / small NUMBER: what the mean says of the size of segments.
large() { (($1 > 6000)) || fail "$1 bytes per packet: cut"; }
small() { (($1 <= 1480)) || fail "$1 bytes per packet: not cut"; }

round() {
  recount R S
  transfer A G 10.0.0.3
}

# nothing lost on the way: all counters but those of the transfer stand.
clean() {
  stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-1
  stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-1
}

# Everything on: segments and checksums stay undone from socket to socket.
round
large "$(mean R tx)"
large "$(mean S rx)"
clean

# The substrate's device cuts and sums; the far host takes what it gets.
ip netns exec R ethtool -K sub tso off gso off tx off >/dev/null
ip netns exec S ethtool -K sub gro off >/dev/null
round
large "$(mean R tx)"
small "$(mean S rx)"
clean

# The far host merges again what was cut, because all that it compares is
# constant per flow; the merged packet is delivered as one. (A veth offers to
# GRO only what comes from a peer that cannot do TSO.)
ip netns exec fabric ethtool -K S tso off >/dev/null
ip netns exec S ethtool -K sub gro on >/dev/null
round
large "$(mean R tx)"
large "$(mean S rx)"
clean

# The node cuts, and sums or does not.
ip netns exec A ethtool -K v0 tso off gso off >/dev/null
ip netns exec S ethtool -K sub gro off >/dev/null
round
small "$(mean R tx)"
clean
ip netns exec A ethtool -K v0 tx off >/dev/null
round
small "$(mean R tx)"
clean

# Nothing is summed by anybody but the node's stack, and nothing cut after it.
ip netns exec R ethtool -K sub tx on >/dev/null
round
clean
