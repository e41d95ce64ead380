# SPDX-License-Identifier: GPL-2.0
# case: a guest that waits for one that has ended fails at once
# expect: failure
# guests: 2
# timeout: 60

[[ $GUEST != 1 ]] || exit 0
barrier "guest 1 never comes here"
