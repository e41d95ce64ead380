# SPDX-License-Identifier: GPL-2.0
"""IPv6 packets that both translators get: dictionaries from the name of a kind to its bytes."""

import struct

from hosts import *
from packet import *


def plain():
    """IPv6 packets without anything to report."""
    u = udp(A6, B6, b"hello")
    t = tcp(A6, B6, b"some data")
    syn = tcp(A6, B6, flags=2, options=bytes.fromhex("020405a00402080a000000010000000001030307"))
    kinds = {
        "udp": ip6(A6, B6, UDP, u),
        "udp-empty": ip6(A6, B6, UDP, udp(A6, B6, b"")),
        "udp-even": ip6(A6, B6, UDP, udp(A6, B6, b"even")),
        "udp-wrong-checksum": ip6(A6, B6, UDP, udp(A6, B6, b"x", sum=0x1234)),
        "udp-checksum-ffff": ip6(A6, B6, UDP, udp(A6, B6, b"x", sum=0xFFFF)),
        "udp-to-prefix": ip6(A6, C6, UDP, udp(A6, C6, b"hello")),
        "udp-from-prefix": ip6(C6, A6, UDP, udp(C6, A6, b"hello")),
        "udp-all-by-prefix": ip6(C6, R6, UDP, udp(C6, R6, b"hello")),
        "udp-mapped-prefix": ip6(P6, Q6, UDP, udp(P6, Q6, b"hello")),
        "udp-longer-than-packet": ip6(A6, B6, UDP, put(u, 4, 200)),
        "tcp": ip6(A6, B6, TCP, t),
        "tcp-syn": ip6(A6, B6, TCP, syn),
        "tcp-to-prefix": ip6(A6, C6, TCP, tcp(A6, C6, b"odd")),
        "echo": ip6(A6, B6, ICMPV6, echo6(A6, B6)),
        "echo-reply": ip6(A6, B6, ICMPV6, echo6(A6, B6, 129)),
        "echo-empty": ip6(A6, B6, ICMPV6, echo6(A6, B6, payload=b"")),
        "echo-odd": ip6(A6, B6, ICMPV6, echo6(A6, B6, payload=b"odd")),
        "echo-code": ip6(A6, B6, ICMPV6, echo6(A6, B6, code=3)),
        "echo-to-prefix": ip6(A6, C6, ICMPV6, echo6(A6, C6)),
    }
    # A checksum that becomes 0: of TCP it stays 0, of UDP it is written as its complement (RFC 768).
    for name, protocol, make, at in (
        ("udp", UDP, lambda n: udp(A6, B6, struct.pack("!H", n)), 6),
        ("tcp", TCP, lambda n: tcp(A6, B6, struct.pack("!H", n)), 16),
    ):
        base = put(make(0), at, 0)
        missing = checksum(pseudo(A4, B4, protocol, len(base)) + base)
        kinds[f"{name}-becomes-zero"] = ip6(A6, B6, protocol, make(missing))
    for name, number in OTHERS.items():
        kinds[f"protocol-{name}"] = ip6(A6, B6, number, bulk(40))
        kinds[f"protocol-{name}-empty"] = ip6(A6, B6, number, b"")
    kinds["protocol-ah"] = ip6(A6, B6, AUTHENTICATION, bytes([UDP, 4, 0, 0]) + bulk(20) + u)
    kinds["protocol-none"] = ip6(A6, B6, NO_NEXT, b"")
    kinds["protocol-none-bytes"] = ip6(A6, B6, NO_NEXT, bulk(9))
    kinds["protocol-mobility"] = ip6(A6, B6, 135, bytes([59, 0, 0, 0, 0, 0, 0, 0]))
    for tclass in (0x01, 0x02, 0x03, 0x10, 0xB8, 0xFF):
        kinds[f"class-{tclass:02x}"] = ip6(A6, B6, UDP, u, tclass=tclass)
    kinds["flow-label"] = ip6(A6, B6, UDP, u, label=0xFEDCB)
    for hops in (255, 128, 2):
        kinds[f"hops-{hops}"] = ip6(A6, B6, UDP, u, hops=hops)

    done = bytes([0, 0]) + bytes(4) + A6
    for name, first, headers in (
        ("hop-by-hop", HOP_BY_HOP, extension(UDP)),
        ("destination", DESTINATION, extension(UDP)),
        ("destination-long", DESTINATION, extension(UDP, 3, b"\x01\x1c")),
        ("routing-done", ROUTING, extension(UDP, 2, done)),
        ("three", HOP_BY_HOP, extension(DESTINATION) + extension(ROUTING) + extension(UDP, 2, done)),
        ("atomic-fragment", FRAGMENT, fragment(UDP)),
        ("destination-atomic-fragment", DESTINATION, extension(FRAGMENT) + fragment(UDP)),
        ("eight", HOP_BY_HOP, extension(DESTINATION) * 7 + extension(UDP)),
        ("nine", HOP_BY_HOP, extension(DESTINATION) * 8 + extension(UDP)),
        ("longest", DESTINATION, extension(UDP, 31, b"\x01\xfc")),
        ("too-long", DESTINATION, extension(UDP, 32, b"\x01\xff" + bytes(255) + b"\x01\x01")),
    ):
        kinds[f"extension-{name}"] = ip6(A6, B6, first, headers + u)
    echo = echo6(A6, B6)
    kinds |= {
        "extension-echo": ip6(A6, B6, DESTINATION, extension(ICMPV6) + echo),
        "extension-atomic-echo": ip6(A6, B6, FRAGMENT, fragment(ICMPV6) + echo),
        "extension-none": ip6(A6, B6, DESTINATION, extension(NO_NEXT)),
        "padding": ip6(A6, B6, UDP, u) + bytes(13),
    }
    return kinds


