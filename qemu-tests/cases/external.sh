# SPDX-License-Identifier: GPL-2.0
# case: a machine that knows nothing of the overlay and a node talk as RFC 7915 says
# rows: UN1 UN2 A06 E01
# timeout: 120
#
#  A 10.0.0.2 ── R ── fabric ── X 2001:db8:5::9    which is 10.0.0.200 to A
#                        └───── Y 2001:db8:6::9    which is nobody to anybody

# machine NAME PREFIX: one that has a router and an address, and no module.
machine() {
  local name=$1 prefix=$2
  ns "$name"
  ip -n fabric link add "$name" address "$FABRIC_MAC" type veth peer name sub \
    address 02:fa:b0:00:99:09 netns "$name"
  ip -n fabric link set "$name" addrgenmode none up
  ip -n "$name" link set sub addrgenmode none up
  ip -n "$name" address add "$prefix::9/64" dev sub nodad
  ip -n fabric address add "$prefix::1/64" dev "$name" nodad
  ip -n "$name" route add default via "$prefix::1"
  ip -n "$name" neigh add "$prefix::1" lladdr "$FABRIC_MAC" dev sub nud permanent
  ip -n fabric neigh add "$prefix::9" lladdr 02:fa:b0:00:99:09 dev "$name" nud permanent
}

# say NODE ARGUMENT...: runs the program below in a node.
say() {
  local name=$1
  shift
  in_ns "$name" python3 /tmp/say "$@"
}
cat >/tmp/say <<'END'
import hashlib, os, socket, sys, time

# How many times slower than usual everything is.
patience = int(os.environ["PATIENCE"])
stream = 3000000 // patience
what, host, port, *rest = sys.argv[1:]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
address = (host, int(port))

def blob(size, seed):
    return hashlib.shake_128(seed).digest(size)

if what == "udp-server":
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind(address)
    print("ready", flush=True)
    while True:
        data, peer = s.recvfrom(70000)
        s.sendto(data[::-1], peer)
elif what == "udp":
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5 * patience)
    s.connect(address)
    for size in map(int, rest):
        data = blob(size, b"%d" % size)
        s.send(data)
        assert s.recv(70000) == data[::-1], size
elif what == "udp-refused":
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5 * patience)
    s.connect(address)
    s.send(b"anybody?")
    try:
        s.recv(100)
    except ConnectionRefusedError:
        sys.exit(0)
    sys.exit("not refused")
elif what == "udp-no-checksum":
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 11, 1)
    s.connect(address)
    s.send(b"unsummed")
elif what == "too-big":
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, 10, 2)
    s.connect(address)
    s.send(bytes(1400))
    for _ in range(50 * patience):
        time.sleep(0.1)
        mtu = s.getsockopt(socket.IPPROTO_IP, 14)
        if mtu < 1480:
            break
    print(mtu)
elif what == "tcp-server":
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(address)
    s.listen()
    print("ready", flush=True)
    while True:
        c, _ = s.accept()
        data = bytearray()
        while len(data) < stream:
            more = c.recv(1 << 20)
            if not more:
                break
            data += more
        c.sendall(data[::-1])
        c.close()
elif what == "tcp":
    c = socket.create_connection(address, 10 * patience)
    data = blob(stream, b"tcp")
    c.sendall(data)
    back = bytearray()
    while len(back) < len(data):
        more = c.recv(1 << 20)
        if not more:
            break
        back += more
    assert back == data[::-1], len(back)
END

# serve NODE ARGUMENT...: a server, ready when this returns.
serve() {
  local name=$1 log
  log=$(mktemp)
  say "$@" >"$log" &
  eventually 10 grep -q ready "$log"
}

# unsent: packets that the substrate's device of R was given and did not send.
unsent() {
  ip -n R -s -j link show sub |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["stats64"]["tx"]["dropped"])'
}

hosts R
node A on R net 7 10.0.0.2
machine X 2001:db8:5
machine Y 2001:db8:6
readonly THERE=fd00:a:1:1:0:7:a00:2
in_ns R ynl --do mapping-set \
  --json '{"vni": 7, "address": "10.0.0.200", "external": "2001:db8:5::9"}'
recount R

# Either may begin. An echo is one packet each way.
in_ns A ping -n -q -c 3 -i 0.1 -W 5 10.0.0.200
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=1
in_ns X ping -n -q -c 3 -i 0.1 -W 5 "$THERE"
stats R tx-packets=3 tx-bytes=252 rx-packets=3 rx-bytes=252 arp-replies=0-1

# Datagrams of all sizes, whole and in fragments, and a stream with all offloads.
serve X udp-server 2001:db8:5::9 7
serve X tcp-server 2001:db8:5::9 8
serve A udp-server 10.0.0.2 7
serve A tcp-server 10.0.0.2 8
say A udp 10.0.0.200 7 1 1400 1452 1453 3000 20000
say X udp "$THERE" 7 1 1400 1452 1453 3000 20000
say A tcp 10.0.0.200 8
say X tcp "$THERE" 8
in_ns A ethtool -K v0 tso off gso off tx off >/dev/null 2>&1
in_ns X ethtool -K sub tso off gso off tx off gro off >/dev/null 2>&1
say A udp 10.0.0.200 7 1 1400 3000
say A tcp 10.0.0.200 8
say X tcp "$THERE" 8
# What is left to the substrate's device is done by the kernel, if that device cannot.
in_ns A ethtool -K v0 tso on gso on tx on >/dev/null 2>&1
in_ns R ethtool -K sub tso off tx off >/dev/null 2>&1
say A udp 10.0.0.200 7 1 1400 3000
say A tcp 10.0.0.200 8
say X tcp "$THERE" 8
# What cannot be cut is lost, and sent again in segments of its own.
expect 0 unsent
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-3

# Errors cross in both directions.
say A udp-refused 10.0.0.200 99
say X udp-refused "$THERE" 99
recount R

# A datagram without a checksum is not translated, by name.
say A udp-no-checksum 10.0.0.200 7
stats R drop:udp-zero-checksum=1 arp-replies=0-1

# Each hop counts: the first is this host, the second the router, whose address
# nobody in the network knows. The machine behind it speaks for both.
for ttl in 1 2; do
  refused '*From 10.0.0.200*Time to live exceeded*' in_ns A ping -n -c 1 -t "$ttl" -W 5 10.0.0.200
done
recount R

# A path that narrows is told of, in the node's own measure.
ip -n fabric link set X mtu 1300
ip -n X link set sub mtu 1300
expect 1280 say A too-big 10.0.0.200 7
say A udp 10.0.0.200 7 1400 3000
recount R

# Nobody else gets in, and the mapping is the way.
refused '*100% packet loss*' in_ns Y ping -n -q -c 1 -W 1 "$THERE"
stats R drop:substrate-icmp=0-1
in_ns R ynl --do mapping-del --json '{"vni": 7, "address": "10.0.0.200"}'
refused '*100% packet loss*' in_ns X ping -n -q -c 1 -W 1 "$THERE"
