# SPDX-License-Identifier: GPL-2.0
# case: a kernel warning fails the case that was running, though its commands succeed
# expect: kernel-report
# timeout: 30

echo '<4>WARNING: possible circular locking dependency detected (said by a test)' >/dev/kmsg
