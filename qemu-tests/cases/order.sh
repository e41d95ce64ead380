# SPDX-License-Identifier: GPL-2.0
# case: packets of a flow arrive in the order in which they were sent, whole or in the fast form
# rows: TX6 AD7 A17
# timeout: 120
# stock: it probes functions, which the debug kernel cannot
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#
# The order between both forms is that of the wire: hosts queue them alike. A
# fabric with several paths may send them over two, since they have different
# next headers; that is as for fragments, which have no ports either.

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
pings A 10.0.0.3 1

cat >/tmp/receive <<'END_OF_RECEIVER'
import socket, struct, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
udp.bind(("10.0.0.3", 5000))
udp.settimeout(20)
open("/tmp/ready", "w").close()
for expected in range(int(sys.argv[1])):
    number, = struct.unpack("!I", udp.recv(2000)[:4])
    if number != expected:
        sys.exit(f"number {number} came in the place of {expected}")
END_OF_RECEIVER
cat >/tmp/send <<'END_OF_SENDER'
import socket, struct, sys
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect(("10.0.0.3", 5000))
for number in range(int(sys.argv[1])):
    if sys.argv[2] == "mixed":
        # Three "no operation" and an end; or no options.
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\1\1\1\0" if number % 3 == 0 else b"")
    udp.send(struct.pack("!I", number) + bytes(number % 1000))
END_OF_SENDER

# flow COUNT KIND
flow() {
  rm -f /tmp/ready
  in_ns G python3 /tmp/receive "$1" &
  local receiver=$!
  eventually 10 test -e /tmp/ready
  in_ns A python3 /tmp/send "$1" "$2"
  wait "$receiver"
  stats R "tx-packets=$1" tx-bytes=+ arp-replies=0-2
  stats S "rx-packets=$1" rx-bytes=+ arp-replies=0-2
}
recount R S
flow 5000 fast
# Every third is carried whole.
probe wrapped iptunnel_handle_offloads
record wrapped
flow 3000 mixed
expect 1000 times wrapped
