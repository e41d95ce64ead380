# SPDX-License-Identifier: GPL-2.0
# case: a command that fails fails its case
# expect: failure
# timeout: 30

false
