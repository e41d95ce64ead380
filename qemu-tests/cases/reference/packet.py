# SPDX-License-Identifier: GPL-2.0
"""Packets of IPv4 and IPv6, put together and summed from scratch."""

import struct
from ipaddress import IPv4Address, IPv6Address

ICMP, IGMP, TCP, UDP, ICMPV6 = 1, 2, 6, 17, 58
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, NO_NEXT, DESTINATION = 0, 43, 44, 51, 59, 60


def a4(text):
    """An IPv4 address as on the wire."""
    return IPv4Address(text).packed


def a6(text):
    """An IPv6 address as on the wire."""
    return IPv6Address(text).packed


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def pseudo(src, dst, protocol, length):
    """What a transport checksum covers besides, by the length of the addresses."""
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, protocol, length)
    return src + dst + struct.pack("!IHBB", length, 0, 0, protocol)


def put(data, at, value):
    """The data with a big-endian 16-bit word in another place."""
    return data[:at] + struct.pack("!H", value) + data[at + 2 :]


def bulk(length):
    """Payload that shows when a byte is lost, moved or doubled."""
    return bytes(i * 7 + (i >> 8) & 0xFF for i in range(length))


def udp(src, dst, payload, sum=None):
    """A UDP datagram between addresses of either version; sum replaces the checksum."""
    datagram = struct.pack("!HHHH", 5353, 53, 8 + len(payload), 0) + payload
    if sum is None:
        sum = checksum(pseudo(src, dst, UDP, len(datagram)) + datagram) or 0xFFFF
    return put(datagram, 6, sum)


def tcp(src, dst, payload=b"", flags=0x18, options=b""):
    """A TCP segment."""
    offset = (20 + len(options)) << 2
    segment = struct.pack("!HHIIBBHHH", 40000, 443, 0x01020304, 0x0A0B0C0D, offset, flags, 512, 0, 0)
    segment += options + payload
    return put(segment, 16, checksum(pseudo(src, dst, TCP, len(segment)) + segment))


def icmp4(kind, code=0, word=0, body=b""):
    """An ICMP message."""
    message = struct.pack("!BBHI", kind, code, 0, word) + body
    return put(message, 2, checksum(message))


def icmp6(src, dst, kind, code=0, word=0, body=b""):
    """An ICMPv6 message."""
    message = struct.pack("!BBHI", kind, code, 0, word) + body
    return put(message, 2, checksum(pseudo(src, dst, ICMPV6, len(message)) + message))


def ip4(src, dst, protocol, payload, *, tos=0, ident=0x1234, flags=0, offset=0, ttl=64, options=b"", length=None):
    """An IPv4 packet. flags are the three bits: 4 reserved, 2 DF, 1 MF; offset is in units of 8 bytes."""
    header_len = 20 + len(options)
    header = struct.pack(
        "!BBHHHBBH",
        0x40 | header_len // 4,
        tos,
        header_len + len(payload) if length is None else length,
        ident,
        flags << 13 | offset,
        ttl,
        protocol,
        0,
    )
    header += src + dst + options
    return put(header, 10, checksum(header)) + payload


def ip6(src, dst, protocol, payload, *, tclass=0, label=0, hops=64, length=None):
    """An IPv6 packet; payload starts with the extension headers, if any."""
    header = struct.pack(
        "!IHBB", 6 << 28 | tclass << 20 | label, len(payload) if length is None else length, protocol, hops
    )
    return header + src + dst + payload


def extension(following, units=0, body=b"\x01\x04\0\0\0\0"):
    """A Hop-by-Hop or Destination Options header; a routing header by its body."""
    return bytes([following, units]) + body + bytes(8 * units + 6 - len(body))


def fragment(following, offset=0, more=False, ident=0xDEADBEEF):
    """A Fragment header."""
    return struct.pack("!BBHI", following, 0, offset << 3 | more, ident)