def sizes():
    """IPv6 packets around the limits of a path, and fragments."""
    kinds = {}
    for size in (1259, 1260, 1261, 1279, 1280, 1281, 1282, 1299, 1300, 1301, 1499, 1500):
        kinds[f"size-{size}"] = ip6(A6, B6, UDP, udp(A6, B6, bulk(size - 48)))
    for size in (1501, 1519, 1520, 1521, 2000, 4000):
        kinds[f"size-{size}"] = ip6(A6, B6, TCP, tcp(A6, B6, bulk(size - 60)))
    kinds["size-1500-echo"] = ip6(A6, B6, ICMPV6, echo6(A6, B6, payload=bulk(1452)))
    kinds["size-2000-echo"] = ip6(A6, B6, ICMPV6, echo6(A6, B6, payload=bulk(1952)))
    kinds["size-2000-echo-reply"] = ip6(A6, B6, ICMPV6, echo6(A6, B6, 129, payload=bulk(1952)))
    kinds["size-1300-extension"] = ip6(A6, B6, DESTINATION, extension(UDP) + udp(A6, B6, bulk(1244)))
    kinds["size-1284-extension"] = ip6(A6, B6, DESTINATION, extension(UDP) + udp(A6, B6, bulk(1228)))
    kinds["size-1400-atomic"] = ip6(A6, B6, FRAGMENT, fragment(UDP) + udp(A6, B6, bulk(1344)))

    whole = udp(A6, B6, bulk(3000))
    segment = tcp(A6, B6, bulk(3000))

    def piece(data, *place, protocol=UDP, **header):
        return ip6(A6, B6, FRAGMENT, fragment(protocol, *place) + data, **header)

    for ident in (0, 1, 0xFFFF, 0x10000, 0xFFFFFFFF):
        kinds[f"fragment-first-id-{ident:x}"] = piece(whole[:64], 0, True, ident)
    kinds |= {
        "fragment-first-tcp": piece(segment[:64], 0, True, protocol=TCP),
        "fragment-first-gre": piece(bulk(64), 0, True, protocol=47),
        "fragment-middle": piece(whole[64:128], 8, True),
        "fragment-last": piece(whole[128:137], 16),
        "fragment-last-tcp": piece(segment[128:137], 16, protocol=TCP),
        "fragment-class": piece(whole[:64], 0, True, tclass=0xB8),
        "fragment-behind-options": ip6(A6, B6, DESTINATION, extension(FRAGMENT) + fragment(UDP, 0, True) + whole[:64]),
        "fragment-to-prefix": ip6(C6, A6, FRAGMENT, fragment(UDP, 0, True) + udp(C6, A6, bulk(100))[:64]),
        "fragment-uneven": piece(whole[:61], 0, True),
        "fragment-tiny-udp": piece(whole[:8], 0, True),
        "fragment-tiny-tcp": piece(segment[:16], 0, True, protocol=TCP),
        "fragment-empty-last": piece(b"", 8),
        "fragment-largest-offset": piece(bulk(7), 8191),
        "fragment-too-far": piece(bulk(8), 8191),
        "fragment-too-far-for-ipv4": piece(bulk(100), 8180),
        "fragment-1496": piece(whole[:1448], 0, True),
        "fragment-1504": piece(whole[:1456], 0, True),
        "fragment-1528": piece(whole[:1480], 0, True),
        "fragment-1536": piece(whole[:1488], 0, True),
        "fragment-udp-zero-checksum": piece(put(whole, 6, 0)[:64], 0, True),
        "fragment-hops-1": piece(whole[:64], 0, True, hops=1),
        "fragment-last-hops-1": piece(whole[64:80], 8, hops=1),
        "fragment-echo": piece(echo6(A6, B6, payload=bulk(100))[:64], 0, True, protocol=ICMPV6),
        "fragment-echo-last": piece(bulk(50), 8, protocol=ICMPV6),
        "fragment-before-options": piece(extension(UDP) + whole[:64], 0, True, protocol=DESTINATION),
        "fragment-before-hop-by-hop": piece(extension(UDP) + whole[:64], 0, True, protocol=HOP_BY_HOP),
        "fragment-before-routing": piece(extension(UDP) + whole[:64], 0, True, protocol=ROUTING),
        "fragment-before-fragment": piece(fragment(UDP) + whole[:64], 0, True, protocol=FRAGMENT),
        "fragment-last-of-options": piece(bulk(16), 8, protocol=DESTINATION),
        "atomic-before-options": piece(extension(UDP) + udp(A6, B6, b"hello"), protocol=DESTINATION),
    }
    return kinds


