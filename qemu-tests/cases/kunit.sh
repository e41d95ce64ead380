# SPDX-License-Identifier: GPL-2.0
# case: the unit tests of module/net, which the kernel runs when it loads the module, all pass
# debug: distributed kernels are built without KUnit
# timeout: 60

mount -t debugfs debugfs /sys/kernel/debug
results=/sys/kernel/debug/kunit
rmmod ovnet 2>/dev/null || [[ ! -e /sys/module/ovnet ]]
modprobe ovnet
expect "counters namespace netlink ratelimit rcu route skb table" \
  bash -c "cd $results && ls -d ovnet_* | sed s/ovnet_// | xargs"
for suite in "$results"/ovnet_*; do
  cat "$suite/results"
  # The suite's own line is the only one that is not indented.
  grep -qE "^ok 1 ${suite##*/}( |$)" "$suite/results" || fail "${suite##*/} did not pass"
  grep -qE '^    ok [0-9]' "$suite/results" || fail "${suite##*/} has no test"
  ! grep -qE '^ *not ok|# SKIP' "$suite/results" || fail "${suite##*/} has a test that did not pass"
done
# And they leave nothing: the module can go.
expect 0 cat /sys/module/ovnet/refcnt
rmmod ovnet
