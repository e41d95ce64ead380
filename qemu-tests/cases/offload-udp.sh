# SPDX-License-Identifier: GPL-2.0
# case: UDP that is to be cut later (UDP_SEGMENT) arrives as the datagrams it stands for
# rows: TX11 RX4
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#   v0          sub            sub     v0

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3

cat >/tmp/receive <<'END'
import hashlib, socket, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("10.0.0.3", 5000))
udp.settimeout(10)
open("/tmp/ready", "w").close()
for size in [1200] * 20 + [777]:
    data, sender = udp.recvfrom(65536)
    assert len(data) == size, (len(data), size)
    number = data[0]
    assert data == bytes([number]) * len(data), "mixed"
    assert sender[0] == "10.0.0.2", sender
udp.settimeout(0.2)
try:
    udp.recvfrom(65536)
    sys.exit("one datagram too many")
except TimeoutError:
    pass
END
cat >/tmp/send <<'END'
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_UDP, 103, 1200)  # UDP_SEGMENT
udp.connect(("10.0.0.3", 5000))
udp.send(b"".join(bytes([n]) * 1200 for n in range(20)) + bytes([20]) * 777)
END

# round PACKETS-OUT PACKETS-IN: one send of 21 datagrams, counted so.
round() {
  rm -f /tmp/ready
  in_ns G python3 /tmp/receive &
  local receiver=$!
  eventually 10 test -e /tmp/ready
  in_ns A python3 /tmp/send
  wait "$receiver"
  stats R "tx-packets=$1" tx-bytes=+ arp-replies=0-2
  stats S "rx-packets=$2" rx-bytes=+ arp-replies=0-2
}
pings A 10.0.0.3
recount R S

# Nobody cuts before the socket; or the substrate's device; or the node.
round 1 1
ip netns exec R ethtool -K sub tx-udp-segmentation off gso off tx off >/dev/null
round 1 21
ip netns exec A ethtool -K v0 tx-udp-segmentation off gso off >/dev/null
round 21 21
ip netns exec A ethtool -K v0 tx off >/dev/null
round 21 21
