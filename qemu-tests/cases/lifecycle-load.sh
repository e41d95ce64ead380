# SPDX-License-Identifier: GPL-2.0
# case: the module loads and unloads ten times, empty and with a host in use
# rows: OP4 OP1
# timeout: 120
#
#  A 10.0.0.2 ── R ── fabric

file=/lib/modules/$KERNEL_VERSION/extra/ovnet.ko
rmmod ovnet 2>/dev/null || [[ ! -e /sys/module/ovnet ]]
for ((round = 0; round < 8; round++)); do
  insmod "$file"
  rmmod ovnet
done

# A host, a network, a port and mappings go with the module; the node's device
# too, though it lives in another namespace.
modprobe ovnet
hosts R
node A on R net 7 10.0.0.2
ovctl -n R mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64
ovctl -n R mapping set 7 10.0.0.4 --locator fd00:a:1:3::/64
ovctl -n R mapping del 7 10.0.0.4
refused '*' in_ns A ping -q -n -c 1 -W 1 10.0.0.3
expect 0 cat /sys/module/ovnet/refcnt
rmmod ovnet
refused '*does not exist*' ip -n A link show v0

# The namespace is a new host to the module that is loaded again.
insmod "$file"
expect "[]" ovctl -n R host show --json
expect "[]" ovctl -n R mapping show --all --json
stats R
ovctl -n R host set fd00:a:1:9::/64
rmmod ovnet
