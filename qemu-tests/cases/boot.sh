# SPDX-License-Identifier: GPL-2.0
# case: the guest runs the kernel the module is built for, alone in its namespaces
# timeout: 30

# The harness names the kernel; a guest of another one would prove nothing.
expect "$KERNEL_VERSION" uname -r
[[ -d /lib/modules/$KERNEL_VERSION/kernel ]] || fail "no modules"

# Namespaces joined by a wire, and nothing of any other case.
expect "" ip netns list
expect "eth0 lo" bash -c 'ls /sys/class/net | xargs'
ns left right
wire left:uplink right:uplink
address left uplink fd00::1/64 10.0.0.1/24
address right uplink fd00::2/64 10.0.0.2/24
in_ns left ping -q -c 3 -i 0.2 fd00::2
in_ns left ping -q -c 3 -i 0.2 10.0.0.2
in_ns left ip -6 neigh show fd00::2 | grep -q lladdr

# A veth counts what it carried: the 3 IPv4 echoes, their ARP and more.
(($(in_ns left cat /sys/class/net/uplink/statistics/tx_packets) >= 8)) || fail "too few packets"
refused '*"absent" does not exist*' ip -n left link show absent