def refused():
    """IPv6 packets that are reported, dropped, or wrong."""
    u = udp(A6, B6, b"hello")
    good = ip6(A6, B6, UDP, u)

    def route(left):
        return bytes([0, left]) + bytes(4) + A6

    kinds = {
        "hops-1": ip6(A6, B6, UDP, u, hops=1),
        "hops-0": ip6(A6, B6, UDP, u, hops=0),
        "hops-1-echo": ip6(A6, B6, ICMPV6, echo6(A6, B6), hops=1),
        "hops-1-echo-reply": ip6(A6, B6, ICMPV6, echo6(A6, B6, 129), hops=1),
        "hops-1-large": ip6(A6, B6, UDP, udp(A6, B6, bulk(1400)), hops=1),
        "hops-1-padding": ip6(A6, B6, UDP, u, hops=1) + bytes(9),
        "hops-1-extension": ip6(A6, B6, DESTINATION, extension(UDP) + u, hops=1),
        "routing-left": ip6(A6, B6, ROUTING, extension(UDP, 2, route(1)) + u),
        "routing-left-behind-options": ip6(A6, B6, DESTINATION, extension(ROUTING) + extension(UDP, 2, route(1)) + u),
        "routing-left-echo-reply": ip6(A6, B6, ROUTING, extension(ICMPV6, 2, route(1)) + echo6(A6, B6, 129)),
        "routing-left-hops-1": ip6(A6, B6, ROUTING, extension(UDP, 2, route(1)) + u, hops=1),
        "extension-truncated": ip6(A6, B6, DESTINATION, extension(UDP, 9)[:16]),
        "extension-missing": ip6(A6, B6, DESTINATION, b""),
        "fragment-truncated": ip6(A6, B6, FRAGMENT, fragment(UDP)[:6]),
        "udp-zero-checksum": ip6(A6, B6, UDP, udp(A6, B6, b"none", sum=0)),
        "udp-zero-checksum-empty": ip6(A6, B6, UDP, udp(A6, B6, b"", sum=0)),
        "udp-truncated": ip6(A6, B6, UDP, u[:7]),
        "udp-nothing": ip6(A6, B6, UDP, b""),
        "tcp-truncated": ip6(A6, B6, TCP, tcp(A6, B6)[:19]),
        "tcp-nothing": ip6(A6, B6, TCP, b""),
        "icmp-truncated": ip6(A6, B6, ICMPV6, echo6(A6, B6)[:7]),
        "icmp-nothing": ip6(A6, B6, ICMPV6, b""),
        "echo-wrong-checksum": ip6(A6, B6, ICMPV6, put(echo6(A6, B6), 2, 0x1111)),
        "protocol-1": ip6(A6, B6, ICMP, icmp4(8, 0, 0, b"ping")),
        "protocol-2": ip6(A6, B6, IGMP, bytes.fromhex("1600e904e00000fb")),
        "header-truncated": good[:39],
        "header-one-byte": good[:1],
        "version-5": b"\x50" + good[1:],
        "length-beyond": ip6(A6, B6, UDP, u, length=len(u) + 1),
        "length-0": ip6(A6, B6, UDP, u, length=0),
        "from-unmapped": ip6(LOST6, B6, UDP, udp(LOST6, B6, b"x")),
        "to-unmapped": ip6(A6, LOST6, UDP, udp(A6, LOST6, b"x")),
        "to-unmapped-echo-reply": ip6(A6, LOST6, ICMPV6, echo6(A6, LOST6, 129)),
        "to-unmapped-hops-1": ip6(A6, LOST6, UDP, udp(A6, LOST6, b"x"), hops=1),
        "to-unmapped-fragment-last": ip6(A6, LOST6, FRAGMENT, fragment(UDP, 8) + bulk(9)),
        "between-unmapped": ip6(LOST6, LOST6, UDP, udp(LOST6, LOST6, b"x")),
    }
    for name, address in {
        "group": "ff02::5", "global-group": "ff0e::1", "loopback": "::1", "unspecified": "::",
        "link-local": "fe80::1", "local": "fd00::1",
        "prefix-group": "2001:db8:64::224.0.0.5", "prefix-loopback": "2001:db8:64::127.0.0.1",
        "prefix-zero": "2001:db8:64::0.0.0.0", "prefix-broadcast": "2001:db8:64::255.255.255.255",
        "prefix-private": "2001:db8:64::10.9.9.9", "prefix-link-local": "2001:db8:64::169.254.1.1",
        "prefix-of-mapped": "2001:db8:64::198.51.100.2",
    }.items():
        other = a6(address)
        kinds[f"from-{name}"] = ip6(other, B6, UDP, udp(other, B6, b"x"))
        kinds[f"to-{name}"] = ip6(A6, other, UDP, udp(A6, other, b"x"))
    for kind in (5, 100, 127, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 143, 144, 200, 255):
        kinds[f"icmp-type-{kind}"] = ip6(A6, B6, ICMPV6, icmp6(A6, B6, kind, 0, 0x00420001, bulk(60)))
    return kinds


