# SPDX-License-Identifier: GPL-2.0
"""The hosts that packets go between, and what goes between them in either version."""

import struct

from packet import *

# A and B are mapped, C is reached by the prefix, R is a router that only IPv4 knows.
A4, B4, C4, R4 = a4("192.0.2.33"), a4("198.51.100.2"), a4("203.0.113.9"), a4("203.0.113.254")
A6, B6, C6, R6 = a6("2001:db8:a::33"), a6("2001:db8:b::2"), a6("2001:db8:64::203.0.113.9"), a6("2001:db8:64::203.0.113.254")
# Nothing leads to or from it.
LOST6 = a6("2001:db8:ffff::1")
LOST4 = a4("203.0.113.77")
# Of a mapped prefix, near its ends.
P4, Q4 = a4("10.1.0.1"), a4("10.1.0.254")
P6, Q6 = a6("2001:db8:c::1"), a6("2001:db8:c::fe")

# Protocols whose checksums either do not cover addresses or are not to be touched, and numbers that mean
# nothing yet.
OTHERS = {"ipip": 4, "ipv6": 41, "gre": 47, "esp": 50, "sctp": 132, "dccp": 33, "udplite": 136, "253": 253, "255": 255}

# Extensions of an ICMP message (RFC 4884) with one object of a class that nobody knows.
OBJECTS = struct.pack("!BBHHBB", 0x20, 0, 0, 12, 200, 1) + b"objects!"
OBJECTS = put(OBJECTS, 2, checksum(OBJECTS))


def echo4(kind=8, payload=b"echo payload", code=0):
    return icmp4(kind, code, 0x00420001, payload)


def echo6(src, dst, kind=128, payload=b"echo payload", code=0):
    return icmp6(src, dst, kind, code, 0x00420001, payload)
