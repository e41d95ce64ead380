# SPDX-License-Identifier: GPL-2.0
# case: packets arrive the same however the substrate's device has laid them out: in parts, shared, summed, reassembled
# rows: RX4 TX11 N05 N06 K09
# timeout: 120
# stock: it probes functions and takes what pktgen sends, which the debug kernel has not
#
#  A 10.0.0.2 ── R ── devices of the case
#   v0
#
# The programs are in buffers/.

modprobe tun
modprobe pktgen
hosts R S
port A on R net 7 10.0.0.2
port G on S net 7 10.0.0.3
export PYTHONPATH=/ovnet/cases/reference:/ovnet/cases/buffers
# What the hook is given: how long, how much of that is not linear, who summed,
# who else has it.
probe arrive nf_hook_slow 'len=skb->len apart=skb->data_len summed=skb->ip_summed cloned=skb->cloned'

# Headers split over page fragments at every kind of place. All but the 40
# bytes that IPv6 itself looks at may lie elsewhere.
record arrive
counted_by_case=$(in_ns R python3 -B /ovnet/cases/buffers/received.py)
recorded arrive | sed 's/.*\(len=.*\)/\1/' | sort | uniq -c
elsewhere=$(recorded arrive | awk -F'[ =]' '
  { for (i = 1; i < NF; i++) f[$i] = $(i + 1); if (f["len"] - f["apart"] < 48) n++ } END { print n + 0 }')
((elsewhere >= 20)) || fail "only $elsewhere packets had their transport header elsewhere"
# shellcheck disable=SC2086
stats R $counted_by_case drop:offload=1 drop:malformed=0-1

# The same buffer received many times, as those may who hold a reference: the
# first write to it would corrupt all that follow.
burst() {
  local pktgen=/proc/net/pktgen
  in_ns R bash -euc "
    say() { echo \"\$2\" >$pktgen/\$1; }
    say kpktgend_0 rem_device_all
    say kpktgend_0 'add_device sub'
    for word in 'xmit_mode netif_receive' 'count 800' 'burst 8' 'clone_skb 0' 'pkt_size 200' \
      'dst_mac $(ip netns exec R cat /sys/class/net/sub/address)' 'flag UDPCSUM' \
      'src6 fd00:a:1:2:0:7:a00:3' 'dst6 fd00:a:1:1:0:7:a00:2' 'udp_dst_min 9' 'udp_dst_max 9'; do
      say sub \"\$word\"
    done
    say pgctrl start"
}
in_ns A tcpdump -U -n -i v0 -w /tmp/burst 'udp port 9' 2>/dev/null &
capture=$!
eventually 5 in_ns A sh -c '[ $(wc -l </proc/net/packet) -gt 1 ]'
record arrive
recount R
# pktgen leaves sums to a device that offers to make them.
in_ns R ethtool -K sub tx off >/dev/null
burst
in_ns R ethtool -K sub tx on >/dev/null
stats R rx-packets=800 rx-bytes=$((800 * (200 - 14 - 20))) labels-cleared=800
(($(times 'len=186 ' cloned=1) >= 700)) || fail "the buffers were not shared"
eventually 5 bash -c '(($(tcpdump -n -r /tmp/burst 2>/dev/null | wc -l) == 800))'
kill "$capture"
wait "$capture" || true
# Every one is whole: addresses, TTL, length and checksums.
expect 800 bash -c "tcpdump -n -vv -r /tmp/burst 2>/dev/null |
  grep -c '10.0.0.3.* > 10.0.0.2.9: .*udp sum ok'"
expect 800 bash -c "tcpdump -n -vv -r /tmp/burst 2>/dev/null | grep -c 'ttl 64, .*length 166)'"

# A device that has summed the packet, header and all (CHECKSUM_COMPLETE): a
# tunnel that checks its own checksum leaves that of what it carried. With a
# stale sum, A's stack would complain of the device to the kernel's log.
ip -n A address add 10.0.0.2/24 dev v0
ip -n G address add 10.0.0.3/24 dev v0
ip -n fabric -4 address add 172.16.0.2/24 dev R
ip -n R -4 address add 172.16.0.1/24 dev sub
ip -n R link add gre type gre local 172.16.0.1 remote 172.16.0.2 csum
ip -n fabric link add gre type gre local 172.16.0.2 remote 172.16.0.1 csum
for end in R fabric; do
  ip -n "$end" link set gre addrgenmode none up
  # What is not cut by the sender is summed by nobody.
  in_ns "$end" ethtool -K gre tso off gso off gro off >/dev/null
done
in_ns fabric ethtool -K R tx off tso off gso off >/dev/null
ip -6 -n fabric route replace fd00:a:1:1::/64 dev gre
record arrive
recount R S
in_ns A socat -u UDP-RECV:5000 CREATE:/tmp/got &
receiver=$!
eventually 5 bash -c "ip netns exec A ss -Hlun | grep -q :5000"
in_ns G bash -c 'for i in {1..20}; do printf "%0900d" $i >/dev/udp/10.0.0.2/5000; done'
eventually 5 bash -c '(($(stat -c %s /tmp/got) == 20 * 900))'
kill "$receiver"
wait "$receiver" || true
(($(times 'len=948 ' summed=2) >= 20)) || fail "nothing was summed by the device"
pings G 10.0.0.2
stats R rx-packets=23 rx-bytes=$((20 * 928 + 252)) tx-packets=3 tx-bytes=252 arp-replies=0-2
stats S tx-packets=23 tx-bytes=$((20 * 928 + 252)) rx-packets=3 rx-bytes=252 arp-replies=0-2
