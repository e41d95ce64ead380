# SPDX-License-Identifier: GPL-2.0
# case: the module loads by itself when a device or the netlink family is asked for
# rows: OP1

loaded() { [[ -e /sys/module/ovnet ]]; }
rmmod ovnet 2>/dev/null || ! loaded

# `ip link add` asks for rtnl-link-ovnet.
ns R A
ip -n R link add v0 netns A type ovnet
loaded || fail "ip link add did not load the module"
expect ovnet bash -c 'ip -n A -d -j link show v0 | grep -o "\"info_kind\":\"[^\"]*\"" | cut -d\" -f4'
ip -n A link del v0
rmmod ovnet
refused '*' loaded

# ovctl asks for the generic netlink family.
expect "[]" ovctl -n R net show --json
loaded || fail "ovctl did not load the module"
expect 0 cat /sys/module/ovnet/refcnt

# Root's right to load is what counts, not a user's: without it ovctl says
# what to do.
rmmod ovnet
mv "/lib/modules/$KERNEL_VERSION/extra/ovnet.ko" /tmp/
trap 'mv /tmp/ovnet.ko "/lib/modules/$KERNEL_VERSION/extra/"' EXIT
status=0
text=$(ovctl -n R net show 2>&1) || status=$?
[[ $status == 4 && $text == *"modprobe ovnet"* ]] || fail "status $status: $text"
mv /tmp/ovnet.ko "/lib/modules/$KERNEL_VERSION/extra/"
trap - EXIT

expect "net-pf-16-proto-16-family-ovnet rtnl-link-ovnet" \
  bash -c "modinfo -F alias ovnet | sort | xargs"
expect GPL modinfo -F license ovnet
