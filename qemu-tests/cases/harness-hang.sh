# SPDX-License-Identifier: GPL-2.0
# case: a case that hangs is ended and fails
# expect: timeout
# timeout: 5

sleep infinity
