# SPDX-License-Identifier: GPL-2.0
# case: the translator agrees with an independent one, tayga, but for known differences
# timeout: 120
#
#  compare.py ── nat64 ── tayga
#      └─ ovctl translate
#
# The programs are in reference/; what both may do otherwise, and why, is in
# reference/differences.py.

modprobe tun
ns T
in_ns T python3 -B /ovnet/cases/reference/compare.py
