# SPDX-License-Identifier: GPL-2.0
# case: no payload is copied between the port and the substrate, as on a plain route
# rows: TX6 TX11 RX4
# timeout: 120
# stock: it probes functions, which the debug kernel cannot
#
#  A 10.0.0.2 ─── R ── fabric ── S ─── G 10.0.0.3     the overlay
#    10.1.0.2 ─── R ── fabric ── S ─── 10.2.0.2       a plain route besides

hosts R S
node A on R net 7 10.0.0.2
node G on S net 7 10.0.0.3
# The plain route: veths from nodes to hosts, and IPv4 on the fabric.
for name in R S fabric; do in_ns "$name" sysctl -qw net.ipv4.ip_forward=1; done
link() { # A B ADDRESS-OF-A ADDRESS-OF-B
  ip -n "$1" link add "to$2" type veth peer name "to$1" netns "$2"
  ip -n "$1" link set "to$2" addrgenmode none up
  ip -n "$2" link set "to$1" addrgenmode none up
  address "$1" "to$2" "$3/24"
  address "$2" "to$1" "$4/24"
}
link A R 10.1.0.2 10.1.0.1
link R fabric 10.3.0.1 10.3.0.2
link fabric S 10.4.0.2 10.4.0.1
link G S 10.2.0.2 10.2.0.1
ip -n A route add 10.2.0.0/24 via 10.1.0.1
ip -n G route add 10.1.0.0/24 via 10.2.0.1
ip -n R route add 10.2.0.0/24 via 10.3.0.2
ip -n S route add 10.1.0.0/24 via 10.4.0.2
ip -n fabric route add 10.2.0.0/24 via 10.4.0.1
ip -n fabric route add 10.1.0.0/24 via 10.3.0.1
# Equal links: what is sent whole over one is sent whole over the other.
ip -n A link set toR mtu 1480
ip -n G link set toS mtu 1480
head -c 4000000 /dev/urandom >/tmp/data

# Everything by which the kernel copies, joins, cuts or sums what a buffer
# holds.
COPIES=(skb_copy __pskb_copy_fclone skb_copy_expand pskb_expand_head skb_copy_bits skb_copy_and_csum_bits
  __pskb_pull_tail skb_copy_ubufs skb_segment skb_segment_list skb_checksum skb_checksum_help)
for copy in "${COPIES[@]}"; do probe "$copy" "$copy"; done

# traffic ADDRESS: 4 MB by TCP and 2,000 datagrams; prints how often each was
# called meanwhile.
traffic() {
  local to=$1 receiver copy
  rm -f /tmp/got
  in_ns G socat -u -b 262144 TCP-LISTEN:5000,reuseaddr CREATE:/tmp/got &
  receiver=$!
  eventually 5 bash -c "ip netns exec G ss -Hltn | grep -q :5000"
  record "${COPIES[@]}"
  in_ns A socat -u -b 262144 FILE:/tmp/data "TCP:$to:5000"
  wait "$receiver"
  in_ns A python3 -c "
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(2000):
    udp.sendto(bytes(1400), ('$to', 9))"
  cmp /tmp/data /tmp/got
  for copy in "${COPIES[@]}"; do
    echo "$copy $(times " $copy: ")"
  done
}
# Nobody listens: what comes is dropped where it would be read, unanswered.
in_ns G nft 'add table ip quiet; add chain ip quiet in { type filter hook input priority 0; }; add rule ip quiet in udp dport 9 counter drop'
received() { in_ns G nft list table ip quiet | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }
traffic 10.2.0.2 >/tmp/routed
expect 2000 received
recount R S
traffic 10.0.0.3 >/tmp/overlay
expect 4000 received
stats R tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2
stats S tx-packets=+ tx-bytes=+ rx-packets=+ rx-bytes=+ arp-replies=0-2
paste /tmp/routed /tmp/overlay
# A few calls are of the ends of connections and of ARP; one per packet would
# be thousands.
while read -r copy routed _ overlay; do
  ((overlay <= routed + 20)) || fail "$copy: $overlay times, $routed on a plain route"
done < <(paste /tmp/routed /tmp/overlay)
