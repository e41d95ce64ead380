# SPDX-License-Identifier: GPL-2.0
# case: TCP keeps its 64 KB from the port to the substrate's device, and what GRO has merged up to the port
# rows: TX11 RX4 K10
# timeout: 120
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#   v0          sub            sub     v0

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
head -c 16000000 /dev/urandom >/tmp/data
for end in A G; do
  in_ns "$end" sysctl -qw net.ipv4.tcp_wmem="4096 4194304 8388608" net.ipv4.tcp_rmem="4096 4194304 8388608"
  in_ns "$end" sysctl -qw net.ipv4.tcp_limit_output_bytes=8388608 net.ipv4.tcp_min_tso_segs=45
done

transfer() {
  rm -f /tmp/got
  in_ns G socat -u -b 262144 TCP-LISTEN:5000,reuseaddr CREATE:/tmp/got &
  local receiver=$!
  eventually 5 bash -c "ip netns exec G ss -Hltn | grep -q :5000"
  record net/net_dev_start_xmit net/netif_receive_skb
  in_ns A socat -u -b 1048576 FILE:/tmp/data TCP:10.0.0.3:5000
  wait "$receiver"
  cmp /tmp/data /tmp/got
}

# share MIN TEXT...: the percentage of bytes that are in buffers of MIN and more.
share() {
  recorded "${@:2}" | awk -v min="$1" '
    match($0, / len=[0-9]+/) { n = substr($0, RSTART + 5, RLENGTH - 5) + 0; all += n; if (n >= min) big += n }
    END { print all ? int(100 * big / all) : 0 }'
}
# mostly WHAT MIN TEXT...
mostly() {
  local percent
  percent=$(share "${@:2}")
  echo "$1: $percent % in buffers of $2 bytes and more"
  ((percent >= 80)) || fail "$1: only $percent % in buffers of $2 bytes and more"
}

# Nobody has to cut: 64 KB from socket to socket.
transfer
mostly "from the port" 60000 net_dev_start_xmit dev=v0 protocol=0x0800
mostly "to the substrate" 60000 net_dev_start_xmit dev=sub protocol=0x86dd
mostly "to the port" 60000 netif_receive_skb: dev=v0

# The last wire takes 1,500 bytes, and the far host merges again: what GRO had
# is what the port gets. (A veth offers to GRO only what comes from a peer that
# cannot do TSO.)
in_ns fabric ethtool -K S tso off >/dev/null
in_ns S ethtool -K sub gro on >/dev/null
transfer
mostly "to the substrate, before a wire that cuts" 60000 net_dev_start_xmit dev=sub protocol=0x86dd
mostly "merged, to the port" 30000 netif_receive_skb: dev=v0
