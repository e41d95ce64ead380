# SPDX-License-Identifier: GPL-2.0
# case: packets leave the same however the node has laid them out: in pages of its own, or duplicated
# rows: TX6 TX11 N05
# stock: it probes functions, which the debug kernel cannot
#
#  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
#   v0          sub            sub
#
# The programs are in buffers/.

hosts R S
port A on R net 7 10.0.0.2
port G on S net 7 10.0.0.3
export PYTHONPATH=/ovnet/cases/reference:/ovnet/cases/buffers
# What a device is given: how much of it is not linear, and who else has it.
probe given dev_hard_start_xmit 'len=first->len apart=first->data_len cloned=first->cloned'

# A ring of pages (PACKET_TX_RING): only the Ethernet header is linear, and all
# that follows is memory of the sender's.
record given
python3 -B /ovnet/cases/buffers/sent.py 1
(($(times len=1042 apart=1028) == 9)) || fail "no packet had its headers in the sender's pages"
stats R tx-packets=50 tx-bytes=$((10 * (1028 + 361 + 1240 + 128 + 168)))
stats S rx-packets=50 rx-bytes=$((10 * (1028 + 361 + 1240 + 128 + 168)))

# Every packet twice, the second a clone of the first: both leave whole.
ip netns exec A tc qdisc add dev v0 root netem duplicate 100%
record given
python3 -B /ovnet/cases/buffers/sent.py 2
(($(times cloned=1 apart=1028) > 0)) || fail "no packet was a clone"
stats R tx-packets=100 tx-bytes=$((20 * (1028 + 361 + 1240 + 128 + 168)))
stats S rx-packets=100 rx-bytes=$((20 * (1028 + 361 + 1240 + 128 + 168)))