def error6(kind, code=0, word=0, quote=None, *, src=R6, dst=A6, objects=b"", before=None, **header):
    """An ICMPv6 error about a packet from A to B."""
    quote = ip6(A6, B6, UDP, udp(A6, B6, b"hello"), hops=1) if quote is None else quote
    message = icmp6(src, dst, kind, code, word, quote + objects)
    if before:
        return ip6(src, dst, before[0], before[1] + message, **header)
    return ip6(src, dst, ICMPV6, message, **header)


def errors():
    """ICMPv6 errors."""
    kinds = {}
    for code in range(9):
        kinds[f"unreachable-{code}"] = error6(1, code)
    for mtu in (0, 1, 67, 68, 87, 88, 576, 1279, 1280, 1281, 1300, 1420, 1499, 1500, 1501, 1520, 9000, 65555, 65556, 0xFFFFFFFF):
        kinds[f"too-big-{mtu}"] = error6(2, 0, mtu)
    kinds["too-big-code-1"] = error6(2, 1, 1400)
    for code in range(3):
        kinds[f"time-exceeded-{code}"] = error6(3, code)
    for pointer in (*range(10), 15, 22, 23, 24, 25, 38, 39, 40, 41, 255, 256, 0x10000004, 0xFFFFFFFF):
        kinds[f"parameter-{pointer}"] = error6(4, 0, pointer)
    kinds["parameter-code-1"] = error6(4, 1, 6)
    kinds["parameter-code-1-elsewhere"] = error6(4, 1, 40)
    kinds["parameter-code-2"] = error6(4, 2, 42)
    kinds["parameter-code-3"] = error6(4, 3, 0)

    segment = tcp(A6, B6, bulk(40))
    whole = udp(A6, B6, bulk(1400))
    segment_packet, packet = ip6(A6, B6, TCP, segment), ip6(A6, B6, UDP, whole)
    quotes = {
        "tcp": segment_packet,
        "tcp-8": segment_packet[:48],
        "tcp-17": segment_packet[:57],
        "tcp-20": segment_packet[:60],
        "udp-8": packet[:48],
        "udp-7": packet[:47],
        "header-only": packet[:40],
        "header-cut": packet[:39],
        "nothing": b"",
        "568": packet[:568],
        "569": packet[:569],
        "1232": packet[:1232],
        "1240": ip6(A6, B6, UDP, whole[:1200])[:1232],
        "gre": ip6(A6, B6, 47, bulk(30)),
        "sctp": ip6(A6, B6, 132, bulk(30)),
        "protocol-1": ip6(A6, B6, ICMP, bulk(30)),
        "none": ip6(A6, B6, NO_NEXT, b""),
        "echo": ip6(A6, B6, ICMPV6, echo6(A6, B6)),
        "echo-8": ip6(A6, B6, ICMPV6, echo6(A6, B6, payload=bulk(100)))[:48],
        "echo-reply": ip6(A6, B6, ICMPV6, echo6(A6, B6, 129)),
        "error": ip6(A6, B6, ICMPV6, icmp6(A6, B6, 1, 4, 0, ip6(B6, A6, UDP, udp(B6, A6, b"hello")))),
        "solicitation": ip6(A6, B6, ICMPV6, icmp6(A6, B6, 135, 0, 0, B6)),
        "options": ip6(A6, B6, DESTINATION, extension(UDP) + whole)[:80],
        "options-cut": ip6(A6, B6, DESTINATION, extension(UDP) + whole)[:44],
        "routing-left": ip6(A6, B6, ROUTING, extension(UDP, 2, bytes([0, 1]) + bytes(4) + A6) + whole)[:96],
        "atomic-fragment": ip6(A6, B6, FRAGMENT, fragment(UDP) + udp(A6, B6, b"hello")),
        "fragment-first": ip6(A6, B6, FRAGMENT, fragment(UDP, 0, True) + whole[:64]),
        "fragment-first-tcp": ip6(A6, B6, FRAGMENT, fragment(TCP, 0, True) + segment[:32]),
        "fragment-middle": ip6(A6, B6, FRAGMENT, fragment(UDP, 8, True) + whole[64:128]),
        "fragment-last": ip6(A6, B6, FRAGMENT, fragment(UDP, 16) + whole[128:140]),
        "fragment-echo": ip6(A6, B6, FRAGMENT, fragment(ICMPV6, 0, True) + echo6(A6, B6, payload=bulk(100))[:64]),
        "fragment-before-options": ip6(A6, B6, FRAGMENT, fragment(DESTINATION) + extension(UDP) + whole[:64]),
        "class-label-hops-0": ip6(A6, B6, UDP, whole[:40], tclass=0xB9, label=0xABCDE, hops=0),
        "wrong-length": ip6(A6, B6, UDP, whole[:40], length=2000),
        "udp-zero-checksum": ip6(A6, B6, UDP, udp(A6, B6, b"none", sum=0)),
        "tcp-zero-checksum": ip6(A6, B6, TCP, put(segment, 16, 0)),
        "mapped-prefix": ip6(P6, Q6, UDP, udp(P6, Q6, b"hello")),
        "by-prefix": ip6(C6, A6, UDP, udp(C6, A6, b"hello")),
        "unmapped-source": ip6(LOST6, B6, UDP, whole[:40]),
        "unmapped-destination": ip6(A6, LOST6, UDP, whole[:40]),
        "padded": ip6(A6, B6, UDP, udp(A6, B6, b"hello")) + bytes(99),
    }
    for name, quote in quotes.items():
        kinds[f"quote-{name}"] = error6(1, 4, 0, quote)
    kinds["quote-odd-time-exceeded"] = error6(3, 0, 0, quotes["tcp-17"])
    long = packet[:128]
    kinds |= {
        "objects": error6(3, 0, 16 << 24, long, objects=OBJECTS),
        "objects-unreachable": error6(1, 0, 16 << 24, long, objects=OBJECTS),
        "objects-port": error6(1, 4, 16 << 24, long, objects=OBJECTS),
        "objects-quote-padded": error6(3, 0, 16 << 24, quotes["udp-8"] + bytes(80), objects=OBJECTS),
        "objects-quote-256": error6(3, 0, 32 << 24, packet[:256], objects=OBJECTS),
        "objects-large": error6(3, 0, 140 << 24, packet[:1120], objects=OBJECTS),
        "objects-of-no-length": error6(3, 0, 0, long, objects=OBJECTS),
        "objects-length-alone": error6(3, 0, 16 << 24, long),
        "objects-length-beyond": error6(3, 0, 64 << 24, long),
        "objects-too-big": error6(2, 0, 1400, long, objects=OBJECTS),
        "error-hops-1": error6(1, 4, hops=1),
        "error-hops-2": error6(1, 4, hops=2),
        "error-class": error6(1, 4, tclass=0xC0),
        "error-options": error6(1, 4, before=(DESTINATION, extension(ICMPV6))),
        "error-atomic": error6(1, 4, before=(FRAGMENT, fragment(ICMPV6))),
        "error-fragment": error6(1, 4, before=(FRAGMENT, fragment(ICMPV6, 0, True))),
        "error-from-destination": error6(1, 4, src=B6),
        "error-from-unmapped": error6(3, 0, src=LOST6),
        "error-to-unmapped": error6(3, 0, dst=LOST6),
        "error-from-prefix-loopback": error6(3, 0, src=a6("2001:db8:64::127.0.0.1")),
        "error-to-prefix": error6(1, 4, 0, quotes["by-prefix"], dst=C6, src=A6),
        "error-wrong-checksum": ip6(R6, A6, ICMPV6, put(icmp6(R6, A6, 1, 4, 0, packet[:48]), 2, 0x1111)),
        "error-truncated": ip6(R6, A6, ICMPV6, icmp6(R6, A6, 1, 4)[:6]),
    }
    return kinds


def kinds():
    """All that a translator with a prefix gets."""
    return plain() | sizes() | refused() | errors()
