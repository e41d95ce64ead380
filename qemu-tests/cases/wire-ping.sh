# SPDX-License-Identifier: GPL-2.0
# case: two guests on one wire reach each other over IPv6
# guests: 2
# timeout: 60
#
#  guest 1  eth0 fd00::1 ───── wire ───── eth0 fd00::2  guest 2

other=$((3 - GUEST))
ip link set eth0 up
ip address add "fd00::$GUEST/64" dev eth0 nodad
barrier up
ping -q -c 3 -i 0.2 -W 5 "fd00::$other"
# Both kernels are alive and distinct: a full-size frame passes, one byte more does not.
ping -q -c 1 -W 5 -M do -s 1452 "fd00::$other"
refused '*' ping -q -c 1 -W 2 -M do -s 1453 "fd00::$other"
barrier done
