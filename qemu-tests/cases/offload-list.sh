# SPDX-License-Identifier: GPL-2.0
# case: packets that the receiving device chains together (rx-gro-list) arrive each as it was sent
# rows: TX11 RX4 N06
# timeout: 120
# stock: it probes functions, which the debug kernel cannot
#
#  A 10.0.0.2 ── R ── fabric ══ S ── G 10.0.0.3
#   v0          sub          cut  sub     v0
#                            here chains

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
pings A 10.0.0.3 1
head -c 3000000 /dev/urandom >/tmp/data

# What A sends whole is cut on the last wire, and S gets it in one burst. (A
# veth offers to GRO only what comes from a peer that cannot do TSO.)
in_ns fabric ethtool -K S tso off tx-udp-segmentation off >/dev/null
in_ns S ethtool -K sub gro on rx-gro-list on >/dev/null

cat >/tmp/receive <<'END_OF_RECEIVER'
import socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
udp.bind(("10.0.0.3", 5000))
udp.settimeout(10)
open("/tmp/ready", "w").close()
for burst in range(20):
    for number in range(21):
        data, sender = udp.recvfrom(65536)
        size = 777 if number == 20 else 1200
        assert data == bytes([burst, number]) * (size // 2) + b"x" * (size % 2), (burst, number, data[:8], len(data))
        assert sender[0] == "10.0.0.2", sender
udp.settimeout(0.2)
try:
    udp.recvfrom(65536)
    sys.exit("one datagram too many")
except TimeoutError:
    pass
END_OF_RECEIVER
cat >/tmp/send <<'END_OF_SENDER'
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_UDP, 103, 1200)  # UDP_SEGMENT
udp.connect(("10.0.0.3", 5000))
for burst in range(20):
    datagrams = [bytes([burst, number]) * 600 for number in range(20)]
    udp.send(b"".join(datagrams) + bytes([burst, 20]) * 388 + b"x")
END_OF_SENDER

# datagrams: twenty bursts of 21 datagrams, each as it was sent.
datagrams() {
  rm -f /tmp/ready
  in_ns G python3 /tmp/receive &
  local receiver=$!
  eventually 10 test -e /tmp/ready
  in_ns A python3 /tmp/send
  wait "$receiver"
}

# transfer: the data, unchanged, over TCP.
transfer() {
  rm -f /tmp/got
  in_ns G socat -u TCP-LISTEN:5000,reuseaddr CREATE:/tmp/got &
  local receiver=$!
  eventually 5 bash -c "ip netns exec G ss -Hltn | grep -q :5000"
  in_ns A socat -u -b 262144 FILE:/tmp/data TCP:10.0.0.3:5000
  wait "$receiver"
  cmp /tmp/data /tmp/got
}

# Nothing was lost, and the kernel did chain: it takes apart what it has
# chained by skb_segment_list.
probe chain skb_segment_list
chained() {
  (($(times chain) > 10)) || fail "S chained $(times chain) times"
}
recount R S
record chain
datagrams
chained
stats R tx-packets=20 tx-bytes=+ arp-replies=0-2
stats S rx-packets=420 rx-bytes=$((20 * (20 * 1228 + 805))) arp-replies=0-2

record chain
transfer
chained
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2
stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2

# The same to a host in which a capture shares every buffer.
in_ns S tcpdump -n -i sub -w /tmp/capture -s 128 2>/dev/null &
capture=$!
eventually 5 in_ns S sh -c '[ $(wc -l </proc/net/packet) -gt 1 ]'
record chain
datagrams
transfer
chained
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2
stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2
kill "$capture"
wait "$capture" || true

# Packets carried whole: the kernel chains the TCP within, and leaves UDP alone.
# TCP's first window is ten segments; those of the size that fitted before are
# answered with the new MTU, each by itself.
ovctl -n R net set 7 --fidelity exact
ovctl -n S net set 7 --fidelity exact
datagrams
record chain
transfer
chained
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2 drop:too-big=0-10
stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2

# A node that forwards for others: what its own device chained is cut before it
# reaches the port.
ovctl -n R net set 7 --fidelity semantic
ovctl -n S net set 7 --fidelity semantic
ns B
wire A B
address A B 10.9.0.1/24
address B A 10.9.0.2/24
ip -n B route add default via 10.9.0.1
in_ns A sysctl -qw net.ipv4.ip_forward=1
in_ns A nft "add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; }; \
  add rule ip nat out oifname v0 masquerade"
in_ns B ethtool -K A tso off tx-udp-segmentation off >/dev/null
in_ns A ethtool -K B gro on rx-gro-list on >/dev/null
in_ns S ethtool -K sub rx-gro-list off >/dev/null
recount R S
record chain
rm -f /tmp/ready
in_ns G python3 /tmp/receive &
receiver=$!
eventually 10 test -e /tmp/ready
in_ns B python3 /tmp/send
wait "$receiver"
chained
stats R tx-packets=420 tx-bytes=$((20 * (20 * 1228 + 805))) arp-replies=0-2
stats S rx-packets=+ rx-bytes=+ arp-replies=0-2
